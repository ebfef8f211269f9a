"""What a build needs beside mamba-press itself: the answer to ``get_requires_for_build_wheel`` and its sisters."""

from __future__ import annotations

import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import log
from mamba_press.errors import BuildError, ConfigError, Problem
from mamba_press.pipeline import build, read_project

if TYPE_CHECKING:
    from mamba_press.config.model import Config, State

RATTLER = "py-rattler>=0.28,<0.29"
DEFLATE = "deflate>=0.8"
LIEF = "lief>=1.0"
WHEEL = "wheel>=0.42"
_DEFLATE_WHEELS = {"linux-x86_64", "linux-aarch64", "macosx-arm64", "win-amd64"}
_LIEF_WHEELS = _DEFLATE_WHEELS | {"macosx-x86_64", "win-arm64"}


def requirements(
    settings: Mapping[str, object] | None, *, environ: Mapping[str, str], state: State = "wheel"
) -> list[str]:
    """Return what this very build needs beside mamba-press; raises ConfigError for a configuration that cannot be used.

    Whether [project] keeps to all rules is left to the build: the answer would cost more than all the rest.
    """
    from mamba_press.config import pyproject_file, reader
    from mamba_press.metadata import metadata_providers
    from mamba_press.platforms import target

    root = Path.cwd()
    try:
        config = reader.read(root, settings, environ, state=state)
        chosen = target.resolve(config.python, config.platform, environ)
        if not (config.packages or config.host or config.build_backend):
            read_project.read(root, settings, environ, state)  # says if there is no code either
            return ([DEFLATE] if _has_deflate() else []) + metadata_providers.requirements(root)
    except ConfigError:
        if not pyproject_file.is_plain(root):
            read_project.read(root, settings, environ, state)  # says what is wrong with all tables at once
        raise
    wanted = [] if environ.get("MAMBA_PRESS_WORKER") else [_rattler()]
    inner = _of_inner(config, root, environ, state)
    build.refuse_warnings(config)
    others = _of_second_reader(config, target.is_here(chosen)) if state != "sdist" else []
    return [*wanted, *([DEFLATE] if _has_deflate() else []), *others, *inner]


def _of_inner(config: Config, root: Path, environ: Mapping[str, str], state: State) -> list[str]:
    """Return what providers of metadata need, or the inner backend: it is asked in a process of its own."""
    if config.build_backend is None:
        from mamba_press.metadata import metadata_providers

        return metadata_providers.requirements(root)
    from mamba_press.project import backend as project_backend

    backend = project_backend.of(config, root)
    assert backend is not None
    try:
        return project_backend.requires(backend, state, environ)
    except BuildError:
        if not config.host:
            raise
        # setuptools runs setup.py for this answer, which may want pg_config or the like of a prefix that is made later.
        log.note(
            f"{backend.name} cannot say what else it needs before its host packages are installed; the build goes on"
        )
        return []


def _rattler() -> str:
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise ConfigError(
            Problem(
                where="the interpreter that builds",
                what="is free-threaded, for which py-rattler has no wheel",
                hint="set MAMBA_PRESS_WORKER to an interpreter that has it, e.g. MAMBA_PRESS_WORKER=python3.13, "
                "or build with one and ask for this Python: -C python=3.14t",
            )
        )
    return RATTLER


def _has_deflate() -> bool:
    """Whether there is a wheel for the interpreter that builds, whatever it builds for (_PYTHON_HOST_PLATFORM)."""
    from mamba_press.platforms import target

    return target.this_machine().platform in _DEFLATE_WHEELS and not sysconfig.get_config_var("Py_GIL_DISABLED")


def _of_second_reader(config: Config, is_here: bool) -> list[str]:
    """Return what reads again what will be edited; LIEF where it has a wheel for the interpreter that builds."""
    from mamba_press.platforms import target

    if config.second_reader == "off" or (config.second_reader == "foreign" and is_here):
        return []
    machine = target.this_machine()
    is_old = machine.glibc is not None and machine.glibc < (2, 28)
    has_wheel = machine.platform in _LIEF_WHEELS and not is_old
    return [*([LIEF] if has_wheel and not (machine.python.free_threaded and machine.python.minor < 14) else []), WHEEL]
