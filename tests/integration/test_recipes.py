"""A channel built from source, as in the demo, pressed and used: a C library with links, a placeholder and a SONAME."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.environment import Environment, environment
from tests.support.recipes import REPOSITORY


@pytest.fixture(scope="module")
def pressed(recipes, tmp_path_factory) -> tuple[Path, str]:
    """The wheel of test-projects/pygreet, and what was said while it was pressed."""
    folder = tmp_path_factory.mktemp("pressed")
    project = shutil.copytree(REPOSITORY / "test-projects" / "pygreet", folder / "pygreet")
    settings = {
        "MAMBA_PRESS_CHANNELS": recipes.as_uri(),
        "RATTLER_CACHE_DIR": str(folder / "cache"),
        "PYTHONPATH": str(REPOSITORY / "src"),
    }
    result = subprocess.run(
        [sys.executable, "-m", "mamba_press", "press", str(project), "-o", str(folder / "dist")],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **settings},
    )
    assert result.returncode == 0, result.stderr
    return Path(result.stdout.strip()), result.stderr


@pytest.fixture(scope="module")
def installed(pressed, tmp_path_factory) -> Environment:
    fresh = environment(tmp_path_factory.mktemp("fresh") / "environment")
    fresh.install("--no-index", pressed[0])
    return fresh


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_has_the_name_and_the_version_of_the_package(pressed):
    minor = f"3{sys.version_info[1]}"
    assert re.fullmatch(rf"pygreet-0\.3\.1-cp{minor}-cp{minor}-manylinux[\w.]+\.whl", pressed[0].name)


def test_the_extension_finds_the_library_of_the_wheel(installed):
    (library,) = (
        path
        for path in installed.libraries("import pygreet; assert pygreet.greet('you') == 'Hello, you!'")
        if "libgreet" in path.name
    )
    assert library.is_relative_to(installed.root.resolve())


def test_the_library_is_stored_once_and_renamed(pressed):
    (library,) = (name for name in names(pressed[0]) if "libgreet" in name)
    assert re.fullmatch(r"pygreet/_prefix/lib/libgreet-[0-9a-f]{8}\.so\.1", library)


def test_what_only_serves_to_compile_leaves(pressed):
    found = names(pressed[0])
    assert not [name for name in found if name.endswith((".h", ".pc", ".pyc"))]
    assert not [name for name in found if name.startswith("bin/") or "/bin/" in name]


def test_both_packages_that_were_asked_for_are_in_the_wheel(pressed, installed):
    assert "greet_words/__init__.py" in names(pressed[0])
    assert installed.run("import greet_words; print(greet_words.polite('you'))") == "dear You"


def test_the_entry_point_of_the_conda_package_is_a_program(installed):
    program = installed.root / "bin" / "pygreet"
    said = subprocess.run([str(program), "reader"], check=True, capture_output=True, text=True, cwd=installed.root)
    assert said.stdout == "Hello, dear Reader!\n"


def test_the_path_that_the_library_opens_leads_nowhere_and_is_reported(pressed, installed):
    found = installed.run("import os, pygreet; print(os.path.normpath(pygreet.file()))")
    assert found == "/proc/mamba-press/share/greet/salutation.txt"
    assert "share/greet/salutation.txt" in pressed[1]


def test_the_file_that_the_library_opens_is_in_the_wheel_all_the_same(installed):
    home = Path(installed.run("import pygreet; print(pygreet.__file__)")).parent
    file = str(home / "_prefix/share/greet/salutation.txt")
    assert installed.run("import pygreet; print(pygreet.greet('you'))", GREET_FILE=file) == "Good day, you!"


def test_the_licences_of_all_packages_are_in_the_wheel(pressed):
    licences = {name.split("/")[2] for name in names(pressed[0]) if "/licenses/" in name}
    assert licences == {"greet", "greet-words", "pygreet"}
