"""Which Pythons may install a wheel: its Requires-Python, and what that and its tags say together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from mamba_press.conda.match_specs import UntranslatableError
from mamba_press.conda.pep440 import intersection, translate
from mamba_press.errors import Problem, Setting, Text, Words

if TYPE_CHECKING:
    from mamba_press.metadata.installed import Installed
    from mamba_press.metadata.requirements import Context, Deriving
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


# -- deriving it


def derived(own: Sequence[Installed], context: Context, deriving: Deriving) -> str | None:
    """Return Requires-Python: what the own metadata says and, of packages not tied to one Python, the records.

    A package that is tied to an ABI says so by the wheel's tag.
    """
    bounds = [*_own_bounds(own, deriving), *_channel_bounds(context, deriving)]
    result, owner = bounds[0] if bounds else (SpecifierSet(), "")
    for bound, other in bounds[1:]:
        both = intersection(result, bound)
        if both is None:
            what = f"{owner} asks for {result}, {other} for {bound}"
            hint: Words = "state requires-python in [project]"
            deriving.problems.append(Problem(where="Requires-Python", what=what, hint=hint))
        else:
            result, owner = both, f"{owner} and {other}"
    python = context.target.python.version
    if result and not any(result.contains(f"{python}.{patch}") for patch in (0, 99)):
        what = f"{owner} asks for {result}, but the wheel is for Python {python}"
        hint = Text.of("choose another version in ", Setting("packages"), ", or state requires-python in [project]")
        deriving.problems.append(Problem(where="Requires-Python", what=what, hint=hint))
    return str(result) or None


def _own_bounds(own: Sequence[Installed], deriving: Deriving) -> Iterator[tuple[SpecifierSet, str]]:
    for one in own:
        text = one.raw.get("requires_python") or ""
        try:
            found = SpecifierSet(text)
        except InvalidSpecifier:
            deriving.notes.append(f"{one.path}: Requires-Python {text!r} cannot be read and is left out")
            continue
        if found:
            yield found, f"{one.name}'s own metadata"


def _channel_bounds(context: Context, deriving: Deriving) -> Iterator[tuple[SpecifierSet, str]]:
    for package in context.stays:
        tied = {each.name for each in package.depends} & {"python_abi", "_python_abi3_support"}
        for each in () if tied else package.depends:
            if each.name != "python":
                continue
            try:
                translated = translate(each.version, within=">=3")
            except UntranslatableError:
                continue
            # Every wheel is for Python 3, which need not be said.
            found = SpecifierSet([specifier for specifier in translated.specifiers if str(specifier) != ">=3"])
            if translated.widened:
                deriving.notes.append(f"{package.name} depends on python {each.version}: the wheel takes {found}")
            # A package that was built for one Python may say so without python_abi; the tag then says how far it goes.
            built_for_one = package.noarch is None and _is_one_python(found, context.target.python.minor)
            if found and not built_for_one:
                yield found, f"the channel's {package.name}"


def _is_one_python(bound: SpecifierSet, minor: int) -> bool:
    """Whether a bound lets in Python 3.``minor`` alone."""
    return bound.contains(f"3.{minor}.99") and not any(
        bound.contains(other) for other in (f"3.{minor - 1}.99", f"3.{minor + 1}.0")
    )
