"""Rattler's lock format as we use it: one environment for each Python, one platform for each subdir and floor."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mamba_press.types import Package, Solution, Target

Json = dict[str, Any]

HERE = "file:///mamba-press-project/"
"""Stands for the lock's own folder where the format allows only URLs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """One solution that a lock holds, with the names under which it does."""

    entry: Json
    packages: tuple[Package, ...]

    @property
    def floor(self) -> tuple[int, ...] | None:
        """The floor that was solved for."""
        for text in self.entry["virtual"]:
            if match := re.match(r"__(?:glibc|osx)\W+([\d.]+)", text):
                return tuple(map(int, match[1].split(".")))
        return None


def environment(target: Target) -> str:
    """Return the name of an environment: ``py310``, ``py314t``."""
    return f"py{target.python}".replace(".", "")


def entry(solution: Solution) -> Json:
    """Return a solution as the worker writes it; credentials stay out of what travels."""
    target = solution.target
    platform, virtual = target.subdir, []
    if target.floor is not None:
        system = "osx" if target.system == "osx" else "glibc"
        platform = "-".join(map(str, (target.subdir, system, *target.floor)))
        virtual = [f"__{system}={'.'.join(map(str, target.floor))}"]
    return {
        "environment": environment(target),
        "platform": platform,
        "subdir": target.subdir,
        "virtual": virtual,
        "channels": [public(channel) for channel in solution.channels],
        "packages": [
            asdict(replace(package, url=public(package.url), channel=public(package.channel)))
            for package in solution.packages
        ],
    }


def public(url: str) -> str:
    """Return a URL without the password or the token in it: rattler finds those by the host."""
    return re.sub(r"/t/[^/]+/", "/", re.sub(r"^(\w+://)[^/@]+@", r"\1", url))


def portable(text: str, root: Path) -> str:
    """Return the text of a lock in which what lies below ``root`` is named relative to it."""
    folder, url = _bases(root)

    def moved(value: str) -> str:
        if value.startswith(folder):
            return "./" + value.removeprefix(folder)
        return HERE + (value + "/").removeprefix(url)[:-1] if f"{value}/".startswith(url) else value

    return _each_location(text, moved)


def absolute(text: str, root: Path) -> str:
    """Return the text of a lock in which what `portable` made relative is where ``root`` is now."""
    folder, url = _bases(root)

    def moved(value: str) -> str:
        if value.startswith("./"):
            return folder + value.removeprefix("./")
        return url + value.removeprefix(HERE) if value.startswith(HERE) else value

    return _each_location(text, moved)


def _bases(root: Path) -> tuple[str, str]:
    here = Path(os.path.normpath(root.absolute()))
    return here.as_posix().rstrip("/") + "/", here.as_uri().rstrip("/") + "/"


def _each_location(text: str, change: Callable[[str], str]) -> str:
    """Change the locations in a lock as rattler writes it: one a line, plain or in single quotes."""

    def line(found: re.Match[str]) -> str:
        value = found[2][1:-1].replace("''", "'") if found[2].startswith("'") else found[2]
        changed = change(value)
        return found[0] if changed == value else found[1] + "'" + changed.replace("'", "''") + "'"

    return re.sub(r"^(\s*(?:- conda|- url|channel): )(\S.*)$", line, text, flags=re.MULTILINE)


def best(held: Sequence[Held], target: Target) -> Held | None:
    """Return the solution for a target: the one with its floor.

    A floor that nobody asked for depends on the machine that builds. Then what was solved for any floor that the
    machine fulfils is used, the highest first, so that an sdist gives the same wheel on all of them.
    """
    fitting = [
        each
        for each in held
        if each.entry["environment"] == environment(target) and each.entry["subdir"] == target.subdir
    ]
    exact = next((each for each in fitting if each.floor == target.floor), None)
    if exact or target.tag is not None or target.floor is None:
        return exact
    floor = target.floor
    lower = [each for each in fitting if each.floor is None or each.floor <= floor]
    return max(lower, key=lambda each: each.floor or (), default=None)


def pins(held: Sequence[Held], target: Target, names: Sequence[str]) -> tuple[str, ...]:
    """Return what binds a solve for another target to the requested packages' locked versions."""
    near = sorted(held, key=lambda each: (each.entry["subdir"] != target.subdir, each.entry["environment"]))
    versions: dict[str, str] = {}
    for each in near:
        for package in each.packages:
            versions.setdefault(package.name, package.version)
    return tuple(f"{name} =={versions[name]}" for name in names if name in versions)
