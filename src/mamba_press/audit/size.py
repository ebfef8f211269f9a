"""A wheel that is larger than `wheel.max-size`: what weighs most in it, and what could leave.

Sizes are those in the archive, compressed: that is what is uploaded, and what leaving would save.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import messages, platforms
from mamba_press.errors import ContentError, Problem, Setting, Text
from mamba_press.platforms import binary_edits
from mamba_press.types import Edits, Entry
from mamba_press.wheel import zip_read

if TYPE_CHECKING:
    from mamba_press.audit.explain import Explanation, Piece
    from mamba_press.config.model import Config

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_SHOWN = 5
_WORTH = 0.01
"""The part of the wheel from which on advice is worth a line."""

_LIBRARY = re.compile(r"/_prefix/(?:lib|Library/bin)/[^/]+$")
_GROUPS = (
    ("tests", "**/tests/**", re.compile(r"(?:^|/)tests?/")),
    ("headers", "**/include/**", re.compile(r"(?:^|/)include/")),
    ("static libraries", "**/*.a", re.compile(r"\.a$")),
    ("examples", "**/examples/**", re.compile(r"(?:^|/)examples?/")),
    ("documentation", "**/doc*/**", re.compile(r"(?:^|/)docs?/")),
    ("translations", "**/locale/**", re.compile(r"(?:^|/)locale/")),
    ("sources of Cython", "**/*.pyx", re.compile(r"\.(?:pyx|pxd)$")),
)
"""Files that often nobody misses, with the glob that leaves them out."""


def limit(text: str) -> int:
    """Return a size such as ``100 MB`` in bytes."""
    found = re.fullmatch(r"([\d.]+) ?(\w*)B", text)
    assert found, "the reader lets nothing else through"
    return int(float(found[1]) * _UNITS[found[2]])


def refuse(path: Path, explanation: Explanation, entries: Sequence[Entry], config: Config) -> None:
    """Raise ContentError for a written wheel that weighs more than `wheel.max-size`, with what could leave."""
    most, size = config.wheel.max_size or "", path.stat().st_size
    with path.open("rb") as file:
        packed = {member.name: member.packed for member in zip_read.read(file).members}
    over = size - limit(most)
    lines = [*_heaviest(explanation, packed), *_advice(explanation, packed, entries, config, size=size)]
    weighs = f"weighs {messages.size(size)}, {messages.size(over)} more than "
    what = Text.of(weighs, Setting("wheel.max-size"), f" = {most!r} allows")
    hint = "\n".join([*lines, "`mamba-press explain` tells the rest; PyPI takes 100 MiB without asking"])
    raise ContentError(Problem(where=explanation.wheel, what=what, hint=hint))


def _heaviest(explanation: Explanation, packed: Mapping[str, int]) -> Iterator[str]:
    for part in sorted(explanation.parts, key=lambda part: -_weight(_of(part.name, explanation), packed))[:_SHOWN]:
        pieces = _of(part.name, explanation)
        largest = max(pieces, key=lambda piece: packed.get(piece.path, 0))
        yield f"{messages.size(_weight(pieces, packed))}: {part.name}, {part.why}; most of it {largest.path}"


def _of(package: str, explanation: Explanation) -> list[Piece]:
    return [piece for piece in explanation.pieces if piece.package == package]


def _weight(pieces: Sequence[Piece], packed: Mapping[str, int]) -> int:
    return sum(packed.get(piece.path, 0) for piece in pieces)


def _advice(
    explanation: Explanation, packed: Mapping[str, int], entries: Sequence[Entry], config: Config, *, size: int
) -> Iterator[str]:
    """Yield what could leave and what that would save, the most first."""
    found = [
        *_prunable(explanation, packed),
        *_groups(explanation, packed),
        *_unused(explanation, packed, config),
        *_debugging(packed, entries, config),
    ]
    for saved, text in sorted(found, reverse=True):
        if saved >= size * _WORTH:
            yield f"saves about {messages.size(saved)}: {text}"


def _prunable(explanation: Explanation, packed: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """Yield the packages that nobody asked for and no library of another package needs."""
    owner = {piece.path: piece.package for piece in explanation.pieces}
    for part in explanation.parts:
        pieces = _of(part.name, explanation)
        users = {owner.get(user) for piece in pieces for user in (*piece.needed_by, *piece.opened_by)}
        if part.why.kind != "asked" and not users - {part.name}:
            yield _weight(pieces, packed), f'{part.name}, if nothing opens it: select.prune = ["{part.name}"]'


def _groups(explanation: Explanation, packed: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """Yield kinds of files that often nobody misses."""
    pieces: dict[str, list[Piece]] = defaultdict(list)
    for piece in explanation.pieces:
        name = next((name for name, _, path in _GROUPS if piece.original and path.search(piece.original)), None)
        if name:
            pieces[name].append(piece)
    globs = {name: glob for name, glob, _ in _GROUPS}
    for name, group in pieces.items():
        yield _weight(group, packed), f'{name}, {len(group)} files: select.exclude = ["{globs[name]}"]'


def _unused(explanation: Explanation, packed: Mapping[str, int], config: Config) -> Iterator[tuple[int, str]]:
    """Yield the libraries that nothing in the wheel needs or opens by name; extension modules are none."""
    if config.link.unused_libraries == "drop":
        return
    idle = [
        piece
        for piece in explanation.pieces
        if piece.binary and _LIBRARY.search(piece.path) and not piece.needed_by and not piece.opened_by
    ]
    if idle:
        yield _weight(idle, packed), f'{len(idle)} libraries that nothing needs: link.unused-libraries = "drop"'


def _debugging(packed: Mapping[str, int], entries: Sequence[Entry], config: Config) -> Iterator[tuple[int, str]]:
    """Yield what the linker's symbols weigh, as if they were compressed like the files that they are in."""
    if config.link.strip:
        return
    saved = 0.0
    for entry in entries:
        if entry.binary and platforms.facts_for(entry.binary).can_strip:
            data = entry.read()
            stripped = binary_edits.apply(data, Edits(strip=True))
            saved += (1 - len(stripped) / len(data)) * packed.get(entry.path, 0)
    yield int(saved), "the linker's symbols: link.strip = true"
