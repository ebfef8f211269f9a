"""The native prefix, and what an inner backend builds against it.

Headers, libraries and build descriptions are installed there with the prefix's real path in their text. What goes into
the wheel is never taken from it, but from the environment with the neutral prefix, which has the same packages.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import atomic, log
from mamba_press.conda import channels, fetch, solver, worker_process
from mamba_press.conda.match_specs import spec_name
from mamba_press.platforms import target
from mamba_press.project import backend as project_backend
from mamba_press.project import editable_prefixes
from mamba_press.project.backend import environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mamba_press.config.model import Config
    from mamba_press.types import OwnFiles, Solution, Target

_LENGTH = 100
"""How long the path of a native prefix is made: search paths that compilers write take their place in a binary."""


def assumed(wanted: Target) -> Target:
    """Return what a solve for a native prefix may count on: what is built there has to run on this machine as well."""
    machine = target.this_machine()
    if machine.platform != f"{wanted.system}-{wanted.arch}" or machine.glibc is None:
        return wanted
    return replace(wanted, floor=min(wanted.floor or machine.glibc, machine.glibc))


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What an inner backend is to build: the project in ``root``, with what lies in ``workdir`` for the time being."""

    config: Config
    solution: Solution
    root: Path
    workdir: Path
    environ: Mapping[str, str]


def wheel(job: Job) -> OwnFiles:
    """Let the inner backend build a wheel, and return what is in it, unpacked in the job's folder."""
    place = _place(job)
    path = project_backend.make(_backend(job), "wheel", place, job.environ)
    own = project_backend.unpack(path, job.workdir / "built", job.solution.target, root=job.root)
    shutil.rmtree(place.work, ignore_errors=True)
    return own


def sdist(job: Job) -> Path:
    """Let the inner backend write its sdist, for which some configure the whole build; return its path."""
    return project_backend.make(_backend(job), "sdist", _place(job), job.environ)


def editable(job: Job) -> Path:
    """Let the inner backend make an editable wheel against a prefix that stays; return its path."""
    place = _place(job, stays=True)
    _note(job, place)
    path = project_backend.make(_backend(job), "editable", place, job.environ)
    project_backend.unpack(path, job.workdir / "built", job.solution.target)  # is it one?
    return path


def _note(job: Job, place: environment.Place) -> None:
    """Note which prefixes the project uses, and remove those of projects that are gone.

    Warns where it was last installed against others: a kept build folder still knows those.
    """
    folder = _cache(job)
    if editable_prefixes.claim(folder, job.root.resolve(), [prefix for prefix in (place.host, place.build) if prefix]):
        log.warn(
            "the packages of host or build are others than when this project was last installed editable: if "
            f"{job.config.build_backend} keeps a build folder, remove that and install again"
        )
    for prefix in editable_prefixes.sweep(folder):
        log.note(f"removed the native prefix of a project that is gone: {prefix}")


def metadata(job: Job) -> Path:
    """Return the ``.dist-info`` of the editable wheel, from the inner backend's own hook or from the wheel itself."""
    place, backend = _place(job, stays=True), _backend(job)
    _note(job, place)
    try:
        return project_backend.prepare(backend, "editable", place, job.environ)
    except project_backend.AbsentError:
        project_backend.unpack(
            project_backend.make(backend, "editable", place, job.environ), job.workdir / "built", job.solution.target
        )
        return next((job.workdir / "built").glob("*.dist-info"))


def _backend(job: Job) -> project_backend.Backend:
    backend = project_backend.of(job.config, job.root)
    assert backend is not None
    return backend


def names(solution: Solution, specs: Iterable[str]) -> frozenset[str]:
    """Return the packages of a native prefix: no Python, and of Python packages those that the project names."""
    asked = set(map(spec_name, specs))
    return frozenset(
        package.name for package in solution.packages if not package.is_python or package.name in asked
    ) - {"python", "python_abi"}


def _place(job: Job, *, stays: bool = False) -> environment.Place:
    """Install what the project builds with and against, and return where all that is."""
    programs, sites = environment.isolated()
    work = job.workdir / "work"
    work.mkdir()
    chosen = names(job.solution, (*job.config.packages, *job.config.host))
    folder = job.workdir / "host".ljust(_LENGTH - len(str(job.workdir)) - 1, "_")
    asked = tools(job.config, job.root, job.environ)
    machine = solver.solve(asked, job.environ) if asked else None
    there = names(machine, job.config.build) if machine else frozenset()
    return environment.Place(
        system=job.solution.target.system,
        root=job.root.resolve(),
        work=work,
        host=_prefix(job, job.solution, chosen, None if stays else folder),
        build=_prefix(job, machine, there, None if stays else job.workdir / "tools") if machine else None,
        programs=programs,
        sites=sites,
        headers=sysconfig.get_path("include"),
        stays=stays,
    )


def _prefix(job: Job, solution: Solution, chosen: frozenset[str], folder: Path | None) -> Path | None:
    """Return the prefix with these packages, in ``folder`` or, without one, in the cache, where it may be already."""
    if not chosen:
        return None
    access = fetch.Access(environ=job.environ, channels=job.config.channels, offline=job.config.offline)
    if folder is not None:
        fetch.install(solution, chosen, folder, access=access)
        return folder
    folder = _kept(job, solution, chosen)
    if not _is_there(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with atomic.temporary(folder.parent) as made:
            fetch.install(solution, chosen, made, written=str(folder), access=access)
            try:
                made.rename(folder)
            except OSError:
                if not _is_there(folder):  # else another build was quicker
                    raise
    log.note(f"the native prefix that stays: {folder}")
    return folder


def _is_there(prefix: Path) -> bool:
    """Whether a prefix is there, which then counts as used: before the note says so, nobody removes it."""
    try:
        os.utime(prefix)
    except FileNotFoundError:
        return False
    return True


def _kept(job: Job, solution: Solution, chosen: frozenset[str]) -> Path:
    """Return where in the cache the prefix with exactly these packages is."""
    packages = [package for package in solution.packages if package.name in chosen]
    parts = [f"{package} {package.subdir} {package.sha256 or package.md5 or package.url}" for package in packages]
    key = hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]
    return _cache(job) / key


def _cache(job: Job) -> Path:
    return worker_process.cache_folder(job.environ) / "mamba-press"


def tools(config: Config, root: Path, environ: Mapping[str, str]) -> solver.Question | None:
    """Return what to solve for the compilers and tools that a project asks for, on the machine that builds."""
    if config.build_backend is None or not config.build:
        return None
    machine = target.resolve(None, None, {})
    return solver.Question(
        packages=config.build,
        exclude_newer=config.exclude_newer,
        offline=config.offline,
        target=machine,
        channels=channels.urls(config.channels, root),
        virtual=target.virtual_packages(machine, environ),
        key="build",
    )
