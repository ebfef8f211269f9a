from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.platforms import binaries
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.macos import codesign, macho
from mamba_press.types import Binary, Edits
from tests.support.macho import (
    BUNDLE,
    LOAD,
    OBJECT,
    PAGE,
    PROGRAM,
    REEXPORT,
    WEAK,
    Dylib,
    dylib,
    signature,
    universal,
)

SYSTEM = "/usr/lib/libSystem.B.dylib"
TWO = ((SYSTEM, LOAD), ("@rpath/libinner.1.dylib", LOAD))
THREE = (*TWO, ("@rpath/liblast.dylib", LOAD))
ARCHES = pytest.mark.parametrize("arch", ["arm64", "x86_64"])
FIXUPS = pytest.mark.parametrize("fixups", ["opcodes", "chains"])
LONG = "@loader_path/" + "deep/" * 120


def read(data: bytes) -> Binary:
    found = binaries.read(data)
    assert found is not None
    return found


def objdump(folder: Path, data: bytes, *options: str) -> str:
    """What LLVM sees in a file."""
    if not shutil.which("llvm-objdump"):
        pytest.skip("llvm-objdump is not on this machine")
    path = folder / "file"
    path.write_bytes(data)
    done = subprocess.run(
        ["llvm-objdump", "--macho", *options, path], check=True, capture_output=True, text=True, cwd=folder
    )
    assert "malformed" not in done.stdout + done.stderr
    return done.stdout


# --- reading


@ARCHES
@FIXUPS
def test_library_reads_as_what_the_linker_wrote(arch, fixups) -> None:
    data = dylib(Dylib(arch=arch, fixups=fixups, needed=TWO, search=("@loader_path/", "/opt/lib"), floor=(12, 3)))
    assert read(data) == Binary(
        format="macho",
        arch=arch,
        archs=(arch,),
        kind="shared",
        name="@rpath/libvalue.1.dylib",
        needed=(SYSTEM, "@rpath/libinner.1.dylib"),
        search=("@loader_path/", "/opt/lib"),
        floor=(12, 3),
    )


def test_llvm_reads_the_files_of_these_tests_without_complaint(tmp_path) -> None:
    text = objdump(tmp_path, dylib(Dylib(needed=THREE)), "--bind", "--exports-trie", "--rebase", "--private-headers")
    assert "_from_3" in text
    assert "_value" in text


def test_bundle_has_no_name_and_program_has_an_interpreter() -> None:
    assert read(dylib(Dylib(kind=BUNDLE, name=None))).name is None
    program = read(dylib(Dylib(kind=PROGRAM, name=None)))
    assert (program.kind, program.interpreter) == ("program", "/usr/lib/dyld")


def test_object_file_is_nothing_that_can_be_linked_to() -> None:
    assert read(dylib(Dylib(kind=OBJECT, name=None))).kind == "static"


def test_weak_dependency_may_be_missing_unless_it_is_asked_for_strongly_too() -> None:
    needed = (("@rpath/a.dylib", WEAK), ("@rpath/b.dylib", WEAK), ("@rpath/b.dylib", LOAD))
    assert read(dylib(Dylib(needed=needed))).weak == ("@rpath/a.dylib",)


@pytest.mark.parametrize(
    ("arch", "floor", "found"),
    [("arm64", (10, 9), (11, 0)), ("arm64", None, (11, 0)), ("x86_64", (10, 9), (10, 9)), ("x86_64", None, None)],
)
def test_floor_is_what_the_file_states_and_never_below_the_first_arm_mac(arch, floor, found) -> None:
    assert read(dylib(Dylib(arch=arch, floor=floor))).floor == found


def test_floor_of_an_old_linker_is_read() -> None:
    assert read(dylib(Dylib(arch="x86_64", floor=(10, 13), old_floor=True))).floor == (10, 13)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("of_arm", "floor"), [((11, 0), (10, 13)), ((12, 0), (12, 0))])
