"""What is asked of a command that presses: its options, and the order that they make."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.errors import ConfigError, Problem, Setting

if TYPE_CHECKING:
    from mamba_press.config.recipe import Recipe
    from mamba_press.pipeline.read_project import Matrix
    from mamba_press.pipeline.solve import Order


class Sources(argparse.Namespace):
    """What `sources` and one of `target` and `targets` declare."""

    channel: list[str]
    offline: bool
    locked: bool
    frozen: bool
    setting: list[str]
    warnings: str | None
    python: str | None
    platform: str | None
    pythons: list[str]
    platforms: list[str]


class Arguments(Sources):
    """What `options` declares."""

    what: list[str]
    name: str | None
    apart: bool
    json: bool


def options(parser: argparse.ArgumentParser, *, several: bool = False, apart: bool = False) -> None:
    """Declare what is pressed, for what, and from where; for ``several`` targets, use `orders`.

    ``apart`` tells that each package gets a wheel of its own; else several specs need a name for theirs.
    """
    parser.add_argument("what", nargs="+", metavar="ARG", help="a project's folder, a recipe, or conda specs")
    (targets if several else target)(parser)
    sources(parser)
    lock = parser.add_mutually_exclusive_group()
    lock.add_argument(
        "--locked", action="store_true", help="refuse a lock that is missing, stale, or without the target"
    )
    lock.add_argument("--frozen", action="store_true", help="use the lock without checking that it is current")
    if apart:
        parser.add_argument("--name", help="name of the wheelhouse")
    else:
        parser.add_argument("--name", help="name of a wheel pressed without a project; several specs need one")
    parser.set_defaults(presses=True, apart=apart)


def target(parser: argparse.ArgumentParser) -> None:
    """Declare what one wheel is for."""
    parser.add_argument("--python", help="Python to press for, e.g. 3.10 or 3.14t")
    parser.add_argument("--platform", help="wheel tag or conda subdir, e.g. manylinux_2_28_x86_64 or linux-aarch64")


def targets(parser: argparse.ArgumentParser) -> None:
    """Declare what any number of wheels are for."""
    for name, metavar, text in (
        ("python", "X.Y,…", "Pythons, e.g. 3.10,3.13,3.14t (repeatable)"),
        ("platform", "NAME,…", "wheel tags or conda subdirs, e.g. linux-64,osx-arm64,win-64 (repeatable)"),
    ):
        parser.add_argument(
            f"--{name}", dest=f"{name}s", metavar=metavar, type=_listed, action="extend", default=[], help=text
        )
    parser.set_defaults(python=None, platform=None)


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def channel(parser: argparse.ArgumentParser) -> None:
    """Declare the channels alone."""
    help_text = "name, URL, or path such as ./channel (repeatable)"
    parser.add_argument("-c", "--channel", action="append", default=[], help=help_text)


def sources(parser: argparse.ArgumentParser) -> None:
    """Declare where packages come from, and any other key."""
    channel(parser)
    parser.add_argument("--offline", action="store_true", help="use only what the package cache has")
    parser.add_argument(
        "-C", dest="setting", action="append", default=[], metavar="KEY=VALUE", help="any key of [tool.mamba-press]"
    )


def warnings(parser: argparse.ArgumentParser) -> None:
    """Declare what is done about warnings, for a command that makes something."""
    parser.add_argument(
        "-W", dest="warnings", choices=("report", "error"), help="report warnings, or make them an error"
    )


def orders(arguments: Arguments, environ: Mapping[str, str], *, of_project: bool = False) -> tuple[Order, ...]:
    """Return one order for each target that the arguments name; ``of_project`` for those of the project's matrix.

    Every platform with every Python; every problem of every target is raised at once.
    """
    from mamba_press.pipeline import read_project

    if projects(arguments.what):
        _refuse_company(arguments)
        return of_matrix(arguments.what[0], arguments, environ, of_project=of_project)
    if of_project:
        what, hint = "asks for the matrix of a project, and none is named", "name targets: --python, --platform"
        raise ConfigError(Problem(where="--matrix", what=what, hint=hint))
    return read_project.each(_named(arguments), lambda each: _order(arguments, {**given(arguments), **each}, environ))


def of_matrix(
    project: str, arguments: Sources, environ: Mapping[str, str], *, of_project: bool = True
) -> tuple[Order, ...]:
    """Return the orders of a project for the targets that the arguments name, or of its matrix."""
    from mamba_press.pipeline import read_project

    named = _named(arguments, of_project=of_project)
    found = read_project.of_matrix(Path(project).resolve(), given(arguments), environ, named)
    return tuple(_from_here(each, arguments) for each in found)


def _named(arguments: Sources, *, of_project: bool = True) -> Matrix:
    from mamba_press.pipeline.read_project import Matrix

    return Matrix(python=tuple(arguments.pythons), platform=tuple(arguments.platforms), of_project=of_project)


def order(arguments: Arguments, environ: Mapping[str, str]) -> Order:
    """Return what the arguments ask for: a project's folder, a recipe, or specs, for one Python and one platform."""
    ConfigError.raise_for(
        Problem(where=where, what=f"names several, {value}, and this is made for one", hint="make a call for each")
        for where, value in (("--python", arguments.python), ("--platform", arguments.platform))
        if value and "," in value
    )
    return _order(arguments, given(arguments), environ)


