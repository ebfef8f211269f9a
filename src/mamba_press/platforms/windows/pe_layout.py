"""Where new names go in a PE image: into padding, into a section of ours, into one that is added."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from mamba_press.platforms.binary_format import Malformed, aligned, encoded
from mamba_press.platforms.windows import pe

if TYPE_CHECKING:
    from mamba_press.platforms.windows.pe import Image, Section


MARK = b"\x7fMbPress"
"""Begins the block."""

SECTION_NAME = b".mamba"
"""The name of the section that is added for the block."""

_CONSTANTS = 0x40000040  # initialised data, readable
_CHANGING = 0xA2000020  # writable, executable, discardable, or code
_NOT_OURS = (b".rsrc", b".reloc")  # rewritten by tools that edit resources, dropped after relocating


class Block(NamedTuple):
    """Room for names: ``start`` is its offset, ``size`` how many bytes it may have."""

    section: Section
    start: int
    size: int

    @property
    def address(self) -> int:
        """Where it is in memory."""
        return self.section.address + self.start - self.section.offset

    def holds(self, address: int) -> bool:
        """Whether an address lies in it."""
        return self.address <= address < self.address + self.size


def set_directory(work: bytearray, image: Image, number: int, address: int, size: int) -> None:
    """Write where a directory is."""
    struct.pack_into("<2I", work, image.optional + 112 + 8 * number, address, size)


def sections_end(image: Image) -> int:
    """Return where the last section's bytes end in the file."""
    ends = (section.offset + section.raw_size for section in image.sections if section.raw_size)
    return max(ends, default=image.headers_size)


def own_block(image: Image) -> Block | None:
    """Return the block that an earlier edit made."""
    for section in reversed(image.sections):
        if section.name == SECTION_NAME and image.data[section.offset : section.offset + len(MARK)] == MARK:
            return Block(section=section, start=section.offset, size=section.raw_size)
    for section in image.sections:
        end = section.offset + section.raw_size
        at = image.data.find(MARK, max(section.offset, end - image.file_alignment), end)
        if at >= 0 and not (at - section.offset) % 8:
            return Block(section=section, start=at, size=end - at)
    return None


def fill(work: bytearray, texts: Mapping[int, str]) -> None:
    """Make the block anew with these texts, by the place that points to each, and with what it has already."""
    image = pe.Image(work)
    block = own_block(image)
    if block is not None:
        kept = {each.pointer: each.text for each in image.names if block.holds(image.number(each.pointer))}
        texts = {**kept, **texts}
    moves_exports = any(each.pointer in texts for each in image.forwarders) or (
        block is not None and block.holds(image.directories[pe.EXPORTS].address)
    )
    contents = _Contents.of(image, texts, moves_exports=moves_exports)
    room = block if block is not None and contents.size <= block.size else _padding(image, contents.size, block)
    if block is not None and room != block and block.section.name != SECTION_NAME:
        _release(work, block)
    if room is None:
        by = 0 if block is not None and block.section.name == SECTION_NAME else _make_header_room(work)
        contents = contents._replace(texts={pointer + by: text for pointer, text in contents.texts.items()})
        room = _room_in_section(work, contents.size)
    contents.write(work, room)


