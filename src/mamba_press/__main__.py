"""The command line: ``mamba-press press | list | check``. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import __version__
from mamba_press.errors import ConfigError, PressError
from mamba_press.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mamba_press.pipeline import Order
    from mamba_press.types import Pressed

_EXAMPLES = """\
examples:
  mamba-press press .                                   the project in this folder
  mamba-press press "libcurl 8.*" -c conda-forge -o dist --python 3.12
  mamba-press press zlib --platform linux-aarch64       for another machine
  mamba-press list .                                    what would be in the wheel, and why
  mamba-press check dist/*.whl --import

exit codes: 2 configuration and usage, 3 solve, 4 fetch, 5 content, 6 writing and check, 130 interrupted
"""


class Arguments(argparse.Namespace):
    """What argparse found."""

    command: str
    what: list[str]
    output: Path
    channel: list[str]
    python: str | None
    platform: str | None
    offline: bool
    name: str | None
    setting: list[str]
    json: bool
    quiet: bool
    imports: bool
    interpreter: str | None
    requires: list[str]
    copy_to: Path | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (see the module's examples)."""
    parsed = _parser().parse_args(arguments, namespace=Arguments())
    from mamba_press import front, log

    log.set_quiet(parsed.quiet)
    commands = {"press": _press, "list": _list, "check": _check}
    try:
        with front.machine():
            return commands[parsed.command](parsed)
    except PressError as error:
        print(f"mamba-press: {_as_typed(str(error), parsed)}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("mamba-press: interrupted; nothing was left half written", file=sys.stderr)
        return front.INTERRUPTED


_OPTIONS = {
    "packages": "the specs",
    "channels": "--channel",
    "python": "--python",
    "platform": "--platform",
    "offline": "--offline",
}


def _as_typed(text: str, arguments: Arguments) -> str:
    """Return an error's text in the terms of a call without a project, which has no table to look at."""
    if arguments.command == "check" or _projects(arguments):
        return text
    text = re.sub(r"\[tool\.mamba-press\.([\w-]+)\] ([\w-]+) = \[\"([^\"]*)\"\]", r"-C \1.\2='\3'", text)
    pair = r"\[tool\.mamba-press\.([\w-]+)\] ([\w-]+) = \{ \"?([\w.-]+)\"? = \"([^\"]*)\" \}"
    text = re.sub(pair, r"-C \1.\2.\3='\4'", text)
    # a table that has the names of packages as keys
    text = re.sub(r"\[tool\.mamba-press\.requires\]\s+\"?([\w.-]+)\"? = \"([^\"]*)\"", r"-C requires.\1='\2'", text)
    return re.sub(
        r"tool\.mamba-press\.([\w-]+)((?:\.[\w-]+)*)",
        lambda found: (found[2] and f"-C {found[1]}{found[2]}") or _OPTIONS.get(found[1], f"-C {found[1]}"),
        text,
    )


def _projects(arguments: Arguments) -> list[str]:
    return [what for what in arguments.what if Path(what, "pyproject.toml").is_file()]


def _say(text: str) -> None:
    """Print a result; who stops reading, as `head` does, has read enough."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # What is still in the buffer would be tried again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mamba-press",
        description="Press conda packages into wheels.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mamba-press {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    press = commands.add_parser("press", help="press a project, or conda packages without a project, into one wheel")
    _pressing(press)
    press.add_argument("-o", "--output", type=Path, default=Path("dist"), help="folder for the wheel (default: dist)")
    shown = commands.add_parser("list", help="say what would be in the wheel, why, and what left; writes nothing")
    _pressing(shown)
    check = commands.add_parser("check", help="read finished wheels back and say what is wrong with them")
    check.add_argument("what", nargs="+", metavar="WHEEL")
    check.add_argument("--import", dest="imports", action="store_true", help="install it afresh and import it")
    check.add_argument("--python", dest="interpreter", help="interpreter for --import (default: this one)")
    check.add_argument(
        "--copy-to", type=Path, metavar="DIR", help="copy each wheel with nothing wrong into this folder"
    )
    check.add_argument("--require", dest="requires", action="append", default=[], help="install this too (repeatable)")
    for command in (press, shown, check):
        command.add_argument("--json", action="store_true", help="print the result as JSON")
        command.add_argument("-q", "--quiet", action="store_true", help="say only warnings and errors")
    return parser


def _pressing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="+", metavar="ARG", help="a project's folder, or conda specs")
    parser.add_argument("-c", "--channel", action="append", default=[], help="name, URL or path (repeatable)")
    parser.add_argument("--python", help="Python to press for, e.g. 3.10 or 3.14t")
    parser.add_argument("--platform", help="wheel tag or conda subdir, e.g. manylinux_2_28_x86_64 or linux-aarch64")
    parser.add_argument("--offline", action="store_true", help="use only what the package cache has")
    parser.add_argument("--name", help="name of a wheel pressed without a project")
    parser.add_argument(
        "-C", dest="setting", action="append", default=[], metavar="KEY=VALUE", help="any key of [tool.mamba-press]"
    )


def _order(arguments: Arguments) -> Order:
    """Return what the arguments ask for: a project's folder, or specs that make one wheel."""
    from mamba_press import front, reader, target

    settings = _settings(arguments)
    folders = _projects(arguments)
    if folders:
        if len(arguments.what) > 1 or arguments.name:
            raise ConfigError(
                Problem(
                    where=folders[0],
                    what="is a project, which is pressed alone and under its own name",
                    hint="press it in a call of its own",
                )
            )
        return front.order(Path(folders[0]).resolve(), settings, os.environ)
    if problems := [problem for what in arguments.what if (problem := _no_spec(what))]:
        raise ConfigError(*problems)
    config = reader.from_values({}, {**settings, "packages": list(arguments.what)}, os.environ)
    chosen = target.resolve(config.python, config.platform, os.environ)
    from mamba_press.pipeline import Order  # the stages: not for a configuration that cannot be used

    return Order(config=config, target=chosen, root=Path.cwd(), environ=os.environ, name=arguments.name)


def _no_spec(what: str) -> Problem | None:
    """Return why an argument is none, where it was plainly meant as a path."""
    is_recipe = Path(what).is_file() or Path(what).stem == "recipe" or "/" in what  # ruamel.yaml is a package
    if Path(what).suffix in (".yaml", ".yml") and is_recipe:
        hint = "name what it asks for: mamba-press press SPEC…"
        return Problem(where=what, what="recipes are part of the design but not there yet", hint=hint)
    name = what.partition("[")[0].rpartition("::")[2]  # a spec may name its channel, with slashes, in front of "::"
    if what in (".", "..") or "/" in name or os.sep in name:
        hint = 'name a folder with a pyproject.toml, or conda specs such as "zlib >=1.2"'
        return Problem(where=what, what="is no folder with a pyproject.toml", hint=hint)
    return None


def _settings(arguments: Arguments) -> dict[str, object]:
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
    if arguments.python:
        settings["python"] = arguments.python
    if arguments.platform:
        settings["platform"] = arguments.platform
    if arguments.offline:
        settings["offline"] = "true"
    return settings


def _channel(text: str) -> str:
    is_path = "://" not in text and (text.startswith((".", "~", os.sep)) or Path(text).is_dir())
    return str(Path(text).expanduser().absolute()) if is_path else text


def _press(arguments: Arguments) -> int:
    from mamba_press import front

    path, pressed = front.make(_order(arguments), arguments.output)
    if arguments.json:
        _say(json.dumps({"wheel": str(path), **_report(pressed)}, indent=2))
    else:
        _say(str(path))
    return 0


def _list(arguments: Arguments) -> int:
    from mamba_press import front, report
    from mamba_press import wheel as writer

    with front.pressed(_order(arguments)) as pressed:
        rows = writer.listing(pressed.wheel)
    if arguments.json:
        _say(json.dumps(report.as_json(pressed, rows), indent=2))
    else:
        _say(report.as_text(pressed, rows))
    return 0


def _check(arguments: Arguments) -> int:
    from mamba_press import check
    from mamba_press.errors import WriteError

    reports = {}
    for what in arguments.what:
        found = check.examine(Path(what))
        if arguments.imports and not found.problems:
            wrong = check.check_import(Path(what), arguments.interpreter, arguments.requires)
            found = replace(found, problems=wrong)
        reports[what] = found
        if arguments.copy_to and not found.problems:
            check.copy(Path(what), arguments.copy_to)
    if arguments.json:
        rows = {
            what: {**asdict(found), "problems": [_row(problem) for problem in found.problems]}
            for what, found in reports.items()
        }
        _say(json.dumps(rows, indent=2))
    else:
        for what, found in reports.items():
            number = len(found.problems)
            count = "nothing wrong" if not number else "1 problem" if number == 1 else f"{number} problems"
            lines = [*(f"- {problem}" for problem in found.problems), *(f"  note: {note}" for note in found.notes)]
            _say("\n".join([f"{what}: {count}", *lines]))
    return WriteError.code if any(found.problems for found in reports.values()) else 0


def _row(problem: Problem) -> dict[str, str]:
    return {"where": problem.where, "what": problem.what, "hint": problem.hint}


def _report(pressed: Pressed) -> dict[str, object]:
    return {"tags": pressed.tagging.tags, "lowest": pressed.tagging.lowest, "notes": list(pressed.notes)}


if __name__ == "__main__":
    sys.exit(main())
