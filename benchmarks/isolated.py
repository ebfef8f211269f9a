"""What an isolated build installs before it starts: bytes, files, and CPU of ``uv pip install`` with a warm cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.metadata import parse_email

from benchmarks.measure import FailedError, Found, How, Result, Row, Subject, compare, ratio
from benchmarks.payload import ROOT, only_wheel
from benchmarks.press import PROGRAM
from mamba_press.pipeline import requires

ROUNDS = 7
ASKED = Row(number=13, measured="install a pressed project", base="install hatchling", note="as low as it goes")


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """What some requirements bring into an empty environment: MB to download, MB and files on disk."""

    download: float
    size: float
    files: int


def measure(how: How) -> Found:
    """Measure target 13; its row says so where no package index answers."""
    root = how.payload.root / "isolated"
    root.mkdir(exist_ok=True)
    asked = _sets(how, root)
    subjects = [_install(name, each, root) for name, each in asked.items()]
    brought: dict[str, Installed] = {}
    try:
        brought = {name: _brought(requirements, root) for name, requirements in asked.items()}
    except FailedError as error:
        how.say(str(error))
    results = compare(subjects, max(how.rounds, ROUNDS), how.say) if brought else {}
    if len(results) < len(subjects):
        return Found(rows=[replace(ASKED, note="not run: pip and uv cannot get packages from an index here")])
    return Found(rows=[ratio(results, ASKED)], results=results, text=table(brought, results))


def table(brought: Mapping[str, Installed], results: Mapping[str, Result]) -> str:
    """What each set of requirements costs, in Markdown; CPU over hatchling's."""
    base = results["install hatchling"].median("cpu")
    lines = [
        f"What an isolated build installs; CPU of `uv pip install`, warm cache, over hatchling's {base * 1e3:.0f} ms.",
        "",
        "| | download, MB | installed, MB | files | CPU |",
        "|---|---|---|---|---|",
    ]
    for name, each in brought.items():
        over = f"{results[f'install {name}'].median('cpu') / base:.2f}"
        lines.append(f"| {name} | {each.download:.2f} | {each.size:.2f} | {each.files} | {over} |")
    return "\n".join(lines)


def _sets(how: How, root: Path) -> dict[str, list[str]]:
    """What is installed, by name: backends with all that they need, and each requirement of ours with what it needs."""
    shutil.rmtree(root / "wheel", ignore_errors=True)
    (root / "wheel").mkdir()
    build = [*PROGRAM, "hook", "flit_core.buildapi", str(root / "wheel")]
    subprocess.run(build, check=True, cwd=ROOT, env={**os.environ, **how.payload.environ}, capture_output=True)
    ours = str(only_wheel(root / "wheel"))
    needs = [requires.RATTLER, requires.DEFLATE]
    with zipfile.ZipFile(ours) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        stated = parse_email(archive.read(metadata))[0]["requires_dist"]
    own = [text for text in stated if ";" not in text]
    return {
        "hatchling": ["hatchling"],
        "flit_core": ["flit_core"],
        "mamba-press": [ours],
        "a pressed project": [ours, *needs],
        **{re.split(r"[<>= ]", text)[0]: [text] for text in (*needs, *own)},
        "mamba-press[all]": [f"{ours}[all]"],
    }


def _install(name: str, requirements: Sequence[str], root: Path) -> Subject:
    venv = root / "venv"
    command = ["uv", "pip", "install", "-q", "-p", str(venv / "bin" / "python"), *requirements]
    return Subject(name=f"install {name}", command=command, prepare=lambda: _fresh(venv))


def _fresh(venv: Path) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    _say_why("uv", "venv", "-q", "-p", sys.executable, str(venv))


def _brought(requirements: Sequence[str], root: Path) -> Installed:
    """Return what requirements bring; raises FailedError where they are not to be had."""
    download, venv = root / "download", root / "venv"
    shutil.rmtree(download, ignore_errors=True)
    _say_why(
        sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:", "-d", str(download), *requirements
    )
    _fresh(venv)
    _say_why(*_install("", requirements, root).command)
    files = [path for path in (venv / "lib").rglob("*") if path.is_file()]
    return Installed(
        download=sum(path.stat().st_size for path in download.iterdir()) / 1e6,
        size=sum(path.stat().st_size for path in files) / 1e6,
        files=len(files),
    )


def _say_why(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise FailedError(f"{' '.join(command[:4])}: exit code {done.returncode}\n{done.stderr[-800:]}")
