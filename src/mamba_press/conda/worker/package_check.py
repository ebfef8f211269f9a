"""What a package may install: it is looked at when it is extracted, before rattler installs any of it."""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.conda.worker import Json, RefusedError
from mamba_press.conda.worker.records import title
from mamba_press.conda.worker.watch import TASK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_INFO = ("paths.json", "index.json", "link.json", "files", "has_prefix", "no_link", "no_softlink")
"""What rattler reads of a package before or while it installs it."""

_KINDS = {stat.S_IFREG: "a file", stat.S_IFLNK: "a symlink", stat.S_IFDIR: "a folder"}
_LISTED_AS = {"hardlink": stat.S_IFREG, "softlink": stat.S_IFLNK, "directory": stat.S_IFDIR}

RECORDS = 64 << 20
"""How many bytes one of these may have: a package of 100,000 files lists them in 25 million."""

BYTES, DENSEST = 256 << 20, 100
FILES, SPARSEST = 100_000, 50
"""How many bytes and files a package may have, and how many more for each byte, or for so many, of its archive."""

LISTED, _PARTS = 1_000_000, 10
"""How many files are read of a package's lists, whatever its archive, and how many parts of JSON for each of them."""

_UNKNOWN = 64 << 30
"""The size of an archive of which nothing is known, and the most that is believed."""

_SHORTEST_PLACEHOLDER = 5
"""A shorter one would occur anywhere, and make a text many times as long."""


