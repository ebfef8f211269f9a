"""What is to change in a binary, by itself."""

from __future__ import annotations

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.types import Edits
from tests.support.elf import elf
from tests.support.macho import Dylib, dylib
from tests.support.windows import Dll, dll


@pytest.mark.parametrize(
    "data", [elf({"strings": b"\0\0"}, []), dylib(Dylib(search=("@loader_path",))), dll(Dll(load_flags=0x800))]
)
def test_edits_that_say_nothing_change_nothing(data):
    assert binary_edits.apply(data, Edits()) == data
