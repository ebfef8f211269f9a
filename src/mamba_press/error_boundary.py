"""The boundary of both doors: what a user can act on becomes text and an exit code, all else keeps its traceback."""

from __future__ import annotations

import errno
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mamba_press import log
from mamba_press.errors import PressError, Problem, Setting, WriteError

_OF_THE_MACHINE = {
    errno.ENOSPC: "free some space, or let TMPDIR and RATTLER_CACHE_DIR name folders that have more",
    errno.EDQUOT: "free some of your quota, or let TMPDIR and RATTLER_CACHE_DIR name folders that have more",
    errno.EFBIG: "the file system or the process's limit (ulimit -f) allows no file of this size",
    errno.EROFS: "let TMPDIR and RATTLER_CACHE_DIR name folders that can be written",
    errno.EACCES: "change the permissions, or let TMPDIR and RATTLER_CACHE_DIR name folders of yours",
    errno.EPERM: "change the permissions, or let TMPDIR and RATTLER_CACHE_DIR name folders of yours",
    errno.EMFILE: "raise the number of files that a process may open (ulimit -n)",
    errno.ENFILE: "this machine has too many open files: end other programs",
    errno.EIO: "look at the disk",
}
"""What a user can do about the errors of a machine; any other OSError is a bug of ours and keeps its traceback."""

_LACKS = (
    (MemoryError, "", "does not have enough memory"),
    (ImportError, "failed to map segment from shared object", "does not have enough memory"),
    (SystemError, "error return without exception set", "does not have enough memory"),  # in an import, of Python 3.11
    (RuntimeError, "can't start new thread", "cannot start more threads"),
)
"""What the machine lacks, by errors of Python; not all of them have a class of their own."""


@contextmanager
def hook(settings: Mapping[str, object] | None, environ: Mapping[str, str]) -> Iterator[None]:
    """Turn what the user can act on into the message that every front end shows as it is, without a traceback."""

    def voice(setting: Setting) -> str:
        from mamba_press.config import reader

        return reader.as_given(setting, settings, environ)

    try:
        with machine(), uncollected(), log.build(voice):
            yield
    except PressError as error:
        raise SystemExit(f"mamba-press: {log.shown(error.told(voice))}") from None


@contextmanager
def machine() -> Iterator[None]:
    """Turn what the machine refused, such as space or memory, into a WriteError that names the file."""
    try:
        yield
    except (MemoryError, ImportError, SystemError, RuntimeError) as error:
        lacks = next((lacks for kind, end, lacks in _LACKS if isinstance(error, kind) and str(error).endswith(end)), "")
        if not lacks:
            raise
        way_out = "end other programs, or raise the limits of this process (ulimit -v, ulimit -u)"
        raise WriteError(Problem(where="this machine", what=lacks, hint=way_out)) from error
    except OSError as error:
        hint = _OF_THE_MACHINE.get(error.errno or 0)
        if hint is None:
            raise
        where = str(error.filename or "this machine")
        raise WriteError(Problem(where=where, what=f"{error.strerror}", hint=hint)) from error


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python from looking for values that refer to each other in a circle.

    What a press makes goes with its last user; only half a megabyte does not, and to look for that is a tenth of all.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
