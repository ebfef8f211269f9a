"""`[tool.mamba-press]` as values.

The classes below are the one source for three things: the reader takes the types and the defaults from them, and the
reference manual and the JSON schema are made from them and from the text below each key (``nox -s generate``).
In that text a line ``Example:`` holds a value as it is written in TOML.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "MAMBA_PRESS_"
"""How the name of every environment variable of ours begins."""

OTHER_VARIABLES = frozenset({"MAMBA_PRESS_KEEP", "MAMBA_PRESS_SHARED", "MAMBA_PRESS_WORKER"})
"""Environment variables of ours that are no keys."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a string has to be: in words, and as a pattern that is searched for in it (also part of the schema)."""

    words: str
    pattern: str
    or_false: bool = False
    """Whether `false` may stand there too; it is held as the string "false"."""
    or_list: bool = False
    """Whether a list of such strings may stand there too; it is held as a tuple."""


Filled = Annotated[str, Text("a string that is not empty", r"\S")]
Glob = Annotated[str, Text("a glob that is not empty", r"\S")]
Size = Annotated[str, Text('a size such as "100 MB"', r"^\d+(?:\.\d+)? ?(?:[kMG]|[KMG]i)?B$")]
PackageName = Annotated[
    str, Text("the name of a Python package", r"^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$")
]
ModuleName = Annotated[
    str,
    Text(
        "the name of a module as it is imported",
        r"^[A-Za-z_][A-Za-z0-9_]*(?:-stubs)?(?:\.[A-Za-z_][A-Za-z0-9_]*)*$",
    ),
]
Hook = Annotated[str, Text('"file.py:function"', r"^[^:]+\.py:[A-Za-z_][A-Za-z0-9_]*$")]
Inside = Annotated[
    str,
    # No leading slash, no drive letter, no backslash, no part that is empty, "." or "..".
    Text(
        "a relative path with / and no part '.' or '..'",
        r"^(?!/)(?![A-Za-z]:)(?!(?:.*/)?\.{1,2}(?:/|$))(?!.*//)[^\\]*[^\\\s][^\\]*$",
    ),
]
InPrefix = Annotated[
    str,
    Text(
        "a relative path with / and no part '.' or '..', or '.' alone",
        r"^(?:\.|(?!/)(?![A-Za-z]:)(?!(?:.*/)?\.{1,2}(?:/|$))(?!.*//)[^\\]*[^\\\s][^\\]*)$",
    ),
]
Folder = Annotated[
    str,
    Text(
        "'.', or a relative path with / and no part '.' or '..'",
        r"^(?:\.$|(?!/)(?![A-Za-z]:)(?!(?:.*/)?\.{1,2}(?:/|$))(?!.*//)[^\\]*[^\\\s][^\\]*$)",
    ),
]
Variable = Annotated[
    str,
    Text("the name of an environment variable", r"^[A-Za-z_][A-Za-z0-9_]*$"),
    Text(
        "no variable for certificates: importing a wheel must not replace the process's certificate store "
        "(depend on certifi, and hand its file to the library)",
        r"^(?!(?:SSL_CERT_FILE|SSL_CERT_DIR|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE)$)",
    ),
    Text(
        "no variable of the loader, of Python or of the user's session: importing a wheel must not change where other "
        "programs and libraries look for things (PATH, HOME, TMPDIR, LD_*, DYLD_*, PYTHON*, XDG_*)",
        r"^(?!(?:PATH|Path|PATHEXT|HOME|TMPDIR|TEMP|TMP|LD_.*|DYLD_.*|PYTHON.*|XDG_.*)$)",
    ),
]
PyPIRequirement = Annotated[str, Text('a requirement such as "name >=1.2", or false', r"\S", or_false=True)]
ElsewhereLibrary = Annotated[
    str,
    Text(
        '"requirement: path", such as "torch >=2.3: torch/lib/libtorch.so"',
        # A name with extras, versions, and a path as in `Inside`; no marker, for it would not bring the library.
        r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?: *\[[A-Za-z0-9._, -]+\])? *"
        r"(?:(?:(?:==|!=|<=|>=|<|>) *[0-9]+(?:\.[0-9]+)*|== *[0-9]+(?:\.[0-9]+)*\.\*|~= *[0-9]+(?:\.[0-9]+)+)"
        r"(?: *, *(?=[<>=!~])|(?=:)))*"
        r": +(?!(?:.*/)?\.{1,2}(?:/|$))[^/\\;: ]+(?:/[^/\\;: ]+)*$",
    ),
]
Backend = Annotated[
    str,
    Text(
        'another backend: a module, or "module:object", as in [build-system]',
        r"^(?!mamba_press\b)[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?$",
    ),
]
Setting = Annotated[str, Text("a string, or a list of strings", "", or_list=True)]
Runtime = Literal["auto", "system", "bundle"]
Pattern = Annotated[str, Text("a regular expression that is not empty", r"\S")]
Versions = Annotated[str, Text('a range of versions such as ">=3.12"', r"^\s*(?:~=|[=!<>]=|===|<|>)\s*\d")]

