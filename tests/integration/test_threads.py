"""Threads import nothing: a Ctrl-C within an import leaves its lock held, and a thread that imports waits for ever."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support import press

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

WATCHED = """\
import os, sys, threading
first = threading.main_thread().ident

def hear(event, arguments):
    if event == "import" and threading.get_ident() != first:
        os.write(2, f"IMPORTED by a thread: {arguments[0]}\\n".encode())

sys.addaudithook(hear)
"""

COMMAND = """
from mamba_press.__main__ import main
sys.exit(main(sys.argv[1:]))
"""

HOOK = """
import json
import mamba_press.build as backend
print(getattr(backend, sys.argv[1])(*json.loads(sys.argv[2])))
"""

LOCKED = "import _imp, sys\n_imp.acquire_lock()\n"
"""What a Ctrl-C leaves behind when it comes between two lines of importlib, which CPython then swallows."""


@pytest.fixture(scope="module")
def channel(tmp_path_factory) -> Path:
    return press.greeting_channel(tmp_path_factory.mktemp("channel"), tmp_path_factory.mktemp("compiled")).root


@pytest.fixture(scope="module")
def wheel(channel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = press.command("press", "greet", "-c", channel, "-o", folder, cwd=folder).ok()
    return Path(done.out.strip())


def commands(channel: Path, wheel: Path) -> dict[str, list[str | Path]]:
    return {
        "press": ["press", "greet", "-c", channel, "-o", "dist"],
        "press with zlib": ["press", "greet", "-c", channel, "-o", "dist", "-C", "wheel.compression=zlib"],
        "list": ["list", "greet", "-c", channel],
        "explain": ["explain", "greet", "-c", channel],
        "explain a wheel": ["explain", wheel],
        "check": ["check", wheel],
        "edit": ["edit", wheel, "--version-suffix", "post1", "-o", "dist"],
        "wheelhouse": ["wheelhouse", "greet", "-c", channel, "-o", "house"],
    }


@pytest.mark.parametrize("name", list(commands(Path(), Path())))
def test_no_thread_of_a_command_imports(name, channel, wheel, tmp_path):
    arguments = [str(each) for each in commands(channel, wheel)[name]]
    done = press.run(sys.executable, "-c", WATCHED + COMMAND, *arguments, cwd=tmp_path).ok()
    assert "IMPORTED" not in done.err


@pytest.mark.parametrize("name", ["build_wheel", "build_sdist", "build_editable", "prepare_metadata_for_build_wheel"])
def test_no_thread_of_a_hook_imports(name, channel, tmp_path):
    project = press.project(tmp_path / "project", f'packages = ["greet"]\nchannels = ["{channel}"]')
    (tmp_path / "out").mkdir()
    call = (name, json.dumps([str(tmp_path / "out")]))
    done = press.run(sys.executable, "-c", WATCHED + HOOK, *call, cwd=project).ok()
    assert "IMPORTED" not in done.err


@pytest.mark.parametrize("name", ["press", "check", "edit", "explain a wheel"])
def test_a_command_ends_where_the_lock_of_imports_is_held(name, channel, wheel, tmp_path):
    arguments = [str(each) for each in commands(channel, wheel)[name]]
    press.run("timeout", "60", sys.executable, "-c", LOCKED + COMMAND, *arguments, cwd=tmp_path).ok()
