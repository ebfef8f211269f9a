"""Conda: solve, fetch and lock. What needs rattler happens in a process of its own (`worker`)."""

from __future__ import annotations
