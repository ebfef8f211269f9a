"""An ELF file while it is edited: where tables and segments go."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import NamedTuple

from mamba_press.platforms.binary_format import Data, Malformed, aligned, joined
from mamba_press.platforms.linux import elf, elf_records
from mamba_press.platforms.linux.elf import Image
from mamba_press.platforms.linux.elf_records import Section, Segment
from mamba_press.platforms.linux.elf_strings import Need, Strings

_SEARCHED_PER_RECORD = 16
"""Searching so many bytes for a symbol counts as one that is read."""
_SECTION_OF_SYMBOL = 6
"""Where in a symbol its section's index stands; its value follows."""
_MOST_ZEROS = 0x10000
"""Up to so many bytes of .bss (or 2 % of the file) are written out rather than spending a program header."""
_LIMIT = 1 << 62
"""No address of a sound file reaches this; sums of what is below it still fit into a header."""
_POINTERS = (
    *(elf.DT_HASH, elf.DT_GNU_HASH, elf.DT_SYMTAB, elf.DT_VERSYM, elf.DT_VERDEF, elf.DT_VERNEED),
    *(elf.DT_RELA, elf.DT_JMPREL, elf.DT_RELR),
)
_ROOM = 1 << 14
"""What most edits add at most; a copy that outgrows its memory is copied again."""
_SPARE = 4
"""Empty entries that a moved dynamic section gets, as GNU ld gives it five."""


class _Table(NamedTuple):
    """Where a table stands in memory."""

    address: int
    size: int

    @property
    def end(self) -> int:
        return self.address + self.size


