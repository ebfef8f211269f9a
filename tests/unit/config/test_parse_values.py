from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from mamba_press.config.reader import from_values
from mamba_press.errors import ConfigError
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


@pytest.mark.parametrize(
    ("settings", "near"),
    [
        ({"pyton": "3.10"}, "python"),
        ({"runtimes": "bundle"}, "link.runtimes"),
        ({"lnk.runtimes": "bundle"}, "link.runtimes"),
        ({"link.runtimes.libstdc": "bundle"}, "link.runtimes.libstdcxx"),
        ({"mamba-press.ofline": "1"}, "offline"),
        ({"wheel.compresion": "store"}, "wheel.compression"),
    ],
)
def test_a_mistyped_setting_gets_the_key_that_was_meant(settings, near):
    with pytest.raises(ConfigError) as caught:
        config(settings=settings)
    [problem] = caught.value.problems
    [spelling] = settings
    assert (str(problem.where), str(problem.what), str(problem.hint)) == (
        f"-C {spelling}",
        "unknown key",
        f"did you mean -C {near}?",
    )


def test_a_setting_for_a_whole_table_is_refused():
    assert problems(settings={"link": "bundle"}) == [("-C link", "is a table")]


def test_a_list_for_all_runtimes_is_refused():
    [(where, what)] = problems(settings={"link.runtimes": ["bundle", "system"]})
    assert (where, what) == ("-C link.runtimes", 'found "bundle", expected key=value;key=value')


def test_two_spellings_of_one_setting_are_a_contradiction():
    got = problems(settings={"exclude-newer": "2026-10-01", "exclude_newer": "2026-10-02"})
    assert got == [("-C exclude_newer", "given twice, also as -C exclude-newer")]


def test_a_wrong_value_for_all_runtimes_is_one_problem():
    assert len(problems({"link": {"runtimes": "bundel"}})) == 1


def test_an_unknown_runtime_in_a_text_is_refused():
    [(where, what)] = problems(environ={"MAMBA_PRESS_LINK_RUNTIMES": "libstdcxx=bundle;libfoo=system"})
    assert (where, what) == ("MAMBA_PRESS_LINK_RUNTIMES", "unknown key")


INNER = {"build-backend": "mesonpy"}


def inner(settings, table=INNER):
    return dict(from_values(table, settings, {}).config_settings)


def test_with_an_inner_backend_settings_that_are_none_of_ours_are_its_own():
    given = {"setup-args": ["-Da", "-Db"], "wheel.py-api": "cp312", "build": ["cmake"], "build.verbose": True}
    assert inner(given) == {"setup-args": ("-Da", "-Db"), "wheel.py-api": "cp312", "build.verbose": "true"}
    assert from_values(INNER, given, {}).build == ("cmake",)


def test_an_inner_backend_that_is_named_by_a_setting_gets_settings_too():
    assert inner({"anything": "1", "build_backend": "mesonpy"}, {}) == {"anything": "1"}


def test_settings_go_over_the_table_key_by_key_and_tables_in_it_are_keys_with_dots():
    table = {**INNER, "config-settings": {"cmake": {"define": {"A": "1", "B": "2"}}, "build-dir": "x"}}
    expected = {"cmake.define.A": "3", "cmake.define.B": "2", "build-dir": "x", "install.strip": "false"}
    assert inner({"cmake.define.A": "3", "config-settings.install.strip": "false"}, table) == expected


def test_a_setting_that_is_nearly_one_of_ours_is_refused_and_can_be_handed_on_nevertheless():
    with pytest.raises(ConfigError, match=r"did you mean -C offline\?.*-C config-settings\.offlne=") as caught:
        inner({"offlne": "1"})
    assert [problem.where for problem in caught.value.problems] == ["-C offlne"]
    assert inner({"config-settings.offlne": "1"}) == {"offlne": "1"}


def test_a_setting_that_says_it_is_ours_never_goes_to_the_inner_backend():
    with pytest.raises(ConfigError, match="unknown key"):
        inner({"mamba-press.wheel.py-api": "cp312"})


@pytest.mark.parametrize("value", [1.5, [None], {"a": 1}])
def test_what_is_no_text_is_no_setting_of_an_inner_backend(value):
    with pytest.raises(ConfigError, match="expected a string"):
        inner(None, {**INNER, "config-settings": {"key": value}})


def test_with_an_inner_backend_no_package_has_to_be_named():
    assert from_values(INNER, None, {}).packages == ()
    with pytest.raises(ConfigError) as caught:
        from_values({"build-backend": "no module"}, None, {})
    assert [str(problem.where) for problem in caught.value.problems] == ["tool.mamba-press.build-backend"]


def test_a_setting_that_no_terminal_can_show_is_escaped_wherever_it_is_named():
    with pytest.raises(ConfigError) as caught:
        from_values({}, {"build-backend": "x", "build-backend.\ud7fc": "y"}, {})
    assert all(line.isprintable() for line in str(caught.value).split("\n"))
    assert "config-settings.build-backend.\\ud7fc" in str(caught.value)
