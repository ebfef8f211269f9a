"""What glibc's loader does inside a finished wheel: which file answers each needed name, and whether it will do.

Nothing is run. The wheel's folders stand for ``site-packages``: names in ``.data/purelib`` and ``.data/platlib`` must
have been mapped there already.
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mamba_press import globs, messages
from mamba_press.errors import Habit, Problem, Remark, Setting, Text
from mamba_press.platforms import binaries
from mamba_press.platforms.linux import hazards, policy

if TYPE_CHECKING:
    from mamba_press.types import Binary

SYSTEM = ""
"""Stands for a file of the system in place of a path."""

_HINT = "press it again: mamba-press writes search paths that start at $ORIGIN and stay inside"


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """What may be taken for granted: the system of the wheel's lowest tag, and what the configuration names.

    ``floor`` is None for ``linux_*`` tags, which promise no version at all. ``elsewhere`` are patterns of library
    names that the user says come from the system or from another wheel. ``shared`` are folders of ``site-packages`` in
    which other wheels have files, too.
    """

    arch: str
    floor: tuple[int, int] | None
    elsewhere: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()

    def holds(self, name: str) -> bool:
        """Tell whether a library of this name is there without the wheel."""
        return policy.never_vendored(name) or self.is_stated(name)

    def is_stated(self, name: str) -> bool:
        """Tell whether the tag promises a library, or the user says that it is there."""
        floor = self.floor or policy.newest(self.arch)
        return policy.allowed(name, self.arch, floor) or globs.matches_library(name, self.elsewhere) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Loaded:
    """An object in the process: its path, and the one that asked for it."""

    path: str
    binary: Binary
    loader: _Loaded | None = None

    def chain(self) -> Iterator[_Loaded]:
        """Yield the object, the one that loaded it, and so on up to the root."""
        at: _Loaded | None = self
        while at:
            yield at
            at = at.loader


def problems(libraries: Mapping[str, Binary], promise: Promise) -> Iterator[Problem]:
    """Yield all that keeps the loader from loading these ELF files, by installed path; the same may come twice."""
    for path, binary in sorted(libraries.items()):
        yield from _strays(path, binary)
    got, wrong = _all(libraries, promise)
    yield from wrong
    for path, binary in sorted(libraries.items()):
        yield from _versions(path, binary, libraries, got, promise)
    yield from _unpromised(got, promise)
    yield from hazards.runtimes(libraries)


def _unpromised(answers: Mapping[tuple[str, str], str | None], promise: Promise) -> Iterator[Problem]:
    """Remark on the libraries that are left to the system, for a reason, though the tag does not promise them."""
    users: dict[str, list[str]] = {}
    for (path, name), answer in sorted(answers.items()):
        if answer == SYSTEM and promise.floor and policy.never_vendored(name) and not promise.is_stated(name):
            users.setdefault(name, []).append(path)
    for name, paths in users.items():
        more = messages.others(len(paths) - 1)
        what = f"needs {name}, which no manylinux tag promises: {policy.why_never(name)}{more}"
        yield Remark(where=paths[0], what=what)


def answers(libraries: Mapping[str, Binary], promise: Promise) -> dict[tuple[str, str], str | None]:
    """Return, for each path and each name it needs, the path that answers, :data:`SYSTEM`, or None for nobody."""
    return _all(libraries, promise)[0]


def _all(libraries: Mapping[str, Binary], promise: Promise) -> tuple[dict[tuple[str, str], str | None], list[Problem]]:
    found: list[Problem] = []
    got: dict[tuple[str, str], str | None] = {}
    for root in (*_roots(libraries), *sorted(libraries)):
        if libraries[root].needed and (root, libraries[root].needed[0]) not in got:
            found += _load(root, libraries, promise, got)
    return got, found


def _roots(libraries: Mapping[str, Binary]) -> Iterator[str]:
    """Yield what can be the first to be loaded: all that no other file needs, or that has no name to be needed by.

    A library that others need is also opened by itself now and then, but only a search path of its own could help
    it then, and from its users it is reached anyhow. (What need each other, and nobody else, the caller adds.)
    """
    needed = {name for binary in libraries.values() for name in binary.needed}
    for path, binary in sorted(libraries.items()):
        if binary.name is None or not {binary.name, posixpath.basename(path)} & needed:
            yield path


def _load(
    root: str, libraries: Mapping[str, Binary], promise: Promise, answers: dict[tuple[str, str], str | None]
) -> Iterator[Problem]:
    """Load a root as ``dlopen`` does, breadth first; note who got what for each name, and yield what is not found."""
    first = _Loaded(path=root, binary=libraries[root])
    present = {root}
    names: dict[str | None, str] = {first.binary.name: root}
    queue = deque([first])
    of_system: list[tuple[_Loaded, str]] = []
    while queue:
        current = queue.popleft()
        for needed in current.binary.needed:
            path = names.get(needed) or _search(current, needed, libraries)
            if path is None and (promise.holds(needed) or needed in current.binary.weak):
                path = SYSTEM
            is_known = answers.get((current.path, needed), SYSTEM) is None
            answers[current.path, needed] = path
            if path is None and not is_known:
                yield _missing(current, needed, libraries, promise.shared)
            if path == SYSTEM:
                of_system.append((current, needed))
            elif path is not None and path not in present:
                child = _Loaded(path=path, binary=libraries[path], loader=current)
                present.add(path)
                names.update({needed: path, child.binary.name: path})
                queue.append(child)
    # What the system's libraries need is looked for after all that was asked for before them.
    for current, needed in of_system:
        yield from _taken(current, needed, names, libraries)


def _taken(
    current: _Loaded, system: str, names: Mapping[str | None, str], libraries: Mapping[str, Binary]
) -> Iterator[Problem]:
    """Yield what a library of the system would take from the wheel: what is loaded already, or inherited paths find.

    The system's own library was built against the system's, and may not work with any other.
    """
    child = _Loaded(path=SYSTEM, binary=replace(current.binary, search=(), inherited=False), loader=current)
    for name in hazards.of_the_system(system):
        path = names.get(name) or _search(child, name, libraries)
        if path:
            what = f"needs the system's {system}, which would take {name} from the wheel ({path})"
            hint = Text.of("let the packed one have a name of its own: ", Setting("link.rename", (name,)))
            yield Habit(where=current.path, what=what, hint=hint)


def _search(current: _Loaded, needed: str, libraries: Mapping[str, Binary]) -> str | None:
    """Return the wheel's file that the search paths lead to; one of another architecture is passed over."""
    for one in _consulted(current):
        for path in binaries.lookup(one.binary, one.path, needed):
            if path in libraries and libraries[path].arch == current.binary.arch:
                return path
    return None


