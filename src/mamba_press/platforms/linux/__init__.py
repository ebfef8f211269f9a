"""All that is known of Linux: its libraries, its loader, its binaries, its tags."""

from __future__ import annotations
