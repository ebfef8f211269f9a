from __future__ import annotations

from pathlib import Path

import pytest

from mamba_press.errors import ConfigError
from mamba_press.project import entry_hook
from mamba_press.types import Entry

ENTRIES = (Entry(path="b", source=b"1"), Entry(path="c", source=b"2"))


def apply(tmp_path, text, hook="press_hook.py:adjust"):
    (tmp_path / "press_hook.py").write_text(text)
    return entry_hook.apply(hook, tmp_path, ENTRIES)


def problem(tmp_path, text, hook="press_hook.py:adjust"):
    with pytest.raises(ConfigError) as caught:
        apply(tmp_path, text, hook)
    (found,) = caught.value.problems
    assert str(found.where) == "tool.mamba-press.hook"
    return found


def test_the_projects_function_changes_the_entries_and_they_are_sorted_again(tmp_path):
    text = """
from __future__ import annotations
import dataclasses
from mamba_press.types import Entry

@dataclasses.dataclass
class Own:
    path: str

def adjust(entries):
    for entry in entries:
        if entry.path == "b":
            yield dataclasses.replace(entry, path="z")
    yield Entry(path=Own("a").path, source=b"new", why="the project's own")
"""
    assert [(each.path, each.source) for each in apply(tmp_path, text)] == [("a", b"new"), ("z", b"1")]


def test_nothing_is_left_behind_in_the_project(tmp_path):
    apply(tmp_path, "def adjust(entries): return entries")
    assert [path.name for path in tmp_path.iterdir()] == ["press_hook.py"]


def test_a_file_that_is_not_there_is_told_with_its_path(tmp_path):
    found = problem(tmp_path, "", "other.py:adjust")
    assert found.what == "other.py is no Python file of the project"
    assert str(tmp_path / "other.py") in found.hint


@pytest.mark.parametrize("text", ["", "adjust = 3", "def adjusted(entries): return entries"])
def test_a_function_that_is_not_there_is_told(tmp_path, text):
    assert problem(tmp_path, text).what == "press_hook.py has no function 'adjust'"


def test_what_the_function_raises_is_told_with_its_line(tmp_path):
    found = problem(tmp_path, "def adjust(entries):\n    return 1 / 0\n")
    assert found.what == "ZeroDivisionError: division by zero"
    assert found.hint == f"raised in {Path(tmp_path, 'press_hook.py')}, line 2"


def test_a_file_that_is_no_python_is_told_with_its_line(tmp_path):
    found = problem(tmp_path, "x = 1\ndef adjust(:\n")
    assert found.what.startswith("SyntaxError: ")
    assert found.hint == f"in {Path(tmp_path, 'press_hook.py')}, line 2"


@pytest.mark.parametrize("answer", ["None", "3", "['b']", "entries[0]"])
def test_an_answer_that_is_no_entries_is_told(tmp_path, answer):
    assert problem(tmp_path, f"def adjust(entries): return {answer}").what == "adjust must return entries"
