"""The tags of a wheel: what its binaries and its packages demand of Python and of the system, and who demands it.

The platform tag is the lowest one that is true of every file. The C library's symbol versions count wherever they are
demanded; those of the compilers' runtimes only where the runtime is the system's, since a packed copy brings its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mamba_press import messages, platforms
from mamba_press.conda.match_specs import minimum
from mamba_press.errors import ContentError, Problem, Setting, Text, Words, joined
from mamba_press.metadata.tags import beyond_tags, python_tags
from mamba_press.types import OWN, Entry, Floor, Kept, Package, Tags, Target

if TYPE_CHECKING:
    from mamba_press.config.model import Config

RECORD = "its conda record"
"""What stands for the library in a :class:`Floor` that a package states for itself."""

_SHOWN = 10


def tags(
    entries: Sequence[Entry], packages: Sequence[Package], target: Target, config: Config, others: Iterable[Kept] = ()
) -> Tags:
    """Return the tags of a wheel of these entries, and every reason for its floor, highest first.

    ``others`` are the files of wheels that are installed with this one, which may have a library that it needs.
    Raises ContentError for an extension of another Python, a library of another machine, a symbol that no system
    promises, or an asked tag that would not be true: all of one kind at once.
    """
    records = {package.name: package for package in packages}
    libraries = python_tags.Libraries.of(entries, others)
    interpreter, abi, notes = python_tags.of(entries, records, target.python, libraries)
    if not any(_is_bound(entry, records, target) for entry in entries):
        notes += beyond_tags.bound_to_systems(entries, records)
        return Tags(tags=f"{interpreter}-{abi}-any", lowest="any", notes=notes)
    notes += beyond_tags.foreign(entries, target)
    system = platforms.of(target.system)
    floors = system.demands(entries, target.arch, libraries.offered_to)
    oldest = system.floor_of((), target.arch)
    bounds = [*stated(entries, records, platforms.facts(target).virtual, oldest)]
    if config.link.floor != "symbols":
        floors += bounds
    floors.sort(key=lambda floor: (-floor.version[0], -floor.version[1], floor.package, floor.path, floor.library))
    lowest = max((floor.version for floor in floors), default=oldest)
    name = system.name(lowest, target.arch)
    if config.link.floor == "symbols":
        notes += _ignored(bounds, lowest, name)
    _refuse_lower(floors, lowest, target)
    notes += beyond_tags.levels(entries, records, target, config)
    return Tags(
        tags=f"{interpreter}-{abi}-{'.'.join(sorted(system.spellings(lowest, target)))}",
        lowest=name,
        floors=tuple(floors),
        notes=(*notes, *beyond_tags.unpromised(entries, target)),
    )


def narrowed(tagging: Tags, built: Sequence[str], target: Target) -> Tags:
    """Return the tags with what the inner backend knows and no binary shows: ``built`` are those of its own wheel.

    Where it says that a wheel is for one Python, or for one system, it is; it is never believed to be for more.
    """
    if not built:
        return tagging
    interpreter, abi, platform = tagging.tags.split("-")
    interpreters, abis, named = (sorted({tag.split("-")[n] for tag in built}) for n in range(3))
    if target.python.abi in abis and abi != target.python.abi:
        interpreter, abi = target.python.interpreter, target.python.abi
    elif abi == "none" and "none" not in abis:
        interpreter, abi = min(interpreters, key=lambda name: int(name[3:] or 0)), ".".join(abis)
    elif abi == "none" and "py3" not in interpreters:
        interpreter = next((name for name in interpreters if name.endswith(f"3{target.python.minor}")), interpreter)
    if platform == "any" and "any" not in named:
        system = platforms.of(target.system)
        platform = ".".join(sorted(system.spellings(system.floor_of((), target.arch), target)))
        tagging = replace(tagging, lowest=platform.split(".")[-1])
    return replace(tagging, tags=f"{interpreter}-{abi}-{platform}")


def stated(
    entries: Iterable[Entry], records: Mapping[str, Package], virtual: str, oldest: tuple[int, int]
) -> Iterator[Floor]:
    """Yield the lower bounds on the system that the records of the packages in the wheel state."""
    for name in sorted({entry.package for entry in entries} & records.keys()):
        record = records[name]
        # A bound stands in constrains, too: there it holds just as much for every machine of that system.
        for spec in dict.fromkeys((*record.depends, *record.constrains)):
            bound = minimum(spec) if spec.name == virtual else None
            if bound is not None:
                version = max(bound, oldest)
                yield Floor(version=version, path=record.file_name, package=name, library=RECORD, symbol=spec.text)


def without(tagging: Tags, package: str) -> tuple[int, int] | None:
    """Return the floor that the wheel would have if ``package`` demanded nothing, None where nothing else does."""
    return max((floor.version for floor in tagging.floors if floor.package != package), default=None)


def _refuse_lower(floors: Sequence[Floor], lowest: tuple[int, int], target: Target) -> None:
    """Refuse a wheel that needs more than the asked tag, or the variable of the system's tools, promises."""
    system, where = platforms.of(target.system), platforms.facts(target).deployment
    if target.floor is None or not (target.tag or where) or system.rounded(lowest) <= target.floor:
        return
    guilty = [floor for floor in floors if system.rounded(floor.version) > target.floor]
    name = system.name(lowest, target.arch)
    asked = target.tag or system.name(target.floor, target.arch)
    what = f"{asked!r} would not be true: the lowest honest tag is {name!r}"
    hint = joined([*_grouped(guilty), *_ways_out(guilty, name)])
    raise ContentError(Problem(where=Setting("platform") if target.tag else where, what=what, hint=hint))


