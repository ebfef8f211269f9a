from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.types import Edits
from tests.support.binaries import facts
from tests.support.windows import Dll, dll

IMPORTS = {"KERNEL32.dll": ["Sleep", "Beep"], "inner.dll": ["one", "two"], "outer.dll": ["three"]}
RICH = Dll(imports=IMPORTS, delayed={"late.dll": ["later"]}, forwards={"also": "other.thing", "more": "third.x"})
NEW = {"inner.dll": "inner-0123abcd.dll", "late.dll": "late-0123abcd.dll", "other.dll": "other-0123abcd.dll"}
RENAMES = Edits(needed=tuple(NEW.items()))
ARCHES = pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
ROOMS = pytest.mark.parametrize(
    "room", [{}, {"slack": False}, {"slack": False, "header_room": False}], ids=["slack", "section", "headers"]
)


def seen(data: bytes) -> dict[str, object]:
    """What LIEF sees in a file: imports with the places of their addresses, delayed imports, exports."""
    lief = pytest.importorskip("lief")
    lief.logging.disable()
    image = lief.PE.parse(list(data))
    return {
        "imports": [
            (one.name, one.import_address_table_rva, [each.name for each in one.entries]) for one in image.imports
        ],
        "delayed": [(one.name, [each.name for each in one.entries]) for one in image.delay_imports],
        "exports": [each.name for each in image.get_export().entries],
        "forwards": [
            (each.name, each.forward_information.library) for each in image.get_export().entries if each.is_forwarded
        ],
        "sections": [(each.name, each.virtual_address) for each in image.sections],
        "checksum": image.optional_header.checksum == image.compute_checksum(),
    }


# --- editing


@ARCHES
@ROOMS
def test_renamed_libraries_are_what_other_readers_see_and_all_else_stays(arch, room) -> None:
    before = dll(
        Dll(**{**{name: getattr(RICH, name) for name in ("imports", "delayed", "forwards")}, "arch": arch, **room})
    )
    after = binary_edits.apply(before, RENAMES)
    old, new = seen(before), seen(after)
    assert new["imports"] == [(NEW.get(name, name), *rest) for name, *rest in old["imports"]]
    assert new["delayed"] == [(NEW.get(name, name), symbols) for name, symbols in old["delayed"]]
    assert new["exports"] == old["exports"]
    assert new["forwards"] == [("also", "other-0123abcd"), ("more", "third")]
    assert new["sections"][: len(old["sections"])] == old["sections"]
    assert new["checksum"]
    assert binary_edits.layout_problems(after) == ()


@ROOMS
def test_code_and_data_keep_their_bytes(room) -> None:
    before = dll(Dll(imports=IMPORTS, **room))
    after = binary_edits.apply(before, RENAMES)
    text, data = before[0x400:0x406], before[-0x200:]
    assert text in after
    assert data in after
    assert after.count(b"inner.dll\0") == 1  # the old name stays where it was, unused


