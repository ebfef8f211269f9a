from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.types import Edits
from tests.support.windows import Dll, checksum, dll

FILES = tuple(
    dll(
        Dll(
            imports={"KERNEL32.dll": ["Sleep"], "inner.dll": ["one"]},
            delayed={"late.dll": ["later"]},
            forwards={"also": "other.thing"},
            load_flags=0x800,
            certificate=b"signed!!",
            slack=slack,
            header_room=room,
        )
    )
    for slack in (True, False)
    for room in (True, False)
)
NAMES = ("inner.dll", "late.dll", "other.dll")
STEMS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-+", min_size=1, max_size=200)


def unchecked(data: bytes) -> bytes:
    at = int.from_bytes(data[60:64], "little") + 24 + 64
    return data[:at] + bytes(4) + data[at + 4 :]


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, len(FILES) - 1),
    st.lists(st.tuples(st.integers(0, 0x1000), st.binary(min_size=1, max_size=4)), max_size=6),
)
def test_damaged_file_is_read_or_malformed_and_never_anything_else(number, damage) -> None:
    data = FILES[number]
    broken = bytearray(data)
    for at, new in damage:
        broken[at % len(data) : at % len(data) + len(new)] = new
    for what in (binaries.read, binaries.symbols, binary_edits.layout_problems, _renamed):
        try:
            what(bytes(broken))
        except Malformed as error:
            text = str(error)
        else:
            text = "no complaint"
        assert text


def _renamed(data: bytes) -> bytes:
    return binary_edits.apply(data, Edits(needed=(("inner.dll", "inner-0123abcd.dll"),)))


@settings(deadline=None)
@given(
    st.integers(0, len(FILES) - 1),
    st.lists(st.lists(STEMS, min_size=3, max_size=3, unique=True), min_size=1, max_size=4),
)
def test_any_edits_one_after_the_other_leave_a_sound_file_with_the_last_names(number, rounds) -> None:
    data = FILES[number]
    names, symbols = NAMES, binaries.symbols(data)
    for stems in rounds:
        new = tuple(f"{stem}{number}.dll" for number, stem in enumerate(stems))
        data = binary_edits.apply(data, Edits(needed=tuple(zip(names, new, strict=True))))
        names = new
        found = binaries.read(data)
        assert found is not None
        assert found.needed == ("KERNEL32.dll", *names)
        assert binaries.symbols(data) == symbols
        assert binary_edits.layout_problems(data) == ()
        at = int.from_bytes(data[60:64], "little") + 24 + 64
        assert int.from_bytes(data[at : at + 4], "little") == checksum(unchecked(data))


@given(st.binary(max_size=400))
def test_what_only_begins_like_a_program_is_no_binary_or_malformed(rest) -> None:
    try:
        found = binaries.read(b"MZ" + rest) is not None
    except Malformed:
        found = True
    assert not found or b"PE\0\0" in rest


@pytest.mark.parametrize("size", range(1, 9))
def test_checksum_of_an_odd_length_and_of_words_that_add_up_to_a_carry(size) -> None:
    from mamba_press.platforms.windows.pe_check import checksum as quick

    for byte in (b"\0", b"\1", b"\xff"):
        data = bytes(4) + byte * size
        assert quick(data, 0) == checksum(data)
