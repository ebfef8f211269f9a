"""What is wrong with the structure of Mach-O files."""

from __future__ import annotations

import struct

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.types import Edits
from tests.support.macho import (
    LOAD,
    PAGE,
    Dylib,
    dylib,
)

SYSTEM = "/usr/lib/libSystem.B.dylib"
TWO = ((SYSTEM, LOAD), ("@rpath/libinner.1.dylib", LOAD))
THREE = (*TWO, ("@rpath/liblast.dylib", LOAD))


def test_sound_file_has_no_problems() -> None:
    assert binary_edits.layout_problems(dylib(Dylib(arch="x86_64", needed=THREE, search=("@loader_path",)))) == ()


def test_unsigned_code_for_arm_is_a_problem() -> None:
    assert binary_edits.layout_problems(dylib(Dylib())) == ("it is not signed, and code for arm64 must be",)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (struct.pack("<4Q", PAGE, PAGE, PAGE, PAGE), struct.pack("<4Q", PAGE + 8, PAGE, PAGE, PAGE), "begin on a page"),
        (struct.pack("<4Q", PAGE, PAGE, PAGE, PAGE), struct.pack("<4Q", 0, PAGE, PAGE, PAGE), "overlap in memory"),
        (struct.pack("<4Q", PAGE, PAGE, PAGE, PAGE), struct.pack("<4Q", PAGE, 8, PAGE, PAGE), "larger in the file"),
        (b"\x11@_from_1", b"\x19@_from_1", "library 9 of 1"),
    ],
)
def test_broken_structure_is_named(old, new, problem) -> None:
    data = dylib(Dylib(arch="x86_64"))
    assert data.count(old) == 1
    assert any(problem in found for found in binary_edits.layout_problems(data.replace(old, new)))


def test_signature_that_is_not_the_end_of_the_file_is_a_problem() -> None:
    data = bytearray(binary_edits.apply(dylib(Dylib()), Edits(sign=True))) + bytes(16)
    at = data.index(b"__LINKEDIT") + 40
    struct.pack_into("<Q", data, at, struct.unpack_from("<Q", data, at)[0] + 16)
    assert "the signature does not end where __LINKEDIT ends" in binary_edits.layout_problems(bytes(data))


def test_search_path_that_is_there_twice_is_a_problem() -> None:
    data = dylib(Dylib(arch="x86_64", search=("@loader_path", "@loader_path")))
    assert binary_edits.layout_problems(data) == ("the search path @loader_path is there twice",)
