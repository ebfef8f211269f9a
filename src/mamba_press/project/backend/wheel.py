"""Unpacks the wheel that an inner backend made, and takes nothing on trust: paths, RECORD, names, tags."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import stat
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from email.parser import BytesHeaderParser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from mamba_press import platforms
from mamba_press.errors import BuildError, Problem
from mamba_press.platforms import binaries, binary_edits
from mamba_press.types import Edits, OwnFile, OwnFiles, Target

if TYPE_CHECKING:
    from packaging.tags import Tag


_SIGNATURES = ("RECORD", "RECORD.jws", "RECORD.p7s")
_LICENCE = re.compile(r"(?:licen[cs]e|copying|copyright|notice|authors|unlicense)[^/]*", re.IGNORECASE)
# "sha256 or better" (https://packaging.python.org/specifications/binary-distribution-format/)
_HASHES = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s"})
_SCHEMES: Mapping[str, Literal["platlib", "scripts", "headers", "data"]] = {
    "purelib": "platlib",
    "platlib": "platlib",
    "scripts": "scripts",
    "headers": "headers",
    "data": "data",
}
_BUILD_ID = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"
"""The head of the note that holds a linker's build ID, 20 bytes long (https://refspecs.linuxfoundation.org/elf/)."""
_SHA1 = 20
# Installers write these anew, or they state what was true before pressing.
_LEFT = frozenset({"METADATA", "WHEEL", "entry_points.txt", "INSTALLER", "REQUESTED", "direct_url.json", *_SIGNATURES})


def unpack(path: Path, folder: Path, target: Target, root: Path | None) -> OwnFiles:
    """Unpack a wheel into ``folder`` and return what is in it, without what leads to this machine.

    Raises BuildError with everything that is wrong with the wheel: a path that leaves it, a file that RECORD knows
    otherwise, a tag for another Python or another machine than the target. What RECORD says nothing of is taken, as
    pip and build take it: RECORD and WHEEL are written anew.
    """
    try:
        tags = parse_wheel_filename(path.name)[3]
        with zipfile.ZipFile(path) as archive:
            problems = [*_unsafe(archive), *_foreign(tags, target)] or _untrue(archive)
            BuildError.raise_for(_named(path, problem) for problem in problems)
            return _own(archive, folder, tags, root)
    except InvalidWheelFilename as error:
        raise BuildError(Problem(where=path.name, what=str(error))) from None
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError, csv.Error),
        RuntimeError,  # encrypted, or compressed in a way unknown here
    ) as error:
        raise BuildError(Problem(where=path.name, what=f"the inner backend's wheel cannot be read: {error}")) from None


def described(path: Path) -> dict[str, bytes]:
    """Return the files of a wheel's ``.dist-info``, without those that installers take for a list of what is there."""
    with zipfile.ZipFile(path) as archive:
        (folder,) = _dist_infos(archive)
        left = {f"{folder}/{name}" for name in _SIGNATURES}
        inside = [name for name in archive.namelist() if name.startswith(f"{folder}/") and name not in left]
        return {name[len(folder) + 1 :]: archive.read(name) for name in inside if not name.endswith("/")}


def _named(path: Path, problem: Problem) -> Problem:
    where = f"{path.name}: {problem.where}" if problem.where else path.name
    return Problem(where=where, what=problem.what, hint=problem.hint)


def _unsafe(archive: zipfile.ZipFile) -> Iterator[Problem]:
    """Yield what would land somewhere else than in the wheel's folder."""
    seen: set[str] = set()
    for info in archive.infolist():
        name = info.filename
        parts = name.removesuffix("/").split("/")
        if not name.isprintable() or "\\" in name or ":" in parts[0] or any(part in ("", ".", "..") for part in parts):
            yield Problem(where=name.encode("unicode_escape").decode(), what="is no path inside a wheel")
        elif any(len(part.encode()) > 255 for part in parts):
            yield Problem(where=name, what="has a name that is longer than 255 bytes, which file systems refuse")
        elif stat.S_ISLNK(info.external_attr >> 16):
            yield Problem(where=name, what="is a symlink, which wheels cannot have")
        elif name in seen:
            yield Problem(where=name, what="is in the wheel twice")
        seen.add(name)
    above = {parent.as_posix() for name in seen for parent in PurePosixPath(name).parents}
    for name in sorted(seen):
        if name in above or f"{name}/" in seen:
            yield Problem(where=name, what="is both a file and a folder")
    folders = _dist_infos(archive)
    if len(folders) != 1:
        yield Problem(where="", what=f"has {len(folders)} .dist-info folders instead of one")
    elif f"{folders[0]}/METADATA" not in seen:
        yield Problem(where=f"{folders[0]}/METADATA", what="is missing")


def _dist_infos(archive: zipfile.ZipFile) -> list[str]:
    tops = {name.split("/", 1)[0] for name in archive.namelist() if "/" in name}
    return sorted(top for top in tops if top.endswith(".dist-info"))


def _foreign(tags: frozenset[Tag], target: Target) -> Iterator[Problem]:
    """Yield why a wheel with these tags is not one for the target."""
    python = target.python
    pythons = {f"py3{python.minor}", "py3", python.interpreter}
    stable = {f"cp3{minor}" for minor in range(2, python.minor + 1)}
    fits = any(
        (tag.interpreter in pythons or (tag.abi.startswith("abi3") and tag.interpreter in stable))
        and tag.abi in {python.abi, "none", "abi3", "abi3t"}
        for tag in tags
    )
    shown = ", ".join(sorted(map(str, tags)))
    if not fits:
        hint = f"run the build with Python {python}: an inner backend builds for the interpreter that it runs on"
        yield Problem(where="", what=f"is for another Python than {python}: {shown}", hint=hint)
    machine = platforms.facts(target).machines.get(target.arch, target.arch)
    named = {tag.platform: platforms.parse(tag.platform) for tag in tags}
    if "any" not in named and not any(
        each and each.system == target.system and machine in each.machines for each in named.values()
    ):
        yield Problem(where="", what=f"is for another machine than {target.subdir}: {shown}")


