"""The grammar of macOS' platform tags."""

from __future__ import annotations

import pytest
from packaging.tags import mac_platforms

from mamba_press.platforms.macos import tag


@pytest.mark.parametrize(
    ("version", "arch", "name"),
    [
        ((10, 9), "x86_64", "macosx_10_9_x86_64"),
        ((10, 6), "x86_64", "macosx_10_9_x86_64"),
        ((10, 9), "arm64", "macosx_11_0_arm64"),
        ((11, 0), "arm64", "macosx_11_0_arm64"),
        ((11, 3), "arm64", "macosx_12_0_arm64"),
        ((15, 4), "arm64", "macosx_26_0_arm64"),
        ((26, 0), "x86_64", "macosx_26_0_x86_64"),
        ((15, 0), "arm64", "macosx_15_0_arm64"),
        ((26, 1), "arm64", "macosx_27_0_arm64"),
        ((10, 4), "ppc", "macosx_10_9_ppc"),
    ],
)
def test_version_stands_in_a_tag_that_there_is(version, arch, name):
    assert tag.name(version, arch) == name


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_every_computed_tag_is_one_that_installers_know(arch):
    known = set(mac_platforms((26, 0), arch))
    for version in [*((10, minor) for minor in range(9, 16)), (11, 0), (15, 0), (26, 0)]:
        assert tag.name(version, arch) in known


@pytest.mark.parametrize(
    ("text", "machines", "floor"),
    [
        ("macosx_11_0_universal2", ("arm64", "x86_64"), (11, 0)),
        ("macosx_10_9_x86_64", ("x86_64",), (10, 9)),
        ("macosx_10_6_intel", (), (10, 6)),
        ("macosx_arm64", ("arm64",), None),
    ],
)
def test_a_tag_says_for_which_machines_and_which_macos_it_is(text, machines, floor):
    found = tag.parse(text)
    assert found is not None
    assert (found.machines, found.floor) == (machines, floor)


def test_tag_of_another_system_is_not_read():
    assert tag.parse("manylinux_2_28_x86_64") is None


def test_a_version_of_thousands_of_digits_is_none():
    found = tag.parse(f"macosx_{'9' * 5000}_0_arm64")
    assert found is None or found.floor is None
