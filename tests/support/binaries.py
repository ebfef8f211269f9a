"""What is asked of binaries in tests: what we read of them, what we refuse, and what readelf and LLVM see."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.types import Binary, Edits


def facts(data: bytes) -> Binary:
    """What is read of a binary, which has to be one."""
    found = binaries.read(data)
    assert found is not None
    return found


def refusal(data: bytes, edits: Edits) -> str:
    """Why an edit is refused."""
    with pytest.raises(Malformed) as raised:
        binary_edits.apply(data, edits)
    return str(raised.value)


def changed(data: bytes, at: int, to: bytes) -> bytes:
    """The data with other bytes at an offset."""
    return data[:at] + to + data[at + len(to) :]


def objdump(folder: Path, data: bytes, *options: str) -> str:
    """What LLVM sees in a Mach-O file."""
    if not shutil.which("llvm-objdump"):
        pytest.skip("llvm-objdump is not on this machine")
    path = folder / "file"
    path.write_bytes(data)
    done = subprocess.run(
        ["llvm-objdump", "--macho", *options, path], check=True, capture_output=True, text=True, cwd=folder
    )
    assert "malformed" not in done.stdout + done.stderr
    return done.stdout


def readelf(path: Path, *flags: str) -> str:
    """What readelf says of an ELF file, which it has to find sound."""
    tool = shutil.which("readelf") or pytest.skip("readelf is not on this machine")
    result = subprocess.run([tool, "-W", *(flags or ("-ldVS",)), str(path)], capture_output=True, text=True, check=True)
    assert "arning" not in result.stderr
    assert "<corrupt" not in result.stdout
    return result.stdout
