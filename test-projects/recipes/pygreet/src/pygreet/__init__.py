"""Greets from Python."""

from __future__ import annotations

import sys

from greet_words import polite

from pygreet._greet import file, greet

__all__ = ["file", "greet", "main"]


def main():
    print(greet(polite(sys.argv[1] if len(sys.argv) > 1 else "world")))
