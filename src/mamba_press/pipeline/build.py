"""One wheel, from an order to a file: pressed, written, checked, and only then given its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import log
from mamba_press.errors import ConfigError, Note, PressError, Problem, WarnedError, WriteError, warnings

if TYPE_CHECKING:
    from mamba_press.audit.second_reader import SecondReader
    from mamba_press.config.model import Config
    from mamba_press.pipeline.solve import Order
    from mamba_press.types import Pressed, Solution
    from mamba_press.wheel.entry_cache import EntryCache
    from mamba_press.wheel.proof import Proven

KEEP = "MAMBA_PRESS_KEEP"
ELSEWHERE = "choose another folder with -o, give it another version or build number, or --force it"
ENTRIES = "1 GiB"
"""How much of compressed files is kept where nothing else is said."""

_LATEST = 2**32 - 1
"""The last second that a gzip header can hold."""


@contextmanager
def pressed(asked: Order, solution: Solution | None = None) -> Iterator[Pressed]:
    """Give the finished wheel as a value; the files that its entries name are there until the block ends."""
    from mamba_press.conda.worker_process import one_process
    from mamba_press.pipeline import press, solve
    from mamba_press.wheel import compress

    require_native(asked)
    generator, date = compress.generator(asked.config.wheel.compression), epoch(asked.environ)
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

    if asked.config.build_backend is not None:
        ConfigError.raise_for(target.foreign(asked.target, asked.environ))
    require_backend(asked)


def require_backend(asked: Order) -> None:
    """Raise ConfigError where the inner backend is not there, BuildError where it has no hook for what is asked."""
    from mamba_press.project import backend as project_backend

    backend = project_backend.of(asked.config, asked.root)
    if backend is not None:
        project_backend.require(backend, asked.state.removeprefix("metadata_"), asked.environ)


@contextmanager
def workdir(environ: Mapping[str, str]) -> Iterator[Path]:
    """Give a temporary folder; after a failure it stays where MAMBA_PRESS_KEEP says so, to be looked at.

    It lies near the package cache where the usual place takes no hard links from there.
    """
    from mamba_press import atomic
    from mamba_press.conda import fetch

    def stays(error: BaseException) -> bool:
        is_kept = bool(environ.get(KEEP)) and isinstance(error, Exception)
        if is_kept:
            log.note(f"{KEEP} is set: the unfinished build stays in {folder}")
        return is_kept

    near = None if environ.get(KEEP) else fetch.near_cache(environ)
    with atomic.temporary(within=near, stays=stays) as folder:
        yield folder


def make(
    asked: Order,
    directory: Path,
    *,
    pressing: AbstractContextManager[Pressed] | None = None,
    accept: Callable[[str], None] = lambda _: None,
    replaces: bool = True,
) -> tuple[Path, Pressed]:
    """Press, write, check; the file takes its name only when the check has found nothing.

    ``pressing`` gives what is to be written where that is known already. ``accept`` is told the name before anything is
    written; what it raises ends the press. Unless the press ``replaces`` what has that name, WriteError is raised where
    that is another file.
    """
    from mamba_press import atomic
    from mamba_press.wheel import writer

    atomic.require(directory)
    date = epoch(asked.environ)
    with second_reader(asked) as second, entries_cache(asked) as cache, pressing or pressed(asked) as result:

        def verify(written: Proven) -> None:
            _verify(written, result, asked.config, second)
            if not replaces:
                refuse_taken([(written.path, directory / written.name)])

        accept(result.wheel.file_name)
        log.step(f"writing {result.wheel.file_name}")
        path = writer.write(
            result.wheel,
            directory,
            compression=asked.config.wheel.compression,
            epoch=date,
            seen=second.written if second else None,
            verify=verify,
            cache=cache,
        )
    log.tell(result.notes)
    return path, result


@contextmanager
def entries_cache(asked: Order) -> Iterator[EntryCache | None]:
    """Give the cache of compressed files; None where the configuration, a CI service or the disk has none."""
    from mamba_press.audit import size
    from mamba_press.wheel import entry_cache

    most = asked.config.wheel.cache or ("0 B" if asked.environ.get("CI") else ENTRIES)
    with entry_cache.opened(entries_folder(asked.environ), size.limit(most)) as cache:
        yield cache


def entries_folder(environ: Mapping[str, str]) -> Path:
    """Return where compressed files are kept."""
    from mamba_press.conda import worker_process
    from mamba_press.wheel import entry_cache

    return worker_process.cache_folder(environ) / entry_cache.FOLDER


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


def _verify(written: Proven, result: Pressed, config: Config, second: SecondReader | None) -> None:
    """Refuse a file that is too large, or that a check finds something wrong with, and warnings that are errors."""
    from mamba_press.audit import check
    from mamba_press.pipeline import press

    size = written.path.stat().st_size
    if config.wheel.max_size is not None:
        from mamba_press.audit import explain
        from mamba_press.audit import size as audit_size
        from mamba_press.wheel import writer

        if size > audit_size.limit(config.wheel.max_size):
            found = explain.of_pressed(result, writer.listing(result.wheel), config)
            audit_size.refuse(written.path, found, result.wheel.entries, config)
    if size > check.PYPI_FILE and config.wheel.max_size is None:
        what = "is larger than 100 MiB, which PyPI takes only after a request; wheel.max-size can refuse it"
        log.warn(f"{written.name} {what}")
    WriteError.raise_for(check.examine(written, elsewhere=press.elsewhere(config), second=second).problems)
    refuse_warnings(config, result.notes)


def refuse_taken(pairs: Iterable[tuple[Path, Path]]) -> None:
    """Raise WriteError for finished files whose names other files have; each is given with where it shall be."""
    from mamba_press import atomic

    WriteError.raise_for(each for written, target in pairs for each in atomic.taken(written, target, ELSEWHERE))


def require_together(
    paths: Sequence[Path | Proven],
    elsewhere: Sequence[str],
    second: SecondReader | None = None,
    *,
    failure: type[PressError] = WriteError,
) -> None:
    """Raise ``failure`` with everything that is wrong with wheels that are installed together."""
    from mamba_press.audit import check

    failure.raise_for(
        replace(problem, where=f"{path.name}: {problem.where}")
        for path, found in zip(paths, check.together(paths, elsewhere=elsewhere, second=second), strict=True)
        for problem in found.problems
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
