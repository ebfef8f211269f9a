"""All benchmarks: ``python -m benchmarks``; ``instructions`` counts instead of timing, for continuous integration."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks import growth, instructions, payload, report, targets
from benchmarks.measure import machine


def main() -> int:
    """Measure what was asked for, and say where the results are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["targets", "growth", "all", "instructions"], default="all")
    parser.add_argument("--full", action="store_true", help="at least 250 MB, 5,000 files and 150 ELF files")
    parser.add_argument("--rounds", type=int, default=3, help="how often each program runs (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path(".bench"), help="payload and results (%(default)s)")
    parser.add_argument("--store", action="store_true", help="instructions: write the baseline instead of comparing")
    arguments = parser.parse_args()
    if arguments.what == "instructions":
        return instructions.main(store=arguments.store)
    folder = arguments.folder.resolve() / ("full" if arguments.full else "small")
    made = payload.make(folder / "payload", full=arguments.full)
    facts: dict[str, object] = {"machine": machine()}
    rows, results = targets.rows(made, arguments.rounds, _say)
    facts |= {"payload": made.facts(), "targets": [asdict(row) for row in rows]}
    points = []
    if arguments.what in ("growth", "all"):
        points = growth.curves(made, max(1, arguments.rounds - 1), full=arguments.full, say=_say)
        facts["growth"] = [asdict(point) for point in points]
        rows = [_per_file(row, points) if row.number == "10" else row for row in rows]
    text = f"{facts['machine']}\n\n{facts['payload']}\n\n{report.table(rows)}\n"
    text += report.curves(points) if points else ""
    report.write(folder / "results", facts, text, results)
    report.plot(folder / "results" / "results.png", results, points)
    print(text)
    return 0


def _per_file(row: targets.Row, points: list[growth.Point]) -> targets.Row:
    ours, theirs = (growth.slope(points, "files", name) * 1e6 for name in ("wheel.write", "wheel.wheelfile"))
    base = "1 µs, from 1,000 to 20,000 files of 2 KiB"
    note = f"WheelFile {theirs:.0f}"
    return targets.Row(
        number=row.number, measured="wheel.write, per file", base=base, what="cpu", most=45, ratio=ours, note=note
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
