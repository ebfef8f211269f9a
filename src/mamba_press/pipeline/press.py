"""Pressing, from a configuration to a finished wheel: the only module that knows the order of the stages."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import atomic, platforms
from mamba_press.conda import fetch
from mamba_press.conda.worker_process import one_process
from mamba_press.config import unmatched
from mamba_press.errors import ConfigError, ContentError, noted
from mamba_press.metadata import backend_metadata, dist_info, installed, metadata_providers, pyproject
from mamba_press.pipeline import finish, solve
from mamba_press.platforms import compiler_runtimes
from mamba_press.project import host_prefix, own_files, sources
from mamba_press.types import Dropped, Entry, Environment, OwnFiles, Pressed, Project, Selection, Solution
from mamba_press.vendoring import editable, hardcoded_prefix, layout, link, relocate_text, resolve, runtime_support
from mamba_press.vendoring.select import files, packages

if TYPE_CHECKING:
    from packaging.version import Version

    from mamba_press.config.model import Config
    from mamba_press.pipeline.solve import Order


def press(order: Order, solution: Solution, workdir: Path, *, generator: str, epoch: int | None = None) -> Pressed:
    """Press a solution: fetch, choose, lay out, relocate, tag, describe. Nothing is written outside ``workdir``.

    ``epoch`` is SOURCE_DATE_EPOCH, for what states a date.
    """
    order = provided(order, solution)
    config, solution = order.config, packages.vendored(solution, order.config)
    fetched, gone = _fetched(order, solution, workdir, spares=_may_spare(config))
    pressed_project, version, brought = _brought(order, solution, fetched, workdir)
    environment = own_files.install(brought, fetched, order.target, name=pressed_project.name)
    selection = _selected(order, environment)
    if selection is None:
        fetched, gone = _fetched(order, solution, workdir)
        environment = own_files.install(brought, fetched, order.target, name=pressed_project.name)
        selection = files.select(environment, order.target, config)
    home = layout.home(pressed_project.name, selection, environment.packages, config)
    stem = dist_info.stem(pressed_project.name, version)
    linked = link.link(layout.place(selection, home=home, stem=stem, config=config), environment, config)
    if not platforms.facts(order.target).has_search_paths:
        from mamba_press.vendoring import dll_folders

        linked = dll_folders.place(linked, home, config.link.external)
    linked = replace(linked, entries=texts_moved(linked.entries, home, config))
    linked = runtime_support.with_runtime(linked, home, pressed_project.name, config)
    linked = _without_sources(linked, order, stem)
    entries = _adjusted(linked.entries, order)
    chosen = finish.Chosen(
        solution=solution,
        fetched=fetched,
        environment=environment,
        selection=replace(selection, dropped=(*gone, *selection.dropped)),
    )
    filled, notes = finish.describe(order, pressed_project, chosen)
    part = finish.Part(
        project=runtime_support.with_programs(filled, linked.programs),
        entries=entries,
        chosen=chosen,
        home=home.module,
        built=brought.tags,
        notes=(*brought.notes, *linked.notes, *notes),
    )
    pressed = finish.finish(finish.draft(part, order), version, workdir, generator=generator, epoch=epoch)
    vain = unmatched.in_wheel(config, environment, selection, solution, hardcoded_prefix.places(pressed.findings))
    return replace(pressed, notes=noted((*pressed.notes, *vain)))


def _brought(
    order: Order, solution: Solution, environment: Environment, workdir: Path
) -> tuple[Project, Version, OwnFiles]:
    """Return the project, its version, and what it brings itself: its sources, or what its inner backend built."""
    if order.config.build_backend is None:
        found, version = identify(order, solution, environment)
        return found, version, own_code(order, version, workdir)
    from mamba_press.project import host_prefix

    assert order.project is not None
    made = host_prefix.wheel(job(order, solution, workdir))
    found = backend_metadata.project(order.project, made)
    assert found.version is not None
    return found, found.version, made


def own_code(order: Order, version: Version, workdir: Path) -> OwnFiles:
    """Return what the project brings itself."""
    if order.project is None or order.config.build_backend is not None:
        return OwnFiles()
    return sources.collect(order.project, version, order.config.sources, workdir)


def job(order: Order, solution: Solution, workdir: Path) -> host_prefix.Job:
    """Return what the project's inner backend is to build."""
    from mamba_press.project import host_prefix

    return host_prefix.Job(
        config=order.config, solution=solution, root=order.root, workdir=workdir, environ=order.environ
    )


