"""What Windows' loader does inside a finished wheel: which file answers each needed name.

Nothing is run. The wheel's folders stand for ``site-packages``, as in :mod:`mamba_press.platforms.linux.loader`. For
what an extension module needs, and for what that needs in turn, Windows looks in the module's own folder and in those
that the process has added: CPython loads with LOAD_LIBRARY_SEARCH_DEFAULT_DIRS and LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR. A
DLL's own folder counts only where it is the one that was asked for.
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mamba_press.errors import Problem
from mamba_press.platforms.windows import system as windows

if TYPE_CHECKING:
    from mamba_press.types import Binary


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """What is there before a wheel's first module is imported, and what importing its packages adds.

    ``arch`` is spelled as in the tag; ``python`` is the minor version. ``folders`` holds, by top-level package, the
    folders that importing it adds; None where the wheel is another tool's, which has ways of its own: there every
    folder of the wheel counts. ``elsewhere`` are patterns of names that another wheel or the user has.
    """

    arch: str
    python: int
    folders: Mapping[str, tuple[str, ...]] | None = None
    elsewhere: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Tell whether a library of this name is there without the wheel."""
        is_there = windows.why_system(name) or windows.is_python(name)
        if is_there or name.lower() in windows.brings(self.python, self.arch):
            return True
        return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in self.elsewhere)

    def added(self, path: str) -> tuple[str, ...]:
        """Return the folders that are added before the file at a path is loaded."""
        return (self.folders or {}).get(path.split("/", 1)[0], ())


def problems(libraries: Mapping[str, Binary], process: Process) -> Iterator[Problem]:
    """Yield all that keeps Windows from loading any of these PE files, by installed path; the same may come twice."""
    by_place = {path.lower(): path for path in libraries}
    everywhere = tuple(sorted({posixpath.dirname(path) for path in libraries})) if process.folders is None else ()
    every = {folder for folders in (process.folders or {}).values() for folder in folders}
    for path, binary in sorted(libraries.items()):
        yield from (_side_by_side(path, name) for name in binary.assemblies)
    reached: set[str] = set()
    modules = [path for path in sorted(libraries) if path.lower().endswith((".pyd", ".exe"))]
    for root in (*modules, *sorted(libraries)):
        if root not in reached:
            # What is not needed by a module is opened by its path, when some package of the wheel has been imported.
            added = process.added(root) if root in modules else tuple(sorted({*every, *process.added(root)}))
            search = (posixpath.dirname(root), *added, *everywhere)
            yield from _load(root, libraries, by_place, search=search, process=process, reached=reached)


def _load(  # noqa: PLR0913  # what decides about one load
    root: str,
    libraries: Mapping[str, Binary],
    by_place: Mapping[str, str],
    *,
    search: Sequence[str],
    process: Process,
    reached: set[str],
) -> Iterator[Problem]:
    """Load a root with all that it needs; note in ``reached`` what comes along, and yield what is not found."""
    queue, loaded = deque([root]), {posixpath.basename(root).lower()}
    reached.add(root)
    while queue:
        path = queue.popleft()
        for name in libraries[path].needed:
            if name.lower() in loaded or process.has(name):
                continue
            places = (posixpath.join(folder, name).lower() for folder in search)
            there = next((by_place[place] for place in places if place in by_place), None)
            if there is None:
                yield _missing(path, name, root, search=search, by_place=by_place)
            elif libraries[there].arch != libraries[path].arch:
                yield Problem(where=path, what=f"needs {name}, and {there} is for another machine")
            else:
                if libraries[path].search:
                    yield _restricted(path, name)
                loaded.add(name.lower())
                reached.add(there)
                queue.append(there)


def _missing(path: str, name: str, root: str, *, search: Sequence[str], by_place: Mapping[str, str]) -> Problem:
    near = [other for place, other in sorted(by_place.items()) if posixpath.basename(place) == name.lower()]
    through = f" (loaded by {root})" if root != path else ""
    what = f"needs {name}, which is neither in the wheel where Windows looks nor a part of Windows or Python{through}"
    folders = ", ".join(folder or "the top of site-packages" for folder in dict.fromkeys(search))
    return Problem(where=path, what=what, hint=f"looked for in {folders}" + (f"; it is at {near[0]}" if near else ""))


def _side_by_side(path: str, name: str) -> Problem:
    what = f"asks in its manifest for the side-by-side assembly {name}, which no wheel can install"
    hint = "take a build that links to its libraries by their names, as those of Visual Studio 2015 and later do"
    return Problem(where=path, what=what, hint=hint)


def _restricted(path: str, name: str) -> Problem:
    what = f"needs {name} of the wheel, but says itself that Windows shall look only elsewhere (DependentLoadFlags)"
    hint = "press it again: mamba-press clears that where something of the wheel is needed"
    return Problem(where=path, what=what, hint=hint)