def _from_here(order: Order, arguments: Sources) -> Order:
    """Return the order of a project with channels that start at the current folder, where the call names them."""
    return replace(order, channels_from=Path.cwd()) if arguments.channel else order


def _refuse_company(arguments: Arguments) -> None:
    """Raise ConfigError for a project or a recipe beside others, and for a name that is none, such as an unset one."""
    if arguments.name is not None and not arguments.name.strip():
        what, hint = f"{arguments.name!r} is no name", "take letters, digits and . _ - in between, or leave it out"
        raise ConfigError(Problem(where="--name", what=what, hint=hint))
    for kind, found in (("project", projects(arguments.what)), ("recipe", recipes(arguments.what))):
        if found and (len(arguments.what) > 1 or (arguments.name and kind == "project")):
            under = " and under its own name" if kind == "project" else ""
            what = f"is a {kind}, which is pressed alone{under}"
            raise ConfigError(Problem(where=found[0], what=what, hint="press it in a call of its own"))


def _order(arguments: Arguments, settings: dict[str, object], environ: Mapping[str, str]) -> Order:
    from mamba_press.pipeline import read_project

    _refuse_company(arguments)
    if projects(arguments.what):
        return _from_here(read_project.order(Path(arguments.what[0]).resolve(), settings, environ), arguments)
    if recipes(arguments.what):
        return _of_recipe(arguments, settings, environ)
    problems = [problem for what in arguments.what if (problem := _no_spec(what))]
    if named := [key for key in settings if re.fullmatch(r"(mamba[-_]press\.)?packages", key)]:
        what, hint = "names packages, and so do the arguments", "name all of them as arguments"
        problems.append(Problem(where=f"-C {named[0]}", what=what, hint=hint))
    ConfigError.raise_for(problems)
    if len(arguments.what) > 1 and not (arguments.apart or arguments.name):
        _refuse_nameless(arguments.what)
    return _without_project({}, {**settings, "packages": list(arguments.what)}, environ, arguments.name)


def _refuse_nameless(specs: list[str]) -> None:
    """Raise ConfigError for several packages: one wheel with all of them would be called like the first."""
    import shlex

    from mamba_press.conda.match_specs import spec_name

    names = dict.fromkeys(map(spec_name, specs))
    if len(names) > 1:
        what = f"{', '.join(names)} would be in one wheel, which has no name"
        hint = "for one wheel with all of them: --name NAME\n"
        hint += f"for a wheel each: mamba-press wheelhouse {shlex.join(specs)}"
        raise ConfigError(Problem(where="the specs", what=what, hint=hint))


def _without_project(
    table: Mapping[str, object], settings: Mapping[str, object], environ: Mapping[str, str], name: str | None
) -> Order:
    from mamba_press.config import reader
    from mamba_press.platforms import target

    config = reader.from_values(table, settings, environ)
    chosen = target.resolve(config.python, config.platform, environ)
    from mamba_press.pipeline.solve import Order  # the stages: not for a configuration that cannot be used

    return Order(config=config, target=chosen, root=Path.cwd(), environ=environ, name=name)


def _of_recipe(arguments: Arguments, settings: Mapping[str, object], environ: Mapping[str, str]) -> Order:
    from mamba_press.config import recipe

    read = recipe.read(Path(arguments.what[0]))
    table = table_of_recipe(read, settings, environ)
    return _without_project(table, settings, environ, arguments.name or read.name)


