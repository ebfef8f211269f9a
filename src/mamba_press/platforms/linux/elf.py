"""Reads ELF files as a loader does: from the program headers alone, sections only where they are asked for.

Covers files of the machines in `PAGES`, of both sizes and byte orders; those in `MACHINES`, 64-bit and little-endian,
are edited as well. Anything else is reported as a binary without an architecture. Broken files end in
:class:`Malformed`, and so do those whose tables share so much that reading them would not end.
"""

from __future__ import annotations

import posixpath
import re
import struct
import sys
from array import array
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from mamba_press.platforms.binary_format import (
    LONGEST_PATH,
    RECORD,
    Allowance,
    Data,
    Malformed,
    Symbols,
    refuse_endless,
)
from mamba_press.types import Binary, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINES = {62: "x86_64", 183: "aarch64", 21: "ppc64le", 243: "riscv64"}
"""The machines whose files are edited; they are 64-bit and little-endian."""
_SMALL, _WIDE, _LITTLE, _BIG = 1, 2, 1, 2
_ARCHES = {
    **{(_WIDE, _LITTLE, machine): arch for machine, arch in MACHINES.items()},
    (_WIDE, _LITTLE, 258): "loongarch64",
    (_SMALL, _LITTLE, 3): "i686",
    (_SMALL, _LITTLE, 40): "armv7l",
    (_WIDE, _BIG, 21): "ppc64",
    (_WIDE, _BIG, 22): "s390x",
}
"""The machines whose files are read, by the size of their words and their byte order, as platform tags spell them."""
PAGES = {
    "x86_64": 0x1000,
    "aarch64": 0x10000,
    "ppc64le": 0x10000,
    "riscv64": 0x1000,
    "loongarch64": 0x4000,
    "i686": 0x1000,
    "armv7l": 0x1000,
    "ppc64": 0x10000,
    "s390x": 0x1000,
}
"""The largest page that a kernel of the architecture maps with: a file that is not laid out for it is broken.

GNU ld and lld lay out for the same or for larger ones, for riscv64 for 4 KiB.
"""
WRITTEN_PAGES = {**PAGES, "riscv64": 0x10000}
"""The page for which an added segment is laid out: being ready for larger ones of later kernels costs nothing."""

ET_EXEC, ET_DYN = 2, 3
PT_NULL, PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_PHDR = 0, 1, 2, 3, 4, 6
PT_GNU_STACK, PT_GNU_RELRO, PT_GNU_PROPERTY = 0x6474E551, 0x6474E552, 0x6474E553
PF_X, PF_W, PF_R = 1, 2, 4
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_DYNAMIC, SHT_NOBITS, SHT_DYNSYM = 1, 2, 3, 6, 8, 11
SHT_GNU_VERNEED = 0x6FFFFFFE
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_TLS = 1, 2, 4, 0x400
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
STB_GNU_UNIQUE = 10
NT_GNU_PROPERTY_TYPE_0, GNU_PROPERTY_X86_ISA_1_NEEDED = 5, 0xC0008002
LEVELS = {2: "x86-64-v2", 4: "x86-64-v3", 8: "x86-64-v4"}

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")
DYNAMIC = struct.Struct("<QQ")
SYMBOL = struct.Struct("<IBBHQQ")
VERNEED = struct.Struct("<HHIII")
VERNAUX = struct.Struct("<IHHII")

_MOST_HEADERS = 0x10000
"""Linux loads no file with more bytes of program headers."""
_MOST_ENTRIES = 0x10000
_MOST_VERSIONS = 0x7FFF
"""The number of a version has 15 bits."""
_ODD = re.compile(b"[" + b"".join(b"\\x%02x" % each for each in range(1, 256, 2)) + b"]")
_S390X = 22


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
    for code, order in ((_LITTLE, "<"), (_BIG, ">")):
        wide = ("16sHHIQQQIHHHHHH", "IIQQQQQQ", "IIQQQQIIQQ", "QQ", "IBBHQQ")
        small = ("16sHHIIIIIHHHHHH", "IIIIIIII", "IIIIIIIIII", "II", "IIIBBH")
        yield (_WIDE, code), Form(order, 8, *(struct.Struct(order + each) for each in wide))
        yield (_SMALL, code), Form(order, 4, *(struct.Struct(order + each) for each in small))


