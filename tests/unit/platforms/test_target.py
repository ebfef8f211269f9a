from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.markers import default_environment

import mamba_press
from mamba_press.errors import ConfigError
from mamba_press.platforms import target
from mamba_press.platforms.choose_platform import Machine
from mamba_press.platforms.target import foreign, resolve, this_machine, virtual_packages
from mamba_press.types import Python

LINUX = Machine(implementation="cpython", python=Python(minor=11), platform="linux-x86_64", glibc=(2, 36))
MAC = Machine(implementation="cpython", python=Python(minor=12), platform="macosx-arm64")


def problems(python, platform, hints=None, running=LINUX):
    with pytest.raises(ConfigError) as caught:
        resolve(python, platform, hints or {}, running)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "minor", "free_threaded"),
    [
        ("3.10", 10, False),
        ("3.10.*", 10, False),
        ("3.10.13", 10, False),
        (" 3.9 ", 9, False),
        ("==3.11.*", 11, False),
        ("python 3.12", 12, False),
        ("3.14t", 14, True),
        ("3.14.0t", 14, True),
        ("3.13.* *_cp313t", 13, True),
        ("3.13.* *_cp313", 13, False),
        ("cp36m", 6, False),
        ("cp36-cp36m", 6, False),
        ("cp314t", 14, True),
        ("cp314-cp314t", 14, True),
    ],
)
def test_a_python_is_read_from_every_usual_spelling(text, minor, free_threaded):
    assert resolve(text, "linux-64", {}, LINUX).python == Python(minor=minor, free_threaded=free_threaded)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3", "one minor version"),
        (">=3.10", "one minor version"),
        ("3.10,3.11", "one minor version"),
        ("", "one minor version"),
        ("cp314-cp313", "one minor version"),
        ("2.7", "Python 2 is not supported"),
        ("3.5", "older than CPython 3.6"),
        ("3.12t", "no free-threaded CPython before 3.13"),
        ("pp310", "not CPython"),
        ("pypy3.10", "not CPython"),
        ("gp311_242", "not CPython"),
    ],
)
def test_a_python_that_cannot_be_pressed_for_is_refused_with_the_reason(text, words):
    [problem] = problems(text, "linux-64")
    assert str(problem.where) == "tool.mamba-press.python"
    assert words in problem.what
    assert problem.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "PyPy3.10",
            (
                "'PyPy3.10' is not CPython: conda packages of today are made for CPython only\n"
                "  name a CPython, such as '3.12', or skip this build"
            ),
        ),
        (
            "3",
            "'3' does not name one minor version of CPython\n  write '3.12', or '3.14t' for a free-threaded one",
        ),
        ("2.7", "Python 2 is not supported\n  name a CPython from 3.6 on, such as '3.12'"),
        ("3.5", "'3.5' is older than CPython 3.6, the oldest that is pressed for\n  name a newer one"),
        ("3.12t", "'3.12t': there is no free-threaded CPython before 3.13\n  write '3.12', or '3.14t'"),
    ],
)
def test_a_refused_python_is_met_with_what_to_write(text, said):
    [problem] = problems(text, "linux-64")
    assert str(problem) == f"tool.mamba-press.python: {said}"


def test_an_interpreter_that_builds_and_is_not_pressed_for_is_named():
    pypy = Machine(implementation="pypy", python=Python(minor=11), platform="linux-x86_64", glibc=(2, 36))
    old = replace(LINUX, python=Python(minor=5))
    assert [str(problem) for machine in (pypy, old) for problem in problems(None, None, {}, machine)] == [
        (
            "tool.mamba-press.python: the interpreter that builds is pypy, and conda packages are made for CPython\n"
            '  build with CPython, or name the CPython to press for: python = "3.12"'
        ),
        (
            "tool.mamba-press.python: the interpreter that builds, 3.5, is older than CPython 3.6, the oldest that is "
            "pressed for\n  name a newer one"
        ),
    ]


def test_a_variable_that_is_refused_is_named_with_the_reason():
    [problem] = problems(None, None, {"CIBUILDWHEEL_BUILD_IDENTIFIER": "cp35-macosx_10_9-x86_64"}, MAC)[:1]
    assert problem.what == (
        "CIBUILDWHEEL_BUILD_IDENTIFIER is 'cp35-macosx_10_9-x86_64': "
        "'cp35' is older than CPython 3.6, the oldest that is pressed for"
    )


