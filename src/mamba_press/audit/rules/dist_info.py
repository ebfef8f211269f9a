"""WHEEL, RECORD, METADATA and entry points that are not what the standards want, or what the wheel is."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from mamba_press.audit.contents import Contents, Name, unhashed
from mamba_press.errors import Habit, Problem, Style
from mamba_press.metadata import headers, requires_python
from mamba_press.metadata.installed import entry_points
from mamba_press.wheel import content
from mamba_press.wheel.zip_format import Damage

_SPARE_ROWS = 1000
_SCRIPT = re.compile(r"[\w.-]+")
_OBJECT = re.compile(r"[\w.]+\s*(:\s*[\w.]+\s*)?(\[[^\]]*\]\s*)?")


def problems(contents: Contents) -> Iterator[Problem]:
    """Yield what is wrong with each file."""
    rules = {"RECORD": _record, "WHEEL": _wheel_file, "METADATA": _metadata, "entry_points.txt": _entry_points}
    for name, rule in rules.items():
        where = f"{contents.dist_info}/{name}"
        text = contents.text(name)
        if text is not None:
            yield from rule(contents, where, text)
        elif where not in contents.members and name != "entry_points.txt":
            yield Damage(where=where, what="is missing")


def _is_same(name: Name, other: str, version: str) -> bool:
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    try:
        return canonicalize_name(other) == name.name and Version(version) == Version(name.version)
    except InvalidVersion:
        return False


def _wheel_file(contents: Contents, where: str, text: bytes) -> Iterator[Problem]:
    """Yield where WHEEL is not what the standard wants, or not what the file name says."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
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


def _record(contents: Contents, own: str, text: bytes) -> Iterator[Problem]:
    """Yield where RECORD and the archive differ."""
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
    for path in sorted(contents.members.keys() - listed - unhashed(contents)):
        yield Damage(where=path, what="is in the archive but not in RECORD")


def _row(contents: Contents, own: str, row: Sequence[str], listed: set[str]) -> Iterator[Problem]:
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
    elif digest or path not in unhashed(contents):
        algorithm = digest.partition("=")[0]
        if algorithm != "sha256":
            yield Damage(where=path, what=f"RECORD has {algorithm or 'no hash'} for it; mamba-press wants sha256")
        elif member.sha256 is not None and digest != (known := content.hash_of(member.sha256)):
            is_known = digest.rstrip("=") in (known, f"sha256={member.sha256}")
            form = "RECORD states its hash in another form than URL-safe base64 without padding"
            yield Damage(where=path, what=form if is_known else "is not what RECORD's hash was made of")
        if size != str(member.size):
            yield Damage(where=path, what=f"has {member.size} bytes; RECORD says {size or 'nothing'}")


def _metadata(contents: Contents, where: str, text: bytes) -> Iterator[Problem]:
    """Yield what PyPI's rules find wrong with METADATA, and licence files that are not there."""
    metadata, whats = headers.metadata(text)
    for what in whats:
        # A field that is newer than the stated version is read by all tools, and was taken by PyPI.
        kind = Style if "introduced in metadata version" in what else Problem
        yield kind(where=where, what=what)
    if metadata is None:
        return
    if not _is_same(contents.name, metadata.name, str(metadata.version)):
        yield Problem(where=where, what=f"says {metadata.name} {metadata.version}, which the file name does not")
    if metadata.requires_python is not None and not requires_python.some(metadata.requires_python, contents.name.tags):
        what = f"Requires-Python: {metadata.requires_python} allows no Python that {contents.name.pythons} is for"
        yield Problem(where=where, what=what, hint="make it for a Python that is allowed; others cannot install it")
    for licence in metadata.license_files or ():
        places = (f"{contents.dist_info}/licenses/{licence}", f"{contents.dist_info}/{licence}")
        if not contents.members.keys() & set(places):
            yield Problem(where=where, what=f"names the licence file {licence}, which is not in the wheel")


def _entry_points(_: Contents, where: str, text: bytes) -> Iterator[Problem]:
    """Yield the entry points that cannot be read."""
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
