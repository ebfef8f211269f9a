"""What the loader of the tags would not find."""

from __future__ import annotations

import pytest

from mamba_press.audit import check
from tests.support.compile import Linking, program, shared_library
from tests.support.wheels import PLATFORM, compiled, elf, files, foreign, make, of_platform, said, wheel_text


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
