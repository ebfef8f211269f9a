"""Write ELF files byte by byte: what no linker writes is needed to test with."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

NEEDED, STRTAB, SYMTAB, STRSZ, SONAME, RUNPATH, GNU_HASH = 1, 5, 6, 10, 14, 29, 0x6FFFFEF5
VERDEF, VERDEFNUM, VERNEED, VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF


def elf(
    tables: Mapping[str, bytes],
    entries: Sequence[tuple[int, int | str]],
    *,
    segments: Sequence[tuple[int, str]] = (),
    sections: Sequence[tuple[int, int, str, int]] = (),
) -> bytes:
    """A library for x86_64 with these tables, each at an address that is its offset, in one loaded segment.

    ``entries`` are those of the dynamic section; a name stands for the address of a table, and the table ``strings`` is
    led to by itself. ``segments`` are more program headers by type and table, ``sections`` section headers by type,
    flags, table and name, where the table ``dynamic`` is the dynamic section; those of section 0 and of the sections'
    names (``names``) are added.
    """
    count = 3 + len(segments)
    at = 64 + 56 * count
    places: dict[str, int] = {}
    body = b""
    for name, content in tables.items():
        body += bytes(-(at + len(body)) % 16)
        places[name] = at + len(body)
        body += content
    body += bytes(-(at + len(body)) % 16)
    dynamic = at + len(body)
    more = [(STRTAB, places["strings"]), (STRSZ, len(tables["strings"]))] if "strings" in tables else []
    told = [*((tag, places[value] if isinstance(value, str) else value) for tag, value in entries), *more, (0, 0)]
    entries_of_dynamic = b"".join(struct.pack("<QQ", *each) for each in told)
    tables, places["dynamic"] = {**tables, "dynamic": entries_of_dynamic}, dynamic
    body += entries_of_dynamic
    end = at + len(body)
    header = struct.pack("<16sHHIQQQ", b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, end if sections else 0)
    header += struct.pack("<IHHHHHH", 0, 64, 56, count, 64, len(sections) + 2 if sections else 0, len(sections) + 1)
    programs = [(1, 0, end), (2, dynamic, 16 * len(told)), (0x6474E551, 0, 0)]
    programs += [(kind, places[table], len(tables[table])) for kind, table in segments]
    header += b"".join(struct.pack("<IIQQQQQQ", kind, 6, at, at, at, size, size, 8) for kind, at, size in programs)
    table = bytes(64) if sections else b""
    for kind, flags, name, text in (*sections, (3, 0, "names", 0)) if sections else ():
        place = (places[name] if flags & 2 else 0, places[name], len(tables[name]))
        table += struct.pack("<IIQQQQIIQQ", text, kind, flags, *place, 0, 0, 1, 24)
    return header + body + table


def verneed(*records: tuple[int, int, int, int]) -> bytes:
    """Records of needed versions: how many versions, the library, where its versions and the next record begin."""
    return b"".join(struct.pack("<HHIII", 1, *record) for record in records)


def vernaux(*versions: tuple[int, int, int]) -> bytes:
    """Versions: the number, the name, where the next one begins."""
    return b"".join(struct.pack("<IHHII", 0, 0, *version) for version in versions)
