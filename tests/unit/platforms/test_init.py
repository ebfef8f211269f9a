"""Which system a target, a tag, a folder or a binary is of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press import platforms
from tests.support.values import TARGET, binary


@pytest.mark.parametrize(
    ("tag", "system"),
    [
        ("manylinux_2_28_x86_64", "linux"),
        ("linux_aarch64", "linux"),
        ("macosx_11_0_arm64", "osx"),
        ("win_amd64", "win"),
        ("any", None),
        ("beos_x86", None),
    ],
)
def test_a_tag_is_of_a_system(tag, system):
    found = platforms.facts_of(tag)
    assert (found and found.system) == system


@pytest.mark.parametrize(
    ("system", "kind", "module"), [("linux", "elf", "linux"), ("osx", "macho", "macos"), ("win", "pe", "windows")]
)
def test_a_system_has_a_format_and_a_module_that_answers(system, kind, module):
    assert platforms.facts(replace(TARGET, system=system)).format == kind
    assert platforms.facts_for(binary(format=kind)).system == system
    assert platforms.of(system).__name__ == f"mamba_press.platforms.{module}.platform"


@pytest.mark.parametrize(
    ("subdir", "system"),
    [("linux-64", "linux"), ("osx-arm64", "osx"), ("win-64", "win"), ("noarch", None)],
)
def test_a_subdir_is_of_a_system(subdir, system):
    found = platforms.of_subdir(subdir)
    assert (found and found.system) == system


@pytest.mark.parametrize(
    ("name", "kind", "own"),
    [
        ("libx.so.1", "elf", "libx.so.1"),
        ("@rpath/libx.1.dylib", "macho", "libx.1.dylib"),
        ("x.dll", "pe", None),
        (None, "elf", None),
    ],
)
def test_a_library_has_a_name_for_itself_where_its_loader_asks_for_it(name, kind, own):
    assert platforms.own_name(binary(name, format=kind)) == own


@pytest.mark.parametrize(
    ("path", "there"), [("lib/libx.so", True), ("Library/bin/x.dll", True), ("x.dll", True), ("lib/sub/libx.so", False)]
)
def test_the_library_folders_of_all_systems_are_known(path, there):
    assert platforms.in_library_folder(path) is there


def test_a_path_that_windows_cannot_have_is_told_where_the_tag_promises_windows():
    paths = ["a/aux.txt", "a/b.txt"]
    assert [path for path, _ in platforms.impossible(paths, ["win_amd64"])] == ["a/aux.txt"]
    assert [path for path, _ in platforms.impossible(paths, ["any"])] == ["a/aux.txt"]
    assert [*platforms.impossible(paths, ["manylinux_2_28_x86_64"])] == []
