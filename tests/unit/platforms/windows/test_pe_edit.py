"""What is refused, what is written over, and what is cleared where PE images are edited."""

from __future__ import annotations

import struct

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.windows import pe, pe_edit
from mamba_press.types import Edits
from tests.support.binaries import changed, facts, refusal
from tests.support.windows import Dll, dll

IMPORTS = {"KERNEL32.dll": ["Sleep"], "inner.dll": ["one"], "outer.dll": ["two"]}
PLAIN = Dll(imports=IMPORTS)
RENAME = Edits(needed=(("inner.dll", "inner-0123abcd.dll"),))
OPTIONAL = 0x80 + 24


def directory(data: bytes, number: int) -> tuple[int, ...]:
    return struct.unpack_from("<2I", data, OPTIONAL + 112 + 8 * number)


# --- what is refused


@pytest.mark.parametrize(
    ("what", "edits", "said"),
    [
        (Dll(arch="i386"), RENAME, "only 64-bit PE images for x86-64 and ARM64 are edited"),
        (PLAIN, Edits(search=("lib",)), "a PE image has no search path"),
        (PLAIN, Edits(needed=(("inner.dll", None),)), "what is imported from inner.dll cannot be left out"),
        (PLAIN, Edits(needed=(("inner.dll", "a\0b.dll"),)), "'a\\x00b.dll' cannot be a library's name"),
        (PLAIN, Edits(needed=(("inner.dll", "a/b.dll"),)), "'a/b.dll' cannot be a library's name"),
        (PLAIN, Edits(needed=(("inner.dll", "a\\b.dll"),)), "'a\\\\b.dll' cannot be a library's name"),
        (PLAIN, Edits(name=""), "'' cannot be a library's name"),
        (Dll(name=None), Edits(name="x.dll"), "the image exports nothing and so has no name to be changed"),
    ],
)
def test_what_has_no_place_in_a_pe_image_is_refused(what, edits, said) -> None:
    assert refusal(dll(what), edits) == said


def test_a_broken_image_is_not_edited() -> None:
    data = changed(dll(PLAIN), OPTIONAL + 56, struct.pack("<I", 0x1000))
    (problem, *_) = binary_edits.layout_problems(data)
    assert "image is said to take 0x1000 bytes" in problem
    assert refusal(data, RENAME) == f"a broken image is not edited: {problem}"


def test_a_wrong_checksum_is_no_reason_not_to_edit() -> None:
    data = changed(dll(PLAIN), OPTIONAL + 64, struct.pack("<I", 7))
    assert binary_edits.layout_problems(binary_edits.apply(data, RENAME)) == ()


# --- names


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("other.thing", "other-0123abcd.thing"),
        ("OTHER.thing", "other-0123abcd.thing"),
        ("other.dll.thing", "other-0123abcd.dll.thing"),
        ("Other.DLL.#12", "other-0123abcd.dll.#12"),
        ("third.thing", "third.thing"),
    ],
)
def test_a_forwarder_names_a_renamed_library_as_it_named_the_old_one(old, new) -> None:
    edits = Edits(needed=(("other.dll", "other-0123abcd.dll"), ("inner.dll", "in.dll")))
    result = binary_edits.apply(dll(Dll(imports=IMPORTS, forwards={"also": old})), edits)
    assert [each.text for each in pe.Image(result).forwarders] == [new]


def test_a_shorter_name_after_a_longer_one_stands_as_if_it_had_been_asked_for_at_once() -> None:
    data = dll(PLAIN)
    longer = binary_edits.apply(data, Edits(needed=(("inner.dll", "i" * 30 + ".dll"),)))
    again = binary_edits.apply(longer, Edits(needed=(("i" * 30 + ".dll", "i" * 20 + ".dll"),)))
    assert again == binary_edits.apply(data, Edits(needed=(("inner.dll", "i" * 20 + ".dll"),)))


def test_a_name_that_two_mean_is_not_written_over() -> None:
    data = dll(Dll(imports={"inner.dll": ["one"], "KERNEL32.dll": ["Sleep"]}))
    image = pe.Image(data)
    first, second = image.needed
    shared = changed(data, second.pointer, data[first.pointer : first.pointer + 4])
    assert facts(shared).needed == ("inner.dll",)
    result = binary_edits.apply(shared, Edits(needed=(("inner.dll", "in.dll"),)))
    assert facts(result).needed == ("in.dll",)
    assert b"inner.dll\0" in result


def test_a_name_of_the_same_length_is_written_over() -> None:
    data = dll(PLAIN)
    result = binary_edits.apply(data, Edits(needed=(("inner.dll", "INNER.DLL"),)))
    assert result.count(b"INNER.DLL\0") == 1
    assert b"inner.dll" not in result


