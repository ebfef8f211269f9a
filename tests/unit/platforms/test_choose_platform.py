"""Which platform is pressed for: the one asked for, that of the tools around, or that of the machine."""

from __future__ import annotations

import re

import pytest

from mamba_press.errors import ConfigError
from mamba_press.platforms.choose_platform import Machine
from mamba_press.platforms.target import resolve
from mamba_press.types import Python

LINUX = Machine(implementation="cpython", python=Python(minor=11), platform="linux-x86_64", glibc=(2, 36))
MAC = Machine(implementation="cpython", python=Python(minor=12), platform="macosx-arm64")
WINDOWS = Machine(implementation="cpython", python=Python(minor=13), platform="win-amd64")


def problems(python, platform, hints=None, running=LINUX):
    with pytest.raises(ConfigError) as caught:
        resolve(python, platform, hints or {}, running)
    return caught.value.problems


@pytest.mark.parametrize(
    ("platform", "subdir", "arch", "floor", "tag"),
    [
        ("manylinux_2_28_x86_64", "linux-64", "x86_64", (2, 28), "manylinux_2_28_x86_64"),
        ("manylinux2014_aarch64", "linux-aarch64", "aarch64", (2, 17), "manylinux2014_aarch64"),
        ("manylinux1_x86_64", "linux-64", "x86_64", (2, 5), "manylinux1_x86_64"),
        ("manylinux_2_29_ppc64le", "linux-ppc64le", "ppc64le", (2, 29), "manylinux_2_29_ppc64le"),
        ("manylinux_2_39_riscv64", "linux-riscv64", "riscv64", (2, 39), "manylinux_2_39_riscv64"),
        ("macosx_11_0_arm64", "osx-arm64", "arm64", (11, 0), "macosx_11_0_arm64"),
        ("macosx_10_13_x86_64", "osx-64", "x86_64", (10, 13), "macosx_10_13_x86_64"),
        ("macosx_12_1_arm64", "osx-arm64", "arm64", (13, 0), "macosx_13_0_arm64"),
        ("macosx_15_4_arm64", "osx-arm64", "arm64", (26, 0), "macosx_26_0_arm64"),
        ("win_amd64", "win-64", "amd64", None, "win_amd64"),
        ("win_arm64", "win-arm64", "arm64", None, "win_arm64"),
    ],
)
def test_a_wheel_tag_narrows_the_solve_to_its_version(platform, subdir, arch, floor, tag):
    target = resolve("3.12", platform, {}, LINUX)
    assert (target.subdir, target.arch, target.floor, target.tag) == (subdir, arch, floor, tag)


@pytest.mark.parametrize(
    ("platform", "floor"),
    [
        ("linux-64", (2, 41)),
        ("linux-aarch64", (2, 41)),
        ("linux-ppc64le", (2, 41)),
        ("linux-riscv64", (2, 41)),
        ("osx-64", (26, 0)),
        ("osx-arm64", (26, 0)),
        ("win-64", None),
        ("win-arm64", None),
    ],
)
def test_a_bare_subdir_narrows_nothing_and_asks_for_no_tag(platform, floor):
    target = resolve("3.12", platform, {}, LINUX)
    assert (target.subdir, target.floor, target.tag) == (platform, floor, None)


@pytest.mark.parametrize(
    ("platform", "reason"),
    [
        ("musllinux_1_2_x86_64", "not for musl"),
        ("manylinux_2_28_i686", "32-bit"),
        ("manylinux_2_31_armv7l", "32-bit"),
        ("win32", "32-bit"),
        ("linux-32", "32-bit"),
        ("macosx_11_0_universal2", "one architecture"),
        ("ios_13_0_arm64_iphoneos", "iOS"),
        ("android_24_arm64_v8a", "Android"),
        ("pyodide_2025_0_wasm32", "WebAssembly"),
        ("emscripten-wasm32", "WebAssembly"),
        ("manylinux_2_28_s390x", "big-endian"),
        ("manylinux_2_12_aarch64", "there is no manylinux 2.12 for aarch64"),
        ("manylinux_3_0_x86_64", "there is no manylinux 3.0"),
        ("macosx_10_9_arm64", "no Mac with an ARM processor"),
        ("linux_x86_64", "PyPI refuses it"),
        ("manylinux2014_x86_64.manylinux_2_17_x86_64", "several tags"),
        ("any", "neither"),
        ("", "neither"),
    ],
)
def test_a_platform_that_cannot_be_pressed_for_is_refused_with_the_reason(platform, reason):
    [problem] = problems("3.12", platform)
    assert str(problem.where) == "tool.mamba-press.platform"
    assert reason in problem.what
    assert problem.hint


