"""What a wheel says about itself: METADATA, WHEEL, entry points and the licences of all that is in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.conda.package_info import LICENSE_FILE
from mamba_press.errors import ContentError, Problem
from mamba_press.metadata import installed
from mamba_press.metadata.pyproject import license_files, standard_metadata
from mamba_press.types import Entry, Environment, Project, Reason, Tags, Wheel

if TYPE_CHECKING:
    from packaging.version import Version


EntryPoints = dict[str, dict[str, str]]
"""Objects by name by group, as in entry_points.txt."""

_FOLDER = re.compile(r"([^/]+\.(?:dist-info|egg-info|egg/EGG-INFO))(?:/(.+))?")
_SCRIPT_GROUPS = {"scripts": "console_scripts", "gui-scripts": "gui_scripts"}
# What Windows cannot hold, wheels should not: a licence file must not keep a wheel from being installed.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\\ud800-\udfff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def stem(name: str, version: Version) -> str:
    """Return how the names of the wheel's own folders begin: ``name-version``, normalised."""
    return Wheel(name=name, version=version, tags="", entries=()).stem


def complete(  # noqa: PLR0913  # what a wheel says about itself has this many sources
    project: Project,
    version: Version,
    entries: Sequence[Entry],
    *,
    tagging: Tags,
    environment: Environment,
    generator: str,
    together: bool = False,
) -> Wheel:
    """Return the finished wheel: the payload sorted by path, then the one ``.dist-info``, METADATA first.

    The packages' own ``.dist-info`` and ``.egg-info`` at the wheel's root are merged away: their entry points and
    licences are kept. ``generator`` is the text of WHEEL's Generator line. ``together`` lets installers put the wheel
    where those with binaries go, though it has none: some systems have two such folders. Raises ContentError when two
    packages want the same entry point for different objects, or a script and an entry point want the same name.
    """
    theirs = [entry for entry in entries if _FOLDER.fullmatch(entry.path)]
    payload = [entry for entry in entries if not _FOLDER.fullmatch(entry.path)]
    points = _merged(project, theirs, environment, _packages(payload))
    payload = _without_generated(payload, points)
    wheel = Wheel(name=project.name, version=version, tags=tagging.tags, entries=())
    base = f"{wheel.stem}.dist-info"
    licences = _licences(project, theirs, environment, _packages([*payload, *theirs]))
    paths = [entry.path for entry in licences]
    has_binary = any(entry.binary for entry in payload)
    pure = wheel.tags.endswith("-none-any") and not has_binary and not together
    written = {
        "METADATA": standard_metadata(project, version, license_files=paths),
        "WHEEL": wheel_file(wheel.tags, generator, pure=pure, build=wheel.build),
    }
    if points:
        written["entry_points.txt"] = entry_points_file(points)
    own = [Entry.made(f"{base}/{name}", data, "the wheel's metadata") for name, data in written.items()]
    own += [replace(entry, path=f"{base}/licenses/{entry.path}") for entry in licences]
    if project.built is not None:
        why = "of the inner backend"
        own += [Entry.made(f"{base}/{name}", path, why) for name, path in project.built.others.items()]
    return replace(wheel, entries=(*sorted(payload, key=lambda entry: entry.path), *own))


def metadata_files(wheel: Wheel) -> dict[str, bytes]:
    """Return each file of the wheel's ``.dist-info`` but RECORD and our bill of materials, by path below it."""
    base = f"{wheel.stem}.dist-info/"
    return {entry.path[len(base) :]: entry.read() for entry in wheel.entries if entry.path.startswith(base)}


def wheel_file(tags: str, generator: str, *, pure: bool, build: str | None = None) -> bytes:
    """Return the text of WHEEL, with one ``Tag`` line for each tag that ``tags`` stands for."""
    interpreters, abis, platforms = (part.split(".") for part in tags.split("-"))
    lines = ["Wheel-Version: 1.0", f"Generator: {generator}", f"Root-Is-Purelib: {str(pure).lower()}"]
    lines += ["Tag: " + "-".join(tag) for tag in product(interpreters, abis, platforms)]
    lines += [f"Build: {build}"] if build else []
    return ("\n".join(lines) + "\n").encode()


