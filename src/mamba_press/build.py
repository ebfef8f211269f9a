"""The hooks of PEP 517 and PEP 660: ``build-backend = "mamba_press.build"``.

Nothing of ours is imported at the top: front ends start a process for every hook, and most hooks need little.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

Settings = Mapping[str, object] | None


@contextmanager
def _hook(settings: Settings) -> Iterator[None]:
    """Say why a hook has no result, where it imports too; the front end chooses its own exit code."""
    try:
        from mamba_press import interrupts

        with interrupts.caught():
            from mamba_press import error_boundary

            with error_boundary.hook(settings, os.environ):
                yield
    except KeyboardInterrupt as ended:
        from mamba_press import interrupts

        raise SystemExit(interrupts.told(ended)) from None
    except OSError as error:  # where not even the modules of the boundary can be opened
        if error.errno != errno.EMFILE:
            raise
        what = f"{error.filename}: {error.strerror}\n  raise the number of files that a process may open (ulimit -n)"
        raise SystemExit(f"mamba-press: the wheel cannot be written\n- {what}") from None


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """https://peps.python.org/pep-0517/#get-requires-for-build-wheel; reads the configuration, solves nothing."""
    with _hook(config_settings):
        from mamba_press.pipeline import requires

        return requires.requirements(config_settings, environ=os.environ)


def get_requires_for_build_sdist(config_settings: Settings = None) -> list[str]:
    """https://peps.python.org/pep-0517/#get-requires-for-build-sdist; an sdist holds the solve, so it needs one."""
    with _hook(config_settings):
        from mamba_press.pipeline import requires

        return requires.requirements(config_settings, environ=os.environ, state="sdist")


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """https://peps.python.org/pep-0660/#get-requires-for-build-editable"""
    with _hook(config_settings):
        from mamba_press.pipeline import requires

        return requires.requirements(config_settings, environ=os.environ, state="editable")


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings = None) -> str:
    """https://peps.python.org/pep-0517/#prepare-metadata-for-build-wheel; `build_wheel` goes on from there."""
    with _hook(config_settings):
        from mamba_press.pipeline import hooks

        return hooks.metadata(metadata_directory, config_settings, environ=os.environ)


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """https://peps.python.org/pep-0517/#build-wheel"""
    with _hook(config_settings):
        from mamba_press.pipeline import hooks

        return hooks.wheel(wheel_directory, config_settings, metadata_directory, environ=os.environ)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """https://peps.python.org/pep-0517/#build-sdist"""
    with _hook(config_settings):
        from mamba_press.pipeline import hooks

        return hooks.sdist(sdist_directory, config_settings, environ=os.environ)


def prepare_metadata_for_build_editable(metadata_directory: str, config_settings: Settings = None) -> str:
    """https://peps.python.org/pep-0660/#prepare-metadata-for-build-editable"""
    with _hook(config_settings):
        from mamba_press.pipeline import hooks

        return hooks.metadata(metadata_directory, config_settings, environ=os.environ, state="metadata_editable")


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """https://peps.python.org/pep-0660/#build-editable; a project without code of its own has nothing to edit."""
    with _hook(config_settings):
        from mamba_press.pipeline import hooks

        return hooks.wheel(wheel_directory, config_settings, metadata_directory, environ=os.environ, state="editable")
