"""What was read of one wheel, and what was found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.parser import HeaderParser
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import platforms
from mamba_press.errors import Problem, harmless

if TYPE_CHECKING:
    from email.message import Message

    from mamba_press.platforms.tag import Tag
    from mamba_press.wheel.read import Member


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """What the file name says; ``stem`` is its beginning as it stands, ``tags`` are expanded, one string each."""

    stem: str
    name: str
    version: str
    build: str
    tags: frozenset[str]

    @property
    def platforms(self) -> frozenset[str]:
        """The platform tags."""
        return frozenset(tag.split("-")[2] for tag in self.tags)

    @property
    def known(self) -> tuple[Tag, ...]:
        """The platform tags that can be read, sorted."""
        return tuple(tag for platform in sorted(self.platforms) if (tag := platforms.parse(platform)))

    def of(self, system: str) -> tuple[Tag, ...]:
        """Return those of one system."""
        return tuple(tag for tag in self.known if tag.system == system)

    @property
    def pythons(self) -> str:
        """The other two parts of the tags, to be shown."""
        return ", ".join(sorted({tag.rpartition("-")[0] for tag in self.tags}))


@dataclass(frozen=True, kw_only=True)
class Contents:
    """All that was read of one wheel."""

    name: Name
    members: Mapping[str, Member]
    dist_info: str

    @cached_property
    def wheel(self) -> Message:
        """WHEEL, parsed."""
        return HeaderParser().parsestr((self.text("WHEEL") or b"").decode("utf-8", "replace"))

    def text(self, name: str) -> bytes | None:
        """Return the bytes of a file of ``.dist-info``, None when it is not there, or not to be read: that is told."""
        member = self.members.get(f"{self.dist_info}/{name}")
        return member.data if member else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What was found in a wheel: what is wrong, what is worth knowing, and how large it is.

    A wheel is wrong where it cannot be installed, or does not do on a system of its tags what it does elsewhere. What
    works, and mamba-press would not write, is wrong in a wheel that says it is of mamba-press, and a note on others.
    """

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    size: int = 0
    unpacked: int = 0
    files: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A wheel as read; without ``contents`` where what was ``found`` makes all further questions idle."""

    path: Path
    name: str
    found: Findings
    contents: Contents | None = None


def shown(problem: Problem) -> Problem:
    """Return a problem that any terminal can show: names and texts of a wheel may hold anything."""
    return replace(problem, where=harmless(str(problem.where)), what=harmless(str(problem.what)))


def is_shared(member: Member) -> bool:
    """Whether a file is a library or an extension module."""
    return member.binary is not None and member.binary.kind == "shared"


def parse_name(name: str) -> Name | Problem:
    """Return what a file name says, or what is wrong with it."""
    from packaging.utils import parse_wheel_filename

    try:
        project, version, build, tags = parse_wheel_filename(name)
    except ValueError as error:  # InvalidWheelFilename, and what int() says of thousands of digits
        return Problem(where=name, what=f"is not the name of a wheel: {error}")
    return Name(
        stem="-".join(name.split("-")[:2]),
        name=project,
        version=str(version),
        build="".join(map(str, build)),
        tags=frozenset(str(tag) for tag in tags),
    )


def unhashed(contents: Contents) -> frozenset[str]:
    """Return the files that sign RECORD, and so cannot be in it."""
    return frozenset({f"{contents.dist_info}/RECORD.jws", f"{contents.dist_info}/RECORD.p7s"})
