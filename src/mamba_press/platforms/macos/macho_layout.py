"""Makes room for load commands: moves all that a Mach-O slice holds behind its header, and what says where it is.

Every segment moves by as much, so what code says relative to itself stays true. What counts from the header or from
address 0 is written anew: the load commands, the symbols, the pointers that dyld rebases, the exports, and what finds
a function by its distance from the header, above all the unwind information, without which no exception is caught.
(LIEF 1.0's `Binary.shift` leaves that as it was.) Code that asks for its own header (``__dso_handle``) counts from
where it is itself, and so finds the place to which the header would have moved: a copy stands there. Of two ways to say
the same, only those are known that linkers have written since 2009; a slice with anything else is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from mamba_press.platforms.binary_format import RECORD, Allowance, Malformed
from mamba_press.platforms.macos import macho, macho_tables
from mamba_press.platforms.macos.macho_tables import build_trie, payload, uleb_bytes, unpack, unwind_distances

if TYPE_CHECKING:
    from mamba_press.platforms.macos.macho import Image, Part, Segment

_STEP = 0x4000
"""A page of every machine; content keeps its place in its page."""

_LC_DYSYMTAB, _LC_ROUTINES, _LC_MAIN = 0xB, 0x1A, 0x80000028
_LC_FUNCTION_STARTS, _LC_DATA_IN_CODE = 0x26, 0x29
# What holds no place: names, versions, numbers, options, the umbrella, the environment.
_PLACELESS = frozenset(
    {
        *(*macho.LOADS, macho.LC_ID_DYLIB, macho.LC_RPATH, macho.LC_UUID, macho.LC_LOAD_DYLINKER),
        *(macho.LC_VERSION_MIN_MACOSX, macho.LC_BUILD_VERSION),
        *(0xF, 0x12, 0x13, 0x14, 0x15, 0x27, 0x2A, 0x2D),
    }
)
_OFFSETS: dict[int, tuple[int, ...]] = {
    **dict.fromkeys(macho.LINKEDIT_DATA, (8,)),
    **dict.fromkeys((macho.LC_DYLD_INFO, macho.LC_DYLD_INFO_ONLY), (8, 16, 24, 32, 40)),
    macho.LC_SYMTAB: (8, 16),
    _LC_DYSYMTAB: (32, 40, 48, 56),
}
"""Where load commands have offsets of the file."""
_RELOCATION_COUNTS = (68, 76)

_N_SECT = 0x0E
# Debugging symbols whose value is an address: N_FUN, N_STSYM, N_LCSYM, N_BNSYM.
_N_ADDRESSES = (0x24, 0x26, 0x28, 0x2E)
_INIT_OFFSETS = "__init_offsets"
_UNWIND = "__unwind_info"


class _Move(NamedTuple):
    """What moves: all addresses, and distances from the header, from the first content on."""

    base: int
    first: int
    by: int

    def address(self, address: int) -> int:
        """Where what was at an address is now; the header itself stays."""
        return address + self.by if address >= self.base + self.first else address

    def distance(self, distance: int) -> int:
        """The same for a distance from the header."""
        return distance + self.by if distance >= self.first else distance


def widen(image: Image, missing: int) -> bytes:
    """The slice with room for at least so many more bytes of load commands; its signature no longer fits."""
    text = next((segment for segment in image.segments if not segment.offset and segment.file_size), None)
    if text is None:
        raise Malformed("no segment has the header")
    _refuse_unknown(image)
    first = macho.room(image).available
    move = _Move(text.address, first, -(-(image.commands_end + missing) // _STEP) * _STEP)
    draft = bytearray(image.slice(0, first, "the header")) + bytes(move.by)
    draft += image.slice(first, image.size - first, "the content")
    _move_commands(draft, image, text, move)
    draft[move.by : move.by + image.commands_end] = _header_for_code(image, move)
    _move_symbols(draft, image, move)
    _move_pointers(draft, image, move)
    for at in _distances(image):
        image.left.take(RECORD)
        (value,) = image.unpack(struct.Struct("<I"), at, "a distance from the header")
        struct.pack_into("<I", draft, at + move.by, move.distance(value))
    return _with_tables(draft, image, move)


def _refuse_unknown(image: Image) -> None:
    known = {*_PLACELESS, *_OFFSETS, macho.LC_SEGMENT_64, _LC_ROUTINES, _LC_MAIN}
    for command in image.commands:
        if command.type not in known:
            raise Malformed(f"room cannot be made before what load command {command.type:#x} means")
    for command in image.of(_LC_DYSYMTAB):
        content = image.content(command).ljust(80, b"\0")
        if any(struct.unpack_from("<I", content, at)[0] for at in _RELOCATION_COUNTS):
            raise Malformed("room cannot be made before relocations of the oldest kind")


def _header_for_code(image: Image, move: _Move) -> bytes:
    """The old header and commands, as they are right where they would be had all moved: by it, sections are found."""
    copy = bytearray(image.slice(0, image.commands_end, "the load commands"))
    _move_commands(copy, image, None, move)
    return bytes(copy)


def _add(draft: bytearray, kind: str, at: int, by: int) -> None:
    (value,) = struct.unpack_from(kind, draft, at)
    struct.pack_into(kind, draft, at, value + by)


def _move_commands(draft: bytearray, image: Image, text: Segment | None, move: _Move) -> None:
    """Write anew where the load commands say that things are; ``text`` is the segment that grows and does not move."""
    for command in image.commands:
        at = command.offset
        for place in _OFFSETS.get(command.type, ()):
            if place + 4 <= command.size and struct.unpack_from("<I", draft, at + place)[0]:
                _add(draft, "<I", at + place, move.by)
        # The entry point is told from the header, which moves in the copy.
        if command.type == _LC_ROUTINES or (command.type == _LC_MAIN and text):
            _add(draft, "<Q", at + 8, move.by)
    for segment in image.segments:
        _move_segment(draft, segment, move, has_header=segment is text)


def _move_segment(draft: bytearray, segment: Segment, move: _Move, *, has_header: bool) -> None:
    at = segment.command
    if has_header:
        _add(draft, "<Q", at + 32, move.by)
        _add(draft, "<Q", at + 48, move.by)
    elif segment.address >= move.base:
        _add(draft, "<Q", at + 24, move.by)
        if segment.offset:
            _add(draft, "<Q", at + 40, move.by)
    for number, section in enumerate(segment.sections):
        if segment.address >= move.base:
            _add(draft, "<Q", at + 72 + 80 * number + 32, move.by)
        if section.offset:
            _add(draft, "<I", at + 72 + 80 * number + 48, move.by)


def _move_symbols(draft: bytearray, image: Image, move: _Move) -> None:
    tables = image.symbol_table()
    if tables is None:
        return
    start = tables[0].offset + move.by
    for number, (_, kind, section, _, value) in enumerate(macho.NLIST.iter_unpack(image.slice(*tables[0]))):
        is_stab = kind & macho.N_STAB
        has_address = kind in _N_ADDRESSES and section if is_stab else kind & macho.N_TYPE == _N_SECT
        if has_address:
            struct.pack_into("<Q", draft, start + number * macho.NLIST.size + 8, move.address(value))


# --- pointers


def _move_pointers(draft: bytearray, image: Image, move: _Move) -> None:
    rebases = image.dyld_info().get("the rebases")
    if rebases is not None and rebases.size:
        # A pointer that two opcodes name moves once.
        for at in dict.fromkeys(_rebased(image, rebases)):
            (value,) = image.unpack(struct.Struct("<Q"), at, "a pointer")
            struct.pack_into("<Q", draft, at + move.by, move.address(value))
    for part in image.parts((macho.LC_DYLD_CHAINED_FIXUPS,)):
        if part.size:
            _move_chains(draft, image, part, move)


_REBASE_SEGMENT, _REBASE_ADD, _REBASE_ADD_SCALED = 0x20, 0x30, 0x40
_REBASE_TIMES, _REBASE_TIMES_ULEB, _REBASE_ONE_ADD, _REBASE_SKIPPING = 0x50, 0x60, 0x70, 0x80


def _rebased(image: Image, part: Part) -> Iterator[int]:
    """Where the pointers are, in the slice, that the rebase opcodes name."""
    content = image.slice(*part)
    at = address = 0
    segment: Segment | None = None
    while at < len(content):
        opcode, low = content[at] & 0xF0, content[at] & 0x0F
        at += 1
        if opcode in (0, 0x10):
            continue
        count, step = 0, 0
        if opcode == _REBASE_SEGMENT:
            segment = _segment(image, low)
            address, at = macho_tables.uleb(content, at)
        elif opcode == _REBASE_ADD:
            step, at = macho_tables.uleb(content, at)
            address = address + step & 0xFFFFFFFFFFFFFFFF
        elif opcode == _REBASE_ADD_SCALED:
            address += 8 * low
        elif opcode == _REBASE_TIMES:
            count, step = low, 8
        elif opcode == _REBASE_TIMES_ULEB:
            (count, at), step = macho_tables.uleb(content, at), 8
        elif opcode == _REBASE_ONE_ADD:
            (step, at), count = macho_tables.uleb(content, at), 1
            step += 8
        elif opcode == _REBASE_SKIPPING:
            count, at = macho_tables.uleb(content, at)
            step, at = macho_tables.uleb(content, at)
            step += 8
        else:
            raise Malformed(f"the rebase opcode {opcode:#x} is not known")
        if count:
            if segment is None:
                raise Malformed("a rebase names no pointer")
            image.left.take(RECORD * count)
            yield from _pointers(segment, address, count, step)
            address = address + count * step & 0xFFFFFFFFFFFFFFFF


def _segment(image: Image, number: int) -> Segment:
    segment = image.segments[number] if number < len(image.segments) else None
    if segment is None or not segment.offset or segment.file_end > image.size:
        raise Malformed(f"pointers in segment {number} cannot be moved")
    return segment


def _pointers(segment: Segment, address: int, count: int, step: int) -> Iterator[int]:
    for number in range(count):
        place = address + number * step & 0xFFFFFFFFFFFFFFFF
        if place + 8 > segment.file_size:
            raise Malformed(f"a pointer at {place:#x} is not in {segment.name}")
        yield segment.offset + place


_POINTER_64, _POINTER_64_OFFSET = 2, 6
_TARGET = (1 << 36) - 1
_CHAIN_END, _CHAIN_MANY = 0xFFFF, 0x8000
_EARLY = "the chained fixups end early"


def _move_chains(draft: bytearray, image: Image, part: Part, move: _Move) -> None:
    """Write anew the segments' distances and every pointer of every chain."""
    content = image.slice(*part)
    if len(content) < 8:
        raise Malformed("the chained fixups end inside their header")
    starts = int.from_bytes(content[4:8], "little")
    (count,) = unpack("<I", content, starts, _EARLY)
    if count > len(image.segments):
        raise Malformed(f"the chained fixups speak of {count} segments")
    for number in range(count):
        (offset,) = unpack("<I", content, starts + 4 + 4 * number, _EARLY)
        if not offset:
            continue
        at = starts + offset
        _, page, kind, distance, _, pages = unpack("<I2HQIH", content, at, _EARLY)
        segment = _segment(image, number)
        if kind not in (_POINTER_64, _POINTER_64_OFFSET):
            raise Malformed(f"pointers of kind {kind} cannot be moved")
        struct.pack_into("<Q", draft, part.offset + move.by + at + 8, distance + move.by)
        moved = move.address if kind == _POINTER_64 else move.distance
        for index, first in enumerate(unpack(f"<{pages}H", content, at + 22, _EARLY)):
            if first == _CHAIN_END:
                continue
            if first & _CHAIN_MANY:
                raise Malformed("a page has more than one chain, which no 64-bit linker writes")
            _move_chain(draft, segment, index * page + first, (move.by, moved), image.left)


