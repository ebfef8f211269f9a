"""Signs Mach-O slices ad hoc, and checks signatures: what ``codesign --sign -`` does, on any machine.

A signature is a SuperBlob at the end of __LINKEDIT: a CodeDirectory with a SHA-256 of every page before it, the
requirements (an empty set), entitlements where there were some, and an empty CMS blob. Apple's sources say what the
kernel reads of it (``osfmk/kern/cs_blobs.h`` of xnu); the numbers in it are big-endian.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from mamba_press.platforms.binary_format import Malformed, aligned, encoded
from mamba_press.platforms.macos import macho

if TYPE_CHECKING:
    from mamba_press.platforms.macos.macho import Image, Segment

_SUPER_BLOB = 0xFADE0CC0
_CODE_DIRECTORY = 0xFADE0C02
_REQUIREMENTS = 0xFADE0C01
_CMS = 0xFADE0B01

_SLOT_CODE, _SLOT_REQUIREMENTS, _SLOT_ENTITLEMENTS, _SLOT_DER_ENTITLEMENTS = 0, 2, 5, 7
_SLOT_ALTERNATES, _SLOT_CMS = 0x1000, 0x10000
_DIRECTORIES = (_SLOT_CODE, *range(_SLOT_ALTERNATES, _SLOT_ALTERNATES + 5))
"""The kernel looks at five alternates at most."""
_KEPT = (_SLOT_ENTITLEMENTS, _SLOT_DER_ENTITLEMENTS)

_VERSION = 0x20400
_CS_ADHOC = 0x2
_MAIN_BINARY = 0x1
_SHA256 = 2
_HASHES = {1: ("sha1", 20), 2: ("sha256", 32), 3: ("sha256", 20), 4: ("sha384", 48)}
_PAGE_BITS = 12
_PAGE = 1 << _PAGE_BITS
_ALIGN = 16
COMMAND_SIZE = 16

# magic length version flags hashOffset identOffset nSpecialSlots nCodeSlots codeLimit hashSize hashType platform
# pageSize spare2 scatterOffset teamOffset spare3 codeLimit64 execSegBase execSegLimit execSegFlags
_DIRECTORY = struct.Struct(">9I4B4I4Q")
_DIRECTORY_HEAD = struct.Struct(">9I4B")


class Directory(NamedTuple):
    """What a CodeDirectory says; ``special`` and ``pages`` are its hashes, the special ones by their slot."""

    flags: int
    identifier: bytes
    limit: int
    hash_type: int
    page: int
    special: Mapping[int, bytes]
    pages: tuple[bytes, ...]


def sign(data: bytes) -> bytes:
    """The slice with an ad-hoc signature in place of the one that it has, or with one more; raises Malformed.

    A file of one slice goes in. Its load commands must have room for LC_CODE_SIGNATURE where they have none. The
    flags of the old signature go, ``linker-signed`` with them; its identifier and its entitlements stay.
    """
    if len(macho.slices(data)) != 1 or not (found := macho.images(data)):
        raise Malformed("only one slice can be signed at a time")
    image = found[0]
    code_end = _code_end(image)
    identifier, blobs = _kept(image)
    size = aligned(_size(code_end, identifier, blobs), _ALIGN)
    draft = bytearray(image.slice(0, min(code_end, image.size), "the code"))
    draft += bytes(code_end - len(draft))
    _write_commands(draft, image, code_end, size)
    signature = _signature(bytes(draft), _executable(image), identifier, blobs)
    return bytes(draft) + signature.ljust(size, b"\0")


def unsigned(data: bytes) -> bytes:
    """The file's slices without their signatures and what says how large those are; raises Malformed."""
    found = []
    for image in macho.images(data):
        part = image.signature
        content = bytearray(image.slice(0, part.offset if part else image.size, "the code"))
        for command in image.of(macho.LC_CODE_SIGNATURE):
            content[command.offset : command.offset + COMMAND_SIZE] = bytes(COMMAND_SIZE)
        linkedit = image.segment("__LINKEDIT")
        if linkedit:
            struct.pack_into("<Q", content, linkedit.command + 32, 0)
            struct.pack_into("<Q", content, linkedit.command + 48, 0)
        found.append(bytes(content))
    return b"".join(found) if found else data


def problems(image: Image) -> tuple[str, ...]:
    """What is wrong with the signature of a slice, nothing where it has none."""
    return tuple(_problems(image))


def is_sound(image: Image) -> bool:
    """Whether a slice has a signature that can be read and fits its bytes."""
    try:
        return image.signature is not None and not problems(image)
    except Malformed:
        return False


def _kept(image: Image) -> tuple[bytes, dict[int, bytes]]:
    """The identifier and the blobs that stay; a signature that cannot be read has nothing to keep."""
    try:
        blobs = _blobs(image)
        directory = _directory(blobs[_SLOT_CODE]) if _SLOT_CODE in blobs else None
    except Malformed:
        blobs, directory = {}, None
    identifier = directory.identifier if directory else _identifier(image)
    return identifier, {slot: blob for slot, blob in blobs.items() if slot in _KEPT}


