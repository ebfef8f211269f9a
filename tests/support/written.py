"""Wheels to write."""

from __future__ import annotations

from pathlib import Path

from packaging.version import Version

from mamba_press.types import Entry, Wheel
from mamba_press.wheel import writer

METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
WHEEL = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
OWN = (
    Entry(path="demo-1.0.dist-info/METADATA", source=METADATA),
    Entry(path="demo-1.0.dist-info/WHEEL", source=WHEEL),
)


def demo(*entries: Entry, own: tuple[Entry, ...] = OWN) -> Wheel:
    return Wheel(name="demo", version=Version("1.0"), tags="py3-none-any", entries=(*entries, *own))


def entry(path: str, source: bytes | Path = b"content\n", **fields: object) -> Entry:
    return Entry(path=path, source=source, **fields)  # type: ignore[arg-type]


def write(made: Wheel, directory: Path, **options: object) -> Path:
    return writer.write(made, directory, **{"compression": None, "epoch": None, **options})  # type: ignore[arg-type]
