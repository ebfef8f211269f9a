"""Presses over the floor, over every peer that writes or repairs wheels, and over the limits of their parts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measure import Found, How, Result, Row, Subject, compare, memory, ratio
from benchmarks.payload import STDLIB, VERSION, Payload, only_wheel

PROGRAM = (sys.executable, "-m", "benchmarks.programs")
PEER = """\
[build-system]
requires = []
build-backend = "none"
[project]
name = "benchtree"
version = "1"
description = "The same files for every backend"
[tool.hatch.build]
ignore-vcs = true
[tool.hatch.build.targets.wheel]
packages = ["benchtree"]
[tool.uv.build-backend]
module-root = ""
"""

ASKED = tuple(
    Row(number=number, measured=measured, base=base, what=what, most=most)
    for number, measured, base, what, most in (
        (1, "press, nothing patched", "floor, libdeflate 6", "cpu", 1.10),
        (1, "press, nothing patched", "floor, libdeflate 6", "wall", 1.15),
        (2, "press, every ELF patched", "floor, libdeflate 6", "cpu", 1.15),
        (2, "press, every ELF patched", "floor, libdeflate 6", "wall", None),
        (3, "press, nothing patched", "floor, zlib 6", "cpu", 0.50),
        (4, "wheel.write", "wheel.wheelfile", "cpu", 0.45),
        (4, "wheel.write", "wheel.wheelfile", "wall", 0.25),
        (5, "press, nothing patched", "hatchling", "cpu", 0.45),
        (5, "press, nothing patched", "flit_core", "cpu", 0.45),
        (5, "press, nothing patched", "uv_build", "cpu", 1.0),
        (6, "press, every ELF patched", "auditwheel repair", "cpu", 0.20),
        (6, "press, every ELF patched", "repairwheel", "cpu", 0.20),
        (15, "press, repeated", "floor, libdeflate 6", "cpu", 0.75),
        (15, "press, repeated", "press, nothing patched", "cpu", None),
        (9, "press, cold", "press, nothing patched + unpacking", "cpu", 1.15),
    )
)


def measure(how: How) -> Found:
    """Measure targets 1 to 7, 9, 15 and, for what is pressed here, 11."""
    results = compare([*_pressing(how.payload), *_peers(how.payload)], how.rounds, how.say)
    rows = [ratio(results, asked) for asked in ASKED]
    rows += [_size(how.payload), *_binaries(how), _memory(how.payload, results)]
    return Found(rows=sorted(rows, key=lambda row: row.number), results=results)


def _pressing(payload: Payload) -> list[Subject]:
    env, tree, cache = payload.environ, str(payload.tree), payload.cache
    out = {name: str(payload.out(name)) for name in ("plain", "patched", "cold", "write", "wheelfile")}
    plain, patched, cold = (
        payload.press(channel, payload.out(name))
        for channel, name in ((payload.plain, "plain"), (payload.patched, "patched"), (payload.plain, "cold"))
    )
    return [
        Subject(name="floor, libdeflate 6", command=[*PROGRAM, "floor", tree, "libdeflate"], environ=env),
        Subject(name="floor, zlib 6", command=[*PROGRAM, "floor", tree, "zlib"], environ=env),
        Subject(name="press, nothing patched", command=plain, environ=env, cache=cache, prepare=payload.forget),
        Subject(name="press, repeated", command=plain, environ=env, cache=cache),
        Subject(name="press, every ELF patched", command=patched, environ=env, cache=cache, prepare=payload.forget),
        Subject(name="wheel.write", command=[*PROGRAM, "ours", tree, out["write"]], environ=env),
        Subject(name="wheel.wheelfile", command=[*PROGRAM, "wheelfile", tree, out["wheelfile"]], environ=env),
        Subject(name="check", command=[*PROGRAM, "check", str(only_wheel(payload.out("tree")))], environ=env),
        Subject(name="press, cold", command=cold, environ=_cold(payload), prepare=lambda: _forget(payload)),
        Subject(name="unpacking", command=_unpacking(payload), prepare=lambda: _forget(payload)),
    ]


def _cold(payload: Payload) -> dict[str, str]:
    return {**payload.environ, "RATTLER_CACHE_DIR": str(payload.root / "cold")}


def _forget(payload: Payload) -> None:
    for name in ("cold", "unpacking"):
        shutil.rmtree(payload.root / name, ignore_errors=True)
    (payload.root / "unpacking").mkdir()


def _unpacking(payload: Payload) -> list[str]:
    """`zstd -d | tar x` of the packages' archives: the limit of what a cold press adds."""
    inner = [path for path in sorted(payload.plain.rglob("*.conda")) if not path.name.startswith("python_abi")]
    into = payload.root / "unpacking"
    each = [f"unzip -p {path} 'pkg-*' | zstd -d | tar x -C {into}" for path in inner]
    return ["sh", "-c", " && ".join(each)]