def _consulted(current: _Loaded) -> tuple[_Loaded, ...]:
    """Return the objects whose search paths count for what this one needs.

    DT_RPATH counts for the object and for those that loaded it, but not at all for an object with DT_RUNPATH, whose
    own paths count only for itself (man 8 ld.so).
    """
    if current.binary.search and not current.binary.inherited:
        return (current,)
    return tuple(one for one in current.chain() if one.binary.inherited)


def _strays(path: str, binary: Binary) -> Iterator[Problem]:
    """Yield the search paths that leave the wheel, and a program's foreign loader."""
    for element in binary.search:
        if _leaves(path, element):
            kind = Problem if hazards.is_open_to_all(element) else Habit
            what = f"the search path has {element!r}, which is outside the wheel"
            yield kind(where=path, what=what, hint=_HINT)
    if hazards.is_refused(binary):
        yield Problem(where=path, what=hazards.EXECSTACK, hint="link it with -z noexecstack")
    if binary.interpreter and not policy.is_loader(binary.interpreter, binary.arch):
        what = f"the program asks for the loader {binary.interpreter!r}, which systems of the tag do not have"
        yield Problem(where=path, what=what, hint="build it for glibc, or leave it out")


def _leaves(path: str, element: str) -> bool:
    """Tell whether an element of a search path is not below the folder into which the wheel's files are installed."""
    folder = path.split("/")[:-1]
    if folder and folder[0].endswith(".data"):
        folder = folder[2:]  # ``x-1.data/scripts`` is a top, where it lands is not known
    origin, _, rest = element.replace("${ORIGIN}", "$ORIGIN").partition("/")
    return origin != "$ORIGIN" or posixpath.normpath("/".join((".", *folder, rest))).split("/")[0] == ".."


