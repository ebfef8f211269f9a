"""Binaries and extension modules that are not what the tags say."""

from __future__ import annotations

import os

import pytest

from mamba_press.audit import check
from tests.support.compile import Linking, program, shared_library
from tests.support.macho import Dylib, dylib, universal
from tests.support.wheels import (
    FOREIGN,
    INFO,
    PLATFORM,
    compiled,
    elf,
    files,
    foreign,
    make,
    of_platform,
    said,
    wheel_text,
)


def test_a_binary_under_any_tag_or_purelib_is_said(tmp_path):
    library = shared_library(tmp_path / "libx.so", "int x;").read_bytes()
    assert "the wheel runs on any platform" in said(make(tmp_path, files({"demo/libx.so": library})))
    tag = f"py3-none-{PLATFORM}"
    content = files({"demo-1.0.data/purelib/libx.so": library}, WHEEL=wheel_text(tag, pure=False))
    assert "said to be pure Python" in said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))
    content = files({"demo/libx.so": library}, WHEEL=wheel_text(tag))
    assert "said to be pure Python" in said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))


def test_a_binary_of_another_machine_is_said(tmp_path):
    library = shared_library(tmp_path / "libx.so", "int x;").read_bytes()
    tag = "py3-none-manylinux_2_28_" + ("aarch64" if os.uname().machine == "x86_64" else "x86_64")
    content = files({"demo/libx.so": library}, WHEEL=wheel_text(tag, pure=False))
    assert f"is for {os.uname().machine}, the tags for" in said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))


@pytest.mark.parametrize("platform", ["win_amd64", "macosx_11_0_arm64"])
def test_a_wheel_with_nothing_but_binaries_of_another_system_is_said(tmp_path, platform):
    library = shared_library(tmp_path / "libx.so", "int x;").read_bytes()
    tag = f"py3-none-{platform}"
    content = files({"demo/libx.so": library}, WHEEL=wheel_text(tag, pure=False))
    text = said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))
    assert f"demo/libx.so: is a binary of another system than the tags name: {platform}" in text


def test_a_file_of_32_bits_for_a_machine_of_64_is_no_problem_and_noted(tmp_path):
    path = of_platform(tmp_path, "demo/libouter.so", foreign(tmp_path, "x86-linux-gnu"), "manylinux_2_17_x86_64")
    assert said(path) == ""
    note = "demo/libouter.so: is for i686, the tags for x86_64; what it needs was not checked"
    assert note in check.examine(path).notes


def test_a_file_for_another_machine_than_the_tags_is_a_problem(tmp_path):
    path = of_platform(tmp_path, "demo/libouter.so", foreign(tmp_path, "s390x-linux-gnu"), "manylinux_2_17_i686")
    assert said(path).splitlines()[0] == "demo/libouter.so: is for s390x, the tags for i686"


def test_a_system_that_is_not_known_is_said_not_to_have_been_looked_at(tmp_path):
    path = of_platform(tmp_path, "demo/libouter.so", foreign(tmp_path, "x86-linux-gnu"), "musllinux_1_2_i686")
    assert check.examine(path).unjudged == (
        "what its binaries need was not checked: what a system of the tag musllinux_1_2_i686 has is not known",
    )


def test_a_machine_that_is_not_known_is_said_not_to_have_been_looked_at(tmp_path):
    data = foreign(tmp_path, "mips64el-linux-gnuabi64")
    path = of_platform(tmp_path, "demo/libouter.so", data, "linux_mips64")
    assert check.examine(path).unjudged == (
        "what demo/libouter.so needs was not checked: it is for an unknown machine",
    )


def test_several_files_for_machines_that_are_not_known_are_counted(tmp_path):
    data = foreign(tmp_path, "mips64el-linux-gnuabi64")
    content = files({f"demo/{name}.so": data for name in "abc"}, WHEEL=wheel_text("py3-none-linux_mips64", pure=False))
    assert check.examine(make(tmp_path, content, "demo-1.0-py3-none-linux_mips64.whl")).unjudged == (
        "what demo/a.so and 2 more files need was not checked: they are for an unknown machine",
    )


