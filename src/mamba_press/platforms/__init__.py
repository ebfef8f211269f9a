"""The systems that wheels are for. Each has a package of its own, which knows nothing of the others."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from mamba_press.platforms import linux, macos, windows
from mamba_press.platforms.linux import tag as linux_tag
from mamba_press.platforms.macos import tag as macos_tag
from mamba_press.platforms.windows import tag as windows_tag

if TYPE_CHECKING:
    from mamba_press.machine import Target
    from mamba_press.platforms.protocol import Platform
    from mamba_press.platforms.systems import Facts
    from mamba_press.platforms.tag import Tag
    from mamba_press.types import Binary, Resolved

FACTS = {each.system: each for each in (linux.FACTS, macos.FACTS, windows.FACTS)}
_FORMATS = {each.format: each for each in FACTS.values()}


def of(system: str) -> Platform:
    """Return who answers for a system; imported only here, for it takes a reader of binaries."""
    if system == "osx":
        from mamba_press.platforms.macos import platform as of_macos

        return of_macos
    if system == "win":
        from mamba_press.platforms.windows import platform as of_windows

        return of_windows
    from mamba_press.platforms.linux import platform as of_linux

    return of_linux


def facts(target: Target) -> Facts:
    """Return what can be said of a target's system in a word."""
    return FACTS[target.system]


def facts_of(tag: str) -> Facts | None:
    """Return the same for the system of a platform tag, None for ``any`` and for one that is not known."""
    found = parse(tag)
    return FACTS[found.system] if found else None


def facts_for(binary: Binary) -> Facts:
    """Return the same for the system that a binary's format is of."""
    return _FORMATS[binary.format]


def is_unpromised(link: Resolved, target: Target) -> bool:
    """Whether a library comes from the system, is in no list of what systems have, and was not named by the user."""
    if link.where != "system" or link.named:
        return False
    return of(target.system).why_unpromised(link.needed, target.arch) is not None


def own_name(binary: Binary) -> str | None:
    """Return the file name that a library has for itself, None where it has none, or its loader does not ask for it."""
    has_one = facts_for(binary).names_itself and binary.name is not None
    return posixpath.basename(binary.name or "") if has_one else None


def in_library_folder(path: str) -> bool:
    """Whether a path of a prefix lies where conda packages of any system have libraries."""
    return any(posixpath.dirname(path) in each.libraries for each in FACTS.values())


def impossible(paths: Collection[str], tags: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the paths that no file can have on a system of these platform tags, and what is wrong with each."""
    for facts in FACTS.values():
        if "any" not in tags and facts not in map(facts_of, tags):
            continue
        for path in paths:
            if why := of(facts.system).why_impossible(path):
                yield path, f"cannot be installed on {facts.label}, which the tag promises: {why}"


def of_subdir(subdir: str) -> Facts | None:
    """Return the same for the system of a conda subdir such as ``osx-arm64``, None for one that is not known."""
    return next((each for each in FACTS.values() if subdir.startswith(f"{each.system}-")), None)


def parse(tag: str) -> Tag | None:
    """Return what the platform tag of a wheel says; None for ``any``, and for one of a system that is not known."""
    return linux_tag.parse(tag) or macos_tag.parse(tag) or windows_tag.parse(tag)
