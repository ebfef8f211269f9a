"""The bytes of an entry: those of its source, which its package vouches for, edited; and the line of it in RECORD."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mamba_press.errors import ContentError, Problem, WriteError, harmless
from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binary_format import READING, Data, read_up_to
from mamba_press.types import Entry, Wheel

if TYPE_CHECKING:
    from mamba_press.wheel.read import Member

HUGE = 256 << 20
"""From this size on an unedited file is read, compressed and written in parts, of which few are in memory."""

PART = 12 << 20
"""The size of such a part. It decides the bytes of the archive, so it does not depend on the machine."""

_PRESS_AGAIN = "press again; nothing may change the work folder or the package cache meanwhile"


class Sized(NamedTuple):
    """An entry and the size of its source when writing began."""

    entry: Entry
    size: int

    @property
    def is_huge(self) -> bool:
        """Whether it is read, compressed and written in parts."""
        return self.size >= HUGE and self.entry.edits is None and isinstance(self.entry.source, Path)


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


def measure(entries: Iterable[Entry]) -> tuple[Sized, ...]:
    """Return the entries with their sources' sizes; raise WriteError naming every source that is not there."""
    sizes = [(entry, _size(entry)) for entry in entries]
    problems = [size for _, size in sizes if isinstance(size, Problem)]
    if problems:
        raise WriteError(*problems)
    return tuple(Sized(entry=entry, size=size) for entry, size in sizes if isinstance(size, int))


def _size(entry: Entry) -> int | Problem:
    try:
        return len(entry.source) if isinstance(entry.source, bytes) else entry.source.stat().st_size
    except OSError as error:
        return _vanished(entry, error)


def contents_of(one: Sized) -> bytes | bytearray:
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
        return binary_edits.apply(data, entry.edits)
    except binaries.Malformed as error:
        raise WriteError(Problem(where=entry.path, what=f"could not be edited: {error}")) from error


def parts_of(one: Sized) -> Iterator[bytes]:
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


@contextmanager
def at_hand(one: Sized) -> Iterator[Data]:
    """Give a huge entry's bytes, which lie on the disk."""
    assert isinstance(one.entry.source, Path)
    try:
        with one.entry.source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
    except OSError as error:
        raise WriteError(_vanished(one.entry, error)) from error


def _read_file(path: Path, size: int) -> bytes:
    """Return the first ``size`` bytes of a file; for small ones this takes half of what ``open`` does."""
    descriptor = os.open(path, READING)
    try:
        return read_up_to(descriptor, size)
    finally:
        os.close(descriptor)


def row_of(entry: Entry, size: int, sha256: str) -> Row:
    """Return the row of an entry whose bytes have this hash; raise ContentError where its package states another."""
    if entry.edits is None and isinstance(entry.source, Path):
        _vouch(entry, sha256)
    return Row(path=entry.path, size=size, sha256=sha256, package=entry.package or None, why=str(entry.why or ""))


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


def describe(one: Sized) -> Row:
    """Return the row of an entry."""
    if not one.is_huge:
        data = contents_of(one)
        return row_of(one.entry, len(data), hashlib.sha256(data).hexdigest())
    digest = hashlib.sha256()
    for part in parts_of(one):
        digest.update(part)
    return row_of(one.entry, one.size, digest.hexdigest())


def record(wheel: Wheel, rows: Sequence[Row | Member]) -> bytes:
    """Return the text of RECORD for these rows; the line of RECORD itself is added."""
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    for row in rows:
        lines.writerow((row.path, hash_of(row.sha256) if row.sha256 else "", row.size))
    lines.writerow((path_of(wheel), "", ""))
    return text.getvalue().encode("utf-8")


def path_of(wheel: Wheel) -> str:
    """Return the path of a wheel's RECORD."""
    return f"{wheel.stem}.dist-info/RECORD"


def hash_of(sha256: str) -> str:
    """Return a sha256 as RECORD states it: ``sha256=`` and base64 without padding."""
    return "sha256=" + base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode("ascii")


def _vanished(entry: Entry, error: OSError) -> Problem:
    what = f"its source cannot be read: {error.strerror or error}: {error.filename or entry.source!s}"
    return Problem(where=harmless(entry.path), what=what, hint=_PRESS_AGAIN)


def _changed(one: Sized, size: int) -> Problem:
    what = f"its source changed while it was read: {size} bytes instead of {one.size}: {one.entry.source!s}"
    return Problem(where=harmless(one.entry.path), what=what, hint=_PRESS_AGAIN)
