"""Write whole ELF libraries byte by byte, laid out as linkers do: in two loaded segments, with or without sections."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tests.support.elf import vernaux, verneed

NAMES = (
    "libinner.so.1",
    "libplain.so",
    "libouter.so.1",
    "$ORIGIN/..",
    "first",
    "total",
    "INNER_1",
    "INNER_2",
    "PLAIN_1",
)
DATA_SHIFT = 0x1000
"""How much further the second segment lies in memory than in the file."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library for x86_64 that needs two others, with versions, and has one symbol of each kind.

    ``behind`` is what follows the program headers: tables that can move, or code. ``spare`` entries end its dynamic
    section. ``zeros`` is the size of its .bss. ``free_slot`` leaves a program header free. ``flags`` are those of the
    segment of data, ``tail`` is data behind the dynamic section.
    """

    behind: tuple[str, ...] = ("note", "interp")
    spare: int = 2
    zeros: int = 0
    free_slot: bool = False
    flags: int = 6
    tail: bytes = b""
    soname: bool = True
    sections: bool = True
    search: bool = True
    comment: bytes = b"GCC: (Debian) 12.2.0\0"
    entries: tuple[tuple[int, int], ...] = ()


@dataclass
class _Image:
    """Bytes under way; ``at`` gives where each part begins."""

    body: bytearray
    at: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, content: bytes, align: int = 8) -> int:
        self.body += bytes(-len(self.body) % align)
        self.at[name] = len(self.body)
        self.body += content
        return self.at[name]


def strings() -> tuple[bytes, dict[str, int]]:
    """The dynamic strings, and where each begins."""
    text, places = b"\0", {}
    for name in NAMES:
        places[name] = len(text)
        text += name.encode() + b"\0"
    return text, places


def _tables(where: dict[str, int]) -> dict[str, bytes]:
    symbols = bytes(24) + struct.pack("<IBBHQQ", where["first"], 0x12, 0, 0, 0, 0)
    symbols += struct.pack("<IBBHQQ", where["total"], 0x12, 0, 1, 0x40, 4)
    versions = verneed((2, where["libinner.so.1"], 16, 48), (1, where["libplain.so"], 16, 0))
    versions = versions[:16] + vernaux((2, where["INNER_1"], 16), (3, where["INNER_2"], 0)) + versions[16:]
    return {
        "note": struct.pack("<3I", 4, 16, 3) + b"GNU\0" + bytes(range(16)),
        "interp": b"/lib64/ld-linux-x86-64.so.2\0",
        "hash": struct.pack("<6I", 1, 3, 1, 0, 2, 0),
        "symbols": symbols,
        "versym": struct.pack("<3H", 0, 2, 1),
        "verneed": versions + vernaux((4, where["PLAIN_1"], 0)),
        "code": b"\xb8\x2a\0\0\0\xc3",
    }


def library(what: Library) -> bytes:
    """The bytes of a file."""
    text, where = strings()
    tables = {**_tables(where), "strings": text}
    count = 7 + what.free_slot
    image = _Image(bytearray(64 + 56 * count))
    for name in (*what.behind, *(each for each in tables if each not in what.behind)):
        image.add(name, tables[name], 4 if name in ("note", "interp", "code") else 8)
    text_end = len(image.body)
    dynamic = _dynamic(what, where, image.at, len(text))
    data = image.add("got", bytes(24), 16)
    image.add("dynamic", dynamic)
    struct.pack_into("<Q", image.body, data, image.at["dynamic"] + DATA_SHIFT)
    data_dynamic = dynamic.replace(struct.pack("<QQ", 3, 0xDEAD), struct.pack("<QQ", 3, data + DATA_SHIFT))
    image.body[image.at["dynamic"] :] = data_dynamic
    relro_end = len(image.body)
    image.body += what.tail
    data_end = len(image.body)
    segments = _segments(what, image.at, (64 + 56 * count, text_end, data, relro_end, data_end), len(dynamic))
    header = _sections(what, image, (data_end, len(dynamic), text)) if what.sections else (0, 0, 0)
    image.body[:64] = struct.pack("<16sHHIQQQ", b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, header[0]) + struct.pack(
        "<IHHHHHH", 0, 64, 56, count, 64, header[1], header[2]
    )
    image.body[64 : 64 + len(segments)] = segments
    return bytes(image.body)


def _dynamic(what: Library, where: dict[str, int], at: dict[str, int], size: int) -> bytes:
    entries = [(1, where["libinner.so.1"]), (1, where["libplain.so"])]
    entries += [(14, where["libouter.so.1"])] if what.soname else []
    entries += [(29, where["$ORIGIN/.."])] if what.search else []
    entries += [(4, at["hash"]), (5, at["strings"]), (6, at["symbols"]), (10, size), (11, 24), (3, 0xDEAD)]
    entries += [(0x6FFFFFF0, at["versym"]), (0x6FFFFFFE, at["verneed"]), (0x6FFFFFFF, 2), *what.entries]
    return b"".join(struct.pack("<QQ", *each) for each in entries) + bytes(16 * (1 + what.spare))


def _segments(what: Library, at: dict[str, int], ends: tuple[int, ...], dynamic: int) -> bytes:
    headers_end, text_end, data, relro_end, data_end = ends
    rows = [(6, 4, 64, 64, headers_end - 64, headers_end - 64, 8)]
    rows += [(3, 4, at["interp"], at["interp"], 28, 28, 1), (1, 5, 0, 0, text_end, text_end, 0x1000)]
    size = data_end - data
    rows.append((1, what.flags, data, data + DATA_SHIFT, size, size + what.zeros, 0x1000))
    rows.append((2, 6, at["dynamic"], at["dynamic"] + DATA_SHIFT, dynamic, dynamic, 8))
    rows.append((4, 4, at["note"], at["note"], 32, 32, 4))
    relro = relro_end - data
    rows.append((0x6474E552, 4, data, data + DATA_SHIFT, relro, relro, 1))
    rows += [(0, 0, 0, 0, 0, 0, 0)] * what.free_slot
    return b"".join(
        struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, in_file, in_memory, align)
        for kind, flags, offset, address, in_file, in_memory, align in rows
    )


def _sections(what: Library, image: _Image, ends: tuple[int, int, bytes]) -> tuple[int, int, int]:
    """Add the sections and their headers; where these are, how many, and which has the names."""
    data_end, dynamic, text = ends
    at = image.at
    rows = [("", 0, 0, 0, 0, 0, 0, 0, 0, 0), (".text", 1, 6, at["code"], at["code"], 6, 0, 0, 4, 0)]
    rows += [
        (".note", 7, 2, at["note"], at["note"], 32, 0, 0, 4, 0),
        (".interp", 1, 2, at["interp"], at["interp"], 28, 0, 0, 1, 0),
    ]
    rows += [
        (".hash", 5, 2, at["hash"], at["hash"], 24, 5, 0, 8, 4),
        (".dynsym", 11, 2, at["symbols"], at["symbols"], 72, 6, 1, 8, 24),
    ]
    rows.append((".dynstr", 3, 2, at["strings"], at["strings"], len(text), 0, 0, 1, 0))
    rows.append((".gnu.version", 0x6FFFFFFF, 2, at["versym"], at["versym"], 6, 5, 0, 2, 2))
    rows.append((".gnu.version_r", 0x6FFFFFFE, 2, at["verneed"], at["verneed"], 80, 6, 2, 8, 0))
    rows.append((".dynamic", 6, 3, at["dynamic"] + DATA_SHIFT, at["dynamic"], dynamic, 6, 0, 8, 16))
    rows.append((".tbss", 8, 0x403, data_end + DATA_SHIFT, data_end, 8, 0, 0, 8, 0))
    if what.zeros:
        rows.append((".bss", 8, 3, data_end + DATA_SHIFT, data_end, what.zeros, 0, 0, 8, 0))
    image.add("comment", what.comment, 1)
    rows.append((".comment", 1, 0x30, 0, at["comment"], len(what.comment), 0, 0, 1, 1))
    names = b"\0_DYNAMIC\0_other\0"
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, 1, 0, 9, at["dynamic"] + DATA_SHIFT, 0)
    symbols += struct.pack("<IBBHQQ", 10, 1, 0, 9, at["dynamic"] + DATA_SHIFT + 16, 0)
    symbols += struct.pack("<IBBHQQ", 10, 3, 0, 2, at["note"], 0)
    image.add("symtab", symbols)
    image.add("strtab", names, 1)
    rows.append((".symtab", 2, 0, 0, at["symtab"], len(symbols), len(rows) + 1, 4, 8, 24))
    rows.append((".strtab", 3, 0, 0, at["strtab"], len(names), 0, 0, 1, 0))
    own, places = b"\0", {"": 0}
    for name in (*(row[0] for row in rows[1:]), ".shstrtab"):
        places[name] = len(own)
        own += name.encode() + b"\0"
    image.add("shstrtab", own, 1)
    rows.append((".shstrtab", 3, 0, 0, at["shstrtab"], len(own), 0, 0, 1, 0))
    table = b"".join(struct.pack("<IIQQQQIIQQ", places[name], *rest) for name, *rest in rows)
    return image.add("headers", table), len(rows), len(rows) - 1
