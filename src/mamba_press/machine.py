"""Machines: what is pressed for, and what their loaders read; light questions need these nouns and few others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

System = Literal["linux", "osx", "win"]

NEUTRAL = "/proc/mamba-press"
"""The prefix written into installed files in place of a real one.

Nobody can create it, on Linux not even root: the kernel makes what is in ``/proc``. macOS has no such folder, and its
root folder is sealed. So no library can be made to load from it, no temporary path leaks, and every place that needs
care is found by searching for this text. What is opened there is missing (ENOENT), as anything that is not installed:
below a file such as ``/dev/null`` it would be an error of another kind (ENOTDIR), at which MIT Kerberos gives up.
"""

NEUTRAL_ON_WINDOWS = "//./NUL/mamba-press"
"""The same for files that lie on Windows, in place of :data:`NEUTRAL`.

``//./NUL`` is the device that swallows everything, not a name in a folder: what is opened below it is empty, and nobody
can put anything there (``C:/NUL/x`` would be a path that anybody can create). The slashes lean forward because a
backslash would begin an escape in many of the texts that it is written into; Windows takes both.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Python:
    """A CPython to press for: ``3.10``, or ``3.14t`` when free-threaded."""

    minor: int
    free_threaded: bool = False

    @property
    def version(self) -> str:
        """``3.10``, without the ``t``."""
        return f"3.{self.minor}"

    @property
    def interpreter(self) -> str:
        """The wheel tag's first part: ``cp310``."""
        return f"cp3{self.minor}"

    @property
    def abi(self) -> str:
        """The wheel tag's second part: ``cp310``, ``cp36m``, ``cp314t``."""
        suffix = "m" if self.minor < 8 else "t" if self.free_threaded else ""
        return f"cp3{self.minor}{suffix}"

    def __str__(self) -> str:
        return self.version + ("t" if self.free_threaded else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What is pressed for.

    ``arch`` is spelled as in wheel tags (``x86_64``, ``aarch64``, ``arm64``, ``amd64``). ``floor`` is the version of
    glibc or macOS that the solve may count on. ``tag`` is the platform tag that the user asked for, written as
    asked; None means that the lowest honest tag is computed.
    """

    system: System
    arch: str
    subdir: str
    python: Python
    floor: tuple[int, int] | None
    tag: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VirtualPackage:
    """What a conda solve may assume about the target machine, e.g. ``__glibc 2.28``."""

    name: str
    version: str
    build: str = "0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """The symbol versions that a binary demands of one needed library (a verneed record)."""

    library: str
    versions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Binary:
    """What the loader reads of a binary.

    ``arch`` is spelled as in Linux wheel tags, or None where the machine is not one that mamba-press edits; such a
    file is left untouched and reported. ``name`` is the SONAME or install name. ``inherited`` tells DT_RPATH from
    DT_RUNPATH. ``defines`` holds the version names that the binary itself provides (verdef). ``floor`` is the
    minimum system version that the file itself states (macOS). ``archs`` holds every architecture of a universal
    Mach-O file, whose ``arch`` is then ``universal2``, ``unread`` those of slices that are neither read nor edited, and
    ``names`` the install names of the slices where they have several; ``weak`` those of ``needed`` that may be missing.
    ``isa`` is the level of x86-64 that the file states to need (``x86-64-v3``), None for the baseline. ``vouched``
    means that somebody's certificate vouches for the bytes as they are (macOS, Windows); ``assemblies`` are the
    side-by-side assemblies that an image's manifest asks for, Windows' own left out. ``execstack`` means that the stack
    would have to be executable for this file, which glibc from 2.41 on refuses where it is opened later (ELF).
    ``internals`` are symbols that it takes and that the system's libraries keep to themselves; only who reads finished
    wheels looks for them.
    """

    format: Literal["elf", "macho", "pe"]
    arch: str | None
    kind: Literal["shared", "program", "static"]
    name: str | None = None
    needed: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    inherited: bool = False
    requires: tuple[Requirement, ...] = ()
    defines: frozenset[str] = frozenset()
    interpreter: str | None = None
    floor: tuple[int, int] | None = None
    archs: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    isa: str | None = None
    vouched: bool = False
    assemblies: tuple[str, ...] = ()
    execstack: bool = False
    internals: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Edits:
    """What to change in a binary; the defaults change nothing.

    ``needed`` maps old names to new ones, None removes. ``search`` replaces every search path by these, the empty
    tuple removes them. ``unbind_unique`` makes the STB_GNU_UNIQUE symbols STB_GLOBAL (only ever for a vendored
    libstdc++). ``sign`` asks for an ad-hoc signature (Mach-O), ``strip`` for leaving
    out what no loader reads, before anything else is done (ELF), ``clear_execstack`` for taking away the mark that asks
    for an executable stack (ELF).
    """

    name: str | None = None
    needed: tuple[tuple[str, str | None], ...] = ()
    search: tuple[str, ...] | None = None
    inherited: bool = False
    unbind_unique: bool = False
    sign: bool = False
    strip: bool = False
    clear_execstack: bool = False
