"""The solver: which packages satisfy what is asked for, and what a lock has of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mamba_press import log
from mamba_press.conda import lockfile, records, worker_errors, worker_process
from mamba_press.conda.channels import meant_as_name
from mamba_press.conda.match_specs import spec_name
from mamba_press.credentials import public
from mamba_press.errors import ConfigError, PressError, Problem, Setting, SolveError, Text
from mamba_press.types import Package, Python, Solution, Target, VirtualPackage

Json = dict[str, Any]

_NOTHING: Json = {"packages": [], "specs": {}, "names": []}


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is to be solved: specs, for a target, from channels given as URLs.

    ``virtual`` is what may be assumed of the target. ``locked`` are packages that stay where they still fit. ``key`` is
    where the specs of ``packages`` stand: what is wrong with them is told of it. ``alike`` are the channels given by a
    name that a folder has, too (`channels.alike`).
    """

    target: Target
    channels: tuple[str, ...]
    virtual: tuple[VirtualPackage, ...]
    packages: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    exclude_newer: datetime | None = None
    offline: bool = False
    locked: tuple[Package, ...] = ()
    key: str = "packages"
    alike: tuple[str, ...] = ()


def solve(question: Question, environ: Mapping[str, str]) -> Solution:
    """Return the packages that satisfy ``packages`` and ``host`` for the target, earlier channels first.

    For no specs nothing is asked. Raises ConfigError for what is no spec, FetchError for a channel, SolveError where
    nothing fits.
    """
    [answer] = solve_all([question], environ)
    if isinstance(answer, PressError):
        raise answer
    return answer


def solve_all(questions: Sequence[Question], environ: Mapping[str, str]) -> list[Solution | PressError]:
    """Return the answer to each question, an error for what has none; the channels are read once for all."""
    real = [question for question in questions if question.packages or question.host]
    request = {
        "do": "solve",
        "questions": [_as_json(question) for question in real],
        "offline": any(question.offline for question in questions),
        "cache": str(worker_process.cache_folder(environ)),
    }
    targets = ", ".join(dict.fromkeys(f"{each.target.subdir} and Python {each.target.python}" for each in real))
    with log.working(f"solving for {targets or 'nothing'}"):
        answers = iter(worker_process.ask(request, questions[0].target, environ, SolveError)["answers"] if real else ())
    found = [next(answers) if question in real else _NOTHING for question in questions]
    _tell_vain(
        [(question, answer["vain"]) for question, answer in zip(questions, found, strict=True) if "vain" in answer]
    )
    return [_solution(question, answer) for question, answer in zip(questions, found, strict=True)]


def _tell_vain(solved: Sequence[tuple[Question, Mapping[str, list[str]]]]) -> None:
    """Tell of constraints on what no channel has: a warning where that is so for every target, else a note."""
    for text in dict.fromkeys(text for _, vain in solved for text in vain):
        near = next(vain[text] for _, vain in solved if text in vain)
        lacking = [question.target.subdir for question, vain in solved if text in vain]
        what = Text.of(Setting("constraints"), f": {text!r} names a package that no channel has")
        if all(text in vain for question, vain in solved if text in question.constraints):
            log.warn(what, f"did you mean {near[0]}?" if near else "check the spelling, or take it out")
        else:
            log.note(f"{what} for {', '.join(dict.fromkeys(lacking))}")


def _as_json(question: Question) -> Json:
    return {
        "channels": list(question.channels),
        "specs": {question.key: list(question.packages), "host": list(question.host)},
        "constraints": list(question.constraints),
        "python": python_specs(question.target.python),
        "subdir": question.target.subdir,
        "virtual": [[package.name, package.version, package.build] for package in question.virtual],
        "exclude_newer": None if question.exclude_newer is None else question.exclude_newer.timestamp(),
        "locked": list(map(records.plain, question.locked)),
    }


def _solution(question: Question, answer: Json) -> Solution | PressError:
    if "error" in answer:
        facts = {**answer, "alike": question.alike}
        return worker_errors.translate(worker_process.RefusedError(answer["error"], facts), question.target)
    try:
        packages = records.packages_of(answer)
    except SolveError as error:
        return error
    asked = answer["names"][: len(question.packages)]
    return _mark(Solution(target=question.target, packages=packages, channels=_public(question)), asked)


def note_alike(questions: Iterable[Question], answers: Iterable[Solution | PressError]) -> None:
    """Tell of channels that were had by a name that a folder has, too.

    Where they could not be had, the error says so.
    """
    pairs = zip(questions, answers, strict=True)
    had = [question for question, answer in pairs if isinstance(answer, (Solution, SolveError))]
    for channel in dict.fromkeys(channel for question in had for channel in question.alike):
        log.note(meant_as_name(channel))


def python_specs(python: Python) -> list[str]:
    """Return what binds a solve to one CPython without asking for it to be there; Python itself comes first."""
    # Builds for PyPy and for free-threaded Pythons share CPython's version, and not all packages ask for python_abi.
    build = r"^.*_cp\d+t$" if python.free_threaded else r"^(?!.*(\dt|pypy)$).*$"
    return [f'python[version="{python.version}.*", build="{build}"]', f"python_abi {python.version}.* *_{python.abi}"]


def locked(
    held: lockfile.Held, question: Question, changed: Sequence[Problem], root: Path, environ: Mapping[str, str]
) -> Solution:
    """Return the solution that a lock holds; raises ConfigError with what has ``changed`` since it was made.

    A solution from folders that are not on this machine is looked for, by the archives' hashes, in the channels asked.
    """
    names = [spec_name(spec) for spec in question.packages]
    solution = Solution(
        target=question.target, packages=held.packages, channels=_public(question), contents=held.contents
    )
    if moved := lockfile.gone(held, root, changed):
        solution = replace(solution, packages=_located(held, question, moved, environ))
    elif changed:
        raise ConfigError(*changed)
    return _mark(solution, names)


def _located(
    held: lockfile.Held, question: Question, moved: Sequence[str], environ: Mapping[str, str]
) -> tuple[Package, ...]:
    """Return the packages of a solution with the places of the same archives in the channels that are asked."""
    request = {
        "do": "locate",
        "channels": list(question.channels),
        "alike": question.alike,
        "subdir": question.target.subdir,
        "packages": list(map(records.plain, held.packages)),
        "offline": question.offline,
        "cache": str(worker_process.cache_folder(environ)),
    }
    answer = worker_process.ask(request, question.target, environ, SolveError)
    if answer["missing"]:
        what = f"{lockfile.NAME} has {held.name} from {', '.join(moved)}, which is not here, and the channels "
        what += f"asked have not got, with the same content: {', '.join(answer['missing'])}"
        hint = f"name channels that have it, or {lockfile.UPDATE}"
        raise ConfigError(Problem(where=Setting("channels"), what=what, hint=hint))
    found = ((package, answer["places"][package.file_name]) for package in held.packages)
    return tuple(
        replace(package, url=public(place["url"]), channel=public(place["channel"])) for package, place in found
    )


def _public(question: Question) -> tuple[str, ...]:
    return tuple(map(public, question.channels))


def _mark(solution: Solution, names: Collection[str]) -> Solution:
    packages = tuple(replace(package, requested=package.name in names) for package in solution.packages)
    return replace(solution, packages=packages)
