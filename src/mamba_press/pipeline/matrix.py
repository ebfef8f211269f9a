"""Press for several targets in one run: one solve for each, and no wheel twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from mamba_press import atomic, log
from mamba_press.conda import lockfile
from mamba_press.conda.worker_process import one_process
from mamba_press.errors import ContentError, Note, PressError, Problem, Text, WarnedError, WriteError
from mamba_press.pipeline import build, solve
from mamba_press.vendoring.select import packages

if TYPE_CHECKING:
    from packaging.tags import Tag

    from mamba_press.pipeline.solve import Order
    from mamba_press.types import Package, Solution, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What became of one target: a wheel, perhaps one that another target has too, or an error.

    ``covered_by`` names that other target, ``reason`` says what sets the wheel's tag.
    """

    target: str
    path: Path | None = None
    size: int | None = None
    covered_by: str | None = None
    reason: str = ""
    notes: tuple[Note, ...] = ()
    error: PressError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Done:
    """A wheel that was made, what it was made for and of."""

    made: Made
    target: Target
    packages: tuple[Package, ...]
    tags: frozenset[Tag]


@one_process()
def press(orders: Sequence[Order], directory: Path, *, replaces: bool = True) -> tuple[Made, ...]:
    """Press for every order, and return what became of each, in their order; one that fails does not stop the others.

    Unless the run ``replaces`` what is there, a target fails where another file has the name of its wheel.
    A target for which a wheel of this run serves, and would be made of the same packages, gets no other.
    """
    atomic.require(directory)
    build.require_backend(orders[0])  # before anything is solved; the targets are of one project
    if all(order.config.warnings != "error" for order in orders):
        found, warned = _pressed(orders, directory, replaces=replaces)
        return tuple(_settled(found, warned))
    # Only when all are pressed is it known what of the configuration matches for none: till then none gets its name.
    with atomic.stage(directory) as stage:
        found, warned = _pressed(orders, stage, replaces=True)
        found = found if replaces else [_free(each, directory) for each in found]
        refused = WarnedError.of(_vain(found, warned))
        if refused.problems:
            return tuple(each if each.error else Made(target=each.target, error=refused) for each in found)
        with atomic.moving(stage) as move:
            for path in {each.path for each in found if each.path is not None}:
                move(path, directory / path.name)
        settled = _settled(found, warned)
        return tuple(replace(each, path=each.path and directory / each.path.name) for each in settled)


def _free(made: Made, directory: Path) -> Made:
    """Return what became of a target, which is an error where another file in a folder has the name of its wheel."""
    taken = atomic.taken(made.path, directory / made.path.name, build.ELSEWHERE) if made.path else ()
    return Made(target=made.target, error=WriteError(*taken)) if taken else made


def _pressed(orders: Sequence[Order], directory: Path, *, replaces: bool) -> tuple[list[Made], dict[Note, list[str]]]:
    """Return what became of each order, and the warnings with the targets that they are said of."""
    done: list[_Done] = []
    found: list[Made] = []
    warned: dict[Note, list[str]] = {}
    for order, answer in zip(orders, solve.solve_all(orders), strict=True):
        title = lockfile.title(order.target)
        log.step(f"pressing for {title}")
        try:
            if isinstance(answer, PressError):
                raise answer
            stays, _ = packages.select(packages.vendored(answer, order.config), order.config)
            same = next((each.made for each in done if _serves(each, order.target, stays)), None)
            if same is not None:
                found.append(Made(target=title, path=same.path, size=same.size, covered_by=same.target))
                continue
            with _warned(title, warned):
                made = _made(order, answer, directory, [each.made for each in done], replaces=replaces)
        except PressError as error:
            found.append(Made(target=title, error=error))
            continue
        assert made.path is not None
        tags = parse_wheel_filename(made.path.name)[3]
        done.append(_Done(made=made, target=order.target, packages=stays, tags=tags))
        found.append(made)
    return found, warned


def _vain(found: Sequence[Made], warned: Mapping[Note, Sequence[str]]) -> frozenset[Note]:
    """Return the warnings that count only if they are said of every target, and are."""
    made = [each for each in found if each.error is None and each.covered_by is None]
    return frozenset(note for note, titles in warned.items() if note.of_all and len(titles) == len(made))


def _settled(found: Sequence[Made], warned: Mapping[Note, Sequence[str]]) -> Iterator[Made]:
    """Yield what became of each, and say the warnings; what would have to be said of all, and is not, is a note."""
    vain = _vain(found, warned)
    for warning, titles in warned.items():
        targets = f" (for {', '.join(titles)})" if len(titles) < len(found) and warning not in vain else ""
        if warning.of_all and warning not in vain:
            log.note(f"{warning.what}{targets}")
        elif warning not in log.counted():
            log.warn(Text.of(warning.what, targets), warning.hint)
    for each in found:
        notes = (replace(note, severity="note") if note.of_all and note not in vain else note for note in each.notes)
        yield replace(each, notes=tuple(notes))


@contextmanager
def _warned(title: str, warned: dict[Note, list[str]]) -> Iterator[None]:
    """Add a target to each of the warnings that are said of it."""
    with log.build() as said:
        try:
            yield
        finally:
            for warning in said:
                warned.setdefault(warning, []).append(title)


def _made(order: Order, solution: Solution, directory: Path, before: Sequence[Made], *, replaces: bool) -> Made:
    title = lockfile.title(order.target)

    def refuse(name: str) -> None:
        other = next((each.target for each in before if each.path is not None and each.path.name == name), None)
        if other is not None:
            what = f"is also the name of the wheel for {other}, which is made of other packages"
            hint = "lock the two to the same packages (constraints), or press them into folders of their own with -o"
            raise ContentError(Problem(where=name, what=what, hint=hint))

    path, pressed = build.make(
        order, directory, pressing=build.pressed(order, solution), accept=refuse, replaces=replaces
    )
    highest = next(iter(pressed.tagging.floors), None)
    reason = f"{highest.symbol} of {highest.library} in {highest.path}" if highest else ""
    return Made(target=title, path=path, size=path.stat().st_size, reason=reason, notes=pressed.notes)


def _serves(done: _Done, target: Target, packages: Sequence[Package]) -> bool:
    """Whether a wheel that was made for one target is as good for another as one that is made for that.

    Its tags have to fit, and it has to be made of the same packages. On one platform the versions count: the builds of
    a package for two Pythons differ, and the tags say for which Pythons one of them serves. Else the archives count.
    """
    before = done.target
    if (before.subdir, before.tag, before.floor) == (target.subdir, target.tag, target.floor):
        return _versions(done.packages) == _versions(packages) and any(_takes(target, tag) for tag in done.tags)
    same = {package.file_name: package.sha256 for package in packages}
    fits = any(tag.platform == "any" and _takes(target, tag) for tag in done.tags)
    return fits and same == {package.file_name: package.sha256 for package in done.packages}


def _versions(packages: Sequence[Package]) -> dict[str, str]:
    return {package.name: package.version for package in packages}


def _takes(target: Target, tag: Tag) -> bool:
    """Whether the target's Python loads what an interpreter tag and an ABI tag say."""
    python = target.python
    if tag.abi == "none" and tag.interpreter in ("py3", f"py3{python.minor}", python.interpreter):
        return True
    if tag.abi == "abi3" and tag.interpreter.startswith("cp3") and not python.free_threaded:
        return int(tag.interpreter[3:]) <= python.minor
    return (tag.interpreter, tag.abi) == (python.interpreter, python.abi)
