from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.macos import macho
from mamba_press.types import Edits
from tests.support.binaries import facts, objdump
from tests.support.macho import (
    BUNDLE,
    LOAD,
    OBJECT,
    PAGE,
    PROGRAM,
    Dylib,
    dylib,
    universal,
)

SYSTEM = "/usr/lib/libSystem.B.dylib"
TWO = ((SYSTEM, LOAD), ("@rpath/libinner.1.dylib", LOAD))
ARCHES = pytest.mark.parametrize("arch", ["arm64", "x86_64"])
FIXUPS = pytest.mark.parametrize("fixups", ["opcodes", "chains"])
LONG = "@loader_path/" + "deep/" * 120


# --- editing

EDITS = Edits(
    name="@rpath/libvalue-01234567.1.dylib",
    needed=(("@rpath/libinner.1.dylib", "@loader_path/../lib/libinner-89abcdef.1.dylib"),),
    search=("@loader_path", "@loader_path/../other"),
    sign=True,
)


@ARCHES
@FIXUPS
def test_edit_is_read_back_and_changes_load_commands_only(arch, fixups) -> None:
    data = dylib(Dylib(arch=arch, fixups=fixups, needed=TWO, search=("/opt/lib",)))
    result = binary_edits.apply(data, EDITS)
    assert facts(result) == replace(
        facts(data),
        name=EDITS.name,
        needed=(SYSTEM, EDITS.needed[0][1]),
        search=("@loader_path", "@loader_path/../other"),
    )
    assert result[PAGE : len(data)] == data[PAGE:]
    code = data.index(b"\xc0\x03\x5f\xd6")
    assert result[code:PAGE] == data[code:PAGE]
    assert binary_edits.layout_problems(result) == ()


@ARCHES
def test_second_edit_changes_nothing(arch) -> None:
    result = binary_edits.apply(dylib(Dylib(arch=arch, needed=TWO)), EDITS)
    assert binary_edits.apply(result, EDITS) is result


def test_edits_that_ask_for_what_is_return_the_same_bytes() -> None:
    data = dylib(Dylib(arch="x86_64", search=("@loader_path",)))
    assert (
        binary_edits.apply(data, Edits(search=("@loader_path",), needed=(("@rpath/libnot.dylib", None),), sign=True))
        is data
    )


def test_edit_back_restores_every_byte() -> None:
    data = dylib(Dylib(arch="x86_64", needed=TWO, search=("/opt/lib",)))
    changed = binary_edits.apply(data, EDITS)
    back = Edits(
        name="@rpath/libvalue.1.dylib", needed=((EDITS.needed[0][1], EDITS.needed[0][0]),), search=("/opt/lib",)
    )
    assert binary_edits.apply(changed, back) == data


def test_search_paths_are_replaced_and_none_is_there_twice() -> None:
    data = dylib(Dylib(search=("/proc/mamba-press/lib", "@loader_path/", "@loader_path/")))
    assert facts(binary_edits.apply(data, Edits(search=("@loader_path", "@loader_path")))).search == ("@loader_path",)
    assert facts(binary_edits.apply(data, Edits(search=()))).search == ()
    assert binary_edits.apply(data, Edits(search=())).count(b"mamba-press") == 0


@pytest.mark.parametrize("name", [None, ""])
def test_bundle_cannot_be_given_a_name(name) -> None:
    with pytest.raises(Malformed, match="install name"):
        binary_edits.apply(dylib(Dylib(kind=BUNDLE, name=None)), Edits(name="@rpath/x.dylib"))


def test_object_file_cannot_be_edited() -> None:
    with pytest.raises(Malformed, match="object file"):
        binary_edits.apply(dylib(Dylib(kind=OBJECT, name=None)), Edits(search=("@loader_path",)))


# --- room


@ARCHES
@FIXUPS
@pytest.mark.parametrize("kind", [6, BUNDLE, PROGRAM])
def test_content_moves_where_the_load_commands_need_more_room(arch, fixups, kind, tmp_path) -> None:
    what = Dylib(arch=arch, kind=kind, fixups=fixups, name="@rpath/a.dylib" if kind == 6 else None, needed=TWO, room=40)
    data = dylib(what)
    result = binary_edits.apply(data, Edits(search=(LONG,), sign=True))
    assert facts(result) == replace(facts(data), search=(LONG,))
    assert binary_edits.layout_problems(result) == ()
    before, after = view(data), view(result)
    assert after == {what: moved(values, PAGE) for what, values in before.items()}
    if fixups == "opcodes":
        assert "value" in objdump(tmp_path, result, "--exports-trie")
        assert objdump(tmp_path, result, "--bind").replace("8008", "4008").replace("8010", "4010") == objdump(
            tmp_path, data, "--bind"
        )


