"""Part a pressed environment into wheels: one for each conda package, all with one common prefix tree.

The environment is linked as if it were one wheel: all paths are below ``site-packages``, where the wheels meet again.
So which wheel carries a file changes nothing about how it is found, and a file belongs to the wheel of its own conda
package whatever else is in the house: an update never moves it to another wheel, where removing the old wheel would
take it away.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, is_normalized_name
from packaging.version import Version

from mamba_press import __version__, platforms
from mamba_press.errors import ConfigError, ContentError, Note, Problem, Setting, Text
from mamba_press.metadata import installed
from mamba_press.types import Dropped, Entry, Kept, Package, Project, Reason, Selection, Solution, Target
from mamba_press.vendoring import dependency_graph, runtime_module, runtime_support

if TYPE_CHECKING:
    from mamba_press.config.model import Config

    Versions = Mapping[str, tuple[str, Version]]


NAME = "house"
"""How a house is called that nobody gave a name."""

STEM = "mamba-press-house"
"""Stands for ``name-version`` in the names of a wheel's own folders until its version is known."""

_PYTHON = ("python", "python_abi")
_RELEASE = re.compile(r"(?:\d+!)?(\d+(?:\.\d+)*)", re.ASCII)
_DIGITS = 8


def home(house: str) -> str:
    """Return the folder of ``site-packages`` that the wheels of a house share; no wheel makes a module of it."""
    return f"_{canonicalize_name(house).replace('-', '_')}_prefix"


