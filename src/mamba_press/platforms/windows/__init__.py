"""All that is known of Windows: its libraries, its loader, its binaries, its tags."""

from __future__ import annotations

from mamba_press.machine import NEUTRAL_ON_WINDOWS
from mamba_press.platforms.systems import Facts

FACTS = Facts(
    system="win",
    label="Windows",
    format="pe",
    family="win",
    sysconfig="win",
    markers=("win32", "Windows", "nt"),
    neutral=NEUTRAL_ON_WINDOWS,
    machines={"amd64": "x86_64", "arm64": "aarch64", "win32": "i686"},  # nothing is pressed for win32
    folders={"platlib": "Lib/site-packages/", "scripts": "Scripts/", "headers": "Include/{name}/"},
    libraries=("Library/bin", "", "DLLs", "Library/mingw-w64/bin", "Library/usr/bin", "bin"),  # "": beside python.exe
    looked_in="Library/bin",
    ending=".dll",
    root="Library",
    programs=("", "Library/bin", "Scripts"),
    variables=("INCLUDE", "LIB"),
    is_posix=False,
    carries_all=True,  # launchers: pip and setuptools choose when they need one
    bound=".pyd",  # assemblies of .NET are PE files, and run on any system
    names_itself=False,
    has_search_paths=False,
)