def test_slices_that_are_not_read_and_names_that_differ_are_said_of_a_universal_file(tmp_path):
    old = (0xFEEDFACE).to_bytes(4, "little") + (7).to_bytes(4, "little") + bytes(56)
    one, two = dylib(Dylib(arch="x86_64", name="@rpath/one.dylib")), dylib(Dylib(name="@rpath/two.dylib"))
    found = check.examine(of_platform(tmp_path, "demo/x.so", universal(old, one, two), "macosx_11_0_universal2"))
    assert found.unjudged == ("what demo/x.so needs in its slice for i386 was not checked",)
    assert "demo/x.so has another install name in each slice: @rpath/one.dylib, @rpath/two.dylib" in found.notes


NO_INSTALLER = (
    "is a tag that no installer takes: "
    "manylinux is for aarch64, armv7l, i686, loongarch64, ppc64, ppc64le, riscv64, s390x, x86_64"
)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("manylinux_2_5_aarch64", "is a tag that no system has: manylinux begins with glibc 2.17 on aarch64"),
        ("manylinux1_ppc64le", "is a tag that no system has: manylinux begins with glibc 2.17 on ppc64le"),
        ("manylinux_2_17_riscv64", "is a tag that no system has: manylinux begins with glibc 2.27 on riscv64"),
        ("manylinux_2_4_x86_64", "is a tag that no system has: manylinux begins with glibc 2.5 on x86_64"),
        ("manylinux_2_17_mips64", NO_INSTALLER),
        ("manylinux_2_17_armv5l", NO_INSTALLER),
    ],
)
def test_a_manylinux_tag_of_no_system_is_said(tmp_path, platform, expected):
    path = make(tmp_path, files(WHEEL=wheel_text(f"py3-none-{platform}")), f"demo-1.0-py3-none-{platform}.whl")
    assert f"{platform}: {expected}" in said(path).splitlines()


@pytest.mark.parametrize(
    "platform", ["manylinux_2_28_riscv64", "manylinux_2_17_armv8l", "linux_mips64", "manylinux1_i686"]
)
def test_a_tag_that_some_system_has_is_none_that_no_system_has(tmp_path, platform):
    path = make(tmp_path, files(WHEEL=wheel_text(f"py3-none-{platform}")), f"demo-1.0-py3-none-{platform}.whl")
    assert "is a tag" not in said(path)


@pytest.mark.parametrize(
    ("platform", "name", "needed", "expected"),
    [
        ("manylinux_2_28_x86_64", "x.so", "libc.musl-x86_64.so.1", "demo/x.so: is for musl, the tags for glibc"),
        ("manylinux_2_28_x86_64", "x.so", "libc.so", "demo/x.so: is for musl, the tags for glibc"),
        ("musllinux_1_2_x86_64", "x.so", "libc.so.6", "demo/x.so: is for glibc, the tags for musl"),
        ("manylinux_2_28_x86_64", "x.cpython-312-x86_64-linux-musl.so", "", "is for musl, the tags for glibc"),
        ("musllinux_1_2_x86_64", "x.cpython-312-x86_64-linux-gnu.so", "", "is for glibc, the tags for musl"),
        ("musllinux_1_2_x86_64", "x.cpython-310-x86_64-linux-gnu.so", "", None),
        ("musllinux_1_2_x86_64", "x.so", "libc.musl-x86_64.so.1", None),
        ("linux_x86_64", "x.so", "libc.musl-x86_64.so.1", None),
        ("manylinux_2_28_x86_64.musllinux_1_2_x86_64", "x.so", "libc.so", None),
    ],
)
def test_a_binary_for_the_other_c_library_is_said(tmp_path, platform, name, needed, expected):
    tags = "\nTag: ".join(f"py3-none-{one}" for one in platform.split("."))
    content = files({f"demo/{name}": elf(*filter(None, [needed]))}, WHEEL=wheel_text(tags, pure=False))
    text = said(make(tmp_path, content, f"demo-1.0-py3-none-{platform}.whl"))
    assert expected in text if expected else "the tags for" not in text


