"""Real packages, and tools for them, that lie beside the repository or where MAMBA_PRESS_SHARED says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("MAMBA_PRESS_SHARED", Path(__file__).parents[3] / "shared"))


def channel(name: str) -> Path:
    """The folder of a channel of real packages; the test is skipped where there is none, as in a newcomer's clone."""
    folder = SHARED / "channels" / name
    return folder if folder.is_dir() else pytest.skip(f"no real packages: {folder} is not there (MAMBA_PRESS_SHARED)")
