"""The text of what mamba-press itself writes into wheels: one module that knows where the libraries are."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MODULE = "_mamba_press.py"
"""The module's file name, in the wheel's home."""

# Runs on CPython 3.6 and needs nothing but the standard library: it is shipped, not imported here.
NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast.parse` raises for a newer Python than this one, for what is none, and for what is nested too deeply."""

_HEAD = '''\
"""Where the libraries of this wheel are. Written by mamba-press; do not edit."""

import os
from pathlib import Path

__all__ = ["library", "prefix"]

_home = os.path.dirname(os.path.abspath(__file__))

prefix = Path(_home, "_prefix")
"""The folder that holds the tree of the conda packages in this wheel."""
'''

_FOLDERS = """
def _add_folders():
    folders = [os.path.normpath(os.path.join(_home, *each.split("/"))) for each in _folders]
    folders = [each for each in folders if os.path.isdir(each)]
    # Libraries that use plain LoadLibrary look in PATH, and so does Python before 3.8.
    path = [each for each in os.environ.get("PATH", "").split(os.pathsep) if each and each not in folders]
    try:
        os.environ["PATH"] = os.pathsep.join(folders + path)
    except ValueError:  # longer than Windows allows
        pass
    add = getattr(os, "add_dll_directory", None)
    return [add(each) for each in folders] if add else []


# Kept, because a folder is taken back when what was returned for it is closed.
_added = _add_folders()
"""

_ADDING = '''\
"""Lets Windows find the libraries of this wheel. Written by mamba-press; do not edit."""

import os

_home = os.path.dirname(os.path.abspath(__file__))
'''

_LIBRARY = '''

def library(name):
    """Return the absolute path of a library of this wheel.

    ``name`` is a file name as the conda package has it ("libcurl.so.4") or as the wheel has it, or a bare name
    ("curl", "libcurl", "libcurl.so"). FileNotFoundError when there is none, LookupError when there are several.
    """
    found = _files.get(name)
    if found is None:
        found = _named(name)
    return os.path.join(_home, *found.split("/"))


def _named(name):
    bare = name
    for end in (".so", ".dylib", ".dll"):
        if bare.endswith(end):
            bare = bare[: -len(end)]
    names = _bare.get(bare) or _bare.get(bare[3:] if bare.startswith("lib") else "lib" + bare) or ()
    files = sorted(set(_files[each] for each in names))
    if len(files) == 1:
        return files[0]
    if files:
        raise LookupError("{!r} may be any of {}: ask for one of them".format(name, ", ".join(names)))
    import difflib

    near = difflib.get_close_matches(name, list(_files) + list(_bare), 5, 0.5)
    hint = "did you mean " + ", ".join(near) + "?" if near else "it has " + (", ".join(sorted(_files)) or "none")
    raise FileNotFoundError("this wheel has no library {!r}: {}".format(name, hint))
'''

_SET = """

def _set_environment():
    for name, path in sorted(_environment.items()):
        ours = os.path.join(_home, *path.split("/"))
        found = os.environ.setdefault(name, ours)
        if found != ours and _is_of_a_wheel(found):
            import warnings

            text = "{} is {}, which another wheel has set; the one in {} has its own: {}"
            warnings.warn(text.format(name, found, _home, ours), RuntimeWarning, stacklevel=3)


def _is_of_a_wheel(path):
    head, folder = os.path.split(os.path.abspath(path))
    while folder:
        if folder == "_prefix" and os.path.isfile(os.path.join(head, "_mamba_press.py")):
            return True
        head, folder = os.path.split(head)
    return False


_set_environment()
"""

_RUN = """

def _run(path):
    import sys

    program = os.path.join(_home, *path.split("/"))
    arguments = [program] + sys.argv[1:]
    if os.name != "nt":
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os.execv(program, arguments)
    import subprocess

    process = subprocess.Popen(arguments)
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            pass  # the program has got it too, and decides
"""

