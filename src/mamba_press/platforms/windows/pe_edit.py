"""Rename what PE images import, as a pure function on bytes.

A name is written over the old one where it fits. Longer ones go together into a *block*: into the unused rest of a
section of constants, else into one added section. The block is recognised by the next edit and made anew, so that
edits on edits do not add up. Everything else keeps its bytes and its address.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from mamba_press.platforms.binary_format import Malformed, aligned
from mamba_press.platforms.windows import pe
from mamba_press.platforms.windows.pe_check import checksum, is_checksum, layout_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mamba_press.platforms.windows.pe import Image, Name, Section
    from mamba_press.types import Edits

MARK = b"\x7fMbPress"
"""Begins the block."""

SECTION_NAME = b".mamba"
"""The name of the section that is added for the block."""

_CONSTANTS = 0x40000040  # initialised data, readable
_CHANGING = 0xA2000020  # writable, executable, discardable, or code
_NOT_OURS = (b".rsrc", b".reloc")  # rewritten by tools that edit resources, dropped after relocating
_FORCE_INTEGRITY = 0x80


class _Change(NamedTuple):
    """A name that gets another text; what is not renamed but lies in the block is one, too."""

    pointer: int
    old: str
    new: str
    address: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    """Room for names: ``start`` is its offset, ``size`` how many bytes it may have."""

    section: Section
    start: int
    size: int

    @property
    def address(self) -> int:
        return self.section.address + self.start - self.section.offset

    def holds(self, address: int) -> bool:
        return self.address <= address < self.address + self.size


def apply(data: bytes, edits: Edits) -> bytes:
    """The image with the edits made, read back and compared; raises Malformed where that cannot be.

    With any change the certificates leave, which vouch for the bytes as they were, and so do stale bindings and
    restrictions of where imports are looked for. A checksum is mended where there was one: 0 means that nobody asks.
    """
    image = pe.Image(data)
    if not image.is_edited:
        raise Malformed("only 64-bit PE images for x86-64 and ARM64 are edited")
    renames = _renames(edits)
    changes = _changes(image, renames, edits.name)
    if all(change.old == change.new for change in changes) and not (edits.search == () and image.load_flags):
        return data
    broken = next((problem for problem in layout_problems(data) if not is_checksum(problem)), None)
    if broken:
        raise Malformed(f"a broken image is not edited: {broken}")
    work = bytearray(data)
    _clear(work, image)
    _drop_certificates(work)
    _rename(work, [change for change in changes if change.old != change.new])
    at = image.optional + 64
    if image.number(at):
        struct.pack_into("<I", work, at, checksum(work, at))
    edited = bytes(work)
    _compare(data, edited, renames, edits)
    return edited


def _renames(edits: Edits) -> dict[str, str]:
    """Return the new names by the old ones in lower case; raises Malformed for what PE has no way to say."""
    if edits.search:
        raise Malformed("a PE image has no search path")
    removed = [old for old, new in edits.needed if new is None]
    if removed:
        raise Malformed(f"what is imported from {removed[0]} cannot be left out")
    renames = {old.lower(): new for old, new in edits.needed if new is not None}
    for name in (*renames.values(), *([edits.name] if edits.name is not None else [])):
        if not name or "\0" in name or "/" in name or "\\" in name:
            raise Malformed(f"{name!r} cannot be a library's name")
    return renames


def _changes(image: Image, renames: Mapping[str, str], name: str | None) -> list[_Change]:
    """Return every name of the image with the text that it shall have."""
    found = [(each, renames.get(each.text.lower(), each.text)) for each in image.needed]
    found += [(each, _forwarder(each.text, renames)) for each in image.forwarders]
    if image.name is not None:
        found.append((image.name, name or image.name.text))
    elif name is not None:
        raise Malformed("the image exports nothing and so has no name to be changed")
    return [_Change(each.pointer, each.text, new, image.number(each.pointer)) for each, new in found]


def _forwarder(text: str, renames: Mapping[str, str]) -> str:
    library, symbol = pe.forwarded(text)
    new = renames.get(library.lower())
    if new is None:
        return text
    stem = text[: -len(symbol) - 1]
    return f"{new if stem.lower().endswith('.dll') else new.removesuffix('.dll')}.{symbol}"


# --- what is cleared


def _clear(work: bytearray, image: Image) -> None:
    """Clear what would not hold any more: bindings, the demand for a signature, where imports are looked for."""
    if image.load_flags_at is not None:
        work[image.load_flags_at : image.load_flags_at + 2] = bytes(2)
    flags = image.number(image.optional + 70, 2)
    work[image.optional + 70 : image.optional + 72] = struct.pack("<H", flags & ~_FORCE_INTEGRITY)
    if image.directories[pe.BOUND_IMPORTS] == (0, 0):
        return
    _set_directory(work, image, pe.BOUND_IMPORTS, 0, 0)
    for at, fields in image.imports():
        if fields[1] and not fields[0]:
            raise Malformed("the imports are bound, and nothing says to what")
        work[at + 4 : at + 12] = bytes(8)
    for at, _ in image.delayed():
        work[at + 28 : at + 32] = bytes(4)


def _set_directory(work: bytearray, image: Image, number: int, address: int, size: int) -> None:
    struct.pack_into("<2I", work, image.optional + 112 + 8 * number, address, size)


def _drop_certificates(work: bytearray) -> None:
    """Take the certificates out of the directory, and out of the file where nothing stands behind them."""
    image = pe.Image(work)
    offset, size = image.directories[pe.SECURITY]
    if not offset and not size:
        return
    _set_directory(work, image, pe.SECURITY, 0, 0)
    if offset >= _sections_end(image) and offset + size >= len(work) - 8:
        del work[offset:]


def _sections_end(image: Image) -> int:
    """Return where the last section's bytes end in the file."""
    ends = (section.offset + section.raw_size for section in image.sections if section.raw_size)
    return max(ends, default=image.headers_size)