def test_universal_file_has_both_architectures_and_the_higher_floor_that_says_something(wide, of_arm, floor) -> None:
    """There is no ARM Mac with less than macOS 11, so this demands nothing."""
    slices = (dylib(Dylib(arch="x86_64", floor=(10, 13))), dylib(Dylib(arch="arm64", floor=of_arm, needed=TWO)))
    found = read(universal(*slices, wide=wide))
    assert (found.arch, found.archs, found.floor) == ("universal2", ("x86_64", "arm64"), floor)
    assert found.needed == (SYSTEM, "@rpath/libinner.1.dylib")


@pytest.mark.parametrize(
    "data",
    [
        dylib(Dylib(arch="arm64e")),
        b"\xce\xfa\xed\xfe" + bytes(40),
        b"\xfe\xed\xfa\xcf" + bytes(40),
        universal(dylib(Dylib(arch="arm64e"))),
    ],
    ids=["arm64e", "32 bits", "big-endian", "universal of foreign slices"],
)
def test_file_for_an_unknown_machine_has_no_architecture_and_cannot_be_edited(data) -> None:
    assert read(data).arch is None
    assert binaries.layout_problems(data) == ()
    with pytest.raises(Malformed, match="machine that can be edited"):
        binaries.apply(data, Edits(sign=True))


def test_universal_file_names_the_slices_that_are_not_read_and_install_names_that_differ() -> None:
    old = struct.pack("<7I", 0xFEEDFACE, 7, 3, 6, 0, 0, 0x85) + bytes(36)
    found = read(
        universal(old, dylib(Dylib(arch="x86_64", name="/opt/one.dylib")), dylib(Dylib(name="/opt/two.dylib")))
    )
    assert (found.archs, found.unread) == (("x86_64", "arm64"), ("i386",))
    assert (found.name, found.names) == ("/opt/one.dylib", ("/opt/one.dylib", "/opt/two.dylib"))


def test_dependency_that_is_weak_in_one_slice_alone_must_be_there() -> None:
    slices = [
        dylib(Dylib(arch=arch, needed=[("/opt/x.dylib", kind)])) for arch, kind in (("x86_64", WEAK), ("arm64", LOAD))
    ]
    assert read(universal(*slices)).weak == ()


def test_universal_archive_of_objects_is_static() -> None:
    archive = b"\xca\xfe\xba\xbe" + struct.pack(">6I", 1, 0x0100000C, 0, 64, 8, 3) + bytes(36) + b"!<arch>\n"
    assert (read(archive).kind, read(archive).arch) == ("static", None)


def test_java_class_is_no_binary() -> None:
    assert binaries.read(b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(100)) is None


@FIXUPS
def test_symbols_are_named_as_in_c(fixups) -> None:
    found = binaries.symbols(dylib(Dylib(needed=TWO, fixups=fixups, reexports=(("_passed", 1),))))
    assert found.imports == {"from_1", "from_2"}
    assert found.exports == {"value", "passed"}


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("@loader_path/libx.dylib", ["pkg/a/libx.dylib"]),
        ("@loader_path/../../lib/libx.dylib", ["lib/libx.dylib"]),
        ("@loader_path/../../../libx.dylib", []),
        ("@rpath/libx.dylib", ["pkg/a/libx.dylib", "pkg/lib/libx.dylib"]),
        ("@executable_path/libx.dylib", []),
        ("/usr/lib/libx.dylib", []),
        ("libx.dylib", []),
    ],
)
def test_lookup_yields_what_is_below_the_root(name, places) -> None:
    binary = read(dylib(Dylib(search=("@loader_path", "@loader_path/../lib/", "/opt/lib", "@executable_path/x"))))
    assert list(binaries.lookup(binary, "pkg/a/b.so", name)) == places


def test_program_finds_what_is_beside_it() -> None:
    binary = read(dylib(Dylib(kind=PROGRAM, name=None, search=("@executable_path/../lib",))))
    assert list(binaries.lookup(binary, "x/bin/tool", "@rpath/liba.dylib")) == ["x/lib/liba.dylib"]


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
    result = binaries.apply(data, EDITS)
    assert read(result) == replace(
        read(data),
        name=EDITS.name,
        needed=(SYSTEM, EDITS.needed[0][1]),
        search=("@loader_path", "@loader_path/../other"),
    )
    assert result[PAGE : len(data)] == data[PAGE:]
    code = data.index(b"\xc0\x03\x5f\xd6")
    assert result[code:PAGE] == data[code:PAGE]
    assert binaries.layout_problems(result) == ()


