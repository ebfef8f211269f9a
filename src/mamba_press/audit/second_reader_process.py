"""A program of its own, which `second_reader` starts: LIEF reads binaries, and `wheel` opens wheels.

Each line of stdin is a request and each line of stdout its answer, both JSON. What is read may be hostile: what takes
too long or too much memory ends this process, and LIEF ends some by itself. Nothing of mamba-press is imported here.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.pop(0)  # the folder of this file, whose modules are called like those of other people

import faulthandler
import gc
import json
import os
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from lief import ELF, PE, MachO

Json = dict[str, Any]

_LOADED, _SONAME, _RPATH, _RUNPATH = (0x1, 0x7FFFFFFD, 0x7FFFFFFF), 14, 15, 29
"""DT_NEEDED, DT_AUXILIARY and DT_FILTER name libraries that are loaded."""
_PT_LOAD = 1
_DYLIBS, _ID_DYLIB, _SEGMENT, _RPATH_COMMAND = (0xC, 0x20, 0x80000018, 0x8000001F, 0x80000023), 0xD, 0x19, 0x8000001C
_LONGEST = 16 << 20
"""How long an answer may be: files whose tables overlap say far more than they hold."""


def main(memory: int, patience: float) -> None:
    """Answer until stdin ends, and end the process; ``memory`` bounds all, ``patience`` is for one request."""
    _bound(memory)
    gc.disable()  # what is imported and read has no circles, and to look for them is a tenth of all
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what LIEF prints is no answer
    for line in sys.stdin.buffer:
        request = json.loads(line)
        faulthandler.dump_traceback_later(patience, exit=True)
        answer = _answer(request)
        faulthandler.cancel_dump_traceback_later()
        if answer is not None:
            text = json.dumps(answer).encode("ascii")
            if len(text) > _LONGEST:
                text = b'{"cannot": "it says more than any file does"}'
            answers.write(text + b"\n")
            answers.flush()
        if answer == _NO_MEMORY:
            break
    os._exit(0)  # to take LIEF down takes 60 ms, for which a build would wait


_NO_MEMORY = {"memory": True}


def _bound(memory: int) -> None:
    """Bound the memory where the system can, and leave no core file behind."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _answer(request: Json) -> Json | None:
    """Return what came of a request; whatever a library raises is its answer."""
    act: dict[str, Callable[[Json], Json | None]] = {"load": _load, "read": _read, "open": _open}
    try:
        return act[request["do"]](request)
    except ImportError as error:
        return {"absent": str(error)}
    except MemoryError:
        return _NO_MEMORY
    except Exception as error:  # noqa: BLE001 - other people's libraries raise anything
        return {"cannot": f"{type(error).__name__}: {error}"}


def _load(request: Json) -> None:
    for name in request["names"]:
        with suppress(Exception):  # it is told when it is asked for
            import_module(name)


def _read(request: Json) -> Json:
    """Return what LIEF reads of each architecture's part of a file."""
    import lief

    lief.logging.disable()
    path, parts = request["path"], None
    if request["format"] == "elf":
        # What is compared needs neither symbols nor relocations, and without them LIEF takes a fifth of the time.
        of_elf = lief.ELF.ParserConfig()
        of_elf.parse_relocations = of_elf.parse_dyn_symbols = of_elf.parse_symtab_symbols = False
        of_elf.parse_notes = of_elf.parse_overlay = False
        elf = lief.ELF.parse(path, of_elf)
        parts = None if elf is None else [_elf(elf)]
    elif request["format"] == "macho":
        fat = lief.MachO.parse(path, lief.MachO.ParserConfig.quick)
        parts = None if fat is None else [_macho(each) for each in fat]
    else:
        of_pe = lief.PE.ParserConfig()
        of_pe.parse_signature = of_pe.parse_rsrc = of_pe.parse_reloc = of_pe.parse_exceptions = False
        pe = lief.PE.parse(path, of_pe)
        parts = None if pe is None else [_pe(pe)]
    if parts is None:
        return {"cannot": "it takes it for no binary"}
    return {"parts": parts, "version": lief.__version__.partition("-")[0]}  # type: ignore[attr-defined]


