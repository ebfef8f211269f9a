"""What dyld reads of Mach-O files, and where it would look for what they need."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Literal

from mamba_press.binary import Binary
from mamba_press.platforms.binary_format import Data, Symbols, refuse_endless
from mamba_press.platforms.macos import macho
from mamba_press.platforms.macos.macho import Image, images, slices

_UNREAD = {7: "i386", 12: "arm", 18: "ppc", 0x01000012: "ppc64", 0x0100000C: "arm64e"}

_FIRST_FOR_ARM = (11, 0)
_CMS_SLOT, _EMPTY_BLOB, _MOST_BLOBS = b"\0\1\0\0", 8, 64


def read(data: Data) -> Binary:
    """The facts of a Mach-O file, of a universal one those of all its slices together; raises Malformed."""
    parts = slices(data)
    found = [facts(image) for image in images(data)]
    unread = tuple(_UNREAD.get(part.cpu, f"{part.cpu:#x}") for part in parts if part.arch is None)
    if not found:
        is_archive = any(bytes(data[part.offset : part.offset + 4]) == b"!<ar" for part in parts)
        return Binary(format="macho", arch=None, kind="static" if is_archive else "shared", unread=unread)
    first = found[0]
    arches = tuple(dict.fromkeys(one.arch for one in found if one.arch))
    names = tuple(dict.fromkeys(one.name for one in found if one.name))
    strong = {name for one in found for name in one.needed if name not in one.weak}
    return Binary(
        format="macho",
        arch="universal2" if len(arches) > 1 else arches[0],
        archs=arches,
        unread=unread,
        names=names if len(names) > 1 else (),
        kind=first.kind,
        name=first.name,
        needed=_united(one.needed for one in found),
        weak=tuple(name for name in _united(one.weak for one in found) if name not in strong),
        search=_united(one.search for one in found),
        interpreter=first.interpreter,
        floor=_floor_of_all(found),
        vouched=any(one.vouched for one in found),
    )


def _floor_of_all(slices: Iterable[Binary]) -> tuple[int, int] | None:
    """The highest floor; that of the first Macs with ARM says nothing of Intel's, and they have no older one."""
    floors = [(one.arch, one.floor) for one in slices if one.floor]
    counted = [floor for arch, floor in floors if len(floors) == 1 or arch != "arm64" or floor > _FIRST_FOR_ARM]
    return max(counted, default=None)


def _united(many: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for one in many for each in one))


def facts(image: Image) -> Binary:
    """What dyld reads of one slice."""
    kinds: dict[int, Literal["shared", "program"]] = {
        macho.MH_DYLIB: "shared",
        macho.MH_BUNDLE: "shared",
        macho.MH_EXECUTE: "program",
    }
    strong = {image.text(command) for command in image.of(*macho.LOADS) if command.type != macho.LC_LOAD_WEAK_DYLIB}
    search = tuple(image.text(command) for command in image.of(macho.LC_RPATH))
    refuse_endless(image.needed, search)
    return Binary(
        format="macho",
        arch=image.arch,
        archs=(image.arch,),
        # Objects and debug symbols are for other tools than dyld.
        kind=kinds.get(image.type, "static"),
        name=image.name,
        needed=image.needed,
        weak=tuple(name for name in dict.fromkeys(image.needed) if name not in strong),
        search=search,
        interpreter=next((image.text(command) for command in image.of(macho.LC_LOAD_DYLINKER)), None),
        floor=image.floor,
        vouched=_is_vouched(image),
    )


def _is_vouched(image: Image) -> bool:
    """Whether the signature has a certificate's in it, which ad-hoc signatures have not."""
    part = image.signature
    if part is None or part.offset + part.size > image.size:
        return False
    content = image.slice(*part)
    count = int.from_bytes(content[8:12], "big")
    for at in range(12, 12 + 8 * min(count, _MOST_BLOBS), 8):
        if content[at : at + 4] == _CMS_SLOT:
            start = int.from_bytes(content[at + 4 : at + 8], "big")
            return int.from_bytes(content[start + 4 : start + 8], "big") > _EMPTY_BLOB
    return False


def symbols(data: Data) -> Symbols:
    """The names of the symbols that a file takes and offers, without C's leading underscore; raises Malformed."""
    imports: set[str] = set()
    exports: set[str] = set()
    for image in images(data):
        for name, kind, *_ in image.symbols():
            if not kind & macho.N_EXT or kind & macho.N_PEXT:
                continue
            (imports if kind & macho.N_TYPE == macho.N_UNDF else exports).add(name)
        exports.update(export.name for export in image.exports())
    return Symbols(imports=_c_names(imports), exports=_c_names(exports))


def _c_names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.removeprefix("_") for name in names if name)


def lookup(binary: Binary, at: str, name: str) -> Iterator[str]:
    """Yield the places below the root of ``at`` that ``name`` means, for ``@rpath`` by the binary's own LC_RPATHs."""
    if name.startswith("@rpath/"):
        candidates = [f"{place.rstrip('/')}/{name.removeprefix('@rpath/')}" for place in binary.search]
    else:
        candidates = [name]
    for candidate in candidates:
        found = _below(binary, at, candidate)
        if found is not None:
            yield found


def _below(binary: Binary, at: str, path: str) -> str | None:
    """The place that a path with ``@loader_path`` means; ``@executable_path`` is known for a program's own only."""
    first, _, rest = path.partition("/")
    if first != "@loader_path" and not (first == "@executable_path" and binary.kind == "program"):
        return None
    found = posixpath.normpath(posixpath.join(posixpath.dirname(at), "./" + rest))
    return None if found.split("/")[0] in ("..", "", ".") else found
