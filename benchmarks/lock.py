"""What a lock for twelve targets costs over a lock for one, with the records of real channels."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import zstandard

from benchmarks.measure import Found, How, Row, Subject, compare, ratio
from benchmarks.payload import BUILD_SYSTEM, ROOT

SUBDIRS = ("linux-64", "noarch", "osx-arm64", "win-64")
PYTHONS = ("3.10", "3.11", "3.12")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_34_x86_64", "osx-arm64", "win-64")
PROJECT = f"""\
{BUILD_SYSTEM}[project]
name = "gdal"
dynamic = ["version"]
[tool.mamba-press]
channels = ["../records"]
packages = ["gdal"]
[tool.mamba-press.matrix]
python = {json.dumps(PYTHONS)}
platform = {json.dumps(PLATFORMS)}
"""
ASKED = Row(number=14, measured="lock, 12 targets", base="lock, 1 target", most=4)


def measure(how: How) -> Found:
    """Measure target 14; the records lie where the tests look for them."""
    shared = Path(os.environ.get("MAMBA_PRESS_SHARED", ROOT.parent / "shared"))
    records = shared / "channels" / "records"
    if not records.is_dir():
        note = "not run: no channels/records at MAMBA_PRESS_SHARED or in ../shared"
        return Found(rows=[replace(ASKED, note=note)])
    root = how.payload.root / "lock"
    for subdir in SUBDIRS:
        index = root / "records" / subdir / "repodata.json"
        index.parent.mkdir(parents=True, exist_ok=True)
        with (records / subdir / "repodata.json.zst").open("rb") as packed, index.open("wb") as file:
            zstandard.ZstdDecompressor().copy_stream(packed, file)
    project = root / "project"
    project.mkdir(exist_ok=True)
    (project / "pyproject.toml").write_text(PROJECT)
    lock = [sys.executable, "-m", "mamba_press", "lock", "--update"]
    one = ["--python", PYTHONS[0], "--platform", PLATFORMS[0]]
    env = how.payload.environ
    subjects = [
        Subject(name="lock, 1 target", command=[*lock, *one], environ=env, folder=project),
        Subject(name="lock, 12 targets", command=lock, environ=env, folder=project),
    ]
    results = compare(subjects, how.rounds, how.say)
    return Found(rows=[ratio(results, ASKED)], results=results)
