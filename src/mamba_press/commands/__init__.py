"""The commands, one module each: ``add`` declares the arguments, ``run`` does the work and returns the exit code.

Only the module of the command that is called is imported. A new command is a module here and a line in :data:`HELP`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

HELP = {
    "press": "press a project, a recipe, or conda packages without a project, into one wheel",
    "list": "list every file that would be in the wheel, why, and what left; writes nothing",
    "explain": "sum up a wheel, or what would be pressed: what sets its tag, packages, licences, libraries",
    "wheelhouse": "press a whole conda environment into wheels, or install one from there",
    "matrix": "print the targets of a project as the jobs of a CI service",
    "lock": "solve a project for all its targets, and write the solutions beside its pyproject.toml",
    "check": "read finished wheels back and say what is wrong with them",
    "edit": "release a wheel again with other metadata, without building it again",
    "init": "write the project that says what a recipe of mamba-org/mamba-press says",
    "completion": "print what completes this command line in bash, zsh or fish",
}
"""Every command, in the order in which ``--help`` shows them."""


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
