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
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from mamba_press import binaries
from mamba_press.errors import BuildError
from mamba_press.types import Edits, Own, OwnFile, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.tags import Tag

    from mamba_press.types import Target

_SIGNATURES = ("RECORD", "RECORD.jws", "RECORD.p7s")
_LICENCE = re.compile(r"(?:licen[cs]e|copying|copyright|notice|authors|unlicense)[^/]*", re.IGNORECASE)
_SCHEMES: Mapping[str, Literal["platlib", "scripts", "headers", "data"]] = {
    "purelib": "platlib",
    "platlib": "platlib",
    "scripts": "scripts",
    "headers": "headers",
    "data": "data",
}
# Installers write these anew, or they state what was true before pressing.
_LEFT = frozenset({"METADATA", "WHEEL", "entry_points.txt", "INSTALLER", "REQUESTED", "direct_url.json", *_SIGNATURES})


@dataclass(frozen=True, kw_only=True, slots=True)
class Private:
    """What of this machine must not be seen in a wheel: the build's temporary folder, and the project's own."""

    folder: Path | None = None
    root: Path | None = None


def unpack(path: Path, folder: Path, target: Target, private: Private) -> Own:
    """Unpack a wheel into ``folder`` and return what is in it, without what leads to the machine that built it.

    Raises BuildError with everything that is wrong with the wheel: a path that leaves it, a file that RECORD does not
    know or knows otherwise, a tag for another Python or another machine than the target.
    """
    try:
        tags = parse_wheel_filename(path.name)[3]
        with zipfile.ZipFile(path) as archive:
            problems = [*_unsafe(archive), *_foreign(tags, target)]
            if not problems:
                problems = list(_untrue(archive))
            if problems:
                raise BuildError(*(_named(path, problem) for problem in problems))
            return _own(archive, folder, tags, private)
    except InvalidWheelFilename as error:
        raise BuildError(Problem(where=path.name, what=str(error))) from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise BuildError(Problem(where=path.name, what=f"the inner backend's wheel cannot be read: {error}")) from None


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
        elif stat.S_ISLNK(info.external_attr >> 16):
            yield Problem(where=name, what="is a symlink, which wheels cannot have")
        elif name in seen:
            yield Problem(where=name, what="is in the wheel twice")
        seen.add(name)
    folders = _dist_infos(archive)
    if len(folders) != 1:
        yield Problem(where="", what=f"has {len(folders)} .dist-info folders instead of one")
    else:
        for name in ("METADATA", "WHEEL", "RECORD"):
            if f"{folders[0]}/{name}" not in seen:
                yield Problem(where=f"{folders[0]}/{name}", what="is missing")


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
    archs = {target.arch, "universal2"} if target.system == "osx" else {target.arch}
    starts = {"linux": ("linux", "manylinux"), "osx": ("macosx",), "win": ("win",)}[target.system]
    if not any(
        tag.platform == "any" or (tag.platform.startswith(starts) and tag.platform.endswith(tuple(archs)))
        for tag in tags
    ):
        yield Problem(where="", what=f"is for another machine than {target.subdir}: {shown}")


def _untrue(archive: zipfile.ZipFile) -> Iterator[Problem]:
    """Yield where RECORD and the files disagree, and where the metadata and the file name do."""
    (folder,) = _dist_infos(archive)
    rows = csv.reader(io.StringIO(archive.read(f"{folder}/RECORD").decode("utf-8")))
    stated = {row[0]: row[1] for row in rows if len(row) > 1}
    files = {info.filename for info in archive.infolist() if not info.is_dir()}
    unlisted = {f"{folder}/{name}" for name in _SIGNATURES}
    for name in sorted(files - unlisted):
        algorithm, _, digest = stated.get(name, "").partition("=")
        if not digest or algorithm not in hashlib.algorithms_guaranteed:
            yield Problem(where=name, what="has no hash in RECORD")
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


def _own(archive: zipfile.ZipFile, folder: Path, tags: frozenset[Tag], private: Private) -> Own:
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
        data = _without_root(data, private.root) if top == info_folder else _without_search(data, private.folder)
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
    return Own(
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


def _without_search(data: bytes, folder: Path | None) -> bytes:
    """Return a binary without the search paths that lead into the build's folder; anything else as it is."""
    try:
        binary = binaries.read(data) if folder is not None else None
    except binaries.Malformed:
        return data  # told later, with a way out
    if binary is None or not any(str(folder) in path for path in binary.search):
        return data
    stays = tuple(path for path in binary.search if str(folder) not in path)
    edits = Edits(search=stays, inherited=binary.inherited, sign=binary.format == "macho")
    return bytes(binaries.apply(data, edits))


def _without_root(data: bytes, root: Path | None) -> bytes:
    """Return what describes a wheel without the folder in which it was built: maturin's bill of materials names it."""
    return data.replace(str(root.resolve()).encode(), b".") if root is not None else data
