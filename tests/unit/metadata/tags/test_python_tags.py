"""The interpreter and the ABI that the extensions of a wheel are for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.config.model import Config
from mamba_press.metadata.tags import tags
from mamba_press.metadata.tags.python_tags import importable
from mamba_press.platforms import binaries
from mamba_press.types import Kept, Reason, Resolved
from tests.support.compile import shared_library
from tests.support.tagging import EXTENSION, elf, entry, own_library, record, refusal, tagged, target
from tests.support.windows import Dll, dll


@pytest.mark.parametrize(
    ("python", "file", "expected"),
    [
        ("3.10", "_core.cpython-310-x86_64-linux-gnu.so", "cp310-cp310"),
        ("3.6", "_core.cpython-36m-x86_64-linux-gnu.so", "cp36-cp36m"),
        ("3.7", "_core.cpython-37m-x86_64-linux-gnu.so", "cp37-cp37m"),
        ("3.14", "_core.cpython-314-x86_64-linux-gnu.so", "cp314-cp314"),
        ("3.14t", "_core.cpython-314t-x86_64-linux-gnu.so", "cp314-cp314t"),
        ("3.10", "_core.cpython-310.so", "cp310-cp310"),
        ("3.10", "_core.cpython-310d-x86_64-linux-gnu.so", "cp310-cp310"),
        ("3.7", "_core.cpython-37dm-x86_64-linux-gnu.so", "cp37-cp37m"),
        ("3.15", "_core.abi3t.so", "cp315-abi3.abi3t"),
        ("3.15t", "_core.abi3t.so", "cp315-abi3.abi3t"),
    ],
)
def test_an_extensions_name_says_for_which_python_it_is(python, file, expected):
    to = target(python=python)
    assert tagged([elf(f"pkg/{file}")], [record()], to).tags.startswith(f"{expected}-manylinux")


def test_a_module_at_the_wheels_root_is_an_extension_too():
    assert tagged([elf("_core.cpython-310-x86_64-linux-gnu.so")], [record()]).tags.startswith("cp310-cp310-")


@pytest.mark.parametrize(
    ("depends", "noarch", "expected"),
    [
        (("python", "_python_abi3_support 1.*", "cpython >=3.9"), "python", "cp39-abi3"),
        (("python >=3.8", "_python_abi3_support 1.*", "cpython >=3.8,<4"), "python", "cp38-abi3"),
        (("python >=3.10", "cpython >=3.9"), "python", "cp310-abi3"),
        (("python",), "python", "cp310-abi3"),
        (("python_abi 3.10.* *_cp310", "python >=3.8"), None, "cp310-abi3"),
        (("cpython >=3.12",), "python", "cp310-abi3"),
    ],
)
def test_a_wheel_of_stable_extensions_is_for_the_oldest_python_that_the_record_promises(depends, noarch, expected):
    tagging = tagged([elf("pkg/_rust.abi3.so"), entry("pkg/__init__.py")], [record(depends=depends, noarch=noarch)])
    assert tagging.tags.startswith(f"{expected}-manylinux")


def test_the_strictest_of_several_stable_packages_counts():
    packages = [
        record("a", noarch="python", depends=("cpython >=3.8",)),
        record("b", noarch="python", depends=("cpython >=3.9",)),
    ]
    entries = [elf("a/_a.abi3.so", package="a"), elf("b/_b.abi3.so", package="b")]
    assert tagged(entries, packages).tags.startswith("cp39-abi3-")


def stable(tmp_path, name):
    """An extension that says by its name that it keeps to the stable ABI, and takes something from Python."""
    source = f"extern int {name}(void); int call(void) {{ return {name}(); }}"
    path = shared_library(tmp_path / f"{name}.so", source)
    return elf("pkg/_rust.abi3.so", source=path.read_bytes())


FROM_38 = record(noarch="python", depends=("cpython >=3.8",))


def test_an_extension_that_takes_what_a_later_python_added_is_for_that_one_on(tmp_path):
    tagging = tagged([stable(tmp_path, "PyUnicode_AsUTF8AndSize")], [FROM_38])
    assert tagging.tags.startswith("cp310-abi3-")
    assert tagging.notes == (
        "pkg/_rust.abi3.so takes PyUnicode_AsUTF8AndSize, which is in the stable ABI from Python 3.10 on",
    )
    assert tagged([stable(tmp_path, "PyList_New")], [FROM_38]).tags.startswith("cp38-abi3-")


def test_an_extension_that_takes_what_came_into_the_stable_abi_later_is_for_one_python(tmp_path):
    tagging = tagged([stable(tmp_path, "PyObject_GetBuffer")], [FROM_38])  # every Python 3 has it
    assert tagging.tags.startswith("cp310-cp310-")
    assert "takes PyObject_GetBuffer, which is in the stable ABI from Python 3.11 on" in tagging.notes[0]
    assert tagging.notes[0].endswith("the wheel is for Python 3.10 alone")


def test_an_extension_that_only_says_that_it_keeps_to_the_stable_abi_is_for_one_python(tmp_path):
    tagging = tagged([stable(tmp_path, "PyCode_Addr2Line")], [FROM_38])
    assert tagging.tags.startswith("cp310-cp310-")
    assert "takes PyCode_Addr2Line, which is not in the stable ABI" in tagging.notes[0]


def with_shiboken(tmp_path, source):
    """A stable extension that needs a library of its package, through another one, and that library's file."""
    module = stable(tmp_path, "PyDateTimeAPI")
    paths = [
        Resolved(needed=f"lib{name}.so", where="wheel", path=f"lib/lib{name}.so") for name in ("pyside", "shiboken")
    ]
    module = replace(module, links=(paths[0],))
    between = elf("pkg/_prefix/lib/libpyside.so", source=own_library(tmp_path, "libpyside.so", "side"))
    between = replace(between, links=(paths[1],))
    return [module, between, elf("pkg/_prefix/lib/libshiboken.so", source=source)]


