"""The machines of ELF files, and the files' records in each size of words and byte order."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

MACHINES = {62: "x86_64", 183: "aarch64", 21: "ppc64le", 243: "riscv64"}
"""The machines whose files are edited; they are 64-bit and little-endian."""
SMALL, WIDE, LITTLE, BIG = 1, 2, 1, 2
ARCHES = {
    **{(WIDE, LITTLE, machine): arch for machine, arch in MACHINES.items()},
    (WIDE, LITTLE, 258): "loongarch64",
    (SMALL, LITTLE, 3): "i686",
    (SMALL, LITTLE, 40): "armv7l",
    (WIDE, BIG, 21): "ppc64",
    (WIDE, BIG, 22): "s390x",
}
"""The machines whose files are read, by the size of their words and their byte order, as platform tags spell them."""
PAGES = {
    **dict.fromkeys(ARCHES.values(), 0x1000),
    **dict.fromkeys(("aarch64", "ppc64le", "ppc64"), 0x10000),
    "loongarch64": 0x4000,
}
"""The largest page that a kernel of the architecture maps with: a file that is not laid out for it is broken.

GNU ld and lld lay out for the same or for larger ones, for riscv64 for 4 KiB.
"""
WRITTEN_PAGES = {**PAGES, "riscv64": 0x10000}
"""The page for which an added segment is laid out: being ready for larger ones of later kernels costs nothing."""


class Form(NamedTuple):
    """How the records of a file are laid out, by the bytes of its words and their order.

    Where words have 4 bytes, segments and symbols have their fields in another order.
    """

    order: str
    word: int
    header: struct.Struct
    segment: struct.Struct
    section: struct.Struct
    dynamic: struct.Struct
    symbol: struct.Struct


def _forms() -> Iterator[tuple[tuple[int, int], Form]]:
    for code, order in ((LITTLE, "<"), (BIG, ">")):
        wide = ("16sHHIQQQIHHHHHH", "IIQQQQQQ", "IIQQQQIIQQ", "QQ", "IBBHQQ")
        small = ("16sHHIIIIIHHHHHH", "IIIIIIII", "IIIIIIIIII", "II", "IIIBBH")
        yield (WIDE, code), Form(order, 8, *(struct.Struct(order + each) for each in wide))
        yield (SMALL, code), Form(order, 4, *(struct.Struct(order + each) for each in small))


FORMS = dict(_forms())
VERSIONS = {order: tuple(struct.Struct(order + each) for each in ("HHIII", "IHHII", "HHHHIII", "II")) for order in "<>"}


class Header(NamedTuple):
    """The ELF header, field by field."""

    ident: bytes
    type: int
    machine: int
    version: int
    entry: int
    segments_at: int
    sections_at: int
    flags: int
    size: int
    segment_size: int
    segment_count: int
    section_size: int
    section_count: int
    section_names: int


class Segment(NamedTuple):
    """A program header, field by field."""

    type: int
    flags: int
    offset: int
    address: int
    physical: int
    file_size: int
    memory_size: int
    align: int

    @property
    def file_end(self) -> int:
        """The offset behind its last byte in the file."""
        return self.offset + self.file_size

    @property
    def end(self) -> int:
        """The address behind its last byte in memory."""
        return self.address + self.memory_size


class Section(NamedTuple):
    """A section header, field by field."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int


class Version(NamedTuple):
    """One version of a verneed record, as stored at ``at`` of the file; ``name`` is an offset in the strings."""

    at: int
    hash: int
    flags: int
    number: int
    name: int


class Record(NamedTuple):
    """One verneed record, as stored at ``at`` of the file; ``file`` is the library's offset in the strings."""

    at: int
    file: int
    versions: tuple[Version, ...]
