"""Projects with Python code of their own: every test project, through every front end, installed and used."""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import press
from tests.support.environment import Environment, environment


@dataclass(frozen=True, kw_only=True)
class Example:
    """A test project: what shows that it works, what its wheel is called, and what it requires."""

    folder: str
    module: str
    use: str
    said: str
    wheel: str
    library: bool = True
    requires: tuple[str, ...] = ()


NATIVE = "py3-none-manylinux"
EXAMPLES = (
    Example(
        folder="ctypes",
        module="own_ctypes",
        use="import own_ctypes as o; print(o.greet('you'), o.__version__)",
        said="Hello, you! 1.0",
        wheel=f"own_ctypes-1.0-{NATIVE}",
    ),
    Example(
        folder="cffi",
        module="own_cffi",
        use="from own_cffi import greet; print(greet('you'))",
        said="Hello, you!",
        wheel=f"own_cffi-1.0-{NATIVE}",
        requires=("cffi",),
    ),
    Example(
        folder="namespace",
        module="greetings.formal",
        use="from greetings.formal import greet; print(greet('you'))",
        said="Hello, dear you!",
        wheel=f"own_namespace-1.0-{NATIVE}",
    ),
    Example(
        folder="data-heavy",
        module="own_data",
        use="from own_data import *; print(phrases(), saying(299))",
        said="{'day.txt': 'good day', 'made.txt': 'made', 'night.txt': 'good night'} saying 299",
        wheel="own_data-1.0-py3-none-any",
        library=False,
    ),
    Example(
        folder="two-packages",
        module="listen",
        use="from listen import listen; print(listen('you'))",
        said="HELLO, YOU!",
        wheel=f"own_two-1.0-{NATIVE}",
    ),
)


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda example: example.folder)
def example(request: pytest.FixtureRequest) -> Example:
    found: Example = request.param
    for name in found.requires:
        pytest.importorskip(name)
    return found


@pytest.fixture(scope="module")
def environ(recipes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        "MAMBA_PRESS_CHANNELS": recipes.as_uri(),
        "RATTLER_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
        "UV_PYTHON": sys.executable,
    }


