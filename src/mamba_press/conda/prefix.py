"""Reads an installed prefix back: which files there are, whose they are, and what they were before installation."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mamba_press import messages
from mamba_press.conda import package_info
from mamba_press.errors import ContentError, Problem, Setting, Text
from mamba_press.types import Environment, File

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from mamba_press.types import Info, Package

    _Part = tuple[Package, dict[str, Any], list[File]]

SCRIPT = re.compile(r"(bin/\.|Scripts/\.|Scripts/)[^/]+-(pre|post)-link\.(sh|bat)")
"""What conda runs when it installs a package; what it runs at the end of one is of no interest in a wheel."""
_COPIES, _COPIED_BYTES = 10_000, 1 << 30
"""How many files and bytes symlinks may stand for, beside ten times what there is: each becomes a file of the wheel."""
_HINT = Text.of("tell the makers of the package, or take another build of it with ", Setting("constraints"))
_DESCRIBES = re.compile(r"\.(?:dist|egg)-info(?:/|\Z)")
GENERATED = "entry_point"
"""Occurs in the path type of each script that the installer makes for an entry point: in no package."""


class AbsentError(Exception):
    """A package has something to do with a path of one that was not installed."""


def read(
    prefix: Path,
    packages: Sequence[Package],
    notes: list[str],
    *,
    neutral: str | None = None,
    absent: Collection[str] = (),
) -> Environment:
    """Return what stands in a prefix into which rattler has installed ``packages``.

    Where the install wrote ``neutral`` into binary files, their strings get their lengths back first. Symlinks are
    resolved to the file of the prefix at which they end, one to a folder becomes one for each file in it. A symlink
    that ends nowhere, or outside the prefix, leaves and is told in ``notes``. Where two packages have different files
    at one path, both are there, under that path. Raises AbsentError where a file has one of the paths ``absent``, or a
    symlink leads there.
    """
    folders = {path[: match.start()] for path in absent for match in re.finditer("/", path)}
    tree = _Tree(root=os.path.realpath(prefix), absent=folders.union(absent))
    parts: list[_Part] = []
    info: dict[str, Info] = {}
    scripts: dict[str, tuple[str, ...]] = {}
    said: dict[str, list[str]] = {}
    problems: list[Problem] = []
    records = {_record_path(prefix, package).name for package in packages}
    for package in packages:
        record = json.loads(_record_path(prefix, package).read_text("utf-8"))
        try:
            info[package.name], words = package_info.read(_extracted(record) / "info", str(package))
            said[package.name] = list(words)
        except ContentError as error:
            problems += error.problems
        problems += _strange(tree, package, record, records)
        if problems:
            continue
        found = _own(tree, package.name, record, _originals(tree, record, neutral))
        problems += (each for each in found if isinstance(each, Problem))
        parts.append((package, record, [each for each in found if isinstance(each, File)]))
        tree.files.update((str(file.source), file) for file in parts[-1][2])
    files = [] if problems else [file for part in parts for file in _with_links(tree, part, said, problems)]
    if any(file.path in absent for file in files):
        raise AbsentError
    for file in files:
        if "-link." in file.path and SCRIPT.fullmatch(file.path):
            scripts[file.package] = (*scripts.get(file.package, ()), file.path)
    notes += (line for lines in said.values() for line in lines)
    problems += _too_many_bytes(files)
    if problems:
        raise ContentError(*problems)
    return Environment(
        prefix=Path(tree.root),
        files=tuple(_without_twins(sorted(files, key=lambda file: (file.path, file.package)))),
        packages=tuple(packages),
        info=info,
        scripts=scripts,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tree:
    """What is known of a prefix: where its folders really are, what stands at the listed paths, and the files there."""

    root: str
    absent: Collection[str] = ()
    folders: dict[str, str] = field(default_factory=dict)
    there: dict[str, os.stat_result] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)

    def real(self, folder: str) -> str:
        """Return what `os.path.realpath` does, which looks at every folder on the way, once for each folder."""
        if folder not in self.folders:
            self.folders[folder] = os.path.realpath(folder)
        return self.folders[folder]


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """The file of a package in the cache from which one of a prefix was installed: ``path`` in its ``folder``.

    ``change`` is its sha256, the placeholder in it, and what stands there in the prefix; None where both are the same.
    """

    folder: str
    path: str
    source: Path
    change: tuple[str, str, str] | None


def originals(prefix: Path, packages: Iterable[Package], names: Collection[str], neutral: str) -> dict[str, Original]:
    """Return the originals of files of a prefix, by their paths in it; without those that cannot be made of them."""
    found = {}
    for package in packages:
        record = json.loads(_record_path(prefix, package).read_text("utf-8"))
        folder = _extracted(record)
        for entry in (entry for entry in _paths(record) if entry["_path"] in names):
            placeholder, sha256 = entry.get("prefix_placeholder"), entry.get("sha256")
            change = (sha256, placeholder, _filled(neutral, placeholder)) if placeholder and sha256 else None
            if placeholder and not (change and entry["file_mode"] == "binary" and len(placeholder) >= len(neutral)):
                continue
            if source := _original(record, entry.get("original_path") or entry["_path"]):
                path = source.relative_to(folder).as_posix()
                found[entry["_path"]] = Original(folder=folder.name, path=path, source=source, change=change)
    return found


def in_cache(cache: Path, folder: str, path: str) -> Path:
    """Return a plain file of a package in the cache; raises ValueError, or ContentError, where there is none."""
    found = package_info.plain(cache / "pkgs" / Path(folder).name, path)
    if found is None:
        raise ValueError(f"{folder} has no {path}")
    return found


def changed(source: Path, sha256: str, placeholder: str, new: str) -> bytes:
    """Return the bytes of an original as its prefix has them; raises ValueError where it has another hash."""
    data = source.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256.lower():
        raise ValueError(f"{source} has changed")
    return data.replace(placeholder.encode(), new.encode())


def _filled(neutral: str, placeholder: str) -> str:
    return neutral + "/" * (len(placeholder.encode()) - len(neutral.encode()))


def _originals(tree: _Tree, record: dict[str, Any], neutral: str | None) -> dict[str, str | None]:
    """Return the sha256 of the original of each file with a placeholder, by its path in the prefix; None for one gone.

    Where the install wrote ``neutral``, each string in a binary file gets back the length that it had before. An
    install moves what follows a placeholder to the front, and fills up the end. But a linker lets a string that is the
    end of another one share its bytes ("/share/x" lies within "<prefix>/share/x"), and compilers store lengths: both
    would then read something else. Slashes after the neutral prefix lead to the same file.
    """
    found: dict[str, str | None] = {}
    for entry in _paths(record):
        installed, placeholder = f"{tree.root}/{entry['_path']}", entry.get("prefix_placeholder") or ""
        if not placeholder or stat.S_ISLNK(tree.there[installed].st_mode):
            continue
        original = _original(record, entry.get("original_path") or entry["_path"])
        data = original.read_bytes() if original else b""
        found[entry["_path"]] = hashlib.sha256(data).hexdigest() if original else None
        if neutral and entry.get("file_mode") == "binary" and len(placeholder) >= len(neutral):
            _replace(Path(installed), data, (placeholder.encode(), _filled(neutral, placeholder).encode()))
    return found


def _replace(installed: Path, data: bytes, change: tuple[bytes, bytes]) -> None:
    if change[0] in data and installed.read_bytes() != data:
        changed = installed.with_name(f"{installed.name}.mamba-press")
        changed.write_bytes(data.replace(*change))
        shutil.copymode(installed, changed)
        changed.replace(installed)


def _extracted(record: dict[str, Any]) -> Path:
    return Path(record["extracted_package_dir"])


def _original(record: dict[str, Any], path: str) -> Path | None:
    """Return the file of the extracted package from which one of the prefix was installed, None where it is gone.

    Only of noarch Python packages two folders are elsewhere: another file at the same path must not stand in for it.
    """
    names = [path]
    if record.get("noarch") == "python":
        _, moved, below = path.partition("site-packages/")
        names = [f"site-packages/{below}" if moved else f"python-scripts/{path.rpartition('/')[2]}", path]
    return next((found for name in names if (found := package_info.plain(_extracted(record), name))), None)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _record_path(prefix: Path, package: Package) -> Path:
    return prefix / "conda-meta" / f"{package.name}-{package.version}-{package.build}.json"


def _paths(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what is installed of the package itself; folders and generated scripts are not."""
    for entry in record["paths_data"]["paths"]:
        if GENERATED not in entry["path_type"] and entry["path_type"] != "directory":
            yield entry


