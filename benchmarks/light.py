"""CPU time of what should be light, in multiples of a bare interpreter: ``python benchmarks/light.py``.

Hooks that a front end calls just to ask, ``--help`` and a configuration error have a budget of 8 (design 15).
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 25
HOOK = "import mamba_press.build as b; b.get_requires_for_build_wheel({})"
ASKED = {
    "bare interpreter": ["-c", "pass"],
    "import mamba_press.build": ["-c", "import mamba_press.build"],
    "get_requires_for_build_wheel": ["-c", HOOK.format("")],
    "a configuration error": ["-c", HOOK.format("{'pakages': 'zlib'}")],
    "mamba-press --help": ["-m", "mamba_press", "--help"],
    "mamba-press --version": ["-m", "mamba_press", "--version"],
}
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


def cpu(arguments: list[str], folder: str) -> float:
    """Return the seconds of CPU that an interpreter took, user and system together."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=folder, env=environ, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print one line for each question: the median, and how many bare interpreters that is."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pyproject.toml").write_text(PROJECT, encoding="utf-8")
        bare = 0.0
        for name, arguments in ASKED.items():
            cpu(arguments, folder)  # compiles what is not compiled yet
            median = statistics.median(cpu(arguments, folder) for _ in range(ROUNDS))
            bare = bare or median
            print(f"{name:<30} {median * 1000:6.1f} ms  {median / bare:4.1f}x")


if __name__ == "__main__":
    main()
