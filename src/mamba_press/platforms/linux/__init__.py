"""All that is known of Linux: its libraries, its loader, its binaries, its tags."""

from __future__ import annotations

from mamba_press.machine import NEUTRAL
from mamba_press.platforms.systems import POSIX, Facts

FACTS = Facts(
    system="linux",
    label="Linux",
    format="elf",
    family="manylinux",
    sysconfig="linux",
    markers=("linux", "Linux", "posix"),
    versioned="glibc",
    virtual="__glibc",
    levels="x86_64",
    neutral=NEUTRAL,
    folders=POSIX,
    loaded_answers=True,
    versions_symbols=True,
    separator=":",
    can_strip=True,
    tells_case=True,
    is_carried=False,
)
