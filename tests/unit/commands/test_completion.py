from __future__ import annotations

import pytest

from mamba_press.__main__ import main
from mamba_press.commands import completion, parser


def test_every_command_is_completed_with_its_options():
    found = completion.options()
    assert list(found) == ["", *parser.HELP]
    assert {"--output", "--matrix", "--force", "--help"} <= {name for each in found["press"] for name in each.names}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_names_every_command_and_is_what_is_printed(shell, capsys):
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    made = {"bash": completion.bash, "zsh": completion.zsh, "fish": completion.fish}[shell]()
    assert said.rstrip("\n") == made.rstrip("\n")
    assert [name for name in parser.HELP if name not in said] == []


def test_another_shell_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["completion", "tcsh"])
    assert ended.value.code == 2
    assert "invalid choice: 'tcsh'" in capsys.readouterr().err
