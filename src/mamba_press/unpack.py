"""The files of a finished wheel as an installer would unpack them, each read once and looked at closely.

Memory is bounded: files from :data:`HUGE` on are unpacked in parts, and of those from :data:`LARGE` on few at once.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import tempfile
import threading
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import IO, TYPE_CHECKING, BinaryIO, NamedTuple

from mamba_press import binaries, cores, hazards, policies
from mamba_press.types import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mamba_press.binaries.format import Data
    from mamba_press.types import Binary

HUGE = 256 << 20
"""From this size on, a file is unpacked in parts, a binary to the disk: what it says is read there."""

LARGE = 16 << 20
"""From this size on, a file is taken up only while few others of its size are in memory."""

_LARGE_AT_ONCE = 2
_PART = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BATCH = 1 << 20
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED, _UTF8 = 0x1, 0x800

UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
"""What reading a broken archive raises."""


class Member(NamedTuple):
    """One file of the archive, as read; ``data`` is kept for ``.dist-info`` and for what adds folders with DLLs.

    ``sha256`` is None where the file was not read.
    """

    path: str
    size: int
    sha256: str | None
    data: bytes | None = None
    binary: Binary | None = None
    problems: tuple[Problem, ...] = ()


def read(archive: zipfile.ZipFile, *, payload: bool = True) -> dict[str, Member]:
    """Read every file on all cores, without ``payload`` only ``.dist-info``; what is encrypted is not read.

    Raises one of :data:`UNREADABLE` for what cannot be unpacked, or has another checksum than the archive states.
    Unpacks with zlib, as installers do, and not with the library that compressed: what one gets wrong the other sees.
    """
    infos = [info for info in archive.infolist() if not info.is_dir()]
    wanted = [info for info in infos if _is_wanted(info, payload=payload)]
    unread = [info for info in infos if not _is_wanted(info, payload=payload)]
    found = {info.filename: Member(path=info.filename, size=info.file_size, sha256=None) for info in unread}
    source = _Source(archive)
    binaries.load()
    with ThreadPoolExecutor(cores.count() if payload else 1, thread_name_prefix="mamba-press") as pool:
        for members in pool.map(source.members, cores.batches(wanted, lambda info: info.file_size, _BATCH)):
            found.update((member.path, member) for member in members)
    return found


def _is_wanted(info: zipfile.ZipInfo, *, payload: bool) -> bool:
    return (payload or is_dist_info(info.filename)) and not info.flag_bits & _ENCRYPTED


def is_dist_info(path: str) -> bool:
    """Whether a file belongs to the wheel's metadata."""
    return path.split("/", maxsplit=1)[0].endswith(".dist-info")


def scheme(path: str) -> str:
    """Return ``scripts`` for ``x-1.data/scripts/tool``, and nothing for what is at the wheel's root."""
    parts = path.split("/", 2)
    return parts[1] if len(parts) == 3 and parts[0].endswith(".data") else ""


def installed(path: str) -> str:
    """Return where a file is after installation, from the folder where packages are installed."""
    return path.split("/", 2)[2] if scheme(path) in ("purelib", "platlib") else path


