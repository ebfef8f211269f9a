"""What the version of a wheel in a house says, for packages that need one another in any way."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from mamba_press import wheelhouse
from mamba_press.types import Entry
from tests.support.values import package


@st.composite
def graphs(draw):
    """Which of some packages requires which others exactly; cycles are wanted."""
    count = draw(st.integers(1, 7))
    numbers = st.integers(0, count - 1)
    return [draw(st.sets(numbers, max_size=3)) - {index} for index in range(count)]


def versions(graph, contents):
    members = [
        wheelhouse.Member(
            package=package(f"p{index}"),
            name=f"p{index}",
            public=Version("1"),
            is_python=False,
            entries=(Entry(path="x", source=contents[index]),),
            exact=frozenset(f"p{other}" for other in needs),
        )
        for index, needs in enumerate(graph)
    ]
    found = wheelhouse.versions(members, [""] * len(members))
    return [str(found.of(member)) for member in members]


def reach(graph, start):
    seen, todo = {start}, [start]
    while todo:
        for other in graph[todo.pop()] - seen:
            seen.add(other)
            todo.append(other)
    return seen


@settings(max_examples=150, deadline=None)
@given(graphs(), st.data())
def test_a_change_changes_the_version_of_what_is_built_on_it_and_of_nothing_else(graph, data):
    changed = data.draw(st.integers(0, len(graph) - 1))
    before = versions(graph, [b"a"] * len(graph))
    after = versions(graph, [b"b" if index == changed else b"a" for index in range(len(graph))])
    assert {index for index in range(len(graph)) if before[index] != after[index]} == {
        index for index in range(len(graph)) if changed in reach(graph, index)
    }


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_version_and_build_of_conda_become_a_version_that_stays_as_it_is_written(version, build):
    one = replace(package("p"), version=version, build=build)
    member = wheelhouse.Member(
        package=one,
        name="p",
        public=wheelhouse.public("", one),
        is_python=False,
        entries=(),
        exact=frozenset(),
    )
    found = wheelhouse.versions([member], [""]).of(member)
    assert str(Version(str(found))) == str(found)
    assert found.local
    assert not found.is_prerelease
