"""The systems that wheels are for. Each has a package of its own, which knows nothing of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mamba_press.platforms import linux, macos, windows
from mamba_press.platforms.linux import tag as linux_tag
from mamba_press.platforms.macos import tag as macos_tag
from mamba_press.platforms.windows import tag as windows_tag

if TYPE_CHECKING:
    from mamba_press.machine import Target
    from mamba_press.platforms.facts import Facts
    from mamba_press.platforms.tag import Tag

FACTS = {each.system: each for each in (linux.FACTS, macos.FACTS, windows.FACTS)}


def facts(target: Target) -> Facts:
    """Return what can be said of a target's system in a word."""
    return FACTS[target.system]


def facts_of(tag: str) -> Facts | None:
    """Return the same for the system of a platform tag, None for ``any`` and for one that is not known."""
    found = parse(tag)
    return FACTS[found.system] if found else None


def of_subdir(subdir: str) -> Facts | None:
    """Return the same for the system of a conda subdir such as ``osx-arm64``, None for one that is not known."""
    return next((each for each in FACTS.values() if subdir.startswith(f"{each.system}-")), None)


def parse(tag: str) -> Tag | None:
    """Return what the platform tag of a wheel says; None for ``any``, and for one of a system that is not known."""
    return linux_tag.parse(tag) or macos_tag.parse(tag) or windows_tag.parse(tag)