def test_shorter_name_is_written_in_place() -> None:
    before = dll(Dll(imports=IMPORTS))
    after = binary_edits.apply(before, Edits(needed=(("inner.dll", "in.dll"),)))
    assert len(after) == len(before)
    changed = [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    start = before.index(b"inner.dll\0")
    assert {at for at in changed if at >= 0x400} <= set(range(start, start + 9))


def test_libraries_are_renamed_whatever_the_case_in_which_they_are_asked_for() -> None:
    after = binary_edits.apply(dll(Dll(imports={"INNER.dll": ["a"]})), Edits(needed=(("inner.DLL", "x.dll"),)))
    assert facts(after).needed == ("x.dll",)


@ROOMS
def test_edits_on_edits_keep_the_size_and_five_are_as_good_as_one(room) -> None:
    before = dll(Dll(imports=IMPORTS, forwards={"also": "other.thing"}, **room))

    def renamed(data: bytes, number: int) -> bytes:
        stems = {name.partition("-")[0].partition(".")[0]: name for name in facts(data).needed}
        new = tuple((stems[each], f"{each}-{number:08x}.dll") for each in ("inner", "outer", "other"))
        return binary_edits.apply(data, Edits(needed=new))

    one = renamed(before, 5)
    many = before
    for number in (1, 2, 3, 4, 5):
        many = renamed(many, number)
    assert many == one


def test_longer_names_later_let_the_added_section_grow_and_stay_the_only_one() -> None:
    data = dll(Dll(imports=IMPORTS, slack=False))
    for length in (20, 300, 700, 100):
        data = binary_edits.apply(data, Edits(needed=((facts(data).needed[1], "i" * length + ".dll"),)))
        assert binary_edits.layout_problems(data) == ()
        assert [name for name, _ in seen(data)["sections"]] == [".text", ".rdata", ".data", ".mamba"]
    assert facts(data).needed[1] == "i" * 100 + ".dll"


def test_names_move_from_the_slack_to_a_section_when_they_outgrow_it() -> None:
    data = binary_edits.apply(dll(Dll(imports=IMPORTS)), RENAMES)
    assert len(seen(data)["sections"]) == 3
    data = binary_edits.apply(data, Edits(needed=(("inner-0123abcd.dll", "i" * 600 + ".dll"),)))
    assert seen(data)["sections"][-1][0] == ".mamba"
    assert facts(data).needed == ("KERNEL32.dll", "i" * 600 + ".dll", "outer.dll")


@ROOMS
def test_name_of_the_library_itself_can_be_changed(room) -> None:
    after = binary_edits.apply(dll(Dll(forwards={"also": "other.thing"}, **room)), Edits(name="value-0123abcd.dll"))
    assert facts(after).name == "value-0123abcd.dll"
    assert sorted(seen(after)["exports"]) == ["also", "value"]


def test_checksum_stays_nothing_where_there_was_none() -> None:
    after = binary_edits.apply(dll(Dll(imports=IMPORTS, checksum=False)), RENAMES)
    assert struct.unpack_from("<I", after, 0x80 + 24 + 64) == (0,)


def test_certificate_leaves_with_the_bytes_that_it_vouched_for() -> None:
    before = dll(Dll(imports=IMPORTS, certificate=b"signed!!" * 40, integrity=True))
    after = binary_edits.apply(before, RENAMES)
    assert b"signed!!" not in after
    assert struct.unpack_from("<2I", after, 0x80 + 24 + 112 + 8 * 4) == (0, 0)
    # Windows refuses an image that says it must be signed and is not.
    assert not struct.unpack_from("<H", after, 0x80 + 24 + 70)[0] & 0x80


@ROOMS
def test_what_follows_the_sections_follows_them_still(room) -> None:
    before = dll(Dll(imports=IMPORTS, overlay=b"an archive", certificate=b"signed!!", **room))
    after = binary_edits.apply(before, RENAMES)
    assert after.rstrip(b"\0").endswith(b"an archive")
    assert b"signed!!" not in after


def test_bindings_and_restrictions_of_the_search_are_cleared() -> None:
    after = binary_edits.apply(dll(Dll(imports=IMPORTS, bound=True, load_flags=0x800)), RENAMES)
    assert facts(after).search == ()
    assert struct.unpack_from("<2I", after, 0x80 + 24 + 112 + 8 * 11) == (0, 0)
    assert b"\xff\xff\xff\xff\xff\xff\xff\xff" not in after


def test_restriction_of_the_search_can_be_all_that_is_asked_to_go() -> None:
    before = dll(Dll(load_flags=0x800))
    after = binary_edits.apply(before, Edits(search=()))
    assert facts(after).search == ()
    assert len(after) == len(before)


def test_edits_that_ask_for_what_is_change_nothing() -> None:
    data = dll(Dll(imports=IMPORTS, certificate=b"signed!!", load_flags=0x800))
    assert binary_edits.apply(data, Edits(needed=(("inner.dll", "inner.dll"), ("gone.dll", "x.dll")))) == data


@pytest.mark.parametrize(
    ("edits", "what"),
    [
        (Edits(needed=(("inner.dll", None),)), "cannot be left out"),
        (Edits(search=("lib",)), "no search path"),
        (Edits(needed=(("inner.dll", "x/inner.dll"),)), "cannot be a library's name"),
        (Edits(needed=(("inner.dll", ""),)), "cannot be a library's name"),
    ],
)
def test_what_windows_has_no_words_for_is_refused(edits, what) -> None:
    with pytest.raises(Malformed, match=what):
        binary_edits.apply(dll(Dll(imports=IMPORTS)), edits)


def test_image_for_another_machine_is_not_edited() -> None:
    with pytest.raises(Malformed, match="64-bit"):
        binary_edits.apply(dll(Dll(arch="i386")), RENAMES)


# --- structure


@ROOMS
def test_llvm_reads_edited_files_without_complaint(tmp_path: Path, room) -> None:
    tool = shutil.which("llvm-readobj")
    if tool is None:
        pytest.skip("llvm-readobj is not on this machine")
    path = tmp_path / "value.dll"
    path.write_bytes(binary_edits.apply(dll(Dll(imports=IMPORTS, delayed=RICH.delayed, **room)), RENAMES))
    done = subprocess.run(
        [tool, "--coff-imports", "--coff-exports", "--sections", path], check=True, capture_output=True, text=True
    )
    assert not done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  Name: ")][:4]
    for name in ("KERNEL32.dll", "inner-0123abcd.dll", "outer.dll", "late-0123abcd.dll"):
        assert f"Name: {name}" in done.stdout


def section_at(data: bytes, name: bytes) -> int:
    """Where the header of a section is."""
    return data.index(name.ljust(8, b"\0"))


def number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def test_the_record_that_ends_the_imports_is_not_overwritten_where_its_section_is_said_to_end_before() -> None:
    data = bytearray(dll(Dll(name=None, is_library=False, imports=IMPORTS)))
    header = section_at(data, b".rdata")
    address, size = struct.unpack_from("<2I", data, number(data, 60) + 24 + 112 + 8)
    virtual = number(data, header + 8)
    assert address + size == 0x2000 + virtual, "the imports are the last of the constants"
    struct.pack_into("<I", data, header + 8, virtual - 4)
    edited = binary_edits.apply(bytes(data), RENAMES)
    end = number(data, header + 20) + virtual
    assert edited[end - 20 : end] == bytes(20)
    assert facts(edited).needed == ("KERNEL32.dll", "inner-0123abcd.dll", "outer.dll")


def test_a_name_in_the_headers_is_not_written_over() -> None:
    data = bytearray(dll(Dll()))
    exports = number(data, number(data, 60) + 24 + 112)
    header = section_at(data, b".rdata")
    struct.pack_into("<I", data, exports - number(data, header + 12) + number(data, header + 20) + 12, 1)
    assert facts(bytes(data)).name == "Z"  # of MZ, with which every image begins
    edited = binary_edits.apply(bytes(data), Edits(name="a"))
    assert (edited[:2], facts(edited).name) == (b"MZ", "a")
