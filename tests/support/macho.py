"""Write Mach-O files byte by byte, as Apple's linkers lay them out: no compiler for macOS is needed to test with."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

PAGE = 0x4000
CPUS = {"x86_64": (0x01000007, 3), "arm64": (0x0100000C, 0), "arm64e": (0x0100000C, 2), "i386": (7, 3)}
LOAD, WEAK, REEXPORT, UPWARD = 0xC, 0x80000018, 0x8000001F, 0x80000023
DYLIB, BUNDLE, PROGRAM, OBJECT = 6, 8, 2, 1
_UNWIND = 88


@dataclass(frozen=True, kw_only=True)
class Dylib:
    """A library, bundle or program of one function, ``value``, and of one pointer to each thing that it imports.

    ``needed`` are names with the command that asks for them; library number n offers the symbol ``from_n``, which
    this file imports. ``room`` is how many bytes are free behind the load commands. ``fixups`` chooses between bind
    opcodes and the chains that newer linkers write. ``reexports`` names symbols passed on, with their library.
    """

    arch: str = "arm64"
    kind: int = DYLIB
    name: str | None = "@rpath/libvalue.1.dylib"
    needed: Sequence[tuple[str, int]] = (("/usr/lib/libSystem.B.dylib", LOAD),)
    search: Sequence[str] = ()
    floor: tuple[int, int] | None = (11, 0)
    room: int = 2000
    fixups: Literal["opcodes", "chains"] = "opcodes"
    reexports: Sequence[tuple[str, int]] = ()
    old_floor: bool = False
    text: bytes = b""

    @property
    def base(self) -> int:
        """The address of the header."""
        return 0x100000000 if self.kind == PROGRAM else 0


@dataclass(frozen=True)
class Signature:
    """What a signature says: the CodeDirectory's fields, the blobs by slot, and the pages that do not fit."""

    version: int
    flags: int
    identifier: str
    limit: int
    special: dict[int, bytes]
    executable: tuple[int, int, int]
    blobs: dict[int, bytes]
    bad_pages: int


