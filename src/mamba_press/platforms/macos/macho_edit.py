"""Edits Mach-O files: a pure function on bytes that writes new load commands where the old ones stood.

Linkers leave room behind the load commands; where it is enough, not a byte changes outside of them, and the signature
is made anew. Where it is not, the content moves first. The slices of a universal file are edited one by one;
those of machines that are not known stay as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mamba_press.platforms.binary_format import Data, Malformed, aligned, encoded, refuse_other
from mamba_press.platforms.macos import codesign, macho, macho_binds, macho_check, macho_layout, macho_reader

if TYPE_CHECKING:
    from mamba_press.platforms.macos.macho import Image, Slice
    from mamba_press.types import Binary, Edits

_REWRITTEN = (*macho.LOADS, macho.LC_ID_DYLIB, macho.LC_RPATH)
_SIGNED_FROM_MACOS_11 = "arm64"
"""Without a sound signature the kernel kills what runs such code."""
_STRENGTH = (macho.LC_REEXPORT_DYLIB, macho.LC_LOAD_DYLIB, macho.LC_LOAD_UPWARD_DYLIB, macho.LC_LAZY_LOAD_DYLIB)
"""Of two commands for one library the one that asks for more stays, a weak one last."""
_VERIFIED = ("name", "needed", "weak", "search", "interpreter", "kind", "arch", "floor")


class _Commands(NamedTuple):
    """The new load commands, and what becomes of the libraries' numbers."""

    content: bytes
    number: int
    ordinals: Mapping[int, int]


def apply(data: Data, edits: Edits) -> bytes:
    """The file with the edits made; the same bytes where nothing is to change; raises Malformed.

    ``edits.sign`` sees to it that every slice that had a signature, and every one for arm64, has a sound one.
    """
    data = bytes(data)
    parts = macho.slices(data)
    if not any(part.arch for part in parts):
        raise Malformed("not a 64-bit Mach-O file of a machine that can be edited")
    old = [data[part.offset : part.offset + part.size] for part in parts]
    new = [_slice(content, edits) if part.arch else content for part, content in zip(parts, old, strict=True)]
    if new == old:
        return data
    result = _joined(data, parts, new)
    for part, content in zip(macho.slices(result), new, strict=True):
        if result[part.offset : part.offset + part.size] != content:
            raise Malformed("after the edit, a slice is not where the universal header says")
    return result


def expected(before: Binary, edits: Edits) -> Binary:
    """The facts that a slice has after the edits."""
    names = dict(edits.needed)
    new = {old: names.get(old, old) for old in before.needed}
    strong = {new[old] for old in before.needed if old not in before.weak}
    needed = tuple(dict.fromkeys(name for name in new.values() if name is not None))
    return replace(
        before,
        name=before.name if edits.name is None else edits.name,
        needed=needed,
        weak=tuple(name for name in needed if name not in strong),
        search=before.search if edits.search is None else tuple(dict.fromkeys(edits.search)),
    )


def _slice(content: bytes, edits: Edits) -> bytes:
    """One slice, edited and signed."""
    image = macho.images(content)[0]
    before = macho_reader.facts(image)
    wanted = expected(before, edits)
    result = content
    if wanted != before or _lacks_signature(image, edits):
        if before.kind == "static":
            raise Malformed("an object file has no names or search path to edit")
        if wanted.name and before.name is None:
            raise Malformed("a file that is no library has no install name to change")
        result = _edited(image, edits)
    after = macho.images(result)[0]
    if _needs_signature(after, edits, is_edited=result is not content):
        result = codesign.sign(result)
    if result is not content:
        _verify(image, macho.images(result)[0], wanted)
        _verify_binds(image, macho.images(result)[0], dict(edits.needed))
    return result


def _lacks_signature(image: Image, edits: Edits) -> bool:
    """Whether a signature has to be added: Intel's Macs load code that has none."""
    is_asked = edits.sign and image.arch == _SIGNED_FROM_MACOS_11
    return is_asked and image.signature is None and macho_reader.facts(image).kind != "static"


def _needs_signature(image: Image, edits: Edits, *, is_edited: bool) -> bool:
    if image.signature is None:
        return _lacks_signature(image, edits)
    # What was signed and is no longer sound is killed where it is loaded.
    return is_edited or (edits.sign and not codesign.is_sound(image))


