from __future__ import annotations

from pathlib import Path

import pytest

from mamba_press.__main__ import main
from mamba_press.commands import parser


def test_options_are_read():
    words = ["edit", "a.whl", "--require", "numpy<2", "--require", "x", "--drop-require", "y", "--set", "Summary: z"]
    found = parser.parse([*words, "--build-number", "3", "--tag", "py3-none-any", "-o", "out"])
    assert (found.what, found.require, found.drop) == ([Path("a.whl")], ["numpy<2", "x"], ["y"])
    assert (found.fields, found.build, found.suffix, found.tag) == (["Summary: z"], "3", None, "py3-none-any")
    assert (found.output, found.force) == (Path("out"), False)


def test_a_build_number_and_a_version_suffix_are_one_choice(capsys):
    with pytest.raises(SystemExit) as ended:
        parser.parse(["edit", "a.whl", "--build-number", "1", "--version-suffix", "post1"])
    assert ended.value.code == 2
    assert "not allowed with argument --build-number" in capsys.readouterr().err


def test_a_wheel_that_is_not_there_is_named(capsys):
    code = main(["edit", "gone-1-py3-none-any.whl", "--build-number", "1"])
    assert code == 6
    assert "gone-1-py3-none-any.whl" in capsys.readouterr().err
    assert not Path("dist").exists()
