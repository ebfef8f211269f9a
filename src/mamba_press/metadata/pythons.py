"""Which Pythons may install a wheel: what its tags and its Requires-Python say together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mamba_press.types import Python

_PYTHON = re.compile(r"(py|cp|pp|ip|jy)(\d)(\d*)")
"""Interpreters whose tags have the version of the language; GraalPy's have its own."""

_MOST = 500
"""How many specifiers are tried: the time grows with their number twice."""

_FAR = 10**6
"""A number that no release of Python reaches: it stands for all that are still to come."""


def stated(requires: object) -> SpecifierSet:
    """Return what a `requires-python` allows: all Pythons where there is none, or one that is told of elsewhere."""
    try:
        found = SpecifierSet(requires if isinstance(requires, str) else "")
        for each in found:
            each.contains("3")
    except ValueError:  # InvalidSpecifier, and int() for numbers with thousands of digits
        return SpecifierSet()
    return found


def some(requires: SpecifierSet, tags: Iterable[str]) -> bool:
    """Whether at least one Python that the Requires-Python allows takes at least one of the tags, platforms aside.

    A tag is a string such as ``cp310-cp310-any``. ``py3N`` and the stable ABI are for 3.N and all later ones, all else
    with a minor version for this one alone, as `packaging.tags` has it. Other tags count as taken, and so does a
    Requires-Python of more specifiers than are tried.
    """
    if len(requires) > _MOST:
        return True
    for tag in tags:
        interpreter, abi, *_ = tag.split("-")
        found = _PYTHON.fullmatch(interpreter)
        if found is None:
            return True
        major, first = int(found[2]), int(found[3] or 0)
        is_open = not found[3] or found[1] == "py" or abi.startswith("abi3")
        if any(requires.contains(each, prereleases=True) for each in _around(requires, major, first, is_open=is_open)):
            return True
    return False


def allows(requires: SpecifierSet, python: Python) -> bool:
    """Whether a Requires-Python allows any release of a Python."""
    return some(requires, [f"{python.interpreter}-none-any"])


def nearest(requires: SpecifierSet, python: Python) -> str | None:
    """Return the Python nearest to one, such as ``3.12``, of which a Requires-Python allows a release, or None."""
    minors = sorted(range(100), key=lambda minor: abs(minor - python.minor))
    return next((f"3.{minor}" for minor in minors if some(requires, [f"cp3{minor}-none-any"])), None)


def _around(requires: SpecifierSet, major: int, first: int, *, is_open: bool) -> Iterator[Version]:
    """Yield releases from ``major.first`` on, so many that one is among them if the specifiers allow any at all.

    Only at the versions that they name does it change what they allow.
    """
    named = [each for each in _named(requires) if each.major == major]
    minors = {first}.union(*({each.minor - 1, each.minor, each.minor + 1, _FAR} for each in named if is_open))
    releases = {(minor, patch) for minor in minors for patch in (0, _FAR)}
    releases |= {(each.minor, each.micro + step) for each in named for step in (-1, 0, 1)}
    for minor, patch in sorted(releases):
        if patch >= 0 and (minor >= first if is_open else minor == first):
            yield Version(f"{major}.{minor}.{patch}")
    yield from (each for each in named if (each.minor >= first if is_open else each.minor == first))


def _named(requires: SpecifierSet) -> Iterator[Version]:
    for each in requires:
        try:
            yield Version(each.version.removesuffix(".*"))
        except InvalidVersion:  # === takes any text
            continue