def _grouped(floors: Sequence[Floor]) -> Iterator[str]:
    """Yield one line for each symbol of each library, the highest first, at most what fits a screen."""
    groups: dict[tuple[str, str], list[Floor]] = defaultdict(list)
    for floor in floors:
        groups[floor.symbol, floor.library].append(floor)
    for (symbol, library), each in list(groups.items())[:_SHOWN]:
        version = ".".join(map(str, each[0].version))
        packages = sorted({floor.package for floor in each})
        names = messages.some(packages, 4)
        if library == RECORD:
            yield f"{version}: {symbol}, stated by {names}"
        else:
            files = each[0].path + (f" and {len(each) - 1} more files" if len(each) > 1 else "")
            yield f"{version}: {symbol} of {library}, needed by {names} ({files})"
    if len(groups) > _SHOWN:
        yield f"and {len(groups) - _SHOWN} more such symbols"


def _ways_out(guilty: Sequence[Floor], lowest: str) -> Iterator[Words]:
    libraries, packages = {floor.library for floor in guilty}, {floor.package for floor in guilty}
    yield f"ask for {lowest!r}" + (", or choose older builds with constraints" if packages - {OWN} else "")
    if OWN in packages:
        yield "or build the project's own code on a system with an older glibc, as cibuildwheel's images have it"
    if any(library.startswith(("libstdc++", "libgcc_s")) for library in libraries):
        yield Text.of("or pack the compiler's runtime: ", Setting("link.runtimes", "bundle"))
    if libraries == {RECORD}:
        yield Text.of("or count only symbols, where the packages are too careful: ", Setting("link.floor", "symbols"))


def _ignored(stated: Sequence[Floor], lowest: tuple[int, int], tag: str) -> tuple[str, ...]:
    ignored = [floor for floor in stated if floor.version > lowest]
    if not ignored:
        return ()
    names = messages.some([f"{floor.package} ({floor.symbol})" for floor in ignored], _SHOWN)
    return (f'link.floor = "symbols": the tag {tag} is lower than what packages state: {names}',)


def _is_bound(entry: Entry, records: Mapping[str, Package], target: Target) -> bool:
    """Whether an entry is a binary of the target, not one of the launchers for Windows that pip carries everywhere."""
    binary, facts = entry.binary, platforms.facts(target)
    if binary is None or binary.format != facts.format:
        return False
    if not facts.carries_all:
        return True
    record = records.get(entry.package)
    return binary.arch is not None and (binary.kind == "shared" or record is None or record.noarch is None)