def sections(data: bytes, header: int) -> dict[tuple[bytes, bytes], int]:
    """The addresses of the sections, from where the header that is at an offset says that it is itself."""
    count = struct.unpack_from("<I", data, header + 16)[0]
    at, found, base = header + 32, {}, 0
    for _ in range(count):
        kind, size = struct.unpack_from("<2I", data, at)
        if kind == 0x19:
            name, address = struct.unpack_from("<16sQ", data, at + 8)
            base = address if name.startswith(b"__TEXT") else base
            for place in range(at + 72, at + size, 80):
                section, segment, where = struct.unpack_from("<16s16sQ", data, place)
                found[segment, section] = where
        at += size
    return {name: address - base for name, address in found.items()}


@pytest.mark.parametrize("kind", [6, 2])
def test_code_that_asks_for_its_own_header_finds_one_where_it_would_have_moved(kind) -> None:
    data = dylib(Dylib(kind=kind, name="@rpath/a.dylib" if kind == 6 else None, needed=TWO, room=40))
    result = binary_edits.apply(data, Edits(search=(LONG,)))
    assert result[PAGE : PAGE + 16] == data[:16]
    assert sections(result, PAGE) == sections(data, 0)
    assert sections(result, 0) == {name: address + PAGE for name, address in sections(data, 0).items()}


def test_more_commands_than_a_page_do_not_cover_the_header_that_code_finds() -> None:
    data = dylib(Dylib(needed=TWO, room=40))
    search = tuple(f"@loader_path/{number:03}{'x' * 500}" for number in range(40))
    result = binary_edits.apply(data, Edits(search=search, sign=True))
    assert binary_edits.layout_problems(result) == ()
    assert result[2 * PAGE : 2 * PAGE + 16] == data[:16]
    assert sections(result, 2 * PAGE) == sections(data, 0)


def view(data: bytes) -> dict[str, list[tuple[int, ...]]]:
    """Everything that says where something is, by what LIEF reads; addresses come first."""
    lief = pytest.importorskip("lief", reason="LIEF is what reads the result")
    lief.logging.disable()
    fat = lief.MachO.parse(data, lief.MachO.ParserConfig.deep)
    binary = fat.at(0)
    base = next(each.virtual_address for each in binary.segments if each.name == "__TEXT")
    fixup = lief.MachO.RelocationFixup
    stored = {each.address: data_at(binary, each.address) for each in binary.relocations if not isinstance(each, fixup)}
    return {
        "exports": [(each.export_info.address + base,) for each in binary.symbols if each.has_export_info],
        "symbols": [(each.value,) for each in binary.symbols if each.raw_type & 0xE == 0xE],
        "functions": [(base + each,) for each in binary.function_starts.functions],
        "unwinding": [(each.address,) for each in binary.unwind_functions],
        "rebased": [(each.address, each.target) for each in binary.relocations if isinstance(each, fixup)]
        + list(stored.items()),
        "bound": [(each.address,) for each in binary.bindings],
        "sections": [(each.virtual_address, each.offset + base) for each in binary.sections],
    }


def data_at(binary, address: int) -> int:
    return int.from_bytes(bytes(binary.get_content_from_virtual_address(address, 8)), "little")


def moved(values: list[tuple[int, ...]], by: int) -> list[tuple[int, ...]]:
    return [tuple(value + by for value in each) for each in values]


def test_entry_point_initialisers_and_debugging_symbols_move_with_the_code() -> None:
    data = dylib(Dylib(kind=PROGRAM, name=None, room=40))
    result = binary_edits.apply(data, Edits(search=(LONG,), sign=True))
    code = data.index(b"\xc0\x03\x5f\xd6")
    for old, new in (
        (struct.pack("<2IQ", 0x80000028, 24, code), struct.pack("<2IQ", 0x80000028, 24, code + PAGE)),
        (struct.pack("<2I", code, code + 4), struct.pack("<2I", code + PAGE, code + PAGE + 4)),
        (struct.pack("<BBHQ", 0x24, 1, 0, 2**32 + code), struct.pack("<BBHQ", 0x24, 1, 0, 2**32 + code + PAGE)),
        (struct.pack("<BBHQ", 0x24, 0, 0, 4), struct.pack("<BBHQ", 0x24, 0, 0, 4)),
    ):
        assert (data.count(old), result.count(new)) == (1, 1)


