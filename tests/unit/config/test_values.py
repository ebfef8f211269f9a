from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from tests.unit.config.test_reader import config, problems

LAST_SECOND = datetime(2026, 10, 1, 23, 59, 59, tzinfo=timezone.utc)


NOON = datetime(2026, 10, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-10-01", LAST_SECOND),
        (date(2026, 10, 1), LAST_SECOND),
        ("2026-10-01T12:00:00Z", NOON),
        ("2026-10-01t12:00:00z", NOON),
        ("2026-10-01 12:00:00", NOON),
        ("2026-10-01T14:00:00+02:00", NOON),
        ("2026-10-01T12:00:00.5Z", NOON + timedelta(microseconds=500_000)),
        ("2026-10-01T12:00:00.123456789Z", NOON + timedelta(microseconds=123_456)),
        (datetime(2026, 10, 1, 12), NOON),  # noqa: DTZ001  (TOML's local date and time)
        (NOON.astimezone(timezone(timedelta(hours=-5))), NOON),
    ],
)
def test_a_date_means_its_last_second_and_a_time_itself(value, expected):
    got = config({"exclude-newer": value}).exclude_newer
    assert got == expected
    assert got.tzinfo is timezone.utc


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "20261001",
        "2026-13-01",
        "2026-10-01T25:00:00Z",
        "2026-10-01T12:00Z",
        "٢٠٢٦-١٠-٠١",
        "",
        "0001-01-01T00:00:00+23:00",
        20261001,
    ],
)
def test_what_is_no_date_is_refused(value):
    [(where, what)] = problems({"exclude-newer": value})
    assert where == "tool.mamba-press.exclude-newer"
    assert what.endswith('expected a date such as "2026-10-01" or a time such as "2026-10-01T12:00:00Z"')


@pytest.mark.parametrize(
    "path", ["/etc", "../x", "a/../../b", "a/..", "..", "C:/x", "a\\b", "", " ", ".", "./x", "a/./b", "a//b"]
)
def test_nothing_is_moved_out_of_the_wheel(path):
    [(where, what)] = problems({"layout": {"move": {"share": path}}})
    assert where == "tool.mamba-press.layout.move"
    assert what.startswith('"share": found "')


@pytest.mark.parametrize("path", ["...", "a/", "a/..b", "a..", "a/b.c", ".hidden", "a b"])
def test_dots_and_slashes_that_are_no_way_out_are_taken(path):
    assert config({"layout": {"move": {"share": path}}}).layout.move == {"share": path}


@pytest.mark.parametrize("hook", ["press_hook.py", "press_hook:adjust", ":adjust", "a.py:", "a.py:1", "a.py:b.c", ""])
def test_a_hook_names_a_file_and_a_function(hook):
    [(where, what)] = problems({"hook": hook})
    assert (where, what) == ("tool.mamba-press.hook", f'found "{hook}", expected "file.py:function"')


@pytest.mark.parametrize(
    "table",
    [
        {"packages": [""]},
        {"channels": ["a", " "]},
        {"python": ""},
        {"platform": "\t"},
        {"select": {"exclude": [""]}},
        {"link": {"system": [""]}},
        {"link": {"rename": [""]}},
    ],
)
def test_empty_texts_are_refused(table):
    [(_, what)] = problems(table)
    assert "that is not empty" in what


@pytest.mark.parametrize("text", ["a\nb", "a\x00b", "a\x1b[31mb", "a\udc80b"])
def test_what_cannot_be_written_in_a_line_is_refused_and_shown_escaped(text):
    [(_, what)] = problems({"packages": [text]})
    assert what == f'item 1: found "a\\u{ord(text[1]):04x}{text[2:]}", expected a string without control characters'


@pytest.mark.parametrize("value", ["a", "a=b;c", ["a=b", "c"], ["a=b", 3]])
def test_a_mapping_in_a_text_needs_both_sides(value):
    [(where, what)] = problems(settings={"layout.move": value})
    assert where == "-C layout.move"
    assert what.endswith("expected key=value;key=value")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, "a number"),
        (1.5, "a number"),
        (True, "true"),
        ([], "an empty list"),
        (["x"], "a list of strings"),
        ([1], "a list"),
        ({}, "a table"),
        (date(2026, 1, 1), "a date"),
        (NOON, "a date and time"),
        (NOON.time(), "a time"),
        (None, "nothing"),
        (b"x", "something that is no TOML value"),
    ],
)
def test_what_was_found_is_said_in_the_words_of_toml(value, words):
    assert problems({"python": value}) == [("tool.mamba-press.python", f"found {words}, expected a string")]
