"""``mamba-press cache``: show the cache of compressed files, or empty it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from mamba_press import messages
from mamba_press.commands import output

EXAMPLES = """\
  mamba-press cache              where it is, and how much it has
  mamba-press cache --empty      remove what it has; wheels are the same without
"""


class Arguments(argparse.Namespace):
    """What `add` declares."""

    empty: bool
    json: bool


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--empty", action="store_true", help="remove what it has")
    output.options(parser)


def run(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Print what the cache has, after it was emptied where that is asked for."""
    from mamba_press.pipeline import build
    from mamba_press.wheel import entry_cache

    folder = build.entries_folder(environ)
    if arguments.empty:
        entry_cache.empty(folder)
    found = entry_cache.contents(folder)
    if arguments.json:
        output.say_json({"folder": str(folder), "size": found.size, "files": found.entries})
    else:
        files = f"{found.entries:,} compressed file{'s' * (found.entries != 1)}"
        output.say(f"{folder}: {files}, {messages.size(found.size)}")
    return 0
