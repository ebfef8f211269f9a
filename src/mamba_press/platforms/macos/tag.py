"""The platform tags of macOS: ``macosx_11_0_arm64``."""

from __future__ import annotations

import re

from mamba_press.platforms.tag import Tag

OLDEST = {"arm64": (11, 0), "x86_64": (10, 9)}
"""The first macOS of each architecture for which there are tools, as tags."""

_TAG = re.compile(r"macosx_(?:(\d{1,9})_(\d{1,9})_)?(\w+)")
_MACHINES = {"x86_64": ("x86_64",), "arm64": ("arm64",), "universal2": ("arm64", "x86_64")}
_LAST_BEFORE_26 = 15


def parse(text: str) -> Tag | None:
    """Return what a tag says, None for one of another system."""
    found = _TAG.fullmatch(text)
    if found is None:
        return None
    floor = (int(found[1]), int(found[2])) if found[1] else None
    machines = _MACHINES.get(found[3], ())
    known = bool(machines)
    return Tag(text=text, system="osx", family="macosx", arch=found[3], machines=machines, floor=floor, is_known=known)


def name(floor: tuple[int, int], arch: str) -> str:
    """Return the tag of a version, rounded up to one that there is."""
    return spelled(rounded(max(floor, OLDEST.get(arch, (10, 9)))), arch)


def spelled(version: tuple[int, int], arch: str) -> str:
    """Return the tag of exactly this version."""
    return f"macosx_{version[0]}_{version[1]}_{arch}"


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