def _edited(image: Image, edits: Edits) -> bytes:
    """The slice with new load commands, not yet signed."""
    commands = _commands(image, edits)
    spare = codesign.COMMAND_SIZE if _lacks_signature(image, edits) else 0
    end = macho.HEADER_SIZE + len(commands.content) + spare
    room = macho.room(image)
    if room.available < room.used:
        raise Malformed("the load commands reach into what a section has")
    if end > room.available:
        widened = macho.images(macho_layout.widen(image, end - image.commands_end))[0]
        if end > macho.room(widened).available:
            raise Malformed("the load commands have no room, and none could be made")
        return _edited(widened, edits)
    draft = bytearray(image.slice(0, image.size, "the slice"))
    draft[macho.HEADER_SIZE : image.commands_end] = bytes(image.commands_size)
    draft[macho.HEADER_SIZE : macho.HEADER_SIZE + len(commands.content)] = commands.content
    struct.pack_into("<2I", draft, 16, commands.number, len(commands.content))
    macho_binds.renumber(draft, image, commands.ordinals)
    return bytes(draft)


def _commands(image: Image, edits: Edits) -> _Commands:
    """The load commands after the edits, in the order of the old ones."""
    names = dict(edits.needed)
    merged, ordinals = _merged(image, names)
    search = list(dict.fromkeys(edits.search or ()))
    content: list[bytes] = []
    place = None
    number = 0
    for command in image.commands:
        if command.type in macho.LOADS:
            number += 1
            if number in merged:
                content.append(merged[number])
        elif command.type == macho.LC_ID_DYLIB and edits.name is not None:
            content.append(_named(image.content(command), edits.name))
        elif command.type == macho.LC_RPATH and edits.search is not None:
            place = len(content) if place is None else place
        else:
            content.append(image.content(command))
    if search:
        at = _place_for_search(content) if place is None else place
        content[at:at] = [_named(struct.pack("<3I", macho.LC_RPATH, 0, 12), path) for path in search]
    return _Commands(b"".join(content), len(content), ordinals)


def _place_for_search(content: Sequence[bytes]) -> int:
    """Behind the libraries, where linkers put search paths."""
    kinds = [int.from_bytes(each[:4], "little") for each in content]
    lasts = [number + 1 for number, kind in enumerate(kinds) if kind in (*macho.LOADS, macho.LC_ID_DYLIB)]
    return max(lasts, default=len(content))


def _merged(image: Image, names: Mapping[str, str | None]) -> tuple[dict[int, bytes], dict[int, int]]:
    """The commands of the libraries that stay, by their old numbers, and what becomes of each old number."""
    firsts: dict[str, tuple[int, int]] = {}
    stays: dict[int, bytes] = {}
    ordinals: dict[int, int] = {}
    for number, command in enumerate(image.of(*macho.LOADS), 1):
        old = image.text(command)
        new = names.get(old, old)
        if new is None:
            ordinals[number] = macho_binds.FLAT
            continue
        content = image.content(command) if new == old else _named(image.content(command), new)
        first, place = firsts.setdefault(new, (number, len(firsts) + 1))
        if first == number or _strength(content) < _strength(stays[first]):
            stays[first] = content
        ordinals[number] = place
    return stays, ordinals


def _strength(content: bytes) -> int:
    kind = int.from_bytes(content[:4], "little")
    return _STRENGTH.index(kind) if kind in _STRENGTH else len(_STRENGTH)


def _named(content: bytes, name: str) -> bytes:
    """A load command with another name or path; what stands before it stays."""
    start = int.from_bytes(content[8:12], "little")
    new = content[:start] + encoded(name) + b"\0"
    size = aligned(len(new), 8)
    return new[:4] + size.to_bytes(4, "little") + new[8:].ljust(size - 8, b"\0")


# --- universal files


