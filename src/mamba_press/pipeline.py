"""Pressing, from a configuration to a finished wheel: the only module that knows the order of the stages."""

from __future__ import annotations

import json
import posixpath
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from mamba_press import (
    asks,
    built,
    conda,
    described,
    dlls,
    editable,
    external,
    installed,
    layout,
    licenses,
    link,
    log,
    metadata,
    native,
    own,
    placeholders,
    project,
    provide,
    providers,
    requires,
    rewrite,
    runtime,
    sbom,
    select,
    sources,
    tags,
    target,
    toolchain,
)
from mamba_press.errors import ConfigError, ContentError
from mamba_press.types import OWN, Entry, Own, Pressed, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from packaging.version import Version

    from mamba_press.config import Config, State
    from mamba_press.types import Environment, Package, Project, Selection, Solution, Target, Wheel

LOCK = "mamba-press.lock"
"""The file, beside pyproject.toml, whose solutions are used instead of a solve of our own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a front door asks for.

    ``project`` is None where the command presses specs; ``name`` is then the name asked for. Relative channels start
    at ``root``. ``environ`` is the caller's environment, ``state`` what its hook is to make: an editable wheel leaves
    the sources where they are.
    """

    config: Config
    target: Target
    root: Path
    environ: Mapping[str, str]
    project: Project | None = None
    name: str | None = None
    state: State = "wheel"


def solve(order: Order) -> Solution:
    """Return the solution of the project's lock for this target, or solve: once, with the channels as they are now."""
    channels = conda.channel_urls(order.config.channels, order.root)
    is_built = order.config.build_backend is not None
    assumed = native.assumed(order.target) if is_built else order.target
    virtual = target.virtual_packages(assumed, order.environ)
    locked = None
    if order.project is not None and (order.root / LOCK).is_file():
        locked = conda.read_lock(
            order.root / LOCK, order.target, order.root, config=order.config, environ=order.environ
        )
    if locked is not None and locked.exact is not None:
        _refuse_stale(locked.exact, order.config)
        return locked.exact
    config = order.config if locked is None else replace(order.config, constraints=locked.pinned(order.config))
    return conda.solve(config, order.target, channels, virtual=virtual, environ=order.environ)


def _refuse_stale(solution: Solution, config: Config) -> None:
    """Refuse a lock that was made for other packages than are asked for now."""
    locked = {package.name for package in solution.packages}
    missing = [spec for spec in (*config.packages, *config.host) if conda.spec_name(spec) not in locked]
    if missing:
        raise ConfigError(
            *(
                Problem(
                    where=LOCK,
                    what=f"has no package for {spec!r}, which tool.mamba-press."
                    f"{'packages' if spec in config.packages else 'host'} names",
                    hint="the lock was made for other packages: remove it, and solve anew",
                )
                for spec in missing
            )
        )


def modules(order: Order, solution: Solution, workdir: Path) -> tuple[str, ...]:
    """Return the top-level modules and packages that the solution's packages bring, sorted."""
    solution = select.vendored(solution, order.config)
    stays, _ = select.packages(solution, order.config)
    names = frozenset(package.name for package in stays)
    environment = conda.fetch(solution, names, workdir, config=order.config, environ=order.environ)
    return layout.modules(file.path for file in environment.files)


def provided(order: Order, solution: Solution) -> Order:
    """Return the order with what the project's providers of dynamic metadata give; an inner backend asks its own."""
    if order.project is None or order.config.build_backend is not None:
        return order
    package = first_requested(order.config, solution)
    seen = project.pep440(package) if package else None
    found = providers.complete(order.project, seen, order.state)
    problems = [*project.without_packages(found)] if package is None else []
    if problems:
        raise ConfigError(*problems)
    return replace(order, project=found)


