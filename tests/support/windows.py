"""PE files for Windows, written byte by byte as linkers lay them out, or compiled with zig; and wine, to load them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MACHINES = {"x86_64": 0x8664, "aarch64": 0xAA64, "i386": 0x14C}
_BASE = 0x180000000
_CODE = {"x86_64": b"\xb8\x2a\x00\x00\x00\xc3", "aarch64": b"\x40\x05\x80\x52\xc0\x03\x5f\xd6", "i386": b"\xc3"}
_CONSTANTS, _TEXT, _DATA = 0x40000040, 0x60000020, 0xC0000040


@dataclass(frozen=True, kw_only=True)
class Dll:
    """A library (or program) of one function, ``value``, and of pointers to what it imports.

    ``imports`` and ``delayed`` give the symbols by library. ``forwards`` are exports that stand for ``library.symbol``.
    ``slack`` leaves room behind the constants, ``header_room`` room for one more section. ``overlay`` follows the
    sections, ``certificate`` follows that. ``manifest`` is a resource.
    """

    arch: str = "x86_64"
    is_library: bool = True
    name: str | None = "value.dll"
    imports: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"KERNEL32.dll": ["Sleep"]})
    delayed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    forwards: Mapping[str, str] = field(default_factory=dict)
    load_flags: int = 0
    checksum: bool = True
    bound: bool = False
    integrity: bool = False
    slack: bool = True
    header_room: bool = True
    text: bytes = b""
    manifest: bytes = b""
    overlay: bytes = b""
    certificate: bytes = b""


class _Constants:
    """Read-only data that grows; everything is at an address from the first moment."""

    def __init__(self, start: int) -> None:
        self.start, self.data = start, bytearray()

    def add(self, data: bytes, align: int = 2) -> int:
        self.data += bytes(-len(self.data) % align)
        self.data += data
        return self.start + len(self.data) - len(data)

    def text(self, text: str, before: bytes = b"") -> int:
        return self.add(before + text.encode() + b"\0")


def dll(wanted: Dll) -> bytes:
    """The bytes of a file."""
    directories = [(0, 0)] * 16
    constants = _Constants(0x2000)
    slots = _Constants(0x8000)
    if wanted.text:
        constants.add(wanted.text)
    if wanted.name is not None:
        directories[0] = _exports(constants, wanted.name, wanted.forwards)
    directories[1] = _imports(constants, slots, wanted.imports, bound=wanted.bound)
    if wanted.delayed:
        directories[13] = _delayed(constants, slots, wanted.delayed)
    if wanted.load_flags:
        config = struct.pack("<I", 320).ljust(78, b"\0") + struct.pack("<H", wanted.load_flags)
        directories[10] = (constants.add(config.ljust(320, b"\0"), 8), 320)
    if wanted.manifest:
        directories[2] = _resources(constants, wanted.manifest)
    if not wanted.slack:
        constants.add(b"\xcc" * (-len(constants.data) % 512))
    sections = [
        (b".text", 0x1000, _CODE[wanted.arch], _TEXT),
        (b".rdata", 0x2000, bytes(constants.data), _CONSTANTS),
        (b".data", 0x8000, bytes(slots.data) or bytes(8), _DATA),
    ]
    return _file(wanted, directories, sections)


def _exports(constants: _Constants, name: str, forwards: Mapping[str, str]) -> tuple[int, int]:
    count = 1 + len(forwards)
    start = constants.add(bytes(40 + 4 * count), 8)
    targets = [0x1000, *(constants.text(target) for target in forwards.values())]
    own = constants.text(name)
    addresses = [constants.text(each) for each in ["value", *forwards]]
    order = sorted(range(count), key=lambda number: ["value", *forwards][number])
    names = constants.add(struct.pack(f"<{count}I", *(addresses[number] for number in order)), 4)
    ordinals = constants.add(struct.pack(f"<{count}H", *order))
    end = constants.start + len(constants.data)
    header = struct.pack("<2I2H7I", 0, 0, 0, 0, own, 1, count, count, start + 40, names, ordinals)
    at = start - constants.start
    constants.data[at : at + 40 + 4 * count] = header + struct.pack(f"<{count}I", *targets)
    return start, end - start


def _thunks(constants: _Constants, symbols: Sequence[str]) -> bytes:
    addresses = [constants.add(b"\0\0" + symbol.encode() + b"\0") for symbol in symbols]
    return struct.pack(f"<{len(addresses) + 1}Q", *addresses, 0)


def _imports(
    constants: _Constants, slots: _Constants, imports: Mapping[str, Sequence[str]], *, bound: bool
) -> tuple[int, int]:
    descriptors = b""
    for library, symbols in imports.items():
        thunks = _thunks(constants, symbols)
        lookup, slot = constants.add(thunks, 8), slots.add(thunks, 8)
        stamp = (0xFFFFFFFF, 0xFFFFFFFF) if bound else (0, 0)
        descriptors += struct.pack("<5I", lookup, *stamp, constants.text(library), slot)
    return constants.add(descriptors + bytes(20), 4), len(descriptors) + 20


def _delayed(constants: _Constants, slots: _Constants, imports: Mapping[str, Sequence[str]]) -> tuple[int, int]:
    descriptors = b""
    for library, symbols in imports.items():
        thunks = _thunks(constants, symbols)
        lookup, slot, handle = constants.add(thunks, 8), slots.add(thunks, 8), slots.add(bytes(8), 8)
        descriptors += struct.pack("<8I", 1, constants.text(library), handle, slot, lookup, 0, 0, 0)
    return constants.add(descriptors + bytes(32), 4), len(descriptors) + 32


def _resources(constants: _Constants, manifest: bytes) -> tuple[int, int]:
    """Three levels, kind, name and language, with one entry each, and the manifest."""
    text = constants.add(manifest)
    below = 0x80000000
    levels = [struct.pack("<3I2H2I", 0, 0, 0, 0, 1, *each) for each in ((24, below | 24), (2, below | 48), (1033, 72))]
    return constants.add(b"".join(levels) + struct.pack("<4I", text, len(manifest), 0, 0), 4), 88


def _file(wanted: Dll, directories: list[tuple[int, int]], sections: list[tuple[bytes, int, bytes, int]]) -> bytes:
    headers = 24 + 240 + 40 * len(sections)
    start = 0x80 if wanted.header_room else 0x400 - headers - 8
    table, body, at = b"", b"", 0x400
    for name, address, content, flags in sections:
        raw = content.ljust(-(-len(content) // 512) * 512, b"\0")
        table += struct.pack("<8s6I2HI", name, len(content), address, len(raw), at, 0, 0, 0, 0, flags)
        body, at = body + raw, at + len(raw)
    if wanted.bound:
        directories[11] = (0x3F0, 8)
    body += wanted.overlay
    if wanted.certificate:
        body += bytes(-len(body) % 8)
        directories[4] = (0x400 + len(body), len(wanted.certificate))
        body += wanted.certificate
    kind = 0x22 | (0x2000 if wanted.is_library else 0)
    coff = struct.pack("<2H3I2H", MACHINES[wanted.arch], len(sections), 0, 0, 0, 240, kind)
    guard = 0x160 | (0x80 if wanted.integrity else 0)
    optional = struct.pack("<H2B9I", 0x20B, 14, 0, 512, 1024, 0, 0x1000, 0x1000, 0, 0, 0, 0)[:24]
    optional += struct.pack("<Q2I6H4I2H", _BASE, 0x1000, 0x200, 6, 0, 0, 0, 6, 0, 0, 0x9000, 0x400, 0, 2, guard)
    optional += struct.pack("<4Q2I", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    optional += b"".join(struct.pack("<2I", *each) for each in directories)
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", start)
    data = bytearray((head.ljust(start, b"\0") + b"PE\0\0" + coff + optional + table).ljust(0x400, b"\0") + body)
    if wanted.checksum:
        struct.pack_into("<I", data, start + 24 + 64, checksum(bytes(data)))
    return bytes(data)


def checksum(data: bytes) -> int:
    """The checksum of a file whose own is 0, added word by word as Microsoft describes it."""
    total = 0
    for (word,) in struct.iter_unpack("<H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total + len(data)


# --- compilers and wine


def why_no_zig() -> str | None:
    """Why nothing can be compiled for Windows here, None where it can."""
    return None if importlib.util.find_spec("ziglang") else "ziglang is not installed"


def compiled(folder: Path, name: str, source: str, *, links: Iterable[Path] = (), options: Sequence[str] = ()) -> Path:
    """Compile a DLL, module or program with zig; what links to it takes the ``.lib`` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.with_suffix(".c").write_text(source, encoding="utf-8")
    kind = [] if name.endswith(".exe") else ["-shared", f"-Wl,--out-implib,{path.with_suffix('.lib')}"]
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-O1", "-s", *kind, *options]
    command += ["-o", str(path), str(path.with_suffix(".c")), *(str(link.with_suffix(".lib")) for link in links)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return path


LOADER = """\
#include <windows.h>
#include <stdio.h>
int wmain(int count, wchar_t **arguments) {
    for (int each = 1; each < count - 1; each++)
        if (!AddDllDirectory(arguments[each])) return 3;
    HMODULE module = LoadLibraryExW(
        arguments[count - 1], NULL, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS | LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR);
    if (!module) { printf("error %lu", GetLastError()); return 4; }
    int (*value)(void) = (int (*)(void)) GetProcAddress(module, "value");
    if (!value) return 5;
    printf("%d", value());
    return 0;
}
"""
"""A program that adds folders, loads what its last argument names as CPython loads extensions, and calls ``value``."""

_WINE = (shutil.which("wine64"), "/usr/lib/wine/wine64", shutil.which("wine"))


def wine() -> str | None:
    """The wine of this machine for 64-bit programs."""
    return next((each for each in _WINE if each and Path(each).exists()), None)


def run(program: Path, *arguments: str, home: Path) -> str:
    """Run a program in wine, whose own files are kept in ``home``, and return what it says."""
    command = wine()
    assert command
    environ = {**os.environ, "WINEPREFIX": str(home), "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml="}
    environ.pop("DISPLAY", None)
    done = subprocess.run(
        [command, str(program), *arguments], env=environ, capture_output=True, text=True, check=False, timeout=300
    )
    return done.stdout.strip()


def dos(path: Path) -> str:
    """A path as programs in wine see it."""
    return "Z:" + str(path).replace("/", "\\")
