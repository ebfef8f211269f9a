"""Builds that cibuildwheel starts on macOS and Windows: with the variables that its own code sets, from any machine.

Its whole flow on Linux is a campaign, ``nox -s cibuildwheel``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import pytest

from mamba_press.platforms import binary_edits, choose_platform, target
from mamba_press.types import Edits, Python
from tests.support import press
from tests.support.channel import CondaPackage, python_abi, python_package
from tests.support.macho import BUNDLE, LOAD, Dylib, dylib
from tests.support.windows import Dll, dll

macos = pytest.importorskip("cibuildwheel.platforms.macos", reason="cibuildwheel is not installed")
windows = pytest.importorskip("cibuildwheel.platforms.windows", reason="cibuildwheel is not installed")

SUBDIRS = {"macosx_arm64": "osx-arm64", "macosx_x86_64": "osx-64", "win_amd64": "win-64", "win_arm64": "win-arm64"}
SYSTEMS = {"linux": "linux", "macos": "osx", "windows": "win"}
RUNNERS = {macos: ("macosx-arm64", "macosx-x86_64"), windows: ("win-amd64", "win-arm64")}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """What cibuildwheel adds to the environment for a build: its own ``setup_python``, which installs nothing here."""
    from cibuildwheel.environment import parse_environment

    def installed(*_arguments: object, **_options: object) -> Path:
        return tmp_path

    def virtualenv(version: str, base: Path, place: Path, *_arguments: object, **_options: object) -> dict[str, str]:
        for name in ("bin/pip", "Scripts/pip.exe"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).touch()
        return {"PLACE": str(place)}

    def call(program: str | Path, *words: object, env: Mapping[str, str], **_options: object) -> str:
        folder = Path(env["PLACE"]) / {"which": "bin", "where": "Scripts"}.get(str(program), "")
        return f"{folder / str(words[0])}{'.exe' if program == 'where' else ''}\n"

    for module in (macos, windows):
        monkeypatch.setattr(module, "install_cpython", installed)
        monkeypatch.setattr(module, "virtualenv", virtualenv)
        monkeypatch.setattr(module, "call", call)
        monkeypatch.setattr(module, "find_uv", lambda: None)
    monkeypatch.setattr(macos, "get_macos_version", lambda: (15, 0))

    def set_by(identifier: str, runner: str) -> dict[str, str]:
        module = macos if "macosx" in identifier else windows
        machine = {"win-amd64": "AMD64", "win-arm64": "ARM64"}.get(runner, runner.partition("-")[2])
        monkeypatch.setattr(windows.platform_module, "machine", lambda: machine)
        (row,) = (each for each in module.all_python_configurations() if each.identifier == identifier)
        _, found = module.setup_python(tmp_path / f"{identifier} {runner}", row, None, parse_environment(""), "build")
        del found["PLACE"]
        return {**found, "CIBUILDWHEEL": "1", "CIBUILDWHEEL_BUILD_IDENTIFIER": identifier}

    return set_by


def test_every_build_for_macos_and_windows_has_its_target_on_every_runner(variables) -> None:
    seen = set()
    for module, runners in RUNNERS.items():
        for row, runner in product(module.all_python_configurations(), runners):
            interpreter, platform = row.identifier.split("-")
            if not interpreter.startswith("cp") or platform not in SUBDIRS:
                continue
            minor, threads = interpreter[3:].rstrip("t"), interpreter.endswith("t")
            machine = choose_platform.Machine(
                implementation="cpython", python=Python(minor=int(minor)), platform=runner
            )
            hints = variables(row.identifier, runner)
            found = target.resolve(None, None, hints, machine)
            assert (found.subdir, found.tag) == (SUBDIRS[platform], None), row.identifier
            assert found.python == Python(minor=int(minor), free_threaded=threads), row.identifier
            floor = hints.get("MACOSX_DEPLOYMENT_TARGET")
            assert found.floor == (floor and tuple(map(int, floor.split(".")))), row.identifier
            seen |= {(each, hints[each]) for each in ("ARCHFLAGS", "VSCMD_ARG_TGT_ARCH") if each in hints}
    assert seen == {("ARCHFLAGS", "-arch arm64"), ("ARCHFLAGS", "-arch x86_64"), ("VSCMD_ARG_TGT_ARCH", "arm64")}


def test_an_inner_backend_may_cross_compile_as_cibuildwheel_tells_it_to(variables, monkeypatch) -> None:
    for identifier, runner in (("cp312-macosx_arm64", "macosx-x86_64"), ("cp312-win_arm64", "win-amd64")):
        machine = choose_platform.Machine(implementation="cpython", python=Python(minor=12), platform=runner)
        monkeypatch.setattr(target, "this_machine", lambda machine=machine: machine)
        hints = variables(identifier, runner)
        assert target.foreign(target.resolve(None, None, hints), hints) == ()


@pytest.mark.parametrize(
    ("system", "archs"),
    [("linux", "x86_64,i686,aarch64,ppc64le,riscv64"), ("macos", "x86_64,arm64"), ("windows", "AMD64,x86,ARM64")],
)
def test_the_settings_of_the_page_leave_builds_that_have_a_target(make_project, system, archs) -> None:
    page = (press.REPOSITORY / "docs" / "how-to" / "cibuildwheel.md").read_text(encoding="utf-8")
    block = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[0]
    project = make_project(None, f'packages = ["user"]\n{block}')
    words = ("-m", "cibuildwheel", "--print-build-identifiers", "--platform", system, "--archs", archs)
    selected = press.run(sys.executable, *words, cwd=project).ok().out.split()
    assert len(selected) >= 5
    for identifier in selected:
        found = target.resolve(None, None, {"CIBUILDWHEEL_BUILD_IDENTIFIER": identifier})
        interpreter, _, platform = identifier.partition("-")
        python = Python(minor=int(interpreter[3:].rstrip("t")), free_threaded=interpreter.endswith("t"))
        arch = platform.removeprefix("many").partition("_")[2]
        assert (found.python, found.arch, found.system) == (python, arch, SYSTEMS[system]), identifier


def extension(platform: str, minor: int) -> dict[str, bytes | str]:
    """The files of a package with a small extension module for one platform."""
    if platform.startswith("macosx"):
        site, name = f"lib/python3.{minor}/site-packages", f"_user.cpython-3{minor}-darwin.so"
        needed, arch = (("/usr/lib/libSystem.B.dylib", LOAD),), platform.partition("_")[2]
        made = dylib(Dylib(kind=BUNDLE, name=None, arch=arch, needed=needed, floor=(10, 13)))
        module = binary_edits.apply(made, Edits(sign=True)) if arch == "arm64" else made
    else:
        site, name = "Lib/site-packages", f"_user.cp3{minor}-{platform}.pyd"
        arch = {"win_arm64": "aarch64", "win_amd64": "x86_64"}[platform]
        module = dll(Dll(name="_user.pyd", arch=arch, imports={f"python3{minor}.dll": ["Py_None"]}))
    return {f"{site}/user/__init__.py": "", f"{site}/user/{name}": module}


@pytest.mark.parametrize(
    ("identifier", "runner", "tag"),
    [
        ("cp312-macosx_x86_64", "macosx-arm64", "cp312-cp312-macosx_10_13_x86_64"),
        ("cp39-macosx_arm64", "macosx-x86_64", "cp39-cp39-macosx_11_0_arm64"),
        ("cp313-win_arm64", "win-amd64", "cp313-cp313-win_arm64"),
        ("cp311-win_amd64", "win-amd64", "cp311-cp311-win_amd64"),
    ],
)
def test_the_wheel_has_the_tag_of_the_build(variables, make_channel, make_project, tmp_path, identifier, runner, tag):
    interpreter, platform = identifier.split("-")
    minor, subdir = int(interpreter[3:]), SUBDIRS[platform]
    version = f"3.{minor}"
    depends = (f"python {version}.*", f"python_abi {version}.*")
    user = CondaPackage(name="user", subdir=subdir, depends=depends, files=extension(platform, minor))
    channel = make_channel([user, python_package(version, subdir=subdir), python_abi(version)])
    project = make_project(channel, 'packages = ["user"]')
    assert built(project, variables(identifier, runner), tmp_path) == f"greeting-1.0-{tag}.whl"


@pytest.mark.real
@pytest.mark.parametrize(
    ("identifier", "runner", "package", "tag"),
    [
        ("cp310-macosx_arm64", "macosx-arm64", "zstandard", "cp310-cp310-macosx_11_0_arm64"),
        ("cp310-win_amd64", "win-amd64", "cffi", "cp310-cp310-win_amd64"),
    ],
)
def test_a_real_package_is_pressed_for_the_build(
    variables, shared_channels, make_project, tmp_path, identifier, runner, package, tag
) -> None:
    channels = [str(shared_channels / name) for name in ("main-win", "forge")]
    project = make_project(None, f'channels = {channels}\npackages = ["{package}"]')
    assert built(project, variables(identifier, runner), tmp_path).endswith(f"-{tag}.whl")


def built(project: Path, hints: Mapping[str, str], folder: Path) -> str:
    """The name of the wheel that the hook makes under these variables, after its check."""
    cache = {"RATTLER_CACHE_DIR": os.environ["RATTLER_CACHE_DIR"]}
    name = press.returned(press.hook("build_wheel", folder / "dist", cwd=project, environ={**cache, **hints}))
    assert isinstance(name, str)
    done = press.command("check", folder / "dist" / name, "--copy-to", folder / "repaired", cwd=folder, environ=hints)
    done.ok()
    assert (folder / "repaired" / name).read_bytes() == (folder / "dist" / name).read_bytes()
    return name
