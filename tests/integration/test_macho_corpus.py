"""The Mach-O editor over every real file at hand, held to LLVM, LIEF and a signature check of other people's making."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mamba_press.audit import second_reader
from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.macos import macho
from mamba_press.types import Binary, Edits
from tests.support import shared
from tests.support.corpus import archives, contents
from tests.support.macho import signature

pytestmark = [pytest.mark.real, pytest.mark.slow]

CHECKER = shared.SHARED / "tools" / "macho_sigcheck.py"

WHEELS = {
    "macosx_11_0_arm64": ("numpy", "pillow", "shapely", "h5py", "cffi", "psycopg2-binary"),
    "macosx_10_15_x86_64": ("numpy", "pillow", "shapely", "h5py", "pyproj", "scipy"),
    "macosx_11_0_universal2": ("lxml", "grpcio", "kiwisolver", "pyzmq", "orjson", "pyobjc-core"),
}
OLDER = ("macosx_10_9_x86_64", "macosx_10_10_x86_64", "macosx_10_13_x86_64", "macosx_10_14_x86_64")
SECONDS = 20


@dataclass(frozen=True)
class Sample:
    """A real file: where it is from, and its bytes."""

    name: str
    data: bytes
    binary: Binary


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """All Mach-O files of the channel, and of wheels where PyPI can be reached."""
    folder = tmp_path_factory.mktemp("wheels")
    found = [*_channel(), *_wheels(folder)]
    samples = [Sample(name, data, binary) for name, data in found if (binary := binaries.read(data)) and binary.arch]
    return [sample for sample in samples if sample.binary.kind != "static"]


def _channel() -> Iterator[tuple[str, bytes]]:
    for path in archives(shared.channel("forge") / "osx-arm64"):
        for name, data in contents(path):
            yield from _macho(f"{path.name}: {name}", data)


def _wheels(folder: Path) -> Iterator[tuple[str, bytes]]:
    for platform, names in WHEELS.items():
        platforms = [platform, *(OLDER if "x86_64" in platform else ("macosx_10_9_universal2",))]
        for name in names:
            command = [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:", "--no-deps"]
            command += [part for each in platforms for part in ("--platform", each)]
            command += ["--python-version", "3.11", "-d", str(folder / platform), name]
            try:
                subprocess.run(command, check=False, capture_output=True, timeout=SECONDS)
            except subprocess.TimeoutExpired:
                return
    for path in sorted(folder.glob("*/*.whl")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield from _macho(f"{path.name}: {name}", archive.read(name))


def _macho(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if binaries.format_of(data[:8]) == "macho":
        yield name, data


def relocation(binary: Binary, folder: str, search: str) -> Edits:
    """What a press does: a new name, hashed names of dependencies, one search path."""
    needed = tuple(
        (name, f"@loader_path/{folder}/{name.rpartition('/')[2].removesuffix('.dylib')}-0123abcd.dylib")
        for name in binary.needed
        if not name.startswith(("/usr/lib/", "/System/"))
    )
    return Edits(name="@rpath/lib-0123abcd.dylib" if binary.name else None, needed=needed, search=(search,), sign=True)


def short(binary: Binary) -> Edits:
    return relocation(binary, "../lib", "@loader_path")


def long(binary: Binary) -> Edits:
    return relocation(binary, "../../some_package/_prefix/lib", "@loader_path/" + "folder/" * 90)


def test_corpus_is_large(corpus) -> None:
    assert len(corpus) >= 100
    assert {sample.binary.kind for sample in corpus} == {"shared", "program"}


def test_originals_have_no_structural_fault(corpus) -> None:
    faults = {sample.name: binary_edits.layout_problems(sample.data) for sample in corpus}
    real = {name: [f for f in found if "not signed" not in f and "twice" not in f] for name, found in faults.items()}
    assert {name: found for name, found in real.items() if found} == {}


@pytest.mark.parametrize("ask", [short, long])
def test_every_file_is_relocated_soundly(corpus, ask) -> None:
    grown = total = 0
    for sample in corpus:
        edits = ask(sample.binary)
        result = binary_edits.apply(sample.data, edits)
        found = binaries.read(result)
        assert found, sample.name
        assert found.search == edits.search, sample.name
        assert not set(found.needed) & {old for old, _ in edits.needed}, sample.name
        assert binary_edits.layout_problems(result) == (), sample.name
        assert binary_edits.apply(result, edits) is result, sample.name
        for part in macho.slices(result):
            piece = result[part.offset : part.offset + part.size]
            signed = signature(piece)
            assert (signed is None) == (part.arch == "x86_64" and signature(_slice(sample.data, part.cpu)) is None)
            assert signed is None or (signed.bad_pages, signed.flags & 0x20002) == (0, 2), sample.name
        grown, total = grown + len(result) - len(sample.data), total + len(sample.data)
    assert grown / total < 0.03


@pytest.mark.parametrize("ask", [short, long])
def test_a_second_reader_reads_every_edited_file_alike(corpus, ask) -> None:
    pytest.importorskip("lief", reason="LIEF is what reads a second time")
    with second_reader.beside() as reader:
        for number, sample in enumerate(corpus):
            reader.offer(f"{number}: {sample.name}", binary_edits.apply(sample.data, ask(sample.binary)))
        verdict = reader.verdict({})
    assert [str(problem) for problems in verdict.problems.values() for problem in problems] == []
    assert (verdict.notes, verdict.agreed) == ((), len(corpus))


def _slice(data: bytes, cpu: int) -> bytes:
    part = next(part for part in macho.slices(data) if part.cpu == cpu)
    return data[part.offset : part.offset + part.size]


def test_signatures_pass_a_check_of_other_peoples_making(corpus, tmp_path) -> None:
    if not CHECKER.is_file():
        pytest.skip("the signature check is not here")
    paths = []
    for number, sample in enumerate(corpus):
        if "arm64" in sample.binary.archs and len(sample.binary.archs) == 1:
            paths.append(tmp_path / str(number))
            paths[-1].write_bytes(binary_edits.apply(sample.data, short(sample.binary)))
    done = subprocess.run([sys.executable, CHECKER, *paths], check=False, capture_output=True, text=True)
    assert [line for line in done.stdout.splitlines() if not line.startswith("OK")] == []
    assert done.returncode == 0
    assert done.stdout.count("OK ") == len(paths)


def test_llvm_sees_the_same_binds_exports_and_rebases_after_an_edit_in_place(corpus, tmp_path) -> None:
    if not shutil.which("llvm-objdump"):
        pytest.skip("llvm-objdump is not on this machine")
    compared = 0
    for sample in corpus:
        result = binary_edits.apply(sample.data, short(sample.binary))
        if _extent(result) == _extent(sample.data):
            assert _objdump(tmp_path, result) == _objdump(tmp_path, sample.data), sample.name
            compared += 1
    assert compared > 100


def _room(data: bytes) -> list[int]:
    return [macho.room(image).available for image in macho.images(data)]


def _extent(data: bytes) -> list[int]:
    """How large the segment with the header is, in each slice: it grows by as much as its content moves."""
    found = ([each for each in image.segments if not each.offset and each.file_size] for image in macho.images(data))
    return [segments[0].memory_size for segments in found]


def _objdump(folder: Path, data: bytes) -> list[list[str]]:
    """The tables of every slice, without the column that names the library: it is what was changed."""
    path = folder / "file"
    path.write_bytes(data)
    tables = ["--rebase", "--bind", "--lazy-bind", "--weak-bind", "--exports-trie"]
    options = ["--macho", "--arch", "all", *tables]
    done = subprocess.run(["llvm-objdump", *options, path], check=True, capture_output=True, text=True)
    assert "malformed" not in done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return [[*words[:3], words[-1]] if words[:1] and words[0].startswith("__") else words for words in lines]


def test_lief_sees_the_same_libraries_of_the_same_symbols(corpus) -> None:
    for sample in corpus:
        edits = long(sample.binary)
        names = dict(edits.needed)
        result = binary_edits.apply(sample.data, edits)
        for before, after in zip(_thin(sample.data), _thin(result), strict=True):
            wanted = [(symbol, names.get(name, name)) for symbol, name in _bound(before)]
            assert _bound(after) == wanted, sample.name


def test_lief_finds_everything_where_it_has_moved(corpus) -> None:
    """Rebases, binds, exports, symbols, functions, data in code and unwinding, where there was no room."""
    moved = 0
    for sample in corpus:
        result = binary_edits.apply(sample.data, long(sample.binary))
        for before, after in zip(_thin(sample.data), _thin(result), strict=True):
            first, by = _room(before)[0], _extent(after)[0] - _extent(before)[0]
            if by:
                assert _places(after, 0, 0) == _places(before, first, by), sample.name
                # Code that asks for its own header finds it there.
                assert after[by : by + 4] == before[:4], sample.name
                moved += 1
    # Few of the channel's files have too little room; PyPI's are not always at hand.
    assert moved > 10 or not any(".whl" in sample.name for sample in corpus)


def _thin(data: bytes) -> list[bytes]:
    return [data[part.offset : part.offset + part.size] for part in macho.slices(data) if part.arch]


def _parsed(data: bytes):
    lief = pytest.importorskip("lief", reason="LIEF is what reads the results")
    lief.logging.disable()
    return lief, lief.MachO.parse(data, lief.MachO.ParserConfig.deep)


def _bound(data: bytes) -> list[tuple[str, str]]:
    _, fat = _parsed(data)
    binary = fat.at(0)
    return sorted(
        (each.symbol.name if each.has_symbol else "", each.library.name if each.has_library else "")
        for each in binary.bindings
    )


def _places(data: bytes, first: int, by: int) -> dict[str, list]:
    lief, fat = _parsed(data)
    binary = fat.at(0)
    base = next(each.virtual_address for each in binary.segments if not each.file_offset and each.file_size)

    def at(address: int) -> int:
        return address + by if address >= base + first else address

    fixup = lief.MachO.RelocationFixup
    addressed = (0x24, 0x26, 0x28, 0x2E)
    return {
        "rebases": sorted((at(r.address), at(r.target) if isinstance(r, fixup) else 0) for r in binary.relocations),
        "binds": sorted((at(each.address), each.symbol.name if each.has_symbol else "") for each in binary.bindings),
        "exports": sorted(
            (each.name, at(each.export_info.address + base), each.export_info.flags)
            for each in binary.symbols
            if each.has_export_info and not each.export_info.alias_library
        ),
        "symbols": [
            (each.name, at(each.value))
            for each in binary.symbols
            if (each.raw_type in addressed and each.numberof_sections)
            or (each.raw_type & 0xE == 0xE and not each.raw_type & 0xE0)
        ],
        "functions": [at(base + each) for each in binary.function_starts.functions] if binary.function_starts else [],
        "unwinding": sorted(at(each.address) for each in binary.unwind_functions),
        "data in code": [at(base + each.offset) for each in binary.data_in_code.entries] if binary.data_in_code else [],
        "sections": [(each.name, at(each.virtual_address), each.size) for each in binary.sections],
    }
