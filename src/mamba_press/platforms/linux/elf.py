"""ELF files as they lie on disk: headers, segments, sections, the dynamic section and what it leads to.

Covers files of the machines in `PAGES`, of both sizes and byte orders; those in `MACHINES`, 64-bit and little-endian,
are edited as well. Anything else is reported as a binary without an architecture. Broken files end in
:class:`Malformed`, and so do those whose tables share so much that reading them would not end.
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Literal

from mamba_press.platforms.binary_format import RECORD, Allowance, Data, Malformed
from mamba_press.platforms.linux.elf_records import (
    ARCHES,
    BIG,
    FORMS,
    MACHINES,
    VERSIONS,
    Header,
    Record,
    Section,
    Segment,
    Version,
)

ET_EXEC, ET_DYN = 2, 3
PT_NULL, PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_PHDR = 0, 1, 2, 3, 4, 6
PT_GNU_STACK, PT_GNU_RELRO, PT_GNU_PROPERTY = 0x6474E551, 0x6474E552, 0x6474E553
PF_X, PF_W, PF_R = 1, 2, 4
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_DYNAMIC, SHT_NOBITS, SHT_DYNSYM = 1, 2, 3, 6, 8, 11
SHT_GNU_VERNEED = 0x6FFFFFFE
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_INFO_LINK, SHF_TLS = 1, 2, 4, 0x40, 0x400
DT_NULL, DT_NEEDED, DT_PLTGOT, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ = 0, 1, 3, 4, 5, 6, 10
DT_RELA, DT_RELASZ, DT_PLTRELSZ, DT_JMPREL = 7, 8, 2, 23
DT_REL, DT_RELSZ, DT_PLTREL = 17, 18, 20
DT_SONAME, DT_RPATH, DT_RUNPATH, DT_RELR = 14, 15, 29, 36
DT_GNU_HASH, DT_VERSYM, DT_FLAGS_1 = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFB
DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
DT_CONFIG, DT_DEPAUDIT, DT_AUDIT, DT_AUXILIARY, DT_FILTER = 0x6FFFFEFA, 0x6FFFFEFB, 0x6FFFFEFC, 0x7FFFFFFD, 0x7FFFFFFF
STRING_TAGS = frozenset(
    {DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH, DT_CONFIG, DT_DEPAUDIT, DT_AUDIT, DT_AUXILIARY, DT_FILTER}
)
LOADED_TAGS = frozenset({DT_NEEDED, DT_FILTER, DT_AUXILIARY})
"""What names a library that is loaded with the file: the one whose symbols it stands for (DT_FILTER) as well."""

DF_1_PIE = 0x08000000
STB_GLOBAL, STB_GNU_UNIQUE = 1, 10
NT_GNU_PROPERTY_TYPE_0, GNU_PROPERTY_X86_ISA_1_NEEDED = 5, 0xC0008002
LEVELS = {2: "x86-64-v2", 4: "x86-64-v3", 8: "x86-64-v4"}

# The records of files that are edited: 64-bit and little-endian.
HEADER, SEGMENT, SECTION, DYNAMIC, SYMBOL = FORMS[2, 1][2:]
VERNEED, VERNAUX = VERSIONS["<"][:2]

_MOST_HEADERS = 0x10000
"""Linux loads no file with more bytes of program headers."""
_MOST_ENTRIES = 0x10000
_MOST_VERSIONS = 0x7FFF
"""The number of a version has 15 bits."""
_ODD = re.compile(b"[" + b"".join(b"\\x%02x" % each for each in range(1, 256, 2)) + b"]")
_S390X = 22


class Image:
    """An ELF file of a machine that is read, with what its program headers lead to; raises Malformed."""

    def __init__(self, data: Data) -> None:
        self.form = form = FORMS[data[4], data[5]]
        if len(data) < form.header.size:
            raise Malformed(f"the file ends after {len(data)} bytes, inside the ELF header")
        self.data = data
        self.left = Allowance(len(data))
        self.header = header = Header._make(form.header.unpack_from(data))
        self.arch = ARCHES[data[4], data[5], header.machine]
        if header.segment_count and header.segment_size != form.segment.size:
            raise Malformed(f"program headers of {header.segment_size} bytes, not {form.segment.size}")
        size = header.segment_count * form.segment.size
        if size > _MOST_HEADERS and header.type in (ET_EXEC, ET_DYN):
            raise Malformed(f"the program headers take {size} bytes, of which Linux loads {_MOST_HEADERS} at most")
        table = self.slice(header.segments_at, size, "the program headers")
        read = Segment._make if form.word == 8 else _small_segment
        self.segments = list(map(read, form.segment.iter_unpack(table)))
        self._loads = [segment for segment in self.segments if segment.type == PT_LOAD]
        self.dynamic = self._read_dynamic()
        self.tags = dict(reversed(self.dynamic))
        self.strings_at = self.strings_size = 0
        if DT_STRTAB in self.tags:
            self.strings_size = self.tags.get(DT_STRSZ, 0)
            self.strings_at = self.offset(self.tags[DT_STRTAB], self.strings_size, "the dynamic strings")

    def unpack(self, kind: str, at: int) -> tuple[int, ...]:
        """Numbers at an offset that is known to be in the file, in its byte order."""
        return struct.unpack_from(self.form.order + kind, self.data, at)

    def slice(self, offset: int, size: int, what: str) -> bytes:
        """``size`` bytes at ``offset`` of the file."""
        if offset + size > len(self.data):
            raise Malformed(f"{what}: {size} bytes at {offset:#x} lie outside the file of {len(self.data)} bytes")
        return bytes(self.data[offset : offset + size])

    def offset(self, address: int, size: int, what: str) -> int:
        """Where the ``size`` bytes at ``address`` stand in the file."""
        return self._place(address, size, what)[0]

    def _place(self, address: int, size: int, what: str) -> tuple[int, int]:
        """Where the ``size`` bytes at ``address`` stand in the file, and where the segment ends there."""
        for load in self._loads:
            start = address - load.address
            if start >= 0 and start + size <= load.file_size:
                if load.offset + start + size > len(self.data):
                    break
                return load.offset + start, min(load.file_end, len(self.data))
        raise Malformed(f"{what}: {size} bytes at address {address:#x} are not in the file")

    def at(self, tag: int, size: int, what: str) -> int:
        """Where the ``size`` bytes that the dynamic entry ``tag`` points to stand in the file."""
        return self.offset(self.tags[tag], size, what)

    def segment(self, kind: int) -> Segment | None:
        """The first segment of a type."""
        return next((segment for segment in self.segments if segment.type == kind), None)

    def _read_dynamic(self) -> list[tuple[int, int]]:
        segment = self.segment(PT_DYNAMIC)
        if segment is None or not segment.file_size or self.header.type not in (ET_EXEC, ET_DYN):
            return []
        form = self.form.dynamic
        size = segment.file_size - segment.file_size % form.size
        entries: list[tuple[int, int]] = []
        for tag, value in form.iter_unpack(self.slice(segment.offset, size, "the dynamic section")):
            if tag == DT_NULL:
                break
            entries.append((tag, value))
        if len(entries) > _MOST_ENTRIES:
            raise Malformed(f"the dynamic section has {len(entries)} entries")
        return entries

    def raw_string(self, index: int) -> bytes:
        """The dynamic string at ``index``."""
        if not 0 <= index < self.strings_size:
            raise Malformed(f"string {index:#x} lies outside the dynamic strings of {self.strings_size:#x} bytes")
        start = self.strings_at + index
        end = self.data.find(b"\0", start, self.strings_at + self.strings_size)
        if end < 0:
            raise Malformed(f"string {index:#x} of the dynamic strings has no end")
        self.left.take(end - start + RECORD)
        return bytes(self.data[start:end])

    def string(self, index: int) -> str:
        """The dynamic string at ``index`` as text; bytes that are no UTF-8 survive the way back."""
        return self.raw_string(index).decode("utf-8", "surrogateescape")

    @cached_property
    def verneed(self) -> tuple[Record, ...]:
        """The verneed records, in their order."""
        forms = VERSIONS[self.form.order][:2]
        return tuple(
            Record(at, fields[2], tuple(Version(place, *each) for place, each in versions))
            for at, fields, versions in self._chains(DT_VERNEED, DT_VERNEEDNUM, forms, "the needed versions")
        )

    @cached_property
    def verdef(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """The versions that are defined: flags, and the offsets of the name and of the names it builds on."""
        found = self._chains(DT_VERDEF, DT_VERDEFNUM, VERSIONS[self.form.order][2:], "the defined versions")
        return tuple((fields[1], tuple(name for _, (name,) in names)) for _, fields, names in found)

    def _chains(
        self, tag: int, count: int, forms: Sequence[struct.Struct], what: str
    ) -> Iterator[tuple[int, list[int], list[tuple[int, list[int]]]]]:
        """The records to which a dynamic entry leads, each with its place and with the chain to which it leads."""
        if tag not in self.tags:
            return
        at, end = self._place(self.tags[tag], forms[0].size, what)
        chain = self._chain(forms[0], at, end, self.tags.get(count, 0), what)
        numbers = 0
        for records, (place, fields) in enumerate(chain, 1):
            inner = list(self._chain(forms[1], place + fields[-1], end, fields[1 if tag == DT_VERNEED else 3], what))
            self.left.take(RECORD * (1 + len(inner)))
            numbers += len(inner) if tag == DT_VERNEED else 1
            if max(records, numbers) > _MOST_VERSIONS:
                raise Malformed(f"{what} are more than {_MOST_VERSIONS}")
            yield place, fields, inner

    def _chain(self, form: struct.Struct, at: int, end: int, count: int, what: str) -> Iterator[tuple[int, list[int]]]:
        """The places and fields of records that end with the distance to the next; none may leave its segment."""
        for _ in range(count):
            if at + form.size > end:
                raise Malformed(f"{what}: {form.size} bytes at {at:#x} are not in the segment, which ends at {end:#x}")
            *fields, step = form.unpack_from(self.data, at)
            yield at, fields
            if not step:
                return
            at += step

    @cached_property
    def sections(self) -> list[Section]:
        """The section headers; none where the table is absent or lies outside the file."""
        return sections(self.data)

    def symbol_count(self) -> int:
        """How many dynamic symbols there are, which no dynamic entry says outright."""
        if DT_SYMTAB not in self.tags:
            return 0
        address = self.tags[DT_SYMTAB]
        for section in self.sections:
            if section.type == SHT_DYNSYM and section.address == address:
                return section.size // self.form.symbol.size
        counts = [self._count_by_relocations()]
        if DT_HASH in self.tags:
            counts.append(self._hash()[1])
        if DT_GNU_HASH in self.tags:
            counts.append(self._count_by_gnu_hash())
        return max(counts)

    def _hash(self) -> tuple[int, int, int]:
        """How many buckets and chains the older hash table has, and the size of each; one chain is for one symbol."""
        what = "the symbol hash table"
        size = 8 if self.header.machine == _S390X else 4
        buckets, chains = self.unpack("QQ" if size == 8 else "II", self.at(DT_HASH, 2 * size, what))
        return buckets, chains, size

    def lookup_tables(self) -> dict[int, int]:
        """The sizes of the tables that start a symbol lookup, by their dynamic entries."""
        count = self.symbol_count()
        sizes = {DT_SYMTAB: count * self.form.symbol.size}
        if DT_HASH in self.tags:
            buckets, chains, size = self._hash()
            sizes[DT_HASH] = size * (2 + buckets + chains)
        if DT_GNU_HASH in self.tags:
            buckets, first, bloom, _ = self.unpack("IIII", self.at(DT_GNU_HASH, 16, "the GNU symbol hash table"))
            chains = max(self._count_by_gnu_hash() - first, 0)
            sizes[DT_GNU_HASH] = 16 + self.form.word * bloom + 4 * (buckets + chains)
        sections = {section.address: section.size for section in self.sections if section.flags & SHF_ALLOC}
        return {
            tag: max(size, sections.get(self.tags[tag], 0)) for tag, size in sizes.items() if size and tag in self.tags
        }

    def _count_by_gnu_hash(self) -> int:
        what = "the GNU symbol hash table"
        address = self.tags[DT_GNU_HASH]
        buckets, first, bloom, _ = self.unpack("IIII", self.at(DT_GNU_HASH, 16, what))
        chains = 16 + bloom * self.form.word + buckets * 4
        at, end = self._place(address, chains, what)
        last = max(self.words(at + chains - buckets * 4, buckets * 4), default=0)
        if last < first:
            return first
        # The last symbol of a chain has an odd hash.
        start = at + chains + (last - first) * 4
        end -= (end - start) % 4
        odd = _ODD.search(bytes(self.data[start + (0 if self.form.order == "<" else 3) : max(end, start) : 4]))
        if odd is None:
            raise Malformed(f"{what}: the chain at {start:#x} has no end")
        return last + odd.end()

    def _count_by_relocations(self) -> int:
        """One more than the highest symbol that a relocation names: undefined ones are in no GNU hash table."""
        tags, word = self.tags, self.form.word
        implicit = 2 if tags.get(DT_PLTREL) == DT_REL else 3
        highest = 0
        for table, size_tag, fields in (
            *((DT_RELA, DT_RELASZ, 3), (DT_REL, DT_RELSZ, 2)),
            (DT_JMPREL, DT_PLTRELSZ, implicit),
        ):
            size = tags.get(size_tag, 0) // (fields * word) * fields * word
            if table in tags and size:
                numbers = self.words(self.at(table, size, "the relocations"), size)
                if self.form.word == 8:
                    # The upper half of the second word.
                    found = max(numbers[3 if self.form.order == "<" else 2 :: 2 * fields])
                else:
                    found = max(numbers[1::fields]) >> 8
                highest = max(highest, found)
        return highest + 1

    def symbols(self) -> bytes:
        """The dynamic symbol table."""
        size = self.symbol_count() * self.form.symbol.size
        if not size:
            return b""
        at = self.at(DT_SYMTAB, size, "the dynamic symbols")
        return self.slice(at, size, "the dynamic symbols")

    def each_symbol(self) -> Iterator[tuple[int, int, int]]:
        """The dynamic symbols' names, kinds (the binding in the upper half) and sections."""
        if self.form.word == 8:
            for name, info, _, section, _value, _size in self.form.symbol.iter_unpack(self.symbols()):
                yield name, info, section
        else:
            for name, _value, _size, info, _, section in self.form.symbol.iter_unpack(self.symbols()):
                yield name, info, section

    def names_of_symbols(self) -> array[int]:
        """Where the names of the dynamic symbols begin in the dynamic strings."""
        return self.numbers("I", self.symbols())[:: self.form.symbol.size // 4]

    def words(self, offset: int, size: int) -> array[int]:
        """``size`` bytes at ``offset`` as 32-bit numbers."""
        return self.numbers("I", bytes(self.data[offset : offset + size]))

    def numbers(self, code: Literal["H", "I"], content: bytes) -> array[int]:
        """Bytes as numbers of 16 (``H``) or 32 (``I``) bits in the byte order of the file, on any machine."""
        found = array(code, content)
        if (sys.byteorder == "little") != (self.form.order == "<"):
            found.byteswap()
        return found


def _small_segment(fields: tuple[int, ...]) -> Segment:
    kind, offset, address, physical, file_size, memory_size, flags, align = fields
    return Segment(kind, flags, offset, address, physical, file_size, memory_size, align)


def sections(data: Data) -> list[Section]:
    """The section headers of a file that is read; none where the table is absent or lies outside the file."""
    form = FORMS[data[4], data[5]]
    header = Header._make(form.header.unpack_from(data))
    start, end = header.sections_at, header.sections_at + header.section_count * form.section.size
    if not start or header.section_size != form.section.size or end > len(data):
        return []
    # Most of these are made of nothing else: `Section._make` takes twice the time.
    return list(map(partial(tuple.__new__, Section), form.section.iter_unpack(data[start:end])))


def is_supported(data: Data) -> bool:
    """Whether this is a 64-bit little-endian file of a machine in `MACHINES`, which is edited."""
    return bytes(data[4:6]) == b"\2\1" and int.from_bytes(data[18:20], "little") in MACHINES


def is_read(data: Data) -> bool:
    """Whether this is a file of a machine that is read."""
    if len(data) < 20:
        return False
    order: Literal["little", "big"] = "big" if data[5] == BIG else "little"
    return (data[4], data[5], int.from_bytes(data[18:20], order)) in ARCHES
