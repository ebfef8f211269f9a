"""The entries of a ZIP archive, and everything in which one reader of it could see other files than another does.

The structures are those of APPNOTE.TXT 6.3 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), of which
wheels use little: one volume, stored or deflated, ZIP64 where something is large. A file is described more than once
in such an archive: in the directory at its end, in a header before the data, and by where the data lies. Who believes
one of these may get another file than who believes the other, so all of them have to agree.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from mamba_press.wheel.zip_format import (
    CENTRAL,
    DEFLATED,
    ENCRYPTED,
    END,
    END64,
    LOCAL,
    LOCATOR,
    LONG,
    STORED,
    STREAMED,
    UTF8,
    ArchiveError,
    Damage,
    Member,
)

DIRECTORY = 64 << 20
"""The largest directory that is read: 512 bytes for each of as many entries as are read."""

ENTRIES = 1 << 17
"""The most entries that are read: twice as many as a plain ZIP archive can have."""

_PART = 1 << 20
_LEVEL = 0x6
_NEWEST = 63
_ZIP64, _OTHER_NAME = 0x0001, 0x7075
_NUMBERS = ("checksum", "compressed size", "size")


class Listing(NamedTuple):
    """The entries in the order in which their data lies in the archive, and what is wrong with its structure."""

    members: tuple[Member, ...]
    wrong: tuple[Damage, ...]
    comment: bytes


def read(file: BinaryIO) -> Listing:
    """Return what an archive has; raises ArchiveError where that cannot be told.

    With nothing ``wrong`` every reader sees the same entries, be it by the directory or from the front.
    """
    end, wrong = _end(file)
    file.seek(end.start + end.shift)
    directory = file.read(end.size)
    found: list[Member] = []
    same: dict[tuple[int, int], tuple[int, int]] = {}
    at = 0
    while at < end.size:
        if directory[at : at + 4] != b"PK\1\2" or len(directory) < at + CENTRAL.size:
            raise ArchiveError("its directory is cut off")
        if len(found) == ENTRIES:
            raise ArchiveError(f"has more than {ENTRIES:,} entries")
        member, at, problems = _stated(directory, at, end.shift)
        # Most entries have the date and the mode of others: one of each is kept.
        stamp, attributes = (same.setdefault(each, each) for each in (member.stamp, member.attributes))
        found.append(member._replace(stamp=stamp, attributes=attributes))
        wrong += (Damage(where=member.name, what=what) for what in problems)
    if at > end.size:
        raise ArchiveError("its directory is cut off")
    if {end.entries, end.here} != {len(found)}:
        stated = end.here if end.entries == len(found) else end.entries
        what = f"the archive says that it has {stated} entries, and its directory has {len(found)}"
        wrong.append(Damage(where="", what=what))
    found.sort(key=lambda member: member.offset)
    begin = end.start + end.shift
    first = found[0].offset if found else begin
    if first != 0:
        wrong.append(Damage(where="", what="the archive has bytes before its first entry"))
    ends = [*(member.offset for member in found), begin][1:]
    members = []
    for member, until in zip(found, ends, strict=True):
        placed, problems = _placed(file, member._replace(end=until))
        members.append(placed)
        wrong += (Damage(where=member.name, what=what) for what in problems)
    return Listing(members=tuple(members), wrong=tuple(wrong), comment=end.comment)


def require(file: BinaryIO) -> tuple[Member, ...]:
    """Return the entries of an archive; raises ArchiveError for one in which readers may see different ones."""
    found = read(file)
    if found.wrong:
        raise ArchiveError("; ".join(str(problem) for problem in found.wrong[:3]))
    return found.members


def content(file: BinaryIO, member: Member) -> bytes:
    """Return what an entry holds; raises ArchiveError where it is not what the directory states."""
    return b"".join(parts(file, member))


def parts(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """Yield what an entry holds piece by piece, and never more than it states.

    Raises ArchiveError for what cannot be unpacked, and in the end where size or checksum are not as stated.
    """
    at, end, size, crc = member.begin, member.begin + member.packed, 0, 0
    if not member.can_be_read:
        what = "is not where the archive's directory says, or is stored in a way that wheels do not use"
        raise ArchiveError(f"{member.name} {what}")
    stream = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == DEFLATED else None
    while at < end:
        file.seek(at)
        packed = file.read(min(_PART, end - at))
        if not packed:
            raise ArchiveError("is cut off", member.name)
        at += len(packed)
        while packed:
            data = packed if stream is None else _inflated(stream, packed, member, is_last=at == end)
            packed = b"" if stream is None else stream.unconsumed_tail
            size, crc = size + len(data), zlib.crc32(data, crc)
            if size > member.size:
                raise ArchiveError(f"is damaged: it has more than the {member.size:,} bytes it states", member.name)
            if data:
                yield data
    if stream and not stream.eof:
        raise ArchiveError("is cut off", member.name)
    if (size, crc) != (member.size, member.crc):
        raise ArchiveError("is damaged: its checksum or size is not what the archive states", member.name)


def _inflated(stream: zlib._Decompress, packed: bytes, member: Member, *, is_last: bool) -> bytes:
    """Return the next piece of a deflated entry; raises ArchiveError for what is not deflated, or goes on behind it."""
    try:
        data = stream.decompress(packed, _PART)
        if is_last and not stream.unconsumed_tail:
            data += stream.flush()
    except zlib.error as error:
        raise ArchiveError(f"cannot be unpacked: {error}", member.name) from None
    if stream.unused_data or (stream.eof and not is_last):
        raise ArchiveError("is damaged: there is more after the end of its compressed data", member.name)
    return data


class _End(NamedTuple):
    """What the records at the end state: how many entries there are, and size and place of the directory.

    ``shift`` is what lies before the archive's start.
    """

    entries: int
    here: int
    size: int
    start: int
    shift: int
    comment: bytes


def _end(file: BinaryIO) -> tuple[_End, list[Damage]]:
    """Return what the end record says, in its ZIP64 form where that is there, and where it contradicts itself."""
    length = file.seek(0, os.SEEK_END)
    tail_at = max(0, length - END.size - 0xFFFF)
    file.seek(tail_at)
    tail = file.read()
    found = tail.rfind(b"PK\5\6", 0, max(0, len(tail) - END.size + 4))
    if found < 0:
        raise ArchiveError("it is not a ZIP archive, or it is cut off")
    _, disk, first_disk, here, count, size, start, comment_size = END.unpack_from(tail, found)
    whats = ["the archive is one volume of several"] if (disk, first_disk) not in ((0, 0), (0xFFFF, 0xFFFF)) else []
    at, comment = tail_at + found, tail[found + END.size :]
    if len(comment) != comment_size:
        whats.append("the archive has bytes after its end, or its comment is cut off")
    numbers = (here, count, size, start)
    long = _end64(file, at)
    if long is not None:
        at, more, stated = long
        whats += more
        full = (0xFFFF, 0xFFFF, LONG, LONG)
        if any(number not in (limit, exact) for number, limit, exact in zip(numbers, full, stated, strict=True)):
            whats.append("the archive has two end records, plain and ZIP64, that say different things")
        here, count, size, start = stated
    shift = at - size - start
    if shift < 0:
        raise ArchiveError("its directory is cut off")
    if size > DIRECTORY:
        raise ArchiveError(f"its directory has {size:,} bytes; no wheel needs more than {DIRECTORY:,}")
    if shift:
        whats.append(f"the archive's directory is {shift:,} bytes after the place that its end record states")
    if _is_ambiguous(tail, found, start + shift - tail_at):
        whats.append("the archive has more than one end record: which files it has depends on who reads it")
    wrong = [Damage(where="", what=what) for what in whats]
    return _End(count, here, size, start, shift, comment), wrong


def _end64(file: BinaryIO, end: int) -> tuple[int, list[str], tuple[int, int, int, int]] | None:
    """Return place, contradictions and numbers of ZIP64's end record, which a locator before the plain one announces.

    Python's zipfile takes the record that lies directly before the locator, wherever that points.
    """
    at = end - LOCATOR.size - END64.size
    if at < 0:
        return None
    file.seek(at)
    both = file.read(END64.size + LOCATOR.size)
    signature, disk, place, disks = LOCATOR.unpack_from(both, END64.size)
    if signature != b"PK\6\7":
        return None
    own, length, _, _, number, first, here, count, size, start = END64.unpack_from(both)
    if own != b"PK\6\6":
        raise ArchiveError("its directory is cut off")
    whats = []
    if disk or number or first or disks > 1:
        whats.append("the archive is one volume of several")
    if length != END64.size - 12 or place not in (at, start + size):
        whats.append("the archive's ZIP64 end record is not where the locator says, or not as long")
    return at, whats, (here, count, size, start)


def _is_ambiguous(tail: bytes, own: int, directory: int) -> bool:
    """Whether another end record than our own could be taken for it: one that ends the file, or that lies behind data.

    An archive inside the archive has one too, which is neither.
    """
    for found in re.finditer(b"PK\5\6", tail):
        at = found.start()
        if at != own and len(tail) >= at + END.size:
            ends = at + END.size + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)
            if ends or at >= directory:
                return True
    return False


def _stated(directory: bytes, at: int, shift: int) -> tuple[Member, int, list[str]]:
    """Return the entry at a place of the directory, where the next is, and what is wrong; its end is not known yet."""
    fields = CENTRAL.unpack_from(directory, at)
    _, made_by, needs, flags, method, time, date, crc, packed, size = fields[:10]
    name_length, extra_length, comment_length, disk, inner, outer, offset = fields[10:]
    named = at + CENTRAL.size
    tail = named + name_length
    end = tail + extra_length + comment_length
    name, wrong = _decoded(directory[named:tail], flags)
    extra, numbers, more = _without_zip64(directory[tail : tail + extra_length], (size, packed, offset))
    wrong += more
    size, packed, offset = numbers
    if disk not in (0, 0xFFFF):
        wrong.append("is said to be in another volume of the archive")
    if flags & ENCRYPTED:
        wrong.append("is encrypted")
    if method not in (STORED, DEFLATED):
        wrong.append(f"is compressed by method {method}; wheels are stored or deflated")
    if needs & 0xFF > _NEWEST or flags & 0x20:
        wrong.append("needs a newer version of ZIP than any that is known, or is a patch")
    if method == STORED and packed != size:
        wrong.append(f"has {packed} bytes and states a size of {size}, although it is not compressed")
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
    return stated, end, wrong


def _decoded(name: bytes, flags: int) -> tuple[str, list[str]]:
    """Return a name, and what is wrong with the way in which it is written."""
    if name.isascii():
        return name.decode("ascii"), []
    if not flags & UTF8:
        return name.decode("cp437"), ["its name is neither ASCII nor said to be UTF-8: installers read different names"]
    try:
        return name.decode("utf-8"), []
    except UnicodeDecodeError:
        return name.decode("utf-8", "backslashreplace"), ["its name is not UTF-8, as the archive says"]


def _without_zip64(extra: bytes, numbers: tuple[int, ...]) -> tuple[bytes, tuple[int, ...], list[str]]:
    """Return the extra fields without that of ZIP64, the numbers that it gives in place of those that are full.

    And what is wrong with either; the size counts before the compressed size, and that before the place.
    """
    kept, at = b"", 0
    found, wrong = list(numbers), []
    full = [place for place, number in enumerate(numbers) if number == LONG]
    is_given = False
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + length]
        if len(body) < length:
            wrong.append("has extra fields that cannot be read")
        if kind == _ZIP64:
            given = [number for (number,) in struct.iter_unpack("<Q", body[: len(body) // 8 * 8])]
            if is_given or len(given) < len(full) or (len(given) > len(full) and given != found[: len(given)]):
                wrong.append("its ZIP64 field cannot be read, or contradicts its other sizes")
            for place, number in zip(full, given, strict=False):
                found[place] = number
            is_given = True
        else:
            kept += extra[at : at + 4 + length]
        if kind == _OTHER_NAME:
            wrong.append("has a second name in an extra field, which some read and some do not")
        at += 4 + length
    if full and not is_given:
        wrong.append("its sizes need a ZIP64 field, and it has no such field")
    return kept, tuple(found), wrong


def _placed(file: BinaryIO, member: Member) -> tuple[Member, list[str]]:
    """Return the entry with the place of its data, and where its own header is not what the directory says of it."""
    file.seek(member.offset)
    header = file.read(LOCAL.size)
    if header[:4] != b"PK\3\4" or len(header) < LOCAL.size:
        return member._replace(begin=member.end + 1), ["is not where the archive's directory says"]
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = LOCAL.unpack(header)
    both = file.read(name_length + extra_length)
    wrong = []
    stated_length = int.from_bytes(member.listed[28:30], "little")
    if both[:name_length] != member.listed[CENTRAL.size : CENTRAL.size + stated_length]:
        wrong.append(f"has another name in its own header: {both[:name_length].decode('utf-8', 'backslashreplace')}")
    if (flags ^ member.flags) & ~_LEVEL or method != member.method:
        wrong.append("its own header and the directory disagree on how it is compressed, encrypted or named")
    if LONG in (packed, size):
        _, (size, packed), more = _without_zip64(both[name_length:], (size, packed))
        wrong += more
    stated, own = (member.crc, member.packed, member.size), (crc, packed, size)
    is_streamed = bool(member.flags & STREAMED)
    unlike = [what for what, one, other in zip(_NUMBERS, stated, own, strict=True) if one != other]
    if unlike and not (is_streamed and not any(own)):
        wrong.append(f"has another {' and another '.join(unlike)} in its own header than in the directory")
    begin = member.offset + LOCAL.size + name_length + extra_length
    end = begin + member.packed
    if end > member.end:
        wrong.append("overlaps what comes after it")
    elif end < member.end and not (is_streamed and _is_descriptor(file, end, member)):
        wrong.append(f"is followed by {member.end - end:,} bytes that belong to no entry")
    return member._replace(begin=begin), wrong


def _is_descriptor(file: BinaryIO, at: int, member: Member) -> bool:
    """Whether what follows the data is checksum and sizes, in one of the forms in which streamed entries have them."""
    room = member.end - at
    if room > 24:
        return False
    file.seek(at)
    found = file.read(room)
    numbers = (member.crc, member.packed, member.size)
    forms: Sequence[str] = ("<LQQ",) if max(numbers[1:]) >= LONG else ("<LLL", "<LQQ")
    made = [struct.pack(form, *numbers) for form in forms]
    return found in (*made, *(b"PK\7\b" + one for one in made))
