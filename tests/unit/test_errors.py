"""What the user can act on: all problems at once, a title and an exit code for each kind."""

from __future__ import annotations

import pytest

from mamba_press import errors
from mamba_press.errors import Note, Problem, Setting, Text, as_values, joined, noted


@pytest.mark.parametrize(
    ("kind", "code", "title"),
    [
        (errors.ConfigError, 2, "the configuration cannot be used"),
        (errors.SolveError, 3, "the packages cannot be solved"),
        (errors.FetchError, 4, "the packages cannot be fetched"),
        (errors.HouseError, 4, "the wheelhouse cannot be used"),
        (errors.ContentError, 5, "the packages cannot be pressed"),
        (errors.WriteError, 6, "the wheel cannot be written"),
        (errors.ReadError, 6, "the wheel cannot be read"),
        (errors.BuildError, 7, "the project's own code cannot be built"),
        (errors.OutputError, 8, "the result cannot be printed"),
    ],
)
def test_each_kind_has_its_exit_code_and_its_title(kind, code, title):
    error = kind(Problem(where="a", what="is wrong"))
    assert (error.code, str(error)) == (code, f"{title}\n- a: is wrong")


def test_all_problems_are_told_at_once_with_their_number_and_what_to_do():
    error = errors.ConfigError(Problem(where="a", what="is wrong", hint="mend it"), Problem(where="", what="b is, too"))
    assert str(error) == ("the configuration cannot be used (2 problems)\n- a: is wrong\n  mend it\n- b is, too")
    assert [problem.where for problem in error.problems] == ["a", ""]


def test_warnings_that_are_errors_keep_their_words_and_hints():
    note = Note(what="x is odd", severity="warning", hint="set y")
    error = errors.WarnedError.of([note])
    assert (error.code, str(error)) == (
        5,
        'there are warnings, and tool.mamba-press.warnings is "error"\n- x is odd\n  set y',
    )


WARNING = Note("two", "mend it so\nor so", "warning")


def test_a_text_is_a_note_and_warnings_come_last_and_each_once():
    assert noted([WARNING, "one", Note("one"), WARNING, "three"]) == (Note("one"), Note("three"), WARNING)


def test_a_warning_is_known_by_its_first_word_and_has_its_hint_below():
    assert str(WARNING) == "warning: two\n  mend it so\n  or so"
    assert str(Note("one", "do that")) == "one\n  do that"


def test_a_program_is_given_the_texts_of_all_and_the_warnings_in_full():
    assert as_values([Note("one"), WARNING]) == {
        "notes": ["one", "two"],
        "warnings": [{"what": "two", "hint": "mend it so\nor so", "severity": "warning"}],
    }


def test_a_problem_is_an_error_unless_something_else_is_said():
    assert Problem(where="here", what="is wrong").severity == "error"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\x85b\x7f", r"a\x85b\x7f"),
        ("a\udcffb", r"a\udcffb"),
        ("a\rb", r"a\rb"),
        ("é 漢 🦀", "é 漢 🦀"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert str(Problem(where=text, what=f"is {text}", hint=text)) == f"{shown}: is {shown}\n  {shown}"
    assert str(Note(text, text, "warning")) == f"warning: {shown}\n  {shown}"


def test_the_lines_of_a_text_stay():
    assert str(Problem(where="a", what="b\nc", hint="d\n  e")) == "a: b\nc\n  d\n    e"


@pytest.mark.parametrize(
    ("setting", "written"),
    [
        (Setting("link.floor"), "tool.mamba-press.link.floor"),
        (Setting("hook", "file.py:function"), '[tool.mamba-press] hook = "file.py:function"'),
        (Setting("link.strip", value=True), "[tool.mamba-press.link] strip = true"),
        (Setting("select.exclude", ("é", 'a"b')), '[tool.mamba-press.select] exclude = ["é", "a\\"b"]'),
        (Setting("requires", "a >=1", name="a-b"), '[tool.mamba-press.requires] a-b = "a >=1"'),
        (Setting("requires", value=False, name="a.b", apart=True), '[tool.mamba-press.requires]\n"a.b" = false'),
        (Setting("licenses.named", "MIT", name="a"), '[tool.mamba-press.licenses] named = { a = "MIT" }'),
        (Setting("packages", called="-C mamba-press.packages"), "-C mamba-press.packages"),
    ],
)
def test_a_setting_is_written_as_toml_unless_it_is_spelled_already(setting, written):
    assert str(setting) == written


def test_a_voice_calls_the_settings_of_a_problem_and_no_other_words():
    words = joined([Text.of("tool.mamba-press.a and ", Setting("a")), Setting("b", called="B"), "c"])
    problem = Problem(where=Setting("d"), what=words, hint=Setting("e", ("f",)))
    assert problem.told(lambda setting: f"<{setting.key}>") == "<d>: tool.mamba-press.a and <a>\nB\nc\n  <e>"
    assert [setting.key for setting in problem.settings()] == ["d", "a", "b", "e"]


def test_a_program_is_given_a_problem_as_texts():
    problem = Problem(where=Setting("a"), what=Text.of("is ", Setting("b")), hint="mend it")
    assert problem.values() == {
        "where": "tool.mamba-press.a",
        "what": "is tool.mamba-press.b",
        "hint": "mend it",
        "severity": "error",
    }


def test_a_kind_is_raised_for_problems_and_not_for_none():
    wrong = [Problem(where="a", what="is wrong"), Problem(where="b", what="is, too")]
    errors.WriteError.raise_for([])
    with pytest.raises(errors.WriteError) as raised:
        errors.WriteError.raise_for(each for each in wrong)
    assert raised.value.problems == tuple(wrong)
