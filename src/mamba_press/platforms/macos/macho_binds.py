"""Which library each symbol of a Mach-O slice is bound to, and how that changes when libraries leave or become one.

A symbol names its library by number: the place of its load command, from 1. So a command can only leave when every
number behind it is written anew: in the symbol table, the bind opcodes or the imports of chained fixups, and in what
the export trie passes on. All of them keep their size, so nothing moves. A symbol of a library that leaves becomes
one that is looked for in every loaded image, as ``-undefined dynamic_lookup`` makes them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from mamba_press.platforms.binary_format import RECORD, Data, Malformed
from mamba_press.platforms.macos import macho, macho_tables

if TYPE_CHECKING:
    from mamba_press.platforms.macos.macho import Image, Part

FLAT = -2
"""The ordinal of a symbol that any loaded image may define."""

_SELF = 0
_FLAT_IN_SYMBOLS, _FLAT_OPCODE = 0xFE, 0x3E
_LAST_ORDINAL = 0xFD

_DONE, _ORDINAL_IMM, _ORDINAL_ULEB, _ORDINAL_SPECIAL, _SYMBOL, _TYPE, _ADDEND, _SEGMENT = range(0x00, 0x80, 0x10)
_ADD, _BIND, _BIND_ADD, _BIND_SCALED, _BIND_TIMES, _THREADED = range(0x80, 0xE0, 0x10)

_HEADER = struct.Struct("<7I")
_IMPORT, _IMPORT_ADDEND, _IMPORT_ADDEND_64 = 1, 2, 3
_IMPORT_SIZES = {_IMPORT: 4, _IMPORT_ADDEND: 8, _IMPORT_ADDEND_64: 16}


class Reference(NamedTuple):
    """A place of the slice that has a library's number, and whose symbol it is for, where that is known there."""

    kind: Literal["symbol", "opcode", "import", "import64", "export"]
    at: int
    size: int
    ordinal: int
    name: str


class Bind(NamedTuple):
    """A symbol whose address dyld writes somewhere, and the number of its library."""

    name: str
    ordinal: int


def references(image: Image) -> Iterator[Reference]:
    """Every place that has the number of a library; none in a file with a flat namespace."""
    if not image.flags & macho.MH_TWOLEVEL:
        return
    yield from _in_symbols(image)
    for what in ("the binds", "the lazy binds"):
        part = image.dyld_info().get(what)
        if part is not None and part.size:
            yield from (each for each in _opcodes(image, part) if isinstance(each, Reference))
    for part in image.parts((macho.LC_DYLD_CHAINED_FIXUPS,)):
        if part.size:
            yield from _in_imports(image, part)
    exports = image.exports_part()
    for export in image.exports():
        if export.is_reexport and exports is not None:
            _, end = macho_tables.uleb(image.slice(*exports), export.at)
            yield Reference("export", exports.offset + export.at, end - export.at, export.value, export.name)


def renumber(draft: bytearray, image: Image, ordinals: Mapping[int, int]) -> None:
    """Write new numbers of libraries into a copy of the slice; raises Malformed where one cannot be said."""
    for found in references(image):
        new = ordinals.get(found.ordinal, found.ordinal)
        if new != found.ordinal:
            draft[found.at : found.at + found.size] = _encoded(found, new)


def binds(image: Image) -> Iterator[Bind]:
    """What is bound by opcodes or by chained fixups; each as often as an opcode says so, whatever that repeats."""
    for what in ("the binds", "the weak binds", "the lazy binds"):
        part = image.dyld_info().get(what)
        if part is not None and part.size:
            yield from (each for each in _opcodes(image, part) if isinstance(each, Bind))
    for part in image.parts((macho.LC_DYLD_CHAINED_FIXUPS,)):
        if part.size:
            yield from (Bind(found.name, found.ordinal) for found in _in_imports(image, part))


def libraries(image: Image) -> tuple[tuple[str, str], ...]:
    """Each symbol that is taken from elsewhere with its library, in the order of the tables that say so."""
    found = [(each.name, each.ordinal) for each in references(image) if each.kind in ("symbol", "export")]
    found += [(bind.name, bind.ordinal) for bind in binds(image)] if image.flags & macho.MH_TWOLEVEL else []
    return tuple((name, library(image, ordinal)) for name, ordinal in found)


def taken(data: Data, name: str) -> frozenset[str]:
    """The symbols that any slice of a file takes from a library; raises Malformed."""
    return frozenset(symbol for image in macho.images(data) for symbol, found in libraries(image) if found == name)


def library(image: Image, ordinal: int) -> str:
    """The name of the library with a number, or what the special numbers mean."""
    if ordinal <= 0:
        return str(ordinal)
    if ordinal > len(image.needed):
        raise Malformed(f"a symbol is bound to library {ordinal} of {len(image.needed)}")
    return image.needed[ordinal - 1]


