"""Write a source distribution, and say which files of a project belong into one."""

from __future__ import annotations

import gzip
import os
import re
import stat
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import globs
from mamba_press.atomic import TEMPORARY, replacing
from mamba_press.errors import ContentError, WriteError
from mamba_press.types import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from packaging.version import Version

File = tuple[str, Path | bytes, bool]
"""A path in the sdist's folder, what is written there, and whether it is executable."""

EARLIEST = 315532800
"""1980-01-01, the date of every file when no epoch is given: the earliest that a ZIP file can hold, for the tools that
make one of an unpacked sdist."""

NEVER_ANYWHERE = frozenset(
    (
        *(".git", ".hg", ".svn", ".bzr", ".jj", "CVS"),
        *("__pycache__", ".eggs", ".ipynb_checkpoints", ".pixi", "node_modules"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".nox", ".tox", ".cache"),
        *(".idea", ".vscode", ".DS_Store", "Thumbs.db", ".coverage", ".env", ".netrc", ".pypirc"),
    )
)
"""Names that are left out in every folder: version control, caches, editors' files, and files that hold secrets."""

NEVER_AT_THE_TOP = frozenset(("build", "dist", "wheelhouse", "PKG-INFO"))
"""Names that are left out at the top: what builds leave there, and what :func:`write` writes anew."""

_NEVER_ENDING = (".egg-info", ".dist-info", ".whl", ".pyc", ".pyo", ".swp", "~")
_CACHE = b"Signature: 8a477f597d28d172789f06886806bc55"
"""How the file CACHEDIR.TAG of a cache begins (https://bford.info/cachedir/)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    """One line of a ``.gitignore``: what it matches below its folder, and whether it takes back earlier ones."""

    base: str
    glob: str
    folders_only: bool
    takes_back: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Walk:
    """What does not change while the project is walked."""

    root: Path
    output: Path
    always: tuple[str, ...]


def collect(root: Path, output: Path, *, always: Collection[str] = ()) -> tuple[File, ...]:
    """Return the files of the project that belong into its sdist, sorted by path.

    That is everything below ``root`` but version control's folders, caches (also those that say so in a
    CACHEDIR.TAG), virtual and conda environments, what builds leave behind, files that hold secrets
    (:data:`NEVER_ANYWHERE`, :data:`NEVER_AT_THE_TOP`), what a ``.gitignore`` excludes, and the folder ``output``. Of
    ``.gitignore`` all of the syntax counts, in every folder; git's own settings outside the project do not, and
    neither does whether a file is tracked.

    ``always`` names paths below the root that the configuration needs, such as a channel inside the project: nothing
    but ``output`` keeps them, and what is below them, out. ``pyproject.toml`` is one of them.

    Symlinks are followed and what they lead to is copied. Raises ContentError for one that leaves the project, leads
    nowhere or to a folder that it stands in, and for anything else that no sdist can hold.
    """
    top = root.resolve()
    needed = ("pyproject.toml", *(os.path.normpath(path).replace(os.sep, "/") for path in always))
    walk = _Walk(root=top, output=output.resolve(), always=needed)
    files: list[File] = []
    problems: list[Problem] = []
    for found in _below(walk, "", ()):
        if isinstance(found, Problem):
            problems.append(found)
        else:
            files.append(found)
    if problems:
        raise ContentError(*problems)
    return tuple(sorted(files, key=lambda file: file[0]))


def write(  # noqa: PLR0913  # these are what an sdist consists of
    files: Sequence[File],
    *,
    name: str,
    version: Version | str,
    pkg_info: bytes,
    directory: Path,
    epoch: int | None,
) -> Path:
    """Write ``name-version.tar.gz`` (PEP 625) with these files and PKG-INFO, and return its path.

    The bytes depend on the arguments and on zlib only. The file appears under its name only when it is complete.
    Raises ContentError for a path that is there twice or leaves the sdist, WriteError when it cannot be written.
    """
    from packaging.utils import canonicalize_name

    stem = f"{canonicalize_name(name).replace('-', '_')}-{version}"
    entries = sorted([*files, ("PKG-INFO", pkg_info, False)], key=lambda file: file[0])
    problems = tuple(_bad([path for path, _, _ in entries]))
    if problems:
        raise ContentError(*problems)
    date = EARLIEST if epoch is None else max(epoch, 0)
    target = directory / f"{stem}.tar.gz"
    with (
        replacing(target) as file,
        gzip.GzipFile("", "wb", 9, file, mtime=date) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive,
    ):
        for path, source, executable in entries:
            info = tarfile.TarInfo(f"{stem}/{path}")
            info.mode = 0o755 if executable else 0o644
            info.mtime = date
            _add(archive, info, source)
    return target


def _add(archive: tarfile.TarFile, info: tarfile.TarInfo, source: Path | bytes) -> None:
    if isinstance(source, bytes):
        info.size = len(source)
        archive.addfile(info, BytesIO(source))
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise WriteError(Problem(where=str(source), what=f"cannot be read: {error.strerror or error}")) from error
    with file:
        info.size = os.fstat(file.fileno()).st_size
        try:
            archive.addfile(info, file)
        except OSError as error:
            if error.errno is None:  # tarfile's own: the file ended early
                raise WriteError(
                    Problem(where=str(source), what="changed while it was read", hint="try again")
                ) from error
            raise


def _bad(paths: Sequence[str]) -> Iterator[Problem]:
    """Yield the paths that a careful unpacker refuses."""
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        yield Problem(where=path, what="would be in the sdist twice")
    for path in paths:
        if path.startswith("/") or "\\" in path or any(part in ("", ".", "..") for part in path.split("/")):
            yield Problem(where=path, what="is no path inside the sdist")


# --- which files


def _below(
    walk: _Walk, folder: str, rules: tuple[_Rule, ...], *, needed_only: bool = False
) -> Iterator[File | Problem]:
    """Yield the files of one folder, given as its path below the root with ``/`` at the end, and of those below it.

    ``needed_only`` says that the folder is left out itself, but for what the configuration needs.
    """
    rules += tuple(_rules(walk.root / folder / ".gitignore", folder))
    for found in sorted(os.scandir(walk.root / folder), key=lambda found: found.name):
        path = folder + found.name
        is_out = (needed_only or _is_never(found, path) or _is_ignored(found, path, rules)) and not _is_needed(
            walk, path
        )
        if _is_output(walk, found, path) or (is_out and not _leads_to_needed(walk, path)):
            continue
        problem = _unfit(walk, found, path)
        if problem:
            yield problem
        elif _is_folder(found):
            yield from _below(walk, path + "/", rules, needed_only=is_out)
        elif not is_out:
            yield path, Path(found.path), bool(found.stat().st_mode & stat.S_IXUSR)


def _is_needed(walk: _Walk, path: str) -> bool:
    return any(path == needed or path.startswith(needed + "/") for needed in walk.always)


def _leads_to_needed(walk: _Walk, path: str) -> bool:
    return any(needed.startswith(path + "/") for needed in walk.always)


def _is_output(walk: _Walk, found: os.DirEntry[str], path: str) -> bool:
    """Tell whether this is the output folder, or a result in it where it is the project's own folder."""
    if walk.output == walk.root:
        return "/" not in path and found.name.endswith((".whl", ".tar.gz"))
    return _is_folder(found) and Path(os.path.realpath(found.path)) == walk.output


