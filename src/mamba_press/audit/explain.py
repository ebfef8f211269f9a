"""Why a wheel is as it is, and how one that would be pressed is explained; for a finished one see `explain_wheel`.

Both are told in the same nouns. What only pressing knows (what left, by which rule; why a file stays; what conda's
records demand) is None or missing for a finished wheel; what no bill of materials names is of no package.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from mamba_press.errors import Note, as_values
from mamba_press.metadata import sbom
from mamba_press.metadata.tags import RECORD
from mamba_press.platforms import strings
from mamba_press.types import Dropped, Entry, Finding, Floor, Pressed, Reason
from mamba_press.vendoring import runtime_module
from mamba_press.wheel import compress
from mamba_press.wheel.content import Row

if TYPE_CHECKING:
    from mamba_press.config.model import Config

VERSION = 1
"""Of the JSON form, which docs/reference/explain.schema.json describes; a change that breaks a reader raises it."""

_HASHED = re.compile(r"-[0-9a-f]{8}(?=\.)")
_LISTS = (f"/{runtime_module.MODULE}", ".dist-info/RECORD")
"""These files have names of libraries and open none."""

_STEPS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """A library that a file needs, and where it is found; ``path`` is that of the wheel's own file."""

    name: str
    where: Literal["wheel", "system", "external", "removed", "missing"]
    path: str | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """One file of the wheel.

    ``original`` is its path in its package, ``binary`` says format and architecture, ``changes`` what is other than in
    the package. ``opened_by`` holds the files that have its name as a string, so that it may be opened by it, and
    ``demand`` the latest of its symbols that a system has to have.
    """

    path: str
    size: int
    package: str | None
    original: str | None = None
    why: str = ""
    changes: tuple[str, ...] = ()
    sha256: str | None = None
    binary: str | None = None
    needs: tuple[Need, ...] = ()
    needed_by: tuple[str, ...] = ()
    opened_by: tuple[str, ...] = ()
    demand: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A conda package, or, where none is known, a folder of the wheel (``version`` is then None)."""

    name: str
    version: str | None
    build: str | None
    license: str | None
    why: Reason
    files: int
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What sets the platform tag, and what the tag would be without these packages, or files of no known package.

    ``otherwise`` is None where nothing else demands anything.
    """

    floor: Floor
    by: tuple[str, ...]
    otherwise: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """All of it. ``steps`` are in the order in which they would have to go; ``left`` is None for a finished wheel."""

    wheel: str
    maker: str
    size: int | None
    unpacked: int
    tags: str
    lowest: str | None
    steps: tuple[Step, ...]
    parts: tuple[Part, ...]
    pieces: tuple[Piece, ...]
    license: str | None
    left: tuple[Dropped, ...] | None
    lost: tuple[Finding, ...]
    notes: tuple[Note, ...]


def of_pressed(pressed: Pressed, rows: Sequence[Row], config: Config) -> Explanation:
    """Explain a wheel that is not written; the files that its entries name have to be there still."""
    entries = {entry.path: entry for entry in pressed.wheel.entries}
    places = {entry.real: entry.path for entry in entries.values() if entry.real}
    files = {path: entry.origin for path, entry in entries.items() if entry.origin}
    asked = {path: strings.look(file.source).names for path, file in files.items() if not strings.is_mute(file.path)}
    pieces = [
        replace(
            piece_of(entries.get(row.path) or Entry(path=row.path, source=b""), row, places),
            changes=_changes(entries.get(row.path)),
        )
        for row in rows
    ]
    packages = {package.name: package for package in pressed.solution.packages}
    tagging = pressed.tagging
    pieces = with_users(pieces, asked, tagging.floors)
    return Explanation(
        wheel=pressed.wheel.file_name,
        maker=compress.generator(config.wheel.compression),
        size=None,
        unpacked=sum(piece.size for piece in pieces),
        tags=tagging.tags,
        lowest=tagging.lowest,
        steps=steps(tagging.floors, tagging.lowest),
        parts=tuple(
            Part(
                name=name,
                version=package.version if (package := packages.get(name)) else "",
                build=package.build if package else None,
                license=pressed.licenses.get(name),
                why=Reason("asked") if package is None or package.requested else why_there(name, group, pieces),
                files=len(group),
                size=sum(piece.size for piece in group),
            )
            for name, group in by_package(pieces)
        ),
        pieces=tuple(pieces),
        license=pressed.license,
        left=pressed.selection.dropped,
        lost=lost(pressed.findings),
        notes=pressed.notes,
    )


