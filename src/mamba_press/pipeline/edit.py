"""A released wheel under a new version or build number, with other metadata: the payload is copied as it is.

All that was asked of all wheels is decided first; then every file is written beside its place and checked, and only
when all are sound do they get their places, all or none.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mamba_press import atomic
from mamba_press.audit import check
from mamba_press.errors import ConfigError, PressError, Problem, ReadError, WriteError, joined
from mamba_press.metadata import edit_metadata as wheel_changes
from mamba_press.metadata import headers, sbom
from mamba_press.metadata.edit_metadata import Changes as Changes  # noqa: PLC0414 - who calls `edit` makes them
from mamba_press.platforms.tag import TAGGED
from mamba_press.wheel import content, read, zip_format, zip_read

if TYPE_CHECKING:
    from mamba_press.wheel.read import Depth
    from mamba_press.wheel.zip_format import Member

_DAMAGED = "an edit would vouch for it with a new RECORD: take a sound copy of the wheel, or make the wheel again"
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")

_NO_TAGS = "py3-none-unknown"
"""Tags that promise nothing, so that nothing a wheel has breaks them."""

_ANOTHER_NAME = "give it --build-number N or --version-suffix post1, or --force it"
_BARE = re.compile(r"([^/.]+)(?P<abi>\.abi3t?)?\.(?:so|pyd)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Edited:
    """One wheel as it is to be written; ``words`` say what is changed, ``notes`` what is worth knowing.

    ``old`` and ``new`` are the parts of its file name, ``old_stem`` is how its own folders were called.
    """

    source: Path
    old: wheel_changes.Name
    new: wheel_changes.Name
    old_stem: str
    words: tuple[str, ...]
    notes: tuple[str, ...]
    members: tuple[Member, ...]

    @property
    def stem(self) -> str:
        """How its own folders are called: they follow the version."""
        is_same = self.new.version == self.old.version
        return self.old_stem if is_same else f"{self.old_stem.rpartition('-')[0]}-{self.new.version}"


def edit(paths: Sequence[Path], changes: Changes, directory: Path) -> tuple[Edited, ...]:
    """Write the edited wheels into a folder; all of them, or none, with every problem of every wheel.

    Raises ConfigError for what cannot be asked, WriteError for what cannot be read or written, or would be wrong.
    """
    if changes == Changes(forced=changes.forced):
        hint = "name a change: --require, --drop-require, --set, --version-suffix, --build-number or --tag"
        raise ConfigError(Problem(where="edit", what="nothing is to be changed", hint=hint))
    planned: list[Edited] = []
    refused: list[PressError] = []
    for path in paths:
        try:
            planned.append(plan(path, changes))
        except PressError as error:
            refused.append(error)
    _refuse(refused)
    names = [str(one.new) for one in planned]
    twice = sorted({name for name in names if names.count(name) > 1})
    ConfigError.raise_for(Problem(where=name, what="is what two of these wheels would be called") for name in twice)
    noted: list[Edited] = []
    with atomic.stage(directory) as stage:
        for one in planned:
            target, written = directory / str(one.new), stage / str(one.new)
            with atomic.told(target):
                _write(one, written)
            wrong, old = _judged(one, written, target, changes)
            refused += [WriteError(*wrong)] if wrong else []
            noted.append(replace(one, notes=(*one.notes, *(f"was wrong before: {problem}" for problem in old))))
        _refuse(refused)
        with atomic.moving(stage) as move:
            for one in planned:
                move(stage / str(one.new), directory / str(one.new))
    return tuple(noted)


def _write(edited: Edited, path: Path) -> None:
    try:
        with edited.source.open("rb") as source, path.open("w+b", buffering=1 << 20) as file:
            zip_format.write(source, file, edited.members)
    except zip_format.ArchiveError as error:
        raise ReadError(Problem(where=edited.source.name, what=f"cannot be read as a wheel: {error}")) from None


def _refuse(errors: Sequence[PressError]) -> None:
    """Raise all problems of the first kind that there is."""
    if errors:
        first = type(errors[0])
        first.raise_for(dict.fromkeys(each for error in errors if type(error) is first for each in error.problems))


def reach(edited: Edited) -> tuple[str, ...]:
    """Return, one sentence each, who gets the edited wheel and who does not, as PEP 440 and installers have it."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    old, new = edited.old.version, edited.new.version
    if old == new:
        is_later = edited.new.build != edited.old.build
        chosen = "before those with a lower build number or none" if is_later else "only where its tags come first"
        return (
            f"=={old}, and all else that takes {old}, takes this file {chosen}",
            f"PyPI takes further files for {old} only within 14 days of its release; an index of your own, at any time",
            f"who has {old} installed keeps it, until it is installed anew (pip install --force-reinstall)",
        )
    takes: dict[bool, list[str]] = {True: [], False: []}
    for text in (f">={old}", f"~={old}", f"=={old}", f"=={old}.*"):
        try:
            takes[SpecifierSet(text).contains(new, prereleases=True)].append(text)
        except InvalidSpecifier:  # ~= wants two numbers, .* no local version
            continue
    found = [f"{', '.join(takes[True])} take{'' if len(takes[True]) > 1 else 's'} {new}"]
    found += [f"{', '.join(takes[False])} does not: only a higher build number reaches it"] if takes[False] else []
    return (*found, *(["PyPI takes no local versions: this is for an index of your own"] if "+" in new else []))


