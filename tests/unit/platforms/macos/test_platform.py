"""macOS' answers to what every platform is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press.platforms.macos import platform
from mamba_press.types import Entry
from tests.support.values import binary, demand, package


def choose(*symbols: str, version: str = "16.0.6", floor: tuple[int, int] = (11, 0), wanted="auto"):
    packages = (replace(package("libcxx"), version=version),) if version else ()
    asked = demand("libcxx", "osx", wanted=wanted, symbols=frozenset(symbols), packages=packages, floor=floor)
    return platform.choose_runtime(asked)


def test_systems_libcxx_is_taken_where_it_has_every_symbol():
    assert choose("___cxa_throw") == ("system", "macOS 11.0 has every symbol needed")
    choice, why = choose("___cxa_throw", "__ZNSt3__18to_charsEPcS0_d")
    assert (choice, why) == ("bundle", "__ZNSt3__18to_charsEPcS0_d is more than macOS 11.0 promises")
    assert choose("__ZNSt3__18to_charsEPcS0_d", floor=(14, 0))[0] == "system"


@pytest.mark.parametrize("unknown", [{"version": "99.1"}, {"version": ""}, {"floor": (10, 13)}])
def test_libcxx_is_bundled_where_what_the_system_has_is_not_known(unknown):
    assert choose("___cxa_throw", **unknown)[0] == "bundle"


def test_configuration_decides_about_libcxx_and_only_it_can_be_the_systems():
    assert choose("__ZTIDu", wanted="system") == ("system", "link.runtimes says system")
    assert choose("___cxa_throw", wanted="bundle")[0] == "bundle"
    found = platform.choose_runtime(demand("libgfortran", "osx", wanted="system", floor=(14, 0)))
    assert found == ("bundle", "macOS has none")


@pytest.mark.parametrize(
    ("name", "patterns", "named"),
    [
        ("/opt/x/libx.1.dylib", ["/opt/x/libx.dylib"], True),
        ("/opt/x/libx.1.dylib", ["libx.dylib"], True),
        ("@rpath/libx.1.dylib", ["libx.dylib"], False),
        ("@rpath/libx.1.dylib", ["/opt/x/libx.dylib"], True),
    ],
)
def test_a_name_that_says_no_place_is_only_named_by_one(name, patterns, named):
    assert platform.is_named(name, patterns) == named


def test_what_a_file_states_counts_from_the_first_mac_of_the_architecture_on():
    old = Entry(path="a.dylib", source=b"", package="a", binary=binary(arch="arm64", format="macho", floor=(10, 9)))
    assert [floor.version for floor in platform.demands([old], "arm64", lambda _: frozenset())] == [(11, 0)]
    assert [floor.version for floor in platform.demanded([old], "arm64")] == [(10, 9)]
