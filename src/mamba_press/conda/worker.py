"""The only home of rattler: a script that runs as a process of its own, serves, and ends with ``os._exit``.

It imports nothing of mamba-press, because it may run on another interpreter than the build. Each request is one JSON
object on a line of stdin; JSON lines go out on what was stdout: any number of events, then one result or one error.
When stdin ends, whoever asked is gone, and so is this process. py-rattler crashes the interpreter at a normal exit
after a successful await (PyO3/pyo3-async-runtimes#40): hence the process, and hence ``os._exit``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    import rattler
    from rattler.install import InstallerReporter

    Where = tuple[rattler.Gateway, list[rattler.Channel], list[rattler.Subdir]]

Json = dict[str, Any]

_LONGEST_SPEC = 2_000
"""A spec with more characters than this is not read: thousands of brackets in each other end the process."""

RELATIONS: Literal["disabled"] = "disabled"
"""Packages come from the channels that the user names, not from others that these may point to (CEP 42)."""


class RefusedError(Exception):
    """What could not be done: the kind of the error, and the facts from which its text is made."""

    def __init__(self, kind: str, **facts: object) -> None:
        super().__init__(kind)
        self.answer: Json = {"error": kind, **facts}


# Solving

_ANSWERS: dict[str, Json] = {}
"""What was solved, by question: whoever asks the same again within a build gets the same, and at once."""


async def solve(request: Json, say: Callable[[Json], None]) -> Json:
    """Answer each question with records that satisfy it, or with why there are none; repodata is read once for all."""
    from rattler.exceptions import GatewayError

    gateway = _gateway(request)
    answers: list[Json] = []
    for number, question in enumerate(request["questions"], 1):
        say({"event": "solving", "number": number, "total": len(request["questions"])})
        key = json.dumps([question, request["offline"], request["cache"]])
        try:
            if key not in _ANSWERS:
                _ANSWERS[key] = await _answer(question, gateway)
            answers.append(_ANSWERS[key])
        except GatewayError as error:
            answers.append({"error": "channel", "channel": "", "text": str(error)})
        except RefusedError as refused:
            answers.append(refused.answer)
    return {"answers": answers}


async def _answer(question: Json, gateway: rattler.Gateway) -> Json:
    from rattler import Subdir
    from rattler.exceptions import SolverError

    platforms = [Subdir(question["subdir"]), Subdir("noarch")]
    *asked, constraints, python = _specs(
        {**question["specs"], "constraints": question["constraints"], "python": question["python"]}
    )
    specs = [spec for each in asked for spec in each]
    channels = await _channels(question["channels"], platforms, gateway)
    where = (gateway, channels, platforms)
    kept = await _still_there(question, where)
    try:
        records = await _attempt(question, where, specs, [*constraints, *python], kept)
        # Python is a constraint, so that packages without Python are solved in channels that have none. What is
        # noarch needs its record nevertheless: it says where site-packages is.
        names = {record.name.normalized for record in records}
        if "python" not in names and any(_is_noarch_python(record) for record in records):
            records = await _attempt(question, where, [*specs, python[0]], [*constraints, *python], kept)
    except SolverError as error:
        facts = await _failed_solve(question, where, specs)
        raise RefusedError("solve", text=str(error), **facts) from None
    return {
        **_packages(records),
        "names": [_name(spec) for spec in specs],
        "vain": await _vain(dict(zip(question["constraints"], map(_name, constraints), strict=True)), names, where),
    }


async def _vain(constraints: Mapping[str, str], solved: Collection[str], where: Where) -> Json:
    """Return the constraints whose package no channel has, each with the names that are nearly right."""
    import difflib

    sought = {text: name for text, name in constraints.items() if name not in solved and not name.startswith("__")}
    if not sought:
        return {}
    gateway, channels, platforms = where
    known = {name.normalized for name in await gateway.names(channels, platforms, channel_relations=RELATIONS)}
    return {
        text: difflib.get_close_matches(name, sorted(known), 1, 0.7)
        for text, name in sought.items()
        if name not in known
    }


async def _still_there(question: Json, where: Where) -> list[rattler.RepoDataRecord]:
    """Return what was locked and is to stay, as the channels have it now; what they would not give anew is left out."""
    gateway, channels, platforms = where
    locked = {(each["name"], each["file_name"]): each for each in question["locked"]}
    if not locked:
        return []
    names = sorted({name for name, _ in locked})
    first: dict[str, str] = {}
    kept: list[rattler.RepoDataRecord] = []
    # The first channel that has a package wins, as in the solve.
    for channel in channels:
        answers = await gateway.query([channel], platforms, names, recursive=False, channel_relations=RELATIONS)
        for record in (record for answer in answers for record in answer):
            name = record.name.normalized
            found = locked.get((name, record.file_name))
            if first.setdefault(name, channel.base_url) != channel.base_url or not found:
                continue
            is_same = not (found["sha256"] and record.sha256) or record.sha256.hex() == found["sha256"]
            newest, made = question["exclude_newer"], record.timestamp
            if is_same and (newest is None or made is None or made.timestamp() <= newest):
                kept.append(record)
    return kept


async def locate(request: Json, _: Callable[[Json], None]) -> Json:
    """Answer with the records of the same archives, by name and hash, in other channels than they were locked in."""
    from rattler import Subdir
    from rattler.exceptions import GatewayError

    gateway = _gateway(request)
    platforms = [Subdir(request["subdir"]), Subdir("noarch")]
    channels = await _channels(request["channels"], platforms, gateway)
    wanted = {(each["file_name"], each["sha256"]): each for each in request["packages"]}
    names = sorted({each["name"] for each in request["packages"]})
    try:
        answers = await gateway.query(channels, platforms, names, recursive=False, channel_relations=RELATIONS)
    except GatewayError as error:
        raise RefusedError("channel", channel="", text=str(error)) from None
    found: dict[tuple[str, str], Json] = {}
    for record in (record for answer in answers for record in answer):
        key = (record.file_name, record.sha256.hex() if record.sha256 else "")
        if key in wanted:
            found.setdefault(key, {"url": record.url, "channel": record.channel})
    missing = [_title(each) for key, each in wanted.items() if key not in found]
    return {"places": {name: place for (name, _), place in found.items()}, "missing": missing}


async def _attempt(
    question: Json,
    where: Where,
    specs: Sequence[rattler.MatchSpec],
    constraints: Sequence[rattler.MatchSpec],
    kept: Sequence[rattler.RepoDataRecord],
) -> list[rattler.RepoDataRecord]:
    """Solve once, with the virtual packages of the target and never those of this machine."""
    import rattler
    from rattler.package.build_string import BuildString

    gateway, channels, platforms = where
    newest = question["exclude_newer"]
    # Of a spec's package rattler loads only what fits it, and then takes a channel for the first that is not. The bare
    # name makes it load all, so that the first channel that has the package at all wins, as elsewhere in the solve.
    bare = [rattler.MatchSpec(_name(spec)) for spec in specs if spec.channel is None]
    return await rattler.solve(
        channels,
        [*bare, *specs],
        gateway=gateway,
        platforms=platforms,
        locked_packages=list(kept),
        virtual_packages=[
            rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), BuildString(build))
            for name, version, build in question["virtual"]
        ],
        constraints=list(constraints),
        exclude_newer=None if newest is None else datetime.fromtimestamp(newest, timezone.utc),
        timestamp_policy="allow-missing",
        channel_priority=rattler.ChannelPriority.Strict,
        channel_relations=RELATIONS,
    )


def _specs(keys: dict[str, list[str]]) -> list[list[rattler.MatchSpec]]:
    """Parse leniently, as a user writes; all that is no spec is reported at once, with its key."""
    parsed = {key: [(text, *_spec(text)) for text in texts] for key, texts in keys.items()}
    wrong = [
        {"key": key, "spec": text, "text": problem}
        for key, specs in parsed.items()
        for text, _, problem in specs
        if problem
    ]
    if wrong:
        raise RefusedError("spec", wrong=wrong)
    return [[spec for _, spec, _ in specs if spec] for specs in parsed.values()]


def _spec(text: str) -> tuple[rattler.MatchSpec | None, str]:
    from rattler import MatchSpec

    try:
        spec = MatchSpec(text)
    except Exception as error:  # noqa: BLE001 - rattler's errors have no common base
        return None, str(error)
    name = _name(spec)
    return (spec, "") if re.fullmatch(r"[\w.+-]+", name) else (None, "it does not name one package")


def _name(spec: rattler.MatchSpec) -> str:
    return str(getattr(spec.name, "normalized", ""))


def _packages(records: Sequence[rattler.RepoDataRecord]) -> Json:
    """Return records as they are written, and each spec of theirs, by its text, as rattler reads it."""
    packages = [json.loads(record.to_json()) for record in records]
    lists = [each.get(key) or () for each in packages for key in ("depends", "constrains")]
    lists += [specs for each in packages for specs in (each.get("extra_depends") or {}).values()]
    return {"packages": packages, "specs": {text: parts(text) for specs in lists for text in specs}}


def parts(text: str) -> Json:
    """Return what a spec says; of one that rattler cannot read, the first word, as rattler's installer takes it."""
    spec, problem = _spec(text) if len(text) <= _LONGEST_SPEC else (None, "it is too long")
    if spec is None or problem:
        return {"name": "".join(text.split(maxsplit=1)[:1]).lower(), "problem": "is no conda spec"}
    found = {
        "name": _name(spec),
        "version": spec.version,
        "build": spec.build,
        "when": spec.condition,
        "extras": spec.extras,
        "flags": spec._match_spec.flags,  # noqa: SLF001 - py-rattler 0.28 has no public name for them
    }
    return {key: value for key, value in found.items() if value}


