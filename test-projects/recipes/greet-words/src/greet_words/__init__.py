"""Words for greetings."""

from __future__ import annotations


def polite(name):
    """A name as one writes it in a letter."""
    return "dear " + name.title()
