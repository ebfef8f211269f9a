"""Read a finished wheel back and return what is wrong with it.

Nothing of what was known while pressing is used: the file alone has to be right. Structure, names, RECORD, metadata
and tags are checked for every wheel; what the loader will do, for ELF, Mach-O and PE files. :func:`check_import` goes
further and installs it.
"""

from __future__ import annotations

import base64
import csv
import io
import posixpath
import re
import shutil
import stat
import unicodedata
from dataclasses import dataclass, replace
from email.parser import HeaderParser
from functools import cached_property, partial
from typing import TYPE_CHECKING

from mamba_press import atomic, platforms
from mamba_press.errors import WriteError
from mamba_press.metadata import headers, pythons
from mamba_press.metadata.installed import entry_points
from mamba_press.platforms.facts import SMALL
from mamba_press.platforms.linux.tag import BARE
from mamba_press.platforms.modules import TAGGED
from mamba_press.platforms.protocol import Wheel
from mamba_press.problem import Habit, Remark, Style, harmless
from mamba_press.types import Problem
from mamba_press.wheel import read, zip_read
from mamba_press.wheel.read import installed, is_dist_info, scheme
from mamba_press.wheel.zip_read import Damage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from email.message import Message
    from pathlib import Path

    from mamba_press.audit.second_reader import SecondReader
    from mamba_press.platforms.tag import Tag
    from mamba_press.types import Binary
    from mamba_press.wheel.read import Depth, Member
    from mamba_press.wheel.zip_read import Listing

PYPI_FILE = 100 << 20
"""The largest file that PyPI takes without asking."""

PYPI_RATIO_FROM = 64 << 20
"""PyPI takes what unpacks to more than 64 MiB and to more than 50 times its size for an attack."""

