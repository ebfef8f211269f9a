"""Results: standard output, and nothing else there. What is said meanwhile is `log`'s, on standard error."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TextIO

from mamba_press.errors import OutputError, Problem
from mamba_press.log import shown

_SHOWN = 5
"""How many lines of a result are told in the error that it could not be printed."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare what every command takes."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    said = parser.add_mutually_exclusive_group()
    said.add_argument("-q", "--quiet", action="store_true", help="say only warnings and errors")
    said.add_argument("-v", "--verbose", action="store_true", help="say more: which packages were solved")


def force(parser: argparse.ArgumentParser) -> None:
    """Declare what lets a command replace a file."""
    parser.add_argument("--force", action="store_true", help="allow other bytes under a name that is taken")


def is_terminal(environ: Mapping[str, str]) -> bool:
    """Tell whether results are drawn for a terminal: standard output is one, or FORCE_COLOR says so."""
    return bool(environ.get("FORCE_COLOR")) or (sys.stdout is not None and sys.stdout.isatty())


@contextmanager
def printing(text: str = "") -> Iterator[TextIO]:
    """Give standard output to print a result to; who stops reading, as `head` does, has read enough.

    Raises OutputError where it takes nothing, with ``text``, so that the result is told nevertheless.
    """
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "it is closed")  # noqa: TRY301
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        _drop()
    except OSError as error:
        _drop()
        lines = text.splitlines()
        more = [f"and {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
        hint = "\n".join(["the work is done; only this could not be printed:", *lines[:_SHOWN], *more])
        what = f"takes nothing: {error.strerror or error}"
        raise OutputError(Problem(where="standard output", what=what, hint=hint)) from error


def _drop() -> None:
    """Let what is still in the buffer go nowhere: it would be tried again when Python ends."""
    with suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Print a result; raises as `printing`."""
    with printing(text) as stream:
        encoding = stream.encoding or "utf-8"
        print(shown(text).encode(encoding, "backslashreplace").decode(encoding), file=stream)


def result(value: object, text: str, *, as_json: bool) -> None:
    """Print a result, for a program or as a text."""
    if as_json:
        say_json(value)
    else:
        say(text)


def say_json(value: object) -> None:
    """Print a result for a program, as one document."""
    # The one control character that JSON lets stand, and `log.shown` would write as JSON does not know it.
    say(json.dumps(value, indent=2).replace("\x7f", "\\u007f"))
