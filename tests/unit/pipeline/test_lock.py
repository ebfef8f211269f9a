"""What a lock for all targets tells of what changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press.errors import ConfigError
from mamba_press.pipeline import lock
from mamba_press.types import Python
from tests.support.records import TARGET, held, package, solution

OTHER = replace(TARGET, python=Python(minor=11))


def test_what_changed_is_told_by_target_and_package():
    before = [held(TARGET, package("a"), package("b"), package("gone"))]
    after = [solution(TARGET, package("a"), package("b", version="2.0"), package("new", build="h2_0"))]
    assert [str(change) for change in lock.changes(before, after)] == [
        "b: 1.0 h1_0 -> 2.0 h1_0",
        "gone: 1.0 h1_0 -> not there",
        "new: not there -> 1.0 h2_0",
    ]


def test_a_target_that_comes_or_goes_is_one_change():
    found = lock.changes([held(TARGET, package("a"))], [solution(OTHER, package("a"), package("b"))])
    assert [(change.package, change.before, change.after) for change in found] == [
        (None, "1 packages", None),
        (None, None, "2 packages"),
    ]
    assert [str(change).partition(": ")[2] for change in found] == ["no longer locked", "locked"]


def test_the_same_solution_is_no_change():
    assert lock.changes([held(TARGET, package("a"))], [solution(TARGET, package("a"))]) == ()


def test_only_packages_that_are_locked_can_be_updated():
    lock.refuse_unknown(["a"], [held(TARGET, package("a"))])
    with pytest.raises(ConfigError, match="typo"):
        lock.refuse_unknown(["a", "typo"], [held(TARGET, package("a"))])
