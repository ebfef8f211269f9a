"""The whole command line as a parser; only the command that is called is asked for its arguments."""

from __future__ import annotations

import argparse
from collections.abc import Container, Sequence

from mamba_press import __version__, commands

_EPILOG = """\
examples:
  mamba-press press .                                   the project in this folder
  mamba-press press "libcurl 8.*" -c conda-forge -o dist --python 3.12
  mamba-press press zlib --platform linux-aarch64       for another machine
  mamba-press explain .                                 what would be in the wheel, and what sets its tag
  mamba-press check dist/*.whl --import
  mamba-press edit dist/*.whl --require "numpy<2.5" --version-suffix post1

Results go to standard output, all else to standard error. `mamba-press COMMAND --help` has examples of each command.
exit codes: 2 configuration and usage, 3 solve, 4 fetch, 5 content, 6 writing and check, 7 build, 8 output,
            129 ended by SIGHUP, 130 interrupted, 143 ended by SIGTERM
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for; ends the process, as argparse does, where that is help or means nothing."""
    called = next((argument for argument in arguments if not argument.startswith("-")), "")
    return parser(whole=(called,)).parse_args(arguments)


def parser(whole: Container[str]) -> argparse.ArgumentParser:
    """Return the parser; of commands that are not in ``whole`` it knows the name and a line of help."""
    made = argparse.ArgumentParser(
        prog="mamba-press",
        description="Press conda packages into wheels.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"mamba-press {__version__}")
    made.set_defaults(presses=False, warnings=None, locked=False, frozen=False)
    each = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in commands.HELP.items():
        command = commands.load(name) if name in whole else None
        described = each.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"examples:\n{command.EXAMPLES}" if command else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if command:
            command.add(described)
    return made