@pytest.mark.parametrize(
    ("typed", "meant"), [("linux-x64", "linux-64"), ("osx-arm", "osx-arm64"), ("win_amd46", "win_amd64")]
)
def test_a_mistyped_platform_is_met_with_the_nearest_one(typed, meant):
    [problem] = problems("3.12", typed)
    assert problem.hint == f"did you mean '{meant}'?"


def test_nothing_asked_means_the_building_machine_and_its_glibc():
    target = resolve(None, None, {}, LINUX)
    assert (target.subdir, target.floor, target.tag, str(target.python)) == ("linux-64", (2, 36), None, "3.11")


def test_the_platform_of_the_image_is_stronger_than_its_glibc():
    target = resolve(None, None, {"AUDITWHEEL_PLAT": "manylinux_2_28_x86_64"}, LINUX)
    assert (target.floor, target.tag) == ((2, 28), None)


def test_the_platform_of_the_image_says_nothing_of_another_architecture():
    target = resolve(None, "linux-aarch64", {"AUDITWHEEL_PLAT": "manylinux2014_x86_64"}, LINUX)
    assert (target.subdir, target.floor) == ("linux-aarch64", (2, 41))


def test_an_image_platform_that_says_nothing_of_glibc_is_no_limit():
    assert resolve(None, None, {"AUDITWHEEL_PLAT": "auto"}, LINUX).floor == (2, 36)


def test_an_old_glibc_never_goes_below_what_the_architecture_has():
    machine = Machine(implementation="cpython", python=Python(minor=9), platform="linux-aarch64", glibc=(2, 12))
    assert resolve(None, None, {}, machine).floor == (2, 17)


def test_a_bare_subdir_does_not_depend_on_the_machine_that_builds():
    older = Machine(implementation="cpython", python=Python(minor=9), platform="linux-x86_64", glibc=(2, 17))
    assert resolve("3.10", "linux-64", {}, older) == resolve("3.10", "linux-64", {}, LINUX)


@pytest.mark.parametrize(
    ("identifier", "python", "subdir"),
    [
        ("cp311-manylinux_x86_64", "3.11", "linux-64"),
        ("cp314t-manylinux_aarch64", "3.14t", "linux-aarch64"),
        ("cp313-macosx_arm64", "3.13", "osx-arm64"),
        ("cp38-macosx_x86_64", "3.8", "osx-64"),
        ("cp312-win_amd64", "3.12", "win-64"),
        ("cp313-win_arm64", "3.13", "win-arm64"),
    ],
)
def test_the_identifier_of_cibuildwheel_gives_python_and_platform(identifier, python, subdir):
    target = resolve(None, None, {"CIBUILDWHEEL_BUILD_IDENTIFIER": identifier}, LINUX)
    assert (str(target.python), target.subdir) == (python, subdir)


@pytest.mark.parametrize(
    ("identifier", "where", "reason"),
    [
        ("pp310-manylinux_x86_64", "python", "not CPython"),
        ("gp311_242-manylinux_x86_64", "python", "not CPython"),
        ("cp311-musllinux_x86_64", "platform", "not for musl"),
        ("cp311-manylinux_i686", "platform", "32-bit"),
        ("cp311-win32", "platform", "32-bit"),
        ("cp311-macosx_universal2", "platform", "one architecture"),
        ("cp313-ios_arm64_iphoneos", "platform", "iOS"),
        ("cp313-android_x86_64", "platform", "Android"),
        ("cp312-pyodide_wasm32", "platform", "WebAssembly"),
        ("cp312-manylinux_s390x", "platform", "big-endian"),
    ],
)
def test_a_build_of_cibuildwheel_that_cannot_be_pressed_for_is_named(identifier, where, reason):
    [problem] = problems(None, None, {"CIBUILDWHEEL_BUILD_IDENTIFIER": identifier})
    assert str(problem.where) == f"tool.mamba-press.{where}"
    assert identifier in problem.what
    assert reason in problem.what


