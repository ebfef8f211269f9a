"""Editable installs through every front end: a changed source and a changed lock arrive, and nothing is left behind."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import CondaPackage, Link, write_channel
from tests.support.compile import Linking, shared_library
from tests.support.environment import environment

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

SOURCE = """\
import ctypes

from counting._mamba_press import library

STEP = 1


def count():
    return ctypes.CDLL(library("tally")).tally() * STEP
"""
PROJECT = """\
[build-system]
requires = ["mamba-press"]
build-backend = "mamba_press.build"

[project]
name = "counting"
version = "1.0"
requires-python = ">={python}"

[tool.mamba-press]
channels = ["{channel}"]
host = ["tally"]

[tool.uv]
cache-keys = [{{ file = "pyproject.toml" }}, {{ file = "mamba-press.lock" }}]
"""
USE = "import counting; print(counting.count())"


@pytest.fixture(scope="module")
def tally(tmp_path_factory) -> Callable[[str], CondaPackage]:
    """A library whose answer is its version."""
    folder = tmp_path_factory.mktemp("tally")

    def make(version: str) -> CondaPackage:
        source = f"int tally(void) {{ return {version.replace('.', '')}; }}"
        library = shared_library(folder / version / "libtally.so.1.0", source, Linking(soname="libtally.so.1"))
        files = {"lib/libtally.so.1.0": library, "lib/libtally.so.1": Link("libtally.so.1.0")}
        return CondaPackage(name="tally", version=version, build="h0_0", files=files)

    return make


@pytest.fixture
def environ(own_wheel, tmp_path) -> dict[str, str]:
    return {
        "RATTLER_CACHE_DIR": str(tmp_path / "cache"),
        "UV_FIND_LINKS": str(own_wheel.parent),
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "UV_PYTHON": sys.executable,
    }


@pytest.fixture
def project(tally, environ, tmp_path) -> Path:
    """A project with a lock for the first of two versions of its library."""
    channel = tmp_path / "channel"
    root = tmp_path / "counting"
    (root / "src/counting").mkdir(parents=True)
    (root / "src/counting/__init__.py").write_text(SOURCE)
    (root / "pyproject.toml").write_text(PROJECT.format(channel=channel, python=press.HERE))
    write_channel(channel, [tally("1.0")])
    lock(root, environ)
    write_channel(channel, [tally("2.0")])
    return root


def lock(root: Path, environ: dict[str, str]) -> None:
    """Lock what the channel has now."""
    (root / "mamba-press.lock").unlink(missing_ok=True)
    folder = root.parent / "locked"
    sdist = press.returned(press.hook("build_sdist", folder, cwd=root, environ=environ))
    unpacked = press.unpacked(folder / str(sdist), folder)
    shutil.copy(unpacked / "mamba-press.lock", root)
    shutil.rmtree(folder)


def everything_arrives(
    root: Path, python: Path, install: Callable[[], object], environ: dict[str, str], folder: Path
) -> None:
    """Change a source, then the lock; what only an install can bring is asked for until then."""

    def run(*options: str) -> press.Done:
        return press.run(python, *options, "-c", USE, cwd=folder, environ={"PYTHONPATH": ""})

    install()
    assert run("-W", "error").ok().out.strip() == "10"
    source = root / "src/counting/__init__.py"
    source.write_text(source.read_text().replace("STEP = 1", "STEP = 100"))
    assert run("-W", "error").ok().out.strip() == "1000"
    lock(root, environ)
    told = run().ok()
    assert told.out.strip() == "1000"
    assert "mamba-press.lock has changed since this editable install was made" in told.err
    install()
    assert run("-W", "error").ok().out.strip() == "2000"


@pytest.mark.parametrize("installer", ["pip without isolation", "uv pip with isolation"])
def test_a_source_and_a_lock_arrive_and_nothing_stays_behind(installer, project, environ, tmp_path):
    place = environment(tmp_path / "environment")
    if installer.startswith("uv"):
        pytest.importorskip("uv")
        install = ("-m", "uv", "pip", "install", "--python", place.python)
        uninstall = ("-m", "uv", "pip", "uninstall", "--python", place.python)
        environ = {**environ, "PYTHONPATH": ""}
    else:
        install = ("-m", "pip", "--python", place.python, "install", "--no-build-isolation")
        uninstall = ("-m", "pip", "--python", place.python, "uninstall", "-y")
        lend(place.root)
    before, sources = press.hashes(place.root), press.hashes(project)

    def call() -> None:
        press.run(sys.executable, *install, "--no-deps", "-e", project, cwd=tmp_path, environ=environ).ok()

    everything_arrives(project, place.python, call, environ, tmp_path)
    press.run(sys.executable, *uninstall, "counting", cwd=tmp_path, environ=environ).ok()
    after = {path for path in press.hashes(place.root) if "__pycache__" not in path}
    assert after - {".lock"} == set(before)  # which is uv's own
    assert {path for path in press.hashes(project) if "__pycache__" not in path} == set(sources)


def lend(root: Path) -> None:
    """Let an environment import what the tests can, as if it had been installed there to build without isolation."""
    site = next(root.glob("lib/python*/site-packages"))
    (site / "tests.pth").write_text("".join(f"{path}\n" for path in sys.path if path.endswith("site-packages")))


def test_uv_sync_brings_a_changed_lock_by_itself(project, environ, tmp_path):
    pytest.importorskip("uv")
    isolated = {**environ, "PYTHONPATH": "", "VIRTUAL_ENV": ""}

    def sync() -> None:
        press.run(sys.executable, "-m", "uv", "sync", cwd=project, environ=isolated).ok()

    everything_arrives(project, project / ".venv/bin/python", sync, environ, tmp_path)


def test_a_flat_layout_works_from_elsewhere_and_its_way_out_works_everywhere(project, environ, tmp_path):
    shutil.move(project / "src/counting", project / "counting")
    place = environment(tmp_path / "environment")

    def installed() -> str:
        folder = tmp_path / "wheels"
        done = press.hook("build_editable", folder, cwd=project, environ=environ)
        place.install("--no-deps", "--no-index", "--reinstall", folder / str(press.returned(done)))
        return done.err

    assert 'home = "_counting_prefix"' in installed()
    assert place.run(USE) == "10"
    there = press.run(place.python, "-c", USE, cwd=project, environ={"PYTHONPATH": ""})
    assert "No module named 'counting._mamba_press'" in there.err
    table = project.joinpath("pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(table + '\n[tool.mamba-press.layout]\nhome = "_counting_prefix"\n')
    source = project / "counting/__init__.py"
    source.write_text(source.read_text().replace("counting._mamba_press", "_counting_prefix._mamba_press"))
    assert "layout" not in installed()
    assert place.run(USE) == "10"
    assert press.run(place.python, "-c", USE, cwd=project, environ={"PYTHONPATH": ""}).ok().out.strip() == "10"
