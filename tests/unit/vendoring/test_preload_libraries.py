"""Modules that load what other wheels have."""

from __future__ import annotations

import pytest

from mamba_press.vendoring import preload_libraries, split
from tests.support.wheelhouse import INIT, SITE, Wheelhouse, greeting


@pytest.fixture
def house(tmp_path):
    return Wheelhouse(tmp_path)


def loading(house: Wheelhouse) -> dict[str, split.Member]:
    members = tuple(house.members().values())
    return {each.package.name: each for each in preload_libraries.with_loaders(members, house.selection(), "house")}


def test_a_package_with_extensions_loads_what_other_wheels_have_each_library_after_those_it_needs(house):
    member = loading(greeting(house))["greet"]
    entries = {entry.path: entry.source for entry in member.entries}
    text = entries["_house_prefix/_load_greet.py"].decode()
    assert text.index("_prefix/lib/libword.so.1") < text.index("_prefix/lib/libgreet.so.1")
    assert entries["greet/__init__.py"].splitlines()[1:3] == [
        b"from _house_prefix import _load_greet as _mamba_press",
        b"",
    ]


def test_a_wheel_that_needs_no_other_one_loads_nothing(house):
    house.python("greet").file("greet", f"{SITE}/greet/__init__.py", INIT)
    house.file("greet", f"{SITE}/greet/_greet.so", b"E", needs=("lib/libgreet.so.1",))
    house.file("greet", "lib/libgreet.so.1", b"G")
    assert loading(house)["greet"] == house.members()["greet"]


def test_a_module_beside_a_single_extension_loads_for_it(house):
    greeting(house).python("top", "libgreet").file("top", f"{SITE}/top.py", b"import _top\n")
    house.file("top", f"{SITE}/_top.so", b"E", needs=("lib/libgreet.so.1",))
    member = loading(house)["top"]
    (source,) = (entry.source for entry in member.entries if entry.path == "top.py")
    assert source == b"from _house_prefix import _load_top as _mamba_press\nimport _top\n"
    assert member.notes == ()


def test_the_regular_package_below_a_namespace_loads(house):
    greeting(house).python("ns", "libgreet").file("ns", f"{SITE}/space/ns/__init__.py", b"")
    house.file("ns", f"{SITE}/space/ns/deep/_ns.so", b"E", needs=("lib/libgreet.so.1",))
    entries = {entry.path: entry.source for entry in loading(house)["ns"].entries}
    assert entries["space/ns/__init__.py"] == b"from _house_prefix import _load_ns as _mamba_press\n"


def test_an_extension_before_which_nothing_runs_is_told(house):
    greeting(house).python("alone", "libgreet")
    house.file("alone", f"{SITE}/alone.so", b"E", needs=("lib/libgreet.so.1",))
    (note,) = loading(house)["alone"].notes
    assert note.startswith("alone has to be installed into the same folder as what it requires: alone.so is imported")


def test_a_package_whose_source_cannot_be_read_stays_as_it_is_and_is_told(house):
    greeting(house)
    (house.root / "greet" / SITE / "greet/__init__.py").write_bytes(b"print 'python 2'\n")
    member = loading(house)["greet"]
    assert "greet/__init__.py cannot be read" in member.notes[0]
