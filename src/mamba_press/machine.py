"""What is pressed for: nouns of their own, because light questions need them and few of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

System = Literal["linux", "osx", "win"]


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
