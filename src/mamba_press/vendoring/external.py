"""Libraries that another wheel brings (``link.external``): where they lie beside this wheel, and what it requires."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mamba_press import globs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mamba_press.types import Kept


@dataclass(frozen=True, kw_only=True, slots=True)
class External:
    """A library of another wheel: ``path`` is below ``site-packages``, ``requirement`` is that wheel on PyPI."""

    path: str
    requirement: str

    @property
    def name(self) -> str:
        """The name that the library's users have to ask for."""
        return posixpath.basename(self.path)

    @property
    def folder(self) -> str:
        """Where it lies, below ``site-packages``."""
        return posixpath.dirname(self.path)


def find(name: str, declared: Mapping[str, str]) -> External | None:
    """Return what ``link.external`` says of a needed library; a key also matches without the version at its end."""
    glob = globs.matches_library(name, declared)
    if glob is None:
        return None
    requirement, _, path = declared[glob].rpartition(": ")
    return External(path=path.strip(), requirement=requirement.strip())


def requirements(kept: Iterable[Kept], declared: Mapping[str, str]) -> tuple[str, ...]:
    """Return the requirements of those other wheels that a file of this one takes a library from, sorted."""
    needed = {posixpath.basename(link.needed) for each in kept for link in each.links if link.where == "external"}
    return tuple(sorted({found.requirement for name in needed if (found := find(name, declared))}))


def names(declared: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of all libraries that other wheels bring, as a finished wheel asks for them."""
    return tuple(found.name for glob in declared if (found := find(glob, {glob: declared[glob]})))
