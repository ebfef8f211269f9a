"""Which Pythons may install a wheel, held to what packaging says of real interpreters."""

from __future__ import annotations

import time

import pytest
from packaging.specifiers import SpecifierSet
from packaging.tags import compatible_tags, cpython_tags, parse_tag

from mamba_press.metadata import requires_python
from mamba_press.types import Python

REQUIRES = (
    "", ">=3.12", ">=3.8,<4", "<3.11", ">3.10", ">=3.10.2", "<3.10.2", "==3.10", "==3.10.*", "!=3.10.*", "~=3.10",
    "~=3.10.4", ">=3.9,!=3.9.*,!=3.10.*,<3.11.1", ">=2.7,!=3.0.*,!=3.1.*", "<3", ">=3.10.4,<3.10.5", ">=3.14.0rc1",
    "===3.10.7",
)  # fmt: skip
TAGS = (
    "cp310-cp310-any", "cp310-none-any", "cp39-abi3-any", "cp312-abi3-any", "py3-none-any", "py310-none-any",
    "py2-none-any", "py2.py3-none-any", "cp39.cp310-none-any", "py312-none-any",
)  # fmt: skip


def installs(requires: str, tag: str) -> bool:
    """Whether any of many Pythons takes the tag and is allowed, one after the other."""
    wanted = parse_tag(tag)
    for minor in range(18):
        version = (3, minor)
        takes = {
            *cpython_tags(version, abis=[f"cp3{minor}"], platforms=["any"]),
            *compatible_tags(version, interpreter=f"cp3{minor}", platforms=["any"]),
        }
        allowed = (f"3.{minor}.{patch}" for patch in range(20))
        if takes & wanted and any(SpecifierSet(requires).contains(each) for each in allowed):
            return True
    return "py2" in tag and SpecifierSet(requires).contains("2.7.18")


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("requires", REQUIRES)
def test_a_wheel_has_a_python_where_packaging_finds_one(requires, tag):
    assert requires_python.some(SpecifierSet(requires), map(str, parse_tag(tag))) == installs(requires, tag)


@pytest.mark.parametrize(
    ("requires", "tag", "expected"),
    [
        (">=3.99", "cp39-abi3-any", True),
        (">=3.99", "cp39-cp39-any", False),
        (">=4", "py3-none-any", False),
        (">=3.15.0a2,<3.15.0b1", "cp315-cp315-any", True),
        (">=3.12", "cp315-abi3t-any", True),
        (">=3.12", "graalpy240-graalpy240_310_native-any", True),
        (">=3.12", "strange-none-any", True),
    ],
)
def test_pythons_to_come_and_strange_tags(requires, tag, expected):
    assert requires_python.some(SpecifierSet(requires), [tag]) is expected


@pytest.mark.parametrize(
    ("requires", "python", "allowed", "nearest"),
    [
        (">=3.12", Python(minor=10), False, "3.12"),
        (">=3.10.5", Python(minor=10), True, "3.10"),
        (">3.13", Python(minor=14, free_threaded=True), True, "3.14"),
        ("<3.10", Python(minor=11), False, "3.9"),
        ("!=3.10.*", Python(minor=10), False, "3.9"),
        ("<3", Python(minor=10), False, None),
    ],
)
def test_a_python_is_allowed_by_any_of_its_releases_and_told_the_nearest_that_is(requires, python, allowed, nearest):
    assert requires_python.allows(SpecifierSet(requires), python) is allowed
    assert requires_python.nearest(SpecifierSet(requires), python) == nearest


def test_a_requires_python_of_many_specifiers_costs_little():
    start = time.process_time()
    some, no_end = (",".join(f"!=3.{each}.{each}" for each in range(count)) + ",<3" for count in (400, 20_000))
    assert not requires_python.some(SpecifierSet(some), ["py3-none-any"])
    assert requires_python.some(SpecifierSet(no_end), ["py3-none-any"])
    assert time.process_time() - start < 10


@pytest.mark.parametrize("text", ["no range", f">={'1' * 5000}", f"<4,>={'1' * 5000}", 3])
def test_a_range_that_cannot_be_read_is_told_of_elsewhere_and_allows_all(text):
    assert requires_python.stated(text) == SpecifierSet()
