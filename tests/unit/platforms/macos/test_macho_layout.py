"""What moves where room is made for load commands: pointers, chains, symbols, tables that outgrow their place."""

from __future__ import annotations

import struct

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.macos import macho, macho_layout, macho_tables
from mamba_press.types import Edits
from tests.support.binaries import changed
from tests.support.macho import PAGE, PROGRAM, Dylib, dylib

INTEL = Dylib(arch="x86_64", room=40)
TOOL = Dylib(arch="x86_64", kind=PROGRAM, name=None, room=40)
WIDE = Edits(search=("@loader_path/" + "deep/" * 120,))


def image(data: bytes) -> macho.Image:
    return macho.images(data)[0]


def widened(data: bytes) -> bytes:
    return macho_layout.widen(image(data), 64)


def refusal(data: bytes) -> str:
    with pytest.raises(Malformed) as raised:
        widened(data)
    return str(raised.value)


def command(data: bytes, kind: int) -> int:
    (found,) = image(data).of(kind)
    return found.offset


def added(data: bytes, content: bytes) -> bytes:
    """The slice with one more load command, in the room behind the others."""
    old = image(data)
    assert old.commands_end + len(content) <= macho.room(old).available
    data = changed(data, 16, struct.pack("<2I", old.command_count + 1, old.commands_size + len(content)))
    return changed(data, old.commands_end, content)


def code_of(data: bytes) -> int:
    return data.index(b"\xc0\x03\x5f\xd6")


# --- pointers that dyld rebases


