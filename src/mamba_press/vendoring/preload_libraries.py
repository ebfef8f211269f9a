"""Modules that load the libraries of other wheels first, where these lie in another folder."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mamba_press.types import Entry, Selection
from mamba_press.vendoring import runtime_module, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mamba_press.errors import Note


def with_loaders(members: Sequence[split.Member], selection: Selection, house: str) -> tuple[split.Member, ...]:
    """Return the members with a module each that loads other wheels' libraries, where these lie in another folder.

    A search path leads from one wheel to the next only within one ``site-packages``. So what runs first of a wheel
    with extensions, a package's ``__init__.py`` or a module beside a single extension, imports the module. It helps
    where a loaded library answers for its name, which is so for ELF only.
    """
    reach = _Reach.of(members, selection)
    return tuple(_with_loader(member, reach, house) for member in members)


@dataclass(frozen=True, slots=True)
class _Reach:
    """Which libraries a file needs, by paths in the prefix, and where each lies and in which member."""

    needs: Mapping[str, tuple[str, ...]]
    places: Mapping[str, str]
    owners: Mapping[str, str]

    @classmethod
    def of(cls, members: Sequence[split.Member], selection: Selection) -> _Reach:
        needs = {each.file.real: tuple(link.path for link in each.links if link.path) for each in selection.kept}
        entries = [entry for member in members for entry in member.entries if entry.real]
        places = {entry.real: entry.path for entry in entries}
        owners = {entry.real: entry.package for entry in entries}
        return cls(needs, places, owners)

    def ordered(self, start: str) -> Iterator[str]:
        """Yield the libraries that a file needs, each after those that it needs itself."""
        seen = {start}

        def visit(path: str) -> Iterator[str]:
            for other in self.needs.get(path, ()):
                if other not in seen:
                    seen.add(other)
                    yield from visit(other)
                    yield other

        yield from visit(start)


def _with_loader(member: split.Member, reach: _Reach, house: str) -> split.Member:
    folder = split.home(house)
    needed: dict[str, None] = {}
    modules = []
    for entry in member.entries:
        if entry.binary is None or entry.path.startswith(f"{folder}/"):
            continue
        libraries = list(reach.ordered(entry.real))
        if any(reach.owners[library] != member.package.name for library in libraries):
            modules.append(entry.path)
            needed.update(dict.fromkeys(reach.places[library] for library in libraries))
    if not modules:
        return member
    name = f"_load_{member.key.replace('-', '_')}"
    hooks, alone = _hooks(modules, {entry.path for entry in member.entries})
    statement = f"from {folder} import {name} as _mamba_press".encode()
    entries, failed = [], []
    for entry in member.entries:
        try:
            entries.append(_hooked(entry, statement) if entry.path in hooks else entry)
        except ValueError as error:
            failed.append(f"{entry.path} cannot be read ({error})")
            entries.append(entry)
    text = runtime_module.loader(tuple(posixpath.relpath(path, folder) for path in needed))
    loader = Entry.made(f"{folder}/{name}.py", text, "loads libraries that lie in another folder")
    notes: tuple[str | Note, ...] = ()
    if alone:
        failed.append(f"{', '.join(alone)} is imported by itself")
    if failed:
        why = f"{'; '.join(failed)}, and nothing looks for the libraries first"
        notes = (f"{member.name} has to be installed into the same folder as what it requires: {why}",)
    return replace(member, entries=(*entries, loader), notes=(*member.notes, *notes))


def _hooks(modules: Iterable[str], paths: set[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return what runs before these extensions, and those before which nothing of the wheel has to run."""
    top = {path for path in paths if re.fullmatch(r"[^/]+(?:/__init__)?\.py", path)}
    hooks: set[str] = set()
    alone = []
    for module in modules:
        parts = module.split("/")[:-1]
        packages = ("/".join([*parts[: depth + 1], "__init__.py"]) for depth in range(len(parts)))
        package = next((path for path in packages if path in paths), None)
        hooks |= {package} if package else top
        if not package and not top:
            alone.append(module)
    return frozenset(hooks), tuple(alone)


def _hooked(entry: Entry, statement: bytes) -> Entry:
    return replace(entry, source=runtime_module.with_import(entry.read(), statement))
