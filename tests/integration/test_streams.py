"""Streams that are closed, full, or that nobody reads: the work is done, and what is said of it is true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import python_abi, python_package, write_channel

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="needs /dev/full")


@pytest.fixture(scope="module")
def channel(tmp_path_factory) -> Path:
    packages = [press.words(), python_package(press.HERE), python_abi(press.HERE)]
    return write_channel(tmp_path_factory.mktemp("channel"), packages).root


@pytest.fixture
def shell(channel, tmp_path):
    """Run ``mamba-press`` through a shell, which closes and leads streams."""

    def run(arguments: str, streams: str) -> press.Done:
        line = f'"{sys.executable}" -m mamba_press {arguments.replace("CHANNEL", str(channel))} {streams}'
        found = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=press.settings(), capture_output=True, text=True, check=False
        )
        return press.Done(found.returncode, found.stdout, found.stderr)

    return run


PRESS = "press words -c CHANNEL -o dist"


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full", "2>&- <&-"])
def test_without_standard_error_all_is_done_and_printed(shell, streams, tmp_path):
    done = shell(PRESS, streams)
    assert (done.code, done.err) == (0, "")
    assert done.out == "dist/words-1.0-py3-none-any.whl\n"
    assert (tmp_path / done.out.strip()).is_file()


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(("arguments", "code"), [("press wrods -c CHANNEL", 3), ("press --no-such-option", 2)])
def test_without_standard_error_an_error_keeps_its_exit_code(shell, streams, arguments, code):
    done = shell(arguments, streams)
    assert (done.code, done.out) == (code, "")


@pytest.mark.parametrize(("streams", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")])
def test_a_result_that_cannot_be_printed_is_told_with_what_was_made(shell, streams, why, tmp_path):
    done = shell(PRESS, streams)
    assert done.code == 8
    assert done.err.endswith(
        f"""\
mamba-press: the result cannot be printed
- standard output: takes nothing: {why}
  the work is done; only this could not be printed:
  dist/words-1.0-py3-none-any.whl
"""
    )
    assert (tmp_path / "dist/words-1.0-py3-none-any.whl").is_file()


@pytest.mark.parametrize("arguments", ["list words -c CHANNEL --json", "explain words -c CHANNEL"])
def test_of_a_long_result_that_cannot_be_printed_the_beginning_is_told(shell, arguments):
    done = shell(arguments, ">/dev/full")
    assert done.code == 8
    assert done.err.splitlines()[-1].endswith(" more lines")


def test_who_stops_reading_has_read_enough(shell):
    done = shell("list words -c CHANNEL --json", "| head -1; exit ${PIPESTATUS[0]}")
    assert (done.code, done.out) == (0, "{\n")
    assert "Traceback" not in done.err


def test_without_any_stream_a_wheel_is_written(shell, tmp_path):
    assert shell(PRESS, "<&- >&- 2>&-").code == 8
    assert (tmp_path / "dist/words-1.0-py3-none-any.whl").is_file()


def test_a_hook_without_standard_error_does_its_work(channel, tmp_path):
    project = press.project(tmp_path / "p", f'packages = ["words"]\nchannels = ["{channel}"]', name="words")
    code = f"import mamba_press.build as b; b.build_wheel({str(tmp_path / 'out')!r})"
    done = press.run("bash", "-c", f'"{sys.executable}" -c "$CODE" 2>&-', cwd=project, environ={"CODE": code})
    assert done.code == 0
    assert list((tmp_path / "out").glob("*.whl"))


def test_a_path_that_standard_output_cannot_hold_is_escaped(channel, tmp_path):
    done = press.command(
        *("press", "words", "-c", channel, "-o", tmp_path / "d\u00e9"),
        cwd=tmp_path,
        environ={"PYTHONIOENCODING": "ascii"},
    ).ok()
    assert done.out.strip().endswith("d\\xe9/words-1.0-py3-none-any.whl")
