"""Values for tests of what conda hands over: records, solutions, locks."""

from __future__ import annotations

from dataclasses import replace

from mamba_press.conda import lockfile
from mamba_press.config.model import Config
from mamba_press.pipeline import solve
from mamba_press.types import Package, Python, Solution, Target
from tests.support.values import specs

TARGET = Target(system="linux", arch="x86_64", subdir="linux-64", python=Python(minor=10), floor=(2, 28))


def package(name: str = "greet", **changes: object) -> Package:
    """A record as a channel states it."""
    values: dict[str, object] = {
        "version": "1.0",
        "build": "h1_0",
        "build_number": 0,
        "channel": "https://example.org/channel/",
        "subdir": "linux-64",
        "url": f"https://example.org/channel/linux-64/{name}-1.0-h1_0.conda",
        "file_name": f"{name}-1.0-h1_0.conda",
        **changes,
    }
    for key in ("depends", "constrains"):
        lines = changes.get(key, ())
        assert isinstance(lines, tuple)
        values[key] = specs(*lines)
    return Package(name=name, **values)  # type: ignore[arg-type]


def solution(target: Target = TARGET, *packages: Package) -> Solution:
    """A solution for a target, of a channel with credentials."""
    return Solution(target=target, packages=packages, channels=("https://u:p@example.org/t/secret/channel",))


def held(target: Target, *packages: Package, config: Config | None = None) -> lockfile.Held:
    """What a lock holds for a target."""
    asked = solve.stated(config or Config())
    return lockfile.Held(entry=lockfile.entry(solution(target), asked), packages=packages, asked=asked)


def at(floor: tuple[int, int] | None, tag: str | None = None) -> Target:
    """The target at a floor, and with the tag that was asked for."""
    return replace(TARGET, floor=floor, tag=tag)