@ARCHES
def test_second_edit_changes_nothing(arch) -> None:
    result = binaries.apply(dylib(Dylib(arch=arch, needed=TWO)), EDITS)
    assert binaries.apply(result, EDITS) is result


def test_edits_that_ask_for_what_is_return_the_same_bytes() -> None:
    data = dylib(Dylib(arch="x86_64", search=("@loader_path",)))
    assert (
        binaries.apply(data, Edits(search=("@loader_path",), needed=(("@rpath/libnot.dylib", None),), sign=True))
        is data
    )


def test_edit_back_restores_every_byte() -> None:
    data = dylib(Dylib(arch="x86_64", needed=TWO, search=("/opt/lib",)))
    changed = binaries.apply(data, EDITS)
    back = Edits(
        name="@rpath/libvalue.1.dylib", needed=((EDITS.needed[0][1], EDITS.needed[0][0]),), search=("/opt/lib",)
    )
    assert binaries.apply(changed, back) == data


def test_search_paths_are_replaced_and_none_is_there_twice() -> None:
    data = dylib(Dylib(search=("/proc/mamba-press/lib", "@loader_path/", "@loader_path/")))
    assert read(binaries.apply(data, Edits(search=("@loader_path", "@loader_path")))).search == ("@loader_path",)
    assert read(binaries.apply(data, Edits(search=()))).search == ()
    assert binaries.apply(data, Edits(search=())).count(b"mamba-press") == 0


@pytest.mark.parametrize("name", [None, ""])
def test_bundle_cannot_be_given_a_name(name) -> None:
    with pytest.raises(Malformed, match="install name"):
        binaries.apply(dylib(Dylib(kind=BUNDLE, name=None)), Edits(name="@rpath/x.dylib"))


def test_object_file_cannot_be_edited() -> None:
    with pytest.raises(Malformed, match="object file"):
        binaries.apply(dylib(Dylib(kind=OBJECT, name=None)), Edits(search=("@loader_path",)))


@FIXUPS
def test_symbols_of_a_removed_library_are_looked_for_everywhere(fixups, tmp_path) -> None:
    data = dylib(Dylib(needed=THREE, fixups=fixups))
    result = binaries.apply(data, Edits(needed=(("@rpath/libinner.1.dylib", None),), sign=True))
    assert read(result).needed == (SYSTEM, "@rpath/liblast.dylib")
    assert bound(result) == {"_from_1": SYSTEM, "_from_2": "-2", "_from_3": "@rpath/liblast.dylib"}
    assert binaries.layout_problems(result) == ()
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
    result = binaries.apply(data, Edits(needed=(("@rpath/liba.dylib", one), ("@rpath/libb.dylib", one)), sign=True))
    assert (read(result).needed, read(result).weak) == ((one, SYSTEM), ())
    assert bound(result) == {"_from_1": one, "_from_2": SYSTEM, "_from_3": one}


def test_ordinals_beyond_fifteen_are_written_in_as_many_bytes() -> None:
    needed = tuple((f"@rpath/lib{number}.dylib", LOAD) for number in range(20))
    result = binaries.apply(dylib(Dylib(needed=needed)), Edits(needed=(("@rpath/lib3.dylib", None),), sign=True))
    found = bound(result)
    assert (found["_from_4"], found["_from_5"], found["_from_20"]) == ("-2", "@rpath/lib4.dylib", "@rpath/lib19.dylib")


def test_symbols_that_are_passed_on_keep_their_library() -> None:
    needed = ((SYSTEM, LOAD), ("@rpath/liba.dylib", LOAD), ("@rpath/libb.dylib", REEXPORT))
    data = dylib(Dylib(needed=needed, reexports=(("_passed", 3),)))
    result = binaries.apply(data, Edits(needed=(("@rpath/liba.dylib", None),), sign=True))
    assert bound(result)["_passed"] == "@rpath/libb.dylib"
    with pytest.raises(Malformed, match="_passed is passed on from a library that is to be removed"):
        binaries.apply(data, Edits(needed=(("@rpath/libb.dylib", None),)))


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


