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

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mamba_press import log, parallel
from mamba_press.atomic import replacing
from mamba_press.types import Entry, Wheel
from mamba_press.wheel.compress import Compression, Compressor, compressor, zlib_part
from mamba_press.wheel.content import Row, Sized, contents_of, describe, measure, parts_of, path_of, record, row_of
from mamba_press.wheel.names import ordered
from mamba_press.wheel.zip_format import DEFLATED, STORED, Archive, dos_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mamba_press.wheel.read import Seen


_Result = TypeVar("_Result")

WINDOW = 64 << 20
"""How many bytes of entries are compressed together; at most two windows are in memory."""

_BATCH = 1 << 18
"""How many bytes of small files one thread takes at once: handing over each alone would cost as much as its work."""


class _Packed(NamedTuple):
    """An entry that is ready to be appended; ``data`` is None for a huge one, which is yet to be read."""

    of: Sized
    row: Row | None = None
    data: bytes | bytearray | None = None
    method: int = STORED
    crc: int = 0


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
    entries = ordered(wheel)
    used = compressor(compression)
    target = directory / wheel.file_name
    sized = measure(entries)
    with replacing(target) as file:
        # The threads end before others begin: they would keep their memory.
        with _pool(threads) as pool:
            archive = Archive(file, dos_time(epoch))
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
    sized: Sequence[Sized]
    pool: ThreadPoolExecutor
    seen: Seen | None


def _fill(archive: Archive, work: _Work, used: Compressor) -> None:
    """Write all entries, RECORD and the directory."""
    wheel, sized, pool, seen = work
    rows: list[Row] = []
    done, total = 0, sum(one.size for one in sized) if log.shows_progress() else 0
    for packed in _in_order(pool, sized, lambda one: _pack(one, used, seen)):
        rows.append(_append(archive, packed) if packed.row else _append_huge(archive, packed.of, used, pool))
        if total:
            done += packed.of.size
            log.progress(f"compressing, {done / 1e6:.1f} of {total / 1e6:.1f} MB", done, total)
    log.progress_end()
    rows += [_append(archive, _pack(one, used)) for one in _bill(wheel, rows)]
    _append(archive, _packed_record(wheel, rows, used))
    archive.finish()


def listing(wheel: Wheel, *, threads: int | None = None) -> tuple[Row, ...]:
    """Return the rows of the RECORD that :func:`write` would write, in the archive's order, RECORD's own last.

    Raises as :func:`write` does for content that it would refuse.
    """
    sized = measure(ordered(wheel))
    with _pool(threads) as pool:
        rows = list(_in_order(pool, sized, describe))
    rows += [describe(one) for one in _bill(wheel, rows)]
    text = record(wheel, rows)
    return (*rows, Row(path=path_of(wheel), size=len(text), sha256=None, why="the wheel's list of files"))


def _bill(wheel: Wheel, rows: Iterable[Row]) -> tuple[Sized, ...]:
    """Return the one entry that is made of the others' hashes, if the wheel has it."""
    if wheel.bill is None:
        return ()
    entry = wheel.bill.entry(wheel, {row.path: row.sha256 for row in rows if row.sha256 is not None})
    assert isinstance(entry.source, bytes)
    return (Sized(entry=entry, size=len(entry.source)),)


def _pack(one: Sized, used: Compressor, seen: Seen | None = None) -> _Packed:
    """Return an entry with its row, ready to be appended; a huge one as it is."""
    if one.is_huge:
        return _Packed(of=one)
    data = contents_of(one)
    if seen and one.entry.edits is not None:
        seen(one.entry.path, data)
    row = row_of(one.entry, len(data), hashlib.sha256(data).hexdigest())
    crc = used.crc32(data)
    small = used.deflate(data) if used.deflate else data
    if len(small) >= len(data):
        return _Packed(of=one, row=row, data=data, crc=crc)
    return _Packed(of=one, row=row, data=small, crc=crc, method=DEFLATED)


def _packed_record(wheel: Wheel, rows: Sequence[Row], used: Compressor) -> _Packed:
    text = record(wheel, rows)
    return _pack(Sized(entry=Entry(path=path_of(wheel), source=text), size=len(text)), used)


@contextmanager
def _pool(threads: int | None) -> Iterator[ThreadPoolExecutor]:
    """Give a pool of threads; when the block fails, what has not begun never begins."""
    pool = ThreadPoolExecutor(threads or parallel.count(), thread_name_prefix="mamba-press")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _windows(sized: Sequence[Sized]) -> Iterator[list[Sized]]:
    """Yield the entries in consecutive groups of at most :data:`WINDOW` bytes, or of one larger entry."""
    window: list[Sized] = []
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


def _in_order(pool: ThreadPoolExecutor, sized: Sequence[Sized], work: Callable[[Sized], _Result]) -> Iterator[_Result]:
    """Yield ``work`` of every entry, in order, with at most two windows under way."""
    waiting: deque[deque[Future[list[_Result]]]] = deque()
    for window in _windows(sized):
        waiting.append(_begin(pool, list(parallel.batches(window, lambda one: one.size, _BATCH)), work))
        if len(waiting) == 2:
            yield from _drain(waiting.popleft())
    for futures in waiting:
        yield from _drain(futures)


def _begin(
    pool: ThreadPoolExecutor, batches: Sequence[list[Sized]], work: Callable[[Sized], _Result]
) -> deque[Future[list[_Result]]]:
    """Hand over the batches, the largest first, and return their futures in the batches' own order."""

    def all_of(batch: Sequence[Sized]) -> list[_Result]:
        return [work(one) for one in batch]

    weights = [sum(one.size for one in batch) for batch in batches]
    begun: dict[int, Future[list[_Result]]] = {}
    for number in sorted(range(len(batches)), key=lambda number: -weights[number]):
        begun[number] = pool.submit(all_of, batches[number])
    return deque(begun[number] for number in range(len(batches)))


def _drain(futures: deque[Future[list[_Result]]]) -> Iterator[_Result]:
    """Yield the results and let go of each batch, so that its bytes are freed when they are written."""
    while futures:
        yield from futures.popleft().result()


def _append(archive: Archive, packed: _Packed) -> Row:
    """Append an entry, and return its row."""
    assert packed.row is not None
    assert packed.data is not None
    archive.append(packed.of.entry, packed.method, packed.data, (packed.crc, packed.row.size))
    return packed.row


def _append_huge(archive: Archive, one: Sized, used: Compressor, pool: ThreadPoolExecutor) -> Row:
    """Append a huge entry, deflated in parts where that is worth it."""
    digest = None
    if used.deflate:
        digest = archive.append_parts(one.entry, DEFLATED, _deflated_parts(one, pool), one.size)
    if digest is None:
        digest = archive.append_parts(one.entry, STORED, ((part, part) for part in parts_of(one)), one.size)
    assert digest is not None
    return row_of(one.entry, one.size, digest)


def _deflated_parts(one: Sized, pool: ThreadPoolExecutor) -> Iterator[tuple[bytes, bytes]]:
    """Yield the parts of a huge entry with their deflated forms, some parts ahead of the caller."""
    ahead: deque[tuple[bytes, Future[bytes]]] = deque()
    before, total = b"", 0
    for part in parts_of(one):
        total += len(part)
        ahead.append((part, pool.submit(zlib_part, part, before, total >= one.size)))
        before = part[-32768:]
        if len(ahead) > 2 * parallel.count():
            data, packed = ahead.popleft()
            yield data, packed.result()
    for data, packed in ahead:
        yield data, packed.result()
