"""A second reader on finished wheels: ``python -m tests.campaigns.second FOLDER…``.

Every wheel below the folders is checked with ``--second-reader``, which has LIEF read all of its binaries and `wheel`
read every file. How many were read alike is counted, and every difference and every file that was not read is printed.
Other campaigns count what they have edited with `Readings`.

What it costs a press: ``--cost SPEC… --platform PLATFORM -c CHANNEL…``. Each spec is pressed without and with a second
reader in turn. The machine has to be idle.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mamba_press.audit import check, second_reader
from mamba_press.audit.second_reader import SecondReader, Verdict

ROUND = 50
"""So many files are read by one process: until then they lie on the disk."""


class Readings:
    """How many binaries LIEF reads as mamba-press does."""

    def __init__(self, reader: SecondReader) -> None:
        self._reader = reader
        self._waiting = 0
        self.counts: Counter[str] = Counter()
        self.differences: list[str] = []

    def add(self, name: str, data: bytes) -> None:
        """Have a binary read."""
        self._reader.offer(f"{self.counts['offered']}: {name}", data)
        self.counts["offered"] += 1
        self._waiting += 1
        if self._waiting == ROUND:
            self.settle()

    def settle(self) -> None:
        """Count what is still waiting."""
        self._waiting = 0
        self.count(self._reader.verdict({}))

    def count(self, verdict: Verdict) -> None:
        """Count a verdict."""
        problems = [problem for found in verdict.problems.values() for problem in found]
        self.counts["alike"] += verdict.agreed
        self.counts["differences"] += len(problems)
        self.counts["notes"] += len(verdict.notes)
        self.differences += [*map(str, problems), *verdict.notes]

    def say(self) -> None:
        """Print all that was counted, and each difference."""
        print("second reader:", ", ".join(f"{number} {name}" for name, number in self.counts.items()), flush=True)
        for each in self.differences:
            print("  ", each)


@contextmanager
def readings() -> Iterator[Readings]:
    """Give a count; in the end it is printed."""
    with second_reader.beside() as reader:
        found = Readings(reader)
        yield found
        found.settle()
    found.say()


def check_all(folders: Sequence[Path]) -> None:
    """Check all wheels below the folders, and print what the second reader made of them."""
    paths = [path for folder in folders for path in sorted(folder.rglob("*.whl"))]
    begun = time.monotonic()
    with second_reader.beside(whole=True) as reader:
        found = Readings(reader)
        for path in paths:
            check.examine(path, second=reader)
        for verdict in reader.verdicts:
            found.count(verdict)
    print(f"{len(paths)} wheels, {time.monotonic() - begun:.0f} s")
    found.say()


def cost(spec: str, platform: str, channels: Sequence[str], rounds: int) -> str:
    """Press without and with a second reader in turn, and say the medians; what is fetched is in the cache."""
    begun: dict[str, list[tuple[float, float]]] = {"off": [], "foreign": []}
    _pressed(spec, platform, channels, "off")
    for _ in range(rounds):
        for mode, runs in begun.items():
            runs.append(_pressed(spec, platform, channels, mode))
    (wall, cpu), (more_wall, more_cpu) = (map(statistics.median, zip(*runs, strict=True)) for runs in begun.values())
    more = f"with a second reader {more_wall:.3f} s ({more_wall / wall - 1:+.1%})"
    return f"{spec} for {platform}: wall {wall:.3f} s, {more}; CPU {cpu:.3f} s, with it {more_cpu:.3f} s"


def _pressed(spec: str, platform: str, channels: Sequence[str], mode: str) -> tuple[float, float]:
    """Press once, in a process of its own; return its wall and its CPU time."""
    command = [sys.executable, "-m", "mamba_press", "press", spec, "--python", "3.10", "--platform", platform, "-q"]
    command += [part for channel in channels for part in ("-c", channel)]
    with tempfile.TemporaryDirectory() as folder:
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([*command, "-C", f"second-reader={mode}", "-o", folder], check=True, capture_output=True)
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Check wheels, or measure what that costs a press."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--cost", nargs="+", metavar="SPEC", default=[])
    parser.add_argument("--platform", default="osx-arm64")
    parser.add_argument("-c", "--channel", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    for spec in asked.cost:
        print(cost(spec, asked.platform, asked.channel, asked.rounds), flush=True)
    if asked.cost:
        print("load at the end:", *(f"{value:.1f}" for value in os.getloadavg()))
    if asked.folders:
        check_all(asked.folders)


if __name__ == "__main__":
    main()
