"""What mamba-press itself adds to the home of a wheel: the generated module, environment variables and programs.

The configuration names files as they lie in the conda prefix; here they become paths in the wheel.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import globs
from mamba_press.errors import ConfigError, ContentError, Note, Problem, Setting, Text
from mamba_press.types import OWN, Entry, Environment, Project
from mamba_press.vendoring import layout, library_calls, link, runtime_module

if TYPE_CHECKING:
    from mamba_press.config.model import Config

_ENVIRONMENT = Setting("wheel.environment")
_EXECUTABLES = Setting("wheel.executables")
_OUTSIDE = re.compile(r"[^/]+\.data/")
_PROGRAMS = re.compile(r"(?:Library/)?(?:bin|sbin|libexec|Scripts)/")
_ACTIVATE = re.compile(r"etc/conda/activate\.d/[^/]+\.(?:sh|bat)")
_SETS = re.compile(r"^\s*(?:export\s+|@?set\s+\"?)([A-Za-z_][A-Za-z0-9_]*)=", re.IGNORECASE | re.MULTILINE)
# What activation scripts remember for deactivation, and what no import may set.
_NOT_OURS = re.compile(r"_?CONDA.*|OLD_.*|_OLD.*|.*_CONDA_(?:BACKUP|SET).*|PATH|HOST|LD_.*|PYTHON.*|XDG_.*")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def with_runtime(linked: link.Linked, home: layout.Home, name: str, config: Config) -> link.Linked:
    """Add the module that finds the libraries, sets the environment and starts the programs, where there is use for it.

    A home that is a package's own imports it where importing the home is to have an effect.
    """
    variables = environment(linked.entries, home.name, config.wheel.environment)
    bound = [entry.original for entry in linked.entries if _is_bound(entry, home)]
    started = programs(linked.entries, home.name, dict.fromkeys((*config.wheel.executables, *bound)))
    starts = {name: f"{home.module}._mamba_press:{call}" for name, call in runtime_module.functions(started).items()}
    has_prefix = any(entry.path.startswith(f"{home.prefix}/") for entry in linked.entries)
    own_code = [entry.origin for entry in linked.entries if entry.origin and entry.package == OWN]
    is_used = (has_prefix and (home.generated or own_code)) or any(map(library_calls.uses, own_code))
    if not variables and not started and not linked.folders and not is_used:
        return replace(linked, programs=starts)
    inside = f"{home.name}/"
    libraries = {old: path[len(inside) :] for old, path in linked.names.items() if path.startswith(inside)}
    text = runtime_module.module(libraries, environment=variables, programs=started, folders=linked.folders)
    generated = [Entry.made(f"{inside}{runtime_module.MODULE}", text, "finds the libraries")]
    entries = linked.entries
    if any(entry.path == generated[0].path for entry in entries):
        what, hint = "is the name of the module that mamba-press writes there", "give the file another name"
        raise ContentError(Problem(where=generated[0].path, what=what, hint=hint))
    if home.generated:
        init = runtime_module.init(name)
        source = runtime_module.with_import(init) if variables or linked.folders else init
        generated.append(Entry.made(f"{inside}__init__.py", source, "makes the home a package"))
    elif variables:
        entries = tuple(_importing(entry) if entry.path == f"{inside}__init__.py" else entry for entry in entries)
        if entries == linked.entries:
            raise ContentError(_no_import(home.name, "is no Python source"))
    together = tuple(sorted((*entries, *generated), key=lambda entry: entry.path))
    alone = home.generated and config.layout.home is None and not started
    notes = _without_import(linked.entries, home, sorted(variables)) if variables and alone else ()
    return replace(linked, entries=together, programs=starts, notes=(*linked.notes, *notes))


def _without_import(entries: Sequence[Entry], home: layout.Home, variables: Sequence[str]) -> tuple[Note, ...]:
    """Warn of variables that nobody sets, where no module of the wheel speaks of the home that sets them."""
    sources = {entry.path: entry for entry in entries if entry.path.endswith(".py")}
    if any(home.module.encode() in entry.read() for entry in sources.values()):
        return ()
    packages = sorted(path.partition("/")[0] for path in sources if path.count("/") == 1 and "/__init__.py" in path)
    names = " or ".join(f'"{name}"' for name in packages[:3]) or '"…", a name to be imported first'
    what = (
        f"importing the wheel does not set {', '.join(variables)}: importing {home.module} does, and nothing imports it"
    )
    return (Note(what, f"set it to a package that is imported: layout.home = {names}", "warning"),)


def _is_bound(entry: Entry, home: layout.Home) -> bool:
    """Whether an entry is a program of the project that lies with its libraries, and is started from there."""
    return entry.package == OWN and entry.path.startswith(f"{home.prefix}/")


def _importing(entry: Entry) -> Entry:
    """Return a home's ``__init__.py`` with the import of the generated module."""
    try:
        return replace(entry, source=runtime_module.with_import(entry.read()))
    except ValueError as error:
        raise ContentError(_no_import(entry.path, f"cannot be read: {error}")) from None


