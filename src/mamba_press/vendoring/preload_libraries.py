"""Modules that load the libraries of other wheels first, where these lie in another folder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mamba_press.types import Entry, Selection
from mamba_press.vendoring import runtime_module, split


def with_loaders(members: Sequence[split.Member], selection: Selection, house: str) -> tuple[split.Member, ...]:
    """Return the members with a module each that loads other wheels' libraries, where these lie in another folder.

    A search path leads from one wheel to the next only within one ``site-packages``. So what runs first of a wheel
    with extensions, a package's ``__init__.py`` or a module beside a single extension, imports the module. It helps
    where a loaded library answers for its name, which is so for ELF only.
    """
    needs = {each.file.real: tuple(link.path for link in each.links if link.path) for each in selection.kept}
    entries = {entry.real: entry for member in members for entry in member.entries if entry.real}
    return tuple(_with_loader(member, needs, entries, split.home(house)) for member in members)


def _ordered(start: str, needs: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the libraries that a file needs, each after those that it needs itself."""
    seen = {start}

    def visit(path: str) -> Iterator[str]:
        for other in needs.get(path, ()):
            if other not in seen:
                seen.add(other)
                yield from visit(other)
                yield other

    yield from visit(start)


def _with_loader(
    member: split.Member, needs: Mapping[str, Sequence[str]], by_real: Mapping[str, Entry], folder: str
) -> split.Member:
    needed: dict[str, None] = {}
    modules = []
    for entry in member.entries:
        if entry.binary is None or entry.path.startswith(f"{folder}/"):
            continue
        libraries = [by_real[path] for path in _ordered(entry.real, needs)]
        if any(library.package != member.package.name for library in libraries):
            modules.append(entry.path)
            needed.update(dict.fromkeys(library.path for library in libraries))
    if not modules:
        return member
    name = f"_load_{member.key.replace('-', '_')}"
    hooks, alone = _hooks(modules, {entry.path for entry in member.entries})
    statement = f"from {folder} import {name} as _mamba_press".encode()
    entries, failed = [], []
    for entry in member.entries:
        try:
            changed = runtime_module.with_import(entry.read(), statement) if entry.path in hooks else entry.source
            entries.append(replace(entry, source=changed))
        except ValueError as error:
            failed.append(f"{entry.path} cannot be read ({error})")
            entries.append(entry)
    text = runtime_module.loader(tuple(posixpath.relpath(path, folder) for path in needed))
    loader = Entry.made(f"{folder}/{name}.py", text, "loads libraries that lie in another folder")
    if alone:
        failed.append(f"{', '.join(alone)} is imported by itself")
    if failed:
        why = f"{'; '.join(failed)}, and nothing looks for the libraries first"
        note = f"{member.name} has to be installed into the same folder as what it requires: {why}"
        member = replace(member, notes=(*member.notes, note))
    return replace(member, entries=(*entries, loader))


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