def plan(path: Path, changes: Changes) -> Edited:
    """Return what an edited wheel consists of; nothing is written. Raises as `edit` does."""
    named = wheel_changes.name_of(path.name)
    damaged = [problem for problem in check.check(path, depth="hashes") if isinstance(problem, zip_format.Damage)]
    if damaged:
        # An edit would give it a new RECORD, and so vouch for what nobody made.
        *most, last = (_of(path, problem) for problem in damaged)
        raise ReadError(*most, replace(last, hint=joined(filter(None, (last.hint, _DAMAGED)))))
    try:
        with path.open("rb") as file:
            members = zip_read.require(file)
            folder = _folder(members)
            wanted = {f"{folder}/{text}" for text in ("METADATA", "WHEEL", "RECORD", f"sboms/{sbom.NAME}")}
            texts = {member.name: zip_read.content(file, member) for member in members if member.name in wanted}
            problems = _python_problems(file, members, changes.tag, named)
    except read.UNREADABLE as error:
        why = getattr(error, "strerror", None) or error
        raise ReadError(Problem(where=path.name, what=f"cannot be read as a wheel: {why}")) from None
    renamed, found = wheel_changes.renamed(named, changes)
    metadata, said, more = wheel_changes.metadata(headers.parse(texts[f"{folder}/METADATA"]), renamed.version, changes)
    about, tags, wrong = wheel_changes.wheel_text(headers.parse(texts[f"{folder}/WHEEL"]), renamed, changes.tag)
    problems = (*found, *more, *wrong, *problems)
    renamed = replace(renamed, tags=tags)
    if str(renamed) == path.name and not changes.forced:
        problems = (*problems, Problem(where=path.name, what=atomic.TAKEN, hint=_ANOTHER_NAME))
    ConfigError.raise_for(replace(problem, where=problem.where or path.name) for problem in problems)
    words = (*wheel_changes.words(named, renamed), *said)
    old_stem = folder.removesuffix(".dist-info")
    edited = Edited(source=path, old=named, new=renamed, old_stem=old_stem, words=words, notes=(), members=members)
    return _with_members(edited, texts, {"METADATA": bytes(metadata), "WHEEL": bytes(about)})


def _of(path: Path, problem: Problem) -> Problem:
    """Return a problem of a wheel's file that names the wheel, too."""
    where = problem.where if path.name in (problem.where, "") else f"{path.name}: {problem.where}".removesuffix(": ")
    return replace(problem, where=where)


def _folder(members: Sequence[Member]) -> str:
    folders = sorted({top for member in members if (top := member.name.split("/")[0]).endswith(".dist-info")})
    if len(folders) != 1:
        raise zip_format.ArchiveError(f"has {len(folders) or 'no'} .dist-info folder{'s' if len(folders) > 1 else ''}")
    return folders[0]


def _python_problems(
    file: BinaryIO, members: Sequence[Member], tag: str | None, named: wheel_changes.Name
) -> tuple[Problem, ...]:
    """Return the extension modules that a new Python tag would promise too much of.

    What a module of the stable ABI needs of Python is known when it is built, so its lowest Python may only be raised.
    """
    if tag is None or "-" not in tag or tag.split("-")[:2] == named.tags.split("-")[:2]:
        return ()
    pythons, abis = (part.split(".") for part in tag.split("-")[:2])
    is_narrower = set(abis) <= {"abi3", "abi3t"} and _oldest(pythons) >= _oldest([named.tags])
    found = []
    for member in members:
        module, bare = TAGGED.search(member.name), _BARE.search(member.name)
        if module:
            only = f"3{module['posix'] or module['win']}"
            found += [(member, f"is for CPython 3.{only[1:]} alone")] if set(pythons) != {f"cp{only}"} else []
        elif bare and not (bare["abi"] and is_narrower) and _has(file, member, f"PyInit_{bare[1]}".encode()):
            found.append(
                (member, f"is an extension module, of which {named.tags.rpartition('-')[0]} is all that is known")
            )
    return tuple(Problem(where=member.name, what=f"{what}: --tag {tag} would not be true") for member, what in found)