def test_what_a_library_of_the_wheel_has_is_not_taken_from_python_whatever_it_is_called(tmp_path):
    entries = with_shiboken(tmp_path, own_library(tmp_path, "libshiboken.so", "PyDateTimeAPI"))
    assert tagged(entries, [FROM_38]).tags.startswith("cp38-abi3-")


def test_a_library_that_only_takes_a_name_itself_does_not_bring_it(tmp_path):
    entries = with_shiboken(tmp_path, stable(tmp_path, "PyDateTimeAPI").source)
    assert tagged(entries, [FROM_38]).tags.startswith("cp310-cp310-")


def test_every_library_that_an_extension_needs_through_others_counts(tmp_path):
    module, between, last = with_shiboken(tmp_path, own_library(tmp_path, "libshiboken.so", "PyDateTimeAPI"))
    plain = elf("pkg/_prefix/lib/libplain.so", source=own_library(tmp_path, "libplain.so", "plain"))
    link = Resolved(needed="libplain.so", where="wheel", path="lib/libplain.so")
    for links in ((*module.links, link), (link, *module.links)):
        entries = [replace(module, links=links), between, last, plain]
        assert tagged(entries, [FROM_38]).tags.startswith("cp38-abi3-")


def test_a_library_that_no_file_of_the_wheel_is_brings_nothing(tmp_path):
    entries = with_shiboken(tmp_path, b"")
    assert tagged(entries[:2], [FROM_38]).tags.startswith("cp310-cp310-")


def test_a_library_that_cannot_be_read_brings_nothing(tmp_path):
    entries = with_shiboken(tmp_path, b"\x7fELF\2\1\1")
    assert tagged(entries, [FROM_38]).tags.startswith("cp310-cp310-")


def test_a_library_of_a_wheel_that_is_installed_with_this_one_counts_too(tmp_path):
    entries = with_shiboken(tmp_path, own_library(tmp_path, "libshiboken.so", "PyDateTimeAPI"))
    others = []
    for each in entries[1:]:
        source = tmp_path / Path(each.path).name
        source.write_bytes(each.source)
        others.append(
            Kept(file=replace(each.origin, source=source), why=Reason("rule"), binary=each.binary, links=each.links)
        )
    assert tags(entries[:1], [FROM_38], target(), Config(packages=("pkg",)), others).tags.startswith("cp38-abi3-")


def test_one_extension_of_a_single_python_binds_the_whole_wheel_to_it():
    entries = [elf("pkg/_rust.abi3.so"), elf(EXTENSION)]
    assert tagged(entries, [record(noarch="python", depends=("cpython >=3.8",))]).tags.startswith("cp310-cp310-")


def test_a_package_of_a_single_python_without_extension_binds_the_wheel_to_it_and_that_is_said():
    tagging = tagged([entry("pkg/__init__.py"), elf("pkg/_prefix/lib/liba.so.1", package="liba")], [record()])
    assert tagging.tags.startswith("cp310-none-manylinux")
    assert tagging.notes == ("pkg is made for Python 3.10 by its record, though no extension in it says so",)


