"""The compilers' run-time libraries: which are taken from the system and which travel in the wheel.

A renamed copy of libstdc++ beside the system's is safe only because its unique symbols are unbound when it is linked
(`link`); an un-renamed copy never is. So the system's is preferred wherever the wheel's own floor promises enough.
"""

from __future__ import annotations

import posixpath
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from mamba_press import globs
from mamba_press.platforms.linux.tag import family
from mamba_press.platforms.macos import system as macos
from mamba_press.platforms.windows import system as windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mamba_press.types import Target

Choice = Literal["system", "bundle"]

LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "libstdcxx": ("libstdc++.so", "libstdc++.dylib", "libstdc++-*.dll"),
    "libcxx": ("libc++.dylib", "libc++abi.dylib"),
    "msvcp": ("msvcp1*.dll", "concrt1*.dll", "vccorlib1*.dll"),
    "vcruntime": ("vcruntime1*.dll",),
    "libgfortran": ("libgfortran.so", "libgfortran.dylib", "libgfortran-*.dll"),
    "libquadmath": ("libquadmath.so", "libquadmath.dylib", "libquadmath-*.dll"),
    "libgomp": ("libgomp.so", "libgomp.dylib", "libgomp-*.dll"),
    "libomp": (
        *("libomp.so", "libiomp5.so", "libomp.dylib", "libiomp5.dylib"),
        *("libomp.dll", "libomp140*.dll", "libiomp5md.dll"),
    ),
    "libatomic": ("libatomic.so", "libatomic.dylib", "libatomic-*.dll"),
    "libgcc": ("libgcc_s.so", "libgcc_s.dylib", "libgcc_s_*.dll"),
}
"""The runtimes by the key that ``link.runtimes`` uses. libgcc stands last: the others need it."""

OPENMP = (*LIBRARIES["libgomp"], *LIBRARIES["libomp"], "vcomp1*.dll")
"""Libraries that each bring an OpenMP runtime: two in one process crash or oversubscribe."""

RENAMED = frozenset(LIBRARIES) - {"libomp"}
"""Those that get names with a hash whatever is asked: under the system's name they are ignored, or crash.

LLVM's and Intel's OpenMP is no system's, and Intel's mathematical library opens it by name.
"""

_ALL = tuple(name for names in LIBRARIES.values() for name in names)

_ON_SYSTEMS = ("libstdcxx", "libgcc")


@lru_cache(maxsize=4096)
def runtime_of(library: str) -> str | None:
    """Return the key of the runtime that a library's name or install name belongs to, or None."""
    name = posixpath.basename(library)
    name = name.lower() if name.lower().endswith(".dll") else name
    if globs.matches_library(name, _ALL) is None:
        return None
    return next((key for key, names in LIBRARIES.items() if globs.matches_library(name, names)), None)


def choose(
    runtime: str,
    wanted: Literal["auto", "system", "bundle"],
    *,
    versions: Mapping[str, tuple[int, int] | None],
    floor: tuple[int, int],
    bundled: Callable[[], tuple[int, int]],
) -> tuple[Choice, str]:
    """Return where a runtime is taken from, and why: where the tag gets lower, from the system where it is the same.

    ``versions`` are the symbol versions that the wheel demands of it, with the glibc whose tag promises each;
    ``floor`` is the glibc that the wheel needs in any case, ``bundled`` gives what a copy in the wheel would need.
    Runtimes that no system promises (libgfortran, libgomp, libquadmath) travel unless told otherwise; so does
    libatomic, for many systems come without it.
    """
    if wanted != "auto":
        return wanted, f"link.runtimes says {wanted}"
    if runtime not in _ON_SYSTEMS:
        return "bundle", "not every system has it" if runtime == "libatomic" else "no system promises it"
    beyond = {version: since for version, since in versions.items() if since is None or since > floor}
    if not beyond:
        return "system", f"{family(floor)} promises every version needed"
    copy = max(floor, bundled())
    if None not in beyond.values() and (system := max(filter(None, beyond.values()))) <= copy:
        return "system", f"{family(system)} promises every version needed, and a copy would need {family(copy)}"
    return "bundle", f"{max(beyond, key=_version_key)} is more than {family(floor)} promises"


def choose_for_macos(
    runtime: str,
    wanted: Literal["auto", "system", "bundle"],
    *,
    symbols: Iterable[str],
    version: str,
    floor: tuple[int, int],
) -> tuple[Choice, str]:
    """Return where a runtime is taken from on macOS, and why: only libc++ is a part of macOS.

    ``symbols`` are what the wheel takes from libc++, of which the solution has this ``version``; ``floor`` is the
    macOS that the wheel needs in any case. libc++'s additions are known since macOS 11.
    """
    if wanted == "bundle" or (wanted == "system" and runtime == "libcxx"):
        return wanted, f"link.runtimes says {wanted}"
    if runtime != "libcxx":
        return "bundle", "macOS has none"
    major = version.partition(".")[0]
    if floor < (11, 0) or not major.isdigit() or int(major) > macos.libcxx_reach():
        return "bundle", f"what macOS {floor[0]}.{floor[1]} has of libc++ {version} is not known"
    for symbol in sorted(symbols):
        since = macos.libcxx_since(symbol)
        if since is None or since > floor:
            return "bundle", f"{symbol} is more than macOS {floor[0]}.{floor[1]} promises"
    return "system", f"macOS {floor[0]}.{floor[1]} has every symbol needed"


def choose_for_windows(
    runtime: str, wanted: Literal["auto", "system", "bundle"], *, names: Iterable[str], target: Target
) -> tuple[Choice, str]:
    """Return where a runtime is taken from on Windows, and why: only some of Visual C's lie beside ``python.exe``.

    ``names`` are the runtime's libraries that are needed.
    """
    if wanted != "auto":
        return wanted, f"link.runtimes says {wanted}"
    if runtime != "vcruntime":
        return "bundle", "neither Windows nor Python has it for certain"
    lacking = sorted({name.lower() for name in names} - windows.brings(target.python.minor, target.arch))
    if lacking:
        return "bundle", f"Python {target.python} does not bring {lacking[0]}"
    return "system", f"Python {target.python} brings it"


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.rpartition("_")[2].split(".") if part.isdigit())
