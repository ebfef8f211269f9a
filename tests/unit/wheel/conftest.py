"""Wheels to write, and a writer that takes small files for large ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mamba_press.types import Wheel
from mamba_press.wheel import content, writer
from tests.support.written import demo, entry


@pytest.fixture
def mixed(tmp_path: Path) -> Wheel:
    """Empty, tiny, compressible, incompressible, executable and non-ASCII entries, from files and from bytes."""
    noise = b"".join(hashlib.sha256(str(i).encode()).digest() for i in range(20000))
    files = {
        "empty": b"",
        "noise.bin": noise,
        "text.txt": b"all work and no play\n" * 50000,
        "tool": b"#!/bin/sh\n" * 9,
    }
    folder = tmp_path / "sources"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    entries = [entry(f"demo/{name}", folder / name, executable=name == "tool") for name in files]
    many = [entry(f"demo/many/{i:03}.py", f"value = {i}\n".encode() * i) for i in range(200)]
    return demo(entry("demo/__init__.py", b""), entry("demo/größe.txt"), *entries, *many)


@pytest.fixture
def small_windows(monkeypatch):
    """Windows, parts and the bounds of ZIP64 as small as the test's files."""
    monkeypatch.setattr(writer, "WINDOW", 100_000)
    monkeypatch.setattr(content, "HUGE", 300_000)
    monkeypatch.setattr(content, "PART", 70_000)