_WATCH = """

def _watch(path, expected):
    import hashlib
    import warnings

    try:
        with open(path, "rb") as lock:
            found = hashlib.sha256(lock.read()).hexdigest()
    except OSError:
        found = None
    if found != expected:
        text = "{} has changed since this editable install was made: install it again to have what it locks now"
        warnings.warn(text.format(path), RuntimeWarning, stacklevel=2)


_watch({lock!r}, {digest!r})
"""

_IMPORT = b"from . import _mamba_press as _mamba_press"

_LOADER = """\
\"\"\"Loads libraries of other wheels where they lie in another folder. Written by mamba-press; do not edit.\"\"\"

import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))


def _places(path, folders):
    return [place for place in (os.path.join(each, *path.split("/")) for each in folders) if os.path.isfile(place)]


def _load():
    # In one folder with all of them, search paths lead from file to file.
    if all(_places(each, [_here]) for each in _libraries):
        return []
    import ctypes

    folders = [_here] + list(sys.modules[__package__].__path__)
    return [ctypes.CDLL(places[0]) for places in (_places(each, folders) for each in _libraries) if places]
"""


def module(
    libraries: Mapping[str, str],
    *,
    environment: Mapping[str, str] | None = None,
    programs: Mapping[str, str] | None = None,
    folders: Sequence[str] = (),
) -> bytes:
    """Return the text of the module.

    ``libraries`` maps file names as the conda packages have them to paths relative to the home, with ``/``;
    ``environment`` and ``programs`` map the names of variables and of programs to such paths. The same mappings give
    the same bytes, whatever their order. ``folders`` are those, relative to the home, where Windows looks for DLLs.
    """
    files = dict(libraries)
    for path in libraries.values():
        files.setdefault(path.rpartition("/")[2], path)
    bare: dict[str, set[str]] = {}
    for name in libraries:
        for stem in stems(name):
            bare.setdefault(stem, set()).add(name)
    tables = _table("_files", {key: repr(value) for key, value in files.items()})
    tables += _table("_bare", {key: repr(tuple(sorted(names))) for key, names in bare.items()})
    text = _HEAD + _adding(folders) + tables + _LIBRARY
    if environment:
        text += _table("_environment", {key: repr(value) for key, value in environment.items()}) + _SET
    if programs:
        text += _RUN + "".join(
            f"\n\ndef {function}():\n    _run({programs[name]!r})\n" for name, function in functions(programs).items()
        )
    return text.encode()


def folders_module(folders: Sequence[str]) -> bytes:
    """Return the text of a module that only lets Windows look in folders, relative to the module's own."""
    return (_ADDING + _adding(folders)).encode()


def watching(source: bytes, lock: str, digest: str | None) -> bytes:
    """Return a module that warns when a lock, whose sha256 is ``digest`` (None: it is not there), has changed."""
    return source + _WATCH.replace("{lock!r}", repr(lock)).replace("{digest!r}", repr(digest)).encode()


def loader(libraries: Sequence[str]) -> bytes:
    """Return the text of a module that loads libraries of other wheels which are not where search paths lead.

    ``libraries`` are paths relative to the module's folder, each after those that it needs: a library that is loaded
    answers for its name. The folder is a namespace package, so that its ``__path__`` has every place of that name.
    """
    table = "".join(f"    {path!r},\n" for path in libraries)
    return f"{_LOADER}\n\n_libraries = (\n{table})\n\n_loaded = _load()\n".encode()


def folders_of(source: bytes) -> tuple[str, ...]:
    """Return the folders that a module of ours lets Windows look in."""
    found = re.search(rb"^_folders = (\(.*\))$", source, re.MULTILINE)
    return tuple(ast.literal_eval(found[1].decode())) if found else ()


def imports(source: bytes) -> bool:
    """Whether an ``__init__.py`` imports the module."""
    return _IMPORT in source.splitlines()