def press(order: Order, solution: Solution, workdir: Path, *, generator: str, epoch: int | None = None) -> Pressed:
    """Press a solution: fetch, choose, lay out, relocate, tag, describe. Nothing is written outside ``workdir``.

    ``epoch`` is SOURCE_DATE_EPOCH, for what states a date.
    """
    order = provided(order, solution)
    solution = select.vendored(solution, order.config)
    config, packages = order.config, select.packages(solution, order.config)
    names = frozenset(package.name for package in packages[0])
    fetched = conda.fetch(solution, names, workdir, config=config, environ=order.environ)
    pressed_project, version, brought = _brought(order, solution, fetched, workdir)
    environment = own.install(brought, fetched, order.target, name=pressed_project.name)
    selection = select.files(environment, order.target, config)
    selection = replace(selection, dropped=(*packages[1], *selection.dropped))
    home = layout.home(pressed_project.name, selection, environment.packages, config)
    stem = metadata.stem(pressed_project.name, version)
    linked = link.link(layout.place(selection, home=home, stem=stem, config=config), environment, config)
    if order.target.system == "win":
        linked = _with_dlls(linked, home, config)
    linked = replace(linked, entries=_relative(linked.entries, home, config))
    ready = _with_runtime(linked, home, pressed_project.name, config)
    left = _without_sources(ready.entries, order, stem)
    entries = _adjusted(left.entries, order)
    tagging = tags.tags(entries, _present(entries, environment), order.target, config)
    tagging = tags.narrowed(tagging, brought.tags, order.target)
    filled, described_notes = _described(order, pressed_project, solution, fetched, selection)
    licensed = _licensed(_with_programs(filled, ready.programs), entries, fetched, config)
    wheel = metadata.complete(
        licensed.project, version, entries, tagging=tagging, environment=fetched, generator=generator
    )
    wheel = _with_bill(wheel, entries, fetched, licensed, epoch)
    findings = placeholders.examine(entries, config.placeholders.accept)
    notes = (
        *_empty_notes(selection),
        *selection.notes,
        *linked.notes,
        *left.notes,
        *tagging.notes,
        *_case_notes(wheel.tags, wheel.entries),
        *_script_notes(environment, selection),
        *_pth_notes(entries),
        *described_notes,
        *licensed.notes,
        *provide.notes(fetched, entries, config.wheel.environment),
        *licenses.notes(licensed.licences, wheel.entries, f"{stem}.dist-info"),
        *placeholders.report(findings, config.placeholders),
        *_traces(wheel.entries, workdir),
    )
    return Pressed(
        wheel=wheel,
        solution=solution,
        selection=selection,
        tagging=tagging,
        notes=notes,
        licenses={licence.package: licence.expression for licence in licensed.licences},
        findings=findings,
    )


def _relative(entries: Sequence[Entry], home: layout.Home, config: Config) -> tuple[Entry, ...]:
    """Rewrite the texts that can find the prefix from where they lie."""
    programs = {posixpath.basename(path) for path in config.wheel.executables}
    return rewrite.rewrite(entries, home.prefix, programs)


def _described(
    order: Order, asked: Project, solution: Solution, environment: Environment, selection: Selection
) -> tuple[Project, tuple[str, ...]]:
    """Return the project with its dynamic fields filled in from the pressed packages and from the channel."""
    theirs = installed.read(kept.file for kept in selection.kept)
    there = {kept.file.package for kept in selection.kept}
    stays = tuple(package for package in environment.packages if package.requested or package.name in there)
    dynamic = frozenset(name for name in project.DYNAMIC if described.is_dynamic(asked, name))
    needed = requires.needs(solution, stays, order.config)
    # Where nothing depends on it, nothing is asked of a server: what can be read here is good enough for a note.
    local = order.config.offline or "dependencies" not in dynamic
    names = requires.asked(needed, solution, order.config)
    read = conda.inspect(solution, names, offline=local, environ=order.environ)
    contents = {name: requires.Contents(**each) for name, each in read.items()}
    context = requires.Context(
        target=order.target,
        config=order.config,
        solution=solution,
        stays=stays,
        dynamic=dynamic,
        unread={name: each.problem for name, each in contents.items()},
    )
    called = requires.names(needed, contents, solution)
    derived = requires.derive(asked.name, needed, theirs, names=called, context=context)
    others = external.requirements(selection.kept, order.config.link.external)
    derived = replace(derived, dependencies=tuple(dict.fromkeys((*derived.dependencies, *others))))
    first = first_requested(order.config, solution)
    one = installed.of(first.name, theirs) if first else None
    found = described.Sources(
        package=first,
        derived=derived,
        raw=one.raw if one else {},
        about=metadata.about(environment.info.get(first.name)) if first else {},
    )
    return described.complete(asked, found)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Licensed:
    """The project with the licence that its wheel states, and the licences of all that is in the wheel."""

    project: Project
    licences: tuple[licenses.Licence, ...]
    expression: str | None
    abouts: Mapping[str, Mapping[str, object]]
    notes: tuple[str, ...]


