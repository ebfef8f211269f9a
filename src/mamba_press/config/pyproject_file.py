"""What stands in ``pyproject.toml``, and where it is no TOML."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mamba_press import messages
from mamba_press.errors import TABLE, ConfigError, Problem

_DEEPEST = 100
"""How many tables and lists of ``pyproject.toml`` may be in each other: whoever walks them calls itself for each."""


def document(root: Path) -> dict[str, Any]:
    """Return what stands in ``pyproject.toml``; raise a `ConfigError` that shows the place where it is no TOML."""
    path = root / "pyproject.toml"
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        hint = f'write one with a table [{TABLE}], or name the packages on the command line: mamba-press press "…"'
        raise ConfigError(Problem(where="pyproject.toml", what=f"not found in {path.parent}", hint=hint)) from None
    except OSError as error:
        raise ConfigError(Problem(where=str(path), what=f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(Problem(where=f"pyproject.toml:{line}", what="is not UTF-8, as TOML has to be")) from None
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        found: dict[str, Any] = tomllib.loads(text)
        is_deep = _is_deeper(found, _DEEPEST)
    except RecursionError:
        is_deep = True
    except ValueError as error:  # TOMLDecodeError, and int() for numbers with thousands of digits
        raise ConfigError(_broken(text, str(error))) from None
    if is_deep:
        raise ConfigError(Problem(where="pyproject.toml", what="is nested too deeply"))
    return found


def is_plain(root: Path) -> bool:
    """Return whether ``[project]`` says no more than a good name, so that judging all of it would find nothing.

    To judge it costs more than all else that a hook does before it can report a mistake.
    """
    said = document(root)
    tool, table = said.get("tool"), said.get("project")
    name = table.get("name") if isinstance(table, dict) else None
    has_providers = isinstance(tool, dict) and "dynamic-metadata" in tool
    is_good = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*", name) is not None
    return is_good and not has_providers and table == {"name": name, "dynamic": ["version"]}


def _broken(text: str, message: str) -> Problem:
    """Return the problem with file, line and column, and the line itself with a caret below the place."""
    what, _, place = message.partition(" (at ")
    at = re.search(r"line (\d+), column (\d+)", place)
    lines = text.splitlines() or [""]
    if not at:
        row, column = len(lines), len(lines[-1]) + 1
        if not place.startswith("end"):
            return Problem(where="pyproject.toml", what=f"is not TOML: {messages.printable(message)}")
    else:
        row, column = int(at[1]), int(at[2])
    line = lines[row - 1] if row <= len(lines) else ""
    # A window of the line keeps the caret on the screen.
    start = max(0, column - 61)
    shown = "".join(c if c.isprintable() else " " for c in line[start : start + 100])
    return Problem(
        where=f"pyproject.toml:{row}:{column}",
        what=f"is not TOML: {messages.printable(what)}",
        hint=f"{shown.rstrip()}\n{' ' * (column - 1 - start)}^",
    )


def _is_deeper(value: object, levels: int) -> bool:
    """Whether tables and lists are more than so many levels deep: keys with dots may be, which TOML's reader bears."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(each, levels - 1) for each in below)
