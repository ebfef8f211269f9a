"""Takes out of an ELF file what no loader reads: the symbol table of the linker, debugging information, comments."""

from __future__ import annotations

from mamba_press.platforms.binary_format import RECORD, Data, Malformed
from mamba_press.platforms.linux import elf
from mamba_press.platforms.linux.elf import Image
from mamba_press.platforms.linux.elf_records import Section

_SHSTRTAB = b".shstrtab"


def strip(data: Data) -> Data:
    """The file without sections that are not in memory; the same bytes where that is not simple, or saves nothing.

    What stands behind the last section, such as an archive that a program reads from its own end, is not ours to take.

    No byte of a segment moves. Symbols name sections by their number, so only what comes after all sections that stay
    is taken out, as every linker orders them.
    """
    if not elf.is_supported(data):
        return data
    image = Image(data)
    sections = image.sections
    count = next((n for n, s in enumerate(sections) if n and not s.flags & elf.SHF_ALLOC), len(sections))
    if image.header.type not in (elf.ET_EXEC, elf.ET_DYN) or not _is_simple(image, sections, count):
        return data
    ends = [segment.file_end for segment in image.segments if segment.type != elf.PT_NULL]
    ends += [s.offset + s.size for s in sections[1:count] if s.type not in (0, elf.SHT_NOBITS)]
    end = max([*ends, elf.HEADER.size, image.header.segments_at + len(image.segments) * elf.SEGMENT.size])
    names, places = _names(image, sections, count)
    table = -(-(end + len(names)) // 8) * 8
    kept = [s._replace(name=place) for s, place in zip(sections[:count], places, strict=False)]
    kept.append(Section(places[-1], elf.SHT_STRTAB, 0, 0, end, len(names), 0, 0, 1, 0))
    header = image.header._replace(sections_at=table, section_count=len(kept), section_names=count)
    body = bytes(data[elf.HEADER.size : end]) + names + bytes(table - end - len(names))
    result = elf.HEADER.pack(*header) + body + b"".join(elf.SECTION.pack(*section) for section in kept)
    return result if len(result) < len(data) else data


def _is_simple(image: Image, sections: list[Section], count: int) -> bool:
    """Whether the sections that stay come first, and refer to no other; that of PT_DYNAMIC has to stay."""
    if not 1 < count < len(sections) or image.header.section_names >= len(sections):
        return False
    ends = [s.offset + s.size for s in sections if s.type not in (0, elf.SHT_NOBITS)]
    ends += [segment.file_end for segment in image.segments]
    end = max(*ends, image.header.sections_at + len(sections) * elf.SECTION.size)
    if end > len(image.data) or bytes(image.data[end:]).strip(b"\0"):
        return False
    dynamic = image.segment(elf.PT_DYNAMIC)
    low, high = (dynamic.offset, dynamic.file_end) if dynamic else (0, 0)
    if any(s.flags & elf.SHF_ALLOC or (s.offset < high and low < s.offset + s.size) for s in sections[count:]):
        return False
    if elf.DT_STRTAB in image.tags and image.at(elf.DT_STRTAB, 0, "the strings") < elf.HEADER.size:
        return False  # the header changes
    return not any(s.link >= count or (s.flags & elf.SHF_INFO_LINK and s.info >= count) for s in sections[1:count])


def _names(image: Image, sections: list[Section], count: int) -> tuple[bytes, list[int]]:
    """The names of the sections that stay and of their own section, and where each begins; raises Malformed."""
    strings = sections[image.header.section_names]
    text = image.slice(strings.offset, strings.size, "the sections' names")
    table, places = bytearray(b"\0"), [0]
    for section in sections[1:count]:
        places.append(len(table))
        end = text.find(b"\0", section.name)
        if end < 0:
            raise Malformed(f"the name of a section at {section.name:#x} of their names is not in them or has no end")
        image.left.take(end - section.name + RECORD)
        table += text[section.name : end] + b"\0"
    places.append(len(table))
    return bytes(table + _SHSTRTAB + b"\0"), places
