"""Judges the structure of ELF files, and what a kernel makes of them with each page size of the architecture."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, pairwise

from mamba_press.platforms.binary_format import MOST_PROBLEMS, RECORD, Data
from mamba_press.platforms.linux import elf, elf_records
from mamba_press.platforms.linux.elf import Image
from mamba_press.platforms.linux.elf_records import Segment

_SIZES = (0x1000, 0x4000, 0x10000)


def layout_problems(data: Data) -> tuple[str, ...]:
    """What is wrong, as sentences; empty for a sound file, and for one that is not read; raises Malformed."""
    return problems(Image(data)) if elf.is_read(data) else ()


def problems(image: Image) -> tuple[str, ...]:
    """What is wrong with a file that was read."""
    if image.header.type not in (elf.ET_EXEC, elf.ET_DYN):
        return ()  # an object file or a core: nothing maps it
    loads = [segment for segment in image.segments if segment.type == elf.PT_LOAD]
    rules = (_segment_problems(image, loads), _table_problems(image), _section_problems(image, loads))
    found = list(islice(chain(*rules), MOST_PROBLEMS))
    if not found:
        # A mapping is only worth simulating of segments that make sense.
        for size in _SIZES:
            if size <= elf_records.PAGES[image.arch]:
                found += _mapping_problems(loads, size)
    return tuple(found)


def _segment_problems(image: Image, loads: list[Segment]) -> Iterator[str]:
    yield from _load_problems(loads)
    image.left.take(RECORD * len(image.segments))
    for segment in image.segments:
        if segment.file_size and segment.file_end > len(image.data):
            yield f"the segment at {segment.address:#x} ends at {segment.file_end:#x}, behind the end of the file"
        if segment.type in (elf.PT_DYNAMIC, elf.PT_PHDR, elf.PT_INTERP) and not _is_loaded(segment, loads):
            yield f"the segment of type {segment.type} at {segment.address:#x} is not where its offset says"
    header = image.segment(elf.PT_PHDR)
    if header and header.offset != image.header.segments_at:
        yield f"PT_PHDR says {header.offset:#x}, the ELF header {image.header.segments_at:#x}"


def _load_problems(loads: list[Segment]) -> Iterator[str]:
    for load in loads:
        where = f"the segment at {load.address:#x}"
        if load.file_size > load.memory_size:
            yield f"{where} is larger in the file than in memory"
        if load.align & (load.align - 1):
            yield f"{where} has an alignment of {load.align:#x}, not a power of two"
        elif load.align > 1 and (load.address - load.offset) % load.align:
            yield f"{where} and its offset {load.offset:#x} differ modulo {load.align:#x}"
    for one, following in pairwise(loads):
        if following.address < one.end:
            yield f"the segments at {one.address:#x} and {following.address:#x} overlap or are out of order"


def _is_loaded(segment: Segment, loads: list[Segment]) -> bool:
    return any(
        load.offset <= segment.offset
        and segment.file_end <= load.file_end
        and segment.address - segment.offset == load.address - load.offset
        for load in loads
    )


def _table_problems(image: Image) -> Iterator[str]:
    """What the dynamic section leads to must be readable: every string and every version."""
    if not image.dynamic:
        return
    if elf.DT_RPATH in image.tags and elf.DT_RUNPATH in image.tags:
        yield "both DT_RPATH and DT_RUNPATH are set"
    needed = {image.string(value) for tag, value in image.dynamic if tag == elf.DT_NEEDED}
    for record in image.verneed:
        name = image.string(record.file)
        if name not in needed:
            yield f"versions of {name} are required, which is not needed"
    known = {v.number & 0x7FFF for record in image.verneed for v in record.versions}
    if elf.DT_VERSYM in image.tags and known:
        size = image.symbol_count() * 2
        at = image.at(elf.DT_VERSYM, size, "the versions of the symbols")
        numbers = set(image.numbers("H", bytes(image.data[at : at + size])))
        highest = max((number & 0x7FFF for number in numbers), default=0)
        if highest > max(len(image.verdef), *known):
            yield f"a symbol has the version {highest}, which is not there"
    if max(image.names_of_symbols(), default=0) >= max(image.strings_size, 1):
        yield "a symbol's name lies outside the dynamic strings"


def _section_problems(image: Image, loads: list[Segment]) -> Iterator[str]:
    """Sections must say what the segments say, or a tool that rewrites the file destroys it."""
    dynamic = image.segment(elf.PT_DYNAMIC)
    homes = [(load.offset, load.file_end, load.address - load.offset) for load in loads]
    image.left.take(RECORD * len(homes) * len(image.sections))
    for number, (_, kind, flags, address, offset, size, *_) in enumerate(image.sections):
        end = offset + size
        if end > len(image.data) and kind not in (0, elf.SHT_NOBITS):
            yield f"section {number} ends behind the end of the file"
        if not flags & elf.SHF_ALLOC or kind == elf.SHT_NOBITS or not size:
            continue
        if address - offset not in [shift for start, last, shift in homes if start <= offset and end <= last]:
            yield f"section {number} at {address:#x} is not in a segment at its offset {offset:#x}"
        if kind == elf.SHT_DYNAMIC and dynamic and dynamic.address != address:
            yield f"section {number} says the dynamic section is at {address:#x}, PT_DYNAMIC {dynamic.address:#x}"
        if kind == elf.SHT_GNU_VERNEED and image.tags.get(elf.DT_VERNEED) != address:
            yield f"section {number} says the needed versions are at {address:#x}, DT_VERNEED does not"
    sections = image.sections
    for section in sections:
        if section.type == elf.SHT_DYNSYM and section.link < len(sections):
            strings = sections[section.link]
            if (strings.address, strings.size) != (image.tags.get(elf.DT_STRTAB), image.strings_size):
                yield f"the dynamic symbols' strings are at {strings.address:#x}, DT_STRTAB says otherwise"


def _mapping_problems(loads: list[Segment], page: int) -> Iterator[str]:
    """Map as ld.so does with this page size, and compare every byte of every segment with the file.

    Each segment maps whole pages of the file and clears from its last byte to the end of the page where it has a
    .bss: a page that two segments share keeps what came last, and its permissions.
    """
    for number, load in enumerate(loads):
        if (load.address - load.offset) % page:
            yield f"with pages of {page:#x}, the segment at {load.address:#x} cannot be mapped"
            continue
        start, end = load.address, load.end
        for other in loads[number + 1 :]:
            low = other.address // page * page
            high = -(-other.end // page) * page
            if start < high and low < end:
                yield from _overlaid(load, other, page)


def _overlaid(load: Segment, other: Segment, page: int) -> Iterator[str]:
    """Whether a later segment's pages leave this one's bytes as they were, with no less permission."""
    low, high = max(load.address, other.address // page * page), min(load.end, -(-other.end // page) * page)
    where = f"with pages of {page:#x}, {low:#x} to {high:#x} of the segment at {load.address:#x}"
    if load.flags & ~other.flags:
        yield f"{where} loses permissions to the segment at {other.address:#x}"
    shift = other.address - other.offset
    for address in (low, high - 1):
        if load.offset + address - load.address != address - shift:
            yield f"{where} is overlaid by other bytes of the file"
            return
    if load.memory_size > load.file_size and high > load.address + load.file_size:
        yield f"{where} is cleared memory that the segment at {other.address:#x} maps from the file"
