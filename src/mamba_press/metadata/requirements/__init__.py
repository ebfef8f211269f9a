"""Conda dependencies as PyPI requirements: what the Python packages that stay out become in METADATA.

Two sources say what a wheel requires. The channel's records say it in conda's terms, and what they say is true even
where the channel repaired it after the build. The pressed packages' own metadata says it in PyPI's terms, and knows
conditions (extras and markers) that conda has no words for. Where both name a package, the own metadata decides under
which condition it is required, and the version has to fit both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from mamba_press.conda.match_specs import UntranslatableError
from mamba_press.conda.pep440 import intersection, translate
from mamba_press.config import unmatched
from mamba_press.errors import ConfigError, ContentError, Note, Problem, Setting, Text, Words
from mamba_press.metadata import headers, requires_python
from mamba_press.metadata.requirements.pypi_names import Need, named
from mamba_press.platforms.target import marker_environment
from mamba_press.types import Package, Requirements, Solution, Spec, Target

if TYPE_CHECKING:
    from mamba_press.config.model import Config
    from mamba_press.metadata.installed import Installed

_KEY = Setting("requires")
NOTHING = "false"
"""The requirement of what is not to be required."""


# -- deriving


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stated:
    """A requirement on the way into METADATA, who states it, and of which conda package."""

    requirement: Requirement
    owner: Words
    package: str = ""

    @property
    def key(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def place(self) -> tuple[str, str, frozenset[str]]:
        marker = self.requirement.marker
        return (self.key, str(marker) if marker else "", frozenset(self.requirement.extras))


@dataclass(slots=True)
class Deriving:
    """What has been found so far; it grows only while `derive` runs."""

    notes: list[str | Note] = field(default_factory=list)
    unknown: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    overrides: set[str] = field(default_factory=set)


def derive(
    wheel: str, needed: Sequence[Need], own: Sequence[Installed], *, names: Mapping[str, str | None], context: Context
) -> Requirements:
    """Return what the wheel of that name requires.

    ``names`` are PyPI's names of the needed packages (`pypi_names`). Raises ConfigError with the line to add for each
    name that nobody knows, ContentError where two sources contradict each other.
    """
    deriving = Deriving()
    chosen = _chosen(context.config, deriving)
    channel = _of_channel(wheel, [need for need in needed if need.package.name not in chosen], names, deriving)
    deriving.unknown += [_no_name(need, context.unread) for need in needed if _nameless(need, chosen, names)]
    stated = list(_of_packages(wheel, own, channel, _overridden_keys(chosen, names), deriving))
    _note_conditions(stated, channel, _versions(needed, names), context.target, deriving)
    said = {(each.key, each.package) for each in stated}
    stated += sorted((each for each in channel if (each.key, each.package) not in said), key=lambda each: each.key)
    stated += _applied(chosen, context.solution, names, deriving)
    merged = _merged(stated, deriving)
    _settle(deriving, binding="dependencies" in context.dynamic)
    bound = requires_python.derived(own, context, deriving)
    _settle(deriving, binding="requires-python" in context.dynamic)
    extras: dict[str, list[str]] = {canonicalize_name(extra): [] for each in own for extra in each.extras}
    for each in merged:
        for extra in _extras(each):
            extras.setdefault(canonicalize_name(extra), []).append(str(each))
    return Requirements(
        dependencies=tuple(str(each) for each in merged if not _extras(each)),
        extras={extra: tuple(lines) for extra, lines in extras.items()},
        requires_python=bound,
        notes=tuple(dict.fromkeys(deriving.notes)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """For what is derived: the target, the configuration, all packages, those of the wheel, and the dynamic fields.

    ``unread`` says why a package that stays out could not be looked into.
    """

    target: Target
    config: Config
    solution: Solution
    stays: tuple[Package, ...]
    dynamic: frozenset[str]
    unread: Mapping[str, str] = field(default_factory=dict)


def _settle(deriving: Deriving, *, binding: bool) -> None:
    """Raise what is wrong, or make notes of it where the project states the field itself."""
    if binding:
        ConfigError.raise_for(deriving.unknown)
        ContentError.raise_for(deriving.problems)
    deriving.notes.extend(f"{problem.where}: {problem.what}" for problem in (*deriving.unknown, *deriving.problems))
    deriving.unknown.clear()
    deriving.problems.clear()


def _chosen(config: Config, deriving: Deriving) -> dict[str, Requirement | None]:
    """Return the project's own requirements by conda name, None for nothing."""
    chosen: dict[str, Requirement | None] = {}
    for name, text in config.requires.items():
        try:
            chosen[name.lower()] = None if text == NOTHING else headers.requirement(text)
        except InvalidRequirement as error:
            what = f"{text!r} is no requirement: {' '.join(str(error).split())}"
            hint = f'write it as in {name} = "name >=1.2", or {name} = false'
            deriving.unknown.append(Problem(where=Setting("requires", name=name), what=what, hint=hint))
    return chosen


