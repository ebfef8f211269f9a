"""The whole command line as a parser; only the module of the command that is called is imported.

A new command is a module beside this one and a line in :data:`HELP`.
"""

from __future__ import annotations

import argparse
from collections.abc import Container, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from mamba_press import __version__

HELP = {
    "press": "press a project, a recipe, or conda packages without a project, into one wheel",
    "list": "list every file that would be in the wheel, why, and what left; writes nothing",
    "explain": "sum up a wheel, or what would be pressed: what sets its tag, packages, licences, libraries",
    "wheelhouse": "press a whole conda environment into wheels, or install one from there",
    "matrix": "print the targets of a project as the jobs of a CI service",
    "lock": "solve a project for all its targets, and write the solutions beside its pyproject.toml",
    "check": "read finished wheels back and say what is wrong with them",
    "edit": "release a wheel again with other metadata, without building it again",
    "cache": "show what is kept of compressed files for the next wheel, or remove it",
    "init": "write the project that says what a recipe of mamba-org/mamba-press says",
    "completion": "print what completes this command line in bash, zsh or fish",
}
"""Every command, in the order in which ``--help`` shows them."""

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


class Command(Protocol):
    """What a module of this package offers."""

    EXAMPLES: str
    """Calls to copy, with what each does, for the end of ``--help``."""

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""

    def run(self, arguments: Any, environ: Mapping[str, str]) -> int:  # noqa: ANN401 - each has a Namespace of its own
        """Do what was asked; the exit code comes back, what the user can act on is raised as a PressError."""


def load(name: str) -> Command:
    """Return the command of that name."""
    return cast("Command", import_module(f"mamba_press.commands.{name}"))


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
    for name, text in HELP.items():
        command = load(name) if name in whole else None
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
