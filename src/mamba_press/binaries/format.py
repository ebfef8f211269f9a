"""What every binary format shares: the bytes it is read from, its error, and the names of its symbols."""

from __future__ import annotations

import os
from dataclasses import dataclass
from mmap import mmap

Data = bytes | bytearray | mmap

READING = os.O_RDONLY | getattr(os, "O_BINARY", 0)
"""How `os.open` opens what is read: thousands of files are looked at, for which `open` takes twice the time."""


def read_up_to(descriptor: int, size: int) -> bytes:
    """Return the next ``size`` bytes of a file, fewer only at its end; one `os.read` may stop before."""
    part = b""
    while len(part) < size and (more := os.read(descriptor, size - len(part))):
        part += more
    return part


class Malformed(ValueError):  # noqa: N818 - a claim about the file, as in `except Malformed`
    """A binary that contradicts itself or ends too early; the message says what was found where."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Symbols:
    """The dynamic symbols that a binary takes from others, and those that it offers."""

    imports: frozenset[str]
    exports: frozenset[str]
