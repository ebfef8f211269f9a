"""Compile small shared libraries, extension modules and programs with the system's compiler.

Everything is explicit and nothing is guessed, because tests assert on what the linker was told.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import pytest


@dataclass(frozen=True, kw_only=True, slots=True)
class Linking:
    """What the linker is told: the file's own name, what it needs, and where the loader looks.

    ``needed`` are finished libraries on disk. ``rpath`` is written as DT_RPATH, ``runpath`` as DT_RUNPATH.
    ``version_script`` is the text of a linker version script. ``flags`` are added as they are.
    """

    soname: str | None = None
    needed: tuple[Path, ...] = ()
    rpath: str | None = None
    runpath: str | None = None
    version_script: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Toolchain:
    """The compilers to call, e.g. those of a cross toolchain."""

    c: str = "gcc"
    cpp: str = "g++"

    def for_language(self, language: Literal["c", "c++"]) -> str:
        """The compiler of a language; skips the test, saying so, when this machine has none."""
        name = self.c if language == "c" else self.cpp
        return shutil.which(name) or pytest.skip(f"{name} is not on this machine")


NATIVE = Toolchain()


def shared_library(
    path: Path,
    source: str,
    linking: Linking | None = None,
    *,
    language: Literal["c", "c++"] = "c",
    toolchain: Toolchain = NATIVE,
) -> Path:
    """Compile a source text into a shared library at a path, and return the path."""
    return _compile(path, source, ["-shared", "-fPIC", *_flags(path, linking or Linking())], toolchain, language)


def program(
    path: Path,
    source: str,
    linking: Linking | None = None,
    *,
    language: Literal["c", "c++"] = "c",
    toolchain: Toolchain = NATIVE,
) -> Path:
    """Compile a source text into a program at a path, and return the path."""
    return _compile(path, source, ["-fPIE", "-pie", *_flags(path, linking or Linking())], toolchain, language)


def extension_module(
    directory: Path,
    name: str,
    source: str,
    linking: Linking | None = None,
    *,
    python: Path,
) -> Path:
    """Compile an extension module for an interpreter into a folder, with the suffix that it looks for."""
    config = python_config(python)
    linking = linking or Linking()
    flags = ["-shared", "-fPIC", f"-I{config.include}"]
    path = directory / f"{name}{config.suffix}"
    return _compile(path, source, [*flags, *_flags(path, linking)], NATIVE, "c")


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonConfig:
    """What an interpreter says of itself: its headers, and the ending of its extension modules."""

    include: Path
    suffix: str
    version: str


@lru_cache
def python_config(python: Path) -> PythonConfig:
    """Ask an interpreter; skips the test, saying so, when its headers are not on this machine."""
    code = (
        "import json, sys, sysconfig as s;"
        "print(json.dumps([s.get_paths()['include'], s.get_config_var('EXT_SUFFIX'), '%d.%d' % sys.version_info[:2]]))"
    )
    answer = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout
    include, suffix, version = json.loads(answer)
    if not (Path(include) / "Python.h").is_file():
        pytest.skip(f"the headers of {python} are not on this machine")
    return PythonConfig(include=Path(include), suffix=suffix, version=version)


MODULE = """\
#define PY_SSIZE_T_CLEAN
#include <Python.h>
{declarations}
static PyObject *call(PyObject *self, PyObject *args) {{ (void)self; (void)args; return {result}; }}
static PyMethodDef methods[] = {{{{"call", call, METH_NOARGS, NULL}}, {{NULL, NULL, 0, NULL}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", NULL, -1, methods, NULL, NULL, NULL, NULL}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"""


def module_source(name: str, result: str, declarations: str = "") -> str:
    """C text of a module with one function, ``call()``, that returns a C expression of type ``PyObject *``."""
    return MODULE.format(name=name, result=result, declarations=declarations)


def _flags(path: Path, linking: Linking) -> Iterable[str]:
    if linking.soname is not None:
        yield f"-Wl,-soname,{linking.soname}"
    if linking.rpath is not None:
        yield f"-Wl,--disable-new-dtags,-rpath,{linking.rpath}"
    if linking.runpath is not None:
        yield f"-Wl,--enable-new-dtags,-rpath,{linking.runpath}"
    if linking.version_script is not None:
        script = path.parent / f"{path.name}.map"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(linking.version_script)
        yield f"-Wl,--version-script,{script}"
    yield from linking.flags
    yield "-Wl,--no-as-needed"
    yield from (str(library) for library in linking.needed)


def _compile(
    path: Path, source: str, flags: Iterable[str], toolchain: Toolchain, language: Literal["c", "c++"]
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    compiler = toolchain.for_language(language)
    flags = list(flags)
    libraries = [flag for flag in flags if not flag.startswith("-")]
    options = [flag for flag in flags if flag.startswith("-")]
    command = [compiler, "-x", language, "-", "-x", "none", "-O1", "-o", str(path), *options, *libraries]
    result = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stderr}"
    return path


def zig(folder: Path, target: str) -> Toolchain:
    """Zig's C compiler for another machine, such as ``riscv64-linux-gnu``; skips the test where there is no zig."""
    if not importlib.util.find_spec("ziglang"):
        pytest.skip("ziglang is not installed")
    script = folder / f"{target}-cc"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang cc -target {target} "$@"\n')
    script.chmod(0o755)
    return Toolchain(c=str(script))