_STORE = 'write it uncompressed: tool.mamba-press.wheel.compression = "store"'
_SPARE_ROWS = 1000
_UNLISTED = ("RECORD.jws", "RECORD.p7s")
_CPYTHON = re.compile(r"cp3(\d+)-")
_SCHEMES = ("platlib", "purelib", "headers", "scripts", "data")
_ODD_PATH = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)|\A[A-Za-z]:")
_LONGEST_NAME = 63
_SCRIPT = re.compile(r"[\w.-]+")
_OBJECT = re.compile(r"[\w.]+\s*(:\s*[\w.]+\s*)?(\[[^\]]*\]\s*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Name:
    """What the file name says; ``stem`` is its beginning as it stands, ``tags`` are expanded, one string each."""

    stem: str
    name: str
    version: str
    build: str
    tags: frozenset[str]

    @property
    def platforms(self) -> frozenset[str]:
        return frozenset(tag.split("-")[2] for tag in self.tags)

    @property
    def known(self) -> tuple[Tag, ...]:
        """The platform tags that can be read, sorted."""
        return tuple(tag for platform in sorted(self.platforms) if (tag := platforms.parse(platform)))

    def of(self, system: str) -> tuple[Tag, ...]:
        return tuple(tag for tag in self.known if tag.system == system)

    @property
    def pythons(self) -> str:
        return ", ".join(sorted({tag.rpartition("-")[0] for tag in self.tags}))


@dataclass(frozen=True, kw_only=True)
class _Contents:
    """All that was read of one wheel."""

    name: _Name
    members: Mapping[str, Member]
    dist_info: str

    @cached_property
    def wheel(self) -> Message:
        """WHEEL, parsed."""
        return HeaderParser().parsestr((self.text("WHEEL") or b"").decode("utf-8", "replace"))

    def text(self, name: str) -> bytes | None:
        """Return the bytes of a file of ``.dist-info``, None when it is not there, or not to be read: that is told."""
        member = self.members.get(f"{self.dist_info}/{name}")
        return member.data if member else None

    def missing(self, name: str) -> Iterator[Problem]:
        """Yield that a file of ``.dist-info`` is not there."""
        where = f"{self.dist_info}/{name}"
        if where not in self.members:
            yield Damage(where=where, what="is missing")


def check(
    path: Path, *, name: str | None = None, elsewhere: Sequence[str] = (), depth: Depth = "all"
) -> tuple[Problem, ...]:
    """Return everything that is wrong with a wheel, nothing when it is sound.

    ``name`` is the file name that it is going to have, if another than it has now. ``elsewhere`` are patterns of
    library names that come from the system or from another wheel although the tag does not promise them.
    """
    return examine(path, name=name, elsewhere=elsewhere, depth=depth).problems


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What was found in a wheel: what is wrong, what is worth knowing, and how large it is.

    A wheel is wrong where it cannot be installed, or does not do on a system of its tags what it does elsewhere. What
    works, and mamba-press would not write, is wrong in a wheel that says it is of mamba-press, and a note on others.
    """

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    size: int = 0
    unpacked: int = 0
    files: int = 0


def examine(
    path: Path,
    *,
    name: str | None = None,
    elsewhere: Sequence[str] = (),
    depth: Depth = "all",
    second: SecondReader | None = None,
) -> Findings:
    """Return everything that is wrong with a wheel, as :func:`check`, and everything that is worth knowing of it.

    ``depth`` says how much of the files is read, beside the archive's directory; ``second`` reads the wheel, too.
    """
    wheel = _opened(path, name, depth, second)
    return _doubted({wheel.name: (wheel, _judged(wheel, elsewhere, None))}, second)[0]


def together(
    paths: Sequence[Path], *, elsewhere: Sequence[str] = (), second: SecondReader | None = None
) -> tuple[Findings, ...]:
    """Return what is wrong with each of these wheels once all of them are installed into one folder.

    Beside what :func:`examine` finds: libraries of one that another one has not where it is looked for, different files
    at one path, and requirements that the others do not satisfy; libraries that are carried twice are noted, and
    different ones that one process would take for each other.
    """
    wheels = [_opened(path, second=second) for path in paths]
    found = []
    for number, wheel in enumerate(wheels):
        others = [each for each in wheels[:number] + wheels[number + 1 :] if each.contents]
        beside = {path: binary for other in others for path, binary in _shared(other.contents).items()}
        judged = _judged(wheel, elsewhere, beside)
        earlier = [each for each in wheels[:number] if each.contents]
        more = (*_clashes(wheel, earlier), *_unsatisfied(wheel, others))
        notes = (*judged.notes, *_twice(wheel, earlier), *_confused(wheel, earlier))
        found.append(replace(judged, problems=(*judged.problems, *more), notes=notes))
    return _doubted({wheel.name: (wheel, one) for wheel, one in zip(wheels, found, strict=True)}, second)


def _doubted(found: Mapping[str, tuple[_Opened, Findings]], second: SecondReader | None) -> tuple[Findings, ...]:
    """Return what was found in wheels, by their names, with what a second reader reads differently or not at all."""
    if second is None:
        return tuple(one for _, one in found.values())
    verdict = second.verdict({name: _as_rows(wheel.contents) for name, (wheel, _) in found.items() if wheel.contents})
    return tuple(
        replace(
            one,
            problems=(*one.problems, *map(_harmless, verdict.problems.get(name, ()))),
            notes=(*one.notes, *(map(harmless, (verdict.said, *verdict.notes)) if not number else ())),
        )
        for number, (name, (_, one)) in enumerate(found.items())
    )


def _as_rows(contents: _Contents) -> dict[str, tuple[int, str | None]]:
    """Return the size of each file of a wheel, and its hash where RECORD has one for it."""
    without = {f"{contents.dist_info}/RECORD", *_free(contents)}
    return {path: (each.size, None if path in without else each.sha256) for path, each in contents.members.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Opened:
    """A wheel as read; without ``contents`` where what was ``found`` makes all further questions idle."""

    path: Path
    name: str
    found: Findings
    contents: _Contents | None = None


def _opened(path: Path, name: str | None = None, depth: Depth = "all", second: SecondReader | None = None) -> _Opened:
    name = name or path.name
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            listing = zip_read.read(file)
        is_bomb = read.is_bomb(listing.members, size)
        if second and not is_bomb:
            second.open(path, name)
        seen = second.offer if second and second.whole else None
        members = read.read(path, listing.members, "texts" if is_bomb else depth, seen)
    except read.UNREADABLE as error:
        why = getattr(error, "strerror", None) or error
        problem = Damage(where=name, what=f"cannot be read as a wheel: {why}")
        return _Opened(path=path, name=name, found=Findings(problems=(_harmless(problem),)))
    problems = [*listing.wrong, *_structure(listing, size)]
    problems += [problem for member in members.values() for problem in member.problems]
    found = Findings(size=size, unpacked=sum(member.size for member in members.values()), files=len(members))
    parsed = _parse_name(name)
    if isinstance(parsed, Problem):
        return _Opened(path=path, name=name, found=_with(found, (*problems, parsed)))
    problems += _tag_order(name)
    folders = sorted({member.split("/")[0] for member in members if is_dist_info(member)})
    if len(folders) != 1:
        return _Opened(path=path, name=name, found=_with(found, (*problems, _not_one(folders))))
    contents = _Contents(name=parsed, members=members, dist_info=folders[0])
    return _Opened(path=path, name=name, found=_with(found, problems), contents=contents)


def _with(found: Findings, problems: Sequence[Problem]) -> Findings:
    return replace(found, problems=tuple(_harmless(problem) for problem in problems))


def _harmless(problem: Problem) -> Problem:
    """Return a problem that any terminal can show: names and texts of a wheel may hold anything."""
    return replace(problem, where=harmless(problem.where), what=harmless(problem.what))


def _judged(wheel: _Opened, elsewhere: Sequence[str], beside: Mapping[str, Binary] | None) -> Findings:
    """Hold a wheel to all rules; ``beside`` are the binaries of all other wheels by installed path, if these are known.

    If not, a library that is looked for where other wheels have files may be one of theirs.
    """
    contents = wheel.contents
    if contents is None:
        return wheel.found
    problems = list(wheel.found.problems)
    for rule in (_names, _record, _wheel_file, _metadata, _entry_points, _binaries, _possible, _misfits, _pythons):
        problems += rule(contents)
    shared = _shared_folders(contents) if beside is None else frozenset()
    problems += _loading(contents, (*elsewhere, *_interpreters(contents)), shared, beside or {})
    problems = [_harmless(problem) for problem in problems]
    ours = contents.wheel.get("Generator", "").startswith("mamba-press")
    kinds = (Remark,) if ours else (Remark, Habit)
    habits = [each for each in problems if isinstance(each, kinds)]
    said = [f"{habit.where}: {habit.what}" for habit in habits if not isinstance(habit, Style)]
    return replace(
        wheel.found,
        problems=tuple(each for each in problems if not isinstance(each, kinds)),
        notes=(
            *_facts(contents.members),
            *said,
            *notes(wheel.path),
        ),
        unjudged=tuple(_unjudged(contents)),
    )


def _shared(contents: _Contents | None) -> dict[str, Binary]:
    """Return the binaries that other wheels can be linked to, by installed path."""
    members = contents.members.values() if contents else ()
    return {installed(each.path): each.binary for each in members if each.binary and _is_shared(each)}


def _is_shared(member: Member) -> bool:
    return member.binary is not None and member.binary.kind == "shared"


def _clashes(wheel: _Opened, earlier: Sequence[_Opened]) -> Iterator[Problem]:
    """Yield the paths at which an earlier wheel has another file."""
    own = _placed(wheel)
    for other in earlier:
        theirs = _placed(other)
        for path in sorted(own.keys() & theirs.keys()):
            if own[path].sha256 != theirs[path].sha256:
                yield Problem(where=path, what=f"is another file in {other.path.name}: the later one would win")


def _twice(wheel: _Opened, earlier: Sequence[_Opened]) -> Iterator[str]:
    """Yield the libraries that an earlier wheel has too."""
    for other in earlier:
        theirs = {each.sha256: path for path, each in _placed(other).items() if _is_shared(each)}
        for path, each in sorted(_placed(wheel).items()):
            if _is_shared(each) and each.sha256 in theirs:
                yield f"{path} is also in {other.path.name}, as {theirs[each.sha256]}"


def _confused(wheel: _Opened, earlier: Sequence[_Opened]) -> Iterator[str]:
    """Yield the libraries whose name another one in an earlier wheel has, where files of both wheels ask for that name.

    Of two libraries with one SONAME glibc loads the first, and it answers for both.
    """
    own = _asked_for(wheel)
    for other in earlier:
        theirs = _asked_for(other)
        for name in sorted(own.keys() & theirs.keys()):
            if own[name].sha256 != theirs[name].sha256:
                yield (
                    f"{own[name].path} is called {name}, as is another library, {theirs[name].path} in "
                    f"{other.path.name}: in one process the first that is loaded answers for both"
                )


def _asked_for(wheel: _Opened) -> dict[str, Member]:
    """Return the libraries of a wheel that answer for their names, of those that its files need."""
    members = _placed(wheel).values()
    found = [(each, each.binary) for each in members if each.binary and platforms.facts_for(each.binary).loaded_answers]
    needed = {name for _, binary in found for name in binary.needed}
    return {binary.name: each for each, binary in found if _is_shared(each) and binary.name and binary.name in needed}


def _placed(wheel: _Opened) -> dict[str, Member]:
    members = wheel.contents.members.values() if wheel.contents else ()
    return {installed(each.path): each for each in members}


def _unsatisfied(wheel: _Opened, others: Sequence[_Opened]) -> Iterator[Problem]:
    """Yield the requirements that hold everywhere and for which the others have nothing, or another version."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    there = {each.contents.name.name: each.contents.name.version for each in others if each.contents}
    raw = headers.raw((wheel.contents.text("METADATA") if wheel.contents else None) or b"")
    for text in raw.get("requires_dist") or ():
        try:
            requirement = Requirement(text)
        except (ValueError, RecursionError):
            continue  # told already
        if requirement.marker is not None:
            continue
        version = there.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            has = f"is there as {version}" if version else "is not there"
            yield Problem(where=wheel.path.name, what=f"requires {requirement}, which {has}")


def _facts(members: Mapping[str, Member]) -> Iterator[str]:
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


def _unjudged(contents: _Contents) -> Iterator[str]:
    """Yield the systems and files of which nobody knows whether the loader finds what they need."""
    found = [member for member in contents.members.values() if member.binary and member.binary.kind != "static"]
    strangers = sorted(each.path for each in found if not _is_launcher(each, contents) and not _arch(each))
    if strangers:
        verb = (
            " needs was not checked: it is"
            if len(strangers) == 1
            else f" and {len(strangers) - 1} more files need was not checked: they are"
        )
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


def _arch(member: Member) -> str | None:
    return member.binary.arch if member.binary else None


def copy(path: Path, directory: Path) -> Path:
    """Copy a wheel under its name into a folder, which is made when it is missing; raises WriteError."""
    target = directory / path.name
    if target.exists() and target.samefile(path):
        return target
    with atomic.replacing(target) as file, path.open("rb") as source:
        shutil.copyfileobj(source, file, 1 << 20)
    return target


def require(path: Path, name: str | None = None, *, elsewhere: Sequence[str] = ()) -> None:
    """Raise WriteError with all that :func:`check` finds."""
    problems = check(path, name=name, elsewhere=elsewhere)
    if problems:
        raise WriteError(*problems)


def check_import(path: Path, python: str | None = None, requirements: Sequence[str] = ()) -> tuple[Problem, ...]:
    """Install the wheel into a fresh environment and return what goes wrong when its modules are imported.

    Every top-level module is imported in a process of its own; on Linux every library that the wheel has must then
    have come from it, and every other one from the system or from Python itself. ``python`` is a path, a command or a
    version, None for one that the wheel is for. Raises ConfigError when there is none, or it cannot be used.
    """
    from mamba_press.audit import smoke_test

    named = _parse_name(path.name)
    if isinstance(named, Problem):
        return (_harmless(named),)
    try:
        members = read.read(path, read.require(path))
    except read.UNREADABLE as error:
        return (Problem(where=path.name, what=f"cannot be read as a wheel: {error}"),)
    damaged = tuple(each for member in members.values() for each in member.problems if isinstance(each, Damage))
    if damaged:
        return tuple(map(_harmless, damaged))
    shared = [member for member in members.values() if member.binary and member.binary.kind == "shared"]
    names = {member.binary.name or posixpath.basename(member.path) for member in shared if member.binary}
    vendored = smoke_test.Vendored(paths=tuple(installed(path) for path in members), libraries=frozenset(names))
    return smoke_test.run(path, vendored, python, requirements)


def notes(path: Path) -> tuple[str, ...]:
    """Return what is not wrong with a wheel but keeps PyPI from taking it as it is."""
    found = []
    if path.stat().st_size > PYPI_FILE:
        found.append(f"{path.name} is larger than 100 MiB: PyPI takes it only after a request for a higher limit")
    parsed = _parse_name(path.name)
    if isinstance(parsed, _Name):
        bare = [tag.text for tag in parsed.known if tag.family == BARE]
        found += [f"PyPI does not take the platform {each}: only manylinux says what it runs on" for each in bare]
        if "+" in parsed.version:
            found.append(f"PyPI does not take local versions such as {parsed.version}")
    return tuple(found)


# --- the archive


def _structure(listing: Listing, packed: int) -> Iterator[Problem]:
    """Yield what installers or PyPI do not expect of the ZIP file itself, beyond what is wrong with its structure."""
    entries = listing.members
    if listing.comment:
        yield Problem(where="", what="the archive has a comment")
    size = sum(entry.size for entry in entries)
    if read.is_bomb(entries, packed):
        what = f"unpacks to {size:,} bytes, more than {read.RATIO} times its size; its files are not looked at"
        yield Damage(where="", what=what, hint=_STORE)
    elif size > PYPI_RATIO_FROM and size > read.RATIO * packed:
        yield Problem(
            where="", what="unpacks to more than 50 times its size, which PyPI takes for an attack", hint=_STORE
        )
    folders = [entry for entry in entries if entry.is_folder]
    if folders:
        what = f"is an entry for a folder ({len(folders)} in all): wheels have files only"
        yield Style(where=folders[0].name, what=what)
    for entry in entries:
        yield from _entry(entry)
        if entry.name.endswith(".pyc"):
            what = "is compiled Python code, which belongs to the interpreter that installs the wheel"
            yield Habit(where=entry.name, what=what)
    yield from _repetitions([entry.name for entry in entries])


def _entry(entry: zip_read.Member) -> Iterator[Problem]:
    """Yield what is wrong with one entry's name and attributes."""
    kind = stat.S_IFMT(entry.attributes[1] >> 16)
    whats = [*_bad_name(entry.name)]
    if kind == stat.S_IFLNK:
        whats.append("is a symlink, which installers write as a text file")
    elif kind not in (0, stat.S_IFDIR if entry.is_folder else stat.S_IFREG):
        whats.append("is not a regular file")
    if entry.is_folder and entry.size:
        whats.append("is an entry for a folder, and has content")
    yield from (Damage(where=entry.name, what=what) for what in whats)
    if entry.flags & zip_read.STREAMED:
        what = "has its sizes after its data (a streamed ZIP file), which PyPI refuses"
        yield Problem(where=entry.name, what=what)
    if entry.comment:
        yield Problem(where=entry.name, what="has a comment, which PyPI refuses")


def _bad_name(name: str) -> Iterator[str]:
    if not name:
        yield "an entry has no name"
    if _ODD_PATH.search(name.removesuffix("/")):
        yield "its path is absolute, leaves the wheel, or has empty parts"
    is_plain = name.isascii() and name.isprintable() and "\\" not in name
    if not is_plain and ("\\" in name or any(_is_control(c) for c in name)):
        yield "its name has backslashes, control characters or line ends"
    if len(name) > _LONGEST_NAME and any(len(part.encode("utf-8", "replace")) > 255 for part in name.split("/")):
        yield "its name is longer than file systems allow (255 bytes)"


def _is_control(character: str) -> bool:
    """Whether a character is no part of a text: a control, an end of line, or what turns the direction of writing."""
    is_turn = unicodedata.category(character) == "Cf" and unicodedata.bidirectional(character) not in ("BN", "ON", "AN")
    return is_turn or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _repetitions(paths: Sequence[str]) -> Iterator[Problem]:
    """Yield the paths that are there twice, perhaps only after Unicode normalisation."""
    seen: dict[str, str] = {}
    for path in paths:
        first = seen.setdefault(unicodedata.normalize("NFC", path).rstrip("/"), path)
        if first is not path:
            yield Damage(where=path, what=f"is in the archive more than once (also as {first!r})")


# --- names and tags


def _parse_name(name: str) -> _Name | Problem:
    """Return what a file name says, or what is wrong with it."""
    from packaging.utils import parse_wheel_filename

    try:
        project, version, build, tags = parse_wheel_filename(name)
    except ValueError as error:  # InvalidWheelFilename, and what int() says of thousands of digits
        return Problem(where=name, what=f"is not the name of a wheel: {error}")
    return _Name(
        stem="-".join(name.split("-")[:2]),
        name=project,
        version=str(version),
        build="".join(map(str, build)),
        tags=frozenset(str(tag) for tag in tags),
    )


def _tag_order(name: str) -> Iterator[Problem]:
    for part in name.removesuffix(".whl").split("-")[-3:]:
        if part.split(".") != sorted(set(part.split("."))):
            yield Style(where=name, what=f"its tags are not sorted, or there twice: {part}")


def _not_one(folders: Sequence[str]) -> Problem:
    if not folders:
        return Problem(where="", what="the wheel has no .dist-info folder")
    return Problem(where="", what=f"the wheel has {len(folders)} .dist-info folders: {', '.join(folders)}")


def _names(contents: _Contents) -> Iterator[Problem]:
    """Yield the places that call the wheel something else than its file name does."""
    name = contents.name
    tops = {path.split("/")[0] for path in contents.members}
    own = {contents.dist_info, *(top for top in tops if top.endswith(".data"))}
    for folder in sorted(own):
        if folder.rpartition(".")[0] != name.stem:
            yield Problem(where=folder, what=f"the file name says {name.stem}")
    for path in sorted(contents.members):
        if (place := scheme(path)) and place not in _SCHEMES:
            yield Problem(where=path, what=f"installers know no place {place!r}, only {', '.join(_SCHEMES)}")
    yield from _alike(contents)
    yield from _impossible(contents)
    yield from _folders(contents)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_same(name: _Name, other: str, version: str) -> bool:
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    try:
        return canonicalize_name(other) == name.name and Version(version) == Version(name.version)
    except InvalidVersion:
        return False


def _alike(contents: _Contents) -> Iterator[Problem]:
    """Yield paths that are one on Windows and macOS."""
    if all((facts := platforms.facts_of(platform)) and facts.tells_case for platform in contents.name.platforms):
        return
    seen: dict[str, str] = {}
    for path in contents.members:
        first = seen.setdefault(path.casefold(), path)
        if first != path:
            yield Problem(where=path, what=f"differs from {first} only in case: on Windows and macOS they are one file")


def _impossible(contents: _Contents) -> Iterator[Problem]:
    """Yield paths that no file can have on a system that the tags promise."""
    for path, what in platforms.impossible(contents.members, contents.name.platforms):
        yield Problem(where=path, what=what)


def _folders(contents: _Contents) -> Iterator[Problem]:
    """Yield files that are in the place of a folder."""
    parents = {path.rpartition("/")[0] for path in contents.members if "/" in path}
    folders = parents.union(*map(_parents, parents))
    for path in sorted(folders & contents.members.keys()):
        yield Damage(where=path, what="is both a file and a folder")


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _wheel_file(contents: _Contents) -> Iterator[Problem]:
    """Yield where WHEEL is not what the standard wants, or not what the file name says."""
    where = f"{contents.dist_info}/WHEEL"
    text = contents.text("WHEEL")
    if text is None:
        yield from contents.missing("WHEEL")
        return
    if not _is_utf8(text):
        yield Problem(where=where, what="is not UTF-8")
    version = contents.wheel.get("Wheel-Version", "")
    if version.partition(".")[0] != "1":
        yield Problem(where=where, what=f"Wheel-Version is {version!r}; installers know 1.0")
    tags = contents.wheel.get_all("Tag", [])
    if len(set(tags)) < len(tags):
        yield Problem(where=where, what="a Tag is there twice")
    if set(tags) != contents.name.tags:
        only = sorted(contents.name.tags ^ set(tags))
        yield Problem(where=where, what=f"its tags and the file name's differ in {', '.join(only)}")
    build = contents.wheel.get("Build")
    if build is None and contents.name.build:
        yield Habit(where=where, what=f"has no Build; the file name has {contents.name.build}")
    elif (build or "") != contents.name.build:
        yield Problem(where=where, what="its Build and the file name's build number differ")
    if contents.wheel.get("Root-Is-Purelib", "").lower() not in ("true", "false"):
        yield Problem(where=where, what="Root-Is-Purelib is neither true nor false")


# --- RECORD


def _record(contents: _Contents) -> Iterator[Problem]:
    """Yield where RECORD and the archive differ."""
    own = f"{contents.dist_info}/RECORD"
    text = contents.text("RECORD")
    if text is None:
        yield from contents.missing("RECORD")
        return
    listed: set[str] = set()
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(text), "utf-8", newline=""))
    try:
        for number, row in enumerate(rows):
            if number > len(contents.members) + _SPARE_ROWS:
                yield Damage(where=own, what="has many more lines than the wheel has files; the rest is not read")
                break
            yield from _row(contents, own, row, listed)
    except (UnicodeDecodeError, csv.Error) as error:
        yield Damage(where=own, what=f"cannot be read: {error}")
        return
    for path in sorted(contents.members.keys() - listed - _free(contents)):
        yield Damage(where=path, what="is in the archive but not in RECORD")


