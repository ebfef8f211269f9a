from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press import platforms
from mamba_press.types import Requirement
from mamba_press.vendoring import resolve as vendoring_resolve
from tests.support.values import TARGET, Libraries, Prefix, binary


@pytest.fixture(scope="session")
def elf(tmp_path_factory):
    return Libraries(tmp_path_factory.mktemp("elf"))


@pytest.fixture
def prefix(tmp_path):
    return Prefix(tmp_path / "prefix")


def everything(path):
    return True


def resolve(prefix, facts, at="lib/libapp.so", *, target=TARGET, present=everything, **rules):
    file = next(file for file in prefix.files if file.path == at)
    index = vendoring_resolve.Prefix.of(prefix.environment())
    return vendoring_resolve.resolve(
        facts, file, prefix=index, rules=vendoring_resolve.Rules(target=target, **rules), present=present
    )


def answer(prefix, facts, **keywords):
    (found,), problems = resolve(prefix, facts, **keywords)
    assert problems == ()
    return found.where, found.path


def test_a_library_on_the_search_path_wins_over_others_of_its_name(prefix):
    for path in ("lib/libapp.so", "lib/libdep.so", "lib/a/libdep.so", "lib/b/libdep.so"):
        prefix.add(path, of="x")
    assert answer(prefix, binary(None, "libdep.so", search=("$ORIGIN/b",))) == ("wheel", "lib/b/libdep.so")
    assert answer(prefix, binary(None, "libdep.so", search=("$ORIGIN/wrong",))) == ("wheel", "lib/libdep.so")


def test_a_library_is_found_anywhere_in_the_prefix(prefix):
    prefix.add("lib/libapp.so", of="x")
    prefix.add("lib/python3.10/site-packages/x/libdep.so", of="x")
    assert answer(prefix, binary(None, "libdep.so")) == ("wheel", "lib/python3.10/site-packages/x/libdep.so")


def test_a_library_that_is_needed_by_a_path_is_found_by_its_name(prefix):
    prefix.add("lib/libapp.so", of="x")
    prefix.add("lib/libdep.so", of="x")
    assert answer(prefix, binary(None, "build/libdep.so")) == ("wheel", "lib/libdep.so")


def test_a_symlink_answers_with_the_file_at_which_it_ends(prefix):
    prefix.add("lib/libapp.so", of="x")
    prefix.add("lib/libdep.so.1.2", of="x")
    prefix.link("lib/libdep.so.1", "lib/libdep.so.1.2", of="x")
    assert answer(prefix, binary(None, "libdep.so.1")) == ("wheel", "lib/libdep.so.1.2")


@pytest.mark.parametrize("name", ["libc.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2", "libcuda.so.1", "libGL.so.1"])
def test_what_is_never_vendored_is_the_systems_even_where_the_prefix_has_it(prefix, name):
    prefix.add("lib/libapp.so", of="x")
    prefix.add(f"lib/{name}", of="x")
    assert answer(prefix, binary(None, name)) == ("system", None)


def test_the_prefix_wins_over_what_every_system_has(prefix):
    prefix.add("lib/libapp.so", of="x")
    assert answer(prefix, binary(None, "libX11.so.6")) == ("system", None)
    prefix.add("lib/libX11.so.6", of="x")
    assert answer(prefix, binary(None, "libX11.so.6")) == ("wheel", "lib/libX11.so.6")


def test_a_runtime_is_the_systems_where_that_was_decided(prefix):
    prefix.add("lib/libapp.so", of="x")
    prefix.add("lib/libstdc++.so.6", of="x")
    facts = binary(None, "libstdc++.so.6")
    assert answer(prefix, facts, runtimes={"libstdcxx": "system"}) == ("system", None)
    assert answer(prefix, facts, runtimes={"libstdcxx": "bundle"}) == ("wheel", "lib/libstdc++.so.6")


def test_a_tag_without_a_version_promises_what_the_newest_known_does(prefix):
    prefix.add("lib/libapp.so", of="x")
    target = replace(TARGET, tag="linux_x86_64", floor=None)
    assert answer(prefix, binary(None, "libX11.so.6"), target=target) == ("system", None)


