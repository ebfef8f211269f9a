"""What mamba-press asks of a system, whichever it is: the module ``platform`` of each sister answers."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn, Protocol

from mamba_press import globs
from mamba_press.errors import Problem
from mamba_press.machine import Target
from mamba_press.platforms import binaries
from mamba_press.platforms.systems import SMALL
from mamba_press.platforms.tag import Tag
from mamba_press.types import Binary, Edits, Entry, Floor, Package

Choice = Literal["system", "bundle"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What answers for a library that a file needs: ``name`` in ``folder`` of the wheel, or of the one beside it."""

    needed: str
    where: Literal["wheel", "system", "external", "removed", "missing"]
    folder: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What decides the edits of one binary of the wheel.

    ``folder`` is where it will lie; ``name`` what it will be called if it is a library, "" for any other file.
    ``opened`` are the folders of the libraries that it opens by name. ``plain`` gives, by folder, the libraries whose
    names have no hash; ``system`` are the patterns of ``link.system``.
    """

    folder: str
    name: str = ""
    is_hashed: bool = False
    answers: tuple[Answer, ...] = ()
    opened: tuple[str, ...] = ()
    plain: Mapping[str, Sequence[str]]
    system: tuple[str, ...] = ()
    strip: bool = False
    clear_execstack: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What is demanded of a compiler's run-time library, and what packing a copy of it would mean.

    ``names`` are those by which files need it, ``versions`` the symbol versions that they demand, ``symbols`` gives
    what they take from it. ``floor`` gives the version of the system that the wheel needs in any case, ``of_copy`` the
    one that a copy in the wheel would need. ``wanted`` is what ``link.runtimes`` says, ``packages`` is the solution.
    """

    runtime: str
    wanted: Literal["auto", "system", "bundle"]
    target: Target
    names: tuple[str, ...] = ()
    versions: frozenset[str] = frozenset()
    packages: tuple[Package, ...] = ()
    symbols: Callable[[], frozenset[str]]
    floor: Callable[[], tuple[int, int]]
    of_copy: Callable[[], tuple[int, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A finished wheel, as a loader meets it; paths are those after installation.

    ``tags`` are those of the system, ``own`` the binaries that something can load, ``beside`` those of the wheels that
    are installed with it, ``shared`` the folders of ``site-packages`` in which other wheels have files, too.
    ``elsewhere`` are patterns of libraries that the user says are there. ``python`` is the oldest minor version, and
    ``added`` gives the folders that importing each package adds, None where nobody knows.
    """

    tags: tuple[Tag, ...]
    own: Mapping[str, Binary]
    beside: Mapping[str, Binary] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()
    python: int = 8
    added: Callable[[], Mapping[str, tuple[str, ...]] | None] = lambda: None

    def on(self, machine: str) -> dict[str, Binary]:
        """Return what a process can load: all but the files of 32 bits beside those of 64."""
        every = {**self.beside, **self.own}
        return {path: each for path, each in every.items() if each.arch == machine or each.arch not in SMALL}


def unknown(*_: object) -> None:
    """Return None: the answer of a system where there is nothing of the kind."""


def nothing(*_: object) -> Iterator[NoReturn]:
    """Yield nothing: the answer of a system where there is nothing of the kind."""
    yield from ()


def unchanged(floor: tuple[int, int], /) -> tuple[int, int]:
    """Return a version as it is: the answer of a system whose tags know each one, or none."""
    return floor


def by_search_path(binary: Binary, at: str, name: str, named: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what the search path leads to, then what lies in the library folder, then what is called so anywhere."""
    base = posixpath.basename(name)
    yield from (*binaries.lookup(binary, at, name), f"lib/{base}", *named.get(base, ()))


def path_from(anchor: str, here: str, there: str) -> str:
    """Return how a loader is told a folder from that of the file which it loads, for which it knows ``anchor``."""
    relative = posixpath.relpath(there or ".", here or ".")
    return anchor if relative == "." else f"{anchor}/{relative}"


def is_matched(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether patterns mean a library by its path or by its name."""
    globbed = tuple(patterns)
    return any(globs.matches_library(each, globbed) for each in (name, posixpath.basename(name)))


class Platform(Protocol):
    """A system."""

    def why_system(self, name: str) -> str | None:
        """Return why a library is the system's, or Python's own, whatever the prefix has; None where it is not."""

    def why_there(self, name: str, target: Target, runtimes: Mapping[str, Choice], /) -> str | None:
        """Return why a library that the prefix has not is on every machine of a target all the same, or None."""

    def why_unpromised(self, name: str, arch: str, /) -> str | None:
        """Return why a library has to come from the system although no tag promises it; None where none has to."""

    def is_named(self, name: str, patterns: Iterable[str]) -> bool:
        """Tell whether patterns of libraries' names or paths, as ``link.system`` has them, mean a needed name."""

    def likeliest(self, binary: Binary, at: str, name: str, named: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """Yield the paths of a prefix that a needed name may mean for the file ``at``, the likeliest first.

        ``named`` gives the prefix's libraries by file name, those of Windows in lower case.
        """

    def floor_of(self, binaries: Iterable[Binary], arch: str) -> tuple[int, int]:
        """Return the version of the system that binaries need, at least the oldest of the architecture."""

    def choose_runtime(self, demand: Demand) -> tuple[Choice, str]:
        """Return where a compiler's run-time library is taken from, and why."""

    def why_no_system(self, tag: Tag, /) -> str | None:
        """Return why no system has a tag, so that no installer takes a wheel for it; None where one may."""

    def why_impossible(self, path: str, /) -> str | None:
        """Return why no file can have a path on every system of this kind, None where one can."""

    def misfits(self, path: str, binary: Binary, tags: Sequence[Tag], /) -> Iterator[Problem]:
        """Yield why a binary is for other systems than the tags are, apart from its machine."""

    def loads(self, wheel: Wheel) -> Iterator[Problem]:
        """Yield everything that would keep the system's loader from loading a wheel's binaries."""

    def answers(self, libraries: Mapping[str, Binary], tags: Sequence[Tag]) -> dict[tuple[str, str], str | None]:
        """Return, for each path and each name it needs, the path that answers, "" for the system, None for nobody."""

    def name(self, floor: tuple[int, int], arch: str) -> str:
        """Return the platform tag of a version of the system."""

    def rounded(self, floor: tuple[int, int], /) -> tuple[int, int]:
        """Return the lowest version that has a tag and is no lower."""

    def spellings(self, lowest: tuple[int, int], target: Target) -> set[str]:
        """Return the platform tags of a wheel that needs this version: the asked one, or those that say as much."""

    def demanded(self, entries: Iterable[Entry], arch: str, /) -> Iterator[Floor]:
        """Yield the versions of the system that the files of a finished wheel demand."""

    def demands(self, entries: Sequence[Entry], arch: str, offered: Callable[[Entry], frozenset[str]]) -> list[Floor]:
        """Return the versions of the system that files demand; raise ContentError for what no system has.

        ``offered`` gives the symbols of the libraries of wheels that a file needs.
        """

    def edits(self, binary: Binary, situation: Situation) -> Edits:
        """Return what makes a binary find its libraries wherever the wheel is installed."""
