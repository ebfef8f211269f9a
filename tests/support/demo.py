"""The main job from end to end: ``python -m tests.support.demo FOLDER``.

Makes a conda channel from source, presses its packages through ``python -m build``, installs the wheel into a fresh
environment, uses it, and shows what was pressed. Nothing is taken from the machine but Python, gcc and PyPI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

from tests.support.recipes import REPOSITORY, build_channel

USE = """\
import pygreet
print(pygreet.greet("wheel"))
print([line.split()[-1] for line in open("/proc/self/maps") if "libgreet" in line][0])
"""


def main(folder: Path) -> None:
    """Run the demo in a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    channel, wheels, project = folder / "channel", folder / "wheels", folder / "pygreet"

    say("1. A channel, built from the recipes in test-projects/recipes")
    build_channel(channel, python=Path(sys.executable))
    for archive in sorted(channel.rglob("*.conda")):
        print(archive.relative_to(folder))

    say("2. mamba-press itself as a wheel, so that an isolated build finds it")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", wheels, REPOSITORY)

    say("3. python -m build of a project that is only a pyproject.toml")
    shutil.copytree(REPOSITORY / "test-projects" / "pygreet", project)
    print((project / "pyproject.toml").read_text())
    settings = {
        "MAMBA_PRESS_CHANNELS": channel.as_uri(),
        "PIP_FIND_LINKS": f"{wheels.as_uri()} {os.environ.get('PIP_FIND_LINKS', '')}".strip(),
        "RATTLER_CACHE_DIR": str(folder / "cache"),
    }
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", project, settings=settings)

    say("4. The wheel in a fresh environment")
    (wheel,) = (folder / "dist").glob("*.whl")
    venv.create(folder / "environment", with_pip=True)
    python = folder / "environment" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-index", wheel)
    run(python, "-c", USE)
    run(folder / "environment" / "bin" / "pygreet", "reader")

    say("5. What was pressed")
    run(sys.executable, "-m", "mamba_press", "list", project, settings=settings)
    print(f"\nThe wheel: {wheel}")


def say(text: str) -> None:
    """Print a heading."""
    print(f"\n== {text}", flush=True)


def run(*command: str | Path, settings: Mapping[str, str] | None = None) -> None:
    """Show a command and run it; the demo ends where one fails."""
    words = [str(word) for word in command]
    shown = " ".join(word if "\n" not in word else "'…'" for word in words)
    print("$", *(f"{key}={value}" for key, value in (settings or {}).items()), shown, flush=True)
    result = subprocess.run(words, check=False, env={**os.environ, **(settings or {})})
    if result.returncode:
        sys.exit(f"the demo stops here: {words[0]} ended with {result.returncode}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
