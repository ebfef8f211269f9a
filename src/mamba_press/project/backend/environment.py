"""The environment in which an inner backend builds: the user's own, with the native prefix in everybody's reach."""

from __future__ import annotations

import os
import shlex
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mamba_press import platforms
from mamba_press.platforms.systems import Facts
from mamba_press.types import NEUTRAL, System

_COMPILERS = {"CC": ("cc", "clang"), "CXX": ("c++", "clang++"), "FC": ("gfortran",)}
"""The variables that name compilers, and how the programs of a ``build`` prefix end that they then name."""
_ALLOW = ("PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "PKG_CONFIG_ALLOW_SYSTEM_LIBS")
"""What lets pkg-config say -I and -L for folders in CPATH and LIBRARY_PATH, as Meson and CMake do: it takes these for
the compiler's own and leaves them out, but a build script may look there for headers, or load a library, by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an inner backend builds.

    ``host`` is the native prefix, ``build`` the prefix of compilers and tools, ``root`` the project, ``work`` the
    folder for temporary files. ``programs`` are the folders of the isolated build's programs, ``sites`` those of its
    packages, ``headers`` the one of Python's headers. ``stays`` says that the prefix outlives the build, as for an
    editable install.
    """

    system: System
    root: Path
    work: Path
    host: Path | None = None
    build: Path | None = None
    programs: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    headers: str | None = None
    stays: bool = False


def environment(environ: Mapping[str, str], place: Place) -> dict[str, str]:
    """Return the caller's environment with what leads compilers and build tools to the prefixes.

    What the user has set stays, behind what is ours. Paths of this machine are mapped away in what compilers write.
    """
    found = {**environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(place.work))}
    found["PATH"] = _path(environ.get("PATH", os.defpath), place)
    for name, folders in _folders(place):
        found[name] = os.pathsep.join(filter(None, (*map(str, folders), environ.get(name))))
    for name, flags in _flags(place):
        found[name] = " ".join(filter(None, (*map(shlex.quote, flags), environ.get(name))))
    if place.host:
        found = {**dict.fromkeys(_ALLOW, "1"), **found}
    found |= {name: str(path) for name, path in _compilers(place).items() if not environ.get(name)}
    if _facts(place).is_posix:
        found |= _rust(environ, place)
    return found


def isolated() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the folders of programs and of packages that a front end made for this very build.

    Of an interpreter of the system they are none: its programs lie among all others.
    """
    sites = [path for path in sys.path if Path(path).name == "site-packages"]
    scripts, up = ("Scripts", 2) if sys.platform == "win32" else ("bin", 3)
    roots = [Path(path).parents[up - 1] for path in sites if len(Path(path).parents) >= up]
    programs = [sysconfig.get_path("scripts")] if sys.prefix != sys.base_prefix else []
    programs += [str(root / scripts) for root in roots if root != Path(sys.base_prefix)]
    return tuple(dict.fromkeys(programs)), tuple(dict.fromkeys(sites))


def _facts(place: Place) -> Facts:
    return platforms.FACTS[place.system]


def _path(path: str, place: Place) -> str:
    """Put the prefixes' programs behind those of the isolated build and before those of the machine."""
    folders = path.split(os.pathsep)
    ours = {os.path.realpath(each) for each in place.programs}
    first = next((n for n, each in enumerate(folders) if os.path.realpath(each) not in ours), len(folders))
    programs = _facts(place).programs
    added = [str(prefix / folder) for prefix in (place.build, place.host) if prefix for folder in programs]
    return os.pathsep.join([*folders[:first], *added, *folders[first:]])


def _folders(place: Place) -> Iterator[tuple[str, tuple[Path, ...]]]:
    """Yield the variables that hold lists of folders, and what goes in front of each."""
    if place.host is None:
        return
    facts = _facts(place)
    root = place.host / facts.root
    yield "CMAKE_PREFIX_PATH", (root,)
    yield "PKG_CONFIG_PATH", (root / "lib" / "pkgconfig", root / "share" / "pkgconfig")
    headers, libraries = facts.variables
    if not facts.is_posix or not place.stays:  # Meson leaves out the flag below for what is in CPATH
        yield headers, (root / "include",)
    yield libraries, (root / "lib",)


def _flags(place: Place) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the variables that hold flags of GCC and Clang; Visual C has none for this.

    CFLAGS is not among them: in its presence setuptools and configure scripts leave out their own, -O2 included.
    CPPFLAGS adds to those in setuptools, Meson and configure; CMake knows it not and takes initial values by name.
    """
    if not _facts(place).is_posix:
        return
    maps = tuple(f"-ffile-prefix-map={old}={new}" for old, new in mapped(place))
    if place.stays and place.host:
        # What is built again at import would no longer have CPATH, but CMake and Meson keep the flags.
        maps += ("-isystem", f"{place.host}/include")
    if maps:
        initial = " ".join(("", *map(shlex.quote, maps)))  # CMake strips quotes around the whole, not behind a space
        yield "CPPFLAGS", maps
        yield "CMAKE_ARGS", tuple(f"-DCMAKE_{language}_FLAGS_INIT={initial}" for language in ("C", "CXX", "Fortran"))
    if place.host:
        yield "LDFLAGS", (f"-L{place.host}/lib", f"-Wl,-rpath,{place.host}/lib")


def mapped(place: Place) -> tuple[tuple[str, str], ...]:
    """Return the folders that must not be seen in what is built, and what stands for them.

    The last that fits counts, for GCC, Clang and rustc alike: from the widest to the narrowest. An editable install
    does not travel, and a debugger looks for its sources: there they are none.
    """
    if place.stays:
        return ()
    found = [(str(place.root), ".")] + [(site, f"{NEUTRAL}/site-packages") for site in place.sites]
    found.append((str(place.work), f"{NEUTRAL}/work"))
    if place.headers:  # debugging information names each header's folder
        found.append((place.headers, f"{NEUTRAL}/include/{Path(place.headers).name}"))
    found += [(str(prefix), NEUTRAL) for prefix in (place.build, place.host) if prefix]
    return tuple(sorted(found, key=lambda each: len(each[0])))


def _compilers(place: Place) -> dict[str, Path]:
    """Return the compilers of the ``build`` prefix by the variable that names each: conda's names have a prefix."""
    if place.build is None or not _facts(place).is_posix:
        return {}
    there = sorted((place.build / "bin").glob("*"), key=lambda path: path.name)
    found: dict[str, Path] = {}
    for variable, ends in _COMPILERS.items():
        for path in (path for end in ends for path in there if f"-{path.name}".endswith(f"-{end}")):
            found.setdefault(variable, path)
    return found


def _rust(environ: Mapping[str, str], place: Place) -> dict[str, str]:
    """Return the variable with rustc's flags: the one that is there, else one that adds to cargo's own settings.

    cargo takes the first of CARGO_ENCODED_RUSTFLAGS and RUSTFLAGS that is set, and else joins CARGO_BUILD_RUSTFLAGS
    with its files (https://doc.rust-lang.org/cargo/reference/config.html#buildrustflags).
    """
    flags = [f"--remap-path-prefix={old}={new}" for old, new in mapped(place)]
    if not flags:
        return {}
    if encoded := environ.get("CARGO_ENCODED_RUSTFLAGS"):
        return {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join([*flags, encoded])}
    name = "RUSTFLAGS" if environ.get("RUSTFLAGS") else "CARGO_BUILD_RUSTFLAGS"
    whole = [flag for flag in flags if " " not in flag]  # cargo splits at spaces, whatever is quoted
    return {name: " ".join(filter(None, (*whole, environ.get(name))))}
