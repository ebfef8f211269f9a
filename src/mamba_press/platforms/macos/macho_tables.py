"""Tables inside Mach-O files: the trie of exported names, and the index by which exceptions are caught."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from mamba_press.platforms.binary_format import RECORD, Allowance, Malformed, encoded

_FLAT_OR_REEXPORT = 0x08


class Export(NamedTuple):
    """A symbol of the export trie; ``at`` is where, in the trie, its address or library ordinal begins."""

    name: str
    flags: int
    value: int
    at: int

    @property
    def is_reexport(self) -> bool:
        """Whether it comes from another library, whose ordinal is then ``value``."""
        return bool(self.flags & _FLAT_OR_REEXPORT)


def uleb(data: Sequence[int], at: int) -> tuple[int, int]:
    """A number of variable length (ULEB128) and the offset behind it."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("a number of variable length has no end")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def walk(trie: bytes, left: Allowance) -> Iterator[Export]:
    """Every symbol of an export trie; raises Malformed where it is none, or its names are longer than allowed."""
    seen: set[int] = set()
    todo = [(0, b"")]
    while todo:
        at, prefix = todo.pop()
        if at in seen or at >= len(trie):
            raise Malformed("the export trie leads in a circle or out of itself")
        seen.add(at)
        size, at = uleb(trie, at)
        children = at + size
        if size:
            flags, place = uleb(trie, at)
            value, _ = uleb(trie, place)
            yield Export(prefix.decode("utf-8", "surrogateescape"), flags, value, place)
        if children >= len(trie):
            raise Malformed("a node of the export trie ends behind it")
        count, at = trie[children], children + 1
        for _ in range(count):
            end = trie.find(b"\0", at)
            if end < 0:
                raise Malformed("an edge of the export trie has no end")
            child, after = uleb(trie, end + 1)
            left.take(len(prefix) + end - at + RECORD)
            todo.append((child, prefix + trie[at:end]))
            at = after


_REGULAR, _COMPRESSED = 2, 3


def unwind_distances(content: bytes) -> Iterator[int]:
    """Where the unwind information has distances from the header (``mach-o/compact_unwind_encoding.h``)."""
    version, _, _, personalities, persons, index, count = unpack("<7I", content, 0)
    if version != 1 or not count:
        raise Malformed(f"unwind information of version {version} cannot be moved")
    unpack(f"<{persons}I", content, personalities)
    yield from range(personalities, personalities + 4 * persons, 4)
    tables = []
    for number in range(count):
        at = index + 12 * number
        _, page, lsda = unpack("<3I", content, at)
        tables.append(lsda)
        yield at
        if page:
            yield from _unwind_page(content, page)
    first, last = tables[0], tables[-1]
    if last < first or (last - first) % 8:
        raise Malformed("the unwind information's table of language data is broken")
    unpack(f"<{(last - first) // 4}I", content, first)
    yield from range(first, last, 4)


def _unwind_page(content: bytes, page: int) -> Iterator[int]:
    kind, start, count = unpack("<I2H", content, page)
    if kind == _REGULAR:
        unpack(f"<{2 * count}I", content, page + start)
        yield from range(page + start, page + start + 8 * count, 8)
    elif kind != _COMPRESSED:
        # Compressed pages count from their index entry.
        raise Malformed(f"a page of unwind information is of kind {kind}")


def unpack(kind: str, content: bytes, at: int, early: str = "the unwind information ends early") -> tuple[int, ...]:
    """The numbers at an offset; raises Malformed where the content ends before."""
    if at < 0 or at + struct.calcsize(kind) > len(content):
        raise Malformed(early)
    return struct.unpack_from(kind, content, at)


_KIND, _ABSOLUTE, _STUB = 0x03, 0x02, 0x10


def payload(trie: bytes, export: Export, moved: Callable[[int], int]) -> bytes:
    """What the export trie says of a symbol, with moved addresses."""
    if export.is_reexport:
        _, at = uleb(trie, export.at)
        end = trie.find(b"\0", at)
        if end < 0:
            raise Malformed("the name of an export that is passed on has no end")
        return uleb_bytes(export.flags) + uleb_bytes(export.value) + trie[at : end + 1]
    if export.flags & _KIND == _ABSOLUTE:
        return uleb_bytes(export.flags) + uleb_bytes(export.value)
    said = uleb_bytes(export.flags) + uleb_bytes(moved(export.value))
    if export.flags & _STUB:
        _, at = uleb(trie, export.at)
        resolver, _ = uleb(trie, at)
        said += uleb_bytes(moved(resolver))
    return said


def uleb_bytes(value: int) -> bytes:
    """A number of variable length (ULEB128), as short as can be."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*digits, value))


class _Node:
    """A node of a trie that is being built."""

    __slots__ = ("edges", "offset", "payload")

    def __init__(self) -> None:
        self.edges: list[tuple[bytes, _Node]] = []
        self.payload = b""
        self.offset = 0

    def content(self) -> bytes:
        """The node as it is written, with the offsets that its children have by now."""
        said = uleb_bytes(len(self.payload)) + self.payload + bytes((len(self.edges),))
        return said + b"".join(text + b"\0" + uleb_bytes(node.offset) for text, node in self.edges)


def build_trie(symbols: Iterable[tuple[str, bytes]]) -> bytes:
    """An export trie of names and what is said of them."""
    named = sorted((encoded(name), said) for name, said in symbols)
    nodes: list[_Node] = []
    root = _Node()
    todo = [(root, 0, len(named), 0)]
    while todo:
        node, start, end, depth = todo.pop()
        nodes.append(node)
        if start < end and len(named[start][0]) == depth:
            node.payload = named[start][1]
            start += 1
            if start < end and len(named[start][0]) == depth:
                raise Malformed("the export trie has a symbol twice")
        children = []
        while start < end:
            group = start
            while group < end and named[group][0][depth] == named[start][0][depth]:
                group += 1
            edge = _common(named[start][0], named[group - 1][0], depth)
            child = _Node()
            node.edges.append((named[start][0][depth:edge], child))
            children.append((child, start, group, edge))
            start = group
        todo += reversed(children)
    # Offsets only grow, and with them the bytes that say them: after a few rounds nothing changes.
    while True:
        at = 0
        is_settled = True
        for node in nodes:
            is_settled &= node.offset == at
            node.offset = at
            at += len(node.content())
        if is_settled:
            return b"".join(node.content() for node in nodes)


def _common(one: bytes, other: bytes, depth: int) -> int:
    """How far two names agree."""
    end = min(len(one), len(other))
    while depth < end and one[depth] == other[depth]:
        depth += 1
    return depth
