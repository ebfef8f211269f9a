"""What an edit of an ELF file means, what it refuses, and that its faults are seen."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.linux import elf, elf_edit
from mamba_press.types import Binary, Edits, Requirement
from tests.support import elf as written
from tests.support.binaries import changed, facts, refusal
from tests.support.differences import differences
from tests.support.elf_library import Library, library, strings

PLAIN = library(Library())
WHERE = strings()[1]
SEARCH = Edits(search=("$ORIGIN",))
INNER, OTHER = "libinner.so.1", "libplain.so"


def image(data: bytes) -> elf.Image:
    return elf.Image(data)


def entries(data: bytes) -> list[tuple[int, object]]:
    """The dynamic section, with texts for the strings that it names."""
    found = image(data)
    return [
        (tag, found.string(value) if tag in elf.STRING_TAGS else value)
        for tag, value in found.dynamic
        if tag not in (elf.DT_STRTAB, elf.DT_STRSZ)
    ]


def with_entries(*added: tuple[int, int], **fields: int) -> bytes:
    """A library with more entries in its dynamic section."""
    return library(Library(entries=added, **fields))


# --- what is refused


@pytest.mark.parametrize(
    ("data", "edits", "said"),
    [
        (changed(PLAIN, 18, b"\x28"), SEARCH, "not a 64-bit little-endian ELF file of a machine that can be edited"),
        (
            written.elf({}, [], segments=()).replace(struct.pack("<II", 2, 6), struct.pack("<II", 0, 6)),
            SEARCH,
            "a file without a dynamic section has no names or search path to edit",
        ),
        (written.elf({}, [(99, 1)]), SEARCH, "the dynamic section names no strings"),
    ],
    ids=["machine", "no dynamic section", "no strings"],
)
def test_what_cannot_be_edited_is_refused(data, edits, said) -> None:
    assert refusal(data, edits) == said


def test_a_file_that_has_what_is_asked_for_is_the_same() -> None:
    assert binary_edits.apply(PLAIN, Edits(search=("$ORIGIN/..",), name="libouter.so.1")) is PLAIN
    bare = written.elf({}, [(99, 1)])
    assert binary_edits.apply(bare, Edits(needed=((INNER, "x"),))) is bare


# --- what the edits mean


def test_facts_after_an_edit_are_those_that_were_asked_for() -> None:
    before = Binary(
        format="elf",
        arch="x86_64",
        kind="shared",
        name="liba.so",
        needed=("libx.so", "liby.so", "libz.so", "libw.so"),
        weak=("libx.so", "liby.so", "libz.so", "libw.so"),
        search=("$ORIGIN",),
        inherited=True,
        requires=(
            Requirement(library="libx.so", versions=("X_1",)),
            Requirement(library="liby.so", versions=("Y_1", "Y_2")),
            Requirement(library="libz.so", versions=("Z_1",)),
        ),
    )
    edits = Edits(needed=(("libx.so", "one"), ("libw.so", "one"), ("liby.so", None)))
    after = elf_edit.expected(before, edits)
    assert (after.needed, after.weak, after.name) == (("one", "libz.so"), ("one", "libz.so"), "liba.so")
    assert [(each.library, each.versions) for each in after.requires] == [("one", ("X_1",)), ("libz.so", ("Z_1",))]
    assert (after.search, after.inherited) == (("$ORIGIN",), True)
    other = elf_edit.expected(before, Edits(name="b", search=("/x",), inherited=False))
    assert (other.name, other.search, other.inherited) == ("b", ("/x",), False)
    assert elf_edit.expected(before, Edits(search=(), inherited=True)).inherited is False
    assert elf_edit.expected(before, Edits(search=("/x",), inherited=True)).inherited is True


def test_entries_keep_their_order_and_new_ones_stand_last() -> None:
    data = library(Library(search=False, soname=False, behind=("note", "hash", "interp")))
    data = data.replace(struct.pack("<II", 3, 4) + data[128:136], struct.pack("<II", 0, 4) + data[128:136])
    assert facts(data).kind == "shared"
    result = binary_edits.apply(data, Edits(name="libnew.so", search=("/x", "/y"), inherited=True))
    assert entries(result) == [*entries(data), (elf.DT_SONAME, "libnew.so"), (elf.DT_RPATH, "/x:/y")]


@pytest.mark.parametrize("inherited", [False, True])
def test_one_search_path_stands_where_the_first_of_two_stood(inherited) -> None:
    data = with_entries((elf.DT_RPATH, WHERE["first"]))
    result = binary_edits.apply(data, Edits(search=("/x",), inherited=inherited))
    kind = elf.DT_RPATH if inherited else elf.DT_RUNPATH
    expected = [(kind, "/x") if tag == elf.DT_RUNPATH else (tag, value) for tag, value in entries(data)[:-1]]
    assert entries(result) == expected


def test_two_search_paths_become_one_even_where_the_path_is_what_is_asked_for() -> None:
    data = with_entries((elf.DT_RPATH, WHERE["first"]))
    result = binary_edits.apply(data, Edits(search=("$ORIGIN/..",)))
    assert entries(result) == entries(data)[:-1]
    assert binary_edits.apply(data, Edits(name="libouter.so.1")) is data


def test_a_name_is_needed_once_for_each_way_to_need_it() -> None:
    data = with_entries((elf.DT_FILTER, WHERE["first"]), (elf.DT_AUXILIARY, WHERE["total"]), (1, WHERE["first"]))
    names = ((INNER, "one"), (OTHER, "one"), ("first", "one"), ("total", "one"))
    result = entries(binary_edits.apply(data, Edits(needed=names)))
    assert [(tag, value) for tag, value in result if value == "one"] == [
        (1, "one"),
        (elf.DT_FILTER, "one"),
        (elf.DT_AUXILIARY, "one"),
    ]


def test_versions_that_a_library_offers_keep_the_numbers_of_its_symbols() -> None:
    verdef = struct.pack("<HHHHIII", 1, 1, 1, 1, 0, 20, 0) + struct.pack("<II", WHERE["libouter.so.1"], 0)
    data = library(Library(tail=verdef, spare=4))
    (load,) = (each for each in image(data).segments if each.type == elf.PT_LOAD and each.offset)
    at = image(data).segments[4].offset + 16 * len(image(data).dynamic)
    place = load.address + load.file_size - len(verdef)
    data = changed(data, at, struct.pack("<4Q", elf.DT_VERDEF, place, elf.DT_VERDEFNUM, 1))
    result = binary_edits.apply(data, Edits(needed=((INNER, None), (OTHER, None))))
    tags = image(result).tags
    assert (elf.DT_VERSYM in tags, elf.DT_VERNEED in tags, elf.DT_VERNEEDNUM in tags) == (True, False, False)
    plain = image(binary_edits.apply(PLAIN, Edits(needed=((INNER, None), (OTHER, None))))).tags
    assert {elf.DT_VERSYM, elf.DT_VERNEED, elf.DT_VERNEEDNUM}.isdisjoint(plain)


# --- the stack, and symbols that a process has once


def with_stack(flags: int) -> bytes:
    """The library with a program header about its stack."""
    return changed(
        library(Library(free_slot=True)), 64 + 7 * 56, struct.pack("<IIQQQQQQ", elf.PT_GNU_STACK, flags, *(0,) * 5, 16)
    )


def test_of_the_stack_only_the_permission_to_execute_goes() -> None:
    result = binary_edits.apply(with_stack(7), Edits(clear_execstack=True))
    assert bytes(result) == with_stack(6)
    sound = with_stack(6)
    assert binary_edits.apply(sound, Edits(clear_execstack=True)) is sound
    assert binary_edits.apply(PLAIN, Edits(clear_execstack=True)) is PLAIN


def with_unique() -> bytes:
    """The library with a symbol that a process has once, in both tables."""
    data = bytearray(PLAIN)
    found = image(PLAIN)
    data[found.tags[elf.DT_SYMTAB] + 48 + 4] = 0xA1
    (table,) = (each for each in found.sections if each.type == elf.SHT_SYMTAB)
    data[table.offset + 24 + 4] = 0xA2
    return bytes(data)


def test_symbols_that_a_process_has_once_become_global_in_both_tables() -> None:
    data = with_unique()
    result = bytes(binary_edits.apply(data, Edits(unbind_unique=True)))
    differ = [(at, new) for at, (old, new) in enumerate(zip(data, result, strict=True)) if old != new]
    (table,) = (each for each in image(data).sections if each.type == elf.SHT_SYMTAB)
    assert differ == [(image(data).tags[elf.DT_SYMTAB] + 52, 0x11), (table.offset + 28, 0x12)]
    assert binary_edits.apply(PLAIN, Edits(unbind_unique=True)) is PLAIN
    none = written.elf({"strings": b"\0"}, [])
    assert binary_edits.apply(none, Edits(unbind_unique=True)) is none


# --- faults of an edit


def seen(before: bytes, after: bytes) -> str:
    with pytest.raises(Malformed) as raised:
        elf_edit._verify(image(before), image(after), facts(after))
    return str(raised.value)


def test_another_entry_of_the_dynamic_section_that_has_changed_is_seen() -> None:
    at = image(PLAIN).segments[4].offset + 16 * [tag for tag, _ in image(PLAIN).dynamic].index(11) + 8
    assert (
        seen(PLAIN, changed(PLAIN, at, b"\x19")) == "after the edit, other entries of the dynamic section have changed"
    )


def test_a_new_fault_is_seen_and_an_old_one_is_not_told() -> None:
    broken = changed(PLAIN, 64 + 56 * 3 + 40, struct.pack("<Q", 8))
    (problem, *_) = sorted(binary_edits.layout_problems(broken))
    assert seen(PLAIN, broken) == f"after the edit, {problem}"
    elf_edit._verify(image(broken), image(broken), facts(broken))


def test_a_fact_that_is_another_is_seen() -> None:
    with pytest.raises(Malformed, match=r"^after the edit, name is 'libouter\.so\.1', not 'x'$"):
        elf_edit._verify(image(PLAIN), image(PLAIN), elf_edit.expected(facts(PLAIN), Edits(name="x")))


# --- what stripping takes


SEARCH_LONG = Edits(search=("$ORIGIN/" + "x" * 60,))
STRIPPED: dict[str, bytes] = {
    "plain": PLAIN,
    "large-bss": library(Library(zeros=0x20000)),
    "moved-headers": bytes(binary_edits.apply(library(Library(zeros=0x20000, behind=("code",))), SEARCH_LONG)),
    "edited": bytes(binary_edits.apply(library(Library(zeros=100)), SEARCH_LONG)),
}


@pytest.mark.parametrize("name", STRIPPED)
def test_the_bytes_of_a_stripped_library_are_these(name, golden: Callable[[str, str], None]) -> None:
    result = bytes(binary_edits.apply(STRIPPED[name], Edits(strip=True)))
    assert binary_edits.layout_problems(result) == ()
    assert facts(result) == facts(STRIPPED[name])
    golden(f"elf-strip-{name}.txt", differences(STRIPPED[name], result))


def test_a_file_that_is_not_simple_is_not_stripped() -> None:
    at = image(PLAIN).header.sections_at
    for data in (
        PLAIN + b"X",
        changed(PLAIN, 62, struct.pack("<H", 99)),  # the names of its sections are nowhere
        changed(PLAIN, at + 64 + 8, bytes(8)),  # its first section is none of memory
        changed(PLAIN, 60, b"\1"),  # it has no section but the empty one
    ):
        assert bytes(binary_edits.apply(data, Edits(strip=True))) == data
    assert len(binary_edits.apply(PLAIN + bytes(7), Edits(strip=True))) < len(PLAIN)
