"""The command line, run as users run it: a process of its own, without this machine's settings."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.environment import clean_environment

SOURCE = Path(__file__).parents[2] / "src"


@dataclass(frozen=True, kw_only=True, slots=True)
class Press:
    """``mamba-press`` with one channel, one package cache and one Python to press for."""

    channel: Path
    cache: Path
    python: str

    def wheel(self, *arguments: str, output: Path) -> Path:
        """Press specs into a wheel in a folder, and return its path."""
        answer = self.answer("press", *arguments, "-o", str(output))
        return Path(answer["wheel"])

    def listing(self, *arguments: str) -> dict[str, Any]:
        """What ``mamba-press list --json`` says of specs."""
        return self.answer("list", *arguments)

    def answer(self, *arguments: str) -> dict[str, Any]:
        """Run the command, which must succeed, and return its JSON."""
        result = self.run(*arguments, "--json")
        assert result.returncode == 0, result.stderr
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command that solves and return what it said and its exit code."""
        words = [sys.executable, "-m", "mamba_press", command, *arguments]
        words += ["-c", str(self.channel), "--python", self.python]
        settings = {"RATTLER_CACHE_DIR": str(self.cache), "PYTHONPATH": str(SOURCE)}
        return subprocess.run(words, check=False, capture_output=True, text=True, env=clean_environment() | settings)
