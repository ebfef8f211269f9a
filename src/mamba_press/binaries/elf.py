"""Reads ELF files as a loader does: from the program headers alone, sections only where they are asked for.

Covers 64-bit little-endian files of the machines in `PAGES`; anything else is reported as a binary without an
architecture and never edited. Broken files end in :class:`Malformed`.
"""

from __future__ import annotations

import posixpath
import struct
import sys
from array import array
from typing import TYPE_CHECKING, Literal, NamedTuple

from mamba_press.binaries.format import Data, Malformed, Symbols
from mamba_press.types import Binary, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINES = {62: "x86_64", 183: "aarch64", 21: "ppc64le", 243: "riscv64"}
PAGES = {"x86_64": 0x1000, "aarch64": 0x10000, "ppc64le": 0x10000, "riscv64": 0x1000}
"""The largest page that a kernel of the architecture maps with: a file that is not laid out for it is broken.

GNU ld and lld lay out for the same, riscv64 therefore for 4 KiB.
"""
WRITTEN_PAGES = {**PAGES, "riscv64": 0x10000}
"""The page for which an added segment is laid out: being ready for larger ones of later kernels costs nothing."""

ET_EXEC, ET_DYN = 2, 3
PT_NULL, PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_PHDR = 0, 1, 2, 3, 4, 6
PT_GNU_STACK, PT_GNU_RELRO, PT_GNU_PROPERTY = 0x6474E551, 0x6474E552, 0x6474E553
PF_X, PF_W, PF_R = 1, 2, 4
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_DYNAMIC, SHT_NOTE, SHT_NOBITS, SHT_DYNSYM = 1, 2, 3, 6, 7, 8, 11
SHT_GNU_VERNEED, SHT_GNU_VERSYM = 0x6FFFFFFE, 0x6FFFFFFF
SHF_WRITE, SHF_ALLOC, SHF_TLS = 1, 2, 0x400
DT_NULL, DT_NEEDED, DT_PLTGOT, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ = 0, 1, 3, 4, 5, 6, 10
DT_RELA, DT_RELASZ, DT_PLTRELSZ, DT_JMPREL = 7, 8, 2, 23
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
VERDEF = struct.Struct("<HHHHIII")
VERDAUX = struct.Struct("<II")


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
    """An ELF file of a supported machine, with what its program headers lead to; raises Malformed."""

    __slots__ = (
        *("_loads", "_sections", "_verneed", "arch", "data", "dynamic", "header", "segments"),
        *("strings_at", "strings_size", "tags"),
    )

    def __init__(self, data: Data) -> None:
        if len(data) < HEADER.size:
            raise Malformed(f"the file ends after {len(data)} bytes, inside the ELF header")
        self.data = data
        # An edit asks for these several times.
        self._verneed: list[Record] | None = None
        self._sections: list[Section] | None = None
        self.header = header = Header._make(HEADER.unpack_from(data))
        self.arch = MACHINES[header.machine]
        if header.segment_count and header.segment_size != SEGMENT.size:
            raise Malformed(f"program headers of {header.segment_size} bytes, not {SEGMENT.size}")
        table = self.slice(header.segments_at, header.segment_count * SEGMENT.size, "the program headers")
        self.segments = [Segment._make(fields) for fields in SEGMENT.iter_unpack(table)]
        self._loads = [segment for segment in self.segments if segment.type == PT_LOAD]
        self.dynamic = self._read_dynamic()
        self.tags = dict(reversed(self.dynamic))
        self.strings_at = self.strings_size = 0
        if DT_STRTAB in self.tags:
            self.strings_size = self.tags.get(DT_STRSZ, 0)
            self.strings_at = self.offset(self.tags[DT_STRTAB], self.strings_size, "the dynamic strings")

    def slice(self, offset: int, size: int, what: str) -> bytes:
        """``size`` bytes at ``offset`` of the file."""
        if offset + size > len(self.data):
            raise Malformed(f"{what}: {size} bytes at {offset:#x} lie outside the file of {len(self.data)} bytes")
        return bytes(self.data[offset : offset + size])

    def offset(self, address: int, size: int, what: str) -> int:
        """Where the ``size`` bytes at ``address`` stand in the file."""
        for load in self._loads:
            start = address - load.address
            if start >= 0 and start + size <= load.file_size:
                if load.offset + start + size > len(self.data):
                    break
                return load.offset + start
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
        size = segment.file_size - segment.file_size % DYNAMIC.size
        entries: list[tuple[int, int]] = []
        for tag, value in DYNAMIC.iter_unpack(self.slice(segment.offset, size, "the dynamic section")):
            if tag == DT_NULL:
                break
            entries.append((tag, value))
        return entries

    def raw_string(self, index: int) -> bytes:
        """The dynamic string at ``index``."""
        if not 0 <= index < self.strings_size:
            raise Malformed(f"string {index:#x} lies outside the dynamic strings of {self.strings_size:#x} bytes")
        start = self.strings_at + index
        end = self.data.find(b"\0", start, self.strings_at + self.strings_size)
        if end < 0:
            raise Malformed(f"string {index:#x} of the dynamic strings has no end")
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
        records: list[Record] = []
        address = self.tags[DT_VERNEED]
        for _ in range(self.tags.get(DT_VERNEEDNUM, 0)):
            at = self.offset(address, VERNEED.size, what)
            _, count, file, first, following = VERNEED.unpack_from(self.data, at)
            versions: list[Version] = []
            place = address + first
            for _ in range(count):
                here = self.offset(place, VERNAUX.size, what)
                *fields, step = VERNAUX.unpack_from(self.data, here)
                versions.append(Version(here, *fields))
                if not step:
                    break
                place += step
            records.append(Record(at, file, tuple(versions)))
            if not following:
                break
            address += following
        return records

    def verdef(self) -> list[tuple[int, tuple[int, ...]]]:
        """The versions that are defined: flags, and the offsets of the name and of the names it builds on."""
        if DT_VERDEF not in self.tags:
            return []
        what = "the defined versions"
        found: list[tuple[int, tuple[int, ...]]] = []
        address = self.tags[DT_VERDEF]
        for _ in range(self.tags.get(DT_VERDEFNUM, 0)):
            at = self.offset(address, VERDEF.size, what)
            _, flags, _, count, _, first, following = VERDEF.unpack_from(self.data, at)
            names: list[int] = []
            place = address + first
            for _ in range(count):
                name, step = VERDAUX.unpack_from(self.data, self.offset(place, VERDAUX.size, what))
                names.append(name)
                if not step:
                    break
                place += step
            found.append((flags, tuple(names)))
            if not following:
                break
            address += following
        return found

    def sections(self) -> list[Section]:
        """The section headers; none where the table is absent or lies outside the file."""
        if self._sections is None:
            self._sections = self._read_sections()
        return self._sections

    def _read_sections(self) -> list[Section]:
        header = self.header
        size = header.section_count * SECTION.size
        if not header.sections_at or header.section_size != SECTION.size or header.sections_at + size > len(self.data):
            return []
        table = self.data[header.sections_at : header.sections_at + size]
        return [Section._make(fields) for fields in SECTION.iter_unpack(table)]

    def symbol_count(self) -> int:
        """How many dynamic symbols there are, which no dynamic entry says outright."""
        if DT_SYMTAB not in self.tags:
            return 0
        address = self.tags[DT_SYMTAB]
        for section in self.sections():
            if section.type == SHT_DYNSYM and section.address == address:
                return section.size // SYMBOL.size
        counts = [self._count_by_relocations()]
        if DT_HASH in self.tags:
            what = "the symbol hash table"
            counts.append(struct.unpack_from("<I", self.data, self.at(DT_HASH, 8, what) + 4)[0])
        if DT_GNU_HASH in self.tags:
            counts.append(self._count_by_gnu_hash())
        return max(counts)

    def lookup_tables(self) -> dict[int, int]:
        """The sizes of the tables that start a symbol lookup, by their dynamic entries."""
        count = self.symbol_count()
        sizes = {DT_SYMTAB: count * SYMBOL.size}
        if DT_HASH in self.tags:
            buckets, chains = struct.unpack_from("<II", self.data, self.at(DT_HASH, 8, "the symbol hash table"))
            sizes[DT_HASH] = 8 + 4 * (buckets + chains)
        if DT_GNU_HASH in self.tags:
            at = self.at(DT_GNU_HASH, 16, "the GNU symbol hash table")
            buckets, first, bloom, _ = struct.unpack_from("<IIII", self.data, at)
            sizes[DT_GNU_HASH] = 16 + 8 * bloom + 4 * (buckets + max(self._count_by_gnu_hash() - first, 0))
        sections = {section.address: section.size for section in self.sections() if section.flags & SHF_ALLOC}
        return {
            tag: max(size, sections.get(self.tags[tag], 0)) for tag, size in sizes.items() if size and tag in self.tags
        }

    def _count_by_gnu_hash(self) -> int:
        what = "the GNU symbol hash table"
        at = self.at(DT_GNU_HASH, 16, what)
        buckets, first, bloom, _ = struct.unpack_from("<IIII", self.data, at)
        start = 16 + bloom * 8
        at = self.at(DT_GNU_HASH, start + buckets * 4, what)
        last = max(struct.unpack_from(f"<{buckets}I", self.data, at + start), default=0)
        if last < first:
            return int(first)
        chains = start + buckets * 4
        while True:
            place = chains + (last - first) * 4
            (value,) = struct.unpack_from("<I", self.data, self.at(DT_GNU_HASH, place + 4, what) + place)
            last += 1
            if value & 1:
                return int(last)

    def _count_by_relocations(self) -> int:
        """One more than the highest symbol that a relocation names: undefined ones are in no GNU hash table."""
        highest = [0]
        for table, size_tag in ((DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)):
            size = self.tags.get(size_tag, 0) // 24 * 24
            if table in self.tags and size:
                at = self.at(table, size, "the relocations")
                highest.append(max(words(self.data, at, size)[3::6]))
        return max(highest) + 1

    def symbols(self) -> bytes:
        """The dynamic symbol table."""
        size = self.symbol_count() * SYMBOL.size
        if not size:
            return b""
        at = self.at(DT_SYMTAB, size, "the dynamic symbols")
        return self.slice(at, size, "the dynamic symbols")