@pytest.mark.parametrize(
    ("names", "tags", "expected"),
    [
        (["x.cpython-311-darwin.so"], "cp310-cp310", "is for CPython 3.11, and the tags name 3.10 too"),
        (["x.cp311-win_amd64.pyd"], "cp310.cp311-cp310.cp311", None),
        (["x.cpython-310-darwin.so", "x.cpython-311-darwin.so"], "cp310-cp310", None),
        (["x.cpython-311-darwin.so", "x.abi3.so"], "cp310-cp310", None),
        (["x.cpython-311-darwin.so"], "py3-none", None),
        (["x.cpython-313t-darwin.so"], "cp313-cp313t", None),
    ],
)
def test_a_module_for_another_python_than_the_tags_name_is_said(tmp_path, names, tags, expected):
    content = files({f"demo/{name}": b"" for name in names})
    text = said(make(tmp_path, content, f"demo-1.0-{tags}-any.whl"))
    assert expected in text if expected else "is for CPython" not in text


def test_a_missing_build_is_a_note_on_wheels_of_others(tmp_path):
    path = make(tmp_path, files(WHEEL=FOREIGN), "demo-1.0-3-py3-none-any.whl")
    found = check.examine(path)
    assert (found.problems, found.notes) == ((), (f"{INFO}/WHEEL: has no Build; the file name has 3",))


@pytest.mark.parametrize("platform", ["macosx_11_0_arm64", "macosx_10_13_x86_64", "win_amd64"])
def test_a_sound_wheel_for_another_system_than_linux_has_no_problem(tmp_path, platform):
    content = files(WHEEL=wheel_text(f"py3-none-{platform}"))
    assert check.check(make(tmp_path, content, f"demo-1.0-py3-none-{platform}.whl")) == ()


def test_a_library_that_is_not_found_is_said_with_where_it_was_looked_for(tmp_path):
    inner = shared_library(
        tmp_path / "x" / "libinner.so.1", "int inner(void) { return 1; }", Linking(soname="libinner.so.1")
    )
    text = said(compiled(tmp_path, Linking(needed=(inner,), rpath="$ORIGIN/nowhere")))
    assert "needs libinner.so.1, which is neither in the wheel where it is looked for nor promised by the tag" in text
    assert "looked for in $ORIGIN/nowhere; it is at demo/lib/libinner.so.1" in text
    assert said(compiled(tmp_path, Linking(needed=(inner,))), elsewhere=("libinner.*",)) == ""


def test_a_version_that_is_not_defined_is_said(tmp_path):
    other = shared_library(
        tmp_path / "x" / "libinner.so.1", "int inner(void) { return 1; }",
        Linking(soname="libinner.so.1", version_script="INNER_2 { global: inner; local: *; };"),
    )  # fmt: skip
    text = said(compiled(tmp_path, Linking(needed=(other,), runpath="$ORIGIN/lib")))
    assert "needs INNER_2 of demo/lib/libinner.so.1, which does not define it" in text


@pytest.mark.parametrize(
    ("floor", "symbol", "bad"),
    [
        ("2_17", "zcalloc", True),
        ("2_41", "zcalloc", True),
        ("2_36", "crc32_combine_gen", True),
        ("2_37", "crc32_combine_gen", False),
        ("2_17", "deflateInit_", False),
    ],
)
def test_a_symbol_that_the_systems_zlib_keeps_to_itself_is_said(tmp_path, floor, symbol, bad):
    zlib = shared_library(
        tmp_path / "x" / "libz.so.1", f"int {symbol}(void) {{ return 1; }}", Linking(soname="libz.so.1")
    )
    source = f"int {symbol}(void); int call(void) {{ return {symbol}(); }}"
    user = shared_library(tmp_path / "libuser.so", source, Linking(needed=(zlib,), flags=("-nostdlib",)))
    tag = f"py3-none-manylinux_{floor}_x86_64"
    content = files({"demo/libuser.so": user.read_bytes()}, WHEEL=wheel_text(tag, pure=False))
    expected = f"demo/libuser.so: uses {symbol} of the system's libz.so.1, which does not offer it"
    assert (expected in said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))) == bad
    assert said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"), elsewhere=("libz.so",)) == ""
    if bad:
        (problem,) = check.check(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))
        assert problem.hint == "pack the library that it was linked to"


