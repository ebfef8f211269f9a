"""How the cost grows with the number of files, with bytes and with packages."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Subject, compare
from benchmarks.payload import Payload
from benchmarks.targets import PROGRAM, environ, press
from tests.support.channel import CondaPackage, write_channel

SMALL = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One measurement of a curve: how many there were, seconds of CPU and MB at the peak."""

    curve: str
    program: str
    count: int
    cpu: float
    peak: float


def curves(payload: Payload, rounds: int, *, full: bool, say: Callable[[str], None]) -> list[Point]:
    """Measure all three curves."""
    counts = (1_000, 5_000, 20_000)
    points = []
    for count in counts:
        points += _writing(payload, "files", count, _many(payload, count), (rounds, say))
    for megabytes in (10, 100, 1_000) if full else (10, 100):
        points += _writing(payload, "MB", megabytes, _large(payload, megabytes), (rounds, say))
    for packages in (1, 30, 300):
        points += _packages(payload, packages, (rounds, say))
    return points


def slope(points: Sequence[Point], curve: str, program: str) -> float:
    """Seconds of CPU for each more, from the smallest to the largest count."""
    mine = sorted((point.count, point.cpu) for point in points if (point.curve, point.program) == (curve, program))
    return (mine[-1][1] - mine[0][1]) / (mine[-1][0] - mine[0][0])


How = tuple[int, Callable[[str], None]]


def _writing(payload: Payload, curve: str, count: int, tree: Path, how: How) -> list[Point]:
    env, out = environ(payload), str(payload.root / "out")
    subjects = [
        Subject(name="floor", command=[*PROGRAM, "floor", str(tree), "libdeflate"], environ=env),
        Subject(name="wheel.write", command=[*PROGRAM, "ours", str(tree), out], environ=env),
        Subject(name="wheel.wheelfile", command=[*PROGRAM, "wheelfile", str(tree), out], environ=env),
    ]
    return _points(curve, count, subjects, how)


def _points(curve: str, count: int, subjects: Sequence[Subject], how: How) -> list[Point]:
    rounds, say = how
    say(f"{count} {curve}")
    return [
        Point(curve=curve, program=name, count=count, cpu=result.median("cpu"), peak=result.median("peak"))
        for name, result in compare(subjects, rounds, say).items()
    ]


def _many(payload: Payload, count: int) -> Path:
    """As many small files as asked for, of the size and the text of Python modules."""
    root = payload.root / f"files-{count}"
    if not root.exists():
        text = b"".join(path.read_bytes() for path in sorted(payload.tree.rglob("*.py"))[:400])
        chance = random.Random(count)  # noqa: S311 - the same files each time are wanted
        for number in range(count):
            path = root / f"package{number // 100}" / f"module{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            start = chance.randrange(len(text) - SMALL)
            path.write_bytes(text[start : start + SMALL])
    return root


def _large(payload: Payload, megabytes: int) -> Path:
    """Real files, over and over, until there are so many bytes of them."""
    root = payload.root / f"bytes-{megabytes}"
    if not root.exists():
        left, turn = megabytes * 1_000_000, 0
        sources = sorted(path for path in payload.tree.rglob("*") if path.is_file() and path.stat().st_size > SMALL)
        random.Random(0).shuffle(sources)  # noqa: S311 - as above
        while left > 0:
            for source in sources:
                to = root / str(turn) / source.relative_to(payload.tree)
                to.parent.mkdir(parents=True, exist_ok=True)
                to.hardlink_to(source)
                left -= source.stat().st_size
                if left <= 0:
                    break
            turn += 1
    return root


def _packages(payload: Payload, count: int, how: How) -> list[Point]:
    """Press packages of ten small files, each of which needs the one before."""
    channel = payload.root / f"packages-{count}"
    if not channel.exists():
        write_channel(channel, [_small(number) for number in range(count)])
    out = payload.root / "out"
    command = press(payload, channel, out, [f"p{number}" for number in range(count)])
    subject = Subject(name="press", command=command, environ=environ(payload))
    points = _points("packages", count, [subject], how)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    return points


def _small(number: int) -> CondaPackage:
    files = {f"share/p{number}/{name}.txt": f"{number} {name}\n" * 20 for name in range(10)}
    depends = (f"p{number - 1}",) if number else ()
    return CondaPackage(name=f"p{number}", noarch="generic", depends=depends, files=files)