def _is_noarch_python(record: rattler.RepoDataRecord) -> bool:
    return bool(record.noarch.python)


def _gateway(request: Json) -> rattler.Gateway:
    from rattler import Gateway
    from rattler.repo_data.gateway import SourceConfig

    # The same folder as pixi's; py-rattler's own default is the cache's root.
    return Gateway(
        cache_dir=Path(request["cache"], "repodata"),
        default_config=SourceConfig(cache_action="force-cache-only" if request["offline"] else "cache-or-fetch"),
        client=_client(offline=request["offline"]),
    )


def _client(*, offline: bool) -> rattler.networking.Client:
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
            AddHeadersMiddleware(_TASK.note),
        ],
        user_agent="mamba-press",
    )


async def _channels(
    names: Sequence[str], platforms: Sequence[rattler.Subdir], gateway: rattler.Gateway
) -> list[rattler.Channel]:
    """Open every channel, so that what is wrong with one is reported with its name, and for all of them at once."""
    opened = [(name, *await _open(name, platforms, gateway)) for name in names]
    wrong = [{"channel": name, "text": problem} for name, _, problem in opened if problem]
    if wrong:
        raise RefusedError("channels", wrong=wrong)
    return [channel for _, channel, _ in opened if channel]


async def _open(
    name: str, platforms: Sequence[rattler.Subdir], gateway: rattler.Gateway
) -> tuple[rattler.Channel | None, str]:
    from rattler import Channel

    try:
        channel = Channel(name)
        await gateway.names([channel], platforms, channel_relations=RELATIONS)
    except Exception as error:  # noqa: BLE001 - rattler's errors have no common base
        return None, str(error)
    return channel, ""