def _peers(payload: Payload) -> list[Subject]:
    folder = payload.root / "peer"
    if not folder.exists():
        # hatchling, flit and uv_build take a package of a project; its files are those of the tree.
        shutil.copytree(payload.tree, folder / "benchtree", copy_function=_hard_link)
        (folder / "benchtree" / "__init__.py").write_text('"""The same files for every backend."""\n')
        (folder / "pyproject.toml").write_text(PEER)
    backends = {"hatchling": "hatchling.build", "flit_core": "flit_core.buildapi", "uv_build": "uv_build"}
    unlinked, libraries = str(_unlinked(payload)), str(payload.libraries)
    out = {name: str(payload.out(name)) for name in (*backends, "auditwheel", "repairwheel")}
    auditwheel = [sys.executable, "-m", "auditwheel", "repair", "--plat", "auto", "-w", out["auditwheel"], unlinked]
    repairwheel = [sys.executable, "-m", "repairwheel", "-o", out["repairwheel"], "-l", libraries, unlinked]
    loading = {**payload.environ, "LD_LIBRARY_PATH": libraries}
    return [
        *(
            Subject(name=name, command=[*PROGRAM, "hook", module, out[name]], environ=payload.environ, folder=folder)
            for name, module in backends.items()
        ),
        Subject(name="auditwheel repair", command=auditwheel, environ=loading),
        Subject(name="repairwheel", command=repairwheel, environ=loading),
    ]


def _hard_link(source: str, to: str) -> None:
    Path(to).hardlink_to(source)


def _unlinked(payload: Payload) -> Path:
    """The wheel of the same files before anyone has grafted the libraries into it, as a compiler leaves it."""
    name = payload.packages[0]
    folder = payload.root / "unlinked"
    made = folder / f"{name}-1-cp{VERSION.replace('.', '')}-cp{VERSION.replace('.', '')}-linux_x86_64.whl"
    if made.exists():
        return made
    from wheel.wheelfile import WheelFile

    folder.mkdir()
    with WheelFile(made, "w") as archive:
        for package in payload.packages:
            root = payload.root / "conda" / package
            inside = "" if package != STDLIB else f"{STDLIB}/"
            for path in sorted(root.rglob("*")):
                place = inside + path.relative_to(root).as_posix()
                if path.is_file() and not path.is_symlink() and ".dist-info/" not in place:
                    archive.write(path, place)
        archive.writestr(f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        tag = made.stem.split("-", 2)[2]
        archive.writestr(f"{name}-1.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
    return made


def _size(payload: Payload) -> Row:
    ours, theirs = (only_wheel(payload.out(name)).stat().st_size / 1e6 for name in ("write", "wheelfile"))
    base, note = "wheel.wheelfile, zlib 6", f"{ours:.1f} MB of {theirs:.1f}"
    return Row(number=3, measured="wheel.write", base=base, what="size", most=1.0, ratio=ours / theirs, note=note)


def _binaries(how: How) -> list[Row]:
    """Reading and editing ELF files, timed inside one process: starting it would cost more than the work."""
    command = [*PROGRAM, "elf", str(how.payload.tree), str(max(how.rounds, 5))]
    run = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **how.payload.environ})
    found = json.loads(run.stdout)
    spent = ", ".join(f"{name} {value * 1e3:.1f} ms" for name, value in found.items() if name != "files")
    how.say(f"ELF, {found['files']} files: {spent}")
    return [
        Row(number=7, measured=f"ELF {ours}", base=base, most=most, ratio=found[ours] / found[theirs])
        for ours, theirs, base, most in (
            ("scan", "walk", "a walk that reads four bytes", 2.0),
            ("edit", "copy", "a file copy", 1.3),
            ("edit", "read and write", "read and write", None),
        )
    ]


def _memory(payload: Payload, results: Mapping[str, Result]) -> Row:
    largest = max(path.stat().st_size for path in payload.tree.rglob("*") if path.is_file()) / 1e6
    peak = max(results[name].median("peak") for name in ("press, nothing patched", "press, every ELF patched"))
    return memory("a press", peak, largest)
