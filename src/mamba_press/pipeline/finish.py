"""From linked entries to a finished wheel: tags, licences, metadata, the bill, and what there is to tell."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.tags import parse_tag

from mamba_press import globs, platforms
from mamba_press.audit import path_assumptions, unused_packages
from mamba_press.conda import fetch
from mamba_press.errors import ContentError, Note, Problem, Setting, Text, noted
from mamba_press.metadata import dist_info, installed, licenses, pyproject, requirements, requires_python, sbom, tags
from mamba_press.metadata import dynamic_fields as metadata_dynamic
from mamba_press.metadata.requirements import pypi_names
from mamba_press.pipeline import solve
from mamba_press.platforms import strings
from mamba_press.types import OWN, Info, Pressed
from mamba_press.vendoring import hardcoded_prefix, layout, resolve, runtime_support

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.version import Version

    from mamba_press.config.model import Config
    from mamba_press.pipeline.solve import Order
    from mamba_press.types import Entry, Environment, Kept, Package, Project, Selection, Solution, Tags, Target, Wheel

_AT_START = ("sitecustomize", "usercustomize")
_LEAK = "report this: no file may depend on where the wheel was made"
_OWN_LEAK = (
    "the build wrote it there: let the compiler have CPPFLAGS (CMake: CMAKE_ARGS, cargo: CARGO_BUILD_RUSTFLAGS), which "
    "map such paths away, leave out debugging information with link.strip = true, or leave the file out"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """What was fetched of a solution, what the project's own files make of it, and what stays of that.

    ``called`` says what PyPI calls Python packages, where that need not be found out.
    """

    solution: Solution
    fetched: Environment
    environment: Environment
    selection: Selection
    called: Mapping[str, str | None] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What one wheel is made of: its entries, linked, and what they were chosen from.

    ``home`` is the package in which the generated module is, as it is imported; "" where there can be none.
    ``built`` are the tags that an inner backend gave its wheel. ``together`` is for wheels that share a folder, and
    ``others`` are the files of those.
    """

    project: Project
    entries: tuple[Entry, ...]
    chosen: Chosen
    home: str = ""
    built: tuple[str, ...] = ()
    together: bool = False
    others: tuple[Kept, ...] = ()
    notes: tuple[str | Note, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A part with all that its wheel will say, but for the version.

    ``project`` states the licence of its wheel; ``licences`` are those of all that is in it, ``expression`` all in one.
    """

    part: Part
    config: Config
    tagging: Tags
    project: Project
    licences: tuple[licenses.Licence, ...]
    expression: str | None
    notes: tuple[Note, ...]

    @property
    def stated(self) -> object:
        """What the wheel says of itself."""
        return (sorted(self.project.table.items()), self.tagging.tags)


def draft(part: Part, order: Order) -> Draft:
    """Tag a part, read the licences of the packages in it, and refuse what the project does not allow."""
    asked, entries, fetched, keys = part.project, part.entries, part.chosen.fetched, order.config.licenses
    tagging = tags.tags(entries, _present(entries, part.chosen.environment), order.target, order.config, part.others)
    tagging = tags.narrowed(tagging, part.built, order.target)
    _refuse_no_python(asked, tagging.tags, order.target)
    abouts = {name: info.about for name, info in fetched.info.items()}
    found = licenses.read(_present(entries, fetched), abouts, keys)
    licenses.require(found, fetched.packages, keys)
    vendored = licenses.joined(licence.expression for licence in found)
    has_code = asked.built is not None or any(entry.package == OWN for entry in entries)
    warning = licenses.disagreement(asked, vendored, has_code=has_code)
    return Draft(
        part=part,
        config=order.config,
        tagging=tagging,
        project=licenses.state(asked, vendored),
        licences=found,
        expression=licenses.joined([*licenses.stated(asked), *(licence.expression for licence in found)]),
        notes=(*licenses.unknown(found, keys), *([warning] if warning else [])),
    )


def _refuse_no_python(filled: Project, said: str, target: Target) -> None:
    """Refuse a wheel that no Python could install: what made its metadata excludes those that its tags are for."""
    allowed = requires_python.stated(filled.table.get("requires-python"))
    if not requires_python.some(allowed, map(str, parse_tag(said))):
        what = f"Requires-Python: {allowed} allows no Python that {said.rpartition('-')[0]} is for"
        hint = Text.of(Setting("python"), f" presses for {target.python}: name one that is allowed")
        raise ContentError(Problem(where="project.requires-python", what=what, hint=hint))


def describe(order: Order, asked: Project, chosen: Chosen) -> tuple[Project, tuple[str | Note, ...]]:
    """Return the project with its dynamic fields filled in from the pressed packages and from the channel."""
    solution, environment, selection = chosen.solution, chosen.fetched, chosen.selection
    theirs = installed.read(kept.file for kept in selection.kept)
    there = {kept.file.package for kept in selection.kept}
    stays = tuple(package for package in environment.packages if package.requested or package.name in there)
    dynamic = frozenset(name for name in pyproject.DYNAMIC if name in asked.dynamic)
    needed = pypi_names.needs(solution, stays, order.config)
    called, unread = chosen.called, dict[str, str]()
    if called is None:
        # Where nothing depends on it, nothing is asked of a server: what can be read here is good enough for a note.
        local = order.config.offline or "dependencies" not in dynamic
        contents = _contents(solution, pypi_names.asked(needed, solution, order.config), order, local=local)
        called = pypi_names.names(needed, contents, solution)
        unread = {name: each.problem for name, each in contents.items()}
    context = requirements.Context(
        target=order.target, config=order.config, solution=solution, stays=stays, dynamic=dynamic, unread=unread
    )
    derived = requirements.derive(asked.name, needed, theirs, names=called, context=context)
    others = resolve.external_requirements(selection.kept, order.config.link.external)
    derived = replace(derived, dependencies=tuple(dict.fromkeys((*derived.dependencies, *others))))
    first = solve.first_requested(order.config, solution)
    one = installed.of(first.name, theirs) if first else None
    found = metadata_dynamic.Sources(
        package=first,
        derived=derived,
        raw=one.raw if one else {},
        about=environment.info.get(first.name, Info()).about if first else {},
    )
    return metadata_dynamic.complete(asked, found)


def _contents(
    solution: Solution, names: frozenset[str], order: Order, *, local: bool
) -> dict[str, pypi_names.Contents]:
    """Return what is in packages that stay out: what the lock says, else what can be found out."""
    unknown = [package for package in solution.packages if package.name in names - solution.contents.keys()]
    found = fetch.inspect(unknown, replace(order.access, offline=local))
    known = {**solution.contents, **{package.name: found[package.file_name] for package in unknown}}
    return {name: pypi_names.Contents(**known[name]) for name in names}


def finish(draft: Draft, version: Version, workdir: Path, *, generator: str, epoch: int | None) -> Pressed:
    """Describe a wheel to the end."""
    config, entries, chosen = draft.config, draft.part.entries, draft.part.chosen
    environment, fetched, selection = chosen.environment, chosen.fetched, chosen.selection
    wheel = dist_info.complete(
        draft.project,
        version,
        entries,
        tagging=draft.tagging,
        environment=fetched,
        generator=generator,
        together=draft.part.together,
    )
    wheel = _with_bill(wheel, draft, epoch)
    findings = hardcoded_prefix.examine(entries, config.placeholders.accept, config.wheel.environment)
    _refuse_impossible(wheel.tags, wheel.entries)
    # A house has no home: nobody's code belongs to its packages.
    home, is_built = draft.part.home, config.build_backend is not None
    requires = bool(draft.project.table.get("dependencies") or draft.project.table.get("optional-dependencies"))
    notes: tuple[str | Note, ...] = (
        *unused_packages.packages(environment, selection, is_empty=not entries, requires=requires),
        *(unused_packages.host(environment, selection, config, home=home, is_built=is_built) if home else ()),
        *selection.notes,
        *draft.tagging.notes,
        *_case_notes(wheel.tags, wheel.entries),
        *_script_notes(environment, selection, config),
        *_pth_notes(entries),
        *_shadow_notes(entries),
        *_lookup_notes(draft, wheel.name),
        *draft.part.notes,
        *draft.notes,
        *runtime_support.notes(fetched, entries, config.wheel.environment),
        *licenses.notes(draft.licences, wheel.entries, f"{wheel.stem}.dist-info"),
        *hardcoded_prefix.report(findings, config.placeholders),
        *_traces(wheel.entries, workdir),
    )
    return Pressed(
        wheel=wheel,
        solution=chosen.solution,
        selection=selection,
        tagging=draft.tagging,
        notes=noted(notes),
        licenses={licence.package: licence.expression for licence in draft.licences},
        license=draft.expression,
        findings=findings,
        prefix=environment.prefix,
    )


def _with_bill(wheel: Wheel, draft: Draft, epoch: int | None) -> Wheel:
    """Add the packages' own bills of materials, and ours, which states every hash that RECORD will have."""
    bill = sbom.Sbom(
        packages=draft.part.chosen.fetched.packages,
        licences=draft.licences,
        expression=draft.expression,
        info=draft.part.chosen.fetched.info,
        epoch=epoch,
    )
    inherited = sbom.inherited(draft.part.entries, wheel.stem)
    return replace(wheel, entries=(*wheel.entries, *inherited), bill=bill)


def _present(entries: Sequence[Entry], environment: Environment) -> tuple[Package, ...]:
    names = {entry.package for entry in entries}
    return tuple(package for package in environment.packages if package.name in names)


def _traces(entries: Sequence[Entry], workdir: Path) -> tuple[str, ...]:
    """Look for paths of the machines that made the wheel's files.

    A path of this very build's temporary folder is an error, those of the packages' own builds are told.
    """
    # The random name alone, where it is ours: the folder above may have another name than a link that leads to it.
    own = (workdir.name if workdir.name.startswith("mamba-press-") else str(workdir)).encode()
    leaks: list[Problem] = []
    for entry in filter(_is_made_here, entries):
        if own in entry.read():
            what = f"holds the path of this build's temporary folder, {workdir}"
            hint = _OWN_LEAK if entry.package == OWN else _LEAK
            leaks.append(Problem(where=entry.path, what=what, hint=hint))
    ContentError.raise_for(leaks)
    files = ((entry, entry.origin) for entry in entries if entry.origin)
    built = {entry.package for entry, file in files if (entry.strings or strings.look(file.source)).built}
    what = "paths of the machines that built the packages stand in files, and mean nothing"
    return (f"{what}: {', '.join(sorted(built))}",) if built else ()


def _is_made_here(entry: Entry) -> bool:
    """Whether a file is another than its package has, and so can say where this build is."""
    file = entry.origin
    return file is None or file.package == OWN or file.placeholder is not None or entry.source != file.source


def _case_notes(tags: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Refuse paths that differ only in case where the wheel may meet a file system that takes them for one."""
    clashes = layout.case_clashes(entry.path for entry in entries)
    if not clashes:
        return ()
    systems = [platforms.facts_of(tag) for tag in tags.rpartition("-")[2].split(".")]
    if not any(each and each.tells_case for each in systems):
        in_prefix = {entry.path: entry.original for entry in entries}
        ContentError.raise_for(
            Problem(
                where=" and ".join(group),
                what="differ only in case, which is one file on macOS and Windows",
                hint=Text.of("leave one out: ", Setting("select.exclude", (in_prefix[group[0]],))),
            )
            for group in clashes
        )
    shown = ", ".join(" and ".join(group) for group in clashes[:3])
    return (f"paths that differ only in case, {len(clashes)} times: {shown}",)


def _refuse_impossible(tags: str, entries: Sequence[Entry]) -> None:
    """Refuse paths that Windows cannot have where the wheel may be installed there."""
    originals = {entry.path: entry.original for entry in entries}
    ContentError.raise_for(
        Problem(where=path, what=what, hint=Text.of("leave it out: ", Setting("select.exclude", (originals[path],))))
        for path, what in platforms.impossible(originals, tags.rpartition("-")[2].split("."))
    )


def _script_notes(environment: Environment, selection: Selection, config: Config) -> Iterator[Note]:
    """Warn of link scripts, which no installer of wheels runs; who has read one says so with ``select.exclude``."""
    present = {kept.file.package for kept in selection.kept}
    for package, paths in environment.scripts.items():
        unread = [path for path in paths if not globs.matches(path, config.select.exclude)]
        if unread and package in present:
            yield Note(
                f"conda runs {' and '.join(unread)} when {package} is installed; nothing runs it for a wheel",
                Text.of(
                    "read it: if the wheel needs what it does, add that to the wheel or to the project's own code\n"
                    "to confirm that you have read it: ",
                    Setting("select.exclude", tuple(unread)),
                ),
                "warning",
            )


def _lookup_notes(draft: Draft, name: str) -> tuple[Note, ...]:
    """Say what the sources in the wheel look for and will not find."""
    kept = [each.file for each in draft.part.chosen.selection.kept]
    libraries = [file.path for file in draft.part.chosen.environment.files if path_assumptions.is_library(file.path)]
    called = [] if draft.part.together else [each.name for each in installed.read(kept)]
    return path_assumptions.notes(
        draft.part.entries, name=name, home=draft.part.home, called=called, libraries=libraries
    )


def _shadow_notes(entries: Sequence[Entry]) -> Iterator[Note]:
    """Warn of modules at the wheel's root that run at every start of Python, or have the name of one of its own.

    Which of two modules of one name is imported depends on how Python is started. Its own names are taken from the
    Python that builds: few of them change from version to version.
    """
    for entry in entries:
        name, slash, _ = entry.path.partition(".")[0].partition("/")
        is_module = re.fullmatch(r"[^/.]+(?:/__init__)?(?:\.[\w.-]+)?\.(?:py|so|pyd)", entry.path)
        if entry.origin and is_module and (name in _AT_START or name in sys.stdlib_module_names):
            starts = "runs at every start of Python"
            what = starts if name in _AT_START else "has the name of a module of the standard library"
            glob = f"**/site-packages/{name}/**" if slash else f"**/site-packages/{entry.path}"
            leave = Text.of("leave it out if nothing needs it: ", Setting("select.exclude", (glob,)))
            yield Note(
                f"{entry.path} ({entry.package}) {what}", "rename it" if entry.package == OWN else leave, "warning"
            )


def _pth_notes(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Name what acts at every start of Python, wheel used or not, and zipped eggs, which nothing would find."""
    kept = [(entry.path, entry.package) for entry in entries if entry.origin and "/" not in entry.path]
    found = []
    for end, what in ((".pth", "read at every start of Python"), (".egg", "zipped eggs cannot be imported")):
        names = sorted({f"{path} ({package})" for path, package in kept if path.endswith(end)})
        found += [f"{what}: {', '.join(names)}"] if names else []
    return tuple(found)
