"""Orders, and their solutions: the project's lock, or a solve."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mamba_press import log
from mamba_press.conda import channels, lockfile, solver
from mamba_press.conda.fetch import Access
from mamba_press.conda.match_specs import spec_name, twin
from mamba_press.credentials import public
from mamba_press.errors import ConfigError, PressError, Problem, Setting, Text
from mamba_press.platforms import target
from mamba_press.types import Package, Project, Solution, Target, VirtualPackage

if TYPE_CHECKING:
    from mamba_press.config.model import Config, State

    Covered = Callable[[Sequence[lockfile.Held], Target], Sequence[tuple["Order", lockfile.Held]]]


LOCK = lockfile.NAME
"""The file, beside pyproject.toml, whose solutions are used instead of a solve of our own."""

SILENT = Problem(where=LOCK, what="has no solution for the target", hint=lockfile.UPDATE)

_LOCK_IT = Text.of("name the target in ", Setting("matrix"), f", and {lockfile.UPDATE}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a front door asks for.

    ``project`` is None where the command presses specs; ``name`` is then the name asked for. Relative channels start
    at ``root``, or at ``channels_from`` where that is another folder. ``environ`` is the caller's environment,
    ``state`` what its hook is to make: an editable wheel leaves the sources where they are. ``covered`` gives what
    the project's lock holds, each solution with the order that it has to be right for.
    """

    config: Config
    target: Target
    root: Path
    environ: Mapping[str, str]
    project: Project | None = None
    name: str | None = None
    state: State = "wheel"
    channels_from: Path | None = None
    covered: Covered | None = field(default=None, compare=False, repr=False)

    @property
    def access(self) -> Access:
        """How servers are asked for packages."""
        return Access(environ=self.environ, channels=self.config.channels, offline=self.config.offline)


def question(order: Order) -> solver.Question:
    """Return what is to be solved, with the channels where they are from here.

    Raises ConfigError for specs of virtual packages: these are properties of the target, and no packages.
    """
    _refuse_virtual(order.config)
    assumed = order.target
    if order.config.build_backend is not None:
        from mamba_press.project import host_prefix

        assumed = host_prefix.assumed(order.target)
    return solver.Question(
        packages=order.config.packages,
        host=order.config.host,
        constraints=order.config.constraints,
        exclude_newer=order.config.exclude_newer,
        offline=order.config.offline,
        target=order.target,
        channels=channels.urls(order.config.channels, order.root),
        virtual=target.virtual_packages(assumed, order.environ),
        alike=_alike(order),
    )


def _refuse_virtual(config: Config) -> None:
    what = "names {}, which is a property of the target and no package"
    hint = Text.of("leave it out; ", Setting("platform"), " says what the target has, as in manylinux_2_28_x86_64")
    ConfigError.raise_for(
        Problem(where=Setting(key), what=what.format(repr(spec)), hint=hint)
        for key in ("packages", "host")
        for spec in getattr(config, key)
        if spec_name(spec).startswith("__")
    )


def _alike(order: Order) -> tuple[str, ...]:
    return channels.alike(order.config.channels, order.channels_from or order.root)


def solve(order: Order) -> Solution:
    """Return the solution of the project's lock for this target, or solve: once, with the channels as they are now.

    Raises ConfigError for a lock that was made for something else than is asked for, for this target or another one.
    For a target that the lock has not got, the requested packages keep their locked versions; a warning says so.
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
    held = read_lock(first) if first.project is not None else None
    if held is not None:
        refuse_stale(first, held)
    found = [_locked(order, held) for order in orders]
    tools = [_tools(order) for order in orders]
    questions = [each for each in (*found, *tools) if isinstance(each, solver.Question)]
    solved = solver.solve_all(questions, first.environ) if questions else []
    solver.note_alike(questions, solved)
    for package in (package for each in solved if isinstance(each, Solution) for package in each.packages):
        log.detail(f"solved: {package} from {package.channel}")
    answers = iter(solved)
    wanted = [next(answers) if isinstance(each, solver.Question) else each for each in found]
    built_with = [next(answers) if isinstance(each, solver.Question) else each for each in tools]
    return list(map(_unless_wrong, wanted, built_with))


def read_lock(order: Order) -> tuple[lockfile.Held, ...] | None:
    """Return what the project's lock holds, None where there is none; raises ConfigError for what is no file."""
    path = order.root / LOCK
    if path.is_file():
        return lockfile.read(path, order.root, environ=order.environ)
    if not os.path.lexists(path):
        return None
    what = "is a symlink that leads to no file" if path.is_symlink() else "is no file"
    raise ConfigError(Problem(where=LOCK, what=what, hint=f"remove it, then {lockfile.UPDATE}"))


def _tools(order: Order) -> solver.Question | PressError | None:
    """Return what is to be solved for the tools that build, if any."""
    if order.config.build_backend is None:
        return None
    from mamba_press.project import host_prefix

    try:
        asked = host_prefix.tools(order.config, order.root, order.environ)
        return asked and replace(asked, alike=_alike(order))
    except PressError as error:
        return error


def _unless_wrong(wanted: Solution | PressError, tools: Solution | PressError | None) -> Solution | PressError:
    """Return the solution for a target, or all that is wrong with it and with the tools: of one kind, as it is told."""
    if not isinstance(tools, PressError) or not isinstance(wanted, (Solution, type(tools))):
        return wanted
    problems = wanted.problems if isinstance(wanted, PressError) else ()
    return type(tools)(*dict.fromkeys((*problems, *tools.problems)))


