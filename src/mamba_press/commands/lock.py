"""``mamba-press lock``: solve a project for all its targets, and write down what was chosen."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.commands import options, output
from mamba_press.errors import ConfigError

if TYPE_CHECKING:
    from mamba_press.conda.lockfile import Held
    from mamba_press.pipeline.lock import Change
    from mamba_press.pipeline.solve import Order

EXAMPLES = """\
  mamba-press lock                                 every target of the project in this folder
  mamba-press lock --update                        the newest of everything
  mamba-press lock --update openssl                the newest openssl, and what has to move with it
  mamba-press lock --check                         is the lock what pyproject.toml asks for?
"""


class Arguments(options.Sources):
    """What `add` declares."""

    project: str
    update: list[str] | None
    check: bool
    json: bool


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", nargs="?", default=".", metavar="DIR", help="the project's folder (default: this)")
    parser.add_argument(
        "--update",
        nargs="*",
        metavar="NAME",
        help="take the newest of these conda packages, or of all; else what is locked stays while it fits",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 2 where the lock is not current")
    options.sources(parser)
    options.targets(parser)
    options.warnings(parser)
    output.options(parser)


def run(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Lock every target, or say why the lock cannot be used as it is."""
    from mamba_press.conda.worker_process import one_process
    from mamba_press.pipeline import lock

    wanted = lock.distinct(options.of_matrix(arguments.project, arguments, environ))
    with one_process():
        return _lock(Path(arguments.project).resolve(), wanted, arguments)


def _lock(root: Path, orders: Sequence[Order], arguments: Arguments) -> int:
    from mamba_press.conda import lockfile
    from mamba_press.pipeline import build, lock

    is_anew = arguments.update == [] and not arguments.check
    held = _held(root, orders[0], is_anew=is_anew)
    if arguments.check:
        return _check(orders, held, arguments)
    names = [name.lower() for name in arguments.update or ()]
    lock.refuse_unknown(names, held)
    solved = lock.solutions(orders, None if is_anew else names)
    build.refuse_warnings(orders[0].config)
    lock.write(orders, solved, root / lockfile.NAME)
    changes = lock.changes(held, solved)
    rows = {lockfile.key(solution.target): len(solution.packages) for solution in solved}
    found = {"lock": str(root / lockfile.NAME), "targets": rows, "changes": [asdict(change) for change in changes]}
    text = f"{root / lockfile.NAME}\n{_text(changes, len(orders), is_new=not held)}"
    output.result(found, text, as_json=arguments.json)
    return 0


def _held(root: Path, order: Order, *, is_anew: bool) -> Sequence[Held]:
    """Return what the lock holds; one that cannot be read is no reason not to make it anew."""
    from mamba_press.pipeline import lock

    try:
        return lock.read(root, order)
    except ConfigError:
        if not is_anew:
            raise
        return ()


def _check(orders: Sequence[Order], held: Sequence[Held], arguments: Arguments) -> int:
    from mamba_press.pipeline import lock

    try:
        lock.refuse_stale(orders, held)
    except ConfigError as error:
        if arguments.json:
            output.say_json({"current": False, "problems": [problem.values() for problem in error.problems]})
        raise
    output.result(
        {"current": True, "problems": []},
        f"current: {len(orders)} target{'s' * (len(orders) != 1)}",
        as_json=arguments.json,
    )
    return 0


def _text(changes: Sequence[Change], number: int, *, is_new: bool) -> str:
    """Say what is different, each change once with the targets that it is in."""
    targets = f"{number} target{'s' * (number != 1)}"
    if is_new:
        return f"locked for {targets}"
    found: dict[str, list[str]] = {}
    for change in changes:
        found.setdefault(str(change), []).append(change.target if change.package else "")
    lines = [f"  {text}{_where(names, number)}" for text, names in found.items()]
    return "\n".join([f"{targets}, {'changed:' if lines else 'nothing changed'}", *lines])


def _where(names: Sequence[str], number: int) -> str:
    if len(names) == number or names == [""]:
        return ""
    return f"  ({', '.join(names)})" if len(names) <= 3 else f"  ({len(names)} targets)"
