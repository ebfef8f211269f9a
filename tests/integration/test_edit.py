"""Edited wheels among others: which one pip and uv take, and that installers of other people accept them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from installer.sources import WheelFile

from mamba_press.pipeline import edit
from mamba_press.pipeline.edit import Changes
from tests.support.environment import clean_environment
from tests.support.wheels import files, make

PIP = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check")
UV = (sys.executable, "-m", "uv", "pip", "install")


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a release, its higher build, and its post-release."""
    released = make(tmp_path, files())
    for changes in (Changes(build="1", require=("six",)), Changes(suffix="post1", require=("six",))):
        edit.edit([released], changes, tmp_path)
    return tmp_path


def installed(command: tuple[str, ...], folder: Path, spec: str) -> tuple[str, bool]:
    """The version that was installed, and whether it was built later."""
    target = folder / "installed"
    options = ["-q", "--no-index", "--no-deps", "--find-links", str(folder), "--target", str(target)]
    subprocess.run([*command, *options, spec], check=True, env=clean_environment())
    (found,) = target.glob("*.dist-info")
    return found.name.removesuffix(".dist-info"), "\nBuild: 1" in (found / "WHEEL").read_text()


@pytest.mark.parametrize("command", [PIP, UV], ids=["pip", "uv"])
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("demo==1.0", ("demo-1.0", True)),
        ("demo>=1.0", ("demo-1.0.post1", False)),
        ("demo~=1.0", ("demo-1.0.post1", False)),
        ("demo==1.0.*", ("demo-1.0.post1", False)),
    ],
)
def test_a_higher_build_reaches_exact_pins_and_a_post_release_all_others(command, spec, expected, folder):
    assert installed(command, folder, spec) == expected


def test_installer_accepts_every_file_of_an_edited_wheel(folder):
    wheels = sorted(folder.glob("*.whl"))
    assert len(wheels) == 3
    for path in wheels:
        with WheelFile.open(path) as opened:
            opened.validate_record(validate_contents=True)
