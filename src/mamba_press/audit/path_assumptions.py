"""What Python sources look for where a wheel has nothing: in the system, in ``sys.prefix``, under another name.

In a conda environment all of this is found, and nothing of it is in a file's name or in a binary: only the source says
it. So these are notes, each with the place and the way out; whether a source gets there, nobody can read off. They are
warnings where a library is asked for by code that can ask for it otherwise, or that has nothing else to fall back on.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import chain, islice

from packaging.utils import canonicalize_name

from mamba_press import messages
from mamba_press.errors import Note
from mamba_press.types import OWN, Entry, File
from mamba_press.vendoring import library_calls, runtime_module
from mamba_press.vendoring.library_calls import name_of, text_of
from mamba_press.vendoring.resolve import is_of_systems

_PREFIX = re.compile(rb"sys\.(?:exec_|base_|base_exec_)?prefix")
_ASKS = frozenset({"version", "distribution", "metadata", "requires", "files", "get_distribution", "require"})
_ASKS_SYSTEM = (b"find_library", b"DLL(", b"LoadLibrary", b"dlopen")
_OPENS = frozenset({"CDLL", "PyDLL", "WinDLL", "OleDLL", "LoadLibrary", "dlopen"})
_PREFIXES = frozenset({"prefix", "exec_prefix", "base_prefix", "base_exec_prefix"})
_MOST = 200
"""So many expressions are looked at for what one argument may be: in hostile sources names stand for each other."""

_STDLIB = re.compile(r"lib/python3\.\d+t?/(?!site-packages/).+\.(?:py|so)")
_VERSION = re.compile(r"(?:\.so[.0-9]*|[.0-9]*\.dylib|\.dll)$")


def notes(
    entries: Sequence[Entry], *, name: str, home: str, called: Collection[str], libraries: Iterable[str]
) -> tuple[Note, ...]:
    """Say what the sources among entries look for in vain.

    ``name`` is the wheel's, ``home`` the package with its generated module, ``called`` are the names of the Python
    packages that are in it, ``libraries`` the paths of all libraries of the solution.
    """
    files = sorted({posixpath.basename(path) for path in libraries}, reverse=True)
    sought = _Sought(
        names={canonicalize_name(each) for each in called} - {canonicalize_name(name)},
        stems={_stem(file): file for file in files if not is_of_systems(file)},
        data=_data(entries),
        home=home,
        loaded=frozenset(_loaded(entries)),
    )
    found: dict[Note, list[str]] = {}
    for entry in entries:
        for note in _of(entry, sought):
            found.setdefault(note, []).append(entry.path)
    return tuple(
        replace(note, what=f"{paths[0]}{messages.others(len(paths) - 1)} {note.what}") for note, paths in found.items()
    )


def is_library(path: str) -> bool:
    """Whether a path of a prefix is that of a library, or of a link to one."""
    return bool(_VERSION.search(path)) and "/site-packages/" not in path


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sought:
    """What sources may look for: names of packages, libraries by their bare name, data by package.

    ``loaded`` are the bare names of libraries that are loaded by their path, so that their name may be asked for too.
    """

    names: AbstractSet[str]
    stems: Mapping[str, str]
    data: Mapping[str, str]
    home: str
    loaded: AbstractSet[str]


def _of(entry: Entry, sought: _Sought) -> Iterator[Note]:
    """Yield what one file looks for, as the end of a sentence."""
    file = entry.origin
    if file is None:
        return
    if _STDLIB.fullmatch(file.path):
        yield Note("belongs to the standard library in conda: where it is in the wheel, nothing can import it")
    if not entry.path.endswith(".py") or "_prefix/" in entry.path:  # below that nothing is imported
        return
    source = file.source.read_bytes()
    # Most say nothing of all this: to parse a file takes some hundred times as long as to search it.
    asks_system = bool(sought.stems) and any(name in source for name in _ASKS_SYSTEM)
    says_metadata = b"pkg_resources" in source or (b"importlib" in source and b"metadata" in source)
    asks_metadata = bool(sought.names) and says_metadata
    asks_prefix = file.package in sought.data and bool(_PREFIX.search(source))
    if not (asks_system or asks_metadata or asks_prefix):
        return
    try:
        module = ast.parse(source)
    except runtime_module.NOT_PYTHON:
        return
    if asks_system:
        yield from _system(module, file, sought)
    if asks_metadata:
        named = {canonicalize_name(each) for each in _asked_for(module, _own_name(entry.path))}
        for asked in sorted(sought.names & named):
            yield Note(
                f"asks for the metadata of {asked}, which Python does not find: the wheel has only its own name "
                f"([project] name, or --name, may be {asked!r})"
            )
    if asks_prefix and any(map(_is_prefix, ast.walk(module))):
        path = sought.data[file.package]
        yield Note(
            f"looks below sys.prefix, where the wheel has nothing: {path} of {file.package} is there with "
            f'layout.move = {{ "{path}" = ".data/data/{path}" }}'
        )


def _system(module: ast.Module, file: File, sought: _Sought) -> Iterator[Note]:
    """Yield which libraries of the packages are looked for in the system, by the project's own code or another's.

    Another's code is warned of where it opens a library in any case, and nothing has loaded it before.
    """
    is_own = file.package == OWN
    for stem, asked in sorted(_asked(module, sought.stems).items()):
        what = f"asks {asked}, which looks in the system and never in a wheel"
        what += f": {sought.stems[stem]} of the conda packages is never found"
        hint = _in_place(f'find_library("{stem}")', stem, sought.home)
        yield Note(what, hint, "warning") if is_own else Note(what)
    opened = _opened(module)
    for name in sorted(opened):
        stem = _stem(name)
        if "/" in name or "\\" in name or not _VERSION.search(name) or stem not in sought.stems:
            continue
        what = f"opens {name!r} by its bare name, which Python looks for in the system and never in a wheel"
        if is_own:
            yield Note(what, _in_place(f'"{name}"', stem, sought.home), "warning")
        elif opened[name] and stem not in sought.loaded:
            hint = "let code of the project open it by its path before that: "
            hint += f'from {sought.home}._mamba_press import library\nctypes.CDLL(library("{stem}"))'
            yield Note(what, hint if sought.home else "", "warning")
        else:
            yield Note(what)


def _asked(module: ast.Module, stems: Mapping[str, str]) -> dict[str, str]:
    """Return by the bare name of a library how `find_library` is asked for it.

    A name that is put together may be any that begins as one of its parts does; one that comes from elsewhere, such as
    an argument, any that stands in the module.
    """
    values = _values(module)
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call) and name_of(node.func) == "find_library"]
    arguments = [node.args[0] for node in calls if node.args]
    plain = {text for argument in arguments for text in _texts(argument, values)}
    found = {text: f"find_library({text!r})" for text in plain & stems.keys()}
    anywhere: set[str] | None = None
    for argument in arguments:
        if any(_texts(argument, values)):
            continue
        beginnings = {begin for text in _parts(argument, values) if len(begin := re.split("[%{]", text)[0]) > 2}
        meant = {stem for stem in stems if any(map(stem.startswith, beginnings))}
        if not beginnings:
            anywhere = _plain(ast.walk(module)) if anywhere is None else anywhere
            meant |= stems.keys() & anywhere
        found.update((stem, "find_library for a name that it puts together") for stem in meant - plain)
    return found


def _parts(node: ast.AST, values: Mapping[str, list[ast.expr]]) -> set[str]:
    """Return the plain texts in an expression, and in what its names stand for."""
    nodes = [*ast.walk(node)]
    names = {name.id for name in nodes if isinstance(name, ast.Name)}
    meant = (each for name in sorted(names) for value in values.get(name, ()) for each in ast.walk(value))
    return _plain(islice(chain(nodes, meant), _MOST))


def _plain(nodes: Iterable[ast.AST]) -> set[str]:
    return {text for each in nodes if (text := text_of(each)) is not None}


def _in_place(asked: str, stem: str, home: str) -> str:
    return f'write: from {home}._mamba_press import library\nand library("{stem}") in place of {asked}'


def _opened(module: ast.Module) -> dict[str, bool]:
    """Return the texts with which libraries are opened, and whether what comes then is prepared for no failure."""
    values, guarded = _values(module), _guarded(module)
    found: dict[str, bool] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and node.args and name_of(node.func) in _OPENS:
            for text in _texts(node.args[0], values):
                found[text] = found.get(text, False) or id(node) not in guarded
    return found


def _values(module: ast.Module) -> dict[str, list[ast.expr]]:
    """Return what each name may stand for: what is assigned to it anywhere, and what a loop takes it from."""
    found: dict[str, list[ast.expr]] = defaultdict(list)
    for node in ast.walk(module):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = node.iter if isinstance(node, ast.For) else getattr(node, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(value, ast.expr):
                found[target.id].append(value)
    return found


def _texts(expression: ast.expr, values: Mapping[str, list[ast.expr]]) -> Iterator[str]:
    """Yield the plain texts that an expression may be; one that is put together is none of them."""
    todo, seen = [expression], {id(expression)}
    while todo and len(seen) <= _MOST:
        node = todo.pop(0)
        if (text := text_of(node)) is not None:
            yield text
        parts: Sequence[ast.expr] = ()
        if isinstance(node, ast.Name):
            parts = values.get(node.id, ())
        elif isinstance(node, ast.IfExp):
            parts = (node.body, node.orelse)
        elif isinstance(node, (ast.BoolOp, ast.Dict)):
            parts = node.values
        elif isinstance(node, (ast.Tuple, ast.List)):
            parts = node.elts
        elif isinstance(node, ast.Subscript):
            parts = (node.value,)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            parts = (node.func.value, *node.args[1:])
        new = [part for part in parts[:_MOST] if id(part) not in seen]
        seen.update(map(id, new))
        todo += new


def _loaded(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the bare names of the libraries that own code asks the generated module for, or an extension needs."""
    for entry in entries:
        if entry.origin is None:
            continue
        yield from (_stem(name) for name in library_calls.calls(entry.origin).names)
        if "_prefix/" not in entry.path:
            yield from (_stem(link.path) for link in entry.links if link.path)


def _asked_for(module: ast.Module, own: str) -> Iterator[str]:
    """Yield whose metadata are asked for outside of any ``try``; ``__name__`` and ``__package__`` mean ``own``."""
    guarded = _guarded(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and node.args and id(node) not in guarded and name_of(node.func) in _ASKS:
            first = node.args[0]
            if (text := text_of(first)) is not None:
                yield text
            elif isinstance(first, ast.Name) and first.id in ("__name__", "__package__") and own:
                yield own


def _guarded(module: ast.Module) -> set[int]:
    """Return the identities of what stands in the body of a ``try``."""
    bodies = (node for outer in ast.walk(module) if isinstance(outer, ast.Try) for node in outer.body)
    return {id(node) for statement in bodies for node in ast.walk(statement)}


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
        is_data = entry.package and entry.binary is None and "_prefix/" in entry.path
        if is_data and not entry.original.startswith(("bin/", "lib/python")):
            found.setdefault(entry.package, "/".join(entry.original.split("/")[:2]))
    return found


def _stem(name: str) -> str:
    """Return what `find_library` is asked for to get a library: ``geos_c`` for ``libgeos_c.so.1``."""
    return _VERSION.sub("", posixpath.basename(name)).removeprefix("lib")
