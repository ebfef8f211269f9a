"""Linux' answers to what every platform is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press.platforms.linux import platform
from tests.support.values import TARGET, demand


def choose(*versions, wanted="auto", floor=(2, 17), runtime="libstdcxx", copy=(2, 17)):
    asked = demand(runtime, "linux", wanted=wanted, versions=frozenset(versions), floor=floor, of_copy=copy)
    return platform.choose_runtime(asked)


def test_the_systems_runtime_is_enough_where_the_floor_promises_every_version():
    assert choose("GLIBCXX_3.4.19", "CXXABI_1.3.7") == ("system", "manylinux_2_17 promises every version needed")


def test_one_version_too_new_brings_the_runtime_and_the_newest_is_told():
    assert choose("GLIBCXX_3.4.9", "GLIBCXX_3.4.30", "GLIBCXX_3.4.26") == (
        "bundle",
        "GLIBCXX_3.4.30 is more than manylinux_2_17 promises",
    )


def test_a_version_that_no_policy_knows_brings_the_runtime():
    assert choose("GLIBCXX_9.9", floor=(2, 40))[0] == "bundle"
    assert choose("GLIBCXX_9.9", "GLIBCXX_3.4.30", copy=(2, 36))[0] == "bundle"


@pytest.mark.parametrize("copy", [(2, 35), (2, 36)])
def test_a_copy_that_would_not_lower_the_tag_does_not_travel(copy):
    assert choose("GLIBCXX_3.4.30", copy=copy) == (
        "system",
        f"manylinux_2_35 promises every version needed, and a copy would need manylinux_2_{copy[1]}",
    )


def test_a_copy_that_lowers_the_tag_by_one_travels():
    assert choose("GLIBCXX_3.4.30", copy=(2, 34))[0] == "bundle"


def test_the_floor_that_the_wheel_needs_anyway_is_no_lower_with_a_copy():
    assert choose("GLIBCXX_3.4.30", floor=(2, 34), copy=(2, 17))[0] == "bundle"
    assert choose("GLIBCXX_3.4.30", floor=(2, 36), copy=(2, 17))[0] == "system"


def test_a_higher_floor_promises_more():
    assert choose("GLIBCXX_3.4.30", floor=(2, 35))[0] == "system"


@pytest.mark.parametrize("runtime", ["libgfortran", "libgomp", "libquadmath"])
def test_what_no_system_promises_travels(runtime):
    assert choose(runtime=runtime, floor=(2, 39)) == ("bundle", "no system promises it")


def test_the_atomic_operations_travel_for_many_systems_come_without_them():
    assert choose("LIBATOMIC_1.0", runtime="libatomic", floor=(2, 39)) == ("bundle", "not every system has it")


@pytest.mark.parametrize("wanted", ["system", "bundle"])
def test_what_the_user_says_is_done(wanted):
    assert choose("GLIBCXX_3.4.30", wanted=wanted) == (wanted, f"link.runtimes says {wanted}")


@pytest.mark.parametrize(("name", "why"), [("libc.so.6", "never vendored"), ("libz.so.1", None)])
def test_what_is_never_vendored_is_the_systems(name, why):
    assert platform.why_system(name) == why


@pytest.mark.parametrize(
    ("lowest", "asked", "floor", "spelt"),
    [
        ((2, 14), None, None, {"manylinux_2_14_x86_64", "manylinux2014_x86_64"}),
        ((2, 34), None, None, {"manylinux_2_34_x86_64"}),
        ((2, 5), "manylinux2014_x86_64", (2, 17), {"manylinux2014_x86_64", "manylinux_2_17_x86_64"}),
    ],
)
def test_a_floor_is_spelt_with_the_names_that_installers_know(lowest, asked, floor, spelt):
    assert platform.spellings(lowest, replace(TARGET, tag=asked, floor=floor)) == spelt
