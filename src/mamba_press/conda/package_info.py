"""Reads the ``info`` folder of an extracted conda package: the only place that does.

A package is made by others. Its archive may hold symlinks, which lead to files of the machine that builds, and JSON of
any shape and size. So nothing is read through a link, nothing without a bound, and what comes back has the types that
`Info` states.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

from mamba_press.errors import ContentError, Problem, Setting, Text
from mamba_press.types import Info

_Read = TypeVar("_Read")

LICENSE_FILE = re.compile(r"(?:licen[cs]|copying|copyright|notice|authors|unlicense)", re.IGNORECASE)
"""How the name of a licence file begins, where no folder says that it is one."""

MOST = 8 << 20
"""How many bytes a file of JSON or a recipe may have: the largest of conda-forge have two million."""

MOST_LICENCES = 64 << 20
MOST_LICENCE_FILES = 20_000
"""How many bytes and files the licences of one package may have."""

_DEEPEST = 64
"""How many folders may lie in each other below ``info/licenses``."""

_LONGEST = 1 << 20
"""How many characters a text of ``about.json`` may have."""

_LONGEST_LICENCE = 10_000
"""How many the name of a licence may have: to read it takes time."""

_TEXTS = ("license", "summary", "description")
_PAGES = ("home", "dev_url", "doc_url", "source_url")
"""What is read of ``about.json``; there may be several of a page."""

_RECIPES = ("recipe/meta.yaml", "recipe/rendered_recipe.yaml")
_HINT = Text.of(
    "mamba-press reads only plain files of a package: links may lead to files of this machine\n"
    "tell the makers of the package, or take another build of it with ",
    Setting("constraints"),
)
_KINDS = (
    (stat.S_ISLNK, "a symlink"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class _RefusedError(Exception):
    """What stands at a path of the folder, where it is not what was expected."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(path, what)
        self.path = path
        self.what = what


def read(folder: Path, package: str) -> tuple[Info, tuple[str, ...]]:
    """Return what the ``info`` folder of an extracted package says, and notes on what of it cannot be used.

    What only describes the package is left out where it cannot be read, and noted: broken JSON, values of another type.
    Raises ContentError for links and other special files in the place of what is read, and for licences beyond bounds.
    """
    notes: list[str] = []
    problems: list[Problem] = []

    def collected(read: Callable[[], _Read]) -> _Read | None:
        try:
            return read()
        except _RefusedError as refused:
            where = f"info/{refused.path}".rstrip("/")
            problems.append(Problem(where=f"{package}: {where}", what=refused.what, hint=_HINT))
            return None

    about = collected(lambda: _object(folder, "about.json", notes)) or {}
    link = collected(lambda: _object(folder, "link.json", notes)) or {}
    licences = collected(lambda: tuple(_licences(folder))) or ()
    recipe = collected(lambda: next((text for name in _RECIPES if (text := _text(folder, name, notes))), "")) or ""
    ContentError.raise_for(dict.fromkeys(problems))
    info = Info(about=_texts(about, notes), scripts=_scripts(link, notes), licences=licences, recipe=recipe)
    return info, tuple(f"{package}: info/{note}" for note in notes)


# -- files