class Gate:
    """Looks at an extracted package before rattler installs any of it, whether it was cached or has just been fetched.

    rattler reads and writes along the paths that a package lists, through any symlink on the way. It tells us when it
    is about to begin, and waits until we return; it takes no answer. So a package that must not be installed ends this
    process, after the reason was said.
    """

    def __init__(self, packages: Sequence[Json], request: Json, say: Callable[[Json], None]) -> None:
        self.packages = {package["name"].lower(): package for package in packages}
        self.cache = Path(request["cache"], "pkgs")
        self.on_windows = request["on_windows"] or os.name == "nt"
        self.say = say
        self.downloaded: dict[str, int] = {}
        self.python = next(map(self.site_packages, request["python"]), "site-packages")
        # Of the packages let through, without regard to case: their symlinks, the folders of their files, the scripts
        # that rattler makes for their entry points, and all that they list.
        self.links: dict[str, str] = {}
        self.folders: dict[str, str] = {}
        self.scripts: dict[str, str] = {}
        self.listed: dict[str, str] = {}

    def look_before(self) -> None:
        """Refuse what rattler would read, or use as a path, before it tells us anything."""
        for package in self.packages.values():
            if wrong := list(odd_info(self.folder(package))):
                raise self.refused(package, wrong)
        if _bad_path(self.python, on_windows=self.on_windows):
            text = "its record has no folder for python_site_packages_path"
            raise RefusedError("members", package="python", file="", wrong=[[self.python, text]])

    def let_through(self, name: str) -> None:
        """Return if the package may be installed; end the process otherwise."""
        package = self.packages.get(name.lower(), {"name": name, "version": "", "build": "", "url": ""})
        try:
            wrong = self.wrong(package)
        except Exception as error:  # noqa: BLE001 - rattler would go on after whatever is raised here
            wrong = [["", f"it cannot be looked at: {error!r}"]]
        if wrong:
            TASK.end(self.refused(package, wrong), self.say)

    def most(self, package: Json) -> tuple[int, int]:
        """Return how many bytes and files a package may have: in proportion to its archive, so giants are let in.

        Of 160 packages of conda-forge and defaults the densest has 15 times the bytes of its archive.
        """
        stated, seen = package.get("size"), self.downloaded.get(package["name"].lower())
        size = min(each for each in (stated, seen, _UNKNOWN) if each)
        return BYTES + size * DENSEST, FILES + size // SPARSEST

    def extracting(self) -> list[tuple[Json, Path]]:
        """Return the packages that are being extracted, and where: rattler has locked the cache for us."""
        stems = {f".{self.folder(package).name}": package for package in self.packages.values()}
        with suppress(OSError):
            hidden = [name for name in os.listdir(self.cache) if name.startswith(".")]  # noqa: PTH208 - thousands
            return [(stems[name[:-6]], self.cache / name) for name in hidden if name[:-6] in stems]
        return []

    def look_while_extracted(self) -> None:
        """Refuse a package that has already become too large in the folder into which it is being extracted."""
        for package, folder in self.extracting():
            most = self.most(package)
            if wrong := _too_large(*_weight(folder, *most), *most):
                TASK.end(self.refused(package, [["", wrong]]), self.say)

    def folder(self, package: Json) -> Path:
        """Return where the cache has a package."""
        return self.cache / f"{package['name'].lower()}-{package['version']}-{package['build']}"

    def refused(self, package: Json, wrong: list[list[str]]) -> RefusedError:
        """Return the error for a package, of pairs of a path and a text."""
        return RefusedError("members", package=title(package), file=package["url"], wrong=wrong)

    def wrong(self, package: Json) -> list[list[str]]:
        """Return what is wrong with the package, as pairs of a path and a text."""
        folder = self.folder(package)
        if wrong := list(odd_info(folder)):
            return wrong
        try:
            most = min(self.most(package)[1], LISTED)
            index = _json(folder / "info" / "index.json", most)
            entries = _entries(folder, most)
            link = _json(folder / "info" / "link.json", most) if (folder / "info" / "link.json").is_file() else {}
            wrong += _bad_entry_points(link)
        except RecursionError:
            return [["info", "its records cannot be read: they are nested too deeply"]]
        except (OSError, ValueError, TypeError) as error:
            return [["info", f"its records cannot be read: {error}"]]
        wrong += _other_package(index, package)
        wrong += _wrong_entries(folder, entries, on_windows=self.on_windows)
        size = sum(_size(folder, entry) for entry in entries) if not wrong else 0
        if too_large := _too_large(size, len(entries), *self.most(package)):
            wrong.append(["", too_large])
        if not wrong:
            paths = {self.installed(entry["_path"], index): entry for entry in entries}
            wrong += self.through_others(package["name"], paths, self.scripts_of(link))
        return wrong

    def site_packages(self, python: Json) -> str:
        """Return where a Python has its packages, as rattler takes it where the record does not say."""
        minor = ".".join(python["version"].split(".")[:2])
        usual = "Lib/site-packages" if self.on_windows else f"lib/python{minor}/site-packages"
        return str(python.get("site_packages") or usual)

    def installed(self, path: str, index: Json) -> str:
        """Return where a path of the package is installed, without regard to case."""
        first, slash, rest = path.partition("/")
        if index.get("noarch") == "python":
            scripts = "Scripts" if self.on_windows else "bin"
            first = {"site-packages": self.python, "python-scripts": scripts}.get(first, first)
        return f"{first}{slash}{rest}".casefold()

    def scripts_of(self, link: Json) -> set[str]:
        """Return the files that rattler writes for the package's entry points."""
        names = [name for _, name in _entry_points(link)]
        if not self.on_windows:
            return {f"bin/{name}".casefold() for name in names}
        return {f"Scripts/{name}{end}".casefold() for name in names for end in ("-script.py", ".exe")}

    def through_others(self, name: str, paths: dict[str, Json], scripts: set[str]) -> list[list[str]]:
        """Return the paths that would be written through a symlink or into a file of a package; keep those of this one.

        A script for an entry point is written into whatever lies there: a symlink may lead anywhere, and a file is a
        hard link to the cache.
        """
        links = {path for path, entry in paths.items() if entry.get("path_type") == "softlink"}
        folders = {path[: match.start()] for path in (*paths, *scripts) for match in re.finditer("/", path)}
        for known, new in (
            (self.links, links),
            (self.folders, folders),
            (self.scripts, scripts),
            (self.listed, paths),
        ):
            known.update(dict.fromkeys(set(new) - known.keys(), name))
        wrong = [
            [path, f"{self.folders[path]} has files below it, and {self.links[path]} has a symlink there"]
            for path in sorted((folders & self.links.keys()) | (links & self.folders.keys()))
        ]
        return wrong + [
            [path, f"{self.scripts[path]} has an entry point of that name, and {self.listed[path]} has a file there"]
            for path in sorted((scripts & self.listed.keys()) | (paths.keys() & self.scripts.keys()))
        ]