def _applied(
    chosen: Mapping[str, Requirement | None], solution: Solution, names: Mapping[str, str | None], deriving: Deriving
) -> list[_Stated]:
    """Return the project's own requirements for what is really there; it may be there for another platform only."""
    there = {package.name for package in solution.packages}
    found = []
    for conda, requirement in sorted(chosen.items()):
        if conda not in there and not deriving.overrides & _overridden_keys({conda: requirement}, names):
            kind = "package of the solution, nor what a package in the wheel requires"
            deriving.notes += unmatched.told("requires", [conda], there, kind, unmatched.equal)
        elif requirement is not None:
            found.append(_Stated(requirement=requirement, owner=_KEY))
    return found


def _overridden_keys(chosen: Mapping[str, Requirement | None], names: Mapping[str, str | None]) -> frozenset[str]:
    """Return the PyPI names about which the project has the last word."""
    own = (canonicalize_name(r.name) for r in chosen.values() if r is not None)
    table = (
        canonicalize_name(name) for conda in chosen for name in (names.get(conda), named().get(conda), conda) if name
    )
    return frozenset((*own, *table))


def _of_channel(
    wheel: str, needed: Sequence[Need], names: Mapping[str, str | None], deriving: Deriving
) -> list[_Stated]:
    """Return what the channel's records require, each package of the wheel for itself."""
    found = []
    for need in needed:
        conda = need.package.name
        name = names.get(conda)
        if name and canonicalize_name(name) == canonicalize_name(wheel):
            deriving.problems.append(_itself(conda, name, _owners(need)))
        elif name:
            found += [
                _Stated(requirement=Requirement(f"{name}{specifiers}"), owner=f"the channel's {owner}", package=owner)
                for owner, specifiers in _wanted(need, deriving)
            ]
    return found


def _wanted(need: Need, deriving: Deriving) -> list[tuple[str, SpecifierSet]]:
    """Return which versions each package of the wheel wants, within what is constrained."""
    conda = need.package.name
    limits = [_translated(owner, conda, each, deriving) for owner, each in need.constrained]
    found: dict[str, SpecifierSet] = {}
    for owner, each in need.by:
        for specifiers in (_translated(owner, conda, each, deriving), *limits):
            before = found.setdefault(owner, SpecifierSet())
            both = intersection(before, specifiers)
            if both is None:
                what = f"no version fits all that {owner} depends on and that is constrained: {before} and {specifiers}"
                deriving.problems.append(Problem(where=str(need.package), what=what, hint=_override(conda)))
            else:
                found[owner] = both
    return list(found.items())


def _unsayable(spec: Spec) -> str:
    key = "extras" if spec.extras else "when" if spec.when else ""
    return key and f"has {key!r}, which a requirement has no words for"


def _translated(owner: str, conda: str, each: Spec, deriving: Deriving) -> SpecifierSet:
    """Return the specifiers of one line of a record; what has none is a problem, what is widened a note."""
    try:
        if problem := each.problem or _unsayable(each):
            raise UntranslatableError(problem)  # noqa: TRY301 - two ways to have no words
        translated = translate(each.version)
    except UntranslatableError as error:
        what = f"{owner} depends on {conda} {each.version}: {error}"
        deriving.unknown.append(Problem(where=_KEY, what=what, hint=_override(conda)))
        return SpecifierSet()
    if translated.widened:
        deriving.notes.append(
            f"{owner} depends on {conda} {each.version}, for which PEP 440 has no words: "
            f"the wheel takes {translated.specifiers or 'any version'}"
        )
    return translated.specifiers


def _of_packages(
    wheel: str, own: Sequence[Installed], channel: Sequence[_Stated], overridden: frozenset[str], deriving: Deriving
) -> Iterator[_Stated]:
    """Yield what the pressed packages' own metadata requires, narrowed by the channel, without what is vendored."""
    vendored = {each.key: each for each in own}
    for package in own:
        for text in package.requires:
            try:
                requirement = headers.requirement(text)
            except InvalidRequirement as error:
                what = f"{text!r} is no requirement: {' '.join(str(error).split())}"
                hint = f"tell the makers of the conda package {package.package}"
                deriving.notes.append(f"{package.path}: {what} and is left out; {hint}")
                continue
            key = canonicalize_name(requirement.name)
            stated = _Stated(requirement=requirement, owner=f"{package.name}'s own metadata", package=package.package)
            if key == package.key or key == canonicalize_name(wheel):
                if requirement.extras and _extras(requirement):
                    requirement.name = wheel
                    yield stated
            elif key in vendored:
                _check_vendored(stated, vendored[key], deriving)
            elif key in overridden and not _extras(requirement):
                deriving.overrides.add(key)
            else:
                _narrow(stated, channel, deriving)
                yield stated


def _narrow(stated: _Stated, channel: Sequence[_Stated], deriving: Deriving) -> None:
    """Let the channel's record of the same package narrow the versions of a requirement that was just read."""
    requirement = stated.requirement
    if requirement.url:
        deriving.notes.append(f"{stated.owner} requires {requirement.name} from a URL, which PyPI refuses: left out")
        requirement.url = None
    for each in channel:
        if (each.key, each.package) != (stated.key, stated.package):
            continue
        both = intersection(requirement.specifier, each.requirement.specifier)
        if both is None:
            deriving.problems.append(_contradiction(stated, each.requirement, each.owner))
        else:
            requirement.specifier = both


