"""Conda's version specs in PEP 440's terms, and what of two specifiers holds at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet
from packaging.version import Version

from mamba_press.conda.match_specs import UntranslatableError, alternatives

_CONSTRAINT = re.compile(r"(==|!=|>=|<=|~=|=|>|<)?\s*(.+)", re.DOTALL)
_BELOW = re.compile(r"^(.*?)(?:\.0)*\.?(?:0a0?|0dev0?|a0?|\.?dev0?)$")
# A letter alone, as in 2024a: conda reads it as later than 2024, PEP 440 as a pre-release.
_LONE_LETTER = re.compile(r"(?<![a-z])[a-z](?![a-z0-9])")

_STEPS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Translated:
    """What a spec becomes. ``widened`` says that it takes versions that conda would not."""

    specifiers: SpecifierSet
    widened: bool = False


class _Bound(NamedTuple):
    """An end of a range of versions."""

    version: Version
    inclusive: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Range:
    """All versions from one bound to another, without those that ``without`` names; None is no bound."""

    low: _Bound | None
    high: _Bound | None
    without: tuple[Specifier, ...] = ()

    @property
    def empty(self) -> bool:
        if self.low is None or self.high is None or self.low.version < self.high.version:
            return False
        point = self.low.version == self.high.version and self.low.inclusive and self.high.inclusive
        return not point or not all(each.contains(self.low.version, prereleases=True) for each in self.without)


def translate(version: str, *, within: str = "") -> Translated:
    """Return a conda version spec as PEP 440 specifiers.

    PEP 440 knows no "or": alternatives that leave no gap become one range, a gap becomes ``!=`` where it can, and
    else the range around all of them is taken, which ``widened`` tells. ``within`` holds for every alternative.
    Raises `UntranslatableError`.
    """
    always = list(SpecifierSet(within))
    found = []
    for constraints in alternatives(version):
        specifiers = tidy([*(each for text in constraints for each in _specifiers(text)), *always])
        if specifiers is not None:
            found.append(specifiers)
    if not found:
        raise UntranslatableError(f"no version fits {version!r}")
    if len(found) == 1:
        return Translated(specifiers=SpecifierSet(found[0]))
    return _hull([_range(specifiers) for specifiers in found])


def intersection(first: SpecifierSet, second: SpecifierSet) -> SpecifierSet | None:
    """Return what holds under both, None if nothing does. What the second does not narrow stays as it is written."""
    if tidy([*first, *second]) is None:
        return None
    around = _range(tuple(first))
    if all(_implied(specifier, around) for specifier in second):
        return first
    tidied = tidy([*first, *second])
    return None if tidied is None else SpecifierSet(tidied)


def tidy(specifiers: Sequence[Specifier]) -> tuple[Specifier, ...] | None:
    """Return the specifiers without those that others make superfluous, None if no version can fit."""
    opaque = [each for each in specifiers if each.operator == "==="]
    plain = [each for each in specifiers if each.operator != "==="]
    whole = _range(plain)
    if whole.empty:
        return None
    chosen: list[Specifier] = []
    bounded = [each for each in plain if each.operator != "!="]
    lows = [each for each in bounded if whole.low and _range([each]).low == whole.low]
    highs = [each for each in bounded if whole.high and _range([each]).high == whole.high]
    both = [each for each in lows if each in highs]
    chosen += both[:1] or [*lows[:1], *highs[:1]]
    bare = _Range(low=whole.low, high=whole.high)
    chosen += [each for each in whole.without if _meets(_range_of_excluded(each), bare)]
    return tuple(dict.fromkeys([*chosen, *opaque]))


# -- conda's side


def _specifiers(constraint: str) -> tuple[Specifier, ...]:
    """Return one constraint, such as ``=1.2`` or ``>=1.2``, as specifiers."""
    match = _CONSTRAINT.fullmatch(constraint)
    operator, text = (match[1] or "", match[2].strip().lower()) if match else ("", "")
    prefix = text.endswith("*")
    text = text.rstrip("*").rstrip(".") if prefix else text
    if not text:
        return ()
    if "*" in text:
        raise UntranslatableError(f"{constraint!r} has a * in the middle")
    if prefix and operator in ("", "=", "==", "!="):
        return (_specifier("!=" if operator == "!=" else "==", text, ".*"),)
    if operator == "=":
        return (_specifier("==", text, ".*"),)
    if operator == "<" and (below := _BELOW.fullmatch(text)) and below[1].rstrip("."):
        text = below[1].rstrip(".")
    if operator == "~=" and "." not in text:
        operator = ">="
    return (_specifier(operator or "==", text, ""),)


def _specifier(operator: str, text: str, end: str) -> Specifier:
    try:
        version = Version(text)
    except ValueError:  # InvalidVersion, and int() for numbers with thousands of digits
        raise UntranslatableError(f"{text!r} is not a version in Python's sense (PEP 440)") from None
    if _LONE_LETTER.search(text):
        raise UntranslatableError(f"{text!r} means another version in Python's sense (PEP 440)")
    if end and (version.is_prerelease or version.is_postrelease or version.is_devrelease):
        end = ""
    try:
        return Specifier(f"{operator}{version.public}{end}")
    except InvalidSpecifier:
        raise UntranslatableError(f"{operator}{text} is no specifier in Python's sense (PEP 440)") from None


# -- ranges


def _range(specifiers: Iterable[Specifier]) -> _Range:
    """Return what the specifiers allow together. Pre-releases at the ends are not told apart."""
    low: _Bound | None = None
    high: _Bound | None = None
    without = []
    for each in specifiers:
        if each.operator == "!=":
            without.append(each)
            continue
        bounds = _bounds(each.operator, each.version)
        low, high = _higher(low, bounds.low), _lower(high, bounds.high)
    return _Range(low=low, high=high, without=tuple(dict.fromkeys(without)))


def _range_of_excluded(specifier: Specifier) -> _Range:
    """Return the versions that a ``!=`` names."""
    return _bounds("==", specifier.version)


def _bounds(operator: str, text: str) -> _Range:
    if operator == "===":
        return _Range(low=None, high=None)
    prefix = text.endswith(".*")
    version = Version(text.removesuffix(".*"))
    low = _Bound(version, operator != ">") if operator in (">=", ">", "==", "~=") else None
    if operator == "~=":
        high: _Bound | None = _Bound(_next(version, len(version.release) - 1), inclusive=False)
    elif operator == "==" and prefix:
        high = _Bound(_next(version, len(version.release)), inclusive=False)
    else:
        high = _Bound(version, operator != "<") if operator in ("<=", "<", "==") else None
    return _Range(low=low, high=high)


def _next(version: Version, length: int) -> Version:
    """Return the first version after all that begin like this one, with so many numbers."""
    *most, last = version.release[: max(length, 1)]
    return _version(version.epoch, (*most, last + 1))


def _version(epoch: int, release: Sequence[int]) -> Version:
    return Version(f"{epoch}!" * bool(epoch) + ".".join(map(str, release)))


def _higher(one: _Bound | None, other: _Bound | None) -> _Bound | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda bound: (bound.version, not bound.inclusive))


def _lower(one: _Bound | None, other: _Bound | None) -> _Bound | None:
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda bound: (bound.version, bound.inclusive))


def _meets(one: _Range, other: _Range) -> bool:
    low, high = _higher(one.low, other.low), _lower(one.high, other.high)
    return not _Range(low=low, high=high).empty


def _implied(specifier: Specifier, around: _Range) -> bool:
    """Whether a specifier adds nothing to what a range says."""
    if specifier.operator == "===":
        return False
    if specifier.operator == "!=":
        return specifier in around.without or not _meets(_range_of_excluded(specifier), around)
    own = _range([specifier])
    low = own.low is None or (around.low is not None and _higher(own.low, around.low) == around.low)
    high = own.high is None or (around.high is not None and _lower(own.high, around.high) == around.high)
    return low and high


# -- alternatives


def _hull(ranges: Sequence[_Range]) -> Translated:
    """Return the range around several, with the gaps between them taken out where PEP 440 has words for them."""
    ordered = sorted(ranges, key=lambda each: (each.low is not None, each.low and (each.low.version, not each.low[1])))
    without, widened = _still_excluded(ranges)
    low, high = ordered[0].low, ordered[0].high
    for each in ordered[1:]:
        gap = _gap(high, each.low)
        widened |= gap is None
        without += gap or []
        high = None if high is None or each.high is None else _higher_end(high, each.high)
    parts = [f">{'=' * low.inclusive}{low.version}"] if low else []
    parts += [f"<{'=' * high.inclusive}{high.version}"] if high else []
    tidied = tidy([*map(Specifier, parts), *without])
    return Translated(specifiers=SpecifierSet(tidied or ()), widened=widened)


def _still_excluded(ranges: Sequence[_Range]) -> tuple[list[Specifier], bool]:
    """Return what no alternative allows of all that single ones exclude, and whether that lost anything."""
    kept, lost = [], False
    for number, each in enumerate(ranges):
        for specifier in each.without:
            others = [other for other in (*ranges[:number], *ranges[number + 1 :]) if specifier not in other.without]
            if not any(_meets(_range_of_excluded(specifier), other) for other in others):
                kept.append(specifier)
            elif specifier.version.endswith(".*"):
                lost = True
    return kept, lost


def _higher_end(one: _Bound, other: _Bound) -> _Bound:
    return max(one, other, key=lambda bound: (bound.version, bound.inclusive))


def _gap(end: _Bound | None, start: _Bound | None) -> list[Specifier] | None:
    """Return how PEP 440 says what lies between two ranges, None if it cannot."""
    if end is None or start is None or start.version < end.version:
        return []
    if start.version == end.version:
        return [] if start.inclusive or end.inclusive else [Specifier(f"!={start.version}")]
    if end.inclusive or not start.inclusive or end.version.epoch != start.version.epoch:
        return None
    length = max(len(_significant(end.version)), len(_significant(start.version)))
    first, last = (_padded(version, length) for version in (end.version, start.version))
    finals = end.version.is_prerelease or start.version.is_prerelease
    if finals or first[:-1] != last[:-1] or last[-1] - first[-1] > _STEPS:
        return None
    versions = [_version(end.version.epoch, (*first[:-1], number)) for number in range(first[-1], last[-1])]
    return [Specifier(f"!={version}.*") for version in versions]


def _significant(version: Version) -> tuple[int, ...]:
    release = version.release
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    return release


def _padded(version: Version, length: int) -> tuple[int, ...]:
    release = _significant(version)
    return (*release, *[0] * (length - len(release)))
