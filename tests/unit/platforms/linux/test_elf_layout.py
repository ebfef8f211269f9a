"""Where tables and segments go in edited ELF files, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.linux import elf
from mamba_press.platforms.linux.elf_layout import Draft
from mamba_press.platforms.linux.elf_records import Section, Segment
from mamba_press.platforms.linux.elf_strings import Strings
from mamba_press.types import Edits
from tests.support import elf as written
from tests.support.binaries import changed, facts
from tests.support.differences import differences
from tests.support.elf import vernaux, verneed
from tests.support.elf_library import DATA_SHIFT, Library, library, strings

LONG = "$ORIGIN/../somewhere/else/that/is/rather/far/away.libs"
SEARCH = Edits(search=(LONG,))
BACK = Edits(search=("$ORIGIN/..",))
RENAMED = Edits(
    name="libouter-0123abcd.so.1",
    needed=(("libinner.so.1", "libinner-0123abcd.so.1"), ("libplain.so", "libplain-4567cdef.so")),
    search=(LONG,),
)
HALF = Edits(needed=(("libinner.so.1", None),))
NONE = Edits(needed=(("libinner.so.1", None), ("libplain.so", None)))
ONE = Edits(needed=(("libinner.so.1", "libone.so"), ("libplain.so", "libone.so")))
FULL = Library(search=False, spare=0)
"""There is no entry for a search path, and none to spare: the dynamic section has to move."""
LARGE = Library(zeros=0x20000)
"""Its .bss is too large to be written out: what does not fit goes into a segment of its own."""


def image(data: bytes) -> elf.Image:
    return elf.Image(data)


def segment_at(data: bytes, kind: int, last: bool = False) -> int:
    numbers = [number for number, each in enumerate(image(data).segments) if each.type == kind]
    return 64 + 56 * numbers[-1 if last else 0]


def edited(data: bytes, *edits: Edits) -> bytes:
    for each in edits:
        data = bytes(binary_edits.apply(data, each))
        assert binary_edits.layout_problems(data) == ()
    return data


CASES: dict[str, tuple[Library, tuple[Edits, ...]]] = {
    "strings-grow": (Library(), (SEARCH,)),
    "strings-again": (Library(), (SEARCH, BACK)),
    "all": (Library(), (RENAMED,)),
    "all-twice": (Library(), (RENAMED, replace(RENAMED, name="libother.so", needed=(), search=(LONG + "/x",)))),
    "no-spare-entry": (Library(spare=0), (SEARCH,)),
    "in-place": (Library(), (Edits(name="libother.so.1", search=("$ORIGIN",)),)),
    "dynamic-moves": (FULL, (SEARCH,)),
    "dynamic-moves-back": (FULL, (SEARCH, Edits(search=()))),
    "small-bss": (Library(zeros=100), (SEARCH,)),
    "large-bss": (LARGE, (RENAMED,)),
    "large-bss-again": (LARGE, (RENAMED, SEARCH, BACK)),
    "large-bss-dynamic": (replace(FULL, zeros=0x20000), (SEARCH,)),
    "free-slot": (replace(LARGE, free_slot=True), (SEARCH,)),
    "behind-hash": (replace(LARGE, behind=("hash", "symbols", "interp")), (SEARCH,)),
    "behind-code": (replace(LARGE, behind=("code",)), (SEARCH,)),
    "executable-data": (Library(flags=7), (SEARCH,)),
    "read-only-data": (replace(FULL, flags=4), (SEARCH,)),
    "read-only-strings": (Library(flags=4), (SEARCH,)),
    "tail": (Library(tail=b"data behind"), (SEARCH,)),
    "bare": (Library(sections=False), (RENAMED,)),
    "bare-large-bss": (replace(LARGE, sections=False), (RENAMED,)),
    "half": (Library(), (HALF,)),
    "none": (Library(), (NONE,)),
    "one": (Library(), (ONE,)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_bytes_of_an_edited_library_are_these(name, golden: Callable[[str, str], None]) -> None:
    what, edits = CASES[name]
    golden(f"elf-{name}.txt", differences(library(what), edited(library(what), *edits)))


@pytest.mark.parametrize("name", CASES)
def test_an_edited_library_has_the_symbols_and_tables_that_it_had(name) -> None:
    what, edits = CASES[name]
    data = library(what)
    result = edited(data, *edits)
    assert binaries.symbols(result) == binaries.symbols(data)
    before, after = image(data), image(result)
    for tag, size in before.lookup_tables().items():
        old, new = before.at(tag, size, ""), after.at(tag, size, "")
        assert result[new : new + size] == data[old : old + size], tag
    (dynamic,) = (each.address for each in after.segments if each.type == elf.PT_DYNAMIC)
    assert struct.unpack_from("<Q", result, before.tags[elf.DT_PLTGOT] - DATA_SHIFT) == (dynamic,)


# --- which segment grows


def added(what: Library) -> bool:
    """Whether an edit needs a segment of its own."""
    data = library(what)
    loads = [[each.type for each in image(file).segments].count(elf.PT_LOAD) for file in (data, edited(data, SEARCH))]
    return loads[1] > loads[0]


@pytest.mark.parametrize(
    ("what", "is_added"),
    [
        (Library(zeros=0x10000), False),
        (Library(zeros=0x10001), True),
        (Library(zeros=0x10001, comment=bytes(0x10001 * 50)), False),
        (Library(flags=7), True),
        (Library(flags=4), True),
        (Library(flags=4, tail=bytes(16)), False),
        (replace(FULL, flags=4), True),
        (FULL, False),
    ],
    ids=[
        *("zeros", "more zeros", "in a large file", "executable", "read-only with a dynamic section at its end"),
        *("read-only", "read-only and the dynamic section moves", "the dynamic section moves"),
    ],
)
def test_the_last_segment_grows_where_that_moves_nothing(what, is_added) -> None:
    assert added(what) == is_added


def test_a_segment_does_not_grow_over_what_follows_it_in_the_file() -> None:
    data = library(Library())
    note = segment_at(data, elf.PT_NOTE)
    behind = data + bytes(-len(data) % 4) + data[0x200:0x220]
    moved = changed(behind, note + 8, struct.pack("<3Q", len(behind) - 32, 0, 0))
    result = bytes(binary_edits.apply(moved, SEARCH))
    assert [each.type for each in image(result).segments].count(elf.PT_LOAD) == 3


def test_a_section_with_an_address_behind_the_last_segment_keeps_it_from_growing() -> None:
    data = library(Library())
    number = next(n for n, each in enumerate(image(data).sections) if each.flags == 0x30)
    at = image(data).header.sections_at + 64 * number + 8
    result = bytes(binary_edits.apply(changed(data, at, struct.pack("<Q", 2)), SEARCH))
    assert [each.type for each in image(result).segments].count(elf.PT_LOAD) == 3


def test_a_file_without_a_loaded_segment_cannot_be_edited() -> None:
    data = written.elf({"strings": b"\0liba.so\0"}, [(written.SONAME, 1)])
    found = image(data)
    draft = Draft(found)
    draft.segments = [each._replace(type=elf.PT_NOTE) for each in draft.segments]
    with pytest.raises(Malformed, match=r"^no segment is loaded$"):
        draft.write_tables([], Strings(found, [], []))


# --- what is written out, and what moves with the file


def section(data: bytes, kind: int, flags: int) -> Section:
    (found,) = (each for each in image(data).sections if (each.type, each.flags) == (kind, flags))
    return found


def test_zeros_that_are_written_out_are_a_section_with_bytes() -> None:
    data = library(Library(zeros=100))
    result = edited(data, SEARCH)
    old = section(data, elf.SHT_NOBITS, 3)
    new = section(result, elf.SHT_PROGBITS, 3)
    assert (new.address, new.size, new.offset) == (old.address, 100, old.address - DATA_SHIFT)
    assert result[new.offset : new.offset + 100] == bytes(100)
    assert section(result, elf.SHT_NOBITS, 0x403).size == 8  # of threads: it is nowhere


def test_what_has_no_address_moves_behind_the_segment_and_keeps_its_bytes() -> None:
    data = library(Library(zeros=100))
    result = edited(data, SEARCH)
    for old, new in zip(image(data).sections, image(result).sections, strict=True):
        if not old.flags & elf.SHF_ALLOC and old.type:
            assert new.offset > old.offset
            assert (new.offset - old.offset) % 16 == 0
            assert result[new.offset : new.offset + new.size] == data[old.offset : old.offset + old.size]


@pytest.mark.parametrize("comment", [b"GCC", bytes(3), b"\1" + bytes(300)])
def test_bytes_between_the_segment_and_what_follows_are_kept(comment) -> None:
    data = library(Library(zeros=16, comment=comment))
    result = edited(data, SEARCH)
    found = section(result, 1, 0x30)
    assert result[found.offset : found.offset + found.size] == comment


def values(file: bytes) -> list[int]:
    """Those of the full table of symbols."""
    table = next(each for each in image(file).sections if each.type == elf.SHT_SYMTAB)
    return [each[4] for each in struct.iter_unpack("<IBBHQQ", file[table.offset : table.offset + table.size])]


def test_the_symbol_at_the_start_of_a_moved_section_moves_and_no_other_one() -> None:
    data = library(FULL)
    result = edited(data, SEARCH)

    old, new = (image(file).segments[4].address for file in (data, result))
    assert old != new
    assert values(data)[:3] == [0, old, old + 16]
    assert values(result) == [0, new, old + 16, values(data)[3]]


def test_the_symbol_of_a_table_that_makes_room_for_a_program_header_moves_with_it() -> None:
    result = edited(library(LARGE), SEARCH)
    (note,) = (each for each in image(result).segments if each.type == elf.PT_NOTE)
    assert note.address != image(library(LARGE)).segments[5].address
    assert values(result)[3] == note.address


def test_the_first_word_of_the_offset_table_is_only_written_where_it_leads_to_the_dynamic_section() -> None:
    data = library(FULL)
    address = image(data).tags[elf.DT_PLTGOT]
    other = changed(data, address - DATA_SHIFT, struct.pack("<Q", 7))
    assert struct.unpack_from("<Q", edited(other, SEARCH), address - DATA_SHIFT) == (7,)
    tags = image(data).dynamic
    place = image(data).segments[4].offset + 16 * [tag for tag, _ in tags].index(elf.DT_PLTGOT) + 8
    nowhere = changed(data, place, struct.pack("<Q", 0x700000))
    assert facts(edited(nowhere, SEARCH)).search == SEARCH.search


def test_an_old_table_is_cleared_unless_another_one_begins_in_it() -> None:
    data = library(Library())
    start, size = image(data).strings_at, image(data).strings_size
    assert edited(data, SEARCH)[start : start + size] == bytes(size)
    tags = [tag for tag, _ in image(data).dynamic]
    entry = image(data).segments[4].offset + 16 * tags.index(elf.DT_HASH)
    for at, is_kept in ((start - 1, False), (start, True), (start + size - 1, True), (start + size, False)):
        pointing = changed(data, entry, struct.pack("<QQ", elf.DT_RELA, at))
        kept = bytes(binary_edits.apply(pointing, SEARCH))[start : start + size]
        assert (kept == data[start : start + size]) == is_kept, at - start


# --- versions


def versions(data: bytes) -> list[tuple[bytes, list[tuple[int, bytes]]]]:
    found = image(data)
    return [
        (found.raw_string(each.file), [(one.number, found.raw_string(one.name)) for one in each.versions])
        for each in found.verneed
    ]


def test_the_needed_versions_of_a_library_that_leaves_leave_with_it() -> None:
    data = library(Library())
    assert versions(data) == [
        (b"libinner.so.1", [(2, b"INNER_1"), (3, b"INNER_2")]),
        (b"libplain.so", [(4, b"PLAIN_1")]),
    ]
    result = edited(data, HALF)
    assert versions(result) == [(b"libplain.so", [(4, b"PLAIN_1")])]
    at = image(result).tags[elf.DT_VERSYM]
    assert struct.unpack_from("<3H", result, at) == (0, 1, 1)
    table = section(result, elf.SHT_GNU_VERNEED, 2)
    assert (table.size, table.info) == (32, 1)
    assert result[table.offset + 32 : table.offset + 80] == bytes(48)


def test_a_hidden_version_of_a_library_that_leaves_is_none_either() -> None:
    data = library(Library())
    at = image(data).tags[elf.DT_VERSYM]
    result = edited(changed(data, at, struct.pack("<3H", 0, 0x8003, 0x8004)), HALF)
    assert struct.unpack_from("<3H", result, at) == (0, 1, 0x8004)


def test_needed_versions_that_share_their_records_cannot_be_written() -> None:
    data = library(Library())
    at, where = image(data).tags[elf.DT_VERNEED], strings()[1]
    names = (where["libinner.so.1"], where["libplain.so"], where["libplain.so"])
    records = verneed(*((1, name, 48 - 16 * n, 16 if n < 2 else 0) for n, name in enumerate(names)))
    shared = changed(data, at, records + vernaux((2, where["INNER_1"], 0)))
    tags = [tag for tag, _ in image(data).dynamic]
    count = image(data).segments[4].offset + 16 * tags.index(elf.DT_VERNEEDNUM) + 8
    with pytest.raises(Malformed, match=r"^the needed versions overlap$"):
        binary_edits.apply(changed(shared, count, b"\3"), RENAMED)


# --- headers


def test_program_headers_that_move_are_told_by_their_own_entry() -> None:
    result = edited(library(replace(LARGE, behind=("code",))), SEARCH)
    header = image(result).header
    (own,) = (each for each in image(result).segments if each.type == elf.PT_PHDR)
    assert header.segments_at == own.offset > 0x200
    assert own.file_size == own.memory_size == 56 * header.segment_count == 56 * 8
    (load,) = (each for each in image(result).segments if each.type == elf.PT_LOAD and each.offset == own.offset)
    assert own.address == own.physical == load.address


def test_a_segment_of_its_own_stands_behind_the_others_and_is_mapped_writable() -> None:
    data = library(LARGE)
    result = edited(data, SEARCH)
    loads = [each for each in image(result).segments if each.type == elf.PT_LOAD]
    types = [each.type for each in image(result).segments]
    assert types[2:5] == [elf.PT_LOAD] * 3
    new = loads[-1]
    assert (new.flags, new.align, new.address, new.file_size) == (6, 0x1000, new.physical, new.memory_size)
    assert new.offset % 16 == 0
    assert new.offset >= len(data)
    assert new.address == -(-loads[-2].end // 0x1000) * 0x1000 + new.offset % 0x1000
    assert new.file_end == len(result)


def test_more_program_headers_than_there_can_be_are_refused() -> None:
    draft = Draft(image(library(LARGE)))
    draft.segments = [draft.segments[2]] * 0xFFFE
    with pytest.raises(Malformed, match=r"^65534 program headers leave no room for another$"):
        draft._free_header_slot(0, 0)
    draft.segments.pop()
    draft.segments[0] = Segment(elf.PT_NULL, 0, 0, 0, 0, 0, 0, 0)
    assert draft._free_header_slot(0, 0) == b""


@pytest.mark.parametrize("field", [8, 16, 24], ids=["offset", "address", "physical"])
def test_a_segment_outside_of_everything_is_refused(field) -> None:
    data = library(Library())
    at = segment_at(data, elf.PT_NOTE)
    address = image(data).segments[5].address
    broken = changed(data, at + field, struct.pack("<Q", 1 << 62))
    shown = 1 << 62 if field == 16 else address
    with pytest.raises(Malformed, match=rf"^the segment at {shown:#x} lies outside the file or the address space$"):
        Draft(image(broken))
    last = 1 << 62 if field == 8 else (1 << 62) - 33
    if field != 8:
        Draft(image(changed(data, at + field, struct.pack("<Q", last))))
    if field == 16:
        with pytest.raises(Malformed, match="lies outside the file or the address space"):
            Draft(image(changed(data, at + field, struct.pack("<Q", (1 << 62) - 32))))


def test_an_empty_segment_may_lie_anywhere_in_the_file() -> None:
    data = library(Library())
    at = segment_at(data, elf.PT_NOTE)
    Draft(image(changed(data, at + 8, struct.pack("<6Q", 1 << 40, 0, 0, 0, 0, 4))))
    Draft(image(changed(data, at + 8, struct.pack("<Q", len(data) - 32))))
    with pytest.raises(Malformed):
        Draft(image(changed(data, at + 8, struct.pack("<Q", len(data) - 31))))


def test_a_file_whose_sections_cannot_be_read_says_that_it_has_none() -> None:
    data = changed(library(Library()), 40, struct.pack("<Q", 1 << 20))
    header = image(edited(data, SEARCH)).header
    assert (header.sections_at, header.section_count, header.section_names) == (0, 0, 0)


def test_a_dynamic_section_that_just_fits_stays() -> None:
    data = library(Library(spare=0))
    assert image(edited(data, SEARCH)).segments[4].file_size == image(data).segments[4].file_size
    tail = library(Library(spare=0, tail=bytes(16)))
    assert image(edited(tail, SEARCH)).segments[4] == image(tail).segments[4]


def test_a_section_outside_of_the_file_is_refused() -> None:
    data = library(Library())
    number = next(n for n, each in enumerate(image(data).sections) if each.flags == 0x30)
    at = image(data).header.sections_at + 64 * number
    size = image(data).sections[number].size
    said = f"^section {number} lies outside the file or the address space$"
    Draft(image(changed(data, at + 24, struct.pack("<Q", len(data) - size))))
    with pytest.raises(Malformed, match=said):
        Draft(image(changed(data, at + 24, struct.pack("<Q", len(data) - size + 1))))
    with pytest.raises(Malformed, match=said):
        Draft(image(changed(data, at + 16, struct.pack("<Q", 1 << 62))))
    Draft(image(changed(data, at + 16, struct.pack("<Q", (1 << 62) - 1))))
    nowhere = changed(data, at + 24, struct.pack("<Q", len(data)))
    Draft(image(changed(nowhere, at + 4, struct.pack("<I", elf.SHT_NOBITS))))
    Draft(image(changed(changed(data, at + 24, struct.pack("<Q", 1 << 40)), at + 4, bytes(4))))


def test_an_address_that_is_not_in_the_file_is_refused() -> None:
    draft = Draft(image(library(Library(zeros=100))))
    last = draft.segments[3]
    assert draft._offset(last.address) == last.offset
    assert draft._offset(last.address + last.file_size - 1) == last.file_end - 1
    for address in (last.address + last.file_size, last.address - 1, last.end):
        with pytest.raises(Malformed, match=rf"^address {address:#x} is not in the file$"):
            draft._offset(address)
