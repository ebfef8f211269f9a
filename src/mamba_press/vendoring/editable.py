"""An editable wheel (PEP 660): everything that was pressed, and where the sources are instead of the sources.

The sources' folders stand as plain lines in a ``.pth`` file. A package into which something was written, such as the
module that finds the libraries, exists twice then: as sources, and installed. Python takes the installed one, whose
``__init__.py`` is written here: it makes both folders the package's ``__path__`` and goes on with the sources' own.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.errors import ContentError, Problem, Setting
from mamba_press.types import OWN, Entry, Module
from mamba_press.vendoring import runtime_module

if TYPE_CHECKING:
    from mamba_press.vendoring.link import Linked

_INIT = '''\
"""Leads to the sources of an editable install. Written by mamba-press; gone when it is uninstalled."""

import importlib.util
import os
import sys

_spec = importlib.util.spec_from_file_location(
    __name__,
    {source!r},
    submodule_search_locations=[{folder!r}, os.path.dirname(os.path.abspath(__file__))],
)
_module = importlib.util.module_from_spec(_spec)
sys.modules[__name__] = _module
{first}_spec.loader.exec_module(_module)
'''
_UNEDITED = "is loaded from the sources as it is, and does not look for the libraries in the environment"
_FIRST = 'importlib.import_module(__name__ + "._mamba_press")\n'


def adjust(linked: Linked, modules: Sequence[Module], root: Path, *, stem: str, lock: str) -> Linked:
    """Return the entries with the project's sources, which lie below ``root``, left where they are.

    The notes say what is different from the wheel. ``stem`` begins the name of the ``.pth`` file. ``lock`` names the
    lock beside the sources: the module that finds the libraries will say so when it has changed. Raises ContentError
    for a folder whose path no ``.pth`` file can hold.
    """
    top = root.resolve()
    left = [entry for entry in linked.entries if _is_source(entry, top)]
    stays = [_watching(entry, top / lock) for entry in linked.entries if not _is_source(entry, top)]
    inits = {posixpath.dirname(entry.path): entry for entry in left if posixpath.basename(entry.path) == "__init__.py"}
    doubled = [each for each in modules if _folder(each) in inits and _is_in(_folder(each), stays)]
    made = [_init(top / module.path, module, inits[_folder(module)]) for module in doubled]
    if modules:
        roots = sorted({str(top / module.root) for module in modules})
        made.append(Entry.made(f"__editable__.{stem}.pth", _lines(roots), "leads to the sources"))
    hidden = [entry for entry in stays if _is_own(entry) and posixpath.dirname(entry.path) in inits]
    return replace(
        linked,
        entries=tuple(sorted([*stays, *made], key=lambda entry: entry.path)),
        notes=(
            *linked.notes,
            *(
                f"{entry.path} is not there in an editable install: the sources' folder is looked into instead"
                for entry in hidden
                if posixpath.dirname(entry.path) not in map(_folder, doubled)
            ),
            *(f"{entry.path} {_UNEDITED}" for entry in left if entry.edits is not None),
            *(_flat(module) for module in doubled if not module.root),
        ),
    )


def _folder(module: Module) -> str:
    return module.name.replace(".", "/")


def _is_in(folder: str, entries: Iterable[Entry]) -> bool:
    return any(entry.path.startswith(f"{folder}/") for entry in entries)


def _is_own(entry: Entry) -> bool:
    return entry.package == OWN and ".data/" not in entry.path


def _is_source(entry: Entry, root: Path) -> bool:
    return _is_own(entry) and entry.origin is not None and entry.origin.source.is_relative_to(root)


def _watching(entry: Entry, lock: Path) -> Entry:
    """Return the module that finds the libraries with an eye on the lock; another entry as it is."""
    if posixpath.basename(entry.path) != runtime_module.MODULE or not isinstance(entry.source, bytes):
        return entry
    digest = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None
    return replace(entry, source=runtime_module.watching(entry.source, str(lock), digest))


def _init(folder: Path, module: Module, theirs: Entry) -> Entry:
    """Return the ``__init__.py`` that leads to the sources' own; what that one was to import first, it imports."""
    first = _FIRST if isinstance(theirs.source, bytes) else ""
    text = _INIT.format(source=str(folder / "__init__.py"), folder=str(folder), first=first)
    return Entry.made(f"{_folder(module)}/__init__.py", text.encode(), "leads to the sources")


def _lines(roots: Sequence[str]) -> bytes:
    """Return a path on each line (https://docs.python.org/3/library/site.html)."""
    for root in roots:
        if not root.isprintable():
            what = "has a name that no .pth file can hold"
            raise ContentError(Problem(where=ascii(root), what=what, hint="move the project elsewhere"))
    return "".join(f"{root}\n" for root in roots).encode()


def _flat(module: Module) -> str:
    return (
        f"{module.path} lies beside pyproject.toml: when Python is started in that folder it finds it there, without "
        f"{runtime_module.MODULE}; move it into src, or let a package of its own have the libraries: "
        f"{Setting('layout.home', f'_{module.name}_prefix')}"
    )
