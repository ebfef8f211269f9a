"""Completion as shells do it: bash, zsh and fish themselves are asked."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mamba_press.commands import parser
from tests.support import press

ASKED = [
    ("mamba-press exp", {"explain"}),
    ("mamba-press ", set(parser.HELP)),
    ("mamba-press --ver", {"--version"}),
    ("mamba-press explain --section pl", {"placeholders"}),
    ("mamba-press explain --sect", {"--section"}),
    ("mamba-press edit --build", {"--build-number"}),
    ("mamba-press press -o mine/in", {"mine/inner/"}),
    ("mamba-press completion f", {"fish"}),
    ("mamba-press check mine/", {"mine/inner/", "mine/a.whl"}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the scripts of all shells, and something to complete."""
    made = tmp_path_factory.mktemp("completion")
    (made / "mine" / "inner").mkdir(parents=True)
    (made / "mine" / "a.whl").touch()
    for shell in ("bash", "zsh", "fish"):
        script = press.command("completion", shell, cwd=made).ok().out
        (made / f"script.{shell}").write_text(script)
    return made


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on this machine")
    return found


@pytest.mark.parametrize(("line", "expected"), ASKED)
def test_bash_completes(line, expected, folder):
    words = line.split(" ")
    code = (
        f"source script.bash; COMP_WORDS=({' '.join(words[:-1])} '{words[-1]}'); COMP_CWORD={len(words) - 1}; "
        # What the function leaves open is bash's own: `complete -o default` completes files.
        f'_mamba_press; [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "{words[-1]}")); '
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run([shell("bash"), "--norc", "-c", code], check=True, capture_output=True, text=True, cwd=folder)
    assert done.stderr == ""
    assert {one.rstrip("/") for one in done.stdout.split()} == {one.rstrip("/") for one in expected}


@pytest.mark.parametrize(("line", "expected"), ASKED)
def test_fish_completes(line, expected, folder):
    environ = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "TERM": "dumb"}
    code = f"source script.fish; complete -C '{line}'"
    done = subprocess.run(
        [shell("fish"), "-N", "-c", code], check=True, capture_output=True, text=True, cwd=folder, env=environ
    )
    found = {one.split("\t")[0] for one in done.stdout.splitlines()}
    assert expected <= found
    assert len(found) < len(parser.HELP) + 3


@pytest.mark.parametrize(("line", "expected"), [asked for asked in ASKED if len(asked[1]) == 1])
def test_zsh_completes(line, expected, folder):
    typed = typed_into(
        [shell("zsh"), "-f", "-i"],
        "autoload -Uz compinit; compinit -u -D; source ./script.zsh; PS1='ready> '; unset zle_bracketed_paste\n",
        f"{line}\t",
        folder,
    )
    (answer,) = expected
    assert answer in typed.rsplit("ready> ", 1)[-1], typed


def typed_into(command: list[str], prepared: str, line: str, folder: Path) -> str:
    """What stands on the terminal of a shell after a line was typed into it."""
    main, other = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "HOME": str(folder), "ZDOTDIR": str(folder)}
    process = subprocess.Popen(
        command, stdin=other, stdout=other, stderr=other, cwd=folder, env=environ, start_new_session=True
    )
    os.close(other)
    try:
        os.write(main, prepared.encode())
        read(main, "ready> ", times=2)  # the line that sets it is echoed
        os.write(main, line.encode())
        text = read(main, "\0", within=3)
        return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]|\x1b[=>]|[\r\a]|.\x08", "", text)
    finally:
        process.kill()
        process.wait()
        os.close(main)


def read(main: int, until: str, *, times: int = 1, within: float = 20) -> str:
    text, end = "", time.monotonic() + within
    while text.count(until) < times and time.monotonic() < end:
        if select.select([main], [], [], 0.2)[0]:
            text += os.read(main, 4096).decode(errors="replace")
    return text


def test_a_shell_that_is_not_known_is_refused(tmp_path):
    done = press.command("completion", "csh", cwd=tmp_path)
    assert done.code == 2
    assert "invalid choice: 'csh'" in done.err


def test_the_scripts_are_syntax_of_their_shells(folder):
    for name in ("bash", "zsh", "fish"):
        if found := shutil.which(name):
            subprocess.run([found, "-n", f"script.{name}"], check=True, cwd=folder)
    assert sys.platform != "win32"