_FORMS = dict(_forms())
_VERSIONS = {
    order: tuple(struct.Struct(order + each) for each in ("HHIII", "IHHII", "HHHHIII", "II")) for order in "<>"
}


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


class Image:
    """An ELF file of a machine that is read, with what its program headers lead to; raises Malformed."""

    __slots__ = (
        *("_loads", "_sections", "_verdef", "_verneed", "arch", "data", "dynamic", "form", "header", "left"),
        *("segments", "strings_at", "strings_size", "tags"),
    )

    def __init__(self, data: Data) -> None:
        self.form = form = _FORMS[data[4], data[5]]
        if len(data) < form.header.size:
            raise Malformed(f"the file ends after {len(data)} bytes, inside the ELF header")
        self.data = data
        self.left = Allowance(len(data))
        # An edit asks for these several times.
        self._verneed: list[Record] | None = None
        self._verdef: list[tuple[int, tuple[int, ...]]] | None = None
        self._sections: list[Section] | None = None
        self.header = header = Header._make(form.header.unpack_from(data))
        self.arch = _ARCHES[data[4], data[5], header.machine]
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

    def verneed(self) -> list[Record]:
        """The verneed records, in their order."""
        if self._verneed is None:
            self._verneed = self._read_verneed() if DT_VERNEED in self.tags else []
        return self._verneed

    def _read_verneed(self) -> list[Record]:
        what = "the needed versions"
        form, version_form, *_ = _VERSIONS[self.form.order]
        records: list[Record] = []
        found = 0
        at, end = self._place(self.tags[DT_VERNEED], form.size, what)
        for _ in range(self.tags.get(DT_VERNEEDNUM, 0)):
            _, count, file, first, following = self._record(form, at, end, what)
            versions: list[Version] = []
            place = at + first
            for _ in range(count):
                *fields, step = self._record(version_form, place, end, what)
                versions.append(Version(place, *fields))
                if not step:
                    break
                place += step
            records.append(Record(at, file, tuple(versions)))
            self.left.take(RECORD * (1 + len(versions)))
            found += len(versions)
            if max(found, len(records)) > _MOST_VERSIONS:
                raise Malformed(f"{what} are more than {_MOST_VERSIONS}")
            if not following:
                break
            at += following
        return records

    def _record(self, form: struct.Struct, at: int, end: int, what: str) -> tuple[int, ...]:
        """The fields of a record of a chain, which must not leave its segment."""
        if at + form.size > end:
            raise Malformed(f"{what}: {form.size} bytes at {at:#x} are not in the segment, which ends at {end:#x}")
        return form.unpack_from(self.data, at)

    def verdef(self) -> list[tuple[int, tuple[int, ...]]]:
        """The versions that are defined: flags, and the offsets of the name and of the names it builds on."""
        if self._verdef is None:
            self._verdef = self._read_verdef() if DT_VERDEF in self.tags else []
        return self._verdef

    def _read_verdef(self) -> list[tuple[int, tuple[int, ...]]]:
        what = "the defined versions"
        *_, form, name_form = _VERSIONS[self.form.order]
        found: list[tuple[int, tuple[int, ...]]] = []
        at, end = self._place(self.tags[DT_VERDEF], form.size, what)
        for _ in range(self.tags.get(DT_VERDEFNUM, 0)):
            _, flags, _, count, _, first, following = self._record(form, at, end, what)
            names: list[int] = []
            place = at + first
            for _ in range(count):
                name, step = self._record(name_form, place, end, what)
                names.append(name)
                if not step:
                    break
                place += step
            found.append((flags, tuple(names)))
            self.left.take(RECORD * (1 + len(names)))
            if len(found) > _MOST_VERSIONS:
                raise Malformed(f"{what} are more than {_MOST_VERSIONS}")
            if not following:
                break
            at += following
        return found

    def sections(self) -> list[Section]:
        """The section headers; none where the table is absent or lies outside the file."""
        if self._sections is None:
            self._sections = sections(self.data)
        return self._sections

    def symbol_count(self) -> int:
        """How many dynamic symbols there are, which no dynamic entry says outright."""
        if DT_SYMTAB not in self.tags:
            return 0
        address = self.tags[DT_SYMTAB]
        for section in self.sections():
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
        sections = {section.address: section.size for section in self.sections() if section.flags & SHF_ALLOC}
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
    form = _FORMS[data[4], data[5]]
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
    order: Literal["little", "big"] = "big" if data[5] == _BIG else "little"
    return (data[4], data[5], int.from_bytes(data[18:20], order)) in _ARCHES


