"""All that is known of Windows: its libraries, its loader, its binaries, its tags."""

from __future__ import annotations
