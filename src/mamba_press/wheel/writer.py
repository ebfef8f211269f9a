"""Write a finished :class:`~mamba_press.types.Wheel` to disk, or list what would be written.

The archive's bytes depend on the wheel, on the compressor with its version (named by :func:`generator`) and on the
date, and on nothing else: not on threads, folder, umask, time zone, locale or Python version. That is why the ZIP
structures are written here rather than by :mod:`zipfile`, whose headers vary with Python's version, and which can
take no entry that is compressed already.

Entries stand in the archive in the wheel's own order, ``.dist-info`` last and RECORD last of all. They are compressed
in consecutive windows of :data:`WINDOW` bytes, the largest of a window first: that balances the cores nearly as well
as sorting the whole archive by size would, keeps what belongs together side by side, and bounds memory by bytes
rather than by entries.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import mmap
import os
import re
import struct
import time
import unicodedata
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, TypeVar

from mamba_press import __version__, log, parallel
from mamba_press.atomic import replacing
from mamba_press.errors import ConfigError, ContentError, WriteError
from mamba_press.platforms import binaries
from mamba_press.platforms.binary_format import READING, read_up_to
from mamba_press.problem import harmless
from mamba_press.types import Entry, Problem, Wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mamba_press.wheel.read import Seen

Compression = Literal["libdeflate", "zlib", "store"]

_Result = TypeVar("_Result")

LEVEL = 6
"""libdeflate's level 6 is smaller than zlib's levels 6 and 9, for a third of the time of zlib's level 6."""

WINDOW = 64 << 20
"""How many bytes of entries are compressed together; at most two windows are in memory."""

HUGE = 256 << 20
"""From this size on an unedited file is read, compressed and written in parts; no more than some parts are in memory.

The parts are compressed by zlib, the only compressor here whose output can be joined.
"""

PART = 8 << 20
"""The size of such a part. It decides the bytes of the archive, so it does not depend on the machine."""

EARLIEST = 315532800
"""1980-01-01: the earliest date that a ZIP file can state, and the date of every entry when no epoch is given: it is
visibly not a real date, and any fixed one serves."""

LATEST = 4354819199
"""2107-12-31, the last date that a ZIP file can state."""

PYPI_RATIO = 50
PYPI_RATIO_FROM = 64 << 20
"""PyPI takes an archive that unpacks to more than 64 MiB and to more than 50 times its size for an attack; it is
written again with everything stored."""

_UNWRITABLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories: control characters, lone surrogates, line and paragraph separators (which end lines of RECORD
for whoever splits it as Python's ``splitlines`` does)."""

_ODD_PATH = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)")
"""An absolute path, or one with a part that is empty, ``.`` or ``..``."""

_BATCH = 1 << 18
"""How many bytes of small files one thread takes at once: handing over each alone would cost as much as its work."""

_STORED, _DEFLATED = 0, 8
_LONG_FROM = 0xFFFFFFFF
_MANY_FROM = 0xFFFF


