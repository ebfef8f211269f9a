"""The command line: what its arguments mean, and what it says of those that mean nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mamba_press import __main__ as command
from mamba_press import commands
from mamba_press.commands import options, parser
from mamba_press.errors import Setting


@pytest.fixture(autouse=True)
def empty_folder(other_directory) -> Path:
    return other_directory


def test_every_module_of_a_command_is_in_the_help():
    shared = {"__init__", "options", "output", "parser"}
    assert {path.stem for path in Path(commands.__file__).parent.glob("*.py")} - shared == set(parser.HELP)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (Setting("packages"), "the specs"),
        (Setting("platform"), "--platform"),
        (Setting("link.system"), "-C link.system"),
        (Setting("constraints"), "-C constraints"),
        (Setting("layout.move", name="'a'"), "-C layout.move.'a'"),
        (Setting("link.runtimes", "bundle"), "-C link.runtimes='bundle'"),
        (Setting("link.strip", value=True), "-C link.strip='true'"),
        (Setting("select.exclude", ("bin/x",)), "-C select.exclude='bin/x'"),
        (Setting("select.exclude", ("a", "it's")), """-C select.exclude='a' -C select.exclude='it'"'"'s'"""),
        (Setting("sources.modules", ()), "-C sources.modules=''"),
        (Setting("requires", value=False, name="zlib"), "-C requires.zlib='false'"),
        (Setting("licenses.named", "MIT", name="a.b"), "-C licenses.named.a.b='MIT'"),
    ],
)
def test_a_call_without_a_project_is_told_of_options_not_of_a_table(setting, expected):
    assert options.as_typed(setting) == expected


@pytest.mark.parametrize(
    ("given", "variable", "expected"),
    [
        (["--platform", "x"], "y", "--platform"),
        (["-C", "platform=x"], "y", "-C platform"),
        ([], "y", "MAMBA_PRESS_PLATFORM"),
        ([], "", "tool.mamba-press.platform"),
    ],
)
def test_a_key_of_a_project_is_called_as_it_was_given(given, variable, expected, empty_folder, capsys, monkeypatch):
    project = '[project]\nname = "own"\nversion = "1"\n[tool.mamba-press]\npackages = ["a"]\nplatform = "z"\n'
    empty_folder.joinpath("pyproject.toml").write_text(project)
    monkeypatch.setenv("MAMBA_PRESS_PLATFORM", variable)
    assert command.main(["list", ".", *given]) == 2
    assert f"- {expected}: '{(given or [variable or 'z'])[-1][-1]}' is neither" in capsys.readouterr().err


def test_a_wrong_option_ends_with_2_and_its_text(capsys):
    assert command.main(["press", "zlib", "--python", "2.7"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mamba-press: the configuration cannot be used\n- --python: ")


WITHOUT_DESCRIPTORS = """
import os, resource, sys
import mamba_press.build
from mamba_press import __main__, error_boundary, commands, credentials, errors, interrupts, log

from mamba_press.commands import list, parser
from mamba_press.config import reader
from mamba_press.pipeline import hooks
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_streams_that_are_there_need_no_descriptor():
    subprocess.run([sys.executable, "-c", f"{WITHOUT_DESCRIPTORS}log.require_streams()"], check=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(
    ("call", "code", "module"),
    [
        ("sys.exit(__main__.main(['list']))", 6, "interrupts"),
        ("sys.exit(__main__.main(['list']))", 6, "commands.parser"),
        ("mamba_press.build.get_requires_for_build_wheel()", 1, "interrupts"),
    ],
)
def test_what_cannot_be_imported_for_want_of_descriptors_is_no_bug(tmp_path, call, code, module):
    package, _, name = f"mamba_press.{module}".rpartition(".")
    gone = f"del sys.modules['{package}.{name}'], sys.modules['{package}'].{name}\n"
    called = [sys.executable, "-c", WITHOUT_DESCRIPTORS + gone + call]
    done = subprocess.run(called, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == code
    assert re.fullmatch(
        rf"mamba-press: the wheel cannot be written\n- .*{name}\.py: Too many open files\n"
        r"  raise the number of files that a process may open \(ulimit -n\)\n",
        done.stderr,
    )
