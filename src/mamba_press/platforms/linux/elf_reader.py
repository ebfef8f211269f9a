"""What a loader reads of ELF files: from the program headers alone, sections only where they are asked for."""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterator
from typing import Literal

from mamba_press.binary import Binary, Requirement
from mamba_press.platforms.binary_format import LONGEST_PATH, RECORD, Data, Malformed, Symbols, refuse_endless
from mamba_press.platforms.linux import elf
from mamba_press.platforms.linux.elf import Image, is_read


def read(data: Data) -> Binary:
    """The facts of an ELF file; raises Malformed."""
    if len(data) < 20:
        raise Malformed(f"the file ends after {len(data)} bytes, inside the ELF header")
    if not is_read(data):
        return Binary(format="elf", arch=None, kind=_foreign_kind(data))
    return facts(Image(data))


def facts(image: Image) -> Binary:
    """What the loader reads of an image."""
    tags = image.tags
    interpreter = _interpreter(image)
    loaded = [(tag, image.string(value)) for tag, value in image.dynamic if tag in elf.LOADED_TAGS]
    needed = tuple(dict.fromkeys(name for _, name in loaded))
    required = {name for tag, name in loaded if tag != elf.DT_AUXILIARY}
    path = tags.get(elf.DT_RUNPATH, tags.get(elf.DT_RPATH))
    text = image.string(path) if path is not None else ""
    search = tuple(text.split(":")) if text else ()
    refuse_endless(needed, search)
    return Binary(
        format="elf",
        arch=image.arch,
        kind=_kind(image, interpreter, needed),
        name=image.string(tags[elf.DT_SONAME]) if elf.DT_SONAME in tags else None,
        needed=needed,
        search=search,
        inherited=elf.DT_RPATH in tags and elf.DT_RUNPATH not in tags,
        requires=_requires(image),
        # The base definition (flag 1) names the file, not a version of it.
        defines=frozenset(image.string(names[0]) for flags, names in image.verdef if names and not flags & 1),
        interpreter=interpreter,
        weak=tuple(name for name in needed if name not in required),
        isa=_isa(image) if image.arch == "x86_64" else None,
        execstack=_execstack(image),
    )


def _execstack(image: Image) -> bool:
    """Whether the loader takes the file to need an executable stack; on x86 also where it says nothing of it."""
    segment = image.segment(elf.PT_GNU_STACK)
    return bool(segment.flags & elf.PF_X) if segment else image.arch in ("x86_64", "i686") and bool(image.dynamic)


def _isa(image: Image) -> str | None:
    """The highest level of x86-64 that a property note says is needed (the psABI's GNU_PROPERTY_X86_ISA_1_NEEDED)."""
    places = {
        (segment.offset, segment.file_size, 8 if segment.align == 8 else 4)
        for segment in image.segments
        if segment.type in (elf.PT_NOTE, elf.PT_GNU_PROPERTY)
    }
    needed = 0
    for offset, size, align in sorted(places):
        image.left.take(size)
        for kind, name, content in _notes(image, image.slice(offset, size, "a note"), align):
            if kind == elf.NT_GNU_PROPERTY_TYPE_0 and name == b"GNU\0":
                needed |= _needed_bits(image, content)
    return next((level for bit, level in reversed(elf.LEVELS.items()) if needed & bit), None)


