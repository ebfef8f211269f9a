"""The grammar of Windows' platform tags."""

from __future__ import annotations

import pytest

from mamba_press.platforms.windows import tag


@pytest.mark.parametrize(
    ("text", "arch", "machines"),
    [
        ("win_amd64", "amd64", ("x86_64",)),
        ("win_arm64", "arm64", ("aarch64",)),
        ("win32", "win32", ("i686",)),
        ("win_ia64", "ia64", ()),
    ],
)
def test_a_tag_says_for_which_machines_it_is(text, arch, machines):
    found = tag.parse(text)
    assert found is not None
    assert (found.arch, found.machines) == (arch, machines)


@pytest.mark.parametrize("text", ["win", "windows_amd64", "any", "linux_x86_64"])
def test_tag_of_another_system_is_not_read(text):
    assert tag.parse(text) is None


def test_the_name_has_no_version():
    assert tag.name(None, "arm64") == "win_arm64"