async def _failed_solve(question: Json, where: Where, specs: Sequence[rattler.MatchSpec]) -> Json:
    """Gather what explains a failed solve: names nearly right, and what of the named packages there is instead."""
    import difflib

    gateway, channels, platforms = where
    known = {name.normalized for name in await gateway.names(channels, platforms, channel_relations=RELATIONS)}
    of_target = await gateway.names(channels, platforms[:1], channel_relations=RELATIONS)
    missing, found = [], []
    keys = [key for key, texts in question["specs"].items() for _ in texts]
    for key, spec in zip(keys, specs, strict=True):
        name = _name(spec)
        if name not in known:
            missing.append({"key": key, "name": name, "near": difflib.get_close_matches(name, sorted(known), 3, 0.7)})
            continue
        answers = await gateway.query(channels, platforms, [name], recursive=False, channel_relations=RELATIONS)
        records = [record for answer in answers for record in answer]
        records.sort(key=lambda record: (record.version, record.build_number))
        fitting = [record for record in records if spec.matches(record)]
        found.append(
            {
                "name": name,
                "spec": str(spec),
                "fits": bool(fitting),
                "versions": list(dict.fromkeys(str(record.version) for record in records)),
                "pythons": list(dict.fromkeys(filter(None, map(_python_of, fitting or records)))),
            }
        )
    empty, virtual = not of_target, question["virtual"]
    return {"missing": missing, "found": found, "empty": empty, "virtual": virtual, "keys": list(dict.fromkeys(keys))}


