"""The grammar of Linux' platform tags."""

from __future__ import annotations

import pytest

from mamba_press.platforms.linux import tag
from mamba_press.platforms.tag import Tag


@pytest.mark.parametrize(
    ("text", "family", "machines", "floor"),
    [
        ("manylinux1_i686", "manylinux", ("i686",), (2, 5)),
        ("manylinux2010_x86_64", "manylinux", ("x86_64",), (2, 12)),
        ("manylinux2014_aarch64", "manylinux", ("aarch64",), (2, 17)),
        ("manylinux_2_31_armv8l", "manylinux", ("armv7l",), (2, 31)),
        ("linux_armv6l", "linux", ("armv7l",), None),
        ("musllinux_1_2_x86_64", "musllinux", (), None),
    ],
)
def test_a_tag_says_for_which_machines_and_which_glibc_it_is(text, family, machines, floor):
    found = tag.parse(text)
    assert found is not None
    assert (found.family, found.machines, found.floor) == (family, machines, floor)


def test_of_a_tag_of_musl_only_the_processor_is_known():
    expected = Tag(text="musllinux_1_2_x86_64", system="linux", family="musllinux", arch="x86_64")
    assert tag.parse("musllinux_1_2_x86_64") == expected


LONG = "9" * 5000


@pytest.mark.parametrize(
    "text",
    [
        *("manylinux2024_x86_64", "manylinux_2_17", "manylinux", "macosx_11_0_arm64", "win32"),
        *(f"manylinux_2_{LONG}_x86_64", f"manylinux{LONG}_x86_64"),
    ],
)
def test_what_is_no_tag_of_linux_is_none(text):
    assert tag.parse(text) is None


@pytest.mark.parametrize("floor", [(2, 5), (2, 17), (2, 34)])
def test_the_name_of_a_floor_is_read_as_that_floor(floor):
    found = tag.parse(tag.name(floor, "x86_64"))
    assert found is not None
    assert (found.floor, found.arch) == (floor, "x86_64")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("manylinux_2_17_x86_64", None),
        ("linux_x86_64", None),
        ("manylinux_2_17_aarch64", None),
        ("manylinux_2_16_aarch64", "is a tag that no system has: manylinux begins with glibc 2.17 on aarch64"),
        ("manylinux_2_31_armv8l", None),
    ],
)
def test_a_tag_that_no_system_has_is_told(text, why):
    found = tag.parse(text)
    assert found is not None
    assert tag.why_no_system(found) == why


def test_a_tag_of_an_architecture_without_manylinux_is_told():
    found = tag.parse("manylinux_2_17_mips64")
    assert found is not None
    assert str(tag.why_no_system(found)).startswith("is a tag that no installer takes: manylinux is for aarch64, ")
