"""Speaks through a C library."""

from __future__ import annotations

import ctypes

from speak._mamba_press import library

_library = ctypes.CDLL(library("greet"))


def speak(name):
    """Return what is said to somebody."""
    out = ctypes.create_string_buffer(80)
    _library.greet(out, ctypes.c_ulong(len(out)), name.encode())
    return out.value.decode()
