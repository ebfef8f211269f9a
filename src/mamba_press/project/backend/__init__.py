"""The inner backend: whatever builds the project's own code, called as a front end would call it.

Each of its hooks runs in a process of its own, on the interpreter that builds, in the project's folder.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mamba_press import interrupts, log
from mamba_press.errors import BuildError, ConfigError, Problem, Setting

if TYPE_CHECKING:
    from pyproject_hooks import BuildBackendHookCaller

    from mamba_press.config.model import Config
    from mamba_press.project.backend.environment import Place
    from mamba_press.types import OwnFiles, Target

KEY = Setting("build-backend")
KEEP = "MAMBA_PRESS_KEEP"
"""The variable that lets the temporary folder of a build that fails stay."""


class AbsentError(Exception):
    """The inner backend does not have the hook."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """An inner backend as the configuration names it, and what it is told."""

    name: str
    root: Path
    path: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)


def of(config: Config, root: Path) -> Backend | None:
    """Return the project's inner backend, if it has one."""
    if config.build_backend is None:
        return None
    return Backend(name=config.build_backend, root=root, path=config.backend_path, settings=config.config_settings)


def require(backend: Backend, what: str, environ: Mapping[str, str]) -> None:
    """Raise ConfigError where the inner backend is not there, BuildError where it has no hook for ``what``.

    It is imported for that, without the packages of the prefix: what else goes wrong then is left to the build.
    """
    hook = f"build_{what}"
    try:
        with _caller(backend, environ, subprocess.PIPE, below=hook) as caller:
            caller._supported_features()  # noqa: SLF001 -- nothing else only imports; pip calls it, too
    except subprocess.CalledProcessError as error:
        kind, said = _ended((error.stderr or b"").decode(errors="replace"))
        if kind == "AttributeError":
            if hook in said:
                raise BuildError(_no_hook(backend, what)) from None
            raise ConfigError(_no_backend(backend, said)) from None


def requires(backend: Backend, kind: str, environ: Mapping[str, str]) -> list[str]:
    """Return what the inner backend needs beyond `[build-system] requires` to build a ``kind`` (wheel, sdist, …)."""
    try:
        found = call(backend, f"get_requires_for_build_{kind}", environ)
    except BuildError:
        with suppress(BuildError):
            require(backend, kind, environ)  # an object that its module does not have is the configuration's mistake
        raise
    return [str(each) for each in found] if isinstance(found, (list, tuple)) else []


def make(backend: Backend, what: str, place: Place, environ: Mapping[str, str]) -> Path:
    """Let the inner backend make its ``wheel``, its ``editable`` wheel or its ``sdist``; return the file's path.

    Raises BuildError also where it has no such hook.
    """
    from mamba_press.project.backend import environment

    folder = place.work / what
    folder.mkdir(parents=True)
    log.step(f"building with {backend.name}")
    try:
        name = call(backend, f"build_{what}", environment.environment(environ, place), str(folder))
    except AbsentError:
        raise BuildError(_no_hook(backend, what)) from None
    if isinstance(name, str) and name and (folder / name).is_file():
        return folder / name  # a full path remains one: PEP 517 asks for a name, and front ends take both
    raise BuildError(Problem(where=backend.name, what=f"says that it wrote {name!r}, which does not exist"))


def prepare(backend: Backend, what: str, place: Place, environ: Mapping[str, str]) -> Path:
    """Let the inner backend prepare the metadata of a wheel; return the ``.dist-info``; raises AbsentError."""
    from mamba_press.project.backend import environment

    folder = place.work / f"metadata-{what}"
    folder.mkdir(parents=True)
    around = environment.environment(environ, place)
    name = call(backend, f"prepare_metadata_for_build_{what}", around, str(folder))
    if isinstance(name, str) and name and (folder / name / "METADATA").is_file():
        return folder / name
    raise BuildError(Problem(where=backend.name, what=f"says that it prepared {name!r}, which is not there"))


def unpack(path: Path, folder: Path, target: Target, *, root: Path | None = None) -> OwnFiles:
    """Return what is in an inner backend's wheel, unpacked into ``folder``; raises BuildError for one that is wrong.

    Search paths of binaries that lead to this machine are removed, and ``root`` from what describes the wheel.
    """
    from mamba_press.project.backend import wheel as backend_wheel

    return backend_wheel.unpack(path, folder, target, root)