# --- where the names go


def _rename(work: bytearray, changed: Sequence[_Change]) -> None:
    """Write the new texts: in place, or with all that is in the block already into a new block."""
    image = pe.Image(work)
    block = _own_block(image)
    places = sorted(image.number(each.pointer) for each in _all_names(image))
    homeless = {change.pointer: change.new for change in changed if not _fits(change, block, places)}
    for change in changed:
        if change.pointer not in homeless:
            size = len(_encoded(change.old))
            at = image.offset(change.address, size)
            work[at : at + size] = _encoded(change.new).ljust(size, b"\0")
    if homeless:
        _fill(work, homeless)


def _fits(change: _Change, block: _Block | None, places: Sequence[int]) -> bool:
    """Whether the new text may be written over the old one: it is not longer, and nothing else means the same bytes.

    ``places`` are the addresses of all names, sorted.
    """
    if block is not None and block.holds(change.address):
        return False
    room = len(_encoded(change.old))
    meant = bisect_right(places, change.address + room) - bisect_left(places, change.address)
    return len(_encoded(change.new)) <= room and meant == 1


def _all_names(image: Image) -> Iterator[Name]:
    yield from image.needed
    yield from image.forwarders
    if image.name is not None:
        yield image.name


def _own_block(image: Image) -> _Block | None:
    """Return the block that an earlier edit made."""
    for section in reversed(image.sections):
        if section.name == SECTION_NAME and image.data[section.offset : section.offset + len(MARK)] == MARK:
            return _Block(section=section, start=section.offset, size=section.raw_size)
    for section in image.sections:
        end = section.offset + section.raw_size
        at = image.data.find(MARK, max(section.offset, end - image.file_alignment), end)
        if at >= 0 and not (at - section.offset) % 8:
            return _Block(section=section, start=at, size=end - at)
    return None


def _fill(work: bytearray, texts: Mapping[int, str]) -> None:
    """Make the block anew with these texts, by the place that points to each, and with what it has already."""
    image = pe.Image(work)
    block = _own_block(image)
    if block is not None:
        kept = {each.pointer: each.text for each in _all_names(image) if block.holds(image.number(each.pointer))}
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
        contents = replace(contents, texts={pointer + by: text for pointer, text in contents.texts.items()})
        room = _room_in_section(work, contents.size)
    contents.write(work, room)


