"""What macOS's loader does inside a finished wheel: which file answers each needed name, and whether it will do.

Nothing is run. The wheel's folders stand for ``site-packages``, as in :mod:`mamba_press.platforms.linux.loader`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mamba_press.errors import Habit, Problem, Remark
from mamba_press.platforms import binaries
from mamba_press.platforms.macos import system as macos

if TYPE_CHECKING:
    from mamba_press.types import Binary

_HINT = "press it again: mamba-press writes names that start at @loader_path and stay inside"
_RELATIVE = ("@loader_path", "@executable_path", "@rpath")


def problems(
    libraries: Mapping[str, Binary], elsewhere: tuple[str, ...] = (), shared: frozenset[str] = frozenset()
) -> Iterator[Problem]:
    """Yield everything that would keep dyld from loading any of these Mach-O files, by installed path.

    Every file must find what it needs by itself: by paths from where it lies, or by its own LC_RPATHs, as the file
    that happens to load it first may be any. ``elsewhere`` are patterns of names that another wheel or the user has,
    ``shared`` folders of ``site-packages`` in which other wheels have files, too.
    """
    for path, binary in sorted(libraries.items()):
        yield from _strays(path, binary)
        yield from filter(None, (_problem(path, name, libraries, elsewhere, shared) for name in binary.needed))


def _problem(
    path: str, name: str, libraries: Mapping[str, Binary], elsewhere: tuple[str, ...], shared: frozenset[str]
) -> Problem | None:
    binary = libraries[path]
    if macos.is_system(name) or name in binary.weak:
        return None
    if any(fnmatchcase(each, pattern) for each in (name, posixpath.basename(name)) for pattern in elsewhere):
        return None
    places = tuple(binaries.lookup(binary, path, name))
    there = next((place for place in places if place in libraries), None)
    if there is None:
        return _missing(path, name, places, libraries, shared)
    other = libraries[there]
    lacking = [arch for arch in binary.archs if arch not in other.archs]
    if lacking:
        return Problem(where=path, what=f"needs {name}, which {there} is not for {', '.join(lacking)}")
    if other.kind != "shared" or other.name is None:
        return Problem(where=path, what=f"needs {name}, and {there} is no library that can be linked to")
    return None


def _strays(path: str, binary: Binary) -> Iterator[Problem]:
    """Yield the search paths that are not in the wheel; dyld would look there first."""
    for element in binary.search:
        if element.partition("/")[0] not in _RELATIVE[:2]:
            yield Habit(where=path, what=f"the search path has {element!r}, which is outside the wheel", hint=_HINT)
        elif element.startswith("@loader_path") and not list(binaries.lookup(binary, path, f"{element}/x")):
            yield Habit(where=path, what=f"the search path has {element!r}, which leaves the wheel", hint=_HINT)


def _missing(
    path: str, name: str, places: tuple[str, ...], libraries: Mapping[str, Binary], shared: frozenset[str]
) -> Problem:
    if name.partition("/")[0] not in _RELATIVE:
        what = f"needs {name}, which is neither in the wheel nor a part of macOS"
        return Problem(where=path, what=what, hint=_HINT)
    own = {path.split("/")[0] for path in libraries} - shared
    for place in places:
        if "/" in place and place.split("/")[0] not in own:
            return Remark(where=path, what=f"needs {name}, which another wheel has to bring as {place}")
    base = posixpath.basename(name)
    near = [other for other in sorted(libraries) if posixpath.basename(other) == base]
    hint = f"looked for at {', '.join(places)}" if places else "the file has no search path that leads into the wheel"
    what = f"needs {name}, which is not in the wheel where it is looked for"
    return Problem(where=path, what=what, hint=hint + (f"; it is at {near[0]}" if near else ""))
