"""How values and names of the user's are shown in messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time


def found(value: object) -> str:
    """Say what a value is, in the words of TOML."""
    if isinstance(value, str):
        return f'"{printable(value)}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return "a date and time"
    plain = {int: "a number", float: "a number", date: "a date", time: "a time", type(None): "nothing"}
    if type(value) in plain:
        return plain[type(value)]
    if isinstance(value, (list, tuple)):
        strings = bool(value) and all(isinstance(item, str) for item in value)
        return "a list of strings" if strings else "a list" if value else "an empty list"
    return "a table" if isinstance(value, Mapping) else "something that is no TOML value"


def near(text: str, names: Iterable[str], cutoff: float = 0.7) -> str | None:
    """Return the name that may have been meant."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(text[:100], list(names), 1, cutoff)), None)


def printable(text: str) -> str:
    """Return the text so that any terminal can show it in one line."""
    short = text if len(text) <= 100 else f"{text[:99]}…"
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in short)


def size(count: int) -> str:
    """Return a number of bytes as a person reads it."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def others(count: int) -> str:
    """Return what stands behind the first of several, for which there is no room; nothing for none or less."""
    return f" (and {count} more)" if count > 0 else ""


def some(texts: Sequence[str], most: int = 3) -> str:
    """Return the first of several texts, and how many more there are."""
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