def _has(file: BinaryIO, member: Member, text: bytes) -> bool:
    """Whether a text is somewhere in an entry, which is unpacked piece by piece."""
    before = b""
    for part in zip_read.parts(file, member):
        if text in before + part:
            return True
        before = part[-len(text) :]
    return False


def _oldest(pythons: Sequence[str]) -> int:
    return min((int(found[1]) for text in pythons if (found := re.match(r"cp3(\d+)", text))), default=0)


def _with_members(edited: Edited, texts: Mapping[str, bytes], new: Mapping[str, bytes]) -> Edited:
    """Return the plan with the entries that the archive gets: names follow the version, and RECORD follows all."""
    old, stem = edited.old_stem, edited.stem
    changed = {f"{old}.dist-info/{name}": data for name, data in new.items()}
    notes = []
    bill = f"{old}.dist-info/sboms/{sbom.NAME}"
    if bill in texts:
        asked = sbom.Edit(version=edited.new.version, old_stem=old, stem=stem, words=edited.words)
        try:
            changed[bill] = sbom.edited(texts[bill], asked)
        except ValueError as error:
            notes.append(f"{bill} cannot be read ({error}) and stays as it is")
    else:
        notes.append("the wheel has no bill of materials of mamba-press, so none says what was changed")
    signatures = [f"{old}.dist-info/{name}" for name in _SIGNATURES]
    gone = [member.name for member in edited.members if member.name in signatures]
    notes += [f"{name} is left out: it signs the file as it was" for name in gone]
    own = f"{old}.dist-info/RECORD"
    changed[own] = _record(texts[own], {**changed, own: b""}, lambda name: _moved(name, old, stem), frozenset(gone))
    members = []
    for member in edited.members:
        if member.name not in gone:
            data = changed.get(member.name)
            moved = member.named(_moved(member.name, old, stem))
            members.append(moved if data is None or data == texts[member.name] else moved.holding(data))
    return replace(edited, members=tuple(members), notes=(*edited.notes, *notes))


def _moved(name: str, old: str, new: str) -> str:
    """Return the path of a file of the wheel's own folders under the new stem; every other one as it is."""
    for kind in (".dist-info/", ".data/"):
        if name.startswith(f"{old}{kind}"):
            return f"{new}{name[len(old) :]}"
    return name


def _record(text: bytes, changed: Mapping[str, bytes], moved: Callable[[str], str], gone: frozenset[str]) -> bytes:
    """Return RECORD with the new paths, and the new hashes and sizes of what is changed; its own line has none.

    Raises ReadError for one that is no table.
    """
    out = io.StringIO(newline="")
    lines = csv.writer(out, lineterminator="\n")
    try:
        rows = [row for row in csv.reader(io.StringIO(text.decode("utf-8"), newline="")) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ReadError(Problem(where="RECORD", what=f"cannot be read: {error}")) from None
    for path, *rest in rows:
        if path not in gone:
            data = changed.get(path)
            lines.writerow((moved(path), *(_hashed(data) if data else rest)))
    return out.getvalue().encode("utf-8")


def _hashed(data: bytes) -> tuple[str, int]:
    return content.hash_of(hashlib.sha256(data).hexdigest()), len(data)


def _judged(
    edited: Edited, written: Path, target: Path, changes: Changes
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Return what is wrong with a wheel that was written: what the edit is to blame for, and what it only passes on.

    New tags are a promise of whoever gives them: all that they do not keep is new, whatever the old tags said.
    """
    is_retagged, new_name = edited.new.tags != edited.old.tags, str(edited.new)
    depth: Depth = "all" if is_retagged else "texts"
    found = check.check(written, name=new_name, depth=depth)
    name = f"{edited.source.name.removesuffix('.whl').rsplit('-', 3)[0]}-{_NO_TAGS}.whl" if is_retagged else None
    before = check.check(edited.source, name=name, depth=depth) if found else ()
    known = {_without_names(problem, name or edited.source.name, edited.old_stem) for problem in before}
    old = [problem for problem in found if _without_names(problem, new_name, edited.stem) in known]
    wrong = [problem for problem in found if problem not in old]
    wrong += () if changes.forced else atomic.taken(written, target, _ANOTHER_NAME)
    return tuple(wrong), tuple(old)


def _without_names(problem: Problem, name: str, stem: str) -> str:
    return str(problem).replace(name, "WHEEL").replace(stem, "STEM")
