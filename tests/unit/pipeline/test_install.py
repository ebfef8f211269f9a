from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from mamba_press.errors import ConfigError
from mamba_press.pipeline import install
from mamba_press.wheel.wheelhouse import Manifest

FACTS = {"version": "3.10", "implementation": "cpython", "platform": "linux-x86_64", "floor": "2.36"}


def manifest(subdir: str = "linux-64", floor: str = "2.28") -> Manifest:
    return Manifest(
        name="house", subdir=subdir, floor=floor, pythons=("3.10",), elsewhere=(), wheels=(), left={}, lock=""
    )


@pytest.mark.parametrize("floor", ["2.28", "2.29", "2.100", "3.0"])
def test_the_python_that_the_house_was_made_for_fits_on_that_glibc_or_a_newer_one(floor):
    install.require_fit(manifest(), {**FACTS, "floor": floor}, "house.zip")
    with pytest.raises(ConfigError, match=rf"needs glibc 3\.1; this machine has {floor}\n"):
        install.require_fit(manifest(floor="3.1"), {**FACTS, "floor": floor}, "house.zip")


@pytest.mark.parametrize("version", ["3.10", "3.13t"])
def test_a_house_for_several_pythons_fits_each(version):
    several = replace(manifest(), pythons=("3.10", "3.13t"))
    install.require_fit(several, {**FACTS, "version": version}, "house.zip")
    with pytest.raises(ConfigError, match=r"is for CPython 3\.10, 3\.13t; this is 3\.13"):
        install.require_fit(several, {**FACTS, "version": "3.13"}, "house.zip")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": "3.11"}, r"house\.zip: is for CPython 3\.10; this is 3\.11"),
        ({"version": "3.10t"}, r"is for CPython 3\.10; this is 3\.10t"),
        ({"implementation": "pypy"}, r"is for CPython 3\.10; this is pypy 3\.10"),
        ({"platform": "linux-aarch64"}, r"is for linux-64; this is linux-aarch64"),
        ({"platform": "macosx-11.0-arm64"}, r"is for linux-64; this is macosx-11\.0-arm64"),
        ({"floor": "2.27"}, r"needs glibc 2\.28; this machine has 2\.27"),
        ({"floor": "2.3"}, r"needs glibc 2\.28; this machine has 2\.3"),
        ({"floor": ""}, r"needs glibc 2\.28; this machine has another C library"),
    ],
)
def test_another_interpreter_or_machine_is_refused_by_what_differs(change, said):
    with pytest.raises(ConfigError, match=said):
        install.require_fit(manifest(), {**FACTS, **change}, "house.zip")


def test_everything_that_differs_is_told_at_once():
    with pytest.raises(ConfigError, match="2 problems"):
        install.require_fit(manifest(), {**FACTS, "version": "3.9", "platform": "win-amd64"}, "house.zip")


@pytest.mark.parametrize("platform", ["macosx-11.0-arm64", "macosx-10.9-universal2"])
def test_a_house_for_macos_fits_one_that_is_new_enough(platform):
    facts = {**FACTS, "platform": platform, "floor": "12.6"}
    install.require_fit(manifest("osx-arm64", "11.0"), facts, "house.zip")
    with pytest.raises(ConfigError, match=r"needs macOS 13\.0; this machine has 12\.6"):
        install.require_fit(manifest("osx-arm64", "13.0"), facts, "house.zip")


def test_an_interpreter_says_what_it_is():
    found = install.facts(sys.executable)
    assert found["version"].rstrip("t") == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert found["implementation"] == sys.implementation.name


def test_what_is_no_python_is_told_so():
    with pytest.raises(ConfigError, match="/bin/false is no working Python"):
        install.facts("/bin/false")


def test_what_a_command_says_instead_of_running_is_passed_on(tmp_path):
    shim = tmp_path / "python3.10"
    shim.write_text("#!/bin/sh\necho 'shim: python3.10: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    with pytest.raises(ConfigError, match=r"is no working Python: shim: python3\.10: command not found"):
        install.facts(str(shim))


def test_the_interpreter_is_the_one_asked_for_else_of_the_active_environment_else_this_one(tmp_path):
    inside = tmp_path / "bin/python"
    inside.parent.mkdir()
    inside.symlink_to(sys.executable)
    assert install.interpreter(str(inside), {}) == str(inside)
    assert install.interpreter(None, {"VIRTUAL_ENV": str(tmp_path)}) == str(inside)
    assert install.interpreter(None, {}) == sys.executable
    with pytest.raises(ConfigError, match="there is no interpreter 'python9'"):
        install.interpreter("python9", {})