# --- what would not hold any more


def test_of_the_flags_only_the_demand_for_a_signature_goes() -> None:
    for integrity in (False, True):
        result = binary_edits.apply(dll(Dll(imports=IMPORTS, integrity=integrity)), RENAME)
        assert struct.unpack_from("<H", result, OPTIONAL + 70) == (0x160,)


def stamps(data: bytes) -> list[tuple[int, ...]]:
    image = pe.Image(data)
    return [fields[1:3] for _, fields in image.imports()] + [fields[7:8] for _, fields in image.delayed()]


def bound(*, has_directory: bool) -> bytes:
    """An image whose imports and delayed imports were bound."""
    data = dll(Dll(imports=IMPORTS, delayed={"late.dll": ["later"]}, bound=has_directory))
    image = pe.Image(data)
    for at, _ in image.imports():
        data = changed(data, at + 4, b"\1\2\3\4\5\6\7\x08")
    for at, _ in image.delayed():
        data = changed(data, at + 28, b"\x09\0\0\0")
    return data


def test_bindings_go_where_a_directory_says_that_there_are_any() -> None:
    result = binary_edits.apply(bound(has_directory=True), RENAME)
    assert stamps(result) == [(0, 0)] * 3 + [(0,)]
    assert directory(result, 11) == (0, 0)
    old = bound(has_directory=False)
    assert stamps(binary_edits.apply(old, RENAME)) == stamps(old)


def test_bound_imports_that_do_not_say_to_what_are_refused() -> None:
    data = bound(has_directory=True)
    _, (at, _), _ = pe.Image(data).imports()
    said = refusal(changed(data, at, bytes(4)), RENAME)
    assert said == "the imports are bound, and nothing says to what"
    neither = changed(changed(data, at, bytes(4)), at + 4, bytes(4))
    assert facts(binary_edits.apply(neither, RENAME)).needed[1] == "inner-0123abcd.dll"


@pytest.mark.parametrize(("more", "goes"), [(0, True), (8, True), (9, False)])
def test_a_certificate_leaves_the_file_where_it_is_the_last(more, goes) -> None:
    data = dll(Dll(imports=IMPORTS, certificate=b"signed!!" * 4)) + b"x" * more
    result = binary_edits.apply(data, RENAME)
    assert directory(result, 4) == (0, 0)
    assert (b"signed!!" in result) != goes


def test_a_certificate_inside_of_a_section_leaves_the_directory_alone() -> None:
    data = dll(PLAIN)
    result = binary_edits.apply(
        changed(data, OPTIONAL + 112 + 32, struct.pack("<2I", 0x400, len(data) - 0x400)), RENAME
    )
    assert (directory(result, 4), len(result)) == ((0, 0), len(data))


# --- faults of an edit


def seen(after: bytes, edits: Edits = RENAME, before: bytes = b"") -> str:
    renames = {old.lower(): new for old, new in edits.needed if new is not None}
    with pytest.raises(Malformed) as raised:
        pe_edit._compare(before or dll(PLAIN), after, renames, edits)
    return str(raised.value)


def test_names_that_are_not_those_asked_for_are_seen() -> None:
    data = dll(PLAIN)
    assert seen(data) == (
        "after the edit the image needs ('KERNEL32.dll', 'inner.dll', 'outer.dll'), "
        "not ('kernel32.dll', 'inner-0123abcd.dll', 'outer.dll')"
    )
    assert seen(data, Edits(name="other.dll")) == "after the edit the image's name is not other.dll"
    nameless = dll(Dll(imports=IMPORTS, name=None))
    assert seen(nameless, Edits(name="other.dll"), nameless) == "after the edit the image's name is not other.dll"


def test_a_restriction_of_the_search_that_stayed_is_seen() -> None:
    data = dll(Dll(imports=IMPORTS, load_flags=0x800))
    said = "after the edit the image still says where its imports are looked for"
    assert seen(data, Edits(search=()), data) == said


def test_other_symbols_are_seen() -> None:
    assert seen(dll(PLAIN).replace(b"Sleep", b"Steep"), Edits()) == "after the edit the image has other symbols"


def test_new_faults_are_seen_and_old_ones_are_not_told() -> None:
    before = changed(dll(PLAIN), OPTIONAL + 60, struct.pack("<I", 0x40))
    pe_edit._compare(before, before, {}, Edits())
    after = changed(before, OPTIONAL + 112 + 24, struct.pack("<2I", 0x700000, 12))
    assert seen(after, Edits(), before).startswith("after the edit: ")
    assert "0x700000" in seen(after, Edits(), before)
