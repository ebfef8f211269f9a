"""Ctrl-C and the signals that ask a process to end: each ends a build as an error does, so nothing unfinished stays."""

from __future__ import annotations

import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""What the terminal sends, `kill` and CI services, a terminal that is closed, and Windows."""

_PATIENCE = 2.0
"""Seconds after a signal in which others change nothing: what is unfinished is being removed."""


class EndedError(KeyboardInterrupt):
    """A signal, by its number: an interrupt for all that has to clean up after itself."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Held:
    """Whether signals wait, and the one that does: one state of the process, as its signal handlers are."""

    is_held = False
    waits: int | None = None


@contextmanager
def held() -> Iterator[None]:
    """Let signals that `caught` catches wait for the end of the block: for what must be done whole or not at all.

    In other threads than the main one, where no signal comes, nothing is changed: the blocks of several threads do not
    end in the order in which they began.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, _Held.is_held = _Held.is_held, True
    try:
        yield
    finally:
        _Held.is_held = before
        _release()


@contextmanager
def released() -> Iterator[None]:
    """Let signals come at once again within a block of `held`, first the one that has waited."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, _Held.is_held = _Held.is_held, False
    try:
        _release()
        yield
    finally:
        _Held.is_held = before


def _release() -> None:
    if not _Held.is_held and _Held.waits is not None:
        number, _Held.waits = _Held.waits, None
        raise EndedError(number)


@contextmanager
def caught() -> Iterator[None]:
    """Let each of the signals raise `EndedError` in the block.

    Only in the main thread, where Python allows it. Signals that the process ignores, as below ``nohup``, or that a
    program around us handles, stay as they are.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [number for name in _NAMES if (number := getattr(signal, name, None)) is not None]
        before = {number: signal.getsignal(number) for number in numbers}
        before = {key: value for key, value in before.items() if value in (signal.SIG_DFL, signal.default_int_handler)}
    last = -_PATIENCE

    def end(number: int, _: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PATIENCE:
            last = now
            if _Held.is_held:
                _Held.waits = number
            else:
                raise EndedError(number)

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        _Held.waits = None
        for number, handler in before.items():
            if signal.getsignal(number) == end:  # and not `ignored`
                signal.signal(number, handler)


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
