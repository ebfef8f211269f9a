"""``mamba-press press``: write a wheel for each target, check it, print its path."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.commands import options, output
from mamba_press.errors import as_values

if TYPE_CHECKING:
    from mamba_press.pipeline.matrix import Made
    from mamba_press.pipeline.solve import Order

EXAMPLES = """\
  mamba-press press .                              the project in this folder
  mamba-press press . --matrix                     for every target of its matrix
  mamba-press press "libcurl 8.*" -c conda-forge -o dist --python 3.12
  mamba-press press zstd lz4-c --name codecs       one wheel with both; wheelhouse makes one of each
  mamba-press press zlib --platform linux-aarch64,osx-arm64,win-64
"""


class Arguments(options.Arguments):
    """What `add` declares."""

    output: Path
    matrix: bool
    force: bool


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.options(parser, several=True)
    parser.add_argument("--matrix", action="store_true", help="for every target of the project's matrix")
    parser.add_argument("-o", "--output", type=Path, default=Path("dist"), help="folder for the wheel (default: dist)")
    options.warnings(parser)
    output.force(parser)
    output.options(parser)


def run(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Press one wheel, or one for each target."""
    from mamba_press.pipeline import build

    orders = options.orders(arguments, environ, of_project=arguments.matrix)
    if len(orders) > 1:
        return _several(orders, arguments)
    path, pressed = build.make(orders[0], arguments.output, replaces=arguments.force)
    found = {"wheel": str(path), "tags": pressed.tagging.tags, "lowest": pressed.tagging.lowest}
    output.result({**found, **as_values(pressed.notes)}, str(path), as_json=arguments.json)
    return 0


def _several(orders: Sequence[Order], arguments: Arguments) -> int:
    """Press every target that can be, and tell of those that cannot when all are done."""
    from mamba_press.pipeline import matrix as pipeline_matrix
    from mamba_press.pipeline import solve

    made = pipeline_matrix.press(orders, arguments.output, replaces=arguments.force)
    output.result([_row(each) for each in made], _table(made), as_json=arguments.json)
    failed = [(each.target, each.error) for each in made if each.error is not None]
    if failed:
        raise solve.together(failed, len(orders))
    return 0


def _row(made: Made) -> dict[str, object]:
    return {
        "target": made.target,
        "wheel": None if made.path is None else str(made.path),
        "size": made.size,
        "same-as": made.covered_by,
        "tag-set-by": made.reason or None,
        **as_values(made.notes),
        "problems": [] if made.error is None else [str(problem) for problem in made.error.problems],
    }


def _table(made: Sequence[Made]) -> str:
    """Say of each target which wheel is its own, how large it is and what sets its tag."""
    rows = []
    for each in made:
        if each.path is None:
            rows.append((each.target, "failed: see below", "", ""))
        elif each.covered_by is not None:
            rows.append((each.target, str(each.path), "", f"the same as for {each.covered_by}"))
        else:
            rows.append((each.target, str(each.path), f"{(each.size or 0) / 1e6:.1f} MB", each.reason))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, (*widths, 0), strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
