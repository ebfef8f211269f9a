"""An explanation for a person: what is said, as sections of rows, and how they are drawn, with rich or without.

The overview fits a screen: of each section what weighs most, with a line for the rest. Text that is not for a terminal
is never cut.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TextIO

from mamba_press import messages, platforms
from mamba_press.audit import explain
from mamba_press.errors import harmless, warnings
from mamba_press.metadata.tags import RECORD

if TYPE_CHECKING:
    from mamba_press.audit.explain import Explanation, Need, Piece, Step
    from mamba_press.types import Dropped, Finding

_OVERVIEW = {"packages": 10, "licences": 1, "names": 3, "placeholders": 4, "left": 5}
_BLOCKS = 10
_NAMED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading and rows of cells; in ``columns`` a name that starts with ``>`` has numbers.

    ``more`` stands below the rows. Without columns a row is one cell of running text. ``one_line`` cuts what explains,
    on a terminal, so that a row is a line; what is looked for is never cut.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...] = ()
    more: str = ""
    one_line: bool = False


def overview(found: Explanation) -> tuple[Section, ...]:
    """Return what fits a screen: the tag and what sets it, what is in the wheel, and what to know of it."""
    sections = [_head(found)]
    for name, most in _OVERVIEW.items():
        section = section_of(found, name)
        if section.rows and (name != "left" or found.left):
            sections.append(_first(section, most, name))
    if said := warnings(found.notes):
        sections.append(Section(title="", rows=tuple((str(each),) for each in said)))
    rest = len(found.notes) - len(said)
    notes = f"{rest} note{'s' * (rest != 1)}: --section notes; " if rest else ""
    left = "left, " if found.left else ""
    hint = f"{notes}more: --section tag, {left}libraries, files or all; or a pattern, such as '*ssl*'"
    return (*sections, Section(title="", rows=((hint,),)))


def section_of(found: Explanation, name: str) -> Section:
    """Return one section, with all of its rows."""
    return _SECTIONS[name](found)


def matching(found: Explanation, patterns: Sequence[str]) -> tuple[Section, ...]:
    """Return all that is known of the files, libraries and packages whose names match; nothing where none does."""
    pieces = [each for each in found.pieces if _matches(patterns, _paths(each.package, each.path, each.original))]
    parts = [part for part in found.parts if _matches(patterns, (part.name,))]
    left = [one for one in found.left or () if _matches(patterns, _paths(one.package, one.path))]
    sections = []
    if parts:
        sections.append(_table_of_packages("packages that match", parts))
    if len(pieces) > _BLOCKS:
        sections.append(_table_of_files("files that match", pieces))
    else:
        sections += [_block(piece, found) for piece in pieces]
    if left:
        whole = "the whole package"
        rows = tuple((one.package, one.path or whole, messages.size(one.size), str(one.why)) for one in left)
        sections.append(Section(title="left", columns=("package", "path", ">size", "by which rule"), rows=rows))
    return tuple(sections)


# --- what is said


def answer(found: Explanation) -> str:
    """Return in one sentence what sets the tag, and what the tag would be without it."""
    names = found.tags.rpartition("-")[2].split(".")
    tag = found.lowest if found.lowest in names else ".".join(names)
    if not found.steps:
        reason = "nothing in the wheel is bound to a system" if tag == "any" else "nothing in the wheel demands more"
        system = platforms.facts_of(tag)
        return f"{tag}: {reason if not system or system.versioned else f'{system.label} has no versions in its tags'}"
    first = found.steps[0]
    asked = f", where {found.lowest} would be enough" if found.lowest not in names else ""
    otherwise = f"; without {_these(first)}: {first.otherwise}" if first.otherwise else "; nothing else sets a floor"
    return f"{tag}{asked}: set by {_reason(first)}{otherwise}"


def _these(step: Step) -> str:
    """Return who would have to go: packages by name, files of no known package by theirs where they are few."""
    names = [posixpath.basename(name) for name in step.by]
    if len(names) > _NAMED and not step.floor.package:
        return f"these {len(names)} files"
    return _some(names)


def _reason(step: Step) -> str:
    floor = step.floor
    if floor.library == RECORD:
        return f"{floor.symbol}, which the conda record of {floor.package} states"
    name = posixpath.basename(floor.path)
    what = floor.symbol if floor.library == name else f"{floor.symbol} of {floor.library}"
    return f"{what}, needed by {name}{f' of {floor.package}' if floor.package else ''}"


def _head(found: Explanation) -> Section:
    packed = f", {messages.size(found.size)} packed" if found.size else ", not written"
    row = f"{found.wheel}: {messages.size(found.unpacked)} in {len(found.pieces)} files{packed}"
    return Section(title=answer(found), rows=((row,),))


def _tag(found: Explanation) -> Section:
    rows = tuple(
        (".".join(map(str, step.floor.version)), _reason(step), _these(step), step.otherwise or "no floor at all")
        for step in found.steps
    )
    return Section(title="what sets the tag", columns=("version", "demanded by", "without", "it would be"), rows=rows)


def _table_of_packages(title: str, parts: Sequence[explain.Part]) -> Section:
    rows = tuple(
        (part.name, part.version or "", messages.size(part.size), str(part.files), part.license or "", str(part.why))
        for part in parts
    )
    return _without_empty(
        Section(title=title, columns=("name", "version", ">size", ">files", "licence", "why"), rows=rows, one_line=True)
    )


def _without_empty(section: Section) -> Section:
    """Return a table without the columns in which nothing stands."""
    full = [place for place in range(len(section.columns)) if any(row[place] for row in section.rows)]
    columns = tuple(section.columns[place] for place in full)
    return replace(section, columns=columns, rows=tuple(tuple(row[place] for place in full) for row in section.rows))


def _names(found: Explanation) -> Section:
    rows = tuple((piece.path, _some(piece.opened_by)) for piece in found.pieces if explain.keeps_name(piece))
    return Section(title="libraries that keep their names", columns=("library", "opened by name in"), rows=rows)


def _placeholders(found: Explanation) -> Section:
    groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for one in found.lost:
        groups[one.package, one.consequence].append(one)
    rows = tuple(
        (package, consequence, _some({posixpath.basename(one.path) for one in group}), group[0].text)
        for (package, consequence), group in groups.items()
    )
    columns = ("package", "what does not work", "in", "looks for")
    return Section(title="paths of a conda environment that are left", columns=columns, rows=rows)


def _left(found: Explanation) -> Section:
    if found.left is None:
        return Section(title="left", rows=(("only known while pressing: explain the project",),))
    groups: dict[str, list[Dropped]] = defaultdict(list)
    for one in found.left:
        groups[str(one.why)].append(one)
    sizes = {why: sum(one.size for one in group) for why, group in groups.items()}
    rows = tuple(
        (why, str(len(group)), messages.size(sizes[why]), _some({one.package for one in group}))
        for why, group in sorted(groups.items(), key=lambda item: (-sizes[item[0]], -len(item[1])))
    )
    return Section(title="left", columns=("by which rule", ">how many", ">size", "of"), rows=rows)


def _libraries(found: Explanation) -> Section:
    rows = tuple(
        (piece.path if place == 0 else "", need.name, _where(need))
        for piece in found.pieces
        for place, need in enumerate(piece.needs)
    )
    return Section(title="libraries", columns=("file", "needs", "which is"), rows=rows)


def _table_of_files(title: str, pieces: Sequence[Piece]) -> Section:
    rows = tuple((messages.size(piece.size), piece.package or "", piece.path, piece.why) for piece in pieces)
    return _without_empty(Section(title=title, columns=(">size", "package", "path", "why"), rows=rows))


_SECTIONS: dict[str, Callable[[Explanation], Section]] = {
    "tag": _tag,
    "packages": lambda found: _table_of_packages(
        "packages" if any(part.version for part in found.parts) else "folders", found.parts
    ),
    "licences": lambda found: Section(title="licence of all of it", rows=((found.license,),) if found.license else ()),
    "names": _names,
    "placeholders": _placeholders,
    "left": _left,
    "notes": lambda found: Section(title="notes", rows=tuple((str(note),) for note in found.notes)),
    "libraries": _libraries,
    "files": lambda found: _table_of_files("files", found.pieces),
}
SECTIONS = tuple(_SECTIONS)


def _block(piece: Piece, found: Explanation) -> Section:
    """Return all that is known of one file."""
    part = next((part for part in found.parts if part.name == piece.package), None)
    lost = [one for one in found.lost if one.path == piece.path]
    said: Mapping[str, Iterable[str]] = {
        "package": [f"{part.name} {part.version} {part.build or ''}".strip()] if part else [],
        "there": [piece.original or ""],
        "why": [piece.why],
        "size": [f"{piece.size:,} bytes"],
        "binary": [piece.binary or ""],
        "changed": [", ".join(piece.changes)],
        "demands": [piece.demand or ""],
        "needs": [f"{need.name}: {_where(need)}" for need in piece.needs],
        "needed by": piece.needed_by,
        "opened by": piece.opened_by,
        "looks for": [f"{one.text}: {one.consequence}" for one in lost],
        "sha256": [piece.sha256 or ""],
    }
    full = {name: [text for text in texts if text] for name, texts in said.items()}
    rows = ((name if place == 0 else "", text) for name, texts in full.items() for place, text in enumerate(texts))
    return Section(title=piece.path, columns=("", ""), rows=tuple(rows))


def _where(need: Need) -> str:
    if need.where == "wheel":
        return need.path or "in the wheel"
    why = f" ({need.why})" if need.why else ""
    plain = {"system": "the system's", "external": "of another wheel", "removed": "removed", "missing": "NOT FOUND"}
    return plain[need.where] + why


def _matches(patterns: Sequence[str], names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _paths(package: str | None, *paths: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (package, *paths, *(posixpath.basename(path or "") for path in paths))))


def _some(names: Iterable[str]) -> str:
    return messages.some(sorted(names), _NAMED)


def _first(section: Section, most: int, name: str) -> Section:
    if name == "placeholders":
        section = replace(section, columns=section.columns[:2], rows=tuple(row[:2] for row in section.rows))
    over = len(section.rows) - most
    more = f"and {over} more: --section {name}" if over > 0 else ""
    return replace(section, rows=section.rows[:most], more=more)


# --- how it is drawn


def plain(sections: Sequence[Section]) -> str:
    """Return the sections as text; nothing is cut."""
    return "\n\n".join("\n".join(_lines(_harmless(section))) for section in sections)


def _harmless(section: Section) -> Section:
    """Return a section that any terminal can show: names and texts of a wheel may hold anything."""
    rows = tuple(tuple(harmless(cell, "\n") for cell in row) for row in section.rows)
    return replace(section, title=harmless(section.title), rows=rows, more=harmless(section.more))


def _lines(section: Section) -> Iterator[str]:
    if section.title:
        yield section.title
    heads = tuple(column.lstrip(">") for column in section.columns)
    table = [heads, *section.rows] if any(heads) else list(section.rows)
    widths = [max(len(row[place]) for row in table) for place in range(len(section.columns))] if table else []
    for row in table:
        if not section.columns:
            yield from (f"  {line}" for line in row[0].splitlines())
            continue
        cells = (
            cell.rjust(width) if column.startswith(">") else cell.ljust(width)
            for cell, width, column in zip(row, widths, section.columns, strict=True)
        )
        yield f"  {'  '.join(cells)}".rstrip()
    if section.more:
        yield f"  {section.more}"


def draw(sections: Sequence[Section], file: TextIO) -> None:
    """Draw the sections on a terminal with rich, each row in a line of it where it is a table.

    Raises ImportError where rich is not there.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console(file=file, highlight=False, markup=False, emoji=False)
    for number, section in enumerate(map(_harmless, sections)):
        if number:
            console.print()
        if section.title:
            console.print(Text(section.title, style="bold"))
        if not section.columns:
            for row in section.rows:
                console.print(Padding(Text(row[0]), (0, 0, 0, 2)))
        elif section.rows:
            heads = any(section.columns)
            table = Table(box=None, pad_edge=False, show_header=heads, header_style="dim", padding=(0, 2, 0, 0))
            for place, column in enumerate(section.columns):
                is_key = place == 0 or column.startswith(">") or column == "version"
                table.add_column(
                    column.lstrip(">"),
                    justify="right" if column.startswith(">") else "left",
                    style="cyan" if place == 0 else "",
                    no_wrap=is_key,
                    overflow="fold",
                )
            for row in section.rows:
                table.add_row(*(Text(cell, no_wrap=section.one_line, overflow="ellipsis") for cell in row))
            console.print(Padding(table, (0, 0, 0, 2)))
        if section.more:
            console.print(Padding(Text(section.more, style="dim"), (0, 0, 0, 2)))
