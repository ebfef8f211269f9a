"""Broken inputs from sound ones: fields of binaries, lines and words of texts, values of JSON.

A mutation that breaks what a reader looks at first finds nothing behind it. So most of them leave the magic numbers and
the tables as they are and change what stands in them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

Region = tuple[int, int, int]
"""Where a table begins and ends, and how wide its fields are."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A sound input. ``hard`` are the tables that decide how the rest is read, ``soft`` is what they lead to."""

    name: str
    data: bytes
    hard: tuple[Region, ...] = ()
    soft: tuple[Region, ...] = ()


# --- binaries

_EDGES = (0, 1, 2, 3, 4, 7, 8, 16, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 1 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_LARGE = (1 << 32, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 16)


def binary(rng: Random, seed: Seed) -> bytes:
    """Return a seed with some of its fields changed: mostly those that readers are led to."""
    data = bytearray(seed.data)
    style = rng.random()
    if style < 0.62 or not seed.hard:
        for _ in range(rng.choice((1, 1, 2, 3, 5, 9))):
            _field(rng, data, rng.choice(seed.soft or seed.hard))
    elif style < 0.90:
        _field(rng, data, rng.choice(seed.hard))
        for _ in range(rng.choice((0, 0, 1, 3))):
            _field(rng, data, rng.choice(seed.soft or seed.hard))
    elif style < 0.97:
        for _ in range(rng.choice((2, 3, 4, 8))):
            _field(rng, data, rng.choice(seed.hard))
    else:
        _crude(rng, data)
    return bytes(data)


def _field(rng: Random, data: bytearray, region: Region) -> None:
    start, end, width = region
    count = (end - start) // width
    if count <= 0:
        return
    at = start + width * int(rng.random() * count)
    if at + width > len(data):
        return
    old = int.from_bytes(data[at : at + width], "little")
    choice = rng.random()
    if choice < 0.25:
        new = old + rng.choice((1, -1, 2, 4, -4, 8, 16, -16, 0x1000, -0x1000, 24, 40))
    elif choice < 0.40:
        new = old ^ 1 << rng.randrange(8 * width)
    elif choice < 0.60:
        new = rng.choice(_EDGES) if width < 8 or rng.random() < 0.5 else rng.choice(_LARGE)
    elif choice < 0.80:
        other = start + width * int(rng.random() * count)  # what is right for another field of the same kind
        new = int.from_bytes(data[other : other + width], "little")
    elif choice < 0.90:
        new = len(data) + rng.choice((0, -1, 1, -8, -16, 8))
    else:
        new = rng.getrandbits(8 * width)
    data[at : at + width] = (new & (1 << 8 * width) - 1).to_bytes(width, "little")


def _crude(rng: Random, data: bytearray) -> None:
    """Cut off, lengthen, or copy a part over another."""
    kind = rng.randrange(4)
    if kind == 0:
        del data[rng.randrange(1, len(data)) :]
    elif kind == 1:
        data += rng.randbytes(rng.choice((1, 16, 4096)))
    else:
        size = rng.choice((4, 8, 16, 40, 64, 256))
        here, there = rng.randrange(len(data)), rng.randrange(len(data))
        data[here : here + size] = data[there : there + size]


def elf(name: str, data: bytes) -> Seed:
    """A seed of a 64-bit ELF file: its header, program headers, sections, and dynamic entries are the hard tables."""
    segments, sections = struct.unpack_from("<2Q", data, 32)
    count, section_count = struct.unpack_from("<H", data, 56)[0], struct.unpack_from("<H", data, 60)[0]
    hard: list[Region] = [(16, 24, 2), (24, 48, 8), (52, 64, 2), (segments, segments + 56 * count, 8)]
    hard += [(segments + 56 * number, segments + 56 * number + 8, 4) for number in range(count)]
    soft: list[Region] = []
    for number in range(section_count):
        at = sections + 64 * number
        soft.append((at, at + 8, 4))
        kind = struct.unpack_from("<I", data, at + 4)[0]
        offset, size = struct.unpack_from("<2Q", data, at + 24)
        hard.append((at + 8, at + 64, 8))
        if kind == 8 or not size:
            continue
        if kind in (6, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFF6, 5):
            hard.append((offset, offset + size, 8 if kind == 6 else 4))
        else:
            width = {11: 4, 2: 4, 4: 8, 7: 4, 0x6FFFFFFF: 2}.get(kind, 1)
            soft.append((offset, offset + size, width))
    return Seed(name, data, tuple(hard), tuple(soft))


def macho(name: str, data: bytes) -> Seed:
    """A seed of a Mach-O file, of one slice or several: headers and load commands are the hard tables."""
    hard: list[Region] = []
    soft: list[Region] = []
    starts = [0]
    if data[:4] == b"\xca\xfe\xba\xbe":
        count = struct.unpack_from(">I", data, 4)[0]
        hard.append((4, 8 + 20 * count, 4))
        starts = [struct.unpack_from(">I", data, 8 + 20 * number + 8)[0] for number in range(count)]
    for start in starts:
        count, size = struct.unpack_from("<2I", data, start + 16)
        hard.append((start + 4, start + 32, 4))
        at = start + 32
        for _ in range(count):
            kind, length = struct.unpack_from("<2I", data, at)
            hard.append((at, at + 8, 4))
            if kind == 0x19:
                hard.append((at + 24, at + length, 8))
                offset, held = struct.unpack_from("<2Q", data, at + 40)
                fill = len(data[start + offset : start + offset + held].rstrip(b"\0"))
                lead = size + 32 if not offset else 0
                soft += [(start + offset + lead, start + offset + fill, 1)] * (3 if offset else 1)
            else:
                named = kind & 0x7FFFFFFF in {0xC, 0xD, 0xE, 0x18, 0x1F, 0x1C, 0x23}
                (soft if named or kind in {0x1B, 0x32, 0x24} else hard).append((at + 8, at + length, 4))
            at += length
    return Seed(name, data, tuple(hard), tuple(each for each in soft if each[1] > each[0]))


def pe(name: str, data: bytes) -> Seed:
    """A seed of a 64-bit PE file: headers, directories and the table of sections are the hard tables."""
    start = struct.unpack_from("<I", data, 60)[0]
    count, optional = struct.unpack_from("<H", data, start + 6)[0], struct.unpack_from("<H", data, start + 20)[0]
    table = start + 24 + optional
    hard: list[Region] = [(start + 4, start + 24, 2), (start + 24, start + 136, 4), (start + 136, table, 4)]
    soft: list[Region] = []
    directories = [struct.unpack_from("<2I", data, start + 136 + 8 * number) for number in range(16)]
    for number in range(count):
        at = table + 40 * number
        hard.append((at + 8, at + 40, 4))
        soft.append((at, at + 8, 1))
        _, address, size, place = struct.unpack_from("<4I", data, at + 8)
        soft += [(place, place + size, 1)] * 2
        for where, length in directories:
            if length and address <= where < address + size:
                (hard if length < 400 else soft).append((place + where - address, place + where - address + length, 4))
    return Seed(name, data, tuple(hard), tuple(soft))


def archive(name: str, data: bytes) -> Seed:
    """A seed of a ZIP archive: the headers are the hard tables, names and data the soft ones."""
    hard: list[Region] = []
    soft: list[Region] = []
    end = data.rfind(b"PK\5\6")
    hard.append((end + 4, end + 22, 2))
    count, start = struct.unpack_from("<H", data, end + 10)[0], struct.unpack_from("<I", data, end + 16)[0]
    at = start
    for _ in range(count):
        named, extra, comment = struct.unpack_from("<3H", data, at + 28)
        offset = struct.unpack_from("<I", data, at + 42)[0]
        packed = struct.unpack_from("<I", data, at + 20)[0]
        hard += [(at + 8, at + 46, 2), (at + 16, at + 28, 4), (offset + 6, offset + 30, 2)]
        soft += [(at + 4, at + 8, 2), (at + 12, at + 16, 2), (at + 34, at + 42, 2), (offset + 10, offset + 14, 2)]
        soft += [(at + 46, at + 46 + named + extra + comment, 1), (offset + 30, offset + 30 + named + packed, 1)]
        at += 46 + named + extra + comment
    return Seed(name, data, tuple(hard), tuple(soft))


# --- texts

_ODD: tuple[bytes, ...] = (
    *(
        b"",
        b"\0",
        b"\r",
        b"\n\n",
        b"\t",
        b" ",
        b"\\",
        b'"',
        b"'",
        b",",
        b";",
        b":",
        b"=",
        b"==",
        b"|",
        b"#",
        b"%s",
        b"${x}",
    ),
    *(
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xae",
        b"\xc2\x85",
        b"\x1b[2J",
        b"\x7f",
        b"\xf0\x9f\xa6\x80",
    ),
    *(b"..", b"../../x", b"/etc/passwd", b"C:\\x", b"con", b"nul.txt", b".", b"*", b"$ORIGIN", b"~", b"a/./b", b"a//b"),
    *(
        b"0",
        b"-1",
        b"1e999",
        b"nan",
        b"9" * 30,
        b"1.",
        b".1",
        b"1!2.3",
        b"1.0+x",
        b"0x1f",
        b"1_000",
        b"1.0.dev1",
    ),
    *(
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"[[",
        b"{{",
        b"(",
        b")",
        b"<",
        b">=",
        b"~=1",
        b"!=",
        b"@ file:///x",
        b"; extra == 'x'",
    ),
    *(
        b"sha256=",
        b"sha256=x",
        b"md5=aa",
        b"=?utf-8?q?x?=",
        b"A" * 300,
    ),
    *(
        b"<!--",
        b"&#0;",
        b"]]>",
        b"http://[",
        b"pkg:conda/x@1?",
        b"file:///",
        b"https://u:p@h/t/TOKEN/x",
        b"&a",
        b"*a",
        b"!!python/x",
    ),
)


_LONG_ONES = (b"9" * 5000, b"[" * 3000, b"{'a':" * 400, b"(" * 500, b"x" * 70_000, b"a," * 2000, b"((" * 4000)
"""What is long or deep, and costs so much that it comes seldom."""


def _odd(rng: Random) -> bytes:
    return rng.choice(_LONG_ONES if rng.random() < 0.01 else _ODD)


def text(rng: Random, data: bytes, words: Sequence[bytes] = ()) -> bytes:
    """Return a text with lines, words or bytes changed; ``words`` are those that mean something to its reader."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        data = _change(rng, data, words)
    return data


def _change(rng: Random, data: bytes, words: Sequence[bytes]) -> bytes:
    kind = rng.randrange(8)
    if kind < 2:
        lines = data.split(b"\n")
        here, there = rng.randrange(len(lines)), rng.randrange(len(lines))
        choice = rng.randrange(5)
        if choice == 0:
            del lines[here]
        elif choice == 1:
            lines.insert(there, lines[here])
        elif choice == 2:
            lines[here], lines[there] = lines[there], lines[here]
        elif choice == 3:
            lines[here] += lines[there]
        else:
            lines[here:here] = [lines[here]] * rng.choice((2, 10, 100))
        return b"\n".join(lines)
    here = rng.randrange(len(data) + 1)
    if kind < 4:
        length = rng.choice((0, 0, 1, 2, 4, 8, 30))
        return data[:here] + (rng.choice(words) if words else _odd(rng)) + data[here + length :]
    if kind == 4:
        return data[:here] + _odd(rng) + data[here:]
    if kind == 5:
        return data[:here] + bytes((rng.randrange(256),)) + data[here + 1 :]
    length = rng.choice((1, 2, 5, 20, 80))
    if kind == 6:
        return data[:here] + data[here + length :]
    return data[:here] + data[here : here + length] * rng.choice((2, 3, 9, 50)) + data[here + length :]


# --- JSON

_DEEP = 400


def _deep(depth: int, leaf: object) -> object:
    for number in range(depth):
        leaf = {"a": leaf} if number % 2 else [leaf]
    return leaf


class Raw(str):
    """What stands in the text as it is: what `json` would not write."""

    __slots__ = ()


def odd_value(rng: Random) -> object:
    """Return a value of a kind that was not expected."""
    return rng.choice(
        (
            *(
                None,
                True,
                False,
                0,
                -1,
                1 << 63,
                10**40,
                1.5,
                1e308,
                "",
                " ",
                "x",
                "é",
                "\ud800",
                "\0",
                "\x1b[31m",
                "\u202e",
            ),
            *(
                "../../x",
                "/etc/passwd",
                "a" * 3000,
                "1!2",
                "9" * 5000,
                "https://u:p@example.org/t/TOKEN/x",
                "C:\\x",
                "con",
            ),
            *([], {}, [None], [[]], {"": None}, {"a": {"b": []}}, ["x"] * 50, [1, "x", None, {}], {"name": 1}),
            *(
                _deep(_DEEP, 1),
                Raw("NaN"),
                Raw("-Infinity"),
                Raw("1e999"),
                Raw("9" * 5000),
                Raw("[" * 60000),
                Raw("[1,"),
                Raw(""),
            ),
        )
    )


def value(rng: Random, found: object) -> object:
    """Return a JSON value with something in it changed: replaced, left out, doubled, or moved."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        found = _changed(rng, found, 0)
    return found


def _changed(rng: Random, found: object, depth: int) -> object:
    stop = rng.random()
    if isinstance(found, dict) and found and (stop > 0.08 * (depth + 1) or not depth):
        names = list(found)
        name = rng.choice(names)
        choice = rng.random()
        if choice < 0.12:
            return {key: each for key, each in found.items() if key != name}
        if choice < 0.20:
            return {**found, rng.choice(("", "x", "\ud800", "a" * 99, *names)): odd_value(rng)}
        if choice < 0.28:
            return {**found, name: found[rng.choice(names)]}
        return {key: _changed(rng, each, depth + 1) if key == name else each for key, each in found.items()}
    if isinstance(found, list) and found and (stop > 0.08 * (depth + 1) or not depth):
        here = rng.randrange(len(found))
        choice = rng.random()
        if choice < 0.12:
            return found[:here] + found[here + 1 :]
        if choice < 0.24:
            return found + [found[here]] * rng.choice((1, 5, 40))
        return [_changed(rng, each, depth + 1) if number == here else each for number, each in enumerate(found)]
    if isinstance(found, str) and stop < 0.5:
        with suppress(UnicodeError):
            return _change(rng, found.encode("utf-8", "surrogatepass"), ()).decode("utf-8", "surrogateescape")
    return odd_value(rng)


def dumped(found: object) -> bytes:
    """Return a value as JSON, `Raw` parts as they are."""
    raw: list[str] = []

    def marked(each: object) -> object:
        if isinstance(each, Raw):
            raw.append(str(each))
            return f"\x02{len(raw) - 1}\x03"
        if isinstance(each, Mapping):
            return {str(key): marked(below) for key, below in each.items()}
        return [marked(below) for below in each] if isinstance(each, list) else each

    text = json.dumps(marked(found))
    for number, part in enumerate(raw):
        text = text.replace(f'"\\u0002{number}\\u0003"', part)
    return text.encode()


def document(rng: Random, found: object) -> bytes:
    """Return JSON of a changed value; now and then the text itself is changed, cut off or has a key twice."""
    data = dumped(value(rng, found))
    choice = rng.random()
    if choice < 0.06:
        return data[: rng.randrange(len(data) + 1)]
    if choice < 0.12:
        return text(rng, data)
    if choice < 0.15 and data[:1] == b"{" and len(data) > 2:
        return data[:-1] + b"," + data[1:]
    return data


def pick(rng: Random, seeds: Sequence[Seed]) -> Seed:
    """Return one of some seeds, small ones more often."""
    return min(rng.choice(seeds), rng.choice(seeds), key=lambda seed: len(seed.data))


def lines(*parts: str | Iterable[str]) -> bytes:
    """Return a text of lines."""

    def flat() -> Iterator[str]:
        for part in parts:
            yield from [part] if isinstance(part, str) else part

    return ("\n".join(flat()) + "\n").encode()
