from __future__ import annotations

import os

import pytest

from mamba_press.platforms.binary_format import (
    LONGEST_PATH,
    Allowance,
    Malformed,
    aligned,
    joined,
    read_up_to,
    refuse_endless,
)


@pytest.mark.parametrize(("number", "to", "found"), [(0, 16, 0), (1, 16, 16), (16, 16, 16), (17, 16, 32), (9, 1, 9)])
def test_a_number_is_rounded_up_to_a_multiple(number, to, found):
    assert aligned(number, to) == found


def test_ranges_that_overlap_become_one_and_those_that_touch_do_not():
    assert joined([(8, 9), (0, 4), (4, 6), (5, 7), (5, 6)]) == [(0, 4), (4, 7), (8, 9)]


def test_as_much_is_read_as_was_asked_for_however_little_comes_at_once():
    reading, writing = os.pipe()
    os.write(writing, b"abc")
    assert read_up_to(reading, 2) == b"ab"
    os.close(writing)
    assert read_up_to(reading, 5) == b"c"
    os.close(reading)


def test_tables_may_say_four_times_their_file_and_eight_mebibytes():
    allowance = Allowance(1000)
    allowance.take((1 << 23) + 4000)
    with pytest.raises(Malformed, match="its tables overlap"):
        allowance.take(1)


def test_no_name_or_place_is_longer_than_a_path():
    refuse_endless(("x" * LONGEST_PATH,), ("y" * LONGEST_PATH,))
    for needed, search in ((("x" * (LONGEST_PATH + 1),), ()), ((), ("y" * (LONGEST_PATH + 1),))):
        with pytest.raises(Malformed, match=f"has {LONGEST_PATH + 1} characters; no path has more than {LONGEST_PATH}"):
            refuse_endless(needed, search)


def test_names_times_places_have_an_end():
    places = ("p" * 1023,) * 1024
    refuse_endless(("a",) * 8, places)
    with pytest.raises(Malformed, match="9 needed libraries, each looked for in 1024 places, take too long to find"):
        refuse_endless(("a",) * 9, places)
