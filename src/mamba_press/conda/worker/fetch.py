"""Fetching: exactly the asked packages, each looked at before it is installed; or looking into them where they are."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mamba_press.conda.worker import Json, RefusedError
from mamba_press.conda.worker.package_check import BYTES, LISTED, RECORDS, Gate, bounded, odd_info
from mamba_press.conda.worker.records import record_of, title
from mamba_press.conda.worker.watch import TASK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import rattler
    from rattler.install import InstallerReporter


async def fetch(request: Json, say: Callable[[Json], None]) -> Json:
    """Install exactly the asked packages into a new prefix; Python's record is passed along and ignored."""
    import rattler
    from rattler.exceptions import InstallerError, IoError

    unverified: list[str] = []
    packages = _verified(request["packages"], unverified)
    records = [record_of(package) for package in packages]
    cache = rattler.PackageCache(Path(request["cache"], "pkgs"))
    python = [record_of(package) for package in request["python"]]
    gate = TASK.gate = Gate(packages, request, say)
    gate.look_before()
    try:
        expected = await _plan(packages, records, cache, offline=request["offline"], say=say)
        await rattler.install(
            [*python, *records],
            request["prefix"],
            installed_packages=[],
            ignored_packages={"python"},
            platform=rattler.Subdir(request["platform"]),
            execute_link_scripts=False,
            show_progress=False,
            client=client_for(offline=request["offline"]),
            reporter=_reporter(gate, expected, say),
            alternative_target_prefix=request["neutral"],
            package_cache=cache,
        )
    except (InstallerError, IoError) as error:
        raise _failed_install(str(error), packages) from None
    return {"unverified": unverified}


def client_for(*, offline: bool) -> rattler.networking.Client:
    """Return a client with retries and the credentials that rattler finds; offline, one that refuses to connect."""
    from rattler.networking import (
        AddHeadersMiddleware,
        AuthenticationMiddleware,
        Client,
        GCSMiddleware,
        OciMiddleware,
        RetryMiddleware,
        S3Middleware,
    )

    def refuse(host: str, path: str) -> None:
        raise ConnectionError(f"offline = true forbids asking {host} for {path}")

    if offline:
        return Client([AddHeadersMiddleware(refuse)])
    # As Client.default_client() has them; the last one is called for every attempt, with the address that is asked.
    return Client(
        [
            RetryMiddleware(),
            AuthenticationMiddleware(),
            OciMiddleware(),
            GCSMiddleware(),
            S3Middleware(),
            AddHeadersMiddleware(TASK.note),
        ],
        user_agent="mamba-press",
    )


def _verified(packages: Sequence[Json], unverified: list[str]) -> list[Json]:
    """Hash every local archive, since rattler does not, and give each package the hash that decides its cache entry.

    The archives of which the channel states no hash come into ``unverified``.
    """
    verified: list[Json] = []
    wrong: list[Json] = []
    for package in packages:
        if not package["url"].startswith("file:"):
            if not package.get("sha256") and not package.get("md5"):
                unverified.append(package["file_name"])
            verified.append(package)
            continue
        archive = local_path(package["url"])
        try:
            found = _facts(archive, ["sha256"] if package.get("sha256") else ["sha256", "md5"])
        except OSError as error:
            wrong.append({"package": title(package), "file": str(archive), "text": error.strerror or str(error)})
            continue
        stated = {key: package[key] for key in found if package.get(key)}
        differs = {key: [found[key], value] for key, value in stated.items() if found[key] != value}
        if differs:
            wrong.append({"package": title(package), "file": str(archive), "differs": differs})
        elif "sha256" not in stated and "md5" not in stated:
            unverified.append(str(archive))
        verified.append({**package, "sha256": found["sha256"]})
    if wrong:
        raise RefusedError("archives", wrong=wrong)
    return verified


def local_path(url: str) -> Path:
    """Return the file of a ``file:`` URL, as `urllib.request` would, which brings http, ssl and email along."""
    path = unquote(urlsplit(url).path)
    return Path(path.lstrip("/") if os.name == "nt" else path)


def _facts(path: Path, names: Sequence[str]) -> Json:
    """Return a file's size and its hashes of these names."""
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
    size = 0
    with path.open("rb") as archive:
        while block := archive.read(1 << 20):
            size += len(block)
            for each in hashes.values():
                each.update(block)
    return {"size": size, **{name: each.hexdigest() for name, each in hashes.items()}}


async def _plan(
    packages: Sequence[Json],
    records: Sequence[rattler.RepoDataRecord],
    cache: rattler.PackageCache,
    *,
    offline: bool,
    say: Callable[[Json], None],
) -> int:
    """Say what has to be downloaded, and return its bytes; offline, what is neither local nor cached is an error."""
    index = await cache.index()
    new = [package for package, record in zip(packages, records, strict=True) if not index.contains_record(record)]
    remote = [package for package in new if not package["url"].startswith("file:")]
    if offline and remote:
        raise RefusedError("offline", packages=[package["file_name"] for package in remote])
    size = sum(package.get("size") or 0 for package in remote)
    say({"event": "plan", "packages": len(new), "downloads": len(remote), "bytes": size})
    return size


