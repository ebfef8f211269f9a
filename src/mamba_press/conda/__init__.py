"""Conda: solve, fetch and lock. Everything that needs rattler happens in a process of its own (`worker`)."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mamba_press import log, platforms
from mamba_press.atomic import replacing, temporary
from mamba_press.channels import folder_of, is_folder, meant_as_name
from mamba_press.conda import hints, lock, prefix, process, records
from mamba_press.conda.process import one_process as one_process
from mamba_press.credentials import added, public
from mamba_press.errors import ConfigError, FetchError, PressError, SolveError, WriteError
from mamba_press.specifiers import spec_name as spec_name
from mamba_press.types import (
    Environment,
    Package,
    Problem,
    Python,
    Solution,
    Target,
    VirtualPackage,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mamba_press.config import Config

Json = dict[str, Any]

KEY = "tool.mamba-press"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is to be solved: the packages of a configuration, for a target, from channels given as URLs.

    ``virtual`` is what may be assumed of the target. ``locked`` are packages that stay where they still fit. ``key`` is
    where the specs stand that ``config.packages`` has: what is wrong with them is told of it. ``alike`` are the
    channels given by a name that a folder has, too (`channels.alike`).
    """

    config: Config
    target: Target
    channels: tuple[str, ...]
    virtual: tuple[VirtualPackage, ...]
    locked: tuple[Package, ...] = ()
    key: str = "packages"
    alike: tuple[str, ...] = ()


def solve(question: Question, environ: Mapping[str, str]) -> Solution:
    """Return the packages that satisfy ``config.packages`` and ``host`` for the target, earlier channels first.

    For no specs nothing is asked. Raises ConfigError for what is no spec, FetchError for a channel, SolveError where
    nothing fits.
    """
    [answer] = solve_all([question], environ)
    if isinstance(answer, PressError):
        raise answer
    return answer


def solve_all(questions: Sequence[Question], environ: Mapping[str, str]) -> list[Solution | PressError]:
    """Return the answer to each question, an error for what has none; the channels are read once for all."""
    real = [question for question in questions if question.config.packages or question.config.host]
    request = {
        "do": "solve",
        "questions": [_as_json(question) for question in real],
        "offline": any(question.config.offline for question in questions),
        "cache": str(cache_folder(environ)),
    }
    targets = ", ".join(dict.fromkeys(f"{each.target.subdir} and Python {each.target.python}" for each in real))
    with log.working(f"solving for {targets or 'nothing'}"):
        answers = iter(_ask(request, questions[0].target, environ, SolveError)["answers"] if real else ())
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
        what = f"{hints.KEY}.constraints: {text!r} names a package that no channel has"
        if all(text in vain for question, vain in solved if text in question.config.constraints):
            log.warn(what, f"did you mean {near[0]}?" if near else "check the spelling, or take it out")
        else:
            log.note(f"{what} for {', '.join(dict.fromkeys(lacking))}")


_NOTHING: Json = {"packages": [], "specs": {}, "names": []}


def _as_json(question: Question) -> Json:
    config, target = question.config, question.target
    return {
        "channels": list(question.channels),
        "specs": {question.key: list(config.packages), "host": list(config.host)},
        "constraints": list(config.constraints),
        "python": python_specs(target.python),
        "subdir": target.subdir,
        "virtual": [[package.name, package.version, package.build] for package in question.virtual],
        "exclude_newer": None if config.exclude_newer is None else config.exclude_newer.timestamp(),
        "locked": list(map(records.plain, question.locked)),
    }


def note_alike(questions: Iterable[Question], answers: Iterable[Solution | PressError]) -> None:
    """Tell of channels that were had by a name that a folder has, too.

    Where they could not be had, the error says so.
    """
    pairs = zip(questions, answers, strict=True)
    had = [question for question, answer in pairs if isinstance(answer, (Solution, SolveError))]
    for channel in dict.fromkeys(channel for question in had for channel in question.alike):
        log.note(meant_as_name(channel))


def _solution(question: Question, answer: Json) -> Solution | PressError:
    if "error" in answer:
        facts = {**answer, "alike": question.alike}
        return hints.translate(process.RefusedError(answer["error"], facts), question.target)
    try:
        packages = records.packages_of(answer)
    except SolveError as error:
        return error
    asked = answer["names"][: len(question.config.packages)]
    return _mark(Solution(target=question.target, packages=packages, channels=_public(question)), asked)