def odd_info(folder: Path) -> Iterator[list[str]]:
    """Yield what of the package's own records is no file, such as a symlink that leads elsewhere."""
    for path in (folder, folder / "info", *(folder / "info" / name for name in _INFO)):
        with suppress(FileNotFoundError, NotADirectoryError):
            status = path.lstat()
            kind, name = stat.S_IFMT(status.st_mode), path.relative_to(folder).as_posix()
            if kind != (stat.S_IFREG if path.parent.name == "info" else stat.S_IFDIR):
                yield [name, f"it is {_KINDS.get(kind, 'a special file')}"]
            elif kind == stat.S_IFREG and status.st_size > RECORDS:
                yield [name, f"it has {status.st_size} bytes"]


def _too_large(size: int, files: int, most_bytes: int, most_files: int) -> str:
    """Return that a package is larger than it may be, or nothing."""
    if size > most_bytes:
        most = f"{most_bytes / 1e6:.0f} MB"
        return f"it unpacks to {size / 1e6:.0f} MB or more; for an archive of its size the limit is {most}"
    if files > most_files:
        return f"it has {files} files or more; for an archive of its size the limit is {most_files}"
    return ""


def _weight(folder: Path, most_bytes: int, most_files: int) -> tuple[int, int]:
    """Return how many bytes and files a folder has; counting ends above the most."""
    size, files, waiting = 0, 0, [str(folder)]
    while waiting and size <= most_bytes and files <= most_files:
        with suppress(OSError), os.scandir(waiting.pop()) as found:  # it may be renamed while we look
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    files += 1
                    size += entry.stat(follow_symlinks=False).st_size
    return size, files


def _json(path: Path, most: int) -> Json:
    found = json.loads(bounded(path.name, path.read_bytes(), most))
    if not isinstance(found, dict):
        raise TypeError(f"{path.name} holds no object")
    return found


def _lines(path: Path, most: int) -> list[str]:
    """Return the lines of a file as rattler reads them: a line feed alone ends one, and nothing else is taken off."""
    return bounded(path.name, path.read_bytes(), most).decode("utf-8").split("\n")


def bounded(name: str, data: bytes, most: int) -> bytes:
    """Return a list's bytes; raise ValueError where it has more lines, or parts of JSON, than so many files need."""
    signs, each = ((b"{", b"[", b","), _PARTS) if name.endswith(".json") else ((b"\n",), 1)
    if sum(map(data.count, signs)) > each * most:
        raise ValueError(f"{name} lists more than {most:,} files")
    return data


def _entries(folder: Path, most: int) -> list[Json]:
    """Return what the package lists; one without ``paths.json`` lists names only, and is too old to state types."""
    if (folder / "info" / "paths.json").is_file():
        found = _json(folder / "info" / "paths.json", most)["paths"]
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise TypeError("paths.json has no list of objects")
        return found
    prefixed = folder / "info" / "has_prefix"
    names = _prefixed(_lines(prefixed, most)) if prefixed.is_file() else set()
    paths = [path for line in _lines(folder / "info" / "files", most) if (path := line.removesuffix("\r"))]
    more = {"prefix_placeholder": "as has_prefix says"}
    return [{"_path": path, **(more if _bare(path) in names else {})} for path in paths]


def _prefixed(lines: Sequence[str]) -> set[str]:
    """Return what may be a path in the lines of ``has_prefix``: what follows a space, without quotes and escapes."""
    found: set[str] = set()
    for line in lines:
        text = _bare(line)[-4096:].strip()
        starts = [match.end() for match in re.finditer(r"\s", text)][-20:]
        found.update(text[start:] for start in [0, *starts])
    return found


def _bare(text: str) -> str:
    return re.sub(r'["\\]', "", text)


def _other_package(index: Json, package: Json) -> Iterator[list[str]]:
    for key in ("name", "version", "build"):
        if str(index.get(key)).lower() != package[key].lower():
            yield ["info/index.json", f"its {key} is {index.get(key)!r}, its record states {package[key]!r}"]


def _entry_points(link: Json) -> list[tuple[object, str]]:
    """Return the entry points as they are listed, each with its name."""
    noarch = link.get("noarch")
    listed = (noarch.get("entry_points") or []) if isinstance(noarch, dict) else []
    if not isinstance(listed, list):
        raise TypeError("link.json has no list of entry points")
    return [(text, str(text).partition("=")[0].strip()) for text in listed]


