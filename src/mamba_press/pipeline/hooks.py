"""What the build hooks make: wheels, editable wheels, their metadata, and sdists; the outlines are `build`'s."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import atomic, log
from mamba_press.errors import ConfigError, Problem, Setting, Text, WriteError
from mamba_press.pipeline import build, read_project

if TYPE_CHECKING:
    from mamba_press.config.model import State
    from mamba_press.pipeline.solve import Order
    from mamba_press.types import Solution


def wheel(
    directory: str,
    settings: Mapping[str, object] | None,
    prepared: str | None,
    *,
    environ: Mapping[str, str],
    state: State = "wheel",
) -> str:
    """Press the project in the current folder into ``directory`` and return the wheel's file name."""
    asked = read_project.order(Path.cwd(), settings, environ, state)
    if state == "editable" and asked.config.build_backend is not None:
        return _editable_of_inner(asked, Path(directory))
    if prepared is None:
        path, _ = build.make(asked, Path(directory))
        return path.name
    from mamba_press.pipeline import handover

    finished = handover.finished(Path(prepared), asked)
    if finished is not None:
        build.refuse_warnings(asked.config)
        return _copied(finished, Path(directory))
    path, _ = build.make(asked, Path(directory), pressing=handover.pressed(Path(prepared), asked))
    return path.name


def _editable_of_inner(asked: Order, directory: Path) -> str:
    """Write the editable wheel that the inner backend makes against a prefix that stays; return its file name."""
    from mamba_press.conda.worker_process import one_process
    from mamba_press.pipeline import press, solve
    from mamba_press.project import host_prefix

    if asked.config.packages:
        what = "presses packages whole beside an inner backend: an editable install has only what that builds"
        hint = f"let the editable install do without them, with [[{Setting('overrides')}]]: "
        hint += 'if.state = "editable", packages = []; or install without -e'
        raise ConfigError(Problem(where=Setting("packages"), what=what, hint=hint))
    build.require_native(asked)
    with one_process(), build.workdir(asked.environ) as workdir:
        made = host_prefix.editable(press.job(asked, solve.solve(asked), workdir))
        build.refuse_warnings(asked.config)
        return _copied(made, directory)


def metadata(
    directory: str,
    settings: Mapping[str, object] | None,
    *,
    environ: Mapping[str, str],
    state: State = "metadata_wheel",
) -> str:
    """Write the ``.dist-info`` that the wheel will have, and what was found out beside it; return the folder's name.

    The bill of materials is left out: it states the hash of every file. An old ``.dist-info`` in the same folder is
    replaced.
    """
    from mamba_press.conda.worker_process import one_process
    from mamba_press.metadata import dist_info as described
    from mamba_press.pipeline import handover, solve

    asked = read_project.order(Path.cwd(), settings, environ, state)
    if asked.config.build_backend is not None:
        return _metadata_of_inner(asked, Path(directory), state)
    of = handover.sources(asked)
    with one_process():
        solution = solve.solve(asked)
        with build.pressed(asked, solution) as result:
            files = {**described.metadata_files(result.wheel), **handover.left(asked, solution, result, of)}
    build.refuse_warnings(asked.config, result.notes)
    folder = Path(directory, f"{result.wheel.stem}.dist-info")
    _replace_folder(folder, files)
    return folder.name


def _metadata_of_inner(asked: Order, directory: Path, state: State) -> str:
    """Write the ``.dist-info`` of a wheel that an inner backend builds; return the folder's name.

    Which libraries are in a wheel, and so whose licences, is known when it is built: it is built here, and left beside
    its metadata for `wheel`. An editable one has nothing but what the inner backend says.
    """
    from mamba_press.conda.worker_process import one_process
    from mamba_press.pipeline import handover, press, solve
    from mamba_press.project import host_prefix
    from mamba_press.project.backend import wheel as backend_wheel

    with one_process(), build.workdir(asked.environ) as workdir:
        if state == "metadata_editable":
            build.require_native(asked)
            made = host_prefix.metadata(press.job(asked, solve.solve(asked), workdir))
            files = {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}
            name = made.name
        else:
            path, result = build.make(asked, workdir)
            files, name = backend_wheel.described(path), f"{result.wheel.stem}.dist-info"
            files |= handover.built(asked, path)
        build.refuse_warnings(asked.config)
        _replace_folder(directory / name, files)
    return name


def _copied(path: Path, directory: Path) -> str:
    with atomic.replacing(directory / path.name) as file:
        file.write(path.read_bytes())
    return path.name


def _replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the prepared ``.dist-info`` in place of every other one beside it; it is there whole, or not at all."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with atomic.temporary(folder.parent) as aside:
            for path, data in files.items():
                target = aside / folder.name / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
            for old in folder.parent.glob("*.dist-info"):
                if old.is_dir() and not old.is_symlink():
                    shutil.rmtree(old)
                else:
                    old.unlink()
            (aside / folder.name).rename(folder)
    except OSError as error:
        where, what = str(error.filename or folder), f"cannot be written: {error.strerror or error}"
        hint = "make the folder of the metadata writable, or choose another"
        raise WriteError(Problem(where=where, what=what, hint=hint)) from error


