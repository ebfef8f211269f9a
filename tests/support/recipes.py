"""Build the recipes of ``test-projects/recipes`` from source into a channel, with py-rattler-build and gcc.

``python -m tests.support.recipes CHANNEL`` does it for the interpreter that runs it, which needs pip and setuptools.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.channel import python_abi, python_package, write_channel

REPOSITORY = Path(__file__).parents[2]

RECIPES = REPOSITORY / "test-projects" / "recipes"

# In the order in which they need each other.
NAMES = ("greet", "greet-sayings", "greet-words", "pygreet")


def build_channel(channel: Path, *, python: Path) -> None:
    """Build all recipes for an interpreter into a channel that can be solved, in a process of its own.

    python itself is a record without an archive. The interpreter needs pip, setuptools and py-rattler-build.
    """
    command = [str(python), "-m", "tests.support.recipes", str(channel)]
    result = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"the recipes could not be built\n{result.stdout}{result.stderr}")


def _build(channel: Path) -> None:
    from rattler_build import Stage0Recipe, VariantConfig

    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    variants = VariantConfig({"python": [version], "interpreter": [sys.executable]})
    with tempfile.TemporaryDirectory() as temporary:
        output = Path(temporary).resolve()
        write_channel(output, [])
        for name in NAMES:
            recipe = Stage0Recipe.from_file(RECIPES / name / "recipe.yaml")
            recipe.run_build(variants, output_dir=output, channels=[output.as_uri()])
        for subdir in ("linux-64", "linux-aarch64", "noarch"):
            if (output / subdir).is_dir():
                shutil.copytree(output / subdir, channel / subdir, dirs_exist_ok=True)
    machine = next(path.parent.name for path in channel.glob("linux-*/greet-*.conda"))
    write_channel(channel, [python_package(version, subdir=machine), python_abi(version)])


if __name__ == "__main__":
    _build(Path(sys.argv[1]).resolve())
    sys.stdout.flush()
    os._exit(0)  # an interpreter that ran rattler can crash at its end
