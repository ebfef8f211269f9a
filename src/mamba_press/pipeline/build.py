"""What the two front doors share: from settings to an order, from an order to files, from errors to text."""

from __future__ import annotations

import errno
import gc
import sysconfig
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mamba_press import log
from mamba_press.errors import BuildError, ConfigError, PressError, WarnedError, WriteError
from mamba_press.problem import Note, Problem, noted, of_all, warnings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mamba_press.audit.second_reader import SecondReader
    from mamba_press.conda.lockfile import Held
    from mamba_press.config.model import Config, State
    from mamba_press.pipeline.solve import Order
    from mamba_press.types import Pressed, Project, Solution, Target, Wheelhouse
    from mamba_press.wheel.wheelhouse import Manifest

RATTLER = "py-rattler>=0.28,<0.29"
DEFLATE = "deflate>=0.8"
LIEF = "lief>=1.0"
WHEEL = "wheel>=0.42"
_DEFLATE_WHEELS = {"linux-x86_64", "linux-aarch64", "macosx-arm64", "win-amd64"}
_LIEF_WHEELS = _DEFLATE_WHEELS | {"macosx-x86_64", "win-arm64"}
KEEP = "MAMBA_PRESS_KEEP"

ELSEWHERE = "choose another folder with -o, give it another version or build number, or --force it"
_LATEST = 2**32 - 1
"""The last second that a gzip header can hold."""

_OF_THE_MACHINE = {
    errno.ENOSPC: "free some space, or let TMPDIR and RATTLER_CACHE_DIR name folders that have more",
    errno.EDQUOT: "free some of your quota, or let TMPDIR and RATTLER_CACHE_DIR name folders that have more",
    errno.EFBIG: "the file system or the process's limit (ulimit -f) allows no file of this size",
    errno.EROFS: "let TMPDIR and RATTLER_CACHE_DIR name folders that can be written",
    errno.EACCES: "change the permissions, or let TMPDIR and RATTLER_CACHE_DIR name folders of yours",
    errno.EPERM: "change the permissions, or let TMPDIR and RATTLER_CACHE_DIR name folders of yours",
    errno.EMFILE: "raise the number of files that a process may open (ulimit -n)",
    errno.ENFILE: "this machine has too many open files: end other programs",
    errno.EIO: "look at the disk",
}
"""What a user can do about the errors of a machine; any other OSError is a bug of ours and keeps its traceback."""


@contextmanager
def hook(settings: Mapping[str, object] | None, environ: Mapping[str, str]) -> Iterator[None]:
    """Turn what the user can act on into the message that every front end shows as it is, without a traceback."""

    def worded(text: str) -> str:
        from mamba_press.config import reader

        return reader.as_given(text, settings, environ)

    try:
        with machine(), uncollected(), log.build(worded):
            yield
    except PressError as error:
        raise SystemExit(f"mamba-press: {log.shown(worded(str(error)))}") from None


