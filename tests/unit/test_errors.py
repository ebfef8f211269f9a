"""What the user can act on: all problems at once, a title and an exit code for each kind."""

from __future__ import annotations

import pytest

from mamba_press import errors
from mamba_press.problem import Note, Problem


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
