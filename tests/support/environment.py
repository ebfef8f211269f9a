"""Python environments to install wheels into, and the interpreters that this machine has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Environment:
    """A fresh virtual environment, with nothing of the machine's own environment reaching its Python."""

    root: Path
    version: tuple[int, int]

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.root / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def install(self, *arguments: str | Path) -> None:
        """Install wheels or requirements; requirements come from the index that pip and uv are set to."""
        if self.version >= (3, 8):
            command = [_uv(), "pip", "install", "--quiet", "--python", str(self.python)]
        else:  # uv does not know these any more; such environments have their own pip
            command = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        result = subprocess.run(
            [*command, *map(str, arguments)], check=False, capture_output=True, text=True, env=clean_environment()
        )
        assert result.returncode == 0, result.stdout + result.stderr

    def run(self, code: str, **environment: str) -> str:
        """What a Python text prints, run in a folder that holds nothing of the project."""
        result = subprocess.run(
            [str(self.python), "-c", code],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.root,
            env=clean_environment() | environment,
        )
        assert result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout.strip()

    def libraries(self, code: str, **environment: str) -> tuple[Path, ...]:
        """The shared objects that are mapped into the process after a Python text has run (Linux)."""
        maps = (
            "\nlines = [line.split(None, 5) for line in open('/proc/self/maps')]"
            "\nprint('=== mapped')"
            "\nprint('\\n'.join(sorted({line[5].strip() for line in lines if len(line) > 5 and '.so' in line[5]})))"
        )
        return tuple(Path(line) for line in self.run(code + maps, **environment).split("=== mapped\n")[-1].splitlines())


def environment(root: Path, python: Path | None = None) -> Environment:
    """Make a virtual environment of an interpreter, by default the one that runs the tests."""
    python = python or Path(sys.executable)
    version = version_of(python)
    bare = [] if version < (3, 8) else ["--without-pip"]
    subprocess.run([str(python), "-m", "venv", *bare, str(root)], check=True, capture_output=True)
    return Environment(root=root, version=version)


def clean_environment() -> dict[str, str]:
    """The process's environment without what changes where Python or the loader look."""
    drop = re.compile(r"PYTHON|LD_|DYLD_|VIRTUAL_ENV|CONDA_PREFIX|MAMBA_PRESS_|COV_CORE|COVERAGE_PROCESS")
    return {key: value for key, value in os.environ.items() if not drop.match(key)}


@lru_cache
def version_of(python: Path) -> tuple[int, int]:
    """The version of an interpreter."""
    code = "import sys; print(sys.version_info[0], sys.version_info[1])"
    answer = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout
    major, minor = answer.split()
    return int(major), int(minor)


@lru_cache
def interpreters() -> dict[str, Path]:
    """The working CPythons of this machine by version: the running one, those of pyenv and of uv, those on PATH."""
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = {here: Path(sys.executable)}
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    roots.append(Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python")))
    candidates = [path for root in roots for path in sorted(root.glob("*3.*/bin/python3"))]
    candidates += [Path(path) for minor in range(6, 20) if (path := shutil.which(f"python3.{minor}"))]
    for candidate in candidates:
        try:
            major, minor = version_of(candidate)
        except (OSError, ValueError, subprocess.CalledProcessError):
            continue  # a pyenv shim without a version behind it, or a build for another machine
        found.setdefault(f"{major}.{minor}", candidate)
    return found


def interpreter(version: str) -> Path:
    """A CPython of this machine by its version, ``3.10``; skips the test, saying so, where there is none."""
    return interpreters().get(version) or pytest.skip(f"no CPython {version} on this machine")


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv") or pytest.skip("uv is not on this machine")
