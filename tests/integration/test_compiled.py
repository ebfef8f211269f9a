"""Projects whose extension an inner backend builds against conda's libraries: built, installed and used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from mamba_press.types import NEUTRAL
from tests.support import native, press
from tests.support.channel import Channel, CondaPackage, Content, write_channel
from tests.support.environment import Environment, clean_environment, environment, interpreter

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

PROJECTS = press.REPOSITORY / "test-projects"
HEADER = f"{NEUTRAL}/include/greet.h"
PY = f"cp{press.HERE.replace('.', '')}"
TOOLS = (
    *("setuptools >= 77", "cython >= 3", "pybind11", "scikit-build-core", "meson-python", "ninja", "cmake", "pkgconf"),
    *("maturin >= 1.8, < 2", "cffi"),
    *(
        "packaging >= 26.1",
        "pyproject-hooks >= 1.3",
        "pyproject-metadata >= 0.11",
        "tomli; python_version < '3.11'",
        "py-rattler >= 0.28, < 0.29",
    ),
    "deflate >= 0.8",
    *("build", "pip", "uv"),
)


@dataclass(frozen=True, kw_only=True)
class Example:
    """A test project, the tags of its wheel, and what its module says of the header that it was compiled with."""

    folder: str
    tags: str
    header: bool = True

    @property
    def module(self) -> str:
        return f"greet_{self.folder}"


EXAMPLES = {
    each.folder: each
    for each in (
        Example(folder="cython", tags=f"{PY}-{PY}"),
        Example(folder="pybind11", tags=f"{PY}-{PY}"),
        Example(folder="meson", tags=f"{PY}-{PY}"),
        Example(folder="abi3", tags="cp310-abi3"),
        Example(folder="maturin", tags="py3-none", header=False),
    )
}


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    folder = tmp_path_factory.mktemp("native")
    return native.native_channel(folder / "channel", folder / "compiled")


@pytest.fixture(scope="module")
def environ(channel: Channel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    cache = tmp_path_factory.mktemp("cache")
    return {"MAMBA_PRESS_CHANNELS": channel.url, "RATTLER_CACHE_DIR": str(cache)}


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What a front end would install for the builds, once for all of them."""
    place = environment(tmp_path_factory.mktemp("tools") / "environment")
    place.install(*TOOLS)
    return place


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> Example:
    found = EXAMPLES[request.param]
    if found.folder == "maturin" and shutil.which("cargo") is None:
        pytest.skip("cargo is not on this machine")
    return found


def tree(example: Example, folder: Path) -> Path:
    """A copy of a test project, in version control because Meson makes sdists of what is."""
    root = shutil.copytree(PROJECTS / example.folder, folder)
    if example.folder == "meson":
        for call in (["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qmx"]):
            subprocess.run(["git", *call], cwd=root, check=True, capture_output=True)
    return root


def hook(tools: Environment, name: str, *arguments: object, cwd: Path, environ: Mapping[str, str]) -> press.Done:
    """Call a hook as a front end does whose environment has the tools."""
    asked = json.dumps([name, [str(each) if isinstance(each, Path) else each for each in arguments]])
    path = f"{tools.python.parent}{os.pathsep}{os.environ['PATH']}"
    return press.run(tools.python, "-c", press.CALL, asked, cwd=cwd, environ={**environ, "PATH": path})


def built(tools: Environment, name: str, folder: Path, *, cwd: Path, environ: Mapping[str, str]) -> Path:
    return folder / str(press.returned(hook(tools, name, folder, cwd=cwd, environ=environ)))


def fresh(folder: Path, example: Example, wheel: Path) -> Environment:
    place = environment(folder)
    if example.folder == "maturin":
        place.install("cffi")
    place.install("--no-deps", "--no-index", wheel)
    return place