def _python_of(record: rattler.RepoDataRecord) -> str:
    """Return the Python that a record is built for: ``3.10``, ``3.14t``, or nothing when it is for none or many."""
    specs = list(map(parts, record.depends))
    for spec in (spec for spec in specs if spec["name"] == "python_abi"):
        if match := re.fullmatch(r"\*?_?cp(\d)(\d+)(t?)m?", spec.get("build", "")):
            return f"{match[1]}.{match[2]}{match[3]}"
    for spec in (spec for spec in specs if spec["name"] == "python"):
        if match := re.match(r">=(\d\.\d+)[^,]*,<(\d)\.(\d+)", spec.get("version", "")):
            return match[1] if int(match[3]) == int(match[1].split(".")[1]) + 1 else ""
    return ""


# Fetching


async def fetch(request: Json, say: Callable[[Json], None]) -> Json:
    """Install exactly the asked packages into a new prefix; Python's record is passed along and ignored."""
    import rattler
    from rattler.exceptions import InstallerError, IoError

    unverified: list[str] = []
    packages = _verified(request["packages"], unverified)
    records = [_record(package) for package in packages]
    cache = rattler.PackageCache(Path(request["cache"], "pkgs"))
    python = [_record(package) for package in request["python"]]
    gate = _TASK.gate = _Gate(packages, request, say)
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
            client=_client(offline=request["offline"]),
            reporter=_reporter(gate, expected, say),
            alternative_target_prefix=request["neutral"],
            package_cache=cache,
        )
    except (InstallerError, IoError) as error:
        raise _failed_install(str(error), packages) from None
    return {"unverified": unverified}


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
        archive = _local(package["url"])
        try:
            found = _facts(archive, ["sha256"] if package.get("sha256") else ["sha256", "md5"])
        except OSError as error:
            wrong.append({"package": _title(package), "file": str(archive), "text": error.strerror or str(error)})
            continue
        stated = {key: package[key] for key in found if package.get(key)}
        differs = {key: [found[key], value] for key, value in stated.items() if found[key] != value}
        if differs:
            wrong.append({"package": _title(package), "file": str(archive), "differs": differs})
        elif "sha256" not in stated and "md5" not in stated:
            unverified.append(str(archive))
        verified.append({**package, "sha256": found["sha256"]})
    if wrong:
        raise RefusedError("archives", wrong=wrong)
    return verified


def _local(url: str) -> Path:
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


def _title(package: Json) -> str:
    return f"{package['name']} {package['version']} {package['build']}"


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


