"""Pressing, from a configuration to a finished wheel: the only module that knows the order of the stages."""

from __future__ import annotations

import json
import posixpath
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from packaging.version import Version

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
    wheelhouse,
)
from mamba_press.conda import lock
from mamba_press.errors import ConfigError, ContentError, PressError
from mamba_press.types import OWN, Entry, House, Own, Pressed, Problem, Selection, Solution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mamba_press.config import Config, State
    from mamba_press.types import Dropped, Environment, Package, Project, Tagging, Target, Wheel

_LEAK = "report this: no file may depend on where the wheel was made"
_OWN_LEAK = (
    "the build wrote it there: let the compiler have CPPFLAGS (CMake: CMAKE_ARGS, cargo: CARGO_BUILD_RUSTFLAGS), which "
    "map such paths away, leave out debugging information with link.strip = true, or leave the file out"
)
LOCK = lock.NAME


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


def question(order: Order) -> conda.Question:
    """Return what is to be solved, with the channels where they are from here."""
    is_built = order.config.build_backend is not None
    assumed = native.assumed(order.target) if is_built else order.target
    return conda.Question(
        config=order.config,
        target=order.target,
        channels=conda.channel_urls(order.config.channels, order.root),
        virtual=target.virtual_packages(assumed, order.environ),
    )


def solve(order: Order) -> Solution:
    """Return the solution of the project's lock for this target, or solve: once, with the channels as they are now.

    Raises ConfigError for a lock that was made for something else than is asked for. For a target that the lock has
    not got, the requested packages keep their locked versions.
    """
    [answer] = solve_all([order])
    if isinstance(answer, PressError):
        raise answer
    return answer


def solve_all(orders: Sequence[Order]) -> list[Solution | PressError]:
    """Return the answer to each order, as `solve` does, an error for what has none; the channels are read once."""
    first = orders[0]
    held = None
    if first.project is not None and (first.root / LOCK).is_file():
        held = conda.read_lock(first.root / LOCK, first.root, environ=first.environ)
    found = [_locked(order, held) for order in orders]
    questions = [each for each in found if isinstance(each, conda.Question)]
    solved = conda.solve_all(questions, first.environ) if questions else []
    for package in (package for each in solved if isinstance(each, Solution) for package in each.packages):
        log.detail(f"solved: {package} from {package.channel}")
    answers = iter(solved)
    return [next(answers) if isinstance(each, conda.Question) else each for each in found]


def _locked(order: Order, held: Sequence[lock.Held] | None) -> Solution | conda.Question | PressError:
    """Return what the lock has for a target, or what is to be solved."""
    try:
        asked = question(order)
        found = lock.best(held or (), order.target)
        if found is not None:
            return conda.locked(found, asked, order.root, order.environ)
    except PressError as error:
        return error
    if held is None:
        return asked
    log.step(f"{LOCK} has nothing for {lock.title(order.target)}: solving, with the locked versions")
    specs = {conda.spec_name(spec): spec for spec in (*order.config.packages, *order.config.host)}
    pinned = (*order.config.constraints, *lock.pins(held, order.target, specs))
    return replace(asked, config=replace(order.config, constraints=pinned))


def modules(order: Order, solution: Solution, workdir: Path) -> tuple[str, ...]:
    """Return the top-level modules and packages that the solution's packages bring, sorted."""
    environment, _ = _fetched(order, select.vendored(solution, order.config), workdir)
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
    config, solution = order.config, select.vendored(solution, order.config)
    fetched, gone = _fetched(order, solution, workdir)
    pressed_project, version, brought = _brought(order, solution, fetched, workdir)
    environment = own.install(brought, fetched, order.target, name=pressed_project.name)
    selection = select.files(environment, order.target, config)
    home = layout.home(pressed_project.name, selection, environment.packages, config)
    stem = metadata.stem(pressed_project.name, version)
    linked = link.link(layout.place(selection, home=home, stem=stem, config=config), environment, config)
    if order.target.system == "win":
        linked = _with_dlls(linked, home, config)
    linked = replace(linked, entries=_relative(linked.entries, home, config))
    ready = _with_runtime(linked, home, pressed_project.name, config)
    apart = _without_sources(ready.entries, order, stem)
    entries = _adjusted(apart.entries, order)
    chosen = _Chosen(
        solution=solution,
        fetched=fetched,
        environment=environment,
        selection=replace(selection, dropped=(*gone, *selection.dropped)),
    )
    filled, notes = _described(order, pressed_project, chosen)
    part = _Part(
        project=_with_programs(filled, ready.programs),
        entries=entries,
        chosen=chosen,
        built=brought.tags,
        notes=(*linked.notes, *apart.notes, *notes),
    )
    return _finished(_drafted(part, order), version, workdir, generator=generator, epoch=epoch)


