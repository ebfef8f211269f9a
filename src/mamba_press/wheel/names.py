"""The names of the entries: their order, and what indexes and installers refuse."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from mamba_press.errors import ContentError, Problem, Setting, Text, harmless
from mamba_press.types import Entry, Wheel
from mamba_press.wheel.content import path_of

_UNWRITABLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories: control characters, lone surrogates, line and paragraph separators (which end lines of RECORD
for whoever splits it as Python's ``splitlines`` does)."""

_ODD_PATH = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)")
"""An absolute path, or one with a part that is empty, ``.`` or ``..``."""


def refusals(wheel: Wheel) -> tuple[Problem, ...]:
    """Return what PyPI, or an installer on some system, refuses about the wheel's names."""
    problems = []
    same: dict[str, list[Entry]] = {}
    folders: set[str] = set()
    own = path_of(wheel)
    for entry in wheel.entries:
        problems += [Problem(where=harmless(entry.path), what=what, hint=hint) for what, hint in _bad_name(entry.path)]
        same.setdefault(unicodedata.normalize("NFC", entry.path), []).append(entry)
        for folder in _parents(entry.path):
            if folder in folders:
                break
            folders.add(folder)
        if entry.path == own:
            problems.append(Problem(where=entry.path, what="RECORD is written with the wheel and is no entry of it"))
    problems += [_repeated(entries) for entries in same.values() if len(entries) > 1]
    for path in sorted(folders & same.keys()):
        problems.append(Problem(where=harmless(path), what="is both a file and a folder of the wheel"))
    return tuple(problems)


def ordered(wheel: Wheel) -> tuple[Entry, ...]:
    """Return the entries with those of ``.dist-info`` last; raise ContentError for names that cannot be shipped."""
    problems = refusals(wheel)
    if problems:
        raise ContentError(*problems)
    own = f"{wheel.stem}.dist-info/"
    return tuple(sorted(wheel.entries, key=lambda entry: entry.path.startswith(own)))


def _bad_name(path: str) -> Iterator[tuple[str, Text]]:
    """Yield what is wrong with the name of an entry, and what to do about it."""
    leave = Text.of("leave the file out with ", Setting("select.exclude"))
    is_plain = path.isascii() and path.isprintable()
    if not is_plain and any(unicodedata.category(character) in _UNWRITABLE for character in path):
        yield "the name has control characters, line ends, or bytes that are not UTF-8", leave
    if "\\" in path:
        yield "the name has a backslash, which Windows takes for a folder", leave
    if _ODD_PATH.search(path):
        yield "the path is absolute, leaves the wheel, or has empty parts", leave
    if path.endswith(".pyc"):
        yield "compiled Python code belongs to the interpreter that installs the wheel", leave
    length = len(path.encode("utf-8", "surrogatepass"))
    longest = max(len(part.encode("utf-8", "surrogatepass")) for part in path.split("/")) if length > 255 else length
    if length > 1024 or longest > 255:
        yield f"the path is too long ({length} bytes; file systems allow 255 for a name, macOS 1024 in all)", leave


def _repeated(entries: Sequence[Entry]) -> Problem:
    """Return the problem of entries whose paths are the same, perhaps only after Unicode normalisation."""
    owners = ", ".join(entry.package or "mamba-press" for entry in entries)
    alike = len({entry.path for entry in entries}) == 1
    what = f"{len(entries)} files have this path" if alike else "files have this path, in different Unicode spellings,"
    return Problem(
        where=harmless(entries[0].path),
        what=f"{what} from {owners}",
        hint=Text.of("leave one out with ", Setting("select.exclude"), ", or move it with ", Setting("layout.move")),
    )


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield unicodedata.normalize("NFC", path)
