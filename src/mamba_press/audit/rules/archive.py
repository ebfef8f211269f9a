"""What installers and indexes do not take: of the ZIP file, of its entries and of their names."""

from __future__ import annotations

import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mamba_press import platforms
from mamba_press.audit.contents import Contents
from mamba_press.errors import Habit, Problem, Setting, Style, Text
from mamba_press.wheel import read, zip_format
from mamba_press.wheel.read import scheme
from mamba_press.wheel.zip_format import Damage

if TYPE_CHECKING:
    from mamba_press.wheel.zip_read import Listing

_STORE = Text.of("write it uncompressed: ", Setting("wheel.compression", "store"))
_SCHEMES = ("platlib", "purelib", "headers", "scripts", "data")
_ODD_PATH = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)|\A[A-Za-z]:")
_LONGEST_NAME = 63


def structure(listing: Listing, packed: int) -> Iterator[Problem]:
    """Yield what installers or PyPI do not expect of the ZIP file itself, beyond what is wrong with its structure."""
    entries = listing.members
    if listing.comment:
        yield Problem(where="", what="the archive has a comment")
    size = sum(entry.size for entry in entries)
    if read.is_bomb(entries, packed):
        what = f"unpacks to {size:,} bytes, more than {read.RATIO} times its size; its files are not looked at"
        yield Damage(where="", what=what, hint=_STORE)
    elif size > zip_format.PYPI_RATIO_FROM and size > read.RATIO * packed:
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


def _entry(entry: zip_format.Member) -> Iterator[Problem]:
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
    if entry.flags & zip_format.STREAMED:
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


def tag_order(name: str) -> Iterator[Problem]:
    """Yield the parts of a file name whose tags are not as packaging writes them."""
    for part in name.removesuffix(".whl").split("-")[-3:]:
        if part.split(".") != sorted(set(part.split("."))):
            yield Style(where=name, what=f"its tags are not sorted, or there twice: {part}")


def names(contents: Contents) -> Iterator[Problem]:
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
    for path, what in platforms.impossible(contents.members, contents.name.platforms):
        yield Problem(where=path, what=what)
    yield from _folders(contents)


def _alike(contents: Contents) -> Iterator[Problem]:
    """Yield paths that are one on Windows and macOS."""
    if all((facts := platforms.facts_of(platform)) and facts.tells_case for platform in contents.name.platforms):
        return
    seen: dict[str, str] = {}
    for path in contents.members:
        first = seen.setdefault(path.casefold(), path)
        if first != path:
            yield Problem(where=path, what=f"differs from {first} only in case: on Windows and macOS they are one file")


def _folders(contents: Contents) -> Iterator[Problem]:
    """Yield files that are in the place of a folder."""
    parents = {path.rpartition("/")[0] for path in contents.members if "/" in path}
    folders = parents.union(*map(_parents, parents))
    for path in sorted(folders & contents.members.keys()):
        yield Damage(where=path, what="is both a file and a folder")


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
