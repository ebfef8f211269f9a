"""What a wheel's ELF files would do to the process that loads them, although every name is found."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.errors import Habit, Problem, Remark
from mamba_press.platforms import compiler_runtimes

if TYPE_CHECKING:
    from mamba_press.types import Binary

_OPENMP = re.compile(r"(?:libgomp|libiomp5|libomp)(?:-[0-9a-f]{8,})?\.so(?:\.[0-9.]+)?")
_OPEN_TO_ALL = re.compile(r"/(?:tmp|var/tmp|dev/shm|usr/tmp)(?:/|$)")
_OF_SOMEONE = re.compile(r"/(?:home|Users|mnt|media)/|[A-Za-z]:[\\/](?!Program Files|Windows)")
_COMPILED_IN = [re.compile(name + rb'DIR: "([^"\0]{1,500})"') for name in (b"OPENSSL", b"ENGINES", b"MODULES")]
_WORKDIR = re.compile(rb"/[\w/.-]*/mamba-press-[a-z0-9_]{8}(?=/)")
"""A folder as `pipeline.build` makes them for builds, and Python's tempfile names them."""

LONGEST = 4096
"""As many bytes as a trace may take; who looks at a file in parts lets them overlap so far."""

EXECSTACK = (
    "asks for an executable stack: on systems with glibc 2.41 or later, a Python that was started without one cannot "
    "load it"
)

_SHARED_BY_ALL = ("libstdcxx", "libgcc")


def runtimes(libraries: Mapping[str, Binary]) -> Iterator[Problem]:
    """Yield the compilers' runtimes that are packed so that they are ignored, or that end the process."""
    yield from _two_openmp(libraries)
    for path, binary in sorted(libraries.items()):
        runtime = compiler_runtimes.runtime_of(binary.name or posixpath.basename(path))
        if binary.kind != "shared" or runtime not in compiler_runtimes.RENAMED:
            continue
        what = (
            f"is a packed {binary.name or posixpath.basename(path)} under the name that the system's has: of the two, "
            "the whole process uses the one that is loaded first, be it the older"
        )
        kind = Problem if runtime in _SHARED_BY_ALL else Habit
        yield kind(where=path, what=what, hint="press it again: mamba-press renames it, or takes the system's")


def is_refused(binary: Binary) -> bool:
    """Whether glibc from 2.41 on refuses to open a file in a running process, for the stack that it asks for."""
    return binary.execstack and binary.kind == "shared"


def _two_openmp(libraries: Mapping[str, Binary]) -> Iterator[Problem]:
    shared = sorted(path for path, binary in libraries.items() if binary.kind == "shared")
    found = [path for path in shared if _OPENMP.fullmatch(posixpath.basename(path))]
    if len(found) > 1:
        yield Problem(
            where=" and ".join(found),
            what="are two OpenMP runtimes: a process that loads both crashes, deadlocks or runs twice the threads",
            hint="build all parts with one compiler's OpenMP",
        )


def is_cpp_runtime(path: str, binary: Binary) -> bool:
    """Whether a file is a renamed libstdc++; under its own name it is judged with the other runtimes."""
    name = binary.name or posixpath.basename(path)
    return binary.format == "elf" and name.startswith("libstdc++") and compiler_runtimes.runtime_of(name) is None


def uncounted(unique: int) -> str | None:
    """Return what is wrong with a renamed libstdc++ that still has ``unique`` process-wide symbols, None if nothing.

    The loader makes one object of each such symbol for the whole process, while the counters beside it exist once
    for each copy of the library: beside the system's it ends with a segmentation fault, or ``std::bad_cast``.
    """
    if not unique:
        return None
    return f"is a renamed libstdc++ with {unique} symbols that the whole process shares: beside the system's it crashes"


def is_open_to_all(element: str) -> bool:
    """Whether anybody on the machine can put a library where a search path leads.

    That is below /tmp, and in the current folder, which an empty element and a relative one mean.
    """
    is_relative = not element.startswith(("/", "$", "@"))
    return is_relative or bool(_OPEN_TO_ALL.match(posixpath.normpath(element)))


def traces(path: str, data: bytes | bytearray, *, is_binary: bool) -> tuple[Problem, ...]:
    """Return what is wrong with the paths that a file, or a part of one, has from the machine on which it was made."""
    return (*_leaks(path, data), *(_compiled_in(path, data) if is_binary else ()))


def _leaks(path: str, data: bytes | bytearray) -> Iterator[Problem]:
    """Yield paths of a build, which mean nothing where the file is installed."""
    if b"/mamba-press-" in data and (found := _WORKDIR.search(data)):
        yield Problem(where=path, what=f"holds the path of a temporary folder of a build: {found[0].decode('ascii')}")
    if b"_placehold_placehold" in data:
        # Often only the path of the build, in a text that nothing opens.
        yield Remark(where=path, what="holds a placeholder of conda, which no installer of wheels replaces")


def _compiled_in(path: str, data: bytes | bytearray) -> Iterator[Problem]:
    """Yield OpenSSL's compiled-in folders, from which it loads code, where others can make them (CVE-2019-1552)."""
    # Every OpenSSL has this one, and to look for one long string costs a quarter of the pattern.
    if b'OPENSSLDIR: "' not in data:
        return
    # One pattern of all three names has no beginning to look for, and takes five times as long as three.
    for found in dict.fromkeys(folder for pattern in _COMPILED_IN for folder in pattern.findall(data)):
        folder = found.decode("utf-8", "replace")
        what = f"loads configuration and code from {folder}, which "
        if is_open_to_all(folder) and not re.match("[A-Za-z]:", folder):
            yield Problem(where=path, what=what + "anybody can create", hint="build OpenSSL with another --openssldir")
        elif _OF_SOMEONE.match(folder):
            yield Remark(where=path, what=what + "others than its administrator may create on some machines")


@cache
def of_the_system(name: str) -> tuple[str, ...]:
    """Return the libraries that the system's library of this name needs, on one system or another, directly or not.

    Only of those that wheels take from the system; the C library's own family is left out, being the system's always.
    """
    text = Path(__file__).parents[2].joinpath("data").joinpath("system_needs.json").read_text("utf-8")
    table: dict[str, list[str]] = json.loads(text)
    found = list(table.get(name, ()))
    for one in found:  # which grows
        found += (each for each in table.get(one, ()) if each not in found)
    return tuple(found)
