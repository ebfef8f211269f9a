from __future__ import annotations

from mamba_press.problem import Note, Problem, as_values, noted

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
