from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamba_press.config.model import OVERRIDES
from mamba_press.config.reader import from_values

skbuild = pytest.importorskip("scikit_build_core.settings.skbuild_overrides")

NAMES = st.sampled_from(["a", "b", "c"])
LISTS = st.lists(NAMES, max_size=3)
TABLES = st.dictionaries(NAMES, NAMES, max_size=3)
STATES = ["sdist", "wheel", "editable", "metadata_wheel", "metadata_editable"]
VARIABLES = st.dictionaries(
    st.sampled_from(["A", "B"]), st.booleans() | st.sampled_from(["^1", "x", ".*"]), min_size=1, max_size=2
)
TESTS = st.fixed_dictionaries(
    {}, optional={"env": VARIABLES, "state": st.sampled_from([*STATES, "^wheel$", "metadata"])}
).filter(bool)
CONDITIONS = st.builds(
    lambda plain, groups: {**plain, **groups},
    TESTS | st.just({}),
    st.fixed_dictionaries({}, optional={"any": TESTS, "not": TESTS}),
).filter(bool)
MODES = st.sampled_from(["append", "prepend", "none"])


@st.composite
def overrides(draw) -> dict:
    """An override that both tools take: keys that are a list, or a table in a table."""
    override: dict = {"if": draw(CONDITIONS), "select": {"exclude": draw(LISTS)}}
    inherit: dict = {}
    if draw(st.booleans()):
        inherit["select"] = {"exclude": draw(MODES)}
    if draw(st.booleans()):
        override["layout"] = {"move": draw(TABLES)}
        if draw(st.booleans()):
            inherit["layout"] = {"move": draw(MODES)}
    if draw(st.booleans()):
        override["constraints"] = draw(LISTS)
        if draw(st.booleans()):
            inherit["constraints"] = draw(MODES)
    return {**override, **({"inherit": inherit} if inherit or draw(st.booleans()) else {})}


@given(
    st.lists(overrides(), min_size=1, max_size=3),
    st.sampled_from(STATES),
    st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["", "0", "1", "12", "off", "x"])),
    LISTS,
    TABLES,
)
def test_overrides_mean_what_they_mean_to_scikit_build_core(tables, state, environ, excluded, moved):
    table = {"packages": ["zlib"], "select": {"exclude": excluded}, "layout": {"move": moved}, OVERRIDES: tables}
    ours = from_values(copy.deepcopy(table), None, environ, state=state)
    theirs = copy.deepcopy(table)
    skbuild.process_overrides(theirs, state=state, retry=False, env=environ)
    assert ours.select.exclude == tuple(theirs["select"]["exclude"])
    assert ours.layout.move == theirs["layout"]["move"]
    assert ours.constraints == tuple(theirs.get("constraints", ()))
