"""What no tag can say of a wheel: it is told, or refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.tagging import EXTENSION, SITE, elf, entry, record, refusal, tagged, target

# --- binaries of other machines


def test_an_extension_of_another_machine_is_refused():
    own = elf("pkg/_prefix/lib/liba.so.1")
    (problem,) = refusal([own, elf(EXTENSION, arch="aarch64")], [record()]).problems
    assert str(problem) == (
        f"{EXTENSION}: pkg has a binary of aarch64, not of x86_64\n"
        f'  leave it out: [tool.mamba-press.select] exclude = ["{SITE}/{EXTENSION}"]'
    )


def test_a_library_of_an_unknown_machine_where_the_loader_looks_is_refused():
    (problem,) = refusal([elf("pkg/_prefix/lib/liba.so.1", arch=None)]).problems
    assert problem.what == "pkg has a binary of an unknown machine, not of x86_64"


def test_a_binary_of_another_machine_that_nothing_loads_is_data_and_reported():
    tagging = tagged([elf("pkg/tests/samples/arm.bin", arch="aarch64"), elf(EXTENSION)], [record()])
    assert tagging.notes == ("pkg/tests/samples/arm.bin is a binary of aarch64: packed as data, untouched",)


# --- packages for some systems only


@pytest.mark.parametrize(
    ("depends", "subdir", "systems"),
    [
        (("python >=3.8", "__unix"), "noarch", "__unix"),
        (("python >=3.8",), "linux-64", "linux-64"),
        (("__linux",), "linux-64", "__linux, linux-64"),
        (("__osx", "__win", "__glibc >=2.17"), "noarch", "__osx, __win"),
    ],
)
def test_a_wheel_for_any_platform_says_which_package_is_for_some_systems_only(depends, subdir, systems):
    package = replace(record(noarch="python", depends=depends), subdir=subdir)
    tagging = tagged([entry("pkg/a.py")], [package, record("of-which-nothing-is-packed")])
    assert tagging.tags == "py3-none-any"
    assert tagging.notes == (
        f"pkg is made for {systems} by its record; nothing in the wheel is a binary, so the tag says 'any'",
    )


# --- what no tag promises ---


def test_libraries_that_no_system_of_the_tag_has_to_have_are_warned_of_with_what_needs_them():
    entries = [
        elf(EXTENSION, "libc.so.6:GLIBC_2.17", "libGL.so.1"),
        elf("pkg/_prefix/lib/libva.so.2", "libdrm.so.2", package="libva"),
        elf("pkg/_prefix/lib/libgst.so.1", "libdrm.so.2", "libudev.so.1", package="gst"),
        elf("pkg/_prefix/lib/libmine.so.1", "libgbm.so.1", where="wheel"),
    ]
    (note,) = tagged(entries, [record()]).notes
    assert note.severity == "warning"
    assert str(note) == (
        "warning: the wheel needs libraries of the system that no manylinux tag promises: libdrm.so.2 for "
        "pkg/_prefix/lib/libva.so.2 (and 1 more), libudev.so.1 for pkg/_prefix/lib/libgst.so.1\n"
        '  if every user has them, say so: link.system = ["libdrm.so.2", "libudev.so.1"]\n'
        '  link.unpromised = "drop" leaves out the plugins that need them, "error" refuses them'
    )


def test_of_a_library_that_link_system_names_nothing_is_warned():
    module = elf(EXTENSION, "libudev.so.1")
    stated = replace(module.links[0], named=True)
    assert tagged([replace(module, links=(stated,))], [record()]).notes == ()


# --- processors ---


def level(isa):
    made = elf(EXTENSION, "libc.so.6:GLIBC_2.17")
    return replace(made, binary=replace(made.binary, isa=isa))


@pytest.mark.parametrize("allowed", [None, "x86-64-v2"])
def test_a_file_that_needs_a_later_processor_is_refused_and_named(allowed):
    (problem,) = refusal([level("x86-64-v3")], isa=allowed).problems
    assert str(problem) == (
        f"{EXTENSION} (pkg): needs a processor of level x86-64-v3, which no tag can say: "
        "installers give the wheel to every one\n"
        '  choose a build for all processors, with constraints = ["_x86_64-microarch-level 1"], or allow it: '
        '[tool.mamba-press.link] isa = "x86-64-v3"'
    )


@pytest.mark.parametrize("allowed", ["x86-64-v3", "x86-64-v4"])
def test_a_level_that_is_allowed_is_noted(allowed):
    said = f"the wheel needs a processor of level x86-64-v3, which its tag does not say: {EXTENSION} (pkg)"
    assert tagged([level("x86-64-v3")], isa=allowed).notes == (said,)
    both = [level("x86-64-v3"), replace(level("x86-64-v3"), path="pkg/_b.cpython-310-x86_64-linux-gnu.so")]
    assert tagged(both, isa=allowed).notes == (f"{said} and 1 more",)


@pytest.mark.parametrize(
    ("spec", "stated"),
    [
        ("_x86_64-microarch-level >=3", 3),
        ("_x86_64-microarch-level >=2,<3.0a0", 2),
        ("_x86_64-microarch-level 4 4_x86_64_v4", 4),
        ("__archspec 1 x86_64_v3", 3),
        ("__archspec 1=x86_64_v4", 4),
        ("_x86_64-microarch-level >=1", None),
        ("_x86_64-microarch-level", None),
        ("libblas 3.9.0 1_x86_64_v3", None),
        ("_x86_64-microarch-level-other >=3", None),
        ("__archspec 1=*", None),
        ("__archspec 1 x86_64", None),
        ("x86_64_v3 >=1", None),
    ],
)
def test_a_record_states_a_processor_too(spec, stated):
    packages = [record(depends=("python_abi 3.10.* *_cp310", spec))]
    if stated is None:
        assert tagged([elf(EXTENSION)], packages).notes == ()
    else:
        assert f"needs a processor of level x86-64-v{stated}" in str(refusal([elf(EXTENSION)], packages))


def test_other_machines_have_no_such_levels():
    made = elf(EXTENSION.replace("x86_64", "aarch64"), arch="aarch64")
    packages = [record(depends=("_x86_64-microarch-level >=3",))]
    assert tagged([made], packages, target("linux-aarch64")).notes == ()