@contextmanager
def machine() -> Iterator[None]:
    """Turn what the machine refused, such as space or memory, into a WriteError that names the file."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # Python has no class of its own for a thread that the machine does not start.
        if isinstance(error, RuntimeError) and str(error) != "can't start new thread":
            raise
        lacks = "does not have enough memory" if isinstance(error, MemoryError) else "cannot start more threads"
        way_out = "end other programs, or raise the limits of this process (ulimit -v, ulimit -u)"
        raise WriteError(Problem(where="this machine", what=lacks, hint=way_out)) from error
    except OSError as error:
        hint = _OF_THE_MACHINE.get(error.errno or 0)
        if hint is None:
            raise
        where = str(error.filename or "this machine")
        raise WriteError(Problem(where=where, what=f"{error.strerror}", hint=hint)) from error


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python from looking for values that refer to each other in a circle.

    What a press makes goes with its last user; only half a megabyte does not, and to look for that is a tenth of all.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def requirements(
    settings: Mapping[str, object] | None, *, environ: Mapping[str, str], state: State = "wheel"
) -> list[str]:
    """Return what this very build needs beside mamba-press; raises ConfigError for a configuration that cannot be used.

    Whether [project] keeps to all rules is left to the build: the answer would cost more than all the rest.
    """
    from mamba_press.config import reader
    from mamba_press.metadata import dynamic_metadata
    from mamba_press.platforms import target

    root = Path.cwd()
    try:
        config = reader.read(root, settings, environ, state=state)
        chosen = target.resolve(config.python, config.platform, environ)
        if not (config.packages or config.host or config.build_backend):
            read(root, settings, environ, state)  # says if there is no code either
            return ([DEFLATE] if _has_deflate() else []) + dynamic_metadata.requirements(root)
    except ConfigError:
        if not reader.is_plain(root):
            read(root, settings, environ, state)  # says what is wrong with all tables at once
        raise
    wanted = [] if environ.get("MAMBA_PRESS_WORKER") else [_rattler()]
    inner = _of_inner(config, root, environ, state)
    refuse_warnings(config)
    others = _of_second_reader(config, target.is_here(chosen)) if state != "sdist" else []
    return [*wanted, *([DEFLATE] if _has_deflate() else []), *others, *inner]


def _of_inner(config: Config, root: Path, environ: Mapping[str, str], state: State) -> list[str]:
    """Return what providers of metadata need, or the inner backend: it is asked in a process of its own."""
    if config.build_backend is None:
        from mamba_press.metadata import dynamic_metadata

        return dynamic_metadata.requirements(root)
    from mamba_press.project import backend as project_backend

    backend = project_backend.of(config, root)
    assert backend is not None
    try:
        return project_backend.requires(backend, state, environ)
    except BuildError:
        if not config.host:
            raise
        # setuptools runs setup.py for this answer, which may want pg_config or the like of a prefix that is made later.
        log.note(
            f"{backend.name} cannot say what else it needs before its host packages are installed; the build goes on"
        )
        return []


def _rattler() -> str:
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise ConfigError(
            Problem(
                where="the interpreter that builds",
                what="is free-threaded, for which py-rattler has no wheel",
                hint="set MAMBA_PRESS_WORKER to an interpreter that has it, e.g. MAMBA_PRESS_WORKER=python3.13, "
                "or build with one and ask for this Python: -C python=3.14t",
            )
        )
    return RATTLER


def _has_deflate() -> bool:
    """Whether there is a wheel for the interpreter that builds, whatever it builds for (_PYTHON_HOST_PLATFORM)."""
    from mamba_press.platforms import target

    return target.this_machine().platform in _DEFLATE_WHEELS and not sysconfig.get_config_var("Py_GIL_DISABLED")


def _of_second_reader(config: Config, is_here: bool) -> list[str]:
    """Return what reads again what will be edited; LIEF where it has a wheel for the interpreter that builds."""
    from mamba_press.platforms import target

    if config.second_reader == "off" or (config.second_reader == "foreign" and is_here):
        return []
    machine = target.this_machine()
    is_old = machine.glibc is not None and machine.glibc < (2, 28)
    has_wheel = machine.platform in _LIEF_WHEELS and not is_old
    return [*([LIEF] if has_wheel and not (machine.python.free_threaded and machine.python.minor < 14) else []), WHEEL]


def read(
    root: Path, settings: Mapping[str, object] | None, environ: Mapping[str, str], state: State = "wheel"
) -> tuple[Config, Project, Target]:
    """Return what a project asks for, with every problem of all its tables at once."""
    from mamba_press.config import reader
    from mamba_press.metadata import dynamic_metadata, pyproject
    from mamba_press.platforms import target

    reader.document(root)  # a file that is missing or broken is one problem, not one of each table
    config, problems = _tried(lambda: reader.read(root, settings, environ, state=state))
    is_built = config is not None and config.build_backend is not None
    found, more = _tried(lambda: pyproject.load_unread(root) if is_built else pyproject.load(root))
    problems += [problem for problem in more if problem not in problems]
    problems += _tried(lambda: dynamic_metadata.asked(root))[1]
    if config is not None:
        chosen, more = _tried(lambda: target.resolve(config.python, config.platform, environ))
        problems += more
        problems += _nothing_to_press(config, found) if found is not None else ()
        problems += _python_not_allowed(found, chosen) if found is not None and chosen is not None else ()
    if problems or config is None or found is None or chosen is None:
        raise ConfigError(*problems)
    return config, found, chosen


def _python_not_allowed(asked: Project, chosen: Target) -> Iterator[Problem]:
    """Yield what is wrong with a project that is pressed for a Python that it excludes itself."""
    if "requires-python" not in asked.table:
        return
    from mamba_press.metadata import pythons

    requires = pythons.stated(asked.table.get("requires-python"))
    if not pythons.allows(requires, chosen.python):
        what = f"{str(requires)!r} excludes Python {chosen.python}, the target"
        near = pythons.nearest(requires, chosen.python)
        keys = "tool.mamba-press.python, tool.mamba-press.matrix.python"
        another = f"press for one that it allows, such as {near} ({keys}); or " if near else ""
        hint = f"{another}let project.requires-python allow {chosen.python.version}"
        yield Problem(where="project.requires-python", what=what, hint=hint)


def _nothing_to_press(config: Config, asked: Project) -> Iterator[Problem]:
    """Yield what is wrong with a project that has code of its own, or presses nothing whole and has none.

    What an inner backend builds is not known yet.
    """
    from mamba_press.metadata import dynamic_metadata, pyproject
    from mamba_press.project import sources

    if config.build_backend is not None:
        yield from sources.left_to(config)
        return
    modules, problems = _tried(lambda: sources.find(asked, config.sources))
    yield from problems
    has_providers = bool(_tried(lambda: dynamic_metadata.asked(asked.root))[0])
    if modules and not has_providers:
        yield from pyproject.of_code(asked)
    if config.packages or problems:
        return
    if not modules:
        yield sources.nothing(asked, config)
    if not has_providers:
        yield from pyproject.without_packages(asked)


_Found = TypeVar("_Found")


def _tried(get: Callable[[], _Found]) -> tuple[_Found | None, list[Problem]]:
    try:
        return get(), []
    except ConfigError as error:
        return None, list(error.problems)


def order(
    root: Path, settings: Mapping[str, object] | None, environ: Mapping[str, str], state: State = "wheel"
) -> Order:
    """Return the order of a project's build; ``state`` is what is built, for overrides that depend on it."""
    config, project, target = read(root, settings, environ, state)
    from mamba_press.pipeline.solve import Order  # the stages: not for a configuration that cannot be used

    covered = partial(_covered, root, settings, environ)
    return Order(
        config=config, target=target, root=root, environ=environ, project=project, state=state, covered=covered
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """The Pythons and the platforms that a command names, and whether it asks for the project's own matrix."""

    python: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()
    of_project: bool = True


def orders(
    root: Path, settings: Mapping[str, object] | None, environ: Mapping[str, str], asked: Matrix
) -> tuple[Order, ...]:
    """Return one order for each target of a project, in the order of its matrix: every platform with every Python.

    What ``asked`` names goes over the project's matrix, and that over `python` and `platform`. Every problem of every
    target is raised at once; two ways to name one target are one.
    """
    from mamba_press.config import reader

    matrix = reader.read(root, settings, environ).matrix
    named = Matrix(
        python=asked.python or (matrix.python if asked.of_project else ()),
        platform=asked.platform or (matrix.platform if asked.of_project else ()),
    )
    return each(named, lambda chosen: order(root, reader.for_target(settings, chosen), environ))


def _covered(
    root: Path,
    settings: Mapping[str, object] | None,
    environ: Mapping[str, str],
    held: Sequence[Held],
    here: Target,
) -> tuple[tuple[Order, Held], ...]:
    """Return what a lock holds for the targets of the matrix, each with its order, as `lock --check` compares them.

    Without any of these all that it holds.
    """
    from mamba_press.config import reader
    from mamba_press.pipeline import solve

    matrix = reader.read(root, settings, environ).matrix
    wanted = orders(root, settings, environ, Matrix()) if matrix.python or matrix.platform else ()
    found = [(each, one) for each in wanted if (one := solve.best(each, held)) is not None]
    for one in held if not found else ():
        chosen = {"python": one.python or "", "platform": one.entry["subdir"]}
        if one.entry["subdir"] == here.subdir:
            del chosen["platform"]
        made, _ = _tried(partial(order, root, reader.for_target(settings, chosen), environ))
        found += [(made, one)] if made else []  # what cannot be pressed for is not asked of the lock either
    return tuple(found)


def each(named: Matrix, make: Callable[[dict[str, str]], Order]) -> tuple[Order, ...]:
    """Return what ``make`` makes of the settings of each target, without repeats; raises all their problems at once."""
    found: dict[Target, Order] = {}
    problems: dict[Problem, None] = {}
    for platform in named.platform or (None,):
        for python in named.python or (None,):
            chosen = {key: value for key, value in (("python", python), ("platform", platform)) if value is not None}
            try:
                made = make(chosen)
            except ConfigError as error:
                problems.update(dict.fromkeys(error.problems))
            else:
                found.setdefault(made.target, made)
    if problems:
        raise ConfigError(*problems)
    return tuple(found.values())


@contextmanager
def pressed(asked: Order, solution: Solution | None = None) -> Iterator[Pressed]:
    """Give the finished wheel as a value; the files that its entries name are there until the block ends."""
    from mamba_press.conda.process import one_process
    from mamba_press.pipeline import press, solve
    from mamba_press.wheel import writer

    require_native(asked)
    generator, date = writer.generator(asked.config.wheel.compression), epoch(asked.environ)
    with workdir(asked.environ) as folder:
        with one_process():
            solved = solution or solve.solve(asked)
            result = press.press(asked, solved, folder, generator=generator, epoch=date)
        yield result


def require_native(asked: Order) -> None:
    """Raise as `require_backend`, and ConfigError for a target for which an inner backend cannot build here.

    Such an order can be solved and locked for.
    """
    from mamba_press.platforms import target

    problems = target.foreign(asked.target, asked.environ) if asked.config.build_backend is not None else ()
    if problems:
        raise ConfigError(*problems)
    require_backend(asked)


def require_backend(asked: Order) -> None:
    """Raise ConfigError where the inner backend is not there, BuildError where it has no hook for what is asked."""
    from mamba_press.project import backend as project_backend

    backend = project_backend.of(asked.config, asked.root)
    if backend is not None:
        project_backend.require(backend, asked.state.removeprefix("metadata_"), asked.environ)


@contextmanager
def workdir(environ: Mapping[str, str]) -> Iterator[Path]:
    """Give a temporary folder; after a failure it stays where MAMBA_PRESS_KEEP says so, to be looked at."""
    from mamba_press import atomic

    def stays(error: BaseException) -> bool:
        is_kept = bool(environ.get(KEEP)) and isinstance(error, Exception)
        if is_kept:
            log.note(f"{KEEP} is set: the unfinished build stays in {folder}")
        return is_kept

    with atomic.temporary(stays=stays) as folder:
        yield folder


def modules(asked: Order) -> tuple[str, ...]:
    """Return the top-level modules and packages of what would be pressed, sorted; installs it for a moment."""
    from mamba_press import atomic
    from mamba_press.conda.process import one_process
    from mamba_press.pipeline import press, solve

    with one_process(), atomic.temporary() as folder:
        return press.modules(asked, solve.solve(asked), folder)


def make(
    asked: Order,
    directory: Path,
    *,
    solution: Solution | None = None,
    accept: Callable[[str], None] = lambda _: None,
    replaces: bool = True,
) -> tuple[Path, Pressed]:
    """Press, write, check; the file takes its name only when the check has found nothing.

    ``accept`` is told the name before anything is written; what it raises ends the press. Unless the press ``replaces``
    what has that name, WriteError is raised where that is another file.
    """
    from mamba_press import atomic
    from mamba_press.wheel import writer

    atomic.require(directory)
    date = epoch(asked.environ)
    with second_reader(asked) as second, pressed(asked, solution) as result:

        def verify(path: Path, name: str) -> None:
            _verify(path, name, result, asked.config, second)
            if not replaces:
                _refuse_taken([(path, directory / name)])

        accept(result.wheel.file_name)
        log.step(f"writing {result.wheel.file_name}")
        path = writer.write(
            result.wheel,
            directory,
            compression=asked.config.wheel.compression,
            epoch=date,
            seen=second.offer if second else None,
            verify=verify,
        )
    log.tell(result.notes)
    return path, result


@contextmanager
def second_reader(asked: Order) -> Iterator[SecondReader | None]:
    """Give who reads again what is made, None for nobody; for another machine LIEF is imported in its process already.

    Raises ConfigError where it is asked for and cannot be had.
    """
    from mamba_press.audit import second_reader
    from mamba_press.platforms import target

    mode, is_here = asked.config.second_reader, target.is_here(asked.target)
    second_reader.require(mode)
    if mode == "off" or (is_here and not second_reader.is_there("wheel")):
        yield None
        return
    always = mode == "always"
    with second_reader.beside(here="" if always else target.this_machine().platform, whole=always) as second:
        second.begin(lief=always or not is_here)
        yield second
        for verdict in second.verdicts:
            log.detail(verdict.said)
            for each in verdict.notes:
                log.note(each)


def refuse_warnings(config: Config, notes: Iterable[Note] = ()) -> None:
    """Raise WarnedError with all warnings of the build, said or among ``notes``, where the configuration wants that.

    It is asked before anything that is made gets its name. What is a warning only if all targets have it is none of one
    of several.
    """
    if config.warnings != "error":
        return
    found = dict.fromkeys((*log.counted(), *warnings(notes)))
    if counts := [each for each in found if not (each.of_all and log.is_of_several())]:
        log.drop()
        raise WarnedError.of(counts)


def _verify(path: Path, name: str, result: Pressed, config: Config, second: SecondReader | None) -> None:
    """Refuse a file that is too large, or that a check finds something wrong with, and warnings that are errors."""
    from mamba_press.audit import check
    from mamba_press.pipeline import press

    size = path.stat().st_size
    if config.wheel.max_size is not None:
        from mamba_press.audit import explain
        from mamba_press.audit import size as audit_size
        from mamba_press.wheel import writer

        if size > audit_size.limit(config.wheel.max_size):
            found = explain.of_pressed(result, writer.listing(result.wheel), config)
            audit_size.refuse(path, found, result.wheel.entries, config)
    if size > check.PYPI_FILE and config.wheel.max_size is None:
        log.warn(f"{name} is larger than 100 MiB, which PyPI takes only after a request; wheel.max-size can refuse it")
    if problems := check.examine(path, name=name, elsewhere=press.elsewhere(config), second=second).problems:
        raise WriteError(*problems)
    refuse_warnings(config, result.notes)


def house(
    asked: Order, directory: Path | None, archive: Path | None = None, *, replaces: bool = True
) -> tuple[Wheelhouse, Manifest]:
    """Press a wheelhouse into a folder, an archive or both: all of it, or nothing.

    Unless it ``replaces`` what is there, WriteError is raised where that is another wheel or another archive.
    All wheels are checked together before one of them gets its place. What was there before stays where anything fails.
    """
    from mamba_press import atomic
    from mamba_press.conda.process import one_process
    from mamba_press.pipeline import press, solve, wheelhouse
    from mamba_press.wheel import wheelhouse as house_archive
    from mamba_press.wheel import writer

    if archive is not None and (archive.is_dir() or archive == directory):
        what, hint = "is a folder, and --archive writes one file", "name a file: --archive env.zip"
        raise WriteError(Problem(where=str(archive), what=what, hint=hint))
    if archive is not None:
        atomic.require(archive.parent)
    compression, date = asked.config.wheel.compression, epoch(asked.environ)
    generator = writer.generator(compression)
    with second_reader(asked) as second, atomic.stage(directory) as stage, atomic.temporary() as workdir:
        wheelhouse.require_possible(asked, workdir)
        with one_process():
            solution = solve.solve(asked)
            found = wheelhouse.press(asked, solution, workdir, generator=generator, epoch=date)
        count = len(found.wheels)
        log.step(f"writing {count} wheel{'s' * (count != 1)}")
        seen = second.offer if second else None
        paths = [
            writer.write(each.wheel, stage, compression=compression, epoch=date, seen=seen) for each in found.wheels
        ]
        elsewhere = press.elsewhere(asked.config)
        require_together(paths, elsewhere, second)
        manifest, lock = house_archive.describe(found, stage, elsewhere)
        (stage / house_archive.MANIFEST).write_bytes(manifest.to_json())
        (stage / house_archive.LOCK).write_bytes(lock)
        if directory is not None:
            _refuse_stale(directory, house_archive.stale(directory, [row.file for row in manifest.wheels]))
            if not replaces:
                _refuse_taken([(stage / row.file, directory / row.file) for row in manifest.wheels])
        notes = noted((*found.notes, *of_all([each.notes for each in found.wheels])))
        refuse_warnings(asked.config, notes)
        _place(stage, manifest, (directory, archive), replaces=replaces)
    log.tell(notes)
    return found, manifest


def _refuse_taken(pairs: Iterable[tuple[Path, Path]]) -> None:
    """Raise WriteError for finished files whose names other files have; each is given with where it shall be."""
    from mamba_press import atomic

    if problems := [each for written, target in pairs for each in atomic.taken(written, target, ELSEWHERE)]:
        raise WriteError(*problems)


def _place(stage: Path, manifest: Manifest, places: tuple[Path | None, Path | None], *, replaces: bool) -> None:
    """Bring a finished house from the folder ``stage`` to its folder and its archive; what fails changes nothing."""
    from mamba_press import atomic
    from mamba_press.wheel import wheelhouse as house_archive

    directory, archive = places
    with atomic.moving(stage) as move:

        def fill(packed: Path | None = None) -> None:
            if packed and archive and not replaces:
                _refuse_taken([(packed, archive)])
            # What describes the others comes last, so that a folder that is not complete says so.
            for name in (*(row.file for row in manifest.wheels), house_archive.LOCK, house_archive.MANIFEST):
                if directory is not None:
                    move(stage / name, directory / name)

        if archive is None:
            fill()
        else:
            house_archive.pack(stage, manifest, archive, fill)


def require_together(paths: Sequence[Path], elsewhere: Sequence[str], second: SecondReader | None = None) -> None:
    """Raise WriteError with everything that is wrong with wheels that are installed together."""
    from mamba_press.audit import check

    wrong = [
        replace(problem, where=f"{path.name}: {problem.where}")
        for path, found in zip(paths, check.together(paths, elsewhere=elsewhere, second=second), strict=True)
        for problem in found.problems
    ]
    if wrong:
        raise WriteError(*wrong)


def _refuse_stale(directory: Path, stale: Sequence[str]) -> None:
    if stale:
        shown = ", ".join(stale[:5]) + (f" and {len(stale) - 5} more" if len(stale) > 5 else "")
        raise WriteError(
            Problem(
                where=str(directory),
                what=f"has wheels that are not of this wheelhouse, and installers would take them too: {shown}",
                hint="remove them, or choose another folder with -o",
            )
        )


def epoch(environ: Mapping[str, str]) -> int | None:
    """Return SOURCE_DATE_EPOCH, or None if unset (https://reproducible-builds.org/specs/source-date-epoch/)."""
    text = environ.get("SOURCE_DATE_EPOCH", "").strip()
    if not text:
        return None
    is_number = text.isascii() and text.isdigit()
    if not is_number or len(text) > len(str(_LATEST)) or int(text) > _LATEST:
        what = "lies after the year 2106, where the dates of archives end" if is_number else "is no number of seconds"
        hint = "set it to seconds since 1970, such as $(git log -1 --format=%ct), or unset it"
        raise ConfigError(Problem(where="SOURCE_DATE_EPOCH", what=f"{text[:40]!r} {what}", hint=hint))
    return int(text)
