"""mamba-press: press conda packages into wheels."""

from __future__ import annotations

__version__ = "0.1.0"
