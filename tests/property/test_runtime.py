from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mamba_press.vendoring import runtime_module

names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@given(st.dictionaries(names, names))
def test_every_name_of_any_table_is_found_as_it_stands(libraries):
    namespace = {"__file__": "/home/module.py", "__name__": "module"}
    exec(runtime_module.module(libraries), namespace)
    for name, path in libraries.items():
        assert namespace["library"](name) == f"/home/{path}"
