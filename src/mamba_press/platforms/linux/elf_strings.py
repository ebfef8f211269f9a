"""The dynamic strings of an ELF file while they are edited."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mamba_press.platforms.binary_format import Malformed
from mamba_press.platforms.linux import elf
from mamba_press.platforms.linux.elf import Image
from mamba_press.platforms.linux.elf_records import Record

Text = int | bytes
"""A string that stays, by its offset in the dynamic strings, or a new one."""
_ZEROS = re.compile(rb"\0+")


class Need(NamedTuple):
    """A verneed record after the edits."""

    file: Text
    record: Record


class Strings:
    """The dynamic strings while they are edited."""

    def __init__(self, image: Image, entries: Iterable[tuple[int, Text]], records: Iterable[Need]) -> None:
        self.content = bytearray(image.slice(image.strings_at, image.strings_size, "the dynamic strings"))
        live = set(image.names_of_symbols())
        live.update(value for tag, value in entries if tag in elf.STRING_TAGS and isinstance(value, int))
        live.update(need.file for need in records if isinstance(need.file, int))
        live.update(version.name for record in image.verneed for version in record.versions)
        for _, names in image.verdef:
            live.update(names)
        self._live = live
        self._last = max(live, default=0)
        if live and self._last >= len(self.content):
            raise Malformed(f"string {self._last:#x} lies outside the dynamic strings")
        old = {value for tag, value in image.dynamic if tag in elf.STRING_TAGS}
        old.update(record.file for record in image.verneed)
        for index in sorted(old - live):
            self._release(index)

    def _is_pointed_to(self, start: int, end: int) -> bool:
        """Whether something that stays names a string that begins in ``start`` to ``end``, both included."""
        return not self._live.isdisjoint(range(start, end + 1))

    def _release(self, index: int) -> None:
        """Clear a string that nothing names any more, unless it is the tail of another or has one as its tail."""
        end = self.content.find(0, index)
        if end < 0:
            raise Malformed(f"string {index:#x} of the dynamic strings has no end")
        if not self._is_pointed_to(index, end) and (index == 0 or self.content[index - 1] == 0):
            self.content[index:end] = bytes(end - index)

    def place_all(self, texts: Iterable[bytes]) -> dict[bytes, int]:
        """Where each text stands: where it already did, in the smallest cleared place, or at the end.

        The longest is placed first, so that edits back and forth find the places that they left.
        """
        return {text: self._place(text) for text in sorted(set(texts), key=lambda text: (-len(text), text))}

    def _place(self, text: bytes) -> int:
        found = self.content.find(text + b"\0")
        if found >= 0:
            return found
        # The first zero ends the string before, the last one ends this one.
        for _, start in sorted(self._cleared(len(text) + 2)):
            if not self._is_pointed_to(start + 1, start + 1 + len(text)):
                self.content[start + 1 : start + 1 + len(text)] = text
                return start + 1
        self.content += text + b"\0"
        return len(self.content) - len(text) - 1

    def _cleared(self, room: int) -> Iterator[tuple[int, int]]:
        """Size and start of each run of at least ``room`` zeros."""
        zeros, end = bytes(room), 0
        while (start := self.content.find(zeros, end)) >= 0:
            run = _ZEROS.match(self.content, start)
            assert run is not None
            end = run.end()
            yield end - start, start

    def trimmed(self) -> bytes:
        """The strings without what is cleared at their end."""
        end = len(self.content.rstrip(b"\0")) + 1
        return bytes(self.content[: max(end, self._last + 1)])
