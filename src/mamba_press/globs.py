"""Globs over paths with ``/``: ``*`` and ``?`` stay within a folder, ``**`` crosses folders, ``x/`` is all below x."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    if glob.endswith("/"):
        glob += "**"
    out = []
    for part in re.findall(r"\*\*/|\*\*|\*|\?|\[!?[^\]]+\]|.", glob, re.DOTALL):
        if part == "**/":
            out.append("(?:.*/)?")
        elif part == "**":
            out.append(".*")
        elif part == "*":
            out.append("[^/]*")
        elif part == "?":
            out.append("[^/]")
        elif len(part) > 1:
            out.append(part.replace("[!", "[^", 1))
        else:
            out.append(re.escape(part))
    return re.compile("".join(out), re.DOTALL)


def matches(path: str, globs: Iterable[str]) -> str | None:
    """Return the first of the globs that matches the whole path, or None."""
    return next((glob for glob in globs if _pattern(glob).fullmatch(path)), None)


def matches_library(name: str, globs: Iterable[str]) -> str | None:
    """Like `matches`, for a library's name: a glob also matches without the version that follows ``.so``."""
    bare = re.sub(r"(\.so)(\.[0-9.]+)$", r"\1", name)
    return matches(name, globs) or matches(bare, globs)
