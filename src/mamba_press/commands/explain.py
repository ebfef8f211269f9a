"""``mamba-press explain``: why a wheel is as it is."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.commands import options, output
from mamba_press.errors import ConfigError, Problem

if TYPE_CHECKING:
    from mamba_press.audit.explain import Explanation

EXAMPLES = """\
  mamba-press explain dist/app-1.0-*.whl           one screen: what is in it, why, what sets its tag
  mamba-press explain .                            the same of a project; writes nothing
  mamba-press explain . "*ssl*"                    all that is known of some files, libraries or packages
  mamba-press explain zlib --match "lib*"          the same where specs are pressed
  mamba-press explain . --section left --section libraries
"""

SECTIONS = ("tag", "packages", "licences", "names", "placeholders", "left", "notes", "libraries", "files")
"""Named here as well as in `render`, which a light `--help` does not import."""


class Arguments(options.Arguments):
    """What `add` declares."""

    match: list[str]
    section: list[str]


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.options(parser)
    parser.add_argument("-m", "--match", action="append", default=[], metavar="PATTERN", help="only what matches")
    parser.add_argument(
        "--section", action="append", default=[], choices=[*SECTIONS, "all"], help="the whole of a section (repeatable)"
    )
    output.options(parser)


def run(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Explain a wheel, or what would be pressed."""
    from mamba_press.audit import explain, render

    patterns = list(arguments.match)
    if _is_one(arguments.what[0]):
        patterns += arguments.what[1:]
        arguments.what = arguments.what[:1]
    found = _found(arguments, environ)
    if arguments.json:
        output.say_json(explain.as_json(found))
        return 0
    if patterns:
        sections = render.matching(found, patterns)
        if not sections:
            what = "matches no package, path or library of the wheel"
            hint = "a pattern is a glob, such as '*ssl*'; --section files lists all"
            raise ConfigError(*(Problem(where=pattern, what=what, hint=hint) for pattern in patterns))
    elif arguments.section:
        names = render.SECTIONS if "all" in arguments.section else arguments.section
        sections = tuple(render.section_of(found, name) for name in names)
    else:
        sections = render.overview(found)
    if output.is_terminal(environ):
        try:
            with output.printing(render.plain(sections)) as stream:
                render.draw(sections, stream)
        except ImportError:
            output.say(render.plain(sections))
    else:
        output.say(render.plain(sections))
    return 0


def _is_one(what: str) -> bool:
    """Tell whether the first argument is a wheel, a project or a recipe, so that what follows are patterns."""
    return what.endswith(".whl") or bool(options.projects([what]) or options.recipes([what]))


def _found(arguments: Arguments, environ: Mapping[str, str]) -> Explanation:
    from mamba_press.audit import explain, explain_wheel
    from mamba_press.pipeline import build
    from mamba_press.wheel import writer

    first = arguments.what[0]
    if first.endswith(".whl"):
        return explain_wheel.of_wheel(Path(first))
    order = options.order(arguments, environ)
    with build.pressed(order) as pressed:
        rows = writer.listing(pressed.wheel)
        return explain.of_pressed(pressed, rows, order.config)
