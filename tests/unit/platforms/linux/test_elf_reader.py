"""What is read of ELF files that the system's compiler made."""

from __future__ import annotations

import platform
import re
import subprocess

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.linux import elf
from mamba_press.types import Edits, Requirement
from tests.support import elf as written
from tests.support.binaries import facts, readelf
from tests.support.compile import Linking, program, shared_library
from tests.support.elf_samples import Samples


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
    assert binary_edits.layout_problems(bytes(foreign)) == ()
    with pytest.raises(Malformed, match="64-bit little-endian"):
        binary_edits.apply(bytes(foreign), Edits(search=("$ORIGIN",)))


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


def test_a_path_that_no_system_opens_is_malformed() -> None:
    long = b"a" * 4097 + b"\0"
    with pytest.raises(Malformed, match=r"^the interpreter's path has 4098 bytes; Linux takes 4096 at most$"):
        binaries.read(written.elf({"strings": b"\0", "path": long}, [], segments=[(elf.PT_INTERP, "path")]))
    for tag in (written.NEEDED, written.RUNPATH):
        expected = r"^a library's name or a place to look in has 4097 characters; no path has more than 4096$"
        with pytest.raises(Malformed, match=expected):
            binaries.read(written.elf({"strings": b"\0" + long}, [(tag, 1)]))


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
    edited = binary_edits.apply(path.read_bytes(), Edits(search=("$ORIGIN/" + "long/" * 40,), name="lib-other.so"))
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
    assert binaries.unique_symbols(binary_edits.apply(path.read_bytes(), Edits(unbind_unique=True))) == 0


def test_an_x86_64_library_that_says_nothing_of_the_stack_asks_for_an_executable_one(tmp_path):
    path = shared_library(tmp_path / "libx.so", "int x(void) { return 1; }", Linking())
    image = elf.Image(path.read_bytes())
    number = next(n for n, segment in enumerate(image.segments) if segment.type == elf.PT_GNU_STACK)
    data = bytearray(path.read_bytes())
    at = image.header.segments_at + number * elf.SEGMENT.size
    data[at : at + 4] = bytes(4)  # PT_NULL
    assert facts(bytes(data)).execstack == (image.arch == "x86_64")
