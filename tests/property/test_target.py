from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import mac_platforms

from mamba_press.errors import ConfigError
from mamba_press.platforms.choose_platform import Machine
from mamba_press.platforms.linux import policy
from mamba_press.platforms.target import resolve, virtual_packages
from mamba_press.types import Python

MACHINE = Machine(implementation="cpython", python=Python(minor=11), platform="macosx-arm64")

pythons = st.one_of(
    st.integers(6, 30).map(lambda minor: Python(minor=minor)),
    st.integers(13, 30).map(lambda minor: Python(minor=minor, free_threaded=True)),
)
words = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"\A(many|musl)?linux_?\d{0,4}(_\d_\d\d)?_(x86_64|aarch64|i686|arm64)\Z"),
    st.from_regex(r"\A(macosx|osx|win|linux)[-_][-_.0-9a-z]{0,12}\Z"),
    st.from_regex(r"\A(cp|pp|=|)3[.]?\d{0,3}(t|m|[.][*]|)\Z"),
)
names = st.sampled_from(
    [
        "CIBUILDWHEEL_BUILD_IDENTIFIER", "_PYTHON_HOST_PLATFORM", "ARCHFLAGS", "VSCMD_ARG_TGT_ARCH",
        "MACOSX_DEPLOYMENT_TARGET", "AUDITWHEEL_PLAT",
    ]
)  # fmt: skip


@given(pythons)
def test_a_python_is_read_back_from_how_it_is_written(python):
    for text in (str(python), python.abi, f"{python.interpreter}-{python.abi}"):
        assert resolve(text, "linux-64", {}, MACHINE).python == python


@given(st.none() | words, st.none() | words, st.dictionaries(names, words, max_size=3))
def test_whatever_is_asked_ends_in_a_target_or_in_a_problem_with_a_hint(python, platform, hints):
    try:
        target = resolve(python, platform, hints, MACHINE)
    except ConfigError as error:
        assert all(problem.what and problem.hint for problem in error.problems)  # noqa: PT017
    else:
        assert virtual_packages(target)


# 10.4 is the first macOS on which packaging lets an x86_64 wheel be installed.
versions = st.tuples(st.just(10), st.integers(4, 20)) | st.tuples(st.integers(11, 30), st.integers(0, 20))


@given(versions, st.sampled_from(["arm64", "x86_64"]))
def test_a_macos_floor_is_never_rounded_down_and_has_a_tag(version, arch):
    major, minor = version
    floor = resolve(
        "3.12", None, {"MACOSX_DEPLOYMENT_TARGET": f"{major}.{minor}", "ARCHFLAGS": f"-arch {arch}"}, MACHINE
    ).floor
    assert floor >= (major, minor)
    # Macs of that version accept wheels with that tag, as packaging says.
    assert f"macosx_{floor[0]}_{floor[1]}_{arch}" in set(mac_platforms(floor, arch))


@given(st.sampled_from(policy.ARCHITECTURES), st.integers(0, 60))
def test_a_manylinux_tag_is_taken_exactly_from_the_baseline_on(arch, minor):
    tag = f"manylinux_2_{minor}_{arch}"
    try:
        target = resolve("3.12", tag, {}, MACHINE)
    except ConfigError:
        assert (2, minor) < policy.baseline(arch)
    else:
        assert (target.tag, target.floor) == (tag, (2, minor))
        assert (2, minor) >= policy.baseline(arch)