def use(example: Example, place: Environment) -> list[Path]:
    """Call the library through the extension module; return the libraries of conda's that are loaded then."""
    more = ", m.header()" if example.header else ""
    code = f"import {example.module} as m; print(m.number(), m.words(){more})"
    said = place.run(code).split()
    assert said[:2] == ["42", "hello"]
    return [path for path in place.libraries(code) if re.match(r"lib(greet|echo)[-.]", path.name)]


def test_the_wheel_has_the_libraries_that_its_extension_reaches(example, tools, environ, tmp_path):
    wheel = built(tools, "build_wheel", tmp_path / "out", cwd=tree(example, tmp_path / "tree"), environ=environ)
    assert wheel.name.startswith(f"{example.module}-1.0-{example.tags}-manylinux")
    place = fresh(tmp_path / "fresh", example, wheel)
    libraries = use(example, place)
    assert sorted(path.name[:8] for path in libraries) == ["libecho-", "libgreet"]
    assert all(path.is_relative_to(place.root.resolve()) for path in libraries)
    if example.header:
        assert place.run(f"import {example.module} as m; print(m.header())") == HEADER
    with zipfile.ZipFile(wheel) as archive:
        names, data = archive.namelist(), b"".join(map(archive.read, archive.namelist()))
        metadata = archive.read(f"{example.module}-1.0.dist-info/METADATA").decode()
    assert not re.search(rb"/mamba-press-\w{8}|mesonpy-\w{8}|/tmp\w{8}", data)
    assert str(tmp_path).encode() not in data
    assert not any("idle" in name or name.endswith((".pc", "/greet.h", ".cmake")) for name in names)
    for line in ("License-Expression: MIT", "License-File: LICENSE", "License-File: greet/COPYING"):
        assert f"\n{line}\n" in metadata


@pytest.mark.parametrize("name", ["cython", "meson", "pybind11"])
def test_a_wheel_of_the_sdist_is_that_of_the_tree_wherever_both_are_built(name, tools, environ, tmp_path):
    example = EXAMPLES[name]
    root = tree(example, tmp_path / "tree")
    wheel = built(tools, "build_wheel", tmp_path / "one", cwd=root, environ=environ)
    sdist = built(tools, "build_sdist", tmp_path / "sdist", cwd=root, environ=environ)
    unpacked = press.unpacked(sdist, tmp_path / "in" / "a" / "deeper" / "folder")
    elsewhere = {**environ, "TMPDIR": str(tmp_path.parent / f"t-{name}")}
    Path(elsewhere["TMPDIR"]).mkdir()
    again = built(tools, "build_wheel", tmp_path / "two", cwd=unpacked, environ=elsewhere)
    assert (again.name, press.hashes(tmp_path / "two")) == (wheel.name, press.hashes(tmp_path / "one"))
    about = (unpacked / "PKG-INFO").read_text()
    assert "Version: 1.0\n" in about
    assert "dynamic: license-file" in about.lower()
    assert (unpacked / "mamba-press.lock").is_file()


@pytest.mark.parametrize("name", ["meson", "pybind11"])
def test_a_project_can_be_built_against_the_library_of_the_demo(name, tools, recipes, environ, tmp_path):
    example, demo = EXAMPLES[name], {**environ, "MAMBA_PRESS_CHANNELS": recipes.as_uri()}
    wheel = built(tools, "build_wheel", tmp_path / "out", cwd=tree(example, tmp_path / "tree"), environ=demo)
    assert [path.name[:8] for path in use(example, fresh(tmp_path / "fresh", example, wheel))] == ["libgreet"]


def test_prepared_metadata_are_those_of_the_wheel_which_is_built_once(tools, environ, tmp_path):
    example = EXAMPLES["abi3"]
    root = tree(example, tmp_path / "tree")
    (tmp_path / "meta").mkdir()
    prepare = "prepare_metadata_for_build_wheel"
    info = tmp_path / "meta" / str(press.returned(hook(tools, prepare, tmp_path / "meta", cwd=root, environ=environ)))

    def build(folder: str) -> press.Done:
        return hook(tools, "build_wheel", tmp_path / folder, None, info, cwd=root, environ=environ).ok()

    first = build("first")
    assert "building with" not in first.err
    wheel = tmp_path / "first" / str(press.returned(first))
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"{info.name}/METADATA") == (info / "METADATA").read_bytes()
    source = root / "src" / "_greet.c"
    source.write_text(source.read_text().replace("greet_words(1)", "greet_words(0)"))
    assert "building with" in build("second").err


