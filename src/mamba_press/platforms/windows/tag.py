"""The platform tags of Windows: ``win_amd64``. They have no version."""

from __future__ import annotations

import re

from mamba_press.platforms.tag import Tag

MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "win32": "i686"}
"""How binaries' architectures are spelled elsewhere, by how Windows' tags spell them; nothing is pressed for win32."""

_TAG = re.compile(r"win_(\w+)|win32")


def parse(text: str) -> Tag | None:
    """Return what a tag says, None for one of another system."""
    found = _TAG.fullmatch(text)
    if found is None:
        return None
    arch = found[1] or text
    machines = (MACHINES[arch],) if arch in MACHINES else ()
    return Tag(text=text, system="win", family="win", arch=arch, machines=machines)


def name(floor: tuple[int, int] | None, arch: str) -> str:  # noqa: ARG001 - as every sister's
    """Return the tag of an architecture."""
    return f"win_{arch}"
