"""Long runs that are no tests: ``nox -s campaign``."""

from __future__ import annotations