def filled(data: bytes, value: int) -> bytes:
    """The slice with the same pointer everywhere in __DATA."""
    return changed(data, PAGE, struct.pack("<Q", value) * (PAGE // 8))


def with_rebases(data: bytes, opcodes: bytes) -> bytes:
    at = command(data, 0x80000022)
    return changed(data, at + 8, struct.pack("<2I", len(data), len(opcodes))) + opcodes


def rebased(opcodes: bytes, what: Dylib = INTEL) -> dict[int, int]:
    """The words of __DATA that have changed where it is full of pointers to code, and what they are."""
    data = dylib(what)
    value = what.base + code_of(data)
    result = widened(with_rebases(filled(data, value), opcodes))
    words = struct.unpack_from(f"<{PAGE // 8}Q", result, 2 * PAGE)
    return {8 * number: word - value for number, word in enumerate(words) if word != value}


SEGMENT = b"\x11\x21"
"""Pointers, in segment 1: __DATA."""


@pytest.mark.parametrize(
    ("opcodes", "places"),
    [
        (SEGMENT + b"\x00\x53\x00", [0, 8, 16]),
        (SEGMENT + b"\x90\x01\x51", [144]),
        (SEGMENT + b"\x10\x30\x08\x51", [24]),
        (SEGMENT + b"\x10\x30\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x01\x51", [8]),
        (SEGMENT + b"\x00\x43\x51\x42\x51", [24, 48]),
        (SEGMENT + b"\x00\x60\x02\x51", [0, 8, 16]),
        (SEGMENT + b"\x00\x70\x10\x70\x10\x51", [0, 24, 48]),
        (SEGMENT + b"\x00\x80\x03\x08\x51", [0, 16, 32, 48]),
        (SEGMENT + b"\x00\x51\x21\x00\x52\x00", [0, 8]),
        (SEGMENT + b"\xf8\x7f\x51", [PAGE - 8]),
    ],
    ids=["times", "far", "add", "back", "scaled", "times uleb", "one and add", "skipping", "twice", "last"],
)
def test_every_pointer_that_an_opcode_names_moves_once(opcodes, places) -> None:
    assert rebased(opcodes) == dict.fromkeys(places, PAGE)


def test_pointers_of_a_program_count_from_its_own_address() -> None:
    assert rebased(b"\x11\x22\x00\x52", TOOL) == {0: PAGE, 8: PAGE}


@pytest.mark.parametrize(
    "what", [INTEL, Dylib(arch="x86_64", kind=PROGRAM, name=None, room=40)], ids=["dylib", "program"]
)
def test_pointers_to_the_header_stay_and_those_to_the_first_content_move(what) -> None:
    data = dylib(what)
    first = macho.room(image(data)).available
    opcodes = bytes((0x20 | (2 if what.kind == PROGRAM else 1), 0, 0x53))
    data = changed(
        with_rebases(data, opcodes), PAGE, struct.pack("<3Q", what.base, what.base + first - 1, what.base + first)
    )
    found = struct.unpack_from("<3Q", widened(data), 2 * PAGE)
    assert found == (what.base, what.base + first - 1, what.base + first + PAGE)


@pytest.mark.parametrize(
    ("opcodes", "said"),
    [
        (b"\x90", "the rebase opcode 0x90 is not known"),
        (b"\x51", "a rebase names no pointer"),
        (b"\x20\x00\x51", "pointers in segment 0 cannot be moved"),
        (b"\x29\x00\x51", "pointers in segment 9 cannot be moved"),
        (b"\x23\x00\x51", "pointers in segment 3 cannot be moved"),
        (SEGMENT + b"\xf9\x7f\x51", "a pointer at 0x3ff9 is not in __DATA"),
    ],
)
def test_pointers_that_are_nowhere_are_refused(opcodes, said) -> None:
    assert refusal(with_rebases(dylib(INTEL), opcodes)) == said


# --- pointers in chains

CHAINS = Dylib(arch="x86_64", room=40, fixups="chains")


def chained(data: bytes, *starts: int, kind: int = 6, page: int = 0x1000, count: int = 3) -> bytes:
    """The slice with chains that begin at these places of the pages of __DATA."""
    pages = struct.pack(f"<I2HQIH{len(starts)}H", 22 + 2 * len(starts), page, kind, PAGE, 0, len(starts), *starts)
    blob = struct.pack("<7I", 0, 32, 0, 0, 0, 1, 0).ljust(32, b"\0") + struct.pack("<4I", count, 0, 16, 0) + pages
    return changed(data, command(data, 0x80000034) + 8, struct.pack("<2I", len(data), len(blob))) + blob


@pytest.mark.parametrize(("kind", "base"), [(6, 0), (2, 0x100000000)], ids=["from the header", "addresses"])
def test_chains_are_followed_and_what_points_into_the_slice_moves(kind, base) -> None:
    what = Dylib(
        arch="x86_64", kind=PROGRAM if base else 6, name=None if base else "@rpath/x.dylib", room=40, fixups="chains"
    )
    data = dylib(what)
    code = base + code_of(data)
    words = {
        0x10: 0x7F << 36 | code | 2 << 51,  # the next one is 8 bytes behind it
        0x18: 1 << 63 | 5 | 3 << 51,  # bound to a symbol; 12 bytes
        0x24: base | 0 << 51,  # the header
        0x2010: code + 4 | (PAGE - 8 - 0x2010) // 4 << 51,
        PAGE - 8: code + 8,  # the last one of the segment
    }
    for at, word in words.items():
        data = changed(data, PAGE + at, struct.pack("<Q", word))
    count, offsets = (4, (0, 0, 20, 0)) if base else (3, (0, 16, 0))
    pages = struct.pack("<I2HQIH3H", 28, 0x1000, kind, PAGE, 0, 3, 0x10, 0xFFFF, 0x10)
    blob = (
        struct.pack("<7I", 0, 32, 0, 0, 0, 1, 0).ljust(32, b"\0")
        + struct.pack(f"<{1 + count}I", count, *offsets)
        + pages
    )
    data = changed(data, command(data, 0x80000034) + 8, struct.pack("<2I", len(data), len(blob))) + blob
    result = widened(data)
    moved = {0x10: PAGE, 0x2010: PAGE, PAGE - 8: PAGE}
    expected = {at: word + moved.get(at, 0) for at, word in words.items()}
    assert {at: struct.unpack_from("<Q", result, 2 * PAGE + at)[0] for at in words} == expected
    assert result[-len(pages) :] == pages[:8] + struct.pack("<Q", 2 * PAGE) + pages[16:]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"starts": (PAGE - 7,), "page": 0x4000}, "a chain of pointers leaves __DATA"),
        ({"starts": (0x8000,)}, "a page has more than one chain, which no 64-bit linker writes"),
        ({"starts": (0,), "kind": 1}, "pointers of kind 1 cannot be moved"),
        ({"starts": (0,), "count": 4}, "the chained fixups speak of 4 segments"),
    ],
)
def test_chains_that_cannot_be_followed_are_refused(change, said) -> None:
    starts = change.pop("starts")
    assert refusal(chained(dylib(CHAINS), *starts, **change)) == said