def read(data: Data) -> Binary:
    """The facts of an ELF file; raises Malformed."""
    if len(data) < 20:
        raise Malformed(f"the file ends after {len(data)} bytes, inside the ELF header")
    if not is_read(data):
        return Binary(format="elf", arch=None, kind=_foreign_kind(data))
    return facts(Image(data))


def facts(image: Image) -> Binary:
    """What the loader reads of an image."""
    tags = image.tags
    interpreter = _interpreter(image)
    loaded = [(tag, image.string(value)) for tag, value in image.dynamic if tag in LOADED_TAGS]
    needed = tuple(dict.fromkeys(name for _, name in loaded))
    required = {name for tag, name in loaded if tag != DT_AUXILIARY}
    path = tags.get(DT_RUNPATH, tags.get(DT_RPATH))
    text = image.string(path) if path is not None else ""
    search = tuple(text.split(":")) if text else ()
    refuse_endless(needed, search)
    return Binary(
        format="elf",
        arch=image.arch,
        kind=_kind(image, interpreter, needed),
        name=image.string(tags[DT_SONAME]) if DT_SONAME in tags else None,
        needed=needed,
        search=search,
        inherited=DT_RPATH in tags and DT_RUNPATH not in tags,
        requires=_requires(image),
        # The base definition (flag 1) names the file, not a version of it.
        defines=frozenset(image.string(names[0]) for flags, names in image.verdef() if names and not flags & 1),
        interpreter=interpreter,
        weak=tuple(name for name in needed if name not in required),
        isa=_isa(image) if image.arch == "x86_64" else None,
        execstack=_execstack(image),
    )


def _execstack(image: Image) -> bool:
    """Whether the loader takes the file to need an executable stack; on x86 also where it says nothing of it."""
    segment = image.segment(PT_GNU_STACK)
    return bool(segment.flags & PF_X) if segment else image.arch in ("x86_64", "i686") and bool(image.dynamic)


def _isa(image: Image) -> str | None:
    """The highest level of x86-64 that a property note says is needed (the psABI's GNU_PROPERTY_X86_ISA_1_NEEDED)."""
    places = {
        (segment.offset, segment.file_size, 8 if segment.align == 8 else 4)
        for segment in image.segments
        if segment.type in (PT_NOTE, PT_GNU_PROPERTY)
    }
    needed = 0
    for offset, size, align in sorted(places):
        image.left.take(size)
        for kind, name, content in _notes(image, image.slice(offset, size, "a note"), align):
            if kind == NT_GNU_PROPERTY_TYPE_0 and name == b"GNU\0":
                needed |= _needed_bits(image, content)
    return next((level for bit, level in reversed(LEVELS.items()) if needed & bit), None)


