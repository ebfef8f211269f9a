"""Globs over paths with ``/``: ``*`` and ``?`` stay within a folder, ``**`` crosses folders, ``x/`` is all below x."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _text(glob: str) -> str:
    """Return a glob as a regular expression."""
    if glob.endswith("/"):
        glob += "**"
    parts = re.findall(r"\*\*/|\*\*|\*|\?|\[!?[^\]]+\]|.", glob, re.DOTALL)
    return "".join(_WILD.get(part) or (_class(part[1:-1]) if len(part) > 1 else re.escape(part)) for part in parts)


@lru_cache(maxsize=256)
def _any(globs: tuple[str, ...]) -> re.Pattern[str]:
    """All of them at once, for most paths match none; the last group of a match has the number of its glob."""
    return re.compile("|".join(f"{_text(glob)}()" for glob in globs), re.DOTALL)


def _class(inside: str) -> str:
    """Return ``[abc]``, ``[a-z]`` or ``[!abc]`` as a pattern; like ``*`` it never stands for a slash."""
    negated, members = ("^", inside[1:]) if inside[0] == "!" and inside[1:] else ("", inside)
    pattern = re.sub(r"([\\^\[&~|])", r"\\\1", members)
    pattern = re.sub(r"(.)-(.)", _range, pattern, flags=re.DOTALL)
    return f"(?!/)[{negated}{pattern}]"


def _range(found: re.Match[str]) -> str:
    first, last = (f"\\{end}" if end == "-" else end for end in found.groups())
    between = "-" if found[1] <= found[2] else "\\-"
    return f"{first}{between}{last}"


def matches(path: str, globs: Iterable[str]) -> str | None:
    """Return the first of the globs that matches the whole path, or None."""
    globs = tuple(globs)
    found = _any(globs).fullmatch(path) if globs else None
    return globs[found.lastindex - 1] if found and found.lastindex else None


def matches_library(name: str, globs: Iterable[str]) -> str | None:
    """Like `matches`, for a library's name: a glob also matches without the version, ``.so.1`` or ``.1.dylib``."""
    bare = re.sub(r"(\.so)(\.[0-9.]+)$|(?:\.[0-9]+)+(\.dylib)$", lambda found: found[1] or found[3], name)
    return matches(name, globs) or matches(bare, globs)
