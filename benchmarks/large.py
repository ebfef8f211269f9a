"""One library of 300 MB, which is compressed in parts, over one of 240 MB, which is not."""

from __future__ import annotations

from itertools import cycle

from benchmarks.measure import Found, How, Row, Subject, compare, ratio
from benchmarks.payload import Payload, binaries
from benchmarks.press import PROGRAM

SMALLER, LARGER = 240_000_000, 300_000_000
MEMORY = 150
"""MB that writing the larger one may hold."""


def measure(how: How) -> Found:
    """Measure the CPU for each byte, and the memory of both."""
    subjects = [_subject(how.payload, size) for size in (SMALLER, LARGER)]
    results = compare(subjects, how.rounds, how.say)
    asked = Row(number=17, measured=subjects[1].name, base=subjects[0].name)
    found = ratio(results, asked)
    each = found.ratio and found.ratio * SMALLER / LARGER
    peak = results[asked.measured].median("peak") if asked.measured in results else None
    return Found(
        rows=[
            Row(number=17, measured=asked.measured, base=asked.base, what="cpu per byte", most=1.1, ratio=each),
            Row(
                number=17,
                measured=asked.measured,
                base=f"{MEMORY} MB",
                what="peak",
                most=1.0,
                ratio=peak and peak / MEMORY,
            ),
        ],
        results=results,
    )


def _subject(payload: Payload, size: int) -> Subject:
    tree = payload.root / f"large-{size // 1_000_000}"
    if not tree.exists():
        tree.mkdir()
        with (tree / "library.so").open("wb") as file:
            for path in cycle(binaries(payload.tree)):
                if file.tell() >= size:
                    break
                file.write(path.read_bytes())
            file.truncate(size)
    out = payload.out(tree.name)
    return Subject(
        name=f"wheel.write, {size // 1_000_000} MB",
        command=[*PROGRAM, "ours", str(tree), str(out)],
        environ=payload.environ,
    )
