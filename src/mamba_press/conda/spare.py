"""Packages that need not be installed: large ones in the cache, of which nothing stays, as far as libraries tell.

What they have is read where it lies, so that files are chosen as if they were in the prefix. Where one of them stays
after all, the packages are installed again, all of them.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mamba_press.conda import package_info
from mamba_press.errors import ContentError
from mamba_press.platforms import binaries
from mamba_press.types import File

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mamba_press.types import Package

    Json = dict[str, Any]

LARGE = 32 << 10
"""How many bytes the list of files of a package has from which on it pays to look: some hundred files have as many."""

_MOST = 64 << 20
_DEEPEST = 40
_LIBRARY = re.compile(r".*\.(?:so(?:\.[\w.]*)?|dylib|dll)", re.IGNORECASE)
_WRONG = (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, ContentError)
"""What a package may have that is refused when it is installed: then it is."""


def spare(packages: Sequence[Package], folders: Mapping[str, Path], neutral: str) -> dict[str, tuple[File, ...]]:
    """Return the files of the packages that need not be installed, by package; ``folders`` are those in the cache.

    Nothing is known where one is not there. An install would write ``neutral``.
    """
    try:
        sizes = {name: folder.joinpath("info", "paths.json").lstat().st_size for name, folder in folders.items()}
        # that nothing vouches for an archive is told when it is installed
        stated = {each.name for each in packages if each.sha256 or each.md5}
        large = {each.name for each in packages if not each.requested and sizes[each.name] >= LARGE} & stated
        if not large or max(sizes.values()) > _MOST:
            return {}
        listed = {name: _listed(folder) for name, folder in folders.items()}
        needed = _needed(packages, folders, listed)
        found = {name: tuple(_files(name, folders[name], listed[name], neutral)) for name in sorted(large - needed)}
        paths = [file.path for files in found.values() for file in files]
        return found if len(set(paths)) == len(paths) else {}
    except _WRONG:
        return {}


def _listed(folder: Path) -> dict[str, Json]:
    """Return what a package lists, by path."""
    path = package_info.plain(folder, "info/paths.json")
    entries = json.loads(path.read_bytes())["paths"] if path else ()
    return {entry["_path"]: entry for entry in entries if entry["path_type"] != "directory"}


def _needed(
    packages: Sequence[Package], folders: Mapping[str, Path], listed: Mapping[str, Mapping[str, Json]]
) -> set[str]:
    """Return the packages that are requested, have no library, or have one that a library of such a one needs."""
    names = {name: {_base(path) for path in entries if _LIBRARY.fullmatch(path)} for name, entries in listed.items()}
    todo = [package.name for package in packages if package.requested or not names[package.name]]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            libraries = [path for path in listed[name] if _LIBRARY.fullmatch(path)]
            asked = set(_asked(folders[name], libraries))
            todo += [other for other, theirs in names.items() if theirs & asked]
    return found


def _base(path: str) -> str:
    return posixpath.basename(path).lower()


def _asked(folder: Path, libraries: Collection[str]) -> Iterator[str]:
    """Yield the names that the libraries of a package need; those that are no plain files are links to others."""
    for path in libraries:
        source = folder / path
        if source.is_symlink() or package_info.plain(folder, path) is None:
            continue
        try:
            binary = binaries.read_file(source)
        except binaries.Malformed:
            continue
        yield from map(_base, binary.needed if binary else ())


def _files(package: str, folder: Path, listed: Mapping[str, Json], neutral: str) -> Iterator[File]:
    """Yield the files of a package as `prefix.read` does; raises one of `_WRONG` for what only an install can tell."""
    plain, links = _there(folder)
    own = {path: _own(package, folder, entry, neutral) for path, entry in listed.items() if path in plain}
    for path, entry in listed.items():
        if entry["path_type"] == "hardlink":
            yield own[path]
            continue
        end = _end(links, path)
        below = [other for other in listed if other.startswith(f"{end}/")] if end not in listed else []
        if entry["path_type"] != "softlink" or not (end in own or below) or path.startswith(f"{end}/"):
            raise ValueError(f"{path} ends elsewhere")
        for other in below or [end]:
            file = own[_end(links, other)]
            yield replace(file, path=f"{path}{other[len(end) :]}", link=file.path)


def _own(package: str, folder: Path, entry: Json, neutral: str) -> File:
    """Return a file that is no link; in a text the install would have replaced the placeholder, which has a length."""
    path, placeholder = entry["_path"], entry.get("prefix_placeholder") or ""
    size = entry["size_in_bytes"]
    if placeholder and entry["file_mode"] == "text":
        count = folder.joinpath(path).read_bytes().count(placeholder.encode())
        size -= count * (len(placeholder) - len(neutral))
    return File(
        path=path,
        source=folder / path,
        package=package,
        size=size,
        sha256=entry["sha256"],
        placeholder=entry["file_mode"] if placeholder else None,
    )


def _there(folder: Path) -> tuple[set[str], dict[str, str]]:
    """Return the plain files of an extracted package, and where its symlinks lead."""
    plain: set[str] = set()
    links: dict[str, str] = {}
    waiting = [""]
    while waiting:
        base = waiting.pop()
        with os.scandir(folder / base) as found:
            for each in found:
                path = f"{base}{each.name}"
                if each.is_symlink():
                    links[path] = os.readlink(each.path)  # noqa: PTH115 - a thousand of them
                elif each.is_dir():
                    waiting.append(f"{path}/")
                elif each.is_file():
                    plain.add(path)
    return plain, links


def _end(links: Mapping[str, str], path: str) -> str:
    """Return where a path of a package ends; raises ValueError where it leads round in a circle, or out of it."""
    for _ in range(_DEEPEST):
        if path not in links:
            break
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), links[path]))
    if path in links or path.startswith(("/", "..")):
        raise ValueError(f"{path} is not in the package")
    return path