# --- room


@ARCHES
@FIXUPS
@pytest.mark.parametrize("kind", [6, BUNDLE, PROGRAM])
def test_content_moves_where_the_load_commands_need_more_room(arch, fixups, kind, tmp_path) -> None:
    what = Dylib(arch=arch, kind=kind, fixups=fixups, name="@rpath/a.dylib" if kind == 6 else None, needed=TWO, room=40)
    data = dylib(what)
    result = binaries.apply(data, Edits(search=(LONG,), sign=True))
    assert read(result) == replace(read(data), search=(LONG,))
    assert binaries.layout_problems(result) == ()
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
    result = binaries.apply(data, Edits(search=(LONG,)))
    assert result[PAGE : PAGE + 16] == data[:16]
    assert sections(result, PAGE) == sections(data, 0)
    assert sections(result, 0) == {name: address + PAGE for name, address in sections(data, 0).items()}


def test_more_commands_than_a_page_do_not_cover_the_header_that_code_finds() -> None:
    data = dylib(Dylib(needed=TWO, room=40))
    search = tuple(f"@loader_path/{number:03}{'x' * 500}" for number in range(40))
    result = binaries.apply(data, Edits(search=search, sign=True))
    assert binaries.layout_problems(result) == ()
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


def test_unwind_information_moves_with_the_code(tmp_path) -> None:
    data = dylib(Dylib(room=40))
    result = binaries.apply(data, Edits(search=(LONG,), sign=True))
    code = data.index(b"\xc0\x03\x5f\xd6")
    before, after = (objdump(tmp_path, each, "--unwind-info") for each in (data, result))
    assert f"function offset={code:#010x}" in before
    assert f"function offset={code + PAGE:#010x}" in after
    assert f"[1]: {PAGE:#010x}" in before
    assert f"[1]: {2 * PAGE:#010x}" in after


def test_entry_point_initialisers_and_debugging_symbols_move_with_the_code() -> None:
    data = dylib(Dylib(kind=PROGRAM, name=None, room=40))
    result = binaries.apply(data, Edits(search=(LONG,), sign=True))
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
    assert len(binaries.apply(exact, Edits(search=("@loader_path",), sign=True))) < len(exact) + PAGE
    short = dylib(Dylib(room=size - 8))
    assert len(binaries.apply(short, Edits(search=("@loader_path",), sign=True))) > len(short) + PAGE


def test_what_stands_behind_the_load_commands_without_a_section_is_not_overwritten() -> None:
    data = bytearray(dylib(Dylib(room=100)))
    code = data.index(b"\xc0\x03\x5f\xd6")
    data[code - 10 : code] = b"kept bytes"
    result = binaries.apply(bytes(data), Edits(search=("@loader_path/" + "x" * 60,), sign=True))
    assert result.count(b"kept bytes") == 1


def test_unknown_load_command_is_no_obstacle_in_place_and_one_to_moving() -> None:
    data = bytearray(dylib(Dylib(room=100)))
    at = data.index(struct.pack("<2I", 0x1B, 24))
    data[at] = 0x7E
    assert read(binaries.apply(bytes(data), Edits(search=("@loader_path",)))).search == ("@loader_path",)
    with pytest.raises(Malformed, match="0x7e"):
        binaries.apply(bytes(data), Edits(search=(LONG,)))


@ARCHES
def test_file_does_not_grow_with_the_number_of_edits(arch) -> None:
    result = binaries.apply(dylib(Dylib(arch=arch, room=40)), Edits(search=(LONG,), sign=True))
    size = len(result)
    for number in range(5):
        result = binaries.apply(result, Edits(search=(f"{LONG}{number}",), sign=True))
        assert len(result) == size


# --- universal files


