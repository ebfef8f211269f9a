"""Greets through the C library of the conda package `greet`."""

from __future__ import annotations

from greet_maturin._greet import ffi, lib

__all__ = ["number", "words"]


def number() -> int:
    """Return the number."""
    return int(lib.number())


def words() -> str:
    """Return the words."""
    return ffi.string(lib.words()).decode()
