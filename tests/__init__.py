"""The tests of mamba-press."""

from __future__ import annotations
