"""Binaries and extension modules that are not what the tags say, and what the loader would not find for them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mamba_press import platforms
from mamba_press.audit.contents import Contents
from mamba_press.errors import Habit, Problem, Remark
from mamba_press.platforms.protocol import Wheel
from mamba_press.platforms.systems import SMALL
from mamba_press.platforms.tag import TAGGED
from mamba_press.wheel.read import Member, installed, scheme

if TYPE_CHECKING:
    from mamba_press.types import Binary

_CPYTHON = re.compile(r"cp3(\d+)-")


def facts(members: Mapping[str, Member]) -> Iterator[str]:
    """Yield what holds for binaries of a wheel and no tag can say."""
    demanding: dict[str, list[str]] = {}
    for member in members.values():
        if member.binary and member.binary.isa:
            demanding.setdefault(member.binary.isa, []).append(member.path)
        if member.binary and member.binary.names:
            yield f"{member.path} has another install name in each slice: {', '.join(member.binary.names)}"
    for isa, paths in sorted(demanding.items()):
        more = f" and {len(paths) - 1} more files" if len(paths) > 1 else ""
        yield f"needs a processor of level {isa}, which no tag says: {min(paths)}{more}"


def unjudged(contents: Contents) -> Iterator[str]:
    """Yield the systems and files of which nobody knows whether the loader finds what they need."""
    found = [member for member in contents.members.values() if member.binary and member.binary.kind != "static"]
    unknown = [each for each in found if each.binary and not each.binary.arch]
    strangers = sorted(each.path for each in unknown if not _is_launcher(each, contents))
    if strangers:
        more = len(strangers) - 1
        verb = f" and {more} more files need was not checked: they are" if more else " needs was not checked: it is"
        yield f"what {strangers[0]}{verb} for an unknown machine"
    for each in found:
        if each.binary and each.binary.arch and each.binary.unread:
            yield f"what {each.path} needs in its slice for {' and for '.join(each.binary.unread)} was not checked"
    if found and not any(each.binary.needed for each in found if each.binary):
        return
    for platform in sorted(contents.name.platforms - {"any"}):
        tag = platforms.parse(platform)
        if tag is None or not tag.is_known:
            yield f"what its binaries need was not checked: what a system of the tag {platform} has is not known"


def problems(contents: Contents) -> Iterator[Problem]:
    """Yield what contradicts the tags, and the tags that no system has (PEP 600)."""
    yield from _binaries(contents)
    for tag in contents.name.known:
        if why := platforms.of(tag.system).why_no_system(tag):
            yield Problem(where=tag.text, what=why)
    for member in contents.members.values():
        if member.binary:
            system = platforms.facts_for(member.binary).system
            yield from platforms.of(system).misfits(member.path, member.binary, contents.name.of(system))
    yield from _pythons(contents)


def _binaries(contents: Contents) -> Iterator[Problem]:
    """Yield the binaries that are where the tags or WHEEL say that there is none."""
    found = [member for member in contents.members.values() if member.binary and not _is_launcher(member, contents)]
    if found and "any" in contents.name.platforms:
        yield Problem(where=found[0].path, what="is a binary, but the tag says that the wheel runs on any platform")
    is_pure = contents.wheel.get("Root-Is-Purelib", "").lower() == "true"
    for member in found:
        if scheme(member.path) == "purelib" or (is_pure and not scheme(member.path)):
            # Where the two parts have one folder, as nearly everywhere, it works.
            yield Habit(where=member.path, what="is a binary in the part of the wheel that is said to be pure Python")
            break
    yield from _foreign(contents, found)


def _is_launcher(member: Member, contents: Contents) -> bool:
    """Whether a file is a program for another system, as pip and setuptools (PE) and menuinst (Mach-O) carry them."""
    if member.binary is None or member.binary.kind != "program":
        return False
    facts = platforms.facts_for(member.binary)
    return facts.is_carried and not contents.name.of(facts.system)


def _foreign(contents: Contents, found: Sequence[Member]) -> Iterator[Problem]:
    """Yield the binaries that are not for the machines that the tags name."""
    wanted_by = {
        facts.format: {machine for tag in contents.name.of(facts.system) for machine in tag.machines}
        for facts in platforms.FACTS.values()
    }
    looked_at = [(each, each.binary) for each in found if each.binary and each.binary.kind != "static"]
    strangers = [each for each, binary in looked_at if each.path.endswith(platforms.facts_for(binary).bound)]
    if any(wanted_by.values()) and strangers and not any(wanted_by[binary.format] for _, binary in looked_at):
        shown = ", ".join(sorted(contents.name.platforms))
        yield Problem(where=strangers[0].path, what=f"is a binary of another system than the tags name: {shown}")
        return
    for member, binary in looked_at:
        facts = platforms.facts_for(binary)
        if not binary.arch or (facts.carries_all and binary.kind == "program"):
            continue
        there = frozenset(binary.archs or (binary.arch,))
        wanted = wanted_by[binary.format]
        is_one = wanted <= there if facts.has_slices else not wanted or bool(there & wanted)
        if not is_one:
            # Debuggers and installers carry both kinds on purpose.
            is_small = binary.arch in SMALL and all(SMALL[binary.arch] == arch for arch in wanted)
            kind, end = (Remark, "; what it needs was not checked") if is_small else (Problem, "")
            what = f"is for {', '.join(sorted(there))}, the tags for {', '.join(sorted(wanted))}{end}"
            yield kind(where=member.path, what=what)


def _pythons(contents: Contents) -> Iterator[Problem]:
    """Yield the extension modules of which there is none for a Python that the tags name."""
    pairs = [re.fullmatch(r"cp3(\d+)-cp3\1t?-.*", tag) for tag in contents.name.tags]
    there: dict[str, dict[str, str]] = {}
    for path in contents.members:
        if module := TAGGED.search(path):
            there.setdefault(path[: module.start()], {})[module["posix"] or module["win"]] = path
    for stem, found in sorted(there.items()):
        others = {f"{stem}{ending}" for ending in (".so", ".pyd", ".abi3.so", ".abi3.pyd", ".py")}
        lacking = sorted({int(pair[1]) for pair in pairs if pair} - set(map(int, found)))
        if all(pairs) and lacking and not others & contents.members.keys():
            has, names = (", ".join(f"3.{minor}" for minor in minors) for minors in (sorted(map(int, found)), lacking))
            what = f"is for CPython {has}, and the tags name {names} too"
            yield Problem(where=min(found.values()), what=what)


def unfound(contents: Contents, elsewhere: Sequence[str], beside: Mapping[str, Binary] | None) -> tuple[Problem, ...]:
    """Return what the loader would not find, on the systems of the wheel's tags.

    ``beside`` are the binaries of all other wheels. Where these are not known, a library that is looked for in a folder
    of other wheels may be one of theirs.
    """
    shared, beside = _shared_folders(contents) if beside is None else frozenset(), beside or {}
    facts = next((each for each in reversed(platforms.FACTS.values()) if contents.name.of(each.system)), None)
    if facts is None:
        return ()
    wheel = Wheel(
        tags=contents.name.of(facts.system),
        own=_loadable(contents, facts.format),
        beside={path: binary for path, binary in beside.items() if binary.format == facts.format},
        elsewhere=(*elsewhere, *_interpreters(contents)),
        shared=shared,
        python=min((int(match[1]) for tag in contents.name.tags if (match := _CPYTHON.match(tag))), default=8),
        added=partial(_added, contents),
    )
    found = dict.fromkeys(platforms.of(facts.system).loads(wheel))
    # What is only another wheel's problem is left to it: its tags may promise other things.
    return tuple(each for each in found if each.where in wheel.own or each.where not in beside)


def _interpreters(contents: Contents) -> tuple[str, ...]:
    """Return patterns of the libraries that PyPy and GraalPy themselves are, in wheels for them."""
    names = {tag.partition("-")[0] for tag in contents.name.tags}
    pypy = ("libpypy*",) if any(name.startswith("pp") for name in names) else ()
    graal = ("*python-native.*",) if any(name.startswith("graalpy") for name in names) else ()
    return (*pypy, *graal)


def _shared_folders(contents: Contents) -> frozenset[str]:
    """Return the folders of wheelhouses: prefixes that no package of this wheel has for itself."""
    paths = {installed(path) for path in contents.members}
    tops = {path.partition("/")[0] for path in paths if path.split("/")[1:2] == ["_prefix"]}
    return frozenset(top for top in tops if f"{top}/__init__.py" not in paths)


def _added(contents: Contents) -> dict[str, tuple[str, ...]] | None:
    """Return by package the folders that importing it adds; None for wheels of other tools, with ways of their own."""
    from mamba_press.vendoring import runtime_module

    texts = {installed(path): member.data for path, member in contents.members.items() if member.data is not None}
    folders = {}
    for path, text in texts.items():
        home, _, name = path.partition("/")
        if name == runtime_module.MODULE and runtime_module.imports(texts.get(f"{home}/__init__.py", b"")):
            found = runtime_module.folders_of(text)
            folders[home] = tuple(posixpath.normpath(posixpath.join(home, folder)) for folder in found)
    ours = any(path.endswith(f"/{runtime_module.MODULE}") or "/_prefix/" in path for path in contents.members)
    return folders if ours else None


def _loadable(contents: Contents, wanted: str) -> dict[str, Binary]:
    """Return the binaries of a format that something can load, by their installed paths."""
    return {
        installed(member.path): member.binary
        for member in contents.members.values()
        if member.binary and member.binary.format == wanted and member.binary.kind != "static" and member.binary.arch
    }
