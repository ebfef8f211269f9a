"""Conda dependencies as PyPI requirements: what the Python packages that stay out become in METADATA.

Two sources say what a wheel requires. The channel's records say it in conda's terms, and what they say is true even
where the channel repaired it after the build. The pressed packages' own metadata says it in PyPI's terms, and knows
conditions (extras and markers) that conda has no words for. Where both name a package, the own metadata decides under
which condition it is required, and the version has to fit both.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from mamba_press.conda.specifiers import intersection, translate
from mamba_press.conda.specs import UntranslatableError
from mamba_press.config import unmatched
from mamba_press.config.model import TABLE
from mamba_press.errors import ConfigError, ContentError
from mamba_press.metadata import installed as of_installed
from mamba_press.platforms.target import marker_environment
from mamba_press.types import Problem, Requirements

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from mamba_press.config.model import Config
    from mamba_press.metadata.installed import Installed
    from mamba_press.types import Environment, Note, Package, Solution, Spec, Target

KEY = f"{TABLE}.requires"
_METADATA = re.compile(r"(?:.*/)?site-packages/([^/]+\.(?:dist-info|egg-info))(?:/.*)?")
NOTHING = "false"
"""The requirement of what is not to be required."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """A Python package that stays out of the wheel, and which of the wheel's packages want or limit which versions."""

    package: Package
    by: tuple[tuple[str, Spec], ...]
    constrained: tuple[tuple[str, Spec], ...] = ()


def needs(solution: Solution, stays: Collection[Package], config: Config) -> tuple[Need, ...]:
    """Return the Python packages outside the wheel that a package of the wheel depends on, sorted by name.

    With ``requires-constrains``, what the records constrain of these counts too.
    """
    by_name = {package.name: package for package in solution.packages}
    inside = {package.name for package in stays}
    by: dict[str, list[tuple[str, Spec]]] = {}
    constrained: dict[str, list[tuple[str, Spec]]] = {}
    for owner in sorted(stays, key=lambda package: package.name):
        for each in owner.depends:
            package = by_name.get(each.name)
            if package is not None and each.name not in inside and package.is_python and each.name != "python":
                by.setdefault(each.name, []).append((owner.name, each))
        for each in owner.constrains if config.requires_constrains else ():
            constrained.setdefault(each.name, []).append((owner.name, each))
    return tuple(
        Need(package=by_name[name], by=tuple(by[name]), constrained=tuple(constrained.get(name, ())))
        for name in sorted(by)
    )


def overridden(config: Config) -> frozenset[str]:
    """Return the conda packages whose requirement the project states: nobody has to find out their PyPI name."""
    return frozenset(name.lower() for name in config.requires)


# -- names


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What could be learnt of a package that stays out: its metadata folders, or why that is not known."""

    folders: Sequence[str] = ()
    files: int = 0
    problem: str = ""


def contents(environment: Environment) -> dict[str, Contents]:
    """Return the contents of every package of an environment."""
    found = {}
    for package in environment.packages:
        paths = [file.path for file in environment.files if file.package == package.name]
        folders = {place[1] for path in paths if (place := _METADATA.fullmatch(path))}
        found[package.name] = Contents(folders=sorted(folders), files=len(paths))
    return found


def pypi_name(package: Package, contents: Mapping[str, Contents], solution: Solution) -> str | None:
    """Return how PyPI calls a conda package; "" is what PyPI need not have, None what nobody knows.

    Asked are the package's own metadata, for a package without files one it depends on that is called alike on PyPI,
    and the table of names.
    """
    known = contents.get(package.name, Contents())
    table = _table()
    if table.get(package.name) == "":
        return ""
    if name := of_installed.name_of(known.folders, package.name):
        return name
    if not known.folders and not known.files and not known.problem:
        depends = {each.name for each in package.depends}
        for other in solution.packages:
            if other.name in depends and other.name != package.name:
                name = of_installed.name_of(contents.get(other.name, Contents()).folders, other.name)
                name = name or table.get(other.name)
                if name and canonicalize_name(name) == canonicalize_name(package.name):
                    return name
    return table.get(package.name)


def names(needed: Iterable[Need], contents: Mapping[str, Contents], solution: Solution) -> dict[str, str | None]:
    """Return `pypi_name` of every needed package, by conda name."""
    return {need.package.name: pypi_name(need.package, contents, solution) for need in needed}


def asked(needed: Iterable[Need], solution: Solution, config: Config) -> frozenset[str]:
    """Return the packages whose contents `pypi_name` may have to know."""
    names = {need.package.name for need in needed} - overridden(config)
    depends = {
        each.name
        for need in needed
        if need.package.name in names
        for each in need.package.depends
        if _alike(each.name, need.package.name)
    }
    there = {package.name for package in solution.packages if package.is_python and package.name != "python"}
    return frozenset(name for name in (names | depends) & there if _table().get(name) != "")


def _alike(one: str, other: str) -> bool:
    """Whether a package may be the body of a package without files: typing_extensions, matplotlib-base."""
    first, second = canonicalize_name(one), canonicalize_name(other)
    return first == second or first.startswith(f"{second}-") or canonicalize_name(_table().get(one, "")) == second


@cache
def _table() -> Mapping[str, str]:
    """Return PyPI's names of conda packages that are called otherwise; "" is for what PyPI has no use for."""
    table: dict[str, str] = json.loads(
        Path(__file__).parents[1].joinpath("data").joinpath("pypi_names.json").read_text("utf-8")
    )
    return table