@pytest.mark.parametrize("wide", [False, True])
def test_every_slice_of_a_universal_file_is_edited_and_stays_where_it_is(wide) -> None:
    slices = [dylib(Dylib(arch=arch, needed=TWO)) for arch in ("x86_64", "arm64")]
    data = universal(*slices, wide=wide)
    result = binaries.apply(data, EDITS)
    assert read(result).needed == (SYSTEM, EDITS.needed[0][1])
    assert binaries.layout_problems(result) == ()
    places = [data.index(each) for each in slices]
    apart = [binaries.apply(each, EDITS) for each in slices]
    assert [result.index(each) for each in apart] == places
    assert binaries.apply(result, EDITS) is result


def test_slice_that_outgrows_its_place_moves_the_next_one_to_a_page() -> None:
    data = universal(dylib(Dylib(arch="x86_64", room=40)), dylib(Dylib(arch="arm64", room=40)))
    result = binaries.apply(data, Edits(search=(LONG,), sign=True))
    assert read(result).search == (LONG,)
    assert binaries.layout_problems(result) == ()


def test_slice_for_an_unknown_machine_stays_as_it_is() -> None:
    foreign = dylib(Dylib(arch="arm64e", needed=TWO))
    result = binaries.apply(universal(dylib(Dylib(arch="x86_64", needed=TWO)), foreign), EDITS)
    assert foreign in result
    assert read(result).archs == ("x86_64",)


# --- signing


def test_code_for_arm_gets_a_signature_and_unsigned_code_for_intel_none() -> None:
    found = signature(binaries.apply(dylib(Dylib(arch="arm64")), Edits(sign=True)))
    assert found
    assert (found.version, found.flags, found.bad_pages) == (0x20400, 2, 0)
    assert signature(binaries.apply(dylib(Dylib(arch="x86_64", needed=TWO)), EDITS)) is None


def test_signature_has_the_slots_that_codesign_writes() -> None:
    result = binaries.apply(dylib(Dylib()), Edits(sign=True))
    found = signature(result)
    assert found
    assert found.identifier == "libvalue.1"
    assert sorted(found.blobs) == [0, 2, 0x10000]
    assert found.blobs[2] == bytes.fromhex("fade0c010000000c00000000")
    assert found.blobs[0x10000] == bytes.fromhex("fade0b0100000008")
    assert found.special == {1: bytes(32), 2: hashlib.sha256(found.blobs[2]).digest()}
    assert found.executable == (0, PAGE, 0)
    assert found.limit % 16 == 0
    assert len(result) % 16 == 0


def test_main_program_is_marked_as_one() -> None:
    found = signature(binaries.apply(dylib(Dylib(kind=PROGRAM, name=None)), Edits(sign=True)))
    assert found
    assert found.executable == (0, PAGE, 1)
    assert found.identifier == bytes(range(16)).hex()


def linker_signed(data: bytes, entitlements: bytes | None = None) -> bytes:
    """A file whose signature says that the linker made it, with entitlements if asked for."""
    signed = bytearray(binaries.apply(data, Edits(sign=True)))
    found = signature(bytes(signed))
    assert found
    at = found.limit + bytes(signed[found.limit :]).index(found.blobs[0][:12])
    struct.pack_into(">I", signed, at + 12, 0x20002)
    if entitlements is None:
        return bytes(signed)
    directory = bytearray(signed[at : at + len(found.blobs[0])])
    head, name, pages = directory[:88], b"libvalue.1\0", found.limit // 4096 + bool(found.limit % 4096)
    blob = struct.pack(">2I", 0xFADE7171, 8 + len(entitlements)) + entitlements
    special = hashlib.sha256(blob).digest() + bytes(64) + directory[-32 * pages - 64 : -32 * pages]
    struct.pack_into(">I", head, 16, 88 + len(name) + 32 * 5)
    struct.pack_into(">I", head, 24, 5)
    directory = head + name + special + directory[-32 * pages :]
    struct.pack_into(">I", directory, 4, len(directory))
    blobs = [(0, bytes(directory)), (2, found.blobs[2]), (5, blob), (0x10000, found.blobs[0x10000])]
    index, place = b"", 12 + 8 * len(blobs)
    for slot, each in blobs:
        index += struct.pack(">2I", slot, place)
        place += len(each)
    whole = struct.pack(">3I", 0xFADE0CC0, place, len(blobs)) + index + b"".join(each for _, each in blobs)
    room = len(signed) - found.limit
    assert len(whole) <= room + 512
    return _with_signature(signed[: found.limit], whole)


