"""What the pressed Python packages say of themselves: ``.dist-info``, and ``.egg-info`` as a folder or a file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from mamba_press.errors import ContentError, Problem
from mamba_press.metadata import headers

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata

    from mamba_press.types import File

_PLACE = re.compile(
    r"(?:.*/)?site-packages/([^/]+\.(?:dist-info|egg-info|egg/EGG-INFO))(?:/(METADATA|PKG-INFO|requires\.txt))?"
)

_MOST, _LONGEST = 10_000, 4_000
"""How many requirements a package may have, and of how many characters: to read them takes time."""

_FOLDER = re.compile(r"(?P<name>.+?)(?:-\d.*)?\.(?:dist|egg)-info")
_SECTION = re.compile(r"\[([^:\]]*)(?::([^\]]*))?\]")
_INDENT = " " * 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """One Python package of a conda package, as its own metadata describes it.

    ``path`` is that metadata's file in the prefix; ``requires`` are its requirements as written, extras as markers;
    ``raw`` holds all other fields.
    """

    package: str
    path: str
    name: str
    version: str
    requires: tuple[str, ...]
    extras: tuple[str, ...]
    raw: RawMetadata

    @property
    def key(self) -> str:
        """The name as names are compared."""
        return canonicalize_name(self.name)


def read(files: Iterable[File]) -> tuple[Installed, ...]:
    """Return the Python packages among files of a prefix, sorted by name; a ``.dist-info`` goes over an ``.egg-info``.

    What has no name is left out. Raises ContentError for requirements beyond all bounds.
    """
    places: dict[str, dict[str, File]] = {}
    for file in files:
        if place := _PLACE.fullmatch(file.path):
            places.setdefault(place[1], {})[place[2] or ""] = file
    found: dict[tuple[str, str], Installed] = {}
    for folder, parts in sorted(places.items()):  # dist-info sorts before egg-info only within one name
        one = _installed(folder, parts)
        if one is None:
            continue
        known = found.get((one.package, one.key))
        if known is None or ".egg-info" in known.path:
            found[one.package, one.key] = one
    return tuple(sorted(found.values(), key=lambda each: (each.key, each.package)))


def of(package: str, installed: Iterable[Installed]) -> Installed | None:
    """Return a conda package's Python package: the one that is called like it, else its only one."""
    theirs = [each for each in installed if each.package == package]
    same = [each for each in theirs if each.key == canonicalize_name(package)]
    return same[0] if same else theirs[0] if len(theirs) == 1 else None


def entry_points(data: bytes, *, strict: bool = False) -> dict[str, dict[str, str]]:
    """Return entry_points.txt by group and name; raises ValueError for what cannot be read.

    ``strict`` refuses what not every tool reads: a name or a group that stands there twice, and a byte order mark.
    https://packaging.python.org/specifications/entry-points/#file-format
    """
    from configparser import ConfigParser, Error

    # A group may have every name, that of configparser's own section too.
    parser = ConfigParser(delimiters=("=",), interpolation=None, strict=strict, default_section="\0")
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # names keep their case
    try:
        parser.read_string(data.decode("utf-8" if strict else "utf-8-sig"))
    except (Error, UnicodeDecodeError) as error:
        raise ValueError(" ".join(str(error).split())) from None
    return {group: dict(parser.items(group)) for group in parser.sections()}


def name_of(folders: Iterable[str], package: str) -> str | None:
    """Return the name that the ``.dist-info`` or ``.egg-info`` folders of a package give it, as `of` chooses."""
    names = {}
    for folder in folders:
        if match := _FOLDER.fullmatch(folder):
            names[canonicalize_name(match["name"])] = match["name"]
    own = canonicalize_name(package)
    if own in names:
        return names[own]
    return next(iter(names.values())) if len(names) == 1 else None


def unfolded(description: str) -> str:
    """Return a description without what indents all its lines but the first where it stands in a header.

    That is eight spaces by distutils and setuptools, or spaces and a ``|`` as in the core metadata specification
    (https://packaging.python.org/specifications/core-metadata/#description); of others' what the lines have in common.
    """
    first, _, rest = description.lstrip().partition("\n")
    lines = rest.splitlines()
    stated = [line for line in lines if line.strip()]
    if stated and all(line.lstrip(" ").startswith("|") for line in stated):
        lines = [line.lstrip(" ")[1:] for line in lines]
    elif all(line.startswith(_INDENT) for line in stated):
        lines = [line[len(_INDENT) :] for line in lines]
    else:
        lines = textwrap.dedent(rest).splitlines()
    return "\n".join((first, *lines))


def _installed(folder: str, parts: dict[str, File]) -> Installed | None:
    from packaging.metadata import parse_email

    main = parts.get("METADATA") or parts.get("PKG-INFO") or (parts.get("") if folder.endswith(".egg-info") else None)
    if main is None or not main.source.is_file():
        return None
    data = main.source.read_bytes()
    head = headers.head(data)
    if head is None:
        what = f"has fields of more than {headers.HEAD:,} bytes, or of more than {headers.NAMES:,} names"
        raise ContentError(Problem(where=main.path, what=what, hint=f"tell the makers of {main.package}"))
    raw, _ = parse_email(data)
    if not raw.get("name"):
        return None
    if "description" in raw and re.search(rb"^description:", head, re.IGNORECASE | re.MULTILINE):
        raw["description"] = unfolded(raw["description"])  # that of a body has no indent
    requires = list(raw.get("requires_dist") or ())
    extras = dict.fromkeys(raw.get("provides_extra") or ())
    if not requires and "requires.txt" in parts:
        for extra, requirement in _required(parts["requires.txt"].source.read_text("utf-8", errors="replace")):
            requires += [requirement] if requirement else []
            extras |= {extra: None} if extra else {}
    longest = max(map(len, (*requires, *extras)), default=0)
    if longest > _LONGEST or max(len(requires), len(extras)) > _MOST:
        many = f"{len(extras):,} extras" if len(extras) > _MOST else f"{len(requires):,} requirements"
        what = f"has {many}, the longest of {longest:,} characters"
        hint = f"at most {_MOST:,} of {_LONGEST:,} characters are accepted: tell the makers of {main.package}"
        raise ContentError(Problem(where=main.path, what=what, hint=hint))
    return Installed(
        package=main.package,
        path=main.path,
        name=raw["name"].strip(),
        version=raw.get("version", "").strip(),
        requires=tuple(requires),
        extras=tuple(extras),
        raw=raw,
    )


def _required(text: str) -> Iterator[tuple[str, str]]:
    """Yield the extra and the requirement of each line of setuptools' ``requires.txt``."""
    extra, marker = "", ""
    for line in map(str.strip, text.splitlines()):
        if section := _SECTION.fullmatch(line):
            extra, condition = section[1].strip(), (section[2] or "").strip()
            parts = [f"({condition})"] if condition and extra else [condition] if condition else []
            marker = " and ".join([*parts, f'extra == "{extra}"'] if extra else parts)
            if extra:
                yield extra, ""
        elif line and not line.startswith("#"):
            # A URL ends at a space before the semicolon.
            yield extra, f"{line} ; {marker}" if marker else line
