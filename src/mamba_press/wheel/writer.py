"""Write a finished :class:`~mamba_press.types.Wheel` to disk, or list what would be written.

The archive's bytes depend on the wheel, on the compressor with its version (named by :func:`generator`) and on the
date, and on nothing else: not on threads, folder, umask, time zone, locale or Python version. That is why the ZIP
structures are written here rather than by :mod:`zipfile`, whose headers vary with Python's version, and which can
take no entry that is compressed already.

Entries stand in the archive in the wheel's own order, ``.dist-info`` last and RECORD last of all. They are compressed
in consecutive windows of :data:`WINDOW` bytes, the largest of a window first: that balances the cores nearly as well
as sorting the whole archive by size would, keeps what belongs together side by side, and bounds memory by bytes
rather than by entries.

Nothing is believed of what libraries and disk did: see `proof`. What a check asks of each file is asked of the bytes in
memory, so that the finished wheel need not be unpacked for it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mamba_press import log
from mamba_press.atomic import replacing
from mamba_press.types import Entry, Wheel
from mamba_press.wheel import content, entry_cache, huge, parallel, proof, read
from mamba_press.wheel.compress import Compression, Compressor, compressor
from mamba_press.wheel.content import Row, Sized, contents_of, describe, measure, path_of, record, row_of
from mamba_press.wheel.names import ordered
from mamba_press.wheel.proof import Meant, Proven, Prover
from mamba_press.wheel.zip_format import Archive, dos_time

if TYPE_CHECKING:
    from mamba_press.platforms.binary_format import Data
    from mamba_press.wheel.entry_cache import EntryCache
    from mamba_press.wheel.read import Member

    Seen = Callable[[Entry, Data], None]

_Result = TypeVar("_Result")

WINDOW = 64 << 20
"""How many bytes of entries are compressed together; at most two windows are in memory."""

_BATCH = 1 << 18
"""How many bytes of small files one thread takes at once: handing over each alone would cost as much as its work."""


class _Packed(NamedTuple):
    """An entry that is ready to be appended; a huge one is only looked at when it is."""

    of: Sized
    data: bytes | bytearray = b""
    meant: Meant | None = None
    key: bytes = b""
    """Under which the cache is to have it, if it has not."""


def write(  # noqa: PLR0913  # the wheel and its place, and six ways to say how, each with one clear default
    wheel: Wheel,
    directory: Path,
    *,
    compression: Compression | None,
    epoch: int | None,
    threads: int | None = None,
    seen: Seen | None = None,
    verify: Callable[[Proven], None] | None = None,
    cache: EntryCache | None = None,
) -> Path:
    """Write the wheel and return its path; ``directory`` is created when it is missing.

    ``epoch`` dates the entries (SOURCE_DATE_EPOCH), ``threads`` defaults to the cores that the process may use.
    ``seen`` gets every file, in these threads, perhaps twice. ``verify`` gets the complete and proven file, still under
    a temporary name; what it raises keeps the file from getting its own. Until then, and after any error or interrupt,
    a wheel of the same name stays as it was. The ``cache`` changes no byte. Raises ContentError for what PyPI or pip
    would refuse, ConfigError when the compressor is not there, WriteError for everything else, also for a file that is
    not what was to be written.
    """
    entries = ordered(wheel)
    used = compressor(compression)
    target = directory / wheel.file_name
    sized = measure(entries)
    with replacing(target) as file:
        # The threads end before others begin: they would keep their memory.
        with _pool(threads) as pool:
            archive = Archive(file, dos_time(epoch))
            work = _Work(wheel, sized, pool, seen, used, proof.prover(used), cache)
            done = _fill(archive, work)
            if archive.looks_like_an_attack():
                archive.start_again()
                done = _fill(archive, work._replace(used=compressor("store")))
        file.flush()
        path = Path(file.name)
        proven = Proven(path, wheel.file_name, proof.finished(path, done, used.crc32), _members(done))
        del done
        if verify:
            verify(proven)
    return target


class _Work(NamedTuple):
    """What is written, by whom, who else is given what is written, and how it is packed and proven."""

    wheel: Wheel
    sized: Sequence[Sized]
    pool: ThreadPoolExecutor
    seen: Seen | None
    used: Compressor
    prover: Prover
    cache: EntryCache | None


def _members(done: Iterable[Meant]) -> dict[str, Member]:
    return {each.member.path: each.member for each in done}


def _fill(archive: Archive, work: _Work) -> list[Meant]:
    """Write all entries, RECORD and the directory."""
    wheel, sized = work.wheel, work.sized
    done: list[Meant] = []
    at, total = 0, sum(one.size for one in sized) if log.shows_progress() else 0
    for packed in _in_order(work.pool, sized, lambda one: _pack(one, work)):
        done.append(_append(archive, packed, work) if packed.meant else _append_huge(archive, packed.of, work))
        if total:
            at += packed.of.size
            log.progress(f"compressing, {at / 1e6:.1f} of {total / 1e6:.1f} MB", at, total)
    log.progress_end()
    done += [_append(archive, _pack(one, work), work) for one in _bill(wheel, _members(done).values())]
    text = record(wheel, [each.member for each in done])
    one = Sized(entry=Entry(path=path_of(wheel), source=text), size=len(text))
    done.append(_append(archive, _pack(one, work), work))
    archive.finish()
    return done


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


def _bill(wheel: Wheel, rows: Iterable[Row | Member]) -> tuple[Sized, ...]:
    """Return the one entry that is made of the others' hashes, if the wheel has it."""
    if wheel.bill is None:
        return ()
    entry = wheel.bill.entry(wheel, {row.path: row.sha256 for row in rows if row.sha256 is not None})
    assert isinstance(entry.source, bytes)
    return (Sized(entry=entry, size=len(entry.source)),)


