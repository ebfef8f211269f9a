"""ELF files made by the system's compiler: what is read of them, and that edited ones load and survive ``strip``."""

from __future__ import annotations

import platform
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mamba_press.platforms import binaries
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.linux import elf
from mamba_press.types import Binary, Edits, Requirement
from tests.support import elf as written
from tests.support.compile import Linking, Toolchain, program, shared_library, zig

LONG = "$ORIGIN/../somewhere/else/that/is/rather/far/away.libs"
VERSIONS = "INNER_1 { global: first; local: *; };\nINNER_2 { global: second; } INNER_1;\n"
INNER = "int first(void) { return 1; } int second(void) { return 2; }"
OUTER = """
int first(void); int second(void); int third(void);
static int relocated = 5; int *pointer = &relocated;
static volatile char zeros[%d]; static __thread int mine = 7; static __thread int unset;
int total(void) { return first() + 10 * second() + 100 * third() + 1000 * *pointer + zeros[9] + 10000 * mine + unset; }
"""
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


class Samples:
    """Libraries that need each other, compiled once for each way to link."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inner = shared_library(
            folder / "libinner.so.1", INNER, Linking(soname="libinner.so.1", version_script=VERSIONS)
        )
        self.plain = shared_library(
            folder / "libplain.so", "int third(void) { return 3; }", Linking(soname="libplain.so")
        )
        self._made: dict[tuple[tuple[str, ...], int], Path] = {}

    def outer(self, flags: tuple[str, ...] = (), zeros: int = 100) -> Path:
        for flag in flags:
            if flag.startswith("-fuse-ld=") and not shutil.which(f"ld.{flag[9:]}"):
                pytest.skip(f"the linker {flag[9:]} is not on this machine")
        key = (flags, zeros)
        if key not in self._made:
            path = self.folder / str(len(self._made)) / "libouter.so.1"
            linking = Linking(
                soname="libouter.so.1", needed=(self.inner, self.plain), runpath="$ORIGIN/..", flags=flags
            )
            self._made[key] = shared_library(path, OUTER % zeros, linking)
        return self._made[key]


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    if not sys.platform.startswith("linux"):
        pytest.skip("needs a Linux compiler and loader")
    return Samples(tmp_path_factory.mktemp("elf"))


@pytest.fixture
def outer(samples: Samples) -> bytes:
    return samples.outer().read_bytes()


def facts(data: bytes) -> Binary:
    found = binaries.read(data)
    assert found is not None
    return found


def readelf(path: Path, *flags: str) -> str:
    tool = shutil.which("readelf") or pytest.skip("readelf is not on this machine")
    result = subprocess.run([tool, "-W", *(flags or ("-ldVS",)), str(path)], capture_output=True, text=True, check=True)
    assert "arning" not in result.stderr
    assert "<corrupt" not in result.stdout
    return result.stdout


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


# -- reading ----------------------------------------------------------------------------------------------------------


def test_a_library_is_read_as_the_linker_was_told(outer: bytes) -> None:
    found = facts(outer)
    assert (found.format, found.kind, found.name) == ("elf", "shared", "libouter.so.1")
    assert found.needed[:2] == ("libinner.so.1", "libplain.so")  # and the C library, where the linker asks for it
    assert (found.search, found.inherited) == (("$ORIGIN/..",), False)
    inner = [one for one in found.requires if one.library == "libinner.so.1"]
    assert [sorted(one.versions) for one in inner] == [["INNER_1", "INNER_2"]]
    assert found.defines == frozenset()


def test_the_versions_a_library_defines_are_those_of_its_version_script(samples: Samples) -> None:
    assert facts(samples.inner.read_bytes()).defines == {"INNER_1", "INNER_2"}


def test_an_inherited_search_path_is_told_from_one_that_is_not(samples: Samples) -> None:
    old = shared_library(samples.folder / "old.so", "int x;", Linking(rpath="$ORIGIN/a:$ORIGIN/b"))
    found = facts(old.read_bytes())
    assert (found.search, found.inherited) == (("$ORIGIN/a", "$ORIGIN/b"), True)


@pytest.mark.parametrize(
    ("flags", "kind", "has_interpreter"),
    [(("-pie",), "program", True), (("-no-pie",), "program", True), (("-static",), "static", False)],
)
def test_a_program_is_told_from_a_library_and_a_static_file(
    samples: Samples, flags: tuple[str, ...], kind: str, has_interpreter: bool
) -> None:
    path = program(samples.folder / f"program{flags[0]}", "int main(void) { return 0; }", Linking(flags=flags))
    found = facts(path.read_bytes())
    assert found.kind == kind
    assert (found.interpreter is not None) == has_interpreter


def test_an_object_file_is_static(samples: Samples) -> None:
    path = samples.folder / "object.o"
    subprocess.run(["gcc", "-c", "-x", "c", "-", "-o", str(path)], input=b"int x;", check=True)
    assert facts(path.read_bytes()).kind == "static"


def test_packed_relocations_require_glibc_2_36_even_if_the_linker_did_not_say_so(samples: Samples) -> None:
    quiet = facts(samples.outer(("-fuse-ld=lld", "-Wl,--pack-dyn-relocs=relr")).read_bytes())
    assert Requirement(library="libc.so.6", versions=("GLIBC_ABI_DT_RELR",)) in quiet.requires
    spoken = facts(samples.outer(("-Wl,-z,pack-relative-relocs",)).read_bytes())
    assert sum("GLIBC_ABI_DT_RELR" in one.versions for one in spoken.requires) == 1


def test_reading_needs_no_section_headers(samples: Samples, outer: bytes) -> None:
    bare = bytearray(outer)
    bare[40:48] = bytes(8)
    bare[60:64] = bytes(4)
    assert facts(bytes(bare)) == facts(outer)
    assert binaries.symbols(bytes(bare)) == binaries.symbols(outer)


@pytest.mark.parametrize("style", ["sysv", "gnu", "both"])
def test_symbols_are_those_that_readelf_shows(samples: Samples, style: str) -> None:
    path = samples.outer((f"-Wl,--hash-style={style}",))
    shown = re.findall(r"(?:GLOBAL|WEAK)\s+\w+\s+(\w+)\s+([^@\s]+)", readelf(path, "--dyn-syms"))
    found = binaries.symbols(path.read_bytes())
    assert found.imports == {name for section, name in shown if section == "UND"}
    assert found.exports == {name for section, name in shown if section != "UND"}
    assert {"first", "second", "third"} <= found.imports
    assert found.exports == {"total", "pointer"}


@pytest.mark.parametrize(
    ("place", "value"), [(4, 1), (5, 2), (18, 40)], ids=["32-bit", "big-endian", "another machine"]
)
def test_a_foreign_file_is_a_binary_without_an_architecture_and_is_not_edited(
    outer: bytes, place: int, value: int
) -> None:
    foreign = bytearray(outer)
    foreign[place] = value
    found = facts(bytes(foreign))
    assert (found.format, found.arch) == ("elf", None)
    assert binaries.layout_problems(bytes(foreign)) == ()
    with pytest.raises(Malformed, match="64-bit little-endian"):
        binaries.apply(bytes(foreign), Edits(search=("$ORIGIN",)))


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x7fELF", "elf"),
        (b"\xcf\xfa\xed\xfe", "macho"),
        (b"\xca\xfe\xba\xbe\0\0\0\2", "macho"),
        (b"\xca\xfe\xba\xbe\0\0\0\x3d", None),
        (b"MZ\x90\0", "pe"),
        (b"#!/bin/sh", None),
        (b"", None),
    ],
)
def test_the_first_bytes_tell_the_format(head: bytes, name: str | None) -> None:
    assert binaries.format_of(head) == name


@pytest.mark.parametrize(
    "content", [b"", b"MZ", b"MZ and then prose that is longer than a header of DOS would be...", b"#!"]
)
def test_what_is_no_binary_reads_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert binaries.read(content) is None
    assert binaries.read_file(path) is None


def test_a_file_reads_like_its_bytes(samples: Samples) -> None:
    assert binaries.read_file(samples.inner) == binaries.read(samples.inner.read_bytes())


@pytest.mark.parametrize(
    ("cut", "what"),
    [
        (4, "inside the ELF header"),
        (63, "inside the ELF header"),
        (100, "program headers"),
        (0x400, "outside the file|not in the file"),
    ],
)
def test_a_file_that_ends_early_says_where(outer: bytes, cut: int, what: str) -> None:
    with pytest.raises(Malformed, match=what):
        binaries.read(outer[:cut])


def test_lookup_stays_below_the_root() -> None:
    found = Binary(
        format="elf",
        arch="x86_64",
        kind="shared",
        search=("$ORIGIN", "${ORIGIN}/../b", "/usr/lib", "lib", "$ORIGIN/../../..", "$ORIGINAL", "", "$ORIGIN/$LIB"),
    )
    assert list(binaries.lookup(found, "pkg/a/x.so", "liby.so")) == ["pkg/a/liby.so", "pkg/b/liby.so"]
    assert list(binaries.lookup(found, "x.so", "liby.so")) == ["liby.so"]
    assert list(binaries.lookup(found, "pkg/a/x.so", "/usr/lib/liby.so")) == []
    assert list(binaries.lookup(found, "pkg/a/x.so", "$ORIGIN/../liby.so")) == ["pkg/liby.so"]


# -- editing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zeros", ZEROS.values(), ids=ZEROS.keys())
@pytest.mark.parametrize("flags", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_an_edited_library_of_any_layout_loads_and_survives_strip(
    samples: Samples, tmp_path: Path, flags: tuple[str, ...], zeros: int
) -> None:
    original = samples.outer(flags, zeros)
    asked = everything(samples, tmp_path)
    edited = binaries.apply(original.read_bytes(), asked)
    path = tmp_path / "libouter-89abcdef.so.1"
    path.write_bytes(edited)
    assert binaries.layout_problems(edited) == ()
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
    edited = binaries.apply(built.read_bytes(), everything(samples, tmp_path))
    path = tmp_path / "edited"
    path.write_bytes(edited)
    path.chmod(0o755)
    assert binaries.layout_problems(edited) == ()
    assert subprocess.run([str(path)], check=False).returncode == 7
    subprocess.run(["strip", "-s", str(path)], check=True)
    assert subprocess.run([str(path)], check=False).returncode == 7


def test_a_file_without_section_headers_is_edited(samples: Samples, tmp_path: Path) -> None:
    bare = bytearray(samples.outer().read_bytes())
    bare = bare[: int.from_bytes(bare[40:48], "little")]
    bare[40:48] = bytes(8)
    bare[60:64] = bytes(4)
    path = tmp_path / "libouter-89abcdef.so.1"
    path.write_bytes(binaries.apply(bytes(bare), everything(samples, tmp_path)))
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
    path.write_bytes(binaries.apply(path.read_bytes(), everything(samples, tmp_path)))
    readelf(path)
    assert total(path) == EXPECTED


@pytest.mark.parametrize("zeros", ZEROS.values(), ids=ZEROS.keys())
def test_five_edits_are_no_larger_than_one_and_still_load(samples: Samples, tmp_path: Path, zeros: int) -> None:
    asked = everything(samples, tmp_path)
    once = binaries.apply(samples.outer(zeros=zeros).read_bytes(), asked)
    current = once
    for search in (("$ORIGIN",), (LONG, "$ORIGIN"), (), (LONG,)):
        current = binaries.apply(current, Edits(search=search, name="libshort.so", inherited=len(search) == 2))
        assert facts(current).search == search
        assert binaries.layout_problems(current) == ()
    current = binaries.apply(current, asked)
    assert len(current) <= len(once) + 64
    path = tmp_path / "libouter-89abcdef.so.1"
    path.write_bytes(current)
    assert total(path) == EXPECTED


def test_a_name_that_fits_is_written_in_place(outer: bytes) -> None:
    edited = binaries.apply(outer, Edits(name="libother.so.1", search=("$ORIGIN",)))
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
    edited = binaries.apply(before, Edits(name="x" * 7))
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
    assert binaries.apply(outer, Edits()) == outer
    assert binaries.apply(outer, same) == outer


def test_the_search_path_can_be_removed(outer: bytes) -> None:
    edited = binaries.apply(outer, Edits(search=()))
    assert facts(edited).search == ()
    assert {elf.DT_RPATH, elf.DT_RUNPATH}.isdisjoint(elf.Image(edited).tags)


@pytest.mark.parametrize("inherited", [True, False])
def test_one_tag_replaces_both_kinds_of_search_path(outer: bytes, inherited: bool) -> None:
    image = elf.Image(outer)
    at = next(s.offset for s in image.segments if s.type == elf.PT_DYNAMIC)
    both = bytearray(outer)
    debris = next(n for n, (tag, _) in enumerate(image.dynamic) if tag == 0x6FFFFFF9)  # DT_RELACOUNT, which may go
    struct.pack_into("<QQ", both, at + 16 * debris, elf.DT_RPATH, image.tags[elf.DT_RUNPATH])
    assert "both DT_RPATH and DT_RUNPATH are set" in binaries.layout_problems(bytes(both))
    for search in (("$ORIGIN/..",), ("$ORIGIN",)):
        tags = elf.Image(binaries.apply(bytes(both), Edits(search=search, inherited=inherited))).tags
        assert (elf.DT_RPATH in tags, elf.DT_RUNPATH in tags) == (inherited, not inherited)


def test_removing_a_needed_library_drops_the_versions_required_of_it(samples: Samples, tmp_path: Path) -> None:
    path = tmp_path / "edited.so"
    path.write_bytes(binaries.apply(samples.outer().read_bytes(), Edits(needed=(("libinner.so.1", None),))))
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
    path.write_bytes(binaries.apply(library.read_bytes(), Edits(needed=(("libinner.so.1", None),))))
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
    edited = facts(binaries.apply(outer, Edits(needed=(("libinner.so.1", "libone.so"), ("libplain.so", "libone.so")))))
    assert edited.needed.count("libone.so") == 1
    assert {"libinner.so.1", "libplain.so"}.isdisjoint(edited.needed)


def test_unique_symbols_become_global_and_nothing_else_changes(tmp_path: Path, samples: Samples) -> None:
    text = "template <class T> struct Box { static int value; };template <class T> int Box<T>::value = 4;"
    text += 'extern "C" int total() { return Box<int>::value; }'
    library = shared_library(tmp_path / "lib.so", text, language="c++")
    before = library.read_bytes()
    assert "UNIQUE" in readelf(library, "-s")
    path = tmp_path / "edited.so"
    path.write_bytes(binaries.apply(before, Edits(unbind_unique=True)))
    assert "UNIQUE" not in readelf(path, "-s")
    assert facts(path.read_bytes()) == facts(before)
    after = path.read_bytes()
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 2  # .dynsym and .symtab
    assert total(path) == 4


def test_a_static_file_has_nothing_to_edit(samples: Samples) -> None:
    path = program(samples.folder / "static", "int main(void) { return 0; }", Linking(flags=("-static",)))
    data = path.read_bytes()
    assert binaries.apply(data, Edits(search=())) == data
    with pytest.raises(Malformed, match="without a dynamic section"):
        binaries.apply(data, Edits(search=("$ORIGIN",)))


def test_a_search_path_that_would_be_read_as_two_is_refused(outer: bytes) -> None:
    with pytest.raises(Malformed, match="search is"):
        binaries.apply(outer, Edits(search=("$ORIGIN/a:b",)))


def test_names_that_are_no_utf8_survive(outer: bytes) -> None:
    odd = b"lib\xff\xfe.so".decode("utf-8", "surrogateescape")
    assert facts(binaries.apply(outer, Edits(name=odd))).name == odd


# -- judging ----------------------------------------------------------------------------------------------------------


def segment_at(data: bytes, kind: int, number: int = 0) -> int:
    header = elf.Image(data).header
    found = [n for n, s in enumerate(elf.Image(data).segments) if s.type == kind]
    return header.segments_at + found[number] * elf.SEGMENT.size


@pytest.mark.parametrize(
    ("field", "change", "problem"),
    [
        (8, 8, "differ modulo"),
        (16, -0x1000, "overlap|differ|not in a segment"),
        (32, 0x100000, "behind the end of the file"),
        (40, -0x10, "larger in the file than in memory"),
    ],
)
def test_a_segment_that_contradicts_itself_is_reported(outer: bytes, field: int, change: int, problem: str) -> None:
    broken = bytearray(outer)
    at = segment_at(outer, elf.PT_LOAD, 1) + field
    struct.pack_into("<q", broken, at, struct.unpack_from("<q", broken, at)[0] + change)
    assert any(re.search(problem, one) for one in binaries.layout_problems(bytes(broken)))


def test_a_file_for_small_pages_is_found_unfit_for_the_large_pages_of_its_architecture(samples: Samples) -> None:
    data = bytearray(samples.outer(("-Wl,-z,max-page-size=0x1000", "-s")).read_bytes())
    assert binaries.layout_problems(bytes(data)) == ()
    data[18] = 183  # as if it were for aarch64
    problems = binaries.layout_problems(bytes(data))
    assert any("with pages of 0x10000" in one for one in problems)


def test_a_segment_within_the_last_page_of_another_is_found_with_large_pages_only(samples: Samples) -> None:
    # What editors do that append at the next 4 KiB: on 64 KiB pages the new segment covers the end of the old one.
    data = bytearray(samples.outer(("-Wl,-z,max-page-size=0x10000", "-s")).read_bytes())
    data[18] = 183
    assert binaries.layout_problems(bytes(data)) == ()
    last = max((s for s in elf.Image(bytes(data)).segments if s.type == elf.PT_LOAD), key=lambda s: s.address)
    address = -(-last.end // 0x1000) * 0x1000
    data += bytes(-(len(data) - address) % 0x10000)
    spare = segment_at(bytes(data), 0x6474E551)  # PT_GNU_STACK
    struct.pack_into("<IIQQQQQQ", data, spare, 1, 6, len(data), address, address, 16, 16, 0x1000)
    data += bytes(16)
    problems = binaries.layout_problems(bytes(data))
    assert any("with pages of 0x10000" in one and f"the segment at {address:#x}" in one for one in problems)
    assert not any(re.search(r"with pages of 0x1000\b", one) for one in problems)


def test_versions_of_a_library_that_is_not_needed_are_reported(outer: bytes) -> None:
    image = elf.Image(outer)
    at = next(s.offset for s in image.segments if s.type == elf.PT_DYNAMIC)
    broken = bytearray(outer)
    number = next(
        n for n, (tag, value) in enumerate(image.dynamic) if tag == 1 and image.string(value) == "libinner.so.1"
    )
    struct.pack_into("<QQ", broken, at + 16 * number, 1, image.tags[elf.DT_SONAME])
    assert any("libinner.so.1 are required" in one for one in binaries.layout_problems(bytes(broken)))


def test_a_section_that_only_says_to_be_the_needed_versions_keeps_its_header(outer: bytes) -> None:
    image = elf.Image(outer)
    number = next(n for n, section in enumerate(image.sections) if section.type == 0x6FFFFFFF)  # SHT_GNU_versym
    broken = bytearray(outer)
    struct.pack_into("<I", broken, image.header.sections_at + 64 * number + 4, elf.SHT_GNU_VERNEED)
    before = elf.Image(bytes(broken)).sections[number]
    edited = binaries.apply(bytes(broken), Edits(needed=(("libinner.so.1", "libother.so.1"),)))
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
    edited = binaries.apply(broken, Edits(needed=tuple((name, None) for name in needed)))
    after = elf.Image(edited).sections[number]
    assert (after.type, after.flags, after.info) == (elf.SHT_PROGBITS, sections[number].flags, 0)


def test_zeros_that_are_written_out_refer_to_no_section(outer: bytes) -> None:
    sections = elf.Image(outer).sections
    number = next(n for n, section in enumerate(sections) if section.type == elf.SHT_NOBITS)
    broken = with_section(outer, number, flags=sections[number].flags | elf.SHF_INFO_LINK, link=3, info=5)
    edited = binaries.apply(broken, Edits(search=(f"$ORIGIN/{'x' * 2000}",)))
    after = elf.Image(edited).sections[number]
    assert (after.type, after.flags, after.link, after.info) == (elf.SHT_PROGBITS, sections[number].flags, 0, 0)


def test_the_names_of_sections_move_with_the_file_whatever_type_they_are_said_to_have(outer: bytes) -> None:
    def names(data: bytes) -> list[bytes]:
        image = elf.Image(data)
        start = image.sections[image.header.section_names].offset
        found = [data[start + section.name :].split(b"\0")[0] for section in image.sections]
        return [name for name in found if name != b".bss"]

    broken = with_section(outer, elf.Image(outer).header.section_names, type=0)
    edited = binaries.apply(broken, Edits(search=tuple(f"$ORIGIN/{name * 2000}" for name in "abc")))
    assert len(edited) > len(outer) + 6000
    assert names(edited) == names(outer)


def test_program_headers_of_another_size_are_malformed(outer: bytes) -> None:
    broken = bytearray(outer)
    struct.pack_into("<H", broken, 54, 57)
    with pytest.raises(Malformed, match=r"^program headers of 57 bytes, not 56$"):
        binaries.read(bytes(broken))


def test_a_path_that_no_system_opens_is_malformed() -> None:
    long = b"a" * 4097 + b"\0"
    with pytest.raises(Malformed, match=r"^the interpreter's path has 4098 bytes; Linux takes 4096 at most$"):
        binaries.read(written.elf({"strings": b"\0", "path": long}, [], segments=[(elf.PT_INTERP, "path")]))
    for tag in (written.NEEDED, written.RUNPATH):
        expected = r"^a library's name or a place to look in has 4097 characters; no path has more than 4096$"
        with pytest.raises(Malformed, match=expected):
            binaries.read(written.elf({"strings": b"\0" + long}, [(tag, 1)]))


def test_a_table_of_sections_that_could_not_be_read_does_not_come_to_lie_in_the_edited_file(outer: bytes) -> None:
    broken = bytearray(outer)
    struct.pack_into("<Q", broken, 40, len(outer) + 64 - len(outer) % 64)
    edited = binaries.apply(bytes(broken), Edits(name="lib" + "x" * 5000 + ".so"))
    assert elf.Image(edited).sections == []
    assert binaries.layout_problems(edited) == ()


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
    edited = binaries.apply(library.read_bytes(), asked)
    assert facts(edited).arch == "aarch64"
    assert binaries.layout_problems(edited) == ()
    (tmp_path / "libouter-0123abcd.so").write_bytes(edited)
    library.unlink()
    main = binaries.apply(
        built.read_bytes(), Edits(needed=(("libouter.so", "libouter-0123abcd.so"),), search=("$ORIGIN",))
    )
    assert binaries.layout_problems(main) == ()
    built.write_bytes(main)
    result = subprocess.run([qemu, "-L", "/usr/aarch64-linux-gnu", str(built)], capture_output=True, check=False)
    assert result.returncode == 7, result.stderr


@pytest.mark.parametrize(
    ("machine", "arch", "page"),
    [(62, "x86_64", 0x1000), (183, "aarch64", 0x10000), (21, "ppc64le", 0x10000), (243, "riscv64", 0x10000)],
)
def test_an_added_segment_is_laid_out_for_the_largest_pages_of_its_machine(
    samples: Samples, machine: int, arch: str, page: int
) -> None:
    data = bytearray(samples.outer(("-Wl,-z,max-page-size=0x10000", "-s"), zeros=300_000).read_bytes())
    struct.pack_into("<H", data, 18, machine)  # what is laid out does not depend on the code
    before = {s.address for s in elf.Image(bytes(data)).segments if s.type == elf.PT_LOAD}
    edited = binaries.apply(bytes(data), Edits(search=(LONG,)))
    assert (facts(edited).arch, facts(edited).search) == (arch, (LONG,))
    loads = [s for s in elf.Image(edited).segments if s.type == elf.PT_LOAD]
    (added,) = (s for s in loads if s.address not in before)
    assert (added.align, (added.address - added.offset) % page) == (page, 0)
    assert added.address // page == -(
        -max(s.end for s in loads if s != added) // page
    )  # the next page, shared with none
    assert binaries.layout_problems(edited) == ()


def test_a_riscv64_library_is_judged_for_pages_of_4_kib_and_edited_for_64(tmp_path: Path) -> None:
    flags = ("-nostdlib", "-Wl,-z,max-page-size=0x1000")
    source = "static char zeros[300000]; int *p = (int *)zeros; int one(void) { return *p; }"
    path = shared_library(
        tmp_path / "libone.so",
        source,
        Linking(soname="libone.so", flags=flags),
        toolchain=zig(tmp_path, "riscv64-linux-gnu"),
    )
    assert binaries.layout_problems(path.read_bytes()) == ()
    edited = binaries.apply(path.read_bytes(), Edits(name="libone-0123abcd.so", search=(LONG,)))
    assert (facts(edited).arch, facts(edited).name) == ("riscv64", "libone-0123abcd.so")
    assert binaries.layout_problems(edited) == ()
    loads = [segment for segment in elf.Image(edited).segments if segment.type == elf.PT_LOAD]
    added = max(loads, key=lambda segment: segment.address)
    assert (added.align, (added.address - added.offset) % 0x10000) == (0x10000, 0)


@pytest.mark.parametrize(
    ("target", "arch"),
    [
        ("x86-linux-gnu", "i686"),
        ("arm-linux-gnueabihf", "armv7l"),
        ("s390x-linux-gnu", "s390x"),
        ("powerpc64-linux-gnu", "ppc64"),
        ("loongarch64-linux-gnu", "loongarch64"),
    ],
)
def test_a_file_of_other_words_or_byte_order_is_read_and_not_edited(tmp_path: Path, target: str, arch: str) -> None:
    toolchain = zig(tmp_path, target)
    inner = shared_library(
        tmp_path / "libinner.so.1",
        INNER,
        Linking(soname="libinner.so.1", version_script=VERSIONS, flags=("-nostdlib",)),
        toolchain=toolchain,
    )
    linking = Linking(soname="libouter.so.1", needed=(inner,), runpath="$ORIGIN/..", flags=("-nostdlib",))
    text = "int first(void); int second(void); int own = 1; int total(void) { return first() + second() + own; }"
    outer = shared_library(tmp_path / "libouter.so.1", text, linking, toolchain=toolchain).read_bytes()
    found = facts(outer)
    assert (found.arch, found.kind, found.name) == (arch, "shared", "libouter.so.1")
    assert (found.needed, found.search) == (("libinner.so.1",), ("$ORIGIN/..",))
    assert [(one.library, sorted(one.versions)) for one in found.requires] == [
        ("libinner.so.1", ["INNER_1", "INNER_2"])
    ]
    assert facts(inner.read_bytes()).defines == {"INNER_1", "INNER_2"}
    symbols = binaries.symbols(outer)
    assert {"first", "second"} <= symbols.imports
    assert symbols.exports == {"own", "total"}
    assert binaries.layout_problems(outer) == ()
    with pytest.raises(Malformed, match="64-bit little-endian"):
        binaries.apply(outer, Edits(search=("$ORIGIN",)))


@pytest.mark.parametrize("level", [None, "x86-64-v2", "x86-64-v3", "x86-64-v4"])
def test_the_processor_that_the_linker_was_told_is_read(tmp_path, level):
    if platform.machine() != "x86_64":
        pytest.skip("the levels are of x86_64")
    flags = (f"-march={level}", f"-Wl,-z,{level}") if level else ()
    path = shared_library(tmp_path / "libx.so", "int x(void) { return 1; }", Linking(flags=flags))
    notes = subprocess.run(["readelf", "-nW", str(path)], capture_output=True, text=True, check=True).stdout
    assert (f"x86 ISA needed: {level}" in notes.replace("x86-64-baseline, ", "")) == bool(level)
    found = binaries.read(path.read_bytes())
    assert found is not None
    assert found.isa == level
    edited = binaries.apply(path.read_bytes(), Edits(search=("$ORIGIN/" + "long/" * 40,), name="lib-other.so"))
    assert binaries.read(edited).isa == level


def test_the_symbols_that_a_process_has_once_are_counted(tmp_path):
    text = (
        "template <class T> struct S { static int n; }; template <class T> int S<T>::n; int f() { return S<int>::n; }"
    )
    path = shared_library(tmp_path / "libu.so", text, Linking(soname="libu.so"), language="c++")
    shown = subprocess.run(
        ["readelf", "-W", "--dyn-syms", str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert binaries.unique_symbols(path.read_bytes()) == shown.count(" UNIQUE ") > 0
    assert binaries.unique_symbols(binaries.apply(path.read_bytes(), Edits(unbind_unique=True))) == 0


def test_an_object_file_is_mapped_by_nobody_and_so_has_no_problem(tmp_path):
    compiler = shutil.which("gcc") or pytest.skip("gcc is not on this machine")
    path = tmp_path / "x.o"
    subprocess.run([compiler, "-c", "-x", "c", "-", "-o", str(path)], input="int x = 1;", text=True, check=True)
    assert binaries.layout_problems(path.read_bytes()) == ()


STACKS = {"rw-p": ("-Wl,-z,noexecstack",), "rwxp": ("-Wl,-z,execstack",)}


@pytest.mark.parametrize("permissions", STACKS)
def test_the_stack_that_a_library_asks_for_is_read_and_the_mark_can_be_taken_away(tmp_path, permissions):
    path = shared_library(tmp_path / "libx.so", "int x(void) { return 1; }", Linking(flags=STACKS[permissions]))
    assert facts(path.read_bytes()).execstack == (permissions == "rwxp")
    edits = Edits(clear_execstack=True, search=("$ORIGIN/" + "long/" * 40,), name="lib-other.so")
    cleared = binaries.apply(path.read_bytes(), edits)
    assert not facts(cleared).execstack
    assert binaries.layout_problems(cleared) == ()
    path.write_bytes(cleared)
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1]); print(open('/proc/self/maps').read())"
    maps = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in maps.splitlines() if line.endswith("[stack]")] == ["rw-p"]


def test_an_x86_64_library_that_says_nothing_of_the_stack_asks_for_an_executable_one(tmp_path):
    path = shared_library(tmp_path / "libx.so", "int x(void) { return 1; }", Linking())
    image = elf.Image(path.read_bytes())
    number = next(n for n, segment in enumerate(image.segments) if segment.type == elf.PT_GNU_STACK)
    data = bytearray(path.read_bytes())
    at = image.header.segments_at + number * elf.SEGMENT.size
    data[at : at + 4] = bytes(4)  # PT_NULL
    assert facts(bytes(data)).execstack == (image.arch == "x86_64")


@pytest.mark.parametrize(("flag", "weak"), [("-F", ()), ("-f", ("libreal.so.1",))])
def test_the_library_for_which_another_one_stands_is_needed_and_can_be_renamed(tmp_path, flag, weak):
    real = shared_library(tmp_path / "libreal.so.1", "int x(void) { return 42; }", Linking(soname="libreal.so.1"))
    flags = (f"-Wl,{flag},libreal.so.1",)
    path = shared_library(tmp_path / "libx.so", "int x(void) { return 1; }", Linking(soname="libx.so", flags=flags))
    found = facts(path.read_bytes())
    assert ("libreal.so.1" in found.needed, found.weak) == (True, weak)
    edits = Edits(needed=(("libreal.so.1", "libreal-0123abcd.so.1"),), search=("$ORIGIN/sub",), inherited=True)
    path.write_bytes(binaries.apply(path.read_bytes(), edits))
    assert binaries.layout_problems(path.read_bytes()) == ()
    (tmp_path / "sub").mkdir()
    renamed = tmp_path / "sub/libreal-0123abcd.so.1"
    renamed.write_bytes(binaries.apply(real.read_bytes(), Edits(name=renamed.name)))
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


def test_sections_that_contradict_the_segments_are_reported() -> None:
    tables = {"strings": b"\0", "data": bytes(32), "names": b"\0"}
    kinds = (1, 1, 6, 0x6FFFFFFE)  # contents twice, the dynamic section, the needed versions
    data = bytearray(written.elf(tables, [], sections=[(kind, 2, "data", 0) for kind in kinds]))
    at = int.from_bytes(data[40:48], "little")
    struct.pack_into("<Q", data, at + 64 + 32, 1 << 20)  # the size of the first
    struct.pack_into("<Q", data, at + 128 + 16, 0x7000)  # the address of the second
    assert binaries.layout_problems(bytes(data)) == (
        "section 1 ends behind the end of the file",
        "section 1 at 0x100 is not in a segment at its offset 0x100",
        "section 2 at 0x7000 is not in a segment at its offset 0x100",
        "section 3 says the dynamic section is at 0x100, PT_DYNAMIC 0x130",
        "section 4 says the needed versions are at 0x100, DT_VERNEED does not",
    )
