from __future__ import annotations

import re
import shlex

import pytest

from mamba_press import __main__ as command
from mamba_press import __version__
from mamba_press.commands import parser


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"mamba-press {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["press"], ["pres", "zlib"], ["press", "zlib", "--pyton", "3.12"]])
def test_a_call_that_means_nothing_ends_with_2_and_says_how(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert "usage: mamba-press" in capsys.readouterr().err


def plain(text: str) -> str:
    """Return a help text without what differs from Python to Python: where lines begin, and ``-o X, --output X``.

    Each argument is one line.
    """
    arguments, mark, examples = text.partition("\nexamples:")
    lines = re.sub(r"\n {5,}(?=\S)|(?<=\S) {2,}", "  ", arguments)
    return re.sub(r"^ +(-\w) (\S+), (--\S+ \2\b)", r"  \1, \3", lines, flags=re.MULTILINE) + mark + examples


@pytest.mark.parametrize("arguments", [(), *((name,) for name in parser.HELP)])
def test_the_help_says_what_each_argument_does(arguments, golden, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "10000")
    monkeypatch.setenv("NO_COLOR", "1")
    with pytest.raises(SystemExit):
        command.main([*arguments, "--help"])
    golden(f"help/{'-'.join(('mamba-press', *arguments))}.txt", plain(capsys.readouterr().out))


@pytest.mark.parametrize("name", parser.HELP)
def test_the_help_of_a_command_says_what_it_does_and_shows_calls_that_parse(name, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert parser.HELP[name].lower() in " ".join(said.split()).lower()
    examples = re.findall(rf"mamba-press {name} .*", said[said.index("examples:") :])
    assert examples
    for example in examples:
        parser.parse(shlex.split(re.split(r" {2,}| \| ", example)[0])[1:])
