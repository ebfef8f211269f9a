"""What ELF files demand of a Linux: symbol versions, libraries, and what no system has for certain.

The C library's symbol versions count wherever they are demanded; those of the compilers' runtimes only where the
runtime is the system's, since a packed copy brings its own.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence

from mamba_press.errors import ContentError, Problem, Setting, Text
from mamba_press.platforms import binaries
from mamba_press.platforms.linux import hazards, policy
from mamba_press.types import Entry, Floor

PRESENCE = "the presence"
"""What stands for the symbol in a :class:`Floor` where a library is only there from some floor on."""


def demands(entries: Sequence[Entry], arch: str, offered: Callable[[Entry], frozenset[str]]) -> list[Floor]:
    """Return every reason for a floor; ``offered`` gives the symbols of the libraries of wheels that a file needs.

    Raises ContentError for what no system promises, and for what no Python of today can load.
    """
    internals = [*_internals(entries, offered, arch)]
    _refuse_unpromised(entries, internals, arch)
    _refuse_execstack(entries, arch)
    taken = [_floor(entry, name, since, symbol) for entry, name, symbol, since in internals if since]
    return [*demanded(entries, arch), *taken]


def demanded(entries: Iterable[Entry], arch: str) -> Iterator[Floor]:
    """Yield, for each file and each library of the system, the symbol version that demands most."""
    for entry, library, versions in _requirements(entries, arch):
        known = [(floor, version) for version in versions if (floor := policy.floor_for(version, arch))]
        if known:
            floor, symbol = max(known)
            yield _floor(entry, library, floor, symbol)
    for entry in _elf(entries, arch):
        for library in _system_libraries(entry):
            since = policy.allowed_from(library, arch)
            if since is not None and since > policy.baseline(arch):
                yield _floor(entry, library, since, PRESENCE)


def _floor(entry: Entry, library: str, version: tuple[int, int], symbol: str) -> Floor:
    return Floor(version=version, path=entry.path, package=entry.package, library=library, symbol=symbol)


_Internal = tuple[Entry, str, str, tuple[int, int] | None]
"""What a file takes of a library: the file, the library, the symbol, and the first floor that allows it."""


def _internals(entries: Iterable[Entry], offered: Callable[[Entry], frozenset[str]], arch: str) -> Iterator[_Internal]:
    """Yield the symbols that files take of the system's libraries although these keep them to themselves."""
    for entry in _elf(entries, arch):
        for library in _system_libraries(entry):
            listed = policy.internals(library)
            taken = binaries.symbols_of(entry.source).imports & listed.keys() if listed else ()
            own = offered(entry) if taken else ()
            yield from ((entry, library, name, listed[name]) for name in sorted(taken) if name not in own)


def _refuse_unpromised(entries: Iterable[Entry], internals: Iterable[_Internal], arch: str) -> None:
    """Refuse symbols that the policies speak of and no system has for certain, such as GLIBC_PRIVATE."""
    problems = [
        Problem(
            where=entry.path,
            what=f"{entry.package} needs {version} of {library}, which no system promises",
            hint=_unpromised_hint(entry, version),
        )
        for entry, library, versions in _requirements(entries, arch)
        for version in versions
        if policy.governed(version) and policy.floor_for(version, arch) is None
    ]
    problems += [
        Problem(
            where=entry.path,
            what=f"{entry.package} uses {symbol} of {library}, which the system's library does not offer",
            hint=Text.of(
                f"let the wheel have its own {library}: name its conda package in ",
                Setting("packages"),
                ", and leave it out of link.system",
            ),
        )
        for entry, library, symbol, since in internals
        if since is None
    ]
    if problems:
        raise ContentError(*problems)


def _refuse_execstack(entries: Iterable[Entry], arch: str) -> None:
    """Refuse libraries that need an executable stack: since glibc 2.41 Python, which has none, cannot load them."""
    problems = []
    for entry in _elf(entries, arch):
        if entry.binary is None or not hazards.is_refused(entry.binary):
            continue
        if entry.edits and entry.edits.clear_execstack:
            continue
        hint = Text.of(
            "choose another build of the package, leave the file out, ",
            Setting("select.exclude", (entry.original,)),
            ", or, if its code does not run on the stack, take the mark away: ",
            Setting("link.clear-execstack", (posixpath.basename(entry.original),)),
        )
        problems.append(Problem(where=f"{entry.path} ({entry.package})", what=hazards.EXECSTACK, hint=hint))
    if problems:
        raise ContentError(*problems)


def _unpromised_hint(entry: Entry, version: str) -> Text:
    if version.startswith(("GLIBCXX_", "CXXABI_", "GCC_")):
        return Text.of(Setting("link.runtimes", "bundle"), " packs the compiler's runtime that has it")
    out = Setting("select.exclude", (entry.original,))
    return Text.of("leave this file out: ", out, "; or choose another build of the package")


def _requirements(entries: Iterable[Entry], arch: str) -> Iterator[tuple[Entry, str, tuple[str, ...]]]:
    """Yield what files of this machine demand of libraries that are not in the wheel, nor in another one."""
    for entry in _elf(entries, arch):
        assert entry.binary is not None
        elsewhere = {link.needed for link in entry.links if link.where != "system"}
        for requirement in entry.binary.requires:
            if requirement.library not in elsewhere:
                yield entry, requirement.library, requirement.versions


def _system_libraries(entry: Entry) -> Iterator[str]:
    yield from (link.needed for link in entry.links if link.where == "system")


def _elf(entries: Iterable[Entry], arch: str) -> Iterator[Entry]:
    for entry in entries:
        if entry.binary and (entry.binary.format, entry.binary.arch) == ("elf", arch):
            yield entry