@dataclass(frozen=True, kw_only=True, slots=True)
class Compressor:
    """What makes the bytes: its name, its version, and the function that deflates a whole entry, None for storing.

    ``crc32`` is the fastest that comes with it.
    """

    name: Compression
    version: str
    deflate: Callable[[bytes | bytearray], bytes | bytearray] | None
    crc32: Callable[[bytes | bytearray], int] = zlib.crc32

    def __str__(self) -> str:
        if self.name == "libdeflate":
            return f"libdeflate level {LEVEL}, deflate {self.version}"
        return f"zlib {self.version} level {LEVEL}" if self.name == "zlib" else "stored"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of RECORD, and of a listing: what is written, of which package it is, and why it is there.

    ``package`` is None for what mamba-press wrote itself; ``sha256`` is hexadecimal, None for RECORD only.
    """

    path: str
    size: int
    sha256: str | None
    package: str | None = None
    why: str = ""


class _Sized(NamedTuple):
    """An entry and the size of its source when writing began."""

    entry: Entry
    size: int

    @property
    def is_huge(self) -> bool:
        return self.size >= HUGE and self.entry.edits is None and isinstance(self.entry.source, Path)


class _Packed(NamedTuple):
    """An entry that is ready to be appended; ``data`` is None for a huge one, which is yet to be read."""

    of: _Sized
    row: Row | None = None
    data: bytes | bytearray | None = None
    method: int = _STORED
    crc: int = 0


def compressor(compression: Compression | None) -> Compressor:
    """Return the compressor asked for; None means libdeflate where it is importable, else zlib.

    Raises ConfigError when libdeflate is asked for and not there.
    """
    if compression == "store":
        return Compressor(name="store", version="", deflate=None)
    if compression in (None, "libdeflate"):
        try:
            import deflate
        except ImportError as error:
            if compression:
                raise ConfigError(_no_libdeflate()) from error
        else:
            level = LEVEL
            return Compressor(
                name="libdeflate",
                version=deflate.__version__,
                deflate=lambda data: deflate.deflate_compress(data, level),
                crc32=deflate.crc32,
            )
    return Compressor(name="zlib", version=zlib.ZLIB_RUNTIME_VERSION, deflate=_zlib_deflate)


def generator(compression: Compression | None) -> str:
    """Return the text of WHEEL's Generator line, which names all that decides the archive's bytes."""
    return f"mamba-press {__version__} ({compressor(compression)})"


def write(  # noqa: PLR0913  # the wheel and its place, and five ways to say how, each with one clear default
    wheel: Wheel,
    directory: Path,
    *,
    compression: Compression | None,
    epoch: int | None,
    threads: int | None = None,
    seen: Seen | None = None,
    verify: Callable[[Path, str], None] | None = None,
) -> Path:
    """Write the wheel and return its path; ``directory`` is created when it is missing.

    ``epoch`` dates the entries (SOURCE_DATE_EPOCH), ``threads`` defaults to the cores that the process may use.
    ``seen`` gets what was edited, in these threads, perhaps twice. ``verify`` gets the complete file, still under a
    temporary name, and the name it is about to get; what it raises keeps the file from getting it. Until then, and
    after any error or interrupt, a wheel of the same name stays as it was. Raises ContentError for what PyPI or pip
    would refuse, ConfigError when the compressor is not there, WriteError for everything else.
    """
    entries = _ordered(wheel)
    used = compressor(compression)
    target = directory / wheel.file_name
    sized = _measure(entries)
    with replacing(target) as file:
        # The threads end before others begin: they would keep their memory.
        with _pool(threads) as pool:
            archive = _Archive(file, _dos_time(epoch))
            work = _Work(wheel, sized, pool, seen)
            _fill(archive, work, used)
            if archive.looks_like_an_attack():
                archive.start_again()
                _fill(archive, work, compressor("store"))
        if verify:
            file.flush()
            verify(Path(file.name), wheel.file_name)
    return target


class _Work(NamedTuple):
    """What is written, by whom, and who else is given what was edited."""

    wheel: Wheel
    sized: Sequence[_Sized]
    pool: ThreadPoolExecutor
    seen: Seen | None


def _fill(archive: _Archive, work: _Work, used: Compressor) -> None:
    """Write all entries, RECORD and the directory."""
    wheel, sized, pool, seen = work
    rows: list[Row] = []
    done, total = 0, sum(one.size for one in sized) if log.shows_progress() else 0
    for packed in _in_order(pool, sized, lambda one: _pack(one, used, seen)):
        rows.append(archive.append(packed) if packed.row else _append_huge(archive, packed.of, used, pool))
        if total:
            done += packed.of.size
            log.progress(f"compressing, {done / 1e6:.1f} of {total / 1e6:.1f} MB", done, total)
    log.progress_end()
    rows += [archive.append(_pack(one, used)) for one in _bill(wheel, rows)]
    archive.append(_packed_record(wheel, rows, used))
    archive.finish()


def listing(wheel: Wheel, *, threads: int | None = None) -> tuple[Row, ...]:
    """Return the rows of the RECORD that :func:`write` would write, in the archive's order, RECORD's own last.

    Raises as :func:`write` does for content that it would refuse.
    """
    sized = _measure(_ordered(wheel))
    with _pool(threads) as pool:
        rows = list(_in_order(pool, sized, _describe))
    rows += [_describe(one) for one in _bill(wheel, rows)]
    text = record(wheel, rows)
    return (*rows, Row(path=_record_path(wheel), size=len(text), sha256=None, why="the wheel's list of files"))


def _bill(wheel: Wheel, rows: Iterable[Row]) -> tuple[_Sized, ...]:
    """Return the one entry that is made of the others' hashes, if the wheel has it."""
    if wheel.bill is None:
        return ()
    entry = wheel.bill.entry(wheel, {row.path: row.sha256 for row in rows if row.sha256 is not None})
    assert isinstance(entry.source, bytes)
    return (_Sized(entry=entry, size=len(entry.source)),)


