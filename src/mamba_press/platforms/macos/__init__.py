"""All that is known of macOS: its libraries, its loader, its binaries, its tags."""

from __future__ import annotations

from mamba_press.machine import NEUTRAL
from mamba_press.platforms.systems import POSIX, Facts

FACTS = Facts(
    system="osx",
    label="macOS",
    format="macho",
    family="macosx",
    sysconfig="macosx",
    markers=("darwin", "Darwin", "posix"),
    versioned="macOS",
    virtual="__osx",
    deployment="MACOSX_DEPLOYMENT_TARGET",
    neutral=NEUTRAL,
    folders=POSIX,
    has_slices=True,
    is_signed=True,
    # rattler signs what it patches with macOS's codesign if it hears that the files are for macOS: what runs has to be
    # signed, what is pressed is signed by us.
    installed_as="linux-64",
)