def _move_chain(
    draft: bytearray, segment: Segment, at: int, how: tuple[int, Callable[[int], int]], left: Allowance
) -> None:
    by, moved = how
    while True:
        left.take(RECORD)
        place = segment.offset + at + by
        if at + 8 > segment.file_size:
            raise Malformed(f"a chain of pointers leaves {segment.name}")
        (word,) = struct.unpack_from("<Q", draft, place)
        if not word >> 63:
            struct.pack_into("<Q", draft, place, word & ~_TARGET | moved(word & _TARGET))
        step = 4 * (word >> 51 & 0xFFF)
        if not step:
            return
        at += step


# --- what finds code by its distance from the header


def _distances(image: Image) -> Iterator[int]:
    """Where the slice has distances from the header: to initialisers, in the unwind information, to data in code."""
    for section in (section for segment in image.segments for section in segment.sections):
        if section.name == _INIT_OFFSETS:
            yield from range(section.offset, section.offset + section.size // 4 * 4, 4)
        elif section.name == _UNWIND and section.size:
            content = image.slice(section.offset, section.size, "the unwind information")
            yield from (section.offset + at for at in unwind_distances(content))
    for part in image.parts((_LC_DATA_IN_CODE,)):
        yield from range(part.offset, part.offset + part.size // 8 * 8, 8)


# --- tables that may outgrow their place


class _Table(NamedTuple):
    """A table of __LINKEDIT: where the slice says its place and size, the old place, and the new content."""

    says: int
    part: Part
    content: bytes


def _with_tables(draft: bytearray, image: Image, move: _Move) -> bytes:
    """The slice with the tables whose numbers' lengths depend on their values, the last of all that moves."""
    tables = [*_function_starts(image, move), *_exports(image, move)]
    large = []
    for table in tables:
        at, size = table.part.offset + move.by, table.part.size
        if len(table.content) > size:
            large.append(table)
        else:
            draft[at : at + size] = table.content.ljust(size, b"\0")
    return _appended(draft, image, large, move) if large else bytes(draft)


def _appended(draft: bytearray, image: Image, tables: Iterable[_Table], move: _Move) -> bytes:
    """Put tables where the signature was, and the signature's place behind them."""
    linkedit = image.segment("__LINKEDIT")
    end = (image.signature.offset if image.signature else image.size) + move.by
    if linkedit is None or (image.signature is None and linkedit.file_end + move.by != end):
        raise Malformed("the slice does not end with __LINKEDIT")
    del draft[end:]
    for table in tables:
        draft += bytes(-len(draft) % 8)
        size = -(-len(table.content) // 8) * 8
        struct.pack_into("<2I", draft, table.says, len(draft), size)
        draft += table.content.ljust(size, b"\0")
    draft += bytes(-len(draft) % 16)
    for command in image.of(macho.LC_CODE_SIGNATURE):
        struct.pack_into("<2I", draft, command.offset + 8, len(draft), 0)
    size = len(draft) - linkedit.offset - move.by
    struct.pack_into("<Q", draft, linkedit.command + 48, size)
    if linkedit.memory_size < size:
        page = macho.PAGES[image.arch]
        struct.pack_into("<Q", draft, linkedit.command + 32, -(-size // page) * page)
    return bytes(draft)


def _function_starts(image: Image, move: _Move) -> Iterator[_Table]:
    for command, part in zip(image.of(_LC_FUNCTION_STARTS), image.parts((_LC_FUNCTION_STARTS,)), strict=True):
        content = image.slice(*part)
        if content.strip(b"\0"):
            first, rest = macho_tables.uleb(content, 0)
            new = uleb_bytes(move.distance(first)) + content[rest:].rstrip(b"\0") + b"\0"
            yield _Table(command.offset + 8, part, new)


def _exports(image: Image, move: _Move) -> Iterator[_Table]:
    part = image.exports_part()
    if part is None or not part.size:
        return
    content = image.slice(*part)
    exports = macho_tables.walk(content, image.left)
    trie = build_trie((export.name, payload(content, export, move.distance)) for export in exports)
    for command in image.of(macho.LC_DYLD_EXPORTS_TRIE):
        yield _Table(command.offset + 8, part, trie)
        return
    for command in image.of(macho.LC_DYLD_INFO, macho.LC_DYLD_INFO_ONLY):
        yield _Table(command.offset + 40, part, trie)
        return
