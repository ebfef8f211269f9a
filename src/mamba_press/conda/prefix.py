"""Reads an installed prefix back: which files there are, whose they are, and what they were before installation."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mamba_press import messages
from mamba_press.conda import package_info
from mamba_press.errors import ContentError, Problem, Setting, Text
from mamba_press.types import Environment, File

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from mamba_press.types import Package

SCRIPT = re.compile(r"(bin/\.|Scripts/\.|Scripts/)[^/]+-(pre|post)-link\.(sh|bat)")
"""What conda runs when it installs a package; what it runs at the end of one is of no interest in a wheel."""
_COPIES, _COPIED_BYTES = 10_000, 1 << 30
"""How many files and bytes symlinks may stand for, beside ten times what there is: each becomes a file of the wheel."""
_HINT = Text.of("tell the makers of the package, or take another build of it with ", Setting("constraints"))
_DESCRIBES = re.compile(r"\.(?:dist|egg)-info(?:/|\Z)")
GENERATED = "entry_point"
"""Occurs in the path type of each script that the installer makes for an entry point: in no package."""


def read(prefix: Path, packages: Sequence[Package], notes: list[str], *, neutral: str | None = None) -> Environment:
    """Return what stands in a prefix into which rattler has installed ``packages``.

    Where the install wrote ``neutral`` into binary files, their strings get their lengths back first. Symlinks are
    resolved to the file of the prefix at which they end, one to a folder becomes one for each file in it. A symlink
    that ends nowhere, or outside the prefix, leaves and is told in ``notes``. Where two packages have different files
    at one path, both are there, under that path.
    """
    root = Path(os.path.realpath(prefix))
    files: list[File] = []
    info, scripts = {}, {}
    problems: list[Problem] = []
    folders: dict[str, str] = {}
    records = {_record_path(prefix, package).name for package in packages}
    for package in packages:
        record = json.loads(_record_path(prefix, package).read_text("utf-8"))
        try:
            info[package.name], said = package_info.read(_extracted(record) / "info", str(package))
            notes += said
        except ContentError as error:
            problems += error.problems
        problems += _strange(root, package, record, records, folders)
        if problems:
            continue
        if neutral:
            _keep_lengths(prefix, record, neutral)
        lost: list[str] = []
        found = (file for entry in _paths(record) for file in _files(root, package.name, entry, lost, folders))
        mine = list(_most(found, package, record, problems))
        problems += _changed(mine, record)
        files += (_hashed(file, record) for file in mine)
        if run := tuple(file.path for file in mine if SCRIPT.fullmatch(file.path)):
            scripts[package.name] = run
        if lost:
            notes.append(_lost_note(package, lost))
    problems += _too_many_bytes(files)
    if problems:
        raise ContentError(*problems)
    return Environment(
        prefix=root,
        files=tuple(_without_twins(_like_their_ends(sorted(files, key=lambda file: (file.path, file.package))))),
        packages=tuple(packages),
        info=info,
        scripts=scripts,
    )


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


def _keep_lengths(prefix: Path, record: dict[str, Any], neutral: str) -> None:
    """Give each string in a binary file back the length that it had before the install replaced its placeholder.

    An install moves what follows a placeholder to the front, and fills up the end. But a linker lets a string that is
    the end of another one share its bytes ("/share/x" lies within "<prefix>/share/x"), and compilers store lengths:
    both would then read something else. Slashes after the neutral prefix lead to the same file.
    """
    for entry in _paths(record):
        placeholder = entry.get("prefix_placeholder") or ""
        if entry.get("file_mode") != "binary" or len(placeholder) < len(neutral):
            continue
        installed = prefix / entry["_path"]
        if not installed.is_symlink():
            change = (placeholder.encode(), _filled(neutral, placeholder).encode())
            _replace(installed, _original(record, entry.get("original_path") or entry["_path"]), change)


def _replace(installed: Path, original: Path | None, change: tuple[bytes, bytes]) -> None:
    data = original.read_bytes() if original else b""
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


def _strange(
    root: Path, package: Package, record: dict[str, Any], records: set[str], folders: dict[str, str]
) -> Iterator[Problem]:
    """Yield each path of a package that lies outside the prefix, is no file or link, or stands for conda's records."""
    for entry in _paths(record):
        path = entry["_path"]
        folder = f"{root}/{path}".rpartition("/")[0]
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        if not f"{folders[folder]}/".startswith(f"{root}/"):
            what = f"is installed outside of the prefix, in {folders[folder]}"
        elif folder == f"{root}/conda-meta" and path.rpartition("/")[2] in records:
            what = "stands where conda writes what is installed"
        else:
            try:
                mode = os.lstat(f"{root}/{path}").st_mode
            except OSError as error:
                what = f"is listed, but cannot be read: {error.strerror}"
            else:
                if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
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


