"""Text files that name the conda prefix, rewritten so that they find it from where they lie themselves.

Only where the format of a file has such a form: pkg-config and CMake have a variable for the file's own folder, shell
has ``$0``, Python ``__file__``; an interpreter is left to ``env``, and Jupyter finds ``python`` by itself. What cannot
be rewritten with certainty stays as it is and is reported (`hardcoded_prefix`).
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from mamba_press.types import NEUTRAL, NEUTRAL_ON_WINDOWS, Entry
from mamba_press.vendoring import runtime_module

_PREFIX = re.compile("|".join(map(re.escape, (NEUTRAL, NEUTRAL_ON_WINDOWS))))
_SITE_PACKAGES = re.compile(r"/(?:lib/python3\.\d+t?|Lib)/site-packages(?=/|$)")
_BELOW = re.compile(r"(?:/[\w.+@~-]+)*/?")
_SHEBANG = re.compile(rf"#!\s*{re.escape(NEUTRAL)}/bin/(?P<name>[\w.+-]+)(?P<arguments>[ \t]+\S[^\n]*)?\n")
_SHELL = re.compile(r"#!\s*(?:/usr)?/bin/(?:env (?:-S )?)?(?:ba|da|k)?sh\b[^\n]*\n")
_KERNEL = re.compile(r"share/jupyter/kernels/[^/]+/kernel\.json")
_SCOPE = re.compile(r"^[ \t]*(end)?(?:function|macro)[ \t]*\(", re.IGNORECASE | re.MULTILINE)
_DOCUMENT = re.compile(r"<<(?P<tabs>-?)[ \t]*(?P<quote>['\"]?)(?P<word>\w+)(?P=quote)(?=[\s;&|)])")
_VARIABLE = "_mamba_press_prefix"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tree:
    """Where the files of the prefix lie in the wheel, and which programs can be called by name."""

    prefix: str
    places: Mapping[str, str]
    programs: Collection[str]

    def lead(self, below: str, entry: Entry) -> str:
        """Return the path from an entry's folder to where a path below the prefix is, or would be, in the wheel."""
        site = _SITE_PACKAGES.match(below)
        inside = below[site.end() :].strip("/") if site else f"{self.prefix}{below}".rstrip("/")
        return posixpath.relpath(inside or ".", posixpath.dirname(entry.path) or ".")

    def found(self, below: str, entry: Entry) -> str | None:
        """As `lead`, but None for what is not in the wheel, or not at its usual place."""
        plain = below.strip("/")
        there = self.places.get(plain)
        if there is not None:
            return posixpath.relpath(there, posixpath.dirname(entry.path) or ".")
        root = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), self.lead(below, entry)))
        inside = (place for path, place in self.places.items() if not plain or path.startswith(f"{plain}/"))
        is_there = any(place.startswith(f"{root}/") for place in inside)
        return self.lead(below, entry) if is_there else None


def rewrite(entries: Sequence[Entry], prefix: str, programs: Collection[str] = ()) -> tuple[Entry, ...]:
    """Return the entries, those of text files that name the neutral prefix with a source that does so no more.

    ``prefix`` is the wheel's folder that holds the prefix's tree, ``programs`` are those that `wheel.executables`
    names. Only files that their package lists as having a placeholder are read.
    """
    places = {entry.origin.path: entry.path for entry in entries if entry.origin}
    tree = _Tree(prefix=prefix, places=places, programs=frozenset(programs))
    return tuple(_rewritten(entry, tree) for entry in entries)


def _rewritten(entry: Entry, tree: _Tree) -> Entry:
    if entry.origin is None or entry.origin.placeholder != "text" or isinstance(entry.source, bytes):
        return entry
    try:
        text = entry.source.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return entry
    changed = _interpreter(text)
    method = _method(entry, changed)
    if method is not None:
        found = method(changed, entry, tree)
        changed = changed if found is None else found
    return entry if changed == text else replace(entry, source=changed.encode())


