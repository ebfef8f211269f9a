"""Patterns, names and specs of the configuration that match nothing: typing mistakes, most often.

One rule for all keys: each is told with the nearest that would match. It is a warning where it matches for no target of
a matrix and in no wheel of a wheelhouse, and else a note.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from mamba_press import globs, messages
from mamba_press.errors import Note, Setting, Text

if TYPE_CHECKING:
    from mamba_press.config.model import Config
    from mamba_press.types import Environment, Selection, Solution

_LOST = "path that is looked for and not found, nor file that looks for one"
_MANY = 5_000
"""Among more names none is looked for that is near: it would take seconds."""


def told(
    key: str,
    asked: Iterable[str],
    known: Collection[str],
    kind: str,
    matches: Callable[[str, tuple[str]], object] = globs.matches,
) -> tuple[Note, ...]:
    """Return a warning for each text of a key that matches none of the ``known`` names, with the nearest of these.

    ``kind`` says what is known: it ends the sentence that begins with "matches no". ``matches`` takes a name and texts.
    Of a path that stands there alone and with ``/**``, for a file or a folder, one is enough.
    """
    asked = tuple(asked)
    vain = [text for text in asked if not any(matches(name, (text,)) for name in known)]
    halves = {half for text in asked if text not in vain for half in (f"{text}/**", text.removesuffix("/**"))}
    return tuple(
        Note(Text.of(Setting(key), f": {text!r} matches no {kind}"), _nearest(text, known), "warning", of_all=True)
        for text in vain
        if text not in halves
    )


def equal(name: str, texts: tuple[str]) -> bool:
    """Return whether a name is one of the texts: for keys that hold names and no globs."""
    return name.lower() == texts[0].lower()


def in_wheel(
    config: Config, environment: Environment, selection: Selection, solution: Solution, lost: Collection[str]
) -> tuple[Note, ...]:
    """Tell what the keys about files, libraries and placeholders have that matches nothing of a wheel or a wheelhouse.

    ``lost`` are the paths that are looked for in vain, and those of the files that look for them.
    """
    paths = {file.path for file in environment.files}
    binaries = [(kept.file.path, kept.binary) for kept in selection.kept if kept.binary]
    needed = {form for _, binary in binaries for name in binary.needed for form in (name, posixpath.basename(name))}
    opened = {name for kept in selection.kept if kept.strings for name in kept.strings.names}
    libraries = {posixpath.basename(name) for path, binary in binaries for name in (path, binary.name) if name}
    names = {package.name for package in solution.packages}
    rename = config.link.rename if isinstance(config.link.rename, tuple) else ()
    select, link = config.select, config.link
    library = globs.matches_library
    return (
        *told("select.only", select.only, paths, "file of the packages"),
        *told("select.exclude", select.exclude, paths, "file of the packages"),
        *told("select.include", select.include, paths, "file of the packages"),
        *told("link.system", link.system, needed | opened, "library that the wheel needs", _of_system),
        *told("link.external", link.external, needed, "library that the wheel needs", library),
        *told("link.remove", link.remove, needed, "library that the wheel needs", library),
        *told("link.rename", rename, libraries, "library in the wheel", library),
        *told("link.clear-execstack", link.clear_execstack, libraries, "library in the wheel", library),
        *told("licenses.named", config.licenses.named, names, "package of the solution", equal),
        *told("placeholders.accept", config.placeholders.accept, lost, _LOST),
    )


def _of_system(name: str, texts: tuple[str]) -> bool:
    """Match as `resolve` does: without case for Windows, and for macOS the name of a library that a path names."""
    forms = (texts[0], *([posixpath.basename(texts[0])] if texts[0].startswith("/") else []))
    if name.lower().endswith(".dll"):
        return bool(globs.matches(name.lower(), [form.lower() for form in forms]))
    return bool(globs.matches_library(name, forms))


def _nearest(text: str, known: Collection[str]) -> str:
    """Return what was meant, perhaps: of a glob for a folder's files a folder, of one for others a path."""
    end = next((end for end in ("/**", "/*", "/", "*") if text.endswith(end)), "")
    names = {posixpath.dirname(name) for name in known} if end.startswith("/") else known
    plain = text.removesuffix(end)
    depth = plain.count("/")
    alike = sorted({"/".join(name.split("/")[: depth + 1]) for name in names if name})
    near = messages.near(plain, alike) if len(alike) <= _MANY else None
    if near is None:
        return "check the spelling, or take it out"
    is_folder = near not in known
    return f"did you mean {messages.found(f'{near}/**' if is_folder else near)}?"
