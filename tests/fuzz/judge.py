"""What others say of edited binaries: readelf of ELF files, LLVM of all; what they said before the edit does not count.

Many files go into one call, for starting a program costs more than reading a small file.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

_BATCH = 100
_BOUNDED = ("sh", "-c", 'ulimit -v 2097152; ulimit -t 60; exec "$@"', "sh")
"""A judge gets 2 GiB of memory and 60 seconds of the processor: a broken count lets LLVM take all that there is."""
_READELF = ("-W", "-lSdVrsn", "--dyn-syms")
_LLVM = ("--file-headers", "--program-headers", "--sections", "--dynamic-table", "--needed-libs", "--version-info")
_READOBJ = {
    "elf": (*_LLVM, "--dyn-symbols", "--relocations"),
    "macho": ("--file-headers", "--sections", "--symbols", "--macho-segment", "--macho-dysymtab", "--needed-libs"),
    "pe": ("--file-headers", "--sections", "--coff-imports", "--coff-exports", "--coff-directives", "--needed-libs"),
}


def missing(kind: str) -> tuple[str, ...]:
    """Return the programs that judge a format and are not on this machine."""
    wanted = ["llvm-readobj", "llvm-objdump", *(["readelf"] if kind == "elf" else [])]
    return tuple(name for name in wanted if not _program(name))


def _program(name: str) -> str | None:
    versions = (f"{name}-{number}" for number in range(21, 12, -1))
    return next((found for each in (name, *versions) if (found := shutil.which(each))), None)


def worse(folder: Path, kind: Literal["elf", "macho", "pe"]) -> Iterator[tuple[str, str]]:
    """Yield the name of each edited file of a folder of which something new is said, and what.

    What a judge says of a file counts where it said nothing before: LLVM ends at the first fault, and a reader whom one
    table has led astray says something else wherever that table leads to after the edit.
    """
    names = sorted(path.stem for path in folder.glob("*.after"))
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        paths = [folder / f"{name}.{when}" for name in batch for when in ("before", "after")]
        told: dict[str, set[str]] = {path.name: set() for path in paths}
        for judge in (_by_readelf, _by_readobj, _by_objdump):
            for name, text in judge(paths, kind):
                told[name].add(text)
        for name in batch:
            knew = {text.partition(":")[0] for text in told[f"{name}.before"]}
            new = (text for text in told[f"{name}.after"] if text.partition(":")[0] not in knew)
            yield from ((name, text) for text in sorted(new))


def _by_readelf(paths: Sequence[Path], kind: str) -> Iterator[tuple[str, str]]:
    program = _program("readelf")
    if kind != "elf" or not program:
        return
    name = paths[0].name
    for line in said([program, *_READELF], paths):
        if line.startswith("File: "):
            name = Path(line[6:]).name
        elif re.match(r"readelf: (?:Warning|Error)", line):
            yield name, f"readelf: {_normal(line)}"


def _by_readobj(paths: Sequence[Path], kind: str) -> Iterator[tuple[str, str]]:
    program = _program("llvm-readobj")
    if program:
        yield from _one_after_the_other([program, *_READOBJ[kind]], paths, "llvm-readobj")


def _by_objdump(paths: Sequence[Path], kind: str) -> Iterator[tuple[str, str]]:
    """Apple's own words for Mach-O: libObject holds every load command to its rules."""
    program = _program("llvm-objdump")
    if program and kind == "macho":
        options = (
            "--macho",
            "--private-headers",
            "--bind",
            "--rebase",
            "--lazy-bind",
            "--exports-trie",
            "--dylibs-used",
        )
        yield from _one_after_the_other([program, *options], paths, "llvm-objdump")


def _one_after_the_other(command: Sequence[str], paths: Sequence[Path], who: str) -> Iterator[tuple[str, str]]:
    """LLVM's tools end at the first file that they cannot read: they are called again for those behind it."""
    rest = list(paths)
    while rest:
        last = -1
        for line in said(command, rest):
            if found := re.search(r"(?:warning|error): '([^']+?)(?:\([^']*\))?'", line):
                name = Path(found[1]).name
                last = max(last, place_of(rest, name))
                yield name, f"{who}: {_normal(line.replace(found[1], ''))}"
            elif line.startswith("File: ") or (line.endswith(":") and "/" in line):
                last = max(last, place_of(rest, Path(line.removeprefix("File: ").rstrip(":")).name))
        rest = rest[last + 1 :] if 0 <= last < len(rest) - 1 else []


def place_of(paths: Iterable[Path], name: str) -> int:
    """Return which of some files has a name, -1 for none."""
    return next((place for place, path in enumerate(paths) if path.name == name), -1)


def said(command: Sequence[str], paths: Sequence[Path]) -> Iterator[str]:
    """Yield the lines that a program prints of some files; of each alone where it dies of one of them."""
    done = subprocess.run(
        [*_BOUNDED, *command, *map(str, paths)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        errors="replace",
        text=True,
    )
    if done.returncode >= 0:
        yield from done.stdout.splitlines()
    elif len(paths) > 1:
        for path in paths:
            yield f"File: {path}"
            yield from said(command, [path])
    else:  # in the words of both: what it says of the other of two files, where it does not die, is nothing new
        yield f"{Path(command[0]).name}: Error: error: '{paths[0]}': dies"


def _normal(line: str) -> str:
    """Return a line without numbers, names and kinds of sections: an edit may change them."""
    line = re.sub(r"'[^']*'|<[^>]*>|\"[^\"]*\"|SHT_\w+", "…", line)
    return re.sub(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]*\d[0-9a-fA-F]*\b", "#", line).strip()
