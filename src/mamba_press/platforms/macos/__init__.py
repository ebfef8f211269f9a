"""All that is known of macOS: its libraries, its loader, its binaries, its tags."""

from __future__ import annotations