def call(backend: Backend, hook: str, environ: Mapping[str, str], *folder: str) -> object:
    """Return what a hook of the inner backend returns, given the ``folder`` for what it makes; prints go to stderr.

    Raises AbsentError where the backend has no such hook, ConfigError where there is no such backend, BuildError where
    the hook fails.
    """
    from pyproject_hooks import HookMissing, UnsupportedOperation

    options = {"_allow_fallback": False} if hook.startswith("prepare_") else {}
    try:
        with _caller(backend, environ, sys.__stderr__) as caller:
            return getattr(caller, hook)(*folder, dict(backend.settings) or None, **options)
    except HookMissing:
        raise AbsentError from None
    except UnsupportedOperation as error:
        what = f"the inner backend cannot do that here: {_ended(error.traceback)[1]}"
        raise BuildError(Problem(where=f"{backend.name}.{hook}", what=what)) from None
    except subprocess.CalledProcessError as error:
        raise BuildError(_failed(backend, hook, error.returncode, is_kept=bool(environ.get(KEEP)))) from None


@contextmanager
def _caller(
    backend: Backend, environ: Mapping[str, str], said: TextIO | int | None, *, below: str = ""
) -> Iterator[BuildBackendHookCaller]:
    """Give what calls the hooks of the inner backend, or of what it has ``below``; ``said`` is where prints go.

    Raises ConfigError where it cannot be imported, CalledProcessError where it ends without an answer.
    """
    import warnings

    from pyproject_hooks import BackendUnavailable, BuildBackendHookCaller

    # What a front end tells the hook that runs now is not for the inner backend.
    around = {key: value for key, value in environ.items() if not key.startswith("_PYPROJECT_HOOKS_")}

    def run(cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
        env = {**around, **(extra_environ or {})}
        with interrupts.released():
            subprocess.run(cmd, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=True)

    name = f"{backend.name}{'.' if ':' in backend.name else ':'}{below}" if below else backend.name
    try:
        with interrupts.held(), warnings.catch_warnings():  # the folder of the hook's answer is removed in any case
            warnings.simplefilter("ignore" if below else "always")  # the inner backend's own, which are only shown
            yield BuildBackendHookCaller(str(backend.root), name, backend.path, runner=run)
    except BackendUnavailable as error:
        raise ConfigError(_no_backend(backend, _ended(error.traceback)[1])) from None
    except FileNotFoundError:
        raise subprocess.CalledProcessError(0, name) from None


def _ended(text: str) -> tuple[str, str]:
    """Return the kind of the exception that a traceback ends with, and what it says."""
    end = re.search(r"^\S.*", text.rpartition("Traceback (most recent call last):\n")[2], re.MULTILINE | re.DOTALL)
    kind, _, said = end[0].strip().partition(": ") if end else ("", "", "")
    return kind, said or kind


def _failed(backend: Backend, hook: str, code: int, *, is_kept: bool) -> Problem:
    how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return Problem(
        where=f"{backend.name}.{hook}",
        what=f"the inner backend {how}; what it said stands above",
        hint="" if is_kept else f"to look at the native prefix and at what was built so far, build with {KEEP}=1",
    )


def _no_backend(backend: Backend, said: str) -> Problem:
    """Return what is wrong with a backend that cannot be imported; without a word it is not in ``backend-path``."""
    package = backend.name.partition(":")[0].partition(".")[0]
    text = said or f"No module named {package!r} in backend-path"
    hint = f"name the package that has {package} in [build-system] requires, beside mamba-press\n"
    hint += "install it, too, where nothing installs what stands there: for this command, or without isolation"
    gone = [folder for folder in backend.path if not (backend.root / folder).is_dir()]
    if gone:
        hint = f"backend-path names {gone[0]!r}, which is no folder of the project"
    elif backend.path:
        hint = f"{package} has to lie in a folder of backend-path, and what it imports in one, too, "
        hint += "or in a package that [build-system] requires names"
    else:
        hint += "\nfor a backend of the project itself, set backend-path"
    return Problem(where=KEY, what=f"{backend.name!r} cannot be imported: {text}", hint=hint)


def _no_hook(backend: Backend, kind: str) -> Problem:
    way_out = "install the project without -e, or choose a backend that has build_editable (PEP 660)"
    hint = way_out if kind == "editable" else ""
    return Problem(where=f"{backend.name}.build_{kind}", what="the inner backend has no such hook", hint=hint)