def _free(contents: _Contents) -> frozenset[str]:
    """Return the files that sign RECORD, and so cannot be in it."""
    return frozenset(f"{contents.dist_info}/{name}" for name in _UNLISTED)


def _row(contents: _Contents, own: str, row: Sequence[str], listed: set[str]) -> Iterator[Problem]:
    """Yield what is wrong with one line of RECORD; its path is then ``listed``."""
    if len(row) != 3:
        kind = Damage if row else Problem  # an empty line names no file
        yield kind(where=own, what=f"a line has {len(row)} fields instead of 3: {','.join(row)}")
        return
    path, digest, size = row
    if path in listed:
        yield Damage(where=own, what=f"{path} is listed twice")
    listed.add(path)
    member = contents.members.get(path)
    if member is None:
        yield Damage(where=path, what="is in RECORD but not in the archive")
    elif path == own:
        if digest or size:
            yield Problem(where=own, what="states its own hash or size")
    elif digest or path not in _free(contents):
        algorithm, _, value = digest.partition("=")
        if algorithm != "sha256":
            yield Damage(where=path, what=f"RECORD has {algorithm or 'no hash'} for it; mamba-press wants sha256")
        elif member.sha256 is not None and value != _urlsafe(member.sha256):
            yield Damage(where=path, what="is not what RECORD's hash was made of")
        if size != str(member.size):
            yield Damage(where=path, what=f"has {member.size} bytes; RECORD says {size or 'nothing'}")