def record(wheel: Wheel, rows: Sequence[Row]) -> bytes:
    """Return the text of RECORD for these rows; the line of RECORD itself is added."""
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    for row in rows:
        lines.writerow((row.path, f"sha256={_urlsafe(row.sha256)}" if row.sha256 else "", row.size))
    lines.writerow((_record_path(wheel), "", ""))
    return text.getvalue().encode("utf-8")


def refusals(wheel: Wheel) -> tuple[Problem, ...]:
    """Return what PyPI, or an installer on some system, refuses about the wheel's names."""
    problems = []
    same: dict[str, list[Entry]] = {}
    folders: set[str] = set()
    own = _record_path(wheel)
    for entry in wheel.entries:
        problems += [Problem(where=harmless(entry.path), what=what, hint=hint) for what, hint in _bad_name(entry.path)]
        same.setdefault(unicodedata.normalize("NFC", entry.path), []).append(entry)
        for folder in _parents(entry.path):
            if folder in folders:
                break
            folders.add(folder)
        if entry.path == own:
            problems.append(Problem(where=entry.path, what="RECORD is written with the wheel and is no entry of it"))
    problems += [_repeated(entries) for entries in same.values() if len(entries) > 1]
    for path in sorted(folders & same.keys()):
        problems.append(Problem(where=harmless(path), what="is both a file and a folder of the wheel"))
    return tuple(problems)


# --- names


def _ordered(wheel: Wheel) -> tuple[Entry, ...]:
    """Return the entries with those of ``.dist-info`` last; raise ContentError for names that cannot be shipped."""
    problems = refusals(wheel)
    if problems:
        raise ContentError(*problems)
    own = f"{wheel.stem}.dist-info/"
    return tuple(sorted(wheel.entries, key=lambda entry: entry.path.startswith(own)))


def _record_path(wheel: Wheel) -> str:
    return f"{wheel.stem}.dist-info/RECORD"


