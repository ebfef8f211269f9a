"""What is wrong with the structure of PE images."""

from __future__ import annotations

import struct

import pytest

from mamba_press.platforms import binary_edits
from tests.support.windows import Dll, dll

IMPORTS = {"KERNEL32.dll": ["Sleep", "Beep"], "inner.dll": ["one", "two"], "outer.dll": ["three"]}
RICH = Dll(imports=IMPORTS, delayed={"late.dll": ["later"]}, forwards={"also": "other.thing", "more": "third.x"})


def test_sound_images_have_no_problems() -> None:
    for image in (Dll(), RICH, Dll(certificate=b"signed!!", overlay=b"x"), Dll(bound=True, load_flags=0x800)):
        assert binary_edits.layout_problems(dll(image)) == ()


@pytest.mark.parametrize(
    ("at", "value", "what"),
    [
        (24 + 64, 1, "checksum is 0x1"),
        (24 + 56, 0x1000, "image is said to take 0x1000 bytes"),
        (24 + 60, 0x40, "headers are said to have 64 bytes"),
        (24 + 112 + 8 * 3, 0x700000, "exceptions at the address 0x700000"),
        (24 + 240 + 40 + 12, 0x1800, "section .rdata begins at the address 0x1800"),
        (24 + 240 + 40 + 20, 0x900000, "section .rdata ends behind the file"),
    ],
)
def test_structural_faults_are_named(at, value, what) -> None:
    data = bytearray(dll(Dll(imports=IMPORTS)))
    struct.pack_into("<I", data, 0x80 + at, value)
    if at == 24 + 112 + 8 * 3:
        struct.pack_into("<I", data, 0x80 + at + 4, 12)
    assert any(what in problem for problem in binary_edits.layout_problems(bytes(data)))
