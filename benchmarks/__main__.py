"""All benchmarks: ``python -m benchmarks [PART...]``, every part but ``huge`` where none is named.

``instructions``, alone, counts instead of timing, for continuous integration.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

PARTS = {
    "press": ((1, 2, 3, 4, 5, 6, 7, 9, 11, 15), "presses, the floor and all peers"),
    "light": ((8,), "hooks that only answer, --help, a configuration error"),
    "growth": ((10,), "1,000 to 20,000 files, 10 MB to 1 GB, 1 to 300 packages"),
    "edit": ((12,), "an edit of a wheel of 300 MB"),
    "isolated": ((13,), "what an isolated build installs; asks the package index"),
    "lock": ((14,), "a lock for twelve targets; needs the channel of records beside the repository"),
    "series": ((16,), "one package for four Pythons"),
    "large": ((17,), "a library of 300 MB over one of 240"),
    "real": ((18, 19), "both hooks for a real package, and a temporary folder elsewhere; needs its channel"),
    "huge": ((), "a wheel of 4.5 GB: takes minutes, and 6 GB of disk"),
}


def main() -> int:
    """Measure what was asked for, and say where the results are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    says = ", ".join(f"{name} ({what})" for name, (_, what) in PARTS.items())
    parser.add_argument("parts", nargs="*", metavar="PART", help=says)
    parser.add_argument("--full", action="store_true", help="at least 250 MB, 5,000 files and 150 ELF files")
    parser.add_argument("--huge", action="store_true", help="the part of this name too")
    parser.add_argument("--rounds", type=int, default=3, help="how often each program runs (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path(".bench"), help="payload and results (%(default)s)")
    parser.add_argument("--store", action="store_true", help="instructions: write the baseline instead of comparing")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - {"instructions", *PARTS}:
        parser.error(f"no part: {', '.join(sorted(unknown))}")
    if "instructions" in arguments.parts and len(arguments.parts) > 1:
        parser.error("instructions are counted alone")
    # The first run of each program compiles what the others load: an installed package is compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Peers come with programs, some of which the system has too, older.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if "instructions" in arguments.parts:
        from benchmarks import instructions

        return instructions.main(store=arguments.store)
    parts = arguments.parts or [name for name in PARTS if name != "huge"]
    folder = arguments.folder.resolve() / ("full" if arguments.full else "small")
    _measure(folder, [*parts, "huge"] if arguments.huge else parts, full=arguments.full, rounds=arguments.rounds)
    return 0


def _measure(folder: Path, parts: list[str], *, full: bool, rounds: int) -> None:
    """Measure the parts in their order, and write and print what they found."""
    from benchmarks import measure, payload, report

    facts: dict[str, object] = {"machine": measure.machine()}
    how = measure.How(payload=payload.make(folder / "payload", full=full), rounds=rounds, say=_say)
    facts["payload"] = how.payload.facts()
    found = [import_module(f"benchmarks.{part}").measure(how) for part in dict.fromkeys(parts)]
    rows = [row for each in found for row in each.rows]
    rows += [
        measure.Row(number=number, measured="", base="", what="", note=f"not measured: `python -m benchmarks {part}`")
        for part, (numbers, _) in PARTS.items()
        for number in numbers
        if number not in {row.number for row in rows}
    ]
    facts["load at the end"] = [round(value, 1) for value in os.getloadavg()]
    points = [point for each in found for point in each.points]
    results = {name: result for each in found for name, result in each.results.items()}
    text = report.page(facts, rows, points, [each.text for each in found])
    facts |= {"targets": [asdict(row) for row in rows], "growth": [asdict(point) for point in points]}
    report.write(folder / "results", facts, text, results)
    report.plot(folder / "results" / "results.png", results, points)
    print(text)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
