"""The platform tags of Windows: ``win_amd64``. They have no version."""

from __future__ import annotations

import re

from mamba_press.platforms.tag import Tag
from mamba_press.platforms.windows import FACTS

_TAG = re.compile(r"win_(\w+)|win32")


def parse(text: str) -> Tag | None:
    """Return what a tag says, None for one of another system."""
    found = _TAG.fullmatch(text)
    if found is None:
        return None
    arch = found[1] or text
    machines = (FACTS.machines[arch],) if arch in FACTS.machines else ()
    return Tag(text=text, system="win", family="win", arch=arch, machines=machines, is_known=bool(machines))


def name(floor: tuple[int, int] | None, arch: str) -> str:  # noqa: ARG001 - as every sister's
    """Return the tag of an architecture."""
    return f"win_{arch}"