def _record(package: Json) -> rattler.RepoDataRecord:
    """Make rattler's record of one of our packages."""
    import rattler
    from rattler.package.build_string import BuildString

    record = rattler.PackageRecord(
        package["name"],
        package["version"],
        BuildString(package["build"]),
        package["build_number"],
        package["subdir"],
        noarch=package.get("noarch"),
        depends=list(package["depends"]),
        constrains=list(package["constrains"]),
        extra_depends=package.get("extra_depends"),
        flags=package.get("flags"),
        sha256=bytes.fromhex(package["sha256"]) if package.get("sha256") else None,
        md5=bytes.fromhex(package["md5"]) if package.get("md5") else None,
        size=package.get("size"),
        license=package.get("license"),
        python_site_packages_path=package.get("site_packages"),
    )
    if package.get("timestamp") is not None:
        record.timestamp = datetime.fromtimestamp(package["timestamp"] / 1000, timezone.utc)
    return rattler.RepoDataRecord(record, package["file_name"], package["url"], package["channel"])


def _reporter(gate: _Gate, expected: int, say: Callable[[Json], None]) -> InstallerReporter:
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
            _TASK.awaited[cache_entry] = gate.packages[self.names[cache_entry].lower()]["url"]
            return cache_entry

        def on_download_progress(self, download_idx: int, progress: int, total: int | None) -> None:  # noqa: ARG002
            self.done[download_idx] = progress
            gate.downloaded[self.names[download_idx].lower()] = progress
            self.tell(self.names[download_idx])

        def on_download_completed(self, download_idx: int) -> None:
            _TASK.awaited.pop(download_idx, None)

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
        package=_title(package) if package else "",
        file=package["url"] if package else file_name,
        text=text,
    )


# What a package may install

_INFO = ("paths.json", "index.json", "link.json", "files", "has_prefix", "no_link", "no_softlink")
"""What rattler reads of a package before or while it installs it."""

_KINDS = {stat.S_IFREG: "a file", stat.S_IFLNK: "a symlink", stat.S_IFDIR: "a folder"}
_LISTED_AS = {"hardlink": stat.S_IFREG, "softlink": stat.S_IFLNK, "directory": stat.S_IFDIR}

_RECORDS = 64 << 20
"""How many bytes one of these may have: a package of 100,000 files lists them in 25 million."""

_BYTES, _DENSEST = 256 << 20, 100
_FILES, _SPARSEST = 100_000, 50
"""How many bytes and files a package may have, and how many more for each byte, or for so many, of its archive."""

_LISTED, _PARTS = 1_000_000, 10
"""How many files are read of a package's lists, whatever its archive, and how many parts of JSON for each of them."""

_UNKNOWN = 64 << 30
"""The size of an archive of which nothing is known, and the most that is believed."""

_SHORTEST_PLACEHOLDER = 5
"""A shorter one would occur anywhere, and make a text many times as long."""


class _Gate:
    """Looks at an extracted package before rattler installs any of it, whether it was cached or has just been fetched.

    rattler reads and writes along the paths that a package lists, through any symlink on the way. It tells us when it
    is about to begin, and waits until we return; it takes no answer. So a package that must not be installed ends this
    process, after the reason was said.
    """

    def __init__(self, packages: Sequence[Json], request: Json, say: Callable[[Json], None]) -> None:
        self.packages = {package["name"].lower(): package for package in packages}
        self.cache = Path(request["cache"], "pkgs")
        self.on_windows = request["platform"].startswith("win") or os.name == "nt"
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
            if wrong := list(_odd_info(self.folder(package))):
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
            _TASK.end(self.refused(package, wrong), self.say)

    def most(self, package: Json) -> tuple[int, int]:
        """Return how many bytes and files a package may have: in proportion to its archive, so giants are let in.

        Of 160 packages of conda-forge and defaults the densest has 15 times the bytes of its archive.
        """
        stated, seen = package.get("size"), self.downloaded.get(package["name"].lower())
        size = min(each for each in (stated, seen, _UNKNOWN) if each)
        return _BYTES + size * _DENSEST, _FILES + size // _SPARSEST

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
                _TASK.end(self.refused(package, [["", wrong]]), self.say)

    def folder(self, package: Json) -> Path:
        return self.cache / f"{package['name'].lower()}-{package['version']}-{package['build']}"

    def refused(self, package: Json, wrong: list[list[str]]) -> RefusedError:
        return RefusedError("members", package=_title(package), file=package["url"], wrong=wrong)

    def wrong(self, package: Json) -> list[list[str]]:
        """Return what is wrong with the package, as pairs of a path and a text."""
        folder = self.folder(package)
        if wrong := list(_odd_info(folder)):
            return wrong
        try:
            most = min(self.most(package)[1], _LISTED)
            index = _json(folder / "info" / "index.json", most)
            entries = _entries(folder, most)
            link = _json(folder / "info" / "link.json", most) if (folder / "info" / "link.json").is_file() else {}
        except RecursionError:
            return [["info", "its records cannot be read: they are nested too deeply"]]
        except (OSError, ValueError, TypeError) as error:
            return [["info", f"its records cannot be read: {error}"]]
        wrong += _other_package(index, package)
        wrong += _bad_entry_points(link)
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


