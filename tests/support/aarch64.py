"""Another machine on this one: a cross compiler, and Debian's Python for aarch64 under qemu's user mode."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.compile import Toolchain
from tests.support.environment import clean_environment

GLIBC = "2.17"
"""What cross-compiled code is linked against where zig does it: the oldest that aarch64 wheels can ask for."""

RUNTIME = ("libc6", "libexpat1", "zlib1g", "libgcc-s1", "libffi8", "libbz2-1.0", "liblzma5", "libuuid1")


def toolchain(folder: Path) -> Toolchain:
    """A C compiler for aarch64: ziglang of PyPI, else the distribution's; skips the test where there is neither."""
    if importlib.util.find_spec("ziglang"):
        script = folder / "aarch64-zig-cc"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang cc -target aarch64-linux-gnu.{GLIBC} "$@"\n')
        script.chmod(0o755)
        return Toolchain(c=str(script))
    gcc = shutil.which("aarch64-linux-gnu-gcc")
    return Toolchain(c=gcc) if gcc else pytest.skip("no compiler for aarch64: neither ziglang nor a cross gcc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """An aarch64 system's files, and the program that runs them; ``page`` is its page size, 4096 unless told."""

    root: Path
    emulator: str
    version: str

    def run(self, code: str, *folders: Path, page: int = 4096) -> str:
        """What a Python text prints on the other machine, with folders on its module path."""
        python = self.root / "usr" / "bin" / f"python{self.version}"
        result = subprocess.run(
            [self.emulator, "-p", str(page), "-L", str(self.root), str(python), "-c", code],
            check=False,
            capture_output=True,
            text=True,
            env=clean_environment() | {"PYTHONPATH": os.pathsep.join(map(str, folders))},
        )
        assert result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout.strip()


def machine(folder: Path, version: str, more: Iterable[str] = ()) -> Machine:
    """Unpack Debian's CPython for aarch64, and more packages; skips the test where it or qemu cannot be had."""
    emulator = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    if emulator is None:
        pytest.skip("qemu's user mode for aarch64 is not on this machine")
    python = (f"python{version}-minimal", f"libpython{version}-minimal", f"libpython{version}-stdlib")
    root = folder / "system"
    for package in packages(folder / "apt", (*python, *RUNTIME, *more)):
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
    return Machine(root=root, emulator=emulator, version=version)


def packages(folder: Path, names: Iterable[str]) -> list[Path]:
    """Download Debian packages for aarch64, with lists of apt's own: the machine's are left as they are."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip("Debian's packages for aarch64 cannot be had: no apt on this machine")
    for part in ("lists/partial", "cache/archives/partial", "packages"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    settings = [
        f"Dir::State::Lists={folder}/lists",
        f"Dir::State::status={folder}/status",
        f"Dir::Cache={folder}/cache",
        "APT::Architecture=arm64",
        "APT::Architectures=arm64",
        "APT::Sandbox::User=",
        "Acquire::Languages=none",
    ]
    options = [word for setting in settings for word in ("-o", setting)]
    for command in (["update"], ["download", *names]):
        words = ["apt-get", "-qq", *options, *command]
        try:
            result = subprocess.run(
                words, check=False, capture_output=True, text=True, timeout=300, cwd=folder / "packages"
            )
        except subprocess.TimeoutExpired:
            pytest.skip("Debian's packages for aarch64 cannot be had: no answer")
        if result.returncode:
            said = (result.stderr or result.stdout).strip().splitlines()
            pytest.skip(f"Debian's packages for aarch64 cannot be had: {said[-1] if said else result.returncode}")
    return sorted((folder / "packages").glob("*.deb"))