def _elf(binary: ELF.Binary) -> Json:
    entries: list[tuple[int, Any]] = [(int(entry.tag), entry) for entry in binary.dynamic_entries]
    paths = {tag: _text(entry.rpath) for tag, entry in entries if tag == _RPATH}
    paths |= {tag: _text(entry.runpath) for tag, entry in entries if tag == _RUNPATH}
    search = paths.get(_RUNPATH, paths.get(_RPATH))
    requires = [(each.name, each.get_auxiliary_symbols()) for each in binary.symbols_version_requirement]
    defines = [list(each.auxiliary_symbols) for each in binary.symbols_version_definition if not each.flags & 1]
    return {
        "at": 0,
        "needed": list(dict.fromkeys(_text(entry.name) for tag, entry in entries if tag in _LOADED)),
        "name": next((_text(entry.name) for tag, entry in entries if tag == _SONAME), None),
        "search": search.split(":") if search else [],
        "requires": [[_text(library), [_text(each.name) for each in versions]] for library, versions in requires],
        "defines": sorted({_text(names[0].name) for names in defines if names}),
        "segments": [
            [int(each.flags) & 7, each.file_offset, each.virtual_address, each.physical_size, each.virtual_size]
            for each in binary.segments
            if int(each.type) == _PT_LOAD
        ],
    }


def _macho(binary: MachO.Binary) -> Json:
    commands: list[tuple[int, Any]] = [(int(command.command), command) for command in binary.commands]
    return {
        "at": binary.fat_offset,
        "needed": [_text(command.name) for kind, command in commands if kind in _DYLIBS],
        "name": next((_text(command.name) for kind, command in commands if kind == _ID_DYLIB), None),
        "search": [_text(command.path) for kind, command in commands if kind == _RPATH_COMMAND],
        "segments": [
            [_text(each.name), each.file_offset, each.virtual_address, each.file_size, each.virtual_size]
            for kind, each in commands
            if kind == _SEGMENT
        ],
    }


def _pe(binary: PE.Binary) -> Json:
    export, config = binary.get_export(), binary.load_configuration
    flags = config.dependent_load_flags if config else 0
    forwards = [each.forward_information for each in (export.entries if export else ()) if each.is_forwarded]
    libraries = [_text(each.name) for found in (binary.imports, binary.delay_imports) for each in found]
    others = [_text(each.library) for each in forwards]
    libraries += [name if name.lower().endswith(".dll") else f"{name}.dll" for name in others]
    names: dict[str, str] = {}
    for library in libraries:
        names.setdefault(library.lower(), library)
    return {
        "at": 0,
        "needed": list(names.values()),
        "name": _text(export.name) if export else None,
        "search": [f"DependentLoadFlags {flags:#x}"] if flags else [],
        "segments": [
            [each.pointerto_raw_data, each.virtual_address, each.sizeof_raw_data, each.virtual_size]
            for each in binary.sections
        ],
    }


def _text(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")


def _open(request: Json) -> Json:
    """Return what `wheel` says of each file of a wheel, after it has read all of them where that is asked for."""
    import wheel
    from wheel.wheelfile import WheelFile

    with WheelFile(request["path"]) as opened:
        if request["whole"]:
            for name in opened.namelist():
                with opened.open(name) as file:
                    while file.read(1 << 20):
                        faulthandler.dump_traceback_later(request["patience"], exit=True)
        listed = opened._file_hashes  # noqa: SLF001 - the rows of RECORD as it has read them
        rows = {}
        for member in opened.infolist():
            algorithm, digest = listed.get(member.filename, (None, None))
            rows[member.filename] = [member.file_size, algorithm, digest.hex() if digest else None]
    return {"rows": rows, "version": wheel.__version__}


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
