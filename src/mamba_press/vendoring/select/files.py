"""Which files of the packages stay in the wheel, and why."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import globs, messages, platforms
from mamba_press.conda.match_specs import spec_name
from mamba_press.errors import ContentError, Problem, Setting, Text
from mamba_press.platforms import binaries, strings
from mamba_press.types import OWN, Binary, Dropped, Environment, File, Kept, Reason, Selection, Strings, Target
from mamba_press.vendoring import library_calls, resolve, runtime_support
from mamba_press.vendoring.select import reach, runtimes

if TYPE_CHECKING:
    from mamba_press.config.model import Config

_ONE_OF_TWO = "leave a package out with select.prune, or the file, if nothing needs it, with select.exclude"
_APART = Text.of(
    "press the package or ship the code: take it out of packages, or the code out of the wheel with ",
    Setting("sources.modules", ()),
)
_LAUNCHER = Reason("rule", "a launcher that installers make themselves")


def select(environment: Environment, target: Target, config: Config) -> Selection:
    """Return what stays of an environment and what leaves; raises ContentError for a library that is nowhere.

    Of a requested package everything stays but what the default filters name, of own code everything. Of a dependency
    stay the libraries that are reached (needed, or opened by name by a requested package or by a library), its plugins,
    and its data where anything of it is reached or it has no binary at all. A package that only ``host`` brings leaves
    whole where nothing of it, or of what depends on it, is reached.
    """
    candidates, filtered = _filter(environment, config)
    prefix = resolve.Prefix.of(environment)
    requested = frozenset(package.name for package in environment.packages if package.requested)
    read = _strings(file for file in candidates.values() if file.package in requested)
    facts = _facts(candidates, target, read)
    libraries = {path for path, binary in facts.items() if binary.arch and binary.kind == "shared"}
    read |= _strings(file for path, file in candidates.items() if path in libraries and path not in read)
    asked, vain = library_calls.read(candidates.values(), library_calls.libraries(prefix, candidates, facts))
    search = reach.Search(
        prefix=prefix,
        candidates=candidates,
        facts=facts,
        requested=requested,
        opened=_opened(prefix, candidates, facts, read, asked),
        include=tuple(config.select.include),
        unused=config.link.unused_libraries,
        programs=_programs(config),
        packages={package.name: package for package in environment.packages},
        host=frozenset(map(spec_name, config.host)),
    )
    rules = _rules(target, config)
    gone: tuple[Dropped, ...] = ()
    drops = tuple(key for key in ("missing", "unpromised") if getattr(config.link, key) == "drop")
    if drops:
        search, gone = reach.without_missing(replace(search, drops=drops), rules)
    reached, notes = runtimes.choose(search, rules, environment, config)
    problems = [*vain, *reached.problems, *_clobbered(environment, reached, candidates)]
    problems += _sourceless(environment, config)
    if OWN in search.packages:
        problems += _shadowed(candidates[path] for path in reached.reasons)
    ContentError.raise_for(problems)
    runtimes.refuse_two_openmp(reached, candidates)
    kept = tuple(
        Kept(
            file=candidates[path],
            why=why,
            binary=facts.get(search.real(path)),
            links=reached.links.get(path, ()),
            strings=read.get(path) or strings.look(candidates[path].source),
        )
        for path, why in sorted(reached.reasons.items())
    )
    left = search.left(reached)
    notes += (*_foreign(kept), *(f"{each.path} ({each.package}) is left out: {each.why}" for each in gone))
    notes += tuple(reach.lost_links(search, reached))
    return Selection(kept=kept, dropped=(*filtered, *gone, *left), notes=notes)


def _rules(target: Target, config: Config) -> resolve.Rules:
    return resolve.Rules(
        target=target,
        system=tuple(config.link.system),
        external=config.link.external,
        remove=tuple(config.link.remove),
        pruned=(*config.select.prune, *config.select.prune_alone),
        runtimes={key: "system" for key, wanted in asdict(config.link.runtimes).items() if wanted == "system"},
        keeps_to_tag=config.link.unpromised != "report",
    )


@cache
def _default_filters(*, whole: bool = True) -> dict[str, str]:
    """Return why a file leaves, by the glob that matches it."""
    table = json.loads(Path(__file__).parents[2].joinpath("data").joinpath("filters.json").read_text("utf-8"))
    return {glob: row["why"] for row in table if whole or row.get("always") for glob in row["paths"]}


def _filter(environment: Environment, config: Config) -> tuple[dict[str, File], tuple[Dropped, ...]]:
    stays: dict[str, File] = {}
    gone: list[Dropped] = []
    requested = {package.name for package in environment.packages if package.requested}
    launchers = _launchers(environment)
    programs = _programs(config)
    # Of two packages' files at one path the requested one's counts, here as where the problem is told.
    for file in sorted(environment.files, key=lambda file: file.package in requested):
        why = _filtered(file, config, programs) or (_LAUNCHER if file.path in launchers else None)
        if why is None:
            stays[file.path] = file
        else:
            gone.append(Dropped(package=file.package, path=file.path, size=file.size, why=why))
    return stays, tuple(gone)


def _launchers(environment: Environment) -> frozenset[str]:
    """Return conda's launchers for Windows: they start the script beside them with the ``python.exe`` above them."""
    paths = {file.path for file in environment.files}
    scripts = (re.fullmatch(r"(Scripts/.+)-script\.pyw?", path) for path in paths)
    return frozenset(f"{found[1]}.exe" for found in scripts if found)