def press_house(order: Order, solution: Solution, workdir: Path, *, generator: str, epoch: int | None = None) -> House:
    """Press a solution into one wheel for each package of which something stays: all but Python itself.

    It is chosen from, laid out and linked as one; then every package gets its own part.
    """
    name = order.name or (order.project.name if order.project else wheelhouse.NAME)
    wheelhouse.require_possible(name, order.target, order.config)
    _refuse_own(order, workdir)
    everything = replace(order.config, select=replace(order.config.select, python_packages=("*",)))
    chosen = _chosen(order, select.vendored(solution, everything), workdir)
    home = layout.Home(name=wheelhouse.home(name), generated=True)
    placed = layout.place(chosen.selection, home=home, stem=wheelhouse.STEM, config=order.config)
    linked = link.link(placed, chosen.environment, order.config)
    entries = _relative(linked.entries, home, order.config)
    left = wheelhouse.left(chosen.solution, chosen.selection)
    members = wheelhouse.part(entries, chosen.selection, chosen.solution, name)
    wheelhouse.require_some(members, left)
    if order.target.system == "linux":
        members = wheelhouse.with_loaders(members, chosen.selection, name)
    members = wheelhouse.with_programs(members, order.config.wheel.executables, name)
    chosen = replace(chosen, called=_called(members, chosen))
    drafts = [_drafted(_part(member, members, order, chosen), order) for member in members]
    versions = wheelhouse.versions(members, [draft.stated for draft in drafts])
    pinned = [_pinned(draft, member, versions) for draft, member in zip(drafts, members, strict=True)]
    return House(
        name=name,
        asked=frozenset(package.name for package in solution.packages if package.requested),
        solution=chosen.solution,
        wheels=tuple(_finished(draft, version, workdir, generator=generator, epoch=epoch) for draft, version in pinned),
        left=left,
        notes=(*chosen.selection.notes, *linked.notes),
    )


def _refuse_own(order: Order, workdir: Path) -> None:
    """Refuse a project with code of its own: nobody would expect it to be missing."""
    own_files = _own(order, order.project.version or Version("0"), workdir).files if order.project else ()
    if own_files:
        what = f"has code of its own, such as {own_files[0].path}: a wheelhouse is made of conda packages alone"
        hint = "name the specs instead, and press the project into a wheel beside them"
        raise ConfigError(Problem(where=str(order.root), what=what, hint=hint))


def _called(members: Sequence[wheelhouse.Member], chosen: _Chosen) -> dict[str, str | None]:
    """Return what the house calls each Python package, "" for what is no wheel and stands for none."""
    contents = requires.contents(chosen.environment)
    packages = [package for package in chosen.environment.packages if package.is_python]
    known = {package.name: requires.pypi_name(package, contents, chosen.solution) or "" for package in packages}
    return {**known, **{member.package.name: member.name for member in members}}


def _part(member: wheelhouse.Member, members: Sequence[wheelhouse.Member], order: Order, chosen: _Chosen) -> _Part:
    """Return what the wheel of one package is made of, as if that package had been asked for alone."""
    package, everything = member.package, chosen.fetched
    scripts = tuple(name for name in everything.scripts if name == package.name)
    environment = replace(everything, packages=(package,), scripts=scripts)
    its_own = replace(
        chosen,
        solution=replace(chosen.solution, packages=everything.packages),
        fetched=environment,
        environment=environment,
        selection=Selection(
            kept=tuple(kept for kept in chosen.selection.kept if kept.file.package == package.name), dropped=()
        ),
    )
    one = replace(order, config=replace(order.config, packages=(package.name,)))
    filled, notes = _described(one, project.of_package(member.name, member.public), its_own)
    filled, changes = wheelhouse.settled(filled, members, target.marker_environment(order.target))
    return _Part(
        project=_with_programs(filled, member.programs),
        entries=member.entries,
        chosen=its_own,
        together=member.shares,
        notes=(*member.notes, *notes, *changes),
    )