def test_what_may_not_be_in_the_wheel_answers_nothing(prefix):
    prefix.add("lib/libapp.so", of="x")
    prefix.add("lib/libdep.so", of="x")
    found, (problem,) = resolve(prefix, binary(None, "libdep.so"), present=lambda path: path != "lib/libdep.so")
    assert found == ()
    assert "lib/libdep.so" in problem.what


EXTENSION = "int PyInit_app(void) { return 0; }"
EMBEDS = "void Py_Initialize(void); void start(void) { Py_Initialize(); }"


@pytest.mark.parametrize("name", ["libpython3.10.so.1.0", "libpython3.so", "libpython3.6m.so.1.0"])
@pytest.mark.parametrize(
    "source", [EXTENSION, EXTENSION + EMBEDS, "void PyList_New(void); void f(void) {PyList_New();}"]
)
def test_libpython_is_removed_from_extensions_and_their_helpers(prefix, elf, name, source):
    prefix.add("lib/libapp.so", elf.library("libapp.so", source=source), of="x")
    (found,), problems = resolve(prefix, binary("libapp.so", name))
    assert (found.needed, found.where, problems) == (name, "removed", ())


def test_a_library_that_embeds_python_is_an_error_that_says_so(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", source=EMBEDS), of="x")
    _, (problem,) = resolve(prefix, binary("libapp.so", "libpython3.10.so.1.0"))
    assert problem.where == "lib/libapp.so (x)"
    assert "embeds Python: it needs libpython3.10.so.1.0 and it calls Py_Initialize" in problem.what
    assert 'exclude = ["lib/libapp.so"]' in problem.hint


def test_a_program_that_needs_libpython_is_an_error(prefix, elf):
    prefix.add("bin/app", elf.program(), of="x")
    facts = binary(None, "libpython3.10.so.1.0", kind="program")
    _, (problem,) = resolve(prefix, facts, at="bin/app")
    assert "it is a program" in problem.what


def test_glibcs_versions_give_the_floor_and_others_do_not():
    facts = binary(
        requires=(
            Requirement(library="libc.so.6", versions=("GLIBC_2.2.5", "GLIBC_2.28", "GLIBC_PRIVATE")),
            Requirement(library="libstdc++.so.6", versions=("GLIBCXX_3.4.30",)),
        )
    )
    assert platforms.of("linux").floor_of([facts], "x86_64") == (2, 28)
    assert platforms.of("linux").floor_of([], "x86_64") == (2, 5)
    assert platforms.of("linux").floor_of([], "aarch64") == (2, 17)


def test_a_library_of_another_wheel_stays_out_though_the_prefix_has_it(prefix):
    prefix.add("lib/libapp.so", of="x")
    prefix.add("lib/libtorch.so.2", of="x")
    declared = {"libtorch.so": "torch: torch/lib/libtorch.so"}
    assert answer(prefix, binary(None, "libtorch.so.2"), external=declared) == ("external", None)
    assert answer(prefix, binary(None, "libtorch.so.2"), external={"libother.so": "o: o.so"}) == (
        "wheel", "lib/libtorch.so.2",
    )  # fmt: skip


def test_what_is_never_vendored_is_no_other_wheels_either(prefix):
    prefix.add("lib/libapp.so", of="x")
    assert answer(prefix, binary(None, "libc.so.6"), external={"libc.so": "c: c/libc.so"}) == ("system", None)


def test_a_needed_library_is_struck_out_where_link_remove_says_so(prefix):
    prefix.add("lib/libapp.so", of="x")
    prefix.add("lib/libdep.so.1", of="x")
    found, problems = resolve(prefix, binary(None, "libdep.so.1", "libgone.so"), remove=("libdep.so", "libg*"))
    assert [(one.needed, one.where) for one in found] == [("libdep.so.1", "removed"), ("libgone.so", "removed")]
    assert problems == ()
