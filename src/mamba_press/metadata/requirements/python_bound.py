"""Requires-Python: what the own metadata says, and the channel's records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from mamba_press.conda.specifiers import intersection, translate
from mamba_press.conda.specs import UntranslatableError
from mamba_press.errors import Problem, Setting, Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mamba_press.errors import Words
    from mamba_press.metadata.installed import Installed
    from mamba_press.metadata.requirements import Context, Deriving


def of(own: Sequence[Installed], context: Context, deriving: Deriving) -> str | None:
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
