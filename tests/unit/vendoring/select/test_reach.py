"""What is reached from the roots, and what comes along."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.selection import kept, left, pressed
from tests.support.values import TARGET
from tests.support.windows import Dll, dll


def test_of_a_requested_package_everything_stays_but_what_the_filters_name(prefix, elf):
    prefix.add("lib/libapp.so.1", elf.library("libapp.so.1"), of="app")
    prefix.add("bin/app", elf.program(), of="app")
    prefix.add("share/app/data.txt", of="app")
    prefix.add("include/app.h", of="app")
    prefix.add("lib/python3.10/site-packages/app/__pycache__/x.cpython-310.pyc", of="app")
    selection = pressed(prefix)
    assert set(kept(selection)) == {"bin/app", "lib/libapp.so.1", "share/app/data.txt"}
    assert set(kept(selection).values()) == {"of a requested package"}
    assert left(selection)["include/app.h"] == "headers"


def test_of_a_dependency_stay_the_libraries_that_are_reached_and_its_data(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libone.so.1"), of="app")
    prefix.add("lib/libone.so.1", elf.library("libone.so.1", "libtwo.so.2"), of="dep")
    prefix.add("lib/libtwo.so.2", elf.library("libtwo.so.2"), of="dep")
    prefix.add("lib/libother.so.1", elf.library("libother.so.1"), of="dep")
    prefix.add("bin/tool", elf.program(), of="dep")
    prefix.add("share/dep/helper", elf.program(), of="dep")
    prefix.add("share/dep/data", of="dep")
    selection = pressed(prefix)
    assert kept(selection) == {
        "lib/libapp.so": "of a requested package",
        "lib/libone.so.1": "needed by lib/libapp.so",
        "lib/libtwo.so.2": "needed by lib/libone.so.1",
        "share/dep/data": "data of a dependency",
    }
    assert left(selection) == {
        "lib/libother.so.1": "library that nothing needs",
        "bin/tool": "program of a dependency",
        "share/dep/helper": "program of a dependency",
    }


def test_a_dependency_of_which_nothing_is_reached_leaves_whole_and_one_without_binaries_stays(prefix, elf):
    prefix.add("share/app/x", of="app")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1"), of="dep")
    prefix.add("lib/dep/plugin.so", elf.library(), of="dep")
    prefix.add("share/dep/x", of="dep")
    prefix.add("ssl/cacert.pem", of="certificates")
    selection = pressed(prefix)
    assert kept(selection) == {"share/app/x": "of a requested package", "ssl/cacert.pem": "data of a dependency"}
    assert set(left(selection).values()) == {"no library of this dependency is reached"}


@pytest.mark.parametrize("path", ["lib/plugin.so", "lib/dep/plugins/libplugin.so"])
def test_a_plugin_of_a_dependency_comes_along_with_what_it_needs(prefix, elf, path):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libdep.so.1"), of="app")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1"), of="dep")
    soname = "libplugin.so" if "plugins" in path else None
    prefix.add(path, elf.library(soname, "libmore.so.1"), of="dep")
    prefix.add("lib/libmore.so.1", elf.library("libmore.so.1"), of="more")
    why = kept(pressed(prefix))
    assert why[path] == "plugin of a dependency"
    assert why["lib/libmore.so.1"] == f"needed by {path}"


def test_a_library_is_stored_once_and_found_by_the_name_of_a_symlink(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libz.so.1"), of="app")
    prefix.add("lib/libz.so.1.3.1", elf.library("libz.so.1"), of="zlib")
    prefix.link("lib/libz.so.1", "lib/libz.so.1.3.1", of="zlib")
    prefix.link("lib/libz.so", "lib/libz.so.1.3.1", of="zlib-dev")
    selection = pressed(prefix)
    assert set(kept(selection)) == {"lib/libapp.so", "lib/libz.so.1.3.1"}
    assert left(selection) == {"lib/libz.so": "another name of a library", "lib/libz.so.1": "another name of a library"}
    (app,) = (each for each in selection.kept if each.file.path == "lib/libapp.so")
    assert [(link.needed, link.path) for link in app.links] == [("libz.so.1", "lib/libz.so.1.3.1")]


def test_a_symlink_to_a_library_from_elsewhere_is_told_with_the_way_out(prefix, elf):
    prefix.add("lib/libapp.so.1", elf.library("libapp.so.1"), of="app")
    prefix.link("lib/libapp.so", "lib/libapp.so.1", of="app")
    assert not pressed(prefix).notes
    prefix.link("lib/python3.10/site-packages/app/core.so", "lib/libapp.so.1", of="app")
    (note,) = pressed(prefix).notes
    assert "app/core.so is a link to lib/libapp.so.1: wheels have no links" in note
    assert 'layout.move = { "lib/libapp.so.1" = "…" }' in note


def test_a_package_that_is_only_other_names_of_libraries_stores_nothing(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libblas.so.3"), of="app")
    prefix.add("lib/libopenblas.so.0", elf.library("libopenblas.so.0"), of="openblas")
    prefix.link("lib/libblas.so.3", "lib/libopenblas.so.0", of="libblas")
    prefix.link("lib/liblapack.so.3", "lib/libopenblas.so.0", of="libblas")
    assert set(kept(pressed(prefix))) == {"lib/libapp.so", "lib/libopenblas.so.0"}


def test_data_behind_a_symlink_is_copied_even_where_its_end_leaves(prefix):
    prefix.add("share/doc/app/COPYING", "text", of="app")
    prefix.link("share/app/COPYING", "share/doc/app/COPYING", of="app")
    assert set(kept(pressed(prefix))) == {"share/app/COPYING"}


def test_another_name_of_a_library_that_is_excluded_leaves_too(prefix, elf):
    prefix.add("lib/libapp.so.1.2", elf.library("libapp.so.1"), of="app")
    prefix.link("lib/libapp.so.1", "lib/libapp.so.1.2", of="app")
    assert kept(pressed(prefix, select={"exclude": ["lib/libapp.so.1.2"]})) == {}


def test_linker_scripts_leave_and_so_do_symlinks_to_them(prefix):
    prefix.add("lib/libncurses.so", "INPUT(libncurses.so.6 -ltinfo)", of="app")
    prefix.link("lib/libcurses.so", "lib/libncurses.so", of="app")
    assert left(pressed(prefix)) == {"lib/libcurses.so": "a linker script", "lib/libncurses.so": "a linker script"}


def test_a_program_stays_under_each_of_its_names_and_is_a_root(prefix, elf):
    prefix.add("bin/tclsh8.6", elf.program("libdep.so.1"), of="app")
    prefix.link("bin/tclsh", "bin/tclsh8.6", of="app")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1"), of="dep")
    selection = pressed(prefix)
    assert set(kept(selection)) == {"bin/tclsh", "bin/tclsh8.6", "lib/libdep.so.1"}
    assert all(each.binary and each.links for each in selection.kept if each.file.path.startswith("bin/"))


def test_libraries_that_need_each_other_are_both_reached(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "liba.so.1"), of="app")
    prefix.add("lib/liba.so.1", elf.library("liba.so.1", "libb.so.1"), of="dep")
    prefix.add("lib/libb.so.1", elf.library("libb.so.1", "liba.so.1"), of="dep")
    assert len(kept(pressed(prefix))) == 3


def test_a_program_that_wheel_executables_names_is_reached_and_says_so(prefix, elf):
    prefix.add("share/app/x", of="app")
    prefix.add("bin/tool", elf.program("libdep.so.1"), of="dep")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1"), of="dep")
    why = kept(pressed(prefix, wheel={"executables": ["bin/tool"]}))
    assert why["bin/tool"] == "wheel.executables"
    assert why["lib/libdep.so.1"] == "needed by bin/tool"


def test_a_library_that_link_unused_libraries_keeps_says_so(prefix, elf):
    prefix.add("share/app/x", of="app")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1"), of="dep")
    assert kept(pressed(prefix, link={"unused-libraries": "keep"}))["lib/libdep.so.1"] == "link.unused-libraries"


def test_a_library_for_another_machine_is_none_that_could_be_unused(prefix, elf):
    data = bytearray(elf.library("libapp.so.1").read_bytes())
    data[18:20] = (183).to_bytes(2, "little")  # e_machine: aarch64
    prefix.add("lib/libapp.so.1", bytes(data), of="app")
    assert set(kept(pressed(prefix, link={"unused-libraries": "drop"}))) == {"lib/libapp.so.1"}


# Windows

WINDOWS = replace(TARGET, system="win", arch="amd64", subdir="win-64", floor=None)


def windows(prefix, **libraries):
    """A module that needs a library, and libraries."""
    prefix.add("Lib/site-packages/app.cp310-win_amd64.pyd", dll(Dll(imports={"dep.dll": ["value"]})), of="app")
    for path, what in libraries.items():
        prefix.add(path, what, of="dep")


def test_a_dll_of_a_dependency_that_nothing_needs_is_no_program(prefix):
    windows(prefix, **{"Library/bin/dep.dll": dll(Dll()), "Library/bin/other.dll": dll(Dll())})
    prefix.add("Library/bin/tool.exe", dll(Dll(is_library=False)), of="dep")
    selection = pressed(prefix, WINDOWS)
    assert "Library/bin/dep.dll" in kept(selection)
    assert left(selection) == {
        "Library/bin/other.dll": "library that nothing needs",
        "Library/bin/tool.exe": "program of a dependency",
    }


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("a", "a", "another name of a library"),
        ("a", "b", "library that nothing needs"),
        (None, None, "library that nothing needs"),
    ],
)
def test_a_dll_beside_python_is_a_copy_of_the_same_one_in_library_bin(prefix, one, other, why):
    windows(prefix, **{"Library/bin/dep.dll": dll(Dll()), "dep.dll": dll(Dll()), "alone.dll": dll(Dll())})
    hashes = {"Library/bin/dep.dll": one, "dep.dll": other, "alone.dll": one}
    prefix.files = [replace(file, sha256=hashes.get(file.path)) for file in prefix.files]
    selection = pressed(prefix, WINDOWS)
    assert "Library/bin/dep.dll" in kept(selection)
    assert left(selection) == {"alone.dll": "library that nothing needs", "dep.dll": why}
