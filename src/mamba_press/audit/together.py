"""What is wrong with wheels once all of them are installed into one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mamba_press import platforms
from mamba_press.audit.contents import Contents, Opened, is_shared
from mamba_press.errors import Problem
from mamba_press.metadata import headers
from mamba_press.wheel.read import installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mamba_press.types import Binary
    from mamba_press.wheel.read import Member


def shared(contents: Contents | None) -> dict[str, Binary]:
    """Return the binaries that other wheels can be linked to, by installed path."""
    members = contents.members.values() if contents else ()
    return {installed(each.path): each.binary for each in members if each.binary and is_shared(each)}


def clashes(wheel: Opened, earlier: Sequence[Opened]) -> Iterator[Problem]:
    """Yield the paths at which an earlier wheel has another file."""
    own = _placed(wheel)
    for other in earlier:
        theirs = _placed(other)
        for path in sorted(own.keys() & theirs.keys()):
            if own[path].sha256 != theirs[path].sha256:
                yield Problem(where=path, what=f"is another file in {other.path.name}: the later one would win")


def twice(wheel: Opened, earlier: Sequence[Opened]) -> Iterator[str]:
    """Yield the libraries that an earlier wheel has too."""
    for other in earlier:
        theirs = {each.sha256: path for path, each in _placed(other).items() if is_shared(each)}
        for path, each in sorted(_placed(wheel).items()):
            if is_shared(each) and each.sha256 in theirs:
                yield f"{path} is also in {other.path.name}, as {theirs[each.sha256]}"


def confused(wheel: Opened, earlier: Sequence[Opened]) -> Iterator[str]:
    """Yield the libraries whose name another one in an earlier wheel has, where files of both wheels ask for that name.

    Of two libraries with one SONAME glibc loads the first, and it answers for both.
    """
    own = _asked_for(wheel)
    for other in earlier:
        theirs = _asked_for(other)
        for name in sorted(own.keys() & theirs.keys()):
            if own[name].sha256 != theirs[name].sha256:
                yield (
                    f"{own[name].path} is called {name}, as is another library, {theirs[name].path} in "
                    f"{other.path.name}: in one process the first that is loaded answers for both"
                )


def _asked_for(wheel: Opened) -> dict[str, Member]:
    """Return the libraries of a wheel that answer for their names, of those that its files need."""
    members = _placed(wheel).values()
    found = [(each, each.binary) for each in members if each.binary and platforms.facts_for(each.binary).loaded_answers]
    needed = {name for _, binary in found for name in binary.needed}
    return {binary.name: each for each, binary in found if is_shared(each) and binary.name and binary.name in needed}


def _placed(wheel: Opened) -> dict[str, Member]:
    members = wheel.contents.members.values() if wheel.contents else ()
    return {installed(each.path): each for each in members}


def unsatisfied(wheel: Opened, others: Sequence[Opened]) -> Iterator[Problem]:
    """Yield the requirements that hold everywhere and for which the others have nothing, or another version."""
    from packaging.utils import canonicalize_name

    there = {each.contents.name.name: each.contents.name.version for each in others if each.contents}
    raw = headers.raw((wheel.contents.text("METADATA") if wheel.contents else None) or b"")
    for text in raw.get("requires_dist") or ():
        try:
            requirement = headers.requirement(text)
        except ValueError:
            continue  # told already
        if requirement.marker is not None:
            continue
        version = there.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            has = f"is there as {version}" if version else "is not there"
            yield Problem(where=wheel.path.name, what=f"requires {requirement}, which {has}")
