"""The table `[tool.mamba-press.link]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mamba_press.config.schema_types import ElsewhereLibrary, Filled, Glob, Runtime


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