BUILT = {
    "manylinux_x86_64": "linux-64",
    "manylinux_aarch64": "linux-aarch64",
    "manylinux_ppc64le": "linux-ppc64le",
    "manylinux_riscv64": "linux-riscv64",
    "macosx_arm64": "osx-arm64",
    "macosx_x86_64": "osx-64",
    "win_amd64": "win-64",
    "win_arm64": "win-arm64",
}
NOT_BUILT = {
    r"(pp|gp)\d": "not CPython",
    r"-musllinux_": "not for musl",
    r"-(manylinux_(i686|armv7l)|win32)$": "32-bit",
    r"-manylinux_s390x$": "big-endian",
    r"-macosx_universal2$": "one architecture",
    r"-ios_": "iOS",
    r"-android_": "Android",
    r"-pyodide_": "WebAssembly",
}


def identifiers():
    """Every build that cibuildwheel knows, by its own table."""
    resources = pytest.importorskip("cibuildwheel.util.resources")
    return [row["identifier"] for rows in resources.read_all_configs().values() for row in rows]


def test_every_build_of_cibuildwheel_has_a_target_or_a_reason():
    found = {True: 0, False: 0}
    for identifier in identifiers():
        hints = {"CIBUILDWHEEL_BUILD_IDENTIFIER": identifier}
        interpreter, platform = identifier.split("-")
        cpython = re.fullmatch(r"cp3(\d+)(t?)", interpreter)
        found[is_built := bool(cpython) and platform in BUILT] += 1
        if cpython and is_built:
            target = resolve(None, None, hints, LINUX)
            assert target.subdir == BUILT[platform], identifier
            assert target.python == Python(minor=int(cpython[1]), free_threaded=bool(cpython[2])), identifier
        else:
            said = " ".join(problem.what for problem in problems(None, None, hints))
            reasons = [reason for pattern, reason in NOT_BUILT.items() if re.search(pattern, identifier)]
            assert reasons, identifier
            assert all(identifier in said and reason in said for reason in reasons), (identifier, said)
    assert min(found.values()) > 50


def test_what_is_asked_is_stronger_than_every_variable():
    hints = {"CIBUILDWHEEL_BUILD_IDENTIFIER": "cp311-musllinux_x86_64", "ARCHFLAGS": "-arch arm64 -arch x86_64"}
    target = resolve("3.10", "manylinux2014_x86_64", hints, MAC)
    assert (str(target.python), target.tag) == ("3.10", "manylinux2014_x86_64")


@pytest.mark.parametrize(
    ("hints", "subdir", "floor"),
    [
        ({}, "osx-arm64", (26, 0)),
        ({"MACOSX_DEPLOYMENT_TARGET": "11.0"}, "osx-arm64", (11, 0)),
        ({"MACOSX_DEPLOYMENT_TARGET": "12.3"}, "osx-arm64", (13, 0)),
        ({"MACOSX_DEPLOYMENT_TARGET": "13"}, "osx-arm64", (13, 0)),
        ({"MACOSX_DEPLOYMENT_TARGET": "10.9"}, "osx-arm64", (11, 0)),
        ({"ARCHFLAGS": "-arch x86_64", "MACOSX_DEPLOYMENT_TARGET": "10.9"}, "osx-64", (10, 9)),
        ({"_PYTHON_HOST_PLATFORM": "macosx-10.13-x86_64"}, "osx-64", (10, 13)),
        ({"_PYTHON_HOST_PLATFORM": "macosx-11.0-arm64", "ARCHFLAGS": "-arch arm64"}, "osx-arm64", (11, 0)),
        ({"ARCHFLAGS": "-arch arm64", "_PYTHON_HOST_PLATFORM": "macosx-arm64"}, "osx-arm64", (26, 0)),
    ],
)
def test_on_macos_the_variables_of_the_compilers_count(hints, subdir, floor):
    target = resolve(None, None, hints, MAC)
    assert (target.subdir, target.floor, target.tag) == (subdir, floor, None)


