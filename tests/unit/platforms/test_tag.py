"""A platform tag is read in one place, whatever its system is; so is the ending of an extension module."""

from __future__ import annotations

import pytest

from mamba_press import platforms
from mamba_press.platforms.tag import TAGGED, Tag


@pytest.mark.parametrize(
    "tag",
    [
        Tag(
            text="manylinux_2_28_x86_64",
            system="linux",
            family="manylinux",
            arch="x86_64",
            machines=("x86_64",),
            floor=(2, 28),
            is_known=True,
        ),
        Tag(
            text="macosx_11_0_universal2",
            system="osx",
            family="macosx",
            arch="universal2",
            machines=("arm64", "x86_64"),
            floor=(11, 0),
            is_known=True,
        ),
        Tag(text="win_amd64", system="win", family="win", arch="amd64", machines=("x86_64",), is_known=True),
    ],
    ids=lambda tag: tag.text,
)
def test_a_tag_says_system_family_machines_and_floor(tag):
    assert platforms.parse(tag.text) == tag


@pytest.mark.parametrize("text", ["any", "", "pyodide_2025_0_wasm32", "ios_13_0_arm64_iphoneos"])
def test_a_tag_of_a_system_that_is_not_known_is_none(text):
    assert platforms.parse(text) is None


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("_x.cpython-312-x86_64-linux-gnu.so", {"posix": "12", "flags": ""}),
        ("_x.cpython-36m-darwin.so", {"posix": "6", "flags": "m"}),
        ("_x.cpython-314t-darwin.so", {"posix": "14", "flags": "t"}),
        ("_x.cp313-win_amd64.pyd", {"win": "13", "threads": ""}),
        ("_x.cp314t-win_arm64.pyd", {"win": "14", "threads": "t"}),
        ("_x.abi3.so", None),
        ("_x.so", None),
        ("_x.cpython-312-x86_64-linux-gnu.so.1", None),
        ("_x.pypy310-pp73-win_amd64.pyd", None),
    ],
)
def test_the_ending_of_a_module_says_for_which_python_it_is(name, groups):
    found = TAGGED.search(name)
    assert (found and {key: value for key, value in found.groupdict().items() if value is not None}) == groups
