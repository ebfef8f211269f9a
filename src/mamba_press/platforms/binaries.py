"""Binaries of every format: what the loader reads of them; `binary_edits` edits them.

ELF, Mach-O and PE are read. What is for a machine that mamba-press does not edit reads as a binary without
an architecture, which is left untouched.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from mamba_press.platforms.binary_format import READING, Data, Malformed, Symbols
from mamba_press.platforms.linux import elf, elf_reader
from mamba_press.platforms.macos import macho, macho_reader
from mamba_press.platforms.windows import pe, pe_reader

if TYPE_CHECKING:
    from mamba_press.types import Binary

__all__ = ["Data", "Malformed", "Part", "Symbols", "format_of", "kind_of", "lookup", "parts", "read"]
__all__ += ["read_file", "symbols", "symbols_of", "unique_symbols"]

Format = Literal["elf", "macho", "pe"]

_READ = {"elf": elf_reader.read, "macho": macho_reader.read, "pe": pe_reader.read}
_SYMBOLS = {"elf": elf_reader.symbols, "macho": macho_reader.symbols, "pe": pe_reader.symbols}
_LOOKUP = {"elf": elf_reader.lookup, "macho": macho_reader.lookup, "pe": pe_reader.lookup}

_THIN = {b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf"}
_FAT = {b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"}
_MOST_SLICES = 30


class Part(NamedTuple):
    """What is read of one architecture's part of a file, which begins ``at`` an offset.

    Each of the ``segments`` is what is mapped: what kind it is, where it lies in the file and in memory, and its sizes.
    """

    at: int
    binary: Binary
    segments: tuple[tuple[int | str, ...], ...]


def format_of(head: bytes) -> Format | None:
    """The format that the first bytes of a file announce; four are enough to say no."""
    if head[:4] == b"\x7fELF":
        return "elf"
    if head[:4] in _THIN:
        return "macho"
    if head[:4] in _FAT and int.from_bytes(head[4:8], "big") < _MOST_SLICES:
        # Java's class files begin alike, and have their version, 45 and up, where Mach-O counts its slices.
        return "macho"
    return "pe" if head[:2] == b"MZ" else None


def kind_of(data: Data) -> Format | None:
    """The format of a binary, None for what is none: of PE the first letters alone say too little."""
    kind = format_of(bytes(data[:8]))
    return None if kind == "pe" and not pe.is_pe(data) else kind


def read(data: Data) -> Binary | None:
    """The facts of a binary, None for what is no binary; raises Malformed."""
    kind = kind_of(data)
    return _READ[kind](data) if kind else None


def read_file(path: Path) -> Binary | None:
    """As `read`, of a file that is mapped; of what is no binary only the first bytes are read."""
    descriptor = os.open(path, READING)
    try:
        if format_of(os.read(descriptor, 8)) is None:
            return None
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
            return read(data)
    finally:
        os.close(descriptor)


def parts(data: Data) -> tuple[Part, ...]:
    """The parts of a binary for the machines that are read closely, none for what is static; raises Malformed."""
    kind = kind_of(data)
    found: list[Part] = []
    if kind == "elf" and elf.is_read(data):
        image = elf.Image(data)
        loads = (each for each in image.segments if each.type == elf.PT_LOAD)
        mapped = ((each.flags & 7, each.offset, each.address, each.file_size, each.memory_size) for each in loads)
        found = [Part(0, elf_reader.facts(image), tuple(mapped))]
    elif kind == "macho":
        for slice_ in macho.images(data):
            each_of = (
                (each.name, each.offset, each.address, each.file_size, each.memory_size) for each in slice_.segments
            )
            found.append(Part(slice_.start, macho_reader.facts(slice_), tuple(each_of)))
    elif kind == "pe":
        sections = ((each.offset, each.address, each.raw_size, each.virtual_size) for each in pe.Image(data).sections)
        found = [Part(0, pe_reader.read(data), tuple(sections))]
    return tuple(part for part in found if part.binary.arch and part.binary.kind != "static")


def symbols(data: Data) -> Symbols:
    """The names of the dynamic symbols, without their versions; empty where the format is only recognised."""
    kind = kind_of(data)
    return _SYMBOLS[kind](data) if kind else Symbols(imports=frozenset(), exports=frozenset())


def symbols_of(source: Path | bytes) -> Symbols:
    """As `symbols`, of bytes or of a file that is mapped."""
    if isinstance(source, bytes):
        return symbols(source)
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return symbols(data)


def unique_symbols(data: Data) -> int:
    """How many symbols a process has once for all libraries that define them; only ELF knows such."""
    return elf_reader.unique_symbols(data) if format_of(bytes(data[:8])) == "elf" else 0


def lookup(binary: Binary, at: str, name: str) -> Iterator[str]:
    """Yield the paths that the loader would try for ``name`` through the binary's own search path, first wins.

    ``at`` is the binary's path; what is yielded is relative to the same root. System folders, and places outside
    the root, are not included.
    """
    return _LOOKUP[binary.format](binary, at, name)
