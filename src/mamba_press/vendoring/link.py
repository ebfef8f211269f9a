"""Decide the final names and the edits of every binary of the wheel.

Dependencies' libraries are renamed with a hash over everything that decides their behaviour, so that two wheels in
one process never take each other's. Libraries of requested packages, and those that something opens by name, keep
their names. Every binary finds what it needs through its own search path, which never leaves the wheel.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import globs, messages, platforms
from mamba_press.errors import ContentError, Note, Problem
from mamba_press.platforms import binary_edits, compiler_runtimes, strings
from mamba_press.platforms.protocol import Answer, Situation
from mamba_press.types import Binary, Edits, Entry, Environment, Resolved
from mamba_press.vendoring import dependency_graph, library_calls
from mamba_press.vendoring.resolve import find_external

if TYPE_CHECKING:
    from mamba_press.config.link_table import Link
    from mamba_press.config.model import Config

_HASH_LENGTH = 8
_LIBRARY_NAME = re.compile(
    r"(?P<stem>.+?)(?P<version>\.(?:dll|DLL|Dll)|\.so(?!.*\.(?:dll|DLL|Dll)$).*|(?:\.[0-9]+)*\.dylib)", re.DOTALL
)
"""The name of a library that may be renamed, in two parts: the hash goes between them."""

_FROM_PYTHON = (
    "; Python looks for a bare name outside of the wheel: load the library by its path first, or put it where the "
    "module looks with layout.move"
)
"""What is true of CDLL("libx.so"): a search path belongs to a binary, and here the binary is Python's own.

Where the source plainly does so, `path_assumptions` warns of it.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Linked:
    """The entries with their final paths and edits; ``names`` leads from each original library name to its entry.

    ``folders`` are those, relative to the home, where Windows has to be told to look for DLLs, ``programs`` the entry
    points of programs by name.
    """

    entries: tuple[Entry, ...]
    names: Mapping[str, str]
    notes: tuple[str | Note, ...] = ()
    folders: tuple[str, ...] = ()
    programs: Mapping[str, str] = field(default_factory=dict)


