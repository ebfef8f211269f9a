"""What the loader of a system of the tags would not find."""

from __future__ import annotations

import posixpath
import re
from functools import partial
from typing import TYPE_CHECKING

from mamba_press import platforms
from mamba_press.audit.contents import Contents
from mamba_press.errors import Problem
from mamba_press.platforms.protocol import Wheel
from mamba_press.wheel.read import installed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mamba_press.types import Binary


_CPYTHON = re.compile(r"cp3(\d+)-")


def interpreters(contents: Contents) -> tuple[str, ...]:
    """Return patterns of the libraries that PyPy and GraalPy themselves are, in wheels for them."""
    names = {tag.partition("-")[0] for tag in contents.name.tags}
    pypy = ("libpypy*",) if any(name.startswith("pp") for name in names) else ()
    graal = ("*python-native.*",) if any(name.startswith("graalpy") for name in names) else ()
    return (*pypy, *graal)


def shared_folders(contents: Contents) -> frozenset[str]:
    """Return the folders of wheelhouses: prefixes that no package of this wheel has for itself."""
    paths = {installed(path) for path in contents.members}
    tops = {path.partition("/")[0] for path in paths if path.split("/")[1:2] == ["_prefix"]}
    return frozenset(top for top in tops if f"{top}/__init__.py" not in paths)


def problems(
    contents: Contents, elsewhere: tuple[str, ...], shared: frozenset[str], beside: Mapping[str, Binary]
) -> tuple[Problem, ...]:
    """Return what the loader would not find, on the systems of the wheel's tags."""
    facts = next((each for each in reversed(platforms.FACTS.values()) if contents.name.of(each.system)), None)
    if facts is None:
        return ()
    wheel = Wheel(
        tags=contents.name.of(facts.system),
        own=_loadable(contents, facts.format),
        beside={path: binary for path, binary in beside.items() if binary.format == facts.format},
        elsewhere=elsewhere,
        shared=shared,
        python=min((int(match[1]) for tag in contents.name.tags if (match := _CPYTHON.match(tag))), default=8),
        added=partial(_added, contents),
    )
    found = dict.fromkeys(platforms.of(facts.system).loads(wheel))
    # What is only another wheel's problem is left to it: its tags may promise other things.
    return tuple(each for each in found if each.where in wheel.own or each.where not in beside)


def _added(contents: Contents) -> dict[str, tuple[str, ...]] | None:
    """Return by package the folders that importing it adds; None for wheels of other tools, with ways of their own."""
    from mamba_press.vendoring import runtime_module

    texts = {installed(path): member.data for path, member in contents.members.items() if member.data is not None}
    folders = {}
    for path, text in texts.items():
        home, _, name = path.partition("/")
        if name == runtime_module.MODULE and runtime_module.imports(texts.get(f"{home}/__init__.py", b"")):
            found = runtime_module.folders_of(text)
            folders[home] = tuple(posixpath.normpath(posixpath.join(home, folder)) for folder in found)
    ours = any(path.endswith(f"/{runtime_module.MODULE}") or "/_prefix/" in path for path in contents.members)
    return folders if ours else None


def _loadable(contents: Contents, wanted: str) -> dict[str, Binary]:
    """Return the binaries of a format that something can load, by their installed paths."""
    return {
        installed(member.path): member.binary
        for member in contents.members.values()
        if member.binary and member.binary.format == wanted and member.binary.kind != "static" and member.binary.arch
    }