def _bad_name(path: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the name of an entry, and what to do about it."""
    leave = "leave the file out with tool.mamba-press.select.exclude"
    is_plain = path.isascii() and path.isprintable()
    if not is_plain and any(unicodedata.category(character) in _UNWRITABLE for character in path):
        yield "the name has control characters, line ends, or bytes that are not UTF-8", leave
    if "\\" in path:
        yield "the name has a backslash, which Windows takes for a folder", leave
    if _ODD_PATH.search(path):
        yield "the path is absolute, leaves the wheel, or has empty parts", leave
    if path.endswith(".pyc"):
        yield "compiled Python code belongs to the interpreter that installs the wheel", leave
    length = len(path.encode("utf-8", "surrogatepass"))
    longest = max(len(part.encode("utf-8", "surrogatepass")) for part in path.split("/")) if length > 255 else length
    if length > 1024 or longest > 255:
        yield f"the path is too long ({length} bytes; file systems allow 255 for a name, macOS 1024 in all)", leave


def _repeated(entries: Sequence[Entry]) -> Problem:
    """Return the problem of entries whose paths are the same, perhaps only after Unicode normalisation."""
    owners = ", ".join(entry.package or "mamba-press" for entry in entries)
    alike = len({entry.path for entry in entries}) == 1
    what = f"{len(entries)} files have this path" if alike else "files have this path, in different Unicode spellings,"
    return Problem(
        where=harmless(entries[0].path),
        what=f"{what} from {owners}",
        hint="leave one out with tool.mamba-press.select.exclude, or move it with tool.mamba-press.layout.move",
    )


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield unicodedata.normalize("NFC", path)


# --- contents


def _measure(entries: Iterable[Entry]) -> tuple[_Sized, ...]:
    """Return the entries with their sources' sizes; raise WriteError naming every source that is not there."""
    sizes = [(entry, _size(entry)) for entry in entries]
    problems = [size for _, size in sizes if isinstance(size, Problem)]
    if problems:
        raise WriteError(*problems)
    return tuple(_Sized(entry=entry, size=size) for entry, size in sizes if isinstance(size, int))


def _size(entry: Entry) -> int | Problem:
    try:
        return len(entry.source) if isinstance(entry.source, bytes) else entry.source.stat().st_size
    except OSError as error:
        return _vanished(entry, error)


def _content(one: _Sized) -> bytes | bytearray:
    """Return the bytes that the wheel gets: the source's, edited."""
    entry = one.entry
    if isinstance(entry.source, bytes):
        if entry.origin and _is_compared(entry) and entry.origin.source.is_file():
            _vouch(entry, hashlib.sha256(entry.origin.source.read_bytes()).hexdigest())
        return entry.source if entry.edits is None else _edited(entry, entry.source)
    try:
        if entry.edits is not None and one.size:
            # An edit makes a copy: there is no need for another one to start from.
            with entry.source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                if _is_compared(entry):
                    _vouch(entry, hashlib.sha256(mapped).hexdigest())
                size, data = len(mapped), _edited(entry, mapped)
        else:
            data = _read_file(entry.source, one.size + 1)
            size = len(data) if len(data) <= one.size else entry.source.stat().st_size
    except OSError as error:
        raise WriteError(_vanished(entry, error)) from error
    if size != one.size:
        raise WriteError(_changed(one, size))
    return data


def _edited(entry: Entry, data: bytes | mmap.mmap) -> bytes | bytearray:
    assert entry.edits is not None
    try:
        return binaries.apply(data, entry.edits)
    except binaries.Malformed as error:
        raise WriteError(Problem(where=entry.path, what=f"could not be edited: {error}")) from error


def _parts(one: _Sized) -> Iterator[bytes]:
    """Yield a huge entry's bytes in parts of :data:`PART`."""
    assert isinstance(one.entry.source, Path)
    total = 0
    try:
        with one.entry.source.open("rb", buffering=0) as file:
            while part := read_up_to(file.fileno(), PART):
                total += len(part)
                yield part
    except OSError as error:
        raise WriteError(_vanished(one.entry, error)) from error
    if total != one.size:
        raise WriteError(_changed(one, total))


def _read_file(path: Path, size: int) -> bytes:
    """Return the first ``size`` bytes of a file; for small ones this takes half of what ``open`` does."""
    descriptor = os.open(path, READING)
    try:
        return read_up_to(descriptor, size)
    finally:
        os.close(descriptor)


def _row(entry: Entry, size: int, sha256: str) -> Row:
    """Return the row of an entry whose bytes have this hash; raise ContentError where its package states another."""
    if entry.edits is None and isinstance(entry.source, Path):
        _vouch(entry, sha256)
    return Row(path=entry.path, size=size, sha256=sha256, package=entry.package or None, why=entry.why)


def _is_compared(entry: Entry) -> bool:
    """Whether an entry is, or was made of, the file of a package with a hash that the install has not changed.

    Files with a placeholder were changed by it; those are compared when the prefix is read.
    """
    file = entry.origin
    if file is None or file.placeholder or not file.sha256:
        return False
    return isinstance(entry.source, bytes) or entry.source == file.source


def _vouch(entry: Entry, found: str) -> None:
    """Raise ContentError where the file of a package is not the one whose hash the package states."""
    if entry.origin and _is_compared(entry) and (problem := entry.origin.differs(found)):
        raise ContentError(problem)


def _describe(one: _Sized) -> Row:
    """Return the row of an entry."""
    if not one.is_huge:
        data = _content(one)
        return _row(one.entry, len(data), hashlib.sha256(data).hexdigest())
    digest = hashlib.sha256()
    for part in _parts(one):
        digest.update(part)
    return _row(one.entry, one.size, digest.hexdigest())


def _pack(one: _Sized, used: Compressor, seen: Seen | None = None) -> _Packed:
    """Return an entry with its row, ready to be appended; a huge one as it is."""
    if one.is_huge:
        return _Packed(of=one)
    data = _content(one)
    if seen and one.entry.edits is not None:
        seen(one.entry.path, data)
    row = _row(one.entry, len(data), hashlib.sha256(data).hexdigest())
    crc = used.crc32(data)
    small = used.deflate(data) if used.deflate else data
    if len(small) >= len(data):
        return _Packed(of=one, row=row, data=data, crc=crc)
    return _Packed(of=one, row=row, data=small, crc=crc, method=_DEFLATED)


def _packed_record(wheel: Wheel, rows: Sequence[Row], used: Compressor) -> _Packed:
    text = record(wheel, rows)
    return _pack(_Sized(entry=Entry(path=_record_path(wheel), source=text), size=len(text)), used)


def _zlib_deflate(data: bytes | bytearray) -> bytes:
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


def _zlib_part(data: bytes, before: bytes, is_last: bool) -> bytes:
    """Deflate one part so that it can follow the part that ended with ``before``."""
    if before:
        stream = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before)
    else:
        stream = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)


# --- all cores


