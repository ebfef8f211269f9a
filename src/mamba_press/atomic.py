"""Files that appear under their names only when they are complete, and several of them together or not at all."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mamba_press import interrupts
from mamba_press.errors import Problem, WriteError

TEMPORARY = ".mamba-press-"
"""How the names of unfinished files start; they end in ``.tmp``, so nobody takes one for a wheel or an sdist."""

_DAY = 24 * 60 * 60

TAKEN = "would be another file under the same name, which indexes refuse and caches do not notice"


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """Give a new file that takes the place of ``target`` when the block ends well, and else disappears.

    The folder is created when it is missing. A process that is killed leaves at most a file whose name starts with
    :data:`TEMPORARY`; ``target`` is then as it was. Raises WriteError, which says what to do, for whatever the file
    system refuses.
    """
    if len(os.fsencode(target.name)) > 255:
        raise WriteError(_refused(OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)), target))
    aside = target.parent / f"{TEMPORARY}{os.urandom(6).hex()}.tmp"
    with told(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("x+b", buffering=1 << 20) as file:
                yield file
            aside.replace(target)
        finally:
            with suppress(OSError):
                aside.unlink()


def require(folder: Path) -> None:
    """Raise WriteError where it is plain that no file can be written into a folder, which need not be there yet."""
    there = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), None)
    with told(folder):
        if there is None:  # a drive or a share that is not there
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if not there.is_dir():
            number = errno.EEXIST if there == folder else errno.ENOTDIR
            raise OSError(number, os.strerror(number))
        if not os.access(there, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def taken(written: Path, target: Path, hint: str) -> tuple[Problem, ...]:
    """Return the problem of a finished file whose name another file has; none where that has the same bytes."""
    import filecmp

    with told(target):
        if not target.is_file() or filecmp.cmp(written, target, shallow=False):
            return ()
    return (Problem(where=str(target), what=TAKEN, hint=hint),)


@contextmanager
def temporary(
    beside: Path | None = None,
    *,
    within: Path | None = None,
    stays: Callable[[BaseException], bool] | None = None,
) -> Iterator[Path]:
    """Give an empty folder that is gone afterwards, also where a signal comes while it is made or removed.

    It lies where temporary files do, or ``within`` another folder for these, or in the folder ``beside``, where others
    look. After an exception for which ``stays`` is true it is left there.
    """
    import tempfile

    with interrupts.held():
        folder = tempfile.mkdtemp(prefix=TEMPORARY if beside else TEMPORARY.removeprefix("."), dir=beside or within)
        is_left = False
        try:
            with interrupts.released():
                yield Path(folder).resolve()
        except BaseException as error:
            is_left = stays is not None and stays(error)
            raise
        finally:
            if not is_left:
                remove(folder)


def remove(folder: str) -> None:
    """Remove a temporary folder as far as that is possible; an empty one also where no file can be opened any more."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106 - a text


def sweep(folder: Path) -> None:
    """Remove the temporary folders that killed processes have left in a folder: those that are older than a day."""
    for path in (*folder.glob(f"{TEMPORARY}*"), *folder.glob(f"{TEMPORARY.removeprefix('.')}*")):
        if is_old(path):
            remove(str(path))


def is_old(path: Path) -> bool:
    """Whether something was last changed more than a day ago; what is not there any more was not."""
    try:
        return time.time() - path.stat().st_mtime > _DAY
    except OSError:
        return False


@contextmanager
def stage(directory: Path | None) -> Iterator[Path]:
    """Give an empty folder that is gone afterwards, on the same file system as the folder that is to be filled.

    That one is created when it is missing, and goes again where nothing has come into it. None is for no folder.
    """
    if directory is None:
        with temporary() as folder:
            yield folder
        return
    made = not directory.exists()
    with told(directory):
        directory.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as inside:
            with told(directory):
                folder = inside.enter_context(temporary(directory))
            yield folder
    finally:
        if made:
            with suppress(OSError):  # what is in it stays
                directory.rmdir()


@contextmanager
def moving(aside: Path) -> Iterator[Callable[[Path, Path], None]]:
    """Give a function that moves a file to a new place; when the block ends badly, all is again as it was before.

    What lay there before is kept meanwhile in the folder ``aside``, which is of the same file system. The function
    raises WriteError for what the file system refuses.
    """
    done: list[tuple[Path, Path | None]] = []

    def move(source: Path, target: Path) -> None:
        kept = aside / f"{TEMPORARY}{len(done)}.tmp" if target.is_file() or target.is_symlink() else None
        done.append((target, kept))
        with told(target):
            if kept is not None:
                target.replace(kept)
            source.replace(target)

    try:
        yield move
    except BaseException:
        for target, kept in reversed(done):
            if kept is None:
                with suppress(OSError):
                    target.unlink()
            elif kept.is_file() or kept.is_symlink():
                kept.replace(target)
        raise


@contextmanager
def told(target: Path) -> Iterator[None]:
    """Turn what the file system refuses into a WriteError that says what to do about ``target``."""
    try:
        yield
    except OSError as error:
        raise WriteError(_refused(error, target)) from error


_HINTS = {
    errno.ENOSPC: "free some space, or choose an output folder on another device",
    errno.EDQUOT: "free some of your quota, or choose an output folder on another device",
    errno.EFBIG: "the file system or the process's limit (ulimit -f) allows no file of this size",
    errno.EACCES: "make the output folder writable, or choose another",
    errno.EPERM: "make the output folder writable, or choose another",
    errno.EROFS: "the file system is mounted read-only: choose another output folder",
    errno.ENOTDIR: "a part of the path is a file: choose another output folder",
    errno.EEXIST: "a file is where the output folder should be: choose another",
    errno.EISDIR: "a folder has the wheel's name: remove it, or choose another output folder",
    errno.ENAMETOOLONG: "shorten the project's name or version, or ask for fewer tags",
}


def _refused(error: OSError, target: Path) -> Problem:
    """Return the problem of a file system that refused to take the file."""
    return Problem(
        where=str(target),
        what=f"cannot be written: {error.strerror or error}",
        hint=_HINTS.get(error.errno or 0, "choose another output folder"),
    )
