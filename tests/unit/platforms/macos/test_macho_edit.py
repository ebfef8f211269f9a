"""Where edited load commands come to stand, how slices move, and that every fault of an edit would be seen."""

from __future__ import annotations

import struct

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.macos import macho, macho_edit, macho_layout
from mamba_press.types import Edits
from tests.support.binaries import changed, facts, refusal
from tests.support.macho import BUNDLE, LOAD, OBJECT, PAGE, Dylib, dylib, universal

SYSTEM = "/usr/lib/libSystem.B.dylib"
THREE = ((SYSTEM, LOAD), ("@rpath/libinner.1.dylib", LOAD), ("@rpath/liblast.dylib", LOAD))
PLAIN = Dylib(arch="x86_64")
SEARCH = Edits(search=("@loader_path",))


def image(data: bytes) -> macho.Image:
    return macho.images(data)[0]


def commands(data: bytes) -> list[bytes]:
    found = image(data)
    return [found.content(command) for command in found.commands]


def with_commands(data: bytes, contents: list[bytes]) -> bytes:
    """The same slice with its load commands in another order, or with others that take no more room."""
    size = sum(map(len, contents))
    old = image(data)
    assert size <= macho.room(old).available - 32
    head = data[:16] + struct.pack("<2I", len(contents), size) + data[24:32] + b"".join(contents)
    return head + bytes(max(old.commands_end - len(head), 0)) + data[max(old.commands_end, len(head)) :]


def kinds(data: bytes) -> list[int]:
    return [command.type for command in image(data).commands]


# --- what is refused


@pytest.mark.parametrize(
    ("data", "edits", "said"),
    [
        (dylib(Dylib(arch="arm64e")), SEARCH, "not a 64-bit Mach-O file of a machine that can be edited"),
        (dylib(Dylib(kind=OBJECT, name=None)), SEARCH, "an object file has no names or search path to edit"),
        (
            dylib(Dylib(kind=BUNDLE, name=None)),
            Edits(name="x"),
            "a file that is no library has no install name to change",
        ),
    ],
)
def test_what_cannot_be_edited_is_refused(data, edits, said) -> None:
    assert refusal(data, edits) == said


def test_object_file_gets_no_signature() -> None:
    data = dylib(Dylib(kind=OBJECT, name=None))
    assert binary_edits.apply(data, Edits(sign=True)) is data


def test_load_commands_that_reach_into_a_section_are_refused() -> None:
    data = bytearray(dylib(PLAIN))
    struct.pack_into("<I", data, data.index(b"__text\0") + 48, 100)
    assert refusal(bytes(data), SEARCH) == "the load commands reach into what a section has"


def test_slice_in_which_no_room_was_made_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(macho_layout, "widen", lambda image, missing: bytes(image.data))
    said = refusal(dylib(Dylib(arch="x86_64", room=8)), SEARCH)
    assert said == "the load commands have no room, and none could be made"


# --- load commands


def test_new_search_path_stands_behind_the_libraries() -> None:
    data = dylib(PLAIN)
    assert kinds(data)[-3:] == [0x32, 0xC, 0x26]
    assert kinds(binary_edits.apply(data, SEARCH))[-4:] == [0x32, 0xC, 0x8000001C, 0x26]


def test_new_search_path_stands_behind_the_own_name_where_no_library_follows() -> None:
    data = dylib(Dylib(arch="x86_64", needed=()))
    at = kinds(data).index(0xD)
    assert kinds(binary_edits.apply(data, SEARCH)).index(0x8000001C) == at + 1


def test_new_search_path_stands_last_where_nothing_is_named() -> None:
    data = dylib(Dylib(arch="x86_64", kind=BUNDLE, name=None, needed=()))
    assert kinds(binary_edits.apply(data, SEARCH))[-2:] == [0x26, 0x8000001C]


def test_new_search_paths_stand_where_the_first_old_one_stood() -> None:
    old = commands(dylib(Dylib(arch="x86_64", search=("/a", "/b"))))
    paths = [each for each in old if each[:4] == struct.pack("<I", 0x8000001C)]
    others = [each for each in old if each not in paths]
    data = with_commands(
        dylib(Dylib(arch="x86_64", search=("/a", "/b"))), [*others[:5], paths[0], *others[5:], paths[1]]
    )
    assert facts(data).search == ("/a", "/b")
    result = binary_edits.apply(data, Edits(search=("/c", "/d")))
    assert facts(result).search == ("/c", "/d")
    expected = [int.from_bytes(each[:4], "little") for each in others]
    assert kinds(result) == [*expected[:5], 0x8000001C, 0x8000001C, *expected[5:]]


