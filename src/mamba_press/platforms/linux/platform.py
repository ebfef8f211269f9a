"""Linux, as every platform is asked."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mamba_press import globs
from mamba_press.machine import Target
from mamba_press.platforms import binaries
from mamba_press.platforms.linux import policy, relocate
from mamba_press.platforms.linux.tag import family
from mamba_press.platforms.protocol import Choice, Demand
from mamba_press.types import Binary

_ON_SYSTEMS = ("libstdcxx", "libgcc")

edits = relocate.edits


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


def is_named(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether patterns mean a library by its path or by its name."""
    globbed = tuple(patterns)
    return any(globs.matches_library(each, globbed) for each in (name, posixpath.basename(name)))


def likeliest(binary: Binary, at: str, name: str, named: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what the search path leads to, then what lies in the library folder, then what is called so anywhere."""
    base = posixpath.basename(name)
    yield from (*binaries.lookup(binary, at, name), f"lib/{base}", *named.get(base, ()))


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
