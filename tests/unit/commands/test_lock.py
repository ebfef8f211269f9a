from __future__ import annotations

from pathlib import Path

import pytest

from mamba_press.__main__ import main
from mamba_press.commands import parser


@pytest.mark.parametrize(
    ("words", "update", "check"),
    [
        ((".",), None, False),
        (("--update",), [], False),
        (("--update", "a", "b"), ["a", "b"], False),
        ((".", "--check"), None, True),
    ],
)
def test_what_is_updated_is_nothing_all_or_what_is_named(words, update, check):
    found = parser.parse(["lock", *words])
    assert (found.update, found.check) == (update, check)


def test_a_folder_without_a_project_has_no_lock(capsys):
    assert main(["lock"]) == 2
    assert "pyproject.toml" in capsys.readouterr().err
    assert [*Path().iterdir()] == []
