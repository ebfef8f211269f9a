"""Interpreters that stand for the worker's and misbehave, made out of shell scripts."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mamba_press.conda import worker_process
from mamba_press.errors import FetchError

posix = pytest.mark.skipif(os.name == "nt", reason="interpreters are faked with shell scripts")


def fake(tmp_path: Path, body: str) -> dict[str, str]:
    """Make a worker's interpreter out of a shell script."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {worker_process.WORKER: str(script), "PATH": os.environ["PATH"]}


def call(environ: dict[str, str]) -> dict[str, object]:
    """Ask a worker for nothing, in a request that is larger than a pipe."""
    return worker_process.call({"do": "nothing", "filler": "x" * 200_000}, lambda event: None, environ, FetchError)
