"""Machines: what is pressed for; light questions need these nouns and few others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

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


class VirtualPackage(NamedTuple):
    """What a conda solve may assume about the target machine, e.g. ``__glibc 2.28``."""

    name: str
    version: str
    build: str = "0"
