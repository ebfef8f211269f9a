"""Fetching: packages of a solution installed into a folder, or looked into where they are."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mamba_press import atomic, log, platforms
from mamba_press.conda import prefix, records, spare, worker_process
from mamba_press.credentials import added
from mamba_press.errors import FetchError
from mamba_press.types import Environment, Package, Solution

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How servers are asked for packages: with the credentials of ``channels``; offline, not at all."""

    environ: Mapping[str, str]
    channels: tuple[str, ...] = ()
    offline: bool = False


def near_cache(environ: Mapping[str, str]) -> Path | None:
    """Return a folder for temporary ones that take hard links from the package cache; None for the usual place.

    That place is left only where it takes none, as on another device: all that is installed there would be copied. What
    killed builds have left in the other one is removed.
    """
    near = worker_process.cache_folder(environ) / "mamba-press"
    try:
        near.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=atomic.TEMPORARY, dir=near) as file:
            if _takes(tempfile.gettempdir(), file.name) or not _takes(str(near), file.name):
                return None
    except OSError:
        return None
    atomic.sweep(near)
    return near


def _takes(folder: str, file: str) -> bool:
    """Whether a folder takes a hard link of a file."""
    link = Path(folder, f"{atomic.TEMPORARY}{os.urandom(6).hex()}.tmp")
    try:
        link.hardlink_to(file)
        link.unlink()
    except OSError:
        return False
    return True


def environment(
    solution: Solution, names: Collection[str], workdir: Path, *, access: Access, spares: bool = False
) -> Environment:
    """Install exactly the named packages of a solution below ``workdir``; Python is never among them.

    Every archive's hash is compared with its record. Files of the prefix may be links into the package cache, and are
    never to be written. Where it ``spares``, packages of which probably nothing stays are not installed. Raises
    FetchError for an archive, ContentError for what an archive holds.
    """
    root = workdir / "prefix"
    if root.exists():
        root = workdir / "whole"
    root.mkdir(parents=True)
    chosen = _chosen(solution, names)
    if not chosen:
        return Environment(prefix=root, files=(), packages=(), info={})
    neutral = platforms.facts(solution.target).neutral
    spared = spare.spare(chosen, _cached(chosen, access), neutral) if spares else {}
    install(solution, frozenset(names) - spared.keys(), root, written=neutral, access=access)
    notes: list[str] = []
    absent = {file.path: file for files in spared.values() for file in files}
    try:
        installed = [package for package in chosen if package.name not in spared]
        found = prefix.read(root, installed, notes, neutral=neutral, absent=absent)
    except prefix.AbsentError:
        return environment(solution, names, workdir, access=access)
    for note in notes:
        log.note(note)
    files = sorted((*found.files, *absent.values()), key=lambda file: (file.path, file.package))
    return replace(found, files=tuple(files), packages=tuple(chosen), spared=frozenset(spared))


def _cached(packages: Sequence[Package], access: Access) -> dict[str, Path]:
    """Return the folders of packages in the cache, none where one of them is not there."""
    cache = worker_process.cache_folder(access.environ)
    request = {"do": "cached", "packages": list(map(records.plain, packages)), "cache": str(cache)}
    names = worker_process.call(request, worker_process.tell, access.environ, FetchError)["names"]
    folders = {each.name: cache / "pkgs" / f"{each.name}-{each.version}-{each.build}" for each in packages}
    return folders if len(names) == len(packages) else {}


def install(
    solution: Solution, names: Collection[str], root: Path, *, written: str | None = None, access: Access
) -> None:
    """Install the named packages of a solution into the folder ``root``; warn of archives that nothing vouches for.

    Its text files and programs name ``root`` itself, or the prefix ``written``, such as where it will be moved to.
    """
    root.mkdir(parents=True, exist_ok=True)
    written = written or str(root)
    target, facts = solution.target, platforms.facts(solution.target)
    request = {
        "do": "fetch",
        "packages": _asked_for(_chosen(solution, names), access),
        "python": [records.plain(package) for package in solution.packages if package.name == "python"],
        "prefix": str(root),
        "platform": (facts.installed_as if written == facts.neutral else "") or target.subdir,
        "on_windows": not facts.is_posix,
        "neutral": written,
        "offline": access.offline,
        "cache": str(worker_process.cache_folder(access.environ)),
    }
    for archive in worker_process.ask(request, target, access.environ, FetchError)["unverified"]:
        log.warn(
            f"{archive}: the channel states no hash, so nothing vouches for it",
            "index the channel again, or name one that states hashes",
        )


def inspect(packages: Sequence[Package], access: Access) -> dict[str, Json]:
    """Return, by file name, the ``folders`` of Python metadata and the number of ``files``, or a ``problem``.

    They are looked into where they are, without being downloaded; offline, only those that are cached or files.
    """
    if not packages:
        return {}
    request = {
        "do": "inspect",
        "packages": _asked_for(packages, access),
        "offline": access.offline,
        "cache": str(worker_process.cache_folder(access.environ)),
    }
    answer = worker_process.call(request, worker_process.tell, access.environ, FetchError)
    contents: dict[str, Json] = answer["contents"]
    return contents


def _chosen(solution: Solution, names: Collection[str]) -> list[Package]:
    return [package for package in solution.packages if package.name in names and package.name != "python"]


def _asked_for(packages: Iterable[Package], access: Access) -> list[Json]:
    """Return packages for the worker, which asks servers for them, with the credentials that the channels are given."""
    return [records.plain(replace(package, url=added(package.url, access.channels))) for package in packages]
