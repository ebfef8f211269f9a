"""Run programs side by side and compare what they cost: CPU time first, because machines are noisy."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.payload import Payload

Prepare = Callable[[], object]

LAUNCHER = """
import os, sys, time
start = time.perf_counter()
process = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(process, 0)
wall = time.perf_counter() - start
with open(sys.argv[1], "w") as file:
    print(used.ru_utime + used.ru_stime, wall, used.ru_maxrss, file=file)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
"""
"""Linux counts the memory of the process that starts another one as a peak of the other: this one has next to none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A program that is measured; ``prepare`` runs before each run of it and is not measured.

    ``cache`` is a package cache that every run but the first has to find complete.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    prepare: Prepare | None = None
    cache: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What one run of a program cost, its children included: seconds, and MB at the peak of its largest process."""

    cpu: float
    wall: float
    peak: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """All runs of one program; round n of each program ran beside round n of every other."""

    name: str
    runs: tuple[Run, ...]

    def median(self, what: str) -> float:
        """The median of ``cpu``, ``wall`` or ``peak``."""
        return float(statistics.median(getattr(run, what) for run in self.runs))


class FailedError(Exception):
    """A program that was to be measured failed; the text is the end of what it said."""


class NotWarmError(Exception):
    """A program that was to find its packages in the cache extracted some: its figures would be those of another."""


def run(subject: Subject) -> Run:
    """Run a program once; raises FailedError with its last words."""
    if subject.prepare:
        subject.prepare()
    environ = {**os.environ, **subject.environ}
    with tempfile.TemporaryFile("w+b") as said, tempfile.NamedTemporaryFile("r") as spent:
        command = [sys.executable, "-I", "-S", "-c", LAUNCHER, spent.name, *subject.command]
        code = subprocess.call(command, env=environ, cwd=subject.folder, stdout=said, stderr=subprocess.STDOUT)
        if code:
            said.seek(0)
            text = said.read().decode(errors="replace")
            raise FailedError(f"{subject.name}: exit code {code}\n{text[-800:]}")
        cpu, wall, peak = map(float, spent.read().split())
    return Run(cpu=cpu, wall=wall, peak=peak / (1e6 if sys.platform == "darwin" else 1e3))


def compare(subjects: Sequence[Subject], rounds: int, say: Callable[[str], None] = print) -> dict[str, Result]:
    """Run all programs in turn, ``rounds`` times, after one round that only warms up; those that fail in it leave.

    Raises NotWarmError when a later run changes the package cache that it was to find complete.
    """
    present = []
    for subject in subjects:
        try:
            run(subject)
            present.append(subject)
        except (FailedError, OSError) as error:
            say(f"left out: {error}")
    runs: dict[str, list[Run]] = {subject.name: [] for subject in present}
    for _ in range(rounds):
        for subject in present:
            before = packages(subject.cache)
            runs[subject.name].append(run(subject))
            changed = sorted(name for name, is_there in packages(subject.cache).items() if before.get(name) != is_there)
            if changed:
                raise NotWarmError(f"{subject.name} extracted {', '.join(changed)}")
    for name, found in runs.items():
        median = statistics.median(one.cpu for one in found)
        say(f"{name:<44} {median:8.3f} s CPU {statistics.median(one.wall for one in found):8.3f} s wall")
    return {name: Result(name=name, runs=tuple(found)) for name, found in runs.items()}


def packages(cache: Path | None) -> dict[str, tuple[int, int]]:
    """Return, by name, what tells an extracted package from the same one extracted again."""
    found = sorted((cache / "pkgs").iterdir()) if cache and (cache / "pkgs").is_dir() else []
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found if path.is_dir()}


def machine() -> dict[str, object]:
    """What was measured on: no names, only what decides speed."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = models[0] if models else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": f"{platform.system()} {platform.release()}",
        "cpu": cpu,
        "cores": cores,
        "python": platform.python_version(),
        "load": [round(value, 1) for value in os.getloadavg()],
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table: ``measured`` over ``base``, what it may be at most, and what it was.

    ``most`` is None where the target names no limit, ``ratio`` where nothing was measured: ``note`` then says why.
    """

    number: int
    measured: str
    base: str
    what: str = "cpu"
    most: float | None = None
    ratio: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One measurement of a curve: how many there were, seconds of CPU, MB at the peak, MB of the largest file."""

    curve: str
    program: str
    count: int
    cpu: float
    peak: float
    largest: float


@dataclass(frozen=True, kw_only=True, slots=True)
class How:
    """What is measured, how often, and who is told of it."""

    payload: Payload
    rounds: int
    say: Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What one part found: rows of the table, the runs behind them, curves, and text that follows the table."""

    rows: Sequence[Row] = ()
    results: Mapping[str, Result] = field(default_factory=dict)
    points: Sequence[Point] = ()
    text: str = ""


def ratio(results: Mapping[str, Result], asked: Row) -> Row:
    """Return the row with its ratio of medians; what it is measured over may be the sum of several programs."""
    bases = [results.get(name) for name in asked.base.split(" + ")]
    found = results.get(asked.measured)
    if found is None or None in bases:
        missing = [name for name in (asked.measured, *asked.base.split(" + ")) if name not in results]
        return replace(asked, note=f"not run here: {', '.join(missing)}")
    return replace(asked, ratio=found.median(asked.what) / sum(one.median(asked.what) for one in bases if one))


def memory(measured: str, peak: float, largest: float) -> Row:
    """Return the row of target 11: at most 150 MB and twice the largest file, or its window, in MB."""
    allowed = 150 + 2 * largest
    note = f"{peak:.0f} MB of {allowed:.0f}; 2x {largest:.0f} MB"
    base = "150 MB + 2x the largest file's window"
    return Row(number=11, measured=measured, base=base, what="peak", most=1.0, ratio=peak / allowed, note=note)