def _is_never(found: os.DirEntry[str], path: str) -> bool:
    """Tell whether something is left out of every sdist, by its name or by what marks it."""
    if found.name in NEVER_ANYWHERE or found.name.endswith(_NEVER_ENDING) or path in NEVER_AT_THE_TOP:
        return True
    if not _is_folder(found):
        return found.name.startswith(TEMPORARY)
    folder = Path(found.path)
    is_environment = (folder / "pyvenv.cfg").is_file() or (folder / "conda-meta" / "history").is_file()
    return is_environment or _is_cache(folder / "CACHEDIR.TAG")


def _is_folder(found: os.DirEntry[str]) -> bool:
    """As ``found.is_dir()``, which raises OSError for a link that leads to itself."""
    return found.is_dir(follow_symlinks=False) or (found.is_symlink() and Path(os.path.realpath(found.path)).is_dir())


def _is_cache(tag: Path) -> bool:
    try:
        with tag.open("rb") as file:
            return file.read(len(_CACHE)) == _CACHE
    except OSError:
        return False


def _unfit(walk: _Walk, found: os.DirEntry[str], path: str) -> Problem | None:
    """Return why something cannot be in an sdist."""
    leave = "remove it, or leave it out with a line in .gitignore"
    if "\\" in path or not path.isprintable():
        where = path.encode("unicode_escape").decode("ascii")
        return Problem(where=where, what="its name has backslashes, control characters, or is not UTF-8", hint=leave)
    if found.is_symlink():
        real = Path(os.path.realpath(found.path))
        target = Path(found.path).readlink()
        if not real.exists():
            return Problem(where=path, what=f"is a symlink that leads nowhere: {target}", hint=leave)
        if not real.is_relative_to(walk.root):
            return Problem(where=path, what=f"is a symlink that leaves the project: {target}", hint=leave)
        parents = [path[: at.start()] for at in re.finditer("/", path)]
        if str(real) in (os.path.realpath(walk.root / parent) for parent in ("", *parents)):
            return Problem(where=path, what=f"is a symlink to a folder that it stands in: {target}", hint=leave)
    if not Path(found.path).is_file() and not _is_folder(found):
        return Problem(where=path, what="is neither a file nor a folder", hint=leave)
    return None


# --- .gitignore


def _rules(file: Path, base: str) -> Iterator[_Rule]:
    """Yield the rules of a ``.gitignore``, none where there is none (https://git-scm.com/docs/gitignore)."""
    try:
        lines = file.read_text("utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        text = re.sub(r"(?<!\\)\s+$", "", line)
        if not text or text.startswith("#"):
            continue
        takes_back = text.startswith("!")
        pattern = re.sub(r"\\(.)", lambda escaped: _literal(escaped[1]), text.removeprefix("!"))
        folders_only = pattern.endswith("/")
        pattern = pattern.rstrip("/")
        is_anchored = "/" in pattern
        glob = pattern.removeprefix("/") if is_anchored else f"**/{pattern}"
        if pattern:
            yield _Rule(base=base, glob=glob, folders_only=folders_only, takes_back=takes_back)


def _literal(character: str) -> str:
    """Return a glob for an escaped character; where a set could not hold it, any one character will do."""
    return "?" if character == "]" else f"[{character}]"


def _is_ignored(found: os.DirEntry[str], path: str, rules: Sequence[_Rule]) -> bool:
    """Tell what the last rule that matches says; a folder that is left out is never looked into."""
    for rule in reversed(rules):
        if rule.folders_only and not _is_folder(found):
            continue
        if globs.matches(path[len(rule.base) :], (rule.glob,)):
            return not rule.takes_back
    return False
