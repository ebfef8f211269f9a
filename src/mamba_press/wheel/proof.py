"""The proof that a wheel holds what was meant: of each entry while its bytes are in memory, then of the finished file.

An entry is unpacked by another library than the one that packed it, and compared with the bytes that it was made of:
what one gets wrong the other sees. The finished file is read once more, and nothing in it is unpacked again: headers
and packed bytes have to be those that were proven.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from mamba_press import log
from mamba_press.errors import Problem, Setting, Text, WriteError, harmless
from mamba_press.wheel import compress, zip_format, zip_read
from mamba_press.wheel.zip_format import DEFLATED, STORED, ArchiveError

if TYPE_CHECKING:
    from mamba_press.wheel.compress import Compressor
    from mamba_press.wheel.read import Member
    from mamba_press.wheel.zip_read import Listing

Bytes = bytes | bytearray

_STEP = 1 << 16
"""So many packed bytes are unpacked at once: what comes of them is compared while it is in the processor's cache."""

_READ = 1 << 20


class Meant(NamedTuple):
    """What an entry is, and how it has to stand in the file; ``seal`` is the checksum of its packed bytes."""

    member: Member
    executable: bool
    crc: int
    packed: int
    seal: int

    @property
    def method(self) -> int:
        """How it is packed: what does not shrink is stored."""
        return DEFLATED if self.packed < self.member.size else STORED


class Proven(NamedTuple):
    """A finished file, the name that it is going to have, its directory as read back, and its files as packed."""

    path: Path
    name: str
    listing: Listing
    members: Mapping[str, Member]


class Prover(NamedTuple):
    """Who unpacks again what a compressor packed, and takes the checksum anew; without ``unpack`` it is zlib."""

    by: str
    crc32: Callable[..., int]
    unpack: Callable[[Bytes, int], Bytes | None] | None = None

    def require(self, path: str, data: Bytes, packed: Bytes | None, crc: int) -> None:
        """Raise WriteError unless an entry's packed bytes, None for stored ones, give its bytes with this checksum."""
        if packed is not None and not self.proves(data, packed):
            raise self.refused(path)
        if self.crc32(data) != crc:
            raise WriteError(Problem(where=harmless(path), what=f"its checksum is wrong, says {self.by}", hint=_HINT))

    def proves(self, data: Bytes, packed: Bytes) -> bool:
        """Whether packed bytes give these bytes, and no others."""
        if self.unpack:
            return self.unpack(packed, len(data)) == data
        again = Unpacking()
        return again.gives(packed, data) and again.is_at_end()

    def refused(self, path: str) -> WriteError:
        """Return the error of an entry that was packed wrongly."""
        what = f"{self.by} does not unpack it to the bytes that were packed"
        return WriteError(Problem(where=harmless(path), what=what, hint=_HINT))


_HINT = Text.of("press again; if it stays, ", Setting("wheel.compression"), " names another compressor")


class Unpacking:
    """A stream that zlib unpacks piece by piece, each compared with the bytes that it has to give."""

    def __init__(self, before: bytes = b"") -> None:
        self.stream = zlib.decompressobj(-zlib.MAX_WBITS, zdict=before)
        self.at = 0
        self._due: Bytes = b""

    def is_at_end(self, *, is_last: bool = True) -> bool:
        """Whether all bytes have come, and the stream has ended, or has not where it is not the last one."""
        return self.stream.eof == is_last and self.at == len(self._due)

    def gives(self, packed: Bytes, data: Bytes) -> bool:
        """Whether the next packed piece gives some of these bytes, which follow those before, and no others."""
        self._due, self.at = self._due[self.at :] + data if self._due else data, 0
        try:
            with memoryview(packed) as view:
                return all(self._gives(view[at : at + _STEP]) for at in range(0, len(view), _STEP))
        except zlib.error:
            return False

    def _gives(self, packed: memoryview) -> bool:
        found = self.stream.decompress(packed)
        is_due = self._due.startswith(found, self.at)
        self.at += len(found)
        return is_due and not self.stream.unused_data


def prover(used: Compressor) -> Prover:
    """Return who proves what a compressor packs; says so where that is the same library, for there is no other."""
    other = compress.libdeflate() if used.name != "libdeflate" else None
    if other is not None:

        def unpack(packed: Bytes, size: int) -> Bytes | None:
            try:
                found: Bytes = other.deflate_decompress(packed, size)
            except other.DeflateError:
                return None
            return found

        return Prover(by="libdeflate", crc32=other.crc32, unpack=unpack)
    if used.name == "zlib":
        log.detail("what zlib packs is unpacked by zlib to prove it: there is no other library (pip install deflate)")
    return Prover(by="zlib", crc32=zlib.crc32)


def finished(path: Path, meant: Sequence[Meant], crc32: Callable[..., int]) -> Listing:
    """Return the directory of a finished file; raise WriteError unless file and directory are just what was meant."""
    try:
        with path.open("rb", buffering=_STEP) as file:
            listing = zip_read.read(file)
            problems = [Problem(where=each.where, what=each.what) for each in listing.wrong]
            for one, found in zip(meant, listing.members, strict=False):
                mode = (0o100755 if one.executable else 0o100644) << 16
                name = one.member.path
                want = (name, one.method, one.crc, one.packed, one.member.size, (0, mode))
                if want != (found.name, found.method, found.crc, found.packed, found.size, found.attributes):
                    problems.append(Problem(where=name, what="is not in the archive as it was to be written"))
                elif _seal(file, found, crc32) != one.seal:
                    problems.append(Problem(where=name, what="its packed bytes are not those that were written"))
            if len(meant) != len(listing.members):
                what = f"has {len(listing.members)} entries instead of {len(meant)}"
                problems.append(Problem(where="the archive", what=what))
    except ArchiveError as error:
        problems = [Problem(where="the archive", what=str(error))]
    if problems:
        hint = "press again; if it stays, look at the device of the output folder, and at the memory"
        raise WriteError(*(Problem(where=harmless(str(p.where)), what=p.what, hint=hint) for p in problems))
    # There may be 100,000 of them.
    return listing._replace(members=tuple(each._replace(listed=b"") for each in listing.members))


def _seal(file: BinaryIO, member: zip_format.Member, crc32: Callable[..., int]) -> int:
    """Return the checksum of an entry's packed bytes as they stand in the file."""
    file.seek(member.begin)
    left, found = member.packed, 0
    while left and (part := file.read(min(left, _READ))):
        found = crc32(part, found)
        left -= len(part)
    return found
