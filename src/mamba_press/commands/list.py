"""``mamba-press list``: what would be in the wheel, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mamba_press.commands import asked, output

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

EXAMPLES = """\
  mamba-press list .                               the project in this folder
  mamba-press list zlib --json | jq .entries
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    asked.options(parser)
    output.options(parser)


def run(arguments: asked.Arguments, environ: Mapping[str, str]) -> int:
    """Press as far as the wheel is a value, and show it."""
    from mamba_press import front, report
    from mamba_press import wheel as writer

    with front.pressed(asked.order(arguments, environ)) as pressed:
        rows = writer.listing(pressed.wheel)
    if arguments.json:
        output.say_json(report.as_json(pressed, rows))
    else:
        output.say(report.as_text(pressed, rows))
    return 0