def _with_signature(code: bytearray, blob: bytes) -> bytes:
    size = -(-len(blob) // 16) * 16
    at = code.index(struct.pack("<2I", 0x1D, 16))
    struct.pack_into("<2I", code, at + 8, len(code), size)
    linkedit = code.index(b"__LINKEDIT") - 8
    offset = struct.unpack_from("<Q", code, linkedit + 40)[0]
    struct.pack_into("<Q", code, linkedit + 48, len(code) + size - offset)
    return bytes(code) + blob.ljust(size, b"\0")


def test_new_signature_keeps_identifier_and_entitlements_and_drops_the_linkers_mark() -> None:
    data = linker_signed(dylib(Dylib()), b"<plist/>")
    result = binaries.apply(data, Edits(name="@rpath/other.dylib"))
    found = signature(result)
    assert found
    assert (found.flags, found.identifier, found.bad_pages) == (2, "libvalue.1", 0)
    assert found.blobs[5][8:] == b"<plist/>"
    assert found.special[5] == hashlib.sha256(found.blobs[5]).digest()
    assert binaries.layout_problems(result) == ()


def test_certificate_vouches_for_a_file_until_it_is_edited() -> None:
    signed = bytearray(binaries.apply(dylib(Dylib()), Edits(sign=True)))
    assert not read(bytes(signed)).vouched
    at = signed.rindex(struct.pack(">2I", 0xFADE0B01, 8))
    struct.pack_into(">I", signed, at + 4, 12)
    assert read(bytes(signed)).vouched
    assert read(universal(bytes(signed), dylib(Dylib(arch="x86_64")))).vouched
    assert not read(binaries.apply(bytes(signed), Edits(name="@rpath/other.dylib"))).vouched


def test_sound_signature_of_an_unedited_file_is_left_alone() -> None:
    data = linker_signed(dylib(Dylib()))
    assert binaries.layout_problems(data) == ()
    assert binaries.apply(data, Edits(sign=True)) is data


@ARCHES
def test_signature_that_no_longer_fits_is_made_anew(arch) -> None:
    data = linker_signed(dylib(Dylib(arch="arm64", text=b"/opt/placehold/lib\0")))
    if arch == "x86_64":
        data = data.replace(struct.pack("<2I", 0x0100000C, 0), struct.pack("<2I", 0x01000007, 3))
    broken = data.replace(b"/opt/placehold", b"/dev/null/mamb")
    assert any("does not fit" in problem for problem in binaries.layout_problems(broken))
    assert binaries.apply(broken, Edits()) is broken
    result = binaries.apply(broken, Edits(sign=True))
    assert binaries.layout_problems(result) == ()
    assert b"/dev/null/mamb" in result


def test_unreadable_signature_is_replaced() -> None:
    data = bytearray(binaries.apply(dylib(Dylib()), Edits(sign=True)))
    found = signature(bytes(data))
    assert found
    data[found.limit : found.limit + 4] = b"\0\0\0\0"
    assert any("cannot be read" in problem for problem in binaries.layout_problems(bytes(data)))
    assert binaries.layout_problems(binaries.apply(bytes(data), Edits(sign=True))) == ()


def test_copies_that_differ_in_their_signature_only_are_the_same_file() -> None:
    one = binaries.apply(dylib(Dylib()), Edits(sign=True))
    assert one != dylib(Dylib())
    assert binaries.unsigned(linker_signed(dylib(Dylib()))) == binaries.unsigned(one)
    assert binaries.unsigned(one) != binaries.unsigned(binaries.apply(one, Edits(name="@rpath/x.dylib")))


@pytest.mark.parametrize("ask", [binaries.unsigned, lambda data: binaries.apply(data, Edits(sign=True))])
def test_signature_inside_the_load_commands_is_malformed(ask) -> None:
    data = bytearray(binaries.apply(dylib(Dylib()), Edits(sign=True)))
    (image,) = macho.images(bytes(data))
    (command,) = image.of(0x1D)
    struct.pack_into("<2I", data, command.offset + 8, image.commands_end - 40, 40)
    with pytest.raises(Malformed, match=r"^the signature: 0x3b0 is in the load commands, which end at 0x3d8$"):
        ask(bytes(data))


def test_edit_that_leaves_a_segment_behind_the_end_of_the_file_is_refused() -> None:
    """A large signature gives way to a small one, and an empty segment is said to be in between."""
    data = bytearray(linker_signed(dylib(Dylib(kind=PROGRAM, name=None))))
    place = len(data)
    data += bytes(1 << 16)
    (image,) = macho.images(bytes(data))
    (command,) = image.of(0x1D)
    start = image.signature.offset
    struct.pack_into("<2I", data, command.offset + 8, start, len(data) - start)
    linkedit, pagezero = image.segment("__LINKEDIT"), image.segment("__PAGEZERO")
    struct.pack_into("<Q", data, linkedit.command + 48, len(data) - linkedit.offset)
    struct.pack_into("<2Q", data, pagezero.command + 40, place + (1 << 15), 0)
    with pytest.raises(
        Malformed, match=r"^after the edit, the segment __PAGEZERO ends at 0x102a0, behind the end of the file$"
    ):
        binaries.apply(bytes(data), Edits(search=("@loader_path",), sign=True))


def test_command_is_not_added_behind_bytes_that_no_command_has() -> None:
    data = bytearray(dylib(Dylib()))
    struct.pack_into("<I", data, 20, int.from_bytes(data[20:24], "little") + 2)
    with pytest.raises(Malformed, match=r"^the load commands have fewer bytes than the header says$"):
        codesign.sign(bytes(data))


def test_command_of_the_signature_keeps_its_size_where_it_has_more_than_it_needs() -> None:
    data = bytearray(binaries.apply(dylib(Dylib()), Edits(sign=True)))
    (image,) = macho.images(bytes(data))
    (command,) = image.of(0x1D)
    assert command.offset + command.size == image.commands_end
    struct.pack_into("<2I", data, command.offset, 0x1D, 24)
    struct.pack_into("<I", data, 20, image.commands_size + 8)
    edited = binaries.apply(bytes(data), Edits(name="@rpath/other.dylib"))
    assert [each.size for each in macho.images(edited)[0].of(0x1D)] == [24]
    assert binaries.layout_problems(edited) == ()


def test_empty_table_behind_the_signature_is_malformed() -> None:
    data = bytearray(binaries.apply(dylib(Dylib()), Edits(sign=True)))
    (image,) = macho.images(bytes(data))
    (command,) = image.of(0x26)
    struct.pack_into("<2I", data, command.offset + 8, len(data), 0)
    with pytest.raises(Malformed, match=r"^the function starts end at 0x8280, behind the signature$"):
        binaries.apply(bytes(data), Edits(name="@rpath/other.dylib"))


@pytest.mark.parametrize("kind", [0x2, 0x1D, 0x26, 0x80000022])
def test_load_command_that_a_file_has_once_is_malformed_when_it_is_there_twice(kind) -> None:
    data = bytearray(binaries.apply(dylib(Dylib()), Edits(sign=True)))
    (image,) = macho.images(bytes(data))
    (command,) = image.of(kind)
    again = image.content(command)
    struct.pack_into("<2I", data, 16, image.command_count + 1, image.commands_size + len(again))
    data[image.commands_end : image.commands_end + len(again)] = again
    with pytest.raises(Malformed, match=f"^the load command {kind:#x} is there twice$"):
        binaries.layout_problems(bytes(data))


def test_more_load_commands_than_there_can_be_are_malformed() -> None:
    data = bytearray(dylib(Dylib()))
    struct.pack_into("<I", data, 16, 70_000)
    with pytest.raises(Malformed, match=r"^70000 load commands are more than there can be$"):
        binaries.read(bytes(data))


def test_symbol_that_the_export_trie_has_twice_is_malformed_where_the_trie_is_written_anew() -> None:
    from mamba_press.platforms.macos.macho_layout import build_trie

    with pytest.raises(Malformed, match=r"^the export trie has a symbol twice$"):
        build_trie([("one", b"\0\1"), ("one", b"\0\2")])


# --- judging


def test_sound_file_has_no_problems() -> None:
    assert binaries.layout_problems(dylib(Dylib(arch="x86_64", needed=THREE, search=("@loader_path",)))) == ()


def test_unsigned_code_for_arm_is_a_problem() -> None:
    assert binaries.layout_problems(dylib(Dylib())) == ("it is not signed, and code for arm64 must be",)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (struct.pack("<4Q", PAGE, PAGE, PAGE, PAGE), struct.pack("<4Q", PAGE + 8, PAGE, PAGE, PAGE), "begin on a page"),
        (struct.pack("<4Q", PAGE, PAGE, PAGE, PAGE), struct.pack("<4Q", 0, PAGE, PAGE, PAGE), "overlap in memory"),
        (struct.pack("<4Q", PAGE, PAGE, PAGE, PAGE), struct.pack("<4Q", PAGE, 8, PAGE, PAGE), "larger in the file"),
        (b"\x11@_from_1", b"\x19@_from_1", "library 9 of 1"),
    ],
)
def test_broken_structure_is_named(old, new, problem) -> None:
    data = dylib(Dylib(arch="x86_64"))
    assert data.count(old) == 1
    assert any(problem in found for found in binaries.layout_problems(data.replace(old, new)))


