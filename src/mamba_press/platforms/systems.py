"""What can be said of a system in a word: data that costs nothing to ask for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from mamba_press.machine import System


class Facts(NamedTuple):
    """One system.

    ``format`` is that of its binaries, ``family`` how cibuildwheel calls it, ``sysconfig`` how Python does; ``markers``
    are ``sys_platform``, ``platform_system`` and ``os_name``. ``machines`` are the architectures whose names in tags
    are not those that binaries have. ``versioned`` is what the version in its tags is one of, and ``virtual`` conda's
    package of that version; both are empty where tags have no version. ``deployment`` is the variable by which tools
    are told it, ``levels`` the architecture whose files state levels of processors. ``neutral`` is the prefix that
    nobody can make.

    ``folders`` are where conda's Python has the parts of a wheel. ``libraries`` are where conda has libraries, the
    likeliest first; their names have this ``ending``, and messages call the place ``looked_in``. ``root``, ``programs``
    and ``variables`` are where compilers and build tools find a prefix, and by which variables; where ``is_posix``,
    they take the flags of GCC.

    ``names_itself``: a library's own name for itself counts. ``has_search_paths``: a binary can say where its libraries
    are. ``loaded_answers``: a library that was loaded answers for its name. ``versions_symbols``: symbols have
    versions. ``can_strip``: what no loader reads can leave its binaries. ``tells_case``: names may differ in case
    alone. ``is_carried``: its programs lie in wheels for others, too; ``carries_all``: those for every machine do.
    ``bound``: only files with this ending are for no other system. ``has_slices``: one file can be for several
    machines. ``separator``: what stands between the folders of a search path that is one text. ``is_signed``: no binary
    is loaded without a signature. ``installed_as`` is the platform that rattler is told for a prefix to be pressed,
    where it is not the own one.
    """

    system: System
    label: str
    format: str
    family: str
    sysconfig: str
    markers: tuple[str, str, str]
    neutral: str
    folders: Mapping[str, str]
    versioned: str = ""
    virtual: str = ""
    deployment: str = ""
    levels: str = ""
    machines: Mapping[str, str] = MappingProxyType({})
    libraries: tuple[str, ...] = ("lib",)
    looked_in: str = "lib/"
    ending: str = ""
    root: str = ""
    programs: tuple[str, ...] = ("bin",)
    variables: tuple[str, str] = ("CPATH", "LIBRARY_PATH")
    is_posix: bool = True
    names_itself: bool = True
    has_search_paths: bool = True
    loaded_answers: bool = False
    versions_symbols: bool = False
    can_strip: bool = False
    tells_case: bool = False
    is_carried: bool = True
    carries_all: bool = False
    bound: str = ""
    has_slices: bool = False
    separator: str = ""
    is_signed: bool = False
    installed_as: str = ""


POSIX = {"platlib": "lib/python{python}/site-packages/", "scripts": "bin/", "headers": "include/python{python}/{name}/"}
"""Where conda's Python has the parts of a wheel on Linux and macOS."""

SMALL = {"i686": "x86_64", "armv7l": "aarch64"}
"""The architectures of 32 bits whose files run on a system of 64 as well."""
