"""What every Windows has of its own, what Python brings there, and how libraries' names are compared."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TypedDict

_PYTHON = re.compile(r"python3(?P<minor>\d*)(?P<threads>t?)(?:_d)?\.dll")
_FIRST_WITH_VCRUNTIME_1 = 8
_IMPOSSIBLE = frozenset('<>:"|?*')
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{kind}{number}" for kind in ("com", "lpt") for number in range(1, 10)))
)


def why_impossible(path: str) -> str | None:
    """Return why no file can have this path on every Windows, None where one can.

    https://learn.microsoft.com/windows/win32/fileio/naming-a-file
    """
    for part in path.split("/"):
        if part.partition(".")[0].lower() in _DEVICES:
            return f"{part!r} is the name of a device"
        if part.endswith((" ", ".")) or not _IMPOSSIBLE.isdisjoint(part):
            return f"{part!r} has a character that names there cannot have, or not at their end"
    return None


@cache
def why_system(name: str) -> str | None:
    """Return why a library needs not be in a wheel: it is a part of Windows, or of a driver; None where it may be."""
    lowered = name.lower()
    if lowered in _table()["programs"]:
        return "a part of Windows"
    bare = lowered.removesuffix(".dll")
    if bare in _system() or any(fnmatchcase(bare, pattern) for pattern in _table()["families"]):
        return "a part of Windows"
    if any(fnmatchcase(bare, pattern) for pattern in _table()["drivers"]):
        return "a part of a driver"
    return None


def is_python(name: str) -> bool:
    """Whether a library is Python itself, which the process that loads an extension has."""
    return _PYTHON.fullmatch(name.lower()) is not None


def is_library(path: str) -> bool:
    """Whether a path is that of a DLL or an extension module."""
    return path.lower().endswith((".dll", ".pyd"))


def python_abi(names: tuple[str, ...]) -> str | None:
    """Return the ABI that what a module needs binds it to: ``cp310``, ``abi3``, ``abi3t``, or None for none."""
    found = [match for name in names if (match := _PYTHON.fullmatch(name.lower()))]
    exact = [f"cp3{match['minor']}{match['threads']}" for match in found if match["minor"]]
    return exact[0] if exact else f"abi3{found[0]['threads']}" if found else None


def brings(minor: int, arch: str) -> frozenset[str]:
    """Return the libraries of the C runtime that lie beside a Python's own ``python.exe``."""
    both = minor >= _FIRST_WITH_VCRUNTIME_1 and arch == "amd64"
    return frozenset({"vcruntime140.dll", "vcruntime140_1.dll"} if both else {"vcruntime140.dll"})


class _Names(TypedDict):
    """The form of ``windows.json``: names without ``.dll``, in ``system`` several in one string."""

    system: dict[str, str]
    families: list[str]
    drivers: list[str]
    programs: list[str]


@cache
def _table() -> _Names:
    table: _Names = json.loads((Path(__file__).parents[2] / "data" / "windows.json").read_text(encoding="utf-8"))
    return table


@cache
def _system() -> frozenset[str]:
    return frozenset(name for names in _table()["system"].values() for name in names.split())