def _notes(image: Image, data: bytes, align: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield type, name and content of each note; what is cut off is no note."""
    at = 0
    while at + 12 <= len(data):
        image.left.take(RECORD)
        name_size, size, kind = struct.unpack_from("<III", data, at)
        start = at + 12 + -(-name_size // align) * align if align == 4 else -(-(at + 12 + name_size) // align) * align
        if start + size > len(data):
            return
        yield kind, data[at + 12 : at + 12 + name_size], data[start : start + size]
        at = -(-(start + size) // align) * align


def _needed_bits(image: Image, content: bytes) -> int:
    found, at = 0, 0
    while at + 8 <= len(content):
        image.left.take(RECORD)
        kind, size = struct.unpack_from("<II", content, at)
        if kind == elf.GNU_PROPERTY_X86_ISA_1_NEEDED and size == 4 and at + 12 <= len(content):
            found |= int.from_bytes(content[at + 8 : at + 12], "little")
        at += 8 + -(-size // 8) * 8
    return found


def unique_symbols(data: Data) -> int:
    """How many defined dynamic symbols one process has once, whichever library defines them (elf.STB_GNU_UNIQUE)."""
    if not is_read(data):
        return 0
    return sum(info >> 4 == elf.STB_GNU_UNIQUE and section != 0 for _, info, section in Image(data).each_symbol())


def _foreign_kind(data: Data) -> Literal["shared", "program", "static"]:
    kind = int.from_bytes(data[16:18], "big" if data[5] == 2 else "little")
    return "shared" if kind == elf.ET_DYN else "program" if kind == elf.ET_EXEC else "static"


def _interpreter(image: Image) -> str | None:
    segment = image.segment(elf.PT_INTERP)
    if segment is None or not segment.file_size:
        return None
    if segment.file_size > LONGEST_PATH:
        raise Malformed(f"the interpreter's path has {segment.file_size} bytes; Linux takes {LONGEST_PATH} at most")
    path = image.slice(segment.offset, segment.file_size, "the interpreter's path")
    return path.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _kind(image: Image, interpreter: str | None, needed: tuple[str, ...]) -> Literal["shared", "program", "static"]:
    if not image.dynamic:
        return "static"
    if image.header.type == elf.ET_EXEC:
        return "program"
    if image.tags.get(elf.DT_FLAGS_1, 0) & elf.DF_1_PIE:
        return "program" if interpreter or needed else "static"
    # libc.so.6 has an interpreter, so that it can be run, and a name, because it is a library.
    return "program" if interpreter and elf.DT_SONAME not in image.tags else "shared"


def _requires(image: Image) -> tuple[Requirement, ...]:
    found = [
        Requirement(library=image.string(file), versions=tuple(image.string(v.name) for v in versions))
        for _, file, versions in image.verneed
    ]
    relr = "GLIBC_ABI_DT_RELR"
    if elf.DT_RELR in image.tags and not any(relr in one.versions for one in found):
        # Linkers before 2022 packed relocations without saying so; a loader before glibc 2.36 would skip them.
        found.append(Requirement(library="libc.so.6", versions=(relr,)))
    return tuple(found)


def symbols(data: Data) -> Symbols:
    """The names of the dynamic symbols, without their versions; raises Malformed."""
    if not is_read(data):
        return Symbols(imports=frozenset(), exports=frozenset())
    image = Image(data)
    imports: set[int] = set()
    exports: set[int] = set()
    for name, info, section in image.each_symbol():
        if name and info > 0xF:
            (exports if section else imports).add(name)
    return Symbols(imports=_names(image, imports), exports=_names(image, exports))


def _names(image: Image, offsets: set[int]) -> frozenset[str]:
    strings = image.slice(image.strings_at, image.strings_size, "the dynamic strings")
    found: set[str] = set()
    for offset in offsets:
        end = strings.find(b"\0", offset)
        if end < 0:
            raise Malformed(f"a symbol's name at {offset:#x} of the dynamic strings is outside of them or has no end")
        image.left.take(end - offset + RECORD)
        found.add(strings[offset:end].decode("utf-8", "surrogateescape"))
    return frozenset(found)


def lookup(binary: Binary, at: str, name: str) -> Iterator[str]:
    """Yield the places below the root of ``at`` where the binary's own search path looks for ``name``."""
    folder = posixpath.dirname(at)
    for place in (posixpath.dirname(name),) if "/" in name else binary.search:
        path = place.replace("${ORIGIN}", "$ORIGIN")
        if path != "$ORIGIN" and not path.startswith("$ORIGIN/"):
            continue
        found = posixpath.normpath(posixpath.join(folder, "." + path[len("$ORIGIN") :], posixpath.basename(name)))
        if "$" not in found and found.split("/")[0] not in ("..", ""):
            yield found