@pytest.mark.parametrize("path", ["pkg-1.0.dist-info/METADATA", "pkg-1.0.egg-info/PKG-INFO", "p.egg-info/a/b"])
def test_the_metadata_of_a_package_alone_binds_nothing(path):
    tagging = tagged([entry(path), elf("pkg/_prefix/lib/liba.so.1", package="liba")], [record()])
    assert tagging.tags.startswith("py3-none-")


@pytest.mark.parametrize(
    ("path", "is_importable"),
    [
        ("_core.so", True),
        ("pkg/sub/_core.pyd", True),
        ("pkg/_core.dylib", False),
        ("pkg/_prefix/lib/x.so", False),
        ("pkg-1.0.dist-info/x.so", False),
        ("pkg-1.0.data/platlib/_core.so", True),
        ("pkg-1.0.data/purelib/pkg/_core.so", True),
        ("pkg-1.0.data/scripts/x.so", False),
        ("pkg-1.0.data/data/platlib/x.so", False),
        ("pkg-1.0.data/x.so", False),
        ("pkg-1.0.data/platlib.so", False),
    ],
)
def test_modules_are_imported_from_the_roots_of_a_wheel(path, is_importable):
    assert importable(path) == is_importable


def test_a_library_without_python_is_for_every_python_3():
    library = elf("_liba_prefix/_prefix/lib/liba.so.1", package="liba")
    assert tagged([library], [record("liba", depends=())]).tags.startswith("py3-none-manylinux")


def test_a_package_that_only_runs_python_and_has_no_module_binds_nothing():
    packages = [record("glib", depends=("python *",))]
    assert tagged([elf("g/_prefix/lib/libglib-2.0.so.0", package="glib")], packages).tags.startswith("py3-none-")


def test_extensions_in_the_prefix_tree_are_not_imported_and_bind_nothing():
    plugin = elf("g/_prefix/lib/plugins/x.cpython-39-x86_64-linux-gnu.so", package="liba")
    assert tagged([plugin], [record("liba", depends=())]).tags.startswith("py3-none-")


@pytest.mark.parametrize(
    ("python", "file", "words"),
    [
        ("3.10", "_core.cpython-311-x86_64-linux-gnu.so", 'python = "3.11"'),
        ("3.13", "_core.cpython-313t-x86_64-linux-gnu.so", 'python = "3.13t"'),
        ("3.13t", "_core.cpython-313-x86_64-linux-gnu.so", 'python = "3.13"'),
        ("3.14t", "_core.abi3.so", "Python 3.14t does not load it"),
        ("3.14", "_core.abi3t.so", "Python 3.14 does not load it"),
    ],
)
def test_an_extension_that_the_target_does_not_load_is_refused(python, file, words):
    error = refusal([elf(f"pkg/{file}")], [record()], target(python=python))
    assert error.problems[0].where == f"pkg/{file}"
    assert words in str(error)


def test_all_extensions_of_other_pythons_are_reported_at_once():
    entries = [elf("pkg/_a.cpython-39-x86_64-linux-gnu.so"), elf("pkg/_b.cpython-38-x86_64-linux-gnu.so")]
    assert len(refusal(entries, [record()]).problems) == 2


@pytest.mark.parametrize("other", ["pkg/_b", "pkg/sub/_core", "a/pkg/_core"])
def test_the_module_of_another_name_or_folder_does_not_stand_for_one_of_another_python(other):
    entries = [elf(EXTENSION), elf(f"{other}.cpython-39-x86_64-linux-gnu.so")]
    assert [problem.where for problem in refusal(entries, [record()]).problems] == [entries[1].path]


def test_an_extension_of_another_python_says_for_which_one_to_press():
    (problem,) = refusal([elf("pkg/_core.cpython-311-x86_64-linux-gnu.so")], [record()]).problems
    assert str(problem) == (
        "pkg/_core.cpython-311-x86_64-linux-gnu.so: pkg has this extension for cp311; Python 3.10 does not load it\n"
        '  press for that Python, python = "3.11", or choose a build of the package for 3.10'
    )


def test_a_stable_extension_that_the_target_does_not_load_says_to_choose_a_build():
    (problem,) = refusal([elf("pkg/_core.abi3t.so")], [record()]).problems
    assert problem.hint == "choose a build of the package that is made for Python 3.10"