def _notes(image: Image, data: bytes, align: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield type, name and content of each note; what is cut off is no note."""
    at = 0
    while at + 12 <= len(data):
        image.left.take(RECORD)
        name_size, size, kind = struct.unpack_from("<III", data, at)
        start = at + 12 + -(-name_size // align) * align if align == 4 else -(-(at + 12 + name_size) // align) * align
        if start + size > len(data):
            return
        yield kind, data[at + 12 : at + 12 + name_size], data[start : start + size]
        at = -(-(start + size) // align) * align


def _needed_bits(image: Image, content: bytes) -> int:
    found, at = 0, 0
    while at + 8 <= len(content):
        image.left.take(RECORD)
        kind, size = struct.unpack_from("<II", content, at)
        if kind == GNU_PROPERTY_X86_ISA_1_NEEDED and size == 4 and at + 12 <= len(content):
            found |= int.from_bytes(content[at + 8 : at + 12], "little")
        at += 8 + -(-size // 8) * 8
    return found


def unique_symbols(data: Data) -> int:
    """How many defined dynamic symbols one process has once, whichever library defines them (STB_GNU_UNIQUE)."""
    if not is_read(data):
        return 0
    return sum(info >> 4 == STB_GNU_UNIQUE and section != 0 for _, info, section in Image(data).each_symbol())


def _foreign_kind(data: Data) -> Literal["shared", "program", "static"]:
    kind = int.from_bytes(data[16:18], "big" if data[5] == 2 else "little")
    return "shared" if kind == ET_DYN else "program" if kind == ET_EXEC else "static"


def _interpreter(image: Image) -> str | None:
    segment = image.segment(PT_INTERP)
    if segment is None or not segment.file_size:
        return None
    if segment.file_size > LONGEST_PATH:
        raise Malformed(f"the interpreter's path has {segment.file_size} bytes; Linux takes {LONGEST_PATH} at most")
    path = image.slice(segment.offset, segment.file_size, "the interpreter's path")
    return path.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _kind(image: Image, interpreter: str | None, needed: tuple[str, ...]) -> Literal["shared", "program", "static"]:
    if not image.dynamic:
        return "static"
    if image.header.type == ET_EXEC:
        return "program"
    if image.tags.get(DT_FLAGS_1, 0) & DF_1_PIE:
        return "program" if interpreter or needed else "static"
    # libc.so.6 has an interpreter, so that it can be run, and a name, because it is a library.
    return "program" if interpreter and DT_SONAME not in image.tags else "shared"


def _requires(image: Image) -> tuple[Requirement, ...]:
    found = [
        Requirement(library=image.string(file), versions=tuple(image.string(v.name) for v in versions))
        for _, file, versions in image.verneed()
    ]
    relr = "GLIBC_ABI_DT_RELR"
    if DT_RELR in image.tags and not any(relr in one.versions for one in found):
        # Linkers before 2022 packed relocations without saying so; a loader before glibc 2.36 would skip them.
        found.append(Requirement(library="libc.so.6", versions=(relr,)))
    return tuple(found)


def symbols(data: Data) -> Symbols:
    """The names of the dynamic symbols, without their versions; raises Malformed."""
    if not is_read(data):
        return Symbols(imports=frozenset(), exports=frozenset())
    image = Image(data)
    imports: set[int] = set()
    exports: set[int] = set()
    for name, info, section in image.each_symbol():
        if name and info > 0xF:
            (exports if section else imports).add(name)
    return Symbols(imports=_names(image, imports), exports=_names(image, exports))


def _names(image: Image, offsets: set[int]) -> frozenset[str]:
    strings = image.slice(image.strings_at, image.strings_size, "the dynamic strings")
    found: set[str] = set()
    for offset in offsets:
        end = strings.find(b"\0", offset)
        if end < 0:
            raise Malformed(f"a symbol's name at {offset:#x} of the dynamic strings is outside of them or has no end")
        image.left.take(end - offset + RECORD)
        found.add(strings[offset:end].decode("utf-8", "surrogateescape"))
    return frozenset(found)


def lookup(binary: Binary, at: str, name: str) -> Iterator[str]:
    """Yield the places below the root of ``at`` where the binary's own search path looks for ``name``."""
    folder = posixpath.dirname(at)
    for place in (posixpath.dirname(name),) if "/" in name else binary.search:
        path = place.replace("${ORIGIN}", "$ORIGIN")
        if path != "$ORIGIN" and not path.startswith("$ORIGIN/"):
            continue
        found = posixpath.normpath(posixpath.join(folder, "." + path[len("$ORIGIN") :], posixpath.basename(name)))
        if "$" not in found and found.split("/")[0] not in ("..", ""):
            yield found
