"""ZIP archives: their structures, and how new ones are written, and copies with some entries other than before.

The structures are those of APPNOTE.TXT 6.3 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), of which
wheels use little: one volume, stored or deflated, ZIP64 where something is large. In a copy nothing is decompressed or
compressed again: it costs little more than the copy of the file. `zip_read` says which entries there are.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from mamba_press.errors import Problem

if TYPE_CHECKING:
    from mamba_press.types import Entry

STORED, DEFLATED = 0, 8
ENCRYPTED, STREAMED, UTF8 = 0x2041, 0x8, 0x800
LONG = 0xFFFFFFFF
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQHHLLQQQQ")
LOCATOR = struct.Struct("<4sLQL")

EARLIEST = 315532800
"""1980-01-01: the earliest date that a ZIP file can state, and the date of every entry when no epoch is given: it is
visibly not a real date, and any fixed one serves."""

LATEST = 4354819199
"""2107-12-31, the last date that a ZIP file can state."""

PYPI_RATIO = 50

PYPI_RATIO_FROM = 64 << 20
"""PyPI takes an archive that unpacks to more than 64 MiB and to more than 50 times its size for an attack; it is
written again with everything stored."""

_LONG_FROM, _MANY_FROM = LONG, 0xFFFF
"""From these numbers on, the plain fields are full, and those of ZIP64 hold the numbers."""

_CHUNK = 1 << 20
_ONE_CALL = 1 << 30


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


class Archive:
    """A ZIP file under way: every header is complete before its data, so nothing needs a data descriptor."""

    def __init__(self, file: BinaryIO, stamp: tuple[int, int]) -> None:
        self._file = file
        self._stamp = stamp
        self._offset = 0
        self._total = 0
        self._central: list[bytes] = []

    def looks_like_an_attack(self) -> bool:
        """Tell whether PyPI would refuse the finished archive because it shrank so much."""
        return self._total > PYPI_RATIO_FROM and self._total > PYPI_RATIO * self._file.tell()

    def start_again(self) -> None:
        """Forget all that was written."""
        self._file.seek(0)
        self._file.truncate()
        self._offset = self._total = 0
        self._central.clear()

    def append(self, entry: Entry, method: int, data: bytes | bytearray, of: tuple[int, int]) -> None:
        """Append an entry, whose ``data`` is made ``of`` bytes with this checksum and size."""
        sizes = (of[0], len(data), of[1])
        local, central = self._headers(entry, method, sizes, len(data))
        self._file.write(local)
        self._file.write(data)
        self._note(central, len(local), sizes)

    def append_parts(
        self, entry: Entry, method: int, parts: Iterator[tuple[bytes, bytes | bytearray]], size: int
    ) -> bool:
        """Append an entry from pairs of its bytes and the bytes to write; return whether it was worth it.

        Nothing is kept where it was not. The header is written again when the sizes are known; what it needs for ZIP64
        is there from the start.
        """
        crc, written = 0, 0
        self._file.write(self._headers(entry, method, (0, 0, size), size)[0])
        for data, packed in parts:
            crc = zlib.crc32(data, crc)
            written += len(packed)
            self._file.write(packed)
        start = self._offset
        self._file.seek(start)
        if method == DEFLATED and written >= size:
            self._file.truncate()
            return False
        local, central = self._headers(entry, method, (crc, written, size), size)
        self._file.write(local)
        self._file.seek(written, os.SEEK_CUR)
        self._note(central, len(local), (crc, written, size))
        return True

    def finish(self) -> None:
        """Write the central directory."""
        central = b"".join(self._central)
        self._file.write(central)
        self._file.write(_ending(len(self._central), len(central), self._offset))
        self._central.clear()

    def _headers(self, entry: Entry, method: int, sizes: tuple[int, int, int], most: int) -> tuple[bytes, bytes]:
        """Return the local and the central header of an entry at the current offset.

        ``most`` is the most that the data can take, which decides on ZIP64.
        """
        crc, packed, size = sizes
        name = entry.path.encode("utf-8")
        flags = 0 if name.isascii() else UTF8  # plain ASCII does not need it
        long = b""
        if max(most, size) >= _LONG_FROM:
            long = struct.pack("<QQ", size, packed)
            packed = size = LONG
        head = (flags, method, *self._stamp, crc, packed, size, len(name))
        extra = _zip64(long)
        local = LOCAL.pack(b"PK\3\4", 45 if extra else 20, *head, len(extra)) + name + extra
        if self._offset >= _LONG_FROM:
            extra = _zip64(long + struct.pack("<Q", self._offset))
        needs = 45 if extra else 20
        mode = 0o100755 if entry.executable else 0o100644
        rest = (len(extra), 0, 0, 0, mode << 16, _word(self._offset))
        return local, CENTRAL.pack(b"PK\1\2", 3 << 8 | needs, needs, *head, *rest) + name + extra

    def _note(self, central: bytes, header: int, sizes: tuple[int, int, int]) -> None:
        """Keep the central header of an entry that was written at the current offset."""
        _, packed, size = sizes
        self._central.append(central)
        self._offset += header + packed
        self._total += size


def _zip64(numbers: bytes) -> bytes:
    """Return the extra field that holds numbers for which there is no room elsewhere, if there are any."""
    return struct.pack("<HH", 1, len(numbers)) + numbers if numbers else b""


def dos_time(epoch: int | None) -> tuple[int, int]:
    """Return the time and date words of every entry, in UTC."""
    when = time.gmtime(min(max(epoch if epoch is not None else EARLIEST, EARLIEST), LATEST))
    date = (when.tm_year - 1980) << 9 | when.tm_mon << 5 | when.tm_mday
    return when.tm_hour << 11 | when.tm_min << 5 | when.tm_sec // 2, date


def write(source: BinaryIO, target: BinaryIO, members: Sequence[Member]) -> None:
    """Write an archive of these entries, in this order; ``source`` is what those without ``data`` were read from."""
    central: list[bytes] = []
    at = 0
    for run in _runs(members):
        first, last = run[0], run[-1]
        if first.is_as_it_was:
            central += [_central(member, at + member.offset - first.offset) for member in run]
            _copy(source, target, first.offset, last.end - first.offset)
            at += last.end - first.offset
        else:
            packed = first._replace(flags=_flags(first), listed=b"")
            data = None if first.data is None else _deflated(first)
            if data is not None:
                packed = packed._replace(packed=len(data), method=first.method if len(data) < first.size else STORED)
            header = _local(packed)
            central.append(_central(packed, at))
            target.write(header)
            if data is not None:
                target.write(data)
            else:
                _copy(source, target, first.begin, first.packed)
            at += len(header) + packed.packed
    directory = b"".join(central)
    target.write(directory + _ending(len(central), len(directory), at))


def _runs(members: Sequence[Member]) -> Iterator[list[Member]]:
    """Yield the entries in groups that are copied as one piece; each that is changed stands alone."""
    run: list[Member] = []
    for member in members:
        if run and not (run[-1].is_as_it_was and member.is_as_it_was and run[-1].end == member.offset):
            yield run
            run = []
        run.append(member)
    if run:
        yield run


def _copy(source: BinaryIO, target: BinaryIO, at: int, size: int) -> None:
    """Append a part of one file to another: in the kernel where it can, which on some file systems copies nothing."""
    target.flush()
    to = target.tell()
    left = size
    while left and hasattr(os, "copy_file_range"):
        try:
            done = os.copy_file_range(source.fileno(), target.fileno(), min(left, _ONE_CALL), at, to)
        except OSError:  # another file system, an old kernel, a full disk: reading and writing works, or says why not
            break
        if not done:
            break
        at, to, left = at + done, to + done, left - done
    source.seek(at)
    target.seek(to)
    while left:
        chunk = source.read(min(left, _CHUNK))
        if not chunk:
            raise ArchiveError("is cut off")
        target.write(chunk)
        left -= len(chunk)


def _deflated(member: Member) -> bytes:
    """Return new content as the entry's method wants it; stored where that is no longer."""
    assert member.data is not None
    if member.method == STORED:
        return member.data
    stream = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = stream.compress(member.data) + stream.flush()
    return packed if len(packed) < len(member.data) else member.data