def test_command_of_a_library_that_keeps_its_name_keeps_every_byte() -> None:
    data = dylib(Dylib(arch="x86_64", needed=((SYSTEM + "\0" * 16, LOAD),)))
    (old,) = (each for each in commands(data) if each[:4] == struct.pack("<I", LOAD))
    assert old in commands(binary_edits.apply(data, SEARCH))


@pytest.mark.parametrize(("missing", "grows"), [(0, False), (8, True)])
def test_commands_that_just_fit_move_nothing_where_no_signature_is_added(missing, grows) -> None:
    size = -(-(12 + len("@loader_path") + 1) // 8) * 8
    data = dylib(Dylib(arch="x86_64", room=size - missing))
    assert (len(binary_edits.apply(data, Edits(search=("@loader_path",), sign=True))) > len(data)) == grows


def test_no_more_room_is_made_than_the_commands_need() -> None:
    data = dylib(Dylib(arch="x86_64", room=40))
    search = tuple(f"{number:03}{'x' * 481}" for number in range(30))
    result = binary_edits.apply(data, Edits(search=search))
    assert PAGE - 1000 < image(result).commands_end < PAGE
    assert len(result) == len(data) + PAGE


def test_room_behind_the_new_commands_is_empty() -> None:
    data = dylib(Dylib(arch="x86_64", search=("/opt/" + "long/" * 40,), room=0))
    result = binary_edits.apply(data, SEARCH)
    end = image(result).commands_end
    assert result[end : image(data).commands_end] == bytes(image(data).commands_end - end)
    assert image(data).commands_end - end > 100


# --- slices


def slices(data: bytes) -> list[tuple[str | None, int, int]]:
    return [(part.arch, part.offset, part.size) for part in macho.slices(data)]


GROWS = Edits(search=("@loader_path/" + "deep/" * 120,))


@pytest.mark.parametrize("wide", [False, True])
def test_universal_file_of_one_slice_keeps_its_header(wide) -> None:
    one = dylib(PLAIN)
    data = universal(one, wide=wide)
    result = binary_edits.apply(data, SEARCH)
    assert result[: data.index(one)] == data[: data.index(one)]
    assert result[data.index(one) :] == binary_edits.apply(one, SEARCH)


@pytest.mark.parametrize("wide", [False, True])
def test_slice_moves_to_its_next_own_boundary_behind_one_that_has_grown(wide) -> None:
    first, second = (dylib(Dylib(arch=arch, room=40)) for arch in ("x86_64", "arm64"))
    data = universal(first, second, align=12, wide=wide)
    result = binary_edits.apply(data, GROWS)
    new = [binary_edits.apply(each, GROWS) for each in (first, second)]
    start = slices(data)[0][1]
    behind = -(-(start + len(new[0])) // 4096) * 4096
    assert slices(result) == [("x86_64", start, len(new[0])), ("arm64", behind, len(new[1]))]
    assert result == result[:start] + new[0] + bytes(behind - start - len(new[0])) + new[1]


def test_slices_that_the_header_names_in_another_order_stay_in_the_order_of_the_file() -> None:
    first, second = (dylib(Dylib(arch=arch, room=40)) for arch in ("x86_64", "arm64"))
    data = universal(first, second)
    data = data[:8] + data[28:48] + data[8:28] + data[48:]
    assert [arch for arch, _, _ in slices(data)] == ["arm64", "x86_64"]
    result = binary_edits.apply(data, GROWS)
    places = {arch: offset for arch, offset, _ in slices(result)}
    assert places["x86_64"] == slices(data)[1][1] < places["arm64"]
    assert facts(result).search == GROWS.search


def test_universal_file_that_outgrows_its_numbers_is_refused() -> None:
    data = universal(dylib(PLAIN), dylib(Dylib()))
    parts = [part._replace(offset=place) for part, place in zip(macho.slices(data), (4096, 1 << 33), strict=True)]
    with pytest.raises(Malformed, match=r"^the universal file would be larger than 4 GiB$"):
        macho_edit._joined(data, parts, [b"", b""])


# --- faults of an edit


def test_slice_that_came_to_lie_elsewhere_is_seen(monkeypatch) -> None:
    joined = macho_edit._joined

    def shifted(data: bytes, parts: object, new: object) -> bytes:
        made = joined(data, parts, new)
        return made[:-1] + b"\1"

    monkeypatch.setattr(macho_edit, "_joined", shifted)
    said = refusal(universal(dylib(PLAIN), dylib(Dylib())), SEARCH)
    assert said == "after the edit, a slice is not where the universal header says"


def seen(before: bytes, after: bytes) -> str:
    """What is wrong with an edit that gave a search path."""
    with pytest.raises(Malformed) as raised:
        macho_edit._verify(image(before), image(after), facts(after))
    return str(raised.value)


def test_another_load_command_that_has_changed_is_seen() -> None:
    data = dylib(PLAIN)
    broken = changed(data, data.index(bytes(range(16))), b"\xff")
    assert seen(data, broken) == "after the edit, other load commands have changed"


def test_changed_byte_outside_of_the_load_commands_is_seen() -> None:
    data = dylib(PLAIN)
    for at in (data.index(b"\xc0\x03\x5f\xd6"), PAGE, len(data) - 1):
        said = seen(data, changed(data, at, bytes((data[at] ^ 1,))))
        assert said == "after the edit, bytes outside of the load commands have changed"


def test_new_numbers_of_libraries_are_no_changed_bytes() -> None:
    data = dylib(Dylib(arch="x86_64", needed=THREE))
    result = binary_edits.apply(data, Edits(needed=(("@rpath/libinner.1.dylib", None),)))
    macho_edit._verify(image(data), image(result), facts(result))


def test_signature_that_covers_less_is_seen() -> None:
    data = binary_edits.apply(dylib(Dylib()), Edits(sign=True))
    old = image(data)
    (command,) = old.of(0x1D)
    place, size = struct.unpack_from("<2I", data, command.offset + 8)
    shorter = changed(data, command.offset + 8, struct.pack("<2I", place - 16, size + 16))
    shorter = changed(shorter, place - 16, data[place : place + size])
    with pytest.raises(Malformed, match=r"^after the edit, the signature covers less than before$"):
        macho_edit._verify_in_place(old, image(shorter))


@pytest.mark.parametrize(
    ("at", "to", "said"),
    [
        ("__DATA", b"__DATB", "after the edit, the segments are others"),
        ("__unwind_info", b"__unwinx_info", "after the edit, the section __unwind_info has not moved by 0x4000"),
    ],
)
def test_segment_or_section_that_is_another_after_a_move_is_seen(at, to, said) -> None:
    data = dylib(Dylib(arch="x86_64", room=40))
    result = binary_edits.apply(data, GROWS)
    broken = changed(result, result.index(at.encode()), to)
    with pytest.raises(Malformed) as raised:
        macho_edit._verify_moved(image(data), image(broken), PAGE)
    assert str(raised.value) == said


def test_section_that_is_not_in_the_file_has_no_place_to_move() -> None:
    data = bytearray(dylib(Dylib(arch="x86_64", room=40)))
    struct.pack_into("<I", data, data.index(b"__cstring\0") + 48, 0)
    assert facts(binary_edits.apply(bytes(data), GROWS)).search == GROWS.search


def test_export_that_is_another_after_a_move_is_seen() -> None:
    data = dylib(Dylib(arch="x86_64", room=40))
    result = binary_edits.apply(data, GROWS)
    broken = changed(result, result.rindex(b"_value\0\x8b"[:6], 0, result.rindex(b"_value")), b"_vault")
    with pytest.raises(Malformed, match=r"^after the edit, other symbols are exported$"):
        macho_edit._verify_moved(image(data), image(broken), PAGE)


def test_symbol_of_a_library_that_is_not_there_is_seen_after_a_move() -> None:
    data = dylib(Dylib(arch="x86_64", room=40))
    result = binary_edits.apply(data, GROWS)
    broken = result.replace(b"\x11@_from_1", b"\x19@_from_1")
    assert seen(data, broken) == "after the edit, a symbol is bound to library 9 of 1"


def test_symbol_of_a_library_that_was_not_there_before_is_no_fault_of_a_move() -> None:
    data = dylib(Dylib(arch="x86_64", room=40))
    before, after = (each.replace(b"\x11@_from_1", b"\x19@_from_1") for each in (data, binary_edits.apply(data, GROWS)))
    macho_edit._verify(image(before), image(after), facts(after))


INNER: dict[str, str | None] = {"@rpath/libinner.1.dylib": None}
OTHERS = "after the edit, symbols are bound to other libraries"


def test_symbols_that_are_bound_to_other_libraries_are_seen_whatever_the_size() -> None:
    before = dylib(Dylib(arch="x86_64", needed=THREE))
    after = dylib(Dylib(arch="x86_64", needed=(THREE[0], THREE[2])))
    assert len(before) != len(after)
    for other in (after, after.ljust(len(before), b"\0")):
        with pytest.raises(Malformed) as raised:
            macho_edit._verify_binds(image(before), image(other), INNER)
        assert str(raised.value) == OTHERS


def test_symbols_that_are_bound_to_the_same_libraries_are_no_fault() -> None:
    before = dylib(Dylib(arch="x86_64", needed=THREE))
    after = binary_edits.apply(before, Edits(needed=tuple(INNER.items())))
    macho_edit._verify_binds(image(before), image(after), INNER)