def _pinned(draft: _Draft, member: wheelhouse.Member, versions: wheelhouse.Versions) -> tuple[_Draft, Version]:
    """Return a member's draft with what is known once all versions are: exact requirements, and paths."""
    version = versions.of(member)
    filled = wheelhouse.pinned(draft.licensed.project, member, versions)
    entries = wheelhouse.named(draft.part.entries, metadata.stem(filled.name, version))
    draft = replace(draft, part=replace(draft.part, entries=entries), licensed=replace(draft.licensed, project=filled))
    return draft, version


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chosen:
    """What was fetched of a solution, what the project's own files make of it, and what stays of that.

    ``called`` says what PyPI calls Python packages, where that need not be found out.
    """

    solution: Solution
    fetched: Environment
    environment: Environment
    selection: Selection
    called: Mapping[str, str | None] | None = None


def _fetched(order: Order, solution: Solution, workdir: Path) -> tuple[Environment, tuple[Dropped, ...]]:
    """Fetch the packages that may stay; those that leave by their record alone come back, too."""
    stays, gone = select.packages(solution, order.config)
    names = frozenset(package.name for package in stays)
    return conda.fetch(solution, names, workdir, config=order.config, environ=order.environ), gone


def _chosen(order: Order, solution: Solution, workdir: Path) -> _Chosen:
    """Fetch the packages that may stay, and choose from their files."""
    fetched, gone = _fetched(order, solution, workdir)
    selection = select.files(fetched, order.target, order.config)
    selection = replace(selection, dropped=(*gone, *selection.dropped))
    return _Chosen(solution=solution, fetched=fetched, environment=fetched, selection=selection)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """What one wheel is made of: its entries, linked, and what they were chosen from.

    ``built`` are the tags that an inner backend gave its wheel. ``together`` is for wheels that share a folder.
    """

    project: Project
    entries: tuple[Entry, ...]
    chosen: _Chosen
    built: tuple[str, ...] = ()
    together: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Draft:
    """A part with all that its wheel will say, but for the version."""

    part: _Part
    config: Config
    tagging: Tagging
    licensed: _Licensed

    @property
    def stated(self) -> object:
        """What the wheel says of itself."""
        return (sorted(self.licensed.project.table.items()), self.tagging.tags)


def _drafted(part: _Part, order: Order) -> _Draft:
    """Tag a part and read its licences."""
    present = _present(part.entries, part.chosen.environment)
    tagging = tags.tags(part.entries, present, order.target, order.config)
    return _Draft(
        part=part,
        config=order.config,
        tagging=tags.narrowed(tagging, part.built, order.target),
        licensed=_licensed(part.project, part.entries, part.chosen.fetched, order.config),
    )


def _finished(draft: _Draft, version: Version, workdir: Path, *, generator: str, epoch: int | None) -> Pressed:
    """Describe a wheel to the end."""
    config, licensed, entries = draft.config, draft.licensed, draft.part.entries
    environment, selection = draft.part.chosen.environment, draft.part.chosen.selection
    fetched = draft.part.chosen.fetched
    wheel = metadata.complete(
        licensed.project,
        version,
        entries,
        tagging=draft.tagging,
        environment=fetched,
        generator=generator,
        together=draft.part.together,
    )
    wheel = _with_bill(wheel, entries, fetched, licensed, epoch)
    findings = placeholders.examine(entries, config.placeholders.accept)
    notes = (
        *_empty_notes(selection),
        *selection.notes,
        *draft.tagging.notes,
        *_case_notes(wheel.tags, wheel.entries),
        *_script_notes(environment, selection),
        *_pth_notes(entries),
        *draft.part.notes,
        *licensed.notes,
        *provide.notes(fetched, entries, config.wheel.environment),
        *licenses.notes(licensed.licences, wheel.entries, f"{wheel.stem}.dist-info"),
        *placeholders.report(findings, config.placeholders),
        *_traces(wheel.entries, workdir),
    )
    return Pressed(
        wheel=wheel,
        solution=draft.part.chosen.solution,
        selection=selection,
        tagging=draft.tagging,
        notes=notes,
        licenses={licence.package: licence.expression for licence in licensed.licences},
        findings=findings,
    )