def _reporter(gate: Gate, expected: int, say: Callable[[Json], None]) -> InstallerReporter:
    """Turn rattler's callbacks into events, at most ten a second, and let each package through the gate."""
    from rattler.install import InstallerReporter

    class Reporter(InstallerReporter):
        def __init__(self) -> None:
            self.names: list[str] = []
            self.done: dict[int, int] = {}
            self.linked = 0
            self.last = 0.0

        def on_populate_cache_start(self, operation: int, package_name: str) -> int:  # noqa: ARG002 - rattler's
            self.names.append(package_name)
            return len(self.names) - 1

        def on_download_start(self, cache_entry: int) -> int:
            TASK.awaited[cache_entry] = gate.packages[self.names[cache_entry].lower()]["url"]
            return cache_entry

        def on_download_progress(self, download_idx: int, progress: int, total: int | None) -> None:  # noqa: ARG002
            self.done[download_idx] = progress
            gate.downloaded[self.names[download_idx].lower()] = progress
            self.tell(self.names[download_idx])

        def on_download_completed(self, download_idx: int) -> None:
            TASK.awaited.pop(download_idx, None)

        def on_link_start(self, operation: int, package_name: str) -> int:
            gate.let_through(package_name)
            self.linked += 1
            self.tell(package_name)
            return operation

        def tell(self, name: str) -> None:
            if time.monotonic() - self.last < 0.1:
                return
            self.last = time.monotonic()
            done = sum(self.done.values())
            facts = {
                "name": name,
                "linked": self.linked,
                "total": len(gate.packages),
                "bytes": done,
                "expected": expected,
            }
            say({"event": "fetching", **facts})

    return Reporter()  # type: ignore[abstract]  # the methods not overridden do nothing, which is what they are for


def _failed_install(text: str, packages: Sequence[Json]) -> RefusedError:
    """Tell which package an installer's error is about, and whether fetching or the archive's content is at fault."""
    match = re.match(r"failed to (fetch|link|unlink) (\S+)", text)
    file_name = match[2] if match else ""
    package = next((package for package in packages if package["file_name"] == file_name), None)
    return RefusedError(
        "install",
        step=match[1] if match else "",
        package=title(package) if package else "",
        file=package["url"] if package else file_name,
        text=text,
    )


_METADATA_FOLDER = re.compile(r"(?:.*/)?site-packages/([^/]+\.(?:dist-info|egg-info))(?:/.*)?")

_SPOOLED = 64 << 20

_LISTS = ("info/paths.json", "info/files")


async def inspect(request: Json, _: Callable[[Json], None]) -> Json:
    """Answer, for each archive, with the metadata folders of its Python packages, and how many files it has.

    What is cached or a file is read from there. Of what is on a server, the few bytes are read that list its files; one
    that can only be had whole is, up to a size. A package that cannot be read is no error: the answer says why.
    """
    import rattler

    cache = rattler.PackageCache(Path(request["cache"], "pkgs"))
    index = await cache.index()
    turns = asyncio.Semaphore(8)

    async def one(package: Json) -> Json:
        folder = Path(request["cache"], "pkgs", package["file_name"].removesuffix(".conda").removesuffix(".tar.bz2"))
        async with turns:
            try:
                if index.contains_record(record_of(package)) and (folder / "info").is_dir():
                    return _contents(_cached_info_of(folder))
                return _contents(await _info_of(package, offline=request["offline"]))
            except Exception as error:  # noqa: BLE001 - rattler's errors have no common base
                return {"problem": str(error) or type(error).__name__}

    found = await asyncio.gather(*map(one, request["packages"]))
    return {"contents": {package["file_name"]: each for package, each in zip(request["packages"], found, strict=True)}}


async def cached(request: Json, _: Callable[[Json], None]) -> Json:
    """Answer with the names of the packages that are in the cache."""
    import rattler

    index = await rattler.PackageCache(Path(request["cache"], "pkgs")).index()
    return {"names": [each["name"] for each in request["packages"] if index.contains_record(record_of(each))]}


async def _info_of(package: Json, *, offline: bool) -> dict[str, bytes]:
    """Return what an archive's own lists of its files say; raise ValueError for one that is far too large."""
    from rattler.package_streaming import PackageArchive

    if package["url"].startswith("file:"):
        archive = await PackageArchive.from_path(local_path(package["url"]))
    elif offline:
        raise RefusedError("it is neither in the package cache nor a file")
    else:
        archive = await PackageArchive.from_url(client_for(offline=False), package["url"], max_spool_size=_SPOOLED)
    found: dict[str, bytes] = {}
    size = 0
    async for entry in archive.stream("info"):
        size += entry.size if entry.name.startswith("info/") else 0
        if size > BYTES or (entry.name in _LISTS and entry.size > RECORDS):
            raise ValueError(f"info has more than {(RECORDS if entry.name in _LISTS else BYTES) >> 20} MiB")
        if entry.name in _LISTS and entry.is_file:
            found[entry.name.removeprefix("info/")] = await entry.read()
        if "paths.json" in found:
            break
    return found


def _cached_info_of(folder: Path) -> dict[str, bytes]:
    """Return the same of an extracted package; raise ValueError where one is no plain file, or far too large."""
    if wrong := [": ".join(each) for each in odd_info(folder)]:
        raise ValueError(wrong[0])
    return {path.name: path.read_bytes() for name in _LISTS if (path := folder / name).is_file()}


def _contents(info: Mapping[str, bytes]) -> Json:
    info = {name: bounded(name, data, LISTED) for name, data in info.items()}
    if info.get("paths.json"):
        paths = [str(entry["_path"]) for entry in json.loads(info["paths.json"])["paths"]]
    else:  # what older packages have
        paths = info.get("files", b"").decode("utf-8", "replace").splitlines()
    found = {match[1] for path in paths if (match := _METADATA_FOLDER.fullmatch(path.strip()))}
    return {"folders": sorted(found), "files": len(paths)}