def table_of_recipe(read: Recipe, settings: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, object]:
    """Return the table that says what a recipe says; its packages are looked into where it needs the name of one."""
    from mamba_press.config import recipe_table
    from mamba_press.pipeline import press

    if not read.needs_name:
        return recipe_table.table(read)
    found = press.modules(_without_project(recipe_table.table(read.bare()), settings, environ, None))
    if len(found) != 1:
        what = f"needs the name of the only Python package, and there {'are' if found else 'is'} "
        hint = "say it: target:\n  name: …"
        raise ConfigError(Problem(where="target", what=what + (", ".join(found) or "none"), hint=hint))
    return recipe_table.table(read, found[0])


def projects(what: list[str]) -> list[str]:
    """Return those of the arguments that are folders of projects."""
    return [each for each in what if _is_file(f"{each}/pyproject.toml")]


def recipes(what: list[str]) -> list[str]:
    """Return those of the arguments that are recipes; ``ruamel.yaml`` is a package, unless there is such a file."""
    return [
        each
        for each in what
        if Path(each).suffix in (".yaml", ".yml") and (_is_file(each) or Path(each).stem == "recipe" or "/" in each)
    ]


def _is_file(text: str) -> bool:
    """Whether there is such a file; a spec may be longer than a file's name can be, at which a Path raises OSError."""
    return os.path.isfile(text)  # noqa: PTH113


def _no_spec(what: str) -> Problem | None:
    """Return why an argument is none: it is the name of something here, or was plainly meant as a path."""
    name = what.partition("[")[0].rpartition("::")[2]  # a spec may name its channel, with slashes, in front of "::"
    is_path = what in (".", "..") or "/" in name or os.sep in name
    package = "" if is_path else f'\nfor the conda package of that name, write "{what} *"'
    if _is_file(what):
        hint = "name a project's folder, a recipe (.yaml) or conda specs; `explain` and `check` read wheels (.whl)"
        return Problem(where=what, what="is a file, and none that can be pressed", hint=hint + package)
    if is_path or os.path.isdir(what):  # noqa: PTH112 - as in `_is_file`
        hint = 'name a folder with a pyproject.toml, or conda specs such as "zlib >=1.2"'
        return Problem(where=what, what="is no folder with a pyproject.toml", hint=hint + package)
    return None


def given(arguments: Sources) -> dict[str, object]:
    """Return the options as the settings of a build; paths of channels are from the current folder."""
    found: dict[str, list[str]] = {}
    for setting in arguments.setting:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(Problem(where=f"-C {setting}", what="has no '='", hint="write -C key=value"))
        found.setdefault(key, []).append(value)
    settings: dict[str, object] = {key: values if len(values) > 1 else values[0] for key, values in found.items()}
    if arguments.channel:
        settings["channels"] = [_channel(channel) for channel in arguments.channel]
    stated = {"python": arguments.python, "platform": arguments.platform, "warnings": arguments.warnings}
    settings |= {name: value for name, value in stated.items() if value}
    return settings | {name: "true" for name in ("offline", "locked", "frozen") if getattr(arguments, name)}


def _channel(text: str) -> str:
    from mamba_press.conda import channels

    folder = channels.folder_of(text, Path.cwd())
    return text if folder is None else str(folder)


_OPTIONS = {
    "packages": "the specs",
    "channels": "--channel",
    "python": "--python",
    "platform": "--platform",
    "offline": "--offline",
    "locked": "--locked",
    "frozen": "--frozen",
    "warnings": "-W",
}


def told(setting: Setting, arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """Return what to call a key, or how to set it, in the terms of the call."""
    from mamba_press.config import reader

    if not projects(arguments.what):
        return as_typed(setting)
    named = dict.fromkeys((each.partition("=")[0] for each in arguments.setting), "")
    attributes = {"channel": "channels", "pythons": "python", "platforms": "platform"} | {key: key for key in _OPTIONS}
    options = {key: _OPTIONS[key] for name, key in attributes.items() if getattr(arguments, name, None)}
    return reader.as_given(setting, named, environ, options)


def as_typed(setting: Setting) -> str:
    """Return what to call a key, or how to set it, in a call without a project, which has no table to look at."""
    name = ".".join(filter(None, (setting.key, setting.name)))
    if setting.value is None:
        return _OPTIONS.get(name, f"-C {name}")
    values = (setting.value or ("",)) if isinstance(setting.value, tuple) else (setting.value,)
    texts = (str(each).lower() if isinstance(each, bool) else each.replace("'", "'\"'\"'") for each in values)
    return " ".join(f"-C {name}='{text}'" for text in texts)