def _padding(image: Image, size: int, old: _Block | None) -> _Block | None:
    """Return room in the rest of a section of constants that the loader maps but nothing uses."""
    if old is not None and old.section.name == SECTION_NAME:
        return None
    for section in image.sections:
        virtual = old.start - section.offset if old is not None and old.section == section else section.virtual_size
        start = section.offset + -(-virtual // 8) * 8
        end = section.offset + section.raw_size
        is_constant = section.flags & _CONSTANTS == _CONSTANTS and not section.flags & _CHANGING
        if not is_constant or section.name in _NOT_OURS or start + size > end or end > len(image.data):
            continue
        is_free = (old is not None and old.section == section) or not any(image.data[start:end])
        following = [other.address for other in image.sections if other.address > section.address]
        if is_free and section.address + section.raw_size <= min(following, default=1 << 32):
            return _Block(section=section, start=start, size=end - start)
    return None


def _release(work: bytearray, block: _Block) -> None:
    """Give the rest of a section back."""
    work[block.start : block.start + block.size] = bytes(block.size)
    struct.pack_into("<I", work, block.section.header + 8, block.start - block.section.offset)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Contents:
    """What goes into a block: texts by what points to them, and the exports where their forwarders must move.

    Forwarders are told from code by lying inside the export directory, so they move together with it.
    """

    texts: Mapping[int, str]
    exports: tuple[int, ...] | None
    functions: tuple[int, ...] = ()
    forwarders: Mapping[int, str]
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
            block += _encoded(text) + b"\0"
        return bytes(block), places, size

    def _exports(self, address: int) -> bytes:
        """Return the export directory, the table of what is exported and the forwarders, as they are at an address."""
        assert self.exports is not None
        functions = list(self.functions)
        at = address + pe.EXPORT.size + 4 * len(functions)
        strings = _encoded(self.name) + b"\0"
        name = at
        for number, text in sorted(self.forwarders.items()):
            functions[number] = at + len(strings)
            strings += _encoded(text) + b"\0"
        fields = (*self.exports[:4], name, *self.exports[5:8], address + pe.EXPORT.size, *self.exports[9:])
        return pe.EXPORT.pack(*fields) + struct.pack(f"<{len(functions)}I", *functions) + strings

    def write(self, work: bytearray, room: _Block) -> None:
        """Write the block, and what points into it."""
        block, places, exports = self._block(room.address)
        if len(block) > room.size:
            raise Malformed("the names do not fit where they were to go")
        work[room.start : room.start + room.size] = block.ljust(room.size, b"\0")
        for pointer, text in self.texts.items():
            struct.pack_into("<I", work, pointer, places[text])
        image = pe.Image(work)
        if exports:
            _set_directory(work, image, pe.EXPORTS, room.address + len(MARK), exports)
        used = room.start - room.section.offset + len(block)
        virtual = max(used, room.section.virtual_size) if room.section.name == SECTION_NAME else used
        struct.pack_into("<I", work, room.section.header + 8, virtual)
        _set_image_size(work)


# --- the added section


def _room_in_section(work: bytearray, size: int) -> _Block:
    """Return room in a section of our own at the end of the image, made or made larger."""
    image = pe.Image(work)
    own = image.sections[-1] if image.sections and image.sections[-1].name == SECTION_NAME else None
    raw = aligned(size, image.file_alignment)
    if own is None:
        return _added(work, raw)
    end = own.offset + own.raw_size
    if end != _sections_end(image):
        raise Malformed("the section that an earlier edit added is not the last any more")
    more = raw - own.raw_size
    _insert(work, end, more)
    struct.pack_into("<I", work, own.header + 16, raw)
    _add_to_initialised(work, more)
    own = pe.Image(work).sections[-1]
    return _Block(section=own, start=own.offset, size=raw)


def _added(work: bytearray, raw: int) -> _Block:
    image = pe.Image(work)
    ends = [section.address + max(section.virtual_size, section.raw_size) for section in image.sections]
    address = aligned(max(ends, default=image.headers_size), image.section_alignment)
    last = _sections_end(image)
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
    return _Block(section=section, start=section.offset, size=raw)


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


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# --- reading back


def _compare(before: bytes, after: bytes, renames: Mapping[str, str], edits: Edits) -> None:
    """Raise Malformed unless the result says what was asked, and all else as before."""
    old, new = pe.Image(before), pe.Image(after)
    wanted: dict[str, None] = {}
    for name in pe.needed(old):
        wanted.setdefault(renames.get(name.lower(), name).lower(), None)
    if [name.lower() for name in pe.needed(new)] != list(wanted):
        raise Malformed(f"after the edit the image needs {pe.needed(new)}, not {tuple(wanted)}")
    if edits.name is not None and (new.name is None or new.name.text != edits.name):
        raise Malformed(f"after the edit the image's name is not {edits.name}")
    if new.load_flags:
        raise Malformed("after the edit the image still says where its imports are looked for")
    if pe.symbols(before) != pe.symbols(after):
        raise Malformed("after the edit the image has other symbols")
    worse = [problem for problem in layout_problems(after) if problem not in layout_problems(before)]
    if worse:
        raise Malformed(f"after the edit: {worse[0]}")
