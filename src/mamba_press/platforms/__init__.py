"""The systems that wheels are for. Each has a package of its own, which knows nothing of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mamba_press.platforms.linux import tag as linux_tag
from mamba_press.platforms.macos import tag as macos_tag
from mamba_press.platforms.windows import tag as windows_tag

if TYPE_CHECKING:
    from mamba_press.platforms.tag import Tag


def parse(tag: str) -> Tag | None:
    """Return what the platform tag of a wheel says; None for ``any``, and for one of a system that is not known."""
    return linux_tag.parse(tag) or macos_tag.parse(tag) or windows_tag.parse(tag)
