"""Rename what PE images import, as a pure function on bytes.

A name is written over the old one where it fits. Longer ones go together into a *block*: into the unused rest of a
section of constants, else into one added section. The block is recognised by the next edit and made anew, so that
edits on edits do not add up. Everything else keeps its bytes and its address.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mamba_press.platforms.binary_format import Data, Malformed, encoded
from mamba_press.platforms.windows import pe, pe_reader
from mamba_press.platforms.windows.pe_check import checksum, is_checksum, layout_problems
from mamba_press.platforms.windows.pe_layout import Block, fill, own_block, sections_end, set_directory

if TYPE_CHECKING:
    from mamba_press.platforms.windows.pe import Image
    from mamba_press.types import Edits


_FORCE_INTEGRITY = 0x80


class _Change(NamedTuple):
    """A name that gets another text; what is not renamed but lies in the block is one, too."""

    pointer: int
    old: str
    new: str
    address: int


def apply(data: Data, edits: Edits) -> bytes:
    """The image with the edits made, read back and compared; raises Malformed where that cannot be.

    With any change the certificates leave, which vouch for the bytes as they were, and so do stale bindings and
    restrictions of where imports are looked for. A checksum is mended where there was one: 0 means that nobody asks.
    """
    data = bytes(data)
    image = pe.Image(data)
    if not image.is_edited:
        raise Malformed("only 64-bit PE images for x86-64 and ARM64 are edited")
    renames = _renames(edits)
    changes = _changes(image, renames, edits.name)
    if all(change.old == change.new for change in changes) and not (edits.search == () and image.load_flags):
        return data
    broken = next((problem for problem in layout_problems(data) if not is_checksum(problem)), None)
    if broken:
        raise Malformed(f"a broken image is not edited: {broken}")
    work = bytearray(data)
    _clear(work, image)
    _drop_certificates(work)
    _rename(work, [change for change in changes if change.old != change.new])
    at = image.optional + 64
    if image.number(at):
        struct.pack_into("<I", work, at, checksum(work, at))
    edited = bytes(work)
    _compare(data, edited, renames, edits)
    return edited


def _renames(edits: Edits) -> dict[str, str]:
    """Return the new names by the old ones in lower case; raises Malformed for what PE has no way to say."""
    if edits.search:
        raise Malformed("a PE image has no search path")
    removed = [old for old, new in edits.needed if new is None]
    if removed:
        raise Malformed(f"what is imported from {removed[0]} cannot be left out")
    renames = {old.lower(): new for old, new in edits.needed if new is not None}
    for name in (*renames.values(), *([edits.name] if edits.name is not None else [])):
        if not name or "\0" in name or "/" in name or "\\" in name:
            raise Malformed(f"{name!r} cannot be a library's name")
    return renames


def _changes(image: Image, renames: Mapping[str, str], name: str | None) -> list[_Change]:
    """Return every name of the image with the text that it shall have."""
    found = [(each, renames.get(each.text.lower(), each.text)) for each in image.needed]
    found += [(each, _forwarder(each.text, renames)) for each in image.forwarders]
    if image.name is not None:
        found.append((image.name, name or image.name.text))
    elif name is not None:
        raise Malformed("the image exports nothing and so has no name to be changed")
    return [_Change(each.pointer, each.text, new, image.number(each.pointer)) for each, new in found]


def _forwarder(text: str, renames: Mapping[str, str]) -> str:
    library, symbol = pe.forwarded(text)
    new = renames.get(library.lower())
    if new is None:
        return text
    stem = text[: -len(symbol) - 1]
    return f"{new if stem.lower().endswith('.dll') else new.removesuffix('.dll')}.{symbol}"


def _clear(work: bytearray, image: Image) -> None:
    """Clear what would not hold any more: bindings, the demand for a signature, where imports are looked for."""
    if image.load_flags_at is not None:
        work[image.load_flags_at : image.load_flags_at + 2] = bytes(2)
    flags = image.number(image.optional + 70, 2)
    work[image.optional + 70 : image.optional + 72] = struct.pack("<H", flags & ~_FORCE_INTEGRITY)
    if image.directories[pe.BOUND_IMPORTS] == (0, 0):
        return
    set_directory(work, image, pe.BOUND_IMPORTS, 0, 0)
    for at, fields in image.imports():
        if fields[1] and not fields[0]:
            raise Malformed("the imports are bound, and nothing says to what")
        work[at + 4 : at + 12] = bytes(8)
    for at, _ in image.delayed():
        work[at + 28 : at + 32] = bytes(4)


def _drop_certificates(work: bytearray) -> None:
    """Take the certificates out of the directory, and out of the file where nothing stands behind them."""
    image = pe.Image(work)
    offset, size = image.directories[pe.SECURITY]
    if not offset and not size:
        return
    set_directory(work, image, pe.SECURITY, 0, 0)
    if offset >= sections_end(image) and offset + size >= len(work) - 8:
        del work[offset:]


def _rename(work: bytearray, changed: Sequence[_Change]) -> None:
    """Write the new texts: in place, or with all that is in the block already into a new block."""
    image = pe.Image(work)
    block = own_block(image)
    places = sorted(image.number(each.pointer) for each in image.names)
    homeless = {
        change.pointer: change.new for change in changed if not _fits(change, image.headers_size, block, places)
    }
    for change in changed:
        if change.pointer not in homeless:
            size = len(encoded(change.old))
            at = image.offset(change.address, size)
            work[at : at + size] = encoded(change.new).ljust(size, b"\0")
    if homeless:
        fill(work, homeless)


def _fits(change: _Change, headers: int, block: Block | None, places: Sequence[int]) -> bool:
    """Whether the new text may be written over the old one: it is not longer, and nothing else means the same bytes.

    ``places`` are the addresses of all names, sorted. Bytes of the ``headers`` mean something else, too.
    """
    if change.address < headers or (block is not None and block.holds(change.address)):
        return False
    room = len(encoded(change.old))
    meant = bisect_right(places, change.address + room) - bisect_left(places, change.address)
    return len(encoded(change.new)) <= room and meant == 1


def _compare(before: bytes, after: bytes, renames: Mapping[str, str], edits: Edits) -> None:
    """Raise Malformed unless the result says what was asked, and all else as before."""
    old, new = pe.Image(before), pe.Image(after)
    wanted: dict[str, None] = {}
    for name in pe_reader.needed(old):
        wanted.setdefault(renames.get(name.lower(), name).lower(), None)
    if [name.lower() for name in pe_reader.needed(new)] != list(wanted):
        raise Malformed(f"after the edit the image needs {pe_reader.needed(new)}, not {tuple(wanted)}")
    if edits.name is not None and (new.name is None or new.name.text != edits.name):
        raise Malformed(f"after the edit the image's name is not {edits.name}")
    if new.load_flags:
        raise Malformed("after the edit the image still says where its imports are looked for")
    if pe_reader.symbols(before) != pe_reader.symbols(after):
        raise Malformed("after the edit the image has other symbols")
    worse = [problem for problem in layout_problems(after) if problem not in layout_problems(before)]
    if worse:
        raise Malformed(f"after the edit: {worse[0]}")
