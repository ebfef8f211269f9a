from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press.config import reader
from mamba_press.errors import ConfigError, ContentError
from mamba_press.types import OWN, Solution
from mamba_press.vendoring import select
from tests.support.macho import Dylib, dylib, universal
from tests.support.values import TARGET, Libraries, Prefix, package

SITE = "lib/python3.10/site-packages"


@pytest.fixture(scope="session")
def elf(tmp_path_factory):
    return Libraries(tmp_path_factory.mktemp("elf"))


@pytest.fixture
def prefix(tmp_path):
    return Prefix(tmp_path / "prefix").package("app", requested=True)


def config(**table):
    return reader.from_values({"packages": ["app"], **table}, {}, {})


def pressed(prefix, target=TARGET, **table):
    return select.files(prefix.environment(), target, config(**table))


def kept(selection):
    return {each.file.path: str(each.why) for each in selection.kept}


def left(selection):
    return {each.path: str(each.why) for each in selection.dropped}


def problems(prefix, target=TARGET, **table):
    with pytest.raises(ContentError) as caught:
        pressed(prefix, target, **table)
    return [str(problem) for problem in caught.value.problems]


# Packages


def solution(*packages):
    return Solution(target=TARGET, packages=packages, channels=())


def closure(*packages, **table):
    stays, dropped = select.packages(solution(*packages), config(**table))
    return [each.name for each in stays], {each.package: str(each.why) for each in dropped}


@pytest.mark.parametrize(
    ("depends", "other", "is_asked"),
    [
        ("typing_extensions 1.0", {}, True),
        ("typing_extensions 1.0", {"version": "2.0"}, False),
        ("six", {"name": "six"}, False),
        ("typing_extensions 1.0", {"depends": ()}, False),
    ],
    ids=["the same", "of another version", "of another name", "no Python package"],
)
def test_what_an_empty_twin_stands_for_is_pressed_as_if_it_had_been_asked_for(depends, other, is_asked):
    asked = package("typing-extensions", depends, requested=True)
    half = replace(package("typing_extensions", "python >=3.8"), **other)
    found = select.vendored(solution(asked, half), config(packages=["typing-extensions"]))
    assert [each.name for each in found.packages if each.requested] == ["typing-extensions", half.name][: 1 + is_asked]


def test_a_twin_that_select_prune_names_stays_out():
    asked = package("typing-extensions", "typing_extensions 1.0", requested=True)
    table = {"packages": ["typing-extensions"], "select": {"prune": ["typing_extensions"]}}
    found = select.vendored(solution(asked, package("typing_extensions", "python >=3.8")), config(**table))
    assert [each.name for each in found.packages if each.requested] == ["typing-extensions"]


@pytest.mark.parametrize("place", [None, "lib/python3.13t/site-packages", "Lib/site-packages"])
def test_a_python_has_its_packages_in_one_of_the_usual_places(place):
    closure(package("app", requested=True), replace(package("python"), site_packages=place))
    with pytest.raises(ContentError, match="has its packages in 'lib/py/site-packages'"):
        closure(package("app", requested=True), replace(package("python"), site_packages="lib/py/site-packages"))


@pytest.mark.parametrize("spec", ["zlib>=1", "forge::zlib", "zlib[version='>=1', build='0']"])
def test_the_closure_follows_every_way_to_write_a_spec(spec):
    assert closure(package("app", spec, requested=True), package("zlib")) == (["app", "zlib"], {})


def test_the_closure_does_not_pass_through_python():
    stays, dropped = closure(
        package("app", "python >=3.10,<3.11.0a0", "python_abi 3.10.* *_cp310", "zlib", requested=True),
        package("zlib"),
        package("python", "libffi", "zlib"),
        package("python_abi", "python 3.10.*"),
        package("libffi"),
    )
    assert stays == ["app", "zlib"]
    assert dropped == {
        "libffi": "only needed by packages that leave",
        "python": "Python is not vendored",
        "python_abi": "Python is not vendored",
    }


def test_python_itself_is_refused():
    with pytest.raises(ConfigError, match="names python: a wheel is installed into a Python"):
        closure(package("python", requested=True))


