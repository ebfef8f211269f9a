"""Wheels of one package for four Pythons: what is the same in all of them is compressed once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Found, How, Row, Subject, compare, ratio
from benchmarks.payload import Payload, binaries
from tests.support.channel import CondaPackage, python_abi, python_package, write_channel

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
NAME = "bench-series"
LIBRARIES = 30_000_000
"""The bytes of libraries that the packages for all Pythons have."""

ASKED = Row(number=16, measured="press, four Pythons", base="press, one Python", most=1.5)


def measure(how: How) -> Found:
    """Measure a package for four Pythons over one, nothing being kept from before."""
    payload = how.payload
    channel = payload.root / "series"
    if not channel.exists():
        write_channel(channel, _packages(payload))
    subjects = [
        Subject(
            name=name,
            command=_press(payload, channel, pythons),
            environ=payload.environ,
            cache=payload.cache,
            prepare=payload.forget,
        )
        for name, pythons in (("press, one Python", PYTHONS[:1]), ("press, four Pythons", PYTHONS))
    ]
    results = compare(subjects, how.rounds, how.say)
    return Found(rows=[ratio(results, ASKED)], results=results)


def _press(payload: Payload, channel: Path, pythons: tuple[str, ...]) -> list[str]:
    options = ["-c", str(channel), "--python", ",".join(pythons), "-o", str(payload.out(f"series-{len(pythons)}"))]
    system = ["-C", "link.system=lib*", "--force"]
    return [sys.executable, "-m", "mamba_press", "press", NAME, *options, *system]


def _packages(payload: Payload) -> Iterator[CondaPackage]:
    """Yield the Pythons, and a package for each, with the same libraries and one file of its own."""
    libraries: dict[str, Path] = {}
    for path in binaries(payload.tree):
        if sum(each.stat().st_size for each in libraries.values()) < LIBRARIES:
            libraries.setdefault(f"lib/{NAME}/{path.name}", path)
    for python in PYTHONS:
        tag = f"cp{python.replace('.', '')}"
        own = {f"lib/python{python}/site-packages/bench_series/__init__.py": f"version = {python!r}\n"}
        depends = (f"python {python}.*", f"python_abi {python}.* *_{tag}")
        yield from (python_package(python), python_abi(python))
        yield CondaPackage(name=NAME, build=f"py{tag[2:]}_0", depends=depends, files={**libraries, **own})
