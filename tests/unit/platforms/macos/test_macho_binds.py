"""The numbers of libraries, by which symbols are bound."""

from __future__ import annotations

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.types import Edits
from tests.support.binaries import facts, objdump
from tests.support.macho import (
    LOAD,
    REEXPORT,
    WEAK,
    Dylib,
    dylib,
)

SYSTEM = "/usr/lib/libSystem.B.dylib"
TWO = ((SYSTEM, LOAD), ("@rpath/libinner.1.dylib", LOAD))
THREE = (*TWO, ("@rpath/liblast.dylib", LOAD))
FIXUPS = pytest.mark.parametrize("fixups", ["opcodes", "chains"])


@FIXUPS
def test_symbols_of_a_removed_library_are_looked_for_everywhere(fixups, tmp_path) -> None:
    data = dylib(Dylib(needed=THREE, fixups=fixups))
    result = binary_edits.apply(data, Edits(needed=(("@rpath/libinner.1.dylib", None),), sign=True))
    assert facts(result).needed == (SYSTEM, "@rpath/liblast.dylib")
    assert bound(result) == {"_from_1": SYSTEM, "_from_2": "-2", "_from_3": "@rpath/liblast.dylib"}
    assert binary_edits.layout_problems(result) == ()
    if fixups == "opcodes":
        lines = [line.split() for line in objdump(tmp_path, result, "--bind").splitlines()]
        assert {line[-1]: line[-2] for line in lines if line[:1] == ["__DATA"]} == {
            "_from_1": "libSystem",
            "_from_2": "flat-namespace",
            "_from_3": "liblast",
        }


@FIXUPS
def test_libraries_that_become_one_are_asked_for_once(fixups) -> None:
    data = dylib(
        Dylib(needed=(("@rpath/liba.dylib", WEAK), (SYSTEM, LOAD), ("@rpath/libb.dylib", LOAD)), fixups=fixups)
    )
    one = "@loader_path/libone.dylib"
    result = binary_edits.apply(data, Edits(needed=(("@rpath/liba.dylib", one), ("@rpath/libb.dylib", one)), sign=True))
    assert (facts(result).needed, facts(result).weak) == ((one, SYSTEM), ())
    assert bound(result) == {"_from_1": one, "_from_2": SYSTEM, "_from_3": one}


def test_ordinals_beyond_fifteen_are_written_in_as_many_bytes() -> None:
    needed = tuple((f"@rpath/lib{number}.dylib", LOAD) for number in range(20))
    result = binary_edits.apply(dylib(Dylib(needed=needed)), Edits(needed=(("@rpath/lib3.dylib", None),), sign=True))
    found = bound(result)
    assert (found["_from_4"], found["_from_5"], found["_from_20"]) == ("-2", "@rpath/lib4.dylib", "@rpath/lib19.dylib")


def test_symbols_that_are_passed_on_keep_their_library() -> None:
    needed = ((SYSTEM, LOAD), ("@rpath/liba.dylib", LOAD), ("@rpath/libb.dylib", REEXPORT))
    data = dylib(Dylib(needed=needed, reexports=(("_passed", 3),)))
    result = binary_edits.apply(data, Edits(needed=(("@rpath/liba.dylib", None),), sign=True))
    assert bound(result)["_passed"] == "@rpath/libb.dylib"
    with pytest.raises(Malformed, match="_passed is passed on from a library that is to be removed"):
        binary_edits.apply(data, Edits(needed=(("@rpath/libb.dylib", None),)))


def bound(data: bytes) -> dict[str, str]:
    """The library of each symbol, by what LIEF reads; -2 is any."""
    lief = pytest.importorskip("lief", reason="LIEF is what reads the result")
    lief.logging.disable()
    fat = lief.MachO.parse(data, lief.MachO.ParserConfig.deep)
    binary = fat.at(0)
    names = [each.name for each in binary.libraries if each.command != lief.MachO.LoadCommand.TYPE.ID_DYLIB]
    found = {each.symbol.name: _library(names, each.library_ordinal) for each in binary.bindings}
    for symbol in binary.symbols:
        if symbol.has_export_info and symbol.export_info.alias_library:
            found[symbol.name] = symbol.export_info.alias_library.name
        elif symbol.name in found:
            ordinal = symbol.description >> 8
            assert _library(names, ordinal - 256 if ordinal > 253 else ordinal) == found[symbol.name]
    return found


def _library(names: list[str], ordinal: int) -> str:
    return names[ordinal - 1] if ordinal > 0 else str(ordinal)