def _padding(image: Image, size: int, old: Block | None) -> Block | None:
    """Return room in the rest of a section of constants that the loader maps but nothing uses."""
    if old is not None and old.section.name == SECTION_NAME:
        return None
    ends = [at + 2 * pe.IMPORT.size for at, _ in image.imports()]
    ends += [at + 2 * pe.DELAY.size for at, _ in image.delayed()]
    for section in image.sections:
        virtual = old.start - section.offset if old is not None and old.section == section else section.virtual_size
        # The record of zeros that ends a table may lie behind what the section is said to hold.
        virtual = max([virtual, *(end - section.offset for end in ends if end <= section.offset + section.raw_size)])
        start = section.offset + -(-virtual // 8) * 8
        end = section.offset + section.raw_size
        is_constant = section.flags & _CONSTANTS == _CONSTANTS and not section.flags & _CHANGING
        if not is_constant or section.name in _NOT_OURS or start + size > end or end > len(image.data):
            continue
        is_free = (old is not None and old.section == section) or not any(image.data[start:end])
        following = [other.address for other in image.sections if other.address > section.address]
        if is_free and section.address + section.raw_size <= min(following, default=1 << 32):
            return Block(section=section, start=start, size=end - start)
    return None


def _release(work: bytearray, block: Block) -> None:
    """Give the rest of a section back."""
    work[block.start : block.start + block.size] = bytes(block.size)
    struct.pack_into("<I", work, block.section.header + 8, block.start - block.section.offset)


class _Contents(NamedTuple):
    """What goes into a block: texts by what points to them, and the exports where their forwarders must move.

    Forwarders are told from code by lying inside the export directory, so they move together with it.
    """

    texts: Mapping[int, str]
    exports: tuple[int, ...] | None
    forwarders: Mapping[int, str]
    functions: tuple[int, ...] = ()
    name: str = ""

    @classmethod
    def of(cls, image: Image, texts: Mapping[int, str], *, moves_exports: bool) -> _Contents:
        if not moves_exports or image.export is None:
            return cls(texts=texts, exports=None, forwarders={})
        at, fields = image.export
        own = {each.pointer: each.text for each in image.forwarders}
        table = image.offset(fields[8], 4 * fields[6])
        return cls(
            texts={pointer: text for pointer, text in texts.items() if pointer not in own and pointer != at + 12},
            exports=fields,
            functions=image.unpack(struct.Struct(f"<{fields[6]}I"), table),
            forwarders={(at - table) // 4: texts.get(at, text) for at, text in own.items()},
            name=texts.get(at + 12, image.name.text if image.name else ""),
        )

    @property
    def size(self) -> int:
        """How many bytes the block takes."""
        return len(self._block(0)[0])

    def _block(self, address: int) -> tuple[bytes, dict[str, int], int]:
        """Return the block as it is at an address, where each text is in it, and how long the exports are."""
        block = bytearray(MARK)
        size = 0
        if self.exports is not None:
            block += self._exports(address + len(block))
            size = len(block) - len(MARK)
        places: dict[str, int] = {}
        for text in dict.fromkeys(self.texts.values()):
            places[text] = address + len(block)
            block += encoded(text) + b"\0"
        return bytes(block), places, size

    def _exports(self, address: int) -> bytes:
        """Return the export directory, the table of what is exported and the forwarders, as they are at an address."""
        assert self.exports is not None
        functions = list(self.functions)
        at = address + pe.EXPORT.size + 4 * len(functions)
        strings = encoded(self.name) + b"\0"
        name = at
        for number, text in sorted(self.forwarders.items()):
            functions[number] = at + len(strings)
            strings += encoded(text) + b"\0"
        fields = (*self.exports[:4], name, *self.exports[5:8], address + pe.EXPORT.size, *self.exports[9:])
        return pe.EXPORT.pack(*fields) + struct.pack(f"<{len(functions)}I", *functions) + strings

    def write(self, work: bytearray, room: Block) -> None:
        """Write the block, and what points into it."""
        block, places, exports = self._block(room.address)
        if len(block) > room.size:
            raise Malformed("the names do not fit where they were to go")
        work[room.start : room.start + room.size] = block.ljust(room.size, b"\0")
        for pointer, text in self.texts.items():
            struct.pack_into("<I", work, pointer, places[text])
        image = pe.Image(work)
        if exports:
            set_directory(work, image, pe.EXPORTS, room.address + len(MARK), exports)
        used = room.start - room.section.offset + len(block)
        virtual = max(used, room.section.virtual_size) if room.section.name == SECTION_NAME else used
        struct.pack_into("<I", work, room.section.header + 8, virtual)
        _set_image_size(work)


def _room_in_section(work: bytearray, size: int) -> Block:
    """Return room in a section of our own at the end of the image, made or made larger."""
    image = pe.Image(work)
    own = image.sections[-1] if image.sections and image.sections[-1].name == SECTION_NAME else None
    raw = aligned(size, image.file_alignment)
    if own is None:
        return _added(work, raw)
    end = own.offset + own.raw_size
    if end != sections_end(image):
        raise Malformed("the section that an earlier edit added is not the last any more")
    more = raw - own.raw_size
    _insert(work, end, more)
    struct.pack_into("<I", work, own.header + 16, raw)
    _add_to_initialised(work, more)
    own = pe.Image(work).sections[-1]
    return Block(section=own, start=own.offset, size=raw)


def _added(work: bytearray, raw: int) -> Block:
    image = pe.Image(work)
    ends = [section.address + max(section.virtual_size, section.raw_size) for section in image.sections]
    address = aligned(max(ends, default=image.headers_size), image.section_alignment)
    last = sections_end(image)
    start = aligned(last, image.file_alignment)
    # What follows the sections, such as the symbols of MinGW, stays behind them; a file may end before its last
    # section does.
    if len(work) < start:
        work += bytes(start - len(work))
        _insert(work, start, raw)
    else:
        _insert(work, last, start - last + raw)
    header = image.sections_at + pe.SECTION.size * image.section_count
    pe.SECTION.pack_into(work, header, SECTION_NAME, raw, address, raw, start, 0, 0, 0, 0, _CONSTANTS)
    struct.pack_into("<H", work, image.header + 6, image.section_count + 1)
    if image.headers_size < header + pe.SECTION.size:
        struct.pack_into("<I", work, image.optional + 60, aligned(header + pe.SECTION.size, image.file_alignment))
    _add_to_initialised(work, raw)
    section = pe.Image(work).sections[-1]
    return Block(section=section, start=section.offset, size=raw)


def _make_header_room(work: bytearray) -> int:
    """Make room for one more entry in the table of sections; return how far the sections had to move in the file."""
    image = pe.Image(work)
    start = image.sections_at + pe.SECTION.size * image.section_count
    end = start + pe.SECTION.size
    first = min((section.offset for section in image.sections if section.raw_size), default=len(work))
    if end <= first and not any(work[start:end]):
        return 0
    if any(work[start : min(first, end)]):
        raise Malformed("something stands behind the table of sections, so none can be added")
    by = image.file_alignment
    lowest = min((section.address for section in image.sections), default=1 << 32)
    if first + by > lowest:
        raise Malformed("the headers have no room for another section")
    _insert(work, first, by)
    struct.pack_into("<I", work, image.optional + 60, image.headers_size + by)
    return by


def _insert(work: bytearray, at: int, size: int) -> None:
    """Insert zeros, and mend every offset in the headers and the debug directory that leads behind them."""
    image = pe.Image(work)
    places = [image.header + 12, *(section.header + field for section in image.sections for field in (20, 24, 28))]
    address, length = image.directories[pe.DEBUG]
    if address:
        first = image.offset(address, length)
        places += [first + 28 * number + 24 for number in range(length // 28)]
    for place in places:
        if 0 < at <= image.number(place) <= len(work):
            struct.pack_into("<I", work, place, image.number(place) + size)
    work[at:at] = bytes(size)


def _add_to_initialised(work: bytearray, size: int) -> None:
    at = pe.Image(work).optional + 8
    struct.pack_into("<I", work, at, (int.from_bytes(work[at : at + 4], "little") + size) & 0xFFFFFFFF)


def _set_image_size(work: bytearray) -> None:
    """State how much memory the image takes, never less than before."""
    image = pe.Image(work)
    end = max(section.address + max(section.virtual_size, 1) for section in image.sections)
    size = max(aligned(end, image.section_alignment), image.number(image.optional + 56))
    struct.pack_into("<I", work, image.optional + 56, size)