def identify(order: Order, solution: Solution, environment: Environment | None = None) -> tuple[Project, Version]:
    """Return the project and its version, solved where it is dynamic; the first spec names a wheel without project."""
    package = solve.first_requested(order.config, solution)
    if order.project is not None:
        return order.project, pyproject.version(order.project, package)
    assert package is not None
    files = (file for file in environment.files if file.package == package.name) if environment else ()
    own = installed.of(package.name, installed.read(files))
    found = pyproject.from_specs(order.name, package, own.name if own else None)
    return found, pyproject.version(found, package)


def provided(order: Order, solution: Solution) -> Order:
    """Return the order with what the project's providers of dynamic metadata give; an inner backend asks its own."""
    if order.project is None or order.config.build_backend is not None:
        return order
    package = solve.first_requested(order.config, solution)
    seen = pyproject.pep440(package) if package else None
    found = metadata_providers.complete(order.project, seen, order.state)
    if package is None:
        ConfigError.raise_for(pyproject.without_packages(found))
    return replace(order, project=found)


def modules(order: Order) -> tuple[str, ...]:
    """Return the top-level modules and packages of what would be pressed, sorted; installs it for a moment."""
    with one_process(), atomic.temporary(within=fetch.near_cache(order.environ)) as workdir:
        environment, _ = _fetched(order, packages.vendored(solve.solve(order), order.config), workdir)
        return layout.modules(file.path for file in environment.files)


def _may_spare(config: Config) -> bool:
    """Whether what libraries need decides what stays of a dependency, and nothing else."""
    others = (config.build_backend, config.host, config.select.include, config.wheel.executables)
    return not any(others) and config.link.unused_libraries != "keep"


def _selected(order: Order, environment: Environment) -> Selection | None:
    """Choose from the files; None where a package was spared of which something stays, or which may be missed."""
    try:
        selection = files.select(environment, order.target, order.config)
    except ContentError:
        if not environment.spared:
            raise
        return None
    return None if environment.spared & {kept.file.package for kept in selection.kept} else selection


def _fetched(
    order: Order, solution: Solution, workdir: Path, *, spares: bool = False
) -> tuple[Environment, tuple[Dropped, ...]]:
    """Fetch the packages that may stay; those that leave by their record alone come back, too."""
    stays, gone = packages.select(solution, order.config)
    names = frozenset(package.name for package in stays)
    return fetch.environment(solution, names, workdir, access=order.access, spares=spares), gone


def choose(order: Order, solution: Solution, workdir: Path) -> finish.Chosen:
    """Fetch the packages that may stay, and choose from their files."""
    fetched, gone = _fetched(order, solution, workdir)
    selection = files.select(fetched, order.target, order.config)
    selection = replace(selection, dropped=(*gone, *selection.dropped))
    return finish.Chosen(solution=solution, fetched=fetched, environment=fetched, selection=selection)


def texts_moved(entries: Sequence[Entry], home: layout.Home, config: Config) -> tuple[Entry, ...]:
    """Rewrite the texts that can find the prefix from where they lie."""
    programs = {posixpath.basename(path) for path in config.wheel.executables}
    return relocate_text.rewrite(entries, home.prefix, programs)


def _without_sources(linked: link.Linked, order: Order, stem: str) -> link.Linked:
    """Return what is in an editable wheel, which is the wheel where the project has no code."""
    is_editable = order.state in ("editable", "metadata_editable")
    if not is_editable or order.project is None or order.config.build_backend is not None:
        return linked
    modules = sources.find(order.project, order.config.sources)
    return editable.adjust(linked, modules, order.root, stem=stem, lock=solve.LOCK)


def _adjusted(entries: tuple[Entry, ...], order: Order) -> tuple[Entry, ...]:
    """Let the project's own hook change the entries."""
    if order.config.hook is None:
        return entries
    from mamba_press.project import entry_hook

    return entry_hook.apply(order.config.hook, order.root, entries)


def elsewhere(config: Config) -> tuple[str, ...]:
    """Return the names of libraries that the configuration expects on every target machine."""
    wanted = asdict(config.link.runtimes)
    runtimes = (names for key, names in compiler_runtimes.LIBRARIES.items() if wanted.get(key) == "system")
    others = resolve.external_names(config.link.external)
    return (*config.link.system, *others, *(name for names in runtimes for name in names))
