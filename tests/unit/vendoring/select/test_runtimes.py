"""Which of the compilers' runtimes travel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.macho import LOAD, Dylib, dylib
from tests.support.selection import kept, pressed, problems
from tests.support.values import TARGET, Prefix
from tests.support.windows import Dll, dll


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


def test_two_openmp_runtimes_are_refused_with_the_way_out(prefix, elf):
    prefix.add("lib/libapp.so", elf.library("libapp.so", "libgomp.so.1"), of="app")
    prefix.add("lib/libgomp.so.1", elf.library("libgomp.so.1"), of="gcc")
    assert "lib/libgomp.so.1" in kept(pressed(prefix))
    prefix.add("lib/libbpp.so", elf.library("libbpp.so", "libomp.so"), of="app")
    prefix.add("lib/libomp.so", elf.library("libomp.so"), of="llvm")
    (problem,) = problems(prefix)
    assert problem == (
        "lib/libgomp.so.1 (gcc), lib/libomp.so (llvm): two OpenMP runtimes in one wheel crash or deadlock the process "
        "that loads both\n"
        '  narrow the solve with constraints so that one remains, e.g. ["_openmp_mutex * *_gnu"]'
    )


MACOS = replace(TARGET, system="osx", arch="arm64", subdir="osx-arm64", floor=(11, 0))
LIBCXX = "@rpath/libc++.1.dylib"


def with_libcxx(prefix: Prefix, symbol: bytes = b"_from_1") -> Prefix:
    """A library that takes a symbol from libc++, and libc++, which takes that from itself."""
    needs = Dylib(name="@rpath/libapp.dylib", needed=((LIBCXX, LOAD),), search=("@loader_path",))
    assert len(symbol) == len(b"_from_1")
    prefix.add("lib/libapp.dylib", dylib(needs).replace(b"_from_1", symbol), of="app")
    own = Dylib(name=LIBCXX, needed=((LIBCXX, LOAD),))
    prefix.add("lib/libc++.1.dylib", dylib(own).replace(b"_from_1", b"_tzdb_1"), of="libcxx")
    prefix.packages["libcxx"] = replace(prefix.packages["libcxx"], version="17.0.6")
    return prefix


def test_macos_libcxx_is_taken_where_it_has_every_symbol(prefix):
    selection = pressed(with_libcxx(prefix), MACOS)
    assert set(kept(selection)) == {"lib/libapp.dylib"}
    assert selection.notes == ("libcxx: system (macOS 11.0 has every symbol needed)",)


def test_a_libcxx_with_a_symbol_that_the_macos_of_the_floor_lacks_travels(prefix):
    selection = pressed(with_libcxx(prefix, b"_tzdb_x"), MACOS)
    assert "lib/libc++.1.dylib" in kept(selection)
    assert selection.notes == ("libcxx: bundle (_tzdb_x is more than macOS 11.0 promises)",)


def test_a_runtime_that_the_solution_does_not_have_is_to_be_named(prefix):
    prefix.add("lib/libapp.dylib", dylib(Dylib(needed=((LIBCXX, LOAD),), search=("@loader_path",))), of="app")
    table = {"runtimes": "bundle", "missing": "error", "system": ["/usr/lib/libc++.1.dylib"]}
    assert pressed(prefix, MACOS, link=table).notes == (
        "libcxx: bundle (link.runtimes says bundle); the solution has no copy of it: name its conda package, too",
    )


@pytest.mark.parametrize(
    ("needed", "choice", "why"),
    [
        ("VCRUNTIME140.dll", "system", "Python 3.10 brings it"),
        ("vcruntime140_threads.dll", "bundle", "Python 3.10 does not bring vcruntime140_threads.dll"),
    ],
)
def test_of_visual_c_s_runtime_what_python_brings_is_taken_from_it(prefix, needed, choice, why):
    target = replace(TARGET, system="win", arch="amd64", subdir="win-64", floor=None)
    prefix.add("Lib/site-packages/app.pyd", dll(Dll(imports={needed: ["memcpy"], "KERNEL32.dll": ["Sleep"]})), of="app")
    prefix.add(f"Library/bin/{needed.lower()}", dll(Dll()), of="vc")
    selection = pressed(prefix, target)
    assert selection.notes == (f"vcruntime: {choice} ({why})",)
    assert (f"Library/bin/{needed.lower()}" in kept(selection)) == (choice == "bundle")
