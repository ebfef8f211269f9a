"""The targets of speed: for each, what is measured over what, and the most that it may be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure import Result, Subject, compare
from benchmarks.payload import STDLIB, VERSION, Payload

ROOT = Path(__file__).parents[1]
PROGRAM = (sys.executable, "-m", "benchmarks.programs")
LIGHT = "import mamba_press.build as build; build.get_requires_for_build_wheel({})"
PROJECT = """\
[build-system]
requires = ["mamba-press"]
build-backend = "mamba_press.build"
[project]
name = "libmambapy"
dynamic = ["version"]
[tool.mamba-press]
packages = ["libmambapy"]
python = "3.10.*"
"""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table: ``measured`` over ``base``, what it may be at most, and what it was."""

    number: str
    measured: str
    base: str
    what: str
    most: float | None
    ratio: float | None = None
    note: str = ""


def rows(payload: Payload, rounds: int, say: Callable[[str], None]) -> tuple[list[Row], dict[str, Result]]:
    """Measure everything that exists and return the table with all runs behind it."""
    out = payload.root / "out"
    out.mkdir(exist_ok=True)
    _press_once(payload, out)
    results = compare(_pressing(payload, out), rounds, say)
    results |= compare(_peers(payload, out), rounds, say)
    results |= compare(_light(payload), max(rounds, 15), say)
    found = [_row(results, asked) for asked in ASKED]
    found += _binaries(payload, max(rounds, 5), say)
    found.append(_memory(payload, results))
    found += [_missing(number, why) for number, why in MISSING]
    return sorted(found, key=lambda row: int(row.number)), results


ASKED = tuple(
    Row(number=number, measured=measured, base=base, what=what, most=most)
    for number, measured, base, what, most in (
        ("1", "press, nothing patched", "floor, libdeflate 6", "cpu", 1.10),
        ("1", "press, nothing patched", "floor, libdeflate 6", "wall", 1.15),
        ("2", "press, every ELF patched", "floor, libdeflate 6", "cpu", 1.15),
        ("3", "press, nothing patched", "floor, zlib 6", "cpu", 0.50),
        ("4", "wheel.write", "wheel.wheelfile", "cpu", 0.45),
        ("4", "wheel.write", "wheel.wheelfile", "wall", 0.25),
        ("5", "press, nothing patched", "hatchling", "cpu", 0.45),
        ("5", "press, nothing patched", "flit_core", "cpu", 0.45),
        ("5", "press, nothing patched", "uv_build", "cpu", 1.0),
        ("6", "press, every ELF patched", "auditwheel repair", "cpu", 0.20),
        ("6", "press, every ELF patched", "repairwheel", "cpu", 0.20),
        ("8", "get_requires_for_build_wheel", "bare interpreter", "cpu", 8),
        ("8", "mamba-press --help", "bare interpreter", "cpu", 8),
        ("8", "a configuration error", "bare interpreter", "cpu", 8),
        ("9", "press, cold", "press, nothing patched + unpacking", "cpu", 1.15),
    )
)
MISSING = (
    ("10", "measured by `growth`"),
    ("12", "measured by `python -m benchmarks.edit`"),
    ("13", "measured by hand: docs/explanation/speed.md"),
    ("14", "measured by `tests/integration/test_lock.py`"),
)


def environ(payload: Payload) -> dict[str, str]:
    """The environment of everything that is measured."""
    return {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "RATTLER_CACHE_DIR": str(payload.cache)}


def press(payload: Payload, channel: Path, out: Path, names: Sequence[str] = ()) -> list[str]:
    """The command that presses the payload's packages."""
    options = ["-c", str(channel), "--python", VERSION, "-o", str(out)]
    return [sys.executable, "-m", "mamba_press", "press", *options, *(names or payload.packages)]


def _press_once(payload: Payload, out: Path) -> None:
    """Fill the package cache, and make the tree that every other tool gets."""
    for channel in (payload.plain, payload.patched):
        command = press(payload, channel, out)
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environ(payload)})
    if not payload.tree.exists():
        with zipfile.ZipFile(next(out.glob("*.whl"))) as archive:
            archive.extractall(payload.tree)


def _pressing(payload: Payload, out: Path) -> list[Subject]:
    env, tree = environ(payload), str(payload.tree)
    pressed = next(out.glob("*.whl"))
    # hatchling, flit and uv_build take a package of a project; its files are those of the tree.
    return [
        Subject(name="floor, libdeflate 6", command=[*PROGRAM, "floor", tree, "libdeflate"], environ=env),
        Subject(name="floor, zlib 6", command=[*PROGRAM, "floor", tree, "zlib"], environ=env),
        Subject(name="press, nothing patched", command=press(payload, payload.plain, out), environ=env),
        Subject(name="press, every ELF patched", command=press(payload, payload.patched, out), environ=env),
        Subject(name="wheel.write", command=[*PROGRAM, "ours", tree, str(out)], environ=env),
        Subject(name="wheel.wheelfile", command=[*PROGRAM, "wheelfile", tree, str(out)], environ=env),
        Subject(name="check", command=[*PROGRAM, "check", str(pressed)], environ=env),
        Subject(
            name="press, cold",
            command=press(payload, payload.plain, out),
            environ=_cold(payload),
            prepare=lambda: _forget(payload),
        ),
        Subject(name="unpacking", command=_unpacking(payload), prepare=lambda: _forget(payload)),
    ]


