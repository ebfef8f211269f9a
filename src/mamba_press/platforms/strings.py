"""Which library names occur as strings in a file, other than as what the loader reads.

A name that a program opens itself (``dlopen``, ``ctypes``, Tcl's ``load``) stands in its read-only data or text; the
names of needed libraries stand in the dynamic string table, which is left out.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mamba_press.platforms.binaries import format_of
from mamba_press.platforms.binary_format import READING, Data, Malformed, joined, read_up_to
from mamba_press.platforms.linux import elf
from mamba_press.platforms.macos import macho
from mamba_press.platforms.windows import pe
from mamba_press.types import Strings

_MARK = re.compile(rb"\.(?:so|dylib|dll|DLL)")
_WIDE = (".dll".encode("utf-16-le"), ".DLL".encode("utf-16-le"))
_WIDE_NAME = re.compile(rb"(?:[A-Za-z0-9_+.-]\0){1,120}\Z")
_BEFORE = re.compile(rb"[A-Za-z0-9_+.-]{1,120}\Z")
_AFTER = re.compile(rb"(?:\.[0-9]+)*")
_CODE = ("__text", "__stubs", "__stub_helper", "__unwind_info", "__eh_frame", "__gcc_except_tab")
_EXECUTABLE = 0x20000000
_SMALL = 1 << 20
"""Up to this size reading a file costs less than mapping it."""

_BUILD_PATHS = (b"/home/conda/feedstock_root", b"/croot/", b"/opt/conda/conda-bld", b"_h_env_placehold")
"""Where packages are built: such paths are reported, never errors, for nobody who uses the wheel has them."""

_SILENT = Strings(names=frozenset(), built=False, announced=False)
"""One for all the files that say nothing: there are thousands."""

_MUTE = re.compile(
    r"(?:^|/)(?:readme|licen[cs]e|copying|copyright|notice|authors|changelog|changes|news|history)(?:[._-][^/]*)?\Z"
    r"|(?:^|/)(?:CMakeLists\.txt|Makefile[^/]*|meson\.build)\Z"
    r"|\.(?:cmake|pc|la|mk|bzl|m4|a|o|lib|pyi|pxd|md|rst|html?|tex|pot?)\Z",
    re.IGNORECASE,
)
_NOT_DATA = (b".rsrc", b".reloc", b".pdata")


def is_mute(path: str) -> bool:
    """Whether a file opens no library, whatever its strings say: compilers, build systems and people alone read it."""
    return bool(_MUTE.search(path))


def look(path: Path) -> Strings:
    """Return each ``*.so``, ``*.so.N``, ``*.dylib`` and ``*.dll`` that occurs as a string in a file.

    And whether a path does below which packages are built. Windows ignores case: names of DLLs are in lower case.
    """
    descriptor = os.open(path, READING)
    try:
        size = os.fstat(descriptor).st_size
        if size <= _SMALL:
            return look_at(read_up_to(descriptor, size))
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
            return look_at(data)
    finally:
        os.close(descriptor)


def look_at(data: Data) -> Strings:
    """Return the same as `look` of a file's bytes."""
    wide = [mark for mark in _WIDE if data.find(mark) >= 0] if data[:2] == b"MZ" else []
    regions = list(_regions(data))
    found = {name for start, end in regions for name in _names(data, start, end)}
    found |= {name for mark in wide for start, end in regions for name in _wide_names(data, mark, start, end)}
    built = any(data.find(path, start, end) >= 0 for start, end in regions for path in _BUILD_PATHS)
    announced = format_of(bytes(data[:8])) is not None
    if not (found or built or announced):
        return _SILENT
    names = frozenset(name.lower() if name.lower().endswith(".dll") else name for name in found)
    return Strings(names=names, built=built, announced=announced)


def _wide_names(data: Data, mark: bytes, start: int, end: int) -> Iterator[str]:
    """Yield the names of DLLs in strings of two bytes a character, as most functions of Windows take them."""
    at = data.find(mark, start, end)
    while at >= 0:
        before = _WIDE_NAME.search(data[max(start, at - 240) : at])
        if before and data[at + len(mark) : at + len(mark) + 2] == bytes(2):
            name = (before.group() + data[at : at + len(mark)]).decode("utf-16-le")
            # The end of a narrow string right before looks like one more wide character.
            yield from (name, name[1:])
        at = data.find(mark, at + len(mark), end)


def _names(data: Data, start: int, end: int) -> Iterator[str]:
    for mark in _MARK.finditer(data, start, end):  # one pattern is faster than four strings
        at, after = mark.span()
        before = _BEFORE.search(data[max(start, at - 120) : at])
        version = _AFTER.match(data[after : min(end, after + 32)]) if mark[0] == b".so" else None
        after += version.end() if version else 0
        if before and not data[after : after + 1].isalnum() and data[after : after + 1] not in (b"_", b"-"):
            yield (before.group() + data[at:after]).decode("ascii")


def _regions(data: Data) -> Iterator[tuple[int, int]]:
    """Yield the parts of a file that may hold strings of its own: all of it, or a binary's own sections."""
    sections: list[tuple[int, int]] = []
    if len(data) >= 64 and data[:4] == b"\x7fELF":
        sections += _elf_sections(data)
    elif data[:4] in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"):
        sections += _macho_sections(data)
    elif data[:2] == b"MZ":
        sections += _pe_sections(data)
    yield from joined(each for each in sections if each[0] < each[1]) if sections else [(0, len(data))]


def _macho_sections(data: Data) -> Iterator[tuple[int, int]]:
    try:
        images = macho.images(data)
        for image in images:
            for segment in image.segments:
                for section in segment.sections:
                    if section.offset and section.name not in _CODE and section.offset + section.size <= image.size:
                        yield image.start + section.offset, image.start + section.offset + section.size
    except Malformed:
        # Java's class files begin alike.
        return


def _pe_sections(data: Data) -> Iterator[tuple[int, int]]:
    """Yield the parts of a PE image's data that are not the names of what it imports or of itself."""
    try:
        image = pe.Image(data)
        if image.arch is None:
            return
        taken = sorted((at := image.offset(image.number(name.pointer)), at + len(name.text)) for name in image.names)
        sections = [each for each in image.sections if not each.flags & _EXECUTABLE and each.name not in _NOT_DATA]
    except Malformed:
        return
    for section in sections:
        start, last = section.offset, min(section.offset + section.filled, len(data))
        for first, end in [each for each in taken if section.offset <= each[0] < last]:
            if start < first:
                yield start, first
            start = max(start, end)
        yield start, last


def _elf_sections(data: Data) -> Iterator[tuple[int, int]]:
    for section in elf.sections(data) if elf.is_read(data) else ():
        is_own = section.type == elf.SHT_PROGBITS and section.flags & elf.SHF_ALLOC
        if is_own and not section.flags & elf.SHF_EXECINSTR and section.offset + section.size <= len(data):
            yield section.offset, section.offset + section.size