def _identifier(image: Image) -> bytes:
    """What names the code: the file's own name for itself, else the number that its linker gave it."""
    if image.name:
        return encoded(image.name.rpartition("/")[2].removesuffix(".dylib"))
    for command in image.of(macho.LC_UUID):
        return image.content(command)[8:24].hex().encode()
    return b"mamba-press"


def _code_end(image: Image) -> int:
    """Where the signature goes: where one is, else behind everything."""
    linkedit = _linkedit(image)
    part = image.signature
    end = linkedit.file_end if part is None else part.offset
    if part is not None and part.offset + part.size < linkedit.file_end:
        raise Malformed("the signature is not the last of __LINKEDIT")
    if not linkedit.offset <= end <= image.size:
        raise Malformed("the signature is not in __LINKEDIT")
    # What is empty counts too: behind the new end of the file it could not be read any more.
    others = [*image.parts(set(macho.LINKEDIT_DATA) - {macho.LC_CODE_SIGNATURE}), *image.dyld_info().values()]
    others += image.symbol_table() or ()
    for other in others:
        if other.offset + other.size > end:
            raise Malformed(f"{other.what} end at {other.offset + other.size:#x}, behind the signature")
    if part is None and linkedit.file_end < image.size and any(image.slice(end, image.size - end, "the rest")):
        raise Malformed("bytes that no segment has stand behind __LINKEDIT")
    return aligned(end, _ALIGN)


def _linkedit(image: Image) -> Segment:
    found = image.segment("__LINKEDIT")
    if found is None or not image.commands_end <= found.file_end <= image.size:
        raise Malformed("there is no __LINKEDIT segment, or it ends after the slice or in the load commands")
    for segment in image.segments:
        if segment.file_size and segment.file_end > found.offset and segment is not found:
            raise Malformed(f"the segment {segment.name} is not before __LINKEDIT")
    return found


