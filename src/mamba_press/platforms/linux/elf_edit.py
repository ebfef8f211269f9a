"""Edits ELF files: a pure function on bytes that keeps every address, and so leaves no relocation to redo.

Names are changed where they stand if they fit, or exist already, and nothing else points into them. Otherwise the
dynamic strings (and, where it has no spare entry, the dynamic section) move behind the end of memory: into the last
loaded segment, its .bss written out as zeros, which needs no new program header and is right for every page size; or,
where the .bss is large or that segment not the last of the file, into one new segment. What stands there is rewritten
by the next edit, so that repeated edits do not grow the file. The program headers stay where they are: GNU ``strip``
writes them behind the ELF header, whatever the file said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mamba_press.binary import Binary, Edits, Requirement
from mamba_press.platforms.binary_format import RECORD, Data, Malformed, aligned, encoded, refuse_other
from mamba_press.platforms.linux import elf, elf_check, elf_reader
from mamba_press.platforms.linux.elf import Image
from mamba_press.platforms.linux.elf_layout import Draft
from mamba_press.platforms.linux.elf_records import Section
from mamba_press.platforms.linux.elf_strings import Need, Strings, Text

_VERIFIED = ("name", "needed", "search", "inherited", "requires", "defines", "interpreter", "kind", "arch", "execstack")


def apply(data: Data, edits: Edits) -> Data:
    """The file with the edits made; the same bytes where nothing is to change; raises Malformed."""
    if not elf.is_supported(data):
        raise Malformed("not a 64-bit little-endian ELF file of a machine that can be edited")
    if edits.strip:
        data = strip(data)
    if edits.clear_execstack:
        data = _clear_execstack(data)
    image = Image(data)
    before = elf_reader.facts(image)
    wanted = expected(before, edits)
    doubled = edits.search is not None and elf.DT_RPATH in image.tags and elf.DT_RUNPATH in image.tags
    result: Data = data
    if wanted != before or doubled:
        if not image.dynamic:
            raise Malformed("a file without a dynamic section has no names or search path to edit")
        if not image.strings_size:
            raise Malformed("the dynamic section names no strings")
        result = _edit(image, edits)
    if edits.unbind_unique:
        result = _unbind_unique(result)
    if result is not data:
        _verify(image, Image(result), wanted)
    return result


def expected(before: Binary, edits: Edits) -> Binary:
    """The facts that a file has after the edits."""
    names = dict(edits.needed)
    requires = ((names.get(one.library, one.library), one.versions) for one in before.requires)
    search = before.search if edits.search is None else edits.search
    return replace(
        before,
        name=before.name if edits.name is None else edits.name,
        needed=tuple(dict.fromkeys(new for old in before.needed if (new := names.get(old, old)) is not None)),
        requires=tuple(Requirement(library=name, versions=each) for name, each in requires if name is not None),
        weak=tuple(dict.fromkeys(new for old in before.weak if (new := names.get(old, old)) is not None)),
        search=search,
        inherited=before.inherited if edits.search is None else edits.inherited and bool(search),
    )


def _verify(before: Image, after: Image, wanted: Binary) -> None:
    """Raise Malformed where an edited file does not read as it should, or something else changed in it."""
    refuse_other(elf_reader.facts(after), wanted, _VERIFIED)
    ours = elf.STRING_TAGS | {elf.DT_STRTAB, elf.DT_STRSZ, elf.DT_VERNEED, elf.DT_VERNEEDNUM, elf.DT_VERSYM}
    ours |= {elf.DT_HASH, elf.DT_GNU_HASH, elf.DT_SYMTAB}
    if [e for e in before.dynamic if e[0] not in ours] != [e for e in after.dynamic if e[0] not in ours]:
        raise Malformed("after the edit, other entries of the dynamic section have changed")
    problems = elf_check.problems(after)
    new = problems and set(problems) - set(elf_check.problems(before))
    if new:
        raise Malformed(f"after the edit, {min(new)}")


def _edit(image: Image, edits: Edits) -> bytearray:
    """The file with new names and search path."""
    names = {encoded(old): None if new is None else encoded(new) for old, new in edits.needed}
    entries = list(_entries(image, edits, names))
    records, dropped = _records(image, names)
    if dropped and not records:
        unused = {elf.DT_VERNEED, elf.DT_VERNEEDNUM}
        if elf.DT_VERDEF not in image.tags:
            # A loader that finds indices of versions, but no versions, follows a null pointer.
            unused.add(elf.DT_VERSYM)
        entries = [entry for entry in entries if entry[0] not in unused]
    strings = Strings(image, entries, records)
    new = [value for _, value in entries if isinstance(value, bytes)]
    new += [need.file for need in records if isinstance(need.file, bytes)]
    places = strings.place_all(new)
    final = [(tag, places[value] if isinstance(value, bytes) else value) for tag, value in entries]
    files = [places[need.file] if isinstance(need.file, bytes) else need.file for need in records]
    draft = Draft(image)
    if elf.DT_VERNEED in image.tags:
        draft.write_verneed(records, files)
        if dropped:
            draft.reset_versions(dropped)
            final = [(tag, len(records) if tag == elf.DT_VERNEEDNUM else value) for tag, value in final]
    draft.write_tables(final, strings)
    return draft.finish()


def _entries(image: Image, edits: Edits, names: dict[bytes, bytes | None]) -> Iterator[tuple[int, Text]]:
    """The dynamic entries after the edits; new names are still text."""
    search = b":".join(map(encoded, edits.search or ()))
    search_tag = elf.DT_RPATH if edits.inherited else elf.DT_RUNPATH
    new: dict[int, bytes] = {}
    if edits.name is not None:
        new[elf.DT_SONAME] = encoded(edits.name)
    if search:
        new[search_tag] = search
    seen: set[tuple[int, bytes]] = set()
    for tag, value in image.dynamic:
        if tag in elf.LOADED_TAGS:
            old = image.raw_string(value)
            name = names.get(old, old)
            if name is not None and (tag, name) not in seen:
                seen.add((tag, name))
                yield tag, value if name == old else name
        elif tag == elf.DT_SONAME or (tag in (elf.DT_RPATH, elf.DT_RUNPATH) and edits.search is not None):
            final = tag if tag == elf.DT_SONAME else search_tag
            text = new.pop(final, None)
            if text is not None:
                yield final, value if text == image.raw_string(value) else text
            elif tag == elf.DT_SONAME:
                yield tag, value
        else:
            yield tag, value
    yield from new.items()


def _records(image: Image, names: dict[bytes, bytes | None]) -> tuple[list[Need], set[int]]:
    """The verneed records after the edits, and the indices of the versions that went."""
    kept: list[Need] = []
    dropped: set[int] = set()
    for record in image.verneed:
        old = image.raw_string(record.file)
        name = names.get(old, old)
        if name is None:
            dropped.update(version.number & 0x7FFF for version in record.versions)
        else:
            kept.append(Need(record.file if name == old else name, record))
    return kept, dropped


def _clear_execstack(data: Data) -> Data:
    """Take the permission to execute from PT_GNU_STACK; a file without that header stays as it is."""
    image = Image(data)
    for number, segment in enumerate(image.segments):
        if segment.type == elf.PT_GNU_STACK and segment.flags & elf.PF_X:
            out = bytearray(data)
            at = image.header.segments_at + number * elf.SEGMENT.size
            out[at : at + elf.SEGMENT.size] = elf.SEGMENT.pack(*segment._replace(flags=segment.flags & ~elf.PF_X))
            return out
    return data


def _unbind_unique(data: Data) -> Data:
    """Make every STB_GNU_UNIQUE symbol STB_GLOBAL, in the dynamic and in the full symbol table."""
    image = Image(data)
    out = bytearray(data)
    tables = []
    size = image.symbol_count() * elf.SYMBOL.size
    if size:
        tables.append((image.at(elf.DT_SYMTAB, size, "the dynamic symbols"), size))
    tables += [(s.offset, s.size) for s in image.sections if s.type == elf.SHT_SYMTAB]
    for at, size in tables:
        infos = image.slice(at, size, "the symbols")[4 :: elf.SYMBOL.size]
        for number, info in enumerate(infos):
            if info >> 4 == elf.STB_GNU_UNIQUE:
                out[at + number * elf.SYMBOL.size + 4] = elf.STB_GLOBAL << 4 | info & 0xF
    return out if out != data else data


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
    names, places = _kept_names(image, sections, count)
    table = aligned(end + len(names), 8)
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


def _kept_names(image: Image, sections: list[Section], count: int) -> tuple[bytes, list[int]]:
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
    return bytes(table + b".shstrtab\0"), places