def test_the_closure_does_not_pass_through_a_python_package_that_nobody_asked_for():
    stays, dropped = closure(
        package("app", "python", "numpy", "click", requested=True),
        package("numpy", "python", "blas"),
        package("click", noarch="python"),
        package("blas"),
    )
    assert stays == ["app"]
    assert dropped["numpy"] == dropped["click"] == "a Python package that nobody asked for"
    assert dropped["blas"] == "only needed by packages that leave"


def test_a_requested_python_package_brings_its_libraries():
    stays, _ = closure(
        package("app", "python", "numpy", requested=True),
        package("numpy", "python", "blas", requested=True),
        package("blas"),
    )
    assert stays == ["app", "blas", "numpy"]


def test_what_is_pruned_leaves_with_all_that_only_it_needs():
    stays, dropped = closure(
        package("app", "krb5", "zlib", requested=True),
        package("krb5", "keyutils", "zlib"),
        package("keyutils"),
        package("zlib"),
        select={"prune": ["krb5"]},
    )
    assert stays == ["app", "zlib"]
    assert dropped == {"keyutils": "only needed by packages that leave", "krb5": "select.prune names it"}


def test_what_is_pruned_alone_leaves_and_what_it_needs_stays():
    stays, dropped = closure(
        package("app", "krb5", requested=True),
        package("krb5", "keyutils"),
        package("keyutils"),
        select={"prune-alone": ["krb5"]},
    )
    assert stays == ["app", "keyutils"]
    assert dropped == {"krb5": "select.prune-alone names it"}


def vendored(*packages, **table):
    found = select.vendored(solution(*packages), config(**table))
    return [each.name for each in found.packages if each.requested]


def test_python_packages_that_are_named_are_pressed_as_if_asked_for():
    packages = (
        package("app", "python", "coal", requested=True),
        package("coal", "python", "eigenpy", "boost"),
        package("eigenpy", noarch="python"),
        package("boost"),
        package("numpy", "python"),
        package("python", "pip"),
        package("pip", noarch="python"),
    )
    assert vendored(*packages) == ["app"]
    assert vendored(*packages, select={"python-packages": ["coal"]}) == ["app", "coal"]
    assert vendored(*packages, select={"python-packages": ["eigenpy"]}) == ["app"]  # only coal needs it
    assert vendored(*packages, select={"python-packages": ["*"]}) == ["app", "coal", "eigenpy"]
    assert vendored(*packages, select={"python-packages": ["*"], "prune": ["coal"]}) == ["app"]


def test_python_itself_is_never_taken_for_a_python_package():
    packages = (package("app", "python", "python_abi", requested=True), package("python"))
    assert vendored(*packages, package("python_abi", "python"), select={"python-packages": ["*"]}) == ["app"]


def test_naming_no_python_package_is_an_error():
    with pytest.raises(ConfigError, match="'zlib' names no Python package of the solution"):
        closure(package("app", "zlib", requested=True), package("zlib"), select={"python-packages": ["zlib"]})


def test_packages_that_need_each_other_end_the_walk():
    stays, _ = closure(package("app", "a", requested=True), package("a", "b"), package("b", "a", "app"))
    assert stays == ["a", "app", "b"]


def test_pruning_what_is_not_there_or_what_is_asked_for_is_an_error():
    with pytest.raises(ConfigError) as caught:
        closure(package("app", requested=True), select={"prune": ["ap*", "kbr5"]})
    assert [problem.what for problem in caught.value.problems] == [
        "'kbr5' names no package of the solution",
        "app is both in packages and pruned",
    ]


# Files


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
    assert problem.startswith(f"{site}/app/secret.pyc (app): is a module without its source")
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


# Runtimes


