"""The tags of a wheel: what its binaries and its packages demand of Python and of the system, and who demands it.

The platform tag is the lowest one that is true of every file. The C library's symbol versions count wherever they are
demanded; those of the compilers' runtimes only where the runtime is the system's, since a packed copy brings its own.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from mamba_press.errors import ContentError
from mamba_press.metadata.tags import beyond_tags, demands, python_tags
from mamba_press.platforms.linux import policy
from mamba_press.platforms.linux import tag as linux
from mamba_press.platforms.macos import tag as macos
from mamba_press.platforms.windows import tag as windows_tag
from mamba_press.types import OWN, Entry, Floor, Problem, Tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mamba_press.config.model import Config
    from mamba_press.types import Kept, Package, Target


_SHOWN = 10


def tags(
    entries: Sequence[Entry],
    packages: Sequence[Package],
    target: Target,
    config: Config,
    others: Iterable[Kept] = (),
) -> Tags:
    """Return the tags of a wheel of these entries, and every reason for its floor, highest first.

    ``others`` are the files of wheels that are installed with this one, which may have a library that it needs.
    Raises ContentError for an extension of another Python, a library of another machine, a symbol that no system
    promises, or an asked tag that would not be true: all of one kind at once.
    """
    records = {package.name: package for package in packages}
    libraries = python_tags.Libraries.of(entries, others)
    interpreter, abi, notes = python_tags.of(entries, records, target.python, libraries)
    if target.system == "osx" and any(entry.binary for entry in entries):
        return _for_macos(entries, records, target, config, (interpreter, abi, notes))
    if target.system == "win" and any(_is_bound(entry, records) for entry in entries):
        # Windows' tags have no version: there is no floor to be found.
        tag = windows_tag.name(None, target.arch)
        notes += beyond_tags.foreign(entries, target)
        return Tags(tags=f"{interpreter}-{abi}-{tag}", lowest=tag, notes=notes)
    if not any(entry.binary and entry.binary.format == "elf" for entry in entries):
        notes += beyond_tags.bound_to_systems(entries, records)
        return Tags(tags=f"{interpreter}-{abi}-any", lowest="any", notes=notes)
    notes += beyond_tags.foreign(entries, target)
    internals = [*demands.internals(entries, libraries, target.arch)]
    beyond_tags.refuse_unpromised(entries, internals, target.arch)
    beyond_tags.refuse_execstack(entries, target.arch)
    floors = [*demands.demanded(entries, target.arch)]
    floors += [demands.floor_of(entry, name, since, symbol) for entry, name, symbol, since in internals if since]
    bounds = [*demands.stated(entries, records, "__glibc", policy.baseline(target.arch))]
    if config.link.floor != "symbols":
        floors += bounds
    floors.sort(key=lambda floor: (-floor.version[0], -floor.version[1], floor.package, floor.path, floor.library))
    lowest = max((floor.version for floor in floors), default=policy.baseline(target.arch))
    if config.link.floor == "symbols":
        notes += _ignored(bounds, lowest, linux.name(lowest, target.arch))
    platforms = _platforms(lowest, floors, target)
    notes += beyond_tags.levels(entries, records, target.arch, config)
    return Tags(
        tags=f"{interpreter}-{abi}-{'.'.join(sorted(platforms))}",
        lowest=linux.name(lowest, target.arch),
        floors=tuple(floors),
        notes=(*notes, *beyond_tags.unpromised(entries, target.arch)),
    )


def _for_macos(
    entries: Sequence[Entry],
    records: Mapping[str, Package],
    target: Target,
    config: Config,
    python: tuple[str, str, tuple[str, ...]],
) -> Tags:
    """Return the tags of a wheel for macOS: the highest version that a file or, unless told otherwise, a record states.

    Raises ContentError where the asked tag, or MACOSX_DEPLOYMENT_TARGET, promises less.
    """
    interpreter, abi, notes = python
    notes = (*notes, *beyond_tags.foreign(entries, target))
    oldest = macos.OLDEST[target.arch]
    files = [
        Floor(
            version=max(binary.floor or oldest, oldest),
            path=entry.path,
            package=entry.package,
            library=posixpath.basename(entry.path),
            symbol=f"macOS {'.'.join(map(str, binary.floor or oldest))}",
        )
        for entry in demands.of_format(entries, "macho", target.arch)
        if (binary := entry.binary)
    ]
    bounds = [*demands.stated(entries, records, "__osx", oldest)]
    floors = files if config.link.floor == "symbols" else [*files, *bounds]
    floors.sort(key=lambda floor: (-floor.version[0], -floor.version[1], floor.package, floor.path))
    lowest = max((floor.version for floor in floors), default=oldest)
    if config.link.floor == "symbols":
        notes += _ignored(bounds, lowest, macos.name(lowest, target.arch))
    if target.floor and macos.rounded(lowest) > target.floor:
        guilty = [floor for floor in floors if macos.rounded(floor.version) > target.floor]
        name = macos.name(lowest, target.arch)
        promised = target.tag or macos.name(target.floor, target.arch)
        raise ContentError(
            Problem(
                where="tool.mamba-press.platform" if target.tag else "MACOSX_DEPLOYMENT_TARGET",
                what=f"{promised!r} would not be true: the lowest honest tag is {name!r}",
                hint="\n".join([*_grouped(guilty), *_ways_out(guilty, name)]),
            )
        )
    name = macos.name(lowest, target.arch)
    return Tags(tags=f"{interpreter}-{abi}-{target.tag or name}", lowest=name, floors=tuple(floors), notes=notes)


def narrowed(tagging: Tags, built: Sequence[str], target: Target) -> Tags:
    """Return the tags with what the inner backend knows and no binary shows: ``built`` are those of its own wheel.

    Where it says that a wheel is for one Python, or for one system, it is; it is never believed to be for more.
    """
    if not built:
        return tagging
    interpreter, abi, platform = tagging.tags.split("-")
    interpreters, abis, platforms = (sorted({tag.split("-")[n] for tag in built}) for n in range(3))
    if target.python.abi in abis and abi != target.python.abi:
        interpreter, abi = target.python.interpreter, target.python.abi
    elif abi == "none" and "none" not in abis:
        interpreter, abi = min(interpreters, key=lambda name: int(name[3:] or 0)), ".".join(abis)
    elif abi == "none" and "py3" not in interpreters:
        interpreter = next((name for name in interpreters if name.endswith(f"3{target.python.minor}")), interpreter)
    if platform == "any" and "any" not in platforms:
        lowest = {"linux": policy.baseline, "osx": macos.OLDEST.__getitem__}.get(target.system)
        platform = windows_tag.name(None, target.arch) if lowest is None else _lowest(target, lowest(target.arch))
        tagging = replace(tagging, lowest=platform.split(".")[-1])
    return replace(tagging, tags=f"{interpreter}-{abi}-{platform}")


def _lowest(target: Target, floor: tuple[int, int]) -> str:
    if target.system == "osx":
        return target.tag or macos.name(floor, target.arch)
    return ".".join(sorted(_platforms(floor, (), target)))


def without(tagging: Tags, package: str) -> tuple[int, int] | None:
    """Return the floor that the wheel would have if ``package`` demanded nothing, None where nothing else does."""
    return max((floor.version for floor in tagging.floors if floor.package != package), default=None)


def _platforms(lowest: tuple[int, int], floors: Sequence[Floor], target: Target) -> set[str]:
    """Return the asked tag with the other names of exactly that floor, or the lowest with the next older name.

    An installer that knows only the older names takes a wheel for glibc 2.14 by the name of 2.17, manylinux2014.
    """
    if target.tag is None or target.floor is None:
        covering = policy.covering_alias(lowest, target.arch)
        return {linux.name(lowest, target.arch), *([covering] if covering else [])}
    if lowest <= target.floor:
        return {target.tag, *policy.aliases(target.floor, target.arch), linux.name(target.floor, target.arch)}
    guilty = [floor for floor in floors if floor.version > target.floor]
    raise ContentError(
        Problem(
            where="tool.mamba-press.platform",
            what=f"{target.tag!r} would not be true: the lowest honest tag is {linux.name(lowest, target.arch)!r}",
            hint="\n".join([*_grouped(guilty), *_ways_out(guilty, linux.name(lowest, target.arch))]),
        )
    )


def _grouped(floors: Sequence[Floor]) -> Iterator[str]:
    """Yield one line for each symbol of each library, the highest first, at most what fits a screen."""
    groups: dict[tuple[str, str], list[Floor]] = defaultdict(list)
    for floor in floors:
        groups[floor.symbol, floor.library].append(floor)
    for (symbol, library), each in list(groups.items())[:_SHOWN]:
        version = ".".join(map(str, each[0].version))
        packages = sorted({floor.package for floor in each})
        names = ", ".join(packages[:4]) + (f" and {len(packages) - 4} more" if len(packages) > 4 else "")
        if library == demands.RECORD:
            yield f"{version}: {symbol}, stated by {names}"
        else:
            files = each[0].path + (f" and {len(each) - 1} more files" if len(each) > 1 else "")
            yield f"{version}: {symbol} of {library}, needed by {names} ({files})"
    if len(groups) > _SHOWN:
        yield f"and {len(groups) - _SHOWN} more such symbols"


def _ways_out(guilty: Sequence[Floor], lowest: str) -> Iterator[str]:
    libraries, packages = {floor.library for floor in guilty}, {floor.package for floor in guilty}
    yield f"ask for {lowest!r}" + (", or choose older builds with constraints" if packages - {OWN} else "")
    if OWN in packages:
        yield "or build the project's own code on a system with an older glibc, as cibuildwheel's images have it"
    if any(library.startswith(("libstdc++", "libgcc_s", "libgfortran", "libgomp")) for library in libraries):
        yield 'or pack the compiler\'s runtime: [tool.mamba-press.link] runtimes = "bundle"'
    if libraries == {demands.RECORD}:
        yield 'or count only symbols, where the packages are too careful: [tool.mamba-press.link] floor = "symbols"'


def _ignored(stated: Sequence[Floor], lowest: tuple[int, int], tag: str) -> tuple[str, ...]:
    ignored = [floor for floor in stated if floor.version > lowest]
    if not ignored:
        return ()
    names = ", ".join(f"{floor.package} ({floor.symbol})" for floor in ignored[:_SHOWN])
    more = f" and {len(ignored) - _SHOWN} more" if len(ignored) > _SHOWN else ""
    return (f'link.floor = "symbols": the tag {tag} is lower than what packages state: {names}{more}',)


def _is_bound(entry: Entry, records: Mapping[str, Package]) -> bool:
    """Whether an entry is a binary for Windows, not one of the launchers that pip carries to every system."""
    binary = entry.binary
    if binary is None or binary.arch is None:
        return False
    record = records.get(entry.package)
    return binary.kind == "shared" or record is None or record.noarch is None
