"""Where new names go in PE images, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.windows import pe, pe_layout
from mamba_press.types import Edits
from tests.support.differences import differences
from tests.support.windows import Dll, dll

IMPORTS = {"KERNEL32.dll": ["Sleep", "Beep"], "inner.dll": ["one", "two"], "outer.dll": ["three"]}
DELAYED = {"late.dll": ["later"]}
FORWARDS = {"also": "other.thing", "more": "third.x"}
FULL = {"slack": False, "header_room": False}


def renames(number: int, *names: str) -> Edits:
    return Edits(needed=tuple((name, f"{name.partition('.')[0]}-{number:08x}.dll") for name in names))


ALL = renames(0x123, "inner.dll", "late.dll", "other.dll")
LONG = Edits(needed=(("inner.dll", "i" * 300 + ".dll"),))
LONGER = Edits(needed=(("i" * 300 + ".dll", "j" * 700 + ".dll"),))
SHORT = Edits(needed=(("j" * 700 + ".dll", "inner-00000123.dll"),))


def with_debug(data: bytes) -> bytes:
    """The image with two records of debugging data: one lies where the sections begin in the file, one behind."""
    section = pe.Image(data).sections[1]
    at = section.offset + section.raw_size - 64
    records = struct.pack("<2I2H4I", 0, 0, 0, 0, 2, 16, 0, 0x400) + struct.pack("<2I2H4I", 0, 0, 0, 0, 2, 16, 0, 0x600)
    data = data[:at] + records + data[at + len(records) :]
    where = struct.pack("<2I", section.address + at - section.offset, len(records))
    place = struct.unpack_from("<I", data, 60)[0] + 24 + 112 + 8 * 6
    return data[:place] + where + data[place + 8 :]


def changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


def with_symbols(data: bytes) -> bytes:
    """The image with a table of symbols behind its sections, as MinGW writes one, and lines of the second section."""
    data = changed(data + b"symbols!" * 4, struct.unpack_from("<I", data, 60)[0] + 12, len(data))
    return changed(data, pe.Image(data).sections[1].header + 28, len(data) - 16)


def short() -> bytes:
    """An image whose last section has fewer bytes than a piece of the file, and so has the file."""
    data = dll(Dll(imports=IMPORTS, slack=False, checksum=False))
    section = pe.Image(data).sections[-1]
    return changed(data, section.header + 16, 0x48)[: section.offset + 0x48]


def edited(data: bytes, *edits: Edits) -> bytes:
    for each in edits:
        data = binary_edits.apply(data, each)
        assert binary_edits.layout_problems(data) == ()
    return data


CASES: dict[str, tuple[bytes, tuple[Edits, ...]]] = {
    "slack": (dll(Dll(imports=IMPORTS, delayed=DELAYED)), (ALL,)),
    "slack-exports": (dll(Dll(imports=IMPORTS, delayed=DELAYED, forwards=FORWARDS)), (ALL,)),
    "slack-own-name": (dll(Dll(forwards=FORWARDS)), (Edits(name="value-0123abcd.dll"), ALL)),
    "slack-again": (dll(Dll(imports=IMPORTS)), (LONG, Edits(needed=(("i" * 300 + ".dll", "in.dll"),)))),
    "slack-outgrown": (
        dll(Dll(imports=IMPORTS)),
        (renames(0x123, "inner.dll"), Edits(needed=(("inner-00000123.dll", "i" * 300 + ".dll"),))),
    ),
    "slack-all-at-once": (
        dll(Dll(forwards=FORWARDS, imports=IMPORTS)),
        (Edits(name="value-0123abcd.dll", needed=(("other.dll", "other-0123abcd.dll"),)),),
    ),
    "section": (dll(Dll(imports=IMPORTS, delayed=DELAYED, slack=False)), (ALL,)),
    "section-exports": (dll(Dll(imports=IMPORTS, forwards=FORWARDS, slack=False)), (ALL,)),
    "section-grows": (dll(Dll(imports=IMPORTS, slack=False)), (LONG, LONGER)),
    "section-stays": (dll(Dll(imports=IMPORTS, slack=False)), (LONG, LONGER, SHORT)),
    "section-after-slack": (dll(Dll(imports=IMPORTS)), (LONG, LONGER)),
    "headers": (with_debug(dll(Dll(imports=IMPORTS, **FULL))), (ALL,)),
    "headers-small": (changed(dll(Dll(imports=IMPORTS, slack=False, checksum=False)), 0x80 + 24 + 60, 0x200), (ALL,)),
    "symbols": (with_symbols(dll(Dll(imports=IMPORTS, slack=False, checksum=False))), (LONG, LONGER)),
    "symbols-headers": (with_symbols(dll(Dll(imports=IMPORTS, checksum=False, **FULL))), (ALL,)),
    "short": (short(), (ALL,)),
    "headers-overlay": (dll(Dll(imports=IMPORTS, overlay=b"an archive", certificate=b"signed!!", **FULL)), (LONG,)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_bytes_of_an_edited_image_are_these(name, golden: Callable[[str, str], None]) -> None:
    data, edits = CASES[name]
    golden(f"pe-{name}.txt", differences(data, edited(data, *edits)))


def block(data: bytes) -> tuple[bytes, int, int] | None:
    found = pe_layout.own_block(pe.Image(data))
    return found and (found.section.name, found.start, found.size)


def test_the_block_of_an_earlier_edit_is_found_where_it_ends_its_section() -> None:
    data = dll(Dll(imports=IMPORTS))
    assert block(data) is None
    result = edited(data, ALL)
    start = result.index(pe_layout.MARK)
    assert block(result) == (b".rdata", start, len(data) - 0x200 - start)
    result = edited(dll(Dll(imports=IMPORTS, slack=False)), ALL)
    assert block(result) == (b".mamba", len(result) - 0x200, 0x200)


def test_a_mark_is_only_one_in_the_last_piece_of_a_section_and_at_a_multiple_of_eight() -> None:
    text = pe_layout.MARK + b"....." * 160
    assert block(dll(Dll(imports=IMPORTS, text=text))) is None
    section = pe.Image(data := dll(Dll(imports=IMPORTS))).sections[1]
    end = section.offset + section.raw_size
    for at, start in ((end - 24, end - 24), (end - 23, None), (end - 0x200, end - 0x200)):
        marked = data[:at] + pe_layout.MARK + data[at + 8 :]
        assert block(marked) == (start and (b".rdata", start, end - start)), end - at


def test_the_first_of_two_marks_begins_the_block() -> None:
    section = pe.Image(data := dll(Dll(imports=IMPORTS))).sections[1]
    end = section.offset + section.raw_size
    marked = data[: end - 32] + pe_layout.MARK + bytes(8) + pe_layout.MARK + data[end - 8 :]
    assert block(marked) == (b".rdata", end - 32, 32)


def test_a_section_that_is_only_called_like_ours_is_none_of_ours() -> None:
    data = dll(Dll(imports=IMPORTS, slack=False)).replace(b".data\0\0\0", b".mamba\0\0")
    assert block(data) is None


def sections(data: bytes) -> list[tuple[bytes, int, int]]:
    return [(each.name, each.offset, each.raw_size) for each in pe.Image(data).sections]


def test_a_section_of_ours_that_is_not_the_last_in_the_file_does_not_grow() -> None:
    data = edited(dll(Dll(imports=IMPORTS, slack=False)), LONG)
    header = data.index(b".rdata\0\0")
    broken = bytearray(data + bytes(0x200))
    offset = pe.Image(data).sections[1].offset
    size = pe.Image(data).sections[1].raw_size
    broken += data[offset : offset + size]
    struct.pack_into("<I", broken, header + 20, len(data) + 0x200)
    with pytest.raises(Malformed, match=r"^the section that an earlier edit added is not the last any more$"):
        pe_layout._room_in_section(broken, 0x2000)


def test_no_section_is_added_where_something_stands_behind_the_table_of_sections() -> None:
    data = bytearray(dll(Dll(imports=IMPORTS, **FULL)))
    image = pe.Image(data)
    end = image.sections_at + 40 * image.section_count
    assert end < 0x400
    data[end] = 1
    with pytest.raises(Malformed, match=r"^something stands behind the table of sections, so none can be added$"):
        binary_edits.apply(bytes(data), ALL)


def test_no_section_is_added_where_the_headers_would_reach_the_first_one_in_memory() -> None:
    for alignment in (0x200, 0x800):
        data = bytearray(dll(Dll(imports=IMPORTS, **FULL)))
        struct.pack_into("<I", data, struct.unpack_from("<I", data, 60)[0] + 24 + 36, alignment)
        assert pe_layout._make_header_room(data) == alignment
    struct.pack_into("<I", data := bytearray(dll(Dll(**FULL))), struct.unpack_from("<I", data, 60)[0] + 60, 0x1000)
    with pytest.raises(Malformed, match=r"^the headers have no room for another section$"):
        pe_layout._make_header_room(data)


def test_names_that_are_too_many_for_their_room_are_refused() -> None:
    data = bytearray(dll(Dll(imports=IMPORTS)))
    image = pe.Image(data)
    contents = pe_layout._Contents.of(image, {image.needed[0].pointer: "x" * 100}, moves_exports=False)
    section = image.sections[1]
    with pytest.raises(Malformed, match=r"^the names do not fit where they were to go$"):
        contents.write(data, pe_layout.Block(section=section, start=section.offset, size=contents.size - 1))


def test_the_headers_are_said_to_have_the_new_entry_of_the_table_of_sections() -> None:
    data, edits = CASES["headers-small"]
    assert struct.unpack_from("<I", edited(data, *edits), 0x80 + 24 + 60) == (0x400,)
    plain = dll(Dll(imports=IMPORTS, slack=False))
    assert struct.unpack_from("<I", edited(plain, ALL), 0x80 + 24 + 60) == (0x400,)
    exact = changed(plain, 0x80 + 24 + 60, 0x228)
    assert struct.unpack_from("<I", bytes(binary_edits.apply(exact, ALL)), 0x80 + 24 + 60) == (0x228,)


@pytest.mark.parametrize("name", ["symbols", "symbols-headers"])
def test_what_follows_the_sections_is_led_to_where_it_has_gone(name) -> None:
    result = edited(CASES[name][0], *CASES[name][1])
    (place,) = struct.unpack_from("<I", result, struct.unpack_from("<I", result, 60)[0] + 12)
    assert result[place : place + 32] == b"symbols!" * 4
    assert place + 32 == len(result)
    (lines,) = struct.unpack_from("<I", result, pe.Image(result).sections[1].header + 28)
    assert lines == place + 16
