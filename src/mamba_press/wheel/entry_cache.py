"""Deflated files of earlier wheels, so that what is packed again need not be compressed again.

They lie in packs: each was written whole by one build, got its name when it was complete, and is never changed. So
nobody waits for anybody, and a pack may go at any time: what is not found is compressed. Nothing is believed of a pack:
the writer proves each entry like one that it has just made.
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mamba_press import log
from mamba_press.atomic import TEMPORARY
from mamba_press.wheel.compress import Compressor

FOLDER = "mamba-press-entries"

SMALLEST = 4096
"""Smaller files are compressed in no more time than they are looked up in."""

_SUFFIX = ".pack"
_ROW = struct.Struct("<16sQLL")
"""Of each entry: its key, where it begins, its packed size, and the checksum of its packed bytes."""
_TAIL = struct.Struct("<LLL8s")
"""At the end: how many rows there are before it, their checksum, how old the format is, and what the file is."""
_MARK = (1, b"mp-pack\n")
_AGE = 30 * 24 * 60 * 60
_ABANDONED = 24 * 60 * 60
_PACKS = 500
"""The most packs: the index of each is read by each build."""


class Contents(NamedTuple):
    """What a folder has: packs, entries in them, and bytes in all."""

    packs: int
    entries: int
    size: int


class EntryCache:
    """What a build finds in the packs of a folder, and adds to them; `get` and `refuse` may be called by any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._indexes: list[tuple[Path, bytes]] = []
        self._rows: dict[bytes, tuple[int, int]] = {}
        self._used: set[int] = set()
        self._wrong: dict[Path, None] = {}
        self._new: dict[bytes, bytes] = {}
        self._made: BinaryIO | None = None
        self._is_full = False
        for path in _packs(folder):
            index = _index(path)
            if index is None:
                self._wrong[path] = None
                continue
            rows = enumerate(range(0, len(index), _ROW.size))
            self._rows.update((index[at : at + 16], (len(self._indexes), row)) for row, at in rows)
            self._indexes.append((path, index))

    def get(self, key: bytes, most: int) -> bytes | None:
        """Return what is kept under a key; None where that is nothing, damaged, or has not less than ``most`` bytes."""
        if key not in self._rows:
            return None
        number, row = self._rows[key]
        path, index = self._indexes[number]
        _, begin, size, seal = _ROW.unpack_from(index, row * _ROW.size)
        try:
            with path.open("rb", buffering=0) as file:
                file.seek(begin)
                data = file.read(size) if size < most else b""
        except OSError:  # another build has removed it
            return None
        if len(data) != size or zlib.crc32(data) != seal:
            self.refuse(key)
            return None
        self._used.add(number)
        return data

    def refuse(self, key: bytes) -> None:
        """Have the pack removed that has something wrong under a key."""
        self._wrong[self._indexes[self._rows[key][0]][0]] = None

    def add(self, key: bytes, data: bytes | bytearray, seal: int) -> None:
        """Keep what a key stands for; that a disk takes nothing more is no error."""
        if key in self._new or self._is_full:
            return
        try:
            if self._made is None:
                self._made = (self._folder / f"{TEMPORARY}{os.urandom(6).hex()}.tmp").open("xb", buffering=1 << 20)
            self._new[key] = _ROW.pack(key, self._made.tell(), len(data), seal)
            self._made.write(data)
        except OSError as error:
            self._give_up(error)

    def keep(self, most: int) -> None:
        """Give the new pack its name, remove what was wrong, and what is old or more than ``most`` bytes in all."""
        try:
            if self._made is not None and not self._is_full:
                index = b"".join(self._new.values())
                self._made.write(index + _TAIL.pack(len(self._new), zlib.crc32(index), *_MARK))
                self._made.close()
                made = Path(self._made.name)
                made.rename(self._folder / f"{made.stem.removeprefix(TEMPORARY)}{_SUFFIX}")
                self._made = None
        except OSError as error:
            self._give_up(error)
        for number in self._used:
            with suppress(OSError):
                os.utime(self._indexes[number][0])
        _sweep(self._folder, most)

    def close(self) -> None:
        """Remove what is unfinished, and what was found to be wrong."""
        if self._made is not None:
            with suppress(OSError):
                self._made.close()
            _remove(Path(self._made.name))
        for path in self._wrong:
            log.detail(f"{path} has compressed files that are damaged, or not what they should be: it is removed")
            _remove(path)

    def _give_up(self, error: OSError) -> None:
        log.detail(f"compressed files are not kept in {self._folder}: {error.strerror or error}")
        self._is_full = True


def key(used: Compressor, sha256: str) -> bytes:
    """Return what stands for a file with this hash, packed by this version of a compressor."""
    return hashlib.sha256(f"{used} {sha256}".encode()).digest()[:16]


@contextmanager
def opened(folder: Path, most: int) -> Iterator[EntryCache | None]:
    """Give the cache in a folder of at most so many bytes, None where it cannot be written to.

    What is added is kept when the block ends well.
    """
    if not most or not _is_writable(folder):
        yield None
        return
    cache = EntryCache(folder)
    try:
        yield cache
        cache.keep(most)
    finally:
        cache.close()


def contents(folder: Path) -> Contents:
    """Return what a folder has."""
    found = [(each, _index(each) or b"") for each in _packs(folder)]
    rows = sum(len(index) // _ROW.size for _, index in found)
    return Contents(packs=len(found), entries=rows, size=sum(_stat(path)[1] for path, _ in found))


def empty(folder: Path) -> None:
    """Remove all packs of a folder, and what killed builds have left there."""
    for path in (*_packs(folder), *folder.glob(f"{TEMPORARY}*.tmp")):
        _remove(path)


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _packs(folder: Path) -> list[Path]:
    """Return the packs, what was used last at the end."""
    return sorted(folder.glob(f"*{_SUFFIX}"), key=lambda path: (_stat(path), path.name))


def _index(path: Path) -> bytes | None:
    """Return the rows of a pack, nothing of one that has just gone, None for one that is not whole."""
    try:
        with path.open("rb", buffering=0) as file:
            at = file.seek(0, os.SEEK_END) - _TAIL.size
            if at < 0:
                return None
            file.seek(at)
            count, checksum, *mark = _TAIL.unpack(file.read(_TAIL.size))
            if tuple(mark) != _MARK or count * _ROW.size > at:
                return None
            file.seek(at - count * _ROW.size)
            rows = file.read(count * _ROW.size)
    except OSError:
        return b""
    return rows if zlib.crc32(rows) == checksum else None


def _sweep(folder: Path, most: int) -> None:
    """Remove what nobody used for a month, then what was used longest ago; what killed builds left, after a day."""
    now = time.time()
    for path in folder.glob(f"{TEMPORARY}*.tmp"):
        if now - _stat(path)[0] > _ABANDONED:
            _remove(path)
    total = 0
    for number, path in enumerate(reversed(_packs(folder))):
        used, size = _stat(path)
        total += size
        if total > most or number >= _PACKS or now - used > _AGE:
            _remove(path)


def _stat(path: Path) -> tuple[float, int]:
    """Return when a pack was used, and its size; zeros for one that has just gone."""
    try:
        found = path.stat()
    except OSError:
        return 0.0, 0
    return found.st_mtime, found.st_size


def _remove(path: Path) -> None:
    with suppress(OSError):  # it has gone, or Windows keeps what somebody reads
        path.unlink()
