"""The edits by which a PE file finds its libraries."""

from __future__ import annotations

from mamba_press.platforms.protocol import Answer, Situation
from mamba_press.platforms.windows.relocate import edits
from tests.support.values import binary


def test_names_change_but_for_their_case_and_no_place_is_said():
    answers = (
        Answer(needed="A.dll", where="wheel", folder="home/_prefix/Library/bin", name="A-0a1b2c3d.dll"),
        Answer(needed="B.DLL", where="wheel", folder="home/_prefix/Library/bin", name="b.dll"),
        Answer(needed="python310.dll", where="removed"),
        Answer(needed="KERNEL32.dll", where="system"),
    )
    found = edits(binary(None, format="pe"), Situation(folder="home", answers=answers, plain={}))
    assert found.needed == (("A.dll", "A-0a1b2c3d.dll"), ("python310.dll", None))
    assert found.search is None


def test_an_image_that_restricts_where_windows_looks_no_longer_does_where_it_needs_a_library_of_a_wheel():
    restricted = binary(None, "a.dll", format="pe", search=("DependentLoadFlags 0x800",))
    answer = Answer(needed="a.dll", where="wheel", name="a.dll")
    assert edits(restricted, Situation(folder="home", answers=(answer,), plain={})).search == ()
    assert edits(restricted, Situation(folder="home", plain={})).search is None
