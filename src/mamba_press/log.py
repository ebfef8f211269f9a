"""What is said to the person who waits: stderr only, because stdout belongs to results.

On a terminal a step is one line that is redrawn; elsewhere (pip, uv and CI pipe us) it is one flushed line.
"""

from __future__ import annotations

import os
import sys

_quiet = False


def set_quiet(quiet: bool) -> None:
    """Say only warnings from now on."""
    global _quiet
    _quiet = quiet


def step(text: str) -> None:
    """Say what is being done now."""
    if not _quiet:
        _line(text)


def note(text: str) -> None:
    """Say something that the user should know at the end, though nothing is wrong."""
    if not _quiet:
        _line(text)


def warn(text: str) -> None:
    """Say that something may not work as the user expects."""
    _line(f"warning: {text}")


def _line(text: str) -> None:
    try:
        print(f"mamba-press: {text}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        # Nobody listens any more, which is no reason not to build; what is in the buffer is not tried again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def progress(text: str) -> None:
    """Redraw the current line of a terminal; says nothing elsewhere."""
    if not _quiet and sys.stderr.isatty():
        print(f"\r\x1b[Kmamba-press: {text}", end="", file=sys.stderr, flush=True)


def progress_end() -> None:
    """Leave the line that `progress` drew."""
    if not _quiet and sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
