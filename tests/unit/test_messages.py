"""How values and names of the user's are shown."""

from __future__ import annotations

from datetime import date, datetime, time, timezone

import pytest

from mamba_press import messages


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a\x1b[1m", '"a\\u001b[1m"'),
        (True, "true"),
        (3, "a number"),
        (0.5, "a number"),
        (date(2026, 1, 2), "a date"),
        (datetime(2026, 1, 2, tzinfo=timezone.utc), "a date and time"),
        (time(1, 2), "a time"),
        (None, "nothing"),
        ([], "an empty list"),
        (("a", "b"), "a list of strings"),
        (["a", 1], "a list"),
        ({}, "a table"),
        (object(), "something that is no TOML value"),
    ],
)
def test_a_value_is_told_in_the_words_of_toml(value, words):
    assert messages.found(value) == words


@pytest.mark.parametrize(
    ("text", "name"), [("pakages", "packages"), ("chanels", "channels"), ("zzz", None), ("x" * 100_000, None)]
)
def test_the_name_that_may_have_been_meant_is_found(text, name):
    assert messages.near(text, ["packages", "channels"]) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [("ä b", "ä b"), ("a\nb\t\x7f", "a\\u000ab\\u0009\\u007f"), ("x" * 100, "x" * 100), ("x" * 101, "x" * 99 + "…")],
)
def test_a_text_is_shown_in_one_short_line(text, shown):
    assert messages.printable(text) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0.0 kB"), (99_999, "100.0 kB"), (100_000, "0.1 MB"), (12_345_678, "12.3 MB")]
)
def test_a_size_is_read_by_persons(count, shown):
    assert messages.size(count) == shown


@pytest.mark.parametrize(("count", "shown"), [(2, " (and 2 more)"), (1, " (and 1 more)"), (0, ""), (-1, "")])
def test_what_is_left_out_is_counted(count, shown):
    assert messages.others(count) == shown


@pytest.mark.parametrize(
    ("texts", "expected"), [((), ""), (("a",), "a"), (("a", "b"), "a, b"), (("a", "b", "c", "d"), "a, b and 2 more")]
)
def test_of_several_texts_the_first_are_shown_and_the_others_counted(texts, expected):
    assert messages.some(texts, 2) == expected
