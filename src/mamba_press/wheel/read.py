"""The files of a finished wheel as an installer would unpack them, each read once and looked at closely.

Memory is bounded: files from :data:`HUGE` on are unpacked in parts, and of those from :data:`LARGE` on few at once.
"""

from __future__ import annotations

import hashlib
import mmap
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Literal, NamedTuple

from mamba_press.errors import Problem
from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.linux import hazards, policy
from mamba_press.wheel import parallel, zip_format, zip_read
from mamba_press.wheel.zip_format import Damage

if TYPE_CHECKING:
    from mamba_press.platforms.binary_format import Data
    from mamba_press.types import Binary

HUGE = 256 << 20
"""From this size on, a file is unpacked in parts, a binary to the disk: what it says is read there."""

LARGE = 16 << 20
"""From this size on, a file is taken up only while few others of its size are in memory."""

MOST = 512 << 20
RATIO = 50
"""What unpacks to more than so much, and to more than so many times its size, is not unpacked: PyPI takes it for an
attack from 64 MiB on, and no disk or memory has to hold it."""

TEXTS = {"METADATA": 16 << 20, "WHEEL": 1 << 20, "RECORD": 32 << 20, "entry_points.txt": 1 << 20}
"""The files of ``.dist-info`` that are looked into, and how large they may be: 300 times what popular wheels have, and
for RECORD 250 bytes for each of as many files as `zip_read` reads."""

_MODULE = 16 << 20
_LARGE_AT_ONCE = 2
_HEAD = 8
_BATCH = 1 << 20

UNREADABLE = (OSError, zip_format.ArchiveError)
"""What reading a broken archive raises."""


class Member(NamedTuple):
    """One file of the archive, as read; ``data`` is kept of :data:`TEXTS` and of what adds folders with DLLs.

    ``sha256`` is None where the file was not read.
    """

    path: str
    size: int
    sha256: str | None
    data: bytes | None = None
    binary: Binary | None = None
    problems: tuple[Problem, ...] = ()


Depth = Literal["texts", "hashes", "all"]
"""How much is read: only :data:`TEXTS`; of all other files the hash, too; or what they are."""

Seen = Callable[[str, "Data"], None]
"""Is given each binary with its path, by any thread."""


def read(
    path: Path, entries: Sequence[zip_format.Member], depth: Depth = "all", seen: Seen | None = None
) -> dict[str, Member]:
    """Read the files on all cores; what cannot be unpacked says so.

    Unpacks with zlib, as installers do, and not with the library that compressed: what one gets wrong the other sees.
    Raises OSError for what the disk refuses.
    """
    files = [entry for entry in entries if not entry.is_folder]
    texts = [entry for entry in files if _text_of(entry.name) and entry.size <= _most(entry.name)]
    wanted = [entry for entry in (texts if depth == "texts" else files) if entry.can_be_read]
    found = {
        entry.name: Member(path=entry.name, size=entry.size, sha256=None, problems=_too_large(entry.name, entry.size))
        for entry in files
    }
    source = _Source(path, depth, seen)
    with ThreadPoolExecutor(1 if depth == "texts" else parallel.count(), thread_name_prefix="mamba-press") as pool:
        for members in pool.map(source.members, parallel.batches(wanted, lambda entry: entry.size, _BATCH)):
            found.update((member.path, member) for member in members)
    return found


def require(path: Path) -> tuple[zip_format.Member, ...]:
    """Return the entries of an archive; raises ArchiveError where readers may see others, or it is not unpacked."""
    with path.open("rb") as file:
        entries = zip_read.require(file)
    if is_bomb(entries, path.stat().st_size):
        raise zip_format.ArchiveError(f"it unpacks to more than {RATIO} times its size")
    return entries


def is_bomb(entries: Sequence[zip_format.Member], packed: int) -> bool:
    """Whether the files of an archive of ``packed`` bytes are not to be unpacked for their size."""
    size = sum(entry.size for entry in entries)
    return size > MOST and size > RATIO * packed


def _text_of(path: str) -> str:
    """Return which of :data:`TEXTS` a file is, nothing for any other."""
    folder, _, name = path.partition("/")
    return name if name in TEXTS and folder.endswith(".dist-info") else ""


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
    """An archive from which several threads read, each with a file of its own."""

    def __init__(self, path: Path, depth: Depth, seen: Seen | None) -> None:
        self._path = path
        self._seen = seen
        self._looks = depth == "all"
        self._large = threading.Semaphore(_LARGE_AT_ONCE)

    def members(self, entries: Sequence[zip_format.Member]) -> list[Member]:
        """Return what these entries are."""
        with self._path.open("rb") as file:
            return [self._member(file, entry) for entry in entries]

    def _member(self, file: BinaryIO, entry: zip_format.Member) -> Member:
        try:
            if not self._looks and _most(entry.name) < entry.size:
                return _hashed(file, entry)
            with self._large if entry.size >= LARGE else nullcontext():
                if entry.size >= HUGE:
                    return _huge(file, entry, self._seen)
                data = _whole(file, entry)
                if self._seen and _is_binary(data):
                    self._seen(entry.name, data)
                return look(entry.name, data, hashlib.sha256(data).hexdigest())
        except zip_format.ArchiveError as error:
            damage = Damage(where=entry.name, what=error.what)
            return Member(path=entry.name, size=entry.size, sha256=None, problems=(damage,))