def _no_import(where: str, why: str) -> Problem:
    return Problem(
        where=where,
        what=f"has to import what sets the environment, but its __init__ {why}",
        hint=Text.of("take a home of its own: ", Setting("layout.home", "…"), ", a new name, to be imported first"),
    )


def with_programs(asked: Project, programs: Mapping[str, str]) -> Project:
    """Return the project with the programs among its scripts."""
    own = asked.table.get("scripts")
    scripts = own if isinstance(own, dict) else {}
    ConfigError.raise_for(
        Problem(
            where=f"project.scripts.{name}",
            what=Text.of("is also the name of a program in ", Setting("wheel.executables")),
            hint="keep one of the two",
        )
        for name in sorted(scripts.keys() & programs.keys())
    )
    return replace(asked, table={**asked.table, "scripts": {**scripts, **programs}}) if programs else asked


def environment(entries: Sequence[Entry], home: str, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return by variable where its file or folder lies, relative to the home; raises ContentError for what is nowhere.

    ``home`` is the wheel's folder in which the generated module lies.
    """
    found: dict[str, str] = {}
    problems = []
    for name, path in sorted(wanted.items()):
        plain, prefix = path.rstrip("/"), f"{home}/_prefix"
        if plain == ".":
            places = [prefix] if any(entry.path.startswith(f"{prefix}/") for entry in entries) else []
        else:  # in packages for Windows it lies below ``Library``
            places = sorted(_places(entries, plain) or _places(entries, f"Library/{plain}"))
        if any(_OUTSIDE.match(place) for place in places):
            problems.append(_outside(_ENVIRONMENT, f"{name}: ", path, places[0]))
        elif len(places) == 1:
            found[name] = posixpath.relpath(places[0], home)
        elif places:
            what = f"{name}: {path!r} is in several places of the wheel: {', '.join(places)}"
            hint = "name a file or a folder all of which lies in one place"
            problems.append(Problem(where=_ENVIRONMENT, what=what, hint=hint))
        else:
            problems.append(_nowhere(_ENVIRONMENT, f"{name}: ", path, _folders(entries)))
    ContentError.raise_for(problems)
    return found


def programs(entries: Sequence[Entry], home: str, wanted: Iterable[str]) -> dict[str, str]:
    """Return by name each program's path relative to the home; raises ContentError for one that is not in the wheel.

    Of a script that installers put on the path themselves nothing is said.
    """
    places = {entry.origin.path: entry.path for entry in entries if entry.origin}
    found: dict[str, str] = {}
    problems = []
    for asked in wanted:
        path = next((path for path in spellings(asked) if path in places), None)
        if path is None:
            known = [path for path in places if _PROGRAMS.match(path)]
            problems.append(_nowhere(_EXECUTABLES, "", asked, known))
            continue
        name = re.sub(r"\.exe$", "", posixpath.basename(path), flags=re.IGNORECASE)
        if name in found:
            what = f"two programs are called {name!r}"
            problems.append(Problem(where=_EXECUTABLES, what=what, hint="name one of them"))
        elif _OUTSIDE.match(places[path]) and "/scripts/" not in places[path]:
            problems.append(_outside(_EXECUTABLES, "", asked, places[path]))
        elif not _OUTSIDE.match(places[path]):
            found[name] = posixpath.relpath(places[path], home)
    ContentError.raise_for(problems)
    return found


def spellings(path: str) -> tuple[str, ...]:
    """Return where a program may lie: in packages for Windows under a folder of its own, and with an extension."""
    return (path, f"{path}.exe", f"Library/{path}", f"Library/{path}.exe")


def notes(installed: Environment, entries: Iterable[Entry], set_already: Iterable[str]) -> tuple[str, ...]:
    """Name the variables that packages in the wheel are known to look at, or set in an activated environment."""
    ours = frozenset(set_already)
    owners = {entry.origin.path: entry.package for entry in entries if entry.origin}
    beneath = _beneath(owners)
    found = []
    for row in _known():
        path = _path(row["path"], beneath)
        if path is not None and row["variable"] not in ours:
            instead = f"; better, the library's own call does: {row['instead']}" if "instead" in row else ""
            it, value = "it", _ENVIRONMENT
            if row.get("value") == ".":
                it, value = "the prefix", Setting(_ENVIRONMENT.key, ".", name=row["variable"])
            found.append(
                f"{beneath[path]}: {path} may be found only where {row['variable']} names {it}; "
                f"{value} can set it{instead}"
            )
    said = {row["variable"] for row in _known()} | ours
    for package, names in sorted(_activated(installed, frozenset(owners.values())).items()):
        rest = sorted(names - said - frozenset(_CERTIFICATES))
        if rest:
            found.append(
                f"{package}: an activated conda environment sets {', '.join(rest)}; importing the wheel does not, "
                f"unless {_ENVIRONMENT} names it"
            )
        if names & frozenset(_CERTIFICATES):
            found.append(
                f"{package}: SSL_CERT_FILE is never set by an import; depend on certifi and hand over its file"
            )
    return tuple(found)


def _places(entries: Iterable[Entry], path: str) -> set[str]:
    """Return where a file, or the files of a folder, of the prefix lie in the wheel."""
    found = set()
    for entry in entries:
        own = entry.origin.path if entry.origin else ""
        if own == path:
            found.add(entry.path)
        elif own.startswith(f"{path}/"):
            below = own[len(path) :]
            found.add(entry.path[: -len(below)] if entry.path.endswith(below) else posixpath.dirname(entry.path))
    return found


def _outside(where: Setting, at: str, path: str, place: str) -> Problem:
    what = f"{at}{path!r} goes to {place}, and nobody knows how far from site-packages that is after installation"
    return Problem(where=where, what=what, hint="let layout.move put it into site-packages, or leave this line out")


def _folders(entries: Iterable[Entry]) -> list[str]:
    paths = {entry.origin.path for entry in entries if entry.origin}
    parents = {posixpath.dirname(path) for path in paths}
    return sorted(paths | parents | {posixpath.dirname(path) for path in parents})


def _nowhere(where: Setting, at: str, path: str, known: Sequence[str]) -> Problem:
    near = get_close_matches(path, known, 3, 0.6)
    hint = Text.of(
        f"did you mean {', '.join(near)}?" if near else "paths are those of the conda prefix, as in share/proj",
        "\nwhat left by a rule can stay: ",
        Setting("select.include"),
        "; what no package of the wheel has, needs its package named in packages",
    )
    return Problem(where=where, what=f"{at}the wheel has no {path!r}", hint=hint)


@cache
def _known() -> tuple[dict[str, str], ...]:
    text = Path(__file__).parents[1].joinpath("data").joinpath("variables.json").read_text("utf-8")
    return tuple(json.loads(text))


def _path(glob: str, there: Mapping[str, str]) -> str | None:
    """Return the path that a row means: a folder's name may hold the version of its library."""
    if "*" not in glob:
        return glob if glob in there else None
    return next((path for path in sorted(there) if globs.matches(path, (glob,))), None)


def _beneath(owners: Mapping[str, str]) -> dict[str, str]:
    """Return by path and by folder the first package that has something there, without Windows' ``Library``."""
    found: dict[str, str] = {}
    for path, package in owners.items():
        plain = path.removeprefix("Library/")
        while plain and plain not in found:
            found[plain] = package
            plain = plain.rpartition("/")[0]
    return found


def _activated(installed: Environment, packages: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return by package the variables that its activation scripts set."""
    found: dict[str, frozenset[str]] = {}
    for file in installed.files:
        if file.package in packages and _ACTIVATE.fullmatch(file.path):
            text = file.source.read_text("utf-8", errors="replace")
            names = {name for name in _SETS.findall(text) if not _NOT_OURS.fullmatch(name.upper())}
            found[file.package] = found.get(file.package, frozenset()) | names
    return found