def _size(code_end: int, identifier: bytes, blobs: Mapping[int, bytes]) -> int:
    pages = -(-code_end // _PAGE)
    special = max((_SLOT_REQUIREMENTS, *blobs))
    directory = _DIRECTORY.size + len(identifier) + 1 + (special + pages) * 32
    return 12 + 8 * (3 + len(blobs)) + directory + len(_REQUIREMENTS_BLOB) + sum(map(len, blobs.values())) + 8


_REQUIREMENTS_BLOB = struct.pack(">3I", _REQUIREMENTS, 12, 0)


def _write_commands(draft: bytearray, image: Image, code_end: int, size: int) -> None:
    """Say in the load commands where the signature is and how far __LINKEDIT reaches."""
    if code_end + size >= 1 << 32:
        raise Malformed("a slice of 4 GiB cannot be signed")
    command = next(iter(image.of(macho.LC_CODE_SIGNATURE)), None)
    if command is None:
        room = macho.room(image)
        if room.used + COMMAND_SIZE > room.available:
            raise Malformed("the load commands have no room for LC_CODE_SIGNATURE")
        at = image.commands_end
        if at != macho.HEADER_SIZE + sum(each.size for each in image.commands):
            raise Malformed("the load commands have fewer bytes than the header says")
        count, commands_size = image.command_count + 1, image.commands_size + COMMAND_SIZE
        struct.pack_into("<2I", draft, 16, count, commands_size)
    else:
        at = command.offset
    own = COMMAND_SIZE if command is None else command.size
    struct.pack_into("<4I", draft, at, macho.LC_CODE_SIGNATURE, own, code_end, size)
    linkedit = _linkedit(image)
    file_size = code_end + size - linkedit.offset
    memory_size = linkedit.memory_size
    if memory_size < file_size:
        memory_size = aligned(file_size, macho.PAGES[image.arch])
        if any(linkedit.address < other.address < linkedit.address + memory_size for other in image.segments):
            raise Malformed("__LINKEDIT cannot grow: another segment is behind it in memory")
    struct.pack_into("<Q", draft, linkedit.command + 32, memory_size)
    struct.pack_into("<Q", draft, linkedit.command + 48, file_size)


def _executable(image: Image) -> tuple[int, int, int]:
    """The offset and size of __TEXT, and whether this is a main program."""
    text = image.segment("__TEXT")
    is_main = _MAIN_BINARY if image.type == macho.MH_EXECUTE else 0
    return (text.offset, text.file_size, is_main) if text else (0, 0, is_main)


def _signature(code: bytes, executable: tuple[int, int, int], identifier: bytes, kept: Mapping[int, bytes]) -> bytes:
    blobs = {_SLOT_REQUIREMENTS: _REQUIREMENTS_BLOB, **kept}
    directory = _new_directory(code, executable, identifier, blobs)
    ordered = [(_SLOT_CODE, directory), *sorted(blobs.items()), (_SLOT_CMS, struct.pack(">2I", _CMS, 8))]
    at = 12 + 8 * len(ordered)
    index = b""
    for slot, blob in ordered:
        index += struct.pack(">2I", slot, at)
        at += len(blob)
    return struct.pack(">3I", _SUPER_BLOB, at, len(ordered)) + index + b"".join(blob for _, blob in ordered)


def _new_directory(
    code: bytes, executable: tuple[int, int, int], identifier: bytes, blobs: Mapping[int, bytes]
) -> bytes:
    slots = range(max(blobs), 0, -1)
    special = [hashlib.sha256(blobs[slot]).digest() if slot in blobs else bytes(32) for slot in slots]
    view = memoryview(code)
    pages = [hashlib.sha256(view[at : at + _PAGE]).digest() for at in range(0, len(code), _PAGE)]
    hashes_at = _DIRECTORY.size + len(identifier) + 1 + 32 * len(special)
    head = _DIRECTORY.pack(
        *(_CODE_DIRECTORY, hashes_at + 32 * len(pages), _VERSION, _CS_ADHOC),
        *(hashes_at, _DIRECTORY.size, len(special), len(pages), len(code)),
        *(32, _SHA256, 0, _PAGE_BITS),
        *(0, 0, 0, 0),
        *(0, *executable),
    )
    return head + identifier + b"\0" + b"".join(special) + b"".join(pages)


# --- reading


def _blobs(image: Image) -> dict[int, bytes]:
    """The blobs of a signature by their slots."""
    part = image.signature
    if part is None:
        return {}
    content = image.slice(*part)
    if len(content) < 12 or int.from_bytes(content[:4], "big") != _SUPER_BLOB:
        raise Malformed("the signature is no SuperBlob")
    _, size, count = struct.unpack_from(">3I", content)
    if 12 + 8 * count > len(content) or size > len(content):
        raise Malformed("the signature is larger than its load command says")
    found: dict[int, bytes] = {}
    left = size
    for number in range(count):
        slot, at = struct.unpack_from(">2I", content, 12 + 8 * number)
        length = int.from_bytes(content[at + 4 : at + 8], "big")
        if length < 8 or at + length > size:
            raise Malformed(f"the blob of slot {slot:#x} lies outside the signature")
        left -= length
        if left < 0:
            raise Malformed("the blobs of the signature overlap")
        found[slot] = content[at : at + length]
    return found


def _directory(blob: bytes) -> Directory:
    """What the blob of a CodeDirectory says."""
    if len(blob) < _DIRECTORY_HEAD.size:
        raise Malformed("the CodeDirectory ends early")
    magic, _, _, flags, hashes, name, special, count, limit, size, kind, _, page = _DIRECTORY_HEAD.unpack_from(blob)
    end = blob.find(b"\0", name)
    if magic != _CODE_DIRECTORY or kind not in _HASHES or _HASHES[kind][1] != size or end < 0:
        raise Malformed("the CodeDirectory cannot be read")
    if hashes < size * special or hashes + size * count > len(blob) or not page < 32:
        raise Malformed("the CodeDirectory's hashes lie outside of it")
    return Directory(
        flags=flags,
        identifier=blob[name:end],
        limit=limit,
        hash_type=kind,
        page=1 << page if page else 0,
        special={slot: blob[hashes - slot * size : hashes - (slot - 1) * size] for slot in range(1, special + 1)},
        pages=tuple(blob[at : at + size] for at in range(hashes, hashes + size * count, size)),
    )


def _problems(image: Image) -> Iterator[str]:
    part = image.signature
    if part is None:
        return
    linkedit = image.segment("__LINKEDIT")
    if linkedit is None or part.offset + part.size != linkedit.file_end:
        yield "the signature does not end where __LINKEDIT ends"
    blobs = _blobs(image)
    directories = [_directory(blob) for slot, blob in blobs.items() if slot in _DIRECTORIES]
    if not directories:
        yield "the signature has no CodeDirectory"
    for directory in directories:
        yield from _directory_problems(image, directory, blobs)


def _directory_problems(image: Image, directory: Directory, blobs: Mapping[int, bytes]) -> Iterator[str]:
    part = image.signature
    name, size = _HASHES[directory.hash_type]
    if part is None or directory.limit != part.offset:
        yield f"the signature covers {directory.limit:#x} bytes, not all that is before it"
        return
    page = directory.page or max(directory.limit, 1)
    if len(directory.pages) != -(-directory.limit // page):
        yield f"the signature has {len(directory.pages)} hashes of pages"
        return
    code = memoryview(image.slice(0, directory.limit, "the signed code"))
    bad = [
        number
        for number, expected in enumerate(directory.pages)
        if hashlib.new(name, code[number * page : (number + 1) * page], usedforsecurity=False).digest()[:size]
        != expected
    ]
    if bad:
        yield f"the signature does not fit {len(bad)} of {len(directory.pages)} pages, the first at {bad[0] * page:#x}"
    for slot, blob in blobs.items():
        if slot in (_SLOT_REQUIREMENTS, *_KEPT):
            expected = directory.special.get(slot, b"")
            if hashlib.new(name, blob, usedforsecurity=False).digest()[:size] != expected:
                yield f"the signature does not fit what is embedded in slot {slot}"
