"""Orders, and their solutions: the project's lock, or a solve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mamba_press import channels, conda, log, target
from mamba_press.conda import lock
from mamba_press.errors import PressError
from mamba_press.types import Solution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mamba_press.config import Config, State
    from mamba_press.types import Package, Project, Target


LOCK = lock.NAME
"""The file, beside pyproject.toml, whose solutions are used instead of a solve of our own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a front door asks for.

    ``project`` is None where the command presses specs; ``name`` is then the name asked for. Relative channels start
    at ``root``, or at ``channels_from`` where that is another folder. ``environ`` is the caller's environment,
    ``state`` what its hook is to make: an editable wheel leaves the sources where they are.
    """

    config: Config
    target: Target
    root: Path
    environ: Mapping[str, str]
    project: Project | None = None
    name: str | None = None
    state: State = "wheel"
    channels_from: Path | None = None


def question(order: Order) -> conda.Question:
    """Return what is to be solved, with the channels where they are from here."""
    assumed = order.target
    if order.config.build_backend is not None:
        from mamba_press import native

        assumed = native.assumed(order.target)
    return conda.Question(
        config=order.config,
        target=order.target,
        channels=conda.channel_urls(order.config.channels, order.root),
        virtual=target.virtual_packages(assumed, order.environ),
        alike=_alike(order),
    )


def _alike(order: Order) -> tuple[str, ...]:
    return channels.alike(order.config.channels, order.channels_from or order.root)


def solve(order: Order) -> Solution:
    """Return the solution of the project's lock for this target, or solve: once, with the channels as they are now.

    Raises ConfigError for a lock that was made for something else than is asked for. For a target that the lock has
    not got, the requested packages keep their locked versions.
    """
    [answer] = solve_all([order])
    if isinstance(answer, PressError):
        raise answer
    return answer


def solve_all(orders: Sequence[Order]) -> list[Solution | PressError]:
    """Return the answer to each order, as `solve` does, an error for what has none; the channels are read once.

    What an inner backend builds with is solved, too: what is wrong with that is told with the rest, before anything is
    fetched, and who asks for it again has the answer at once.
    """
    first = orders[0]
    held = None
    if first.project is not None and (first.root / LOCK).is_file():
        held = conda.read_lock(first.root / LOCK, first.root, environ=first.environ)
    found = [_locked(order, held) for order in orders]
    tools = [_tools(order) for order in orders]
    questions = [each for each in (*found, *tools) if isinstance(each, conda.Question)]
    solved = conda.solve_all(questions, first.environ) if questions else []
    conda.note_alike(questions, solved)
    for package in (package for each in solved if isinstance(each, Solution) for package in each.packages):
        log.detail(f"solved: {package} from {package.channel}")
    answers = iter(solved)
    wanted = [next(answers) if isinstance(each, conda.Question) else each for each in found]
    built_with = [next(answers) if isinstance(each, conda.Question) else each for each in tools]
    return list(map(_unless_wrong, wanted, built_with))


def _tools(order: Order) -> conda.Question | PressError | None:
    """Return what is to be solved for the tools that build, if any."""
    if order.config.build_backend is None:
        return None
    from mamba_press import native

    try:
        asked = native.tools(order.config, order.root, order.environ)
        return asked and replace(asked, alike=_alike(order))
    except PressError as error:
        return error


def _unless_wrong(wanted: Solution | PressError, tools: Solution | PressError | None) -> Solution | PressError:
    """Return the solution for a target, or all that is wrong with it and with the tools: of one kind, as it is told."""
    if not isinstance(tools, PressError) or not isinstance(wanted, (Solution, type(tools))):
        return wanted
    problems = wanted.problems if isinstance(wanted, PressError) else ()
    return type(tools)(*dict.fromkeys((*problems, *tools.problems)))


def _locked(order: Order, held: Sequence[lock.Held] | None) -> Solution | conda.Question | PressError:
    """Return what the lock has for a target, or what is to be solved."""
    try:
        asked = question(order)
        found = lock.best(held or (), order.target)
        if found is not None:
            return conda.locked(found, asked, order.root, order.environ)
    except PressError as error:
        return error
    if held is None:
        return asked
    log.step(f"{LOCK} has nothing for {lock.title(order.target)}: solving, with the locked versions")
    specs = {conda.spec_name(spec): spec for spec in (*order.config.packages, *order.config.host)}
    pinned = (*order.config.constraints, *lock.pins(held, order.target, specs))
    return replace(asked, config=replace(order.config, constraints=pinned))


def first_requested(config: Config, solution: Solution) -> Package | None:
    """Return the package of the first spec: it gives a wheel its version, and its name where no project does.

    None where nothing is pressed whole, only own code shipped.
    """
    if not config.packages:
        return None
    name = conda.spec_name(config.packages[0])
    return next(package for package in solution.packages if package.name == name)
