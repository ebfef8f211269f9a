"""What every binary format shares: the bytes it is read from, its error, and the names of its symbols."""

from __future__ import annotations

from dataclasses import dataclass
from mmap import mmap

Data = bytes | bytearray | mmap


class Malformed(ValueError):  # noqa: N818 - a claim about the file, as in `except Malformed`
    """A binary that contradicts itself or ends too early; the message says what was found where."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Symbols:
    """The dynamic symbols that a binary takes from others, and those that it offers."""

    imports: frozenset[str]
    exports: frozenset[str]
