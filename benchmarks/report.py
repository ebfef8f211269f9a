"""Write what was measured: JSON with every run, a table in Markdown, and a plot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.measure import Point, Result, Row


def page(facts: Mapping[str, object], rows: Sequence[Row], points: Sequence[Point], texts: Sequence[str]) -> str:
    """Everything that was found, in Markdown."""
    said = [f"{name}: {_said(value)}" for name, value in facts.items()]
    growth = [curves(points)] if points else []
    return "\n\n".join([*said, table(rows), *growth, *filter(None, texts)]) + "\n"


def _said(value: object) -> str:
    return ", ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, Mapping) else str(value)


def table(rows: Sequence[Row]) -> str:
    """The targets as a table in Markdown, in the order of their numbers."""
    lines = ["| # | measured | over | | at most | is | |", "|---|---|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: row.number):
        most = "" if row.most is None else f"{row.most:g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        verdict = "" if row.most is None or row.ratio is None else "met" if row.ratio <= row.most else "**missed**"
        notes = " ".join(filter(None, (verdict, row.note)))
        lines.append(f"| {row.number} | {row.measured} | {row.base} | {row.what} | {most} | {ratio} | {notes} |")
    return "\n".join(lines)


def curves(points: Sequence[Point]) -> str:
    """The growth as a table in Markdown."""
    floors = {(point.curve, point.count): point.cpu for point in points if point.program == "floor"}
    lines = ["| | | CPU, s | over the floor | peak, MB |", "|---|---|---|---|---|"]
    for p in points:
        over = f"{p.cpu / floors[p.curve, p.count]:.2f}" if (p.curve, p.count) in floors else ""
        lines.append(f"| {p.count} {p.curve} | {p.program} | {p.cpu:.2f} | {over} | {p.peak:.0f} |")
    return "\n".join(lines)


def write(folder: Path, facts: Mapping[str, object], text: str, results: Mapping[str, Result]) -> None:
    """Write ``results.json`` and ``results.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = {name: [asdict(run) for run in result.runs] for name, result in results.items()}
    (folder / "results.json").write_text(json.dumps({**facts, "runs": runs}, indent=1) + "\n")
    (folder / "results.md").write_text(text)


def plot(path: Path, results: Mapping[str, Result], points: Sequence[Point]) -> bool:
    """Draw CPU time of every program, and the curves beside it; False where matplotlib is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("agg")
    from matplotlib import pyplot as plt

    names = sorted({point.curve for point in points})
    figure, axes = plt.subplots(1, 1 + len(names), figsize=(7 + 4 * len(names), 5), squeeze=False)
    bars = axes[0][0]
    ordered = sorted(results.values(), key=lambda result: -result.median("cpu"))
    bars.barh([result.name for result in ordered], [result.median("cpu") for result in ordered])
    bars.set_xlabel("CPU, seconds")
    for name, axis in zip(names, axes[0][1:], strict=True):
        for program in dict.fromkeys(point.program for point in points if point.curve == name):
            mine = sorted((p.count, p.cpu) for p in points if (p.curve, p.program) == (name, program))
            axis.plot(*zip(*mine, strict=True), marker="o", label=program)
        axis.set_xlabel(name)
        axis.set_ylabel("CPU, seconds")
        axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    return True
