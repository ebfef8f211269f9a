"""The fields at the head of METADATA and WHEEL, changed line by line: what is not asked for stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.metadata import Metadata, RawMetadata
    from packaging.requirements import Requirement

HEAD = 1 << 20
"""How large all fields together may be, without the description: tools read and compare each of them."""

NAMES = 500
"""How many different names they may have; there are some forty."""

DIGITS = 1000
"""How many digits a number may not have: Python reads none of more than 4,300."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """The lines of a head, each with those that continue it; ``rest`` is the blank line and all that follows."""

    lines: tuple[bytes, ...]
    rest: bytes
    newline: bytes

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of a field, continued lines joined; names count without case."""
        return tuple(_value(line) for line in self.lines if _name(line) == name.lower())

    def setting(self, name: str, values: tuple[str, ...]) -> Fields:
        """Return the fields with exactly these values of one, where its first value was, or last of all."""
        if values == self.values(name):
            return self
        places = [place for place, line in enumerate(self.lines) if _name(line) == name.lower()]
        at = places[0] if places else len(self.lines)
        old = {_value(self.lines[place]): self.lines[place] for place in places}
        new = tuple(old.get(value) or f"{name}: {value}".encode() for value in values)
        kept = [(place, line) for place, line in enumerate(self.lines) if place not in places]
        before = tuple(line for place, line in kept if place < at)
        return replace(self, lines=(*before, *new, *(line for place, line in kept if place > at)))

    def adding(self, lines: Iterable[str]) -> Fields:
        """Return the fields with these lines behind all others; the last of them ends."""
        return replace(self, lines=(*self.lines, *(line.encode() for line in lines)), rest=self.rest or self.newline)

    def __bytes__(self) -> bytes:
        return self.newline.join(self.lines) + self.rest


def parse(text: bytes) -> Fields:
    """Return the fields of a text; ``bytes`` of them is the text again."""
    newline = b"\r\n" if text.partition(b"\n")[0].endswith(b"\r") else b"\n"
    head = text.partition(newline * 2)[0].removesuffix(newline)
    groups: list[list[bytes]] = []
    for line in head.split(newline):
        if groups and line[:1] in (b" ", b"\t"):
            groups[-1].append(line)
        else:
            groups.append([line])
    return Fields(lines=tuple(newline.join(lines) for lines in groups), rest=text[len(head) :], newline=newline)


def metadata(text: bytes) -> tuple[Metadata | None, tuple[str, ...]]:
    """Return METADATA as `packaging` reads it, or None and what is wrong with it, a sentence each."""
    from packaging.metadata import ExceptionGroup, Metadata

    if not _fits(text):
        many = f"{NAMES:,} names, {HEAD:,} bytes"
        return None, (f"its fields have more than {many}, or a number of {DIGITS:,} digits: they are not read",)
    try:
        return Metadata.from_email(text), ()
    except ExceptionGroup as group:
        return None, tuple(_short(str(error)) for error in group.exceptions)
    except (RecursionError, MemoryError):
        return None, ("has a field with brackets nested too deeply",)
    except ValueError as error:  # a number of more digits than sys.get_int_max_str_digits()
        return None, (f"has a field that cannot be read: {error}",)


def _short(text: str) -> str:
    """Return a sentence without the middle of the value in it, where that is long."""
    return text if len(text) <= 300 else f"{text[:99]} … {text[-99:]}"


def requirement(text: str) -> Requirement:
    """Return what a text requires; raises InvalidRequirement, also for what `packaging` fails on."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        if re.search(rf"\d{{{DIGITS}}}", text):
            raise InvalidRequirement(f"has a number of {DIGITS:,} digits")
        return Requirement(text)
    except RecursionError:
        raise InvalidRequirement("has brackets nested too deeply") from None


def raw(text: bytes) -> RawMetadata:
    """Return what METADATA says, be it right or wrong; nothing of fields that are too large to be read."""
    from packaging.metadata import parse_email

    return parse_email(text if _fits(text) else b"")[0]


def head(text: bytes) -> bytes | None:
    """Return the fields alone, None where they do not end in time, or have more names than `packaging` can take.

    It looks for every name among all fields: for 20,000 names that takes half a minute.
    """
    end = re.compile(rb"\n\r?\n").search(text, 0, HEAD)
    if end is None and len(text) > HEAD:
        return None
    found = text[: end.start()] if end else text
    names = re.compile(rb"^[^\s:]+(?=:)", re.MULTILINE).findall(found)
    return found if len({name.lower() for name in names}) <= NAMES else None


def _fits(text: bytes) -> bool:
    """Whether the fields can be read in time, and have no number that Python does not read."""
    fields = head(text)
    return fields is not None and re.search(rb"\d{%d}" % DIGITS, fields) is None


def _name(line: bytes) -> str:
    return line.partition(b":")[0].decode("utf-8", errors="replace").strip().lower()


def _value(line: bytes) -> str:
    return " ".join(line.partition(b":")[2].decode("utf-8", errors="replace").split())
