"""`[tool.mamba-press]` as values.

The classes below are the one source for three things: the reader takes the types and the defaults from them, and the
reference manual and the JSON schema are made from them and from the text below each key (``nox -s generate``).
In that text a line ``Example:`` holds a value as it is written in TOML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mamba_press.config.link_table import Link
from mamba_press.config.schema_types import (
    Backend,
    BackendSetting,
    Filled,
    Folder,
    Glob,
    Hook,
    InPrefix,
    Inside,
    ModuleName,
    PackageName,
    PyPIRequirement,
    Size,
    Variable,
)

State = Literal["sdist", "wheel", "editable", "metadata_wheel", "metadata_editable"]
"""What a front end asks for, in the words of scikit-build-core; what the command does is `wheel`."""

OVERRIDES = "overrides"
"""The key of the tables that change others; it stands in ``pyproject.toml`` only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Which Python code of its own the project has."""

    modules: tuple[ModuleName, ...] | None = None
    """The project's packages and modules, by the names by which they are imported; parts of namespace packages with
    dots. By default the one that is called like the project, if there is one; `[]` for none.

    A name that is given may be a folder without an `__init__.py`; one that is found has to be a regular package or a
    single file.

    Example: ["mypackage", "company.tools", "mypackage-stubs"]
    """
    root: Folder | None = None
    """The folder, below the project, in which the modules are. By default `src`, or the project's own folder.

    Example: "python"
    """
    exclude: tuple[Glob, ...] = ()
    """Files of the modules that stay out of the wheel, as globs over paths in the project. They are in the sdist.

    Example: ["src/mypackage/tests/**", "**/*.c"]
    """
    include: tuple[Glob, ...] = ()
    """Files that are the project's although a `.gitignore` names them, as globs over paths in the project: for what is
    generated before the build.

    Example: ["src/mypackage/_parser.py"]
    """
    version_file: Inside | None = None
    """A file, as a path in the project, that is made anew for each wheel and sets `__version__`. The sources are not
    written to.

    Example: "src/mypackage/_version.py"
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Select:
    """Which packages and which files stay."""

    prune: tuple[Filled, ...] = ()
    """Conda packages that leave, with everything that only they need.

    Example: ["krb5", "libsystemd0"]
    """
    prune_alone: tuple[Filled, ...] = ()
    """Conda packages that leave alone: what they need stays.

    Example: ["mysql-common"]
    """
    python_packages: tuple[Filled, ...] = ()
    """Python packages that only dependencies ask for and that are pressed whole all the same, as globs over the names
    of conda packages. By default they stay out, and the wheel requires them.

    Example: ["eigenpy", "hpp-*"]
    """
    default_filters: bool = True
    """Whether files leave that nothing needs at run time: headers, static libraries, descriptions for build systems,
    documentation, debuggers' files. Inside Python packages these files stay. Conda's own records and compiled Python
    leave in any case.

    Example: false
    """
    only: tuple[Glob, ...] = ()
    """The files that may stay, as globs over paths in the conda prefix; all others leave. By default all may.

    Example: ["lib/**", "share/mylib/**"]
    """
    exclude: tuple[Glob, ...] = ()
    """Files that leave, as globs over paths in the conda prefix.

    Example: ["share/doc/**", "lib/python3*/site-packages/*/tests/**"]
    """
    include: tuple[Glob, ...] = ()
    """Files that stay although a rule would let them leave; stronger than `exclude`, `only` and the defaults.

    Example: ["include/mylib/**"]
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where files go in the wheel."""

    home: PackageName | None = None
    """The package in which vendored files live, below `_prefix/`.

    By default the package that is called like the project, else the only package of the project's own code, else that
    of the requested conda packages, else a private one that is made for it. A part of a namespace package is named with
    dots.

    Example: "mypackage"
    """
    move: Mapping[Inside, Inside] = field(default_factory=dict)
    """Files and folders that go elsewhere: from a path in the conda prefix to a path in the wheel.

    A path that begins with `.data/data/`, `.data/headers/` or `.data/scripts/` leads out of `site-packages`: into the
    environment's own folder, into its folder for headers, or beside its programs. No binary can go there.

    Example: { "share/mylib" = "mypackage/data", "etc/mylib.conf" = "mypackage/mylib.conf" }
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelOptions:
    """How the wheel is written."""

    compression: Literal["libdeflate", "zlib", "fast", "store"] | None = None
    """How files are compressed. By default with libdeflate where it can be had, else with zlib. `"fast"` is for tries:
    the same at level 1, in half of the time, for wheels that are 5 to 10 % larger.

    Example: "zlib"
    """
    cache: Size | None = None
    """How much of files that were compressed for a wheel may be kept on this machine, beside the package cache, for the
    next wheel that has the same files; `"0 B"` keeps nothing. By default 1 GiB, and nothing where the variable `CI` is
    set. Wheels are the same with and without. [`mamba-press cache`](command-line.md) shows and empties it.

    Example: "5 GB"
    """
    environment: Mapping[Variable, InPrefix] = field(default_factory=dict)
    """Environment variables that importing the wheel's home sets: each to a file or folder of the conda prefix, where
    it lies after installation; `"."` is the prefix itself. A value that is there already stays.

    Example: { PROJ_DATA = "share/proj" }
    """
    executables: tuple[Inside, ...] = ()
    """Programs, as paths in the conda prefix, that can be called by their names wherever the wheel is installed. They
    stay in the wheel with the libraries that they need, those of dependencies too.

    Example: ["bin/openssl", "bin/xmllint"]
    """

    max_size: Size | None = None
    """The most that the wheel may weigh, as the file that is uploaded. A larger one is not written: the error says
    what weighs most, and what could leave. kB, MB and GB are powers of 1,000, KiB, MiB and GiB of 1,024.

    Example: "100 MB"
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Licenses:
    """Which licences may be in the wheel."""

    allow: tuple[Filled, ...] = ()
    """The licences that are allowed, as SPDX names or globs over them; by default all are.

    Of `A OR B` one has to be allowed, of `A AND B` both. `A WITH exception` is a licence of its own: no glob names it
    but one that has `WITH` in it too, or `*` alone.

    Example: ["MIT", "BSD-*", "Apache-2.0", "GPL-3.0-only WITH GCC-exception-3.1"]
    """
    deny: tuple[Filled, ...] = ()
    """The licences that are refused, as SPDX names or globs over them; stronger than `allow`.

    A package whose licence is not stated, or not in the words of SPDX, is refused as well, until `named` says what it
    is.

    Example: ["GPL-*", "AGPL-*"]
    """
    named: Mapping[Filled, Filled] = field(default_factory=dict)
    """The licences of packages that state none, or none that SPDX knows: from the conda package to an SPDX expression.

    Example: { lzo = "GPL-2.0-or-later" }
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Placeholders:
    """What to do about paths of the conda prefix that a wheel cannot have."""

    mode: Literal["report", "error"] = "report"
    """Whether a file that looks for something in the conda prefix is reported, or an error.

    Example: "error"
    """
    accept: tuple[Glob, ...] = ()
    """What may stay: globs over what is looked for, and over the files that look for it, both as paths in the conda
    prefix. Such places are neither reported nor errors; `mamba-press list --json` has them all.

    Example: ["ssl/**", "lib/krb5/plugins/**", "share/terminfo/**"]
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """The targets of a project, every Python with every platform: what `lock`, `matrix` and `press --matrix` cover. A
    build is for one of them.
    """

    python: tuple[Filled, ...] = ()
    """The Pythons, each as `python` takes it. By default the one of `python`.

    Example: ["3.10", "3.13", "3.14t"]
    """
    platform: tuple[Filled, ...] = ()
    """The platforms, each as `platform` takes it. By default the one of `platform`.

    Example: ["manylinux_2_28_x86_64", "osx-arm64", "win-64"]
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """What to press, for what, and from where."""

    channels: tuple[Filled, ...] = ("conda-forge",)
    """Conda channels as names, URLs or paths, the first one wins. A path begins with `.`, `/`, `~`, a drive or `file:`,
    and is relative to the project. Everything else without `://` is a name, such as `channel` or `a/b`.

    Example: ["conda-forge", "./channel"]
    """
    packages: tuple[Filled, ...] = ()
    """Conda specs of the packages that are pressed whole. At least one is needed where the project has no code of its
    own.

    Example: ["libmambapy 1.5.8", "fmt >=10,<11"]
    """
    host: tuple[Filled, ...] = ()
    """Conda specs of the packages that the project's own code makes use of, or that an inner backend builds against. Of
    these only the libraries that are reached are in the wheel: needed by a binary, or opened by name.

    Example: ["zlib", "libpng >=1.6"]
    """
    build: tuple[Filled, ...] = ()
    """Conda specs of compilers and tools that run while an inner backend builds, on the machine that builds. By default
    none: they come from the machine, and from PyPI through `[build-system]`.

    Example: ["cxx-compiler", "cmake"]
    """
    build_backend: Backend | None = None
    """The inner backend, which builds the project's own code; the packages that it needs stand in
    `[build-system] requires`, beside mamba-press.

    Example: "scikit_build_core.build"
    """
    backend_path: tuple[Folder, ...] = ()
    """Folders of the project in which the inner backend lies, for one that is part of the project.

    Example: ["backend"]
    """
    config_settings: Mapping[Filled, BackendSetting] = field(default_factory=dict)
    """What the inner backend is given as its own settings: each a string or a list of strings. A table in it stands for
    keys with dots. Settings on the command line (`-C`) that are none of ours go to the inner backend too.

    Example: { build-dir = "build", "cmake.define.WITH_TESTS" = "OFF" }
    """
    constraints: tuple[Filled, ...] = ()
    """Conda specs that narrow the solve but are not installed.

    Example: ["openssl 3.*"]
    """
    python: Filled | None = None
    """The Python to press for, `t` at the end for a free-threaded one. By default the interpreter that builds. It is an
    error if `requires-python` in `[project]` excludes it.

    Example: "3.10.*"
    """
    platform: Filled | None = None
    """The platform to press for: a platform tag of wheels, or a conda subdir. By default the machine that builds.

    A tag also says which system versions the solve may count on, and is written as asked, or refused; with a subdir the
    lowest tag that holds is found out.

    Example: "manylinux_2_28_x86_64"
    """
    offline: bool = False
    """Whether to use only what the package cache has.

    Example: true
    """
    exclude_newer: datetime | None = None
    """The channels as of that moment: a date, whose last second in UTC is meant, or a date and time as in RFC 3339,
    which is in UTC where it names no offset.

    Example: "2026-10-01"
    """
    placeholders: Placeholders = field(default_factory=Placeholders, metadata={"one_for_all": True})
    """What to do about files that still look for something in the conda prefix that cannot be found after installation:
    `"report"` or `"error"`, or a table.

    Example: "error"
    """
    hook: Hook | None = None
    """A function of the project that is given the wheel's entries after linking and returns those to write.

    Example: "press_hook.py:adjust"
    """
    requires: Mapping[Filled, PyPIRequirement] = field(default_factory=dict)
    """What the wheel requires in place of conda packages that stay out: from a conda name to a PyPI requirement, or to
    `false` for nothing. It overrides what is derived from the channel and from the pressed packages' own metadata.

    Example: { pytorch = "torch >=2.1,<3", nomkl = false }
    """
    requires_constrains: bool = False
    """Whether what the conda packages constrain (`constrains`) narrows derived requirements too.

    Example: true
    """
    locked: bool = False
    """Whether a build takes only what the project's lock holds for its target. It is an error if the lock is missing,
    was made for something else, or has no solution for the target.

    Example: true
    """
    frozen: bool = False
    """Whether a build takes what the project's lock holds for its target without checking that the lock is current. It
    is an error if the lock is missing or has no solution for the target. Not together with `locked`.

    Example: true
    """
    warnings: Literal["report", "error"] = "report"
    """What to do about warnings: `"report"` them at the end, or end the build with an `"error"` that has all of them,
    before any file gets its name. pip hides the messages of a build, warnings too, unless it is called with `-v`.

    Example: "error"
    """
    second_reader: Literal["off", "foreign", "always"] = "foreign"
    """Which of the binaries that were edited LIEF reads again, beside the writing: none (`"off"`), those that cannot be
    loaded on this machine (`"foreign"`: for macOS, Windows and other architectures), or all of them (`"always"`). What
    it reads otherwise than mamba-press is an error, and the wheel is not written. Unless this is `"off"`, the wheel is
    also opened by the package `wheel` where that is installed.

    LIEF is one of the requirements of a build for another machine. Where it is not installed there is a note, with
    `"always"` an error. With `"always"`, `wheel` reads every file to its end.

    Example: "always"
    """
    matrix: Matrix = field(default_factory=Matrix)
    sources: Sources = field(default_factory=Sources)
    select: Select = field(default_factory=Select)
    layout: Layout = field(default_factory=Layout)
    link: Link = field(default_factory=Link)
    wheel: WheelOptions = field(default_factory=WheelOptions)
    licenses: Licenses = field(default_factory=Licenses)


def schema(tool_name: str = "mamba-press") -> dict[str, object]:
    """Return the JSON schema of the table (the entry point ``validate_pyproject.tool_schema``)."""
    import json
    from importlib.resources import files

    if tool_name != "mamba-press":
        message = f"this is the schema of mamba-press, not of {tool_name}"
        raise ValueError(message)
    loaded: dict[str, object] = json.loads(files("mamba_press").joinpath("data/schema.json").read_text("utf-8"))
    return loaded