def _hashed(file: BinaryIO, entry: zip_format.Member) -> Member:
    digest = hashlib.sha256()
    for part in zip_read.parts(file, entry):
        digest.update(part)
    return Member(
        path=entry.name, size=entry.size, sha256=digest.hexdigest(), problems=_too_large(entry.name, entry.size)
    )


@contextmanager
def at_hand(file: BinaryIO, entry: zip_format.Member) -> Iterator[Data]:
    """Give what an entry holds; a huge one lies on the disk. Raises ArchiveError, and OSError for what that refuses."""
    if entry.size < HUGE:
        yield _whole(file, entry)
        return
    with _unpacked() as unpacked:
        for part in zip_read.parts(file, entry):
            with _room_told():
                unpacked.write(part)
        with _mapped(unpacked) as data:
            yield data


def _whole(file: BinaryIO, entry: zip_format.Member) -> bytes | bytearray:
    """Return what an entry holds; of a large one neither the bytes nor the packed ones are in memory twice."""
    if entry.size < LARGE:
        return zip_read.content(file, entry)
    data, at = bytearray(entry.size), 0
    with memoryview(data) as room:
        for part in zip_read.parts(file, entry):
            room[at : at + len(part)] = part
            at += len(part)
    return data


def _huge(file: BinaryIO, entry: zip_format.Member, seen: Seen | None) -> Member:
    """Return what a file is that is never in memory as a whole; what is looked into is unpacked to the disk."""
    passing = Passing(entry.name, entry.size)
    with _unpacked() as unpacked:
        for part in zip_read.parts(file, entry):
            passing.add(part)
            if passing.is_wanted:
                with _room_told():
                    unpacked.write(part)
        if not passing.is_wanted:
            return passing.member(b"")
        with _mapped(unpacked) as data:
            if seen and _is_binary(data):
                seen(entry.name, data)
            return passing.member(data)


class Passing:
    """A file that comes by in parts, and is never in memory as a whole."""

    def __init__(self, path: str, size: int) -> None:
        self._path, self._size = path, size
        self._digest, self._head, self._before = hashlib.sha256(), b"", b""
        self._problems: dict[Problem, None] = {}

    @property
    def is_wanted(self) -> bool:
        """Whether what has come by says that all of it is looked into at the end."""
        is_known = len(self._head) == _HEAD and not _is_binary(self._head)
        return not is_known or self._size <= _most(self._path)

    @property
    def sha256(self) -> str:
        """The hash of what has come by."""
        return self._digest.hexdigest()

    def add(self, part: bytes) -> None:
        """Look at the next part."""
        self._head += part[: _HEAD - len(self._head)]
        both = self._before + part
        self._problems.update(dict.fromkeys(hazards.traces(self._path, both, is_binary=_is_binary(self._head))))
        self._before = both[-hazards.LONGEST :]
        self._digest.update(part)

    def member(self, data: Data) -> Member:
        """Return what the file is; ``data`` is all of it where that :attr:`is_wanted`, else empty."""
        return _described((self._path, self._size), data, self.sha256, tuple(self._problems))


def look(path: str, data: bytes | bytearray, sha256: str) -> Member:
    """Return what a file is, by its name and its bytes with their hash."""
    return _described((path, len(data)), data, sha256, hazards.traces(path, data, is_binary=_is_binary(data)))


@contextmanager
def _mapped(unpacked: IO[bytes]) -> Iterator[Data]:
    with _room_told():
        unpacked.flush()
    with mmap.mmap(unpacked.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


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


def _described(of: tuple[str, int], data: Data, sha256: str, problems: Sequence[Problem]) -> Member:
    """Describe one file, given its path and size, and look at it closely when it is a binary."""
    path, size = of
    binary: Binary | None = None
    whats: tuple[str, ...] = ()
    if _is_binary(data):
        try:
            binary = binaries.read(data)
            whats = binary_edits.layout_problems(data) if binary else ()
            if binary and hazards.is_cpp_runtime(path, binary):
                what = hazards.uncounted(binaries.unique_symbols(data))
                whats = (*whats, what) if what else whats
            if binary and any(map(policy.internals, binary.needed)):
                taken = filter(policy.is_internal, binaries.symbols(data).imports)
                binary = replace(binary, internals=tuple(sorted(taken)))
        except binaries.Malformed as error:
            whats = (f"is a broken binary: {error}",)
    return Member(
        path=path,
        size=size,
        sha256=sha256,
        data=bytes(data) if size <= _most(path) else None,
        binary=binary,
        problems=(*_too_large(path, size), *(Problem(where=path, what=what) for what in whats), *problems),
    )


def _too_large(path: str, size: int) -> tuple[Damage, ...]:
    most = _most(path)
    if size <= most or not _text_of(path):
        return ()
    return (Damage(where=path, what=f"has {size:,} bytes, and is not read beyond {most:,}"),)


def _is_binary(data: Data) -> bool:
    return binaries.format_of(bytes(data[:_HEAD])) is not None


def _most(path: str) -> int:
    """Return up to which size a file's content is looked at by its name, beyond what holds for all; -1 for most."""
    return TEXTS.get(_text_of(path), _MODULE if _adds_folders(path) else -1)


def _adds_folders(path: str) -> bool:
    return path.endswith(("/__init__.py", "/_mamba_press.py")) and installed(path).count("/") == 1