def _strange(tree: _Tree, package: Package, record: dict[str, Any], records: set[str]) -> Iterator[Problem]:
    """Yield each path of a package that lies outside the prefix, is no file or link, or stands for conda's records.

    What stands at the others is kept.
    """
    for entry in _paths(record):
        path = entry["_path"]
        folder = f"{tree.root}/{path}".rpartition("/")[0]
        if not f"{tree.real(folder)}/".startswith(f"{tree.root}/"):
            what = f"is installed outside of the prefix, in {tree.real(folder)}"
        elif folder == f"{tree.root}/conda-meta" and path.rpartition("/")[2] in records:
            what = "stands where conda writes what is installed"
        else:
            try:
                status = tree.there[f"{tree.root}/{path}"] = os.lstat(f"{tree.root}/{path}")
            except OSError as error:
                what = f"is listed, but cannot be read: {error.strerror}"
            else:
                if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    continue
                what = "is not a file or a link"
        yield Problem(where=f"{package}: {path}", what=what, hint=_HINT)


def _most(files: Iterable[File], package: Package, record: dict[str, Any], problems: list[Problem]) -> Iterator[File]:
    """Yield the files, until those that its symlinks stand for are more than a package may have."""
    listed = len(record["paths_data"]["paths"])
    most, copies = _COPIES + 10 * listed, 0
    for file in files:
        copies += file.link is not None
        if copies > most:
            what = (
                f"its {listed} paths stand for more than {most} files, because symlinks lead to folders of many files"
            )
            problems.append(Problem(where=str(package), what=what, hint=_HINT))
            return
        yield file


