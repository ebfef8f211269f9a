from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pytest

from mamba_press.config.schema_types import BackendSetting, Filled, PyPIRequirement, is_text, words


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (bool, "true or false"),
        (Filled, "a string"),
        (Literal["a"], '"a"'),
        (Literal["a", "b", "c"], '"a", "b" or "c"'),
        (tuple[Filled, ...], "a list of strings"),
        (Mapping[str, Filled], "a table of strings"),
        (Mapping[str, PyPIRequirement], "a table of strings or false"),
        (Mapping[str, BackendSetting], "a table of strings or lists of strings"),
    ],
)
def test_a_kind_of_value_is_called_in_the_words_of_toml(kind, expected):
    assert words(kind) == expected
    assert is_text(kind) == (expected == "a string" or expected.startswith('"'))
