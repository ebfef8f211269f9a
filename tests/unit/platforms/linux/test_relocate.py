"""The edits with which an ELF file finds its libraries from where it will lie."""

from __future__ import annotations

import pytest

from mamba_press.platforms.linux import relocate
from mamba_press.platforms.protocol import Answer, Situation
from mamba_press.types import Edits
from tests.support.values import binary

DEP = Answer(needed="libdep.so.1", where="wheel", folder="home/lib", name="libdep-0123abcd.so.1")
KEPT = Answer(needed="libkept.so", where="wheel", folder="home/lib/sub", name="libkept.so")
TORCH = Answer(needed="libtorch.so.2", where="external", folder="torch/lib", name="libtorch.so")
LIBC = Answer(needed="libc.so.6", where="system")
GONE = Answer(needed="libgone.so", where="removed")


def situation(*answers: Answer, **more: object) -> Situation:
    return Situation(**{"folder": "app", "plain": {}, "answers": answers, **more})  # type: ignore[arg-type]


def test_what_needs_nothing_of_the_wheel_is_left_as_it_is():
    assert relocate.edits(binary(None, "libc.so.6"), situation(LIBC)) == Edits()


def test_names_change_search_paths_lead_there_and_what_is_removed_goes():
    found = relocate.edits(binary("libx.so"), situation(DEP, KEPT, LIBC, GONE, folder="home/lib"))
    assert found == Edits(
        needed=(("libdep.so.1", "libdep-0123abcd.so.1"), ("libgone.so", None)),
        search=("$ORIGIN", "$ORIGIN/sub"),
        inherited=True,
    )


@pytest.mark.parametrize(
    ("folder", "search"), [("", "$ORIGIN/home/lib"), ("home", "$ORIGIN/lib"), ("a/b", "$ORIGIN/../../home/lib")]
)
def test_a_search_path_leads_from_the_files_folder(folder, search):
    assert relocate.edits(binary(), situation(DEP, folder=folder)).search == (search,)


def test_folders_of_what_is_opened_come_behind_those_of_what_is_needed_and_each_once():
    found = relocate.edits(binary(), situation(KEPT, DEP, opened=("home/lib", "home/more")))
    assert found.search == ("$ORIGIN/../home/lib/sub", "$ORIGIN/../home/lib", "$ORIGIN/../home/more")


def test_a_library_of_another_wheel_is_looked_for_last_and_its_folder_is_not_handed_on():
    found = relocate.edits(binary(), situation(TORCH, DEP))
    assert found.needed == (("libtorch.so.2", "libtorch.so"), ("libdep.so.1", "libdep-0123abcd.so.1"))
    assert (found.search, found.inherited) == (("$ORIGIN/../home/lib", "$ORIGIN/../torch/lib"), False)


@pytest.mark.parametrize(
    ("plain", "inherited"),
    [
        ({"home/lib": ["libz.so.1"]}, False),
        ({"home/lib": ["libz.1.dylib", "z.so"]}, True),
        ({"home/lib": ["z.so", "libz.so"]}, False),
        ({"elsewhere": ["libz.so.1"]}, True),
    ],
)
def test_a_search_path_is_handed_on_unless_it_has_names_that_the_system_may_have(plain, inherited):
    assert relocate.edits(binary(), situation(DEP, plain=plain)).inherited is inherited


@pytest.mark.parametrize(
    ("search", "inherited", "edited"),
    [
        (("$ORIGIN/../home/lib",), True, None),
        (("$ORIGIN/../home/lib",), False, ("$ORIGIN/../home/lib",)),
        (("/old",), True, ("$ORIGIN/../home/lib",)),
    ],
)
def test_a_search_path_that_is_right_is_not_written_again(search, inherited, edited):
    before = binary(search=search, inherited=inherited)
    assert relocate.edits(before, situation(DEP)).search == edited


def test_old_search_paths_go_where_none_is_needed():
    assert relocate.edits(binary(search=("/old",)), situation(LIBC)).search == ()


@pytest.mark.parametrize(
    ("name", "is_hashed", "own"),
    [
        ("libx-0123abcd.so", True, "libx-0123abcd.so"),
        ("libx-0123abcd.so", False, None),
        ("libx.so", True, None),
    ],
)
def test_a_library_calls_itself_as_it_is_called_where_that_has_a_hash(name, is_hashed, own):
    assert relocate.edits(binary("libx.so"), situation(name=name, is_hashed=is_hashed)).name == own


@pytest.mark.parametrize(("name", "unbound"), [("libstdc++.so.6", True), ("libgcc_s.so.1", False), (None, False)])
def test_only_the_cpp_runtime_loses_its_unique_symbols(name, unbound):
    assert relocate.edits(binary(name), situation()).unbind_unique is unbound


def test_what_is_asked_of_every_file_is_passed_on():
    found = relocate.edits(binary(), situation(strip=True, clear_execstack=True))
    assert found == Edits(strip=True, clear_execstack=True)