def _check_vendored(stated: _Stated, vendored: Installed, deriving: Deriving) -> None:
    """Compare what is required with what is in the wheel."""
    requirement = stated.requirement
    if requirement.extras:
        extras = ", ".join(sorted(requirement.extras))
        deriving.notes.append(
            f"{stated.owner} requires {requirement}; it is in the wheel, but not what {extras} asks for"
        )
    if requirement.marker is None and not _fits(requirement.specifier, vendored.version):
        what = Text.of(f"is required as {requirement} by ", stated.owner, f", and the wheel has {vendored.version}")
        hint = Text.of("narrow it in ", Setting("packages"), " or ", Setting("constraints"))
        deriving.problems.append(Problem(where=f"{vendored.name} ({vendored.package})", what=what, hint=hint))


def _fits(specifier: SpecifierSet, version: str) -> bool:
    from packaging.version import InvalidVersion

    try:
        return specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return True


def _versions(needed: Sequence[Need], names: Mapping[str, str | None]) -> dict[str, str]:
    """Return by PyPI name the version that was solved."""
    return {canonicalize_name(names.get(need.package.name) or ""): need.package.version for need in needed}


def _note_conditions(
    stated: Sequence[_Stated],
    channel: Sequence[_Stated],
    versions: Mapping[str, str],
    target: Target,
    deriving: Deriving,
) -> None:
    """Say where conda requires always what the own metadata requires under a condition, and what does not fit."""
    environment = marker_environment(target)
    for each in channel:
        same = [other for other in stated if (other.key, other.package) == (each.key, each.package)]
        if not same:
            continue
        holds = [o for o in same if o.requirement.marker is None or o.requirement.marker.evaluate(environment)]
        if not holds:
            condition = same[0].requirement.marker
            deriving.notes.append(
                f"{each.owner} requires {each.requirement} always, {same[0].owner} only where {condition}: "
                "the wheel keeps the condition"
            )
        for other in holds:
            if not _fits(other.requirement.specifier, versions[each.key]):
                solved = f"the channel solved {each.key} {versions[each.key]}"
                deriving.notes.append(f"{other.owner} requires {other.requirement}, but {solved}")


def _merged(stated: Sequence[_Stated], deriving: Deriving) -> list[Requirement]:
    """Return the requirements with those of one package under one condition made one."""
    found: dict[tuple[str, str, frozenset[str]], _Stated] = {}
    for each in stated:
        first = found.setdefault(each.place, each)
        both = intersection(first.requirement.specifier, each.requirement.specifier)
        if both is None:
            deriving.problems.append(_contradiction(first, each.requirement, each.owner))
        else:
            first.requirement.specifier = both
    return [each.requirement for each in found.values()]


def _extras(requirement: Requirement) -> tuple[str, ...]:
    """Return the extras under which a requirement holds, in its marker's order."""
    marker = str(requirement.marker) if requirement.marker else ""
    found = re.findall(r"""\bextra\s*==\s*["']([^"']+)["']|["']([^"']+)["']\s*==\s*extra\b""", marker)
    return tuple(dict.fromkeys(first or second for first, second in found))


# -- problems


def _override(name: str) -> Text:
    return Text.of("state what the wheel requires:\n", Setting("requires", "…", name=name, apart=True))


def _owners(need: Need) -> str:
    return " and ".join(dict.fromkeys(owner for owner, _ in need.by))


def _nameless(need: Need, chosen: Mapping[str, object], names: Mapping[str, str | None]) -> bool:
    return need.package.name not in chosen and names.get(need.package.name) is None


def _no_name(need: Need, unread: Mapping[str, str]) -> Problem:
    name = need.package.name
    wanted = _wanted(need, Deriving())
    bound = ",".join(dict.fromkeys(str(specifiers) for _, specifiers in wanted if specifiers))
    why = f" ({unread[name]})" if unread.get(name) else ""
    what = f"nobody knows how PyPI calls the conda package {name}, on which {_owners(need)} depends{why}"
    line = Setting("requires", f"{name} {bound}".strip(), name=name, apart=True)
    return Problem(where=_KEY, what=what, hint=Text.of("add it, or false for nothing:\n", line))


def _itself(conda: str, name: str, owners: str) -> Problem:
    what = f"{owners} depends on {conda}, which PyPI calls {name}, and so is the wheel: it would require itself"
    stated = Setting("requires", value=False, name=conda)
    hint = Text.of(f"name {conda} in ", Setting("packages"), " too, or state ", stated)
    return Problem(where=conda, what=what, hint=hint)


def _contradiction(first: _Stated, second: Requirement, owner: Words) -> Problem:
    requires = f" requires {first.requirement}, "
    what = Text.of("no version fits both: ", first.owner, requires, owner, f" requires {second}")
    return Problem(where=second.name, what=what, hint=_override(second.name.lower()))