def _licensed(asked: Project, entries: Sequence[Entry], environment: Environment, config: Config) -> _Licensed:
    """Read the licences of the packages in the wheel, and refuse what the project does not allow."""
    abouts = {name: metadata.about(info) for name, info in environment.info.items()}
    found = licenses.read(_present(entries, environment), abouts, config.licenses)
    licenses.require(found, environment.packages, config.licenses)
    vendored = licenses.joined(licence.expression for licence in found)
    warning = licenses.disagreement(asked, vendored)
    if warning:
        log.warn(warning)
    return _Licensed(
        project=licenses.state(asked, vendored),
        licences=found,
        expression=licenses.joined([*licenses.stated(asked), *(licence.expression for licence in found)]),
        abouts=abouts,
        notes=(f"the licence of all that is in the wheel: {vendored}",) if warning else (),
    )


def _with_bill(
    wheel: Wheel, entries: Sequence[Entry], environment: Environment, licensed: _Licensed, epoch: int | None
) -> Wheel:
    """Add the packages' own bills of materials, and ours, which states every hash that RECORD will have."""
    facts = sbom.Facts(
        packages=environment.packages,
        licences=licensed.licences,
        expression=licensed.expression,
        abouts=licensed.abouts,
        info=environment.info,
        epoch=epoch,
    )
    return replace(wheel, entries=(*wheel.entries, *sbom.inherited(entries, wheel.stem)), bill=sbom.Bill(facts=facts))


def elsewhere(config: Config) -> tuple[str, ...]:
    """Return the names of libraries that the configuration expects on every target machine."""
    wanted = asdict(config.link.runtimes)
    runtimes = (names for key, names in toolchain.LIBRARIES.items() if wanted.get(key) == "system")
    others = external.names(config.link.external)
    return (*config.link.system, *others, *(name for names in runtimes for name in names))


def identify(order: Order, solution: Solution, environment: Environment | None = None) -> tuple[Project, Version]:
    """Return the project and its version, solved where it is dynamic; the first spec names a wheel without project."""
    package = first_requested(order.config, solution)
    if order.project is not None:
        return order.project, project.version(order.project, package)
    assert package is not None
    name = metadata.own_name(environment.files, package.name) if environment else None
    found = project.from_specs(order.name, package, {"Name": name} if name else None)
    return found, project.version(found, package)


def _brought(order: Order, solution: Solution, environment: Environment, workdir: Path) -> tuple[Project, Version, Own]:
    """Return the project, its version, and what it brings itself: its sources, or what its inner backend built."""
    if order.config.build_backend is None:
        found, version = identify(order, solution, environment)
        return found, version, _own(order, version, workdir)
    assert order.project is not None
    made = native.build(order.config, solution, root=order.root, workdir=workdir, environ=order.environ)
    found = built.project(order.project, made)
    assert found.version is not None
    return found, found.version, made


def _own(order: Order, version: Version, workdir: Path) -> Own:
    """Return what the project brings itself."""
    if order.project is None or order.config.build_backend is not None:
        return Own()
    return sources.collect(order.project, version, order.config.sources, workdir)


