"""Counts the places where code asks which platform it has before it: such a question belongs into ``platforms/``."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEMS = frozenset(
    {
        *("linux", "manylinux", "musllinux", "osx", "macos", "macosx", "darwin", "win", "win32", "windows"),
        *("emscripten", "pyodide", "elf", "macho", "pe", "wasm"),
    }
)
"""What systems, formats of binaries and families of tags are called in code, in lower case and without ``-`` and ``_``
around them."""

HOMES = ("platforms/", "target.py", "binaries/")
"""Where platforms are known on purpose."""


def branches(source: str) -> list[tuple[int, str]]:
    """Return line and text of each question: a comparison with a platform's name, a pattern, a text's beginning."""
    found = []
    for node in ast.walk(ast.parse(source)):
        asked = node.pattern if isinstance(node, ast.match_case) else node
        if any(_is_named(part) for part in _compared(node)):
            found.append((asked.lineno, ast.unparse(asked)))  # type: ignore[attr-defined]  # all that has parts has a line
    return sorted(found)


def outside(root: Path) -> dict[str, list[tuple[int, str]]]:
    """Return the questions of each module below a folder, those of :data:`HOMES` left out."""
    paths = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.py"))}
    found = {name: branches(path.read_text("utf-8")) for name, path in paths.items() if not name.startswith(HOMES)}
    return {name: asked for name, asked in found.items() if asked}


def _compared(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Compare):
        yield from (node.left, *node.comparators)
    elif isinstance(node, ast.match_case):
        yield from (part.value for part in ast.walk(node.pattern) if isinstance(part, ast.MatchValue))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
        yield from node.args


def _is_named(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return any(map(_is_named, node.elts))
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip("_-").lower() in SYSTEMS


if __name__ == "__main__":
    for name, asked in outside(Path(sys.argv[1])).items():
        for line, text in asked:
            print(f"{name}:{line}: {text}")