def sdist(directory: str, settings: Mapping[str, object] | None, *, environ: Mapping[str, str]) -> str:
    """Write the sdist of the project in the current folder, the solve frozen in it; return its file name."""
    from mamba_press.conda.worker_process import one_process

    with one_process():
        return _sdist(Path(directory), settings, environ)


def _sdist(directory: Path, settings: Mapping[str, object] | None, environ: Mapping[str, str]) -> str:
    from mamba_press.conda import lockfile as locks
    from mamba_press.metadata import metadata_providers, pyproject
    from mamba_press.pipeline import lock as pipeline_lock
    from mamba_press.pipeline import press, solve
    from mamba_press.project import sdist as source
    from mamba_press.project import sources, tree

    asked = read_project.order(Path.cwd(), settings, environ, "sdist")
    assert asked.project is not None
    # What is locked is what a wheel made from the sdist asks for.
    pressed = read_project.order(Path.cwd(), settings, environ)
    build.require_native(asked)
    solution = solve.solve(pressed)
    if asked.config.build_backend is not None:
        return _sdist_of_inner(asked, pressed, solution, directory)
    found, version = press.identify(press.provided(asked, solution), solution)
    _warn_of_channels_outside(asked)
    with atomic.temporary() as folder:
        made: dict[str, Path | bytes] = {}
        if solution.packages:
            made[solve.LOCK] = lock = Path(folder, solve.LOCK)
            locks.write(pipeline_lock.for_sdist(pressed, solution), lock, asked.root, environ=environ)
        if asked.config.sources.version_file is not None:
            made[asked.config.sources.version_file] = sources.version_text(version)
        needed = _needed(asked)
        collected = tree.collect(asked.root, directory, always=needed, include=asked.config.sources.include)
        files = [file for file in collected if file[0] not in made and file[0] != solve.LOCK]
        build.refuse_warnings(asked.config)
        path = source.write(
            [*files, *((path, source, False) for path, source in made.items())],
            name=found.name,
            version=version,
            pkg_info=pyproject.source_metadata(found, version, metadata_providers.changing(asked.root)),
            directory=directory,
            epoch=build.epoch(environ),
        )
    log.step(f"wrote {path.name} with {len(solution.packages)} locked packages")
    return path.name


def _sdist_of_inner(asked: Order, pressed: Order, solution: Solution, directory: Path) -> str:
    """Write the sdist that the inner backend makes, with the lock and what the configuration needs added to it."""
    from mamba_press.conda import lockfile as locks
    from mamba_press.metadata import backend_metadata
    from mamba_press.pipeline import lock as pipeline_lock
    from mamba_press.pipeline import press, solve
    from mamba_press.project import host_prefix, tree
    from mamba_press.project import sdist as source

    assert asked.project is not None
    _warn_of_channels_outside(asked)
    with build.workdir(asked.environ) as workdir:
        theirs = host_prefix.sdist(press.job(asked, solution, workdir))
        unpacked = workdir / "sdist"
        unpacked.mkdir()
        files, pkg_info = source.read(theirs, unpacked)
        found, pkg_info = backend_metadata.source(asked.project, pkg_info)
        assert found.version is not None
        lock = workdir / solve.LOCK
        if solution.packages:
            locks.write(pipeline_lock.for_sdist(pressed, solution), lock, asked.root, environ=asked.environ)
        needed = _needed(asked)
        there = {path for path, _, _ in files}
        more = tree.collect(asked.root, directory, always=needed, only=needed) if needed else ()
        build.refuse_warnings(asked.config)
        path = source.write(
            [
                *(file for file in files if file[0] != solve.LOCK),
                *(file for file in more if file[0] not in there),
                *([(solve.LOCK, lock, False)] if solution.packages else []),
            ],
            name=found.name,
            version=found.version,
            pkg_info=pkg_info,
            directory=directory,
            epoch=build.epoch(asked.environ),
        )
    log.step(f"wrote {path.name} with {len(solution.packages)} locked packages")
    return path.name


def _needed(asked: Order) -> list[str]:
    """Return what of the project the configuration needs: channels that lie in it, and its hook."""
    from mamba_press.conda import channels

    hook = [asked.config.hook.partition(":")[0]] if asked.config.hook else []
    return [*channels.inside(asked.config.channels, asked.root), *hook]


def _warn_of_channels_outside(asked: Order) -> None:
    """Say which channels of the project do not travel with its sdist."""
    from mamba_press.conda import channels

    for channel in channels.outside(asked.config.channels, asked.root):
        log.warn(
            Text.of(
                Setting("channels"),
                f" has the path {channel!r}, which lies outside the project and is not part of the sdist: a build from "
                "it needs -C channels=... or MAMBA_PRESS_CHANNELS",
            )
        )
