"""The bill of materials of a wheel (PEP 770): CycloneDX 1.6, from the conda records that its files came from.

At the top of ``components`` stands one component for each conda package that has a file in the wheel, below it each of
these files: with its hash in the wheel, which is RECORD's, and, as its ancestor, path and hash in the package. Binaries
of the project's own code stand below the wheel itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from packaging.utils import canonicalize_name

from mamba_press import __version__, credentials
from mamba_press.conda.channels import is_path
from mamba_press.types import OWN, Edits, Entry, Info, Package, Reason, Wheel

if TYPE_CHECKING:
    from mamba_press.metadata.licenses import Licence

    Json = dict[str, object]

NAME = "mamba-press.cdx.json"
"""The file's name in ``.dist-info/sboms``."""

LARGEST = 32 << 20
"""Of a finished wheel's bill no more is read: one of 20,000 files has some 15 MB, and takes 20 times as much memory."""

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"

SYSTEMS = ("__glibc ", "__osx ")
"""Demands of a package on the system, which count for the tag: its component has each as ``mamba-press:system``."""

_URL = re.compile(r"(?:https?|ftp|git|ssh)://[^\s<>\"{}|\\^`]+")
_PLAIN = re.compile(r"[A-Za-z0-9_.~/-]*")
"""What no URL quotes: nearly all paths, and to look costs a tenth of quoting."""

_NO_COMPONENTS = '"components": []'
_THEIRS = re.compile(r"[^/]+\.dist-info/sboms/(.+)")
_REFERENCES = (("home", "website"), ("dev_url", "vcs"), ("doc_url", "documentation"), ("source_url", "other"))
_SECONDS_UNTIL = 100_000_000_000  # conda's timestamps are milliseconds now and were seconds once


@dataclass(frozen=True, kw_only=True, slots=True)
class Sbom:
    """The bill of a wheel as soon as the hashes of its files are known: what it says beside the files themselves.

    ``packages`` are all that were fetched: a dependency may lead through one that has no file in the wheel.
    ``info`` holds, by package, what its ``info`` folder says.
    ``expression`` is the licence of all that is in the wheel; ``epoch`` is SOURCE_DATE_EPOCH.
    """

    packages: tuple[Package, ...]
    licences: tuple[Licence, ...]
    expression: str | None
    info: Mapping[str, Info]
    epoch: int | None

    def entry(self, wheel: Wheel, hashes: Mapping[str, str]) -> Entry:
        """Return the file; ``hashes`` holds the sha256 of each entry as it is written, by path."""
        path = f"{wheel.stem}.dist-info/sboms/{NAME}"
        return Entry.made(path, document(wheel, hashes, self), "the wheel's bill of materials")


def inherited(entries: Iterable[Entry], stem: str) -> tuple[Entry, ...]:
    """Return the bills in the packages' own ``.dist-info`` as entries of the wheel's: they say what was built in."""
    found = []
    for entry in entries:
        place = _THEIRS.fullmatch(entry.path)
        if place and entry.package:
            path = f"{stem}.dist-info/sboms/{entry.package}/{place[1]}"
            found.append(replace(entry, path=path, why=Reason("rule", f"bill of materials of {entry.package}")))
    return tuple(found)


def document(wheel: Wheel, hashes: Mapping[str, str], facts: Sbom) -> bytes:
    """Return the bill as JSON: the same for the same wheel, wherever and whenever it is made."""
    files: dict[str, list[Entry]] = {}
    for entry in wheel.entries:
        if entry.package:
            files.setdefault(entry.package, []).append(entry)
    present = [package for package in facts.packages if package.name in files]
    root = _root(wheel, facts.expression)
    binaries = [entry for entry in files.get(OWN, ()) if entry.binary]
    if binaries:
        root["components"] = [_file(entry, hashes) for entry in binaries]
    metadata: Json = {
        **_timestamp(present, facts.epoch),
        "lifecycles": [{"phase": "build"}],
        "tools": {"components": [{"type": "application", "name": "mamba-press", "version": __version__}]},
        "component": root,
    }
    body: Json = {
        "version": 1,
        "metadata": metadata,
        "components": [],
        "dependencies": [*_dependencies(str(root["bom-ref"]), present, facts.packages), *_needs(wheel.entries)],
    }
    packages = (_component(package, files[package.name], hashes, facts) for package in present)
    return _numbered(_with_components(body, packages))