@pytest.fixture(scope="module")
def tree(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with what lies about in a folder in which somebody works."""
    root = tmp_path_factory.mktemp("tree") / example.folder
    shutil.copytree(press.REPOSITORY / "test-projects" / example.folder, root)
    if example.folder == "data-heavy":  # what a generator would have left there before the build
        (root / "src/own_data/phrases/made.txt").write_text("made\n")
    for stray in ("tests/test_x.py", "docs/conf.py", "src/stray.egg-info/PKG-INFO", ".venv/pyvenv.cfg"):
        (root / stray).parent.mkdir(parents=True, exist_ok=True)
        (root / stray).write_text("")
    return root


@pytest.fixture(scope="module")
def wheel(tree: Path, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as the hook makes it of the folder."""
    folder = tmp_path_factory.mktemp("wheel")
    return folder / str(press.returned(press.hook("build_wheel", folder, cwd=tree, environ=environ)))


def fresh(folder: Path, example: Example, *what: str | Path) -> Environment:
    place = environment(folder)
    if example.requires:  # those of the tests: an index is not asked
        site = next(place.root.glob("lib/python*/site-packages"))
        (site / "tests.pth").write_text("".join(f"{path}\n" for path in sys.path if path.endswith("site-packages")))
    place.install("--no-deps", "--no-index", *what)
    return place


def from_the_wheel(place: Environment, example: Example) -> None:
    """What the project says, with the library of the environment."""
    assert place.run(example.use) == example.said
    libraries = [path for path in place.libraries(example.use) if "libgreet" in path.name]
    assert [path.is_relative_to(place.root.resolve()) for path in libraries] == [True] * example.library


def test_the_wheel_has_the_code_and_the_library(example, wheel, tmp_path):
    assert wheel.name.startswith(example.wheel)
    from_the_wheel(fresh(tmp_path / "fresh", example, wheel), example)


def test_the_wheel_has_what_is_the_projects_and_nothing_else(example, wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names} - {f"{wheel.name.split('-py3')[0]}.dist-info"}
    expected = {"namespace": {"greetings"}, "data-heavy": {"own_data"}, "two-packages": {"speak", "listen"}}
    assert tops == expected.get(example.folder, {f"own_{example.folder}"})
    assert not [name for name in names if name.endswith((".draft", ".h", ".pc")) or "tests" in name]


@pytest.mark.parametrize("front_end", ["build", "pip", "uv"])
def test_every_front_end_makes_the_same_wheel(front_end, example, tree, wheel, environ, tmp_path):
    calls = {
        "build": ("-m", "build", "-n", "-x", "-o", tmp_path, tree),  # of the sdist
        "pip": ("-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", tmp_path, tree),
        "uv": ("-m", "uv", "build", "--no-build-isolation", "--wheel", "-o", tmp_path, tree),
    }
    if front_end == "uv":
        pytest.importorskip("uv")
    press.run(sys.executable, *calls[front_end], cwd=tmp_path, environ=environ).ok()
    (made,) = tmp_path.glob("*.whl")
    assert (made.name, made.read_bytes()) == (wheel.name, wheel.read_bytes())
    if front_end == "build" and example.folder == "ctypes":
        sdist = press.unpacked(next(tmp_path.glob("*.tar.gz")), tmp_path)
        assert '"1.0"' in (sdist / "src/own_ctypes/_version.py").read_text()
        assert (sdist / "src/own_ctypes/tests/test_greet.py").is_file()
        assert not (tree / "src/own_ctypes/_version.py").exists()


def test_an_editable_install_has_the_sources_and_the_library(example, tree, environ, tmp_path):
    before = press.hashes(tree)
    name = press.returned(press.hook("build_editable", tmp_path, cwd=tree, environ=environ))
    place = fresh(tmp_path / "fresh", example, tmp_path / str(name))
    from_the_wheel(place, example)
    init = (tree / "src").resolve() / example.module.replace(".", "/") / "__init__.py"
    assert place.run(f"import {example.module} as m; print(m.__file__)") == str(init)
    assert {path: digest for path, digest in press.hashes(tree).items() if not path.endswith(".pyc")} == before


def test_the_tests_of_a_project_run_against_its_editable_install(environ, tmp_path):
    tree = shutil.copytree(press.REPOSITORY / "test-projects/ctypes", tmp_path / "tree")
    name = press.returned(press.hook("build_editable", tmp_path, cwd=tree, environ=environ))
    place = fresh(tmp_path / "fresh", EXAMPLES[1], tmp_path / str(name))
    call = (place.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "src/own_ctypes/tests")
    assert "1 passed" in press.run(*call, cwd=tree, environ={"PYTHONPATH": ""}).ok().out


# --- with nothing of conda, and with a conda package of the same name


def test_code_alone_is_a_wheel_for_every_system_and_asks_no_channel(tmp_path):
    root = press.project(tmp_path / "p", 'channels = ["https://nowhere.invalid/x"]', name="plain", dynamic=False)
    (root / "plain.py").write_text("ANSWER = 42\n")
    environ = {"MAMBA_PRESS_WORKER": str(tmp_path / "none"), "RATTLER_CACHE_DIR": str(tmp_path / "cache")}
    sdist = press.returned(press.hook("build_sdist", tmp_path, cwd=root, environ=environ))
    root = press.unpacked(tmp_path / str(sdist), tmp_path / "unpacked")
    assert not (root / "mamba-press.lock").exists()
    name = press.returned(press.hook("build_wheel", tmp_path, cwd=root, environ=environ))
    assert name == "plain-7.1-py3-none-any.whl"
    place = environment(tmp_path / "fresh")
    place.install("--no-index", tmp_path / str(name))
    assert place.run("import plain; print(plain.ANSWER)") == "42"
    with zipfile.ZipFile(tmp_path / str(name)) as archive:
        assert b"Root-Is-Purelib: true" in archive.read("plain-7.1.dist-info/WHEEL")


def test_code_beside_the_conda_package_of_the_same_name_is_refused_with_both(greeting, make_project):
    root = make_project(greeting, 'packages = ["words"]', name="words")
    (root / "words.py").write_text("")
    (root / "words").mkdir()
    (root / "words" / "__init__.py").write_text("WORDS = ()\n")
    done = press.hook("build_wheel", root.parent, cwd=root)
    assert "words and words.py have the same name" in done.err
    (root / "words.py").unlink()
    done = press.hook("build_wheel", root.parent, cwd=root)
    assert done.code != 0
    assert "words/__init__.py: 2 different files would lie here, of the project and of words" in done.err
    assert "[tool.mamba-press.sources] modules = []" in done.err
    table = root.joinpath("pyproject.toml").read_text() + "[tool.mamba-press.sources]\nmodules = []\n"
    root.joinpath("pyproject.toml").write_text(table)
    assert press.returned(press.hook("build_wheel", root.parent, cwd=root)) == "words-1.0-py3-none-any.whl"


def test_a_module_in_the_place_of_the_generated_one_is_refused(recipes, environ, tmp_path):
    root = shutil.copytree(press.REPOSITORY / "test-projects/ctypes", tmp_path / "p")
    (root / "src/own_ctypes/_mamba_press.py").write_text("library = None\n")
    done = press.hook("build_wheel", tmp_path, cwd=root, environ=environ)
    assert "own_ctypes/_mamba_press.py: is the name of the module that mamba-press writes there" in done.err


# --- what an inner backend puts outside of site-packages

BACKEND = """\
import subprocess
from pathlib import Path

from wheel.wheelfile import WheelFile

PROGRAM = '''
#include <greet.h>
#include <stdio.h>
int main(void) { char out[80]; greet(out, sizeof out, "you"); puts(out); }
'''


def build_wheel(folder, config_settings=None, metadata_directory=None):
    Path("main.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-o", "hello", "main.c", "-lgreet"], check=True)
    files = {
        "hello/__init__.py": b"",
        "hello-1.0.data/scripts/hello": Path("hello").read_bytes(),
        "hello-1.0.data/scripts/hello-py": b"#!python\\nprint('script')\\n",
        "hello-1.0.data/scripts/hello-sh": b"#!/bin/sh\\necho shell\\n",
        "hello-1.0.data/data/share/hello/x": b"data",
        "hello-1.0.data/headers/hello.h": b"int x;",
        "hello-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\\nName: hello\\nVersion: 1.0\\n",
        "hello-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: py3-none-linux_x86_64\\n",
    }
    name = "hello-1.0-py3-none-linux_x86_64.whl"
    with WheelFile(Path(folder, name), "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return name
"""


@pytest.mark.skipif(not press.MACHINE, reason="what is built here is for Linux on x86_64")
def test_programs_scripts_headers_and_data_of_own_code_come_to_their_places(environ, tmp_path):
    root = press.project(
        tmp_path / "p",
        'build-backend = "backend"\nbackend-path = ["."]\nhost = ["greet"]\n',
        name="hello",
        dynamic=False,
    )
    text = root.joinpath("pyproject.toml").read_text().replace('version = "7.1"', 'version = "1.0"\nlicense = "MIT"')
    root.joinpath("pyproject.toml").write_text(text)
    (root / "backend.py").write_text(BACKEND)
    name = press.returned(press.hook("build_wheel", tmp_path, cwd=root, environ=environ))
    with zipfile.ZipFile(tmp_path / str(name)) as archive:
        outside = {path.split("/", 1)[1] for path in archive.namelist() if path.startswith("hello-1.0.data/")}
    assert outside == {"scripts/hello-py", "scripts/hello-sh", "data/share/hello/x", "headers/hello.h"}
    place = environment(tmp_path / "fresh")
    place.install("--no-deps", "--no-index", tmp_path / str(name))
    said = {
        name: press.run(place.root / "bin" / name, cwd=tmp_path, environ={"PYTHONPATH": ""}).ok().out.strip()
        for name in ("hello", "hello-py", "hello-sh")
    }
    assert said == {"hello": "Hello, you!", "hello-py": "script", "hello-sh": "shell"}
    assert (place.root / "share/hello/x").read_text() == "data"
    assert list(place.root.glob("include/**/hello.h"))


# --- real packages


@pytest.mark.real
@pytest.mark.parametrize(
    ("channel", "platform", "host", "asked", "tag", "file"),
    [
        ("forge", "linux-64", "libcurl", "curl", "manylinux", r"lib/libcurl-\w{8}\.so\.4"),
        ("forge", "osx-arm64", "libcurl", "curl", "macosx_11_0_arm64", r"lib/libcurl-\w{8}\.4\.dylib"),
        ("main-win", "win-64", "bzip2", "libbz2", "win_amd64", r"Library/bin/libbz2-\w{8}\.dll"),
    ],
    ids=["linux", "macos", "windows"],
)
def test_a_real_library_is_reached_from_code_on_every_system(
    channel, platform, host, asked, tag, file, shared_channels, tmp_path
):
    table = f'channels = ["{shared_channels / channel}"]\nhost = ["{host}"]\nplatform = "{platform}"\npython = "3.10"'
    root = press.project(tmp_path / "p", table, name="netty", dynamic=False)
    (root / "src/netty").mkdir(parents=True)
    (root / "src/netty/__init__.py").write_text(
        f"import ctypes\nfrom ._mamba_press import library\nlib = ctypes.CDLL(library({asked!r}))\n"
    )
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache")}
    name = str(press.returned(press.hook("build_wheel", tmp_path, cwd=root, environ=environ)))
    assert name.startswith(f"netty-7.1-py3-none-{tag}")
    with zipfile.ZipFile(tmp_path / name) as archive:
        found = [re.fullmatch(f"netty/_prefix/{file}", path) for path in archive.namelist()]
    assert any(found)
    if platform == "linux-64" and press.MACHINE:
        place = environment(tmp_path / "fresh")
        place.install("--no-deps", "--no-index", tmp_path / name)
        use = "import netty; netty.lib.curl_version.restype = netty.ctypes.c_char_p; print(netty.lib.curl_version())"
        assert "libcurl/8.7.1 OpenSSL/3.2.1" in place.run(use)
        libraries = [path for path in place.libraries("import netty") if "-" in path.name and ".so" in path.name]
        assert {"libcurl", "libssl", "libcrypto", "libz"} <= {
            path.name.split("-")[0] for path in libraries if path.is_relative_to(place.root.resolve())
        }
