"""The one seam: a function of the project's own that changes the entries after linking."""

from __future__ import annotations

import runpy
import traceback
from collections.abc import Iterable
from pathlib import Path

from mamba_press.errors import ConfigError, Problem, Setting
from mamba_press.types import Entry


def apply(hook: str, root: Path, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return what the function of ``file.py:function`` makes of the entries; raises ConfigError for whatever fails."""
    file, _, name = hook.partition(":")
    if not (root / file).is_file():
        raise _wrong(f"{file} is no Python file of the project", f"looked for {root / file}")
    try:
        # Unlike an import this leaves no compiled file in the project.
        function = runpy.run_path(str(root / file), run_name="mamba_press_hook").get(name)
        answer = function(entries) if callable(function) else None
        answer = tuple(answer) if isinstance(answer, Iterable) else answer
    except SyntaxError as error:
        raise _wrong(f"SyntaxError: {error.msg}", f"in {error.filename}, line {error.lineno}") from error
    except Exception as error:  # the project's own code may raise anything; it is reported, never swallowed
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise _wrong(f"{type(error).__name__}: {error}", f"raised in {last.filename}, line {last.lineno}") from error
    if not callable(function):
        raise _wrong(f"{file} has no function {name!r}", "write it as: def adjust(entries): return entries")
    if not isinstance(answer, tuple) or not all(isinstance(entry, Entry) for entry in answer):
        raise _wrong(f"{name} must return entries", "build new ones with dataclasses.replace(entry, path=...)")
    return tuple(sorted(answer, key=lambda entry: entry.path))


def _wrong(what: str, hint: str) -> ConfigError:
    return ConfigError(Problem(where=Setting("hook"), what=what, hint=hint))
