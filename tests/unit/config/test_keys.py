from __future__ import annotations

import re
from pathlib import Path

import pytest

from mamba_press.config.keys import OTHER_VARIABLES, keys
from tests.support import reference

ROOT = Path(__file__).parents[3]
KEYS = {key.name: key for key in keys()}
EXAMPLES = reference.examples()


def test_no_two_keys_share_a_variable():
    names = [key.variable for key in KEYS.values()]
    assert len(names) == len(set(names))
    assert OTHER_VARIABLES.isdisjoint(names)


@pytest.mark.parametrize("name", [key.name for key in KEYS.values() if not key.table or key.one_for_all])
def test_every_key_is_described_and_has_an_example(name):
    page = reference.manual()
    section = page.split(f"### `{name}`\n")[1].split("\n### ")[0]
    assert re.match(r"\n[A-Z].*\.\n", section, re.DOTALL)
    assert name in EXAMPLES
