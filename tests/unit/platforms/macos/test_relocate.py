"""The edits with which a Mach-O file finds its libraries from where it will lie."""

from __future__ import annotations

import pytest

from mamba_press.platforms.macos import relocate
from mamba_press.platforms.protocol import Answer, Situation
from mamba_press.types import Edits
from tests.support.values import binary

DEP = Answer(needed="@rpath/libdep.1.dylib", where="wheel", folder="home/lib", name="libdep-0123abcd.1.dylib")
TORCH = Answer(needed="@rpath/libtorch.dylib", where="external", folder="torch/lib", name="libtorch.dylib")
GONE = Answer(needed="@rpath/libgone.dylib", where="removed")


def edits(*answers: Answer, **more: object) -> Edits:
    given = {"folder": "app", "plain": {}, "answers": answers, **more}
    return relocate.edits(binary(format="macho"), Situation(**given))  # type: ignore[arg-type]


def system(needed: str) -> Answer:
    return Answer(needed=needed, where="system")


def test_every_file_is_signed_and_has_no_search_path_of_its_own():
    assert edits(system("/usr/lib/libSystem.B.dylib")) == Edits(search=(), sign=True)


@pytest.mark.parametrize(
    ("folder", "origin"),
    [("home/lib", ""), ("", "/home/lib"), ("app", "/../home/lib"), ("home/lib/deep", "/..")],
)
def test_a_name_says_where_the_library_is_from_the_file_that_needs_it(folder, origin):
    found = edits(DEP, folder=folder)
    assert found.needed == (("@rpath/libdep.1.dylib", f"@loader_path{origin}/libdep-0123abcd.1.dylib"),)


def test_a_library_of_another_wheel_is_named_by_its_place_there_and_one_that_is_removed_goes():
    assert edits(TORCH, GONE).needed == (
        ("@rpath/libtorch.dylib", "@loader_path/../torch/lib/libtorch.dylib"),
        ("@rpath/libgone.dylib", None),
    )


def test_a_name_that_is_right_and_one_that_comes_twice_are_edited_no_more_than_needed():
    right = Answer(needed="@loader_path/x.dylib", where="wheel", folder="app", name="x.dylib")
    assert edits(right, DEP, DEP).needed == (
        ("@rpath/libdep.1.dylib", "@loader_path/../home/lib/libdep-0123abcd.1.dylib"),
    )


@pytest.mark.parametrize(
    ("needed", "new"),
    [
        ("@rpath/libc++.1.dylib", "/usr/lib/libc++.1.dylib"),
        ("/usr/lib/libc++.1.dylib", None),
        ("@rpath/libmine.2.dylib", "/opt/mine/libmine.2.dylib"),
        ("@rpath/libother.dylib", None),
    ],
)
def test_what_the_system_has_is_asked_for_where_it_has_it(needed, new):
    found = edits(system(needed), system=("/opt/mine/libmine.2.dylib", "libother.dylib"))
    assert found.needed == (((needed, new),) if new else ())


@pytest.mark.parametrize(
    ("before", "name", "after"),
    [
        ("@rpath/libx.dylib", "libx-0123abcd.dylib", "@rpath/libx-0123abcd.dylib"),
        ("@rpath/libx.dylib", "libx.dylib", None),
        ("/old/libx.dylib", "libx.dylib", "@rpath/libx.dylib"),
        ("@rpath/libx.dylib", "", None),
        (None, "plugin.so", None),
    ],
)
def test_a_library_calls_itself_as_it_is_called(before, name, after):
    found = relocate.edits(binary(before, format="macho"), Situation(folder="app", plain={}, name=name))
    assert found.name == after


def test_search_paths_lead_to_what_is_opened_by_name_each_once():
    assert edits(opened=("home/lib", "app", "home/lib")).search == ("@loader_path/../home/lib", "@loader_path")
