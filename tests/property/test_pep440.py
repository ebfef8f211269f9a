"""Conda's specs and PEP 440's specifiers hold for the same versions, as packaging reads these one by one."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

from mamba_press.conda.pep440 import UntranslatableError, intersection, tidy, translate

GRID = [".".join(map(str, each)) for each in product(range(5), range(4), range(3))]
VERSIONS = [Version(text) for text in (*GRID, *(f"1!{text}" for text in GRID), "1.1.1.1", "2.0.0.1")]
"""A few between all that the specs below name, and beyond."""

NAMED = st.sampled_from(["1", "1.0", "2", "2.0.0", "3", "1.1", "1.2", "2.1", "2.2", "3.1", "1.1.1", "1!1", "1!2.1"])
CONSTRAINTS = st.one_of(
    st.tuples(st.sampled_from([">=", ">", "<=", "<", "==", "!="]), NAMED).map("".join),
    st.tuples(st.sampled_from(["==", "!="]), NAMED).map(lambda each: f"{each[0]}{each[1]}.*"),
    st.sampled_from(["~=1.1", "~=2.0.0", "~=1.0", "~=1!1.1"]),
)
ALTERNATIVES = st.lists(st.lists(CONSTRAINTS, min_size=1, max_size=3), min_size=1, max_size=3)
SETS = st.lists(CONSTRAINTS, max_size=3).map(lambda each: SpecifierSet(",".join(each)))
MANY = settings(max_examples=200)


def fitting(specifiers: SpecifierSet | None) -> list[Version]:
    return [] if specifiers is None else [each for each in VERSIONS if specifiers.contains(each)]


def holding(alternatives: list[list[str]]) -> list[Version]:
    return [
        each for each in VERSIONS if any(all(Specifier(one).contains(each) for one in some) for some in alternatives)
    ]


@MANY
@given(ALTERNATIVES)
def test_what_a_spec_becomes_takes_the_same_versions_or_says_that_it_takes_more(alternatives):
    wanted = holding(alternatives)
    try:
        found = translate("|".join(",".join(each) for each in alternatives))
    except UntranslatableError:
        assert wanted == []
        return
    taken = fitting(found.specifiers)
    assert set(wanted) <= set(taken)
    if not found.widened:
        assert taken == wanted


@MANY
@given(SETS, SETS)
def test_an_intersection_takes_what_both_take(first, second):
    both = intersection(first, second)
    assert fitting(both) == [each for each in fitting(first) if second.contains(each)]
    if fitting(both) == fitting(first) != [] and "!=" not in f"{first} {second}":
        assert both == first  # as it is written


@MANY
@given(SETS)
def test_tidied_specifiers_take_the_same_and_no_bound_or_version_is_named_in_vain(specifiers):
    tidied = tidy([*specifiers])
    assert fitting(None if tidied is None else SpecifierSet(tidied)) == fitting(specifiers)
    bounds = [each for each in tidied or () if each.operator != "!="]
    for each in tidied or ():
        rest = SpecifierSet(other for other in bounds if other != each)
        assert fitting(rest & SpecifierSet(str(each))) != fitting(rest), f"{each} says nothing beside {rest}"
