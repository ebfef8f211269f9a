"""`mamba-press edit` over a copy of the wheel's file, and `wheel unpack` and `wheel pack` beside it.

``python -m benchmarks edit`` puts an edit of a wheel of 300 MB into the table of all targets; ``python -m
benchmarks.edit [MEGABYTES]`` prints a table of its own, with the peers, which take minutes. The wheel is made of files
of this machine. Inside one process the edit is measured without the interpreter's start, as processes with it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

from packaging.version import Version

from benchmarks.measure import Found, How, Row
from mamba_press.pipeline import edit
from mamba_press.types import Entry, Wheel
from mamba_press.wheel import writer

ROUNDS = 7
MEGABYTES = 300
METADATA = b"Metadata-Version: 2.1\nName: large\nVersion: 1.0\nRequires-Dist: numpy\n"
ABOUT = b"Wheel-Version: 1.0\nGenerator: benchmark\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\n"
CHANGES = edit.Changes(require=("numpy<2.5",), suffix="post1")


def measure(how: How) -> Found:
    """Measure target 12."""
    with tempfile.TemporaryDirectory(dir=how.payload.root) as name:
        made = make(Path(name), MEGABYTES)
        found = times(made, Path(name), peers=False)
        note = f"{made.stat().st_size / 1e6:.0f} MB"
    for program, (wall, cpu) in found.items():
        how.say(f"{program:<44} {cpu:8.3f} s CPU {wall:8.3f} s wall")
    return Found(
        rows=[
            Row(number=12, measured=what, base=base, most=1.3, ratio=found[ours][1] / found[base][1], note=note)
            for what, ours, base in (
                ("edit, inside a process", "edit", "copy"),
                ("mamba-press edit", "mamba-press edit", "cp"),
            )
        ]
    )


def make(folder: Path, megabytes: int) -> Path:
    """Write a wheel of at least that size, of this machine's libraries and Python's own files."""
    folders = (Path("/usr/lib"), Path(sys.base_prefix, "lib"))
    found = cycle(path for root in folders for path in sorted(root.rglob("*")) if _is_taken(path))
    entries: list[Entry] = []
    size = 0
    while size < megabytes * 2_900_000:
        path = next(found)
        size += path.stat().st_size
        entries.append(Entry(path=f"large/{len(entries)}/{path.name}", source=path))
    own = {"METADATA": METADATA, "WHEEL": ABOUT}
    entries += [Entry(path=f"large-1.0.dist-info/{name}", source=text) for name, text in own.items()]
    made = Wheel(name="large", version=Version("1.0"), tags="cp311-cp311-linux_x86_64", entries=tuple(entries))
    return writer.write(made, folder, compression=None, epoch=None)


def _is_taken(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.suffix != ".pyc" and os.access(path, os.R_OK)


def spent(work: Callable[[], object], *, of: int = resource.RUSAGE_SELF) -> tuple[float, float]:
    """Return the seconds on the clock and of the processor that a piece of work takes."""
    before, start = resource.getrusage(of), time.perf_counter()
    work()
    wall, after = time.perf_counter() - start, resource.getrusage(of)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def times(made: Path, folder: Path, *, peers: bool = True) -> dict[str, tuple[float, float]]:
    """Return, by name, the medians of wall and CPU time of paired rounds."""
    out = folder / "out"
    command = [sys.executable, "-m", "mamba_press", "edit", str(made), "-q", "-o", str(out)]
    command += ["--require", "numpy<2.5", "--version-suffix", "post1"]
    runs: dict[str, list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        for name, work, of in (
            ("copy", lambda: shutil.copyfile(made, folder / "copy.whl"), resource.RUSAGE_SELF),
            ("edit", lambda: edit.edit([made], CHANGES, out), resource.RUSAGE_SELF),
            ("cp", lambda: _run("cp", str(made), str(folder / "copy.whl")), resource.RUSAGE_CHILDREN),
            ("mamba-press edit", lambda: _run(*command), resource.RUSAGE_CHILDREN),
        ):
            for old in (*folder.glob("copy.whl"), *out.glob("*.whl")):
                old.unlink()
            runs.setdefault(name, []).append(spent(work, of=of))
    found = {name: _medians(times) for name, times in runs.items()}
    if peers:
        found["wheel unpack, wheel pack"] = spent(lambda: _again(made, folder), of=resource.RUSAGE_CHILDREN)
    return found


def _medians(times: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(wall for wall, _ in times), statistics.median(cpu for _, cpu in times)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _again(made: Path, folder: Path) -> None:
    _run(sys.executable, "-m", "wheel", "unpack", str(made), "-d", str(folder / "unpacked"))
    _run(sys.executable, "-m", "wheel", "pack", str(folder / "unpacked" / "large-1.0"), "-d", str(folder))


def main() -> None:
    """Make, measure, print."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as name:
        folder = Path(name)
        made = make(folder, megabytes)
        found = times(made, folder)
        print(f"{made.stat().st_size / 1e6:.0f} MB")
    for what, (wall, cpu) in found.items():
        base = found["cp" if what not in ("copy", "edit") else "copy"]
        print(f"{what:<26} {wall:7.3f} s wall  {cpu:7.3f} s CPU  {wall / base[0]:6.2f}  {cpu / base[1]:6.2f}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