def _programs(config: Config) -> frozenset[str]:
    return frozenset(path for asked in config.wheel.executables for path in runtime_support.spellings(asked))


def _filtered(file: File, config: Config, programs: frozenset[str]) -> Reason | None:
    path = file.path
    if globs.matches(path, config.select.include) or path in programs:
        return None
    glob = globs.matches(path, config.select.exclude)
    if glob:
        return Reason("rule", f"select.exclude has {glob!r}")
    if file.package == OWN:
        return None
    if config.select.only and not globs.matches(path, config.select.only):
        return Reason("rule", "select.only does not name it")
    # What Python imports from there is its package's own: numpy's libnpymath.a is for those who compile against numpy.
    inside = "/site-packages/" in path
    filters = _default_filters(whole=config.select.default_filters and not inside)
    glob = globs.matches(path, filters)
    return Reason("rule", filters[glob]) if glob else None


def _facts(candidates: Mapping[str, File], target: Target, read: Mapping[str, Strings]) -> dict[str, Binary]:
    """Read every binary by its real path, those too that left and to which a symlink leads that is still there.

    What was ``read`` already, and is none, is not opened again.
    """
    sources = {file.link: file for file in candidates.values() if file.link is not None}
    sources |= {path: file for path, file in candidates.items() if file.link is None}
    unsure = {path: file for path, file in sources.items() if file.path not in read or read[file.path].announced}
    return {path: binary for path, file in unsure.items() if (binary := _binary(file, target)) is not None}


def _binary(file: File, target: Target) -> Binary | None:
    """Read a binary of the target's own format; the launchers for Windows that pip carries everywhere are data.

    One for another machine has no architecture afterwards: it is left as it is.
    """
    try:
        binary = binaries.read_file(file.source)
    except binaries.Malformed as error:
        with file.source.open("rb") as stream:
            if binaries.format_of(stream.read(8)) != platforms.facts(target).format:
                return None
        raise ContentError(
            Problem(
                where=f"{file.path} ({file.package})",
                what=f"is a broken binary: {error}",
                hint=Text.of("leave it out: ", Setting("select.exclude", (file.path,))),
            )
        ) from None
    if binary is None or binary.format != platforms.facts(target).format:
        return None
    if target.arch in binary.archs:
        # The slices of a universal file for other machines come along.
        return replace(binary, arch=target.arch)
    # Windows has names of its own for the architectures.
    wanted = platforms.facts(target).machines.get(target.arch, target.arch)
    return replace(binary, arch=target.arch if binary.arch == wanted else None)


def _foreign(kept: Sequence[Kept]) -> tuple[str, ...]:
    binaries = [(each.file.path, each.binary) for each in kept if each.binary is not None]
    slices = [
        f"the slice of {path} for {' and for '.join(binary.unread)} is not edited: it asks for libraries by old names"
        for path, binary in binaries
        if binary.arch and binary.unread
    ]
    paths = [path for path, binary in binaries if binary.arch is None]
    if not paths:
        return tuple(slices)
    shown = ", ".join(paths[:3]) + messages.others(len(paths) - 3)
    return (f"left as they are, for they are for another machine: {shown}", *slices)


