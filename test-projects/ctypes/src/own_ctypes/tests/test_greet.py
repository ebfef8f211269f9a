from __future__ import annotations

from own_ctypes import greet


def test_a_name_is_greeted():
    assert greet("you") == "Hello, you!"
