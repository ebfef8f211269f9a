"""Passwords and tokens in URLs: taken off all that is kept, printed or handed on, and put back where a URL is asked.

Packages and solutions never hold any, and so neither do bills, locks, lists and what one hook leaves for another. Where
a package is fetched, its URL gets those of the channel from which it is; rattler adds what it knows of the host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_URL = re.compile(
    r"(?P<scheme>(?!file:)[a-z][a-z0-9+.-]*://)"
    # The second is a password with a slash in it, which is no URL, but looks like one where it is told.
    r"(?:[^/?#\s]*@|[^/?#\s@:]*:(?!\d*(?:[/?#]|$))\S*@)?"
    r"(?P<place>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?",
    re.IGNORECASE | re.DOTALL,
)
_TOKEN = re.compile(r"(?:/+(?:[tT]|%[57]4))+/+[^/]+(?=/|$)")
"""Servers take several slashes for one, an escaped letter for the letter, and some of them T for t."""
_IN_TEXT = re.compile(
    # A password may hold the quotes that end a URL in a text.
    r"\b[a-z][a-z0-9+.-]*://(?:[^\s/?#@:\"'<>\\`]*:[^\s/?#]*@)?[^\s\"'<>\\`]+",
    re.IGNORECASE,
)


def public(url: str, *, query: bool = False) -> str:
    """Return a URL without user and password, without ``/t/TOKEN`` wherever it stands, without query and fragment.

    With ``query`` that stays: addresses that packages state for everybody need it. A folder of this machine has nothing
    of the kind, though it may well be called ``t``; what is no URL comes back as it is.
    """
    found = _URL.fullmatch(url)
    if found is None:
        return url
    kept = (found["query"] or "") if query else ""
    return found["scheme"] + _TOKEN.sub("", found["place"]) + kept


def hidden(text: str) -> str:
    """Return a text in which every URL is `public`, for whatever is printed."""
    return _IN_TEXT.sub(lambda found: public(found[0]), text) if "://" in text else text


def added(url: str, channels: Iterable[str]) -> str:
    """Return a public URL with the credentials of the channel that it lies in, the longest first."""
    for channel in sorted(channels, key=len, reverse=True):
        place = public(channel).rstrip("/") + "/"
        if "://" in channel and url.startswith(place):
            return re.split(r"[?#]", channel)[0].rstrip("/") + "/" + url[len(place) :]
    return url
