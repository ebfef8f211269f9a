"""Values for tests of the stages: an installed prefix with small files, packages, what a binary says of itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from mamba_press.conda.match_specs import read
from mamba_press.machine import System
from mamba_press.platforms.protocol import Demand
from mamba_press.types import Binary, Entry, Environment, File, Kept, Package, Python, Reason, Resolved, Spec, Target
from tests.support.compile import Linking, program, shared_library

TARGET = Target(system="linux", arch="x86_64", subdir="linux-64", python=Python(minor=10), floor=(2, 36))
"""Whatever x86_64 Linux turns out to be enough."""


def specs(*texts: str) -> tuple[Spec, ...]:
    """Lines of a record as values; a test of the worker holds these to what rattler reads."""
    return tuple(map(read, texts))


def package(
    name: str, *depends: str, requested: bool = False, noarch: Literal["python", "generic"] | None = None
) -> Package:
    """A record with only what decides about files."""
    return Package(
        name=name,
        version="1.0",
        build="0",
        build_number=0,
        channel="test",
        subdir="linux-64",
        url=f"https://example.org/{name}-1.0-0.conda",
        file_name=f"{name}-1.0-0.conda",
        depends=specs(*depends),
        noarch=noarch,
        requested=requested,
    )


@dataclass
class Prefix:
    """An installed prefix that grows file by file; the packages are added with the first of their files."""

    root: Path
    packages: dict[str, Package] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)

    def package(self, name: str, *depends: str, requested: bool = False) -> Prefix:
        """Add a package."""
        self.packages[name] = package(name, *depends, requested=requested)
        return self

    def add(self, path: str, content: bytes | str | Path = b"", *, of: str, executable: bool = False) -> File:
        """Add a file to a package; a second one at a path lies elsewhere, as an installer would do it."""
        source = self.root / path
        if source.exists():
            source = source.with_name(f"{source.name}__clobber-from-{of}")
        source.parent.mkdir(parents=True, exist_ok=True)
        data = content.read_bytes() if isinstance(content, Path) else content
        source.write_bytes(data.encode() if isinstance(data, str) else data)
        size = source.stat().st_size
        return self._added(File(path=path, source=source, package=of, size=size, executable=executable))

    def link(self, path: str, to: str, *, of: str) -> File:
        """Add a symlink to the file of the prefix at which it ends."""
        source = self.root / path
        source.parent.mkdir(parents=True, exist_ok=True)
        source.symlink_to(os.path.relpath(self.root / to, source.parent))
        end = self.root / to
        return self._added(File(path=path, source=end, package=of, size=end.stat().st_size, link=to))

    def environment(self) -> Environment:
        """The prefix as `fetch.environment` hands it on."""
        files = tuple(sorted(self.files, key=lambda file: (file.path, file.package)))
        return Environment(prefix=self.root, files=files, packages=tuple(self.packages.values()), info={})

    def _added(self, file: File) -> File:
        self.packages.setdefault(file.package, package(file.package))
        self.files.append(file)
        return file


@dataclass(frozen=True)
class Libraries:
    """Real, tiny ELF files, each made once."""

    folder: Path

    @cached_property
    def _made(self) -> dict[tuple[object, ...], Path]:
        return {}

    def library(self, soname: str | None = None, *needed: str, source: str = "", **linking: str) -> Path:
        """A library with a SONAME, or none, that needs libraries by these names and nothing else."""
        key = (soname, needed, source, tuple(sorted(linking.items())))
        if key not in self._made:
            stubs = tuple(self.library(name) for name in needed)
            path = self.folder / str(len(self._made)) / (soname or "plugin.so")
            flags = ("-nostdlib",)
            self._made[key] = shared_library(path, source, Linking(soname=soname, needed=stubs, flags=flags, **linking))
        return self._made[key]

    def program(self, *needed: str) -> Path:
        """A program that needs libraries by these names, and libc."""
        key = ("program", needed)
        if key not in self._made:
            stubs = tuple(self.library(name) for name in needed)
            path = self.folder / f"program-{len(self._made)}"
            self._made[key] = program(path, "int main(void) { return 0; }", Linking(needed=stubs))
        return self._made[key]


def demand(
    runtime: str,
    system: System,
    *,
    arch: str = "",
    python: Python | None = None,
    symbols: frozenset[str] = frozenset(),
    floor: tuple[int, int] = (0, 0),
    of_copy: tuple[int, int] = (0, 0),
    **more: object,
) -> Demand:
    """What is demanded of a compiler's runtime on the usual machine of a system."""
    usual = {"linux": "x86_64", "osx": "arm64", "win": "amd64"}[system]
    target = replace(TARGET, system=system, arch=arch or usual, python=python or TARGET.python)
    asked: dict[str, object] = {"runtime": runtime, "target": target, "wanted": "auto", **more}
    return Demand(symbols=lambda: symbols, floor=lambda: floor, of_copy=lambda: of_copy, **asked)  # type: ignore[arg-type]


def binary(name: str | None = None, *needed: str, **facts: object) -> Binary:
    """What a reader says of an x86_64 library."""
    plain = Binary(format="elf", arch="x86_64", kind="shared", name=name, needed=needed)
    return replace(plain, **facts)  # type: ignore[arg-type]


def entry(
    file: File, path: str | None = None, facts: Binary | None = None, links: Mapping[str, str] | None = None
) -> Entry:
    """An entry as `layout.place` makes it; ``links`` leads from needed names to paths of the prefix."""
    found: Sequence[Resolved] = [
        Resolved(needed=name, where="wheel", path=end) if end else Resolved(needed=name, where="system")
        for name, end in (links or {}).items()
    ]
    kept = Kept(file=file, why=Reason("rule", "a test"), binary=facts, links=tuple(found))
    return Entry.of(kept, path or f"home/_prefix/{file.path}")
