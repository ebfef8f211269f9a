"""What several tests build on: conda packages and channels, compiled code, Python environments."""

from __future__ import annotations
