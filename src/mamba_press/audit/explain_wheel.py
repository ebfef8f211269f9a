"""Why a finished wheel is as it is, by reading it again: whoever made it, with or without a bill of materials."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import platforms
from mamba_press.audit import check
from mamba_press.audit.explain import Explanation, Part, Piece, by_package, lost, piece_of, steps, why_there, with_users
from mamba_press.conda import match_specs
from mamba_press.errors import Problem, ReadError, noted
from mamba_press.metadata import headers, sbom, tags
from mamba_press.platforms import binaries, strings
from mamba_press.types import Binary, Entry, Finding, Floor, Package, Reason, Resolved, Spec
from mamba_press.vendoring import hardcoded_prefix
from mamba_press.wheel import parallel, read, zip_format
from mamba_press.wheel.content import Row

if TYPE_CHECKING:
    from mamba_press.metadata.headers import Fields
    from mamba_press.platforms.binary_format import Data
    from mamba_press.platforms.tag import Tag

_SHA256 = re.compile(r"sha256=[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[^-]+-[^-]+(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
_LONGEST = 500


def of_wheel(path: Path) -> Explanation:
    """Explain a finished wheel, whoever made it; raises ReadError where it cannot be read."""
    if not _NAME.fullmatch(path.name):
        what = "is not the name of a wheel: name-version-python-abi-platform.whl"
        raise ReadError(Problem(where=str(path), what=what))
    try:
        seen, texts = _read(path)
        bill = _bill(texts)
    except read.UNREADABLE as error:
        why = getattr(error, "strerror", None) or error
        raise ReadError(Problem(where=str(path), what=f"cannot be read as a wheel: {why}")) from None
    about = headers.parse(texts.get("WHEEL", b""))
    metadata = headers.parse(texts.get("METADATA", b""))
    tag = "-".join(path.name.removesuffix(".whl").split("-")[-3:])
    named = tuple(each for text in tag.split("-")[2].split(".") if (each := platforms.parse(text)))
    entries = _linked(seen, bill, named)
    floors, lowest = _floors(entries, bill, named)
    places = {entry.path: entry.path for entry in entries}
    pieces = [
        replace(
            piece_of(entry, Row(path=one.path, size=one.size, sha256=one.sha256, why=str(entry.why or "")), places),
            original=bill.originals.get(entry.path),
            changes=bill.changes.get(entry.path, ()),
        )
        for entry, one in zip(entries, seen, strict=True)
    ]
    pieces = with_users(pieces, {one.path: one.names for one in seen}, floors)
    return Explanation(
        wheel=path.name,
        maker=next(iter(about.values("Generator")), ""),
        size=path.stat().st_size,
        unpacked=sum(piece.size for piece in pieces),
        tags=tag,
        lowest=lowest,
        steps=steps(floors, lowest or ""),
        parts=tuple(_parts(pieces, bill)),
        pieces=tuple(pieces),
        license=bill.license or _stated(metadata),
        left=None,
        lost=lost(replace(found, package=bill.of.get(found.path, "")) for one in seen for found in one.lost),
        notes=noted(check.notes(path)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What was seen of one file of a wheel while its bytes were at hand."""

    path: str
    size: int
    sha256: str | None
    binary: Binary | None
    names: frozenset[str]
    lost: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bill:
    """What our bill of materials says: the package of each file, of each package the rest, the licence of it all."""

    packages: Mapping[str, Mapping[str, object]]
    of: Mapping[str, str]
    originals: Mapping[str, str]
    changes: Mapping[str, tuple[str, ...]]
    tops: frozenset[str]
    license: str | None = None


