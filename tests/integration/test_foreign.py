"""What ``nox -s foreign`` says of wheels that lie in a folder."""

from __future__ import annotations

from tests.campaigns import foreign
from tests.support.wheels import files, make, wheel_text

NAME = "demo-1.0-py3-none-win_amd64.whl"
COMPILED = "is compiled Python code, which belongs to the interpreter that installs the wheel"


def test_each_line_that_is_new_or_gone_since_another_commit_is_printed(tmp_path, capsys):
    house = tmp_path / "house"
    house.mkdir()

    def told(folder, compiled, *more):
        make(house, files({compiled: b""}, WHEEL=wheel_text("py3-none-win_amd64")), NAME)
        foreign.main([str(tmp_path / folder), "--wheels", str(house), *more])
        return capsys.readouterr().out.splitlines()[1:]

    before = ("--before", str(tmp_path / "before" / "foreign.json"))
    assert told("before", "demo/a.pyc") == [f"  {NAME}: problem: demo/a.pyc: {COMPILED}"]
    assert told("same", "demo/a.pyc", *before)[1:] == ["no line is new or gone"]
    assert told("after", "demo/b.pyc", *before)[1:] == [
        f"- {house}: {NAME}: problem: demo/a.pyc: {COMPILED}",
        f"+ {house}: {NAME}: problem: demo/b.pyc: {COMPILED}",
    ]
