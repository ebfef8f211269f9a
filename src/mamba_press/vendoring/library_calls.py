"""Which libraries own code asks the generated module for, and what they are: ``library("geos_c")`` names no file."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from mamba_press import platforms
from mamba_press.errors import Problem
from mamba_press.types import OWN, Binary, File
from mamba_press.vendoring import runtime_module

if TYPE_CHECKING:
    from mamba_press.vendoring.resolve import Prefix

_NAME = runtime_module.MODULE.removesuffix(".py").encode()
_LIKE_A_NAME = re.compile(r"[\w.+-]{1,120}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """What a source asks ``library`` for: names, and strings of which some may be names."""

    names: frozenset[str] = frozenset()
    perhaps: frozenset[str] = frozenset()


def read(files: Iterable[File], libraries: Mapping[str, str]) -> tuple[dict[str, tuple[str, ...]], tuple[Problem, ...]]:
    """Return the libraries that each of the project's own sources asks for, and what is asked for in vain.

    ``libraries`` leads from every name of a library to its real path.
    """
    opened: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    for file in sorted((file for file in files if file.package == OWN), key=lambda file: file.path):
        found = calls(file)
        ends = {name: _meant(name, libraries) for name in sorted(found.names | found.perhaps)}
        wrong = [name for name in sorted(found.names) if len(ends[name]) != 1]
        problems += [_problem(file, name, ends[name], libraries) for name in wrong]
        reached = sorted({end for each in ends.values() for end in each})
        if reached:
            opened[file.path] = tuple(reached)
    return opened, tuple(problems)


def libraries(prefix: Prefix, there: Container[str], facts: Mapping[str, Binary]) -> dict[str, str]:
    """Return the libraries that the generated module will know, by every name that it will know them by."""
    found: dict[str, str] = {}
    for name, paths in prefix.named.items():
        for path in paths:
            end = prefix.ends[path]
            binary = facts.get(end) if end in there else None
            if binary is None or not platforms.in_library_folder(path):
                continue
            found[name] = end
            if own := platforms.own_name(binary):
                found[own] = end
    return found


def uses(file: File) -> bool:
    """Whether a file is a source of the project that speaks of the generated module."""
    return file.package == OWN and file.path.endswith(".py") and _NAME in file.source.read_bytes()


def calls(file: File) -> Calls:
    """Return what a file of the project asks ``library`` for.

    Where it asks with anything but a plain string, all strings in it may be meant.
    """
    if not uses(file):
        return Calls()
    try:
        nodes = list(ast.walk(ast.parse(file.source.read_bytes())))
    except runtime_module.NOT_PYTHON:
        return Calls()
    imported = [alias for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
    called = {"library", *(alias.asname for alias in imported if alias.name == "library" and alias.asname)}
    arguments = [node.args for node in nodes if isinstance(node, ast.Call) and name_of(node.func) in called]
    texts = [text_of(each[0]) if len(each) == 1 else None for each in arguments]
    strings = map(text_of, nodes)
    return Calls(
        names=frozenset(text for text in texts if text),
        perhaps=frozenset(filter(_LIKE_A_NAME.fullmatch, filter(None, strings))) if None in texts else frozenset(),
    )


def name_of(function: ast.expr) -> str | None:
    """Return the last part of the name by which a function is called."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None


def text_of(node: ast.AST) -> str | None:
    """Return the text that a plain string is."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _meant(name: str, libraries: Mapping[str, str]) -> frozenset[str]:
    """Return what ``library(name)`` will find: one file, none, or several."""
    if name in libraries:
        return frozenset({libraries[name]})
    bare = re.sub(r"\.(?:so|dylib|dll)$", "", name)
    for each in (bare, bare[3:] if bare.startswith("lib") else f"lib{bare}"):
        if found := frozenset(end for file, end in libraries.items() if each in runtime_module.stems(file)):
            return found
    return frozenset()


def _problem(file: File, name: str, ends: frozenset[str], libraries: Mapping[str, str]) -> Problem:
    where = f"{file.path.partition('site-packages/')[2] or file.path} ({OWN})"
    if ends:
        what = f"asks for the library {name!r}, which may be any of {', '.join(sorted(ends))}"
        return Problem(where=where, what=what, hint="ask for one of them by its whole name")
    known = [*libraries, *(stem for each in libraries for stem in runtime_module.stems(each))]
    near = get_close_matches(name, known, 1)
    return Problem(
        where=where,
        what=f"asks for the library {name!r}, which no package of the solution has",
        hint=f"did you mean {near[0]!r}?" if near else 'name the conda package that has it: host = ["…"]',
    )