def test_an_extension_for_several_pythons_at_once_is_fine_when_the_targets_is_there():
    entries = [elf(f"pkg/_core.cpython-{v}-x86_64-linux-gnu.so") for v in ("39", "310", "311")]
    assert tagged(entries, [record()]).tags.startswith("cp310-cp310-")


def test_a_plain_so_that_has_the_init_function_is_an_extension_of_the_target(tmp_path):
    source = own_library(tmp_path, "_core.so", "PyInit__core")
    assert tagged([elf("pkg/_core.so", source=source)], [record()]).tags.startswith("cp310-cp310-")


def test_a_plain_so_stands_for_the_modules_of_other_pythons_beside_it(tmp_path):
    source = own_library(tmp_path, "_core.so", "PyInit__core")
    entries = [elf("pkg/_core.so", source=source), elf("pkg/_core.cpython-39-x86_64-linux-gnu.so")]
    assert tagged(entries, [record()]).tags.startswith("cp310-cp310-")


def test_a_plain_so_without_the_init_function_is_a_library_beside_modules(tmp_path):
    source = own_library(tmp_path, "libfoo.so", "foo")
    tagging = tagged([elf("pkg/libfoo.so", source=source)], [record(noarch="python", depends=("python",))])
    assert tagging.tags.startswith("py3-none-")


def test_a_plain_so_on_disk_is_read_there(tmp_path):
    own_library(tmp_path, "_core.so", "PyInit__core")
    found = elf("pkg/_core.so")
    on_disk = replace(found, source=tmp_path / "_core.so")
    assert tagged([on_disk], [record(noarch="python")]).tags.startswith("cp310-cp310-")


# --- Windows


def pyd(name, needed, init="_core"):
    """An extension module for Windows that needs a library."""
    forwards = {f"PyInit_{init}": f"{needed.removesuffix('.dll')}.PyList_New"}
    source = dll(Dll(imports={needed: ["PyList_New"]}, forwards=forwards))
    return entry(f"pkg/{name}", binary=replace(binaries.read(source), arch="amd64"), source=source)


@pytest.mark.parametrize(
    ("python", "name", "needed", "expected"),
    [
        ("3.10", "_core.cp310-win_amd64.pyd", "KERNEL32.dll", "cp310-cp310"),
        ("3.14t", "_core.cp314t-win_amd64.pyd", "KERNEL32.dll", "cp314-cp314t"),
        ("3.10", "_core.pyd", "python310.dll", "cp310-cp310"),
        ("3.10", "_core.pyd", "python3.dll", "cp38-abi3"),
        ("3.10", "_core.abi3.pyd", "KERNEL32.dll", "cp310-cp310"),
    ],
)
def test_the_name_of_a_pyd_or_what_it_needs_says_for_which_python_it_is(python, name, needed, expected):
    tagging = tagged([pyd(name, needed)], [FROM_38], target("win-64", python))
    assert tagging.tags == f"{expected}-win_amd64"


@pytest.mark.parametrize(
    ("name", "needed", "made_for"),
    [("_core.cp311-win_amd64.pyd", "KERNEL32.dll", "cp311"), ("_core.pyd", "python311.dll", "cp311")],
)
def test_a_pyd_of_another_python_is_refused(name, needed, made_for):
    (problem,) = refusal([pyd(name, needed)], [FROM_38], target("win-64")).problems
    said = f"pkg has this extension for {made_for}; Python 3.10 does not load it"
    assert (problem.where, problem.what) == (f"pkg/{name}", said)


@pytest.mark.parametrize("name", ["_core.pyd", "_core.cp310-win_amd64.pyd"])
def test_a_pyd_of_the_target_stands_for_that_of_another_python(name):
    both = [pyd(name, "python310.dll"), pyd("_core.cp311-win_amd64.pyd", "KERNEL32.dll")]
    assert tagged(both, [FROM_38], target("win-64")).tags == "cp310-cp310-win_amd64"
    other = [both[0], pyd("_other.cp311-win_amd64.pyd", "KERNEL32.dll")]
    assert len(refusal(other, [FROM_38], target("win-64")).problems) == 1


def test_a_pyd_without_the_init_function_is_no_extension():
    library = pyd("_core.pyd", "python310.dll", init="other")
    assert tagged([library], [FROM_38], target("win-64")).tags == "py3-none-win_amd64"
