"""A ZIP archive with some entries replaced, renamed, added or left out; the others' data is copied as it lies there.

Nothing is decompressed or compressed again, so an archive costs little more than the copy of its file. The structures
are those of APPNOTE.TXT 6.3 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), of which wheels use little:
one volume, stored or deflated, ZIP64 where something is large.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STORED, DEFLATED = 0, 8

_LONG = 0xFFFFFFFF
_ENCRYPTED, _STREAMED, _UTF8 = 0x1, 0x8, 0x800
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")
_CHUNK = 1 << 20
_ONE_CALL = 1 << 30


class ArchiveError(ValueError):
    """A file that is no ZIP archive, is cut off, or uses what wheels do not."""


class Member(NamedTuple):
    """One entry as the archive's directory states it; ``data`` replaces its content, which is then not compressed yet.

    ``listed`` is its place in the directory as it stands there, ``extra`` is without the field of ZIP64. ``end`` is
    where the next entry begins, or the directory.
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
    end: int = 0
    listed: bytes = b""
    renamed: bool = False
    data: bytes | None = None

    @property
    def is_as_it_was(self) -> bool:
        """Whether header and data can be copied as one piece; sizes after the data are moved to the front."""
        return self.data is None and not self.renamed and not self.flags & _STREAMED

    def named(self, name: str) -> Member:
        """Return the entry under another name."""
        return self if name == self.name else self._replace(name=name, renamed=True)

    def holding(self, data: bytes) -> Member:
        """Return the entry with other content; attributes, date and method stay."""
        return self._replace(data=data, crc=zlib.crc32(data), size=len(data), extra=b"")


def read(file: BinaryIO) -> tuple[Member, ...]:
    """Return the entries in the order in which their data lies in the archive; raises ArchiveError."""
    count, size, start, shift = _directory(file)
    file.seek(start + shift)
    directory = file.read(size)
    found: list[Member] = []
    at = 0
    for _ in range(count):
        if directory[at : at + 4] != b"PK\1\2" or len(directory) < at + 46:
            raise ArchiveError("its directory is cut off")
        member, at = _stated(directory, at, shift)
        found.append(member)
    found.sort(key=lambda member: member.offset)
    ends = [*(member.offset for member in found[1:]), start + shift]
    for member, end in zip(found, ends, strict=True):
        if member.offset + _LOCAL.size + member.packed > end:
            raise ArchiveError(f"{member.name} overlaps what comes after it")
    return tuple(member._replace(end=end) for member, end in zip(found, ends, strict=True))


def content(file: BinaryIO, member: Member) -> bytes:
    """Return what an entry holds; raises ArchiveError where it is not what the directory states."""
    file.seek(_data_at(file, member))
    packed = file.read(member.packed)
    try:
        data = zlib.decompress(packed, -zlib.MAX_WBITS) if member.method == DEFLATED else packed
    except zlib.error as error:
        raise ArchiveError(f"{member.name} cannot be unpacked: {error}") from None
    if len(data) != member.size or zlib.crc32(data) != member.crc:
        raise ArchiveError(f"{member.name} is damaged")
    return data


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
                _copy(source, target, _data_at(source, first), first.packed)
            at += len(header) + packed.packed
    directory = b"".join(central)
    target.write(directory + _ending(len(central), len(directory), at))


# --- reading


def _directory(file: BinaryIO) -> tuple[int, int, int, int]:
    """Return how many entries there are, size and place of the directory, and what lies before the archive's start."""
    length = file.seek(0, os.SEEK_END)
    tail_at = max(0, length - _END.size - 0xFFFF)
    file.seek(tail_at)
    tail = file.read()
    found = tail.rfind(b"PK\5\6")
    if found < 0 or len(tail) < found + _END.size:
        raise ArchiveError("is no ZIP archive, or is cut off")
    _, disk, first_disk, _, count, size, start, _ = _END.unpack_from(tail, found)
    end = tail_at + found
    if 0xFFFF in (disk, first_disk, count) or _LONG in (size, start):
        count, size, start, end = _directory64(file, end) or (count, size, start, end)
    elif disk or first_disk:
        raise ArchiveError("is one volume of several")
    shift = end - size - start
    if shift < 0:
        raise ArchiveError("its directory is cut off")
    return count, size, start, shift


def _directory64(file: BinaryIO, end: int) -> tuple[int, int, int, int] | None:
    """Return the same of ZIP64's record, whose place a locator before the plain record tells; None if not there."""
    if end < 20:
        return None
    file.seek(end - 20)
    signature, _, at, _ = struct.unpack("<4sLQL", file.read(20))
    if signature != b"PK\6\7":
        return None
    file.seek(min(at, end))
    record = file.read(56)
    if len(record) < 56 or record[:4] != b"PK\6\6":
        raise ArchiveError("its directory is cut off")
    _, count, size, start = struct.unpack_from("<4Q", record, 24)
    return count, size, start, at


