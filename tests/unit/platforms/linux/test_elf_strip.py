"""Taking out of ELF files what no loader reads."""

from __future__ import annotations

import ctypes
import shutil
import struct
import subprocess

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.linux import elf as read_elf
from mamba_press.platforms.linux import elf_edit
from mamba_press.types import Edits
from tests.support import elf
from tests.support.compile import Linking, program, shared_library

SOURCE = """
static int hidden = 40; __thread int mine = 1; static char zeros[5000];
int answer(void) { return hidden + mine + zeros[7] + 1; }
"""
LONG = "$ORIGIN/" + "very/long/" * 30


@pytest.fixture
def library(tmp_path):
    return shared_library(tmp_path / "libx.so", SOURCE, Linking(soname="libx.so.1", flags=("-g",)))


def sections(path):
    text = subprocess.run(["readelf", "-SW", str(path)], capture_output=True, text=True, check=True)
    assert not text.stderr
    return {line.split("]")[1].split()[0] for line in text.stdout.splitlines() if "]" in line and "." in line}


def dynamic(path):
    command = ["readelf", "-W", "--dyn-syms", "-r", "-V", "-d", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_symbols_and_debugging_information_leave_and_all_that_is_loaded_stays(library, tmp_path):
    before = sections(library)
    assert {".symtab", ".debug_info"} <= before
    stripped = tmp_path / "stripped.so"
    stripped.write_bytes(elf_edit.strip(library.read_bytes()))
    left = before - sections(stripped)
    assert all(name.startswith(".debug") or name in (".symtab", ".strtab", ".comment") for name in left)
    assert {".symtab", ".debug_info"} <= left
    assert dynamic(stripped) == dynamic(library)
    assert stripped.stat().st_size < library.stat().st_size
    assert binary_edits.layout_problems(stripped.read_bytes()) == ()
    assert ctypes.CDLL(str(stripped)).answer() == 42


def test_a_file_with_strings_in_its_header_stays_as_it_is(library):
    data = library.read_bytes()
    image = read_elf.Image(data)
    dynamic = image.segment(read_elf.PT_DYNAMIC)
    entry = next(at for at in range(dynamic.offset, dynamic.file_end, 16) if data[at] == read_elf.DT_STRTAB)
    broken = bytearray(data)
    struct.pack_into("<Q", broken, entry + 8, 6)
    assert elf_edit.strip(bytes(broken)) == broken


def test_a_dynamic_section_that_is_not_said_to_be_loaded_keeps_its_header():
    tables = {"strings": b"\0", "data": bytes(64), "names": b"\0.data\0.dynamic\0.comment\0"}
    loaded, comment = (1, read_elf.SHF_ALLOC, "data", 1), (1, 0, "data", 16)
    broken = elf.elf(tables, [], sections=[loaded, (read_elf.SHT_DYNAMIC, 0, "dynamic", 7), comment])
    assert elf_edit.strip(broken) == broken
    sound = elf.elf(tables, [], sections=[loaded, (read_elf.SHT_DYNAMIC, read_elf.SHF_ALLOC, "dynamic", 7), comment])
    assert [section.type for section in read_elf.sections(elf_edit.strip(sound))] == [0, 1, 6, 3]


def test_where_a_section_without_a_type_lies_does_not_matter(library):
    data = library.read_bytes()
    whole, stripped = read_elf.Image(data), elf_edit.strip(data)
    broken = bytearray(data)
    first = whole.header.sections_at + read_elf.SECTION.size
    struct.pack_into("<I", broken, first + 4, 0)
    struct.pack_into("<Q", broken, first + 24, 2**64 - 8)
    assert len(elf_edit.strip(bytes(broken))) == len(stripped) < len(data)


def test_a_file_with_something_behind_its_end_stays_as_it_is(library):
    data = library.read_bytes()
    assert elf_edit.strip(data) != data
    assert elf_edit.strip(data + b"an archive") == data + b"an archive"


def test_stripping_twice_changes_nothing_more(library):
    once = elf_edit.strip(library.read_bytes())
    assert elf_edit.strip(once) == once


@pytest.mark.parametrize("tool", ["strip", "llvm-strip"])
def test_what_was_stripped_and_edited_survives_the_strip_of_others(library, tmp_path, tool):
    command = shutil.which(tool) or pytest.skip(f"{tool} is not on this machine")
    edited = tmp_path / f"{tool}.so"
    edited.write_bytes(
        binary_edits.apply(library.read_bytes(), Edits(strip=True, name="libx-01234567.so.1", search=(LONG,)))
    )
    assert ".symtab" not in sections(edited)
    subprocess.run([command, "-s", str(edited)], check=True)
    found = binaries.read(edited.read_bytes())
    assert found is not None
    assert (found.name, found.search) == ("libx-01234567.so.1", (LONG,))
    assert ctypes.CDLL(str(edited)).answer() == 42


def test_a_program_still_runs(tmp_path):
    path = program(tmp_path / "x", "int main(void) { return 42; }", Linking(flags=("-g",)))
    path.write_bytes(elf_edit.strip(path.read_bytes()))
    assert ".symtab" not in sections(path)
    assert subprocess.run([str(path)], check=False).returncode == 42


@pytest.mark.parametrize("flags", [("-c",), ()], ids=["an object file", "no section headers"])
def test_what_cannot_be_stripped_simply_stays_as_it_is(library, tmp_path, flags):
    data = library.read_bytes()
    if flags:
        compiler = shutil.which("gcc") or pytest.skip("gcc is not on this machine")
        subprocess.run(
            [compiler, *flags, "-x", "c", "-", "-o", str(tmp_path / "x.o")], input="int x;", text=True, check=True
        )
        data = (tmp_path / "x.o").read_bytes()
    else:
        data = data[:40] + bytes(8) + data[48:60] + bytes(4) + data[64:]
    assert elf_edit.strip(data) == data


def test_a_file_whose_segment_ends_behind_it_is_left_as_it_is():
    tables = {"strings": b"\0", "data": bytes(64), "names": b"\0.data\0.comment\0"}
    sections = [(1, 2, "data", 1), (1, 0, "data", 7)]
    data = bytearray(elf.elf(tables, [], segments=[(4, "data")], sections=sections))
    assert elf_edit.strip(bytes(data)) != data
    struct.pack_into("<Q", data, 64 + 3 * 56 + 8, 2**64 - 16)
    assert elf_edit.strip(bytes(data)) == data


def test_a_section_whose_name_has_no_end_is_malformed():
    tables = {"strings": b"\0", "data": bytes(64), "names": b"\0.data"}
    data = elf.elf(tables, [], sections=[(1, 2, "data", 1), (1, 0, "data", 1)])
    with pytest.raises(Malformed, match=r"^the name of a section at 0x1 of their names is not in them or has no end$"):
        elf_edit.strip(data)