def _bad_entry_points(link: Json) -> Iterator[list[str]]:
    """Yield the entry points from whose names rattler would make a file elsewhere than among the scripts."""
    for text, name in _entry_points(link):
        if not re.fullmatch(r"[^\x00-\x1f/\\:]+", name) or name.strip(" .") == "":
            yield ["info/link.json", f"the entry point {text!r} has a name that no script can have"]


def _bad_path(path: object, *, on_windows: bool) -> str:
    """Return why a path cannot be one of a package's, or nothing.

    Where Windows is concerned, backslashes part folders, colons name drives and streams, and what ends with dots or
    spaces is the same without them.
    """
    if not isinstance(path, str) or not path:
        return "it is not a path"
    parts = path.split("/")
    if re.search("[\x00-\x1f\x7f\ud800-\udfff]", path):
        return "it has characters that no path can have"
    if any(part in ("", ".", "..") for part in parts):
        return "it is absolute, leaves the package, or has empty parts"
    if on_windows and (re.search(r"[\\:]", path) or any(part != part.rstrip(" .") for part in parts)):
        return "it means another path on Windows"
    if parts[0].lower() == "conda-meta" and (len(parts) == 1 or path.lower().endswith(".json")):
        return "it takes the place of what the installer writes"
    return ""


def _wrong_entries(folder: Path, entries: Sequence[Json], *, on_windows: bool) -> Iterator[list[str]]:
    """Yield what is listed as something else than it is, or lies elsewhere."""
    folders: dict[str, str] = {"": ""}
    for entry in entries:
        path = entry.get("_path")
        wrong = _bad_path(path, on_windows=on_windows) or _wrong_entry(str(folder), entry, folders)
        if wrong:
            yield [str(path), wrong]


def _wrong_entry(root: str, entry: Json, folders: dict[str, str]) -> str:
    path = entry["_path"]
    if wrong := _way(root, path.rpartition("/")[0], folders):
        return wrong
    try:
        status = os.lstat(f"{root}/{path}")
    except FileNotFoundError:
        # Extracting leaves symlinks out there.
        return "" if os.name == "nt" and entry.get("path_type") == "softlink" else "it is not in the archive"
    except OSError as error:
        return error.strerror or str(error)
    kind = stat.S_IFMT(status.st_mode)
    found, listed = _KINDS.get(kind, "a special file"), entry.get("path_type")
    if "path_type" in entry and listed not in tuple(_LISTED_AS):  # it may be a list
        return f"its path_type is {listed!r}"
    if kind not in _KINDS or (listed and _LISTED_AS[listed] != kind):
        return f"it is listed as {listed or 'a file'}, and is {found} in the archive"
    if (placeholder := entry.get("prefix_placeholder")) is not None:
        if kind != stat.S_IFREG:
            return f"it has a prefix_placeholder, and is {found}"
        if not isinstance(placeholder, str) or len(placeholder) < _SHORTEST_PLACEHOLDER:
            return f"its prefix_placeholder is {placeholder!r}"
    size = entry.get("size_in_bytes")
    if kind == stat.S_IFREG and size is not None and size != status.st_size:
        return f"it has {status.st_size} bytes, and {size!r} are listed"
    return ""


def _size(folder: Path, entry: Json) -> int:
    """Return the bytes of a listed file, which are as stated where they are."""
    stated = entry.get("size_in_bytes")
    if isinstance(stated, int) and entry.get("path_type") == "hardlink":
        return stated
    return os.lstat(f"{folder}/{entry['_path']}").st_size


def _way(root: str, folder: str, folders: dict[str, str]) -> str:
    """Return what is wrong with a folder of the package or one above it; ``folders`` keeps what was found out."""
    if folder not in folders:
        wrong = _way(root, folder.rpartition("/")[0], folders)
        if not wrong:
            with suppress(OSError):
                kind = stat.S_IFMT(os.lstat(f"{root}/{folder}").st_mode)
                if kind != stat.S_IFDIR:
                    wrong = f"it lies below {folder}, which is {_KINDS.get(kind, 'a special file')} in the archive"
        folders[folder] = wrong
    return folders[folder]
