from __future__ import annotations

import pytest

from mamba_press.__main__ import main
from mamba_press.commands import parser


def test_options_are_read():
    found = parser.parse(["explain", "a.whl", "-m", "lib*", "--section", "libraries", "--section", "all"])
    assert (found.match, found.section, found.json) == (["lib*"], ["libraries", "all"], False)


def test_an_unknown_section_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit) as ended:
        parser.parse(["explain", ".", "--section", "everything"])
    assert ended.value.code == 2
    assert "invalid choice: 'everything' (choose from" in capsys.readouterr().err


def test_a_wheel_that_is_not_there_is_named(capsys):
    assert main(["explain", "gone-1-py3-none-any.whl"]) != 0
    assert "gone-1-py3-none-any.whl" in capsys.readouterr().err