def _encoded(found: Reference, new: int) -> bytes:
    if found.kind == "export":
        if new == FLAT:
            raise Malformed(f"{found.name} is passed on from a library that is to be removed")
        return _uleb(new, found.size)
    if new == FLAT:
        return {
            "symbol": bytes((_FLAT_IN_SYMBOLS,)),
            "opcode": bytes((_FLAT_OPCODE,)) * found.size,
            "import": bytes((FLAT & 0xFF,)),
            "import64": (FLAT & 0xFFFF).to_bytes(2, "little"),
        }[found.kind]
    if found.kind == "opcode" and found.size > 1:
        return bytes((_ORDINAL_ULEB,)) + _uleb(new, found.size - 1)
    if found.kind == "opcode":
        return bytes((_ORDINAL_IMM | new,))
    return new.to_bytes(found.size, "little")


def _uleb(value: int, size: int) -> bytes:
    """A number of variable length in so many bytes; a smaller number is padded, which every reader takes."""
    digits = [value >> 7 * number & 0x7F for number in range(size)]
    return bytes(digit | 0x80 for digit in digits[:-1]) + bytes(digits[-1:])


def _in_symbols(image: Image) -> Iterator[Reference]:
    tables = image.symbol_table()
    if tables is None:
        return
    strings = image.slice(*tables[1])
    records = macho.NLIST.iter_unpack(image.slice(*tables[0]))
    for number, (at, kind, _, description, value) in enumerate(records):
        # A common symbol is undefined too, and has its size as value and no library.
        if kind & (macho.N_STAB | macho.N_TYPE) or not kind & macho.N_EXT or value:
            continue
        ordinal = description >> 8
        signed = ordinal - 0x100 if ordinal > _LAST_ORDINAL else ordinal
        place = tables[0].offset + number * macho.NLIST.size + 7
        yield Reference("symbol", place, 1, signed, image.string(strings, at))


def _in_imports(image: Image, part: Part) -> Iterator[Reference]:
    """The imports of chained fixups."""
    content = image.slice(*part)
    if len(content) < _HEADER.size:
        raise Malformed("the chained fixups end inside their header")
    _, _, imports, strings_at, count, kind, compressed = _HEADER.unpack_from(content)
    size = _IMPORT_SIZES.get(kind)
    if size is None or compressed or imports + count * size > len(content) or strings_at > len(content):
        raise Malformed("the imports of the chained fixups cannot be read")
    strings = content[strings_at:]
    for number in range(count):
        at = imports + number * size
        if kind == _IMPORT_ADDEND_64:
            (word,) = struct.unpack_from("<Q", content, at)
            ordinal, name = word & 0xFFFF, word >> 32
            signed = ordinal - 0x10000 if ordinal > 0xFFF0 else ordinal
            yield Reference("import64", part.offset + at, 2, signed, image.string(strings, name))
        else:
            (word,) = struct.unpack_from("<I", content, at)
            ordinal = word & 0xFF
            signed = ordinal - 0x100 if ordinal > 0xF0 else ordinal
            yield Reference("import", part.offset + at, 1, signed, image.string(strings, word >> 9))


def _opcodes(image: Image, part: Part) -> Iterator[Reference | Bind]:
    """What a stream of bind opcodes does; zeros separate the lazy ones and pad the others."""
    content = image.slice(*part)
    ordinal, name = _SELF, ""
    at = 0
    while at < len(content):
        start, opcode, low = at, content[at] & 0xF0, content[at] & 0x0F
        at += 1
        if opcode in (_ORDINAL_IMM, _ORDINAL_ULEB):
            ordinal, at = (low, at) if opcode == _ORDINAL_IMM else macho_tables.uleb(content, at)
            yield Reference("opcode", part.offset + start, at - start, ordinal, "")
        elif opcode == _ORDINAL_SPECIAL:
            ordinal = low - 0x10 if low else _SELF
        elif opcode == _SYMBOL:
            end = content.find(b"\0", at)
            if end < 0:
                raise Malformed("a bound symbol's name has no end")
            name, at = content[at:end].decode("utf-8", "surrogateescape"), end + 1
        else:
            for _ in range(_numbers(opcode)):
                _, at = macho_tables.uleb(content, at)
            if opcode >= _BIND:
                image.left.take(RECORD)
                yield Bind(name, ordinal)


def _numbers(opcode: int) -> int:
    """How many numbers of variable length follow an opcode that names neither a library nor a symbol."""
    if opcode > _BIND_TIMES:
        raise Malformed(f"the bind opcode {opcode:#x} is not one of this machine")
    return {_ADDEND: 1, _SEGMENT: 1, _ADD: 1, _BIND_ADD: 1, _BIND_TIMES: 2}.get(opcode, 0)
