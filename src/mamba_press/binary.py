"""Binaries: what a loader reads of one, and what is to change in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
