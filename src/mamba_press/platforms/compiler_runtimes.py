"""The compilers' run-time libraries: which are taken from the system and which travel in the wheel.

A renamed copy of libstdc++ beside the system's is safe only because its unique symbols are unbound when it is linked
(`link`); an un-renamed copy never is. So the system's is preferred wherever the wheel's own floor promises enough.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from functools import lru_cache

from mamba_press import globs

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


@lru_cache(maxsize=4096)
def runtime_of(library: str) -> str | None:
    """Return the key of the runtime that a library's name or install name belongs to, or None."""
    name = posixpath.basename(library)
    name = name.lower() if name.lower().endswith(".dll") else name
    if globs.matches_library(name, _ALL) is None:
        return None
    return next((key for key, names in LIBRARIES.items() if globs.matches_library(name, names)), None)
