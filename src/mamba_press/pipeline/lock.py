"""Locks of whole projects: solve for every target, keep what may stay, write one file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mamba_press import log, messages
from mamba_press.conda import fetch, lockfile, solver
from mamba_press.errors import ConfigError, PressError, Problem
from mamba_press.pipeline import solve

if TYPE_CHECKING:
    from mamba_press.pipeline.solve import Order
    from mamba_press.types import Package, Solution

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What became of one package of one target: a version that is None was or is not there.

    No package is meant where the whole target is new, or gone.
    """

    target: str
    package: str | None
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.package is None:
            return f"{self.target}: {'no longer locked' if self.after is None else 'locked'}"
        return f"{self.package}: {self.before or 'not there'} -> {self.after or 'not there'}"


def distinct(orders: Sequence[Order]) -> tuple[Order, ...]:
    """Return one order for each solution of a lock, where a floor is one solution whatever the platform was called.

    Raises ConfigError where overrides ask different things under two names of one platform.
    """
    found: dict[str, Order] = {}
    problems = []
    for order in orders:
        first = found.setdefault(lockfile.key(order.target), order)
        before, now = solve.asked(first), solve.asked(order)
        if different := [key for key in {**before, **now} if before.get(key) != now.get(key)]:
            other, own = lockfile.title(first.target), lockfile.title(order.target)
            what = f"is one target with {other} in a lock, and an override asks for other {' and '.join(different)}"
            hint = "let the condition hold for both (if.platform), or leave one of the two out"
            problems.append(Problem(where=own, what=what, hint=hint))
    ConfigError.raise_for(problems)
    return tuple(found.values())


def solutions(orders: Sequence[Order], update: Collection[str] | None = None) -> tuple[Solution, ...]:
    """Return the solution of every order; raises every problem of all of them, each with its targets.

    The packages that the project's lock has stay where they still fit, but for those named in ``update``; None is for
    a solve from nothing.
    """
    held = () if update is None else read(orders[0].root, orders[0])
    questions = []
    for order in orders:
        found = next((each for each in held if each.name == lockfile.key(order.target)), None)
        kept = tuple(each for each in found.packages if each.name not in (update or ())) if found else ()
        questions.append(replace(solve.question(order), locked=kept))
    log.step(f"solving for {len(orders)} target{'s' * (len(orders) != 1)}")
    answers = solver.solve_all(questions, orders[0].environ)
    solver.note_alike(questions, answers)
    solved = tuple(answer for answer in answers if not isinstance(answer, PressError))
    failed = [
        (lockfile.title(order.target), answer)
        for order, answer in zip(orders, answers, strict=True)
        if isinstance(answer, PressError)
    ]
    if failed:
        raise solve.together(failed, len(orders))
    return tuple(map(_with_contents, orders, solved))


def read(root: Path, order: Order) -> tuple[lockfile.Held, ...]:
    """Return what the project's lock holds, nothing where there is none."""
    return solve.read_lock(replace(order, root=root)) or ()


def refuse_unknown(names: Collection[str], held: Sequence[lockfile.Held]) -> None:
    """Raise ConfigError for each name of a package that no solution of the lock has."""
    known = {package.name for each in held for package in each.packages}
    problems = []
    for name in sorted(set(names) - known):
        near = messages.near(name, known)
        hint = f"did you mean {near}?" if near else "name a package as conda calls it"
        problems.append(Problem(where=f"--update {name}", what=f"is not in {lockfile.NAME}", hint=hint))
    ConfigError.raise_for(problems)


def refuse_stale(orders: Sequence[Order], held: Sequence[lockfile.Held]) -> None:
    """Raise ConfigError with all that keeps the lock from being used for the orders as it is; nothing is solved."""
    failed = []
    for order in orders:
        found = solve.best(order, held)
        problems = lockfile.changed(found, solve.asked(order), order.root) if found else (solve.SILENT,)
        failed += [(lockfile.title(order.target), ConfigError(*problems))] if problems else []
    if failed:
        raise solve.together(failed, len(orders))


def write(orders: Sequence[Order], solved: Sequence[Solution], path: Path) -> None:
    """Write one lock with the solutions of the orders, at once or not at all."""
    lockfile.write(list(map(entry, orders, solved)), path, orders[0].root, environ=orders[0].environ)


def entry(order: Order, solution: Solution) -> Json:
    """Return the solution as a lock holds it, with what it was made for."""
    return lockfile.entry(solution, solve.asked(order))


def for_sdist(order: Order, solution: Solution) -> list[Json]:
    """Return the entries of the lock that travels in an sdist: the project's own, and the solve for this target."""
    held = read(order.root, order)
    entries = [lockfile.entry_of(each) for each in held]
    if solve.best(order, held) is not None:
        return entries
    return [*entries, entry(order, _with_contents(order, solution))]


def changes(held: Sequence[lockfile.Held], solved: Sequence[Solution]) -> tuple[Change, ...]:
    """Return what is different from before, by target and package."""
    before = {each.name: each.packages for each in held}
    after = {lockfile.key(solution.target): solution.packages for solution in solved}
    found: list[Change] = []
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            counts = [f"{len(each[name])} packages" if name in each else None for each in (before, after)]
            found.append(Change(target=name, package=None, before=counts[0], after=counts[1]))
            continue
        old, new = _versions(before[name]), _versions(after[name])
        found += [
            Change(target=name, package=package, before=old.get(package), after=new.get(package))
            for package in sorted(old.keys() | new.keys())
            if old.get(package) != new.get(package)
        ]
    return tuple(found)


def _versions(packages: Sequence[Package]) -> dict[str, str]:
    return {package.name: f"{package.version} {package.build}" for package in packages}


def _with_contents(order: Order, solution: Solution) -> Solution:
    """Return the solution with the contents of the Python packages that stay out, where requirements hang on them.

    So a build from the lock asks no server for them, and requires the same wherever it is made.
    """
    if order.project is None or "dependencies" not in order.project.dynamic:
        return solution
    outside = [
        package
        for package in solution.packages
        if package.is_python and not package.requested and package.name != "python"
    ]
    found = fetch.inspect(outside, order.access)
    unread = [package.name for package in outside if "problem" in found[package.file_name]]
    if unread:
        log.note(f"nothing could be learnt of the contents of {', '.join(unread)}: a build asks again")
    contents = {
        package.name: found[package.file_name] for package in outside if "problem" not in found[package.file_name]
    }
    return replace(solution, contents=contents)
