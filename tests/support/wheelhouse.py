"""A wheelhouse in the making: packages, their files and how these are linked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mamba_press.types import Entry, File, Kept, Package, Reason, Resolved, Selection, Solution
from mamba_press.vendoring import split
from tests.support.values import TARGET, binary, package

HOME = "_house_prefix/_prefix"
SITE = "lib/python3.10/site-packages"
INIT = b'"""Greets."""\n\nfrom greet._greet import hello\n'


class Wheelhouse:
    """Packages, their files and how these are linked, as the stages before leave them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.packages: dict[str, Package] = {}
        self.kept: list[Kept] = []
        self.entries: list[Entry] = []

    def package(self, name: str, *depends: str, **more: object) -> Wheelhouse:
        self.packages[name] = replace(package(name, *depends), **more)  # type: ignore[arg-type]
        return self

    def file(
        self, of: str, path: str, content: bytes = b"", *, needs: tuple[str, ...] = (), is_binary: bool = False
    ) -> Wheelhouse:
        source = self.root / of / path
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(content)
        facts = binary(path.rpartition("/")[2]) if is_binary or needs or ".so" in path else None
        links = tuple(Resolved(needed=need, where="wheel", path=need) for need in needs)
        file = File(path=path, source=source, package=of, size=len(content))
        kept = Kept(file=file, why=Reason("rule", "a test"), binary=facts, links=links)
        self.kept.append(kept)
        place = path[len(SITE) + 1 :] if path.startswith(SITE) else f"{HOME}/{path}"
        self.entries.append(replace(Entry.of(kept, place), source=source))
        return self

    def python(self, name: str, *depends: str, version: str = "1.0") -> Wheelhouse:
        self.package(name, "python", *depends)
        return self.file(
            name, f"{SITE}/{name}-{version}.dist-info/METADATA", f"Name: {name}\nVersion: {version}\n".encode()
        )

    def solution(self) -> Solution:
        return Solution(
            target=TARGET, packages=tuple(self.packages[name] for name in sorted(self.packages)), channels=()
        )

    def selection(self) -> Selection:
        return Selection(kept=tuple(self.kept), dropped=())

    def members(self) -> dict[str, split.Member]:
        found = split.part(self.entries, self.selection(), self.solution(), "house")
        return {member.package.name: member for member in found}

    def versions(self, stated: object = "") -> dict[str, str]:
        members = tuple(self.members().values())
        found = split.versions(members, [stated] * len(members))
        return {member.package.name: str(found[member.package.name][1]) for member in members}


def greeting(house: Wheelhouse) -> Wheelhouse:
    """An extension that needs libgreet, which needs libword, each of a package of its own."""
    house.python("greet", "libgreet >=1").package("libgreet", "libword").package("libword")
    house.file("greet", f"{SITE}/greet/__init__.py", INIT)
    house.file("greet", f"{SITE}/greet/_greet.so", b"E", needs=("lib/libgreet.so.1",))
    house.file("libgreet", "lib/libgreet.so.1", b"G", needs=("lib/libword.so.1",))
    return house.file("libword", "lib/libword.so.1", b"W")
