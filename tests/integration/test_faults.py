"""A few cases of the campaign of builds under faults, so that it cannot rot: ``nox -s faults`` has thousands."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.campaigns import faults
from tests.support import press

pytestmark = [
    pytest.mark.skipif(not press.MACHINE, reason="the library that lets calls fail is made for Linux x86_64"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc"),
]


@pytest.mark.parametrize("fault", faults.FAULTS)
def test_a_build_under_faults_leaves_nothing_half_done(fault, tmp_path):
    command = (
        sys.executable,
        "-m",
        "tests.campaigns.faults",
        tmp_path,
        "--fault",
        fault,
        "--count",
        "6",
        "--seed",
        "ci",
    )
    press.run(*command, cwd=Path(__file__).parents[2]).ok()
