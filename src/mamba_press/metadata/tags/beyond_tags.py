"""What a wheel demands and no tag can say: it is told, or refused."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mamba_press import messages, platforms
from mamba_press.conda.match_specs import minimum
from mamba_press.errors import ContentError, Note, Problem, Setting, Text
from mamba_press.metadata.tags.python_tags import importable
from mamba_press.types import Entry, Package, Spec, Target

if TYPE_CHECKING:
    from mamba_press.config.model import Config

_LOADED_FROM = frozenset({"bin", "lib", "lib64", "libexec", "sbin", "Library/bin"})


def unpromised(entries: Iterable[Entry], target: Target) -> tuple[Note, ...]:
    """Warn of libraries that have to come from the system, and that no tag promises."""
    users: dict[str, list[str]] = {}
    for entry in (each for each in entries if each.binary and each.binary.arch == target.arch):
        for link in entry.links:
            if platforms.is_unpromised(link, target):
                users.setdefault(link.needed, []).append(entry.path)
    if not users:
        return ()
    each = [f"{name} for {paths[0]}{messages.others(len(paths) - 1)}" for name, paths in sorted(users.items())]
    what = f"the wheel needs libraries of the system that no manylinux tag promises: {', '.join(each)}"
    hint = "if every user has them, say so: link.system = " + json.dumps(sorted(users))
    hint += '\nlink.unpromised = "drop" leaves out the plugins that need them, "error" refuses them'
    return (Note(what, hint, "warning"),)


def levels(entries: Sequence[Entry], records: Mapping[str, Package], target: Target, config: Config) -> tuple[str, ...]:
    """Return notes on the processors that the wheel needs; refuse a level above what ``link.isa`` allows.

    The files' own notes say it where the linker was told to write them; conda's records say it for whole packages.
    """
    if target.arch != platforms.facts(target).levels:
        return ()
    found: dict[int, list[str]] = defaultdict(list)
    for entry in entries:
        if entry.binary and entry.binary.arch == target.arch and entry.binary.isa:
            found[_level(entry.binary.isa)].append(f"{entry.path} ({entry.package})")
    for name in sorted({entry.package for entry in entries} & records.keys()):
        for spec in dict.fromkeys((*records[name].depends, *records[name].constrains)):
            level = _stated_level(spec)
            if level > 1:
                found[level].append(f"{name}, whose record states {spec.text!r}")
    if not found:
        return ()
    highest = max(found)
    isa = f"x86-64-v{highest}"
    who = messages.some(found[highest], 1)
    if highest > (_level(config.link.isa) if config.link.isa else 1):
        what = f"needs a processor of level {isa}, which no tag can say: installers give the wheel to every one"
        choose = 'choose a build for all processors, with constraints = ["_x86_64-microarch-level 1"], or allow it: '
        hint = Text.of(choose, Setting("link.isa", isa))
        raise ContentError(Problem(where=found[highest][0], what=what, hint=hint))
    return (f"the wheel needs a processor of level {isa}, which its tag does not say: {who}",)


def _level(isa: str) -> int:
    return int(isa.rpartition("v")[2])


def _stated_level(spec: Spec) -> int:
    """Return the level of x86-64 that a conda spec asks for, 1 where it asks for none."""
    if spec.name == "_x86_64-microarch-level":
        return (minimum(spec) or (1, 0))[0]
    named = re.search(r"x86[_-]64[_-]v([234])(?!\w)", spec.build) if spec.name == "__archspec" else None
    return int(named[1]) if named else 1


def foreign(entries: Iterable[Entry], target: Target) -> tuple[str, ...]:
    """Return notes on binaries of other machines that are data; raise for those that would be loaded."""
    problems: list[Problem] = []
    notes: list[str] = []
    for entry in entries:
        if entry.binary is None or entry.binary.arch == target.arch:
            continue
        machine = entry.binary.arch or "an unknown machine"
        parent = PurePosixPath(entry.original).parent
        if importable(entry.path) or str(parent) in _LOADED_FROM:
            what = f"{entry.package} has a binary of {machine}, not of {target.arch}"
            hint = Text.of("leave it out: ", Setting("select.exclude", (entry.original,)))
            problems.append(Problem(where=entry.path, what=what, hint=hint))
        else:
            notes.append(f"{entry.path} is a binary of {machine}: packed as data, untouched")
    ContentError.raise_for(problems)
    return tuple(notes)


def bound_to_systems(entries: Iterable[Entry], records: Mapping[str, Package]) -> tuple[str, ...]:
    """Say which packages, by their own records, are for some systems only, although nothing in them is a binary."""
    notes = []
    for name in sorted({entry.package for entry in entries} & records.keys()):
        record = records[name]
        virtual = {spec.name for spec in record.depends} & {"__linux", "__osx", "__unix", "__win"}
        systems = sorted(virtual | {record.subdir} - {"noarch"})
        if systems:
            notes.append(
                f"{name} is made for {', '.join(systems)} by its record; "
                "nothing in the wheel is a binary, so the tag says 'any'"
            )
    return tuple(notes)