def _adding(folders: Sequence[str]) -> str:
    return f"\n_folders = {tuple(folders)!r}\n\n{_FOLDERS}" if folders else ""


def functions(programs: Iterable[str]) -> dict[str, str]:
    """Return by program the function of the module that starts it."""
    found: dict[str, str] = {}
    for name in sorted(programs):
        plain = "run_" + re.sub(r"[^A-Za-z0-9]", "_", name)
        function, number = plain, 1
        while function in found.values():
            number += 1
            function = f"{plain}_{number}"
        found[name] = function
    return found


def init(name: str) -> bytes:
    """Return the text of the ``__init__.py`` of the private package that holds the files of the wheel ``name``."""
    return f'"""Files of conda packages, pressed into the wheel {name} by mamba-press."""\n'.encode()


def with_import(source: bytes, statement: bytes = _IMPORT) -> bytes:
    """Return the source of a home's ``__init__.py`` with the import of the module, before all else that it does.

    It stands after the docstring and ``from __future__``. Raises ValueError for a source that this Python cannot read.
    """
    if statement in source.splitlines():
        return source
    try:
        tree = ast.parse(source)
    except NOT_PYTHON as error:
        raise ValueError(str(error) or "it is nested too deeply") from None
    lines = source.splitlines(keepends=True)
    end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
    at = _after_the_head(tree, len(lines))
    if at and not lines[at - 1].endswith((b"\n", b"\r")):
        lines[at - 1] += end
    mark = b"\xef\xbb\xbf" if at == 0 and source.startswith(b"\xef\xbb\xbf") else b""
    result = mark + b"".join([*lines[:at], statement, end, *lines[at:]]).replace(mark, b"", 1)
    if not _differ_by_the_import(tree, result, statement):
        raise ValueError("it has no place for an import")
    return result


def _after_the_head(tree: ast.Module, lines: int) -> int:
    """Return the number of lines up to the end of the docstring and the imports from ``__future__``."""
    head = [node for number, node in enumerate(tree.body) if _is_head(node, number)]
    if not head:
        starts = (min([node.lineno, *_decorated(node)]) for node in tree.body[:1])
        return next(starts, lines + 1) - 1
    at = max(node.end_lineno or node.lineno for node in head)
    for node in tree.body:  # what shares the last line goes on to its own end
        if node.lineno <= at:
            at = max(at, node.end_lineno or node.lineno)
    return at


def _is_head(node: ast.stmt, number: int) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__" and node.level == 0
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return number == 0 and is_text


def _decorated(node: ast.stmt) -> list[int]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [decorator.lineno for decorator in node.decorator_list]
    return []


def _differ_by_the_import(tree: ast.Module, source: bytes, statement: bytes) -> bool:
    """Whether a source is the tree with the import after its head, or after what shares the head's last line."""
    try:
        body = [ast.dump(node) for node in ast.parse(source).body]
    except NOT_PYTHON:
        return False
    ours = ast.dump(ast.parse(statement).body[0])
    before = [ast.dump(node) for node in tree.body]
    return any(body == [*before[:at], ours, *before[at:]] for at in range(len(before) + 1))


def stems(name: str) -> set[str]:
    """Return the bare names of a library: ``curl`` of ``libcurl.so.4``, ``tcl8.6`` and ``tcl8`` of a dylib."""
    plain = re.sub(r"\.so(\.[0-9][^/]*)?$|\.dylib$|\.dll$", "", name)
    stems = {plain, re.sub(r"(\.[0-9]+)+$", "", plain)} if name.endswith(".dylib") else {plain}
    return {stem[3:] if stem.startswith("lib") and len(stem) > len("lib") else stem for stem in stems}


def _table(name: str, values: Mapping[str, str]) -> str:
    """Return a dict display with ``values``, which are source text already, in the order of their keys."""
    return "".join([f"\n{name} = {{\n", *(f"    {key!r}: {values[key]},\n" for key in sorted(values)), "}\n"])