def _flags(member: Member) -> int:
    """Return the flags of an entry whose sizes stand before its data, and whose name is ASCII or UTF-8."""
    return member.flags & ~STREAMED & ~UTF8 | (0 if member.name.isascii() else UTF8)


def _name(member: Member) -> bytes:
    return member.name.encode("utf-8" if member.flags & UTF8 else "cp437")


def _local(member: Member) -> bytes:
    name, long = _name(member), b""
    packed, size = member.packed, member.size
    if max(packed, size) >= LONG:
        long = _zip64(struct.pack("<QQ", size, packed))
        packed = size = LONG
    needs = 45 if long else 20
    lengths = (len(name), len(long))
    head = LOCAL.pack(b"PK\3\4", needs, member.flags, member.method, *member.stamp, member.crc, packed, size, *lengths)
    return head + name + long


def _central(member: Member, at: int) -> bytes:
    """Return an entry's place in the directory; it is as it was but for the offset, where that has its usual field."""
    if member.listed and max(member.size, member.packed, member.offset, at) < LONG:
        return member.listed[:42] + struct.pack("<L", at) + member.listed[46:]
    name = _name(member)
    numbers = [member.size, member.packed, at]
    full = b"".join(struct.pack("<Q", number) for number in numbers if number >= LONG)
    long = _zip64(full)
    size, packed, at = (min(number, LONG) for number in numbers)
    needs = 45 if long else 20
    head = (b"PK\1\2", member.made_by, needs, member.flags, member.method, *member.stamp, member.crc, packed, size)
    lengths = (len(name), len(long) + len(member.extra), len(member.comment))
    return CENTRAL.pack(*head, *lengths, 0, *member.attributes, at) + name + long + member.extra + member.comment


def _ending(count: int, size: int, at: int) -> bytes:
    """Return the records after the directory."""
    long = b""
    if count >= _MANY_FROM or max(size, at) >= _LONG_FROM:
        long = END64.pack(b"PK\6\6", 44, 3 << 8 | 45, 45, 0, 0, count, count, size, at)
        long += LOCATOR.pack(b"PK\6\7", 0, at + size, 1)
    short = 0xFFFF if count >= _MANY_FROM else count
    return long + END.pack(b"PK\5\6", 0, 0, short, short, _word(size), _word(at), 0)


def _word(number: int) -> int:
    """Return a number as a plain field has it: all ones say that ZIP64's field holds it."""
    return LONG if number >= _LONG_FROM else number