def _cold(payload: Payload) -> dict[str, str]:
    return {**environ(payload), "RATTLER_CACHE_DIR": str(payload.root / "cold")}


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


def _peers(payload: Payload, out: Path) -> list[Subject]:
    folder = payload.root / "peer"
    if not folder.exists():
        shutil.copytree(payload.tree, folder / "benchtree", copy_function=_hard_link)
        (folder / "benchtree" / "__init__.py").write_text('"""The same files for every backend."""\n')
        (folder / "pyproject.toml").write_text(PEER)
    env = environ(payload)
    backends = {"hatchling": "hatchling.build", "flit_core": "flit_core.buildapi", "uv_build": "uv_build"}
    found = [
        Subject(name=name, command=[*PROGRAM, "hook", module, str(out)], environ=env, folder=folder)
        for name, module in backends.items()
    ]
    unlinked = _unlinked(payload)
    repaired = payload.root / "repaired"
    auditwheel = [sys.executable, "-m", "auditwheel", "repair", "--plat", "auto", "-w", str(repaired), str(unlinked)]
    repairwheel = [
        sys.executable,
        "-m",
        "repairwheel",
        "-o",
        str(repaired),
        "-l",
        str(payload.libraries),
        str(unlinked),
    ]
    loading = {**env, "LD_LIBRARY_PATH": str(payload.libraries)}
    return [
        *found,
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


def _light(payload: Payload) -> list[Subject]:
    folder = payload.root / "project"
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    asked = {
        "bare interpreter": ["-c", "pass"],
        "get_requires_for_build_wheel": ["-c", LIGHT.format("")],
        # A mistake ends in SystemExit, as front ends want it; here that is success.
        "a configuration error": ["-c", f"try:\n {LIGHT.format(repr({'pakages': 'zlib'}))}\nexcept SystemExit: pass"],
        "mamba-press --help": ["-m", "mamba_press", "--help"],
    }
    return [
        Subject(name=name, command=[sys.executable, *command], environ=environ(payload), folder=folder)
        for name, command in asked.items()
    ]


def _row(results: Mapping[str, Result], asked: Row) -> Row:
    bases = [results.get(name) for name in asked.base.split(" + ")]
    found = results.get(asked.measured)
    if found is None or None in bases:
        return replace(asked, note="not run here")
    return replace(asked, ratio=found.median(asked.what) / sum(one.median(asked.what) for one in bases if one))


def _binaries(payload: Payload, rounds: int, say: Callable[[str], None]) -> list[Row]:
    """Reading and editing ELF files, timed inside one process: starting it would cost more than the work."""
    command = [*PROGRAM, "elf", str(payload.tree), str(rounds)]
    run = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environ(payload)})
    found = json.loads(run.stdout)
    say(f"ELF, {found['files']} files: " + ", ".join(f"{k} {v * 1e3:.1f} ms" for k, v in found.items() if k != "files"))
    return [
        Row(
            number="7",
            measured="ELF scan",
            base="a walk that reads four bytes",
            what="cpu",
            most=2.0,
            ratio=found["scan"] / found["walk"],
        ),
        Row(
            number="7",
            measured="ELF edit",
            base="a file copy",
            what="cpu",
            most=1.3,
            ratio=found["edit"] / found["copy"],
        ),
        Row(
            number="7",
            measured="ELF edit",
            base="read and write",
            what="cpu",
            most=None,
            ratio=found["edit"] / found["read and write"],
        ),
    ]


def _memory(payload: Payload, results: Mapping[str, Result]) -> Row:
    largest = max(path.stat().st_size for path in payload.tree.rglob("*") if path.is_file()) / 1e6
    allowed = 150 + 2 * largest
    peak = max(results[name].median("peak") for name in ("press, nothing patched", "press, every ELF patched"))
    note = f"{peak:.0f} MB of {allowed:.0f}; the largest file has {largest:.0f} MB"
    return Row(
        number="11",
        measured="peak of a press",
        base="150 MB + 2x the largest file",
        what="peak",
        most=1.0,
        ratio=peak / allowed,
        note=note,
    )


def _missing(number: str, why: str) -> Row:
    return Row(number=number, measured="", base="", what="", most=None, note=why)