@pytest.mark.parametrize("search", ["/opt/lib", "$ORIGIN/../../lib", "$ORIGIN/lib:", "lib", "$ORIGIN/../x/../.."])
def test_a_search_path_that_leaves_the_wheel_is_said(tmp_path, search):
    inner = shared_library(
        tmp_path / "x" / "libinner.so.1", "int inner(void) { return 1; }", Linking(soname="libinner.so.1")
    )
    text = said(compiled(tmp_path, Linking(needed=(inner,), rpath=f"$ORIGIN/lib:{search}")))
    assert "is outside the wheel" in text


def test_a_symbol_newer_than_the_tag_is_said(tmp_path):
    source = "#include <math.h>\n#include <pthread.h>\nint main(void) { return pthread_create(0, 0, 0, 0); }"
    tool = program(tmp_path / "tool", source)
    if b"GLIBC_2.34" not in tool.read_bytes():
        pytest.skip("the glibc of this machine is older than 2.34")
    tag = f"py3-none-{PLATFORM}"
    content = files({"demo/tool": tool.read_bytes()}, WHEEL=wheel_text(tag, pure=False))
    text = said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))
    assert "GLIBC_2.34 of the system's libc.so.6, which a system with glibc 2.28 need not have" in text
    later = tag.replace("2_28", "2_34")
    content = files({"demo/tool": tool.read_bytes()}, WHEEL=wheel_text(later, pure=False))
    assert said(make(tmp_path, content, name=f"demo-1.0-{later}.whl")) == ""


@pytest.mark.parametrize(
    ("target", "platform"),
    [
        ("x86-linux-gnu", "manylinux_2_17_i686"),
        ("arm-linux-gnueabihf", "manylinux_2_31_armv7l"),
        ("arm-linux-gnueabihf", "linux_armv6l"),
        ("s390x-linux-gnu", "manylinux2014_s390x"),
        ("riscv64-linux-gnu", "manylinux_2_31_riscv64"),
    ],
)
def test_a_missing_library_is_found_on_machines_that_nothing_is_pressed_for(tmp_path, target, platform):
    path = of_platform(tmp_path, "demo/libouter.so", foreign(tmp_path, target), platform)
    assert said(path) == (
        "demo/libouter.so: needs libinner.so.1, which is neither in the wheel where it is looked for nor promised by "
        "the tag\n  the file has no search path"
    )


def test_a_missing_library_is_found_on_32_bit_windows(tmp_path):
    data = foreign(tmp_path, "x86-windows-gnu", needs="inner.dll")
    assert said(of_platform(tmp_path, "demo/outer.dll", data, "win32")) == (
        "demo/outer.dll: needs inner.dll, which is neither in the wheel where Windows looks nor a part of Windows or "
        "Python\n  looked for in demo"
    )


@pytest.mark.parametrize(
    ("tags", "name"), [("pp310-pypy310_pp73", "libpypy3.10-c.so"), ("graalpy311-x", "python-native.so")]
)
def test_pypy_and_graalpy_have_their_own_library(tmp_path, tags, name):
    platform = "linux_x86_64"
    content = files({"demo/x.so": elf(name)}, WHEEL=wheel_text(f"{tags}-{platform}", pure=False))
    assert f"needs {name}" not in said(make(tmp_path, content, f"demo-1.0-{tags}-{platform}.whl"))
    content = files({"demo/x.so": elf(name)}, WHEEL=wheel_text(f"cp310-cp310-{platform}", pure=False))
    assert f"needs {name}" in said(make(tmp_path, content, f"demo-1.0-cp310-cp310-{platform}.whl"))
