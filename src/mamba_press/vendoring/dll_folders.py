"""Where DLLs lie, and who tells Windows: a PE image cannot say where to look.

When Python loads an extension module, Windows looks for what it needs in the extension's own folder, in the folders
that the process has added, beside ``python.exe`` and among its own libraries. It does so for all that these need in
turn, too: a DLL's own folder counts only where it is the one that was asked for.

So the ``__init__.py`` of a top-level package with extensions adds the folders with the DLLs, before anything else. What
has no ``__init__.py``, a module at the top or one in a namespace package, gets copies beside it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mamba_press.errors import ContentError, Problem
from mamba_press.types import Entry, Reason
from mamba_press.vendoring import dependency_graph, resolve, runtime_module

if TYPE_CHECKING:
    from mamba_press.vendoring.layout import Home
    from mamba_press.vendoring.link import Linked


def place(linked: Linked, home: Home, others: Mapping[str, str]) -> Linked:
    """Return the entries of a wheel for Windows, hooked and with copies, so that every extension finds its DLLs.

    ``others`` is ``link.external``: folders of other wheels are added, too. Raises ContentError for a module that needs
    one of these and has no package that could add it.
    """
    entries = linked.entries
    wheel = _Wheel.of(entries, home.prefix, others)
    hooks = {name: text for name in wheel.packages if (text := _hooked(wheel, name)) is not None}
    reach = {path: wheel.reach(path) for path in wheel.modules}
    hooked = {path for path in reach if path.split("/")[0] in hooks}
    beside = {(posixpath.dirname(path), dll) for path in reach if path not in hooked for dll in reach[path]}
    moved = {dll for _, dll in beside} - {dll for path in hooked for dll in reach[path]} - wheel.held()
    kept = [entry for entry in entries if entry.path not in moved]
    copies = [_copy(wheel.entries[dll], folder) for folder, dll in sorted(beside)]
    _refuse_alone(wheel, reach.keys() - hooked)
    inside = {posixpath.dirname(path) for path in wheel.dlls - moved} | wheel.foreign(wheel.needs)
    named = {
        path.split("/")[0]
        for path in hooked
        if wheel.foreign([path, *reach[path]]) or any(posixpath.dirname(dll) in inside for dll in reach[path])
    }
    if inside and not home.generated and home.name in hooks:
        named.add(home.name)
    modules = [
        Entry.made(
            f"{name}/{runtime_module.MODULE}",
            runtime_module.folders_module(sorted(posixpath.relpath(folder, name) for folder in inside)),
            "lets Windows find the libraries",
        )
        for name in sorted(named - {home.name})
    ]
    texts = {f"{name}/__init__.py": hooks[name] for name in named}
    changed = [replace(entry, source=texts[entry.path]) if entry.path in texts else entry for entry in kept]
    there = {entry.path.lower() for entry in changed}
    new = [entry for entry in copies if entry.path.lower() not in there]
    alone = sorted({folder or "the top of site-packages" for folder, _ in beside})
    note = f"DLLs lie beside the extensions that need them, for no __init__.py can name a folder: {', '.join(alone)}"
    placed = sorted([*changed, *new, *modules], key=lambda entry: entry.path)
    paths = {entry.path for entry in placed}
    return replace(
        linked,
        entries=tuple(placed),
        names={name: path for name, path in linked.names.items() if path in paths},
        folders=tuple(sorted(posixpath.relpath(folder, home.name) for folder in inside)),
        notes=(*linked.notes, *([note] if alone else ())),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wheel:
    """The entries by path, and who needs whom."""

    entries: Mapping[str, Entry]
    prefix: str
    needs: Mapping[str, tuple[str, ...]]
    others: Mapping[str, str]

    @classmethod
    def of(cls, entries: Sequence[Entry], prefix: str, others: Mapping[str, str]) -> _Wheel:
        ends = {entry.real: entry.path for entry in entries if entry.real}
        needs = {
            entry.path: tuple(ends[link.path] for link in entry.links if link.path in ends)
            for entry in entries
            if entry.binary and entry.binary.arch
        }
        return cls(entries={entry.path: entry for entry in entries}, prefix=prefix, needs=needs, others=others)

    @property
    def packages(self) -> tuple[str, ...]:
        """The regular packages at the top."""
        inits = (path.split("/") for path in self.entries)
        return tuple(sorted(parts[0] for parts in inits if len(parts) == 2 and parts[1] == "__init__.py"))

    @property
    def modules(self) -> tuple[str, ...]:
        """What is loaded by being imported, or may be by lying among modules."""
        return tuple(path for path in self.needs if not path.startswith(f"{self.prefix}/") and ".data/" not in path)

    @property
    def dlls(self) -> frozenset[str]:
        """The libraries of the prefix's own tree."""
        found = (path for path in self.needs if path.startswith(f"{self.prefix}/"))
        return frozenset(path for path in found if (binary := self.entries[path].binary) and binary.kind == "shared")

    def reach(self, path: str) -> frozenset[str]:
        """Return all DLLs in other folders that loading a file brings along."""
        found = dependency_graph.reachable(path, self.needs)
        return frozenset(other for other in found if posixpath.dirname(other) != posixpath.dirname(path))

    def foreign(self, paths: Iterable[str]) -> set[str]:
        """Return the folders of other wheels in which something lies that these files need."""
        links = (link for path in paths for link in self.entries[path].links if link.where == "external")
        found = (resolve.find_external(posixpath.basename(link.needed), self.others) for link in links)
        return {each.folder for each in found if each}

    def held(self) -> frozenset[str]:
        """Return the DLLs that must stay where they are: asked for by the user, or needed by what stays there."""
        reasons = {path: self.entries[path].why for path in self.dlls}
        stays = {path for path, why in reasons.items() if why is None or why.kind != "needed"}
        stays |= {path for path in self.needs if path.startswith(f"{self.prefix}/") and path not in self.dlls}
        return frozenset(stays | {other for path in stays for other in self.reach(path) | set(self.needs[path])})


def _refuse_alone(wheel: _Wheel, modules: Iterable[str]) -> None:
    ContentError.raise_for(
        Problem(
            where=path,
            what="takes a library from another wheel, and no __init__.py above it can add that wheel's folder",
            hint="put the module into a package with layout.move, or leave the library out of link.external",
        )
        for path in sorted(modules)
        if wheel.foreign([path, *wheel.reach(path)])
    )


def _hooked(wheel: _Wheel, name: str) -> bytes | None:
    try:
        return runtime_module.with_import(wheel.entries[f"{name}/__init__.py"].read())
    except ValueError:
        return None


def _copy(entry: Entry, folder: str) -> Entry:
    path, why = posixpath.join(folder, posixpath.basename(entry.path)), f"beside what needs it: {entry.why}"
    return replace(entry, path=path, why=Reason("rule", why))
