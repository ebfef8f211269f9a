from __future__ import annotations

import struct

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.platforms.binary_format import Malformed
from mamba_press.types import Edits

TEXT = b"#!/bin/sh\necho text\n"


def test_what_is_no_binary_cannot_be_edited() -> None:
    with pytest.raises(Malformed, match=r"^what is no binary cannot be edited$"):
        binary_edits.apply(TEXT, Edits(search=("$ORIGIN",)))


def test_a_number_that_does_not_fit_where_it_belongs_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(binary_edits._EDIT, "elf", lambda data, edits: struct.pack("<I", 1 << 32))
    with pytest.raises(Malformed, match=r"^a number does not fit where it belongs: "):
        binary_edits.apply(b"\x7fELF", Edits())


def test_what_is_no_binary_has_no_signature_takes_nothing_and_has_no_structure() -> None:
    assert binary_edits.unsigned(TEXT) == TEXT
    assert binary_edits.taken(TEXT, "liba.dylib") == frozenset()
    assert binary_edits.layout_problems(TEXT) == ()