def _without_sources(entries: tuple[Entry, ...], order: Order, stem: str) -> editable.Editable:
    """Return what is in an editable wheel, which is the wheel where the project has no code."""
    is_editable = order.state in ("editable", "metadata_editable")
    if not is_editable or order.project is None or order.config.build_backend is not None:
        return editable.Editable(entries=entries)
    modules = sources.find(order.project, order.config.sources)
    return editable.adjust(entries, modules, order.root, stem=stem, lock=LOCK)


def first_requested(config: Config, solution: Solution) -> Package | None:
    """Return the package of the first spec: it gives a wheel its version, and its name where no project does.

    None where nothing is pressed whole, only own code shipped.
    """
    if not config.packages:
        return None
    name = conda.spec_name(config.packages[0])
    return next(package for package in solution.packages if package.name == name)


def _with_dlls(linked: link.Linked, home: layout.Home, config: Config) -> link.Linked:
    """Put the DLLs where Windows finds them."""
    placed = dlls.place(
        linked.entries, prefix=home.prefix, home=home.name, generated=home.generated, others=config.link.external
    )
    there = {entry.path for entry in placed.entries}
    return replace(
        linked,
        entries=placed.entries,
        names={name: path for name, path in linked.names.items() if path in there},
        notes=(*linked.notes, *placed.notes),
        folders=placed.folders,
    )


def _with_runtime(linked: link.Linked, home: layout.Home, name: str, config: Config) -> _Provided:
    """Add the module that finds the libraries, sets the environment and starts the programs, where there is use for it.

    A home that is a package's own imports it where importing the home is to have an effect.
    """
    variables = provide.environment(linked.entries, home.name, config.wheel.environment)
    programs = provide.programs(linked.entries, home.name, config.wheel.executables)
    starts = {name: f"{home.module}._mamba_press:{call}" for name, call in runtime.functions(programs).items()}
    has_prefix = any(entry.path.startswith(f"{home.prefix}/") for entry in linked.entries)
    own_code = [entry.kept.file for entry in linked.entries if entry.kept and entry.kept.file.package == OWN]
    is_used = (has_prefix and (home.generated or own_code)) or any(map(asks.uses, own_code))
    if not variables and not programs and not linked.folders and not is_used:
        return _Provided(entries=linked.entries, programs=starts)
    inside = f"{home.name}/"
    libraries = {old: path[len(inside) :] for old, path in linked.names.items() if path.startswith(inside)}
    text = runtime.module(libraries, environment=variables, programs=programs, folders=linked.folders)
    generated = [Entry(path=f"{inside}{runtime.MODULE}", source=text, why="finds the libraries")]
    entries = linked.entries
    if any(entry.path == generated[0].path for entry in entries):
        what, hint = "is the name of the module that mamba-press writes there", "give the file another name"
        raise ContentError(Problem(where=generated[0].path, what=what, hint=hint))
    if home.generated:
        init = runtime.init(name)
        source = runtime.with_import(init) if variables or linked.folders else init
        generated.append(Entry(path=f"{inside}__init__.py", source=source, why="makes the home a package"))
    elif variables:
        entries = tuple(_importing(entry) if entry.path == f"{inside}__init__.py" else entry for entry in entries)
        if entries == linked.entries:
            raise ContentError(_no_import(home.name, "is no Python source"))
    together = tuple(sorted((*entries, *generated), key=lambda entry: entry.path))
    return _Provided(entries=together, programs=starts)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Provided:
    """The entries with what mamba-press itself adds to the home, and the entry points of the programs by name."""

    entries: tuple[Entry, ...]
    programs: Mapping[str, str]


def _importing(entry: Entry) -> Entry:
    """Return a home's ``__init__.py`` with the import of the generated module."""
    source = entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes()
    try:
        return replace(entry, source=runtime.with_import(source))
    except ValueError as error:
        raise ContentError(_no_import(entry.path, f"cannot be read: {error}")) from None


def _no_import(where: str, why: str) -> Problem:
    return Problem(
        where=where,
        what=f"has to import what sets the environment, but its __init__ {why}",
        hint='take a home of its own: [tool.mamba-press.layout] home = "…", a new name, to be imported first',
    )