def _strings(files: Iterable[File]) -> dict[str, Strings]:
    """Return by path what the strings of files say; what is metadata of Python opens nothing."""
    return {
        file.path: strings.look(file.source)
        for file in files
        if ".dist-info/" not in file.path and ".egg-info/" not in file.path
    }


def _opened(
    prefix: resolve.Prefix,
    candidates: Mapping[str, File],
    facts: Mapping[str, Binary],
    read: Mapping[str, Strings],
    asked: Mapping[str, tuple[str, ...]],
) -> dict[str, tuple[str, ...]]:
    """Return by path the libraries of the prefix whose names occur in a file, as it may open them, or that it asks for.

    ``asked`` are those that own code asks the generated module for.
    """
    opened: dict[str, tuple[str, ...]] = {}
    for path, said in read.items():
        names = (name for name in said.names if not (resolve.is_of_systems(name) or strings.is_mute(path)))
        ends = {prefix.ends[other] for name in names for other in prefix.named.get(name, ())}
        found = tuple(sorted(end for end in ends if end in candidates and end in facts))
        if found:
            opened[path] = found
    return {path: (*opened.get(path, ()), *asked.get(path, ())) for path in (*opened, *asked)}


def _clobbered(environment: Environment, reached: reach.Reached, candidates: Mapping[str, File]) -> list[Problem]:
    """Name each path that stays and at which two packages of the wheel have different files."""
    leaves = {file.package for file in candidates.values()} - {candidates[path].package for path in reached.reasons}
    owners: dict[str, list[str]] = {}
    for file in environment.files:
        if file.path in reached.reasons and file.package not in leaves:
            owners.setdefault(file.path, []).append(file.package)
    return [
        Problem(
            where=path,
            what=f"{len(packages)} different files would lie here, of {' and of '.join(sorted(packages))}",
            hint=_APART if OWN in packages else _ONE_OF_TWO,
        )
        for path, packages in sorted(owners.items())
        if len(packages) > 1
    ]


def _shadowed(files: Iterable[File]) -> Iterator[Problem]:
    """Name each module of the project's, or of a package's, that the other one's package of that name would hide."""
    modules: dict[str, list[File]] = {}
    folders: dict[str, File] = {}
    for file in files:
        found = re.fullmatch(r"(.*/site-packages/.+?)(/__init__\.py|(?:\.[\w-]+)?\.(?:py|so|pyd))", file.path)
        if found and found[2] == "/__init__.py":
            folders[found[1]] = file
        elif found:
            modules.setdefault(found[1], []).append(file)
    for name in sorted(modules.keys() & folders.keys()):
        folder = folders[name]
        for file in modules[name]:
            if (file.package == OWN) != (folder.package == OWN):
                hidden = f"{posixpath.basename(name)}/ of {folder.package} hides it"
                what = f"of {file.package} would never be imported: {hidden}"
                yield Problem(where=file.path, what=what, hint=_APART)


def _sourceless(environment: Environment, config: Config) -> Iterator[Problem]:
    """Name the modules of requested packages that are only there compiled: only one version of Python reads these."""
    requested = {package.name for package in environment.packages if package.requested}
    files = [file for file in environment.files if file.package in requested and file.path.endswith(".pyc")]
    files = [file for file in files if re.fullmatch(r".*/site-packages/(?!.*__pycache__/).+", file.path)]
    if not files:
        return
    modules = {re.sub(r"\.(?:py|[\w-]*\.?(?:so|pyd))$", "", file.path) for file in environment.files}
    for file in files:
        if file.path.removesuffix(".pyc") in modules or globs.matches(file.path, config.select.exclude):
            continue
        yield Problem(
            where=f"{file.path} ({file.package})",
            what="is a module without its source, compiled for one Python: a wheel has none such",
            hint=Text.of("if nothing needs it, say so: ", Setting("select.exclude", (file.path,))),
        )