def _relative(entries: Sequence[Entry], home: layout.Home, config: Config) -> tuple[Entry, ...]:
    """Rewrite the texts that can find the prefix from where they lie."""
    programs = {posixpath.basename(path) for path in config.wheel.executables}
    return rewrite.rewrite(entries, home.prefix, programs)


def _described(order: Order, asked: Project, chosen: _Chosen) -> tuple[Project, tuple[str, ...]]:
    """Return the project with its dynamic fields filled in from the pressed packages and from the channel."""
    solution, environment, selection = chosen.solution, chosen.fetched, chosen.selection
    theirs = installed.read(kept.file for kept in selection.kept)
    there = {kept.file.package for kept in selection.kept}
    stays = tuple(package for package in environment.packages if package.requested or package.name in there)
    dynamic = frozenset(name for name in project.DYNAMIC if described.is_dynamic(asked, name))
    needed = requires.needs(solution, stays, order.config)
    called, unread = chosen.called, dict[str, str]()
    if called is None:
        # Where nothing depends on it, nothing is asked of a server: what can be read here is good enough for a note.
        local = order.config.offline or "dependencies" not in dynamic
        contents = _contents(solution, requires.asked(needed, solution, order.config), order, local=local)
        called = requires.names(needed, contents, solution)
        unread = {name: each.problem for name, each in contents.items()}
    context = requires.Context(
        target=order.target, config=order.config, solution=solution, stays=stays, dynamic=dynamic, unread=unread
    )
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


def _contents(solution: Solution, names: frozenset[str], order: Order, *, local: bool) -> dict[str, requires.Contents]:
    """Return what is in packages that stay out: what the lock says, else what can be found out."""
    unknown = [package for package in solution.packages if package.name in names - solution.contents.keys()]
    found = conda.inspect(unknown, offline=local, environ=order.environ)
    known = {**solution.contents, **{package.name: found[package.file_name] for package in unknown}}
    return {name: requires.Contents(**known[name]) for name in names}


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
    made = native.wheel(job(order, solution, workdir))
    found = built.project(order.project, made)
    assert found.version is not None
    return found, found.version, made


def job(order: Order, solution: Solution, workdir: Path) -> native.Job:
    """Return what the project's inner backend is to build."""
    return native.Job(config=order.config, solution=solution, root=order.root, workdir=workdir, environ=order.environ)


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
    bound = [entry.kept.file.path for entry in linked.entries if entry.kept and _is_bound(entry, home)]
    programs = provide.programs(linked.entries, home.name, dict.fromkeys((*config.wheel.executables, *bound)))
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


def _is_bound(entry: Entry, home: layout.Home) -> bool:
    """Whether an entry is a program of the project that lies with its libraries, and is started from there."""
    return bool(entry.kept and entry.kept.file.package == OWN and entry.path.startswith(f"{home.prefix}/"))


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
    # The random name alone, where it is ours: the folder above may have another name than a link that leads to it.
    own = (workdir.name if workdir.name.startswith("mamba-press-") else str(workdir)).encode()
    leaks: list[Problem] = []
    built: dict[str, list[str]] = {}
    for entry in entries:
        data = entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes()
        if own in data:
            what = f"holds the path of this build's temporary folder, {workdir}"
            hint = _OWN_LEAK if entry.kept and entry.kept.file.package == OWN else _LEAK
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
    """Name what acts at every start of Python, wheel used or not, and zipped eggs, which nothing would find."""
    kept = [(entry.path, entry.kept.file.package) for entry in entries if entry.kept and "/" not in entry.path]
    found = []
    for end, what in ((".pth", "read at every start of Python"), (".egg", "zipped eggs cannot be imported")):
        names = sorted({f"{path} ({package})" for path, package in kept if path.endswith(end)})
        found += [f"{what}: {', '.join(names)}"] if names else []
    return tuple(found)
