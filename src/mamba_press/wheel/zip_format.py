"""The structures of a ZIP archive, and one entry of it.

They are those of APPNOTE.TXT 6.3 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), of which wheels use
little: one volume, stored or deflated, ZIP64 where something is large.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from mamba_press.errors import Problem

STORED, DEFLATED = 0, 8
ENCRYPTED, STREAMED, UTF8 = 0x2041, 0x8, 0x800
LONG = 0xFFFFFFFF
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQHHLLQQQQ")
LOCATOR = struct.Struct("<4sLQL")


class ArchiveError(ValueError):
    """A file that is no ZIP archive, is cut off, or uses what wheels do not: what is wrong, perhaps with a member."""

    def __init__(self, what: str, member: str = "") -> None:
        super().__init__(f"{member} {what}".lstrip())
        self.what = what


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage(Problem):
    """What is broken in an archive, or what two who unpack it would understand differently: nobody may pass it on."""


class Member(NamedTuple):
    """One entry as the archive's directory states it; ``data`` replaces its content, which is then not compressed yet.

    ``listed`` is its place in the directory as it stands there, ``extra`` is without the field of ZIP64. ``begin`` is
    where its data begins, ``end`` where the next entry does, or the directory.
    """

    name: str
    flags: int
    method: int
    stamp: tuple[int, int]
    crc: int
    packed: int
    size: int
    attributes: tuple[int, int]
    extra: bytes = b""
    comment: bytes = b""
    made_by: int = 3 << 8 | 20
    offset: int = 0
    begin: int = 0
    end: int = 0
    listed: bytes = b""
    renamed: bool = False
    data: bytes | None = None

    @property
    def is_as_it_was(self) -> bool:
        """Whether header and data can be copied as one piece; sizes after the data are moved to the front."""
        return self.data is None and not self.renamed and not self.flags & STREAMED

    @property
    def is_folder(self) -> bool:
        """Whether the entry stands for a folder, as its name alone says."""
        return self.name.endswith("/")

    @property
    def can_be_read(self) -> bool:
        """Whether its data is where it can be, compressed in one of the two ways of wheels, and not encrypted."""
        is_there = self.begin + self.packed <= self.end
        return is_there and self.method in (STORED, DEFLATED) and not self.flags & ENCRYPTED

    def named(self, name: str) -> Member:
        """Return the entry under another name."""
        return self if name == self.name else self._replace(name=name, renamed=True)

    def holding(self, data: bytes) -> Member:
        """Return the entry with other content; attributes, date and method stay."""
        return self._replace(data=data, crc=zlib.crc32(data), size=len(data), extra=b"")