def _pack(one: Sized, work: _Work) -> _Packed:
    """Return an entry with what it is, proven and ready to be appended; a huge one as it is."""
    if one.is_huge:
        return _Packed(of=one)
    entry, used, data = one.entry, work.used, contents_of(one)
    if work.seen:
        work.seen(entry, data)
    sha256 = hashlib.sha256(data).hexdigest()
    row_of(entry, len(data), sha256)
    crc = used.crc32(data)
    key = entry_cache.key(used, sha256) if work.cache and len(data) >= entry_cache.SMALLEST else b""
    found = _cached(key, data, work)
    packed = found or (used.deflate(data) if used.deflate else data)
    is_smaller = len(packed) < len(data)
    work.prover.require(entry.path, data, packed if is_smaller and not found else None, crc)
    kept = packed if is_smaller else data
    meant = Meant(read.look(entry.path, data, sha256), entry.executable, crc, len(kept), used.crc32(kept))
    key = key if is_smaller and not found else b""
    return _Packed(of=one, data=kept, meant=meant, key=key)


def _cached(key: bytes, data: bytes | bytearray, work: _Work) -> bytes | None:
    """Return what the cache has of a file, once it is shown to be that."""
    found = work.cache.get(key, len(data)) if work.cache and key else None
    if work.cache and found and not work.prover.proves(data, found):
        work.cache.refuse(key)
        return None
    return found


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


def _append(archive: Archive, packed: _Packed, work: _Work) -> Meant:
    """Append an entry, and return what is now to be found of it."""
    assert packed.meant
    meant = packed.meant
    archive.append(packed.of.entry, meant.method, packed.data, (meant.crc, meant.member.size))
    if work.cache and packed.key:
        work.cache.add(packed.key, packed.data, meant.seal)
    return meant


def _append_huge(archive: Archive, one: Sized, work: _Work) -> Meant:
    """Append a huge entry, deflated in parts where that is worth it; return what is now to be found of it."""
    watch = huge.InParts(one, work.prover, is_packed=work.used.deflate is not None)
    parts = huge.deflated(one, work.used, work.pool) if work.used.deflate else huge.stored(one)
    if not archive.append_parts(one.entry, watch.method, watch.over(parts), one.size):
        watch = huge.InParts(one, work.prover, is_packed=False)
        archive.append_parts(one.entry, watch.method, watch.over(huge.stored(one)), one.size)
    if not watch.passing.is_wanted:
        return watch.meant(b"")
    with content.at_hand(one) as data:
        if work.seen:
            work.seen(one.entry, data)
        return watch.meant(data)