State = Literal["sdist", "wheel", "editable", "metadata_wheel", "metadata_editable"]
"""What a front end asks for, in the words of scikit-build-core; what the command does is `wheel`."""

OVERRIDES = "overrides"
"""The key of the tables that change others; it stands in ``pyproject.toml`` only."""

GROUPS = ("any", "not")
"""The tables in an override's `if` that hold conditions too."""


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
class Runtimes:
    """Where each runtime library of the compilers comes from."""

    libstdcxx: Runtime = "auto"
    """The C++ runtime, `libstdc++`.

    Example: "bundle"
    """
    libgcc: Runtime = "auto"
    """The compiler's own support library, `libgcc_s`.

    Example: "system"
    """
    libgfortran: Runtime = "auto"
    """The Fortran runtime.

    Example: "bundle"
    """
    libgomp: Runtime = "auto"
    """The OpenMP runtime of GCC.

    Example: "bundle"
    """
    libomp: Runtime = "auto"
    """The OpenMP runtime of LLVM or of Intel, `libomp` or `libiomp5`.

    Example: "bundle"
    """
    libatomic: Runtime = "auto"
    """GCC's library for atomic operations that the processor has not. It is packed although the tags promise it: many
    systems come without it.

    Example: "system"
    """
    libquadmath: Runtime = "auto"
    """The runtime for quadruple precision, which the Fortran one needs.

    Example: "bundle"
    """
    libcxx: Runtime = "auto"
    """The C++ runtime of macOS, `libc++`: the system's where the tag promises every symbol that is used.

    Example: "bundle"
    """
    vcruntime: Runtime = "auto"
    """Visual C's support library, `vcruntime140.dll`: by default the one beside `python.exe`.

    Example: "bundle"
    """
    msvcp: Runtime = "auto"
    """Visual C++'s runtime, `msvcp140.dll` and what belongs to it: by default a renamed copy, for Python has none.

    Example: "system"
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """Where needed libraries are found, and how they are called in the wheel."""

    system: tuple[Glob, ...] = ()
    """Libraries that are expected on every target machine, beside those that the wheel's tag promises.

    Globs over library names; they match with and without the version at the end. For macOS, a library that packages
    ask for by `@rpath` has to be named by its path there, such as `/usr/lib/libodbc.dylib`: that is then written.

    Example: ["libcuda*", "libodbc.so"]
    """
    runtimes: Runtimes = field(default_factory=Runtimes, metadata={"one_for_all": True})
    """Where the runtime libraries of the compilers come from: `"auto"`, `"system"` or `"bundle"` for all of them, or a
    table with one of these for each.

    `auto` takes the system's where the wheel's tag promises what is needed, and packs a copy where it does not and
    where a copy lowers the tag.

    Example: "bundle"
    """
    rename: bool | tuple[Glob, ...] | None = None
    """Whether vendored libraries get names with a hash, so that no other copy in the process is taken for them.

    By default all that dependencies bring do, but for those that are opened by name. `true` is for all, `false` for
    none, a list of globs for those whose names match.

    Example: ["libssl*", "libcrypto*"]
    """
    floor: Literal["symbols"] | None = None
    """What decides the lowest system that the wheel can run on.

    By default the symbols that its binaries use, and what the conda packages themselves ask for. `"symbols"` leaves the
    packages' own bounds out; that is reported.

    Example: "symbols"
    """
    external: Mapping[Filled, ElsewhereLibrary] = field(default_factory=dict)
    """Libraries that another wheel brings: from a library's name to that wheel's requirement and the library's path
    below `site-packages`, with a colon between them.

    They stay out of this wheel even where the solution has them. What needs one gets a search path that leads into the
    other wheel, which the wheel then requires; both have to be installed into one `site-packages`.

    Example: { "libtorch.so" = "torch >=2.3: torch/lib/libtorch.so" }
    """
    missing: Literal["error", "drop"] = "error"
    """What to do about a library that is found nowhere. `"drop"` lets the plugin that needs it leave, with the
    libraries that only the plugin needs, and reports it; for a file that is no plugin it is an error all the same.

    A plugin is a shared library that lies outside of the library folder or has no name of its own; extension modules of
    the packages that you asked for are none.

    Example: "drop"
    """
    unpromised: Literal["report", "error", "drop"] = "report"
    """What to do about a library that has to come from the system and that no manylinux tag promises, such as
    `libdrm.so.2`, which goes with the graphics driver, or `libudev.so.1`. By default a warning names it. `"error"`
    refuses the library. `"drop"` leaves out the plugin that needs it, as in `missing`. Both give a wheel that needs no
    more than its tag promises. A library that `system` names is taken to be there.

    Example: "drop"
    """
    remove: tuple[Glob, ...] = ()
    """Needed libraries that are struck out of every file that needs them, as globs over their names. For what a
    package is linked to without using it: a file whose symbols are gone does not load.

    Example: ["libcrypt.so"]
    """
    unused_libraries: Literal["keep", "drop"] | None = None
    """What becomes of libraries that nothing in the wheel needs, nor opens by name. By default those of the packages
    that you asked for stay, and those of dependencies leave; `"keep"` keeps all, `"drop"` none.

    Example: "drop"
    """
    strip: bool = False
    """Whether binaries are packed without the linker's symbols and debugging information, which no loader reads. For
    ELF files; it is done before anything else is changed in them.

    Example: true
    """
    clear_execstack: tuple[Glob, ...] = ()
    """Libraries from which the mark is taken that asks for an executable stack, as globs over their names. It is mostly
    there by mistake, of assembler code without a note on the stack; a library whose code does run on the stack (GCC's
    nested functions) crashes without it.

    With the mark a library is refused: since glibc 2.41 a program that has started without it cannot load it.

    Example: ["libasm.so"]
    """
    isa: Literal["x86-64-v2", "x86-64-v3", "x86-64-v4"] | None = None
    """The highest level of x86-64 that the wheel may demand. By default none above the baseline: no tag can say it, and
    installers give the wheel to every machine. A wheel that makes use of it says so.

    Example: "x86-64-v3"
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelOptions:
    """How the wheel is written."""

    compression: Literal["libdeflate", "zlib", "store"] | None = None
    """How files are compressed. By default with libdeflate where it can be had, else with zlib.

    Example: "zlib"
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
class Condition:
    """When an override counts: where all conditions of its `if` hold, one of those in `if.any`, and none of those in
    `if.not`. There has to be at least one.
    """

    platform: Pattern | None = None
    """The platform that is pressed for, whatever machine builds: the expression is searched for in its conda subdir, in
    its name as cibuildwheel writes it, and in the tag that `platform` asks for. So `"^linux"` and `"^manylinux"` are
    the same, and `"arm64|aarch64"` means every 64-bit ARM.

    Example: "^win"
    """
    python_version: Versions | None = None
    """The Python that is pressed for, its first two numbers.

    Example: ">=3.13"
    """
    abi_flags: Pattern | None = None
    """The flags of that Python's ABI: `t` for a free-threaded one, else none.

    Example: "t"
    """
    state: Pattern | None = None
    """What is being built: `sdist`, `wheel`, `editable`, `metadata_wheel` or `metadata_editable`, in which the
    expression is searched for. What the command does is `wheel`.

    Example: "^editable"
    """
    env: Mapping[Filled, Pattern] = field(default_factory=dict)
    """Environment variables: each name with an expression that is searched for in its value, or with `true` or `false`
    for whether it is set to something but `0`, `false`, `off`, `no`, `f` or `n`.

    Example: { CI = true, CUDA_VERSION = "^12" }
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
    config_settings: Mapping[Filled, Setting] = field(default_factory=dict)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key: its path below ``[tool.mamba-press]`` and what may stand there.

    ``kinds`` are the types that a value may have, without None: ``bool``, ``datetime``, a ``Literal``, an annotated
    ``str``, a tuple or a mapping of these, or a dataclass for a table. ``one_for_all`` says that one word may stand
    for every key of the table that is a choice of words.
    """

    path: tuple[str, ...]
    kinds: tuple[Any, ...]
    default: object
    one_for_all: bool = False

    @property
    def name(self) -> str:
        """``link.runtimes``, as in TOML and after ``-C``."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """``MAMBA_PRESS_LINK_RUNTIMES``."""
        return VARIABLE + "_".join(self.path).replace("-", "_").upper()

    @property
    def table(self) -> type | None:
        """The dataclass, where the key is a table of further keys."""
        kind = self.kinds[0]
        return kind if dataclasses.is_dataclass(kind) and isinstance(kind, type) else None

    @property
    def expected(self) -> str:
        """What may stand there, in the words of TOML."""
        if self.one_for_all and self.table:
            return f"{words(next(keys(self.table)).kinds[0])}, or a table"
        return ", or ".join(map(words, self.kinds))

    @property
    def is_mapping(self) -> bool:
        """Whether the key is a table in which the user chooses the names."""
        return get_origin(self.kinds[0]) is Mapping


def keys(table: type = Config, path: tuple[str, ...] = ()) -> Iterator[Key]:
    """Yield the keys of a table in their order, each table before its own keys."""
    hints = get_type_hints(table, include_extras=True)
    for each in dataclasses.fields(table):
        key = Key(
            path=(*path, each.name.replace("_", "-")),
            kinds=_kinds(hints[each.name]),
            default=each.default_factory() if callable(each.default_factory) else each.default,
            one_for_all="one_for_all" in each.metadata,
        )
        yield key
        if key.table:
            yield from keys(key.table, key.path)


def rules(kind: object) -> tuple[Text, ...]:
    """Return what a kind of string has to be."""
    return getattr(kind, "__metadata__", ())


def is_text(kind: object) -> bool:
    """Whether a value of this kind is written as one string."""
    return get_origin(kind) is Literal or bool(rules(kind))


def words(kind: object) -> str:
    """Say what a kind of value is, in the words of TOML."""
    if kind is bool:
        return "true or false"
    if kind is datetime:
        return 'a date such as "2026-10-01" or a time such as "2026-10-01T12:00:00Z"'
    if get_origin(kind) is Literal:
        *most, last = (f'"{choice}"' for choice in get_args(kind))
        return f"{', '.join(most)} or {last}" if most else last
    if get_origin(kind) is tuple:
        return "a list of strings"
    if get_origin(kind) is Mapping:
        of = rules(get_args(kind)[1])
        more = " or false" * any(rule.or_false for rule in of) + " or lists of strings" * any(r.or_list for r in of)
        return f"a table of strings{more}"
    return "a string" if is_text(kind) else "a table"


def schema(tool_name: str = "mamba-press") -> dict[str, object]:
    """Return the JSON schema of the table (the entry point ``validate_pyproject.tool_schema``)."""
    import json
    from importlib.resources import files

    if tool_name != "mamba-press":
        message = f"this is the schema of mamba-press, not of {tool_name}"
        raise ValueError(message)
    loaded: dict[str, object] = json.loads(files("mamba_press").joinpath("data/schema.json").read_text("utf-8"))
    return loaded


def _kinds(hint: object) -> tuple[Any, ...]:
    union = get_origin(hint) in (Union, UnionType)
    return tuple(kind for kind in (get_args(hint) if union else (hint,)) if kind is not type(None))
