"""Which files are reached: a walk from the roots along all that is needed, or opened by name."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from mamba_press import globs, messages, platforms
from mamba_press.errors import Problem
from mamba_press.platforms import binaries
from mamba_press.types import OWN, Binary, Dropped, File, Package, Reason, Resolved
from mamba_press.vendoring import resolve
from mamba_press.vendoring.select.packages import closure

_PROGRAMS = ("bin/", "sbin/", "libexec/", "Library/bin/", "Scripts/")
_DATA = Reason("rule", "data of a dependency")


def without_missing(search: Search, rules: resolve.Rules) -> tuple[Search, tuple[Dropped, ...]]:
    """Let the plugins leave that need, perhaps through others, a library that is nowhere, or that the tag lacks.

    What cannot be found for a file that is no plugin stays as it is, and will be an error.
    """
    gone: dict[str, Dropped] = {}
    while True:
        reached = search.run(rules)
        leaves = search.hopeless(reached)
        if not leaves:
            return search, tuple(gone[path] for path in sorted(gone))
        for path, why in leaves.items():
            file = search.candidates[path]
            gone[path] = Dropped(package=file.package, path=path, size=file.size, why=why)
        search = replace(search, candidates={p: file for p, file in search.candidates.items() if p not in gone})


def lost_links(search: Search, reached: Reached) -> Iterator[str]:
    """Name the symlinks to libraries from elsewhere than the library folder: what opens them finds nothing there."""
    lost = [
        (path, end)
        for path, file in sorted(search.candidates.items())
        if file.package in search.requested
        and path not in reached.reasons
        and (end := search.real(path)) in reached.reasons
        if end != path and posixpath.dirname(path) not in ("lib", posixpath.dirname(end))
    ]
    if lost:
        path, end = lost[0]
        yield (
            f"{path} is a link to {end}: wheels have no links, and of a library there is one copy"
            + messages.others(len(lost) - 1)
            + f'; if something opens it there, let it lie there: layout.move = {{ "{end}" = "…" }}'
        )


@dataclass(slots=True)
class Reached:
    """The outcome of one walk; the only value here that grows, and only while `Search.run` makes it."""

    reasons: dict[str, Reason] = field(default_factory=dict)
    links: dict[str, tuple[Resolved, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    missing: dict[str, Reason] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """All that decides what is reached; ``opened`` holds the libraries that a file names, by its path."""

    prefix: resolve.Prefix
    candidates: Mapping[str, File]
    facts: Mapping[str, Binary]
    requested: frozenset[str]
    opened: Mapping[str, tuple[str, ...]]
    include: tuple[str, ...]
    unused: Literal["keep", "drop"] | None = None
    programs: frozenset[str]
    packages: Mapping[str, Package]
    host: frozenset[str]
    drops: tuple[str, ...] = ()

    def left(self, reached: Reached) -> tuple[Dropped, ...]:
        """Return what is not reached, and why."""
        present = frozenset(self.candidates[path].package for path in reached.reasons)
        return tuple(
            Dropped(package=file.package, path=path, size=file.size, why=self.why_left(path, present))
            for path, file in sorted(self.candidates.items())
            if path not in reached.reasons
        )

    def real(self, path: str) -> str:
        """Return the path of the file itself, where a link ends."""
        return self.candidates[path].link or path

    def run(self, rules: resolve.Rules) -> Reached:
        """Walk from the roots along every needed library that is in the wheel."""
        reached = Reached()
        by_package: dict[str, list[str]] = {}
        for path, file in self.candidates.items():
            by_package.setdefault(file.package, []).append(path)
        todo: list[tuple[str, Reason]] = []
        active: set[str] = set()
        whole = {name for name, paths in by_package.items() if not any(path in self.facts for path in paths)}
        only_host = closure(self.host, self.packages).keys() - closure(self.requested, self.packages).keys()
        for package, paths in sorted(by_package.items()):
            if package in self.requested:
                active.add(package)
                why = Reason("rule", "of the project" if package == OWN else "of a requested package")
                todo += [(path, why) for path in paths if self._stays_by_itself(path)]
            elif package in whole and package not in only_host:
                active.add(package)
                todo += [(path, _DATA) for path in paths if not self._is_alias(path)]
            elif self.unused == "keep":
                active.add(package)
                todo += [(path, reason) for path in paths if (reason := self._comes_along(path))]
        todo += [(path, Reason("included")) for path in self.candidates if globs.matches(path, self.include)]
        todo += [(path, Reason("rule", "wheel.executables")) for path in self.candidates if path in self.programs]
        todo.reverse()
        while todo:
            path, why = todo.pop()
            if path in reached.reasons:
                continue
            reached.reasons[path] = why
            package = self.candidates[path].package
            # Data that the user asked for brings no more of its package with it.
            if package not in active and (why.kind != "included" or self.real(path) in self.facts):
                active.add(package)
                todo += [(other, reason) for other in by_package[package] if (reason := self._comes_along(other))]
                data = (closure((package,), self.packages).keys() & whole) - active
                active |= data
                todo += [(p, _DATA) for each in sorted(data) for p in by_package[each]]
            todo += self._needs(path, rules, reached)
            opened = (library for library in self.opened.get(path, ()) if library in self.candidates)
            todo += [(library, Reason("rule", f"opened by name by {path}")) for library in opened]
        return reached

    def _stays_by_itself(self, path: str) -> bool:
        """Whether a file of a requested package stays though nothing needs it."""
        if self.candidates[path].package == OWN:
            return True
        if self._is_alias(path):
            return False
        return self.unused != "drop" or not self._is_plain_library(path)

    def _is_plain_library(self, path: str) -> bool:
        """Whether a file is a library that is there to be linked to, which is no plugin and no program."""
        binary = self.facts.get(self.real(path))
        if binary is None or binary.arch is None or binary.kind != "shared":
            return False
        return not _is_plugin(path, binary) and not self._is_alias(path)

    def hopeless(self, reached: Reached) -> dict[str, Reason]:
        """Return the plugins that cannot be loaded since something they need, perhaps through others, is nowhere."""
        lacks = dict(reached.missing)
        users = {
            path: tuple(link.path for link in links if link.where == "wheel" and link.path)
            for path, links in reached.links.items()
        }
        while more := {p: why for p, ends in users.items() if p not in lacks for e in ends if (why := lacks.get(e))}:
            lacks |= more
        return {path: why for path, why in lacks.items() if self._is_optional(path)}

    def _is_optional(self, path: str) -> bool:
        """Whether a file is a plugin without which the rest works; an extension of a requested package is none."""
        binary = self.facts[self.real(path)]
        if binary.kind != "shared" or not _is_plugin(path, binary):
            return False
        file = self.candidates[path]
        if file.package not in self.requested:
            return True
        exports = binaries.symbols(file.source.read_bytes()).exports
        return not any(name.lstrip("_").startswith("PyInit_") for name in exports)

    def _needs(self, path: str, rules: resolve.Rules, reached: Reached) -> list[tuple[str, Reason]]:
        binary = self.facts.get(self.real(path))
        if binary is None or binary.arch is None:
            return []
        file = self.candidates[path]

        def present(found: str) -> bool:
            library = self.facts.get(found) if found in self.candidates else None
            return library is not None and library.kind == "shared" and library.arch == binary.arch

        links, lacks = resolve.resolve(binary, file, prefix=self.prefix, rules=rules, present=present)
        reached.links[path] = links
        reached.problems += [lack.problem for lack in lacks]
        for lack in lacks:
            if lack.key in self.drops:
                reached.missing.setdefault(path, Reason("rule", f"link.{lack.key}: {path} {lack.short}"))
        return [(link.path, Reason("needed", path)) for link in links if link.path]

    def _is_alias(self, path: str) -> bool:
        """Whether a path is only another name of a library, or a linker script that stands for one."""
        end = self.real(path)
        if self._is_copy(path):
            return True
        if end in self.facts:
            return end != path and self.facts[end].kind == "shared" and not path.startswith(_PROGRAMS)
        name = posixpath.basename(end)
        return name.startswith("lib") and name.endswith((".so", ".tbd"))

    def _is_copy(self, path: str) -> bool:
        """Whether a DLL is beside ``python.exe`` what the package also has in ``Library/bin``."""
        binary, other = self.facts.get(path), self.candidates.get(f"Library/bin/{path}")
        if binary is None or "/" in path or other is None:
            return False
        return other.sha256 is not None and other.sha256 == self.candidates[path].sha256

    def _comes_along(self, path: str) -> Reason | None:
        """Return why a file of a dependency stays once anything of its package does, or None."""
        if self._is_alias(path) or path.startswith(_PROGRAMS):
            return None
        binary = self.facts.get(self.real(path))
        if binary is None:
            return _DATA
        if binary.kind == "shared" and _is_plugin(path, binary):
            return Reason("rule", "plugin of a dependency")
        is_kept = self.unused == "keep" and self._is_plain_library(path)
        return Reason("rule", "link.unused-libraries") if is_kept else None

    def why_left(self, path: str, present: frozenset[str]) -> Reason:
        """Return by which rule a candidate left; ``present`` are the packages of which something stays."""
        file = self.candidates[path]
        if self._is_alias(path):
            return Reason("rule", "another name of a library" if self.real(path) in self.facts else "a linker script")
        if file.package not in present:
            return Reason("unreached")
        binary = self.facts.get(self.real(path))
        # Without search paths, libraries lie among the programs.
        is_dll = binary is not None and binary.kind == "shared" and not platforms.facts_for(binary).has_search_paths
        if (path.startswith(_PROGRAMS) and not is_dll) or (binary is not None and binary.kind == "program"):
            return Reason("rule", "program of a dependency")
        return Reason("idle")


def _is_plugin(path: str, binary: Binary) -> bool:
    """Whether a shared object is made to be opened, not linked to; a DLL's name for itself means nothing."""
    facts = platforms.facts_for(binary)
    return (facts.names_itself and binary.name is None) or posixpath.dirname(path) not in facts.libraries