def piece_of(entry: Entry, row: Row, places: Mapping[str, str]) -> Piece:
    """Return a file of the wheel with what it needs; ``places`` gives the wheel's path by that of the resolver."""
    binary = entry.binary
    return Piece(
        path=row.path,
        size=row.size,
        package=entry.package or None,
        original=entry.origin.path if entry.origin else None,
        why=row.why,
        sha256=row.sha256,
        binary=f"{binary.format} {binary.arch or 'of another machine'}" if binary else None,
        needs=tuple(
            Need(name=link.needed, where=link.where, path=places.get(link.path or ""), why=link.why)
            for link in entry.links
        ),
    )


def with_users(pieces: Sequence[Piece], asked: Mapping[str, frozenset[str]], floors: Sequence[Floor]) -> list[Piece]:
    """Return the files with who needs them, who opens them by name, and the most that each demands of a system."""
    users: dict[str, list[str]] = defaultdict(list)
    openers: dict[str, list[str]] = defaultdict(list)
    names: dict[str, str] = {posixpath.basename(piece.path): piece.path for piece in pieces if piece.binary}
    for piece in pieces:
        for path in {need.path for need in piece.needs if need.path}:
            users[path].append(piece.path)
        for name in asked.get(piece.path, frozenset()) & names.keys():
            if names[name] != piece.path and not piece.path.endswith(_LISTS):
                openers[names[name]].append(piece.path)
    demands: dict[str, str] = {}
    for floor in floors:
        demands.setdefault(floor.path, f"{floor.symbol} of {floor.library}")
    return [
        replace(
            piece,
            needed_by=tuple(users[piece.path]),
            opened_by=tuple(openers[piece.path]),
            demand=demands.get(piece.path),
        )
        for piece in pieces
    ]


def steps(floors: Sequence[Floor], lowest: str) -> tuple[Step, ...]:
    """Return what would have to leave, one after the other, for lower and lower tags."""
    left = list(floors)
    found: list[Step] = []
    while left and len(found) < _STEPS:
        # Of a record and a symbol that demand the same, the symbol says more.
        first = max(left, key=lambda floor: (floor.version, floor.library != RECORD))
        by = {floor.package or floor.path for floor in left if floor.version == first.version}
        left = [floor for floor in left if (floor.package or floor.path) not in by]
        rest = max((floor.version for floor in left), default=None)
        otherwise = re.sub(r"_\d+_\d+_", f"_{rest[0]}_{rest[1]}_", lowest, count=1) if rest else None
        found.append(Step(floor=first, by=tuple(sorted(by)), otherwise=otherwise))
    return tuple(found)


def by_package(pieces: Sequence[Piece]) -> list[tuple[str, list[Piece]]]:
    """Return the packages with their files, the largest first."""
    groups: dict[str, list[Piece]] = defaultdict(list)
    for piece in pieces:
        if piece.package:
            groups[piece.package].append(piece)
    return sorted(groups.items(), key=lambda item: (-sum(piece.size for piece in item[1]), item[0]))


def why_there(name: str, group: Sequence[Piece], pieces: Sequence[Piece]) -> Reason:
    """Say which packages need a package's libraries, or else why most of it is there."""
    by_path = {piece.path: piece.package for piece in pieces}
    users = {by_path[path] for piece in group for path in piece.needed_by}
    found = sorted(user for user in users if user and user != name)
    if found:
        return Reason("needed", ", ".join(found))
    said = next((piece.why for piece in group if piece.why), "")
    return Reason("rule", said or ("plugins" if any(piece.binary for piece in group) else "data"))


def lost(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return what is looked for in vain, and was not accepted."""
    return tuple(found for found in findings if found.kind == "functional" and not found.accepted)


def _changes(entry: Entry | None) -> tuple[str, ...]:
    if entry is None or entry.origin is None:
        return ()
    return ("text",) if isinstance(entry.source, bytes) else sbom.changes(entry.edits)


def keeps_name(piece: Piece) -> bool:
    """Tell whether a library is called as in its package because something opens it by that name."""
    return bool(piece.binary and piece.opened_by) and not _HASHED.search(posixpath.basename(piece.path))


def as_json(explanation: Explanation) -> dict[str, object]:
    """Return the explanation as values for ``json.dumps``, in the form that the schema describes."""
    from dataclasses import asdict

    found = asdict(explanation)
    for step in found["steps"]:
        step["floor"]["version"] = ".".join(map(str, step["floor"]["version"]))
        step["floor"]["package"] = step["floor"]["package"] or None
    for each in (*found["parts"], *(found["left"] or ())):
        each["why"] = str(Reason(**each["why"]))
    found["lost"] = [
        {"package": each.package or None, "path": each.path, "text": each.text, "consequence": each.consequence}
        for each in explanation.lost
    ]
    names = {"steps": "floors", "parts": "packages", "pieces": "files", "lost": "placeholders"}
    found |= as_values(explanation.notes)
    return {"version": VERSION, **{names.get(key, key): value for key, value in found.items()}}
