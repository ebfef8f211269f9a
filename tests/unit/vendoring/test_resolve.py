from __future__ import annotations

import posixpath
from dataclasses import replace

import pytest

from mamba_press import platforms
from mamba_press.config import reader
from mamba_press.errors import ConfigError
from mamba_press.types import File, Kept, Reason, Requirement, Resolved
from mamba_press.vendoring import resolve as vendoring_resolve
from mamba_press.vendoring.resolve import external_names, external_requirements, find_external
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
    found, lacks = vendoring_resolve.resolve(
        facts, file, prefix=index, rules=vendoring_resolve.Rules(target=target, **rules), present=present
    )
    return found, tuple(lack.problem for lack in lacks)


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
    assert 'exclude = ["lib/libapp.so"]' in str(problem.hint)


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


# What ``link.external`` says of libraries of other wheels

TORCH = {"libtorch.so": "torch >=2.3,<3: torch/lib/libtorch.so", "libc10.so.1": "torch >=2.3,<3: torch/lib/libc10.so"}


def kept(tmp_path, *links):
    return Kept(file=File(path="lib/x.so", source=tmp_path, package="x", size=0), why=Reason("rule"), links=links)


def test_a_library_is_found_with_the_wheel_that_brings_it_and_where_it_lies_there():
    found = find_external("libtorch.so", TORCH)
    assert found is not None
    assert (found.name, found.folder, found.requirement) == ("libtorch.so", "torch/lib", "torch >=2.3,<3")


@pytest.mark.parametrize(("name", "path"), [("libtorch.so.2.3", "torch/lib/libtorch.so"), ("libc10.so.2", None)])
def test_a_key_matches_without_a_version_but_not_with_another(name, path):
    found = find_external(name, TORCH)
    assert (found and f"{found.folder}/{found.name}") == path


def test_a_wheel_is_required_once_and_only_where_a_file_takes_a_library_from_it(tmp_path):
    links = [Resolved(needed=name, where="external") for name in ("libtorch.so", "libc10.so.1")]
    other = Resolved(needed="libz.so.1", where="system")
    declared = TORCH | {"libnever.so": "never: never/libnever.so"}
    assert external_requirements([kept(tmp_path, *links), kept(tmp_path, other)], declared) == ("torch >=2.3,<3",)


def test_the_names_are_those_that_a_finished_wheel_asks_for():
    assert external_names(TORCH) == ("libtorch.so", "libc10.so")


@pytest.mark.parametrize(
    "value",
    [
        "torch/lib/libtorch.so", "torch: /torch/lib/libtorch.so", "torch: ../torch/libtorch.so", "torch: torch//x.so",
        "torch >=2.3; python_version > '3': torch/x.so", "torch @ https://example.org/t.whl: torch/x.so",
        "torch >=2.3,: torch/x.so", "torch ~=2: torch/x.so", "torch 2.3: torch/x.so", "-torch: torch/x.so", "torch: ",
    ],
)  # fmt: skip
def test_what_is_no_requirement_and_path_is_refused(value):
    with pytest.raises(ConfigError) as caught:
        reader.from_values({"packages": ["x"], "link": {"external": {"libtorch.so": value}}}, {}, {})
    assert '"requirement: path"' in str(caught.value)


@pytest.mark.parametrize(
    ("value", "requirement", "path"),
    [
        ("torch: a.so", "torch", "a.so"),
        ("torch[cuda] ==2.*: torch/lib/x.so.1", "torch[cuda]==2.*", "torch/lib/x.so.1"),
        ("t >=2, <3: t/x.so", "t<3,>=2", "t/x.so"),
        ("torch >=2.3,<3: torch/lib/libtorch.so", "torch<3,>=2.3", "torch/lib/libtorch.so"),
    ],
)
def test_what_is_accepted_is_a_requirement_for_packaging_too(value, requirement, path):
    from packaging.requirements import Requirement

    config = reader.from_values({"packages": ["x"], "link": {"external": {"libx.so": value}}}, {}, {})
    found = find_external("libx.so", config.link.external)
    assert found is not None
    assert (str(Requirement(found.requirement)), posixpath.join(found.folder, found.name)) == (requirement, path)
