"""What a Linux of a given manylinux floor promises, and which libraries are never put into a wheel.

The promises stand in ``data/manylinux.json`` in a form of our own: for each floor only what it adds to the one
before. A test holds them equal to auditwheel's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TypedDict

# Markers of what the loader itself can do: no number in their name says since which glibc they are there.
# These are in 2.43 for certain; distributions also carry them back to older ones, which no tag can say.
_MARKERS = {"GLIBC_ABI_DT_X86_64_PLT": (2, 43), "GLIBC_ABI_GNU2_TLS": (2, 43), "GLIBC_ABI_GNU_TLS": (2, 43)}

_FIRST = {"riscv64": (2, 27)}

ARCHITECTURES = ("x86_64", "aarch64", "ppc64le", "riscv64")
"""Those that manylinux wheels are pressed for, as spelled in wheel tags."""


def known() -> tuple[str, ...]:
    """Return the architectures that manylinux wheels are checked for, which are more than those pressed for."""
    return tuple(_versions())


def baseline(arch: str) -> tuple[int, int]:
    """Return the lowest manylinux floor that exists for an architecture: 2.5 for x86_64, 2.17 for aarch64."""
    return min(_versions()[arch])


def first_glibc(arch: str) -> tuple[int, int]:
    """Return the glibc with which an architecture's manylinux tags begin: no older one was built for it, or is taken.

    It may be older than :func:`baseline`, the lowest of which it is known what its systems have.
    """
    return _FIRST.get(arch, baseline(arch))


def newest(arch: str) -> tuple[int, int]:
    """Return the newest manylinux floor whose promises are known."""
    return max(_versions()[arch])


def governed(symbol_version: str) -> bool:
    """Return whether the policies say anything about names of this kind: GLIBC_…, GLIBCXX_…, but not OPENSSL_…."""
    return symbol_version.partition("_")[0] in _prefixes()


@cache
def floor_for(symbol_version: str, arch: str) -> tuple[int, int] | None:
    """Return the lowest floor that promises a symbol version such as ``GLIBCXX_3.4.30``.

    None means that no floor does: the policies know nothing of such names (see :func:`governed`), or the name is
    private (``GLIBC_PRIVATE``) or newer than what is known. glibc's own versions are read from their number, so
    they are known beyond the data too.
    """
    prefix, _, version = symbol_version.partition("_")
    floors = [floor for floor, added in _versions()[arch].items() if version in added.get(prefix, ())]
    if prefix == "GLIBC" and (found := re.fullmatch(r"(\d+)\.(\d+)(\.\d+)*", version)):
        floors.append(max(baseline(arch), (int(found[1]), int(found[2]))))
    if not floors and symbol_version in _MARKERS:
        floors.append(max(baseline(arch), _MARKERS[symbol_version]))
    return min(floors, default=None)


def allowed_from(name: str, arch: str) -> tuple[int, int] | None:
    """Return the lowest floor whose systems all have the library ``name``, or None where no floor promises it."""
    lowest = baseline(arch)
    if _is_loader(name):
        return lowest
    floors = [floor for floor, names in _libraries().items() if name in names]
    return max(lowest, min(floors)) if floors else None


def allowed(name: str, arch: str, floor: tuple[int, int]) -> bool:
    """Return whether every system of a floor has the library ``name`` (auditwheel's allow-list)."""
    since = allowed_from(name, arch)
    return since is not None and since <= floor


@cache
def internals(library: str) -> Mapping[str, tuple[int, int] | None]:
    """Return the symbols that a library of the system keeps to itself, with the first floor that allows them.

    They have no version that could tell; None is for those that no floor allows (auditwheel's blacklist).
    """
    listed = _policies()["internals"].get(library, {})
    return {name: None if text == "never" else _floor(text) for text, names in listed.items() for name in names.split()}


@cache
def is_internal(symbol: str) -> bool:
    """Return whether any library of the system keeps a symbol of this name to itself."""
    return any(symbol in internals(library) for library in _policies()["internals"])


def aliases(floor: tuple[int, int], arch: str) -> tuple[str, ...]:
    """Return the older names of a floor's platform tag: ``("manylinux2014_x86_64",)`` for 2.17."""
    if arch not in _versions() or floor not in _versions()[arch]:
        return ()
    return tuple(f"{name}_{arch}" for name, version in _aliases().items() if version == floor)


def covering_alias(floor: tuple[int, int], arch: str) -> str | None:
    """Return the older name of the nearest floor that is as high or higher: ``manylinux2014_x86_64`` for 2.14."""
    names = {version: f"{name}_{arch}" for name, version in _aliases().items() if version in _versions().get(arch, {})}
    higher = [version for version in names if version >= floor]
    return names[min(higher)] if higher else None


def alias_floor(name: str) -> tuple[int, int] | None:
    """Return the floor that an older name stands for: 2.17 for ``manylinux2014``; None for any other word."""
    return _aliases().get(name)


def never_vendored(name: str) -> bool:
    """Return whether a library must come from the system, wherever else it is found."""
    return why_never(name) is not None


@cache
def why_never(name: str) -> str | None:
    """Return why a library must come from the system, or None where it need not."""
    bare = re.sub(r"(\.so)(\.\d+)+$", r"\1", name)
    for pattern, reason in _never():
        if fnmatchcase(name, pattern) or fnmatchcase(bare, pattern):
            return reason
    return None


_LOADERS = {
    "x86_64": "/lib64/ld-linux-x86-64.so.2",
    "aarch64": "/lib/ld-linux-aarch64.so.1",
    "ppc64le": "/lib64/ld64.so.2",
    "riscv64": "/lib/ld-linux-riscv64-lp64d.so.1",
    "i686": "/lib/ld-linux.so.2",
    "armv7l": "/lib/ld-linux-armhf.so.3",
    "s390x": "/lib/ld64.so.1",
    "ppc64": "/lib64/ld64.so.1",
    "loongarch64": "/lib64/ld-linux-loongarch-lp64d.so.1",
}


def is_loader(path: str, arch: str | None) -> bool:
    """Return whether a program of an architecture finds its loader at a path on every system with glibc.

    Distributions with one folder for all of ``/usr`` have it below that, too; of an unknown architecture any will do.
    """
    own = _LOADERS.get(arch or "")
    return own is None or path.removeprefix("/usr") == own


def _is_loader(name: str) -> bool:
    return fnmatchcase(name, "ld-linux*.so.*") or name in ("ld64.so.1", "ld64.so.2")


class _Policies(TypedDict):
    """The form of ``manylinux.json``: names by floor (``"2.17"``), several names in one string."""

    aliases: dict[str, str]
    libraries: dict[str, str]
    internals: dict[str, dict[str, str]]
    versions: dict[str, dict[str, dict[str, str]]]


class _Group(TypedDict):
    """One entry of ``never_vendored.json``: libraries that have the same reason."""

    reason: str
    names: list[str]


def _read(name: str) -> str:
    return (Path(__file__).parents[2] / "data" / name).read_text(encoding="utf-8")


@cache
def _policies() -> _Policies:
    import json

    policies: _Policies = json.loads(_read("manylinux.json"))
    return policies


@cache
def _never() -> tuple[tuple[str, str], ...]:
    import json

    groups: list[_Group] = json.loads(_read("never_vendored.json"))
    return tuple((name, group["reason"]) for group in groups for name in group["names"])


@cache
def _aliases() -> dict[str, tuple[int, int]]:
    return {name: _floor(text) for name, text in _policies()["aliases"].items()}


@cache
def _libraries() -> dict[tuple[int, int], frozenset[str]]:
    return {_floor(text): frozenset(names.split()) for text, names in _policies()["libraries"].items()}


@cache
def _versions() -> dict[str, dict[tuple[int, int], dict[str, frozenset[str]]]]:
    return {
        arch: {
            _floor(text): {prefix: frozenset(versions.split()) for prefix, versions in added.items()}
            for text, added in floors.items()
        }
        for arch, floors in _policies()["versions"].items()
    }


@cache
def _prefixes() -> frozenset[str]:
    return frozenset(prefix for floors in _versions().values() for added in floors.values() for prefix in added)


def _floor(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)
