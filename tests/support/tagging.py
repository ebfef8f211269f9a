"""Files and records as values, and the tags of a wheel of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import which
from subprocess import run
from typing import Any, Literal

import pytest
from packaging.utils import parse_wheel_filename

from mamba_press.config.link_table import Link
from mamba_press.config.model import Config
from mamba_press.errors import ContentError
from mamba_press.metadata.tags import tags
from mamba_press.platforms.choose_platform import Machine
from mamba_press.platforms.target import resolve
from mamba_press.types import Binary, Entry, File, Kept, Package, Python, Reason, Requirement, Resolved, Tags, Target
from tests.support.values import specs

SITE = "lib/python3.10/site-packages"
MACHINE = Machine(implementation="cpython", python=Python(minor=10), platform="linux-x86_64", glibc=(2, 36))


EXTENSION = "pkg/_core.cpython-310-x86_64-linux-gnu.so"


def target(platform: str = "linux-64", python: str = "3.10") -> Target:
    """What is pressed for."""
    return resolve(python, platform, {}, MACHINE)


def record(
    name: str = "pkg",
    depends: Sequence[str] = ("python_abi 3.10.* *_cp310", "python >=3.10,<3.11.0a0"),
    noarch: Literal["python", "generic"] | None = None,
    constrains: Sequence[str] = (),
) -> Package:
    """A package, by default one that is built for Python 3.10."""
    return Package(
        name=name, version="1.0", build="0", build_number=0, channel="forge", subdir="linux-64",
        url=f"https://example.org/{name}-1.0-0.conda", file_name=f"{name}-1.0-0.conda", depends=specs(*depends),
        constrains=specs(*constrains), noarch=noarch,
    )  # fmt: skip


def entry(
    path: str, package: str = "pkg", binary: Binary | None = None, links: tuple[Resolved, ...] = (), source: bytes = b""
) -> Entry:
    """A file of a package at a path of the wheel."""
    inside = path.partition("/_prefix/")[2] or f"{SITE}/{path}"
    file = File(path=inside, source=Path("/nowhere"), package=package, size=len(source))
    return replace(Entry.of(Kept(file=file, why=Reason("rule"), binary=binary, links=links), path), source=source)


def elf(
    path: str,
    *demands: str,
    package: str = "pkg",
    where: Literal["system", "wheel"] = "system",
    arch: str | None = "x86_64",
    source: bytes = b"",
) -> Entry:
    """An entry that is an ELF file; ``demands`` are such as ``libc.so.6:GLIBC_2.17,GLIBC_2.14``."""
    pairs = [demand.partition(":")[::2] for demand in demands]
    requires = tuple(Requirement(library=name, versions=tuple(v.split(","))) for name, v in pairs if v)
    links = tuple(Resolved(needed=name, where=where) for name, _ in pairs)
    binary = Binary(format="elf", arch=arch, kind="shared", needed=tuple(n for n, _ in pairs), requires=requires)
    return entry(path, package, binary, links, source)


def tagged(entries: Sequence[Entry], packages: Sequence[Package] = (), to: Target | None = None, **link: Any) -> Tags:
    """The tags of a wheel, which packaging can read; ``link`` is the table of that name."""
    tagging = tags(entries, packages, to or target(), Config(packages=("pkg",), link=Link(**link)))
    parse_wheel_filename(f"demo-1.0-{tagging.tags}.whl", validate_order=True)
    return tagging


def refusal(
    entries: Sequence[Entry], packages: Sequence[Package] = (), to: Target | None = None, **link: Any
) -> ContentError:
    """Why a wheel has no tag."""
    with pytest.raises(ContentError) as caught:
        tagged(entries, packages, to, **link)
    return caught.value


def own_library(folder: Path, name: str, symbol: str) -> bytes:
    """The bytes of a library that exports one name."""
    compiler = which("gcc") or which("cc") or pytest.skip("no C compiler: a library that exports a name is needed")
    (folder / "a.c").write_text(f"void *{symbol}(void) {{ return 0; }}\n")
    run([compiler, "-shared", "-fPIC", "-nostdlib", "-o", str(folder / name), str(folder / "a.c")], check=True)
    return (folder / name).read_bytes()
