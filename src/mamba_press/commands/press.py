"""``mamba-press press``: write a wheel, check it, print its path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.commands import asked, output

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

EXAMPLES = """\
  mamba-press press .                              the project in this folder
  mamba-press press "libcurl 8.*" -c conda-forge -o dist --python 3.12
  mamba-press press zlib --platform linux-aarch64  for another machine
"""


class Arguments(asked.Arguments):
    """What `add` declares."""

    output: Path


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    asked.options(parser)
    parser.add_argument("-o", "--output", type=Path, default=Path("dist"), help="folder for the wheel (default: dist)")
    output.options(parser)


def run(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Press one wheel."""
    from mamba_press import front

    path, pressed = front.make(asked.order(arguments, environ), arguments.output)
    if arguments.json:
        tagging = pressed.tagging
        found = {"wheel": str(path), "tags": tagging.tags, "lowest": tagging.lowest, "notes": list(pressed.notes)}
        output.say_json(found)
    else:
        output.say(str(path))
    return 0