def _untrue(archive: zipfile.ZipFile) -> Iterator[Problem]:
    """Yield where RECORD and the files disagree, and where the metadata and the file name do."""
    (folder,) = _dist_infos(archive)
    files = {info.filename for info in archive.infolist() if not info.is_dir()}
    record = archive.read(f"{folder}/RECORD").decode("utf-8") if f"{folder}/RECORD" in files else ""
    stated = {row[0]: row[1] for row in csv.reader(io.StringIO(record)) if len(row) > 1}
    unlisted = {f"{folder}/{name}" for name in _SIGNATURES}
    for name in sorted(files - unlisted):
        algorithm, _, digest = stated.get(name, "").partition("=")
        if not digest:
            continue
        if algorithm not in _HASHES:
            what = f"has a hash of the kind {algorithm!r} in RECORD, which wheels cannot have; sha256 is usual"
            yield Problem(where=name, what=what)
        else:
            found = hashlib.new(algorithm, archive.read(name)).digest()
            if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != digest.rstrip("="):
                yield Problem(where=name, what="is not what RECORD says")
    for name in sorted(stated.keys() - files):
        yield Problem(where=name, what="stands in RECORD and is not there")
    assert archive.filename
    name, version, _, _ = parse_wheel_filename(Path(archive.filename).name)
    headers = BytesHeaderParser().parsebytes(archive.read(f"{folder}/METADATA"))
    if canonicalize_name(str(headers["Name"])) != name:
        yield Problem(where=f"{folder}/METADATA", what=f"names {headers['Name']}, the file {name}")
    from packaging.version import InvalidVersion, Version

    try:
        same = Version(str(headers["Version"])) == version
    except InvalidVersion:
        same = False
    if not same:
        yield Problem(where=f"{folder}/METADATA", what=f"has version {headers['Version']}, the file {version}")


def _own(archive: zipfile.ZipFile, folder: Path, tags: frozenset[Tag], root: Path | None) -> OwnFiles:
    (info_folder,) = _dist_infos(archive)
    data_folder = info_folder.removesuffix(".dist-info") + ".data"
    files: list[OwnFile] = []
    about: dict[str, Path] = {}
    for info in archive.infolist():
        if info.is_dir():
            continue
        place = folder.joinpath(*PurePosixPath(info.filename).parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        executable = bool((info.external_attr >> 16) & stat.S_IXUSR) and sys.platform != "win32"
        top, _, below = info.filename.partition("/")
        data = archive.read(info)
        data = _without_root(data, root) if top == info_folder else _without_search(data)
        with place.open("xb") as file:
            file.write(data)
        place.chmod(0o755 if executable else 0o644)
        if top == info_folder:
            about[below] = place
            continue
        scheme, _, rest = below.partition("/") if top == data_folder else ("platlib", "", info.filename)
        if scheme not in _SCHEMES or not rest:
            raise BuildError(Problem(where=info.filename, what="is in no folder that wheels know (PEP 491)"))
        files.append(OwnFile(path=rest, source=place, scheme=_SCHEMES[scheme], executable=executable))
    return OwnFiles(
        **_described(about),
        files=tuple(sorted(files, key=lambda file: (file.scheme, file.path))),
        tags=tuple(sorted(map(str, tags))),
    )


def _described(about: Mapping[str, Path]) -> dict[str, Any]:
    """Return the fields of `Own` that are made of the files of ``.dist-info``."""
    licenses = {name.removeprefix("licenses/"): path for name, path in about.items() if name.startswith("licenses/")}
    # Before metadata 2.4 they lay beside METADATA.
    licenses |= {name: path for name, path in about.items() if _LICENCE.fullmatch(name)}
    taken = {*_LEFT, *licenses, *(f"licenses/{name}" for name in licenses)}
    points = about.get("entry_points.txt")
    return {
        "metadata": about["METADATA"].read_bytes(),
        "entry_points": points.read_bytes() if points else None,
        "licenses": licenses,
        "others": {name: path for name, path in about.items() if name not in taken},
    }


def _without_search(data: bytes) -> bytes:
    """Return a binary without the search paths that lead to folders of this machine; anything else as it is.

    They may be those of an earlier build: what is up to date is not linked again.
    """
    try:
        binary = binaries.read(data)
    except binaries.Malformed:
        return data  # told later, with a way out
    stays = tuple(path for path in binary.search if not path.startswith("/")) if binary else ()
    if binary is None or stays == binary.search:
        return data
    is_signed = platforms.facts_for(binary).is_signed
    edited = bytes(binary_edits.apply(data, Edits(search=stays, inherited=binary.inherited, sign=is_signed)))
    return edited if is_signed else _with_build_id(edited)


def _with_build_id(data: bytes) -> bytes:
    """Return an ELF file with a build ID of what it is now: the linker's was made of the search path, too."""
    start = data.find(_BUILD_ID) + len(_BUILD_ID)
    if start < len(_BUILD_ID):
        return data
    before, after = data[:start], data[start + _SHA1 :]
    found = hashlib.sha1(before + after, usedforsecurity=False).digest()
    return before + found + after


def _without_root(data: bytes, root: Path | None) -> bytes:
    """Return what describes a wheel without the folder in which it was built: maturin's bill of materials names it."""
    return data.replace(str(root.resolve()).encode(), b".") if root is not None else data
