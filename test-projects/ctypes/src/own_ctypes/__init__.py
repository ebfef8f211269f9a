"""Greetings from a C library."""

from __future__ import annotations

import ctypes

from own_ctypes._mamba_press import library
from own_ctypes._version import __version__

__all__ = ["__version__", "greet"]

_library = ctypes.CDLL(library("greet"))
_library.greet.argtypes = [ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]


def greet(name: str) -> str:
    """Return a greeting."""
    out = ctypes.create_string_buffer(80)
    _library.greet(out, len(out), name.encode())
    return out.value.decode()