def _with_programs(asked: Project, programs: Mapping[str, str]) -> Project:
    """Return the project with the programs among its scripts."""
    own = asked.table.get("scripts")
    scripts = own if isinstance(own, dict) else {}
    twice = sorted(scripts.keys() & programs.keys())
    if twice:
        raise ConfigError(
            *(
                Problem(
                    where=f"project.scripts.{name}",
                    what="is also the name of a program in tool.mamba-press.wheel.executables",
                    hint="keep one of the two",
                )
                for name in twice
            )
        )
    return replace(asked, table={**asked.table, "scripts": {**scripts, **programs}}) if programs else asked


def _adjusted(entries: tuple[Entry, ...], order: Order) -> tuple[Entry, ...]:
    """Let the project's own hook change the entries."""
    if order.config.hook is None:
        return entries
    from mamba_press import seam

    return seam.apply(order.config.hook, order.root, entries)


def _present(entries: Sequence[Entry], environment: Environment) -> tuple[Package, ...]:
    names = {entry.kept.file.package for entry in entries if entry.kept}
    return tuple(package for package in environment.packages if package.name in names)


def _traces(entries: Sequence[Entry], workdir: Path) -> tuple[str, ...]:
    """Read every file of the finished wheel for paths of the machines that made it.

    A path of this very build's temporary folder is an error, those of the packages' own builds are told.
    """
    own = str(workdir).encode()
    leaks: list[Problem] = []
    built: dict[str, list[str]] = {}
    for entry in entries:
        data = entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes()
        if own in data:
            what = f"holds the path of this build's temporary folder, {workdir}"
            hint = "report this: no file may depend on where the wheel was made"
            leaks.append(Problem(where=entry.path, what=what, hint=hint))
        if entry.kept and placeholders.has_build_path(data):
            built.setdefault(entry.kept.file.package, []).append(entry.path)
    if leaks:
        raise ContentError(*leaks)
    if not built:
        return ()
    files = (f"{package} ({len(paths)} files)" if paths[1:] else package for package, paths in sorted(built.items()))
    return (f"paths of the machines that built the packages stand in files, and mean nothing: {', '.join(files)}",)


def _case_notes(tags: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Refuse paths that differ only in case where the wheel may meet a file system that takes them for one."""
    clashes = layout.case_clashes(entry.path for entry in entries)
    if not clashes:
        return ()
    if "linux" not in tags:
        in_prefix = {entry.path: entry.kept.file.path if entry.kept else entry.path for entry in entries}
        raise ContentError(
            *(
                Problem(
                    where=" and ".join(group),
                    what="differ only in case, which is one file on macOS and Windows",
                    hint=f"leave one out: [tool.mamba-press.select] exclude = [{json.dumps(in_prefix[group[0]])}]",
                )
                for group in clashes
            )
        )
    shown = ", ".join(" and ".join(group) for group in clashes[:3])
    return (f"paths that differ only in case, {len(clashes)} times: {shown}",)


def _empty_notes(selection: Selection) -> tuple[str, ...]:
    if selection.kept:
        return ()
    return ("nothing stays of the packages: the wheel has metadata only; `mamba-press list` says which rule left what",)


def _script_notes(environment: Environment, selection: Selection) -> tuple[str, ...]:
    present = {kept.file.package for kept in selection.kept}
    names = [name for name in environment.scripts if name in present]
    return (f"link scripts are never run: {', '.join(names)}",) if names else ()


def _pth_notes(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Name what acts at every start of Python, whether the wheel is used or not, and eggs, which nothing would find."""
    kept = [(entry.path.split("/")[0], entry.kept.file.package) for entry in entries if entry.kept]
    found = []
    for end, what in ((".pth", "read at every start of Python"), (".egg", "eggs cannot be imported from a wheel")):
        names = sorted({f"{path} ({package})" for path, package in kept if path.endswith(end)})
        found += [f"{what}: {', '.join(names)}"] if names else []
    return tuple(found)
