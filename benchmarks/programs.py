"""What runs in a process of its own to be measured: ``python -m benchmarks.programs NAME ARGUMENT...``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LEVEL = 6


def _files(tree: str) -> Iterator[tuple[str, Path]]:
    for folder, folders, names in os.walk(tree):
        folders.sort()
        within = Path(folder).relative_to(tree).as_posix()
        for name in sorted(names):
            yield name if within == "." else f"{within}/{name}", Path(folder, name)


def floor(tree: str, codec: str) -> None:
    """What no tool can do without: read, hash and compress every file, on all cores, and write nothing."""
    if codec == "libdeflate":
        from deflate import deflate_compress

        def compress(data: bytes) -> object:
            return deflate_compress(data, LEVEL)
    else:

        def compress(data: bytes) -> object:
            stream = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            return stream.compress(data) + stream.flush()

    def one(path: Path) -> None:
        data = path.read_bytes()
        hashlib.sha256(data).digest()
        zlib.crc32(data)
        compress(data)

    files = sorted((path for _, path in _files(tree)), key=lambda path: -path.stat().st_size)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None) as pool:
        for _ in pool.map(one, files):
            pass


def ours(tree: str, out: str, compression: str = "libdeflate") -> None:
    """`wheel.write` of a tree."""
    _write(dict(_files(tree)), out, compression)


def _write(files: Mapping[str, Path], out: str, compression: str) -> None:
    from packaging.version import Version

    from mamba_press.types import Entry, Wheel
    from mamba_press.wheel import compress, writer

    stem = "tree-1.dist-info"
    about = b"Wheel-Version: 1.0\nGenerator: benchmark\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    own = {"METADATA": b"Metadata-Version: 2.1\nName: tree\nVersion: 1\n", "WHEEL": about}
    entries = [Entry(path=path, source=source) for path, source in files.items()]
    entries += [Entry(path=f"{stem}/{name}", source=data) for name, data in own.items()]
    made = Wheel(name="tree", version=Version("1"), tags="py3-none-any", entries=tuple(entries))
    chosen: compress.Compression = "zlib" if compression == "zlib" else "libdeflate"
    writer.write(made, Path(out), compression=chosen, epoch=None)


def wheelfile(tree: str, out: str) -> None:
    """The same with `wheel.wheelfile`."""
    from wheel.wheelfile import WheelFile

    with WheelFile(Path(out, "tree-1-py3-none-any.whl"), "w") as archive:
        for path, source in _files(tree):
            archive.write(source, path)


def hook(backend: str, out: str) -> None:
    """`build_wheel` of another backend, of the project in the current folder."""
    import importlib

    importlib.import_module(backend).build_wheel(out)


def check(path: str) -> None:
    """`check` of a finished wheel, which must be sound."""
    from mamba_press.audit.check import check as problems
    from mamba_press.errors import WriteError

    WriteError.raise_for(problems(Path(path)))


def elf(tree: str, rounds: str) -> None:
    """Print, as JSON, seconds of CPU in this process: a walk, a scan, copies and edits of what is found in a tree."""
    import mmap

    from mamba_press.platforms import binaries, binary_edits
    from mamba_press.types import Edits

    names = [str(path) for _, path in _files(tree)]
    found = [Path(name) for name in names if _head(name) == b"\x7fELF"]
    scratch = Path(tree).with_name("scratch.bin")
    edits = Edits(search=("$ORIGIN/../../_prefix/lib",), needed=(("libm.so.6", "libm-12345678.so.6"),))

    def scan() -> None:
        for name in names:
            binaries.read_file(Path(name))

    def edit() -> None:
        for path in found:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                result = binary_edits.apply(data, edits)
            scratch.write_bytes(result)

    work: dict[str, Callable[[], object]] = {
        "walk": lambda: [_head(name) for name in names],
        "scan": scan,
        "copy": lambda: [shutil.copyfile(path, scratch) for path in found],
        "read and write": lambda: [scratch.write_bytes(path.read_bytes()) for path in found],
        "edit": edit,
    }
    spent: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(int(rounds) + 1):
        for name, function in work.items():
            start = time.process_time()
            function()
            spent[name].append(time.process_time() - start)
    scratch.unlink()
    print(json.dumps({name: statistics.median(seconds[1:]) for name, seconds in spent.items()} | {"files": len(found)}))


def _head(name: str) -> bytes:
    with open(name, "rb", buffering=0) as file:  # noqa: PTH123 - the cheapest way there is, for this is a floor
        return file.read(4)


def huge_write(root: str) -> None:
    """`wheel.write` of the one file of random bytes, over and over, and of the file of zeros."""
    from benchmarks.huge import COUNT

    sources = {f"big/{number}.bin": Path(root, "random") for number in range(COUNT)}
    _write({**sources, "big/zeros.bin": Path(root, "zeros")}, root, "libdeflate")


def huge_check(root: str) -> None:
    """`check` of the wheel."""
    check(_only(root))


def huge_zipfile(root: str) -> None:
    """What `zipfile` finds: entries that begin beyond 4 GiB, one that is larger, all bytes and checksums."""
    import zipfile

    from benchmarks.huge import COUNT, RANDOM, ZEROS

    with zipfile.ZipFile(_only(root)) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        assert max(info.header_offset for info in infos.values()) > 1 << 32
        assert infos["big/zeros.bin"].file_size == ZEROS
        assert [infos[f"big/{number}.bin"].file_size for number in range(COUNT)] == [RANDOM] * COUNT
        # Reads every file to its end, in parts, and compares CRC-32.
        assert archive.testzip() is None


def huge_installer(root: str) -> None:
    """What `installer` finds, which reads RECORD and unpacks every file."""
    from installer.sources import WheelFile

    with WheelFile.open(Path(_only(root))) as source:
        source.validate_record()


def _only(root: str) -> str:
    (found,) = Path(root).glob("*.whl")
    return str(found)


PROGRAMS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (floor, ours, wheelfile, hook, check, elf, huge_write, huge_check, huge_zipfile, huge_installer)
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](*sys.argv[2:])
