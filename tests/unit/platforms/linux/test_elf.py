"""ELF files made by the system's compiler: what is read of them, and that edited ones load and survive ``strip``."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.linux import elf
from mamba_press.types import Edits
from tests.support import elf as written
from tests.support.binaries import facts, readelf
from tests.support.compile import Linking, Toolchain, program, shared_library
from tests.support.elf_samples import INNER, OUTER, Samples

LONG = "$ORIGIN/../somewhere/else/that/is/rather/far/away.libs"
EXPECTED = 1 + 20 + 300 + 5000 + 70000

CALL = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).total())"

LAYOUTS = {
    "plain": (),
    "old tags": ("-Wl,--disable-new-dtags",),
    "sysv hash only": ("-Wl,--hash-style=sysv",),
    "both hashes": ("-Wl,--hash-style=both",),
    "now and relro": ("-Wl,-z,now", "-Wl,-z,relro"),
    "no relro": ("-Wl,-z,norelro",),
    "no separate code": ("-Wl,-z,noseparate-code",),
    "separate code": ("-Wl,-z,separate-code",),
    "no build id": ("-Wl,--build-id=none",),
    "2 MiB pages": ("-Wl,-z,max-page-size=0x200000",),
    "64 KiB pages": ("-Wl,-z,max-page-size=0x10000",),
    "not at zero": ("-Wl,-Ttext-segment=0x10000000",),
    "packed relocations": ("-Wl,-z,pack-relative-relocs",),
    "stripped": ("-s",),
    "debug information": ("-g",),
    "gold": ("-fuse-ld=gold",),
    "lld": ("-fuse-ld=lld",),
    "lld, separate code": ("-fuse-ld=lld", "-Wl,-z,separate-code"),
}

ZEROS = {"small .bss": 100, "large .bss": 300_000}
"""A large .bss is not written out: then a segment is added instead. It is volatile, lest the compiler leave it out."""


def total(path: Path) -> int:
    """What the library computes in a fresh process, from its relocations, thread-locals, zeros and needed libraries."""
    result = subprocess.run([sys.executable, "-c", CALL, str(path)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{result.returncode}: {result.stderr}"
    return int(result.stdout)


def everything(samples: Samples, folder: Path) -> Edits:
    """Long names for all, with the libraries under their new names in a folder."""
    target = folder / "rather" / "far" / "away.libs"
    target.mkdir(parents=True)
    needed = []
    for library in (samples.inner, samples.plain):
        new = f"{library.name.split('.')[0]}-0123abcd.so.1"
        shutil.copy(library, target / new)
        needed.append((library.name, new))
    return Edits(name="libouter-89abcdef.so.1", needed=tuple(needed), search=("$ORIGIN/rather/far/away.libs",))


# -- editing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zeros", ZEROS.values(), ids=ZEROS.keys())
@pytest.mark.parametrize("flags", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_an_edited_library_of_any_layout_loads_and_survives_strip(
    samples: Samples, tmp_path: Path, flags: tuple[str, ...], zeros: int
) -> None:
    original = samples.outer(flags, zeros)
    asked = everything(samples, tmp_path)
    edited = binary_edits.apply(original.read_bytes(), asked)
    path = tmp_path / "libouter-89abcdef.so.1"
    path.write_bytes(edited)
    assert binary_edits.layout_problems(edited) == ()
    shown = readelf(path)
    assert "(RUNPATH)" in shown
    assert "(RPATH)" not in shown
    assert "libinner.so.1" not in shown
    assert total(path) == EXPECTED
    for tool in ("strip", "llvm-strip"):
        for option in ("-g", "-s"):
            if not shutil.which(tool):
                continue
            stripped = tmp_path / f"{tool}{option}.so"
            subprocess.run([tool, option, "-o", str(stripped), str(path)], check=True)
            assert total(stripped) == EXPECTED, (tool, option)
            assert facts(stripped.read_bytes()) == facts(edited)


@pytest.mark.parametrize("flags", [("-no-pie",), ("-pie",), ("-no-pie", "-fuse-ld=lld"), ("-pie", "-fuse-ld=gold")])
@pytest.mark.parametrize("zeros", ZEROS.values(), ids=ZEROS.keys())
def test_an_edited_program_runs_and_survives_strip(
    samples: Samples, tmp_path: Path, flags: tuple[str, ...], zeros: int
) -> None:
    if flags[1:] and not shutil.which(f"ld.{flags[1][9:]}"):
        pytest.skip("that linker is not on this machine")
    text = OUTER % zeros + "\n#include <stdlib.h>\nint main(void) { return malloc(99999) && total() == %d ? 7 : 1; }"
    built = program(
        tmp_path / "built",
        text % EXPECTED,
        Linking(needed=(samples.inner, samples.plain), runpath="/nowhere", flags=flags),
    )
    edited = binary_edits.apply(built.read_bytes(), everything(samples, tmp_path))
    path = tmp_path / "edited"
    path.write_bytes(edited)
    path.chmod(0o755)
    assert binary_edits.layout_problems(edited) == ()
    assert subprocess.run([str(path)], check=False).returncode == 7
    subprocess.run(["strip", "-s", str(path)], check=True)
    assert subprocess.run([str(path)], check=False).returncode == 7


def test_a_file_without_section_headers_is_edited(samples: Samples, tmp_path: Path) -> None:
    bare = bytearray(samples.outer().read_bytes())
    bare = bare[: int.from_bytes(bare[40:48], "little")]
    bare[40:48] = bytes(8)
    bare[60:64] = bytes(4)
    path = tmp_path / "libouter-89abcdef.so.1"
    path.write_bytes(binary_edits.apply(bytes(bare), everything(samples, tmp_path)))
    assert total(path) == EXPECTED


@pytest.mark.parametrize("patcher", ["patchelf", "lief"])
def test_a_file_that_another_tool_has_edited_is_edited_again(samples: Samples, tmp_path: Path, patcher: str) -> None:
    path = tmp_path / "libouter-89abcdef.so.1"
    shutil.copy(samples.outer(), path)
    if patcher == "patchelf":
        tool = shutil.which("patchelf") or pytest.skip("patchelf is not on this machine")
        subprocess.run([tool, "--set-rpath", LONG + "z" * 300, "--add-needed", "libc.so.6", str(path)], check=True)
    else:
        lief = pytest.importorskip("lief", reason="lief is not installed")
        other = lief.parse(str(path))
        other.add(lief.ELF.DynamicEntryRunPath(LONG + "z" * 300))
        other.write(str(path))
    path.write_bytes(binary_edits.apply(path.read_bytes(), everything(samples, tmp_path)))
    readelf(path)
    assert total(path) == EXPECTED


@pytest.mark.parametrize("zeros", ZEROS.values(), ids=ZEROS.keys())
def test_five_edits_are_no_larger_than_one_and_still_load(samples: Samples, tmp_path: Path, zeros: int) -> None:
    asked = everything(samples, tmp_path)
    once = binary_edits.apply(samples.outer(zeros=zeros).read_bytes(), asked)
    current = once
    for search in (("$ORIGIN",), (LONG, "$ORIGIN"), (), (LONG,)):
        current = binary_edits.apply(current, Edits(search=search, name="libshort.so", inherited=len(search) == 2))
        assert facts(current).search == search
        assert binary_edits.layout_problems(current) == ()
    current = binary_edits.apply(current, asked)
    assert len(current) <= len(once) + 64
    path = tmp_path / "libouter-89abcdef.so.1"
    path.write_bytes(current)
    assert total(path) == EXPECTED


def test_a_name_that_fits_is_written_in_place(outer: bytes) -> None:
    edited = binary_edits.apply(outer, Edits(name="libother.so.1", search=("$ORIGIN",)))
    assert len(edited) == len(outer)
    assert b"libouter.so.1" not in edited
    assert facts(edited).name == "libother.so.1"


def test_a_name_that_is_part_of_another_string_is_not_overwritten(samples: Samples, tmp_path: Path) -> None:
    # The linker stores "pointed" as the end of "appointed": one string, two users.
    text = "int appointed(void) { return 1; } int pointed_so(void) { return 2; }"
    library = shared_library(
        tmp_path / "lib.so", text, Linking(soname="pointed", flags=("-Wl,-O2", "-Wl,--hash-style=gnu"))
    )
    before = library.read_bytes()
    image = elf.Image(before)
    assert b"\0pointed\0" not in image.slice(image.strings_at, image.strings_size, "")
    edited = binary_edits.apply(before, Edits(name="x" * 7))
    assert facts(edited).name == "x" * 7
    assert binaries.symbols(edited) == binaries.symbols(before)
    assert binaries.symbols(edited).exports == {"appointed", "pointed_so"}


def test_nothing_asked_changes_nothing(outer: bytes) -> None:
    found = facts(outer)
    same = Edits(
        name=found.name,
        needed=(("libinner.so.1", "libinner.so.1"), ("libnever.so", "libx.so"), ("libgone.so", None)),
        search=found.search,
        inherited=found.inherited,
    )
    assert binary_edits.apply(outer, Edits()) == outer
    assert binary_edits.apply(outer, same) == outer


def test_the_search_path_can_be_removed(outer: bytes) -> None:
    edited = binary_edits.apply(outer, Edits(search=()))
    assert facts(edited).search == ()
    assert {elf.DT_RPATH, elf.DT_RUNPATH}.isdisjoint(elf.Image(edited).tags)


@pytest.mark.parametrize("inherited", [True, False])
def test_one_tag_replaces_both_kinds_of_search_path(outer: bytes, inherited: bool) -> None:
    image = elf.Image(outer)
    at = next(s.offset for s in image.segments if s.type == elf.PT_DYNAMIC)
    both = bytearray(outer)
    debris = next(n for n, (tag, _) in enumerate(image.dynamic) if tag == 0x6FFFFFF9)  # DT_RELACOUNT, which may go
    struct.pack_into("<QQ", both, at + 16 * debris, elf.DT_RPATH, image.tags[elf.DT_RUNPATH])
    assert "both DT_RPATH and DT_RUNPATH are set" in binary_edits.layout_problems(bytes(both))
    for search in (("$ORIGIN/..",), ("$ORIGIN",)):
        tags = elf.Image(binary_edits.apply(bytes(both), Edits(search=search, inherited=inherited))).tags
        assert (elf.DT_RPATH in tags, elf.DT_RUNPATH in tags) == (inherited, not inherited)


def test_removing_a_needed_library_drops_the_versions_required_of_it(samples: Samples, tmp_path: Path) -> None:
    path = tmp_path / "edited.so"
    path.write_bytes(binary_edits.apply(samples.outer().read_bytes(), Edits(needed=(("libinner.so.1", None),))))
    found = facts(path.read_bytes())
    assert "libinner.so.1" not in found.needed
    assert all(one.library != "libinner.so.1" for one in found.requires)
    # Its symbols, which now have no version, come from a library that was loaded before.
    code = (
        "import ctypes, sys; ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL);"
        "ctypes.CDLL(sys.argv[2], mode=ctypes.RTLD_GLOBAL); print(ctypes.CDLL(sys.argv[3]).total())"
    )
    command = [sys.executable, "-c", code, str(samples.inner), str(samples.plain), str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout.strip() == str(EXPECTED), result.stderr


def test_removing_the_last_library_with_versions_leaves_a_file_that_loads(samples: Samples, tmp_path: Path) -> None:
    library = shared_library(
        tmp_path / "lib.so",
        "int first(void); int total(void) { return first(); }",
        Linking(needed=(samples.inner,), flags=("-nostdlib",)),
    )
    path = tmp_path / "edited.so"
    path.write_bytes(binary_edits.apply(library.read_bytes(), Edits(needed=(("libinner.so.1", None),))))
    assert {elf.DT_VERNEED, elf.DT_VERSYM}.isdisjoint(elf.Image(path.read_bytes()).tags)
    readelf(path)
    code = (
        "import ctypes, sys; ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL); print(ctypes.CDLL(sys.argv[2]).total())"
    )
    for name in ("edited.so", "stripped.so"):
        command = [sys.executable, "-c", code, str(samples.inner), str(tmp_path / name)]
        if name == "stripped.so":
            subprocess.run(["strip", "-s", "-o", str(tmp_path / name), str(path)], check=True)
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.stdout.strip() == "1", (name, result.returncode, result.stderr)


def test_two_needed_libraries_that_become_one_are_named_once(outer: bytes) -> None:
    edited = facts(
        binary_edits.apply(outer, Edits(needed=(("libinner.so.1", "libone.so"), ("libplain.so", "libone.so"))))
    )
    assert edited.needed.count("libone.so") == 1
    assert {"libinner.so.1", "libplain.so"}.isdisjoint(edited.needed)


def test_unique_symbols_become_global_and_nothing_else_changes(tmp_path: Path, samples: Samples) -> None:
    text = "template <class T> struct Box { static int value; };template <class T> int Box<T>::value = 4;"
    text += 'extern "C" int total() { return Box<int>::value; }'
    library = shared_library(tmp_path / "lib.so", text, language="c++")
    before = library.read_bytes()
    assert "UNIQUE" in readelf(library, "-s")
    path = tmp_path / "edited.so"
    path.write_bytes(binary_edits.apply(before, Edits(unbind_unique=True)))
    assert "UNIQUE" not in readelf(path, "-s")
    assert facts(path.read_bytes()) == facts(before)
    after = path.read_bytes()
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 2  # .dynsym and .symtab
    assert total(path) == 4


def test_a_static_file_has_nothing_to_edit(samples: Samples) -> None:
    path = program(samples.folder / "static", "int main(void) { return 0; }", Linking(flags=("-static",)))
    data = path.read_bytes()
    assert binary_edits.apply(data, Edits(search=())) == data
    with pytest.raises(Malformed, match="without a dynamic section"):
        binary_edits.apply(data, Edits(search=("$ORIGIN",)))


def test_a_search_path_that_would_be_read_as_two_is_refused(outer: bytes) -> None:
    with pytest.raises(Malformed, match="search is"):
        binary_edits.apply(outer, Edits(search=("$ORIGIN/a:b",)))


def test_names_that_are_no_utf8_survive(outer: bytes) -> None:
    odd = b"lib\xff\xfe.so".decode("utf-8", "surrogateescape")
    assert facts(binary_edits.apply(outer, Edits(name=odd))).name == odd


# -- judging ----------------------------------------------------------------------------------------------------------


def test_a_section_that_only_says_to_be_the_needed_versions_keeps_its_header(outer: bytes) -> None:
    image = elf.Image(outer)
    number = next(n for n, section in enumerate(image.sections) if section.type == 0x6FFFFFFF)  # SHT_GNU_versym
    broken = bytearray(outer)
    struct.pack_into("<I", broken, image.header.sections_at + 64 * number + 4, elf.SHT_GNU_VERNEED)
    before = elf.Image(bytes(broken)).sections[number]
    edited = binary_edits.apply(bytes(broken), Edits(needed=(("libinner.so.1", "libother.so.1"),)))
    assert elf.Image(edited).sections[number] == before


def with_section(data: bytes, number: int, **fields: int) -> bytes:
    """A file with another header of a section."""
    image = elf.Image(data)
    section = image.sections[number]._replace(**fields)
    at = image.header.sections_at + 64 * number
    return data[:at] + struct.pack("<IIQQQQIIQQ", *section) + data[at + 64 :]


def test_a_table_that_is_no_longer_one_refers_to_no_section(outer: bytes) -> None:
    sections = elf.Image(outer).sections
    number = next(n for n, section in enumerate(sections) if section.type == elf.SHT_GNU_VERNEED)
    broken = with_section(outer, number, flags=sections[number].flags | elf.SHF_INFO_LINK)
    needed = binaries.read(broken).needed
    edited = binary_edits.apply(broken, Edits(needed=tuple((name, None) for name in needed)))
    after = elf.Image(edited).sections[number]
    assert (after.type, after.flags, after.info) == (elf.SHT_PROGBITS, sections[number].flags, 0)


def test_zeros_that_are_written_out_refer_to_no_section(outer: bytes) -> None:
    sections = elf.Image(outer).sections
    number = next(n for n, section in enumerate(sections) if section.type == elf.SHT_NOBITS)
    broken = with_section(outer, number, flags=sections[number].flags | elf.SHF_INFO_LINK, link=3, info=5)
    edited = binary_edits.apply(broken, Edits(search=(f"$ORIGIN/{'x' * 2000}",)))
    after = elf.Image(edited).sections[number]
    assert (after.type, after.flags, after.link, after.info) == (elf.SHT_PROGBITS, sections[number].flags, 0, 0)


def test_a_section_that_makes_way_for_a_program_header_is_told_whether_it_is_loaded_or_not(samples: Samples) -> None:
    data = samples.outer(("-Wl,--build-id",), ZEROS["large .bss"]).read_bytes()
    notes = [number for number, section in enumerate(elf.Image(data).sections) if section.type == 7]
    assert notes
    for number in notes:
        before = elf.Image(data).sections[number]
        broken = with_section(data, number, flags=0, address=0)
        edited = binary_edits.apply(broken, Edits(search=(f"$ORIGIN/{'x' * 2000}",)))
        after = elf.Image(edited).sections[number]
        assert after.address == 0
        assert edited[after.offset :][: after.size] == data[before.offset :][: before.size]


def test_the_names_of_sections_move_with_the_file_whatever_type_they_are_said_to_have(outer: bytes) -> None:
    def names(data: bytes) -> list[bytes]:
        image = elf.Image(data)
        start = image.sections[image.header.section_names].offset
        found = [data[start + section.name :].split(b"\0")[0] for section in image.sections]
        return [name for name in found if name != b".bss"]

    broken = with_section(outer, elf.Image(outer).header.section_names, type=0)
    edited = binary_edits.apply(broken, Edits(search=tuple(f"$ORIGIN/{name * 2000}" for name in "abc")))
    assert len(edited) > len(outer) + 6000
    assert names(edited) == names(outer)


def test_program_headers_of_another_size_are_malformed(outer: bytes) -> None:
    broken = bytearray(outer)
    struct.pack_into("<H", broken, 54, 57)
    with pytest.raises(Malformed, match=r"^program headers of 57 bytes, not 56$"):
        binaries.read(bytes(broken))


def test_a_table_of_sections_that_could_not_be_read_does_not_come_to_lie_in_the_edited_file(outer: bytes) -> None:
    broken = bytearray(outer)
    struct.pack_into("<Q", broken, 40, len(outer) + 64 - len(outer) % 64)
    edited = binary_edits.apply(bytes(broken), Edits(name="lib" + "x" * 5000 + ".so"))
    assert elf.Image(edited).sections == []
    assert binary_edits.layout_problems(edited) == ()


# -- other architectures ----------------------------------------------------------------------------------------------

CROSS = Toolchain(c="aarch64-linux-gnu-gcc", cpp="aarch64-linux-gnu-g++")


@pytest.mark.parametrize("zeros", ZEROS.values(), ids=ZEROS.keys())
def test_an_aarch64_library_is_edited_for_every_page_size_and_loads_under_qemu(tmp_path: Path, zeros: int) -> None:
    qemu = shutil.which("qemu-aarch64") or pytest.skip("qemu-aarch64 is not on this machine")
    inner = shared_library(tmp_path / "libinner.so", INNER, Linking(soname="libinner.so"), toolchain=CROSS)
    text = OUTER.replace(" + 100 * third()", "") % zeros
    library = shared_library(
        tmp_path / "libouter.so", text, Linking(soname="libouter.so", needed=(inner,)), toolchain=CROSS
    )
    built = program(
        tmp_path / "built",
        f"int total(void); int main(void) {{ return total() == {EXPECTED - 300} ? 7 : 1; }}",
        Linking(needed=(library,), flags=(f"-Wl,-rpath-link,{tmp_path}",)),
        toolchain=CROSS,
    )
    away = tmp_path / "rather" / "far" / "away"
    away.mkdir(parents=True)
    inner.rename(away / "libinner-0123abcd.so")
    asked = Edits(
        name="libouter-0123abcd.so",
        needed=(("libinner.so", "libinner-0123abcd.so"),),
        search=("$ORIGIN/rather/far/away",),
    )
    edited = binary_edits.apply(library.read_bytes(), asked)
    assert facts(edited).arch == "aarch64"
    assert binary_edits.layout_problems(edited) == ()
    (tmp_path / "libouter-0123abcd.so").write_bytes(edited)
    library.unlink()
    main = binary_edits.apply(
        built.read_bytes(), Edits(needed=(("libouter.so", "libouter-0123abcd.so"),), search=("$ORIGIN",))
    )
    assert binary_edits.layout_problems(main) == ()
    built.write_bytes(main)
    result = subprocess.run([qemu, "-L", "/usr/aarch64-linux-gnu", str(built)], capture_output=True, check=False)
    assert result.returncode == 7, result.stderr


STACKS = {"rw-p": ("-Wl,-z,noexecstack",), "rwxp": ("-Wl,-z,execstack",)}


@pytest.mark.parametrize("permissions", STACKS)
def test_the_stack_that_a_library_asks_for_is_read_and_the_mark_can_be_taken_away(tmp_path, permissions):
    path = shared_library(tmp_path / "libx.so", "int x(void) { return 1; }", Linking(flags=STACKS[permissions]))
    assert facts(path.read_bytes()).execstack == (permissions == "rwxp")
    edits = Edits(clear_execstack=True, search=("$ORIGIN/" + "long/" * 40,), name="lib-other.so")
    cleared = binary_edits.apply(path.read_bytes(), edits)
    assert not facts(cleared).execstack
    assert binary_edits.layout_problems(cleared) == ()
    path.write_bytes(cleared)
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1]); print(open('/proc/self/maps').read())"
    maps = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in maps.splitlines() if line.endswith("[stack]")] == ["rw-p"]


@pytest.mark.parametrize(("flag", "weak"), [("-F", ()), ("-f", ("libreal.so.1",))])
def test_the_library_for_which_another_one_stands_is_needed_and_can_be_renamed(tmp_path, flag, weak):
    real = shared_library(tmp_path / "libreal.so.1", "int x(void) { return 42; }", Linking(soname="libreal.so.1"))
    flags = (f"-Wl,{flag},libreal.so.1",)
    path = shared_library(tmp_path / "libx.so", "int x(void) { return 1; }", Linking(soname="libx.so", flags=flags))
    found = facts(path.read_bytes())
    assert ("libreal.so.1" in found.needed, found.weak) == (True, weak)
    edits = Edits(needed=(("libreal.so.1", "libreal-0123abcd.so.1"),), search=("$ORIGIN/sub",), inherited=True)
    path.write_bytes(binary_edits.apply(path.read_bytes(), edits))
    assert binary_edits.layout_problems(path.read_bytes()) == ()
    (tmp_path / "sub").mkdir()
    renamed = tmp_path / "sub/libreal-0123abcd.so.1"
    renamed.write_bytes(binary_edits.apply(real.read_bytes(), Edits(name=renamed.name)))
    real.unlink()
    code = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).x())"
    shown = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert shown.stdout == "42\n"


def more_entries_than_a_section_has() -> bytes:
    return written.elf({"strings": b"\0"}, [(99, 1)] * 0x10001)


def versions_outside_of_their_segment() -> bytes:
    chain = written.verneed((1, 0, 16, 0x1000))
    return written.elf({"strings": b"\0", "chain": chain}, [(written.VERNEED, "chain"), (written.VERNEEDNUM, 2)])


def symbol_hashes_without_a_last_one() -> bytes:
    hashes = struct.pack("<4IQI", 1, 1, 1, 0, 0, 1) + bytes(4)
    entries: list[tuple[int, int | str]] = [(written.GNU_HASH, "hashes"), (written.SYMTAB, "strings")]
    data = bytearray(written.elf({"strings": b"\0", "hashes": hashes}, entries))
    struct.pack_into("<Q", data, 64 + 32, data.index(hashes) + len(hashes))  # the dynamic section is in no segment
    return bytes(data)


def symbol_with_a_name_outside_of_the_strings() -> bytes:
    symbols = bytes(24) + struct.pack("<IBBHQQ", 9, 0x12, 0, 1, 0, 0)
    tables = {"strings": b"\0a\0", "symbols": symbols, "names": b"\0"}
    return written.elf(tables, [(written.SYMTAB, "symbols")], sections=[(11, 2, "symbols", 0)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (more_entries_than_a_section_has, "the dynamic section has 65539 entries"),
        (
            versions_outside_of_their_segment,
            "the needed versions: 16 bytes at 0x1100 are not in the segment, which ends at 0x160",
        ),
        (symbol_hashes_without_a_last_one, "the GNU symbol hash table: the chain at 0x11c has no end"),
        (
            symbol_with_a_name_outside_of_the_strings,
            "a symbol's name at 0x9 of the dynamic strings is outside of them or has no end",
        ),
    ],
)
def test_tables_that_lead_out_of_what_holds_them_are_malformed(make: Callable[[], bytes], message: str) -> None:
    data = make()
    with pytest.raises(Malformed) as raised:
        _ = binaries.read(data), binaries.symbols(data)
    assert str(raised.value) == message
