"""Pressing a whole environment into one wheel for each package: the stages as in `pipeline`, once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from mamba_press import atomic, log, messages, platforms
from mamba_press.conda import fetch
from mamba_press.conda.worker_process import one_process
from mamba_press.config import unmatched
from mamba_press.errors import ConfigError, Problem, WriteError, noted, of_all
from mamba_press.metadata import dist_info, pyproject
from mamba_press.metadata.requirements import pypi_names
from mamba_press.pipeline import build, finish, solve
from mamba_press.pipeline import press as pipeline_press
from mamba_press.platforms import target
from mamba_press.types import Selection, Solution, Wheelhouse
from mamba_press.vendoring import hardcoded_prefix, layout, link, preload_libraries, runtime_support, split
from mamba_press.vendoring.select import packages
from mamba_press.wheel import compress, writer
from mamba_press.wheel import wheelhouse as house_archive

if TYPE_CHECKING:
    from mamba_press.pipeline.solve import Order
    from mamba_press.wheel.proof import Proven
    from mamba_press.wheel.wheelhouse import Manifest


def write(
    asked: Order, directory: Path | None, archive: Path | None = None, *, replaces: bool = True
) -> tuple[Wheelhouse, Manifest]:
    """Press a wheelhouse into a folder, an archive or both: all of it, or nothing.

    Unless it ``replaces`` what is there, WriteError is raised where that is another wheel or another archive.
    All wheels are checked together before one of them gets its place. What was there before stays where anything fails.
    """
    if archive is not None and (archive.is_dir() or archive == directory):
        what, hint = "is a folder, and --archive writes one file", "name a file: --archive env.zip"
        raise WriteError(Problem(where=str(archive), what=what, hint=hint))
    if archive is not None:
        atomic.require(archive.parent)
    compression, date = asked.config.wheel.compression, build.epoch(asked.environ)
    generator = compress.generator(compression)
    with (
        build.second_reader(asked) as second,
        build.entries_cache(asked) as cache,
        atomic.stage(directory) as stage,
        atomic.temporary(within=fetch.near_cache(asked.environ)) as workdir,
    ):
        require_possible(asked, workdir)
        with one_process():
            solution = solve.solve(asked)
            found = press(asked, solution, workdir, generator=generator, epoch=date)
        count = len(found.wheels)
        log.step(f"writing {count} wheel{'s' * (count != 1)}")
        seen = second.written if second else None
        proven: list[Proven] = []
        for each in found.wheels:
            path = writer.write(
                each.wheel,
                stage,
                compression=compression,
                epoch=date,
                seen=seen,
                verify=proven.append,
                cache=cache,
            )
            proven[-1] = proven[-1]._replace(path=path)
        elsewhere = pipeline_press.elsewhere(asked.config)
        build.require_together(proven, elsewhere, second)
        manifest, lock = house_archive.describe(found, stage, elsewhere)
        (stage / house_archive.MANIFEST).write_bytes(manifest.to_json())
        (stage / house_archive.LOCK).write_bytes(lock)
        if directory is not None:
            _refuse_stale(directory, house_archive.stale(directory, [row.file for row in manifest.wheels]))
            if not replaces:
                build.refuse_taken([(stage / row.file, directory / row.file) for row in manifest.wheels])
        notes = noted((*found.notes, *of_all([each.notes for each in found.wheels])))
        build.refuse_warnings(asked.config, notes)
        _place(stage, manifest, (directory, archive), replaces=replaces)
    log.tell(notes)
    return found, manifest


def _place(stage: Path, manifest: Manifest, places: tuple[Path | None, Path | None], *, replaces: bool) -> None:
    """Bring a finished house from the folder ``stage`` to its folder and its archive; what fails changes nothing."""
    directory, archive = places
    with atomic.moving(stage) as move:

        def fill(packed: Path | None = None) -> None:
            if packed and archive and not replaces:
                build.refuse_taken([(packed, archive)])
            # What describes the others comes last, so that a folder that is not complete says so.
            for name in (*(row.file for row in manifest.wheels), house_archive.LOCK, house_archive.MANIFEST):
                if directory is not None:
                    move(stage / name, directory / name)

        if archive is None:
            fill()
        else:
            house_archive.pack(stage, manifest, archive, fill)


def _refuse_stale(directory: Path, stale: Sequence[str]) -> None:
    if stale:
        shown = messages.some(stale, 5)
        raise WriteError(
            Problem(
                where=str(directory),
                what=f"has wheels that are not of this wheelhouse, and installers would take them too: {shown}",
                hint="remove them, or choose another folder with -o",
            )
        )


def press(order: Order, solution: Solution, workdir: Path, *, generator: str, epoch: int | None = None) -> Wheelhouse:
    """Press a solution into one wheel for each package of which something stays: all but Python itself.

    It is chosen from, laid out and linked as one; then every package gets its own part.
    """
    name = _name(order)
    everything = replace(order.config, select=replace(order.config.select, python_packages=("*",)))
    chosen = pipeline_press.choose(order, packages.vendored(solution, everything), workdir)
    home = layout.Home(name=split.home(name), generated=True)
    placed = layout.place(chosen.selection, home=home, stem=split.STEM, config=order.config)
    linked = link.link(placed, chosen.environment, order.config)
    entries = pipeline_press.texts_moved(linked.entries, home, order.config)
    left = split.left(chosen.solution, chosen.selection)
    members = split.part(entries, chosen.selection, chosen.solution, name)
    split.require_some(members, left)
    if platforms.facts(order.target).loaded_answers:
        members = preload_libraries.with_loaders(members, chosen.selection, name)
    members = split.with_programs(members, order.config.wheel.executables, name)
    chosen = replace(chosen, called=_called(members, chosen))
    drafts = [finish.draft(_part(member, members, order, chosen), order) for member in members]
    versions = split.versions(members, [draft.stated for draft in drafts])
    pinned = [_pinned(draft, member, versions) for draft, member in zip(drafts, members, strict=True)]
    wheels = [finish.finish(draft, version, workdir, generator=generator, epoch=epoch) for draft, version in pinned]
    findings = [finding for wheel in wheels for finding in wheel.findings]
    seen = (chosen.environment, chosen.selection, chosen.solution, hardcoded_prefix.places(findings))
    return Wheelhouse(
        name=name,
        asked=frozenset(package.name for package in solution.packages if package.requested),
        solution=chosen.solution,
        wheels=tuple(wheels),
        left=left,
        notes=(*chosen.selection.notes, *linked.notes, *unmatched.in_wheel(order.config, *seen)),
    )


def require_possible(order: Order, workdir: Path) -> None:
    """Raise ConfigError for what no house can be made of, before anything is solved.

    That is a project with code of its own, too: nobody would expect it to be missing.
    """
    split.require_possible(_name(order), order.target, order.config)
    own_files = (
        pipeline_press.own_code(order, order.project.version or Version("0"), workdir).files if order.project else ()
    )
    if own_files:
        what = f"has code of its own, such as {own_files[0].path}: a wheelhouse is made of conda packages alone"
        hint = "name the specs instead, and press the project into a wheel beside them"
        raise ConfigError(Problem(where=str(order.root), what=what, hint=hint))


def _name(order: Order) -> str:
    return order.name or (order.project.name if order.project else split.NAME)


def _called(members: Sequence[split.Member], chosen: finish.Chosen) -> dict[str, str | None]:
    """Return what the house calls each Python package, "" for what is no wheel and stands for none."""
    contents = pypi_names.contents(chosen.environment)
    packages = [package for package in chosen.environment.packages if package.is_python]
    known = {package.name: pypi_names.pypi_name(package, contents, chosen.solution) or "" for package in packages}
    return {**known, **{member.package.name: member.name for member in members}}


def _part(member: split.Member, members: Sequence[split.Member], order: Order, chosen: finish.Chosen) -> finish.Part:
    """Return what the wheel of one package is made of, as if that package had been asked for alone."""
    package, everything = member.package, chosen.fetched
    scripts = {name: paths for name, paths in everything.scripts.items() if name == package.name}
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
    filled, notes = finish.describe(one, pyproject.of_package(member.name, member.public), its_own)
    filled, changes = split.settled(filled, members, target.marker_environment(order.target))
    return finish.Part(
        project=runtime_support.with_programs(filled, member.programs),
        entries=member.entries,
        chosen=its_own,
        together=member.shares,
        others=chosen.selection.kept,
        notes=(*member.notes, *notes, *changes),
    )


def _pinned(draft: finish.Draft, member: split.Member, versions: split.Versions) -> tuple[finish.Draft, Version]:
    """Return a member's draft with what is known once all versions are: exact requirements, and paths."""
    _, version = versions[member.package.name]
    filled = split.pinned(draft.project, member, versions)
    entries = split.named(draft.part.entries, dist_info.stem(filled.name, version))
    return replace(draft, part=replace(draft.part, entries=entries), project=filled), version
