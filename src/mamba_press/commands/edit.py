"""``mamba-press edit``: a released wheel under a new version or build number, without building it again."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.commands import output
from mamba_press.errors import ConfigError, Problem

if TYPE_CHECKING:
    from mamba_press.pipeline import edit

EXAMPLES = """\
  mamba-press edit app-1.5.8-*.whl --require "numpy<2.5" --version-suffix post1
  mamba-press edit app-1.5.8-*.whl --drop-require six --build-number 1 -o released
  mamba-press edit app-1.5.8-*.whl --set "Requires-Python: >=3.11" --version-suffix post1
"""


class Arguments(argparse.Namespace):
    """What `add` declares."""

    what: list[Path]
    require: list[str]
    drop: list[str]
    fields: list[str]
    build: str | None
    suffix: str | None
    tag: str | None
    output: Path
    force: bool
    json: bool


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("what", nargs="+", type=Path, metavar="WHEEL", help="left as it is")
    parser.add_argument(
        "--require", action="append", default=[], metavar="REQUIREMENT", help="require this too (repeatable)"
    )
    parser.add_argument(
        "--drop-require", dest="drop", action="append", default=[], metavar="NAME", help="require it no longer"
    )
    parser.add_argument(
        "--set", dest="fields", action="append", default=[], metavar='"FIELD: VALUE"', help="a field of METADATA"
    )
    names = parser.add_mutually_exclusive_group()
    names.add_argument("--build-number", dest="build", metavar="N", help="the same version, built later")
    names.add_argument("--version-suffix", dest="suffix", metavar="postN", help="a later version: 1.5.8.post1")
    parser.add_argument("--tag", help="other tags, py3-none-any, or another platform; refused if untrue")
    parser.add_argument("-o", "--output", type=Path, default=Path("dist"), help="folder for the wheels (default: dist)")
    output.force(parser)
    output.options(parser)


def run(arguments: Arguments, environ: Mapping[str, str]) -> int:  # noqa: ARG001 - all that counts is in the wheel
    """Edit the wheels, and say what reaches whom."""
    from mamba_press import log
    from mamba_press.pipeline import edit

    edited = edit.edit(arguments.what, _changes(arguments), arguments.output)
    for one in edited:
        for line in (*one.words, *one.notes):
            log.note(f"{one.source.name}: {line}")
    for line in dict.fromkeys(line for one in edited for line in edit.reach(one)):
        log.note(line)
    output.result(
        {"version": 1, "wheels": [_row(one, arguments.output) for one in edited]},
        "\n".join(str(arguments.output / str(one.new)) for one in edited),
        as_json=arguments.json,
    )
    return 0


def _changes(arguments: Arguments) -> edit.Changes:
    from mamba_press.pipeline.edit import Changes

    pairs = [(name.strip(), value.strip()) for name, _, value in (text.partition(":") for text in arguments.fields)]
    ConfigError.raise_for(
        Problem(where=f"--set {text!r}", what="names no field", hint='write --set "Field: value"')
        for text, (name, _) in zip(arguments.fields, pairs, strict=True)
        if not name or ":" not in text
    )
    return Changes(
        require=tuple(arguments.require),
        drop=tuple(arguments.drop),
        fields=tuple(pairs),
        build=arguments.build,
        suffix=arguments.suffix,
        tag=arguments.tag,
        forced=arguments.force,
    )


def _row(one: edit.Edited, folder: Path) -> dict[str, object]:
    from mamba_press.pipeline.edit import reach

    return {
        "wheel": str(folder / str(one.new)),
        "from": str(one.source),
        "version": one.new.version,
        "build": one.new.build or None,
        "changes": list(one.words),
        "reach": list(reach(one)),
        "notes": list(one.notes),
    }
