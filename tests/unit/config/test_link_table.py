from __future__ import annotations

import pytest

from tests.unit.config.test_reader import config


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("false", False), (["libssl*"], ("libssl*",)), ("On", True), ("0", False), (True, True)],
)
def test_renaming_takes_a_claim_or_globs(value, expected):
    assert config(settings={"link.rename": value}).link.rename == expected


def test_renaming_is_decided_by_the_press_where_nothing_is_said():
    assert config().link.rename is None
