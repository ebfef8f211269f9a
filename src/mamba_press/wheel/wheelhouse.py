"""A wheelhouse on disk: a folder with wheels, ``pylock.toml`` and a manifest, or the same as one file.

The file is a ZIP archive with nothing compressed, for wheels are compressed already: any tool lists it, and unpacked it
is the folder. Nothing of it is believed that the manifest's hashes do not vouch for.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from packaging.utils import canonicalize_name, parse_wheel_filename

from mamba_press import __version__, atomic, platforms
from mamba_press.errors import HouseError, Problem
from mamba_press.messages import printable

if TYPE_CHECKING:
    from mamba_press.types import Target, Wheelhouse

MANIFEST = "wheelhouse.json"
LOCK = "pylock.toml"
FORMAT = 1

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_BLOCK = 1 << 20
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\.whl")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FLOOR = re.compile(r"(?:[0-9]{1,9}\.[0-9]{1,9})?")
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TEXT_SIZE = 16 << 20
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, struct.error)
"""What zipfile raises for an archive that is damaged, encrypted, or compressed in a way unknown here."""
_LARGE = 0x7FFFFFFF


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One wheel: its file, what installers call it, and which conda package it was."""

    file: str
    name: str
    version: str
    package: str
    requested: bool
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What is in a wheelhouse, and for which machines.

    ``floor`` is the version of glibc or macOS that the wheels need together, "" where none needs any; ``elsewhere`` are
    libraries that the machine has to have beyond what its tags promise. ``lock`` is the sha256 of ``pylock.toml``;
    ``left`` are conda packages of the solution that are no wheel, and why.
    """

    name: str
    subdir: str
    floor: str
    pythons: tuple[str, ...]
    elsewhere: tuple[str, ...]
    wheels: tuple[Row, ...]
    left: Mapping[str, str]
    lock: str

    def to_json(self) -> bytes:
        """Return the text of the manifest."""
        head = {"format": FORMAT, "made_by": f"mamba-press {__version__}"}
        return (json.dumps({**head, **asdict(self)}, indent=1) + "\n").encode()


def describe(house: Wheelhouse, folder: Path, elsewhere: Sequence[str] = ()) -> tuple[Manifest, bytes]:
    """Return the manifest and the lock of a house whose wheels lie in a folder."""
    rows = []
    for pressed in house.wheels:
        (package,) = {entry.package for entry in pressed.wheel.entries if entry.origin}
        path = folder / pressed.wheel.file_name
        record = next(each for each in house.solution.packages if each.name == package)
        rows.append(
            Row(
                file=path.name,
                name=canonicalize_name(pressed.wheel.name),
                version=str(pressed.wheel.version),
                package=str(record),
                requested=package in house.asked,
                size=path.stat().st_size,
                sha256=_digest_of(path),
            )
        )
    rows.sort(key=lambda row: row.name)
    target = house.solution.target
    lock = pylock(rows, target)
    manifest = Manifest(
        name=house.name,
        subdir=target.subdir,
        floor=floor(row.file for row in rows),
        pythons=(str(target.python),),
        elsewhere=tuple(elsewhere),
        wheels=tuple(rows),
        left={each.package: str(each.why) for each in house.left},
        lock=hashlib.sha256(lock).hexdigest(),
    )
    return manifest, lock


def pylock(rows: Iterable[Row], target: Target) -> bytes:
    """Return the text of the lock file (https://packaging.python.org/specifications/pylock-toml/)."""
    machine = {"amd64": "AMD64"}.get(target.arch, target.arch)
    system = platforms.facts(target).markers[0]
    marker = f"sys_platform == '{system}' and platform_machine == '{machine}' and implementation_name == 'cpython'"
    lines = [
        'lock-version = "1.0"',
        f'environments = ["{marker}"]',
        f'requires-python = "=={target.python.version}.*"',
        'created-by = "mamba-press"',
    ]
    for row in rows:
        lines += [
            "",
            "[[packages]]",
            f'name = "{row.name}"',
            f'version = "{row.version}"',
            "[[packages.wheels]]",
            f'name = "{row.file}"',
            f'path = "{row.file}"',
            f"size = {row.size}",
            f'hashes = {{ sha256 = "{row.sha256}" }}',
        ]
    return ("\n".join(lines) + "\n").encode()


def pack(folder: Path, manifest: Manifest, target: Path, then: Callable[[Path], None] = lambda _: None) -> None:
    """Write the files of a house into one, which takes its name when it is complete and ``then`` has seen it."""
    with atomic.replacing(target) as file, zipfile.ZipFile(file, "w") as archive:
        for name in (MANIFEST, LOCK, *(row.file for row in manifest.wheels)):
            info = zipfile.ZipInfo(name, _EARLIEST)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            with (folder / name).open("rb") as source:
                info.file_size = (folder / name).stat().st_size
                with archive.open(info, "w", force_zip64=info.file_size > _LARGE) as entry:
                    shutil.copyfileobj(source, entry, _BLOCK)
        archive.close()
        file.flush()
        then(Path(file.name))


def read(path: Path) -> Manifest:
    """Return the manifest of a wheelhouse, a file or a folder; raises HouseError where there is none to be read."""
    with _opened(path) as source:
        return _manifest(source)


def unpack(path: Path, folder: Path) -> Manifest:
    """Copy the wheels of a house into an empty folder; raises HouseError for everything that is not as it was made."""
    with _opened(path) as source:
        manifest = _manifest(source)
        expected = {row.file: (row.size, row.sha256) for row in manifest.wheels}
        problems = [
            Problem(where=name, what="is in the wheelhouse, but not in its manifest")
            for name in sorted(source.names() - expected.keys() - {MANIFEST, LOCK})
            if name.endswith(".whl") or source.archive
        ]
        for name, (size, digest) in {**expected, LOCK: (None, manifest.lock)}.items():
            what = _copied(source, name, folder / name, size, digest)
            problems += [_broken(name, what)] if what else []
    if problems:
        raise HouseError(*problems)
    return manifest


def _copied(source: _Source, name: str, target: Path, size: int | None, sha256: str) -> str | None:
    """Copy one file and return what is wrong with it."""
    digest, found = hashlib.sha256(), 0
    try:
        with source.open(name) as file, target.open("xb") as copy:
            while found <= (_TEXT_SIZE if size is None else size) and (block := file.read(_BLOCK)):
                digest.update(block)
                found += len(block)
                copy.write(block)
    except KeyError:
        return "is missing"
    except _UNREADABLE as error:
        return f"is damaged: {error}"
    if size is not None and found > size:
        return f"has more than the {size} bytes that the manifest says"
    if size is not None and found != size:
        return f"has {found} bytes; the manifest says {size}"
    return None if digest.hexdigest() == sha256 else "is not what the manifest's hash was made of"


@dataclass(frozen=True, slots=True)
class _Source:
    """The files of a wheelhouse, whether in a folder or in one file."""

    path: Path
    archive: zipfile.ZipFile | None

    def names(self) -> set[str]:
        """Return the names of all files."""
        return set(self.archive.namelist()) if self.archive else {each.name for each in self.path.iterdir()}

    def open(self, name: str) -> IO[bytes]:
        """Open a file by its name; raises KeyError where there is none."""
        if self.archive:
            return self.archive.open(name)
        if not (self.path / name).is_file():
            raise KeyError(name)
        return (self.path / name).open("rb")


@contextmanager
def _opened(path: Path) -> Iterator[_Source]:
    """Give the files of a wheelhouse; raises HouseError where there is none."""
    try:
        archive = None if path.is_dir() else zipfile.ZipFile(path)
    except FileNotFoundError:
        raise HouseError(Problem(where=str(path), what="there is no such file or folder")) from None
    except (OSError, *_UNREADABLE) as error:
        what = f"cannot be read as a wheelhouse: {printable(str(error))}"
        hint = "was it copied completely? Copy or make it again"
        raise HouseError(Problem(where=str(path), what=what, hint=hint)) from None
    with archive or nullcontext():
        yield _Source(path, archive)


def _manifest(source: _Source) -> Manifest:
    """Return the manifest, every name in it safe to be written as a file and every text to be shown."""
    where = str(source.path)
    try:
        with source.open(MANIFEST) as file:
            values = json.loads(file.read(_TEXT_SIZE))
    except KeyError:
        what = f"has no {MANIFEST}: it is no wheelhouse"
        raise HouseError(Problem(where=where, what=what, hint="mamba-press wheelhouse makes one")) from None
    except _UNREADABLE as error:  # or nested too deep, a RecursionError
        raise HouseError(_broken(f"{where}: {MANIFEST}", f"cannot be read: {error}")) from None
    if isinstance(values, dict) and values.get("format", FORMAT) != FORMAT:
        hint = "install a newer mamba-press, or `pip install --no-index --find-links` from the unpacked archive"
        what = f"is of format {_found(values['format'])}; this mamba-press knows {FORMAT}"
        raise HouseError(Problem(where=where, what=what, hint=hint))
    problems = [_broken(f"{where}: {MANIFEST}{key and f': {key}'}", what) for key, what in _wrong(values)]
    if problems:
        raise HouseError(*problems)
    rows = tuple(Row(**{name: row[name] for name in Row.__slots__}) for row in values["wheels"])
    lists = {name: tuple(values[name]) for name in ("pythons", "elsewhere")}
    return Manifest(**{name: values[name] for name in Manifest.__slots__} | lists | {"wheels": rows})


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not _UNWRITABLE.search(value)


_KINDS: Mapping[str, Callable[[object], bool]] = {
    "a string": _is_text,
    'a version such as "2.27", or ""': lambda value: _is_text(value) and bool(_FLOOR.fullmatch(str(value))),
    "a sha256 in hexadecimal digits": lambda value: isinstance(value, str) and bool(_SHA256.fullmatch(value)),
    "the number of a format": lambda _: True,
    "a list of strings": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "strings by name": lambda value: isinstance(value, dict) and all(map(_is_text, (*value, *value.values()))),
    "a list of wheels": lambda value: isinstance(value, list),
    "true or false": lambda value: isinstance(value, bool),
    "a number of bytes": lambda value: type(value) is int and 0 <= value < 1 << 63,
    "the name of a wheel": lambda value: isinstance(value, str) and bool(_SAFE.fullmatch(value)),
}
_HEAD = {
    "format": "the number of a format",
    "name": "a string",
    "subdir": "a string",
    "floor": 'a version such as "2.27", or ""',
    "pythons": "a list of strings",
    "elsewhere": "a list of strings",
    "wheels": "a list of wheels",
    "left": "strings by name",
    "lock": "a sha256 in hexadecimal digits",
}
_ROW = {
    "file": "the name of a wheel",
    "name": "a string",
    "version": "a string",
    "package": "a string",
    "requested": "true or false",
    "size": "a number of bytes",
    "sha256": "a sha256 in hexadecimal digits",
}


def _wrong(values: object) -> Iterator[tuple[str, str]]:
    """Yield the key of each value of a manifest that is none, and why."""
    head = [*_unlike(values, "", _HEAD)]
    yield from head
    if head or not isinstance(values, dict):
        return
    for number, row in enumerate(values["wheels"]):
        place = f"wheels[{number}]"
        wrong = [*_unlike(row, place, _ROW)]
        yield from wrong
        if not wrong and not _is_sound(row):
            yield f"{place}.file", f"{row['file']!r} is not the file of the wheel that it is said to be"


def _unlike(values: object, place: str, expected: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if not isinstance(values, dict):
        yield place, f"found {_found(values)}, expected an object with {', '.join(expected)}"
        return
    for key, kind in expected.items():
        at = f"{place}.{key}" if place else key
        if key not in values:
            yield at, f"is missing, expected {kind}"
        elif not _KINDS[kind](values[key]):
            yield at, f"found {_found(values[key])}, expected {kind}"


def _found(value: object) -> str:
    """Return a value as it stands in the file, as far as a line has room for it."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _is_sound(row: Mapping[str, str]) -> bool:
    """Whether a row is of one wheel, by the name that it is to be asked for."""
    try:
        name, version, _, _ = parse_wheel_filename(row["file"])
    except ValueError:  # InvalidWheelFilename, and what int() says of thousands of digits
        return False
    return (name, str(version)) == (row["name"], row["version"])


def _broken(where: str, what: str) -> Problem:
    return Problem(where=where, what=what, hint="copy or make the wheelhouse again")


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def floor(files: Iterable[str]) -> str:
    """Return the version of the system that all of these files can be installed on, "2.27"; "" where any will do."""
    needed = []
    for file in files:
        tags = map(platforms.parse, file.removesuffix(".whl").rpartition("-")[2].split("."))
        if floors := [tag.floor for tag in tags if tag and tag.floor]:
            needed.append(min(floors))  # one tag is enough
    return ".".join(map(str, max(needed))) if needed else ""


def stale(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Return the wheels in a folder that are none of a house: an installer would take them, too."""
    there = {path.name for path in folder.glob("*.whl")} if folder.is_dir() else set()
    return tuple(sorted(there - set(names)))
