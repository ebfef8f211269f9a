"""Packages as records of rattler, in its locks too, and what they and users say of others, as rattler reads it."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.conda.worker import Json, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import rattler


def record_of(package: Json) -> rattler.RepoDataRecord:
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


def title(package: Json) -> str:
    """Return how a package is called where it is told of."""
    return f"{package['name']} {package['version']} {package['build']}"


def with_specs(records: Sequence[rattler.RepoDataRecord]) -> Json:
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
        "name": name_of(spec),
        "version": spec.version,
        "build": spec.build,
        "when": spec.condition,
        "extras": spec.extras,
        "flags": spec._match_spec.flags,  # noqa: SLF001 - py-rattler 0.28 has no public name for them
    }
    return {key: value for key, value in found.items() if value}


_LONGEST_SPEC = 2_000
"""A spec with more characters than this is not read: thousands of brackets in each other end the process."""


def _spec(text: str) -> tuple[rattler.MatchSpec | None, str]:
    from rattler import MatchSpec

    try:
        spec = MatchSpec(text)
    except Exception as error:  # noqa: BLE001 - rattler's errors have no common base
        return None, str(error)
    name = name_of(spec)
    return (spec, "") if re.fullmatch(r"[\w.+-]+", name) else (None, "it does not name one package")


def specs_of(keys: dict[str, list[str]]) -> list[list[rattler.MatchSpec]]:
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


def name_of(spec: rattler.MatchSpec) -> str:
    """Return the name of the package that a spec asks for."""
    return str(getattr(spec.name, "normalized", ""))


def python_of(record: rattler.RepoDataRecord) -> str:
    """Return the Python that a record is built for: ``3.10``, ``3.14t``, or nothing when it is for none or many."""
    specs = list(map(parts, record.depends))
    for spec in (spec for spec in specs if spec["name"] == "python_abi"):
        if match := re.fullmatch(r"\*?_?cp(\d)(\d+)(t?)m?", spec.get("build", "")):
            return f"{match[1]}.{match[2]}{match[3]}"
    for spec in (spec for spec in specs if spec["name"] == "python"):
        if match := re.match(r">=(\d\.\d+)[^,]*,<(\d)\.(\d+)", spec.get("version", "")):
            return match[1] if int(match[3]) == int(match[1].split(".")[1]) + 1 else ""
    return ""


# -- locks


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
            lock.add_conda_package(entry["environment"], platforms[entry["platform"]], record_of(package))
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
                    **with_specs(records),
                    "foreign": [item.name for item in locked if not hasattr(item, "repo_data_record")],
                }
            )
    return {"entries": entries}
