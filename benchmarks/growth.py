"""How the cost grows with the number of files, with bytes and with packages, the floor beside each."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import Found, How, Point, Row, Subject, compare, memory
from benchmarks.payload import Payload
from benchmarks.press import PROGRAM
from tests.support.channel import CondaPackage, write_channel

SMALL = 2048
COUNTS = {"files": (1_000, 5_000, 20_000), "MB": (10, 100, 1_000), "packages": (1, 30, 300)}


def measure(how: How) -> Found:
    """Measure all three curves, target 10, and target 11 at the ends of the curves."""
    points = [point for curve, counts in COUNTS.items() for count in counts for point in _points(how, curve, count)]
    return Found(rows=[_per_file(points), *_peaks(points)], points=points)


def slope(points: Sequence[Point], curve: str, program: str) -> float:
    """Seconds of CPU for each more, from the smallest to the largest count."""
    mine = sorted((point.count, point.cpu) for point in points if (point.curve, point.program) == (curve, program))
    return (mine[-1][1] - mine[0][1]) / (mine[-1][0] - mine[0][0])


def _per_file(points: Sequence[Point]) -> Row:
    ours, theirs, floor = (slope(points, "files", name) * 1e6 for name in ("wheel.write", "wheel.wheelfile", "floor"))
    base = "1 µs, from 1,000 to 20,000 files of 2 KiB"
    note = f"WheelFile {theirs:.0f}, the floor {floor:.0f}"
    return Row(number=10, measured="wheel.write, per file", base=base, most=45, ratio=ours, note=note)


def _peaks(points: Sequence[Point]) -> Iterator[Row]:
    """Yield what the largest presses held: their files are the payload's, or small."""
    for point in points:
        if point.program == "press" and point.count == COUNTS[point.curve][-1]:
            yield memory(f"a press of {point.count:,} {point.curve}", point.peak, point.largest)


def _points(how: How, curve: str, count: int) -> list[Point]:
    how.say(f"{count} {curve}")
    payload = how.payload
    tree = payload.root / f"{curve}-{count}"
    if not tree.exists():
        {"files": _many, "MB": _large, "packages": _each}[curve](payload, tree, count)
    largest = max(path.stat().st_size for path in tree.rglob("*") if path.is_file()) / 1e6
    return [
        Point(
            curve=curve,
            program=name,
            count=count,
            cpu=result.median("cpu"),
            peak=result.median("peak"),
            largest=largest,
        )
        for name, result in compare(_subjects(payload, tree), max(1, how.rounds - 1), how.say).items()
    ]


def _subjects(payload: Payload, tree: Path) -> list[Subject]:
    """Everything that takes a tree, and a press of packages, one for each folder in it."""
    env, channel = payload.environ, payload.root / f"channel-{tree.name}"
    if not channel.exists():
        write_channel(channel, (_package(folder, tree.name) for folder in sorted(tree.iterdir())))
    names = [folder.name for folder in tree.iterdir()]
    out = {name: payload.out(f"growth-{name}") for name in ("write", "wheelfile", "press")}
    # Some of the payload's files need others that a smaller tree has not.
    press = [*payload.press(channel, out["press"], names), "-C", "link.system=lib*"]
    return [
        Subject(name="floor", command=[*PROGRAM, "floor", str(tree), "libdeflate"], environ=env),
        Subject(name="wheel.write", command=[*PROGRAM, "ours", str(tree), str(out["write"])], environ=env),
        Subject(name="wheel.wheelfile", command=[*PROGRAM, "wheelfile", str(tree), str(out["wheelfile"])], environ=env),
        Subject(name="press", command=press, environ=env, cache=payload.cache, prepare=payload.forget),
    ]


def _package(folder: Path, build: str) -> CondaPackage:
    """A package of all files of a folder; its build string keeps it apart from another tree's in the cache."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    files = {f"share/{folder.name}/{path.relative_to(folder).as_posix()}": path for path in found}
    return CondaPackage(name=folder.name, build=build.lower().replace("-", "_"), noarch="generic", files=files)


def _many(payload: Payload, root: Path, count: int) -> None:
    """Write as many small files as asked for, of the size and the text of Python modules."""
    text = b"".join(path.read_bytes() for path in sorted(payload.tree.rglob("*.py"))[:400])
    chance = random.Random(count)  # noqa: S311 - the same files each time are wanted
    for number in range(count):
        path = root / "p0" / f"package{number // 100}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        start = chance.randrange(len(text) - SMALL)
        path.write_bytes(text[start : start + SMALL])


def _large(payload: Payload, root: Path, megabytes: int) -> None:
    """Link real files, over and over, until there are so many bytes of them."""
    left, turn = megabytes * 1_000_000, 0
    sources = sorted(path for path in payload.tree.rglob("*") if path.is_file() and path.stat().st_size > SMALL)
    random.Random(0).shuffle(sources)  # noqa: S311 - as above
    while left > 0:
        for source in sources:
            to = root / f"p{turn}" / source.relative_to(payload.tree)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.hardlink_to(source)
            left -= source.stat().st_size
            if left <= 0:
                break
        turn += 1


def _each(payload: Payload, root: Path, count: int) -> None:  # noqa: ARG001 - all three makers are called alike
    """Write ten small files for each package."""
    for number in range(count):
        for name in range(10):
            path = root / f"p{number}" / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{number} {name}\n" * 20)