# -- deriving


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stated:
    """A requirement on the way into METADATA, who states it, and of which conda package."""

    requirement: Requirement
    owner: str
    package: str = ""

    @property
    def key(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def place(self) -> tuple[str, str, frozenset[str]]:
        marker = self.requirement.marker
        return (self.key, str(marker) if marker else "", frozenset(self.requirement.extras))


@dataclass(slots=True)
class _Deriving:
    """What has been found so far; it grows only while `derive` runs."""

    notes: list[str | Note] = field(default_factory=list)
    unknown: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    overrides: set[str] = field(default_factory=set)


def derive(
    wheel: str,
    needed: Sequence[Need],
    own: Sequence[Installed],
    *,
    names: Mapping[str, str | None],
    context: Context,
) -> Requirements:
    """Return what the wheel of that name requires.

    ``names`` are PyPI's names of the needed packages (`pypi_name`). Raises ConfigError with the line to add for each
    name that nobody knows, ContentError where two sources contradict each other.
    """
    deriving = _Deriving()
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
    bound = _python_bound(own, context, deriving)
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


def _settle(deriving: _Deriving, *, binding: bool) -> None:
    """Raise what is wrong, or make notes of it where the project states the field itself."""
    if binding and deriving.unknown:
        raise ConfigError(*deriving.unknown)
    if binding and deriving.problems:
        raise ContentError(*deriving.problems)
    deriving.notes.extend(f"{problem.where}: {problem.what}" for problem in (*deriving.unknown, *deriving.problems))
    deriving.unknown.clear()
    deriving.problems.clear()


def _chosen(config: Config, deriving: _Deriving) -> dict[str, Requirement | None]:
    """Return the project's own requirements by conda name, None for nothing."""
    chosen: dict[str, Requirement | None] = {}
    for name, text in config.requires.items():
        try:
            chosen[name.lower()] = None if text == NOTHING else Requirement(text)
        except InvalidRequirement as error:
            what = f"{text!r} is no requirement: {' '.join(str(error).split())}"
            hint = f'write it as in {name} = "name >=1.2", or {name} = false'
            deriving.unknown.append(Problem(where=f"{KEY}.{name}", what=what, hint=hint))
    return chosen


def _applied(
    chosen: Mapping[str, Requirement | None],
    solution: Solution,
    names: Mapping[str, str | None],
    deriving: _Deriving,
) -> list[_Stated]:
    """Return the project's own requirements for what is really there; it may be there for another platform only."""
    there = {package.name for package in solution.packages}
    found = []
    for conda, requirement in sorted(chosen.items()):
        if conda not in there and not deriving.overrides & _overridden_keys({conda: requirement}, names):
            kind = "package of the solution, nor what a package in the wheel requires"
            deriving.notes += unmatched.told("requires", [conda], there, kind, unmatched.equal)
        elif requirement is not None:
            found.append(_Stated(requirement=requirement, owner=KEY))
    return found


def _overridden_keys(chosen: Mapping[str, Requirement | None], names: Mapping[str, str | None]) -> frozenset[str]:
    """Return the PyPI names about which the project has the last word."""
    own = (canonicalize_name(r.name) for r in chosen.values() if r is not None)
    table = (
        canonicalize_name(name) for conda in chosen for name in (names.get(conda), _table().get(conda), conda) if name
    )
    return frozenset((*own, *table))


def _of_channel(
    wheel: str,
    needed: Sequence[Need],
    names: Mapping[str, str | None],
    deriving: _Deriving,
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


def _wanted(need: Need, deriving: _Deriving) -> list[tuple[str, SpecifierSet]]:
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


def _translated(owner: str, conda: str, each: Spec, deriving: _Deriving) -> SpecifierSet:
    """Return the specifiers of one line of a record; what has none is a problem, what is widened a note."""
    try:
        if problem := each.problem or _unsayable(each):
            raise UntranslatableError(problem)  # noqa: TRY301 - two ways to have no words
        translated = translate(each.version)
    except UntranslatableError as error:
        what = f"{owner} depends on {conda} {each.version}: {error}"
        deriving.unknown.append(Problem(where=KEY, what=what, hint=_override(conda)))
        return SpecifierSet()
    if translated.widened:
        deriving.notes.append(
            f"{owner} depends on {conda} {each.version}, for which PEP 440 has no words: "
            f"the wheel takes {translated.specifiers or 'any version'}"
        )
    return translated.specifiers


def _of_packages(
    wheel: str,
    own: Sequence[Installed],
    channel: Sequence[_Stated],
    overridden: frozenset[str],
    deriving: _Deriving,
) -> Iterator[_Stated]:
    """Yield what the pressed packages' own metadata requires, narrowed by the channel, without what is vendored."""
    vendored = {each.key: each for each in own}
    for package in own:
        for text in package.requires:
            try:
                requirement = Requirement(text)
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


def _narrow(stated: _Stated, channel: Sequence[_Stated], deriving: _Deriving) -> None:
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


def _check_vendored(stated: _Stated, vendored: Installed, deriving: _Deriving) -> None:
    """Compare what is required with what is in the wheel."""
    requirement = stated.requirement
    if requirement.extras:
        extras = ", ".join(sorted(requirement.extras))
        deriving.notes.append(
            f"{stated.owner} requires {requirement}; it is in the wheel, but not what {extras} asks for"
        )
    if requirement.marker is None and not _fits(requirement.specifier, vendored.version):
        what = f"is required as {requirement} by {stated.owner}, and the wheel has {vendored.version}"
        hint = f"narrow it in {TABLE}.packages or {TABLE}.constraints"
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
    deriving: _Deriving,
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


def _merged(stated: Sequence[_Stated], deriving: _Deriving) -> list[Requirement]:
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


# -- Python


def _python_bound(own: Sequence[Installed], context: Context, deriving: _Deriving) -> str | None:
    """Return Requires-Python: what the own metadata says and, of packages not tied to one Python, the records.

    A package that is tied to an ABI says so by the wheel's tag.
    """
    bounds = [*_own_bounds(own, deriving), *_channel_bounds(context, deriving)]
    result, owner = bounds[0] if bounds else (SpecifierSet(), "")
    for bound, other in bounds[1:]:
        both = intersection(result, bound)
        if both is None:
            what, hint = f"{owner} asks for {result}, {other} for {bound}", "state requires-python in [project]"
            deriving.problems.append(Problem(where="Requires-Python", what=what, hint=hint))
        else:
            result, owner = both, f"{owner} and {other}"
    python = context.target.python.version
    if result and not any(result.contains(f"{python}.{patch}") for patch in (0, 99)):
        what = f"{owner} asks for {result}, but the wheel is for Python {python}"
        hint = f"choose another version in {TABLE}.packages, or state requires-python in [project]"
        deriving.problems.append(Problem(where="Requires-Python", what=what, hint=hint))
    return str(result) or None


def _own_bounds(own: Sequence[Installed], deriving: _Deriving) -> Iterator[tuple[SpecifierSet, str]]:
    for one in own:
        text = one.raw.get("requires_python") or ""
        try:
            found = SpecifierSet(text)
        except InvalidSpecifier:
            deriving.notes.append(f"{one.path}: Requires-Python {text!r} cannot be read and is left out")
            continue
        if found:
            yield found, f"{one.name}'s own metadata"


def _channel_bounds(context: Context, deriving: _Deriving) -> Iterator[tuple[SpecifierSet, str]]:
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


# -- problems


def _override(name: str) -> str:
    return f'state what the wheel requires:\n[{KEY}]\n{name} = "…"'


def _owners(need: Need) -> str:
    return " and ".join(dict.fromkeys(owner for owner, _ in need.by))


def _nameless(need: Need, chosen: Mapping[str, object], names: Mapping[str, str | None]) -> bool:
    return need.package.name not in chosen and names.get(need.package.name) is None


def _no_name(need: Need, unread: Mapping[str, str]) -> Problem:
    name = need.package.name
    wanted = _wanted(need, _Deriving())
    bound = ",".join(dict.fromkeys(str(specifiers) for _, specifiers in wanted if specifiers))
    why = f" ({unread[name]})" if unread.get(name) else ""
    what = f"nobody knows how PyPI calls the conda package {name}, on which {_owners(need)} depends{why}"
    line = f'{_quoted(name)} = "{name} {bound}"' if bound else f'{_quoted(name)} = "{name}"'
    return Problem(where=KEY, what=what, hint=f"add it, or false for nothing:\n[{KEY}]\n{line}")


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _itself(conda: str, name: str, owners: str) -> Problem:
    what = f"{owners} depends on {conda}, which PyPI calls {name}, and so is the wheel: it would require itself"
    hint = f"name {conda} in {TABLE}.packages too, or state [{KEY}] {_quoted(conda)} = false"
    return Problem(where=conda, what=what, hint=hint)


def _contradiction(first: _Stated, second: Requirement, owner: str) -> Problem:
    what = f"no version fits both: {first.owner} requires {first.requirement}, {owner} requires {second}"
    return Problem(where=second.name, what=what, hint=_override(second.name.lower()))
