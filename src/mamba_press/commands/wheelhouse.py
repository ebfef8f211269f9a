"""``mamba-press wheelhouse``: an environment as wheels in a folder or one file, and what can be done with that."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import platforms
from mamba_press.commands import options, output
from mamba_press.errors import ConfigError, Problem

if TYPE_CHECKING:
    from mamba_press.wheel.wheelhouse import Manifest

EXAMPLES = """\
  mamba-press wheelhouse numpy pyarrow --python 3.12 -o wheels
  pip install --no-index --find-links wheels numpy pyarrow
  mamba-press wheelhouse . --archive env.zip       the packages of the project in this folder
  mamba-press wheelhouse show env.zip              what is in it, and for which machines
  mamba-press wheelhouse validate env.zip          is it all there, and as it was made?
  mamba-press wheelhouse install env.zip --python .venv/bin/python
"""

_ACTIONS = ("install", "validate", "show")


class Arguments(options.Arguments):
    """What `add` declares."""

    output: Path | None
    archive: Path | None
    force: bool
    target: Path | None
    prefix: Path | None


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.options(parser, apart=True)
    parser.add_argument("-o", "--output", type=Path, help="folder for the wheels (default: wheelhouse)")
    parser.add_argument("--archive", type=Path, metavar="FILE", help="write all of it into one file")
    output.force(parser)
    options.warnings(parser)
    group = parser.add_argument_group(
        "wheelhouse install|validate|show FILE", "FILE is an archive or a folder; --python names the interpreter here"
    )
    group.add_argument("--target", type=Path, metavar="DIR", help="install into this folder")
    group.add_argument("--prefix", type=Path, metavar="DIR", help="install below this prefix")
    output.options(parser)


def run(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Make a wheelhouse, or install, validate or show one."""
    action = arguments.what[0]
    if action not in _ACTIONS:
        return _make(arguments, environ)
    if len(arguments.what) != 2:
        hint = f'write: mamba-press wheelhouse {action} FILE; a conda package of that name is "{action} *"'
        raise ConfigError(Problem(where=f"wheelhouse {action}", what="takes one wheelhouse", hint=hint))
    act = {"install": _install, "validate": _validate, "show": _show}[action]
    return act(Path(arguments.what[1]), arguments, environ)


def _make(arguments: Arguments, environ: Mapping[str, str]) -> int:
    from mamba_press import log
    from mamba_press.pipeline import wheelhouse

    folder = arguments.output or (None if arguments.archive else Path("wheelhouse"))
    order = options.order(arguments, environ)
    house, manifest = wheelhouse.write(order, folder, arguments.archive, replaces=arguments.force)
    for left in house.left:
        log.note(f"{left.package} is no wheel: {left.why}")
    output.result(
        {"folder": folder and str(folder), **asdict(manifest)},
        "\n".join(str(path) for path in (folder, arguments.archive) if path),
        as_json=arguments.json,
    )
    return 0


def _install(path: Path, arguments: Arguments, environ: Mapping[str, str]) -> int:
    from mamba_press.pipeline import install

    if arguments.target and arguments.prefix:
        raise ConfigError(Problem(where="--target, --prefix", what="are two places", hint="name one of them"))
    python = install.interpreter(arguments.python, environ)
    place = install.Place(python=python, target=arguments.target, prefix=arguments.prefix)
    manifest = install.install(path, place)
    output.result(
        {"python": python, "installed": [asdict(row) for row in manifest.wheels]},
        f"{len(manifest.wheels)} wheels installed for {python}",
        as_json=arguments.json,
    )
    return 0


def _validate(path: Path, arguments: Arguments, environ: Mapping[str, str]) -> int:  # noqa: ARG001 - one of three
    from mamba_press import atomic
    from mamba_press.pipeline import install

    with atomic.temporary() as folder:
        manifest = install.unpack(path, folder)
    output.result(asdict(manifest), f"{path}: {len(manifest.wheels)} wheels, nothing wrong", as_json=arguments.json)
    return 0


def _show(path: Path, arguments: Arguments, environ: Mapping[str, str]) -> int:  # noqa: ARG001 - one of three
    from mamba_press.wheel import wheelhouse

    manifest = wheelhouse.read(path)
    output.result(asdict(manifest), "\n".join(_lines(manifest)), as_json=arguments.json)
    return 0


def _lines(manifest: Manifest) -> list[str]:
    width = max((len(f"{row.name} {row.version}") for row in manifest.wheels), default=0)
    system = platforms.of_subdir(manifest.subdir)
    floor = f", {system.versioned if system else ''} {manifest.floor}" if manifest.floor else ""
    size = sum(row.size for row in manifest.wheels)
    lines = [f"{manifest.name}: {manifest.subdir}{floor}, Python {', '.join(manifest.pythons)}", ""]
    for row in manifest.wheels:
        mark = "*" if row.requested else " "
        lines.append(f"{mark} {f'{row.name} {row.version}':<{width}}  {row.size:>11,}  {row.package}")
    lines += ["", f"{size:,} bytes in {len(manifest.wheels)} wheels; * was asked for", "", "no wheels:"]
    return lines + [f"  {package}: {why}" for package, why in sorted(manifest.left.items())]