def test_signature_that_is_not_the_end_of_the_file_is_a_problem() -> None:
    data = bytearray(binaries.apply(dylib(Dylib()), Edits(sign=True))) + bytes(16)
    at = data.index(b"__LINKEDIT") + 40
    struct.pack_into("<Q", data, at, struct.unpack_from("<Q", data, at)[0] + 16)
    assert "the signature does not end where __LINKEDIT ends" in binaries.layout_problems(bytes(data))


def test_search_path_that_is_there_twice_is_a_problem() -> None:
    data = dylib(Dylib(arch="x86_64", search=("@loader_path", "@loader_path")))
    assert binaries.layout_problems(data) == ("the search path @loader_path is there twice",)


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
        binaries.apply(change(dylib(Dylib())), Edits(search=("@loader_path",), sign=True))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((0, 0), "the signature at 0x0 is in the load commands"),
        ((0x8280, 16), "the signature at 0x8280 with 16 bytes end after the slice"),
    ],
)
def test_signature_that_is_nowhere_is_malformed(place, message) -> None:
    data = bytearray(binaries.apply(dylib(Dylib()), Edits(sign=True)))
    (image,) = macho.images(bytes(data))
    (command,) = image.of(0x1D)
    struct.pack_into("<2I", data, command.offset + 8, *place)
    with pytest.raises(Malformed) as raised:
        binaries.read(bytes(data))
    assert str(raised.value) == message


