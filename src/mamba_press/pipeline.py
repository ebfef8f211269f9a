"""Pressing, from a configuration to a finished wheel: the only module that knows the order of the stages."""

from __future__ import annotations

import posixpath
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from mamba_press import (
    built,
    drafting,
    editable,
    external,
    furnish,
    layout,
    link,
    metadata,
    own,
    placeholders,
    platforms,
    project,
    providers,
    rewrite,
    select,
    solving,
    sources,
    toolchain,
    unmatched,
)
from mamba_press.conda import fetch
from mamba_press.errors import ConfigError
from mamba_press.problem import noted
from mamba_press.types import Own

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.version import Version

    from mamba_press import native
    from mamba_press.config import Config
    from mamba_press.solving import Order
    from mamba_press.types import Dropped, Entry, Environment, Pressed, Project, Solution


def press(order: Order, solution: Solution, workdir: Path, *, generator: str, epoch: int | None = None) -> Pressed:
    """Press a solution: fetch, choose, lay out, relocate, tag, describe. Nothing is written outside ``workdir``.

    ``epoch`` is SOURCE_DATE_EPOCH, for what states a date.
    """
    order = provided(order, solution)
    config, solution = order.config, select.vendored(solution, order.config)
    fetched, gone = _fetched(order, solution, workdir)
    pressed_project, version, brought = _brought(order, solution, fetched, workdir)
    environment = own.install(brought, fetched, order.target, name=pressed_project.name)
    selection = select.files(environment, order.target, config)
    home = layout.home(pressed_project.name, selection, environment.packages, config)
    stem = metadata.stem(pressed_project.name, version)
    linked = link.link(layout.place(selection, home=home, stem=stem, config=config), environment, config)
    if not platforms.facts(order.target).has_search_paths:
        linked = furnish.with_dlls(linked, home, config)
    linked = replace(linked, entries=texts_moved(linked.entries, home, config))
    ready = furnish.with_runtime(linked, home, pressed_project.name, config)
    apart = _without_sources(ready.entries, order, stem)
    entries = _adjusted(apart.entries, order)
    chosen = drafting.Chosen(
        solution=solution,
        fetched=fetched,
        environment=environment,
        selection=replace(selection, dropped=(*gone, *selection.dropped)),
    )
    filled, notes = drafting.describe(order, pressed_project, chosen)
    part = drafting.Part(
        project=furnish.with_programs(filled, ready.programs),
        entries=entries,
        chosen=chosen,
        home=home.module,
        built=brought.tags,
        notes=(*brought.notes, *linked.notes, *ready.notes, *apart.notes, *notes),
    )
    pressed = drafting.finish(drafting.draft(part, order), version, workdir, generator=generator, epoch=epoch)
    vain = unmatched.in_wheel(config, environment, selection, solution, placeholders.places(pressed.findings))
    return replace(pressed, notes=noted((*pressed.notes, *vain)))


def _brought(order: Order, solution: Solution, environment: Environment, workdir: Path) -> tuple[Project, Version, Own]:
    """Return the project, its version, and what it brings itself: its sources, or what its inner backend built."""
    if order.config.build_backend is None:
        found, version = identify(order, solution, environment)
        return found, version, own_code(order, version, workdir)
    from mamba_press import native

    assert order.project is not None
    made = native.wheel(job(order, solution, workdir))
    found = built.project(order.project, made)
    assert found.version is not None
    return found, found.version, made


def own_code(order: Order, version: Version, workdir: Path) -> Own:
    """Return what the project brings itself."""
    if order.project is None or order.config.build_backend is not None:
        return Own()
    return sources.collect(order.project, version, order.config.sources, workdir)


def job(order: Order, solution: Solution, workdir: Path) -> native.Job:
    """Return what the project's inner backend is to build."""
    from mamba_press import native

    return native.Job(config=order.config, solution=solution, root=order.root, workdir=workdir, environ=order.environ)


def identify(order: Order, solution: Solution, environment: Environment | None = None) -> tuple[Project, Version]:
    """Return the project and its version, solved where it is dynamic; the first spec names a wheel without project."""
    package = solving.first_requested(order.config, solution)
    if order.project is not None:
        return order.project, project.version(order.project, package)
    assert package is not None
    name = metadata.own_name(environment.files, package.name) if environment else None
    found = project.from_specs(order.name, package, {"Name": name} if name else None)
    return found, project.version(found, package)


def provided(order: Order, solution: Solution) -> Order:
    """Return the order with what the project's providers of dynamic metadata give; an inner backend asks its own."""
    if order.project is None or order.config.build_backend is not None:
        return order
    package = solving.first_requested(order.config, solution)
    seen = project.pep440(package) if package else None
    found = providers.complete(order.project, seen, order.state)
    problems = [*project.without_packages(found)] if package is None else []
    if problems:
        raise ConfigError(*problems)
    return replace(order, project=found)


def modules(order: Order, solution: Solution, workdir: Path) -> tuple[str, ...]:
    """Return the top-level modules and packages that the solution's packages bring, sorted."""
    environment, _ = _fetched(order, select.vendored(solution, order.config), workdir)
    return layout.modules(file.path for file in environment.files)


def _fetched(order: Order, solution: Solution, workdir: Path) -> tuple[Environment, tuple[Dropped, ...]]:
    """Fetch the packages that may stay; those that leave by their record alone come back, too."""
    stays, gone = select.packages(solution, order.config)
    names = frozenset(package.name for package in stays)
    return fetch.environment(solution, names, workdir, access=order.access), gone


def choose(order: Order, solution: Solution, workdir: Path) -> drafting.Chosen:
    """Fetch the packages that may stay, and choose from their files."""
    fetched, gone = _fetched(order, solution, workdir)
    selection = select.files(fetched, order.target, order.config)
    selection = replace(selection, dropped=(*gone, *selection.dropped))
    return drafting.Chosen(solution=solution, fetched=fetched, environment=fetched, selection=selection)


def texts_moved(entries: Sequence[Entry], home: layout.Home, config: Config) -> tuple[Entry, ...]:
    """Rewrite the texts that can find the prefix from where they lie."""
    programs = {posixpath.basename(path) for path in config.wheel.executables}
    return rewrite.rewrite(entries, home.prefix, programs)


def _without_sources(entries: tuple[Entry, ...], order: Order, stem: str) -> editable.Editable:
    """Return what is in an editable wheel, which is the wheel where the project has no code."""
    is_editable = order.state in ("editable", "metadata_editable")
    if not is_editable or order.project is None or order.config.build_backend is not None:
        return editable.Editable(entries=entries)
    modules = sources.find(order.project, order.config.sources)
    return editable.adjust(entries, modules, order.root, stem=stem, lock=solving.LOCK)


def _adjusted(entries: tuple[Entry, ...], order: Order) -> tuple[Entry, ...]:
    """Let the project's own hook change the entries."""
    if order.config.hook is None:
        return entries
    from mamba_press import seam

    return seam.apply(order.config.hook, order.root, entries)


def elsewhere(config: Config) -> tuple[str, ...]:
    """Return the names of libraries that the configuration expects on every target machine."""
    wanted = asdict(config.link.runtimes)
    runtimes = (names for key, names in toolchain.LIBRARIES.items() if wanted.get(key) == "system")
    others = external.names(config.link.external)
    return (*config.link.system, *others, *(name for names in runtimes for name in names))
