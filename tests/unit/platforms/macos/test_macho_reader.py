"""What is read of Mach-O files."""

from __future__ import annotations

import struct

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.types import Binary, Edits
from tests.support.binaries import facts, objdump
from tests.support.macho import (
    BUNDLE,
    LOAD,
    OBJECT,
    PROGRAM,
    WEAK,
    Dylib,
    dylib,
    universal,
)

SYSTEM = "/usr/lib/libSystem.B.dylib"
TWO = ((SYSTEM, LOAD), ("@rpath/libinner.1.dylib", LOAD))
THREE = (*TWO, ("@rpath/liblast.dylib", LOAD))
ARCHES = pytest.mark.parametrize("arch", ["arm64", "x86_64"])
FIXUPS = pytest.mark.parametrize("fixups", ["opcodes", "chains"])


@ARCHES
@FIXUPS
def test_library_reads_as_what_the_linker_wrote(arch, fixups) -> None:
    data = dylib(Dylib(arch=arch, fixups=fixups, needed=TWO, search=("@loader_path/", "/opt/lib"), floor=(12, 3)))
    assert facts(data) == Binary(
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
    assert facts(dylib(Dylib(kind=BUNDLE, name=None))).name is None
    program = facts(dylib(Dylib(kind=PROGRAM, name=None)))
    assert (program.kind, program.interpreter) == ("program", "/usr/lib/dyld")


def test_object_file_is_nothing_that_can_be_linked_to() -> None:
    assert facts(dylib(Dylib(kind=OBJECT, name=None))).kind == "static"


def test_weak_dependency_may_be_missing_unless_it_is_asked_for_strongly_too() -> None:
    needed = (("@rpath/a.dylib", WEAK), ("@rpath/b.dylib", WEAK), ("@rpath/b.dylib", LOAD))
    assert facts(dylib(Dylib(needed=needed))).weak == ("@rpath/a.dylib",)


@pytest.mark.parametrize(
    ("arch", "floor", "found"),
    [("arm64", (10, 9), (11, 0)), ("arm64", None, (11, 0)), ("x86_64", (10, 9), (10, 9)), ("x86_64", None, None)],
)
def test_floor_is_what_the_file_states_and_never_below_the_first_arm_mac(arch, floor, found) -> None:
    assert facts(dylib(Dylib(arch=arch, floor=floor))).floor == found


def test_floor_of_an_old_linker_is_read() -> None:
    assert facts(dylib(Dylib(arch="x86_64", floor=(10, 13), old_floor=True))).floor == (10, 13)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("of_arm", "floor"), [((11, 0), (10, 13)), ((12, 0), (12, 0))])
def test_universal_file_has_both_architectures_and_the_higher_floor_that_says_something(wide, of_arm, floor) -> None:
    """There is no ARM Mac with less than macOS 11, so this demands nothing."""
    slices = (dylib(Dylib(arch="x86_64", floor=(10, 13))), dylib(Dylib(arch="arm64", floor=of_arm, needed=TWO)))
    found = facts(universal(*slices, wide=wide))
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
    assert facts(data).arch is None
    assert binary_edits.layout_problems(data) == ()
    with pytest.raises(Malformed, match="machine that can be edited"):
        binary_edits.apply(data, Edits(sign=True))


def test_universal_file_names_the_slices_that_are_not_read_and_install_names_that_differ() -> None:
    old = struct.pack("<7I", 0xFEEDFACE, 7, 3, 6, 0, 0, 0x85) + bytes(36)
    found = facts(
        universal(old, dylib(Dylib(arch="x86_64", name="/opt/one.dylib")), dylib(Dylib(name="/opt/two.dylib")))
    )
    assert (found.archs, found.unread) == (("x86_64", "arm64"), ("i386",))
    assert (found.name, found.names) == ("/opt/one.dylib", ("/opt/one.dylib", "/opt/two.dylib"))


def test_dependency_that_is_weak_in_one_slice_alone_must_be_there() -> None:
    slices = [
        dylib(Dylib(arch=arch, needed=[("/opt/x.dylib", kind)])) for arch, kind in (("x86_64", WEAK), ("arm64", LOAD))
    ]
    assert facts(universal(*slices)).weak == ()


def test_universal_archive_of_objects_is_static() -> None:
    archive = b"\xca\xfe\xba\xbe" + struct.pack(">6I", 1, 0x0100000C, 0, 64, 8, 3) + bytes(36) + b"!<arch>\n"
    assert (facts(archive).kind, facts(archive).arch) == ("static", None)


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
    binary = facts(dylib(Dylib(search=("@loader_path", "@loader_path/../lib/", "/opt/lib", "@executable_path/x"))))
    assert list(binaries.lookup(binary, "pkg/a/b.so", name)) == places


def test_program_finds_what_is_beside_it() -> None:
    binary = facts(dylib(Dylib(kind=PROGRAM, name=None, search=("@executable_path/../lib",))))
    assert list(binaries.lookup(binary, "x/bin/tool", "@rpath/liba.dylib")) == ["x/lib/liba.dylib"]