def _odd_info(folder: Path) -> Iterator[list[str]]:
    """Yield what of the package's own records is no file, such as a symlink that leads elsewhere."""
    for path in (folder, folder / "info", *(folder / "info" / name for name in _INFO)):
        with suppress(FileNotFoundError, NotADirectoryError):
            status = path.lstat()
            kind, name = stat.S_IFMT(status.st_mode), path.relative_to(folder).as_posix()
            if kind != (stat.S_IFREG if path.parent.name == "info" else stat.S_IFDIR):
                yield [name, f"it is {_KINDS.get(kind, 'a special file')}"]
            elif kind == stat.S_IFREG and status.st_size > _RECORDS:
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
    found = json.loads(_bounded(path.name, path.read_bytes(), most))
    if not isinstance(found, dict):
        raise TypeError(f"{path.name} holds no object")
    return found


def _lines(path: Path, most: int) -> list[str]:
    """Return the lines of a file as rattler reads them: a line feed alone ends one, and nothing else is taken off."""
    return _bounded(path.name, path.read_bytes(), most).decode("utf-8").split("\n")


def _bounded(name: str, data: bytes, most: int) -> bytes:
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
    if "path_type" in entry and listed not in _LISTED_AS:
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


# Looking into packages that are not installed

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
                if index.contains_record(_record(package)) and (folder / "info").is_dir():
                    return _contents(_cached_info_of(folder))
                return _contents(await _info_of(package, offline=request["offline"]))
            except Exception as error:  # noqa: BLE001 - rattler's errors have no common base
                return {"problem": str(error) or type(error).__name__}

    found = await asyncio.gather(*map(one, request["packages"]))
    return {"contents": {package["file_name"]: each for package, each in zip(request["packages"], found, strict=True)}}


async def _info_of(package: Json, *, offline: bool) -> dict[str, bytes]:
    """Return what an archive's own lists of its files say; raise ValueError for one that is far too large."""
    from rattler.package_streaming import PackageArchive

    if package["url"].startswith("file:"):
        archive = await PackageArchive.from_path(_local(package["url"]))
    elif offline:
        raise RefusedError("it is neither in the package cache nor a file")
    else:
        archive = await PackageArchive.from_url(_client(offline=False), package["url"], max_spool_size=_SPOOLED)
    found: dict[str, bytes] = {}
    size = 0
    async for entry in archive.stream("info"):
        size += entry.size if entry.name.startswith("info/") else 0
        if size > _BYTES or (entry.name in _LISTS and entry.size > _RECORDS):
            raise ValueError(f"info has more than {(_RECORDS if entry.name in _LISTS else _BYTES) >> 20} MiB")
        if entry.name in _LISTS and entry.is_file:
            found[entry.name.removeprefix("info/")] = await entry.read()
        if "paths.json" in found:
            break
    return found


def _cached_info_of(folder: Path) -> dict[str, bytes]:
    """Return the same of an extracted package; raise ValueError where one is no plain file, or far too large."""
    if wrong := [": ".join(each) for each in _odd_info(folder)]:
        raise ValueError(wrong[0])
    return {path.name: path.read_bytes() for name in _LISTS if (path := folder / name).is_file()}


