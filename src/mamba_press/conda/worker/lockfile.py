"""Locks in rattler's own format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.conda.worker import Json, RefusedError
from mamba_press.conda.worker.records import record_of, with_specs

if TYPE_CHECKING:
    from collections.abc import Callable


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
