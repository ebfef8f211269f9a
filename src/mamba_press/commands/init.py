"""``mamba-press init``: write a commented ``pyproject.toml``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from mamba_press.commands import options, output
from mamba_press.errors import ConfigError, Problem, WriteError

EXAMPLES = """\
  mamba-press init --from recipe.yaml             the same as a project, in this folder
  mamba-press init --from recipe.yaml -o project
"""


class Arguments(options.Arguments):
    """What `add` declares."""

    recipe: Path
    output: Path


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--from", dest="recipe", type=Path, required=True, metavar="RECIPE", help="a recipe, version 0")
    options.channel(parser)
    parser.add_argument("-o", "--output", type=Path, default=Path(), help="the project's folder (default: this one)")
    parser.set_defaults(setting=[], python=None, platform=None, offline=False)
    output.options(parser)


def run(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Write the project; one that is there already stays."""
    from mamba_press.atomic import replacing
    from mamba_press.conda.match_specs import spec_name
    from mamba_press.config import reader, recipe, recipe_table

    path = arguments.output / "pyproject.toml"
    if path.exists():
        raise ConfigError(Problem(where=str(path), what="is there already", hint="name another folder with -o"))
    read = recipe.read(arguments.recipe)
    settings = options.given(arguments)
    table = recipe_table.table(read) if not read.needs_name else options.table_of_recipe(read, settings, environ)
    reader.from_values(table, settings, environ)  # what it says has to be right, too
    if "channels" in settings:
        table = {"channels": settings["channels"], **table}
    name = read.name or spec_name(read.packages[0])
    text = recipe_table.pyproject(table, name=name, source=arguments.recipe.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise WriteError(Problem(where=str(path), what=f"cannot be written: {error.strerror}")) from error
    output.result({"pyproject": str(path)}, str(path), as_json=arguments.json)
    return 0
