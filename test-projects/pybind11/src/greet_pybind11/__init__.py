"""Greets through the C library of the conda package `greet`."""

from __future__ import annotations

from greet_pybind11._greet import header, number, words

__all__ = ["header", "number", "words"]
