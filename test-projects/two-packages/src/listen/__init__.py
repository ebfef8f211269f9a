"""Listens to what was spoken."""

from __future__ import annotations

import speak


def listen(name):
    """Return what somebody hears."""
    return speak.speak(name).upper()