def _read(path: Path) -> tuple[list[_Seen], dict[str, bytes]]:
    """Look at every file of a wheel on all cores; and return the texts that tell of it, by their names."""
    members = [member for member in read.require(path) if not member.is_folder]
    texts: dict[str, bytes] = {}
    large = threading.Semaphore(1)
    most = {**read.TEXTS, f"sboms/{sbom.NAME}": sbom.LARGEST}

    def look(member: zip_format.Member) -> _Seen:
        with (
            large if member.size >= read.LARGE else nullcontext(),
            path.open("rb") as own,  # a file of its own, as threads seek
            read.at_hand(own, member) as data,
        ):
            folder, _, name = member.name.partition("/")
            if folder.endswith(".dist-info") and member.size <= most.get(name, -1):
                texts[name] = bytes(data)
            return _look(member.name, data)

    with ThreadPoolExecutor(parallel.count(), thread_name_prefix="mamba-press") as pool:
        seen = list(pool.map(look, members))
    hashes = _hashes(texts.get("RECORD", b""))
    return [replace(one, sha256=hashes.get(one.path)) for one in seen], texts


def _hashes(record: bytes) -> dict[str, str]:
    """Return the sha256 of each file that RECORD states, in hexadecimal."""
    found = {}
    try:
        for row in csv.reader(io.TextIOWrapper(io.BytesIO(record), "utf-8", errors="replace", newline="")):
            if len(row) == 3 and _SHA256.fullmatch(row[1]):
                found[row[0]] = base64.urlsafe_b64decode(row[1][7:] + "=").hex()
    except csv.Error:  # what is behind a line that cannot be read is not known, which `check` tells
        pass
    return found


def _look(path: str, data: Data) -> _Seen:
    binary = None
    if binaries.format_of(bytes(data[:8])):
        with suppress(binaries.Malformed):
            binary = binaries.read(data)
    is_own = path.split("/", maxsplit=1)[0].endswith(".dist-info")
    return _Seen(
        path=path,
        size=len(data),
        sha256=None,
        binary=binary,
        names=frozenset() if is_own or strings.is_mute(path) else strings.look_at(data).names,
        lost=() if is_own else hardcoded_prefix.left(path, data),
    )


