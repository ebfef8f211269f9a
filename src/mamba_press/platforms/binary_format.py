"""What every binary format shares: the bytes it is read from, its error, and the names of its symbols."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from mmap import mmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mamba_press.types import Binary

Data = bytes | bytearray | mmap

READING = os.O_RDONLY | getattr(os, "O_BINARY", 0)
"""How `os.open` opens what is read: thousands of files are looked at, for which `open` takes twice the time."""


def aligned(number: int, to: int) -> int:
    """Return the next multiple of ``to``, the number itself where it is one."""
    return -(-number // to) * to


def encoded(text: str) -> bytes:
    """Return a name as it stands in a file; bytes that are no UTF-8 came through as surrogates."""
    return text.encode("utf-8", "surrogateescape")


def joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges in their order, those that overlap made one: a hostile file has thousands in one place."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def read_up_to(descriptor: int, size: int) -> bytes:
    """Return the next ``size`` bytes of a file, fewer only at its end; one `os.read` may stop before."""
    part = b""
    while len(part) < size and (more := os.read(descriptor, size - len(part))):
        part += more
    return part


class Malformed(ValueError):  # noqa: N818 - a claim about the file, as in `except Malformed`
    """A binary that contradicts itself or ends too early; the message says what was found where."""


RECORD = 64
"""What one record of a table counts for in an `Allowance`, whatever its size."""


class Allowance:
    """How much may be read of what the tables of one file lead to, in bytes; raises Malformed once that is used up.

    Tables may share records and names. Those of a real file share little, so all that they say is about as long as the
    file; a small file whose tables share one chain could say more than any memory holds.
    """

    __slots__ = ("left",)

    def __init__(self, size: int) -> None:
        self.left = (1 << 23) + 4 * size

    def take(self, amount: int) -> None:
        """Count so many bytes as read."""
        self.left -= amount
        if self.left < 0:
            raise Malformed("its tables overlap: they say far more than a file of this size can hold")


MOST_PROBLEMS = 100
"""So many faults of one file are told; a hostile one has as many as it has records."""

_MOST_SEARCHED = 1 << 23
LONGEST_PATH = 4096
"""No system opens a file by a longer path."""


def refuse_endless(needed: tuple[str, ...], search: tuple[str, ...]) -> None:
    """Raise Malformed where the loader would look in so many places for so many names that it does not end.

    And where a name or a place is longer than any path may be.
    """
    longest = max(map(len, (*needed, *search)), default=0)
    if longest > LONGEST_PATH:
        raise Malformed(
            f"a library's name or a place to look in has {longest} characters; no path has more than {LONGEST_PATH}"
        )
    if len(needed) * sum(len(place) + 1 for place in search) > _MOST_SEARCHED:
        raise Malformed(
            f"{len(needed)} needed libraries, each looked for in {len(search)} places, take too long to find"
        )


def refuse_other(found: Binary, wanted: Binary, fields: Iterable[str]) -> None:
    """Raise Malformed where an edited file does not say what it should."""
    for field in fields:
        has, should = getattr(found, field), getattr(wanted, field)
        if has != should:
            raise Malformed(f"after the edit, {field} is {has!r}, not {should!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Symbols:
    """The dynamic symbols that a binary takes from others, and those that it offers."""

    imports: frozenset[str]
    exports: frozenset[str]
