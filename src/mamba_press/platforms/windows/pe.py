"""PE files of Windows: what the loader reads of a DLL, an extension module or a program.

Images for x86-64, ARM64 and 32-bit x86 are read closely; the last are not edited. Everything that is named here is a
file offset or, where it is called an address, an offset from where the image will be mapped (an RVA).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from mamba_press.platforms.binary_format import RECORD, Allowance, Data, Malformed

_PE32, _PE32_PLUS = 0x10B, 0x20B
_ARCHES = {(_PE32_PLUS, 0x8664): "x86_64", (_PE32_PLUS, 0xAA64): "aarch64", (_PE32, 0x14C): "i686"}
"""The machines that are read closely, by the size of their words, as spelled in Linux wheel tags."""

EXPORTS, IMPORTS, RESOURCES, SECURITY, DEBUG, LOAD_CONFIG, BOUND_IMPORTS, DELAY_IMPORTS = 0, 1, 2, 4, 6, 10, 11, 13
"""The data directories that matter here, by number."""
_CLR = 14

RESTRICTED = "DependentLoadFlags "
"""Begins the only element of a `search`: the image itself says in which folders the loader looks for its imports."""

SECTION = struct.Struct("<8s6I2HI")
IMPORT = struct.Struct("<5I")
DELAY = struct.Struct("<8I")
EXPORT = struct.Struct("<2I2H7I")
_DEPENDENT_LOAD_FLAGS = {_PE32: 54, _PE32_PLUS: 78}
"""Where, in a load configuration, the flags are for loading what is imported."""
_MOST_SECTIONS = 96
_LONGEST_NAME = 4096
_MOST_EXPORTS = 1 << 20


class Directory(NamedTuple):
    """An entry of the table of data directories: an address, but for the certificates' an offset."""

    address: int
    size: int


