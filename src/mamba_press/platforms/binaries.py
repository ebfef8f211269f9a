"""Binaries of every format: what the loader reads of them, and edits as a pure function on bytes.

ELF, Mach-O and PE are read and edited. What is for a machine that mamba-press does not edit reads as a binary without
an architecture, which is left untouched.
"""

from __future__ import annotations

import mmap
import os
import struct
from importlib import import_module
from typing import TYPE_CHECKING, Literal, NamedTuple

from mamba_press.platforms.binary_format import READING, Data, Malformed, Symbols
from mamba_press.platforms.linux import elf, elf_reader
from mamba_press.platforms.macos import macho, macho_reader
from mamba_press.platforms.windows import pe, pe_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mamba_press.types import Binary, Edits

__all__ = [
    "Data",
    "Malformed",
    "Part",
    "Symbols",
    "apply",
    "format_of",
    "layout_problems",
    "load",
    "lookup",
    "parts",
    "read",
    "read_file",
    "symbols",
    "symbols_of",
    "taken",
    "unique_symbols",
    "unsigned",
]

Format = Literal["elf", "macho", "pe"]

_PARTS = (
    *("linux.elf_check", "linux.elf_edit", "linux.elf_strip"),
    *("macos.codesign", "macos.macho_binds", "macos.macho_check", "macos.macho_edit", "macos.macho_layout"),
    *("windows.pe_check", "windows.pe_edit", "strings"),
)

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


def load() -> None:
    """Import all that reads and edits binaries, which has to be done before threads call anything of it.

    A Ctrl-C can hit the main thread where Python holds the lock of all imports, and then nobody lets go of that lock:
    a thread that imports would wait for ever.
    """
    for name in _PARTS:
        import_module(f"mamba_press.platforms.{name}")


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


def read(data: Data) -> Binary | None:
    """The facts of a binary, None for what is no binary; raises Malformed."""
    kind = format_of(bytes(data[:8]))
    if kind == "elf":
        return elf_reader.read(data)
    if kind == "macho":
        return macho_reader.read(data)
    if kind == "pe" and pe.is_pe(data):
        return pe_reader.read(data)
    return None


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
    kind = format_of(bytes(data[:8]))
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
    elif kind == "pe" and pe.is_pe(data):
        sections = ((each.offset, each.address, each.raw_size, each.virtual_size) for each in pe.Image(data).sections)
        found = [Part(0, pe_reader.read(data), tuple(sections))]
    return tuple(part for part in found if part.binary.arch and part.binary.kind != "static")


def apply(data: Data, edits: Edits) -> bytes | bytearray:
    """The binary with the edits made, read back and compared; raises Malformed where that cannot be.

    A needed library that is not needed is no error: afterwards none of the old names is. Edits that ask for what
    already is return the same bytes.
    """
    try:
        return _applied(data, edits)
    except struct.error as error:
        # Numbers that contradict each other lead to ones that their fields cannot hold.
        raise Malformed(f"a number does not fit where it belongs: {error}") from None


def _applied(data: Data, edits: Edits) -> bytes | bytearray:
    kind = format_of(bytes(data[:8]))
    if kind == "macho":
        from mamba_press.platforms.macos import macho_edit

        return macho_edit.apply(bytes(data), edits)
    if kind == "pe":
        from mamba_press.platforms.windows import pe_edit

        return pe_edit.apply(bytes(data), edits)
    if kind != "elf":
        raise Malformed("what is no binary cannot be edited")
    from mamba_press.platforms.linux import elf_edit

    result = elf_edit.apply(data, edits)
    return result if isinstance(result, bytes | bytearray) else bytes(result)


def unsigned(data: bytes) -> bytes:
    """What a file is apart from its signature: copies of one library may have been signed under different names."""
    if format_of(data[:8]) != "macho":
        return data
    from mamba_press.platforms.macos import codesign

    return codesign.unsigned(data)


def symbols(data: Data) -> Symbols:
    """The names of the dynamic symbols, without their versions; empty where the format is only recognised."""
    kind = format_of(bytes(data[:8]))
    if kind == "elf":
        return elf_reader.symbols(data)
    if kind == "macho":
        return macho_reader.symbols(data)
    if kind == "pe" and pe.is_pe(data):
        return pe_reader.symbols(data)
    return Symbols(imports=frozenset(), exports=frozenset())


def symbols_of(source: Path | bytes) -> Symbols:
    """As `symbols`, of bytes or of a file that is mapped."""
    if isinstance(source, bytes):
        return symbols(source)
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return symbols(data)


def unique_symbols(data: Data) -> int:
    """How many symbols a process has once for all libraries that define them; only ELF knows such."""
    return elf_reader.unique_symbols(data) if format_of(bytes(data[:8])) == "elf" else 0


def taken(data: Data, library: str) -> frozenset[str]:
    """The symbols that a file takes from one of the libraries that it needs, as the file spells them (Mach-O only)."""
    if format_of(bytes(data[:8])) != "macho":
        return frozenset()
    from mamba_press.platforms.macos import macho_binds

    return macho_binds.taken(data, library)


def lookup(binary: Binary, at: str, name: str) -> Iterator[str]:
    """Yield the paths that the loader would try for ``name`` through the binary's own search path, first wins.

    ``at`` is the binary's path; what is yielded is relative to the same root. System folders, and places outside
    the root, are not included.
    """
    if binary.format == "elf":
        yield from elf_reader.lookup(binary, at, name)
    elif binary.format == "macho":
        yield from macho_reader.lookup(binary, at, name)
    else:
        yield from pe_reader.lookup(binary, at, name)


def layout_problems(data: Data) -> tuple[str, ...]:
    """What is wrong with the structure, or would be when mapped with any page size of the architecture."""
    kind = format_of(bytes(data[:8]))
    if kind == "macho":
        from mamba_press.platforms.macos import macho_check

        return macho_check.layout_problems(data)
    if kind == "pe" and pe.is_pe(data):
        from mamba_press.platforms.windows import pe_check

        return pe_check.layout_problems(data)
    if kind != "elf":
        return ()
    from mamba_press.platforms.linux import elf_check

    return elf_check.layout_problems(data)