def python_specs(python: Python) -> list[str]:
    """Return what binds a solve to one CPython without asking for it to be there; Python itself comes first."""
    # Builds for PyPy and for free-threaded Pythons share CPython's version, and not all packages ask for python_abi.
    build = r"^.*_cp\d+t$" if python.free_threaded else r"^(?!.*(\dt|pypy)$).*$"
    return [f'python[version="{python.version}.*", build="{build}"]', f"python_abi {python.version}.* *_{python.abi}"]


def fetch(
    solution: Solution,
    names: Collection[str],
    workdir: Path,
    *,
    config: Config,
    environ: Mapping[str, str],
) -> Environment:
    """Install exactly the named packages of a solution into ``workdir/prefix``; Python is never among them.

    Every archive's hash is compared with its record. Files of the prefix may be links into the package cache, and are
    never to be written. Raises FetchError for an archive, ContentError for what an archive holds.
    """
    root = workdir / "prefix"
    root.mkdir(parents=True, exist_ok=True)
    if not _chosen(solution, names):
        return Environment(prefix=root, files=(), packages=(), info={})
    neutral = platforms.facts(solution.target).neutral
    _install(solution, names, root, neutral, config=config, environ=environ)
    notes: list[str] = []
    environment = prefix.read(root, _chosen(solution, names), notes, neutral=neutral)
    for note in notes:
        log.note(note)
    return environment


def install(  # noqa: PLR0913  # as `_install`
    solution: Solution,
    names: Collection[str],
    root: Path,
    *,
    stands: Path | None = None,
    config: Config,
    environ: Mapping[str, str],
) -> None:
    """Install the named packages of a solution into the folder ``root`` to be built against where it stands.

    Its text files and programs name ``root`` itself, or ``stands``, where it will be moved to. Otherwise as `fetch`.
    """
    _install(solution, names, root, str(stands or root), config=config, environ=environ)


def _chosen(solution: Solution, names: Collection[str]) -> list[Package]:
    return [package for package in solution.packages if package.name in names and package.name != "python"]


def _install(  # noqa: PLR0913  # what an installation consists of
    solution: Solution,
    names: Collection[str],
    root: Path,
    written: str,
    *,
    config: Config,
    environ: Mapping[str, str],
) -> None:
    """Install into ``root`` with the prefix ``written`` in the files; warn of archives that nothing vouches for."""
    root.mkdir(parents=True, exist_ok=True)
    target, facts = solution.target, platforms.facts(solution.target)
    request = {
        "do": "fetch",
        "packages": _asked_for(_chosen(solution, names), config),
        "python": [records.plain(package) for package in solution.packages if package.name == "python"],
        "prefix": str(root),
        "platform": (facts.installed_as if written == facts.neutral else "") or target.subdir,
        "neutral": written,
        "offline": config.offline,
        "cache": str(cache_folder(environ)),
    }
    for archive in _ask(request, target, environ, FetchError)["unverified"]:
        log.warn(
            f"{archive}: the channel states no hash, so nothing vouches for it",
            "index the channel again, or name one that states hashes",
        )


