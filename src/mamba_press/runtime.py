"""The text of what mamba-press itself writes into wheels: one module that knows where the libraries are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULE = "_mamba_press.py"
"""The module's file name, in the wheel's home."""

# Runs on CPython 3.6 and needs nothing but the standard library: it is shipped, not imported here.
_HEAD = '''\
"""Where the libraries of this wheel are. Written by mamba-press; do not edit."""

import os
from pathlib import Path

__all__ = ["library", "prefix"]

_home = os.path.dirname(os.path.abspath(__file__))

prefix = Path(_home, "_prefix")
"""The folder that holds the tree of the conda packages in this wheel."""
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


def module(libraries: Mapping[str, str]) -> bytes:
    """Return the text of the module.

    ``libraries`` maps file names as the conda packages have them to paths relative to the home, with ``/``. The
    same mapping gives the same bytes, whatever its order.
    """
    files = dict(libraries)
    for path in libraries.values():
        files.setdefault(path.rpartition("/")[2], path)
    bare: dict[str, set[str]] = {}
    for name in libraries:
        for stem in _stems(name):
            bare.setdefault(stem, set()).add(name)
    tables = _table("_files", {key: repr(value) for key, value in files.items()})
    tables += _table("_bare", {key: repr(tuple(sorted(names))) for key, names in bare.items()})
    return (_HEAD + tables + _LIBRARY).encode()


def init(name: str) -> bytes:
    """Return the text of the ``__init__.py`` of the private package that holds the files of the wheel ``name``."""
    return f'"""Files of conda packages, pressed into the wheel {name} by mamba-press."""\n'.encode()


def _stems(name: str) -> set[str]:
    """Return the bare names of a library: ``curl`` of ``libcurl.so.4``, ``tcl8.6`` and ``tcl8`` of a dylib."""
    plain = re.sub(r"\.so(\.[0-9][^/]*)?$|\.dylib$|\.dll$", "", name)
    stems = {plain, re.sub(r"(\.[0-9]+)+$", "", plain)} if name.endswith(".dylib") else {plain}
    return {stem[3:] if stem.startswith("lib") and len(stem) > len("lib") else stem for stem in stems}


def _table(name: str, values: Mapping[str, str]) -> str:
    """Return a dict display with ``values``, which are source text already, in the order of their keys."""
    return "".join([f"\n{name} = {{\n", *(f"    {key!r}: {values[key]},\n" for key in sorted(values)), "}\n"])
