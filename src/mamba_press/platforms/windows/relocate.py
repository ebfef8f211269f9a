"""How a PE file finds its libraries: by names that no other wheel has; where they lie, an image cannot say."""

from __future__ import annotations

from mamba_press.platforms.protocol import Situation
from mamba_press.types import Binary, Edits


def edits(binary: Binary, situation: Situation) -> Edits:
    """Return the new names of what is in this wheel or in another one.

    An image that restricts where its imports are looked for would not find them in the wheel.
    """
    names = [(each.needed, each.name or None) for each in situation.answers if each.where != "system"]
    return Edits(
        needed=tuple((old, new) for old, new in names if new is None or old.lower() != new.lower()),
        search=() if names and binary.search else None,
    )
