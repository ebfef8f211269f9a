"""The native prefix, and what an inner backend builds against it.

Headers, libraries and build descriptions are installed there with the prefix's real path in their text. What goes into
the wheel is never taken from it, but from the environment with the neutral prefix, which has the same packages.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import conda, inner, target
from mamba_press.inner import surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mamba_press.config import Config
    from mamba_press.types import Own, Solution, Target

_LENGTH = 100
"""How long the path of a native prefix is made: search paths that compilers write take their place in a binary."""


def assumed(wanted: Target) -> Target:
    """Return what a solve for a native prefix may count on: what is built there has to run on this machine as well."""
    glibc = target.this_machine().glibc
    if wanted.system != "linux" or glibc is None:
        return wanted
    return replace(wanted, floor=min(wanted.floor or glibc, glibc))


def build(config: Config, solution: Solution, *, root: Path, workdir: Path, environ: Mapping[str, str]) -> Own:
    """Let the inner backend of the project in ``root`` build, and return what it built, unpacked in ``workdir``."""
    backend = inner.of(config, root)
    assert backend is not None
    host = workdir / "host".ljust(_LENGTH - len(str(workdir)) - 1, "_")
    conda.install(solution, names(solution, config), host, config=config, environ=environ)
    place = replace(_place(solution, root, workdir), host=host if host.is_dir() else None)
    place = replace(place, build=_tools(config, workdir, root, environ))
    made = inner.wheel(backend, place, environ)
    return inner.unpack(made, workdir / "built", solution.target, private=workdir, root=root)


def names(solution: Solution, config: Config) -> frozenset[str]:
    """Return the packages of a native prefix: no Python, and of Python packages those that the project names."""
    asked = {conda.spec_name(spec) for spec in (*config.packages, *config.host)}
    return frozenset(
        package.name for package in solution.packages if not package.is_python or package.name in asked
    ) - {"python", "python_abi"}


def _place(solution: Solution, root: Path, workdir: Path) -> surroundings.Place:
    programs, sites = surroundings.isolated()
    work = workdir / "work"
    work.mkdir()
    return surroundings.Place(
        system=solution.target.system, root=root.resolve(), work=work, programs=programs, sites=sites
    )


def _tools(config: Config, workdir: Path, root: Path, environ: Mapping[str, str]) -> Path | None:
    """Install the compilers and tools that the configuration asks for, solved for the machine that builds."""
    if not config.build:
        return None
    machine = target.resolve(None, None, {})
    found = conda.solve(
        replace(config, packages=config.build, host=(), constraints=()),
        machine,
        conda.channel_urls(config.channels, root),
        virtual=target.virtual_packages(machine, environ),
        environ=environ,
    )
    folder = workdir / "tools"
    conda.install(found, {package.name for package in found.packages}, folder, config=config, environ=environ)
    return folder
