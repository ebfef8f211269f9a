"""What is said to the person who waits: stderr only, because stdout belongs to results.

A step, a note, a warning is a flushed line. On a terminal that can redraw, progress is one more line below them, which
is drawn again and again and leaves nothing behind; elsewhere (pip, uv and CI pipe us) there is none.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from mamba_press.credentials import hidden
from mamba_press.errors import Note, Voice, Words, warnings

_EVERY = 0.1
"""Seconds between two drawings of a progress."""

_BAR = 20

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line end, and those that turn the direction of writing: names of files have any."""

_LONGEST = 10_000
"""How many characters a line may have: texts of packages have any number, and a terminal chokes on millions."""

_quiet = False
_verbose = False
_can_redraw = True
_drawn = 0.0
"""When the progress was drawn, 0 where none is to be seen."""

_counted: dict[Note, None] | None = None
"""The warnings of the build that is under way, None where none is."""

_is_part = False
"""Whether that build is part of another one."""


def configure(*, quiet: bool = False, verbose: bool = False, redraws: bool = True) -> None:
    """Say only warnings, or details too, from now on; ``redraws`` tells whether a terminal can draw a line again."""
    global _quiet, _verbose, _can_redraw
    _quiet, _verbose, _can_redraw = quiet, verbose, redraws


def step(text: str) -> None:
    """Say what is being done now."""
    if not _quiet:
        _line(text)


def note(text: str) -> None:
    """Say something that the user should know at the end, though nothing is wrong."""
    if not _quiet:
        _line(text)


def detail(text: str) -> None:
    """Say what only those want to know who asked for more."""
    if _verbose:
        _line(text)


def warn(what: Words, hint: Words = "") -> None:
    """Say that something may not work as the user expects: at the end of the build that is under way, else at once."""
    _warn(Note(what, hint, "warning"))


def _warn(warning: Note) -> None:
    if _counted is None:
        _line(str(warning))
    else:
        _counted[warning] = None


def tell(notes: Iterable[Note]) -> None:
    """Say what there is to say of what was made, the warnings last."""
    notes = tuple(notes)
    for each in notes:
        if each.severity == "note":
            note(str(each))
    for each in warnings(notes):
        _warn(each)


@contextmanager
def build(voice: Voice = str) -> Iterator[dict[Note, None]]:
    """Count the warnings of a build, whichever thread says them; say each once at the end, for it is read last.

    Builds that are part of another, such as the targets of a matrix, count what was said before them too. Theirs are
    left to the caller, who has them when the block ends: one may be the same for several. ``voice`` calls the
    settings in what is said as the user does.
    """
    global _counted, _is_part
    outer, was_part = _counted, _is_part
    _counted, _is_part = (found := dict(outer or {})), outer is not None
    try:
        yield found
    finally:
        _counted, _is_part = outer, was_part
        for each in found if outer is None else ():
            _line(each.told(voice))


def is_of_several() -> bool:
    """Tell whether the build that is under way is part of another."""
    return _is_part


def counted() -> tuple[Note, ...]:
    """Return the warnings that were said in the build that is under way."""
    return tuple(_counted or ())


def drop() -> None:
    """Forget the same: the caller says them."""
    if _counted is not None:
        _counted.clear()


def shown(text: str) -> str:
    """Return a text as it may be printed: without passwords, and with what would steer a terminal written out.

    Of a line that is too long for any screen the middle is left out.
    """
    if len(text) > _LONGEST:
        text = "\n".join(map(_fitting, text.split("\n")))
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), hidden(text))


def _fitting(line: str) -> str:
    """Return a line that fits; the URLs in it lose their passwords first, which a cut would hide from who looks."""
    if len(line) <= _LONGEST:
        return line
    line = hidden(line)
    return f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"


def error(text: str) -> None:
    """Say why there is no result, whoever wants to hear less."""
    _line(text)


def require_streams() -> None:
    """Give what was closed the number that it should have: else the next file that is opened would get it, and text.

    Python has then no ``sys.stderr``, for which `print` takes standard output. Nothing is opened where none is closed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # which gets the lowest number that is free
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def flush() -> None:
    """Write what others left in the buffer of standard error, where that can be."""
    _write("")


def _line(text: str) -> None:
    progress_end()
    _write(f"mamba-press: {shown(text)}\n")


def _write(text: str) -> None:
    """Write to standard error; where nobody listens any more, or the disk is full, that is no reason not to build."""
    if sys.stderr is None:
        return
    try:
        print(text, end="", file=sys.stderr, flush=True)
    except OSError:
        # What is in the buffer is not tried again.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def shows_progress() -> bool:
    """Tell whether progress is drawn at all, for who would have to compute it."""
    return not _quiet and _can_redraw and sys.stderr is not None and sys.stderr.isatty()


def progress(text: str, done: float = 0, total: float = 0) -> None:
    """Draw how far something is, where it is drawn; with a total, as a bar. Calls may come as often as they like."""
    global _drawn
    now = time.monotonic()
    if now - _drawn < _EVERY or not shows_progress():
        return
    _drawn = now
    if total:
        part = min(done / total, 1.0)
        text = f"[{'=' * round(part * _BAR):<{_BAR}}] {part:4.0%} {text}"
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        width = 80
    # A line that is longer than the terminal could not be drawn again.
    line = f"mamba-press: {shown(text)}"[: max(width - 1, 0) or 79]
    _write(f"\r\x1b[K{line}")


def progress_end() -> None:
    """Leave no trace of what `progress` drew."""
    global _drawn
    if _drawn:
        _drawn = 0.0
        _write("\r\x1b[K")


@contextmanager
def working(text: str) -> Iterator[None]:
    """Draw for how long something takes that cannot say how far it is."""
    if not shows_progress():
        yield
        return
    ended, start = threading.Event(), time.monotonic()

    def tick() -> None:
        while not ended.wait(_EVERY * 2):
            progress(f"{text}, {time.monotonic() - start:.0f} s")

    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield
    finally:
        ended.set()
        ticking.join()
        progress_end()