class Draft:
    """The file while it is edited: its bytes, and its headers as lists that `finish` writes."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.out = _roomy(image.data)
        self.page = elf_records.WRITTEN_PAGES[image.arch]
        self.header = image.header
        self.segments = list(image.segments)
        self.sections = list(image.sections)
        if not self.sections:
            # A table that could not be read before must not come to lie in a file that grows.
            self.header = image.header._replace(sections_at=0, section_count=0, section_names=0)
        self.retagged: dict[int, int] = {}
        for segment in self.segments:
            inside = not segment.file_size or segment.file_end <= len(self.out)
            if not inside or segment.end >= _LIMIT or segment.physical >= _LIMIT:
                raise Malformed(f"the segment at {segment.address:#x} lies outside the file or the address space")
        for number, section in enumerate(self.sections):
            size = 0 if section.type == elf.SHT_NOBITS else section.size
            if section.type and (section.offset + size > len(self.out) or section.address >= _LIMIT):
                raise Malformed(f"section {number} lies outside the file or the address space")

    # -- tables that keep their place ---------------------------------------------------------------------------

    def write_verneed(self, records: list[Need], files: list[int]) -> None:
        """Write the needed versions where they stood; what is dropped leaves zeros behind them."""
        old = self.image.verneed
        places = [p for record in old for p in (record.at, *(version.at for version in record.versions))]
        if not places:
            return
        start, end = min(places), max(places) + elf.VERNEED.size
        table = bytearray()
        for number, (need, file) in enumerate(zip(records, files, strict=True), 1):
            versions = need.record.versions
            size = elf.VERNEED.size + len(versions) * elf.VERNAUX.size
            following = size if number < len(records) else 0
            table += elf.VERNEED.pack(1, len(versions), file, elf.VERNEED.size, following)
            for left, version in zip(range(len(versions) - 1, -1, -1), versions, strict=True):
                step = elf.VERNAUX.size if left else 0
                table += elf.VERNAUX.pack(version.hash, version.flags, version.number, version.name, step)
        if len(table) > end - start or start != old[0].at:
            raise Malformed("the needed versions overlap")
        self.out[start:end] = table.ljust(end - start, b"\0")
        for at, section in enumerate(self.sections):
            if section.type == elf.SHT_GNU_VERNEED and section.address == self.image.tags[elf.DT_VERNEED]:
                # Tools complain about a table without records; as data they take the zeros for what they are.
                as_table = section._replace(size=len(table), info=len(records))
                self.sections[at] = as_table if records else _as_data(section)

    def reset_versions(self, dropped: set[int]) -> None:
        """Make the symbols of dropped versions unversioned."""
        image = self.image
        if elf.DT_VERSYM not in image.tags:
            return
        size = image.symbol_count() * 2
        at = image.at(elf.DT_VERSYM, size, "the versions of the symbols")
        numbers = image.numbers("H", bytes(self.out[at : at + size]))
        for place, number in enumerate(numbers):
            if number & 0x7FFF in dropped:
                self.out[at + 2 * place : at + 2 * place + 2] = b"\1\0"

    # -- tables that may move -----------------------------------------------------------------------------------

    def write_tables(self, entries: list[tuple[int, int]], strings: Strings) -> None:
        """Write the dynamic section and its strings: in place where they fit, else behind the end of memory."""
        segment = self.image.segment(elf.PT_DYNAMIC)
        assert segment is not None, "only files with a dynamic section are edited"
        old_dynamic = _Table(segment.address, segment.file_size)
        old_strings = _Table(self.image.tags[elf.DT_STRTAB], self.image.strings_size)
        last = max((s for s in self.segments if s.type == elf.PT_LOAD), key=lambda load: load.address, default=None)
        if last is None:
            raise Malformed("no segment is loaded")
        tail = _tail(last, old_dynamic, old_strings)
        # What an earlier edit put behind the end of memory is written anew, so that it can also shrink.
        loose = [tail <= table.address < last.end for table in (old_dynamic, old_strings)]
        fits = (len(entries) + 1) * elf.DYNAMIC.size <= old_dynamic.size
        text = strings.trimmed() if loose[1] or len(strings.content) > old_strings.size else bytes(strings.content)
        dynamic = old_dynamic.size if fits else (len(entries) + 1 + _SPARE) * elf.DYNAMIC.size
        moves = [not fits, len(text) != old_strings.size]
        start = 0
        if any(moves):
            moves = [move or is_loose for move, is_loose in zip(moves, loose, strict=True)]
            size = dynamic * moves[0] + len(text) * moves[1]
            start = self._make_home(last, tail, size, writable=moves[0])
        new_dynamic = _Table(start if moves[0] else old_dynamic.address, dynamic)
        new_strings = _Table(start + dynamic * moves[0] if moves[1] else old_strings.address, len(text))
        for old, new in ((old_dynamic, new_dynamic), (old_strings, new_strings)):
            if old.address != new.address:
                self._clear(old, keep=(new_dynamic, new_strings))
        self._put(new_dynamic, self._pack(entries, new_strings).ljust(dynamic, b"\0"))
        self._put(new_strings, text)
        self._tell(old_dynamic, new_dynamic, elf.SHT_DYNAMIC)
        self._tell(old_strings, new_strings, elf.SHT_STRTAB)
        self._lead_to_dynamic(old_dynamic, new_dynamic)

    def _pack(self, entries: list[tuple[int, int]], strings: _Table) -> bytes:
        new = {elf.DT_STRTAB: strings.address, elf.DT_STRSZ: strings.size, **self.retagged}
        return b"".join(elf.DYNAMIC.pack(tag, new.get(tag, value)) for tag, value in entries)

    def _put(self, table: _Table, content: bytes) -> None:
        at = self._offset(table.address)
        self.out[at : at + len(content)] = content

    def _lead_to_dynamic(self, old: _Table, new: _Table) -> None:
        """Let PT_DYNAMIC, and the first word of the global offset table, lead to where the dynamic section is."""
        if old == new:
            return
        for index, segment in enumerate(self.segments):
            if segment.type == elf.PT_DYNAMIC:
                self.segments[index] = segment._replace(
                    offset=self._offset(new.address),
                    address=new.address,
                    physical=new.address + segment.physical - segment.address,
                    file_size=new.size,
                    memory_size=new.size,
                )
        if elf.DT_PLTGOT in self.image.tags:
            with suppress(Malformed):
                at = self._offset(self.image.tags[elf.DT_PLTGOT])
                if self.out[at : at + 8] == old.address.to_bytes(8, "little"):
                    self.out[at : at + 8] = new.address.to_bytes(8, "little")

    def _clear(self, old: _Table, keep: tuple[_Table, ...]) -> None:
        """Zero what a table left behind, so that no old name stays in the file; not where others stand in it."""
        others = [*keep, *(_Table(self.image.tags[tag], 1) for tag in _POINTERS if tag in self.image.tags)]
        if not any(old.address < table.end and table.address < old.end for table in others):
            # An address behind the last segment was cut off already.
            with suppress(Malformed):
                at = self._offset(old.address)
                self._offset(old.end - 1)
                self.out[at : at + old.size] = bytes(old.size)

    def _offset(self, address: int) -> int:
        for load in self.segments:
            if load.type == elf.PT_LOAD and 0 <= address - load.address < load.file_size:
                return load.offset + address - load.address
        raise Malformed(f"address {address:#x} is not in the file")

    def _tell(self, old: _Table, new: _Table, kind: int) -> None:
        """Correct the section header of a table, and the symbols that stand for it."""
        for index, section in enumerate(self.sections):
            if section.type == kind and section.address == old.address and section.flags & elf.SHF_ALLOC:
                self.sections[index] = section._replace(
                    address=new.address,
                    offset=self._offset(new.address),
                    size=new.size,
                    flags=section.flags | elf.SHF_WRITE if kind == elf.SHT_DYNAMIC else section.flags,
                )
                if new.address != old.address:
                    self._move_symbols(index, old.address, new.address)

    def _move_symbols(self, index: int, old: int, new: int) -> None:
        """Give the symbols at the start of a moved section, such as _DYNAMIC, their new value."""
        for section in self.sections:
            if section.type not in (elf.SHT_SYMTAB, elf.SHT_DYNSYM) or section.offset + section.size > len(self.out):
                continue
            self.image.left.take(section.size // _SEARCHED_PER_RECORD)
            wanted = struct.pack("<HQ", index, old)
            end = section.offset + section.size // elf.SYMBOL.size * elf.SYMBOL.size
            at = section.offset
            while (at := self.out.find(wanted, at, end)) >= 0:
                if (at - section.offset) % elf.SYMBOL.size == _SECTION_OF_SYMBOL:
                    struct.pack_into("<Q", self.out, at + 2, new)
                at += 1

    # -- room behind the end of memory --------------------------------------------------------------------------

    def _make_home(self, last: Segment, tail: int, size: int, *, writable: bool) -> int:
        """Make room for ``size`` bytes, in the last loaded segment from ``tail`` on or in a new one; its address."""
        if not self._can_grow(last, writable):
            return self._add_segment(size)
        start = aligned(tail, 16)
        self._grow(last, start, start + size)
        return start

    def _can_grow(self, last: Segment, writable: bool) -> bool:
        """Whether bytes may be put behind the last segment without moving anything that has an address."""
        zeros = last.memory_size - last.file_size
        return (
            last.file_size > 0
            and 0 <= zeros <= max(_MOST_ZEROS, len(self.out) // 50)
            and bool(last.flags & elf.PF_W or not writable)
            and not last.flags & elf.PF_X
            and all(s.file_end <= last.file_end for s in self.segments if s.file_size)
            and all(
                s.offset + s.size <= last.file_end or s.type == elf.SHT_NOBITS or not s.size
                for s in self.sections
                if s.flags & elf.SHF_ALLOC
            )
        )

    def _grow(self, last: Segment, start: int, end: int) -> None:
        """Let the last segment reach to ``end``, its .bss written out, and move what follows it in the file."""
        starts = [s.offset for s in self.sections if (s.type or s.size) and s.type != elf.SHT_NOBITS]
        behind = [start for start in (*starts, self.header.sections_at) if start >= last.file_end]
        follow = min([len(self.out), *behind])
        if any(self.out[last.file_end : follow]):
            follow = last.file_end
        new_end = last.offset + end - last.address
        delta = aligned(new_end - follow, 16)
        kept = min(last.file_end, last.offset + start - last.address)
        self.out[kept:follow] = bytes(follow + delta - kept)
        at = self.segments.index(last)
        self.segments[at] = last._replace(file_size=end - last.address, memory_size=end - last.address)
        for index, section in enumerate(self.sections):
            if section.flags & elf.SHF_ALLOC:
                inside = last.address + last.file_size <= section.address < end
                if section.type == elf.SHT_NOBITS and not section.flags & elf.SHF_TLS and inside:
                    place = last.offset + section.address - last.address
                    self.sections[index] = _as_data(section)._replace(offset=place)
            elif section.offset >= last.file_end:  # of any type: that of the names is not looked at
                self.sections[index] = section._replace(offset=section.offset + delta)
        if last.file_end <= self.header.sections_at <= len(self.image.data):
            self.header = self.header._replace(sections_at=self.header.sections_at + delta)

    def _add_segment(self, size: int) -> int:
        """Append a segment of its own for what moves; returns the address of its first free byte."""
        offset = aligned(len(self.out), 16)
        top = max(s.end for s in self.segments if s.type in (elf.PT_LOAD, elf.PT_GNU_RELRO))
        # Any offset will do as long as it is the address, modulo the page size: no padding in the file.
        address = aligned(top, self.page) + offset % self.page
        shift = address - offset
        content = self._free_header_slot(offset, shift)
        start = aligned(len(content), 16)
        whole = start + size
        self.out += bytes(offset - len(self.out)) + content + bytes(whole - len(content))
        load = Segment(elf.PT_LOAD, elf.PF_R | elf.PF_W, offset, address, address, whole, whole, self.page)
        place = 1 + max(n for n, s in enumerate(self.segments) if s.type == elf.PT_LOAD)
        self.segments.insert(place, load)
        headers = len(self.segments) * elf.SEGMENT.size
        self.segments = [
            s._replace(file_size=headers, memory_size=headers) if s.type == elf.PT_PHDR else s for s in self.segments
        ]
        self.header = self.header._replace(segment_count=len(self.segments))
        return address + start

    def _free_header_slot(self, offset: int, shift: int) -> bytes:
        """Make room for one more program header; returns what had to move to ``offset`` for it.

        Behind the headers stand notes, the interpreter's path or the tables that start a symbol lookup, which only
        program headers and dynamic entries point to. Where it is something else, the headers move themselves.
        """
        for segment in self.segments:
            if segment.type == elf.PT_NULL:
                self.segments.remove(segment)
                return b""
        if len(self.segments) + 1 >= 0xFFFF:
            raise Malformed(f"{len(self.segments)} program headers leave no room for another")
        start = self.header.segments_at + len(self.segments) * elf.SEGMENT.size
        end = start + elf.SEGMENT.size
        clean = bytearray(self.out[start:end])
        content = bytearray()
        moves = []
        for low, high in joined(self._movable()):
            if low < end and start < high:
                content += bytes(-len(content) % 16)
                moves.append(_Move(low, high, offset + len(content)))
                content += self.out[low:high]
                inside = slice(max(low, start) - start, min(high, end) - start)
                clean[inside] = bytes(inside.stop - inside.start)
        if any(clean) or not self._is_free(start, end, moves):
            return self._move_headers(offset, shift)
        for move in moves:
            self.out[move.low : move.high] = bytes(move.high - move.low)
            self._follow(move, shift)
        return bytes(content)

    def _movable(self) -> set[tuple[int, int]]:
        """What can move without anything noticing but headers and dynamic entries, as ranges of the file."""
        kinds = (elf.PT_NOTE, elf.PT_INTERP, elf.PT_GNU_PROPERTY)
        found = {(s.offset, s.file_end) for s in self.segments if s.type in kinds and s.file_size}
        for tag, size in self.image.lookup_tables().items():
            at = self.image.at(tag, size, "a table of the dynamic section")
            found.add((at, at + size))
        return found

    def _is_free(self, start: int, end: int, moves: list[_Move]) -> bool:
        """Whether, after the moves, nothing is between two offsets, and they are loaded with what precedes them."""
        first = next((s for s in self.segments if s.type == elf.PT_LOAD and s.offset < start <= s.file_end), None)
        return (
            first is not None
            and end <= first.file_end
            and all(
                any(move.low <= s.offset and s.offset + s.size <= move.high for move in moves)
                for s in self.sections
                if s.type not in (0, elf.SHT_NOBITS) and s.offset < end and start < s.offset + s.size
            )
        )

    def _follow(self, move: _Move, shift: int) -> None:
        """Correct what leads to something that moved; ``shift`` is from its new offset to its address."""
        by = move.to - move.low
        for index, segment in enumerate(self.segments):
            if move.low <= segment.offset < move.high and segment.file_size and segment.type != elf.PT_LOAD:
                at = segment.offset + by
                self.segments[index] = segment._replace(offset=at, address=at + shift, physical=at + shift)
        for number, section in enumerate(self.sections):
            if move.low <= section.offset < move.high:
                at = section.offset + by
                address = at + shift if section.flags & elf.SHF_ALLOC else section.address
                self.sections[number] = section._replace(offset=at, address=address)
                self._move_symbols(number, section.address, address)
        for tag, size in self.image.lookup_tables().items():
            at = self.image.at(tag, size, "a table of the dynamic section")
            if move.low <= at < move.high:
                self.retagged[tag] = at + by + shift

    def _move_headers(self, offset: int, shift: int) -> bytes:
        """Let the program headers stand at ``offset``, which every loader accepts, though not every tool."""
        self.header = self.header._replace(segments_at=offset)
        for index, segment in enumerate(self.segments):
            if segment.type == elf.PT_PHDR:
                self.segments[index] = segment._replace(offset=offset, address=offset + shift, physical=offset + shift)
        return bytes((len(self.segments) + 1) * elf.SEGMENT.size)

    def finish(self) -> bytearray:
        """The file, its headers written."""
        elf.HEADER.pack_into(self.out, 0, *self.header)
        for number, segment in enumerate(self.segments):
            elf.SEGMENT.pack_into(self.out, self.header.segments_at + number * elf.SEGMENT.size, *segment)
        for number, section in enumerate(self.sections):
            elf.SECTION.pack_into(self.out, self.header.sections_at + number * elf.SECTION.size, *section)
        return self.out


def _roomy(data: Data) -> bytearray:
    """A copy with memory left for what an edit adds."""
    copy = bytearray(len(data) + _ROOM)
    with memoryview(copy) as view:
        # Assigned to a slice of the bytearray itself, the data would be copied twice.
        view[: len(data)] = data
    del copy[len(data) :]
    return copy


class _Move(NamedTuple):
    """Bytes of the file that move to another offset."""

    low: int
    high: int
    to: int


def _tail(last: Segment, *tables: _Table) -> int:
    """The address from which on the last segment holds nothing but these tables: what an earlier edit put there."""
    end = last.end
    if last.file_size != last.memory_size:
        return end
    for table in tables * len(tables):
        if table.size and last.address < table.address and end - 16 < table.end <= end:
            end = table.address
    return end


def _as_data(section: Section) -> Section:
    """A section as plain bytes, which refer to no other section."""
    return section._replace(type=elf.SHT_PROGBITS, flags=section.flags & ~elf.SHF_INFO_LINK, link=0, info=0)
