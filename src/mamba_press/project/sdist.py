"""Write a source distribution."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.atomic import replacing
from mamba_press.errors import BuildError, ContentError, Problem, WriteError

if TYPE_CHECKING:
    from packaging.version import Version

File = tuple[str, Path | bytes, bool]
"""A path in the sdist's folder, what is written there, and whether it is executable."""

EARLIEST = 315532800
"""1980-01-01, the date of every file when no epoch is given: the earliest that a ZIP file can hold, for the tools that
make one of an unpacked sdist."""


def write(  # noqa: PLR0913  # these are what an sdist consists of
    files: Sequence[File], *, name: str, version: Version | str, pkg_info: bytes, directory: Path, epoch: int | None
) -> Path:
    """Write ``name-version.tar.gz`` (PEP 625) with these files and PKG-INFO, and return its path.

    The bytes depend on the arguments and on zlib only. The file appears under its name only when it is complete.
    Raises ContentError for a path that is there twice or leaves the sdist, WriteError when it cannot be written.
    """
    from packaging.utils import canonicalize_name

    stem = f"{canonicalize_name(name).replace('-', '_')}-{version}"
    entries = sorted([*files, ("PKG-INFO", pkg_info, False)], key=lambda file: file[0])
    ContentError.raise_for(_bad([path for path, _, _ in entries]))
    date = EARLIEST if epoch is None else max(epoch, 0)
    target = directory / f"{stem}.tar.gz"
    with (
        replacing(target) as file,
        gzip.GzipFile("", "wb", 9, file, mtime=date) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive,
    ):
        for path, source, executable in entries:
            info = tarfile.TarInfo(f"{stem}/{path}")
            info.mode = 0o755 if executable else 0o644
            info.mtime = date
            _add(archive, info, source)
    return target


def read(path: Path, folder: Path) -> tuple[tuple[File, ...], bytes]:
    """Return the files of a source distribution, copied into ``folder``, and its PKG-INFO, which is not among them.

    What links lead to is there under both names. Raises BuildError for an archive that is no source distribution.
    """
    files: list[File] = []
    try:
        with tarfile.open(path) as archive:
            for number, member in enumerate(member for member in archive if not member.isdir()):
                content = archive.extractfile(member)
                _, _, below = member.name.partition("/")
                if content is None or not below:
                    raise BuildError(Problem(where=f"{path.name}: {member.name}", what="is no file of an sdist"))
                copy = folder / str(number)
                with content, copy.open("wb") as file:
                    shutil.copyfileobj(content, file)
                files.append((below, copy, bool(member.mode & 0o100)))
    except (tarfile.TarError, gzip.BadGzipFile, KeyError, EOFError, zlib.error) as error:
        raise BuildError(Problem(where=path.name, what=f"the inner backend's sdist cannot be read: {error}")) from None
    about = next((source for name, source, _ in files if name == "PKG-INFO"), None)
    if not isinstance(about, Path):
        raise BuildError(Problem(where=path.name, what="the inner backend's sdist has no PKG-INFO"))
    return tuple(file for file in files if file[0] != "PKG-INFO"), about.read_bytes()


def _add(archive: tarfile.TarFile, info: tarfile.TarInfo, source: Path | bytes) -> None:
    if isinstance(source, bytes):
        info.size = len(source)
        archive.addfile(info, BytesIO(source))
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise WriteError(Problem(where=str(source), what=f"cannot be read: {error.strerror or error}")) from error
    with file:
        info.size = os.fstat(file.fileno()).st_size
        try:
            archive.addfile(info, file)
        except OSError as error:
            if error.errno is None:  # tarfile's own: the file ended early
                changed = Problem(where=str(source), what="changed while it was read", hint="try again")
                raise WriteError(changed) from error
            raise


def _bad(paths: Sequence[str]) -> Iterator[Problem]:
    """Yield the paths that a careful unpacker refuses."""
    for path in sorted(path for path, number in Counter(paths).items() if number > 1):
        yield Problem(where=path, what="would be in the sdist twice")
    for path in paths:
        if path.startswith("/") or "\\" in path or any(part in ("", ".", "..") for part in path.split("/")):
            yield Problem(where=path, what="is no path inside the sdist")
