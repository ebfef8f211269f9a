"""The platform tags of Linux: ``manylinux_2_28_x86_64`` and its older names, ``musllinux_…`` and ``linux_…``.

https://packaging.python.org/specifications/platform-compatibility-tags/
"""

from __future__ import annotations

import re

from mamba_press.platforms.linux import policy
from mamba_press.platforms.tag import Tag

MUSL = "musllinux"
BARE = "linux"
"""The family that says nothing of the systems, only of the processor."""

_TAG = re.compile(r"(?:(manylinux|musllinux)_(\d{1,9})_(\d{1,9})|(manylinux\d{1,9})|linux)_(\w+)")
_SAME_MACHINE = {"armv6l": "armv7l", "armv8l": "armv7l"}


def parse(text: str) -> Tag | None:
    """Return what a tag says, None for one of another system; of musl's Linux nothing more is known."""
    found = _TAG.fullmatch(text)
    if found is None:
        return None
    family, arch = found[1] or ("manylinux" if found[4] else BARE), found[5]
    if family == MUSL:
        return Tag(text=text, system="linux", family=family, arch=arch)
    floor = (int(found[2]), int(found[3])) if found[2] else policy.alias_floor(found[4] or "")
    if found[4] and floor is None:
        return None
    machine = _SAME_MACHINE.get(arch, arch)
    return Tag(
        text=text,
        system="linux",
        family=family,
        arch=arch,
        machines=(machine,),
        floor=floor,
        is_known=machine in policy.known(),
    )


def name(floor: tuple[int, int], arch: str) -> str:
    """Return the tag of a floor: ``manylinux_2_17_x86_64``."""
    return f"{family(floor)}_{arch}"


def family(floor: tuple[int, int]) -> str:
    """Return the tag of a floor without the architecture: ``manylinux_2_17``."""
    return f"manylinux_{floor[0]}_{floor[1]}"


def why_no_system(tag: Tag) -> str | None:
    """Return why no system has a tag, so that no installer takes a wheel for it (PEP 600); None where one may."""
    if tag.system != "linux" or tag.floor is None:
        return None
    arch = "armv7l" if tag.arch == "armv8l" else tag.arch
    if arch not in policy.known():
        return f"is a tag that no installer takes: manylinux is for {', '.join(sorted(policy.known()))}"
    first = policy.first_glibc(arch)
    if tag.floor < first:
        return f"is a tag that no system has: manylinux begins with glibc {first[0]}.{first[1]} on {arch}"
    return None
