"""All that is known of Windows: its libraries, its loader, its binaries, its tags."""

from __future__ import annotations

from mamba_press.machine import NEUTRAL_ON_WINDOWS
from mamba_press.platforms.facts import Facts

FACTS = Facts(
    system="win",
    label="Windows",
    format="pe",
    family="win",
    sysconfig="win",
    markers=("win32", "Windows", "nt"),
    neutral=NEUTRAL_ON_WINDOWS,
    folders={"platlib": "Lib/site-packages/", "scripts": "Scripts/", "headers": "Include/{name}/"},
    libraries="Library/bin",
    root="Library",
    programs=("", "Library/bin", "Scripts"),
    variables=("INCLUDE", "LIB"),
    is_posix=False,
    has_search_paths=False,
)