def _too_many_bytes(files: Sequence[File]) -> Iterator[Problem]:
    """Yield that symlinks stand for far more bytes than there are: each becomes a file of the wheel."""
    own = sum(file.size for file in files if file.link is None)
    copied = sum(file.size for file in files if file.link)
    if copied > _COPIED_BYTES + 10 * own:
        what = f"their symlinks stand for {copied / 1e6:.0f} MB, and their files have {own / 1e6:.0f} MB"
        yield Problem(where=", ".join(sorted({file.package for file in files if file.link})), what=what, hint=_HINT)


def _own(
    tree: _Tree, package: str, record: dict[str, Any], originals: Mapping[str, str | None]
) -> list[File | Problem]:
    """Return the files of a package that are no links, and what is wrong with them."""
    found: list[File | Problem] = []
    for entry in _paths(record):
        installed = f"{tree.root}/{entry['_path']}"
        status = tree.there[installed]
        if stat.S_ISLNK(status.st_mode):
            continue
        # rattler renames the file of a package that lost a path to another one, and keeps the name it should have had.
        path = entry.get("original_path") or entry["_path"]
        if entry["path_type"] == "softlink" and os.name != "nt":
            # rattler copies where a symlink cannot be made; the wheel would be another than elsewhere.
            what = "is a symlink in the package, and was installed as a file"
            hint = "let TMPDIR name a folder that takes symlinks; where it does, try again"
            raise ContentError(Problem(where=f"{package}: {path}", what=what, hint=hint))
        file = File(
            path=path,
            source=Path(installed),
            package=package,
            size=status.st_size,
            sha256=entry.get("sha256"),
            placeholder=entry.get("file_mode") if entry.get("prefix_placeholder") else None,
            executable=bool(status.st_mode & stat.S_IXUSR),
        )
        found += _vouched(file, originals.get(entry["_path"]))
    return found


def _vouched(file: File, original: str | None) -> Iterator[File | Problem]:
    """Yield a file, with a hash where its package is too old to state one, and what is wrong with it.

    Compared with the package are files of which the wheel gets something else: those with a placeholder, by the hash of
    the ``original``, and what describes Python packages. All others are compared when they are written.
    """
    is_compared = file.sha256 and (file.placeholder or _DESCRIBES.search(file.path))
    if is_compared or not (file.sha256 or file.placeholder):
        original = original if file.placeholder else _sha256(file.source)
    yield file if file.sha256 or not original else replace(file, sha256=original)
    if is_compared and original is None:
        what = "is installed, and not in the package in the cache: nothing vouches for it"
        yield Problem(where=f"{file.package}: {file.path}", what=what, hint=_HINT)
    elif is_compared and original and (problem := file.differs(original)):
        yield problem


