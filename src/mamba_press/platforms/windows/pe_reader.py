"""What Windows reads of PE images."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Literal

from mamba_press.binary import Binary
from mamba_press.platforms.binary_format import RECORD, Data, Malformed, Symbols
from mamba_press.platforms.windows.pe import RESOURCES, RESTRICTED, SECURITY, Image, forwarded

_DLL = 0x2000

_MANIFEST, _LEAF, _MOST_RESOURCES = 24, 0x7FFFFFFF, 4096
_DEPENDENT, _END_OF_DEPENDENT = b"<dependentAssembly", b"</dependentAssembly>"
_IDENTITY = b"<assemblyIdentity"
_NAME = re.compile(rb"\bname\s*=\s*[\"']([^\"']+)")


def read(data: Data) -> Binary:
    """The facts of a PE image; raises Malformed."""
    image = Image(data)
    kind: Literal["shared", "program"] = "shared" if image.flags & _DLL else "program"
    if image.arch is None:
        return Binary(format="pe", arch=None, kind=kind)
    flags = image.load_flags
    return Binary(
        format="pe",
        arch=image.arch,
        kind=kind,
        name=image.name.text if image.name else None,
        needed=needed(image),
        search=(f"{RESTRICTED}{flags:#x}",) if flags else (),
        vouched=image.directories[SECURITY].size > 0,
        assemblies=_assemblies(image),
    )


def _assemblies(image: Image) -> tuple[str, ...]:
    """The side-by-side assemblies that the manifests ask for; broken resources are for others to find."""
    try:
        texts = list(_manifests(image))
    except Malformed:
        return ()
    names = dict.fromkeys(name for text in texts for name in _dependent(text))
    return tuple(name for name in names if not name.startswith("Microsoft.Windows."))


def _dependent(manifest: bytes) -> Iterator[str]:
    """The names of the assemblies that a manifest asks for."""
    for part in manifest.split(_END_OF_DEPENDENT)[:-1]:
        _, _, content = part.partition(_DEPENDENT)
        _, _, identity = content.partition(_IDENTITY)
        match = _NAME.search(identity.partition(b">")[0])
        if match:
            yield match[1].decode("utf-8", "replace")


def _manifests(image: Image) -> Iterator[bytes]:
    """The texts of the resources of the kind 24, below a level for names and one for languages."""
    address = image.directories[RESOURCES].address
    if not address:
        return
    for number, offset in _resources(image, address, 0):
        for _, inner in _resources(image, address, offset) if number == _MANIFEST else ():
            for _, leaf in _resources(image, address, inner):
                place, size = image.unpack(struct.Struct("<2I"), image.offset(address + (leaf & _LEAF), 8))
                start = image.offset(place, size)
                image.left.take(size)
                yield bytes(image.data[start : start + size])


def _resources(image: Image, address: int, offset: int) -> Iterator[tuple[int, int]]:
    """The numbers (or names) and offsets that a level of the resources has."""
    at = image.offset(address + (offset & _LEAF), 16)
    named, numbered = image.unpack(struct.Struct("<2H"), at + 12)
    for each in range(min(named + numbered, _MOST_RESOURCES)):
        image.left.take(RECORD)
        number, below = image.unpack(struct.Struct("<2I"), at + 16 + 8 * each)
        yield number, below


def needed(image: Image) -> tuple[str, ...]:
    """Every library that the image imports from or forwards to, each once, as first spelled."""
    names = [name.text for name in image.needed] + [forwarded(name.text)[0] for name in image.forwarders]
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(name.lower(), name)
    return tuple(found.values())


def symbols(data: Data) -> Symbols:
    """The names of what an image imports and exports; raises Malformed."""
    image = Image(data)
    if image.arch is None:
        return Symbols(imports=frozenset(), exports=frozenset())
    return Symbols(imports=frozenset(image.import_names()), exports=frozenset(image.export_names()))


def lookup(binary: Binary, at: str, name: str) -> Iterator[str]:
    """Yield the place beside the image, where the loader looks when it is the one that was asked for."""
    if not binary.search and "/" not in name and "\\" not in name:
        yield at[: at.rfind("/") + 1] + name
