"""A real package, with placeholders and files that nobody packs: both hooks over one, temporary files elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.light import HOOK
from benchmarks.measure import Found, How, Row, Subject, compare, ratio
from benchmarks.payload import BUILD_SYSTEM, ROOT

PROJECT = """\
{build}[project]
name = "libmambapy"
dynamic = ["version"]
[tool.mamba-press]
channels = ["{channel}"]
packages = ["libmambapy"]
python = "3.10"
platform = "linux-64"
"""
PREPARED = "from pathlib import Path; [made] = Path({out!r}).glob('*.dist-info'); "
OTHER = Path("/dev/shm")  # noqa: S108 - a device, and the folder that is made in it is ours
"""A folder in memory: of another device than the package cache, most often."""

BOTH = Row(number=18, measured="prepare, then build", base="build alone", most=1.15)
ELSEWHERE = Row(number=19, measured="list, temporary folder elsewhere", base="list, temporary folder beside the cache")


def measure(how: How) -> Found:
    """Measure libmambapy, of the channel that lies where the tests look for it."""
    channel = Path(os.environ.get("MAMBA_PRESS_SHARED", ROOT.parent / "shared")) / "channels" / "forge"
    if not channel.is_dir():
        note = "not run: no channels/forge at MAMBA_PRESS_SHARED or in ../shared"
        return Found(rows=[replace(row, note=note) for row in (BOTH, ELSEWHERE)])
    root = how.payload.root / "real"
    root.mkdir(exist_ok=True)
    (root / "pyproject.toml").write_text(PROJECT.format(build=BUILD_SYSTEM, channel=channel))
    rows, subjects = [BOTH], [*_hooks(how, root)]
    if OTHER.is_dir() and OTHER.stat().st_dev != how.payload.root.stat().st_dev:
        rows, subjects = [*rows, ELSEWHERE], [*subjects, *_lists(how, root)]
    results = compare(subjects, how.rounds, how.say)
    return Found(rows=[ratio(results, row) for row in rows], results=results)


def _hooks(how: How, root: Path) -> list[Subject]:
    """Each hook is called in a process of its own, as front ends do; nothing compressed is kept from before."""
    out = how.payload.root / "out" / "real"

    def prepare() -> None:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        how.payload.forget()

    first = HOOK.format("prepare_metadata_for_build_wheel", repr(str(out)))
    second = PREPARED.format(out=str(out)) + HOOK.format("build_wheel", f"{str(out)!r}, None, str(made)")
    both = 'import subprocess, sys; [subprocess.run([sys.executable, "-c", each], check=True) for each in sys.argv[1:]]'
    calls = {BOTH.base: [HOOK.format("build_wheel", repr(str(out)))], BOTH.measured: [first, second]}
    return [
        Subject(
            name=name,
            command=[sys.executable, "-c", both, *scripts],
            environ=how.payload.environ,
            folder=root,
            prepare=prepare,
            cache=how.payload.cache,
        )
        for name, scripts in calls.items()
    ]


def _lists(how: How, root: Path) -> list[Subject]:
    """What is listed is fetched, installed and read, and nothing is written."""
    near = how.payload.root / "temporary"
    near.mkdir(exist_ok=True)
    return [
        Subject(
            name=name,
            command=[sys.executable, "-m", "mamba_press", "list", str(root)],
            environ={**how.payload.environ, "TMPDIR": str(folder)},
            cache=how.payload.cache,
        )
        for name, folder in ((ELSEWHERE.base, near), (ELSEWHERE.measured, OTHER))
    ]
