"""Which interpreters a wheel is tried with: those that packaging says take one of its tags."""

from __future__ import annotations

import os
import stat

import pytest
from packaging.tags import parse_tag

from mamba_press.audit import smoke_test


@pytest.mark.skipif(os.name == "nt", reason="the interpreters here are shell scripts")
@pytest.mark.parametrize(
    ("said", "tag", "expected"),
    [
        ("cpython 12 0", "cp312-cp312-any", True),
        ("cpython 12 0", "cp310-abi3-any", True),
        ("cpython 12 0", "py310-none-any", True),
        ("cpython 12 0", "cp313-abi3-any", False),
        ("cpython 12 0", "cp311-none-any", False),
        ("cpython 14 1", "cp314-cp314t-any", True),
        ("cpython 14 1", "cp310-abi3-any", False),
        ("cpython 15 1", "cp315-abi3t-any", True),
        ("pypy 11 0", "pp311-pypy311_pp73-any", True),
        ("no Python at all", "py3-none-any", False),
    ],
)
def test_an_interpreter_takes_what_packaging_says(said, tag, expected, tmp_path):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho {said}\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    assert smoke_test._takes(str(python), parse_tag(tag)) is expected