def test_a_bad_python_and_a_bad_platform_are_reported_together():
    assert [str(each.where) for each in problems("2.7", "win32")] == [
        "tool.mamba-press.python",
        "tool.mamba-press.platform",
    ]


def test_the_running_interpreter_is_seen_as_it_is():
    machine = this_machine()
    assert machine.implementation == sys.implementation.name
    assert machine.python.minor == sys.version_info[1]
    if hasattr(os, "confstr") and sys.platform == "linux":
        said = subprocess.run(["getconf", "GNU_LIBC_VERSION"], capture_output=True, text=True, check=False).stdout
        assert said.split() == (["glibc", "{}.{}".format(*machine.glibc)] if machine.glibc else [])


@pytest.mark.parametrize(
    ("platform", "machine", "biggest", "seen"),
    [
        ("linux", "x86_64", 2**63 - 1, "linux-x86_64"),
        ("linux", "x86_64", 2**31 - 1, "linux-i686"),
        ("linux", "aarch64", 2**31 - 1, "linux-armv7l"),
        ("linux", "riscv64", 2**31 - 1, "linux-riscv64"),
        ("linux", "x86_64", 2**32, "linux-x86_64"),
        ("darwin", "arm64", 2**63 - 1, "macosx-arm64"),
        ("win32", "AMD64", 2**63 - 1, "of sysconfig"),
    ],
)
def test_a_machine_is_called_as_the_tags_of_its_interpreter(monkeypatch, platform, machine, biggest, seen):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "maxsize", biggest)
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine), raising=False)
    monkeypatch.setattr(sysconfig, "get_platform", lambda: "of sysconfig")
    found = this_machine().platform
    monkeypatch.undo()
    assert found == seen


@pytest.mark.parametrize("threads", [0, 1, None])
def test_a_free_threaded_interpreter_is_seen(monkeypatch, threads):
    monkeypatch.setattr(sysconfig, "get_config_var", {"Py_GIL_DISABLED": threads}.get)
    free_threaded = this_machine().python.free_threaded
    monkeypatch.undo()
    assert free_threaded is bool(threads)


@pytest.mark.parametrize(
    ("said", "glibc"), [("glibc 2.36", (2, 36)), ("musl libc 1.2", None), (None, None), ("", None)]
)
def test_the_glibc_of_a_machine_is_what_its_c_library_says(monkeypatch, said, glibc):
    monkeypatch.setattr(os, "confstr", {"CS_GNU_LIBC_VERSION": said}.get, raising=False)
    assert this_machine().glibc == glibc


def test_what_can_be_loaded_here_is_for_the_system_and_architecture_of_this_machine(monkeypatch):
    everywhere = {subdir: resolve("3.12", subdir, {}, LINUX) for subdir in ("linux-64", "linux-aarch64", "osx-arm64")}
    for machine, own in ((LINUX, "linux-64"), (MAC, "osx-arm64")):
        monkeypatch.setattr(target, "this_machine", lambda machine=machine: machine)
        assert [subdir for subdir, wanted in everywhere.items() if target.is_here(wanted)] == [own]


@pytest.mark.parametrize(("subdir", "arch"), [("linux-64", "x86_64"), ("win-64", "amd64"), ("noarch", "")])
def test_the_architecture_of_a_subdir_is_spelled_as_in_tags(subdir, arch):
    assert target.arch(subdir) == arch