def runtimes(prefix, elf, version, **table):
    """A library of the prefix that asks the C++ runtime for a version of a symbol."""
    script = f"{version} {{ global: stamp; }};"
    stub = elf.library("libstdc++.so.6", source="int stamp(void) { return 1; }", version_script=script)
    user = elf.folder / f"user-{version}.so"
    if not user.exists():
        from tests.support.compile import Linking, shared_library

        source = "int stamp(void); int use(void) { return stamp(); }"
        shared_library(user, source, Linking(soname="libapp.so", needed=(stub,), flags=("-nostdlib",)))
    prefix.add("lib/libapp.so", user, of="app")
    prefix.add("lib/libstdc++.so.6", elf.library("libstdc++.so.6", "libgcc_s.so.1"), of="libstdcxx")
    prefix.add("lib/libgcc_s.so.1", elf.library("libgcc_s.so.1"), of="libgcc")
    return pressed(prefix, **table)


def test_the_systems_runtime_is_taken_where_the_floor_promises_what_is_needed(prefix, elf):
    selection = runtimes(prefix, elf, "GLIBCXX_3.4.5")
    assert set(kept(selection)) == {"lib/libapp.so"}
    assert selection.notes == ("libstdcxx: system (manylinux_2_5 promises every version needed)",)


def test_a_newer_runtime_than_the_floor_promises_travels(prefix, elf):
    selection = runtimes(prefix, elf, "GLIBCXX_3.4.30")
    assert "lib/libstdc++.so.6" in kept(selection)
    assert "lib/libgcc_s.so.1" not in kept(selection)
    assert selection.notes[0] == "libstdcxx: bundle (GLIBCXX_3.4.30 is more than manylinux_2_5 promises)"


def test_link_runtimes_decides_over_what_is_needed(prefix, elf):
    assert "lib/libstdc++.so.6" not in kept(runtimes(prefix, elf, "GLIBCXX_3.4.30", link={"runtimes": "system"}))


def test_bundle_takes_every_runtime_along(prefix, elf):
    selection = runtimes(prefix, elf, "GLIBCXX_3.4.5", link={"runtimes": "bundle"})
    assert {"lib/libstdc++.so.6", "lib/libgcc_s.so.1"} <= set(kept(selection))


def test_an_asked_tag_is_the_floor_that_the_runtimes_are_measured_with(prefix, elf):
    prefix.add("share/x", of="app")
    target = replace(TARGET, tag="manylinux_2_35_x86_64", floor=(2, 35))
    runtimes(prefix, elf, "GLIBCXX_3.4.30")
    assert "lib/libstdc++.so.6" not in kept(pressed(prefix, target))


def test_the_bound_that_a_package_states_counts_unless_only_symbols_shall(prefix, elf):
    prefix.package("app", "__glibc >=2.35,<3.0.a0", requested=True)
    assert "lib/libstdc++.so.6" not in kept(runtimes(prefix, elf, "GLIBCXX_3.4.30"))
    assert "lib/libstdc++.so.6" in kept(pressed(prefix, link={"floor": "symbols"}))


@pytest.mark.parametrize(("bound", "travels"), [("2.34", True), ("2.35", False)])
def test_the_bound_of_the_runtime_itself_decides_whether_a_copy_lowers_the_tag(prefix, elf, bound, travels):
    prefix.package("libstdcxx", f"__glibc >={bound},<3.0.a0")
    selection = runtimes(prefix, elf, "GLIBCXX_3.4.30")  # manylinux_2_35 promises that
    assert ("lib/libstdc++.so.6" in kept(selection)) == travels
    assert "lib/libstdc++.so.6" in kept(pressed(prefix, link={"floor": "symbols"}))


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


def test_the_closure_starts_at_host_packages_too():
    stays, dropped = closure(
        package("zlib"), package("png", "zlib"), package("numpy", "python"), packages=[], host=["png >=1.6", "numpy"]
    )
    assert stays == ["png", "zlib"]
    assert dropped == {"numpy": "a Python package that nobody asked for"}


def test_a_slice_that_is_not_edited_is_named(prefix):
    target = replace(TARGET, system="osx", arch="arm64", subdir="osx-arm64", floor=(11, 0))
    old = (0xFEEDFACE).to_bytes(4, "little") + (7).to_bytes(4, "little") + bytes(56)
    prefix.add("lib/libapp.dylib", universal(old, dylib(Dylib())), of="app")
    assert pressed(prefix, target).notes == (
        "the slice of lib/libapp.dylib for i386 is not edited: it asks for libraries by old names",
    )
