"""The prefixes that stay in the cache for editable installs: whose they are, and which of them can go.

Beside them is a note for every set of prefixes that an install of a project may still use.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mamba_press import atomic
from mamba_press.atomic import replacing, temporary

_NOTES = "editable"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Note:
    """A project by its folder, machine and disk, and the prefixes that were installed for it together."""

    root: str
    machine: str
    device: int
    prefixes: tuple[str, ...]

    @property
    def is_gone(self) -> bool:
        """Whether the project was removed; what is on another machine, or on a disk that is not there, was not."""
        root = Path(self.root)
        try:
            is_same_disk = root.parent.stat().st_dev == self.device
        except OSError:
            return False
        return self.machine == platform.node() and is_same_disk and not os.path.lexists(root)


def claim(folder: Path, root: Path, prefixes: Sequence[Path]) -> bool:
    """Note that the project in ``root`` uses these prefixes of the folder; return whether it last used others.

    A note is only written whole, and holds what its name is made of: installs at the same time lose nothing.
    """
    names = tuple(prefix.name for prefix in prefixes)
    own = _digest(str(root))
    last = max((folder / _NOTES).glob(f"{own}-*.json"), key=_time, default=None)
    path = folder / _NOTES / f"{own}-{_digest(*names)}.json"
    note = _Note(root=str(root), machine=platform.node(), device=root.stat().st_dev, prefixes=names)
    with replacing(path) as file:
        file.write(json.dumps(asdict(note)).encode())
    now = time.time_ns()  # finer than the kernel's own clock for files
    os.utime(path, ns=(now, now))
    return last is not None and last != path


def sweep(folder: Path) -> tuple[Path, ...]:
    """Remove the prefixes that only projects had which are gone, and what is left of killed builds; return the former.

    What was made or used within a day stays: another build may be about to note that it needs it.
    """
    atomic.sweep(folder)
    paths = sorted((folder / _NOTES).glob("*.json"), key=_time)
    notes = {path: note for path in paths if (note := _read(path))}
    newest = {(note.root, note.machine): note for note in notes.values()}  # it has the disk of today
    gone = {path: note for path, note in notes.items() if newest[note.root, note.machine].is_gone}
    used = {name for path, note in notes.items() if path not in gone for name in note.prefixes}
    found = {folder / name for note in gone.values() for name in note.prefixes if name not in used}
    removed = tuple(
        prefix for prefix in sorted(found) if prefix.parent == folder and atomic.is_old(prefix) and _remove(prefix)
    )
    for path, note in gone.items():
        if not any((folder / name).is_dir() for name in note.prefixes if name not in used):
            path.unlink(missing_ok=True)
    return removed


def _read(path: Path) -> _Note | None:
    try:
        values = json.loads(path.read_text("utf-8"))
        prefixes = tuple(map(str, values["prefixes"]))
        device = int(values["device"])
        return _Note(root=str(values["root"]), machine=str(values["machine"]), device=device, prefixes=prefixes)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _time(path: Path) -> int:
    """Return when a file was written, in nanoseconds; 0 for one that another build has just removed."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _remove(prefix: Path) -> bool:
    """Remove a prefix, which is no longer one from the first moment on; return whether it could be."""
    with temporary(prefix.parent) as aside:
        try:
            prefix.rename(aside / prefix.name)
        except OSError:
            return False
    return True
