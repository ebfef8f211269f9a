"""Which library names occur as strings in a file, other than as what the loader reads.

A name that a program opens itself (``dlopen``, ``ctypes``, Tcl's ``load``) stands in its read-only data or text; the
names of needed libraries stand in the dynamic string table, which is left out.
"""

from __future__ import annotations

import mmap
import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARK = b".so"
_BEFORE = re.compile(rb"[A-Za-z0-9_+.-]{1,120}\Z")
_AFTER = re.compile(rb"(?:\.[0-9]+)*")
_PROGBITS = 1


def library_names(path: Path) -> frozenset[str]:
    """Return every ``*.so`` and ``*.so.N`` that occurs as a string in a file."""
    if path.stat().st_size == 0:
        return frozenset()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(_MARK) < 0:
            return frozenset()
        return frozenset(name for start, end in _regions(data) for name in _names(data, start, end))


def _names(data: mmap.mmap, start: int, end: int) -> Iterator[str]:
    at = data.find(_MARK, start, end)
    while at >= 0:
        before = _BEFORE.search(data[max(start, at - 120) : at])
        version = _AFTER.match(data[at + 3 : min(end, at + 35)])
        after = at + 3 + (version.end() if version else 0)
        if before and not data[after : after + 1].isalnum() and data[after : after + 1] not in (b"_", b"-"):
            yield (before.group() + data[at:after]).decode("ascii")
        at = data.find(_MARK, at + 3, end)


def _regions(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield the parts of a file that may hold strings of its own: all of it, or an ELF file's own sections."""
    sections = list(_elf_sections(data)) if len(data) >= 64 and data[:6] == b"\x7fELF\x02\x01" else []
    yield from sections or [(0, len(data))]


def _elf_sections(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    offset, size, count = struct.unpack_from("<Q", data, 40)[0], *struct.unpack_from("<HH", data, 58)
    if not offset or size != 64 or offset + size * count > len(data):
        return
    for index in range(count):
        kind, flags, _, start, length = struct.unpack_from("<IQQQQ", data, offset + index * size + 4)
        is_own = kind == _PROGBITS and flags & 2 and not flags & 4
        if is_own and start + length <= len(data):
            yield start, start + length