@contextmanager
def _pool(threads: int | None) -> Iterator[ThreadPoolExecutor]:
    """Give a pool of threads; when the block fails, what has not begun never begins."""
    binaries.load()
    pool = ThreadPoolExecutor(threads or parallel.count(), thread_name_prefix="mamba-press")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _windows(sized: Sequence[_Sized]) -> Iterator[list[_Sized]]:
    """Yield the entries in consecutive groups of at most :data:`WINDOW` bytes, or of one larger entry."""
    window: list[_Sized] = []
    total = 0
    for one in sized:
        weight = 0 if one.is_huge else one.size
        if window and total + weight > WINDOW:
            yield window
            window, total = [], 0
        window.append(one)
        total += weight
    if window:
        yield window


def _in_order(
    pool: ThreadPoolExecutor, sized: Sequence[_Sized], work: Callable[[_Sized], _Result]
) -> Iterator[_Result]:
    """Yield ``work`` of every entry, in order, with at most two windows under way."""
    waiting: deque[deque[Future[list[_Result]]]] = deque()
    for window in _windows(sized):
        waiting.append(_begin(pool, list(parallel.batches(window, lambda one: one.size, _BATCH)), work))
        if len(waiting) == 2:
            yield from _drain(waiting.popleft())
    for futures in waiting:
        yield from _drain(futures)


def _begin(
    pool: ThreadPoolExecutor, batches: Sequence[list[_Sized]], work: Callable[[_Sized], _Result]
) -> deque[Future[list[_Result]]]:
    """Hand over the batches, the largest first, and return their futures in the batches' own order."""
    begun: dict[int, Future[list[_Result]]] = {}
    for number in sorted(range(len(batches)), key=lambda number: -_weight(batches[number])):
        begun[number] = pool.submit(_all, work, batches[number])
    return deque(begun[number] for number in range(len(batches)))


def _weight(batch: Sequence[_Sized]) -> int:
    return sum(one.size for one in batch)


def _all(work: Callable[[_Sized], _Result], batch: Sequence[_Sized]) -> list[_Result]:
    return [work(one) for one in batch]


def _drain(futures: deque[Future[list[_Result]]]) -> Iterator[_Result]:
    """Yield the results and let go of each batch, so that its bytes are freed when they are written."""
    while futures:
        yield from futures.popleft().result()


# --- the archive


class _Archive:
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

    def append(self, packed: _Packed) -> Row:
        """Append an entry and return its row."""
        assert packed.row is not None
        assert packed.data is not None
        sizes = (packed.crc, len(packed.data), packed.row.size)
        local, central = self._headers(packed.of.entry, packed.method, sizes, len(packed.data))
        self._file.write(local)
        self._file.write(packed.data)
        self._note(central, len(local), sizes)
        return packed.row

    def append_parts(self, entry: Entry, method: int, parts: Iterator[tuple[bytes, bytes]], size: int) -> Row | None:
        """Append an entry from pairs of its bytes and the bytes to write; None, and nothing kept, if not worth it.

        The header is written again when the sizes are known; what it needs for ZIP64 is there from the start.
        """
        digest, crc, written = hashlib.sha256(), 0, 0
        self._file.write(self._headers(entry, method, (0, 0, size), size)[0])
        for data, packed in parts:
            digest.update(data)
            crc = zlib.crc32(data, crc)
            written += len(packed)
            self._file.write(packed)
        start = self._offset
        self._file.seek(start)
        if method == _DEFLATED and written >= size:
            self._file.truncate()
            return None
        local, central = self._headers(entry, method, (crc, written, size), size)
        self._file.write(local)
        self._file.seek(written, os.SEEK_CUR)
        self._note(central, len(local), (crc, written, size))
        return _row(entry, size, digest.hexdigest())

    def finish(self) -> None:
        """Write the central directory."""
        central = b"".join(self._central)
        count = len(self._central)
        self._file.write(central)
        if count >= _MANY_FROM or _is_long(self._offset, len(central)):
            self._file.write(_zip64_end(count, len(central), self._offset))
        self._file.write(
            struct.pack(
                "<4s4H2LH",
                b"PK\5\6",
                0,
                0,
                _short(count),
                _short(count),
                _word(len(central)),
                _word(self._offset),
                0,
            )
        )

    def _headers(self, entry: Entry, method: int, sizes: tuple[int, int, int], most: int) -> tuple[bytes, bytes]:
        """Return the local and the central header of an entry at the current offset.

        ``most`` is the most that the data can take, which decides on ZIP64.
        """
        crc, packed, size = sizes
        name, flags = _encoded(entry.path)
        long = b""
        if _is_long(most, size):
            long = struct.pack("<QQ", size, packed)
            packed = size = 0xFFFFFFFF

        def fields(extra: bytes) -> bytes:
            version = 45 if extra else 20
            sums = (crc, packed, size, len(name), len(extra))
            return struct.pack("<5H3L2H", version, flags, method, *self._stamp, *sums)

        extra = struct.pack("<HH", 1, len(long)) + long if long else b""
        local = b"PK\3\4" + fields(extra) + name + extra
        if _is_long(self._offset):
            long += struct.pack("<Q", self._offset)
            extra = struct.pack("<HH", 1, len(long)) + long
        mode = 0o100755 if entry.executable else 0o100644
        rest = struct.pack("<3H2L", 0, 0, 0, mode << 16, _word(self._offset))
        central = b"PK\1\2" + bytes((45 if extra else 20, 3)) + fields(extra) + rest + name + extra
        return local, central

    def _note(self, central: bytes, header: int, sizes: tuple[int, int, int]) -> None:
        """Keep the central header of an entry that was written at the current offset."""
        _, packed, size = sizes
        self._central.append(central)
        self._offset += header + packed
        self._total += size