def _locked(order: Order, held: Sequence[lockfile.Held] | None) -> Solution | solver.Question | PressError:
    """Return what the lock has for a target, or what is to be solved."""
    try:
        asked = question(order)
        found = best(order, held or ())
        if found is not None:
            _refuse_absent(order, found)
            changed = (
                () if order.config.frozen else lockfile.changed(found, stated(order.config, asked.virtual), order.root)
            )
            return solver.locked(found, asked, changed, order.root, order.environ)
        _require_locked(order, held)
    except PressError as error:
        return error
    if held is None or not _is_solved(order):
        return asked
    title = lockfile.title(order.target)
    log.warn(
        f"{LOCK} has nothing for {title}: solved anew, with the locked versions of the requested packages",
        f"{_LOCK_IT}; --locked (locked = true) makes this an error",
    )
    specs = {spec_name(spec): spec for spec in (*order.config.packages, *order.config.host)}
    return replace(asked, constraints=(*asked.constraints, *lockfile.pins(held, order.target, specs)))


def asked(order: Order) -> dict[str, Any]:
    """Return what a lock says that a solution for the order was made for."""
    return stated(order.config, question(order).virtual)


def stated(config: Config, virtual: Iterable[VirtualPackage] = ()) -> dict[str, Any]:
    """Return what a configuration says of that, with the virtual packages that are assumed."""
    newest = config.exclude_newer
    wanted = {
        "channels": [public(channel) for channel in config.channels],
        "packages": list(config.packages),
        "host": list(config.host),
        "build": list(config.build),
        "constraints": list(config.constraints),
        "exclude-newer": None if newest is None else newest.isoformat(),
    }
    return lockfile.asked(wanted, virtual)


def best(order: Order, held: Sequence[lockfile.Held]) -> lockfile.Held | None:
    """Return what the lock has for an order; that of another Python only where it is just what is asked for."""
    own = lockfile.environment(order.target)
    fitting = [each for each in held if each.entry["environment"] == own or not _differs(each, order)]
    return lockfile.best(fitting, order.target)


def refuse_stale(order: Order, held: Sequence[lockfile.Held]) -> None:
    """Raise ConfigError where a solution of the lock is not what the project asks for now, for this target or not."""
    if order.config.frozen or order.covered is None:
        return
    covered = order.covered(held, order.target)
    failed = [
        (lockfile.title(each.target), ConfigError(*problems))
        for each, found in covered
        if (problems := _differs(found, each))
    ]
    if failed:
        raise together(failed, len(covered))


def _differs(found: lockfile.Held, order: Order) -> tuple[Problem, ...]:
    """Return how a solution is for something else than an order; channels that were folders elsewhere do not count."""
    if order.config.frozen:
        return ()
    problems = lockfile.changed(found, asked(order), order.root)
    return () if lockfile.gone(found, order.root, problems) else problems


def _is_solved(order: Order) -> bool:
    return bool(order.config.packages or order.config.host)


def _require_locked(order: Order, held: Sequence[lockfile.Held] | None) -> None:
    """Raise ConfigError where the lock has to have a solution, and has not."""
    key = next((key for key in ("locked", "frozen") if getattr(order.config, key)), None)
    if key is None or not _is_solved(order):
        return
    if order.project is None:
        what = "is true, and only a project has a lock"
        raise ConfigError(Problem(where=Setting(key), what=what, hint="leave it out, or press a project"))
    what = "is missing" if held is None else f"has nothing for {lockfile.title(order.target)}"
    hint = "make it with `mamba-press lock`" if held is None else _LOCK_IT
    raise ConfigError(Problem(where=LOCK, what=Text.of(f"{what}, and ", Setting(key), " is true"), hint=hint))


def _refuse_absent(order: Order, found: lockfile.Held) -> None:
    """Warn of packages that a frozen lock has not got; raise ConfigError for the first, which gives the version."""
    if not order.config.frozen:
        return
    there = {package.name for package in found.packages}
    absent = [spec for spec in (*order.config.packages, *order.config.host) if spec_name(spec) not in there]
    if not absent:
        return
    what = Text.of(f"{LOCK} has no {', '.join(map(repr, absent))}, and ", Setting("frozen"), " is true")
    if order.config.packages[:1] == tuple(absent[:1]):
        raise ConfigError(Problem(where=Setting("packages"), what=what, hint=lockfile.UPDATE))
    log.warn(Text.of(what, ": the wheel is made without it"), lockfile.UPDATE)


def together(failed: Sequence[tuple[str, PressError]], total: int) -> PressError:
    """Return one error with every problem of several targets; the exit code is that of the first."""
    targets: dict[Problem, list[str]] = {}
    for title, error in failed:
        for problem in error.problems:
            targets.setdefault(problem, []).append(title)
    problems = [
        problem
        if len(titles) == total
        else replace(problem, what=Text.of(problem.what, f"\n  (for {', '.join(dict.fromkeys(titles))})"))
        for problem, titles in targets.items()
    ]
    return type(failed[0][1])(*problems)


def first_requested(config: Config, solution: Solution) -> Package | None:
    """Return the package of the first spec: it gives a wheel its version, and its name where no project does.

    Where it only stands for its other half, which is pressed with it, that one; None where nothing is pressed whole,
    only own code shipped.
    """
    if not config.packages:
        return None
    by_name = {package.name: package for package in solution.packages}
    asked = by_name[spec_name(config.packages[0])]
    other = twin(asked, by_name)
    return other if other is not None and other.requested else asked