def _stated(directory: bytes, at: int, shift: int) -> tuple[Member, int]:
    """Return the entry at a place of the directory, whose end is not known yet, and where the next one is."""
    fields = _CENTRAL.unpack_from(directory, at)
    _, made_by, _, flags, method, time, date, crc, packed, size = fields[:10]
    name_length, extra_length, comment_length, disk, inner, outer, offset = fields[10:]
    named = at + _CENTRAL.size
    tail = named + name_length
    end = tail + extra_length + comment_length
    name = _decoded(directory[named:tail], flags)
    if flags & _ENCRYPTED or method not in (STORED, DEFLATED) or disk not in (0, 0xFFFF):
        raise ArchiveError(f"{name} is encrypted, or compressed in a way that wheels are not")
    extra = directory[tail : tail + extra_length]
    if extra:
        extra, (size, packed, offset) = _without_zip64(extra, (size, packed, offset), name)
    stated = Member(
        name=name,
        flags=flags,
        method=method,
        stamp=(time, date),
        crc=crc,
        packed=packed,
        size=size,
        attributes=(inner, outer),
        extra=extra,
        comment=directory[tail + extra_length : end],
        made_by=made_by,
        offset=offset + shift,
        listed=directory[at:end],
    )
    return stated, end


def _decoded(name: bytes, flags: int) -> str:
    try:
        return name.decode("ascii" if name.isascii() else "utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        raise ArchiveError(f"{name!r} is no name in UTF-8, as it says to be") from None


def _without_zip64(extra: bytes, numbers: tuple[int, ...], name: str) -> tuple[bytes, tuple[int, ...]]:
    """Return the extra fields without that of ZIP64, and the numbers that it gives in place of those that are full."""
    kept, at = b"", 0
    found = list(numbers)
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + length]
        if kind == 1:
            full = [place for place, number in enumerate(found) if number == _LONG]
            if len(body) < 8 * len(full):
                raise ArchiveError(f"{name} has sizes that cannot be read")
            for place, (number,) in zip(full, struct.iter_unpack("<Q", body[: 8 * len(full)]), strict=True):
                found[place] = number
        else:
            kept += extra[at : at + 4 + length]
        at += 4 + length
    return kept, tuple(found)


def _data_at(file: BinaryIO, member: Member) -> int:
    """Return where an entry's data begins: the lengths in its own header count, which may not be the directory's."""
    file.seek(member.offset)
    header = file.read(_LOCAL.size)
    if header[:4] != b"PK\3\4" or len(header) < _LOCAL.size:
        raise ArchiveError(f"{member.name} is not where the directory says")
    name_length, extra_length = struct.unpack_from("<2H", header, 26)
    return member.offset + _LOCAL.size + int(name_length) + int(extra_length)


# --- writing


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
    return member.flags & ~_STREAMED & ~_UTF8 | (0 if member.name.isascii() else _UTF8)


def _name(member: Member) -> bytes:
    return member.name.encode("utf-8" if member.flags & _UTF8 else "cp437")


def _local(member: Member) -> bytes:
    name, long = _name(member), b""
    packed, size = member.packed, member.size
    if max(packed, size) >= _LONG:
        long = struct.pack("<HHQQ", 1, 16, size, packed)
        packed = size = _LONG
    needs = 45 if long else 20
    lengths = (len(name), len(long))
    head = _LOCAL.pack(b"PK\3\4", needs, member.flags, member.method, *member.stamp, member.crc, packed, size, *lengths)
    return head + name + long


def _central(member: Member, at: int) -> bytes:
    """Return an entry's place in the directory; it is as it was but for the offset, where that has its usual field."""
    if member.listed and max(member.size, member.packed, member.offset, at) < _LONG:
        return member.listed[:42] + struct.pack("<L", at) + member.listed[46:]
    name = _name(member)
    numbers = [member.size, member.packed, at]
    full = b"".join(struct.pack("<Q", number) for number in numbers if number >= _LONG)
    long = struct.pack("<HH", 1, len(full)) + full if full else b""
    size, packed, at = (min(number, _LONG) for number in numbers)
    needs = 45 if long else 20
    head = (b"PK\1\2", member.made_by, needs, member.flags, member.method, *member.stamp, member.crc, packed, size)
    lengths = (len(name), len(long) + len(member.extra), len(member.comment))
    return _CENTRAL.pack(*head, *lengths, 0, *member.attributes, at) + name + long + member.extra + member.comment


def _ending(count: int, size: int, at: int) -> bytes:
    """Return the records after the directory."""
    long = b""
    if count >= 0xFFFF or max(size, at) >= _LONG:
        long = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 3 << 8 | 45, 45, 0, 0, count, count, size, at)
        long += struct.pack("<4sLQL", b"PK\6\7", 0, at + size, 1)
    short = min(count, 0xFFFF)
    return long + _END.pack(b"PK\5\6", 0, 0, short, short, min(size, _LONG), min(at, _LONG), 0)
