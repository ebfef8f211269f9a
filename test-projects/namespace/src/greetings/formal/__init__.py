"""A part of the namespace package greetings."""

from __future__ import annotations

import ctypes

from ._mamba_press import library

_library = ctypes.CDLL(library("greet"))


def greet(name):
    """Return a greeting."""
    out = ctypes.create_string_buffer(80)
    _library.greet(out, ctypes.c_ulong(len(out)), f"dear {name}".encode())
    return out.value.decode()
