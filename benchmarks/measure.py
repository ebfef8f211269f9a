"""Run programs side by side and compare what they cost: CPU time first, because machines are noisy."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Prepare = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A program that is measured; ``prepare`` runs before each run of it and is not measured."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    prepare: Prepare | None = None


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


def run(subject: Subject) -> Run:
    """Run a program once; raises FailedError with its last words."""
    if subject.prepare:
        subject.prepare()
    environ = {**os.environ, **subject.environ}
    start = time.perf_counter()
    process = subprocess.Popen(
        list(subject.command), env=environ, cwd=subject.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    process.stdout.close()
    if process.returncode:
        raise FailedError(f"{subject.name}: exit code {process.returncode}\n{said.decode(errors='replace')[-800:]}")
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return Run(cpu=used.ru_utime + used.ru_stime, wall=wall, peak=used.ru_maxrss / scale)


def compare(subjects: Sequence[Subject], rounds: int, say: Callable[[str], None] = print) -> dict[str, Result]:
    """Run all programs in turn, ``rounds`` times, after one round that only warms up; those that fail leave."""
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
            runs[subject.name].append(run(subject))
    for name, found in runs.items():
        median = statistics.median(one.cpu for one in found)
        say(f"{name:<44} {median:8.3f} s CPU {statistics.median(one.wall for one in found):8.3f} s wall")
    return {name: Result(name=name, runs=tuple(found)) for name, found in runs.items()}


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
