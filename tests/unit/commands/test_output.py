"""Results on standard output: printed as they are, but for what nobody should see or have done to the terminal."""

from __future__ import annotations

import pytest

from mamba_press.commands import output


def test_a_result_does_not_steer_the_terminal_and_has_no_password(capsys):
    output.say("caf\u00e9 lib/\x1b[2J\nhttps://user:secret@example.org/x")
    assert capsys.readouterr().out == "caf\u00e9 lib/\\x1b[2J\nhttps://example.org/x\n"


def test_json_stays_json(capsys):
    output.say_json({"path": "lib/\x1b[2J\x7f"})
    assert capsys.readouterr().out == '{\n  "path": "lib/\\u001b[2J\\u007f"\n}\n'


def test_a_result_that_nobody_takes_is_an_error_with_its_beginning(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(output.OutputError) as caught:
        output.say("\n".join("abcdefg"))
    assert str(caught.value) == (
        "the result cannot be printed\n"
        "- standard output: takes nothing: it is closed\n"
        "  the work is done; only this could not be printed:\n"
        "  a\n  b\n  c\n  d\n  e\n  and 2 more lines"
    )
