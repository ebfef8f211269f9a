"""Walk a project: which of its files are its own, and which version control, builds and editors have left there."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mamba_press import globs
from mamba_press.atomic import TEMPORARY
from mamba_press.errors import ContentError, Problem

File = tuple[str, Path, bool]
"""A path below the project, the file itself, and whether it is executable."""

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
    output: Path | None
    always: tuple[str, ...]
    include: tuple[str, ...]
    only: tuple[str, ...] | None


def collect(
    root: Path,
    output: Path | None = None,
    *,
    always: Collection[str] = (),
    include: Collection[str] = (),
    only: Collection[str] | None = None,
) -> tuple[File, ...]:
    """Return the files of the project that are its own, sorted by path.

    That is everything below ``root`` but version control's folders, caches (also those that say so in a
    CACHEDIR.TAG), virtual and conda environments, what builds leave behind, files that hold secrets
    (:data:`NEVER_ANYWHERE`, :data:`NEVER_AT_THE_TOP`), what a ``.gitignore`` excludes, and the folder ``output``. Of
    ``.gitignore`` all of the syntax counts, in every folder; git's own settings outside the project do not, and
    neither does whether a file is tracked.

    ``always`` names paths below the root that the configuration needs, such as a channel inside the project: nothing
    but ``output`` keeps them, and what is below them, out. ``pyproject.toml`` is one of them. ``include`` are globs
    over paths that a ``.gitignore`` does not keep out. ``only`` names the paths to look at.

    Symlinks are followed and what they lead to is copied. Raises ContentError for one that leaves the project, leads
    nowhere or to a folder that it stands in, and for anything else that no archive can hold.
    """
    top = root.resolve()
    needed = ("pyproject.toml", *(os.path.normpath(path).replace(os.sep, "/") for path in always))
    walk = _Walk(
        root=top,
        output=output.resolve() if output else None,
        always=needed,
        include=tuple(include),
        only=None if only is None else tuple(only),
    )
    found = list(_below(walk, "", ()))
    ContentError.raise_for(each for each in found if isinstance(each, Problem))
    return tuple(sorted((each for each in found if not isinstance(each, Problem)), key=lambda file: file[0]))


def _below(
    walk: _Walk, folder: str, rules: tuple[_Rule, ...], *, needed_only: bool = False
) -> Iterator[File | Problem]:
    """Yield the files of one folder, given as its path below the root with ``/`` at the end, and of those below it.

    ``needed_only`` says that the folder is left out itself, but for what the configuration needs.
    """
    rules += tuple(_rules(walk.root / folder / ".gitignore", folder))
    for found in sorted(os.scandir(walk.root / folder), key=lambda found: found.name):
        path = folder + found.name
        if _is_output(walk, found, path) or not _is_looked_at(walk, path):
            continue
        is_never = _is_never(found, path)
        is_left = (needed_only or _is_ignored(found, path, rules)) and not globs.matches(path, walk.include)
        is_out = (is_never or is_left) and not any(_is_within(path, needed) for needed in walk.always)
        leads_to_needed = any(_is_within(needed, path) for needed in walk.always)
        if is_out and not leads_to_needed and (is_never or not _leads_to_included(walk, path)):
            continue
        problem = _unfit(walk, found, path)
        if problem:
            yield problem
        elif _is_folder(found):
            yield from _below(walk, path + "/", rules, needed_only=is_out)
        elif not is_out:
            yield path, Path(found.path), bool(found.stat().st_mode & stat.S_IXUSR)


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _leads_to_included(walk: _Walk, path: str) -> bool:
    """Whether a glob may match something below a folder, as far as its part without wildcards tells."""
    starts = (re.split(r"[*?\[]", glob, maxsplit=1)[0] for glob in walk.include)
    return any(start.startswith(f"{path}/") or f"{path}/".startswith(start) for start in starts)


def _is_looked_at(walk: _Walk, path: str) -> bool:
    return walk.only is None or any(_is_within(path, only) or _is_within(only, path) for only in walk.only)


def _is_output(walk: _Walk, found: os.DirEntry[str], path: str) -> bool:
    """Tell whether this is the output folder, or a result in it where it is the project's own folder."""
    if walk.output == walk.root:
        return "/" not in path and found.name.endswith((".whl", ".tar.gz"))
    return _is_folder(found) and Path(os.path.realpath(found.path)) == walk.output


def _is_never(found: os.DirEntry[str], path: str) -> bool:
    """Tell whether something is nobody's source, by its name or by what marks it."""
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
    """Return why something cannot be in an archive."""
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
