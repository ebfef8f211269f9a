"""macOS, as every platform is asked."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mamba_press.errors import Habit, Problem
from mamba_press.machine import Target
from mamba_press.platforms import binaries
from mamba_press.platforms.macos import loader as macos_loader
from mamba_press.platforms.macos import relocate, tag
from mamba_press.platforms.macos import system as macos
from mamba_press.platforms.macos.tag import OLDEST
from mamba_press.platforms.protocol import Choice, Demand, Wheel, by_search_path, is_matched, unknown
from mamba_press.platforms.tag import Tag
from mamba_press.types import Binary, Entry, Floor

edits = relocate.edits
why_there = why_unpromised = why_no_system = why_impossible = unknown
likeliest = by_search_path
name = tag.name
rounded = tag.rounded


def why_system(name: str) -> str | None:
    """Return why a library is the system's whatever the prefix has."""
    return "every macOS has it" if macos.is_system(name) else None


def is_named(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether patterns mean a library by its path or by its name.

    For a name that says no place they have to say one: no search path of the wheel leads out of it.
    """
    return macos.at(name, patterns) is not None if name.startswith("@") else is_matched(name, patterns)


def floor_of(binaries: Iterable[Binary], arch: str) -> tuple[int, int]:
    """Return the macOS that binaries state, at least the architecture's first one."""
    return max([OLDEST.get(arch, (10, 9)), *(binary.floor for binary in binaries if binary.floor)])


def choose_runtime(demand: Demand) -> tuple[Choice, str]:
    """Return where a runtime is taken from: only libc++ is a part of macOS. Its additions are known since macOS 11."""
    if demand.wanted == "bundle" or (demand.wanted == "system" and demand.runtime == "libcxx"):
        return demand.wanted, f"link.runtimes says {demand.wanted}"
    if demand.runtime != "libcxx":
        return "bundle", "macOS has none"
    version = next((package.version for package in demand.packages if package.name == "libcxx"), "")
    major = version.partition(".")[0]
    floor = demand.floor()
    if floor < (11, 0) or not major.isdigit() or int(major) > macos.libcxx_reach():
        return "bundle", f"what macOS {floor[0]}.{floor[1]} has of libc++ {version} is not known"
    for symbol in sorted(demand.symbols()):
        since = macos.libcxx_since(symbol)
        if since is None or since > floor:
            return "bundle", f"{symbol} is more than macOS {floor[0]}.{floor[1]} promises"
    return "system", f"macOS {floor[0]}.{floor[1]} has every symbol needed"


def misfits(path: str, binary: Binary, tags: Sequence[Tag]) -> Iterator[Problem]:
    """Yield that a file states a later macOS than the tags promise."""
    lowest = min((each.floor for each in tags if each.is_known and each.floor), default=None)
    floor = binary.floor
    # From macOS 11 on tags have no minors, and installers read macosx_12_0 as any 12.
    if lowest and floor and floor > lowest and not (floor[0] == lowest[0] and floor[0] >= 11):
        # dyld asks programs for it, not libraries: some run on older ones all the same.
        yield Habit(where=path, what=f"states macOS {floor[0]}.{floor[1]}, the tag promises {lowest[0]}.{lowest[1]}")


def loads(wheel: Wheel) -> Iterator[Problem]:
    """Yield what dyld would not find."""
    yield from macos_loader.problems({**wheel.beside, **wheel.own}, wheel.elsewhere, wheel.shared)


def answers(libraries: Mapping[str, Binary], tags: Sequence[Tag]) -> dict[tuple[str, str], str | None]:  # noqa: ARG001
    """Return who answers for each needed name of each file."""
    found: dict[tuple[str, str], str | None] = {}
    for path, binary in libraries.items():
        for needed in binary.needed:
            there = next((place for place in binaries.lookup(binary, path, needed) if place in libraries), None)
            found[path, needed] = "" if macos.is_system(needed) else there
    return found


def spellings(lowest: tuple[int, int], target: Target) -> set[str]:
    """Return the asked tag, or the lowest."""
    return {target.tag or name(lowest, target.arch)}


def demanded(entries: Iterable[Entry], arch: str) -> Iterator[Floor]:  # noqa: ARG001 - a file states one for all
    """Yield the versions that files state."""
    yield from (_floor(entry, entry.binary.floor) for entry in entries if entry.binary and entry.binary.floor)


def demands(entries: Sequence[Entry], arch: str, offered: Callable[[Entry], frozenset[str]]) -> list[Floor]:  # noqa: ARG001
    """Return the versions that files state, at least the first of the architecture."""
    oldest = OLDEST[arch]
    files = [(entry, entry.binary.floor or oldest) for entry in entries if entry.binary and entry.binary.arch == arch]
    return [replace(_floor(entry, stated), version=max(stated, oldest)) for entry, stated in files]


def _floor(entry: Entry, version: tuple[int, int]) -> Floor:
    library, symbol = posixpath.basename(entry.path), f"macOS {'.'.join(map(str, version))}"
    return Floor(version=version, path=entry.path, package=entry.package, library=library, symbol=symbol)