@pytest.mark.parametrize("name", ["cython", "pybind11", "meson"])
def test_an_editable_install_uses_the_libraries_of_a_prefix_that_stays(name, tools, environ, tmp_path):
    example = EXAMPLES[name]
    root = tree(example, tmp_path / "tree")
    wheel = built(tools, "build_editable", tmp_path / "one", cwd=root, environ=environ)
    tools.install("--no-deps", "--no-index", wheel)
    libraries = use(example, tools)
    cache = Path(environ["RATTLER_CACHE_DIR"]).resolve()
    assert [path.is_relative_to(cache / "mamba-press") for path in libraries] == [True, True]
    prefixes = sorted((cache / "mamba-press").iterdir())
    again = hook(tools, "build_editable", tmp_path / "two", cwd=root, environ=environ).ok()
    assert sorted((cache / "mamba-press").iterdir()) == prefixes
    assert "last installed editable" not in again.err
    init = next(root.rglob(f"{example.module}/__init__.py"))
    init.write_text(init.read_text() + "CHANGED = 1\n")
    assert tools.run(f"import {example.module} as m; print(m.CHANGED)") == "1"
    if name == "meson":  # builds again when it is imported
        source = root / "greet_meson" / "_greet.c"
        source.write_text(source.read_text().replace("greet_words(1)", "greet_words(0)"))
        path = f"{tools.python.parent}{os.pathsep}{os.environ['PATH']}"
        assert tools.run("import greet_meson as m; print(m.words())", PATH=path).split()[-1] == "goodbye"


def test_an_editable_install_says_when_its_packages_have_changed(tools, channel, environ, tmp_path):
    root = tree(EXAMPLES["abi3"], tmp_path / "tree")
    built(tools, "build_editable", tmp_path / "one", cwd=root, environ=environ)
    newer = write_channel(tmp_path / "channel", [CondaPackage(name="idle", version="2.0")])
    more = {**environ, "MAMBA_PRESS_CHANNELS": f"{newer.url};{channel.url}"}
    changed = hook(tools, "build_editable", tmp_path / "two", cwd=root, environ=more).ok()
    assert "are others than when this project was last installed editable" in changed.err


def test_metadata_of_an_editable_install_need_no_build(tools, environ, tmp_path):
    (tmp_path / "meta").mkdir()
    root = tree(EXAMPLES["abi3"], tmp_path / "tree")
    done = hook(tools, "prepare_metadata_for_build_editable", tmp_path / "meta", cwd=root, environ=environ)
    folder = tmp_path / "meta" / str(press.returned(done))
    assert "\nName: greet-abi3\n" in (folder / "METADATA").read_text()
    assert "building with" not in done.err


def test_compilers_of_conda_are_used_where_they_are_asked_for(channel, tools, environ, tmp_path):
    compiler = Content('#!/bin/sh\nexec gcc -DOF_CONDA "$@"\n', executable=True)
    package = CondaPackage(name="c-compiler", files={"bin/x86_64-conda-linux-gnu-cc": compiler})
    more = write_channel(tmp_path / "channel", [package])
    root = tree(EXAMPLES["abi3"], tmp_path / "tree")
    source = root / "src" / "_greet.c"
    source.write_text(source.read_text().replace("greet_words(1)", "OF_CONDA ? greet_words(1) : NULL"))
    everything = {**environ, "MAMBA_PRESS_CHANNELS": f"{more.url};{channel.url}", "MAMBA_PRESS_BUILD": "c-compiler"}
    wheel = built(tools, "build_wheel", tmp_path / "out", cwd=root, environ=everything)
    assert len(use(EXAMPLES["abi3"], fresh(tmp_path / "fresh", EXAMPLES["abi3"], wheel))) == 2


