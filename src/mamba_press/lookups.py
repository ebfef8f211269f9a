"""What Python sources look for where a wheel has nothing: in the system, in ``sys.prefix``, under another name.

In a conda environment all of this is found, and nothing of it is in a file's name or in a binary: only the source says
it. So these are notes, each with the place and the way out; whether a source gets there, nobody can read off.
"""

from __future__ import annotations

import ast
import posixpath
import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from mamba_press import wording

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from mamba_press.types import Entry

_PREFIX = re.compile(rb"sys\.(?:exec_|base_|base_exec_)?prefix")
_ASKS = frozenset({"version", "distribution", "metadata", "requires", "files", "get_distribution", "require"})
_PREFIXES = frozenset({"prefix", "exec_prefix", "base_prefix", "base_exec_prefix"})
_STDLIB = re.compile(r"lib/python3\.\d+t?/(?!site-packages/).+\.(?:py|so)")
_VERSION = re.compile(r"(?:\.so[.0-9]*|[.0-9]*\.dylib|\.dll)$")


def notes(entries: Sequence[Entry], *, name: str, called: Collection[str], libraries: Iterable[str]) -> tuple[str, ...]:
    """Say what the sources among entries look for in vain.

    ``name`` is the wheel's, ``called`` are the names of the Python packages that are in it, ``libraries`` the paths of
    all libraries of the solution.
    """
    others = {canonicalize_name(each) for each in called} - {canonicalize_name(name)}
    files = {posixpath.basename(path) for path in libraries}
    stems = {_stem(file): file for file in sorted(files, reverse=True)}
    data = _data(entries)
    found: dict[str, list[str]] = {}
    for entry in entries:
        for what in _of(entry, others, stems, data):
            found.setdefault(what, []).append(entry.path)
    return tuple(f"{paths[0]}{wording.others(len(paths) - 1)} {what}" for what, paths in found.items())


def is_library(path: str) -> bool:
    """Whether a path of a prefix is that of a library, or of a link to one."""
    return bool(_VERSION.search(path)) and "/site-packages/" not in path


def _of(entry: Entry, names: AbstractSet[str], stems: Mapping[str, str], data: Mapping[str, str]) -> Iterator[str]:
    """Yield what one file looks for, as the end of a sentence."""
    file = entry.kept.file if entry.kept else None
    if file is None:
        return
    if _STDLIB.fullmatch(file.path):
        yield "lies in Python's own library in conda: from where it is in the wheel, nothing imports it"
    if not entry.path.endswith(".py") or "_prefix/" in entry.path:  # below that nothing is imported
        return
    source = file.source.read_bytes()
    # Most say nothing of all this: to parse a file takes some hundred times as long as to search it.
    asks_system = bool(stems) and b"find_library" in source
    asks_metadata = bool(names) and (b"pkg_resources" in source or (b"importlib" in source and b"metadata" in source))
    asks_prefix = file.package in data and bool(_PREFIX.search(source))
    if not (asks_system or asks_metadata or asks_prefix):
        return
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):  # for a newer Python than this one, or for none
        return
    if asks_system:
        yield from _system(module, stems)
    if asks_metadata:
        yield from _metadata(module, names, _own_name(entry.path))
    if asks_prefix and any(map(_is_prefix, ast.walk(module))):
        path = data[file.package]
        yield (
            f"looks below sys.prefix, where the wheel has nothing: {path} of {file.package} is there with "
            f'layout.move = {{ "{path}" = ".data/data/{path}" }}'
        )


def _system(module: ast.Module, stems: Mapping[str, str]) -> Iterator[str]:
    for asked in sorted(_arguments(module, {"find_library"}, "")):
        if asked in stems:
            yield (
                f"asks find_library({asked!r}), which looks in the system and never in a wheel: {stems[asked]} of the "
                "conda packages is not found by it"
            )


def _metadata(module: ast.Module, names: AbstractSet[str], own: str) -> Iterator[str]:
    guarded = {id(node) for outer in ast.walk(module) if isinstance(outer, ast.Try) for node in _walk(outer.body)}
    asked_for = _arguments(module, _ASKS, own, guarded)
    for asked in sorted(names & {canonicalize_name(each) for each in asked_for}):
        yield (
            f"asks for the metadata of {asked}, which Python does not find: the wheel has only its own name "
            f"([project] name, or --name, may be {asked!r})"
        )


def _arguments(module: ast.Module, functions: Collection[str], own: str, without: Collection[int] = ()) -> set[str]:
    """Return the texts with which functions are called; ``__name__`` and ``__package__`` stand for ``own``."""
    found = set()
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or not node.args or id(node) in without:
            continue
        function, first = node.func, node.args[0]
        called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
        if called not in functions:
            continue
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            found.add(first.value)
        elif isinstance(first, ast.Name) and first.id in ("__name__", "__package__") and own:
            found.add(own)
    return found


def _walk(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        yield from ast.walk(node)


def _own_name(path: str) -> str:
    """Return what ``__package__`` is in a top-level package, and "" in any other module."""
    folder, _, name = path.rpartition("/")
    return folder if "/" not in folder and name == "__init__.py" else ""


def _is_prefix(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in _PREFIXES
        and isinstance(node.value, ast.Name)
        and node.value.id == "sys"
    )


def _data(entries: Iterable[Entry]) -> dict[str, str]:
    """Return by package a folder with files that are no binaries and lie in the wheel's own prefix, or such a file."""
    found: dict[str, str] = {}
    for entry in entries:
        if entry.kept and entry.kept.binary is None and "_prefix/" in entry.path:
            parts = entry.kept.file.path.split("/")
            if not entry.kept.file.path.startswith(("bin/", "lib/python")):
                found.setdefault(entry.kept.file.package, "/".join(parts[:2]))
    return found


def _stem(name: str) -> str:
    """Return what `find_library` is asked for to get a library: ``geos_c`` for ``libgeos_c.so.1``."""
    return _VERSION.sub("", name).removeprefix("lib")
