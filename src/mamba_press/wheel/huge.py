"""Huge files: read, deflated, proven and written in parts, so that no more than some parts are in memory.

libdeflate makes whole streams only. So each part but the last is made such that another can follow.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from mamba_press.wheel import parallel
from mamba_press.wheel.compress import Compressor, zlib_part
from mamba_press.wheel.content import Sized, parts_of, row_of
from mamba_press.wheel.proof import Bytes, Meant, Prover, Unpacking
from mamba_press.wheel.read import Passing
from mamba_press.wheel.zip_format import DEFLATED, STORED

if TYPE_CHECKING:
    from zlib import _Decompress

    from mamba_press.platforms.binary_format import Data

_AHEAD = 8
"""The most parts that are under way."""

_TAIL = 320 << 10
"""libdeflate's blocks are at most 300,000 bytes, and 5,000 more at the end; packed, none of them is much larger."""

_STEP = 8
"""No symbol is longer than six bytes, and no table shorter than twice eight."""

_SHORT = 256
"""Blocks without a table of their own, other than stored ones, are not larger."""

_EMPTY = (b"\0\0\xff\xff", b"\0\0\0\xff\xff")
"""An empty stored block, whose three bits are in the last byte before it, or reach into its own."""

_END = b"\3\0"


class InParts:
    """A file that comes by in parts: looked at and summed up, but never in memory as a whole."""

    def __init__(self, one: Sized, prover: Prover, *, is_packed: bool) -> None:
        self.passing = Passing(one.entry.path, one.size)
        self.method = DEFLATED if is_packed else STORED
        self._one, self._prover = one, prover
        self._crc = self._packed = self._seal = 0

    def over(self, parts: Iterator[tuple[bytes, Bytes | None]]) -> Iterator[tuple[bytes, Bytes]]:
        """Yield pairs of a file's bytes and its packed bytes; raise WriteError for None, and as `row_of`."""
        for data, packed in parts:
            if packed is None:
                raise self._prover.refused(self._one.entry.path)
            self.passing.add(data)
            self._crc = self._prover.crc32(data, self._crc)
            self._seal = self._prover.crc32(packed, self._seal)
            self._packed += len(packed)
            yield data, packed
        row_of(self._one.entry, self._one.size, self.passing.sha256)

    def meant(self, data: Data) -> Meant:
        """What it is, once all parts have come by; ``data`` as for `Passing.member`."""
        member = self.passing.member(data)
        return Meant(member, self._one.entry.executable, self._crc, self._packed, self._seal)


def stored(one: Sized) -> Iterator[tuple[bytes, Bytes | None]]:
    """Yield the parts of a file, each as what stands for it, too."""
    return ((part, part) for part in parts_of(one))


def deflated(one: Sized, used: Compressor, pool: ThreadPoolExecutor) -> Iterator[tuple[bytes, Bytes | None]]:
    """Yield the parts of a file, deflated some ahead of the caller; None for one that zlib unpacks to other bytes."""
    ahead: deque[tuple[bytes, Future[Bytes | None]]] = deque()
    before, total = b"", 0
    for part in parts_of(one):
        total += len(part)
        ahead.append((part, pool.submit(_part, used, part, before, total >= one.size)))
        before = part[-32768:]
        if len(ahead) > min(parallel.count(), _AHEAD):
            data, packed = ahead.popleft()
            yield data, packed.result()
    for data, packed in ahead:
        yield data, packed.result()


def _part(used: Compressor, data: bytes, before: bytes, is_last: bool) -> Bytes | None:
    """Return a part that can follow the one that ended with ``before``, and be followed unless it is the last."""
    if used.name == "libdeflate" and used.deflate:
        packed, again = bytearray(used.deflate(data)), Unpacking()
        at = len(packed) if is_last else max(0, len(packed) - _TAIL)
        if not again.gives(packed[:at], data):
            return None
        try:
            tail = b"" if is_last else _without_end(packed[at:], again.stream, data[again.at :])
        except zlib.error:
            return None
        if tail is not None:
            packed[at:] = tail
            return packed if again.gives(tail, b"") and again.is_at_end(is_last=is_last) else None
        before = b""
    part, again = zlib_part(data, before, is_last, used.level), Unpacking(before)
    return part if again.gives(part, data) and again.is_at_end(is_last=is_last) else None


def _without_end(packed: Bytes, stream: _Decompress, due: bytes) -> bytes | None:
    """Return the end of a stream, of which ``due`` comes, with a last block that does not say so, up to a whole byte.

    Nobody tells where that block begins. But before its first byte stands a table, of which none comes: that is where
    to look. The right bit is the one without which the same comes, and then more can. None where there is no such bit.
    """
    walk = stream.copy()
    quiet = [at for at in range(0, len(packed), _STEP) if not walk.decompress(packed[at : at + _STEP])]
    tables = sorted({at - _STEP for at in quiet} - set(quiet), reverse=True)
    for begin, size in (*((max(0, at), 2 * _STEP) for at in tables), (max(0, len(packed) - _SHORT), _SHORT)):
        here, ends = stream.copy(), min(len(packed), begin + size)
        rest = due[len(here.decompress(packed[:begin])) :]
        for bit in range(8 * begin, 8 * ends):
            if int.from_bytes(packed[bit >> 3 : (bit >> 3) + 2], "little") >> (bit & 7) & 7 in (1, 3, 5):
                turned = bytearray(packed[begin:])
                turned[(bit >> 3) - begin] ^= 1 << (bit & 7)
                for empty in _EMPTY:
                    if _is_all(here.copy(), turned + empty + _END, rest):
                        return bytes(packed[:begin] + turned + empty)
    return None


def _is_all(stream: _Decompress, packed: bytearray, due: bytes) -> bool:
    try:
        return stream.decompress(packed) == due and stream.eof and not stream.unused_data
    except zlib.error:
        return False
