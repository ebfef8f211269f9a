"""What `mamba-press list` says of a pressed wheel: every entry and why, what left and why, and what sets the tag."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from mamba_press.audit import explain
from mamba_press.errors import as_values
from mamba_press.types import Dropped, Edits, Entry, Pressed

if TYPE_CHECKING:
    from mamba_press.audit.explain import Step
    from mamba_press.wheel.content import Row

_FLOORS_SHOWN = 3


def as_json(pressed: Pressed, rows: Sequence[Row]) -> dict[str, object]:
    """Return the whole report as values for ``json.dumps``; sizes are bytes, before compression."""
    step = _first_step(pressed)
    return {
        "wheel": pressed.wheel.file_name,
        "tags": pressed.tagging.tags,
        "lowest": pressed.tagging.lowest,
        "floors": [{**asdict(floor), "version": ".".join(map(str, floor.version))} for floor in pressed.tagging.floors],
        "forced_by": list(step.by) if step else [],
        "without_these": step.otherwise if step else None,
        "entries": _entries_as_json(pressed, rows),
        "left": [
            {"package": d.package, "path": d.path, "size": d.size, "why": str(d.why)} for d in pressed.selection.dropped
        ],
        "packages": [
            {
                "name": p.name,
                "version": p.version,
                "build": p.build,
                "url": p.url,
                "license": p.license,
                "expression": pressed.licenses.get(p.name),
            }
            for p in pressed.solution.packages
        ],
        "placeholders": [asdict(finding) for finding in pressed.findings],
        **as_values(pressed.notes),
    }


def _entries_as_json(pressed: Pressed, rows: Sequence[Row]) -> list[dict[str, object]]:
    entries = {entry.path: entry for entry in pressed.wheel.entries}
    neutral: dict[str, list[str]] = defaultdict(list)
    for finding in pressed.findings:
        if finding.kind != "relocated":
            neutral[finding.path].append(finding.text)
    return [
        {
            "path": row.path,
            "size": row.size,
            "package": row.package,
            "file": entry.origin.path if (entry := entries.get(row.path)) and entry.origin else None,
            "why": row.why,
            "edits": _edits(entry, neutral.get(row.path, ())) if entry else None,
            "sha256": row.sha256,
        }
        for row in rows
    ]


def _edits(entry: Entry, neutral: Sequence[str]) -> dict[str, object] | None:
    """Return what is changed of a file of a package, by what; None where it is as the package has it, or is ours.

    ``neutral`` are the paths that the file has below the neutral prefix, where the package has the conda prefix.
    """
    found: dict[str, object] = {"neutralised": list(neutral)} if neutral else {}
    if entry.origin is not None and isinstance(entry.source, bytes):
        found["text"] = "rewritten"
    if entry.edits is not None:
        nothing = asdict(Edits())
        found |= {name: value for name, value in asdict(entry.edits).items() if value != nothing[name]}
        if entry.edits.needed:
            found["needed"] = dict(entry.edits.needed)
    return found or None


def as_text(pressed: Pressed, rows: Sequence[Row]) -> str:
    """Return the report as lines for a person: entries, what left by rule, the tag and what sets it, notes."""
    return "\n".join(
        [pressed.wheel.file_name, "", *_entries(rows), "", *_left(pressed), "", *_tag(pressed), *_notes(pressed)]
    )


def _entries(rows: Sequence[Row]) -> Iterator[str]:
    width = max((len(row.package or "-") for row in rows), default=0)
    for row in rows:
        yield f"{row.size:>11,}  {row.package or '-':<{width}}  {row.path}  ({row.why})"
    yield f"{sum(row.size for row in rows):>11,}  bytes in {len(rows)} files"


def _left(pressed: Pressed) -> Iterator[str]:
    """Yield what left, as one line for each package and rule: single files are in the JSON report."""
    groups: dict[tuple[str, str], list[Dropped]] = defaultdict(list)
    for dropped in pressed.selection.dropped:
        groups[dropped.package, str(dropped.why)].append(dropped)
    yield "left:"
    for (package, why), each in sorted(groups.items()):
        whole = each[0].path is None
        what = "the package" if whole else f"{len(each)} files" if len(each) > 1 else str(each[0].path)
        size = "" if whole else f", {sum(d.size for d in each):,} bytes"
        yield f"  {package}: {what}{size} ({why})"


def _tag(pressed: Pressed) -> Iterator[str]:
    yield f"tag: {pressed.tagging.tags}; lowest honest platform tag: {pressed.tagging.lowest}"
    for floor in pressed.tagging.floors[:_FLOORS_SHOWN]:
        version = ".".join(map(str, floor.version))
        yield f"  {version}: {floor.symbol} of {floor.library}, needed by {floor.path} ({floor.package})"
    if step := _first_step(pressed):
        by = ", ".join(step.by)
        yield f"  without {by}: {step.otherwise}" if step.otherwise else f"  nothing but {by} sets a floor"


def _first_step(pressed: Pressed) -> Step | None:
    return next(iter(explain.steps(pressed.tagging.floors, pressed.tagging.lowest)), None)


def _notes(pressed: Pressed) -> Iterator[str]:
    if pressed.notes:
        yield "notes:"
        yield from (f"  {line}" for note in pressed.notes for line in str(note).splitlines())
