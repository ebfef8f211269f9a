"""What ELF files demand of a Linux."""

from __future__ import annotations

from dataclasses import replace

from mamba_press.types import Edits, Resolved
from tests.support.compile import shared_library
from tests.support.tagging import EXTENSION, elf, own_library, record, refusal, tagged

# --- what a library of the system keeps to itself ---


def with_zlib(tmp_path, symbol, where="system"):
    """An extension that takes a symbol and needs libz.so.1, which is the system's or the wheel's."""
    source = f"extern int {symbol}(void); int call(void) {{ return {symbol}(); }}"
    module = elf(EXTENSION, source=shared_library(tmp_path / "z.so", source).read_bytes())
    link = Resolved(needed="libz.so.1", where=where, path="lib/libz.so.1" if where == "wheel" else None)
    return replace(module, links=(link,))


def test_a_symbol_that_the_systems_zlib_keeps_to_itself_is_refused(tmp_path):
    (problem,) = refusal([with_zlib(tmp_path, "zcalloc")], [record()]).problems
    assert str(problem) == (
        f"{EXTENSION}: pkg uses zcalloc of libz.so.1, which the system's library does not offer\n"
        "  let the wheel have its own libz.so.1: name its conda package in tool.mamba-press.packages, and leave "
        "it out of link.system"
    )


def test_a_symbol_that_zlib_offered_later_raises_the_tag(tmp_path):
    tagging = tagged([with_zlib(tmp_path, "crc32_combine_gen")], [record()])
    assert tagging.lowest == "manylinux_2_37_x86_64"
    assert (tagging.floors[0].library, tagging.floors[0].symbol) == ("libz.so.1", "crc32_combine_gen")


def test_what_the_wheels_own_zlib_has_is_none_of_the_systems(tmp_path):
    assert tagged([with_zlib(tmp_path, "zcalloc", "wheel")], [record()]).lowest == "manylinux_2_5_x86_64"


def test_a_symbol_that_another_library_of_the_wheel_has_is_not_taken_from_the_systems(tmp_path):
    module = with_zlib(tmp_path, "zcalloc")
    link = Resolved(needed="libmine.so", where="wheel", path="lib/libmine.so")
    module = replace(module, links=(*module.links, link))
    mine = elf("pkg/_prefix/lib/libmine.so", source=own_library(tmp_path, "libmine.so", "zcalloc"))
    assert tagged([module, mine], [record()]).lowest == "manylinux_2_5_x86_64"


# --- the stack ---


def test_a_library_that_needs_an_executable_stack_is_refused_unless_the_mark_is_taken_away():
    made = elf("pkg/_prefix/lib/libasm.so")
    made = replace(made, binary=replace(made.binary, execstack=True))
    error = refusal([made])
    assert "glibc 2.41" in str(error)
    assert 'clear-execstack = ["libasm.so"]' in str(error)
    assert tagged([replace(made, edits=Edits(clear_execstack=True))]).lowest == "manylinux_2_5_x86_64"
    in_program = replace(made, binary=replace(made.binary, kind="program"))
    assert tagged([in_program]).lowest == "manylinux_2_5_x86_64"
