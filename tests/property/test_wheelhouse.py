"""What the version of a wheel in a house says, for packages that need one another in any way; any manifest at all."""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from mamba_press.commands import parser
from mamba_press.errors import ConfigError, HouseError
from mamba_press.pipeline import install
from mamba_press.types import Entry
from mamba_press.vendoring import split
from mamba_press.wheel import wheelhouse
from tests.support.values import package


@st.composite
def graphs(draw):
    """Which of some packages requires which others exactly; cycles are wanted."""
    count = draw(st.integers(1, 7))
    numbers = st.integers(0, count - 1)
    return [draw(st.sets(numbers, max_size=3)) - {index} for index in range(count)]


def versions(graph, contents):
    members = [
        split.Member(
            package=package(f"p{index}"),
            name=f"p{index}",
            public=Version("1"),
            is_python=False,
            entries=(Entry(path="x", source=contents[index]),),
            exact=frozenset(f"p{other}" for other in needs),
        )
        for index, needs in enumerate(graph)
    ]
    found = split.versions(members, [""] * len(members))
    return [str(found[member.package.name][1]) for member in members]


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
    member = split.Member(
        package=one,
        name="p",
        public=split.public("", one),
        is_python=False,
        entries=(),
        exact=frozenset(),
    )
    found = split.versions([member], [""])[member.package.name][1]
    assert str(Version(str(found))) == str(found)
    assert found.local
    assert not found.is_prerelease


def row(name: str) -> wheelhouse.Row:
    file = f"{name}-1.0-py3-none-any.whl"
    return wheelhouse.Row(
        file=file, name=name, version="1.0", package=f"{name} 1.0 0", requested=True, size=5, sha256="0" * 64
    )


MANIFEST = wheelhouse.Manifest(
    name="house",
    subdir="linux-64",
    floor="2.27",
    pythons=("3.12",),
    elsewhere=("libcuda.so.*",),
    wheels=(row("one"), row("two")),
    left={"python": "is there already"},
    lock="0" * 64,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(st.characters()) | st.just("2.17"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def changed(draw):
    """The manifest with some value, at any depth, that is another, or missing."""
    values = json.loads(MANIFEST.to_json())
    for _ in range(draw(st.integers(1, 3))):
        at = values
        while True:
            key = draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
            if isinstance(at[key], (dict, list)) and at[key] and draw(st.booleans()):
                at = at[key]
                continue
            if draw(st.integers(0, 4)):
                at[key] = draw(JSON)
            else:
                del at[key]
            break
        if not values:
            break
    return values


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changed())
def test_a_manifest_is_refused_with_a_key_or_can_be_shown_and_installed_from(values):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, wheelhouse.MANIFEST).write_text(json.dumps(values), "utf-8")
        try:
            manifest = wheelhouse.read(Path(folder))
        except HouseError as error:
            str(error).encode()
            return
    "\n".join(parser.load("wheelhouse")._lines(manifest)).encode()
    facts = {"version": "3.12", "implementation": "cpython", "platform": "linux-x86_64", "floor": "2.36"}
    with contextlib.suppress(ConfigError):
        install.require_fit(manifest, facts, "house")
