"""Which files of the packages stay, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from mamba_press.errors import ContentError
from mamba_press.platforms import strings
from mamba_press.types import OWN
from tests.support.macho import Dylib, dylib, universal
from tests.support.selection import SITE, kept, left, pressed, problems
from tests.support.values import TARGET, package

# What the user says


def test_only_lets_everything_else_leave_but_what_is_included(prefix):
    prefix.add("share/app/data.txt", of="app")
    prefix.add("share/other/data.txt", of="app")
    prefix.add("etc/app.conf", of="app")
    prefix.package("app", requested=True)
    selection = pressed(prefix, select={"only": ["share/app/**"], "include": ["etc/**"]})
    assert set(kept(selection)) == {"etc/app.conf", "share/app/data.txt"}
    assert left(selection)["share/other/data.txt"] == "select.only does not name it"


def test_a_module_of_a_requested_package_that_is_only_there_compiled_is_refused_unless_it_is_to_leave(prefix):
    site = "lib/python3.10/site-packages"
    prefix.add(f"{site}/app/secret.pyc", of="app")
    for name in ("plain.py", "fast.cpython-310-x86_64-linux-gnu.so"):
        prefix.add(f"{site}/app/{name}", of="app")
        prefix.add(f"{site}/app/{name.partition('.')[0]}.pyc", of="app")
    prefix.add(f"{site}/app/__pycache__/gone.cpython-310.pyc", of="app")
    prefix.add(f"{site}/dep/secret.pyc", of="dep")
    (problem,) = problems(prefix)
    assert problem == (
        f"{site}/app/secret.pyc (app): is a module without its source, compiled for one Python: a wheel has none such\n"
        f'  if nothing needs it, say so: [tool.mamba-press.select] exclude = ["{site}/app/secret.pyc"]'
    )
    assert f"{site}/app/secret.pyc" in left(pressed(prefix, select={"exclude": ["**/secret.pyc"]}))


def test_without_the_default_filters_only_conda_s_own_records_and_compiled_python_leave(prefix):
    prefix.add("include/app.h", of="app")
    prefix.add("share/doc/app/README", of="app")
    prefix.add("etc/conda/activate.d/app.sh", of="app")
    prefix.add("lib/python3.10/site-packages/app/__pycache__/app.cpython-310.pyc", of="app")
    prefix.package("app", requested=True)
    selection = pressed(prefix, select={"default-filters": False})
    assert set(kept(selection)) == {"include/app.h", "share/doc/app/README"}


INSIDE = (
    *("core/lib/libnpymath.a", "core/include/app.h", "data/1abc.pdb", "data/song.mod", "data/cells.lib", "app.la"),
    *("lib/pkgconfig/app.pc", "cmake/AppConfig.cmake", "share/man/man1/app.1", "share/doc/app.txt", "app.debug"),
)


@pytest.mark.parametrize("site", ["lib/python3.10/site-packages", "Lib/site-packages"])
def test_what_lies_in_a_python_package_is_that_package_s_and_no_file_of_a_prefix_to_compile_with(prefix, site):
    for path in INSIDE:
        prefix.add(f"{site}/app/{path}", of="app")
    prefix.add(f"{site}/app/__pycache__/app.cpython-310.pyc", of="app")
    prefix.add(f"{site}/easy-install.pth", of="app")
    prefix.package("app", requested=True)
    assert set(kept(pressed(prefix))) == {f"{site}/app/{path}" for path in INSIDE}


def test_conda_s_launchers_for_windows_leave_and_other_programs_stay(prefix):
    for name in ("app-script.py", "app.exe", "window-script.pyw", "window.exe", "other.exe", "more-script.txt"):
        prefix.add(f"Scripts/{name}", of="app")
    prefix.add("Scripts/more.exe", of="app")
    selection = pressed(prefix)
    assert left(selection) == {
        "Scripts/app.exe": "a launcher that installers make themselves",
        "Scripts/window.exe": "a launcher that installers make themselves",
    }


def test_only_where_libraries_lie_a_pdb_or_lib_file_is_one_for_compilers(prefix):
    stays = ["share/app/1abc.pdb", "Library/share/app/1abc.pdb", "share/app/cells.lib", "etc/app/cells.lib"]
    leaves = [
        "lib/app.pdb",
        "Library/bin/app.pdb",
        "Library/lib/app.lib",
        "libs/app.lib",
        "Library/mingw-w64/lib/a.lib",
    ]
    for path in (*stays, *leaves):
        prefix.add(path, of="app")
    prefix.package("app", requested=True)
    selection = pressed(prefix)
    assert set(kept(selection)) == set(stays)
    assert set(left(selection)) == set(leaves)


def test_include_is_stronger_than_exclude_and_than_the_filters(prefix):
    prefix.add("include/app/a.h", of="app")
    prefix.add("include/app/b.h", of="app")
    selection = pressed(prefix, select={"include": ["include/app/a.h"], "exclude": ["include/**"]})
    assert set(kept(selection)) == {"include/app/a.h"}
    assert left(selection) == {"include/app/b.h": "select.exclude has 'include/**'"}


def test_data_of_a_dependency_that_is_included_brings_no_other_data_with_it(prefix, elf):
    prefix.add("share/app/x", of="app")
    prefix.add("lib/libtinfo.so.6", elf.library("libtinfo.so.6"), of="ncurses")
    prefix.add("share/terminfo/x/xterm", of="ncurses")
    prefix.add("share/terminfo/v/vt100", of="ncurses")
    why = kept(pressed(prefix, select={"include": ["share/terminfo/x/*"]}))
    assert why == {"share/app/x": "of a requested package", "share/terminfo/x/xterm": "select.include"}


def test_a_library_of_a_dependency_that_is_included_brings_what_it_needs_and_its_data(prefix, elf):
    prefix.add("share/app/x", of="app")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1", "libmore.so.1"), of="dep")
    prefix.add("share/dep/x", of="dep")
    prefix.add("lib/libmore.so.1", elf.library("libmore.so.1"), of="more")
    why = kept(pressed(prefix, select={"include": ["lib/libdep.so.1"]}))
    assert why["share/dep/x"] == "data of a dependency"
    assert why["lib/libmore.so.1"] == "needed by lib/libdep.so.1"


def test_what_a_file_says_of_names_and_paths_is_kept_with_it(prefix, elf):
    said = {"etc/app.conf": "libapp.so.1", "share/dep/notes.txt": "open libdep.so.1"}
    prefix.add("etc/app.conf", said["etc/app.conf"], of="app")
    prefix.add("lib/libapp.so.1", elf.library("libapp.so.1", "libdep.so.1"), of="app")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1"), of="dep")
    prefix.add("share/dep/notes.txt", said["share/dep/notes.txt"], of="dep")
    found = {each.file.path: each.strings for each in pressed(prefix).kept}
    assert found == {path: strings.look(prefix.root / path) for path in found}
    assert {path: found[path].names for path in said} == {
        path: frozenset(text.split()[-1:]) for path, text in said.items()
    }


@pytest.mark.parametrize("folder", ["app-1.0.dist-info", "app-1.0.egg-info"])
def test_a_library_whose_name_only_metadata_mention_is_not_reached(prefix, elf, folder):
    prefix.add(f"{SITE}/{folder}/RECORD", "libarchive.so.13", of="app")
    prefix.add("lib/libarchive.so.13", elf.library("libarchive.so.13"), of="dep")
    assert "lib/libarchive.so.13" not in kept(pressed(prefix))


def test_a_linker_script_is_not_opened_by_name(prefix):
    prefix.add(f"{SITE}/app.py", "CDLL('libdep.so')", of="app")
    prefix.add("lib/libdep.so", "INPUT(libdep.so.1)", of="dep")
    assert set(kept(pressed(prefix))) == {f"{SITE}/app.py"}


def test_own_code_opens_what_it_asks_the_module_for_and_what_it_names(prefix, elf):
    own(prefix, __init__='from mine import _mamba_press\n_mamba_press.library("dep")\nCDLL("libother.so.1")')
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1"), of="dep")
    prefix.add("lib/libother.so.1", elf.library("libother.so.1"), of="dep")
    own(prefix, alone='from mine import _mamba_press\n_mamba_press.library("more")')
    prefix.add("lib/libmore.so.1", elf.library("libmore.so.1"), of="dep")
    selection = pressed(prefix, packages=[], host=["dep"])
    assert {path for path in kept(selection) if path.startswith("lib/lib")} == {
        "lib/libdep.so.1",
        "lib/libmore.so.1",
        "lib/libother.so.1",
    }


def test_a_library_that_a_requested_package_opens_by_name_is_reached(prefix, elf):
    prefix.add("lib/python3.10/site-packages/app.py", "CDLL('libarchive.so')", of="app")
    prefix.add("lib/libarchive.so.13.7", elf.library("libarchive.so.13"), of="dep")
    prefix.link("lib/libarchive.so", "lib/libarchive.so.13.7", of="dep")
    why = kept(pressed(prefix))
    assert why["lib/libarchive.so.13.7"] == "opened by name by lib/python3.10/site-packages/app.py"
    assert "lib/libarchive.so" not in why


def test_a_library_that_a_reached_library_of_a_dependency_opens_by_name_is_reached(prefix, elf):
    opens = 'const char *name = "libcore.so.2";'
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libswitch.so.9"), of="app")
    prefix.add("lib/libswitch.so.9", elf.library("libswitch.so.9", source=opens), of="dep")
    prefix.add("lib/libcore.so.2", elf.library("libcore.so.2", "libmore.so.1"), of="dep")
    prefix.add("lib/libmore.so.1", elf.library("libmore.so.1"), of="more")
    why = kept(pressed(prefix))
    assert why["lib/libcore.so.2"] == "opened by name by lib/libswitch.so.9"
    assert why["lib/libmore.so.1"] == "needed by lib/libcore.so.2"


def test_what_only_an_unreached_library_of_a_dependency_opens_is_not(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libswitch.so.9"), of="app")
    prefix.add("lib/libswitch.so.9", elf.library("libswitch.so.9"), of="dep")
    prefix.add("lib/libother.so.1", elf.library("libother.so.1", source='const char *n = "libcore.so.2";'), of="dep")
    prefix.add("lib/libcore.so.2", elf.library("libcore.so.2"), of="dep")
    assert kept(pressed(prefix)).keys() == {"lib/libapp.so", "lib/libswitch.so.9"}


def test_a_plugin_that_is_opened_by_name_may_leave_where_something_of_it_is_missing(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", source='const char *n = "libplug.so";'), of="app")
    prefix.add("lib/plugins/libplug.so", elf.library("libplug.so", "libgone.so.1"), of="dep")
    selection = pressed(prefix, link={"missing": "drop"})
    assert kept(selection).keys() == {"lib/libapp.so"}
    assert "libgone.so.1" in left(selection)["lib/plugins/libplug.so"]


def test_a_library_whose_name_only_a_build_description_or_a_readme_mentions_is_not_reached(prefix, elf):
    for name in ("app.cmake", "README.md", "notes.html"):
        prefix.add(f"{SITE}/app/{name}", "see libarchive.so.13", of="app")
    prefix.add("lib/libarchive.so.13", elf.library("libarchive.so.13"), of="dep")
    assert "lib/libarchive.so.13" not in kept(pressed(prefix))


def test_a_library_whose_name_only_a_text_of_a_dependency_mentions_is_not_reached(prefix, elf):
    prefix.add("lib/python3.10/site-packages/app.py", "pass", of="app")
    prefix.add("share/dep/notes.txt", "see libarchive.so", of="data")
    prefix.add("lib/libarchive.so.13.7", elf.library("libarchive.so.13"), of="dep")
    prefix.link("lib/libarchive.so", "lib/libarchive.so.13.7", of="dep")
    assert "lib/libarchive.so.13.7" not in kept(pressed(prefix))


# What is wrong


def test_a_library_that_is_nowhere_is_an_error_that_says_who_needs_it_and_where_it_was_looked_for(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libgone.so.1", "libc.so.6", runpath="$ORIGIN/x"), of="app")
    prefix.add("lib/libbpp.so", elf.library("libbpp.so", "libgone.so.2"), of="app")
    first, second = problems(prefix)
    assert first.startswith("lib/libapp.so (app): needs libgone.so.1, which is in no package of the solution")
    assert "$ORIGIN/x, lib/, the whole prefix" in first
    assert "libgone.so.2" in second


@pytest.mark.parametrize("key", ["prune", "prune-alone"])
def test_of_a_library_that_is_nowhere_the_pruned_packages_are_named(prefix, elf, key):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libkrb5.so.3"), of="app")
    (problem,) = problems(prefix, select={key: ["krb5", "icu*"]})
    assert "needs libkrb5.so.3, which is in no package that select.prune lets stay and not promised" in problem
    assert "if krb5 or icu* has it, take that out of select.prune; else add the conda package" in problem


def test_a_needed_library_that_is_excluded_is_told_as_excluded(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libdep.so.1"), of="app")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1"), of="dep")
    (problem,) = problems(prefix, select={"exclude": ["lib/libdep*"]})
    assert "needs libdep.so.1; the solution has it as lib/libdep.so.1, which is excluded" in problem


def test_what_link_system_names_may_be_missing(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libodbc.so.2"), of="app")
    (app,) = pressed(prefix, link={"system": ["libodbc.so"]}).kept
    assert [(link.where, link.why) for link in app.links] == [("system", "link.system says so")]


def test_what_link_remove_names_is_no_longer_needed(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libodbc.so.2"), of="app")
    (app,) = pressed(prefix, link={"remove": ["libodbc.so"]}).kept
    assert [(link.where, link.why) for link in app.links] == [("removed", "link.remove says so")]


def test_a_plugin_leaves_whose_library_is_missing_through_several_others(prefix, elf):
    prefix.add("lib/libapp.so.1", elf.library("libapp.so.1"), of="app")
    prefix.add("lib/plugins/app.so", elf.library(None, "liba.so.1"), of="app")
    chain = ["liba.so.1", "libb.so.1", "libc1.so.1", "libgone.so.1"]
    for name, needed in pairwise(chain):
        prefix.add(f"lib/{name}", elf.library(name, needed), of="dep")
    assert sorted(kept(pressed(prefix, link={"missing": "drop"}))) == ["lib/libapp.so.1"]


def test_a_plugin_whose_library_is_missing_leaves_with_what_only_it_needs_where_link_missing_says_so(prefix, elf):
    prefix.add("lib/libapp.so.1", elf.library("libapp.so.1"), of="app")
    prefix.add("lib/plugins/app.so", elf.library(None, "libdep.so.1"), of="app")
    prefix.add("lib/plugins/good.so", elf.library(None, "libapp.so.1"), of="app")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1", "libgone.so.1"), of="dep")
    assert "needs libgone.so.1" in problems(prefix)[0]
    selection = pressed(prefix, link={"missing": "drop"})
    assert sorted(kept(selection)) == ["lib/libapp.so.1", "lib/plugins/good.so"]
    assert left(selection)["lib/plugins/app.so"].startswith("link.missing: lib/libdep.so.1 needs libgone.so.1")
    assert left(selection)["lib/libdep.so.1"] == "no library of this dependency is reached"
    assert any("lib/plugins/app.so (app) is left out" in note for note in selection.notes)


def test_what_is_no_plugin_is_an_error_even_where_link_missing_is_drop(prefix, elf):
    site = "lib/python3.10/site-packages"
    module = elf.library(None, "libgone.so.1", source="int PyInit_app(void) { return 0; }")
    prefix.add(f"{site}/app.so", module, of="app")
    prefix.add("lib/libapp.so.1", elf.library("libapp.so.1", "libgone.so.2"), of="app")
    prefix.add("lib/plugins/app.so", elf.library(None, "libgone.so.3"), of="app")
    prefix.add("bin/app", elf.program("libgone.so.4"), of="app")
    found = problems(prefix, link={"missing": "drop"})
    assert [problem.split(" ")[0] for problem in found] == ["bin/app", "lib/libapp.so.1", f"{site}/app.so"]


def with_drm(prefix, elf):
    """A module without, and a plugin and a library with a library that only some systems have."""
    prefix.add(f"{SITE}/app.so", elf.library(None, source="int PyInit_app(void) { return 0; }"), of="app")
    prefix.add("lib/plugins/video.so", elf.library(None, "libva.so.2"), of="app")
    prefix.add("lib/plugins/sound.so", elf.library(None, "libc.so.6"), of="app")
    prefix.add("lib/libva.so.2", elf.library("libva.so.2", "libdrm.so.2", "libgone.so.1"), of="libva")


def test_a_plugin_leaves_that_needs_what_no_tag_promises_where_link_unpromised_says_so(prefix, elf):
    with_drm(prefix, elf)
    selection = pressed(prefix, link={"unpromised": "drop", "system": ["libgone.so"]})
    assert sorted(kept(selection)) == ["lib/plugins/sound.so", f"{SITE}/app.so"]
    assert left(selection)["lib/plugins/video.so"] == (
        "link.unpromised: lib/libva.so.2 needs libdrm.so.2, which no manylinux tag promises"
    )


def test_what_no_tag_promises_is_an_error_that_says_why_where_link_unpromised_says_so(prefix, elf):
    with_drm(prefix, elf)
    (problem,) = problems(prefix, link={"unpromised": "error", "system": ["libgone.so"]})
    assert problem == (
        "lib/libva.so.2 (libva): needs libdrm.so.2, which no manylinux tag promises; it has to come from the system, "
        "for it speaks to the kernel's graphics devices together with the driver\n"
        "  name it in link.system if every user has it, or leave this file out: [tool.mamba-press.select] exclude = "
        '["lib/libva.so.2"]'
    )


def test_what_no_tag_promises_and_is_no_plugins_is_an_error_where_the_plugins_leave(prefix, elf):
    prefix.add("lib/libapp.so.1", elf.library("libapp.so.1", "libudev.so.1"), of="app")
    (problem,) = problems(prefix, link={"unpromised": "drop"})
    assert problem.startswith("lib/libapp.so.1 (app): needs libudev.so.1, which no manylinux tag promises")


@pytest.mark.parametrize("link", [{}, {"unpromised": "error", "system": ["libudev.*", "libEGL.so"]}])
def test_what_no_tag_promises_may_be_needed_and_is_taken_for_granted_where_link_system_names_it(prefix, elf, link):
    prefix.add("lib/libapp.so.1", elf.library("libapp.so.1", "libudev.so.1", "libEGL.so.1", "libGL.so.1"), of="app")
    (found,) = pressed(prefix, link=link).kept
    assert [each.where for each in found.links] == ["system"] * 3


def test_a_missing_library_is_no_unpromised_one(prefix, elf):
    with_drm(prefix, elf)
    (problem,) = problems(prefix, link={"missing": "error", "unpromised": "report"})
    assert "needs libgone.so.1, which is in no package of the solution" in problem
    dropped = left(pressed(prefix, link={"missing": "drop"}))
    assert dropped["lib/plugins/video.so"].startswith("link.missing: lib/libva.so.2 needs libgone.so.1")


def test_nothing_leaves_where_nothing_is_missing(prefix, elf):
    prefix.add("lib/plugins/app.so", elf.library(None, "libdep.so.1", "libgomp.so.1"), of="app")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1"), of="dep")
    table = {"missing": "drop", "runtimes": {"libgomp": "system"}}
    assert sorted(kept(pressed(prefix, link=table))) == ["lib/libdep.so.1", "lib/plugins/app.so"]


def test_a_library_of_another_wheel_is_not_packed(prefix, elf):
    prefix.add("lib/libapp.so.1", elf.library("libapp.so.1", "libdep.so.1"), of="app")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1"), of="dep")
    selection = pressed(prefix, link={"external": {"libdep.so": "dep >=1: dep/lib/libdep.so"}})
    assert sorted(kept(selection)) == ["lib/libapp.so.1"]


@pytest.mark.parametrize(
    ("unused", "stays"),
    [
        (None, ["app", "opened", "plug"]),
        ("drop", ["opened", "plug"]),
        ("keep", ["app", "dep", "opened", "plug"]),
    ],
)
def test_libraries_that_nothing_needs_stay_or_leave_as_link_unused_libraries_says(prefix, elf, unused, stays):
    prefix.add("lib/libapp.so.1", elf.library("libapp.so.1"), of="app")
    prefix.add("lib/libopened.so.1", elf.library("libopened.so.1"), of="app")
    prefix.add("lib/plugins/libplug.so", elf.library(None), of="app")
    prefix.add("share/app/load.conf", "open libopened.so.1", of="app")
    prefix.add("lib/libdep.so.1", elf.library("libdep.so.1"), of="dep")
    selection = pressed(prefix, link={"unused-libraries": unused} if unused else {})
    names = [path.rpartition("/")[2] for path in kept(selection) if ".so" in path]
    assert sorted(name[3:].partition(".")[0] for name in names) == stays


@pytest.mark.parametrize("file", ["app.py", "app.cpython-310-x86_64-linux-gnu.so", "app.pyd"])
@pytest.mark.parametrize("own", ["file", "folder"])
def test_a_module_that_a_package_of_the_same_name_hides_is_an_error_that_names_both(prefix, file, own):
    prefix.packages[OWN] = package(OWN, requested=True)
    module, folder = (OWN, "app") if own == "file" else ("app", OWN)
    prefix.add(f"{SITE}/{file}", "x", of=module)
    prefix.add(f"{SITE}/app/__init__.py", "y", of=folder)
    (problem,) = problems(prefix)
    assert problem.startswith(f"{SITE}/{file}: of {module} would never be imported: app/ of {folder} hides it")
    assert "press the package or ship the code" in problem


def test_what_conda_packages_hide_of_one_another_is_as_in_conda(prefix):
    prefix.package("bpp", requested=True)
    prefix.add(f"{SITE}/app.py", of="app")
    prefix.add(f"{SITE}/app/__init__.py", of="bpp")
    assert len(kept(pressed(prefix))) == 2


def test_different_files_of_two_packages_at_one_path_are_an_error_that_names_both(prefix):
    prefix.package("bpp", requested=True)
    prefix.add("share/x", "one", of="app")
    prefix.add("share/x", "two", of="bpp")
    (problem,) = problems(prefix)
    assert problem.startswith("share/x: 2 different files would lie here, of app and of bpp")
    assert kept(pressed(prefix, select={"exclude": ["share/x"]})) == {}


def test_a_path_of_two_packages_is_no_error_where_one_of_them_leaves(prefix, elf):
    prefix.add("share/x", "one", of="app")
    prefix.add("lib/libzzz.so.1", elf.library("libzzz.so.1"), of="zzz")
    prefix.add("share/x", "two", of="zzz")
    selection = pressed(prefix)
    assert [(each.file.path, each.file.package) for each in selection.kept] == [("share/x", "app")]


def test_a_broken_binary_is_an_error_that_names_file_and_package(prefix):
    prefix.add("lib/libapp.so", b"\x7fELF\x02\x01\x01" + b"\0" * 9, of="app")
    (problem,) = problems(prefix)
    assert problem.startswith("lib/libapp.so (app): is a broken binary: ")
    assert problem.endswith('\n  leave it out: [tool.mamba-press.select] exclude = ["lib/libapp.so"]')


def test_two_openmp_runtimes_are_an_error(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libgomp.so.1", "libomp.so"), of="app")
    prefix.add("lib/libgomp.so.1", elf.library("libgomp.so.1"), of="gcc")
    prefix.add("lib/libomp.so", elf.library("libomp.so"), of="llvm")
    (problem,) = problems(prefix)
    assert "lib/libgomp.so.1 (gcc), lib/libomp.so (llvm): two OpenMP runtimes" in problem


# Machines


def test_a_library_for_another_machine_is_left_as_it_is_and_told(prefix, elf):
    data = bytearray(elf.library("libapp.so", "libgone.so.1").read_bytes())
    data[18:20] = (183).to_bytes(2, "little")  # e_machine: aarch64
    prefix.add("share/app/libapp.so", bytes(data), of="app")
    selection = pressed(prefix)
    assert [each.links for each in selection.kept] == [()]
    assert selection.notes == ("left as they are, for they are for another machine: share/app/libapp.so",)
    for name in "bcd":
        prefix.add(f"share/app/lib{name}.so", bytes(data), of="app")
    (note,) = pressed(prefix).notes
    assert note.endswith(": share/app/libapp.so, share/app/libb.so, share/app/libc.so (and 1 more)")


def test_a_needed_library_is_never_one_for_another_machine_nor_a_linker_script(prefix, elf):
    data = bytearray(elf.library("libdep.so").read_bytes())
    data[18:20] = (183).to_bytes(2, "little")
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libdep.so", runpath="$ORIGIN/arm"), of="app")
    prefix.add("lib/arm/libdep.so", bytes(data), of="dep")
    prefix.add("lib/libdep.so", "INPUT(libdep.so.1)", of="dep")
    prefix.add("lib/right/libdep.so", elf.library("libdep.so"), of="dep")
    app = next(each for each in pressed(prefix).kept if each.file.path == "lib/libapp.so")
    assert [link.path for link in app.links] == ["lib/right/libdep.so"]


def test_launchers_for_windows_are_data(prefix):
    prefix.add("share/app/t64.exe", b"MZ" + b"\0" * 58 + b"\x40\0\0\0PE\0\0" + b"\0" * 100, of="app")
    (only,) = pressed(prefix).kept
    assert only.binary is None


# Own code and what it is built for


def own(prefix, **files):
    prefix.packages[OWN] = package(OWN, requested=True)
    for name, text in files.items():
        prefix.add(f"lib/python3.10/site-packages/mine/{name}.py", text, of=OWN)
    return prefix


def test_all_of_own_code_stays_whatever_a_filter_says_of_packages(prefix):
    own(prefix, __init__="")
    prefix.add("include/python3.10/mine/mine.h", of=OWN)
    prefix.add("share/doc/mine.html", of=OWN)
    prefix.add("lib/libmine.so", "INPUT(libother.so)", of=OWN)
    assert set(kept(pressed(prefix, packages=[])).values()) == {"of the project"}
    assert len(kept(pressed(prefix, packages=[]))) == 4


def test_a_library_of_the_building_machine_that_own_code_needs_is_to_be_added_to_host(prefix, elf):
    own(prefix)
    prefix.add("lib/python3.10/site-packages/mine/_mine.so", elf.library(None, "libxcb.so.1"), of=OWN)
    with pytest.raises(ContentError) as raised:
        pressed(prefix, packages=[])
    (problem,) = raised.value.problems
    assert "needs libxcb.so.1, which is in no package of the solution" in problem.what
    assert "to host, or, if the build found one of this machine, tell it not to" in str(problem.hint)


def test_of_host_packages_only_what_is_reached_stays(prefix, elf):
    own(prefix, __init__="CDLL('libgeos_c.so.1')")
    prefix.package("geos", "certificates", "left")
    prefix.add("lib/libgeos_c.so.1", elf.library("libgeos_c.so.1", "libgeos.so.3"), of="geos")
    prefix.add("lib/libgeos.so.3", elf.library("libgeos.so.3"), of="geos")
    prefix.add("lib/libextra.so.1", elf.library("libextra.so.1"), of="geos")
    prefix.add("bin/geosop", elf.program("libgeos.so.3"), of="geos")
    prefix.add("share/geos/x", of="geos")
    prefix.add("ssl/cacert.pem", of="certificates")
    prefix.package("png", "words")
    prefix.add("lib/libpng.so.1", elf.library("libpng.so.1"), of="png")
    prefix.add("share/words/x", of="words")
    prefix.package("eigen").add("share/eigen3/Eigen", of="eigen")
    selection = pressed(prefix, packages=[], host=["geos", "png", "eigen"])
    assert sorted(path for path in kept(selection) if "site-packages" not in path) == [
        "lib/libgeos.so.3",
        "lib/libgeos_c.so.1",
        "share/geos/x",
        "ssl/cacert.pem",
    ]


def test_what_a_requested_package_needs_stays_though_it_is_in_host_too(prefix):
    prefix.package("app", "words", requested=True).add("share/app/x", of="app")
    prefix.add("share/words/x", of="words")
    assert sorted(kept(pressed(prefix, host=["words"]))) == ["share/app/x", "share/words/x"]


def test_own_code_and_a_package_that_have_the_same_file_are_both_named(prefix):
    own(prefix, __init__="mine")
    prefix.add("lib/python3.10/site-packages/mine/__init__.py", "theirs", of="app")
    (problem,) = problems(prefix)
    assert "of app and of the project" in problem
    assert "[tool.mamba-press.sources] modules = []" in problem


def test_a_slice_that_is_not_edited_is_named(prefix):
    target = replace(TARGET, system="osx", arch="arm64", subdir="osx-arm64", floor=(11, 0))
    old = (0xFEEDFACE).to_bytes(4, "little") + (7).to_bytes(4, "little") + bytes(56)
    prefix.add("lib/libapp.dylib", universal(old, dylib(Dylib())), of="app")
    assert pressed(prefix, target).notes == (
        "the slice of lib/libapp.dylib for i386 is not edited: it asks for libraries by old names",
    )


def test_the_slices_that_are_not_edited_are_named_together(prefix):
    target = replace(TARGET, system="osx", arch="arm64", subdir="osx-arm64", floor=(11, 0))
    old = [(0xFEEDFACE).to_bytes(4, "little") + cpu.to_bytes(4, "little") + bytes(56) for cpu in (7, 18)]
    prefix.add("lib/libapp.dylib", universal(*old, dylib(Dylib())), of="app")
    assert pressed(prefix, target).notes == (
        "the slice of lib/libapp.dylib for i386 and for ppc is not edited: it asks for libraries by old names",
    )
