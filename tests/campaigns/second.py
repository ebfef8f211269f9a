"""A second reader on finished wheels: ``python -m tests.campaigns.second FOLDER…``.

Every wheel below the folders is checked with ``--second-reader``, which has LIEF read all of its binaries and `wheel`
read every file. How many were read alike is counted, and every difference and every file that was not read is printed.
Other campaigns count what they have edited with `Readings`.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
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


def main() -> None:
    """Check all wheels, and print what the second reader made of them."""
    paths = [path for folder in sys.argv[1:] for path in sorted(Path(folder).rglob("*.whl"))]
    begun = time.monotonic()
    with second_reader.beside(whole=True) as reader:
        found = Readings(reader)
        for path in paths:
            check.examine(path, second=reader)
        for verdict in reader.verdicts:
            found.count(verdict)
    print(f"{len(paths)} wheels, {time.monotonic() - begun:.0f} s")
    found.say()


if __name__ == "__main__":
    main()
