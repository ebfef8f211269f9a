"""Mach-O files as they lie on disk, thin and universal: load commands, segments, and what they lead to."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from mamba_press.platforms.binary_format import RECORD, Allowance, Data, Malformed
from mamba_press.platforms.macos.macho_tables import Export, walk

MAGIC = 0xFEEDFACF
FAT_MAGIC, FAT_MAGIC_64 = 0xCAFEBABE, 0xCAFEBABF
_OTHER_MAGICS = (b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"!<ar")
"""What a slice that is not edited may begin with: 32 bits, big-endian, or an archive of objects."""

ARCHES = {0x01000007: "x86_64", 0x0100000C: "arm64"}
PAGES = {"x86_64": 0x1000, "arm64": 0x4000}
_ARM64E = 2

MH_EXECUTE, MH_DYLIB, MH_BUNDLE = 2, 6, 8
MH_TWOLEVEL = 0x80

LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB = 0xC, 0x80000018, 0x8000001F
LC_LAZY_LOAD_DYLIB, LC_LOAD_UPWARD_DYLIB = 0x20, 0x80000023
LC_ID_DYLIB, LC_LOAD_DYLINKER, LC_RPATH, LC_UUID = 0xD, 0xE, 0x8000001C, 0x1B
LC_SEGMENT_64, LC_SYMTAB, LC_CODE_SIGNATURE = 0x19, 0x2, 0x1D
LC_DYLD_INFO, LC_DYLD_INFO_ONLY = 0x22, 0x80000022
LC_DYLD_EXPORTS_TRIE, LC_DYLD_CHAINED_FIXUPS = 0x80000033, 0x80000034
LC_VERSION_MIN_MACOSX, LC_BUILD_VERSION = 0x24, 0x32

LOADS = (LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB, LC_LAZY_LOAD_DYLIB, LC_LOAD_UPWARD_DYLIB)
"""The commands that make a dependency; their order is what symbols refer to (library ordinals, from 1)."""

LINKEDIT_DATA = {
    LC_CODE_SIGNATURE: "the signature",
    0x1E: "the segment split info",
    0x26: "the function starts",
    0x29: "the data in code",
    0x2B: "the signing requirements",
    0x2E: "the linker hints",
    LC_DYLD_EXPORTS_TRIE: "the exports",
    LC_DYLD_CHAINED_FIXUPS: "the fixups",
}
"""The commands that hold an offset and a size in __LINKEDIT, and what stands there."""

_DYLD_INFO = ("the rebases", "the binds", "the weak binds", "the lazy binds", "the exports")

N_EXT, N_PEXT, N_STAB, N_TYPE, N_UNDF = 0x01, 0x10, 0xE0, 0x0E, 0x00

_HEADER = struct.Struct("<8I")
_SEGMENT = struct.Struct("<16s4Q4I")
_SECTION = struct.Struct("<16s16s2Q8I")
NLIST = struct.Struct("<IBBHQ")
HEADER_SIZE = _HEADER.size
_MOST_SLICES = 30
_MOST_ALIGNED = 15
"""The largest power of two to which a slice may be aligned (MAXSECTALIGN of Apple's lipo)."""
_MOST_COMMANDS = 0x10000
"""More libraries than that have no number."""
_OLDEST_ARM64 = (11, 0)
_ZERO_FILL = (0x1, 0xC, 0x12)


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


def slices(data: Data) -> tuple[Slice, ...]:
    """The parts of a file in the order of its universal header, or the one that it is; raises Malformed."""
    if len(data) < 8:
        raise Malformed(f"the file ends after {len(data)} bytes, inside the Mach-O header")
    (magic,) = struct.unpack_from(">I", data, 0)
    if magic not in (FAT_MAGIC, FAT_MAGIC_64):
        return (_slice(data, 0, 0, (0, len(data), 0)),)
    (count,) = struct.unpack_from(">I", data, 4)
    record = struct.Struct(">2I3I" if magic == FAT_MAGIC else ">2I2QI4x")
    end = 8 + count * record.size
    if not 0 < count <= _MOST_SLICES or end > len(data):
        raise Malformed(f"the universal header announces {count} slices")
    found = []
    for number in range(count):
        cpu, subtype, *place = record.unpack_from(data, 8 + number * record.size)
        if place[0] < end or place[0] + place[1] > len(data):
            raise Malformed(f"slice {number} at {place[0]:#x} with {place[1]} bytes lies outside the file")
        if place[2] > _MOST_ALIGNED:
            raise Malformed(f"slice {number} asks to be aligned to 2^{place[2]}; 2^{_MOST_ALIGNED} is the most")
        found.append(_slice(data, cpu, subtype, (place[0], place[1], place[2])))
    for one, other in pairwise(sorted(found, key=lambda each: each.offset)):
        if one.offset + one.size > other.offset:
            raise Malformed(f"the slices at {one.offset:#x} and {other.offset:#x} overlap")
    return tuple(found)


def _slice(data: Data, cpu: int, subtype: int, place: tuple[int, int, int]) -> Slice:
    offset, size, align = place
    head = bytes(data[offset : offset + min(size, HEADER_SIZE)])
    if head[:4] in _OTHER_MAGICS:
        return Slice(None, cpu, subtype, offset, size, align)
    if len(head) < HEADER_SIZE or head[:4] != MAGIC.to_bytes(4, "little"):
        raise Malformed(f"what begins at {offset:#x} is no Mach-O header")
    _, own, own_subtype, *_ = _HEADER.unpack(head)
    if cpu and cpu != own:
        raise Malformed(f"the universal header says processor {cpu:#x}, the slice {own:#x}")
    arch = ARCHES.get(own)
    if arch == "arm64" and own_subtype & 0xFFFFFF == _ARM64E:
        arch = None
    return Slice(arch, own, own_subtype if not cpu else subtype, offset, size, align)


class Image:
    """One slice of a known architecture, taken apart; every offset is counted from the slice's start.

    Raises Malformed as soon as something lies outside the slice.
    """

    def __init__(self, data: Data, part: Slice, left: Allowance) -> None:
        self.data = data
        self.part = part
        self.left = left
        if part.arch is None:
            raise Malformed("a slice for a machine that is not known")
        self.arch: str = part.arch
        self.start = part.offset
        self.size = part.size
        _, _, _, self.type, self.command_count, self.commands_size, self.flags, _ = self.unpack(_HEADER, 0)
        self.commands_end = HEADER_SIZE + self.commands_size
        if self.commands_end > self.size:
            raise Malformed(f"the load commands end at {self.commands_end:#x}, behind the end of the slice")
        if self.command_count > _MOST_COMMANDS:
            raise Malformed(f"{self.command_count} load commands are more than there can be")
        self.commands = tuple(self._commands())

    def unpack(self, record: struct.Struct, offset: int, what: str = "a record") -> tuple[int, ...]:
        """The fields of a record at an offset."""
        if offset < 0 or offset + record.size > self.size:
            raise Malformed(f"{what} at {offset:#x} lies outside the slice")
        return record.unpack_from(self.data, self.start + offset)

    def slice(self, offset: int, size: int, what: str) -> bytes:
        """Bytes of the slice."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise Malformed(f"{what} at {offset:#x} with {size} bytes end after the slice")
        return bytes(self.data[self.start + offset : self.start + offset + size])

    def _commands(self) -> Iterator[Command]:
        at = HEADER_SIZE
        for number in range(self.command_count):
            if at + 8 > self.commands_end:
                raise Malformed(f"load command {number} begins behind the end of the load commands")
            kind, size = self.unpack(struct.Struct("<2I"), at)
            if size < 8 or size % 4 or at + size > self.commands_end:
                raise Malformed(f"load command {number} at {at:#x} has {size} bytes")
            yield Command(kind, at, size)
            at += size

    def of(self, *types: int) -> tuple[Command, ...]:
        """The load commands of these types, in their order."""
        return tuple(command for command in self.commands if command.type in types)

    def content(self, command: Command) -> bytes:
        """A load command's bytes."""
        return self.slice(command.offset, command.size, "a load command")

    def text(self, command: Command) -> str:
        """The name or path of a load command that begins with its offset."""
        content = self.content(command)
        start = int.from_bytes(content[8:12], "little") if len(content) >= 12 else 0
        if not 12 <= start < len(content):
            raise Malformed(f"the name of the load command at {command.offset:#x} lies outside of it")
        name, end, _ = content[start:].partition(b"\0")
        if not end and start + len(name) < len(content):
            raise Malformed(f"the name of the load command at {command.offset:#x} has no end")
        return name.decode("utf-8", "surrogateescape")

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The segments in the order of their commands."""
        return tuple(self._segment(command) for command in self.of(LC_SEGMENT_64))

    def _segment(self, command: Command) -> Segment:
        if command.size < 8 + _SEGMENT.size:
            raise Malformed(f"the segment command at {command.offset:#x} has {command.size} bytes")
        fields = _SEGMENT.unpack_from(self.content(command), 8)
        name, address, memory_size, offset, file_size, _, protection, count, _ = fields
        if 8 + _SEGMENT.size + count * _SECTION.size > command.size:
            raise Malformed(f"the segment command at {command.offset:#x} has no room for {count} sections")
        content = self.content(command)[8 + _SEGMENT.size :]
        sections = []
        for found in _SECTION.iter_unpack(content[: count * _SECTION.size]):
            of, size, at = found[0:2], found[3], found[4]
            is_filled = found[8] & 0xFF not in _ZERO_FILL
            sections.append(Section(_padded(of[1]), _padded(of[0]), found[2], size, at if is_filled else 0, found[5]))
        return Segment(
            _padded(name), address, memory_size, offset, file_size, protection, tuple(sections), command.offset
        )

    def segment(self, name: str) -> Segment | None:
        """The segment of this name, if there is one."""
        return next((segment for segment in self.segments if segment.name == name), None)

    @cached_property
    def name(self) -> str | None:
        """The install name of a library."""
        return next((self.text(command) for command in self.of(LC_ID_DYLIB)), None)

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """The dependencies' names; the first has the library ordinal 1."""
        return tuple(self.text(command) for command in self.of(*LOADS))

    @cached_property
    def floor(self) -> tuple[int, int] | None:
        """The lowest macOS that the slice states."""
        found = []
        for command in self.of(LC_BUILD_VERSION, LC_VERSION_MIN_MACOSX):
            at = 12 if command.type == LC_BUILD_VERSION else 8
            content = self.content(command)
            if len(content) < at + 4:
                raise Malformed(f"the load command at {command.offset:#x} ends before its version")
            version = int.from_bytes(content[at : at + 4], "little")
            found.append((version >> 16, version >> 8 & 0xFF))
        stated = max(found, default=None)
        if self.arch == "arm64":
            return max(stated or _OLDEST_ARM64, _OLDEST_ARM64)
        return stated

    @cached_property
    def signature(self) -> Part | None:
        """Where the signature is, if there is one."""
        found = next((part for kind, part in self._linkedit_data() if kind == LC_CODE_SIGNATURE), None)
        if found is not None and found.offset < self.commands_end:
            raise Malformed(f"the signature at {found.offset:#x} is in the load commands")
        return found

    def parts(self, types: Iterable[int]) -> tuple[Part, ...]:
        """What the load commands of these types say is in __LINKEDIT, for those with one offset and one size."""
        wanted = frozenset(types)
        return tuple(part for kind, part in self._linkedit_data() if kind in wanted)

    def _linkedit_data(self) -> Iterator[tuple[int, Part]]:
        for command in self._each_once(16, *LINKEDIT_DATA):
            offset, size = self.unpack(struct.Struct("<2I"), command.offset + 8)
            yield command.type, self._part(offset, size, LINKEDIT_DATA[command.type])

    def _part(self, offset: int, size: int, what: str) -> Part:
        """A range of the slice that a load command names: none may be in the load commands themselves."""
        if offset + size > self.size:
            raise Malformed(f"{what} at {offset:#x} with {size} bytes end after the slice")
        if offset < self.commands_end and (size or offset):
            raise Malformed(f"{what}: {offset:#x} is in the load commands, which end at {self.commands_end:#x}")
        return Part(offset, size, what)

    def _each_once(self, least: int, *types: int) -> Iterator[Command]:
        """The load commands of types that a slice has once at most, with so many bytes at least."""
        seen: set[int] = set()
        for command in self.of(*types):
            if command.type in seen:
                raise Malformed(f"the load command {command.type:#x} is there twice")
            if command.size < least:
                raise Malformed(f"the load command at {command.offset:#x} has {command.size} bytes")
            seen.add(command.type)
            yield command

    def dyld_info(self) -> dict[str, Part]:
        """The older kind of fixups and exports, by what they are."""
        found: dict[str, Part] = {}
        for command in self._each_once(48, LC_DYLD_INFO, LC_DYLD_INFO_ONLY):
            fields = self.unpack(struct.Struct("<10I"), command.offset + 8)
            for number, what in enumerate(_DYLD_INFO):
                found[what] = self._part(fields[2 * number], fields[2 * number + 1], what)
        return found

    def symbol_table(self) -> tuple[Part, Part] | None:
        """The symbols and their strings."""
        for command in tuple(self._each_once(24, LC_SYMTAB)):
            at, count, strings, size = self.unpack(struct.Struct("<4I"), command.offset + 8)
            table = self._part(at, count * NLIST.size, "the symbols")
            return table, self._part(strings, size, "the symbols' strings")
        return None

    def symbols(self) -> Iterator[tuple[str, int, int, int, int]]:
        """Every symbol that is no debugging information: name, type, section, description, value."""
        tables = self.symbol_table()
        if tables is None:
            return
        strings = self.slice(*tables[1])
        for at, kind, section, description, value in NLIST.iter_unpack(self.slice(*tables[0])):
            if not kind & N_STAB:
                yield self.string(strings, at), kind, section, description, value

    def string(self, strings: bytes, at: int) -> str:
        """The string at an offset of a table of strings."""
        if at >= len(strings):
            if at == 0:
                return ""
            raise Malformed(f"a symbol's name at {at:#x} lies outside the strings")
        end = strings.find(b"\0", at)
        end = end if end >= 0 else len(strings)
        self.left.take(end - at + RECORD)
        return strings[at:end].decode("utf-8", "surrogateescape")

    def exports(self) -> Iterator[Export]:
        """Every symbol of the export trie."""
        part = self.exports_part()
        if part is not None and part.size:
            yield from walk(self.slice(*part), self.left)

    def exports_part(self) -> Part | None:
        """Where the export trie is."""
        found = self.parts((LC_DYLD_EXPORTS_TRIE,))
        return found[0] if found else self.dyld_info().get("the exports")


def _padded(name: bytes) -> str:
    return name.partition(b"\0")[0].decode("ascii", "replace")


def images(data: Data) -> tuple[Image, ...]:
    """The slices that can be edited; raises Malformed."""
    left = Allowance(len(data))
    return tuple(Image(data, part, left) for part in slices(data) if part.arch is not None)


class Room(NamedTuple):
    """How much of the slice's start load commands may take."""

    used: int
    available: int


def room(image: Image) -> Room:
    """How far the load commands reach, and how far they may: to the first byte that anything else uses.

    What is not empty counts as used, whether or not a command speaks of it.
    """
    firsts = [section.offset for segment in image.segments for section in segment.sections if section.offset]
    firsts += [segment.offset for segment in image.segments if segment.offset and segment.file_size]
    firsts += [part.offset for part in image.parts(LINKEDIT_DATA) if part.size]
    used, available = image.commands_end, min(firsts, default=image.size)
    if used < available:
        available -= len(image.slice(used, available - used, "the room behind the load commands").lstrip(b"\0"))
    return Room(used=used, available=available)
