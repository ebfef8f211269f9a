"""What every macOS has of its own."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from mamba_press import globs

SYSTEM = ("/usr/lib/", "/System/")
"""Where macOS keeps its own libraries; since macOS 11 most are no files but known to dyld all the same."""


def is_system(name: str) -> bool:
    """Whether an install name is that of a library of macOS itself."""
    return name.startswith(SYSTEM)


def at(name: str, places: Iterable[str]) -> str | None:
    """Return which of some libraries' absolute paths a name means that says no place, such as ``@rpath/x.dylib``."""
    known = {posixpath.basename(place): place for place in places if place.startswith("/")}
    found = globs.matches_library(posixpath.basename(name), known)
    return known[found] if found else None


def libcxx_since(symbol: str) -> tuple[int, int] | None:
    """Return the first macOS, from 11 on, whose libc++ has a symbol for certain; None where that is not known.

    The symbol is one that a libc++ of `libcxx_reach` or older offers, spelled as in the file.
    """
    versions, added = _libcxx()
    since = max((number for number, pattern in added.items() if pattern.search(symbol)), default=min(versions))
    return versions.get(since)


def libcxx_reach() -> int:
    """Return the last version of LLVM whose additions to libc++ are known."""
    return max(_libcxx()[1])


@cache
def _libcxx() -> tuple[Mapping[int, tuple[int, int]], Mapping[int, re.Pattern[str]]]:
    import json

    table = json.loads(Path(__file__).parents[2].joinpath("data").joinpath("libcxx.json").read_text("utf-8"))
    versions = {int(number): (major, minor) for number, (major, minor) in table["macos"].items()}
    return versions, {int(number): re.compile("|".join(patterns)) for number, patterns in table["added"].items()}