def _files(root: Path, package: str, entry: dict[str, Any], lost: list[str], folders: dict[str, str]) -> Iterator[File]:
    installed = f"{root}/{entry['_path']}"
    # rattler renames the file of a package that lost a path to another one, and keeps the name it should have had.
    path = entry.get("original_path") or entry["_path"]
    status = os.lstat(installed)
    if not stat.S_ISLNK(status.st_mode):
        if entry["path_type"] == "softlink" and os.name != "nt":
            # rattler copies where a symlink cannot be made; the wheel would be another than elsewhere.
            what = "is a symlink in the package, and was installed as a file"
            hint = "let TMPDIR name a folder that takes symlinks; where it does, try again"
            raise ContentError(Problem(where=f"{package}: {path}", what=what, hint=hint))
        mode = entry.get("file_mode") if entry.get("prefix_placeholder") else None
        yield File(
            path=path,
            source=Path(installed),
            package=package,
            size=status.st_size,
            sha256=entry.get("sha256"),
            placeholder=mode,
            executable=bool(status.st_mode & stat.S_IXUSR),
        )
        return
    end = _end(installed, folders)
    try:
        status = os.stat(end)  # noqa: PTH116 - as below
    except OSError:
        lost.append(path)
        return
    if not end.startswith(f"{root}/"):
        lost.append(path)
    elif stat.S_ISREG(status.st_mode):
        yield _link(root, path, end, package)
    elif f"{installed}/".startswith(f"{end}/"):
        lost.append(path)  # a folder within itself has no end
    else:
        for folder, inner, names in os.walk(end):
            inner.sort()
            for name in sorted(names):
                file = f"{folder}/{name}"
                if stat.S_ISLNK(os.lstat(file).st_mode):
                    file = os.path.realpath(file)
                if file.startswith(f"{root}/") and Path(file).is_file():
                    yield _link(root, f"{path}{folder[len(end) :]}/{name}", file, package)


def _end(link: str, folders: dict[str, str]) -> str:
    """Return what `os.path.realpath` does, which looks at every folder on the way, again for every link.

    ``folders`` keeps what was found out about the folders.
    """
    target = os.readlink(link)  # noqa: PTH115 - thousands of them, and all are plain strings here
    inside, _, name = f"{link.rpartition('/')[0]}/{target}".rpartition("/")
    if target.startswith("/") or name in ("", ".", ".."):
        return os.path.realpath(link)
    if inside not in folders:
        folders[inside] = os.path.realpath(inside)
    end = f"{folders[inside]}/{name}"
    try:
        is_link = stat.S_ISLNK(os.lstat(end).st_mode)
    except OSError:
        return end
    return os.path.realpath(end) if is_link else end


def _link(root: Path, path: str, end: str, package: str) -> File:
    status = os.stat(end)  # noqa: PTH116 - as above
    return File(
        path=path,
        source=Path(end),
        package=package,
        size=status.st_size,
        link=end[len(str(root)) + 1 :],
        executable=bool(status.st_mode & stat.S_IXUSR),
    )


def _changed(files: Iterable[File], record: dict[str, Any]) -> Iterator[Problem]:
    """Yield the files that are not as their package states, of those of which the wheel gets something else.

    These are files with a placeholder, which the install has replaced, and what describes Python packages. All others
    are compared when they are written.
    """
    for file in files:
        if file.link is None and file.sha256 and (file.placeholder or _DESCRIBES.search(file.path)):
            original = _original(record, file.path) if file.placeholder else file.source
            if original is None:
                what = "is installed, and not in the package in the cache: nothing vouches for it"
                yield Problem(where=f"{file.package}: {file.path}", what=what, hint=_HINT)
            elif problem := file.differs(_sha256(original)):
                yield problem


def _hashed(file: File, record: dict[str, Any]) -> File:
    """Hash the original where the package is too old to state hashes."""
    if file.sha256 or file.link:
        return file
    original = _original(record, file.path) if file.placeholder else file.source
    return replace(file, sha256=_sha256(original)) if original else file


def _like_their_ends(files: Sequence[File]) -> Iterator[File]:
    """Give each symlink the original hash and the placeholder of the file at which it ends."""
    ends = {file.source: file for file in files if not file.link}
    for file in files:
        end = ends.get(file.source) if file.link else None
        yield replace(file, sha256=end.sha256, placeholder=end.placeholder) if end else file


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
