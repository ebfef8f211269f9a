"""Phrases that lie beside the code, and sayings of a conda package."""

from __future__ import annotations

import os
from importlib.resources import files

from own_data._mamba_press import prefix

SAYINGS = prefix / "share" / "greet" / "sayings"


def phrases():
    """Return the package's own phrases by name."""
    folder = files("own_data") / "phrases"
    texts = sorted(path for path in folder.iterdir() if path.name.endswith(".txt"))
    return {path.name: path.read_text(encoding="utf-8").strip() for path in texts}


def saying(number):
    """Return a saying of the conda package, which also programs find by GREET_SAYINGS."""
    assert os.environ["GREET_SAYINGS"] == str(SAYINGS)
    return (SAYINGS / f"{number:03}.txt").read_text(encoding="utf-8").strip()


def main():
    """Print all phrases and the first saying."""
    print(*(text for _, text in sorted(phrases().items())), saying(0), sep="\n")
