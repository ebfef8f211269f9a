"""``mamba-press check``: what is wrong with finished wheels."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.commands import output

if TYPE_CHECKING:
    from mamba_press.audit.second_reader import SecondReader

EXAMPLES = """\
  mamba-press check dist/*.whl --import            install each afresh, and import it
  mamba-press check built.whl --copy-to dist       cibuildwheel's repair step
"""


class Arguments(argparse.Namespace):
    """What `add` declares."""

    what: list[str]
    json: bool
    imports: bool
    interpreter: str | None
    requires: list[str]
    copy_to: Path | None
    elsewhere: list[str]
    together: bool
    second_reader: bool


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("what", nargs="+", metavar="WHEEL")
    parser.add_argument("--import", dest="imports", action="store_true", help="install it afresh and import it")
    parser.add_argument("--python", dest="interpreter", help="interpreter for --import (default: one that fits)")
    parser.add_argument(
        "--copy-to", type=Path, metavar="DIR", help="copy each wheel with nothing wrong into this folder"
    )
    parser.add_argument(
        "--elsewhere",
        action="append",
        default=[],
        metavar="LIBRARY",
        help="a library, as a glob, that another wheel or the system brings (repeatable)",
    )
    parser.add_argument("--require", dest="requires", action="append", default=[], help="install this too (repeatable)")
    parser.add_argument(
        "--together", action="store_true", help="judge the wheels as they are when all lie in one site-packages"
    )
    parser.add_argument(
        "--second-reader", action="store_true", help="let LIEF read the binaries too, and wheel the whole archive"
    )
    output.options(parser)


def _second_reader(arguments: Arguments) -> AbstractContextManager[SecondReader | None]:
    if not arguments.second_reader:
        return nullcontext()
    from mamba_press.audit import second_reader

    second_reader.require("always", "--second-reader")
    return second_reader.beside(whole=True)


def run(arguments: Arguments, environ: Mapping[str, str]) -> int:  # noqa: ARG001 - a wheel is judged by itself
    """Check every wheel; WriteError's code comes back where one has a problem."""
    from mamba_press.audit import check, smoke_test
    from mamba_press.errors import WriteError

    paths = [Path(what) for what in arguments.what]
    with _second_reader(arguments) as second:
        if arguments.together:
            findings = check.together(paths, elsewhere=arguments.elsewhere, second=second)
        else:
            each = (check.examine(path, elsewhere=arguments.elsewhere, second=second) for path in paths)
            findings = tuple(each)
    reports = {}
    for what, examined in zip(arguments.what, findings, strict=True):
        found = examined
        if arguments.imports and not found.problems:
            wrong = smoke_test.run(Path(what), arguments.interpreter, arguments.requires)
            found = replace(found, problems=wrong)
        reports[what] = found
        if arguments.copy_to and not found.problems:
            check.copy(Path(what), arguments.copy_to)
    if arguments.json:
        problems = {what: [problem.values() for problem in found.problems] for what, found in reports.items()}
        output.say_json({what: {**asdict(found), "problems": problems[what]} for what, found in reports.items()})
    else:
        for what, found in reports.items():
            number = len(found.problems)
            none = "nothing wrong in what was checked" if found.unjudged else "nothing wrong"
            count = none if not number else "1 problem" if number == 1 else f"{number} problems"
            lines = [
                *(f"- {problem}" for problem in found.problems),
                *(f"  note: {note}" for note in (*found.notes, *found.unjudged)),
            ]
            output.say("\n".join([f"{what}: {count}", *lines]))
    return WriteError.code if any(found.problems for found in reports.values()) else 0
