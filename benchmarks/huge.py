"""A wheel of 4.5 GB with entries beyond 4 GiB, and one that is larger than that: written, checked, read by others."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.measure import Found, How, Row, Run, Subject, memory, run
from benchmarks.press import PROGRAM
from mamba_press.wheel import writer

RANDOM = 16 << 20
"""The size of each file of random bytes; all of them are one file on disk."""
COUNT = 270
ZEROS = 9 << 29
"""4.5 GiB, more than a ZIP file says without ZIP64."""
ROOM = 6_000_000_000
"""The wheel; the zeros are no blocks on most disks, and `check` unpacks to the disk only what it looks into."""


def measure(how: How) -> Found:
    """Measure target 11 for a wheel of several GB, once: what writing and checking it hold at their peaks."""
    root = how.payload.root / "huge"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    if shutil.disk_usage(root).free < ROOM:
        note = f"not run: less than {ROOM / 1e9:.0f} GB free"
        return Found(rows=[Row(number=11, measured="wheel.write, 4.5 GB", base="", what="peak", most=1.0, note=note)])
    try:
        return _measure(how, root)
    finally:
        shutil.rmtree(root)


def _measure(how: How, root: Path) -> Found:
    (root / "random").write_bytes(os.urandom(RANDOM))
    with (root / "zeros").open("wb") as file:
        file.truncate(ZEROS)
    runs: dict[str, Run] = {}
    for name in ("write", "check", "zipfile", "installer"):
        command = [*PROGRAM, f"huge_{name}", str(root)]
        runs[name] = run(Subject(name=name, command=command, environ=how.payload.environ))
        how.say(f"{name:<44} {runs[name].cpu:8.3f} s CPU {runs[name].wall:8.3f} s wall {runs[name].peak:6.0f} MB")
    # No more than a window of a file as large as that is held at once.
    window = writer.WINDOW / 1e6
    rows = [memory(f"{name} of a wheel of 4.5 GB", runs[name].peak, window) for name in ("write", "check")]
    lines = ["A wheel of 4.5 GB, one run each.", "", "| | CPU, s | wall, s | peak, MB |", "|---|---|---|---|"]
    lines += [f"| {name} | {each.cpu:.1f} | {each.wall:.1f} | {each.peak:.0f} |" for name, each in runs.items()]
    return Found(rows=rows, text="\n".join(lines))
