"""A ZIP archive with some entries replaced, renamed, added or left out; the others' data is copied as it lies there.

Nothing is decompressed or compressed again, so an archive costs little more than the copy of its file. `zip_read` says
which entries there are.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

from mamba_press.wheel.zip_read import CENTRAL, END, END64, LOCAL, LOCATOR, LONG, STORED, STREAMED, UTF8, ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mamba_press.wheel.zip_read import Member

_CHUNK = 1 << 20
_ONE_CALL = 1 << 30


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
    return member.flags & ~STREAMED & ~UTF8 | (0 if member.name.isascii() else UTF8)


def _name(member: Member) -> bytes:
    return member.name.encode("utf-8" if member.flags & UTF8 else "cp437")


def _local(member: Member) -> bytes:
    name, long = _name(member), b""
    packed, size = member.packed, member.size
    if max(packed, size) >= LONG:
        long = struct.pack("<HHQQ", 1, 16, size, packed)
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
    long = struct.pack("<HH", 1, len(full)) + full if full else b""
    size, packed, at = (min(number, LONG) for number in numbers)
    needs = 45 if long else 20
    head = (b"PK\1\2", member.made_by, needs, member.flags, member.method, *member.stamp, member.crc, packed, size)
    lengths = (len(name), len(long) + len(member.extra), len(member.comment))
    return CENTRAL.pack(*head, *lengths, 0, *member.attributes, at) + name + long + member.extra + member.comment


def _ending(count: int, size: int, at: int) -> bytes:
    """Return the records after the directory."""
    long = b""
    if count >= 0xFFFF or max(size, at) >= LONG:
        long = END64.pack(b"PK\6\6", 44, 3 << 8 | 45, 45, 0, 0, count, count, size, at)
        long += LOCATOR.pack(b"PK\6\7", 0, at + size, 1)
    short = min(count, 0xFFFF)
    return long + END.pack(b"PK\5\6", 0, 0, short, short, min(size, LONG), min(at, LONG), 0)
