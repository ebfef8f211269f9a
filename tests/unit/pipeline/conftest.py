"""A small project that is pressed from a channel."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = """\
[project]
name = "greeting"
dynamic = ["version"]
[tool.mamba-press]
packages = ["greet"]
python = "3.12"
platform = "manylinux_2_28_x86_64"
"""


@pytest.fixture
def root(tmp_path) -> Path:
    tmp_path.joinpath("pyproject.toml").write_text(PROJECT)
    return tmp_path
