"""The edits by which an ELF file finds its libraries."""

from __future__ import annotations

import pytest

from mamba_press.platforms.linux.relocate import edits
from mamba_press.platforms.protocol import Answer, Situation
from tests.support.values import binary

HASHED = Answer(needed="liba.so.1", where="wheel", folder="home/_prefix/lib", name="liba-0a1b2c3d.so.1")


def test_a_library_of_the_wheel_is_found_from_where_the_file_lies_and_by_its_new_name():
    found = edits(binary(None, "liba.so.1"), Situation(folder="home/core", answers=(HASHED,), plain={}))
    assert found.needed == (("liba.so.1", "liba-0a1b2c3d.so.1"),)
    assert found.search == ("$ORIGIN/../_prefix/lib",)


@pytest.mark.parametrize(("plain", "inherited"), [({}, True), ({"home/_prefix/lib": ["libb.so"]}, False)])
def test_a_search_path_is_inherited_unless_its_folder_has_names_that_the_system_may_have(plain, inherited):
    situation = Situation(folder="home/core", answers=(HASHED,), plain=plain)
    assert edits(binary(None, "liba.so.1"), situation).inherited == inherited


def test_a_search_path_into_another_wheel_is_never_inherited():
    answer = Answer(needed="libx.so", where="external", folder="other/lib", name="libx.so")
    found = edits(binary(None, "libx.so"), Situation(folder="home", answers=(answer,), plain={}))
    assert (found.search, found.inherited, found.needed) == (("$ORIGIN/../other/lib",), False, ())


def test_what_is_removed_or_the_systems_leads_nowhere():
    answers = (Answer(needed="libpython3.10.so", where="removed"), Answer(needed="libc.so.6", where="system"))
    found = edits(binary(None, "libpython3.10.so", "libc.so.6"), Situation(folder="a", answers=answers, plain={}))
    assert found.needed == (("libpython3.10.so", None),)
    assert not found.search


@pytest.mark.parametrize(("is_hashed", "name"), [(True, "liba-0a1b2c3d.so.1"), (False, None)])
def test_only_a_library_with_a_hash_gets_a_name(is_hashed, name):
    situation = Situation(folder="a", name="liba-0a1b2c3d.so.1", is_hashed=is_hashed, plain={})
    assert edits(binary("liba.so.1"), situation).name == name


def test_only_libstdcxx_has_its_unique_symbols_unbound():
    situation = Situation(folder="a", plain={})
    assert edits(binary("libstdc++.so.6"), situation).unbind_unique
    assert not edits(binary("libz.so.1"), situation).unbind_unique
