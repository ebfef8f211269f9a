"""The export trie and the unwind information."""

from __future__ import annotations

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.types import Edits
from tests.support.binaries import objdump
from tests.support.macho import (
    PAGE,
    Dylib,
    dylib,
)

LONG = "@loader_path/" + "deep/" * 120


def test_unwind_information_moves_with_the_code(tmp_path) -> None:
    data = dylib(Dylib(room=40))
    result = binary_edits.apply(data, Edits(search=(LONG,), sign=True))
    code = data.index(b"\xc0\x03\x5f\xd6")
    before, after = (objdump(tmp_path, each, "--unwind-info") for each in (data, result))
    assert f"function offset={code:#010x}" in before
    assert f"function offset={code + PAGE:#010x}" in after
    assert f"[1]: {PAGE:#010x}" in before
    assert f"[1]: {2 * PAGE:#010x}" in after


def test_symbol_that_the_export_trie_has_twice_is_malformed_where_the_trie_is_written_anew() -> None:
    from mamba_press.platforms.macos.macho_layout import build_trie

    with pytest.raises(Malformed, match=r"^the export trie has a symbol twice$"):
        build_trie([("one", b"\0\1"), ("one", b"\0\2")])