def test_pointers_of_a_segment_that_is_not_in_the_file_are_refused() -> None:
    data = chained(dylib(CHAINS), 0)
    segment = image(data).segments[1]
    for offset in (len(data) - segment.file_size + 1, 1 << 63):
        broken = changed(data, segment.command + 40, struct.pack("<Q", offset))
        assert refusal(broken) == "pointers in segment 1 cannot be moved"


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (7, "the chained fixups end inside their header"),
        (35, "the chained fixups end early"),
        (47, "the chained fixups end early"),
        (69, "the chained fixups end early"),
        (71, "the chained fixups end early"),
    ],
)
def test_chained_fixups_that_end_early_are_refused(size, said) -> None:
    data = chained(dylib(CHAINS), 0xFFFF)
    assert widened(data)
    at = command(data, 0x80000034)
    assert refusal(changed(data, at + 12, struct.pack("<I", size))) == said


# --- load commands, symbols, distances


def test_relocations_of_the_oldest_kind_are_refused() -> None:
    data = dylib(INTEL)
    said = "room cannot be made before relocations of the oldest kind"
    for place in (68, 76):
        assert refusal(changed(data, command(data, 0xB) + place, b"\1")) == said


def test_short_table_of_symbols_has_no_relocations() -> None:
    data = dylib(Dylib(arch="x86_64", room=200))
    old = image(data)
    contents = [old.content(each) for each in old.commands]
    at = next(number for number, each in enumerate(contents) if each[:4] == b"\x0b\0\0\0")
    contents[at] = contents[at][:4] + struct.pack("<I", 64) + contents[at][8:64]
    joined = b"".join(contents)
    data = data[:20] + struct.pack("<I", len(joined)) + data[24:32] + joined + bytes(16) + data[old.commands_end :]
    assert len(widened(data)) == len(data) + PAGE


def test_routine_that_initialises_moves_with_the_code() -> None:
    data = added(dylib(Dylib(arch="x86_64", room=200)), struct.pack("<2I8Q", 0x1A, 72, 0x800, *(0,) * 7))
    at = command(data, 0x1A)
    assert widened(data)[at + 8 : at + 16] == struct.pack("<Q", 0x800 + PAGE)


def test_symbols_without_an_address_keep_their_value() -> None:
    data = dylib(INTEL)
    code = code_of(data)
    place = data.index(struct.pack("<BBHQ", 0x24, 1, 0, code))
    for kind, section, by in (
        (0x24, 1, PAGE),
        (0x24, 0, 0),
        (0x64, 1, 0),
        (0x26, 1, PAGE),
        (0x0E, 1, PAGE),
        (0x02, 1, 0),
    ):
        result = widened(changed(data, place, bytes((kind, section))))
        assert struct.unpack_from("<Q", result, place + PAGE + 4) == (code + by,), hex(kind)


def test_initialisers_move_and_what_follows_them_stays() -> None:
    data = dylib(Dylib(arch="x86_64", room=40, text=struct.pack("<2I", 0x3000, 0x3000)))
    code = code_of(data)
    place = data.index(struct.pack("<2I", code, code + 4) + struct.pack("<I", 0x3000))
    found = struct.unpack_from("<4I", widened(data), place + PAGE)
    assert found == (code + PAGE, code + 4 + PAGE, 0x3000, 0x3000)


def test_data_in_code_moves_with_it() -> None:
    data = dylib(Dylib(arch="x86_64", room=60))
    entries = struct.pack("<IHHIHHI", 0x900, 4, 1, 0x910, 8, 1, 0x920)
    result = widened(added(data, struct.pack("<4I", 0x29, 16, len(data), len(entries))) + entries)
    assert result[-20:] == struct.pack("<IHHIHHI", 0x900 + PAGE, 4, 1, 0x910 + PAGE, 8, 1, 0x920)


# --- tables that outgrow their place


def with_size(data: bytes, says: int, size: int) -> bytes:
    """The slice in which a table of __LINKEDIT has a size, and so no room to grow."""
    return changed(data, says + 4, struct.pack("<I", size))


