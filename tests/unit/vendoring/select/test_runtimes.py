"""Which of the compilers' runtimes travel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.selection import kept, pressed
from tests.support.values import TARGET


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
