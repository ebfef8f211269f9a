"""Chained path transforms of recipes are one mapping."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mamba_press.config import recipe_table

paths = st.lists(st.sampled_from("abc"), max_size=4).map("/".join)
mappings = st.dictionaries(paths, paths, max_size=4)


@given(first=mappings, second=mappings, path=paths)
def test_two_mappings_one_after_the_other_are_their_composition(first, second, path):
    whole = recipe_table.composed({"": "", **first}, second)
    assert recipe_table.target(whole, path) == recipe_table.target(second, recipe_table.target({"": "", **first}, path))