def test_the_deployment_target_also_counts_for_a_bare_subdir():
    assert resolve("3.12", "osx-64", {"MACOSX_DEPLOYMENT_TARGET": "10.15"}, LINUX).floor == (10, 15)


def test_the_deployment_target_does_not_change_a_wheel_tag_that_was_asked():
    assert resolve("3.12", "macosx_12_0_arm64", {"MACOSX_DEPLOYMENT_TARGET": "14.0"}, MAC).floor == (12, 0)


def test_a_deployment_target_that_is_no_version_is_refused():
    [problem] = problems(None, None, {"MACOSX_DEPLOYMENT_TARGET": "latest"}, MAC)
    assert "MACOSX_DEPLOYMENT_TARGET is 'latest'" in problem.what


def test_two_architectures_in_archflags_are_a_universal_build_and_refused():
    [problem] = problems(None, None, {"ARCHFLAGS": "-arch arm64 -arch x86_64"}, MAC)
    assert "ARCHFLAGS" in problem.what
    assert "one architecture" in problem.what


def test_archflags_mean_nothing_away_from_macos():
    assert resolve(None, None, {"ARCHFLAGS": "-arch arm64"}, LINUX).subdir == "linux-64"


@pytest.mark.parametrize(("value", "subdir"), [("x64", "win-64"), ("arm64", "win-arm64"), ("ARM64", "win-arm64")])
def test_on_windows_the_command_prompt_of_visual_studio_counts(value, subdir):
    assert resolve(None, None, {"VSCMD_ARG_TGT_ARCH": value}, WINDOWS).subdir == subdir


def test_a_32_bit_command_prompt_is_refused():
    [problem] = problems(None, None, {"VSCMD_ARG_TGT_ARCH": "x86"}, WINDOWS)
    assert "VSCMD_ARG_TGT_ARCH is 'x86'" in problem.what


def test_variables_that_contradict_each_other_are_named_with_their_values():
    hints = {"CIBUILDWHEEL_BUILD_IDENTIFIER": "cp312-macosx_arm64", "ARCHFLAGS": "-arch x86_64"}
    [problem] = problems(None, None, hints, MAC)
    assert "CIBUILDWHEEL_BUILD_IDENTIFIER='cp312-macosx_arm64' says osx-arm64" in problem.what
    assert "ARCHFLAGS='-arch x86_64' says osx-64" in problem.what


def test_a_cross_build_of_linux_is_recognised_and_does_not_take_the_builders_glibc():
    target = resolve(None, None, {"_PYTHON_HOST_PLATFORM": "linux-aarch64"}, LINUX)
    assert (target.subdir, target.floor) == ("linux-aarch64", (2, 41))


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (Machine(implementation="cpython", python=Python(minor=11), platform="linux-x86_64"), "does not have glibc"),
        (Machine(implementation="cpython", python=Python(minor=11), platform="linux-i686", glibc=(2, 36)), "32-bit"),
        (Machine(implementation="cpython", python=Python(minor=11), platform="win32"), "32-bit"),
        (Machine(implementation="pypy", python=Python(minor=11), platform="linux-x86_64", glibc=(2, 36)), "is pypy"),
        (Machine(implementation="cpython", python=Python(minor=11), platform="freebsd-amd64", glibc=(2, 1)), "freebsd"),
    ],
)
def test_a_machine_that_cannot_be_pressed_for_is_refused_when_nothing_is_asked(machine, reason):
    [problem] = problems(None, None, {}, machine)
    assert reason in problem.what
    assert problem.hint


def test_any_machine_may_press_for_another_one():
    musl = Machine(implementation="pypy", python=Python(minor=11), platform="linux-i686")
    assert resolve("3.12", "osx-arm64", {}, musl).subdir == "osx-arm64"
