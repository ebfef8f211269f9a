"""Greets through the C library of the conda package `greet`."""

from __future__ import annotations

from greet_cython._greet import header, number, words

__all__ = ["header", "main", "number", "words"]


def main() -> None:
    """Print a greeting."""
    print(words())