def _contents(info: Mapping[str, bytes]) -> Json:
    info = {name: _bounded(name, data, _LISTED) for name, data in info.items()}
    if info.get("paths.json"):
        paths = [str(entry["_path"]) for entry in json.loads(info["paths.json"])["paths"]]
    else:  # what older packages have
        paths = info.get("files", b"").decode("utf-8", "replace").splitlines()
    found = {match[1] for path in paths if (match := _METADATA_FOLDER.fullmatch(path.strip()))}
    return {"folders": sorted(found), "files": len(paths)}


# Locks


async def write_lock(request: Json, _: Callable[[Json], None]) -> Json:
    """Write rattler's lock format: one environment for each Python, one platform for each subdir and floor."""
    from rattler import LockChannel, LockFile, LockPlatform, Subdir

    platforms = {
        entry["platform"]: LockPlatform(entry["platform"], Subdir(entry["subdir"]), entry["virtual"])
        for entry in request["entries"]
    }
    lock = LockFile(list(platforms.values()))
    channels: dict[str, dict[str, None]] = {}
    for entry in request["entries"]:
        known = channels.setdefault(entry["environment"], {})
        known.update(dict.fromkeys(map(_base_url, entry["channels"])))
        lock.set_channels(entry["environment"], list(map(LockChannel, known)))
        for package in entry["packages"]:
            lock.add_conda_package(entry["environment"], platforms[entry["platform"]], _record(package))
    lock.to_path(Path(request["path"]))
    return {}


def _base_url(name: str) -> str:
    from rattler import Channel

    return str(Channel(name).base_url)


async def read_lock(request: Json, _: Callable[[Json], None]) -> Json:
    """Answer with all that a lock file holds, in the shape in which `write_lock` got it."""
    from rattler import LockFile
    from rattler.exceptions import ParseCondaLockError

    try:
        lock = LockFile.from_path(Path(request["path"]))
    except (ParseCondaLockError, OSError) as error:
        raise RefusedError("lock", text=str(error)) from None
    entries = []
    for environment, content in lock.environments():
        for platform, locked in content.packages_by_platform().items():
            records = [item.repo_data_record() for item in locked if hasattr(item, "repo_data_record")]
            entries.append(
                {
                    "environment": environment,
                    "platform": platform.name,
                    "subdir": str(platform.subdir),
                    "virtual": list(platform.virtual_packages),
                    "channels": [str(channel) for channel in content.channels()],
                    **_packages(records),
                    "foreign": [item.name for item in locked if not hasattr(item, "repo_data_record")],
                }
            )
    return {"entries": entries}


# Ending what does not end by itself