# --- front ends


@pytest.fixture(scope="module")
def isolated(own_wheel: Path) -> dict[str, str]:
    """What lets an isolated build find mamba-press as it is here; nothing of this interpreter reaches it."""
    links = " ".join(filter(None, (os.environ.get("PIP_FIND_LINKS"), str(own_wheel.parent))))
    return {"PIP_FIND_LINKS": links, "UV_FIND_LINKS": str(own_wheel.parent), "PYTHONPATH": ""}


@pytest.mark.parametrize(
    "call",
    [
        ("build", "-n", "-x", "--wheel", "-o", "{out}", "{tree}"),
        ("pip", "wheel", "--no-build-isolation", "--no-deps", "-w", "{out}", "{tree}"),
        ("uv", "build", "--no-build-isolation", "--wheel", "-o", "{out}", "{tree}"),
    ],
    ids=lambda call: call[0],
)
def test_every_project_is_built_by_every_front_end(call, example, tools, environ, tmp_path):
    root = tree(example, tmp_path / "tree")
    words = [word.format(out=tmp_path / "out", tree=root) for word in call]
    path = f"{tools.python.parent}{os.pathsep}{os.environ['PATH']}"
    more = {"PATH": path, "UV_PYTHON": str(tools.python)}
    press.run(tools.python, "-m", *words, cwd=tmp_path, environ={**environ, **more}).ok()
    (wheel,) = (tmp_path / "out").glob("*.whl")
    assert wheel.name.startswith(f"{example.module}-1.0-{example.tags}-manylinux")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("abi3", ("build", "-o", "{out}", "{tree}")),
        ("cython", ("pip", "wheel", "--no-deps", "-w", "{out}", "{tree}")),
        ("pybind11", ("uv", "build", "--wheel", "-o", "{out}", "{tree}")),
    ],
    ids=["build", "pip", "uv"],
)
def test_every_front_end_builds_in_isolation(name, call, environ, isolated, tmp_path):
    if call[0] == "uv":
        pytest.importorskip("uv")
    example = EXAMPLES[name]
    root = tree(example, tmp_path / "tree")
    words = [word.format(out=tmp_path / "out", tree=root) for word in call]
    everything = {**environ, **isolated, "UV_PYTHON": sys.executable}
    press.run(sys.executable, "-m", *words, cwd=tmp_path, environ=everything).ok()
    (wheel,) = (tmp_path / "out").glob("*.whl")
    assert len(use(example, fresh(tmp_path / "fresh", example, wheel))) == 2


def test_pip_and_uv_install_a_project_editable(environ, isolated, tmp_path):
    pytest.importorskip("uv")
    everything = {**environ, **isolated}
    for number, front_end in enumerate(("pip", "uv")):
        example = EXAMPLES["abi3"]
        root = tree(example, tmp_path / f"tree{number}")
        place = environment(tmp_path / f"fresh{number}")
        call = {
            "pip": ("-m", "pip", "--python", place.python, "install", "-e", root),
            "uv": ("-m", "uv", "pip", "install", "--python", place.python, "-e", root),
        }[front_end]
        press.run(sys.executable, *call, cwd=tmp_path, environ=everything).ok()
        assert len(use(example, place)) == 2


def test_one_wheel_for_the_stable_abi_serves_another_python(tools, environ, tmp_path):
    other = "3.12" if press.HERE != "3.12" else "3.13"
    python = interpreter(other)
    example = EXAMPLES["abi3"]
    wheel = built(tools, "build_wheel", tmp_path / "out", cwd=tree(example, tmp_path / "tree"), environ=environ)
    place = environment(tmp_path / "fresh", python)
    place.install("--no-deps", "--no-index", wheel)
    assert len(use(example, place)) == 2


