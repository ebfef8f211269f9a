"""Wheels of any content, however wrong, written with somebody else's code."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from mamba_press.audit import check
from tests.support import elf as support
from tests.support.compile import Linking, extension_module, module_source, shared_library, zig

INFO = "demo-1.0.dist-info"
METADATA = b"Metadata-Version: 2.4\nName: demo\nVersion: 1.0\nLicense-File: LICENSE\n\nText.\n"
PLATFORM = "manylinux_2_28_x86_64" if os.uname().machine == "x86_64" else f"manylinux_2_28_{os.uname().machine}"
Files = Mapping[str, bytes]


def wheel_text(tags: str = "py3-none-any", *, pure: bool = True, by: str = "mamba-press test") -> bytes:
    return f"Wheel-Version: 1.0\nGenerator: {by}\nRoot-Is-Purelib: {str(pure).lower()}\nTag: {tags}\n".encode()


def files(payload: Files | None = None, **changed: bytes) -> dict[str, bytes]:
    """The files of a sound wheel; ``METADATA=…`` changes one of ``.dist-info``."""
    info = {"METADATA": METADATA, "WHEEL": wheel_text(), "licenses/LICENSE": b"Do.\n", **changed}
    return {**(payload or {"demo/__init__.py": b""}), **{f"{INFO}/{name}": data for name, data in info.items()}}


def record(content: Files) -> bytes:
    lines = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in content.items()]
    return "\n".join([*lines, f"{INFO}/RECORD,,", ""]).encode()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def make(folder: Path, content: Files, name: str = "demo-1.0-py3-none-any.whl", listed: bytes | None = None) -> Path:
    """Write any wheel, however wrong, with somebody else's code."""
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, data in {**content, f"{INFO}/RECORD": record(content) if listed is None else listed}.items():
            archive.writestr(zipfile.ZipInfo(one), data, zipfile.ZIP_DEFLATED)
    return path


def said(path: Path, **options: object) -> str:
    return "\n".join(map(str, check.check(path, **options)))  # type: ignore[arg-type]


def rewritten(path: Path, change: Callable[[zipfile.ZipInfo], None]) -> Path:
    """Write the archive again with the headers of its first entry changed."""
    with zipfile.ZipFile(path) as archive:
        content = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (info, data) in enumerate(content):
            if not number:
                change(info)
            archive.writestr(info, data)
    return path


FOREIGN = wheel_text(by="bdist_wheel (0.45)")


def compiled(tmp_path: Path, linking: Linking | None = None, **more: Path) -> Path:
    """A wheel with an extension that needs ``libinner.so.1`` of the wheel, linked as told."""
    build = tmp_path / "build"
    inner = shared_library(
        build / "libinner.so.1", "int inner(void) { return 42; }",
        Linking(soname="libinner.so.1", version_script="INNER_1 { global: inner; local: *; };"),
    )  # fmt: skip
    linking = linking or Linking(needed=(inner,), rpath="$ORIGIN/../demo/lib")
    text = module_source("demo_ext", "PyLong_FromLong(inner())", "int inner(void);")
    ext = extension_module(build, "demo_ext", text, linking, python=Path(sys.executable))
    tag = f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}-{PLATFORM}"
    payload = {"demo/__init__.py": b"from demo import demo_ext\n", f"demo/{ext.name}": ext.read_bytes()}
    payload["demo/lib/libinner.so.1"] = inner.read_bytes()
    payload.update({path.replace("__", "/"): found.read_bytes() for path, found in more.items()})
    return make(tmp_path, files(payload, WHEEL=wheel_text(tag, pure=False)), name=f"demo-1.0-{tag}.whl")


def foreign(folder: Path, target: str, *, needs: str = "libinner.so.1") -> bytes:
    """A library for another machine that needs one which is not there."""
    flags: tuple[str, ...] = ("-nostdlib",)
    if "windows" in target:
        start = "int __stdcall DllMainCRTStartup(void *a, int b, void *c) { return 1; }"
        flags = ("-nostdlib", f"-Wl,--out-implib,{folder / 'inner.lib'}")
        text = "__declspec(dllexport) int two(void) { return 2; }" + start
        shared_library(folder / needs, text, Linking(flags=flags), toolchain=zig(folder, target))
        linking = Linking(flags=("-nostdlib", str(folder / "inner.lib")))
        text = "int two(void); __declspec(dllexport) int value(void) { return two(); }" + start
        return shared_library(folder / "outer.dll", text, linking, toolchain=zig(folder, target)).read_bytes()
    linking = Linking(soname=needs, flags=flags)
    inner = shared_library(folder / needs, "int two(void) { return 2; }", linking, toolchain=zig(folder, target))
    linking = Linking(needed=(inner,), flags=flags)
    text = "int two(void); int value(void) { return two(); }"
    return shared_library(folder / "libouter.so", text, linking, toolchain=zig(folder, target)).read_bytes()


def of_platform(folder: Path, path: str, data: bytes, platform: str) -> Path:
    content = files({path: data}, WHEEL=wheel_text(f"py3-none-{platform}", pure=False))
    return make(folder, content, f"demo-1.0-py3-none-{platform}.whl")


def elf(*needed: str) -> bytes:
    """A library for x86_64 that needs others, as small as one can be."""
    names = b"\0".join([b"", *(name.encode() for name in needed), b""])
    places = [names.index(b"\0" + name.encode() + b"\0") + 1 for name in needed]
    return support.elf({"strings": names}, [(support.NEEDED, place) for place in places])
