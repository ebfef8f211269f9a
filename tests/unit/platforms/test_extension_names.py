from __future__ import annotations

import pytest

from mamba_press.platforms.extension_names import TAGGED


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("_x.cpython-312-x86_64-linux-gnu.so", {"posix": "12", "flags": ""}),
        ("_x.cpython-36m-darwin.so", {"posix": "6", "flags": "m"}),
        ("_x.cpython-314t-darwin.so", {"posix": "14", "flags": "t"}),
        ("_x.cp313-win_amd64.pyd", {"win": "13", "threads": ""}),
        ("_x.cp314t-win_arm64.pyd", {"win": "14", "threads": "t"}),
        ("_x.abi3.so", None),
        ("_x.so", None),
        ("_x.cpython-312-x86_64-linux-gnu.so.1", None),
        ("_x.pypy310-pp73-win_amd64.pyd", None),
    ],
)
def test_the_ending_of_a_module_says_for_which_python_it_is(name, groups):
    found = TAGGED.search(name)
    assert (found and {key: value for key, value in found.groupdict().items() if value is not None}) == groups
