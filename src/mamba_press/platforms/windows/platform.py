"""Windows, as every platform is asked."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mamba_press import globs
from mamba_press.errors import Problem
from mamba_press.machine import Target
from mamba_press.platforms.protocol import Choice, Demand, Wheel, nothing, unchanged, unknown
from mamba_press.platforms.tag import Tag
from mamba_press.platforms.windows import FACTS, relocate, tag
from mamba_press.platforms.windows import loader as windows_loader
from mamba_press.platforms.windows import system as windows
from mamba_press.types import Binary, Entry, Floor

edits = relocate.edits
why_unpromised = why_no_system = unknown
misfits = demanded = nothing
rounded = unchanged
name = tag.name
why_impossible = windows.why_impossible


def why_system(name: str) -> str | None:
    """Return why a library is the system's, a driver's or Python's own, whatever the prefix has."""
    return windows.why_system(name) or ("Python itself" if windows.is_python(name) else None)


def why_there(name: str, target: Target, runtimes: Mapping[str, Choice]) -> str | None:
    """Return why a library is on every machine of a target: Python brings it, and it is not to be packed."""
    brought = windows.brings(target.python.minor, target.arch)
    if name.lower() in brought and runtimes.get("vcruntime") != "bundle":
        return "it lies beside python.exe"
    return None


def is_named(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether patterns mean a library, without regard to case."""
    return globs.matches(name.lower(), [glob.lower() for glob in patterns]) is not None


def likeliest(binary: Binary, at: str, name: str, named: Mapping[str, Sequence[str]]) -> Iterator[str]:  # noqa: ARG001
    """Yield what lies beside the file, then what lies where conda has libraries, then what is called so anywhere."""
    here = posixpath.dirname(at)
    order = {folder: number for number, folder in enumerate(dict.fromkeys((here, *FACTS.libraries)))}
    paths = named.get(posixpath.basename(name).lower(), ())
    yield from sorted(paths, key=lambda path: (order.get(posixpath.dirname(path), len(order)), path))


def floor_of(binaries: Iterable[Binary], arch: str) -> tuple[int, int]:  # noqa: ARG001
    """Return what is older than every Windows: its tags have no version."""
    return 0, 0


def choose_runtime(demand: Demand) -> tuple[Choice, str]:
    """Return where a runtime is taken from: only some of Visual C's lie beside ``python.exe``."""
    if demand.wanted != "auto":
        return demand.wanted, f"link.runtimes says {demand.wanted}"
    if demand.runtime != "vcruntime":
        return "bundle", "neither Windows nor Python has it for certain"
    python = demand.target.python
    lacking = sorted({name.lower() for name in demand.names} - windows.brings(python.minor, demand.target.arch))
    if lacking:
        return "bundle", f"Python {python} does not bring {lacking[0]}"
    return "system", f"Python {python} brings it"


def loads(wheel: Wheel) -> Iterator[Problem]:
    """Yield what Windows would not find."""
    for each in (each for each in wheel.tags if each.is_known):
        process = windows_loader.Process(
            arch=each.arch, python=wheel.python, folders=wheel.added(), elsewhere=wheel.elsewhere
        )
        yield from windows_loader.problems(replace(wheel, beside={}).on(each.machines[0]), process)


def answers(libraries: Mapping[str, Binary], tags: Sequence[Tag]) -> dict[tuple[str, str], str | None]:  # noqa: ARG001
    """Return who answers for each needed name of each file."""
    by_name = {posixpath.basename(path).lower(): path for path in libraries}
    return {
        (path, needed): by_name.get(needed.lower(), "" if why_system(needed) else None)
        for path, binary in libraries.items()
        for needed in binary.needed
    }


def spellings(lowest: tuple[int, int], target: Target) -> set[str]:
    """Return the only tag of the architecture."""
    return {name(lowest, target.arch)}


def demands(entries: Sequence[Entry], arch: str, offered: Callable[[Entry], frozenset[str]]) -> list[Floor]:  # noqa: ARG001
    """Return nothing: Windows' tags have no version."""
    return []
