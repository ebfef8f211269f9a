"""The process of the second reader: one answer for each request, whatever the libraries do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mamba_press.audit import second_reader
from tests.support.compile import Linking, shared_library

pytest.importorskip("lief", reason="LIEF is not installed")


def answers(*requests: dict[str, object], patience: float = 20) -> list[dict[str, object]]:
    command = [sys.executable, str(second_reader.SCRIPT), str(1 << 30), str(patience)]
    text = "".join(f"{json.dumps(request)}\n" for request in requests)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_library_is_told_with_its_segments(tmp_path):
    path = shared_library(tmp_path / "liba.so.1", "int a(void) { return 1; }", Linking(soname="liba.so.1"))
    (answer,) = answers({"do": "load", "names": ["lief"]}, {"do": "read", "path": str(path), "format": "elf"})
    (part,) = answer["parts"]
    assert (part["name"], part["search"], part["needed"]) == ("liba.so.1", [], ["libc.so.6"])
    assert [len(each) for each in part["segments"]] == [5] * len(part["segments"])
    assert part["segments"][0][:3] == [4, 0, 0]


@pytest.mark.parametrize("kind", ["elf", "macho", "pe"])
def test_what_is_no_binary_is_said_to_be_none(tmp_path, kind):
    tmp_path.joinpath("a").write_bytes(b"text")
    request = {"do": "read", "path": str(tmp_path / "a"), "format": kind}
    assert answers(request, request) == [{"cannot": "it takes it for no binary"}] * 2


def test_a_file_that_is_not_there_is_no_wheel(tmp_path):
    (answer,) = answers({"do": "open", "path": str(tmp_path / "a-1-py3-none-any.whl"), "whole": False, "patience": 1})
    assert str(answer["cannot"]).startswith("FileNotFoundError: ")


def test_nothing_of_ours_is_imported():
    text = second_reader.SCRIPT.read_text()
    assert "import mamba_press" not in text
    assert "from mamba_press" not in text


def test_modules_beside_the_script_do_not_stand_in_for_others(tmp_path):
    script = tmp_path / "process.py"
    script.write_bytes(Path(second_reader.SCRIPT).read_bytes())
    tmp_path.joinpath("lief.py").write_text("raise SystemExit('the wrong one')")
    command = [sys.executable, script, str(1 << 30), "20"]
    done = subprocess.run(
        command, input='{"do": "load", "names": ["lief"]}\n', capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
