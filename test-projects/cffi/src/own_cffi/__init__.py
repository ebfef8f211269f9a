"""Greetings from a C library, declared as in its header."""

from __future__ import annotations

from cffi import FFI

from own_cffi._mamba_press import library

ffi = FFI()
ffi.cdef("int greet(char *out, unsigned long size, const char *name);")
_greet = ffi.dlopen(library("libgreet.so.1"))


def greet(name: str) -> str:
    """Return a greeting."""
    out = ffi.new("char[80]")
    _greet.greet(out, 80, name.encode())
    return ffi.string(out).decode()
