"""Ctrl-C and the signals that ask a process to end: each ends a build as an error does, so nothing unfinished stays."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""What the terminal sends, `kill` and CI services, a terminal that is closed, and Windows."""

_PATIENCE = 2.0
"""Seconds after a signal in which others change nothing: what is unfinished is being removed."""
_PAUSE = 0.005
"""Seconds in which a callback returns that Python called between two lines."""


class EndedError(KeyboardInterrupt):
    """A signal, by its number: an interrupt for all that has to clean up after itself."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Held:
    """Whether signals wait, and the one that does: one state of the process, as its signal handlers are."""

    is_held = False
    waits: int | None = None


def held() -> AbstractContextManager[None]:
    """Let signals that `caught` catches wait for the end of the block: for what must be done whole or not at all.

    In other threads than the main one, where no signal comes, nothing is changed: the blocks of several threads do not
    end in the order in which they began.
    """
    return _holding(is_held=True)


def released() -> AbstractContextManager[None]:
    """Let signals come at once again within a block of `held`, first the one that has waited."""
    return _holding(is_held=False)


@contextmanager
def _holding(*, is_held: bool) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, _Held.is_held = _Held.is_held, is_held
    try:
        _release()
        yield
    finally:
        _Held.is_held = before
        _release()


def _release() -> None:
    if not _Held.is_held and _Held.waits is not None:
        number, _Held.waits = _Held.waits, None
        raise EndedError(number)


class _Handler:
    """What is done at a signal: raise `EndedError`, again where Python threw the first one away.

    It throws away what is raised within ``__del__`` and the callbacks of weak references, and calls the hook instead.
    """

    def __init__(self) -> None:
        self.last = -_PATIENCE
        self.came: int | None = None
        self.is_over = False
        self.main = threading.get_ident()
        self.hook = sys.unraisablehook

    def end(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if now - self.last < _PATIENCE:
            return
        self.last, self.came = now, number
        if _Held.is_held:
            _Held.waits = number
        else:
            raise EndedError(number)

    def unraisable(self, found: sys.UnraisableHookArgs) -> None:
        if isinstance(found.exc_value, EndedError):
            number = found.exc_value.number
            with suppress(RuntimeError):  # no memory for a thread: `caught` raises it at its end
                # `threading` takes locks, which what was interrupted may hold.
                _thread.start_new_thread(self.again, (number,))
        else:
            self.hook(found)

    def again(self, number: int) -> None:
        """Send the signal once more when the callback has returned; if it has not, the hook is called once more."""
        time.sleep(_PAUSE)
        if self.is_over:
            return
        self.last = -_PATIENCE
        if sys.platform == "win32":
            signal.raise_signal(number)
        else:
            signal.pthread_kill(self.main, number)  # which ends what the main thread waits for, too


@contextmanager
def caught() -> Iterator[None]:
    """Let each of the signals raise `EndedError` in the block, at its end if whatever it interrupted hid the error.

    Only in the main thread, where Python allows it. Signals that the process ignores, as below ``nohup``, or that a
    program around us handles, stay as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for name in _NAMES if (number := getattr(signal, name, None)) is not None]
    before = {number: signal.getsignal(number) for number in numbers}
    before = {key: value for key, value in before.items() if value in (signal.SIG_DFL, signal.default_int_handler)}
    handler = _Handler()
    sys.unraisablehook = unraisable = handler.unraisable
    for number in before:
        signal.signal(number, handler.end)
    try:
        yield
        if handler.came is not None:
            raise EndedError(handler.came)
    finally:
        handler.is_over = True
        _Held.waits = None
        for number, old in before.items():
            if signal.getsignal(number) == handler.end:  # and not `ignored`
                signal.signal(number, old)
        if sys.unraisablehook == unraisable:
            sys.unraisablehook = handler.hook


def told(ended: KeyboardInterrupt) -> int:
    """Say on standard error that the process was interrupted, and return the exit code: 128 and the signal's number."""
    from mamba_press import log

    number = ended.number if isinstance(ended, EndedError) else signal.SIGINT
    how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    log.error(f"{how}; nothing was left half written")
    return 128 + number


def ignored() -> None:
    """Let nothing interrupt what is left: all is done, and Python only puts itself away."""
    for name in _NAMES:
        if hasattr(signal, name) and sys.platform != "win32":
            signal.signal(getattr(signal, name), signal.SIG_IGN)
