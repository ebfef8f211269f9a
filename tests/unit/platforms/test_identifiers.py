"""Every build that cibuildwheel knows, by its own list: pressed for what it is, or refused with the reason."""

from __future__ import annotations

import re
import sys
from importlib.resources import files

import pytest

from mamba_press.errors import ConfigError
from mamba_press.platforms.choose_platform import Machine
from mamba_press.platforms.target import resolve
from mamba_press.types import Python

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytest.importorskip("cibuildwheel")

BUILDS: dict[str, str] = {
    build["identifier"]: build["version"]
    for system in tomllib.loads(files("cibuildwheel").joinpath("resources/build-platforms.toml").read_text()).values()
    for build in system["python_configurations"]
}

SUBDIRS = {
    "manylinux_x86_64": "linux-64",
    "manylinux_aarch64": "linux-aarch64",
    "manylinux_ppc64le": "linux-ppc64le",
    "manylinux_riscv64": "linux-riscv64",
    "macosx_x86_64": "osx-64",
    "macosx_arm64": "osx-arm64",
    "win_amd64": "win-64",
    "win_arm64": "win-arm64",
}

# The first that is found in an identifier is the reason.
REFUSED = {
    "^(pp|gp)": "made for CPython only",
    "musllinux": "for glibc, not for musl",
    "pyodide": "WebAssembly is not pressed for",
    "android": "no conda packages for Android",
    "ios": "no conda packages for iOS",
    "universal2": "hold one architecture",
    "i686|armv7l|win32": "32-bit machines are not pressed for",
    "s390x": "big-endian machines are not pressed for",
}

PRESSED = [name for name in BUILDS if not any(re.search(pattern, name) for pattern in REFUSED)]


def machine(name: str) -> Machine:
    """The machine on which cibuildwheel makes a build; for macOS and Windows it may be one of the other kind."""
    platform = name.partition("-")[2]
    kinds = {"manylinux": f"linux-{platform.partition('_')[2]}", "macosx": "macosx-arm64", "win": "win-amd64"}
    found = (2, glibc(name)) if platform.startswith("manylinux") else None
    minor = int(BUILDS[name].split(".")[1])
    return Machine(
        implementation="cpython", python=Python(minor=minor), platform=kinds[platform.split("_")[0]], glibc=found
    )


def environment(name: str) -> dict[str, str]:
    """What cibuildwheel sets for a build."""
    platform = name.partition("-")[2]
    system, _, arch = platform.partition("_")
    found = {"CIBUILDWHEEL_BUILD_IDENTIFIER": name}
    if system == "manylinux":
        return {**found, "AUDITWHEEL_PLAT": f"manylinux_2_{glibc(name)}_{arch}", "AUDITWHEEL_ARCH": arch}
    if system == "win":
        return {**found, "VSCMD_ARG_TGT_ARCH": "arm64"} if arch == "arm64" else found
    least = macos(name)
    return {
        **found,
        "_PYTHON_HOST_PLATFORM": f"macosx-{least}-{arch}",
        "ARCHFLAGS": f"-arch {arch}",
        "MACOSX_DEPLOYMENT_TARGET": least,
    }


def glibc(name: str) -> int:
    """The minor version of glibc in the image that cibuildwheel builds in by default."""
    return 39 if name.endswith("riscv64") else 28


def macos(name: str) -> str:
    """The macOS that cibuildwheel builds for by default."""
    minor = int(BUILDS[name].split(".")[1])
    return "11.0" if name.endswith("arm64") else "10.15" if minor >= 14 else "10.13" if minor >= 12 else "10.9"


def test_cibuildwheel_has_every_platform_that_is_pressed_for():
    assert {name.partition("-")[2] for name in PRESSED} == set(SUBDIRS)
    assert any(name.startswith("cp314t-") for name in PRESSED)


@pytest.mark.parametrize("name", PRESSED)
def test_a_build_is_pressed_for_what_it_is(name):
    target = resolve(None, None, environment(name), machine(name))
    python, _, platform = name.partition("-")
    assert target.subdir == SUBDIRS[platform]
    assert str(target.python) == ".".join(BUILDS[name].split(".")[:2]) + "t" * python.endswith("t")
    floors = {"linux": (2, glibc(name)), "osx": tuple(map(int, macos(name).split("."))), "win": None}
    assert target.floor == floors[target.system]
    assert target.tag is None


@pytest.mark.parametrize("name", [name for name in BUILDS if name not in PRESSED])
def test_a_build_that_cannot_be_is_refused_with_the_reason(name):
    host = Machine(implementation="cpython", python=Python(minor=11), platform="linux-x86_64", glibc=(2, 28))
    with pytest.raises(ConfigError) as caught:
        resolve(None, None, {"CIBUILDWHEEL_BUILD_IDENTIFIER": name}, host)
    reason = next(words for pattern, words in REFUSED.items() if re.search(pattern, name))
    told = [problem for problem in caught.value.problems if reason in problem.what]
    assert told, caught.value
    assert all(name in problem.what and problem.hint for problem in told)