def _numbered(text: Iterable[str]) -> bytes:
    """Return the bill with its head, whose serial number is the UUID (version 5) of all that follows in it."""
    made, sha1 = io.BytesIO(), hashlib.sha1(uuid.NAMESPACE_URL.bytes, usedforsecurity=False)
    made.write(_head(uuid.UUID(int=0))[:-1])  # the head ends where the text begins, with "{"
    for piece in text:
        made.write(piece.encode())
        sha1.update(piece.encode())
    made.write(b"\n")
    made.seek(0)
    made.write(_head(uuid.UUID(bytes=sha1.digest()[:16], version=5)))
    return made.getvalue()


def _head(serial: uuid.UUID) -> bytes:
    head = {"$schema": SCHEMA, "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": serial.urn}
    return f"{json.dumps(head)[:-1]}, ".encode()


def _with_components(value: Json, components: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the text of a value whose list of components is empty, with these in it.

    A wheel may have 100,000 files: as values they take ten times as much memory as the text of one after the other. All
    is on one line: with an indent json takes ten times as long. No text in a value has a quote that is not escaped.
    """
    start, end = json.dumps(value, sort_keys=True).split(_NO_COMPONENTS, 1)
    yield start + _NO_COMPONENTS[:-1]
    for number, component in enumerate(components):
        yield ", " if number else ""
        yield from component
    yield "]" + end


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """What was changed of a finished wheel: its version, the stem of its own folders, and what a reader is told."""

    version: str
    old_stem: str
    stem: str
    words: tuple[str, ...]


def edited(bill: bytes, edit: Edit) -> bytes:
    """Return our bill of a finished wheel as that of the edited one, whose ancestor the old one is.

    Raises ValueError for a bill that is none of ours.
    """
    if len(bill) > LARGEST:
        raise ValueError(f"has more than {LARGEST:,} bytes")
    try:
        found: object = json.loads(bill)
        return _edited(found if isinstance(found, dict) else {}, edit)
    except RecursionError:
        raise ValueError("has too many brackets in each other") from None


def _edited(found: Json, edit: Edit) -> bytes:
    metadata = found.get("metadata")
    root = metadata.get("component") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(root, dict) or "bom-ref" not in root:
        raise ValueError("has no component that it describes")
    old = str(root["bom-ref"])
    new = f"{old.rpartition('@')[0]}@{quote(edit.version, safe='')}"
    ancestor = {key: value for key, value in root.items() if key != "bom-ref"}
    pedigree = {"ancestors": [ancestor], "notes": f"edited by mamba-press {__version__}: {'; '.join(edit.words)}"}
    root = {**root, "bom-ref": new, "version": edit.version, "purl": new, "pedigree": pedigree}
    # Files of the wheel's own folders are named, and referred to, by paths that begin with the version.
    stems = tuple((f"{edit.old_stem}.{kind}/", f"{edit.stem}.{kind}/") for kind in ("dist-info", "data"))
    quoted = tuple((f"file:{quote(before)}", f"file:{quote(after)}") for before, after in stems)
    rest = {key: value for key, value in found.items() if key != "serialNumber"}
    moved = _moved(rest, (*stems, *quoted), {old: new})
    assert isinstance(moved, dict)
    body = {**moved, "metadata": {**metadata, "component": root}}
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    head = {key: body.pop(key) for key in ("$schema", "bomFormat", "specVersion") if key in body}
    return (json.dumps({**head, "serialNumber": serial.urn, **body}, indent=1) + "\n").encode()


def _moved(value: object, starts: tuple[tuple[str, str], ...], whole: Mapping[str, str]) -> object:
    """Return a value of JSON in which texts that begin with a path of old begin with the new one."""
    if isinstance(value, dict):
        return {key: _moved(each, starts, whole) for key, each in value.items()}
    if isinstance(value, list):
        return [_moved(each, starts, whole) for each in value]
    if isinstance(value, str):
        for before, after in starts:
            if value.startswith(before):
                return after + value[len(before) :]
        return whole.get(value, value)
    return value


def purl(package: Package) -> str:
    """Return the package URL of a conda package, without a channel where that is a folder: its name proves nothing."""
    archive = "conda" if package.file_name.endswith(".conda") else "tar.bz2"
    about = {"build": package.build, "channel": channel(package.channel), "subdir": package.subdir, "type": archive}
    qualifiers = "&".join(f"{key}={quote(value, safe='/')}" for key, value in sorted(about.items()) if value)
    return f"pkg:conda/{quote(package.name, safe='')}@{quote(package.version, safe='')}?{qualifiers}"


def channel(text: str) -> str:
    """Return a channel's name, or its path on a server without ``pkgs`` and tokens; nothing for a folder's path."""
    if is_path(text):
        return ""
    path = re.sub(r"^[\w+.-]+://[^/]*", "", credentials.public(text)).strip("/")
    return unquote(path).removeprefix("pkgs/")


def _root(wheel: Wheel, expression: str | None) -> Json:
    name = f"pkg:pypi/{canonicalize_name(wheel.name)}@{quote(str(wheel.version), safe='')}"
    component: Json = {
        "type": "library",
        "bom-ref": name,
        "name": wheel.name,
        "version": str(wheel.version),
        "purl": name,
    }
    if expression is not None:
        component["licenses"] = [{"expression": expression, "acknowledgement": "concluded"}]
    return component


def _timestamp(packages: Iterable[Package], epoch: int | None) -> Json:
    """Return SOURCE_DATE_EPOCH, else when the newest package was made, as the bill's date."""
    stamps = [package.timestamp for package in packages if package.timestamp]
    seconds = [stamp // 1000 if stamp > _SECONDS_UNTIL else stamp for stamp in stamps]
    when = epoch if epoch is not None else max(seconds, default=None)
    if when is None:
        return {}
    return {"timestamp": datetime.fromtimestamp(when, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}


# -- packages


def _component(package: Package, files: Sequence[Entry], hashes: Mapping[str, str], facts: Sbom) -> Iterator[str]:
    info = facts.info.get(package.name, Info())
    summary = info.about.get("summary")
    licence = next((licence for licence in facts.licences if licence.package == package.name), None)
    component: Json = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "scope": "required",
        "purl": purl(package),
        "components": [],
    }
    if isinstance(summary, str) and summary.strip():
        component["description"] = " ".join(summary.split())
    if package.sha256 or package.md5:
        found = (("SHA-256", package.sha256), ("MD5", package.md5))
        component["hashes"] = [{"alg": name, "content": value} for name, value in found if value][:1]
    if licence is not None:
        component["licenses"] = [{"expression": licence.expression, "acknowledgement": "declared"}]
    properties = [("license", licence.text)] if licence and licence.text not in (None, licence.expression) else []
    specs = (*package.depends, *package.constrains)
    properties += [("system", spec.text) for spec in specs if spec.text.startswith(SYSTEMS)]
    if properties:
        component["properties"] = [{"name": f"mamba-press:{name}", "value": value} for name, value in properties]
    references = list(_references(package, info))
    if references:
        component["externalReferences"] = references
    texts = (json.dumps(_file(entry, hashes), sort_keys=True) for entry in sorted(files, key=lambda entry: entry.path))
    return _with_components(component, ((text,) for text in texts))


def _references(package: Package, info: Info) -> Iterator[Json]:
    """Yield where a package, its sources and its pages are; nothing of this machine."""
    archive = _public(package.url, query=False)
    if archive:
        yield {"type": "distribution", "url": archive}
    for url, sha256 in _in_recipe(info.recipe):
        hashes: Json = {"hashes": [{"alg": "SHA-256", "content": sha256}]} if sha256 else {}
        yield {"type": "source-distribution", "url": url, **hashes}
    for key, kind in _REFERENCES:
        value = info.about.get(key)
        page = _public(value) if isinstance(value, str) else None
        if page:
            yield {"type": kind, "url": page}


def _public(url: str, *, query: bool = True) -> str | None:
    """Return a URL without credentials; None for what is none, or none that others can open."""
    if not _URL.fullmatch(url):
        return None
    return credentials.public(url, query=query)


def _in_recipe(text: str) -> list[tuple[str, str | None]]:
    """Return the URLs and hashes of the sources that the recipe in a package names.

    Read is the ``source`` of a recipe that a builder wrote: each key on a line of its own, lists indented or not.
    """
    found: list[dict[str, str]] = []
    inside = -1
    for line in text.splitlines():
        plain = line.strip()
        indent = len(line) - len(line.lstrip())
        if inside < 0 or (plain and indent <= inside and not plain.startswith("-")):
            inside = indent if plain in ("source:", "finalized_sources:") else -1
            if inside >= 0:
                found.append({})
            continue
        is_item = plain.startswith("- ")
        pair = re.fullmatch(r"(?:- )?(?:(url|sha256): *)?['\"]?([^\s'\"]*)['\"]?", plain)
        if is_item and pair and pair[1] is None and "url" in found[-1]:
            continue  # a mirror
        if is_item and pair and pair[1] is not None:
            found.append({})
        if pair and (pair[1] == "sha256" or _public(pair[2])):
            found[-1].setdefault(pair[1] or "url", pair[2])
    urls = {public: one.get("sha256") for one in found if (public := _public(one.get("url", "")))}
    return [(url, sha256 if re.fullmatch(r"[0-9a-f]{64}", sha256 or "") else None) for url, sha256 in urls.items()]


# -- files


def _file(entry: Entry, hashes: Mapping[str, str]) -> Json:
    before = entry.origin.sha256 if entry.origin else None
    after = hashes[entry.path]
    ancestor: Json = {"type": "file", "name": entry.original}
    if before:
        ancestor["hashes"] = [{"alg": "SHA-256", "content": before}]
    pedigree: Json = {"ancestors": [ancestor]}
    if before and before != after:
        pedigree["notes"] = f"changed by mamba-press: {', '.join(changes(entry.edits)) or 'its text'}"
    return {
        "type": "file",
        "bom-ref": _reference(entry),
        "name": entry.path,
        "hashes": [{"alg": "SHA-256", "content": after}],
        "pedigree": pedigree,
    }


def changes(edits: Edits | None) -> tuple[str, ...]:
    """Say in words which parts of a binary are changed."""
    if edits is None:
        return ()
    asked = (
        ("its name", edits.name is not None),
        ("names of needed libraries", bool(edits.needed)),
        ("search path", edits.search is not None),
        ("unique symbols", edits.unbind_unique),
        ("executable stack", edits.clear_execstack),
        ("signature", edits.sign),
    )
    return tuple(words for words, is_asked in asked if is_asked)


def _reference(entry: Entry) -> str:
    return f"file:{entry.path if _PLAIN.fullmatch(entry.path) else quote(entry.path, safe='/')}"


# -- the graph


def _dependencies(root: str, present: Sequence[Package], packages: Sequence[Package]) -> Iterator[Json]:
    """Yield what each package depends on, past those without a file in the wheel; all are reached from the root."""
    by_name = {package.name: package for package in packages}
    inside = {package.name for package in present}
    graph = {package.name: _reached(package, by_name, inside) for package in present}
    tops = {package.name for package in present if package.requested}
    tops |= inside - {name for names in graph.values() for name in names}
    seen = _closure(tops, graph)
    for name in sorted(inside):  # a cycle that nothing else leads into
        if name not in seen:
            tops.add(name)
            seen |= _closure({name}, graph)
    yield {"ref": root, "dependsOn": [purl(by_name[name]) for name in sorted(tops)]}
    for name, others in sorted(graph.items()):
        yield {"ref": purl(by_name[name]), "dependsOn": [purl(by_name[other]) for other in sorted(others)]}


def _reached(package: Package, by_name: Mapping[str, Package], inside: set[str]) -> set[str]:
    found: set[str] = set()
    seen = {package.name}
    todo = [package]
    while todo:
        new = {spec.name for spec in todo.pop().depends} - seen
        seen |= new
        found |= new & inside
        todo += [by_name[name] for name in (new - inside) & by_name.keys()]
    return found


def _closure(names: Iterable[str], graph: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(graph[name])
    return seen


def _needs(entries: Iterable[Entry]) -> Iterator[Json]:
    """Yield which files of the wheel each binary needs."""
    theirs = [entry for entry in entries if entry.real]
    places = {entry.real: entry for entry in theirs}
    for entry in sorted(theirs, key=lambda entry: entry.path):
        needed = sorted({_reference(places[link.path]) for link in entry.links if link.path in places})
        if needed:
            yield {"ref": _reference(entry), "dependsOn": needed}
