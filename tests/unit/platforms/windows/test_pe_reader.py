"""What is read of PE images."""

from __future__ import annotations

import struct

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.types import Binary, Edits
from tests.support.binaries import facts
from tests.support.compile import Linking, shared_library, zig
from tests.support.windows import Dll, dll

IMPORTS = {"KERNEL32.dll": ["Sleep", "Beep"], "inner.dll": ["one", "two"], "outer.dll": ["three"]}
RICH = Dll(imports=IMPORTS, delayed={"late.dll": ["later"]}, forwards={"also": "other.thing", "more": "third.x"})
NEW = {"inner.dll": "inner-0123abcd.dll", "late.dll": "late-0123abcd.dll", "other.dll": "other-0123abcd.dll"}
RENAMES = Edits(needed=tuple(NEW.items()))
ARCHES = pytest.mark.parametrize("arch", ["x86_64", "aarch64"])


@ARCHES
def test_library_reads_as_what_the_linker_wrote(arch) -> None:
    assert facts(dll(Dll(arch=arch, imports=IMPORTS))) == Binary(
        format="pe", arch=arch, kind="shared", name="value.dll", needed=("KERNEL32.dll", "inner.dll", "outer.dll")
    )


def test_delayed_imports_and_forwarders_count_as_needed() -> None:
    assert facts(dll(RICH)).needed == ("KERNEL32.dll", "inner.dll", "outer.dll", "late.dll", "other.dll", "third.dll")


def test_name_that_differs_only_in_case_is_one_library() -> None:
    assert facts(dll(Dll(imports={"Inner.dll": ["a"]}, delayed={"INNER.DLL": ["b"]}))).needed == ("Inner.dll",)


def test_program_is_told_from_a_library() -> None:
    assert facts(dll(Dll(is_library=False, name=None))).kind == "program"


def test_image_for_another_machine_or_of_another_kind_has_no_architecture_and_no_symbols() -> None:
    launcher = b"MZ".ljust(60, b"\0") + (64).to_bytes(4, "little") + b"PE\0\0" + bytes(100)
    for data in (launcher, dll(Dll(arch="i386"))):
        assert facts(data).arch is None
        assert binaries.symbols(data) == binaries.Symbols(imports=frozenset(), exports=frozenset())
        assert binary_edits.layout_problems(data) == ()


def test_image_of_32_bits_is_read_and_not_edited(tmp_path) -> None:
    toolchain = zig(tmp_path, "x86-windows-gnu")
    start = "int __stdcall DllMainCRTStartup(void *a, int b, void *c) { return 1; }"
    inner = tmp_path / "inner.dll"
    flags = ("-nostdlib", f"-Wl,--out-implib,{tmp_path / 'inner.lib'}")
    shared_library(
        inner, "__declspec(dllexport) int two(void) { return 2; }" + start, Linking(flags=flags), toolchain=toolchain
    )
    text = "int two(void); __declspec(dllexport) int value(void) { return two(); }" + start
    linking = Linking(flags=("-nostdlib", str(tmp_path / "inner.lib")))
    outer = shared_library(tmp_path / "outer.dll", text, linking, toolchain=toolchain).read_bytes()
    found = facts(outer)
    assert (found.arch, found.kind, found.name, found.needed) == ("i686", "shared", "outer.dll", ("inner.dll",))
    assert binaries.symbols(outer) == binaries.Symbols(imports=frozenset({"two"}), exports=frozenset({"value"}))
    assert binary_edits.layout_problems(outer) == ()
    with pytest.raises(Malformed, match="only 64-bit PE images"):
        binary_edits.apply(outer, Edits(needed=(("inner.dll", "inner-0123abcd.dll"),)))


def test_image_says_where_its_imports_are_looked_for() -> None:
    assert facts(dll(Dll(load_flags=0x800))).search == ("DependentLoadFlags 0x800",)


def test_symbols_are_those_imported_at_once_or_late_and_those_exported() -> None:
    found = binaries.symbols(dll(RICH))
    assert found.imports == {"Sleep", "Beep", "one", "two", "three", "later"}
    assert found.exports == {"value", "also", "more"}


MANIFEST = b"""<assembly xmlns="urn:schemas-microsoft-com:asm.v1" manifestVersion="1.0">
<assemblyIdentity name="own" version="1.0.0.0"/>
<dependency><dependentAssembly>
  <assemblyIdentity type="win32" name="Microsoft.VC90.CRT" version="9.0.21022.8"></assemblyIdentity>
</dependentAssembly></dependency>
<dependency><dependentAssembly>
  <assemblyIdentity type='win32' name='Microsoft.Windows.Common-Controls' version='6.0.0.0'/>
</dependentAssembly></dependency></assembly>"""


def test_assemblies_that_a_manifest_asks_for_are_read_but_for_windows_own() -> None:
    data = dll(Dll(manifest=MANIFEST))
    lief = pytest.importorskip("lief")
    assert "Microsoft.VC90.CRT" in lief.PE.parse(list(data)).resources_manager.manifest
    assert facts(data).assemblies == ("Microsoft.VC90.CRT",)
    assert facts(dll(Dll(manifest=b"<assembly/>"))).assemblies == ()


def test_broken_resources_ask_for_nothing() -> None:
    data = dll(Dll(manifest=MANIFEST))
    at = data.index(struct.pack("<2I", 24, 0x80000018))
    assert facts(data[:at] + struct.pack("<2I", 24, 0xFFFFFFF0) + data[at + 8 :]).assemblies == ()


def test_certificate_vouches_for_an_image_until_it_is_edited() -> None:
    data = dll(Dll(imports=IMPORTS, certificate=b"certificate"))
    assert facts(data).vouched
    assert not facts(binary_edits.apply(data, RENAMES)).vouched


def test_text_that_begins_with_mz_is_no_binary() -> None:
    assert binaries.read(b"MZ is how this sentence begins, which is not enough to be a program for Windows.") is None


def test_library_beside_the_image_is_what_its_own_search_path_leads_to() -> None:
    assert list(binaries.lookup(facts(dll(Dll())), "x/_x.pyd", "inner.dll")) == ["x/inner.dll"]
    assert not list(binaries.lookup(facts(dll(Dll(load_flags=0x800))), "x/_x.pyd", "inner.dll"))


@pytest.mark.parametrize(
    ("at", "value", "what"),
    [(0x80 + 20, 100, "no room for 16 directories"), (0x80 + 6, 97, "sections"), (0x80 + 24 + 108, 99, "")],
)
def test_headers_that_contradict_themselves_are_malformed(at, value, what) -> None:
    data = bytearray(dll(Dll()))
    struct.pack_into("<H", data, at, value)
    if not what:
        assert facts(bytes(data)).needed == ("KERNEL32.dll",)  # Windows reads sixteen directories at most
        return
    with pytest.raises(Malformed, match=what):
        binaries.read(bytes(data))


@pytest.mark.parametrize("value", [0, 3, 0x80000000])
@pytest.mark.parametrize("at", [32, 36])
def test_alignment_that_no_linker_writes_is_malformed(at, value) -> None:
    data = bytearray(dll(Dll(imports=IMPORTS, slack=False)))
    struct.pack_into("<I", data, 0x80 + 24 + at, value)
    with pytest.raises(Malformed, match="alignment"):
        binary_edits.apply(bytes(data), RENAMES)


def test_file_that_ends_too_early_is_malformed() -> None:
    data = dll(RICH)
    for size in range(0x84, 0x700, 37):
        with pytest.raises(Malformed):
            binary_edits.apply(data[:size], RENAMES)
