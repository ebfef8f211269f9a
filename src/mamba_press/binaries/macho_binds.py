"""Which library each symbol of a Mach-O slice is bound to, and how that changes when libraries leave or become one.

A symbol names its library by number: the place of its load command, from 1. So a command can only leave when every
number behind it is written anew: in the symbol table, the bind opcodes or the imports of chained fixups, and in what
the export trie passes on. All of them keep their size, so nothing moves. A symbol of a library that leaves becomes
one that is looked for in every loaded image, as ``-undefined dynamic_lookup`` makes them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal, NamedTuple

from mamba_press.binaries import macho
from mamba_press.binaries.format import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mamba_press.binaries.format import Data
    from mamba_press.binaries.macho import Image, Part

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
    """A pointer that dyld fills with a symbol's address, or in a table of imports the symbol alone."""

    segment: int
    offset: int
    name: str
    ordinal: int
    addend: int
    flags: int


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
            _, end = macho.uleb(image.slice(*exports), export.at)
            yield Reference("export", exports.offset + export.at, end - export.at, export.value, export.name)


def renumber(draft: bytearray, image: Image, ordinals: Mapping[int, int]) -> None:
    """Write new numbers of libraries into a copy of the slice; raises Malformed where one cannot be said."""
    for found in references(image):
        new = ordinals.get(found.ordinal, found.ordinal)
        if new != found.ordinal:
            draft[found.at : found.at + found.size] = _encoded(found, new)


def binds(image: Image) -> Iterator[Bind]:
    """What is bound by opcodes or, without its places, by chained fixups."""
    for what in ("the binds", "the weak binds", "the lazy binds"):
        part = image.dyld_info().get(what)
        if part is not None and part.size:
            yield from (each for each in _opcodes(image, part) if isinstance(each, Bind))
    for part in image.parts((macho.LC_DYLD_CHAINED_FIXUPS,)):
        if part.size:
            yield from (Bind(0, 0, found.name, found.ordinal, 0, 0) for found in _in_imports(image, part))


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
        yield Reference("symbol", place, 1, signed, macho.string(strings, at))


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
            yield Reference("import64", part.offset + at, 2, signed, macho.string(strings, name))
        else:
            (word,) = struct.unpack_from("<I", content, at)
            ordinal = word & 0xFF
            signed = ordinal - 0x100 if ordinal > 0xF0 else ordinal
            yield Reference("import", part.offset + at, 1, signed, macho.string(strings, word >> 9))


class _Machine:
    """The state of the machine that bind opcodes drive."""

    __slots__ = ("addend", "flags", "name", "offset", "ordinal", "segment")

    def __init__(self) -> None:
        self.segment = self.offset = self.ordinal = self.addend = self.flags = 0
        self.name = ""

    def bind(self, step: int) -> Bind:
        """Bind here and go on to the next pointer and ``step`` bytes further."""
        made = Bind(self.segment, self.offset, self.name, self.ordinal, self.addend, self.flags)
        self.offset = self.offset + 8 + step & 0xFFFFFFFFFFFFFFFF
        return made


def _opcodes(image: Image, part: Part) -> Iterator[Reference | Bind]:
    """What a stream of bind opcodes does; zeros separate the lazy ones and pad the others."""
    content = image.slice(*part)
    state = _Machine()
    at = 0
    while at < len(content):
        start, opcode, low = at, content[at] & 0xF0, content[at] & 0x0F
        at += 1
        if opcode in (_ORDINAL_IMM, _ORDINAL_ULEB):
            state.ordinal, at = (low, at) if opcode == _ORDINAL_IMM else macho.uleb(content, at)
            yield Reference("opcode", part.offset + start, at - start, state.ordinal, "")
        elif opcode >= _BIND:
            made, at = _bound(state, content, at)
            yield from made
        else:
            at = _set(state, content, at)


def _set(state: _Machine, content: bytes, at: int) -> int:
    """Do what the opcode before ``at`` says of those that bind nothing."""
    opcode, low = content[at - 1] & 0xF0, content[at - 1] & 0x0F
    if opcode == _ORDINAL_SPECIAL:
        state.ordinal = low - 0x10 if low else _SELF
    elif opcode == _SYMBOL:
        end = content.find(b"\0", at)
        if end < 0:
            raise Malformed("a bound symbol's name has no end")
        state.name, state.flags = content[at:end].decode("utf-8", "surrogateescape"), low
        at = end + 1
    elif opcode == _ADDEND:
        state.addend, at = macho.uleb(content, at)
    elif opcode == _SEGMENT:
        state.segment = low
        state.offset, at = macho.uleb(content, at)
    elif opcode == _ADD:
        step, at = macho.uleb(content, at)
        state.offset = state.offset + step & 0xFFFFFFFFFFFFFFFF
    return at


_MOST_BINDS = 1 << 20


def _bound(state: _Machine, content: bytes, at: int) -> tuple[list[Bind], int]:
    """Do what the opcode before ``at`` binds."""
    opcode, low = content[at - 1] & 0xF0, content[at - 1] & 0x0F
    count, step = 1, 0
    if opcode == _BIND_ADD:
        step, at = macho.uleb(content, at)
    elif opcode == _BIND_SCALED:
        step = low * 8
    elif opcode == _BIND_TIMES:
        count, at = macho.uleb(content, at)
        step, at = macho.uleb(content, at)
    elif opcode != _BIND:
        raise Malformed(f"the bind opcode {opcode:#x} is not one of this machine")
    if count > _MOST_BINDS:
        raise Malformed(f"{count} binds at once")
    return [state.bind(step) for _ in range(count)], at