def link(entries: Sequence[Entry], environment: Environment, config: Config) -> Linked:
    """Return the entries with the edits that make the wheel independent of where it lies.

    Raises ContentError where two libraries would get one name.
    """
    libraries = {entry.real: entry for entry in entries if _is_library(entry)}
    graph = {path: _needs(entry) for path, entry in libraries.items()}
    inner = {path for path, entry in libraries.items() if _is_inner(entry)} & {
        path for entry in entries for path in _needs(entry)
    }
    names = _names(libraries, environment, inner)
    opened = _opened(entries, names)
    requested = frozenset(package.name for package in environment.packages if package.requested)
    keep = {path: _kept_name(path, entry, opened) for path, entry in libraries.items()}
    hashed = {
        path
        for path, entry in libraries.items()
        if (_in_library_folder(entry) or (path in inner and names[posixpath.basename(path)] == path))
        and _is_hashed(entry, path in opened.by_file, requested, config)
    }
    draft = _Plan(
        libraries=libraries,
        final=keep,
        hashed=frozenset(hashed),
        opened=opened,
        plain=_plain(libraries, keep, hashed),
        keys=config.link,
    )
    deciding = hashed.union(*(dependency_graph.reachable(path, graph) for path in hashed))
    graph = {path: graph[path] for path in graph if path in deciding}
    digests = dependency_graph.digests(graph, {path: _content(libraries[path], draft) for path in graph})
    final = {path: _hashed_name(keep[path], digests[path]) if path in hashed else keep[path] for path in libraries}
    plan = replace(draft, final=final)
    linked = _without_twins(sorted((_edited(entry, plan) for entry in entries), key=lambda entry: entry.path))
    notes = (*_notes(plan, requested), *_unkept(linked, config))
    table = {name: plan.place(path) for name, path in sorted(names.items()) if path in libraries}
    return Linked(entries=linked, names=table, notes=notes)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Opened:
    """Which names occur as strings: by the real file that they mean, and by the entry in which they occur."""

    by_file: Mapping[str, frozenset[str]]
    by_entry: Mapping[str, frozenset[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    libraries: Mapping[str, Entry]
    final: Mapping[str, str]
    hashed: frozenset[str]
    opened: _Opened
    plain: Mapping[str, Sequence[str]]
    keys: Link

    def place(self, path: str) -> str:
        """Return the path in the wheel of the library that is a real file of the prefix."""
        return posixpath.join(posixpath.dirname(self.libraries[path].path), self.final[path])


def _plain(libraries: Mapping[str, Entry], names: Mapping[str, str], hashed: set[str]) -> dict[str, list[str]]:
    """Return by folder the names of the libraries that get no hash."""
    found: dict[str, list[str]] = {}
    for path in libraries.keys() - hashed:
        found.setdefault(posixpath.dirname(libraries[path].path), []).append(names[path])
    return found


def _binary(entry: Entry) -> Binary | None:
    return entry.binary if entry.binary is not None and entry.binary.arch is not None else None


def _is_library(entry: Entry) -> bool:
    binary = _binary(entry)
    return binary is not None and binary.kind == "shared" and entry.origin is not None and entry.origin.link is None


def _in_library_folder(entry: Entry) -> bool:
    binary = _binary(entry)
    if binary is None:
        return posixpath.dirname(entry.original) == "lib"
    facts = platforms.facts_for(binary)
    return posixpath.dirname(entry.original) in facts.libraries and entry.original.lower().endswith(facts.ending)


def _is_inner(entry: Entry) -> bool:
    """Whether a library lies below the library folder and has a name to be needed by: it is no module of Python."""
    binary = _binary(entry)
    folder = posixpath.dirname(entry.real)
    if binary is None or platforms.own_name(binary) is None:
        return False
    return folder.startswith("lib/") and "/site-packages" not in folder


def _names(libraries: Mapping[str, Entry], environment: Environment, inner: set[str]) -> dict[str, str]:
    """Return every name by which a library of the wheel may be called: file name, SONAME, symlinks' names.

    Of two with one name the one in the library folder counts; ``inner`` are those below it that others need.
    """
    names: dict[str, str] = {}
    for file in environment.files:
        if file.link is not None and file.link in libraries and _in_library_folder(libraries[file.link]):
            names.setdefault(posixpath.basename(file.path), file.link)
    for path, entry in libraries.items():
        binary = _binary(entry)
        if _in_library_folder(entry) and binary is not None:
            names[posixpath.basename(path)] = path
            if not platforms.facts_for(binary).names_itself:
                names.setdefault(posixpath.basename(path).lower(), path)
            elif own := platforms.own_name(binary):
                names[own] = path
    for path in sorted(inner):
        binary = _binary(libraries[path])
        for name in (path, (binary and binary.name) or path):
            names.setdefault(posixpath.basename(name), path)
    return names


def _opened(entries: Sequence[Entry], names: Mapping[str, str]) -> _Opened:
    by_file: dict[str, set[str]] = {}
    by_entry: dict[str, frozenset[str]] = {}
    for entry in entries:
        if entry.origin is None or entry.path.split("/")[0].endswith((".dist-info", ".egg-info")):
            continue
        if strings.is_mute(entry.origin.path):
            continue
        # The file as it was installed: what is rewritten of it, such as a script's first line, opens nothing.
        own = entry.real
        said = entry.strings or strings.look(entry.origin.source)
        found = {name for name in said.names if names.get(name, own) != own}
        asked = library_calls.calls(entry.origin)  # the generated module knows what these are called here
        found -= asked.names | asked.perhaps
        if found:
            by_entry[entry.path] = frozenset(found)
        for name in found:
            by_file.setdefault(names[name], set()).add(name)
    return _Opened(by_file={path: frozenset(found) for path, found in by_file.items()}, by_entry=by_entry)


def _kept_name(path: str, entry: Entry, opened: _Opened) -> str:
    """Return the file name of a library that is not hashed: the one it is opened by, else its SONAME."""
    binary = _binary(entry)
    own = posixpath.basename(path)
    if entry.placed:
        return posixpath.basename(entry.path)
    name = platforms.own_name(binary) if binary is not None else None
    if name is None or not _in_library_folder(entry):
        return own
    asked = opened.by_file.get(path, frozenset())
    if not asked or name in asked:
        return name
    return min(asked, key=lambda name: (-len(name), name))


def _is_hashed(entry: Entry, is_opened: bool, requested: frozenset[str], config: Config) -> bool:
    binary = _binary(entry)
    assert binary is not None
    # What a DLL is called inside does not count: the loader knows its file.
    name = platforms.own_name(binary) if platforms.facts_for(binary).names_itself else posixpath.basename(entry.real)
    if name is None or not _LIBRARY_NAME.fullmatch(name):
        return False
    if compiler_runtimes.runtime_of(name) in compiler_runtimes.RENAMED:
        return True
    if entry.placed:
        return False
    rename = config.link.rename
    if isinstance(rename, bool):
        return rename
    if rename is not None:
        return globs.matches_library(name, rename) is not None
    return entry.package not in requested and not is_opened


def _needs(entry: Entry) -> tuple[str, ...]:
    return tuple(link.path for link in entry.links if link.path)


def _content(entry: Entry, plan: _Plan) -> bytes:
    assert not isinstance(entry.source, bytes)
    return hashlib.sha256(_sha256(entry.source) + decisive(_edits(entry, plan))).digest()


def decisive(edits: Edits) -> bytes:
    """Return what of a library's edits decides its behaviour: all but names, and the signature, which all get."""
    removed = tuple(old for old, new in edits.needed if new is None)
    return (
        repr((removed, edits.search, edits.inherited, edits.unbind_unique)).encode()
        + (b"stripped" if edits.strip else b"")
        + (b"cleared" if edits.clear_execstack else b"")
    )


def _sha256(path: Path) -> bytes:
    digest = hashlib.sha256()
    part = memoryview(bytearray(1 << 18))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(part):
            digest.update(part[:size])
    return digest.digest()


def _hashed_name(name: str, digest: str) -> str:
    found = _LIBRARY_NAME.fullmatch(name)
    stem, version = (found["stem"], found["version"]) if found else (name, "")
    return f"{stem}-{digest[:_HASH_LENGTH]}{version}"


def _edits(entry: Entry, plan: _Plan) -> Edits:
    binary = _binary(entry)
    assert binary is not None
    own = entry.real
    situation = Situation(
        folder=posixpath.dirname(entry.path),
        name=plan.final.get(own, ""),
        is_hashed=own in plan.hashed,
        answers=tuple(_answer(link, plan) for link in entry.links),
        opened=tuple(_opened_folders(entry, plan)),
        plain=plan.plain,
        system=plan.keys.system,
        strip=plan.keys.strip,
        clear_execstack=binary.execstack
        and bool(globs.matches_library(posixpath.basename(own), plan.keys.clear_execstack)),
    )
    return platforms.of(platforms.facts_for(binary).system).edits(binary, situation)


def _answer(link: Resolved, plan: _Plan) -> Answer:
    folder, name = "", ""
    if link.where == "wheel" and link.path is not None:
        folder, name = posixpath.dirname(plan.libraries[link.path].path), plan.final[link.path]
    elif link.where == "external":
        other = find_external(posixpath.basename(link.needed), plan.keys.external)
        assert other is not None
        folder, name = other.folder, other.name
    return Answer(needed=link.needed, where=link.where, folder=folder, name=name)


def _opened_folders(entry: Entry, plan: _Plan) -> Iterable[str]:
    """Yield the folders of the libraries that an entry opens by name, so that its search path leads there."""
    for path, asked in sorted(plan.opened.by_file.items()):
        if asked & plan.opened.by_entry.get(entry.path, frozenset()):
            yield posixpath.dirname(plan.libraries[path].path)


def _edited(entry: Entry, plan: _Plan) -> Entry:
    if _binary(entry) is None:
        return entry
    edits = _edits(entry, plan)
    path = plan.place(entry.real) if _is_library(entry) else entry.path
    return replace(entry, path=path, edits=None if edits == Edits(inherited=edits.inherited) else edits)


def _without_twins(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return one entry for each path: copies of one library, where symlinks should be, become one again."""
    seen: dict[str, Entry] = {}
    problems = []
    for entry in entries:
        other = seen.setdefault(entry.path, entry)
        if other is entry or _same(entry, other):
            continue
        problems.append(
            Problem(
                where=entry.path,
                what=f"two libraries have this name: {other.original} of {other.package} "
                f"and {entry.original} of {entry.package}",
                hint="leave one out with select.exclude, or let link.rename name the library that may be renamed",
            )
        )
    ContentError.raise_for(problems)
    return tuple(seen.values())


def _same(one: Entry, other: Entry) -> bool:
    return one.edits == other.edits and binary_edits.unsigned(one.read()) == binary_edits.unsigned(other.read())


def _notes(plan: _Plan, requested: frozenset[str]) -> tuple[str, ...]:
    """Say which dependencies' libraries keep their names because something opens them by name."""
    notes = []
    for path, asked in sorted(plan.opened.by_file.items()):
        entry = plan.libraries[path]
        if path in plan.hashed:
            continue
        by = sorted(opener for opener, found in plan.opened.by_entry.items() if found & asked)
        from_python = [opener for opener in by if opener.endswith(".py")]
        if entry.package in requested:
            # It keeps its name anyhow.
            by = from_python
        if by:
            note = f"{plan.final[path]} keeps its name: {by[0]} opens it by name" + messages.others(len(by) - 1)
            notes.append(note + (_FROM_PYTHON if from_python else ""))
    return tuple(notes)


def _unkept(entries: Sequence[Entry], config: Config) -> Iterable[str]:
    """Say which certificates no longer vouch for a file, as it is edited, and what cannot be stripped."""
    found = [(entry, binary) for entry in entries if (binary := _binary(entry))]
    edited = [entry.path for entry, binary in found if binary.vouched and _is_new(entry, binary)]
    whole = [entry.path for entry, binary in found if config.link.strip and not platforms.facts_for(binary).can_strip]
    for what, paths in (
        ("the signature of a developer cannot be kept on an edited file", edited),
        ("link.strip is for ELF files; these are packed as they are", whole),
    ):
        if paths:
            yield f"{what}: {paths[0]}{messages.others(len(paths) - 1)}"


def _is_new(entry: Entry, binary: Binary) -> bool:
    """Whether the edits change a file, and do not only see to it that it is signed and searches where it does."""
    edits = entry.edits or Edits()
    search = None if edits.search == binary.search else edits.search
    return replace(edits, search=search, inherited=False, sign=False) != Edits()