class Section(NamedTuple):
    """A section: where it is mapped, and which bytes of the file fill it; ``header`` is its entry's offset."""

    name: bytes
    virtual_size: int
    address: int
    raw_size: int
    offset: int
    flags: int
    header: int

    @property
    def filled(self) -> int:
        """How many of the file's bytes are mapped."""
        return min(self.raw_size, -(-(self.virtual_size or self.raw_size) // 4096) * 4096)


class Name(NamedTuple):
    """A place that holds the address of a library's name: its offset, and the name."""

    pointer: int
    text: str


class Image:
    """The headers of a PE image; raises Malformed where they contradict themselves."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.left = Allowance(len(data))
        if not is_pe(data):
            raise Malformed("the DOS header leads to no PE header")
        self.header = int.from_bytes(data[60:64], "little")
        fields = struct.Struct("<2H12x2H")
        self.machine, self.section_count, self.optional_size, self.flags = self.unpack(fields, self.header + 4)
        self.optional = self.header + 24
        self.sections_at = self.optional + self.optional_size
        (self.magic,) = self.unpack(struct.Struct("<H"), self.optional)

    @property
    def arch(self) -> str | None:
        """The architecture, None where it is not one that is read closely."""
        if self.magic == _PE32 and self.directories[_CLR].size:
            # An assembly of .NET, which its own runtime loads on any machine.
            return None
        return _ARCHES.get((self.magic, self.machine))

    @property
    def is_edited(self) -> bool:
        """Whether it is one of the 64-bit images, which are edited."""
        return self.arch is not None and self.magic == _PE32_PLUS

    def unpack(self, form: struct.Struct, at: int) -> tuple[int, ...]:
        """The numbers at an offset; raises Malformed where the file ends before."""
        if at < 0 or at + form.size > len(self.data):
            raise Malformed(f"{form.size} bytes at {at:#x} end behind the file")
        return form.unpack_from(self.data, at)

    def number(self, at: int, size: int = 4) -> int:
        """One number at an offset."""
        if at < 0 or at + size > len(self.data):
            raise Malformed(f"{size} bytes at {at:#x} end behind the file")
        return int.from_bytes(self.data[at : at + size], "little")

    @cached_property
    def directories(self) -> tuple[Directory, ...]:
        """All sixteen data directories; those that the header leaves out are empty."""
        start = 112 if self.magic == _PE32_PLUS else 96
        count = min(self.number(self.optional + start - 4), 16)
        if start + 8 * count > self.optional_size:
            raise Malformed(f"the optional header of {self.optional_size} bytes has no room for {count} directories")
        places = range(self.optional + start, self.optional + start + 8 * count, 8)
        found = [Directory(*self.unpack(struct.Struct("<2I"), at)) for at in places]
        return (*found, *[Directory(0, 0)] * (16 - count))

    @property
    def section_alignment(self) -> int:
        """What the sections' addresses are multiples of."""
        return self._alignment(32, most=1 << 28)

    @property
    def file_alignment(self) -> int:
        """What the sections' offsets are multiples of."""
        return self._alignment(36, most=1 << 16)

    def _alignment(self, at: int, *, most: int) -> int:
        found = self.number(self.optional + at)
        if not 0 < found <= most or found & (found - 1):
            raise Malformed(f"an alignment is {found:#x}")
        return found

    @property
    def headers_size(self) -> int:
        """How many bytes of the file the headers take."""
        return self.number(self.optional + 60)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The sections in the order of their headers."""
        if self.section_count > _MOST_SECTIONS:
            raise Malformed(f"{self.section_count} sections are more than Windows loads")
        found = []
        for number in range(self.section_count):
            at = self.sections_at + SECTION.size * number
            if at + SECTION.size > len(self.data):
                raise Malformed(f"the header of section {number} at {at:#x} ends behind the file")
            name, virtual_size, address, raw_size, offset, _, _, _, _, flags = SECTION.unpack_from(self.data, at)
            # As the loader rounds, of any image whose sections are mapped by pages.
            offset = offset & ~0x1FF if self.section_alignment >= 4096 else offset
            found.append(Section(name.rstrip(b"\0"), virtual_size, address, raw_size, offset, flags, at))
        return tuple(found)

    def offset(self, address: int, size: int = 1) -> int:
        """Where in the file the bytes are that will be at an address; raises Malformed where there are none."""
        return self._place(address, size)[0]

    def _place(self, address: int, size: int) -> tuple[int, int]:
        """Where in the file the bytes are that will be at an address, and where their section ends there."""
        for section in self.sections:
            inside = address - section.address
            if inside >= 0 and inside + size <= section.filled:
                if section.offset + inside + size > len(self.data):
                    break
                return section.offset + inside, section.offset + section.filled
        last = min(self.headers_size, len(self.data))
        if address >= 0 and address + size <= last:
            return address, last
        raise Malformed(f"{size} bytes at the address {address:#x} are not in the file")

    def text(self, address: int) -> str:
        """The string that ends with a zero at an address."""
        at, last = self._place(address, 1)
        end = self.data.find(b"\0", at, min(at + _LONGEST_NAME, last))
        if end < 0:
            raise Malformed(f"the string at the address {address:#x} has no end")
        self.left.take(end - at + RECORD)
        return bytes(self.data[at:end]).decode("utf-8", "surrogateescape")

    def imports(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The import descriptors and their offsets."""
        yield from self._descriptors(IMPORTS, IMPORT, 3)

    def delayed(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The descriptors of delayed imports and their offsets."""
        for at, fields in self._descriptors(DELAY_IMPORTS, DELAY, 1):
            if fields[0] & 1:
                yield at, fields
            elif self.magic == _PE32:
                # As linkers wrote them before there were 64-bit images.
                base = self.number(self.optional + 28)
                yield at, (fields[0], *(field - base if field else 0 for field in fields[1:7]), fields[7])
            else:
                raise Malformed(f"the delayed import at {at:#x} has pointers in place of addresses")

    def _descriptors(self, directory: int, form: struct.Struct, name: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        address = self.directories[directory].address
        while address:
            at = self.offset(address, form.size)
            fields = self.unpack(form, at)
            if not fields[name]:
                return
            self.left.take(RECORD)
            yield at, fields
            address += form.size

    @cached_property
    def needed(self) -> tuple[Name, ...]:
        """The names of imported libraries, then of those whose import is delayed."""
        found = [Name(at + 12, self.text(fields[3])) for at, fields in self.imports()]
        found += [Name(at + 4, self.text(fields[1])) for at, fields in self.delayed()]
        return tuple(found)

    @cached_property
    def export(self) -> tuple[int, tuple[int, ...]] | None:
        """The export directory, with its offset."""
        if not self.directories[EXPORTS].address:
            return None
        at = self.offset(self.directories[EXPORTS].address, EXPORT.size)
        return at, self.unpack(EXPORT, at)

    @property
    def name(self) -> Name | None:
        """The name that a library has for itself; the loader does not look at it."""
        if self.export is None or not self.export[1][4]:
            return None
        return Name(self.export[0] + 12, self.text(self.export[1][4]))

    @property
    def names(self) -> tuple[Name, ...]:
        """Every name of a library, its own last."""
        return (*self.needed, *self.forwarders, *([self.name] if self.name else ()))

    @cached_property
    def forwarders(self) -> tuple[Name, ...]:
        """The exports that stand for ``library.symbol`` of another library."""
        if self.export is None:
            return ()
        first, last = self.directories[EXPORTS].address, sum(self.directories[EXPORTS])
        found = []
        for pointer, address in self._table(self.export[1][8], self.export[1][6]):
            if first <= address < last:
                found.append(Name(pointer, self.text(address)))
        return tuple(found)

    def export_names(self) -> Iterator[str]:
        """The names of what is exported."""
        if self.export is not None:
            for _, address in self._table(self.export[1][9], self.export[1][7]):
                yield self.text(address)

    def _table(self, address: int, count: int) -> Iterator[tuple[int, int]]:
        """Yield the offset and the content of each element of a table of addresses."""
        if not count:
            return
        if count > _MOST_EXPORTS:
            raise Malformed(f"{count} exports are more than there can be")
        at = self.offset(address, 4 * count)
        self.left.take(RECORD * count)
        for number in range(count):
            yield at + 4 * number, self.number(at + 4 * number)

    def import_names(self) -> Iterator[str]:
        """The names of what is imported; what is imported by number has none."""
        for _, fields in self.imports():
            yield from self._thunks(fields[0] or fields[4])
        for _, fields in self.delayed():
            yield from self._thunks(fields[4])

    def _thunks(self, address: int) -> Iterator[str]:
        size = 8 if self.magic == _PE32_PLUS else 4
        while address and (entry := self.number(self.offset(address, size), size)):
            if entry >> 8 * size - 1:
                self.left.take(RECORD)
            else:
                yield self.text((entry & 0x7FFFFFFF) + 2)
            address += size

    @cached_property
    def load_flags_at(self) -> int | None:
        """Where the flags are for loading what is imported."""
        directory = self.directories[LOAD_CONFIG]
        if not directory.address:
            return None
        at = self.offset(directory.address, 4)
        place = _DEPENDENT_LOAD_FLAGS[self.magic]
        if self.number(at) < place + 2:
            return None
        return self.offset(directory.address, place + 2) + place

    @property
    def load_flags(self) -> int:
        """The flags for loading what is imported, 0 where the loader decides."""
        return 0 if self.load_flags_at is None else self.number(self.load_flags_at, 2)


def is_pe(data: Data) -> bool:
    """Whether the DOS header leads to a PE header: its two letters alone say too little."""
    if len(data) < 64:
        return False
    at = int.from_bytes(data[60:64], "little")
    return bytes(data[at : at + 4]) == b"PE\0\0"


def forwarded(text: str) -> tuple[str, str]:
    """The file name of the library, and the symbol, that a forwarder means: of ``NTDLL.RtlAlloc`` ``NTDLL.dll``."""
    library, dot, symbol = text.rpartition(".")
    if not dot or not library:
        raise Malformed(f"the forwarder {text!r} names no library")
    return library if library.lower().endswith(".dll") else f"{library}.dll", symbol