def _joined(data: bytes, parts: Sequence[Slice], new: Sequence[bytes]) -> bytes:
    """The file of these slices; each stays where it is unless one before it has outgrown its place."""
    if len(parts) == 1 and int.from_bytes(data[:4], "big") not in (macho.FAT_MAGIC, macho.FAT_MAGIC_64):
        return new[0]
    is_wide = int.from_bytes(data[:4], "big") == macho.FAT_MAGIC_64
    form, record = (">2Q", 32) if is_wide else (">2I", 20)
    places: dict[int, int] = {}
    end = 0
    for number in sorted(range(len(parts)), key=lambda number: parts[number].offset):
        align = 1 << parts[number].align
        places[number] = max(parts[number].offset, -(-end // align) * align)
        end = places[number] + len(new[number])
    if end >= 1 << 32 and not is_wide:
        raise Malformed("the universal file would be larger than 4 GiB")
    draft = bytearray(data[: min(part.offset for part in parts)])
    for number, content in enumerate(new):
        struct.pack_into(form, draft, 8 + record * number + 8, places[number], len(content))
    for number in sorted(places, key=places.__getitem__):
        draft += bytes(places[number] - len(draft)) + new[number]
    return bytes(draft)


# --- reading back


def _verify(before: Image, after: Image, wanted: Binary) -> None:
    """Raise Malformed where an edited slice does not read as it should, or something else changed in it."""
    refuse_other(macho_reader.facts(after), wanted, _VERIFIED)
    by = _header_segment(after) - _header_segment(before)
    # An edit in place leaves the symbols as they were, which is compared below.
    problems = macho_check.problems(after, binds=bool(by))
    new = problems and set(problems) - set(macho_check.problems(before, binds=bool(by)))
    if new:
        raise Malformed(f"after the edit, {min(new)}")
    if by:
        _verify_moved(before, after, by)
    else:
        _verify_in_place(before, after)


def _header_segment(image: Image) -> int:
    """The size of the segment that has the header: it grows by as much as its content moves."""
    sizes = [segment.memory_size for segment in image.segments if not segment.offset and segment.file_size]
    return sizes[0] if sizes else 0


def _verify_binds(before: Image, after: Image, names: Mapping[str, str | None]) -> None:
    """Raise Malformed where the numbers of libraries have changed, and a symbol with them."""
    if len(before.needed) == len(after.needed) and before.size == after.size:
        return
    flat = str(macho_binds.FLAT)
    wanted = [(name, names.get(old, old) or flat) for name, old in macho_binds.libraries(before)]
    if wanted != list(macho_binds.libraries(after)):
        raise Malformed("after the edit, symbols are bound to other libraries")


def _verify_in_place(before: Image, after: Image) -> None:
    """Compare all that an edit in place leaves alone."""
    if list(_untouched(before)) != list(_untouched(after)):
        raise Malformed("after the edit, other load commands have changed")
    start = macho.room(before).available
    end = before.signature.offset if before.signature else before.size
    if after.signature and after.signature.offset < end:
        raise Malformed("after the edit, the signature covers less than before")
    kept = before.slice(start, end - start, "the content"), after.slice(start, end - start, "the content")
    references = list(macho_binds.references(before)) if kept[0] != kept[1] else []
    masked = [bytearray(each) for each in kept]
    for found in references:
        for each in masked:
            each[found.at - start : found.at - start + found.size] = bytes(found.size)
    if masked[0] != masked[1]:
        raise Malformed("after the edit, bytes outside of the load commands have changed")


def _verify_moved(before: Image, after: Image, by: int) -> None:
    """Compare what stays the same when the content has moved."""
    for one, other in zip(before.segments, after.segments, strict=True):
        if (one.name, one.protection, len(one.sections)) != (other.name, other.protection, len(other.sections)):
            raise Malformed("after the edit, the segments are others")
        for old, new in zip(one.sections, other.sections, strict=True):
            if new != old._replace(address=old.address + by, offset=old.offset + by if old.offset else 0):
                raise Malformed(f"after the edit, the section {old.name} has not moved by {by:#x}")
    if sorted(each[:2] for each in before.exports()) != sorted(each[:2] for each in after.exports()):
        raise Malformed("after the edit, other symbols are exported")


def _untouched(image: Image) -> Iterator[tuple[int, bytes]]:
    for command in image.commands:
        content = image.content(command)
        if command.type == macho.LC_SEGMENT_64 and content[8:24].rstrip(b"\0") == b"__LINKEDIT":
            # Its sizes follow the signature's.
            yield command.type, content[:32] + content[40:48]
        elif command.type not in (*_REWRITTEN, macho.LC_CODE_SIGNATURE):
            yield command.type, content
