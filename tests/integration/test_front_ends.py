"""Every front end that builds a project gives the same wheel, and installs it: with and without isolation."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.support import press
from tests.support.environment import environment, interpreter

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

USE = "import pygreet, words; print(pygreet.call(), pygreet.WORDS)"
USED = "42 ('hello', 'world')"


@pytest.fixture(scope="module")
def isolated(own_wheel) -> dict[str, str]:
    """What lets an isolated build find mamba-press as it is here; nothing of this interpreter reaches it."""
    links = " ".join(filter(None, (os.environ.get("PIP_FIND_LINKS"), str(own_wheel.parent))))
    return {"PIP_FIND_LINKS": links, "UV_FIND_LINKS": str(own_wheel.parent), "PYTHONPATH": ""}


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> dict[str, str]:
    return {"RATTLER_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(scope="module")
def tree(greeting, tmp_path_factory) -> Path:
    table = f'channels = ["{greeting.root}"]\npackages = ["pygreet", "words"]'
    root = press.project(tmp_path_factory.mktemp("tree") / "greeting", table)
    text = root.joinpath("pyproject.toml").read_text()
    text = text.replace("[project]\n", f'[project]\nrequires-python = ">={press.HERE}"\n')
    root.joinpath("pyproject.toml").write_text(text)
    return root


@pytest.fixture(scope="module")
def expected(tree, cache, tmp_path_factory) -> Path:
    """The wheel as the hook gives it."""
    folder = tmp_path_factory.mktemp("expected")
    return folder / str(press.returned(press.hook("build_wheel", folder, cwd=tree, environ=cache)))


def same(folder: Path, expected: Path) -> None:
    assert [path.name for path in folder.glob("*.whl")] == [expected.name]
    assert (folder / expected.name).read_bytes() == expected.read_bytes()


def python(*arguments: str | Path, cwd: Path, environ: dict[str, str]) -> press.Done:
    return press.run(sys.executable, *arguments, cwd=cwd, environ=environ).ok()


def uv(*arguments: str | Path, cwd: Path, environ: dict[str, str]) -> press.Done:
    pytest.importorskip("uv")
    return python("-m", "uv", *arguments, cwd=cwd, environ={"UV_PYTHON": sys.executable, **environ})


# --- build


def test_build_makes_the_sdist_and_of_it_the_same_wheel(tree, expected, isolated, cache, tmp_path):
    python("-m", "build", "-o", tmp_path, cwd=tree, environ={**isolated, **cache})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([expected.name, "greeting-2.0.tar.gz"])
    same(tmp_path, expected)


def test_build_without_isolation_makes_the_same_wheel(tree, expected, cache, tmp_path):
    python("-m", "build", "-w", "-n", "-x", "-o", tmp_path, cwd=tree, environ=cache)
    same(tmp_path, expected)


def test_build_takes_settings_and_shows_a_mistake_in_them_as_it_is(tree, cache, tmp_path):
    call = [sys.executable, "-m", "build", "-w", "-n", "-x", "-o", tmp_path]
    press.run(*call, "-C", "select.exclude=a/*", "-C", "select.exclude=b/*", cwd=tree, environ=cache).ok()
    wrong = press.run(*call, "-C", "select.exlude=a/*", cwd=tree, environ=cache)
    assert wrong.code != 0
    assert "did you mean -C select.exclude?" in wrong.out + wrong.err
    assert "Traceback" not in wrong.out + wrong.err


def test_build_tells_the_metadata(tree, cache, tmp_path):
    done = python("-m", "build", "--metadata", "-n", "-x", cwd=tree, environ=cache)
    found = json.loads(done.out[done.out.index("{") :])
    assert (found["name"], found["version"]) == ("greeting", "2.0")


# --- pip


def test_pip_makes_the_same_wheel(tree, expected, isolated, cache, tmp_path):
    call = ("-m", "pip", "wheel", "--no-deps", "-w", tmp_path, tree)
    python(*call, cwd=tmp_path, environ={**isolated, **cache})
    same(tmp_path, expected)


def test_pip_makes_the_same_wheel_of_the_sdist_without_isolation(tree, expected, cache, tmp_path):
    sdist = press.returned(press.hook("build_sdist", tmp_path, cwd=tree, environ=cache))
    call = ("-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", tmp_path / "out", tmp_path / str(sdist))
    python(*call, cwd=tmp_path, environ=cache)
    same(tmp_path / "out", expected)


@pytest.mark.parametrize("options", [[], ["-e"]], ids=["install", "editable"])
def test_pip_installs_the_project(options, tree, isolated, cache, tmp_path):
    fresh = environment(tmp_path / "fresh")
    call = ("-m", "pip", "--python", fresh.python, "install", *options, tree)
    python(*call, cwd=tmp_path, environ={**isolated, **cache})
    assert fresh.run(USE) == USED


# --- uv


def test_uv_makes_the_same_wheel_of_the_sdist_and_of_the_tree(tree, expected, isolated, cache, tmp_path):
    uv("build", "-o", tmp_path / "both", tree, cwd=tmp_path, environ={**isolated, **cache})
    same(tmp_path / "both", expected)
    assert (tmp_path / "both" / "greeting-2.0.tar.gz").is_file()
    uv("build", "--wheel", "-o", tmp_path / "wheel", tree, cwd=tmp_path, environ={**isolated, **cache})
    same(tmp_path / "wheel", expected)


@pytest.mark.parametrize("options", [[], ["-e"]], ids=["install", "editable"])
def test_uv_installs_the_project(options, tree, isolated, cache, tmp_path):
    fresh = environment(tmp_path / "fresh")
    uv("pip", "install", "--python", fresh.python, *options, tree, cwd=tmp_path, environ={**isolated, **cache})
    assert fresh.run(USE) == USED


def test_uv_syncs_the_project(tree, isolated, cache, tmp_path):
    project = shutil.copytree(tree, tmp_path / "project")
    uv("sync", cwd=project, environ={**isolated, **cache, "VIRTUAL_ENV": ""})
    found = press.run(project / ".venv" / "bin" / "python", "-c", USE, cwd=tmp_path, environ={"PYTHONPATH": ""}).ok()
    assert found.out.strip() == USED


# --- real


@pytest.mark.real
@pytest.mark.slow
def test_libmambapy_is_the_same_wheel_through_every_front_end(shared_channels, isolated, tmp_path):
    project = press.project(tmp_path / "p", 'packages = ["libmambapy"]\npython = "3.10.*"', name="libmambapy")
    environ = {
        **isolated,
        "RATTLER_CACHE_DIR": str(tmp_path / "cache"),
        "MAMBA_PRESS_CHANNELS": str(shared_channels / "forge"),
    }
    python("-m", "build", "-o", tmp_path / "build", project, cwd=tmp_path, environ=environ)
    python("-m", "pip", "wheel", "--no-deps", "-w", tmp_path / "pip", project, cwd=tmp_path, environ=environ)
    uv("build", "-o", tmp_path / "uv", project, cwd=tmp_path, environ=environ)
    root = press.unpacked(next((tmp_path / "build").glob("*.tar.gz")), tmp_path / "unpacked")
    offline = {**environ, "PYTHONPATH": str(press.REPOSITORY / "src"), "MAMBA_PRESS_OFFLINE": "1"}
    press.hook("build_wheel", tmp_path / "offline", cwd=root, environ=offline).ok()
    wheels = {path.parent.name: path for path in tmp_path.glob("*/*.whl")}
    assert sorted(wheels) == ["build", "offline", "pip", "uv"]
    assert len({path.read_bytes() for path in wheels.values()}) == 1
    assert len({path.read_bytes() for path in tmp_path.glob("*/*.tar.gz")}) == 1
    fresh = environment(tmp_path / "fresh", interpreter("3.10"))
    fresh.install("--no-index", wheels["uv"])
    use = "import libmambapy as m; c = m.Context(); print(m.MatchSpec('numpy >=1.20').conda_build_form())"
    assert fresh.run(use) == "numpy >=1.20"
