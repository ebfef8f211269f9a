"""Linux, as every platform is asked."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mamba_press.errors import Problem
from mamba_press.machine import Target
from mamba_press.platforms.linux import demands as elf_demands
from mamba_press.platforms.linux import loader as linux_loader
from mamba_press.platforms.linux import policy, relocate, tag
from mamba_press.platforms.linux.tag import family
from mamba_press.platforms.protocol import Choice, Demand, Wheel, by_search_path, is_matched, unchanged, unknown
from mamba_press.platforms.tag import TAGGED, Tag
from mamba_press.types import Binary

_ON_SYSTEMS = ("libstdcxx", "libgcc")

edits = relocate.edits
why_no_system = tag.why_no_system
why_impossible = unknown
rounded = unchanged
likeliest = by_search_path
is_named = is_matched
name = tag.name
demanded = elf_demands.demanded
demands = elf_demands.demands


def why_system(name: str) -> str | None:
    """Return why a library is the system's whatever the prefix has."""
    return "never vendored" if policy.never_vendored(name) else None


def why_there(name: str, target: Target, runtimes: Mapping[str, Choice]) -> str | None:  # noqa: ARG001 - as Windows'
    """Return why a library is on every machine of a target: the tag promises it."""
    asked = target.floor if target.tag else None
    if policy.allowed(name, target.arch, asked or policy.newest(target.arch)):
        return "every system of the tag has it"
    return None


def why_unpromised(name: str, arch: str) -> str | None:
    """Return why a library has to come from the system although no manylinux tag promises it."""
    return policy.why_never(name) if policy.allowed_from(name, arch) is None else None


def floor_of(binaries: Iterable[Binary], arch: str) -> tuple[int, int]:
    """Return the glibc that binaries need by their GLIBC symbol versions, at least the architecture's first policy."""
    floors = {
        policy.floor_for(version, arch)
        for binary in binaries
        for requirement in binary.requires
        for version in requirement.versions
        if version.startswith("GLIBC_")
    }
    return max((floor for floor in floors if floor), default=policy.baseline(arch))


def choose_runtime(demand: Demand) -> tuple[Choice, str]:
    """Return where a runtime is taken from: where the tag gets lower, from the system where it is the same.

    Runtimes that no system promises (libgfortran, libgomp, libquadmath) travel unless told otherwise; so does
    libatomic, for many systems come without it.
    """
    if demand.wanted != "auto":
        return demand.wanted, f"link.runtimes says {demand.wanted}"
    if demand.runtime not in _ON_SYSTEMS:
        return "bundle", "not every system has it" if demand.runtime == "libatomic" else "no system promises it"
    floor = demand.floor()
    since = {version: policy.floor_for(version, demand.target.arch) for version in sorted(demand.versions)}
    beyond = {version: first for version, first in since.items() if first is None or first > floor}
    if not beyond:
        return "system", f"{family(floor)} promises every version needed"
    copy = max(floor, demand.of_copy())
    if None not in beyond.values() and (system := max(filter(None, beyond.values()))) <= copy:
        return "system", f"{family(system)} promises every version needed, and a copy would need {family(copy)}"
    return "bundle", f"{max(beyond, key=_version_key)} is more than {family(floor)} promises"


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.rpartition("_")[2].split(".") if part.isdigit())


def misfits(path: str, binary: Binary, tags: Sequence[Tag]) -> Iterator[Problem]:
    """Yield that a binary is for the other one of Linux' two C libraries than the tags are."""
    families = {each.family for each in tags}
    tagged = {"musl" if family == tag.MUSL else "glibc" for family in families}
    if len(tagged) != 1 or tag.BARE in families:
        return
    own = _c_library_of(path, binary)
    if own and own not in tagged:
        yield Problem(where=path, what=f"is for {own}, the tags for {min(tagged)}")


def _c_library_of(path: str, binary: Binary) -> str | None:
    """Return which C library a binary is for, None where nothing tells."""
    if binary.kind == "static":
        return None
    interpreter = posixpath.basename(binary.interpreter or "")
    if interpreter.startswith("ld-musl") or any(
        name.startswith("libc.musl-") or name == "libc.so" for name in binary.needed
    ):
        return "musl"
    if interpreter.startswith("ld") or "libc.so.6" in binary.needed:
        return "glibc"
    module = TAGGED.search(path)
    # Up to Python 3.10 the modules of musl's systems had glibc's ending, too.
    if module is None or (module["posix"] and int(module["posix"]) <= 10):
        return None
    return "musl" if "-musl" in module[0] else "glibc" if "-gnu" in module[0] else None


def loads(wheel: Wheel) -> Iterator[Problem]:
    """Yield what glibc's loader would not find, for the lowest of the wheel's tags of each machine."""
    known = [each for each in wheel.tags if each.is_known]
    for machine in sorted({each.machines[0] for each in known}):
        floors = [each.floor for each in known if each.machines[0] == machine]
        lowest = min(floors, key=lambda floor: floor or (99, 0))
        promise = linux_loader.Promise(arch=machine, floor=lowest, elsewhere=wheel.elsewhere, shared=wheel.shared)
        yield from linux_loader.problems(wheel.on(machine), promise)


def answers(libraries: Mapping[str, Binary], tags: Sequence[Tag]) -> dict[tuple[str, str], str | None]:
    """Return who answers for each needed name of each file, on the systems of the first tag that says it."""
    known = next((each for each in tags if each.is_known), None)
    if known is None:
        return {}
    return linux_loader.answers(libraries, linux_loader.Promise(arch=known.machines[0], floor=known.floor))


def spellings(lowest: tuple[int, int], target: Target) -> set[str]:
    """Return the asked tag with the other names of exactly that floor, or the lowest with the next older name.

    An installer that knows only the older names takes a wheel for glibc 2.14 by the name of 2.17, manylinux2014.
    """
    if target.tag is None or target.floor is None:
        covering = policy.covering_alias(lowest, target.arch)
        return {name(lowest, target.arch), *([covering] if covering else [])}
    return {target.tag, *policy.aliases(target.floor, target.arch), name(target.floor, target.arch)}
