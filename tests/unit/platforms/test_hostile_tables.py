"""Small binaries whose tables share records or names, so that what they say is far more than what they hold.

Each is read, checked and edited in a process that may have a gigabyte, and two seconds for each question.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import elf, macho
from tests.support.elf import verneed
from tests.support.macho import Dylib, dylib
from tests.support.windows import Dll, dll

LONG = b"a" * 1_000_000
NAMES = b"\0lib.so\0GLIBC_2.17\0"

PROBE = """\
import resource, sys, time
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms import strings
from mamba_press.types import Edits
paths = {"elf": ("$ORIGIN/" + "far/" * 9,), "macho": ("@loader_path/" + "far/" * 900,)}
def edited(data, **more):
    found = binaries.read(data)
    needed = tuple((name, f"{name}-0123abcd") for name in found.needed[:3])
    return binary_edits.apply(data, Edits(needed=needed, search=paths.get(found.format), **more))
questions = {
    "read": binaries.read,
    "symbols": binaries.symbols,
    "unique": binaries.unique_symbols,
    "layout": binary_edits.layout_problems,
    "taken": lambda data: binary_edits.taken(data, "/usr/lib/libSystem.B.dylib"),
    "unsigned": binary_edits.unsigned,
    "strings": strings.look_at,
    "edit": edited,
    "strip": lambda data: edited(data, strip=True, unbind_unique=True, sign=True),
}
for path in map(Path, sys.argv[1:]):
    data = path.read_bytes()
    for question, answer in questions.items():
        print(path.name, question, end=" ", flush=True)
        start = time.process_time()
        try:
            answer(data)
            print("answered")
        except binaries.Malformed as error:
            print("refused:", error)
        assert time.process_time() - start < 2
