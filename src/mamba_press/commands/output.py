"""Results: standard output, and nothing else there. What is said meanwhile is `log`'s, on standard error."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping


def options(parser: argparse.ArgumentParser) -> None:
    """Declare what every command takes."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    said = parser.add_mutually_exclusive_group()
    said.add_argument("-q", "--quiet", action="store_true", help="say only warnings and errors")
    said.add_argument("-v", "--verbose", action="store_true", help="say more: which packages were solved")


def is_terminal(environ: Mapping[str, str]) -> bool:
    """Tell whether results are drawn for a terminal: standard output is one, or FORCE_COLOR says so."""
    return bool(environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def say(text: str) -> None:
    """Print a result; who stops reading, as `head` does, has read enough."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # What is still in the buffer would be tried again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_json(value: object) -> None:
    """Print a result for a program, as one document."""
    say(json.dumps(value, indent=2))