def signature(data: bytes) -> Signature | None:
    """The signature of a file of one slice, read and recomputed by other code than the project's own."""
    count, at = struct.unpack_from("<I", data, 16)[0], 32
    place = None
    for _ in range(count):
        kind, size = struct.unpack_from("<2I", data, at)
        place = struct.unpack_from("<2I", data, at + 8) if kind == 0x1D else place
        at += size
    if place is None:
        return None
    blob = data[place[0] : place[0] + place[1]]
    assert blob[:4] == b"\xfa\xde\x0c\xc0"
    blobs = {}
    for number in range(struct.unpack_from(">I", blob, 8)[0]):
        slot, start = struct.unpack_from(">2I", blob, 12 + 8 * number)
        blobs[slot] = blob[start : start + struct.unpack_from(">I", blob, start + 4)[0]]
    main = blobs[0]
    _, _, version, flags, hashes, name, specials, pages, limit = struct.unpack_from(">9I", main)
    bad = sum(
        hashlib.sha256(data[4096 * page : min(4096 * (page + 1), limit)]).digest()
        != main[hashes + 32 * page : hashes + 32 * page + 32]
        for page in range(pages)
    )
    assert pages == -(-limit // 4096)
    return Signature(
        version=version,
        flags=flags,
        identifier=main[name : main.index(b"\0", name)].decode(),
        limit=limit,
        special={slot: main[hashes - 32 * slot : hashes - 32 * slot + 32] for slot in range(1, specials + 1)},
        executable=struct.unpack_from(">3Q", main, 64),
        blobs=blobs,
        bad_pages=bad,
    )


def dylib(what: Dylib) -> bytes:
    """The file, unsigned."""
    linkedit_at = 2 * PAGE
    draft = _commands(what, code=0, parts=_Parts())
    code = -(-(32 + len(b"".join(draft)) + what.room) // 8) * 8
    assert code + 256 + len(what.text) < PAGE, "all this has to fit one page"
    parts, linkedit = _linkedit(what, code, linkedit_at)
    commands = _commands(what, code=code, parts=parts)
    cpu, subtype = CPUS[what.arch]
    flags = 0x85 if what.kind == DYLIB else 0x200085 if what.kind == PROGRAM else 0x85
    size = sum(map(len, commands))
    header = struct.pack("<8I", 0xFEEDFACF, cpu, subtype, what.kind, len(commands), size, flags, 0)
    text = (header + b"".join(commands)).ljust(code, b"\0") + b"\xc0\x03\x5f\xd6" * 16 + _unwind(code)
    text += struct.pack("<2I", code, code + 4) + what.text
    return text.ljust(PAGE, b"\0") + _data(what, code).ljust(PAGE, b"\0") + linkedit


def universal(*slices: bytes, align: int = 14, wide: bool = False) -> bytes:
    """A universal file of these slices."""
    record = struct.Struct(">2I2QI4x" if wide else ">5I")
    at = 8 + record.size * len(slices)
    head = struct.pack(">2I", 0xCAFEBABF if wide else 0xCAFEBABE, len(slices))
    body = b""
    for each in slices:
        cpu, subtype = struct.unpack_from("<2I", each, 4)
        place = -(-(at + len(body)) // (1 << align)) * (1 << align)
        head += record.pack(cpu, subtype, place, len(each), align)
        body += bytes(place - at - len(body)) + each
    return head + body


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """Where the tables of __LINKEDIT are, each as an offset and a size."""

    rebases: tuple[int, int] = (0, 0)
    binds: tuple[int, int] = (0, 0)
    chains: tuple[int, int] = (0, 0)
    exports: tuple[int, int] = (0, 0)
    starts: tuple[int, int] = (0, 0)
    symbols: tuple[int, int] = (0, 0)
    strings: tuple[int, int] = (0, 0)
    end: int = 0


def _commands(what: Dylib, *, code: int, parts: _Parts) -> list[bytes]:
    text = [
        ("__text", "__TEXT", code, 64, code),
        ("__unwind_info", "__TEXT", code + 64, _UNWIND, code + 64),
        ("__init_offsets", "__TEXT", code + 64 + _UNWIND, 8, code + 64 + _UNWIND),
        ("__cstring", "__TEXT", code + 72 + _UNWIND, len(what.text), code + 72 + _UNWIND),
    ]
    pointers = 8 * (1 + len(what.needed))
    commands = [_segment("__PAGEZERO", 0, 0x100000000, 0, 0, ())] if what.kind == PROGRAM else []
    commands += [
        _segment("__TEXT", what.base, PAGE, 0, PAGE, text, base=what.base),
        _segment("__DATA", what.base + PAGE, PAGE, PAGE, PAGE, [("__data", "__DATA", PAGE, pointers, PAGE)], what.base),
        _segment("__LINKEDIT", what.base + 2 * PAGE, PAGE, 2 * PAGE, max(parts.end - 2 * PAGE, 0), ()),
    ]
    if what.name:
        commands.append(_named(0xD, what.name, library=True))
    if what.fixups == "opcodes":
        fields = (*parts.rebases, *parts.binds, 0, 0, 0, 0, *parts.exports)
        commands.append(struct.pack("<12I", 0x80000022, 48, *fields))
    else:
        commands.append(struct.pack("<4I", 0x80000034, 16, *parts.chains))
        commands.append(struct.pack("<4I", 0x80000033, 16, *parts.exports))
    commands.append(struct.pack("<6I", 0x2, 24, parts.symbols[0], parts.symbols[1] // 16, *parts.strings))
    count = 1 + len(what.needed)
    commands.append(struct.pack("<20I", 0xB, 80, 0, 0, 0, 1, 1, count - 1, *(0,) * 12))
    if what.kind == PROGRAM:
        commands.append(_named(0xE, "/usr/lib/dyld", library=False))
        commands.append(struct.pack("<2I2Q", 0x80000028, 24, code, 0))
    commands.append(struct.pack("<2I", 0x1B, 24) + bytes(range(16)))
    if what.floor and what.old_floor:
        commands.append(struct.pack("<4I", 0x24, 16, what.floor[0] << 16 | what.floor[1] << 8, 0))
    elif what.floor:
        version = what.floor[0] << 16 | what.floor[1] << 8
        commands.append(struct.pack("<6I", 0x32, 24, 1, version, version, 0))
    commands += [_named(kind, name, library=True) for name, kind in what.needed]
    commands += [_named(0x8000001C, path, library=False) for path in what.search]
    commands.append(struct.pack("<4I", 0x26, 16, *parts.starts))
    return commands


def _segment(
    name: str,
    address: int,
    memory: int,
    offset: int,
    size: int,
    sections: Sequence[tuple[str, str, int, int, int]],
    base: int = 0,
) -> bytes:
    protection = 5 if name == "__TEXT" else 3 if name == "__DATA" else 0 if name == "__PAGEZERO" else 1
    fields = (address, memory, offset, size, protection, protection, len(sections), 0)
    head = struct.pack("<2I16s4Q4I", 0x19, 72 + 80 * len(sections), name.encode(), *fields)
    return head + b"".join(
        struct.pack("<16s16s2Q8I", section.encode(), of.encode(), base + at, length, place, 3, 0, 0, 0, 0, 0, 0)
        for section, of, at, length, place in sections
    )


def _named(kind: int, name: str, *, library: bool) -> bytes:
    start = 24 if library else 12
    middle = struct.pack("<3I", 2, 0x10000, 0x10000) if library else b""
    size = -(-(start + len(name.encode()) + 1) // 8) * 8
    return (struct.pack("<3I", kind, size, start) + middle + name.encode()).ljust(size, b"\0")


def _uleb(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return out + bytes((value,))


def _unwind(code: int) -> bytes:
    """Unwind information of one function: a compressed page, a personality, language data."""
    header = struct.pack("<7I", 1, 28, 0, 28, 1, 32, 2)
    index = struct.pack("<I", PAGE) + struct.pack("<3I", code, 72, 56) + struct.pack("<3I", code + 64, 0, 64)
    lsda = struct.pack("<2I", code, code + 32)
    return (header + index + lsda).ljust(72, b"\0") + struct.pack("<I4H", 3, 12, 0, 12, 0) + bytes(4)


def _data(what: Dylib, code: int) -> bytes:
    count = len(what.needed)
    if what.fixups == "opcodes":
        return struct.pack("<Q", what.base + code) + bytes(8 * count)
    words = [code | (2 << 51 if count else 0)]
    words += [1 << 63 | number | (2 << 51 if number < count - 1 else 0) for number in range(count)]
    return struct.pack(f"<{len(words)}Q", *words)


def _linkedit(what: Dylib, code: int, start: int) -> tuple[_Parts, bytes]:
    body = b""

    def add(content: bytes) -> tuple[int, int]:
        nonlocal body
        place = start + len(body)
        size = -(-len(content) // 8) * 8
        body += content.ljust(size, b"\0")
        return place, size

    data_segment = 2 if what.kind == PROGRAM else 1
    rebases = binds = chains = (0, 0)
    if what.fixups == "opcodes":
        rebases = add(bytes((0x11, 0x20 | data_segment, 0, 0x51, 0)))
        binds = add(_binds(what, data_segment))
    else:
        chains = add(_chains(what, data_segment))
    exports = add(_trie(what, code))
    starts = add(_uleb(code))
    strings = b"\0_value\0"
    symbols = struct.pack("<IBBHQ", 1, 0x0F, 1, 0, what.base + code)
    # Debugging symbols: where a function begins, and how long it is.
    symbols += struct.pack("<IBBHQ", 1, 0x24, 1, 0, what.base + code) + struct.pack("<IBBHQ", 0, 0x24, 0, 0, 4)
    for number, _ in enumerate(what.needed, 1):
        symbols += struct.pack("<IBBHQ", len(strings), 0x01, 0, number << 8, 0)
        strings += f"_from_{number}\0".encode()
    parts = {
        "rebases": rebases,
        "binds": binds,
        "chains": chains,
        "exports": exports,
        "starts": starts,
        "symbols": add(symbols),
        "strings": add(strings),
    }
    return _Parts(**parts, end=start + len(body)), body


def _binds(what: Dylib, segment: int) -> bytes:
    out = b"\x51" if what.needed else b""
    for number, _ in enumerate(what.needed, 1):
        out += bytes((0x10 | number,)) if number < 16 else b"\x20" + _uleb(number)
        out += b"\x40" + f"_from_{number}".encode() + b"\0" + bytes((0x70 | segment,)) + _uleb(8 * number) + b"\x90"
    return out + b"\0"


def _chains(what: Dylib, segment: int) -> bytes:
    """Chained fixups of 64-bit pointers that count from the header, with one page."""
    segments = segment + 2
    starts = struct.pack("<I", segments) + struct.pack(
        f"<{segments}I", *(4 * (1 + segments) if number == segment else 0 for number in range(segments))
    )
    starts += struct.pack("<I2HQIHH", 24, PAGE, 6, PAGE, 0, 1, 0)
    starts += bytes(-len(starts) % 4)
    names, imports = b"\0", b""
    for number, _ in enumerate(what.needed, 1):
        imports += struct.pack("<I", number | len(names) << 9)
        names += f"_from_{number}\0".encode()
    at = 32 + len(starts)
    header = struct.pack("<7I", 0, 32, at, at + len(imports), len(what.needed), 1, 0)
    return header.ljust(32, b"\0") + starts + imports + names


def _trie(what: Dylib, code: int) -> bytes:
    """A trie whose root has an edge for each symbol: what a linker writes has shared stems, which says the same."""
    payloads = {b"_value": _uleb(0) + _uleb(code)}
    payloads |= {name.encode(): _uleb(8) + _uleb(number) + b"\0" for name, number in what.reexports}
    nodes = {name: _uleb(len(said)) + said + b"\0" for name, said in payloads.items()}
    root = b"\0" + bytes((len(nodes),))
    size = len(root) + sum(len(name) + 3 for name in nodes)
    out, at = root, size
    for name, node in nodes.items():
        # Two bytes for every offset, so that the root's size is known before.
        out += name + b"\0" + bytes((at & 0x7F | 0x80, at >> 7))
        at += len(node)
    return out + b"".join(nodes.values())
