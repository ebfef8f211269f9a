from __future__ import annotations

import pytest

from mamba_press import __main__ as command


def test_a_file_that_is_no_wheel_ends_check_with_6(empty_folder, capsys):
    empty_folder.joinpath("notes.whl").write_text("notes")
    assert command.main(["check", "notes.whl"]) == 6
    assert capsys.readouterr().out.startswith("notes.whl: 1 problem\n- notes.whl: cannot be read as a wheel")


@pytest.mark.parametrize("words", [["explain"], ["edit", "--require", "a", "--build-number", "1"]])
def test_a_wheel_that_cannot_be_read_is_not_called_one_that_cannot_be_written(empty_folder, capsys, words):
    empty_folder.joinpath("notes-1-py3-none-any.whl").write_text("notes")
    assert command.main([*words, "notes-1-py3-none-any.whl"]) == 6
    assert capsys.readouterr().err.startswith("mamba-press: the wheel cannot be read\n- notes-1-py3-none-any.whl: ")