def tight(what: Dylib) -> bytes:
    """A slice whose tables of exports and of functions cannot grow where they are."""
    data = dylib(what)
    exports = command(data, 0x80000033) + 8 if what.fixups == "chains" else command(data, 0x80000022) + 40
    trie = macho_tables.build_trie([("_value", b"\0" + macho_tables.uleb_bytes(code_of(data)))])
    (place,) = struct.unpack_from("<I", data, exports)
    data = with_size(changed(data, place, trie), exports, len(trie))
    return with_size(data, command(data, 0x26) + 8, 2)


def functions(data: bytes) -> int:
    place, size = struct.unpack_from("<2I", data, command(data, 0x26) + 8)
    return macho_tables.uleb(data[place : place + size], 0)[0]


def exported(data: bytes) -> dict[str, int]:
    return {export.name: export.value for export in image(data).exports()}


@pytest.mark.parametrize("fixups", ["opcodes", "chains"])
def test_tables_that_outgrow_their_place_stand_behind_all_others(fixups) -> None:
    what = Dylib(arch="x86_64", room=40, fixups=fixups)
    data = tight(what)
    result = binary_edits.apply(data, WIDE)
    code = code_of(data)
    assert functions(result) == code + PAGE
    assert exported(result) == {"_value": code + PAGE}
    assert binary_edits.layout_problems(result) == ()
    place, size = struct.unpack_from("<2I", result, command(result, 0x26) + 8)
    assert (place, size) == (-(-(len(data) + PAGE) // 8) * 8, 8)
    exports = image(result).exports_part()
    assert exports is not None
    assert exports.offset == place + 8
    assert exports.size % 8 == 0
    assert len(result) == -(-(exports.offset + exports.size) // 16) * 16
    linkedit = image(result).segment("__LINKEDIT")
    assert linkedit is not None
    assert (linkedit.file_end, linkedit.memory_size) == (len(result), PAGE)


@pytest.mark.parametrize(("arch", "page"), [("x86_64", 0x1000), ("arm64", 0x4000)])
def test_segment_of_the_tables_grows_by_whole_pages_in_memory(arch, page) -> None:
    data = tight(Dylib(arch=arch, room=40))
    linkedit = image(data).segment("__LINKEDIT")
    assert linkedit is not None
    data = changed(data, linkedit.command + 32, struct.pack("<Q", linkedit.file_size))
    grown = image(widened(data)).segment("__LINKEDIT")
    assert grown is not None
    assert (grown.memory_size, grown.file_size > linkedit.file_size) == (page, True)


def test_tables_take_the_place_of_the_signature_which_is_made_anew_behind_them() -> None:
    data = binary_edits.apply(tight(Dylib(room=60)), Edits(sign=True))
    result = binary_edits.apply(data, WIDE)
    assert functions(result) == code_of(data) + PAGE
    assert binary_edits.layout_problems(result) == ()
    place, size = struct.unpack_from("<2I", widened(data), command(data, 0x1D) + 8)
    assert (place % 16, size, len(widened(data))) == (0, 0, place)


def test_table_cannot_grow_where_something_follows_the_last_segment() -> None:
    assert refusal(tight(INTEL) + bytes(16)) == "the slice does not end with __LINKEDIT"
    assert len(widened(dylib(INTEL) + bytes(16))) == len(dylib(INTEL)) + 16 + PAGE


def test_table_that_just_fits_stays_in_its_place() -> None:
    data = dylib(INTEL)
    at = command(data, 0x26) + 8
    exact = with_size(data, at, 4)
    assert len(widened(exact)) == len(exact) + PAGE
    assert functions(widened(exact)) == code_of(data) + PAGE
    assert len(widened(with_size(data, at, 3))) > len(exact) + PAGE


def test_functions_behind_the_first_are_told_from_one_another_and_stay() -> None:
    data = dylib(INTEL)
    place, size = struct.unpack_from("<2I", data, command(data, 0x26) + 8)
    first = macho_tables.uleb_bytes(code_of(data))
    result = widened(changed(data, place, first + b"\x20\x0a"))
    moved = macho_tables.uleb_bytes(code_of(data) + PAGE)
    assert result[place + PAGE : place + PAGE + size] == (moved + b"\x20\x0a").ljust(size, b"\0")
    empty = widened(changed(data, place, bytes(size)))
    assert empty[place + PAGE : place + PAGE + size] == bytes(size)