def _urlsafe(sha256: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode("ascii")


# --- metadata


def _metadata(contents: _Contents) -> Iterator[Problem]:
    """Yield what PyPI's rules find wrong with METADATA, and licence files that are not there."""
    where = f"{contents.dist_info}/METADATA"
    text = contents.text("METADATA")
    if text is None:
        yield from contents.missing("METADATA")
        return
    metadata, whats = headers.metadata(text)
    for what in whats:
        # A field that is newer than the stated version is read by all tools, and was taken by PyPI.
        kind = Style if "introduced in metadata version" in what else Problem
        yield kind(where=where, what=what)
    if metadata is None:
        return
    if not _is_same(contents.name, metadata.name, str(metadata.version)):
        yield Problem(where=where, what=f"says {metadata.name} {metadata.version}, which the file name does not")
    if metadata.requires_python is not None and not pythons.some(metadata.requires_python, contents.name.tags):
        what = f"Requires-Python: {metadata.requires_python} allows no Python that {contents.name.pythons} is for"
        yield Problem(where=where, what=what, hint="make it for a Python that is allowed; others cannot install it")
    for licence in metadata.license_files or ():
        places = (f"{contents.dist_info}/licenses/{licence}", f"{contents.dist_info}/{licence}")
        if not contents.members.keys() & set(places):
            yield Problem(where=where, what=f"names the licence file {licence}, which is not in the wheel")


def _entry_points(contents: _Contents) -> Iterator[Problem]:
    """Yield the entry points that cannot be read."""
    where = f"{contents.dist_info}/entry_points.txt"
    text = contents.text("entry_points.txt")
    if not text:
        return
    try:
        groups = entry_points(text, strict=True)
    except ValueError as error:
        yield Problem(where=where, what=f"cannot be read: {error}")
        return
    for group, names in groups.items():
        for name, target in names.items():
            if not _OBJECT.fullmatch(target.strip()):
                yield Problem(where=where, what=f"{group}: {name} = {target!r} names no object")
            if group in ("console_scripts", "gui_scripts") and not _SCRIPT.fullmatch(name):
                yield Problem(where=where, what=f"{group}: {name!r} is no name for a program")


# --- binaries


def _binaries(contents: _Contents) -> Iterator[Problem]:
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


def _is_launcher(member: Member, contents: _Contents) -> bool:
    """Whether a file is a program for another system, as pip and setuptools (PE) and menuinst (Mach-O) carry them."""
    if member.binary is None or member.binary.kind != "program":
        return False
    facts = platforms.facts_for(member.binary)
    return facts.is_carried and not contents.name.of(facts.system)


def _foreign(contents: _Contents, found: Sequence[Member]) -> Iterator[Problem]:
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


def _possible(contents: _Contents) -> Iterator[Problem]:
    """Yield the tags that no system has, so that no installer takes the wheel for them (PEP 600)."""
    for tag in contents.name.known:
        if why := platforms.of(tag.system).why_no_system(tag):
            yield Problem(where=tag.text, what=why)


def _misfits(contents: _Contents) -> Iterator[Problem]:
    """Yield the binaries that are for other systems than the tags are."""
    for member in contents.members.values():
        if member.binary:
            system = platforms.facts_for(member.binary).system
            yield from platforms.of(system).misfits(member.path, member.binary, contents.name.of(system))


def _pythons(contents: _Contents) -> Iterator[Problem]:
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


def _interpreters(contents: _Contents) -> tuple[str, ...]:
    """Return patterns of the libraries that PyPy and GraalPy themselves are, in wheels for them."""
    names = {tag.partition("-")[0] for tag in contents.name.tags}
    pypy = ("libpypy*",) if any(name.startswith("pp") for name in names) else ()
    graal = ("*python-native.*",) if any(name.startswith("graalpy") for name in names) else ()
    return (*pypy, *graal)


def _shared_folders(contents: _Contents) -> frozenset[str]:
    """Return the folders of wheelhouses: prefixes that no package of this wheel has for itself."""
    paths = {installed(path) for path in contents.members}
    tops = {path.partition("/")[0] for path in paths if path.split("/")[1:2] == ["_prefix"]}
    return frozenset(top for top in tops if f"{top}/__init__.py" not in paths)


def _loading(
    contents: _Contents, elsewhere: tuple[str, ...], shared: frozenset[str], beside: Mapping[str, Binary]
) -> tuple[Problem, ...]:
    """Return what the loader would not find, on the systems of the wheel's tags."""
    facts = next((each for each in reversed(platforms.FACTS.values()) if contents.name.of(each.system)), None)
    if facts is None:
        return ()
    wheel = Wheel(
        tags=contents.name.of(facts.system),
        own=_loadable(contents, facts.format),
        beside={path: binary for path, binary in beside.items() if binary.format == facts.format},
        elsewhere=elsewhere,
        shared=shared,
        python=min((int(match[1]) for tag in contents.name.tags if (match := _CPYTHON.match(tag))), default=8),
        added=partial(_added, contents),
    )
    found = dict.fromkeys(platforms.of(facts.system).loads(wheel))
    # What is only another wheel's problem is left to it: its tags may promise other things.
    return tuple(each for each in found if each.where in wheel.own or each.where not in beside)


def _added(contents: _Contents) -> dict[str, tuple[str, ...]] | None:
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


def _loadable(contents: _Contents, wanted: str) -> dict[str, Binary]:
    """Return the binaries of a format that something can load, by their installed paths."""
    return {
        installed(member.path): member.binary
        for member in contents.members.values()
        if member.binary and member.binary.format == wanted and member.binary.kind != "static" and member.binary.arch
    }