def test_section_after_the_end_of_its_slice_is_malformed_where_it_would_move() -> None:
    data = bytearray(dylib(Dylib(room=0)))
    struct.pack_into("<I", data, data.index(b"__unwind_info") + 48, len(data) - 8)
    with pytest.raises(Malformed) as raised:
        binaries.apply(bytes(data), Edits(name="@rpath/" + "x" * 100))
    assert str(raised.value) == "the unwind information at 0x8078 with 88 bytes end after the slice"


def test_file_without_linkedit_cannot_be_signed() -> None:
    with pytest.raises(Malformed) as raised:
        binaries.apply(dylib(Dylib()).replace(b"__LINKEDIT", b"__LINKEDIX"), Edits(sign=True))
    message = "there is no __LINKEDIT segment, or it ends after the slice or in the load commands"
    assert str(raised.value) == message


def test_blobs_of_a_signature_that_share_their_bytes_are_a_problem() -> None:
    data = bytearray(binaries.apply(dylib(Dylib()), Edits(sign=True)))
    found = signature(bytes(data))
    assert found
    index = found.limit + 12
    data[index + 12 : index + 16] = data[index + 4 : index + 8]
    message = "the signature cannot be read: the blobs of the signature overlap"
    assert binaries.layout_problems(bytes(data)) == (message,)
