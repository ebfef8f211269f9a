from __future__ import annotations

import json
from pathlib import Path

from mamba_press.__main__ import main

PROJECT = """\
[project]
name = "greeting"
version = "1"
[tool.mamba-press]
packages = ["greet"]
matrix = { python = ["3.11", "3.13"], platform = ["manylinux_2_28_x86_64", "macosx_11_0_arm64"] }
"""


def printed(capsys, *words: str) -> str:
    Path("pyproject.toml").write_text(PROJECT)
    assert main(["matrix", *words]) == 0
    return capsys.readouterr().out


def test_github_gets_one_line_with_a_job_for_each_target(capsys):
    said = printed(capsys, "--format", "github")
    assert said.count("\n") == 1
    jobs = json.loads(said.partition("=")[2] if said.startswith("matrix=") else said)["include"]
    assert [(job["python"], job["platform"]) for job in jobs] == [
        ("3.11", "manylinux_2_28_x86_64"),
        ("3.13", "manylinux_2_28_x86_64"),
        ("3.11", "macosx_11_0_arm64"),
        ("3.13", "macosx_11_0_arm64"),
    ]


def test_targets_may_be_chosen(capsys):
    jobs = json.loads(printed(capsys, "--format", "json", "--python", "3.13", "--platform", "macosx_11_0_arm64"))
    assert [(job["python"], job["platform"]) for job in jobs] == [("3.13", "macosx_11_0_arm64")]


def test_for_a_reader_each_job_is_a_line(capsys):
    lines = printed(capsys).splitlines()
    assert len(lines) == 4
    assert all("3.11" in line or "3.13" in line for line in lines)