def test_command_that_just_fits_moves_nothing() -> None:
    needed = 16 + len("@loader_path")
    size = -(-needed // 8) * 8 + 16
    exact = dylib(Dylib(room=size))
    assert len(binary_edits.apply(exact, Edits(search=("@loader_path",), sign=True))) < len(exact) + PAGE
    short = dylib(Dylib(room=size - 8))
    assert len(binary_edits.apply(short, Edits(search=("@loader_path",), sign=True))) > len(short) + PAGE


def test_what_stands_behind_the_load_commands_without_a_section_is_not_overwritten() -> None:
    data = bytearray(dylib(Dylib(room=100)))
    code = data.index(b"\xc0\x03\x5f\xd6")
    data[code - 10 : code] = b"kept bytes"
    result = binary_edits.apply(bytes(data), Edits(search=("@loader_path/" + "x" * 60,), sign=True))
    assert result.count(b"kept bytes") == 1


def test_unknown_load_command_is_no_obstacle_in_place_and_one_to_moving() -> None:
    data = bytearray(dylib(Dylib(room=100)))
    at = data.index(struct.pack("<2I", 0x1B, 24))
    data[at] = 0x7E
    assert facts(binary_edits.apply(bytes(data), Edits(search=("@loader_path",)))).search == ("@loader_path",)
    with pytest.raises(Malformed, match="0x7e"):
        binary_edits.apply(bytes(data), Edits(search=(LONG,)))


@ARCHES
def test_file_does_not_grow_with_the_number_of_edits(arch) -> None:
    result = binary_edits.apply(dylib(Dylib(arch=arch, room=40)), Edits(search=(LONG,), sign=True))
    size = len(result)
    for number in range(5):
        result = binary_edits.apply(result, Edits(search=(f"{LONG}{number}",), sign=True))
        assert len(result) == size


# --- universal files


@pytest.mark.parametrize("wide", [False, True])
def test_every_slice_of_a_universal_file_is_edited_and_stays_where_it_is(wide) -> None:
    slices = [dylib(Dylib(arch=arch, needed=TWO)) for arch in ("x86_64", "arm64")]
    data = universal(*slices, wide=wide)
    result = binary_edits.apply(data, EDITS)
    assert facts(result).needed == (SYSTEM, EDITS.needed[0][1])
    assert binary_edits.layout_problems(result) == ()
    places = [data.index(each) for each in slices]
    apart = [binary_edits.apply(each, EDITS) for each in slices]
    assert [result.index(each) for each in apart] == places
    assert binary_edits.apply(result, EDITS) is result


def test_slice_that_outgrows_its_place_moves_the_next_one_to_a_page() -> None:
    data = universal(dylib(Dylib(arch="x86_64", room=40)), dylib(Dylib(arch="arm64", room=40)))
    result = binary_edits.apply(data, Edits(search=(LONG,), sign=True))
    assert facts(result).search == (LONG,)
    assert binary_edits.layout_problems(result) == ()


def test_slice_for_an_unknown_machine_stays_as_it_is() -> None:
    foreign = dylib(Dylib(arch="arm64e", needed=TWO))
    result = binary_edits.apply(universal(dylib(Dylib(arch="x86_64", needed=TWO)), foreign), EDITS)
    assert foreign in result
    assert facts(result).archs == ("x86_64",)


# --- load commands


def test_empty_table_behind_the_signature_is_malformed() -> None:
    data = bytearray(binary_edits.apply(dylib(Dylib()), Edits(sign=True)))
    (image,) = macho.images(bytes(data))
    (command,) = image.of(0x26)
    struct.pack_into("<2I", data, command.offset + 8, len(data), 0)
    with pytest.raises(Malformed, match=r"^the function starts end at 0x8280, behind the signature$"):
        binary_edits.apply(bytes(data), Edits(name="@rpath/other.dylib"))


@pytest.mark.parametrize("kind", [0x2, 0x1D, 0x26, 0x80000022])
def test_load_command_that_a_file_has_once_is_malformed_when_it_is_there_twice(kind) -> None:
    data = bytearray(binary_edits.apply(dylib(Dylib()), Edits(sign=True)))
    (image,) = macho.images(bytes(data))
    (command,) = image.of(kind)
    again = image.content(command)
    struct.pack_into("<2I", data, 16, image.command_count + 1, image.commands_size + len(again))
    data[image.commands_end : image.commands_end + len(again)] = again
    with pytest.raises(Malformed, match=f"^the load command {kind:#x} is there twice$"):
        binary_edits.layout_problems(bytes(data))


def test_more_load_commands_than_there_can_be_are_malformed() -> None:
    data = bytearray(dylib(Dylib()))
    struct.pack_into("<I", data, 16, 70_000)
    with pytest.raises(Malformed, match=r"^70000 load commands are more than there can be$"):
        binaries.read(bytes(data))


# --- judging


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:20], "Mach-O header"),
        (lambda data: data[:4000], "outside|after"),
        (lambda data: data[:20] + struct.pack("<I", 1 << 20) + data[24:], "load commands"),
        (lambda data: data.replace(b"\x19\0\0\0", b"\x19\0\0\0", 1)[:36] + b"\3\0\0\0" + data[40:], "3 bytes"),
    ],
)
def test_broken_file_is_refused_with_what_is_wrong(change, said) -> None:
    with pytest.raises(Malformed, match=said):
        binary_edits.apply(change(dylib(Dylib())), Edits(search=("@loader_path",), sign=True))


def test_section_after_the_end_of_its_slice_is_malformed_where_it_would_move() -> None:
    data = bytearray(dylib(Dylib(room=0)))
    struct.pack_into("<I", data, data.index(b"__unwind_info") + 48, len(data) - 8)
    with pytest.raises(Malformed) as raised:
        binary_edits.apply(bytes(data), Edits(name="@rpath/" + "x" * 100))
    assert str(raised.value) == "the unwind information at 0x8078 with 88 bytes end after the slice"