# --- what goes wrong


def failed(tools: Environment, root: Path, environ: Mapping[str, str], settings: object = None) -> str:
    done = hook(tools, "build_wheel", root.parent / "out", settings, cwd=root, environ=environ)
    assert done.code != 0
    assert not (root.parent / "out").exists() or not list((root.parent / "out").iterdir())
    return done.err


def test_a_build_that_fails_names_the_hook_and_can_be_looked_at(tools, environ, tmp_path):
    root = tree(EXAMPLES["abi3"], tmp_path / "tree")
    (root / "src" / "_greet.c").write_text("#include <nowhere.h>\n")
    said = failed(tools, root, {**environ, "TMPDIR": str(tmp_path)})
    assert "nowhere.h" in said
    assert "setuptools.build_meta.build_wheel: the inner backend failed with exit code 1" in said
    assert "mamba_press/error_boundary.py" not in said
    assert not list(tmp_path.glob("mamba-press-*"))
    said = failed(tools, root, {**environ, "TMPDIR": str(tmp_path), "MAMBA_PRESS_KEEP": "1"})
    (kept,) = tmp_path.glob("mamba-press-*")
    assert f"\nmamba-press: MAMBA_PRESS_KEEP is set: the unfinished build stays in {kept}\n" in said
    assert list(kept.glob("host*/include/greet.h"))


@pytest.mark.parametrize("name", ["build_wheel", "build_editable", "build_sdist"])
def test_tools_that_no_channel_has_are_told_with_the_rest_before_anything_is_fetched(name, tools, environ, tmp_path):
    root = tree(EXAMPLES["abi3"], tmp_path / "tree")
    given = {**environ, "RATTLER_CACHE_DIR": str(tmp_path / "cache"), "MAMBA_PRESS_BUILD": "ninjas"}
    for more, number in (({}, 1), ({"MAMBA_PRESS_HOST": "greet;nothing"}, 2)):
        done = hook(tools, name, tmp_path, cwd=root, environ={**given, **more})
        assert done.code != 0
        assert done.err.count("MAMBA_PRESS_BUILD: no channel has a package 'ninjas'") == 1
        assert done.err.count("no channel has a package") == number
        assert "fetching" not in done.err


def test_another_python_than_the_one_that_builds_is_refused_with_the_way(tools, environ, tmp_path):
    other = "3.12" if press.HERE != "3.12" else "3.13"
    root = tree(EXAMPLES["abi3"], tmp_path / "tree")
    said = failed(tools, root, environ, {"python": other, "platform": "osx-arm64"})
    assert f"is {other}, but the inner backend builds for the interpreter that it runs on, {press.HERE}" in said
    assert "is for osx-arm64, but the inner backend builds on and for this machine, linux-64" in said
    assert "cibuildwheel" in said


def test_settings_reach_the_inner_backend(tools, environ, tmp_path):
    root = tree(EXAMPLES["pybind11"], tmp_path / "tree")
    said = failed(tools, root, environ, {"cmake.define.greet_DIR": "/nowhere", "cmake.arks": "x"})
    assert "cmake.arks" in said
    assert "Traceback (most recent call last)" not in said


def test_a_backend_that_is_not_installed_is_named_by_the_light_hook(environ, tmp_path):
    root = tree(EXAMPLES["meson"], tmp_path / "tree")
    bare = environment(tmp_path / "bare")
    needs = ("packaging >= 26.1", "pyproject-hooks >= 1.3", "pyproject-metadata >= 0.11")
    bare.install(*needs, "tomli; python_version < '3.11'")
    done = press.run(
        bare.python,
        "-c",
        press.CALL,
        json.dumps(["get_requires_for_build_wheel", []]),
        cwd=root,
        environ={**clean_environment(), **environ},
    )
    assert done.code != 0
    assert "'mesonpy' cannot be imported: No module named 'mesonpy'" in done.err
    assert "[build-system] requires" in done.err