def entry_points_file(points: Mapping[str, Mapping[str, str]]) -> bytes:
    """Return the text of entry_points.txt, groups and names sorted."""
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {target}" for name, target in sorted(names.items()))])
        for group, names in sorted(points.items())
    ]
    return ("\n\n".join(groups) + "\n").encode()


def _packages(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(sorted({entry.package for entry in entries if entry.package}))


# -- entry points


def _merged(
    project: Project, theirs: Sequence[Entry], environment: Environment, packages: Sequence[str]
) -> EntryPoints:
    """Return all entry points: the project's own win, two packages that disagree are an error."""
    own = _own_points(project)
    claims: dict[tuple[str, str], tuple[str, str]] = {}
    problems = []
    for owner, points in _claimed(theirs, environment, packages):
        for group, name, target in _flat(points):
            if name in own.get(group, ()):
                continue
            first, other = claims.setdefault((group, name), (target, owner))
            if first.replace(" ", "") != target.replace(" ", ""):
                what = f"{name!r} is {first!r} in {other} and {target!r} in {owner}"
                hint = f"state which one in the [project] table: {_key(group)}"
                problems.append(Problem(where=f"entry point [{group}]", what=what, hint=hint))
    ContentError.raise_for(problems)
    for (group, name), (target, _) in claims.items():
        own.setdefault(group, {})[name] = target
    return own


def _key(group: str) -> str:
    keys = {value: f"[project.{key}]" for key, value in _SCRIPT_GROUPS.items()}
    return keys.get(group, f'[project.entry-points."{group}"]')


def _own_points(project: Project) -> EntryPoints:
    """Return the entry points of ``[project]``, which was validated when it was read."""
    points: EntryPoints = {}
    tables = {group: project.table.get(key) for key, group in _SCRIPT_GROUPS.items()}
    others = project.table.get("entry-points")
    tables.update(others if isinstance(others, dict) else {})
    for group, table in tables.items():
        if isinstance(table, dict) and table:
            points[group] = {str(name): str(target) for name, target in table.items()}
    return points


def _claimed(
    theirs: Sequence[Entry], environment: Environment, packages: Sequence[str]
) -> Iterator[tuple[str, EntryPoints]]:
    """Yield what each package's entry_points.txt says, and link.json where that is silent about a script."""
    known: dict[str, set[str]] = {}
    for entry in theirs:
        if not entry.path.lower().endswith("-info/entry_points.txt"):
            continue
        owner = entry.package or entry.path
        points = _parsed(entry.read(), entry.path, owner)
        known.setdefault(owner, set()).update(name for group, name, _ in _flat(points) if group.endswith("_scripts"))
        yield owner, points
    for package in sorted({*packages, *_packages(theirs)}):
        scripts = {name: target for name, target in _linked(environment, package) if name not in known.get(package, ())}
        if scripts:
            yield package, {"console_scripts": scripts}


def _flat(points: EntryPoints) -> Iterator[tuple[str, str, str]]:
    for group, names in points.items():
        for name, target in names.items():
            yield group, name, target


def _parsed(data: bytes, path: str, owner: str) -> EntryPoints:
    try:
        groups = installed.entry_points(data)
    except ValueError as error:
        what = f"is not readable: {error}"
        hint = f"tell the makers of the conda package {owner}, or exclude the file with select.exclude"
        raise ContentError(Problem(where=path, what=what, hint=hint)) from None
    return {group: names for group, names in groups.items() if names}


def _linked(environment: Environment, package: str) -> Iterator[tuple[str, str]]:
    """Yield the scripts that a noarch package's link.json asks conda to make."""
    info = environment.info.get(package)
    for line in info.scripts if info else ():
        name, equals, target = line.partition("=")
        if equals:
            yield name.strip(), target.strip()


def _without_generated(payload: Sequence[Entry], points: EntryPoints) -> list[Entry]:
    """Return the payload without the scripts that installers make from entry points themselves."""
    names = {*points.get("console_scripts", ()), *points.get("gui_scripts", ())}
    kept, problems = [], []
    for entry in payload:
        name = _script_name(entry)
        if name not in names:
            kept.append(entry)
        elif b"python" not in entry.read()[:512]:
            what = f"is a script, and {name!r} is also an entry point"
            hint = "exclude the script with select.exclude, or name the entry point otherwise in [project]"
            problems.append(Problem(where=entry.path, what=what, hint=hint))
    ContentError.raise_for(problems)
    return kept


def _script_name(entry: Entry) -> str | None:
    """Return under which name an entry would lie in an environment's ``bin``."""
    installed = re.fullmatch(r"[^/]+\.data/scripts/([^/]+)", entry.path)
    made = re.fullmatch(r"bin/([^/]+)", entry.original) if entry.origin and not entry.binary else None
    if installed:
        return installed[1]
    return made[1] if made and b"python" in entry.read()[:512] else None


# -- licences


def _licences(
    project: Project, theirs: Sequence[Entry], environment: Environment, packages: Sequence[str]
) -> list[Entry]:
    """Return the licence files, sorted, with paths below ``licenses``: the project's, then each package's."""
    entries = {path: Entry(path=path, source=source) for path, source in license_files(project).items()}
    taken = {path.lower(): entry.read() for path, entry in entries.items()}
    for package in packages:
        seen = set()
        for name, entry in _licences_of(package, theirs, environment):
            data = entry.read()
            if data in seen and entry.origin is not None:
                continue  # the .dist-info's copy of what info/licenses has
            seen.add(data)
            path = _free(f"{_safe(package)}/{'/'.join(map(_safe, name.split('/')))}", data, taken)
            taken[path.lower()] = data
            entries[path] = replace(entry, path=path)
    why = Reason("rule", f"licence of {project.name}")
    return [replace(entry, why=entry.why or why, executable=False) for _, entry in sorted(entries.items())]


def _licences_of(package: str, theirs: Sequence[Entry], environment: Environment) -> Iterator[tuple[str, Entry]]:
    """Yield a package's licence files: those in ``info``, else in ``share/licenses``, then its ``.dist-info``'s."""
    why = Reason("rule", f"licence of {package}")
    info = environment.info.get(package)
    found: list[tuple[str, bytes | Path]] = list(info.licences) if info else []
    if not found:
        start = "share/licenses/"
        files = (f for f in environment.files if f.package == package and f.path.startswith(start) and f.link is None)
        found = [(file.path[len(start) :], file.source) for file in sorted(files, key=lambda file: file.path)]
    for name, source in found:
        yield name, Entry(path=name, source=source, why=why)
    for entry in sorted(theirs, key=lambda entry: entry.path):
        place = _FOLDER.fullmatch(entry.path)
        if entry.package != package or not place or not place[2]:
            continue
        name = re.sub(r"^(licenses|license_files)/", "", place[2])
        if name != place[2] or ("/" not in name and LICENSE_FILE.match(name)):
            yield name, replace(entry, why=why)


def _safe(segment: str) -> str:
    """Return a path segment that every system can hold."""
    segment = _UNSAFE.sub("_", segment).rstrip(". ") or "_"
    return f"_{segment}" if _RESERVED.fullmatch(segment) else segment


def _free(path: str, data: bytes, taken: Mapping[str, bytes]) -> str:
    """Return ``path``, or with a number in it where another file has it on a system that ignores case."""
    stem, dot, end = path.rpartition(".")
    if not dot or "/" in end:
        stem, end = path, ""
    candidate, number = path, 1
    while taken.get(candidate.lower(), data) != data:
        number += 1
        candidate = f"{stem}-{number}{dot and '.' if end else ''}{end}"
    return candidate