def inspect(
    packages: Sequence[Package], config: Config, *, offline: bool, environ: Mapping[str, str]
) -> dict[str, Json]:
    """Return, by file name, the ``folders`` of Python metadata and the number of ``files``, or a ``problem``.

    They are looked into where they are, without being downloaded; ``offline``, only those that are cached or files.
    """
    if not packages:
        return {}
    request = {
        "do": "inspect",
        "packages": _asked_for(packages, config),
        "offline": offline,
        "cache": str(cache_folder(environ)),
    }
    try:
        contents: dict[str, Json] = process.call(request, _listen, environ, FetchError)["contents"]
    except process.RefusedError as refused:
        raise hints.silent(refused.facts) from None
    return contents


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the cache that rattler and pixi share with us."""
    if chosen := environ.get("RATTLER_CACHE_DIR"):
        return Path(chosen).absolute()
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "rattler", "cache")


def channel_urls(channels: Iterable[str], root: Path) -> tuple[str, ...]:
    """Return the channels with paths made URLs, relative ones from the project's folder; names and URLs stay.

    Raises ConfigError for each folder that is not there.
    """
    problems = []
    urls = []
    for channel in channels:
        path = folder_of(channel, root)
        if path is not None and not is_folder(path):
            problems.append(_no_folder(channel, path))
        urls.append(channel if path is None else path.as_uri())
    if problems:
        raise ConfigError(*problems)
    return tuple(urls)


def outside(channels: Iterable[str], root: Path) -> tuple[str, ...]:
    """Return the channels that are folders but not of the project: they do not travel with its sdist."""
    folders = ((channel, folder_of(channel, root)) for channel in channels)
    here = Path(os.path.normpath(root.absolute()))
    return tuple(channel for channel, path in folders if path is not None and not path.is_relative_to(here))


def inside(channels: Iterable[str], root: Path) -> tuple[str, ...]:
    """Return the folders of the project that are channels, relative to it: they travel with its sdist."""
    here = Path(os.path.normpath(root.absolute()))
    folders = (folder_of(channel, root) for channel in channels)
    return tuple(path.relative_to(here).as_posix() for path in folders if path and path.is_relative_to(here))


def _no_folder(channel: str, path: Path) -> Problem:
    return Problem(
        where=f"{KEY}.channels",
        what=f"{channel!r} is a folder that is not there: {path}",
        hint="give a URL or an absolute path, or override it for this build with -C channels=… or MAMBA_PRESS_CHANNELS",
    )


def _ask(request: Json, target: Target, environ: Mapping[str, str] | None, failure: type[PressError]) -> Json:
    try:
        return process.call(request, _listen, environ, failure)
    except process.RefusedError as refused:
        refused.facts.setdefault("alike", request.get("alike", ()))
        raise hints.translate(refused, target) from None
    finally:
        log.progress_end()


def _listen(event: Json) -> None:
    """Say what the worker is doing: a line for each step, and a line that is redrawn on a terminal."""
    if event["event"] == "plan" and event["packages"]:
        size = f", {event['bytes'] / 1e6:.1f} MB" if event["bytes"] else ""
        new = f", {event['downloads']} to download{size}" if event["downloads"] else ""
        log.step(f"fetching {event['packages']} package{'s' * (event['packages'] != 1)}{new}")
    elif event["event"] == "fetching":
        done, expected = event["bytes"], event["expected"]
        size = f", {done / 1e6:.1f} of {expected / 1e6:.1f} MB" if expected else ""
        # Where something is downloaded, that is what takes the time.
        part = (done, expected) if done < expected else (event["linked"], event["total"])
        log.progress(f"fetching {event['name']} ({event['linked']} of {event['total']} in place{size})", *part)


def _public(question: Question) -> tuple[str, ...]:
    return tuple(map(public, question.channels))


def _asked_for(packages: Iterable[Package], config: Config) -> list[Json]:
    """Return packages for the worker, which asks servers for them, with the credentials that the channels are given."""
    return [records.plain(replace(package, url=added(package.url, config.channels))) for package in packages]


def _mark(solution: Solution, names: Collection[str]) -> Solution:
    packages = tuple(replace(package, requested=package.name in names) for package in solution.packages)
    return replace(solution, packages=packages)


def write_lock(entries: Sequence[Json], path: Path, root: Path, *, environ: Mapping[str, str] | None = None) -> None:
    """Write entries (`lock.entry`) into one file of rattler's lock format, in which paths are relative to ``root``."""
    with temporary() as folder:
        written = folder / path.name
        bare = [{key: value for key, value in entry.items() if key not in ("asked", "contents")} for entry in entries]
        process.call({"do": "write-lock", "path": str(written), "entries": bare}, _listen, environ, WriteError)
        text = written.read_text("utf-8")
    channels = dict.fromkeys(channel for entry in entries for channel in entry["asked"].get("channels", ()))
    with replacing(path) as file:
        file.write(lock.stamped(lock.portable(text, root, channels), entries).encode("utf-8"))


