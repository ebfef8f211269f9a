"""Which of the compilers' runtimes the wheel brings along, and which it takes from the system."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING

from mamba_press import globs, platforms
from mamba_press.errors import ContentError, Problem
from mamba_press.platforms import binary_edits, compiler_runtimes
from mamba_press.platforms.protocol import Choice, Demand
from mamba_press.vendoring import resolve

if TYPE_CHECKING:
    from mamba_press.config.model import Config
    from mamba_press.types import Binary, Environment, File, Package, Resolved, Target
    from mamba_press.vendoring.select import reach


def choose(
    search: reach.Search, rules: resolve.Rules, environment: Environment, config: Config
) -> tuple[reach.Reached, tuple[str, ...]]:
    """Decide every compiler runtime that the wheel needs, libgcc last because the others may need it."""
    notes: list[str] = []
    wanted = asdict(config.link.runtimes)
    reached = search.run(rules)
    system = platforms.of(rules.target.system)
    for runtime in compiler_runtimes.LIBRARIES:
        versions = _demands(search, reached, rules, runtime)
        if versions is None:
            continue
        needed = (link.needed for links in reached.links.values() for link in links)
        demand = Demand(
            runtime=runtime,
            wanted=wanted.get(runtime, "auto"),
            target=rules.target,
            names=tuple(name for name in needed if compiler_runtimes.runtime_of(name) == runtime),
            versions=versions,
            packages=environment.packages,
            symbols=partial(_taken, search, reached, rules, runtime),
            floor=partial(_floor, search, reached, rules.target, environment, config),
            of_copy=partial(_floor_of_copy, search, rules, runtime, environment, config),
        )
        choice, why = system.choose_runtime(demand)
        notes.append(f"{runtime}: {choice} ({why})" + _uncopied(search, runtime, choice))
        if (rules.runtimes or {}).get(runtime) != choice:
            rules = replace(rules, runtimes={**(rules.runtimes or {}), runtime: choice})
            reached = search.run(rules)
    return reached, tuple(notes)


def _uncopied(search: reach.Search, runtime: str, choice: Choice) -> str:
    """Say that a copy cannot be packed where the solution has none: then the system's is used, if the tag allows it."""
    if choice == "system" or any(
        compiler_runtimes.runtime_of(posixpath.basename(path)) == runtime for path in search.candidates
    ):
        return ""
    return "; the solution has no copy of it: name its conda package, too"


def _is_of(link: Resolved, rules: resolve.Rules, runtime: str) -> bool:
    """Whether a needed library is a runtime about which there is something to choose: not macOS's own by its path."""
    system = platforms.of(rules.target.system)
    return compiler_runtimes.runtime_of(link.needed) == runtime and system.why_system(link.needed) is None


def _taken(search: reach.Search, reached: reach.Reached, rules: resolve.Rules, runtime: str) -> frozenset[str]:
    """Return the symbols that the reached files take from a runtime."""
    return frozenset(
        symbol
        for path, links in reached.links.items()
        for link in links
        if _is_of(link, rules, runtime) and compiler_runtimes.runtime_of(path) != runtime
        for symbol in binary_edits.taken(search.candidates[path].source.read_bytes(), link.needed)
    )


def _demands(search: reach.Search, reached: reach.Reached, rules: resolve.Rules, runtime: str) -> frozenset[str] | None:
    """Return the symbol versions that the reached files demand of a runtime, or None if none of them needs it."""
    needing = [
        search.facts[search.real(path)]
        for path, links in reached.links.items()
        if any(_is_of(link, rules, runtime) for link in links) and compiler_runtimes.runtime_of(path) != runtime
    ]
    if not needing:
        return None
    demanded = (each for binary in needing for each in binary.requires)
    return frozenset(
        v for each in demanded if compiler_runtimes.runtime_of(each.library) == runtime for v in each.versions
    )


def _floor(
    search: reach.Search, reached: reach.Reached, target: Target, environment: Environment, config: Config
) -> tuple[int, int]:
    """Return the system that the wheel needs whatever becomes of its runtimes, or the one of the tag asked for."""
    if target.tag and target.floor:
        return target.floor
    paths = [path for path in reached.links if compiler_runtimes.runtime_of(path) is None]
    owners = {search.candidates[path].package for path in reached.reasons}
    # A runtime that may yet leave must not raise the floor that decides whether it does.
    owners -= {search.candidates[path].package for path in reached.links if compiler_runtimes.runtime_of(path)}
    stated = [package for package in environment.packages if package.name in owners]
    return _highest([search.facts[search.real(path)] for path in paths], stated, target, config)


def _highest(
    binaries: Iterable[Binary], packages: Iterable[Package], target: Target, config: Config
) -> tuple[int, int]:
    """Return the system that binaries need, or that the records of their packages ask for, where these count."""
    floor = platforms.of(target.system).floor_of(binaries, target.arch)
    if config.link.floor == "symbols":
        return floor
    bounds = (resolve.stated_floor(package, platforms.facts(target).virtual) for package in packages)
    return max([floor, *filter(None, bounds)])


def _floor_of_copy(
    search: reach.Search, rules: resolve.Rules, runtime: str, environment: Environment, config: Config
) -> tuple[int, int]:
    """Return the system that a copy of a runtime in the wheel would need."""
    reached = search.run(replace(rules, runtimes={**(rules.runtimes or {}), runtime: "bundle"}))
    paths = [path for path in reached.links if compiler_runtimes.runtime_of(path) == runtime]
    owners = {search.candidates[path].package for path in paths}
    stated = [package for package in environment.packages if package.name in owners]
    return _highest([search.facts[search.real(path)] for path in paths], stated, rules.target, config)


def refuse_two_openmp(reached: reach.Reached, candidates: Mapping[str, File]) -> None:
    """Raise ContentError where two OpenMP runtimes would be in one wheel."""
    found = {
        posixpath.basename(path).partition(".")[0]: path
        for path in reached.links
        if globs.matches_library(posixpath.basename(path).lower(), compiler_runtimes.OPENMP)
    }
    if len(found) > 1:
        raise ContentError(
            Problem(
                where=", ".join(f"{path} ({candidates[path].package})" for path in sorted(found.values())),
                what="two OpenMP runtimes in one wheel crash or deadlock the process that loads both",
                hint='narrow the solve with constraints so that one remains, e.g. ["_openmp_mutex * *_gnu"]',
            )
        )