def _bill(texts: Mapping[str, bytes]) -> _Bill:
    """Read our bill of materials; one that is not there, or not ours, says nothing."""
    try:
        found = json.loads(texts.get(f"sboms/{sbom.NAME}", b"{}"))
        components = [one for one in found.get("components", ()) if one.get("components")]
        roots = [one for one in found.get("dependencies", ()) if str(one.get("ref", "")).startswith("pkg:pypi/")]
        refs = {one.get("bom-ref"): str(one["name"]) for one in components}
        files = [(str(one["name"]), each) for one in components for each in one["components"]]
        return _Bill(
            packages={str(one["name"]): one for one in components},
            of={str(each["name"]): package for package, each in files},
            originals={
                str(each["name"]): str(ancestor["name"])
                for _, each in files
                for ancestor in each.get("pedigree", {}).get("ancestors", ())[:1]
            },
            changes={
                str(each["name"]): tuple(str(notes).rpartition(": ")[2].split(", "))
                for _, each in files
                if (notes := each.get("pedigree", {}).get("notes"))
            },
            tops=frozenset(refs[ref] for one in roots for ref in one.get("dependsOn", ()) if ref in refs),
            license=_expression(found.get("metadata", {}).get("component", {})),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return _Bill(packages={}, of={}, originals={}, changes={}, tops=frozenset())


def _linked(seen: Sequence[_Seen], bill: _Bill, named: Sequence[Tag]) -> list[Entry]:
    """Return the files as entries, with what answers for each library that they need."""
    libraries = {read.installed(one.path): one.binary for one in seen if one.binary and one.binary.kind != "static"}
    answers = _answers(libraries, named)
    return [
        Entry(
            path=one.path,
            source=Path(),
            why=_why(one.path, bill),
            package=bill.of.get(one.path, ""),
            binary=one.binary,
            links=tuple(
                _resolved(needed, answers.get((read.installed(one.path), needed)))
                for needed in (one.binary.needed if one.binary else ())
            ),
        )
        for one in seen
    ]


def _why(path: str, bill: _Bill) -> Reason | None:
    if path.split("/", maxsplit=1)[0].endswith(".dist-info"):
        return Reason("rule", "licence" if "/licenses/" in path else "metadata")
    package = bill.of.get(path)
    return Reason("rule", "of a package that was asked for") if package in bill.tops else None


def _resolved(needed: str, answer: str | None) -> Resolved:
    if answer is None:
        return Resolved(needed=needed, where="missing")
    return Resolved(needed=needed, where="wheel" if answer else "system", path=answer or None)


def _answers(libraries: Mapping[str, Binary], named: Sequence[Tag]) -> dict[tuple[str, str], str | None]:
    """Return who answers for each needed name of each file: a path in the wheel, ``""`` the system, None nobody."""
    found: dict[tuple[str, str], str | None] = {}
    for facts in platforms.FACTS.values():
        own = {path: binary for path, binary in libraries.items() if binary.format == facts.format}
        found |= platforms.of(facts.system).answers(own, [tag for tag in named if tag.system == facts.system])
    return found


def _floors(entries: Sequence[Entry], bill: _Bill, named: Sequence[Tag]) -> tuple[tuple[Floor, ...], str | None]:
    """Return what the binaries, and the records that the bill quotes, demand of a system, and the lowest tag."""
    for tag in (each for each in named if each.is_known):
        system = platforms.of(tag.system)
        oldest = system.floor_of((), tag.machines[0])
        records = {name: Package(name=name, version="", depends=_demands(each)) for name, each in bill.packages.items()}
        stated = tags.stated(entries, records, platforms.FACTS[tag.system].virtual, oldest)
        # Who pressed may have counted symbols alone: of the records only what the tag keeps is believed.
        believed = [floor for floor in stated if tag.floor is None or floor.version <= tag.floor]
        floors = sorted(
            (*system.demanded(entries, tag.machines[0]), *believed),
            key=lambda floor: (-floor.version[0], -floor.version[1], floor.package, floor.path),
        )
        return tuple(floors), system.name(floors[0].version if floors else oldest, tag.arch)
    return (), None


def _stated(metadata: Fields) -> str | None:
    """Return the licence that METADATA states, of a whole text only its beginning."""
    for text in (*metadata.values("License-Expression"), *metadata.values("License")):
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return next((text for text in metadata.values("Classifier") if text.startswith("License ::")), None)


def _parts(pieces: Sequence[Piece], bill: _Bill) -> Iterator[Part]:
    """Yield the packages that the bill names, and what is of none of them by folders."""
    for name, group in by_package(pieces):
        component = bill.packages.get(name, {})
        yield Part(
            name=name,
            version=str(component.get("version", "")),
            build=_build(str(component.get("purl", ""))),
            license=_expression(component),
            why=Reason("asked") if name in bill.tops else why_there(name, group, pieces),
            files=len(group),
            size=sum(piece.size for piece in group),
        )
    if bill.packages:
        return
    folders: dict[str, list[Piece]] = defaultdict(list)
    for piece in pieces:
        folders[piece.path.partition("/")[0]].append(piece)
    for folder, group in sorted(folders.items(), key=lambda item: -sum(piece.size for piece in item[1])):
        size = sum(piece.size for piece in group)
        yield Part(name=folder, version=None, build=None, license=None, why=Reason("rule"), files=len(group), size=size)


def _demands(component: Mapping[str, object]) -> tuple[Spec, ...]:
    properties = component.get("properties")
    found = properties if isinstance(properties, list) else []
    ours = [one for one in found if isinstance(one, dict) and one.get("name") == "mamba-press:system"]
    return tuple(match_specs.read(str(one["value"])) for one in ours if "value" in one)


def _build(purl: str) -> str | None:
    found = re.search(r"[?&]build=([^&]+)", purl)
    return found[1] if found else None


def _expression(component: Mapping[str, object]) -> str | None:
    licences = component.get("licenses")
    first = licences[0] if isinstance(licences, list) and licences else None
    return str(first["expression"]) if isinstance(first, dict) and "expression" in first else None