def test_markers_are_evaluated_for_where_the_wheel_is_for():
    common = {
        "extra": "",
        "implementation_name": "cpython",
        "implementation_version": "3.12.0",
        "platform_python_implementation": "CPython",
        "python_full_version": "3.12.0",
        "python_version": "3.12",
    }
    linux = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
    windows = {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"}
    for subdir, own in (("linux-64", linux), ("win-64", windows)):
        assert target.marker_environment(resolve("3.12", subdir, {}, LINUX)) == {**common, **own}
    assert set(common) | set(linux) <= set(default_environment()) | {"extra"}


def facts(target, hints=None):
    return {(each.name, each.version, each.build) for each in virtual_packages(target, hints)}


def test_a_linux_solve_may_count_on_the_targets_glibc_and_oldest_processor():
    assert facts(resolve("3.10", "manylinux_2_28_aarch64", {}, LINUX)) == {
        ("__archspec", "1", "aarch64"),
        ("__glibc", "2.28", "0"),
        ("__linux", "4.18", "0"),
        ("__unix", "0", "0"),
    }


def test_a_macos_solve_may_count_on_the_targets_version():
    assert facts(resolve("3.10", "macosx_11_0_arm64", {}, LINUX)) == {
        ("__archspec", "1", "m1"),
        ("__osx", "11.0", "0"),
        ("__unix", "0", "0"),
    }


def test_a_windows_solve_is_no_unix():
    assert facts(resolve("3.10", "win_amd64", {}, LINUX)) == {("__archspec", "1", "x86_64"), ("__win", "0", "0")}


@pytest.mark.parametrize(
    ("floor", "kernel"), [("2_5", "2.6.32"), ("2_17", "3.10"), ("2_28", "4.18"), ("2_31", "4.18"), ("2_35", "5.14")]
)
def test_the_kernel_is_that_of_the_oldest_distribution_with_the_glibc(floor, kernel):
    assert ("__linux", kernel, "0") in facts(resolve("3.10", f"manylinux_{floor}_x86_64", {}, LINUX))


def test_cuda_is_there_only_when_asked():
    target = resolve("3.10", "linux-64", {}, LINUX)
    assert not any(each.name == "__cuda" for each in virtual_packages(target, {"CONDA_OVERRIDE_CUDA": ""}))
    assert ("__cuda", "12.4", "0") in facts(target, {"CONDA_OVERRIDE_CUDA": "12.4"})


def test_there_is_no_cuda_for_macos():
    mac = resolve("3.10", "osx-arm64", {}, LINUX)
    assert facts(mac, {"CONDA_OVERRIDE_CUDA": "12.4"}) == facts(mac)


def test_a_linux_of_which_no_glibc_is_known_has_the_oldest_kernel():
    bare = replace(resolve("3.10", "linux-64", {}, LINUX), floor=None)
    assert facts(bare) == {("__archspec", "1", "x86_64"), ("__linux", "2.6.32", "0"), ("__unix", "0", "0")}


def test_a_cuda_that_is_no_version_is_refused():
    with pytest.raises(ConfigError) as raised:
        virtual_packages(resolve("3.10", "linux-64", {}, LINUX), {"CONDA_OVERRIDE_CUDA": "newest"})
    assert [str(problem) for problem in raised.value.problems] == [
        (
            "CONDA_OVERRIDE_CUDA: 'newest' is not a version\n"
            "  give the version of CUDA that the driver offers, such as 12.4, or unset it"
        )
    ]


def test_asking_for_a_target_imports_nothing_heavy():
    code = (
        "import sys; from mamba_press.platforms.target import resolve; resolve('3.10', 'linux-64', {});"
        "print(sorted({'packaging', 'asyncio', 'rattler', 'lief', 'zipfile', 'email'} & set(sys.modules)))"
    )
    # Without site-packages, whose .pth files may import what they like; our own folder is added by hand.
    source = {"PYTHONPATH": str(Path(mamba_press.__file__).parents[1])}
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **source})
    assert done.stdout.strip() == "[]"


# --- inner backends


def test_an_inner_backend_builds_for_its_own_interpreter_and_machine():
    here = resolve(None, None, {})
    assert foreign(here, {}) == ()
    other = replace(here, python=Python(minor=6), subdir="osx-64")
    hints = {"CIBUILDWHEEL_BUILD_IDENTIFIER": "cp36-macosx_x86_64"}
    own, machine = here.python, here.subdir
    assert [str(problem) for problem in foreign(other, hints)] == [
        (
            "tool.mamba-press.python: is 3.6, but the inner backend builds for the interpreter that it runs on, "
            f"{own}\n  build under Python 3.6 (uv build --python 3.6; cibuildwheel does it for many)"
        ),
        (
            "tool.mamba-press.platform: is for osx-64, but the inner backend builds on and for this machine, "
            f"{machine}\n  build on a machine of that kind: cibuildwheel has one for each"
        ),
    ]


def test_a_machine_that_is_told_to_build_for_another_one_does():
    system = {"linux": "linux", "darwin": "macosx", "win32": "win"}[sys.platform]
    arch = {"linux": "aarch64", "macosx": "x86_64", "win": "arm64"}[system]
    hints = {"_PYTHON_HOST_PLATFORM": f"{system}-{arch}"}
    assert foreign(resolve(None, None, hints), hints) == ()
