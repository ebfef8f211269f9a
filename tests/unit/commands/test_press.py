from __future__ import annotations

from pathlib import Path

import pytest

from mamba_press.__main__ import main
from mamba_press.commands import parser


def test_without_options_the_wheel_comes_to_dist_and_replaces_none():
    found = parser.parse(["press", "zlib"])
    assert (found.output, found.force, found.matrix, found.json) == (Path("dist"), False, False, False)


def test_options_are_read():
    words = ["press", ".", "-o", "out", "--force", "--matrix", "--json"]
    found = parser.parse(words)
    assert (found.output, found.force, found.matrix, found.json) == (Path("out"), True, True, True)


def test_a_matrix_needs_a_project(capsys):
    assert main(["press", "zlib", "--matrix", "--offline"]) == 2
    assert "the configuration cannot be used" in capsys.readouterr().err
    assert not Path("dist").exists()


def test_what_is_pressed_has_to_be_said(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["press"])
    assert ended.value.code == 2
