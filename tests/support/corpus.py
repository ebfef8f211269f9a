"""Real conda packages as corpora of binaries: unpacked without conda, to judge editors and other people's tools by."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def archives(folder: Path) -> tuple[Path, ...]:
    """The packages in a folder of a channel, sorted."""
    return tuple(path for path in sorted(folder.iterdir()) if path.name.endswith((".conda", ".tar.bz2")))


def archive_of(folder: Path, name: str) -> Path | None:
    """The package of a name in a folder of a channel."""
    there = archives(folder) if folder.is_dir() else ()
    return next((path for path in there if path.name.rpartition("-")[0].rpartition("-")[0] == name), None)


@contextmanager
def opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """The files of a package; skips the test, saying so, where zstandard is missing."""
    content = archive.read_bytes()
    if archive.suffix == ".conda":
        zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")
        with zipfile.ZipFile(archive) as outer:
            name = next(name for name in outer.namelist() if name.startswith("pkg-"))
            content = zstandard.ZstdDecompressor().stream_reader(outer.read(name)).read()
    with tarfile.open(fileobj=io.BytesIO(content)) as inner:
        yield inner


def contents(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The path and the bytes of each regular file of a package."""
    with opened(archive) as inner:
        for member in inner:
            stream = inner.extractfile(member) if member.isfile() else None
            if stream:
                yield member.name, stream.read()


def unpack(archive: Path, prefix: Path, wanted: Callable[[str], bool] = bool) -> None:
    """Unpack what is wanted of a package into a prefix; what lies there already stays."""
    with opened(archive) as inner:
        files = [each for each in inner.getmembers() if (each.isfile() or each.issym()) and wanted(each.name)]
        new = [each for each in files if not (prefix / each.name).exists()]
        inner.extraction_filter = lambda member, _: member  # nothing is refused; older Pythons do not ask
        inner.extractall(prefix, new)


def prefix_of(folder: Path, prefix: Path, wanted: Callable[[str], bool] = bool) -> Path:
    """Unpack all packages in a folder of a channel into one prefix; a file that two bring is that of the first."""
    for archive in archives(folder):
        unpack(archive, prefix, wanted)
    return prefix