def words(data: Data, offset: int, size: int) -> array[int]:
    """``size`` bytes at ``offset`` as little-endian 32-bit numbers."""
    return little_endian("I", bytes(data[offset : offset + size]))


def little_endian(code: Literal["H", "I"], content: bytes) -> array[int]:
    """Bytes as little-endian numbers of 16 (``H``) or 32 (``I``) bits, on any machine."""
    numbers = array(code, content)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def is_supported(data: Data) -> bool:
    """Whether this is a 64-bit little-endian file of a machine in `MACHINES`."""
    return bytes(data[4:6]) == b"\2\1" and int.from_bytes(data[18:20], "little") in MACHINES


def read(data: Data) -> Binary:
    """The facts of an ELF file; raises Malformed."""
    if len(data) < 20:
        raise Malformed(f"the file ends after {len(data)} bytes, inside the ELF header")
    if not is_supported(data):
        return Binary(format="elf", arch=None, kind=_foreign_kind(data))
    return facts(Image(data))


def facts(image: Image) -> Binary:
    """What the loader reads of an image."""
    tags = image.tags
    interpreter = _interpreter(image)
    needed = tuple(dict.fromkeys(image.string(value) for tag, value in image.dynamic if tag in LOADED_TAGS))
    required = {image.string(value) for tag, value in image.dynamic if tag in LOADED_TAGS - {DT_AUXILIARY}}
    path = tags.get(DT_RUNPATH, tags.get(DT_RPATH))
    search = image.string(path) if path is not None else ""
    return Binary(
        format="elf",
        arch=image.arch,
        kind=_kind(image, interpreter, needed),
        name=image.string(tags[DT_SONAME]) if DT_SONAME in tags else None,
        needed=needed,
        search=tuple(search.split(":")) if search else (),
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
    """Whether the loader takes the file to need an executable stack; on x86_64 also where it says nothing of it."""
    segment = image.segment(PT_GNU_STACK)
    return bool(segment.flags & PF_X) if segment else image.arch == "x86_64" and bool(image.dynamic)


def _isa(image: Image) -> str | None:
    """The highest level of x86-64 that a property note says is needed (the psABI's GNU_PROPERTY_X86_ISA_1_NEEDED)."""
    segments = [segment for segment in image.segments if segment.type in (PT_NOTE, PT_GNU_PROPERTY)]
    needed = 0
    for segment in segments:
        data = image.slice(segment.offset, segment.file_size, "a note")
        for kind, name, content in _notes(data, 8 if segment.align == 8 else 4):
            if kind == NT_GNU_PROPERTY_TYPE_0 and name == b"GNU\0":
                needed |= _needed_bits(content)
    return next((level for bit, level in reversed(LEVELS.items()) if needed & bit), None)


def _notes(data: bytes, align: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield type, name and content of each note; what is cut off is no note."""
    at = 0
    while at + 12 <= len(data):
        name_size, size, kind = struct.unpack_from("<III", data, at)
        start = at + 12 + -(-name_size // align) * align if align == 4 else -(-(at + 12 + name_size) // align) * align
        if start + size > len(data):
            return
        yield kind, data[at + 12 : at + 12 + name_size], data[start : start + size]
        at = -(-(start + size) // align) * align


def _needed_bits(content: bytes) -> int:
    found, at = 0, 0
    while at + 8 <= len(content):
        kind, size = struct.unpack_from("<II", content, at)
        if kind == GNU_PROPERTY_X86_ISA_1_NEEDED and size == 4 and at + 12 <= len(content):
            found |= int.from_bytes(content[at + 8 : at + 12], "little")
        at += 8 + -(-size // 8) * 8
    return found


def unique_symbols(data: Data) -> int:
    """How many defined dynamic symbols one process has once, whichever library defines them (STB_GNU_UNIQUE)."""
    if not is_supported(data):
        return 0
    symbols = SYMBOL.iter_unpack(Image(data).symbols())
    return sum(info >> 4 == STB_GNU_UNIQUE and section != 0 for _, info, _, section, _, _ in symbols)


def _foreign_kind(data: Data) -> Literal["shared", "program", "static"]:
    kind = int.from_bytes(data[16:18], "big" if data[5] == 2 else "little")
    return "shared" if kind == ET_DYN else "program" if kind == ET_EXEC else "static"


def _interpreter(image: Image) -> str | None:
    segment = image.segment(PT_INTERP)
    if segment is None or not segment.file_size:
        return None
    path = image.slice(segment.offset, segment.file_size, "the interpreter's path")
    return path.split(b"\0")[0].decode("utf-8", "surrogateescape")


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
    if not is_supported(data):
        return Symbols(imports=frozenset(), exports=frozenset())
    image = Image(data)
    imports: set[int] = set()
    exports: set[int] = set()
    for name, info, _, section, _value, _size in SYMBOL.iter_unpack(image.symbols()):
        if name and info >> 4:
            (exports if section else imports).add(name)
    return Symbols(imports=_names(image, imports), exports=_names(image, exports))


def _names(image: Image, offsets: set[int]) -> frozenset[str]:
    return frozenset(image.string(offset) for offset in offsets)


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
