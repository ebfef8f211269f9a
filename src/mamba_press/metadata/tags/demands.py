"""What the files and the records of a wheel demand of the system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mamba_press.conda.specs import minimum
from mamba_press.metadata.tags.python_tags import symbols_of
from mamba_press.platforms.linux import policy
from mamba_press.types import Entry, Floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mamba_press.metadata.tags.python_tags import Libraries
    from mamba_press.types import Package

RECORD = "its conda record"
"""What stands for the library in a :class:`Floor` that a package states for itself."""

PRESENCE = "the presence"
"""What stands for the symbol in a :class:`Floor` where a library is only there from some floor on."""


def demanded(entries: Iterable[Entry], arch: str) -> Iterator[Floor]:
    """Yield, for each file and each library of the system, the symbol version that demands most."""
    for entry, library, versions in requirements_of(entries, arch):
        known = [(floor, version) for version in versions if (floor := policy.floor_for(version, arch))]
        if known:
            floor, symbol = max(known)
            yield floor_of(entry, library, floor, symbol)
    for entry in elf_of(entries, arch):
        for library in system_libraries(entry):
            since = policy.allowed_from(library, arch)
            if since is not None and since > policy.baseline(arch):
                yield floor_of(entry, library, since, PRESENCE)


def floor_of(entry: Entry, library: str, version: tuple[int, int], symbol: str) -> Floor:
    """Return the floor that a file gives a wheel by what it takes of a library."""
    return Floor(version=version, path=entry.path, package=entry.package, library=library, symbol=symbol)


Internal = tuple[Entry, str, str, tuple[int, int] | None]
"""What a file takes of a library: the file, the library, the symbol, and the first floor that allows it."""


def internals(entries: Iterable[Entry], libraries: Libraries, arch: str) -> Iterator[Internal]:
    """Yield the symbols that files take of the system's libraries although these keep them to themselves."""
    for entry in elf_of(entries, arch):
        for library in system_libraries(entry):
            listed = policy.internals(library)
            taken = symbols_of(entry).imports & listed.keys() if listed else ()
            own = libraries.offered_to(entry) if taken else ()
            yield from ((entry, library, name, listed[name]) for name in sorted(taken) if name not in own)


def requirements_of(entries: Iterable[Entry], arch: str) -> Iterator[tuple[Entry, str, tuple[str, ...]]]:
    """Yield what files of this machine demand of libraries that are not in the wheel, nor in another one."""
    for entry in elf_of(entries, arch):
        assert entry.binary is not None
        elsewhere = {link.needed for link in entry.links if link.where != "system"}
        for requirement in entry.binary.requires:
            if requirement.library not in elsewhere:
                yield entry, requirement.library, requirement.versions


def system_libraries(entry: Entry) -> Iterator[str]:
    """Yield the libraries that a file takes from the system."""
    yield from (link.needed for link in entry.links if link.where == "system")


def stated(
    entries: Iterable[Entry], records: Mapping[str, Package], virtual: str, oldest: tuple[int, int]
) -> Iterator[Floor]:
    """Yield the lower bounds on the system that the records of the packages in the wheel state."""
    for name in sorted({entry.package for entry in entries} & records.keys()):
        record = records[name]
        # A bound stands in constrains, too: there it holds just as much for every machine of that system.
        for spec in dict.fromkeys((*record.depends, *record.constrains)):
            bound = minimum(spec) if spec.name == virtual else None
            if bound is not None:
                version = max(bound, oldest)
                yield Floor(version=version, path=record.file_name, package=name, library=RECORD, symbol=spec.text)


def elf_of(entries: Iterable[Entry], arch: str) -> Iterator[Entry]:
    """Yield the ELF files for a machine."""
    return of_format(entries, "elf", arch)


def of_format(entries: Iterable[Entry], wanted: str, arch: str) -> Iterator[Entry]:
    """Yield the binaries of one format for a machine."""
    for entry in entries:
        if entry.binary and (entry.binary.format, entry.binary.arch) == (wanted, arch):
            yield entry