def read_lock(path: Path, root: Path, *, environ: Mapping[str, str] | None = None) -> tuple[lock.Held, ...]:
    """Return all that a lock file holds; raises ConfigError for one that is no lock."""
    with temporary() as folder:
        copied = folder / path.name
        try:
            text = lock.absolute(path.read_text("utf-8"), root)
            made, contents = lock.stamps(text)
            copied.write_text(text, "utf-8", newline="\n")
            answer = process.call({"do": "read-lock", "path": str(copied)}, _listen, environ, ConfigError)
        except process.RefusedError as refused:
            raise hints.unreadable_lock(refused.facts["text"]) from None
        except ValueError as error:
            raise hints.unreadable_lock(str(error)) from None
    held = []
    for entry in answer["entries"]:
        if foreign := entry.pop("foreign"):
            what = "it locks what is no conda package: " + ", ".join(foreign)
            raise ConfigError(Problem(where=path.name, what=what, hint="write it with `mamba-press lock`"))
        packages = records.packages_of({key: entry.pop(key) for key in ("packages", "specs")})
        known = {package.name: contents[package.file_name] for package in packages if package.file_name in contents}
        one = lock.Held(entry=entry, packages=packages, contents=known)
        held.append(replace(one, asked=made.get(one.name)))
    return tuple(held)


def entry_of(held: lock.Held) -> Json:
    """Return a solution that was read as `write_lock` takes it."""
    return {
        **held.entry,
        "packages": list(map(records.plain, held.packages)),
        "asked": held.asked or {},
        "contents": {
            package.file_name: held.contents[package.name] for package in held.packages if package.name in held.contents
        },
    }


def locked(held: lock.Held, question: Question, root: Path, environ: Mapping[str, str]) -> Solution:
    """Return the solution that a lock holds, if it is for this very question; raises ConfigError with what changed.

    With ``frozen`` it is taken whatever it was made for. A solution from folders that are not on this machine is looked
    for, by the archives' hashes, in the channels asked.
    """
    is_frozen = question.config.frozen
    problems = () if is_frozen else lock.changed(held, lock.asked(question.config, question.virtual), root)
    names = [spec_name(spec) for spec in question.config.packages]
    solution = Solution(
        target=question.target, packages=held.packages, channels=_public(question), contents=held.contents
    )
    if moved := lock.gone(held, root, problems):
        solution = replace(solution, packages=_located(held, question, moved, environ))
    elif problems:
        raise ConfigError(*problems)
    return _mark(solution, names)


def _located(
    held: lock.Held, question: Question, moved: Sequence[str], environ: Mapping[str, str]
) -> tuple[Package, ...]:
    """Return the packages of a solution with the places of the same archives in the channels that are asked."""
    request = {
        "do": "locate",
        "channels": list(question.channels),
        "alike": question.alike,
        "subdir": question.target.subdir,
        "packages": list(map(records.plain, held.packages)),
        "offline": question.config.offline,
        "cache": str(cache_folder(environ)),
    }
    answer = _ask(request, question.target, environ, SolveError)
    if answer["missing"]:
        raise ConfigError(
            Problem(
                where=f"{KEY}.channels",
                what=f"{lock.NAME} has {held.name} from {', '.join(moved)}, which is not here, and the channels asked "
                f"have not got, with the same content: {', '.join(answer['missing'])}",
                hint=f"name channels that have it, or {lock.UPDATE}",
            )
        )
    found = ((package, answer["places"][package.file_name]) for package in held.packages)
    return tuple(
        replace(package, url=public(place["url"]), channel=public(place["channel"])) for package, place in found
    )


def to_json(solution: Solution) -> str:
    """Return a solution as text, to hand it from one hook to another."""
    values = {
        "target": asdict(solution.target),
        "packages": list(map(records.plain, solution.packages)),
        "specs": records.specs_of(solution.packages),
        "channels": solution.channels,
        "contents": solution.contents,
    }
    return json.dumps(values, indent=1, sort_keys=True)


def from_json(text: str) -> Solution:
    """Return the solution that `to_json` wrote; raises ValueError for any other text."""
    try:
        values = json.loads(text)
        target = values["target"]
        floor = target["floor"] and tuple(target["floor"])
        return Solution(
            target=Target(**{**target, "python": Python(**target["python"]), "floor": floor}),
            packages=records.again(values["packages"], values["specs"]),
            channels=tuple(values["channels"]),
            contents=values["contents"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no solution: {error}") from None