def _method(entry: Entry, text: str) -> Callable[[str, Entry, _Tree], str | None] | None:
    """Return how a file is rewritten, by its name and its first line."""
    if _KERNEL.search(entry.original):
        return _kernel
    if re.match(r"[^/]+\.data/", entry.path):
        return None  # nobody knows how far site-packages is from there
    if entry.path.endswith(".pc"):
        return lambda text, entry, tree: _everywhere(text, "${pcfiledir}", entry, tree)
    if entry.path.endswith(".cmake"):
        return _cmake
    if entry.path.endswith(".py"):
        return _python
    # What is no program may be sourced, and then $0 is another file.
    return _shell if entry.executable and _SHELL.match(text) else None


def _everywhere(text: str, here: str, entry: Entry, tree: _Tree) -> str:
    """Return the text with a path from the file's own folder in place of every path below the prefix."""
    changed, end = [], 0
    for match in _PREFIX.finditer(text):
        below = _BELOW.match(text, match.end())
        assert below is not None
        changed += [text[end : match.start()], f"{here}/{tree.lead(below[0], entry)}"]
        # What ends in a slash still does.
        changed += ["/"] if below[0].endswith("/") else []
        end = below.end()
    return "".join([*changed, text[end:]])


def _cmake(text: str, entry: Entry, tree: _Tree) -> str | None:
    """Rewrite what stands outside of functions and macros, in which the variable is that of the file that calls."""
    for match in _PREFIX.finditer(text):
        depth = sum(-1 if scope[1] else 1 for scope in _SCOPE.finditer(text, 0, match.start()))
        if depth > 0:
            return None
    return _everywhere(text, "${CMAKE_CURRENT_LIST_DIR}", entry, tree)


def _interpreter(text: str) -> str:
    """Leave it to ``env`` to find an interpreter that was to be in the prefix; Python's scripts are not ours."""
    found = _SHEBANG.match(text)
    if found is None or found["name"].startswith("python"):
        return text
    name = found["name"]
    arguments = found["arguments"] or ""
    if name == "sh":
        return f"#!/bin/sh{arguments}\n{text[found.end() :]}"
    return f"#!/usr/bin/env {'-S ' if arguments else ''}{name}{arguments}\n{text[found.end() :]}"


def _kernel(text: str, _: Entry, tree: _Tree) -> str | None:
    """Let a Jupyter kernel be started by its name: ``python`` is the one that Jupyter found it with."""

    def named(match: re.Match[str]) -> str:
        if re.fullmatch(r"python[\d.]*", match["name"]):
            return "python"
        return match["name"] if match["name"] in tree.programs else match[0]

    place = rf"(?:{_PREFIX.pattern})/(?:bin/|Scripts/|Library/bin/)?(?P<name>[\w.+-]+?)(?:\.exe)?(?=\")"
    return re.sub(place, named, text)


def _python(text: str, entry: Entry, tree: _Tree) -> str | None:
    """Rewrite the strings that are nothing but the path of something in the wheel; docstrings and the like stay."""
    try:
        module = ast.parse(text)
    except runtime_module.NOT_PYTHON:
        return None
    lines = text.encode().splitlines(keepends=True)
    for node in sorted(_paths(module), key=lambda node: (node.lineno, node.col_offset), reverse=True):
        prefix = _PREFIX.match(str(node.value))
        lead = tree.found(str(node.value)[prefix.end() :], entry) if prefix else None
        if lead is None or node.lineno != node.end_lineno:
            continue
        line = lines[node.lineno - 1]
        expression = f'(lambda p: p.normpath(p.join(p.dirname(p.abspath(__file__)), "{lead}")))(__import__("os").path)'
        lines[node.lineno - 1] = line[: node.col_offset] + expression.encode() + line[node.end_col_offset :]
    changed = b"".join(lines).decode()
    try:
        ast.parse(changed)
    except runtime_module.NOT_PYTHON:
        return None
    return changed