def require_possible(house: str, target: Target, config: Config) -> None:
    """Raise ConfigError for what a house cannot be made for, and for keys that only a single wheel has a use for."""
    problems = []
    if not is_normalized_name(canonicalize_name(house)):
        hint = "take letters, digits and . _ - in between, with --name"
        problems.append(Problem(where="--name", what=f"{house!r} is no name", hint=hint))
    if not platforms.facts(target).has_search_paths:
        what = "Windows has no search paths: a DLL in another wheel would have to be loaded by hand, in every order"
        hint = "press one wheel with all of it: mamba-press press SPEC… -C 'select.python-packages=*'"
        problems.append(Problem(where=Setting("platform"), what=what, hint=hint))
    keys = {
        "hook": config.hook,
        "layout.home": config.layout.home,
        "build-backend": config.build_backend,
        "link.external": config.link.external,
        "wheel.environment": config.wheel.environment,
    }
    problems += [
        Problem(where=Setting(key), what="is for one wheel, and a wheelhouse has many", hint="leave it out")
        for key, value in keys.items()
        if value
    ]
    ConfigError.raise_for(problems)


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A conda package that becomes a wheel of the house.

    ``public`` is the version without what tells builds apart. ``is_python`` means that the wheel has the name that its
    own metadata gives it. ``exact`` names the conda packages whose wheels it works with only as they are. ``programs``
    are entry points by the name of the program that they start.
    """

    package: Package
    name: str
    public: Version
    is_python: bool
    entries: tuple[Entry, ...]
    exact: frozenset[str]
    programs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str | Note, ...] = ()

    @property
    def key(self) -> str:
        """The name as names are compared."""
        return canonicalize_name(self.name)

    @property
    def shares(self) -> bool:
        """Whether the wheel has files in the folder of the house."""
        return any("/_prefix/" in entry.path for entry in self.entries)


def part(entries: Sequence[Entry], selection: Selection, solution: Solution, house: str) -> tuple[Member, ...]:
    """Return the members of a house, sorted by package; every entry is of exactly one.

    Raises ContentError where two packages would be wheels of one name.
    """
    by_package: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_package[entry.package].append(entry)
    own = installed.read(kept.file for kept in selection.kept)
    links = _links(selection.kept)
    members = []
    for package in solution.packages:
        if package.name not in by_package:
            continue
        described = installed.of(package.name, own)
        members.append(
            Member(
                package=package,
                name=described.name if described else f"{house}-conda-{canonicalize_name(package.name).strip('-')}",
                public=public(described.version if described else "", package),
                is_python=described is not None,
                entries=tuple(by_package[package.name]),
                exact=frozenset(links.get(package.name, ())),
            )
        )
    _refuse_namesakes(members)
    native = {member.package.name for member in members if not member.is_python}
    return tuple(replace(member, exact=member.exact | _native(member.package, solution, native)) for member in members)


def left(solution: Solution, selection: Selection) -> tuple[Dropped, ...]:
    """Return each package of the solution that is no wheel of the house, and why."""
    kept = {each.file.package for each in selection.kept}
    gone = {each.package: each.why for each in selection.dropped if each.path is None}
    reasons: dict[str, Counter[Reason]] = defaultdict(Counter)
    for each in selection.dropped:
        if each.path is not None:
            reasons[each.package][each.why] += 1
    gone = {package.name: _why_nothing(reasons[package.name]) for package in solution.packages} | gone
    return tuple(
        Dropped(package=package.name, path=None, size=package.size or 0, why=gone[package.name])
        for package in solution.packages
        if package.name not in kept
    )


def require_some(members: Sequence[Member], gone: Sequence[Dropped]) -> None:
    """Raise ContentError, with the reason for every package, where nothing becomes a wheel."""
    if not members:
        raise ContentError(
            *(Problem(where=each.package, what=f"is no wheel: {each.why}", hint="name other packages") for each in gone)
        )


def _why_nothing(reasons: Counter[Reason]) -> Reason:
    """Return why no file of a package stays: what became of its libraries says more than of its headers."""
    if not reasons:
        return Reason("rule", "it has no files: it only stands for others")
    told = [why for why in reasons if why.kind in ("unreached", "idle")]
    return told[0] if told else Reason("rule", f"nothing of it stays: {reasons.most_common(1)[0][0]}")


def _names(package: Package) -> tuple[str, ...]:
    return tuple(spec.name for spec in package.depends)


def _links(kept: Sequence[Kept]) -> dict[str, set[str]]:
    """Return by package the other packages whose libraries its files are linked to."""
    owners = {each.file.real: each.file.package for each in kept}
    found: dict[str, set[str]] = {}
    for each in kept:
        others = {owners[link.path] for link in each.links if link.path in owners}
        found.setdefault(each.file.package, set()).update(others - {each.file.package})
    return found


def _native(package: Package, solution: Solution, native: Iterable[str]) -> frozenset[str]:
    """Return the packages without Python metadata that one depends on by its record.

    A package that is no wheel passes its own dependencies on. Beside what files are linked to, this is the data that
    they look for.
    """
    by_name = {each.name: each for each in solution.packages}
    found: set[str] = set()
    seen = {package.name, *_PYTHON}
    todo = [*_names(package)]
    while todo:
        name = todo.pop()
        if name in seen or name not in by_name:
            continue
        seen.add(name)
        if name in native:
            found.add(name)
        elif not by_name[name].is_python:
            todo += _names(by_name[name])
    return frozenset(found)


def _refuse_namesakes(members: Sequence[Member]) -> None:
    by_key: dict[str, list[Member]] = {}
    for member in members:
        by_key.setdefault(member.key, []).append(member)
    ContentError.raise_for(
        Problem(
            where=" and ".join(str(member.package) for member in same),
            what=f"would be two wheels of one name, {key}",
            hint=Text.of("leave one out with ", Setting("select.prune")),
        )
        for key, same in sorted(by_key.items())
        if len(same) > 1
    )


# -- versions


def public(text: str, package: Package) -> Version:
    """Return the version that Python's own metadata states, else as much of conda's as every installer reads alike."""
    try:
        return Version(Version(text).public)
    except ValueError:  # InvalidVersion, and int() for numbers with thousands of digits
        found = _RELEASE.match(package.version)
        return Version(found[1] if found else "0")


def versions(members: Sequence[Member], stated: Sequence[object]) -> Versions:
    """Return by conda package the name and the version of every member's wheel: what ``==`` then means is its content.

    To the public version is added which build of the conda package it was, and a digest of all that is in the wheel,
    of what it says of itself (``stated``, in the members' order), and of the same of all wheels that it requires
    exactly.
    """
    exact = {member.package.name: member.exact for member in members}
    contents = {member.package.name: _content(member, each) for member, each in zip(members, stated, strict=True)}
    found = {}
    for member in members:
        name = member.package.name
        reached = sorted(dependency_graph.reachable(name, exact) | {name})
        digest = hashlib.sha256("\n".join(contents[each] for each in reached).encode()).hexdigest()
        public = str(member.public)
        rest = "" if member.is_python else _RELEASE.sub("", member.package.version, count=1)
        # A digest that begins with a letter is never read as a number.
        label = ".".join(filter(None, (_label(rest), _label(member.package.build), f"g{digest[:_DIGITS]}")))
        found[name] = (member.name, Version(f"{public}+{label}"))
    return found


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", ".", text.lower()).strip(".")


def _content(member: Member, stated: object) -> str:
    """Return a digest of what is in a member's wheel; the same version of the editors makes the same of it."""
    digest = hashlib.sha256(repr((__version__, member.name, stated)).encode())
    for entry in sorted(member.entries, key=lambda entry: entry.path):
        if isinstance(entry.source, bytes):
            source = hashlib.sha256(entry.source).hexdigest()
        else:
            known = entry.origin.sha256 if entry.origin else None
            source = known or hashlib.sha256(entry.source.read_bytes()).hexdigest()
        digest.update(repr((entry.path, entry.executable, entry.edits, source)).encode())
    return digest.hexdigest()


# -- requirements


def pinned(project: Project, member: Member, versions: Versions) -> Project:
    """Return a member's project with its version, and the requirements of the wheels that it needs as they are."""
    pins = sorted(f"{name}=={version}" for name, version in map(versions.__getitem__, member.exact))
    listed = project.table.get("dependencies")
    others = listed if isinstance(listed, (list, tuple)) else ()
    _, version = versions[member.package.name]
    table = {**project.table, "version": str(version), "dependencies": [*others, *pins]}
    return replace(project, table=table, version=version)


def settled(
    project: Project, members: Sequence[Member], environment: Mapping[str, str]
) -> tuple[Project, tuple[str, ...]]:
    """Return the project with requirements that the house satisfies, and what was changed about them.

    Some packages' own metadata require what conda's packages do without. Nothing outside of the house can be installed
    offline, and what was solved is what works. ``environment`` is that of the markers; extras stay as they are.
    """
    known = {member.key: member.public for member in members}
    lines, notes = [], []
    listed = project.table.get("dependencies")
    for text in listed if isinstance(listed, (list, tuple)) else ():
        requirement = Requirement(str(text))
        if requirement.marker and not requirement.marker.evaluate(dict(environment)):
            lines.append(str(text))
            continue
        version = known.get(canonicalize_name(requirement.name))
        if version is None:
            notes.append(f"{project.name} requires {requirement}, which was not solved: left out")
            continue
        if requirement.extras or not requirement.specifier.contains(version, prereleases=True):
            notes.append(f"{project.name} requires {requirement}; the house has {version}, and the wheel takes that")
            requirement = Requirement(requirement.name)
        lines.append(str(requirement))
    return replace(project, table={**project.table, "dependencies": lines}), tuple(notes)


def with_programs(members: Sequence[Member], wanted: Sequence[str], house: str) -> tuple[Member, ...]:
    """Return the members with an entry point for each program of theirs that is to be called by its name.

    ``wanted`` are paths of the conda prefix; raises ContentError for one that is in no wheel.
    """
    folder = home(house)
    entries = [entry for member in members for entry in member.entries]
    found = runtime_support.programs(entries, folder, wanted)
    owners = {entry.path: member.package.name for member in members for entry in member.entries}
    theirs: dict[str, dict[str, str]] = {}
    for name, path in found.items():
        theirs.setdefault(owners[posixpath.normpath(posixpath.join(folder, path))], {})[name] = path
    return tuple(_with_programs(member, theirs.get(member.package.name, {}), folder) for member in members)


def _with_programs(member: Member, programs: Mapping[str, str], folder: str) -> Member:
    if not programs:
        return member
    name = f"_run_{member.key.replace('-', '_')}"
    module = Entry.made(f"{folder}/{name}.py", runtime_module.module({}, programs=programs), "starts the programs")
    starts = {program: f"{folder}.{name}:{call}" for program, call in runtime_module.functions(programs).items()}
    return replace(member, entries=(*member.entries, module), programs=starts)


def named(entries: Iterable[Entry], stem: str) -> tuple[Entry, ...]:
    """Return the entries of a wheel whose version is known now."""
    start = f"{STEM}.data/"
    return tuple(
        replace(entry, path=f"{stem}.data/{entry.path[len(start) :]}") if entry.path.startswith(start) else entry
        for entry in entries
    )