def _append_huge(archive: _Archive, one: _Sized, used: Compressor, pool: ThreadPoolExecutor) -> Row:
    """Append a huge entry, deflated in parts where that is worth it."""
    if used.deflate:
        row = archive.append_parts(one.entry, _DEFLATED, _deflated_parts(one, pool), one.size)
        if row:
            return row
    row = archive.append_parts(one.entry, _STORED, ((part, part) for part in _parts(one)), one.size)
    assert row is not None
    return row


def _deflated_parts(one: _Sized, pool: ThreadPoolExecutor) -> Iterator[tuple[bytes, bytes]]:
    """Yield the parts of a huge entry with their deflated forms, some parts ahead of the caller."""
    ahead: deque[tuple[bytes, Future[bytes]]] = deque()
    before, total = b"", 0
    for part in _parts(one):
        total += len(part)
        ahead.append((part, pool.submit(_zlib_part, part, before, total >= one.size)))
        before = part[-32768:]
        if len(ahead) > 2 * parallel.count():
            data, packed = ahead.popleft()
            yield data, packed.result()
    for data, packed in ahead:
        yield data, packed.result()


def _encoded(path: str) -> tuple[bytes, int]:
    """Return a name's bytes and the flag that says UTF-8, which plain ASCII does not need."""
    name = path.encode("utf-8")
    return name, 0 if name.isascii() else 0x800


def _is_long(*sizes: int) -> bool:
    return max(sizes) >= _LONG_FROM


def _word(value: int) -> int:
    """Return a size or an offset as the plain format has it: all ones say that ZIP64's field holds it."""
    return 0xFFFFFFFF if _is_long(value) else value


def _short(count: int) -> int:
    """Return a count as the plain format has it."""
    return 0xFFFF if count >= _MANY_FROM else count


def _zip64_end(count: int, size: int, offset: int) -> bytes:
    """Return the end record, and its locator, of an archive that is too large for the plain one."""
    end = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 3 << 8 | 45, 45, 0, 0, count, count, size, offset)
    return end + struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)


def _dos_time(epoch: int | None) -> tuple[int, int]:
    """Return the time and date words of every entry, in UTC."""
    when = time.gmtime(min(max(epoch if epoch is not None else EARLIEST, EARLIEST), LATEST))
    date = (when.tm_year - 1980) << 9 | when.tm_mon << 5 | when.tm_mday
    return when.tm_hour << 11 | when.tm_min << 5 | when.tm_sec // 2, date


def _urlsafe(sha256: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode("ascii")


# --- what goes wrong


def _no_libdeflate() -> Problem:
    return Problem(
        where="tool.mamba-press.wheel.compression",
        what='"libdeflate" is asked for, but the package deflate is not installed here',
        hint='install it (pip install deflate), or use "zlib"',
    )


def _vanished(entry: Entry, error: OSError) -> Problem:
    return Problem(
        where=harmless(entry.path),
        what=f"its source cannot be read: {error.strerror or error}: {error.filename or entry.source!s}",
        hint="press again; nothing may change the work folder or the package cache meanwhile",
    )


def _changed(one: _Sized, size: int) -> Problem:
    return Problem(
        where=harmless(one.entry.path),
        what=f"its source changed while it was read: {size} bytes instead of {one.size}: {one.entry.source!s}",
        hint="press again; nothing may change the work folder or the package cache meanwhile",
    )
