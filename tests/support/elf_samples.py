"""Libraries that need each other, made by the system's compiler for each way to link."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.compile import Linking, shared_library

VERSIONS = "INNER_1 { global: first; local: *; };\nINNER_2 { global: second; } INNER_1;\n"
INNER = "int first(void) { return 1; } int second(void) { return 2; }"
OUTER = """
int first(void); int second(void); int third(void);
static int relocated = 5; int *pointer = &relocated;
static volatile char zeros[%d]; static __thread int mine = 7; static __thread int unset;
int total(void) { return first() + 10 * second() + 100 * third() + 1000 * *pointer + zeros[9] + 10000 * mine + unset; }
"""


class Samples:
    """Libraries that need each other, compiled once for each way to link."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inner = shared_library(
            folder / "libinner.so.1", INNER, Linking(soname="libinner.so.1", version_script=VERSIONS)
        )
        self.plain = shared_library(
            folder / "libplain.so", "int third(void) { return 3; }", Linking(soname="libplain.so")
        )
        self._made: dict[tuple[tuple[str, ...], int], Path] = {}

    def outer(self, flags: tuple[str, ...] = (), zeros: int = 100) -> Path:
        for flag in flags:
            if flag.startswith("-fuse-ld=") and not shutil.which(f"ld.{flag[9:]}"):
                pytest.skip(f"the linker {flag[9:]} is not on this machine")
        key = (flags, zeros)
        if key not in self._made:
            path = self.folder / str(len(self._made)) / "libouter.so.1"
            linking = Linking(
                soname="libouter.so.1", needed=(self.inner, self.plain), runpath="$ORIGIN/..", flags=flags
            )
            self._made[key] = shared_library(path, OUTER % zeros, linking)
        return self._made[key]