class _Task:
    """What the request at hand has asked of servers: one is served at a time."""

    def __init__(self) -> None:
        self.begin()

    def begin(self, request: Json | None = None) -> None:
        questions = (request or {}).get("questions", [request or {}])
        self.channels = [urlsplit(url) for question in questions for url in question.get("channels", ())]
        self.asked: list[tuple[float, str]] = []
        self.awaited: dict[int, str] = {}
        self.gate: _Gate | None = None

    def note(self, host: str, path: str) -> None:
        """Keep what is asked, and when; rattler calls this before each attempt, and names no scheme and no port."""
        server = next((f"{url.scheme}://{url.netloc}" for url in self.channels if url.hostname == host), host)
        self.asked.append((time.monotonic(), f"{server}{path}"))

    def addresses(self, since: float) -> list[str]:
        """Return what has not been answered: the archives that are awaited, else what was asked last in each folder."""
        last = {url.rpartition("/")[0]: url for asked, url in self.asked if asked >= since - 1}
        return list(dict.fromkeys([*self.awaited.values()] or [*last.values()] or [url for _, url in self.asked[-1:]]))

    def waits_for_another(self) -> bool:
        """Tell whether another process may be why nothing is done; only Linux says so, else what asks nothing may."""
        return _waits_for_a_lock() if sys.platform == "linux" else not self.asked

    def end(self, refused: RefusedError, say: Callable[[Json], None]) -> None:
        """Say why, leave nothing half extracted in the cache, which rattler has locked for us, and end the process."""
        try:
            for _, left in self.gate.extracting() if self.gate else ():
                shutil.rmtree(left, ignore_errors=True)
            say({**refused.answer, "ended": True})
        finally:
            os._exit(0)

    def watch(self, patience: float, say: Callable[[Json], None], done: threading.Event) -> None:
        """End the process when it has done nothing for so many seconds, and say now and then that it is there.

        rattler's client has no time limit but one for a whole transfer, and says nothing about the lists of packages.
        But every byte that comes costs some processor time, and a process that waits uses none. Without memory for its
        threads, rattler waits for ever without having asked for anything.
        """
        busy, since, pause = 0, time.monotonic(), 0.25
        told, silent = since, 0.0  # by our own pauses: a machine that has no time for us does not make others silent
        while not done.wait(pause):
            now = time.monotonic()
            silent += min(pause, 0.5)
            if now - told > _OFTEN:
                told = now
                say({"event": "alive"})
            used = time.process_time_ns() - time.thread_time_ns()
            if used - busy > _A_BYTE or self.waits_for_another():
                busy, since, silent = used, now, 0.0
            elif silent > patience:
                self.end(RefusedError("silent", seconds=patience, addresses=self.addresses(since)), say)
            if self.gate:
                self.gate.look_while_extracted()
            pause = max(0.25, 20 * (time.monotonic() - now))


_TASK = _Task()

_OFTEN = 10.0
"""Seconds after which a process that works says so."""

_A_BYTE = 30_000
"""Nanoseconds of processor time; one byte from a server costs three times as many."""


def _waits_for_a_lock() -> bool:
    """Tell, on Linux, whether another process holds a lock that this one waits for: that one is watched, too."""
    try:
        locks = Path("/proc/locks").read_text("ascii")
    except OSError:
        return False
    return re.search(rf"->.* {os.getpid()} ", locks) is not None


# The process


def main() -> None:
    """Serve requests until stdin ends, and then end at once, whatever rattler's threads are doing."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # Whatever prints must not end up among the answers.
    # This script's folder must not offer its neighbours as top-level modules.
    here = Path(__file__).resolve().parent
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != here]

    writing = threading.Lock()  # rattler's callbacks come from threads of its own.

    def say(answer: Json) -> None:
        with writing:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    try:
        while True:
            say(_serve(json.loads(requests.get()), say))
    except BaseException:  # noqa: BLE001 - at a normal exit, rattler's threads may crash and hide what happened
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _read(requests: SimpleQueue[bytes]) -> None:
    """Pass on what is asked, also while something is being done: who asks may end at any moment."""
    for line in sys.stdin.buffer:
        requests.put(line)
    os._exit(0)


def _serve(request: Json, say: Callable[[Json], None]) -> Json:
    try:
        import rattler  # noqa: F401 - here only to know early whether it is there
    except ImportError as error:
        return {"error": "rattler", "text": str(error), "python": sys.executable, "version": sys.version.split()[0]}
    tasks = {
        "solve": solve,
        "locate": locate,
        "fetch": fetch,
        "inspect": inspect,
        "write-lock": write_lock,
        "read-lock": read_lock,
    }
    _TASK.begin(request)
    done = threading.Event()
    threading.Thread(target=_TASK.watch, args=(request["patience"], say, done), daemon=True).start()
    try:
        return {"result": asyncio.run(tasks[request["do"]](request, say))}
    except RefusedError as refused:
        return refused.answer
    except BaseException as error:  # noqa: BLE001 - rattler's errors have no common base, and its panics are no Exception
        return {"error": "failed", "text": f"{type(error).__name__}: {error}", "ended": True}
    finally:
        done.set()


if __name__ == "__main__":
    main()