"""


# --- ELF


def shared_versions() -> bytes:
    count = 3000
    chain = verneed(*((count, 1, 16 * (count - n), 16 if n < count - 1 else 0) for n in range(count)))
    chain += elf.vernaux(*((2, 8, 16 if n < count - 1 else 0) for n in range(count)))
    return elf.elf({"strings": NAMES, "chain": chain}, [(elf.VERNEED, "chain"), (elf.VERNEEDNUM, count)])


def shared_definitions() -> bytes:
    count = 3000
    chain = b"".join(
        struct.pack("<HHHHIII", 1, 0, 2, count, 0, 20 * (count - n), 20 if n < count - 1 else 0) for n in range(count)
    )
    chain += b"".join(struct.pack("<II", 8, 8 if n < count - 1 else 0) for n in range(count))
    return elf.elf({"strings": NAMES, "chain": chain}, [(elf.VERDEF, "chain"), (elf.VERDEFNUM, count)])


def long_names_of_versions() -> bytes:
    count = 30000
    chain = verneed((count, 1, 16, 0)) + elf.vernaux(*((2, n, 16 if n < count else 0) for n in range(1, count + 1)))
    return elf.elf({"strings": b"\0" + LONG + b"\0", "chain": chain}, [(elf.VERNEED, "chain"), (elf.VERNEEDNUM, 1)])


def long_names_of_symbols() -> bytes:
    symbols = bytes(24) + b"".join(struct.pack("<IBBHQQ", n, 0x12, 0, n % 2, 0, 0) for n in range(1, 60000))
    tables = {"strings": b"\0" + LONG + b"\0", "symbols": symbols}
    return elf.elf({**tables, "names": b"\0"}, [(elf.SYMTAB, "symbols")], sections=[(11, 2, "symbols", 0)])


def long_names_of_libraries() -> bytes:
    return elf.elf({"strings": b"\0" + LONG + b"\0"}, [(elf.NEEDED, number) for number in range(1, 50000)])


def many_libraries_in_many_places() -> bytes:
    names = b"\0" + b"".join(b"lib%d.so\0" % number for number in range(9000))
    starts = [at + 1 for at, byte in enumerate(names[:-1]) if not byte]
    entries: list[tuple[int, int | str]] = [(elf.NEEDED, at) for at in starts]
    return elf.elf({"strings": names + b"$ORIGIN/a:" * 9000 + b"\0"}, [*entries, (elf.RUNPATH, len(names))])


def many_notes_in_one_place() -> bytes:
    return elf.elf({"strings": b"\0", "note": LONG}, [], segments=[(4, "note")] * 1100)


def properties_without_end() -> bytes:
    notes = b"".join(struct.pack("<3I4s", 4, 1_000_000 - 16 * n, 5, b"GNU\0") for n in range(1100))
    return elf.elf({"strings": b"\0", "note": notes + bytes(1_000_000)}, [], segments=[(4, "note")] * 1100)


def many_sections_in_one_place() -> bytes:
    tables = {"strings": b"\0", "data": b"libsome.so.1 " * 80_000, "names": b"\0"}
    return elf.elf(tables, [], sections=[(1, 2, "data", 0)] * 60_000)


def long_names_of_sections() -> bytes:
    tables = {"strings": b"\0", "data": bytes(16), "names": LONG + b"\0"}
    return elf.elf(tables, [], sections=[*((1, 2, "data", n) for n in range(1, 60_000)), (1, 0, "data", 1)])


def chain_of_hashes_without_end() -> bytes:
    hashes = struct.pack("<4IQI", 1, 1, 1, 0, 0, 1) + bytes(4_000_000)
    return elf.elf({"strings": b"\0", "hashes": hashes}, [(elf.GNU_HASH, "hashes"), (elf.SYMTAB, "strings")])


def many_symbol_tables_in_one_place() -> bytes:
    tables = {"strings": b"\0lib.so\0", "symbols": bytes(2_400_000), "names": b"\0"}
    sections = [*([(3, 2, "strings", 0)] * 3000), *([(2, 0, "symbols", 0)] * 3000)]
    return elf.elf(tables, [(elf.NEEDED, 1)], sections=sections)


def more_program_headers_than_linux_loads() -> bytes:
    return elf.elf({"strings": b"\0"}, [], segments=[(1, "strings")] * 60_000)


# --- PE


def with_data(data: bytes, directory: int, blob: Callable[[int], tuple[bytes, int]]) -> bytes:
    """An image whose last section also has a blob; it is made for its address, and says where in it a table begins."""
    work = bytearray(data)
    start = int.from_bytes(work[60:64], "little")
    header = start + 24 + 240 + 40 * 2
    _, _, address, _, offset = struct.unpack_from("<8s4I", work, header)
    content, table = blob(address + len(work) - offset)
    struct.pack_into("<2I", work, start + 24 + 112 + 8 * directory, address + len(work) - offset + table, 40)
    work += content
    work += bytes(-len(work) % 512)
    size = len(work) - offset
    struct.pack_into("<4I", work, header + 8, size, address, size, offset)
    struct.pack_into("<I", work, start + 24 + 56, -(-(address + size) // 4096) * 4096)
    struct.pack_into("<I", work, start + 24 + 64, 0)
    return bytes(work)


def shared_thunks() -> bytes:
    def blob(at: int) -> tuple[bytes, int]:
        thunks = struct.pack("<Q", at) * 20_000 + bytes(8)
        table = struct.pack("<5I", at + 8, 0, 0, at + 2, at + 8) * 20_000 + bytes(20)
        return b"\0\0ab\0\0\0\0" + thunks + table, 8 + len(thunks)

    return with_data(dll(Dll()), 1, blob)


def long_names_of_imports() -> bytes:
    def blob(at: int) -> tuple[bytes, int]:
        return b"a" * 4000 + b"\0" + struct.pack("<5I", 0, 0, 0, at, 0) * 60_000 + bytes(20), 4001

    return with_data(dll(Dll()), 1, blob)


def long_names_of_delayed_imports() -> bytes:
    def blob(at: int) -> tuple[bytes, int]:
        return b"a" * 4000 + b"\0" + struct.pack("<8I", 1, at, 0, 0, 0, 0, 0, 0) * 60_000 + bytes(32), 4001

    return with_data(dll(Dll()), 13, blob)


def long_names_of_exports() -> bytes:
    def blob(at: int) -> tuple[bytes, int]:
        header = struct.pack("<2I2H7I", 0, 0, 0, 0, at + 40, 1, 60_000, 60_000, at + 4048, at + 4048, 0)
        return header + b"a" * 4000 + bytes(8) + struct.pack("<I", at + 41) * 60_000, 0

    data = with_data(dll(Dll()), 0, blob)
    work = bytearray(data)
    struct.pack_into("<I", work, int.from_bytes(work[60:64], "little") + 24 + 112 + 4, 250_000)
    return bytes(work)


def shared_resources() -> bytes:
    level = struct.pack("<IIHHHH", 0, 0, 0, 0, 0, 4000) + struct.pack("<2I", 24, 0) * 4000
    return with_data(dll(Dll()), 2, lambda _: (level, 0))


def manifest_without_end() -> bytes:
    return _manifest(b"<dependentAssembly ")


def _manifest(text: bytes) -> bytes:
    def blob(at: int) -> tuple[bytes, int]:
        below = 0x80000000
        kinds = ((24, below | 24), (2, below | 48), (1033, 72))
        levels = b"".join(struct.pack("<3I2H2I", 0, 0, 0, 0, 1, *each) for each in kinds)
        content = text * (1_500_000 // len(text))
        return levels + struct.pack("<4I", at + 88, len(content), 0, 0) + content, 0

    return with_data(dll(Dll()), 2, blob)


def identity_without_end() -> bytes:
    return _manifest(b"<dependentAssembly><assemblyIdentity " * 9 + b"</dependentAssembly>")


# --- Mach-O


def with_linkedit(data: bytes, blob: bytes, *fields: tuple[int, int, int]) -> bytes:
    """A file with a blob at its end, and load commands that lead to it.

    ``fields`` are the type of a command, where in it the offset of the blob stands, and what is behind that.
    """
    work = bytearray(data)
    place = len(work)
    work += blob + bytes(-len(blob) % 16)
    for at, kind in commands(data):
        if kind == 0x19 and work[at + 8 : at + 24].rstrip(b"\0") == b"__LINKEDIT":
            start = int.from_bytes(work[at + 40 : at + 48], "little")
            struct.pack_into("<Q", work, at + 32, -(-(len(work) - start) // 0x4000) * 0x4000)
            struct.pack_into("<Q", work, at + 48, len(work) - start)
        for wanted, field, size in fields:
            if kind == wanted:
                struct.pack_into("<2I", work, at + field, place, size)
    return bytes(work)


def commands(data: bytes) -> list[tuple[int, int]]:
    found, at = [], 32
    for _ in range(int.from_bytes(data[16:20], "little")):
        kind, size = struct.unpack_from("<2I", data, at)
        found.append((at, kind))
        at += size
    return found


def binds_by_the_million() -> bytes:
    blob = b"\x11\x40a\0\x51\x72\0" + b"\xc0\xff\xff\x3f\0" * 8000
    return with_linkedit(dylib(Dylib()), blob, (0x80000022, 16, len(blob)))


def rebases_by_the_million() -> bytes:
    blob = b"\x11\x21\0" + b"\x80\xff\xff\x3f\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x01" * 3000
    return with_linkedit(dylib(Dylib(room=0)), blob, (0x80000022, 8, len(blob)))


def deep_exports() -> bytes:
    """A trie of one branch: names grow with each node, so all together with the square of its size."""
    count, blob = 60_000, bytearray()
    for number in range(count):
        following = 9 * (number + 1)
        offset = bytes((following >> shift & 0x7F) | (0x80 if shift < 21 else 0) for shift in (0, 7, 14, 21))
        blob += b"\0\1aa\0" + offset
    blob += b"\2\0\0\0"
    return with_linkedit(dylib(Dylib()), bytes(blob), (0x80000022, 40, len(blob)))


def long_names_in_a_symbol_table() -> bytes:
    count = 60_000
    symbols = b"".join(struct.pack("<IBBHQ", n, 0x0F, 1, 0, 0) for n in range(count))
    data = with_linkedit(dylib(Dylib()), symbols, (0x2, 8, count))
    return with_linkedit(data, LONG, (0x2, 16, len(LONG)))


def long_names_in_chains() -> bytes:
    count = 60_000
    imports = b"".join(struct.pack("<I", 1 | n << 9) for n in range(count))
    blob = struct.pack("<7I", 0, 32, 32, 32 + len(imports), count, 1, 0).ljust(32, b"\0") + imports + LONG
    return with_linkedit(dylib(Dylib(fixups="chains")), blob, (0x80000034, 8, len(blob)))


def chains_that_share_their_pointers() -> bytes:
    pages = 60_000
    starts = struct.pack("<I", 3) + struct.pack("<3I", 0, 16, 0) + struct.pack("<I2HQIH", 24, 4, 6, 0x4000, 0, pages)
    starts += struct.pack("<H", 0) * pages
    blob = struct.pack("<7I", 0, 32, 32 + len(starts), 32 + len(starts), 0, 1, 0).ljust(32, b"\0") + starts
    data = bytearray(with_linkedit(dylib(Dylib(fixups="chains", room=0)), blob, (0x80000034, 8, len(blob))))
    data[0x4000:0x7000] = struct.pack("<Q", 1 << 63 | 1 << 52) * (0x3000 // 8)
    return bytes(data)


def many_libraries() -> bytes:
    commands = b"".join(struct.pack("<6I", 0xC, 32, 24, 2, 0, 0) + b"%07d\0" % n for n in range(40_000))
    return struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 6, 40_000, len(commands), 0x85, 0) + commands


def blobs_that_share_their_bytes() -> bytes:
    count = 60_000
    size = 12 + 8 * count + 1_000_000
    index = b"".join(struct.pack(">2I", 0x1000 + n, 12 + 8 * count) for n in range(count))
    blob = struct.pack(">3I", 0xFADE0CC0, size, count) + index + struct.pack(">2I", 0xFADE0C02, 1_000_000)
    blob = blob.ljust(size, b"\0")
    data = bytearray(with_linkedit(dylib(Dylib()), blob, (0x26, 8, len(blob))))
    at = next(at for at, kind in commands(bytes(data)) if kind == 0x26)
    struct.pack_into("<I", data, at, 0x1D)
    return bytes(data)


def many_slices() -> bytes:
    count, blob = 16_000, bytearray()
    for number in range(count):
        following = 9 * (number + 1)
        blob += b"\0\1aa\0" + bytes(
            (following >> shift & 0x7F) | (0x80 if shift < 21 else 0) for shift in (0, 7, 14, 21)
        )
    one = with_linkedit(dylib(Dylib()), bytes(blob), (0x80000022, 40, len(blob)))
    return macho.universal(*[one] * 29)


def slices_that_are_far_apart() -> bytes:
    data = macho.universal(dylib(Dylib()), dylib(Dylib(arch="x86_64")))
    return data.replace(struct.pack(">I", 14), struct.pack(">I", 30), 2)


HOSTILE: dict[str, list[Callable[[], bytes]]] = {
    "ELF": [
        shared_versions,
        shared_definitions,
        long_names_of_versions,
        long_names_of_symbols,
        long_names_of_libraries,
        many_libraries_in_many_places,
        many_notes_in_one_place,
        properties_without_end,
        many_sections_in_one_place,
        long_names_of_sections,
        chain_of_hashes_without_end,
        many_symbol_tables_in_one_place,
        more_program_headers_than_linux_loads,
    ],
    "PE": [
        shared_thunks,
        long_names_of_imports,
        long_names_of_delayed_imports,
        long_names_of_exports,
        shared_resources,
        manifest_without_end,
        identity_without_end,
    ],
    "Mach-O": [
        binds_by_the_million,
        rebases_by_the_million,
        deep_exports,
        long_names_in_a_symbol_table,
        long_names_in_chains,
        chains_that_share_their_pointers,
        many_libraries,
        blobs_that_share_their_bytes,
        many_slices,
        slices_that_are_far_apart,
    ],
}


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are set as Unix does")
@pytest.mark.parametrize("kind", HOSTILE)
def test_reading_checking_and_editing_a_hostile_file_ends_soon(
    kind: str, tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    paths = [tmp_path / make.__name__ for make in HOSTILE[kind]]
    for path, make in zip(paths, HOSTILE[kind], strict=True):
        path.write_bytes(make())
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-300:] + result.stderr[-2000:]
    golden(f"hostile-tables/{kind}.txt", result.stdout)
