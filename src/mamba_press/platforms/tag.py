"""What the platform tag of a wheel says, and the ending of an extension module."""

from __future__ import annotations

import re
from typing import NamedTuple

from mamba_press.machine import System

TAGGED = re.compile(
    r"\.(?:cpython-3(?P<posix>\d+)(?P<flags>[a-z]*)(?:-[\w-]+)?\.so|cp3(?P<win>\d+)(?P<threads>t?)-win_\w+\.pyd)$"
)
"""The ending of an extension module for one version of CPython."""


class Tag(NamedTuple):
    """A platform tag that was read.

    ``family`` is what its grammar is called, ``arch`` the architecture as it stands there, ``machines`` are those of
    the binaries that it is for, as they state them. ``is_known`` means that it is known what its systems have.
    ``floor`` is the version of glibc or macOS that the tag asks for, None where it asks for none.
    """

    text: str
    system: System
    family: str
    arch: str
    machines: tuple[str, ...] = ()
    floor: tuple[int, int] | None = None
    is_known: bool = False
