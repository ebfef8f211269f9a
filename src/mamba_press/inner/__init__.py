"""The inner backend: whatever builds the project's own code, called as a front end would call it.

Each of its hooks runs in a process of its own, on the interpreter that builds, in the project's folder.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mamba_press import atomic, log
from mamba_press.errors import BuildError, ConfigError
from mamba_press.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mamba_press.config import Config
    from mamba_press.inner.surroundings import Place
    from mamba_press.types import Own, Target

KEY = "tool.mamba-press.build-backend"
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
    try:
        _answer(backend, f"build_{what}", None, environ, said=subprocess.DEVNULL)
    except AbsentError:
        raise BuildError(_no_hook(backend, what)) from None
    except BuildError:
        return


def requires(backend: Backend, kind: str, environ: Mapping[str, str]) -> list[str]:
    """Return what the inner backend needs beyond `[build-system] requires` to build a ``kind`` (wheel, sdist, …)."""
    try:
        found = call(backend, f"get_requires_for_build_{kind}", backend.settings, environ=environ)
    except AbsentError:
        return []
    return [str(each) for each in found] if isinstance(found, (list, tuple)) else []


def make(backend: Backend, what: str, place: Place, environ: Mapping[str, str]) -> Path:
    """Let the inner backend make its ``wheel``, its ``editable`` wheel or its ``sdist``; return the file's path.

    Raises BuildError also where it has no such hook.
    """
    from mamba_press.inner import surroundings

    folder = place.work / what
    folder.mkdir(parents=True)
    log.step(f"building with {backend.name}")
    around = surroundings.environment(environ, place)
    last = () if what == "sdist" else (None,)  # the folder of prepared metadata, which is ours
    try:
        name = call(backend, f"build_{what}", str(folder), backend.settings, *last, environ=around)
    except AbsentError:
        raise BuildError(_no_hook(backend, what)) from None
    if isinstance(name, str) and name and (folder / name).is_file():
        return folder / name  # a full path remains one: PEP 517 asks for a name, and front ends take both
    raise BuildError(Problem(where=backend.name, what=f"says that it wrote {name!r}, which does not exist"))


def prepare(backend: Backend, what: str, place: Place, environ: Mapping[str, str]) -> Path:
    """Let the inner backend prepare the metadata of a wheel; return the ``.dist-info``; raises AbsentError."""
    from mamba_press.inner import surroundings

    folder = place.work / f"metadata-{what}"
    folder.mkdir(parents=True)
    around = surroundings.environment(environ, place)
    name = call(backend, f"prepare_metadata_for_build_{what}", str(folder), backend.settings, environ=around)
    if isinstance(name, str) and name and (folder / name / "METADATA").is_file():
        return folder / name
    raise BuildError(Problem(where=backend.name, what=f"says that it prepared {name!r}, which is not there"))


def unpack(path: Path, folder: Path, target: Target, *, root: Path | None = None) -> Own:
    """Return what is in an inner backend's wheel, unpacked into ``folder``; raises BuildError for one that is wrong.

    Search paths of binaries that lead to this machine are removed, and ``root`` from what describes the wheel.
    """
    from mamba_press.inner import archive

    return archive.unpack(path, folder, target, root)


def call(backend: Backend, hook: str, *arguments: object, environ: Mapping[str, str]) -> object:
    """Return what a hook of the inner backend returns; what it prints goes to stderr.

    Raises AbsentError where the backend has no such hook, ConfigError where there is no such backend, BuildError where
    the hook fails.
    """
    return _answer(backend, hook, [_plain(each) for each in arguments], environ, said=sys.__stderr__)


def _answer(
    backend: Backend,
    hook: str,
    arguments: list[object] | None,
    environ: Mapping[str, str],
    *,
    said: TextIO | int | None,
) -> object:
    """Do what `call` does; without arguments, the hook is only looked for. ``said`` is where prints go."""
    asked = {
        "backend": backend.name,
        "path": [str(backend.root / folder) for folder in backend.path],
        "hook": hook,
        "arguments": arguments,
    }
    with atomic.temporary() as folder:
        answer = folder / "answer.json"
        script = Path(__file__).with_name("hook.py")
        done = subprocess.run(
            [sys.executable, str(script), json.dumps(asked), str(answer)],
            cwd=backend.root,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            check=False,
        )
        found: dict[str, Any] = json.loads(answer.read_text("utf-8")) if answer.is_file() else {}
    if done.returncode or not found:
        raise BuildError(_failed(backend, hook, done.returncode))
    if "no-backend" in found:
        raise ConfigError(_no_backend(backend, found["no-backend"]))
    if "no-hook" in found:
        raise AbsentError
    return found["result"]


def _plain(value: object) -> object:
    """Return settings as front ends give them: lists, and nothing for none."""
    if not hasattr(value, "items"):
        return value
    return {name: list(each) if isinstance(each, tuple) else each for name, each in value.items()} or None


def _failed(backend: Backend, hook: str, code: int) -> Problem:
    how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return Problem(
        where=f"{backend.name}.{hook}",
        what=f"the inner backend {how}; what it said stands above",
        hint=f"to look at the native prefix and at what was built so far, build with {KEEP}=1",
    )


def _no_backend(backend: Backend, text: str) -> Problem:
    package = backend.name.partition(":")[0].partition(".")[0]
    hint = f"name the package that has {package} in [build-system] requires, beside mamba-press\n"
    hint += "install it, too, where nothing installs what stands there: for this command, or without isolation"
    gone = [folder for folder in backend.path if not (backend.root / folder).is_dir()]
    if gone:
        hint = f"backend-path names {gone[0]!r}, which is no folder of the project"
    elif not backend.path:
        hint += "\nfor a backend of the project itself, set backend-path"
    return Problem(where=KEY, what=f"{backend.name!r} cannot be imported: {text}", hint=hint)


def _no_hook(backend: Backend, kind: str) -> Problem:
    hints = {"editable": "install the project without -e, or choose a backend that has build_editable (PEP 660)"}
    return Problem(
        where=f"{backend.name}.build_{kind}", what="the inner backend has no such hook", hint=hints.get(kind, "")
    )
