"""Which packages may have a file in the wheel, and which leave by their record alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from mamba_press import globs
from mamba_press.conda.match_specs import spec_name, twin
from mamba_press.errors import ConfigError, ContentError, Problem, Setting
from mamba_press.types import Dropped, Package, Reason, Solution

if TYPE_CHECKING:
    from mamba_press.config.model import Config

_PYTHON = ("python", "python_abi")
_SITE_PACKAGES = re.compile(r"lib/python3\.\d+t?/site-packages|Lib/site-packages")


def select(solution: Solution, config: Config) -> tuple[tuple[Package, ...], tuple[Dropped, ...]]:
    """Return the packages that may have a file in the wheel, and those that leave by their record alone.

    The closure of the requested packages and of ``host`` over the channel's ``depends``, not passing through a Python
    package that nobody asked for, through ``python`` itself, or through what ``select.prune`` names.
    """
    by_name = {package.name: package for package in solution.packages}
    pruned = {name for name in by_name if globs.matches(name, config.select.prune)}
    alone = {name for name in by_name if globs.matches(name, config.select.prune_alone)} - pruned
    _check_names(config, by_name)
    _refuse_python(by_name)
    _refuse_other_places(by_name)
    asked = [name for name, package in by_name.items() if package.requested]
    stays = closure([*asked, *map(spec_name, config.host)], {n: p for n, p in by_name.items() if n not in pruned})
    named = {**dict.fromkeys(alone, "select.prune-alone"), **dict.fromkeys(pruned, "select.prune")}
    dropped = tuple(
        Dropped(package=name, path=None, size=package.size or 0, why=_why_gone(package, named.get(name)))
        for name, package in sorted(by_name.items())
        if name not in stays or name in alone
    )
    return tuple(stays[name] for name in sorted(stays.keys() - alone)), dropped


def vendored(solution: Solution, config: Config) -> Solution:
    """Return the solution in which the Python packages of ``select.python-packages`` are requested ones too.

    Only those that the packages asked for need, perhaps through one another; and the other half of what was asked for,
    in any case (`twin`).
    """
    by_name = {package.name: package for package in solution.packages}
    stays = {name: package for name, package in by_name.items() if not globs.matches(name, config.select.prune)}
    asked = [package for package in by_name.values() if package.requested]
    reached = closure(
        [package.name for package in asked], stays, lambda each: _passes(each) or _is_vendored(each, config)
    )
    named = {name for name in reached if _is_vendored(by_name[name], config)}
    named |= {half.name for package in asked if (half := twin(package, by_name)) and half.name in stays}
    packages = (replace(package, requested=True) if package.name in named else package for package in solution.packages)
    return replace(solution, packages=tuple(packages))


def _is_vendored(package: Package, config: Config) -> bool:
    if not package.is_python or package.name in _PYTHON:
        return False
    asked, alone = config.select.python_packages, config.select.prune_alone
    return bool(globs.matches(package.name, asked)) and not globs.matches(package.name, alone)


def _passes(package: Package) -> bool:
    return package.requested or not (package.is_python or package.name in _PYTHON)


def closure(
    names: Iterable[str], by_name: Mapping[str, Package], passes: Callable[[Package], bool] = _passes
) -> dict[str, Package]:
    """Return the packages that are reached from some by what the records of those that pass depend on."""
    found: dict[str, Package] = {}
    todo = sorted(names)
    while todo:
        name = todo.pop()
        package = by_name.get(name)
        if package is not None and name not in found and passes(package):
            found[name] = package
            todo.extend(spec.name for spec in package.depends)
    return found


def _why_gone(package: Package, key: str | None) -> Reason:
    if key:
        return Reason("rule", f"{key} names it")
    if package.name in _PYTHON:
        return Reason("rule", "Python is not vendored")
    if package.is_python:
        return Reason("rule", "a Python package that nobody asked for")
    return Reason("rule", "only needed by packages that leave")


def _refuse_python(by_name: Mapping[str, Package]) -> None:
    ConfigError.raise_for(
        Problem(
            where=Setting("packages"),
            what=f"names {name}: a wheel is installed into a Python and cannot bring one",
            hint='say which Python to press for with python = "3.12"',
        )
        for name in _PYTHON
        if name in by_name and by_name[name].requested
    )


def _refuse_other_places(by_name: Mapping[str, Package]) -> None:
    """Refuse a Python that has its packages in a folder of its own choice (CEP 17): nothing there would be found."""
    python = by_name.get("python")
    if python is not None and python.site_packages and not _SITE_PACKAGES.fullmatch(python.site_packages):
        raise ContentError(
            Problem(
                where=str(python),
                what=f"has its packages in {python.site_packages!r}, where mamba-press does not look for them",
                hint='choose a build of Python that has them in the usual place: constraints = ["python * …"]',
            )
        )


def _check_names(config: Config, by_name: Mapping[str, Package]) -> None:
    problems: list[Problem] = []
    select = config.select
    for key, names in (("prune", select.prune), ("prune-alone", select.prune_alone)):
        where = Setting(f"select.{key}")
        problems += [_unknown(where, glob, by_name) for glob in names if not _any(by_name, glob)]
        problems += [
            Problem(where=where, what=f"{name} is both in packages and pruned", hint="remove one")
            for name, package in sorted(by_name.items())
            if package.requested and globs.matches(name, names)
        ]
    pythons = [name for name, package in by_name.items() if package.is_python]
    problems += [
        _unknown(Setting("select.python-packages"), glob, pythons, "Python package")
        for glob in select.python_packages
        if glob != "*" and not _any(pythons, glob)
    ]
    ConfigError.raise_for(problems)


def _any(names: Iterable[str], glob: str) -> bool:
    return any(globs.matches(name, (glob,)) for name in names)


def _unknown(where: Setting, glob: str, names: Iterable[str], kind: str = "package") -> Problem:
    hint = f"the solution has: {', '.join(sorted(names)) or 'none'}"
    return Problem(where=where, what=f"{glob!r} names no {kind} of the solution", hint=hint)
