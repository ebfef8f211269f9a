"""The edits with which a PE file finds its libraries."""

from __future__ import annotations

import pytest

from mamba_press.platforms.protocol import Answer, Situation
from mamba_press.platforms.windows import relocate
from mamba_press.types import Edits
from tests.support.values import binary

DEP = Answer(needed="dep.dll", where="wheel", folder="home/bin", name="dep-0123abcd.dll")
SAME = Answer(needed="Same.DLL", where="wheel", folder="home/bin", name="same.dll")
TORCH = Answer(needed="torch.dll", where="external", folder="torch/lib", name="torch_cpu.dll")
KERNEL = Answer(needed="KERNEL32.dll", where="system")
GONE = Answer(needed="gone.dll", where="removed")


def edits(*answers: Answer, search: tuple[str, ...] = ()) -> Edits:
    before = binary("x.dll", format="pe", search=search)
    return relocate.edits(before, Situation(folder="app", plain={}, answers=answers, name="other.dll"))


def test_what_is_in_this_wheel_or_another_one_is_asked_for_by_its_name_there_and_what_is_removed_goes():
    assert edits(DEP, KERNEL, TORCH, GONE) == Edits(
        needed=(("dep.dll", "dep-0123abcd.dll"), ("torch.dll", "torch_cpu.dll"), ("gone.dll", None))
    )


def test_a_name_that_windows_takes_for_the_same_is_left_as_it_is():
    assert edits(SAME, KERNEL) == Edits()


@pytest.mark.parametrize(
    ("answers", "search", "edited"),
    [((SAME,), ("system32",), ()), ((KERNEL,), ("system32",), None), ((SAME,), (), None), ((GONE,), ("system32",), ())],
)
def test_a_restriction_to_folders_goes_where_it_would_hide_the_wheels_own(answers, search, edited):
    assert edits(*answers, search=search).search == edited
