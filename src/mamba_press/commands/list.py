"""``mamba-press list``: what would be in the wheel, and why."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from mamba_press.commands import options, output

EXAMPLES = """\
  mamba-press list .                               the project in this folder
  mamba-press list zlib --json | jq .entries
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.options(parser)
    output.options(parser)


def run(arguments: options.Arguments, environ: Mapping[str, str]) -> int:
    """Press as far as the wheel is a value, and show it."""
    from mamba_press.audit import report
    from mamba_press.pipeline import build
    from mamba_press.wheel import writer

    with build.pressed(options.order(arguments, environ)) as pressed:
        rows = writer.listing(pressed.wheel)
    if arguments.json:
        output.say_json(report.as_json(pressed, rows))
    else:
        output.say(report.as_text(pressed, rows))
    return 0
