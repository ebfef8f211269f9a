"""The Python packages that stay out of a wheel, and how PyPI calls them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from mamba_press.metadata import installed as of_installed

if TYPE_CHECKING:
    from mamba_press.config.model import Config
    from mamba_press.types import Environment, Package, Solution, Spec

_METADATA = re.compile(r"(?:.*/)?site-packages/([^/]+\.(?:dist-info|egg-info))(?:/.*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """A Python package that stays out of the wheel, and which of the wheel's packages want or limit which versions."""

    package: Package
    by: tuple[tuple[str, Spec], ...]
    constrained: tuple[tuple[str, Spec], ...] = ()


def needs(solution: Solution, stays: Collection[Package], config: Config) -> tuple[Need, ...]:
    """Return the Python packages outside the wheel that a package of the wheel depends on, sorted by name.

    With ``requires-constrains``, what the records constrain of these counts too.
    """
    by_name = {package.name: package for package in solution.packages}
    inside = {package.name for package in stays}
    by: dict[str, list[tuple[str, Spec]]] = {}
    constrained: dict[str, list[tuple[str, Spec]]] = {}
    for owner in sorted(stays, key=lambda package: package.name):
        for each in owner.depends:
            package = by_name.get(each.name)
            if package is not None and each.name not in inside and package.is_python and each.name != "python":
                by.setdefault(each.name, []).append((owner.name, each))
        for each in owner.constrains if config.requires_constrains else ():
            constrained.setdefault(each.name, []).append((owner.name, each))
    return tuple(
        Need(package=by_name[name], by=tuple(by[name]), constrained=tuple(constrained.get(name, ())))
        for name in sorted(by)
    )


def overridden(config: Config) -> frozenset[str]:
    """Return the conda packages whose requirement the project states: nobody has to find out their PyPI name."""
    return frozenset(name.lower() for name in config.requires)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What could be learnt of a package that stays out: its metadata folders, or why that is not known."""

    folders: Sequence[str] = ()
    files: int = 0
    problem: str = ""


def contents(environment: Environment) -> dict[str, Contents]:
    """Return the contents of every package of an environment."""
    found = {}
    for package in environment.packages:
        paths = [file.path for file in environment.files if file.package == package.name]
        folders = {place[1] for path in paths if (place := _METADATA.fullmatch(path))}
        found[package.name] = Contents(folders=sorted(folders), files=len(paths))
    return found


def pypi_name(package: Package, contents: Mapping[str, Contents], solution: Solution) -> str | None:
    """Return how PyPI calls a conda package; "" is what PyPI need not have, None what nobody knows.

    Asked are the package's own metadata, for a package without files one it depends on that is called alike on PyPI,
    and the table of names.
    """
    known = contents.get(package.name, Contents())
    table = named()
    if table.get(package.name) == "":
        return ""
    if name := of_installed.name_of(known.folders, package.name):
        return name
    if not known.folders and not known.files and not known.problem:
        depends = {each.name for each in package.depends}
        for other in solution.packages:
            if other.name in depends and other.name != package.name:
                name = of_installed.name_of(contents.get(other.name, Contents()).folders, other.name)
                name = name or table.get(other.name)
                if name and canonicalize_name(name) == canonicalize_name(package.name):
                    return name
    return table.get(package.name)


def names(needed: Iterable[Need], contents: Mapping[str, Contents], solution: Solution) -> dict[str, str | None]:
    """Return `pypi_name` of every needed package, by conda name."""
    return {need.package.name: pypi_name(need.package, contents, solution) for need in needed}


def asked(needed: Iterable[Need], solution: Solution, config: Config) -> frozenset[str]:
    """Return the packages whose contents `pypi_name` may have to know."""
    names = {need.package.name for need in needed} - overridden(config)
    depends = {
        each.name
        for need in needed
        if need.package.name in names
        for each in need.package.depends
        if _alike(each.name, need.package.name)
    }
    there = {package.name for package in solution.packages if package.is_python and package.name != "python"}
    return frozenset(name for name in (names | depends) & there if named().get(name) != "")


def _alike(one: str, other: str) -> bool:
    """Whether a package may be the body of a package without files: typing_extensions, matplotlib-base."""
    first, second = canonicalize_name(one), canonicalize_name(other)
    return first == second or first.startswith(f"{second}-") or canonicalize_name(named().get(one, "")) == second


@cache
def named() -> Mapping[str, str]:
    """Return PyPI's names of conda packages that are called otherwise; "" is for what PyPI has no use for."""
    table: dict[str, str] = json.loads(
        Path(__file__).parents[2].joinpath("data").joinpath("pypi_names.json").read_text("utf-8")
    )
    return table