def _paths(module: ast.Module) -> list[ast.Constant]:
    """Return the strings that are a path below the prefix and stand where any expression can."""
    fixed: set[int] = set()
    for node in ast.walk(module):
        if isinstance(node, (ast.Expr, ast.JoinedStr)) or type(node).__name__ == "MatchValue":
            fixed |= {id(child) for child in ast.iter_child_nodes(node)}
    return [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in fixed
        and (prefix := _PREFIX.match(node.value))
        and _BELOW.fullmatch(node.value, prefix.end())
    ]


def _shell(text: str, entry: Entry, tree: _Tree) -> str | None:
    """Rewrite a script of a POSIX shell: its second line finds the prefix from ``$0``.

    None where a place stands in what the little reader below does not understand.
    """
    quoted = {"": f'"${{{_VARIABLE}}}"', '"': f"${{{_VARIABLE}}}", "'": f"'\"${{{_VARIABLE}}}\"'"}
    changed, end = [], 0
    places = [match.start() for match in _PREFIX.finditer(text)]
    for place, state in zip(places, _states(text, places), strict=True):
        if state == "#":
            continue
        if state not in quoted:
            return None
        changed += [text[end:place], quoted[state]]
        found = _PREFIX.match(text, place)
        assert found is not None
        end = found.end()
    if not changed:
        return None
    head = text.index("\n") + 1
    body = "".join([*changed, text[end:]])
    there = f'$(dirname -- "$0")/{tree.lead("", entry)}'
    return f'{body[:head]}{_VARIABLE}=$(CDPATH= cd -- "{there}" && pwd)\n{body[head:]}'


def _states(text: str, places: Sequence[int]) -> list[str]:
    """Return how each place is quoted: not at all, by which quote, by ``#`` in a comment, or ``?`` if unknown."""
    found: dict[int, str] = {}
    state, at = "", 0
    wanted = set(places)
    documents: list[re.Match[str]] = []
    while at < len(text):
        if at in wanted:
            found[at] = state
        character = text[at]
        if state == "#" and character == "\n":
            state = ""
            continue  # the line's here-documents begin
        if state == "#":
            pass
        elif state == "'":
            state = "" if character == "'" else state
        elif character == "\\":
            at += 1
        elif character == '"':
            state = "" if state == '"' else '"'
        elif character == "`" or text.startswith("$(", at):
            at = _end_of_command(text, at)  # quotes begin anew in there: a place in it stays unknown
        elif state == "" and text.startswith("<<", at):
            document = _DOCUMENT.match(text, at)
            if document is None:
                break
            documents.append(document)
            at = document.end() - 1
        elif state == "" and (character == "'" or (character == "#" and text[at - 1] in " \t\n;")):
            state = character
        elif state == "" and character == "\n":
            at = _after_documents(text, at, documents)
            documents = []
            continue
        at += 1
    return [found.get(place, "?") for place in places]


def _end_of_command(text: str, at: int) -> int:
    """Return where the last character of a command substitution is, the text's end for what is beyond this reader."""
    if text[at] == "`":
        end = re.compile(r"(?:[^`\\]|\\.)*`", re.DOTALL).match(text, at + 1)
        return end.end() - 1 if end else len(text)
    # Quotes, comments and patterns could hold a bracket.
    plain = re.compile(r"\$\([^()'\"`#\\]*\)").match(text, at)
    return plain.end() - 1 if plain and not re.search(r"\bcase\b", plain[0]) else len(text)


def _after_documents(text: str, at: int, documents: Sequence[re.Match[str]]) -> int:
    """Return where the text goes on after a line's end, and after the here-documents that the line has begun."""
    for document in documents:
        tabs = r"\t*" if document["tabs"] else ""
        end = re.compile(rf"\n{tabs}{re.escape(document['word'])}(?=\n|$)").search(text, at)
        if end is None:
            return len(text)
        at = end.end()
    return at + 1 if at < len(text) else at