def _with_links(tree: _Tree, part: _Part, said: dict[str, list[str]], problems: list[Problem]) -> Iterator[File]:
    """Yield the files of a package, and those that its symlinks stand for."""
    package, record, own = part
    yield from own
    lost: list[str] = []
    links = (entry for entry in _paths(record) if stat.S_ISLNK(tree.there[f"{tree.root}/{entry['_path']}"].st_mode))
    found = (file for entry in links for file in _linked(tree, package.name, entry, lost))
    yield from _most(found, package, record, problems)
    if lost:
        said[package.name].append(_lost_note(package, lost))


def _linked(tree: _Tree, package: str, entry: dict[str, Any], lost: list[str]) -> Iterator[File]:
    """Yield the files that a symlink stands for; one that leads nowhere is ``lost``."""
    installed = f"{tree.root}/{entry['_path']}"
    path = entry.get("original_path") or entry["_path"]
    end = _end(tree, installed)
    if end[len(tree.root) + 1 :] in tree.absent and not os.path.lexists(end):
        raise AbsentError
    if not end.startswith(f"{tree.root}/"):
        lost.append(path)
    elif link := _link(tree, path, end, package):
        yield link
    elif f"{installed}/".startswith(f"{end}/") or not os.path.isdir(end):  # noqa: PTH112 - as below
        lost.append(path)  # a folder within itself has no end
    else:
        for folder, inner, names in os.walk(end):
            inner.sort()
            for name in sorted(names):
                file = f"{folder}/{name}"
                if file not in tree.files and stat.S_ISLNK(os.lstat(file).st_mode):
                    file = _end(tree, file)
                if file.startswith(f"{tree.root}/") and (
                    link := _link(tree, f"{path}{folder[len(end) :]}/{name}", file, package)
                ):
                    yield link


def _end(tree: _Tree, link: str) -> str:
    """Return what `os.path.realpath` does of a symlink."""
    target = os.readlink(link)  # noqa: PTH115 - thousands of them, and all are plain strings here
    inside, _, name = f"{link.rpartition('/')[0]}/{target}".rpartition("/")
    if target.startswith("/") or name in ("", ".", ".."):
        return os.path.realpath(link)
    end = f"{tree.real(inside)}/{name}"
    try:
        is_link = end not in tree.files and stat.S_ISLNK(os.lstat(end).st_mode)
    except OSError:
        return end
    return os.path.realpath(end) if is_link else end


def _link(tree: _Tree, path: str, end: str, package: str) -> File | None:
    """Return the file that a symlink stands for, as its package knows it; None where it ends at no file."""
    link = end[len(tree.root) + 1 :]
    known = tree.files.get(end)
    if known is None:
        try:
            status = os.stat(end)  # noqa: PTH116 - as above
        except OSError:
            return None
        is_program = bool(status.st_mode & stat.S_IXUSR)
        known = File(path=path, source=Path(end), package=package, size=status.st_size, executable=is_program)
        return replace(known, link=link) if stat.S_ISREG(status.st_mode) else None
    return File(  # `replace` takes twice as long
        path=path,
        source=known.source,
        package=package,
        size=known.size,
        sha256=known.sha256,
        link=link,
        placeholder=known.placeholder,
        executable=known.executable,
    )


def _without_twins(files: Iterable[File]) -> Iterator[File]:
    """Leave out what an earlier package has at the same path with the same content."""
    seen: set[tuple[str, str | None]] = set()
    for file in files:
        if file.sha256 is None or (file.path, file.sha256) not in seen:
            seen.add((file.path, file.sha256))
            yield file


def _lost_note(package: Package, lost: Sequence[str]) -> str:
    shown = ", ".join(lost[:3]) + messages.others(max(len(lost) - 3, 0))
    return f"{package}: symlinks that end nowhere in the prefix are left out: {shown}"
