"""What only answers, in multiples of a bare interpreter: hooks that front ends ask, ``--help``, a mistake, a lock."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from benchmarks.measure import Found, How, Row, Subject, compare, ratio
from benchmarks.payload import BUILD_SYSTEM, VERSION

ROUNDS = 15
HOOK = "import mamba_press.build as build; build.{}({})"
LIGHT = HOOK.format("get_requires_for_build_wheel", "{}")
# A mistake ends in SystemExit, as front ends want it; here that is success.
MISTAKE = f"try:\n {LIGHT.format(repr({'pakages': 'zlib'}))}\nexcept SystemExit: pass"
PROJECT = f"""\
{BUILD_SYSTEM}[project]
name = "libmambapy"
dynamic = ["version"]
[tool.mamba-press]
packages = ["libmambapy"]
python = "3.10.*"
"""
LOCKED = """\
[project]
name = "{name}"
dynamic = ["version"]
[tool.mamba-press]
channels = ["{channel}"]
packages = {packages}
python = "{python}"
"""
ASKED = (
    ("get_requires_for_build_wheel", 8),
    ("mamba-press --help", 8),
    ("a configuration error", 8),
    ("prepare_metadata_for_build_wheel, locked", 12),
)


def measure(how: How) -> Found:
    """Measure target 8."""
    results = compare(_subjects(how), max(how.rounds, ROUNDS), how.say)
    rows = [Row(number=8, measured=name, base="bare interpreter", most=most) for name, most in ASKED]
    return Found(rows=[ratio(results, row) for row in rows], results=results)


def _subjects(how: How) -> list[Subject]:
    folder = how.payload.root / "project"
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    asked = {
        "bare interpreter": ["-c", "pass"],
        "get_requires_for_build_wheel": ["-c", LIGHT.format("")],
        "a configuration error": ["-c", MISTAKE],
        "mamba-press --help": ["-m", "mamba_press", "--help"],
        "import mamba_press.build": ["-c", "import mamba_press.build"],
    }
    return [
        *(
            Subject(name=name, command=[sys.executable, *command], environ=how.payload.environ, folder=folder)
            for name, command in asked.items()
        ),
        _locked(how),
    ]


def _locked(how: How) -> Subject:
    """The hook that states metadata, of a project that is the payload's packages and has a lock of them."""
    payload = how.payload
    folder, out = payload.root / "locked", payload.root / "out" / "metadata"
    folder.mkdir(exist_ok=True)
    packages = str(list(payload.packages))
    text = BUILD_SYSTEM + LOCKED.format(
        name=payload.packages[0], channel=payload.plain, packages=packages, python=f"{VERSION}.*"
    )
    (folder / "pyproject.toml").write_text(text)
    environ = {**os.environ, **payload.environ}
    lock = [sys.executable, "-m", "mamba_press", "lock", "--update"]
    subprocess.run(lock, check=True, capture_output=True, env=environ, cwd=folder)

    def prepare() -> None:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)

    return Subject(
        name="prepare_metadata_for_build_wheel, locked",
        command=[sys.executable, "-c", HOOK.format("prepare_metadata_for_build_wheel", repr(str(out)))],
        environ=payload.environ,
        folder=folder,
        prepare=prepare,
        cache=payload.cache,
    )