def _licences(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the licence files: ``info/licenses/**``, or those right in older ``info``."""
    status = _status(folder, "licenses")
    if status is not None and not stat.S_ISREG(status.st_mode):
        _require(stat.S_ISDIR, status, folder, "licenses")
        names, base = sorted(_below(folder, "licenses")), "licenses/"
    else:
        base = ""
        there = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
        names = [name for name in there if LICENSE_FILE.match(name) and not _is_folder(folder, name)]
    size = 0
    for name in names:
        data = _read(folder, name, MOST_LICENCES)
        size += len(data)
        if size > MOST_LICENCES:
            raise _RefusedError(name, f"with it the licences have more than {MOST_LICENCES >> 20} MiB")
        yield name[len(base) :], data


def _below(folder: Path, start: str) -> Iterator[str]:
    """Yield the paths of all that is no folder below one."""
    todo, count = [start], 0
    while todo:
        inside = todo.pop()
        for each in (folder / inside).iterdir():
            path = f"{inside}/{each.name}"
            count += 1
            if count > MOST_LICENCE_FILES or path.count("/") > _DEEPEST:
                raise _RefusedError(start, f"has more than {MOST_LICENCE_FILES} files, or {_DEEPEST} folders deep")
            if _is_folder(folder, path):
                todo.append(path)
            else:
                yield path


def _is_folder(folder: Path, path: str) -> bool:
    return stat.S_ISDIR(os.lstat(folder / path).st_mode)


def plain(folder: Path, path: str) -> Path | None:
    """Return the plain file at a path of an extracted package, None where nothing is; raises ContentError for others.

    No part of the path is a link, which could lead out of the package.
    """
    try:
        status = _status(folder, path)
        if status is None:
            return None
        _require(stat.S_ISREG, status, folder, path)
    except _RefusedError as refused:
        raise ContentError(Problem(where=f"{folder.name}: {refused.path}", what=refused.what, hint=_HINT)) from None
    return folder / path


def _status(folder: Path, path: str) -> os.stat_result | None:
    """Return what is at a path, None where nothing is; raise where a folder on the way to it is something else."""
    ways = ["", *(path[: match.start()] for match in re.finditer("/", path))]
    for way in (*ways, path):
        try:
            status = os.lstat(f"{folder}/{way}" if way else folder)  # a Path would take as long again
        except FileNotFoundError:
            return None
        if way != path:
            _require(stat.S_ISDIR, status, folder, way)
    return status


def _require(kind: object, status: os.stat_result, folder: Path, path: str) -> None:
    """Raise unless a file is of a kind, given as the function of `stat` that tells it."""
    found = next(((each, words) for each, words in _KINDS if each(status.st_mode)), (None, "a device"))
    if found[0] is kind:
        return
    target = f" to {str((folder / path).readlink())!r}" if stat.S_ISLNK(status.st_mode) else ""
    wanted = next(words for each, words in _KINDS if each is kind)
    raise _RefusedError(path, f"is {found[1]}{target}, where {wanted} was expected")


def _read(folder: Path, path: str, most: int) -> bytes:
    """Return the bytes of a plain file, at most one more than asked for; raises for everything else."""
    status = _status(folder, path)
    if status is None:
        raise _RefusedError(path, "is not there any more")
    _require(stat.S_ISREG, status, folder, path)
    with (folder / path).open("rb") as file:
        return file.read(most + 1)


def _text(folder: Path, path: str, notes: list[str]) -> str | None:
    """Return the text of a file that only describes; None where there is none, or it is too large."""
    if _status(folder, path) is None:
        return None
    data = _read(folder, path, MOST)
    if len(data) > MOST:
        notes.append(f"{path} has more than {MOST >> 20} MB, and is not used")
        return None
    return data.decode("utf-8", "replace")


# -- JSON


def _object(folder: Path, path: str, notes: list[str]) -> dict[str, object]:
    """Return the object that a file of JSON is; an empty one, and a note, where it is none."""
    text = _text(folder, path, notes)
    if text is None:
        return {}
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        notes.append(f"{path} cannot be read, and is not used: {reason}")
        return {}
    if not isinstance(found, dict):
        notes.append(f"{path} is {_kind(found)} where an object was expected, and is not used")
        return {}
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _texts(about: dict[str, object], notes: list[str]) -> dict[str, str | tuple[str, ...]]:
    """Return the known values of ``about.json`` that are texts, or, of pages, lists of texts."""
    found: dict[str, str | tuple[str, ...]] = {}
    for key in (*_TEXTS, *_PAGES):
        value = about.get(key)
        if isinstance(value, str) and key == "license" and len(value) > _LONGEST_LICENCE:
            notes.append(f"about.json: license has {len(value):,} characters, and is not used")
        elif isinstance(value, str):
            found[key] = _plain(value)
        elif key in _PAGES and isinstance(value, list) and all(isinstance(each, str) for each in value):
            found[key] = tuple(map(_plain, value))
        elif value is not None:
            notes.append(f"about.json: {key} is {_kind(value)} where a text was expected, and is not used")
    return found


def _scripts(link: dict[str, object], notes: list[str]) -> tuple[str, ...]:
    """Return the entry points that the ``link.json`` of a noarch package asks conda to make scripts of."""
    noarch = link.get("noarch")
    listed = noarch.get("entry_points") if isinstance(noarch, dict) else None
    if listed is None:
        return ()
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        notes.append("link.json: noarch.entry_points is not a list of texts, and is not used")
        return ()
    return tuple(map(_plain, listed))


def _plain(text: str) -> str:
    """Return a text that UTF-8 can hold, of a length that nothing chokes on."""
    return text[:_LONGEST].encode("utf-8", "replace").decode("utf-8")


def _kind(value: object) -> str:
    names = {bool: "true or false", str: "a text", list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), "a number")