class _Source:
    """An archive from which several threads read; `zipfile` has listed its entries, and costs too much for each."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        assert archive.fp is not None
        self._archive = archive
        self._end = archive.fp.seek(0, os.SEEK_END)
        self._file: BinaryIO = archive.fp  # type: ignore[assignment]  # opened by us, for reading bytes
        self._turn = threading.Lock()
        self._large = threading.Semaphore(_LARGE_AT_ONCE)

    def members(self, infos: Sequence[zipfile.ZipInfo]) -> list[Member]:
        """Return what these entries are."""
        return [self._member(info) for info in infos]

    def _member(self, info: zipfile.ZipInfo) -> Member:
        with self._large if info.file_size >= LARGE else nullcontext():
            if info.file_size >= HUGE and info.compress_type in _METHODS:
                return self._huge(info)
            data = self._data(info)
            problems = hazards.traces(info.filename, data, is_binary=_is_binary(data))
            return _described(info, data, hashlib.sha256(data).hexdigest(), problems)

    def _data(self, info: zipfile.ZipInfo) -> bytes | bytearray:
        """Return what an entry holds."""
        if info.compress_type not in _METHODS:
            with self._turn:
                return self._archive.read(info)
        if info.file_size >= LARGE:
            return self._in_one_buffer(info)
        with self._turn:
            self._file.seek(self._start(info))
            packed = self._file.read(info.compress_size)
        if info.compress_type == zipfile.ZIP_DEFLATED:
            stream = zlib.decompressobj(-zlib.MAX_WBITS)
            data = stream.decompress(packed, info.file_size + 1)  # one more than stated shows that there is more
            if not stream.eof and len(data) <= info.file_size:
                raise EOFError(f"{info.filename} is cut off")
        else:
            data = packed
        _compare(info, len(data), zlib.crc32(data))
        return data

    def _in_one_buffer(self, info: zipfile.ZipInfo) -> bytearray:
        """Return what a large entry holds; neither its bytes nor the packed ones are in memory twice."""
        data, size = bytearray(info.file_size), 0
        with memoryview(data) as room:
            for part in self._parts(info):
                size += len(part)
                if size > info.file_size:
                    break
                room[size - len(part) : size] = part
        _compare(info, size, zlib.crc32(data))
        return data

    def _huge(self, info: zipfile.ZipInfo) -> Member:
        """Return what a file is that is never in memory as a whole; one that is looked into goes to the disk."""
        digest, crc, size, before = hashlib.sha256(), 0, 0, b""
        problems: tuple[Problem, ...] = ()
        is_binary = False
        with _unpacked() as unpacked:
            for part in self._parts(info):
                is_binary = is_binary if size else _is_binary(part)
                part_problems = hazards.traces(info.filename, before + part, is_binary=is_binary)
                problems = tuple(dict.fromkeys((*problems, *part_problems)))
                before = (before + part)[-hazards.LONGEST :]
                digest.update(part)
                crc, size = zlib.crc32(part, crc), size + len(part)
                if size > info.file_size:
                    break
                if is_binary or _is_text(info.filename):
                    with _room_told():
                        unpacked.write(part)
            _compare(info, size, crc)
            with _room_told():
                unpacked.flush()
            if not unpacked.tell():
                return Member(path=info.filename, size=size, sha256=digest.hexdigest(), problems=problems)
            with mmap.mmap(unpacked.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _described(info, data, digest.hexdigest(), problems)

    def _parts(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        with self._turn:
            at = self._start(info)
        end = at + info.compress_size
        stream = zlib.decompressobj(-zlib.MAX_WBITS) if info.compress_type == zipfile.ZIP_DEFLATED else None
        while at < end:
            with self._turn:
                self._file.seek(at)
                packed = self._file.read(min(_PART, end - at))
            if not packed:
                raise EOFError(f"{info.filename} is cut off")
            at += len(packed)
            if stream is None:
                yield packed
            while stream and packed:
                yield stream.decompress(packed, _PART)
                packed = stream.unconsumed_tail
        if stream:
            yield stream.flush()

    def _start(self, info: zipfile.ZipInfo) -> int:
        """Return where an entry's data begins, which its own header decides."""
        if info.header_offset + info.compress_size > self._end:
            raise EOFError(f"{info.filename} is cut off")
        self._file.seek(info.header_offset)
        header = self._file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
            raise zipfile.BadZipFile(f"{info.filename} is not where the archive's directory says")
        _, _, flags, *_, name_length, extra_length = _LOCAL.unpack(header)
        name = self._file.read(name_length)
        if name.decode("utf-8" if flags & _UTF8 else "cp437", "replace") != info.orig_filename:
            raise zipfile.BadZipFile(f"{info.filename} has another name in its own header: {name!r}")
        return int(info.header_offset + _LOCAL.size + name_length + extra_length)


@contextmanager
def _unpacked() -> Iterator[IO[bytes]]:
    """Give a file of the temporary folder, which goes with the block."""
    with _room_told():
        file = tempfile.TemporaryFile(prefix="mamba-press-")  # noqa: SIM115 - closed below
    with file:
        yield file


@contextmanager
def _room_told() -> Iterator[None]:
    """Say of what the temporary folder refuses that it is this folder, and not the wheel."""
    try:
        yield
    except OSError as error:
        where = f"the temporary folder {tempfile.gettempdir()}, where its largest binaries are unpacked"
        hint = "TMPDIR names another"
        raise OSError(error.errno, f"{error.strerror or error} in {where}; {hint}") from error


def _compare(info: zipfile.ZipInfo, size: int, crc: int) -> None:
    if size != info.file_size or crc != info.CRC:
        raise zipfile.BadZipFile(f"{info.filename} is damaged: its checksum or size is not what the archive states")


def _described(info: zipfile.ZipInfo, data: Data, sha256: str, problems: Sequence[Problem]) -> Member:
    """Describe one file, and look at it closely when it is a binary."""
    binary: Binary | None = None
    whats: tuple[str, ...] = ()
    if _is_binary(data):
        try:
            binary = binaries.read(data)
            whats = binaries.layout_problems(data) if binary else ()
            if binary and hazards.is_cpp_runtime(info.filename, binary):
                what = hazards.uncounted(binaries.unique_symbols(data))
                whats = (*whats, what) if what else whats
            if binary and binary.format == "elf" and any(map(policies.internals, binary.needed)):
                taken = filter(policies.is_internal, binaries.symbols(data).imports)
                binary = replace(binary, internals=tuple(sorted(taken)))
        except binaries.Malformed as error:
            whats = (f"is a broken binary: {error}",)
    return Member(
        path=info.filename,
        size=len(data),
        sha256=sha256,
        data=bytes(data) if _is_text(info.filename) else None,
        binary=binary,
        problems=(*(Problem(where=info.filename, what=what) for what in whats), *problems),
    )


def _is_binary(data: Data) -> bool:
    return binaries.format_of(bytes(data[:8])) is not None


def _is_text(path: str) -> bool:
    """Whether a file's content is looked at by name, beyond what holds for all."""
    return is_dist_info(path) or _adds_folders(path)


def _adds_folders(path: str) -> bool:
    return path.endswith(("/__init__.py", "/_mamba_press.py")) and installed(path).count("/") == 1