def _versions(
    path: str,
    binary: Binary,
    libraries: Mapping[str, Binary],
    answers: Mapping[tuple[str, str], str | None],
    promise: Promise,
) -> Iterator[Problem]:
    """Yield the symbol versions that whoever answers for the library does not have."""
    for requirement in binary.requires:
        if requirement.library not in binary.needed:
            if not promise.holds(requirement.library):
                what = f"demands symbol versions of {requirement.library} but does not need it"
                yield Problem(where=path, what=f"{what}: the loader stops with an assertion")
            continue
        answer = answers.get((path, requirement.library))
        if answer == SYSTEM:
            missing = [version for version in requirement.versions if not _is_promised(version, promise)]
            if missing:
                yield _too_new(path, requirement.library, missing, promise)
        elif answer and libraries[answer].defines:
            missing = [version for version in requirement.versions if version not in libraries[answer].defines]
            if missing:
                yield _not_defined(path, answer, missing)
    yield from _internals(path, binary, answers, promise)


def _internals(
    path: str, binary: Binary, answers: Mapping[tuple[str, str], str | None], promise: Promise
) -> Iterator[Problem]:
    """Yield what a file takes of the system's libraries that these keep to themselves."""
    if not (binary.internals and promise.floor):
        return
    for library in binary.needed:
        listed = policy.internals(library)
        if answers.get((path, library)) != SYSTEM or globs.matches_library(library, promise.elsewhere):
            continue
        taken = {name: listed[name] for name in binary.internals if name in listed}
        names = [name for name, since in taken.items() if since is None or since > promise.floor]
        if names:
            what = f"uses {', '.join(names)} of the system's {library}, which does not offer "
            what += "them" if len(names) > 1 else "it"
            yield Problem(where=path, what=what, hint="pack the library that it was linked to")


def _is_promised(version: str, promise: Promise) -> bool:
    """Tell whether the system of the tag has a symbol version; names that the policies do not know pass."""
    if promise.floor is None or not policy.governed(version):
        return True
    floor = policy.floor_for(version, promise.arch)
    return floor is not None and floor <= promise.floor


def _missing(current: _Loaded, needed: str, libraries: Mapping[str, Binary], shared: frozenset[str]) -> Problem:
    """Return the problem of a name that nothing answers; it says where the name was looked for.

    A search path into another folder of ``site-packages`` leads to another wheel.
    """
    own = {path.split("/")[0] for path in libraries} - shared
    for one in _consulted(current):
        for path in binaries.lookup(one.binary, one.path, needed):
            if "/" in path and path.split("/")[0] not in own:
                return Remark(where=current.path, what=f"needs {needed}, which another wheel has to bring as {path}")
    chain = list(current.chain())
    places = [folder for one in _consulted(current) for folder in one.binary.search]
    there = [path for path, binary in libraries.items() if needed in (binary.name, posixpath.basename(path))]
    loaded_by = f" (loaded by {' <- '.join(one.path for one in chain[1:])})" if len(chain) > 1 else ""
    what = f"needs {needed}, which is neither in the wheel where it is looked for nor promised by the tag{loaded_by}"
    hint = f"looked for in {', '.join(places)}" if places else "the file has no search path"
    return Problem(where=current.path, what=what, hint=hint + (f"; it is at {there[0]}" if there else ""))


def _too_new(path: str, library: str, missing: Sequence[str], promise: Promise) -> Problem:
    floor = ".".join(map(str, promise.floor or ()))
    what = f"needs {', '.join(missing)} of the system's {library}, which a system with glibc {floor} need not have"
    return Problem(where=path, what=what, hint="press for a later platform tag, or bundle that library")


def _not_defined(path: str, answer: str, missing: Sequence[str]) -> Problem:
    what = f"needs {', '.join(missing)} of {answer}, which does not define {'them' if len(missing) > 1 else 'it'}"
    return Problem(where=path, what=what, hint="the two come from packages that do not fit together")
