"""What every macOS has of its own, and how its versions stand in tags."""

from __future__ import annotations

import posixpath
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import globs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OLDEST = {"arm64": (11, 0), "x86_64": (10, 9)}
"""The first macOS of each architecture for which there are tools, as tags."""

SYSTEM = ("/usr/lib/", "/System/")
"""Where macOS keeps its own libraries; since macOS 11 most are no files but known to dyld all the same."""

_TAG = re.compile(r"macosx_(\d+)_(\d+)_(x86_64|arm64|universal2)")
_LAST_BEFORE_26 = 15


def is_system(name: str) -> bool:
    """Whether an install name is that of a library of macOS itself."""
    return name.startswith(SYSTEM)


def at(name: str, places: Iterable[str]) -> str | None:
    """Return which of some libraries' absolute paths a name means that says no place, such as ``@rpath/x.dylib``."""
    known = {posixpath.basename(place): place for place in places if place.startswith("/")}
    found = globs.matches_library(posixpath.basename(name), known)
    return known[found] if found else None


def rounded(version: tuple[int, int]) -> tuple[int, int]:
    """Return the lowest version with a tag: from 11 on there is none for a minor, and after 15 comes 26."""
    major, minor = version
    if major < 11:
        return version
    if minor:
        major += 1
    if _LAST_BEFORE_26 < major < 26:
        major = 26
    return major, 0


def tag(version: tuple[int, int], arch: str) -> str:
    """Return the platform tag of a version, rounded up to one that there is."""
    major, minor = rounded(max(version, OLDEST.get(arch, (10, 9))))
    return f"macosx_{major}_{minor}_{arch}"


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

    table = json.loads(Path(__file__).with_name("data").joinpath("libcxx.json").read_text("utf-8"))
    versions = {int(number): (major, minor) for number, (major, minor) in table["macos"].items()}
    return versions, {int(number): re.compile("|".join(patterns)) for number, patterns in table["added"].items()}


def parse(platform: str) -> tuple[tuple[int, int], str] | None:
    """Return the version and the architecture of a platform tag, None for one of another system."""
    found = _TAG.fullmatch(platform)
    return ((int(found[1]), int(found[2])), found[3]) if found else None
