"""Make what is pressed: real files of well known wheels and of the standard library, packed as conda packages.

The same files stand in two channels. In ``patched`` the binaries are as conda packages have them, with a search path to
the prefix's ``lib``, so that pressing edits every one; in ``plain`` they already are as they will be in the wheel.
Each channel's packages have a build string of their own: of two archives of one name a package cache keeps the last.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mamba_press.wheel import entry_cache
from tests.support.channel import CondaPackage, python_abi, python_package, write_channel

WHEELS = ("numpy",)
FULL = ("numpy", "scipy", "pyarrow")
BUILD_SYSTEM = """\
[build-system]
requires = ["mamba-press"]
build-backend = "mamba_press.build"
"""
"""How the pyproject.toml of a project begins that is pressed."""

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
SITE = f"lib/python{VERSION}/site-packages"
STDLIB = "bench-stdlib"
ROOT = Path(__file__).parents[1]
FORM = 2
"""What a payload is made of and how: one of another form is made again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """Where the payload is: ``unlinked`` is a wheel whose libraries, in ``libraries``, are yet to be grafted.

    ``plain`` and ``patched`` are channels, ``tree`` is what a wheel pressed from them holds.
    """

    root: Path
    packages: tuple[str, ...]

    @property
    def plain(self) -> Path:
        """The channel whose binaries need no edit."""
        return self.root / "plain"

    @property
    def patched(self) -> Path:
        """The channel whose binaries all need one."""
        return self.root / "patched"

    @property
    def tree(self) -> Path:
        """The files of the plain channel as a wheel has them."""
        return self.root / "tree"

    @property
    def libraries(self) -> Path:
        """The shared libraries that the wheels brought."""
        return self.root / "libraries"

    @property
    def cache(self) -> Path:
        """The package cache of all presses."""
        return self.root / "cache"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of everything that is measured."""
        return {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "RATTLER_CACHE_DIR": str(self.cache), "CI": ""}

    def forget(self) -> None:
        """Remove what earlier presses compressed: the next one is a first press."""
        entry_cache.empty(self.cache / entry_cache.FOLDER)

    def press(self, channel: Path, out: Path, names: Sequence[str] = ()) -> list[str]:
        """The command that presses packages of a channel, all of the payload's by default."""
        chosen = names or self.packages
        options = ["-c", str(channel), "--python", VERSION, "-o", str(out), "--name", chosen[0]]
        return [sys.executable, "-m", "mamba_press", "press", *options, *chosen]

    def out(self, name: str) -> Path:
        """A folder for what one program writes."""
        folder = self.root / "out" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def facts(self) -> dict[str, object]:
        """How much there is of it."""
        files = [path for path in self.tree.rglob("*") if path.is_file()]
        return {
            "files": len(files),
            "MB": round(sum(path.stat().st_size for path in files) / 1e6, 1),
            "binaries": sum(is_elf(path) for path in files),
            "packages": len(self.packages),
        }


def make(root: Path, *, full: bool) -> Payload:
    """Return the payload below ``root``, made unless it is there."""
    names = FULL if full else WHEELS
    payload = Payload(root=root, packages=(*names, STDLIB))
    done = root / "done.json"
    said = {"form": FORM, "packages": list(payload.packages)}
    if done.exists() and json.loads(done.read_text()) == said:
        return payload
    shutil.rmtree(root, ignore_errors=True)
    for name in names:
        _unpack(root, name)
    _copy_stdlib(root / "unpacked" / STDLIB)
    _write_plain(payload)
    _write_patched(payload)
    _write_tree(payload)
    done.write_text(json.dumps(said))
    return payload


def is_elf(path: Path) -> bool:
    """Whether a file says that it is ELF."""
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def binaries(folder: Path) -> list[Path]:
    """All ELF files below a folder."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and is_elf(path)]


def only_wheel(folder: Path) -> Path:
    """The one wheel that is in a folder."""
    (found,) = folder.glob("*.whl")
    return found


def _unpack(root: Path, name: str) -> None:
    wheels = root / "wheels"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(wheels)]
    subprocess.run([*command, name], check=True)
    with zipfile.ZipFile(next(wheels.glob(f"{name}-*.whl"))) as archive:
        archive.extractall(root / "unpacked" / name)


def _copy_stdlib(to: Path) -> None:
    skip = shutil.ignore_patterns("__pycache__", "site-packages", "config-*", "*.pyc", "*.so")
    shutil.copytree(sysconfig.get_path("stdlib"), to, ignore=skip, symlinks=True)


def _version(root: Path, name: str) -> str:
    return next((root / "wheels").glob(f"{name}-*.whl")).name.split("-")[1]


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        # A wheel's name for a file is no name for another's RECORD.
        if path.is_file() and not path.is_symlink() and path.suffix != ".pyc":
            yield path.relative_to(folder).as_posix(), path


def _package(payload: Payload, name: str, folder: Path, build: str, depends: tuple[str, ...] = ()) -> CondaPackage:
    if name == STDLIB:
        files = {f"share/{STDLIB}/{path}": source for path, source in _files(folder)}
        return CondaPackage(name=name, version=VERSION, build=build, noarch="generic", files=files)
    needs = (f"python {VERSION}.*", f"python_abi {VERSION}.*", *depends)
    files = {f"{SITE}/{path}": source for path, source in _files(folder)}
    return CondaPackage(name=name, version=_version(payload.root, name), build=build, depends=needs, files=files)


def _write_plain(payload: Payload) -> None:
    """Write the channel in which libraries stand where the wheels had them, found by DT_RUNPATH."""
    root = payload.root
    for path in binaries(root / "unpacked"):
        found = subprocess.run(["patchelf", "--print-rpath", path], check=True, capture_output=True, text=True)
        if found.stdout.strip():
            subprocess.run(["patchelf", "--set-rpath", found.stdout.strip(), path], check=True)
    packages = [_package(payload, name, root / "unpacked" / name, "plain_0") for name in payload.packages]
    write_channel(payload.plain, [*packages, python_package(VERSION), python_abi(VERSION)])


def _write_patched(payload: Payload) -> None:
    """Write the channel in which libraries are packages of their own, in ``lib``, and every binary looks there."""
    root, work = payload.root, payload.root / "conda"
    shutil.copytree(root / "unpacked", work)
    payload.libraries.mkdir()
    packages = []
    for name in payload.packages:
        folder = work / name
        libraries = {}
        for place in (folder / f"{name}.libs", folder / name):
            for path in sorted(place.glob("*.so*")):
                if path.name.startswith("lib"):
                    libraries[f"lib/{path.name}"] = Path(shutil.move(path, payload.libraries / path.name))
        for path in binaries(folder):
            up = os.path.relpath(".", Path(SITE, path.relative_to(folder)).parent)
            subprocess.run(["patchelf", "--force-rpath", "--set-rpath", f"$ORIGIN/{up}/lib", path], check=True)
        for library in libraries.values():
            subprocess.run(["patchelf", "--force-rpath", "--set-rpath", "$ORIGIN/.", library], check=True)
        depends: tuple[str, ...] = ()
        if libraries:
            packages.append(CondaPackage(name=f"{name}-libs", version="1", build="patched_0", files=libraries))
            depends = (f"{name}-libs",)
        packages.append(_package(payload, name, folder, "patched_0", depends))
    write_channel(payload.patched, [*packages, python_package(VERSION), python_abi(VERSION)])


def _write_tree(payload: Payload) -> None:
    command = payload.press(payload.plain, payload.out("tree"))
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **payload.environ})
    with zipfile.ZipFile(only_wheel(payload.out("tree"))) as archive:
        archive.extractall(payload.tree)
