"""The records of Mach-O files."""

from __future__ import annotations

from typing import NamedTuple


class Slice(NamedTuple):
    """One architecture's part of a file; ``arch`` is None for what is not edited, ``align`` a power of two."""

    arch: str | None
    cpu: int
    subtype: int
    offset: int
    size: int
    align: int


class Command(NamedTuple):
    """A load command, by its place in the slice."""

    type: int
    offset: int
    size: int


class Section(NamedTuple):
    """A section; ``offset`` is 0 for what is not in the file."""

    segment: str
    name: str
    address: int
    size: int
    offset: int
    align: int


class Segment(NamedTuple):
    """A segment and its sections; ``command`` is the offset of its load command."""

    name: str
    address: int
    memory_size: int
    offset: int
    file_size: int
    protection: int
    sections: tuple[Section, ...]
    command: int

    @property
    def file_end(self) -> int:
        """Where it ends in the slice."""
        return self.offset + self.file_size


class Part(NamedTuple):
    """A range of the slice and what it holds."""

    offset: int
    size: int
    what: str
