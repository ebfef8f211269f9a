"""Install a wheelhouse into an interpreter's environment: with its pip, or with uv, from the wheels alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import atomic, platforms
from mamba_press.audit import smoke_test
from mamba_press.errors import ConfigError, HouseError, Problem
from mamba_press.pipeline import build
from mamba_press.platforms.target import arch
from mamba_press.wheel import wheelhouse

if TYPE_CHECKING:
    from mamba_press.wheel.wheelhouse import Manifest

_FACTS = """
import json, os, platform, subprocess, sys, sysconfig
libc = ""
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, OSError, ValueError):
    pass
macos = platform.mac_ver()[0]
if macos.startswith("10.16"):  # what old builds of Python are told of every later macOS, unless they say this
    ask = [sys.executable, "-sS", "-c", "import platform; print(platform.mac_ver()[0])"]
    macos = subprocess.check_output(ask, env={"SYSTEM_VERSION_COMPAT": "0"}).decode().strip()
print(json.dumps({
    "version": "%d.%d" % sys.version_info[:2] + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""),
    "implementation": sys.implementation.name,
    "platform": sysconfig.get_platform(),
    "floor": macos if sys.platform == "darwin" else libc.rpartition(" ")[2],
}))
"""
"""Runs in any Python 3."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where to install: an interpreter, and a folder or a prefix other than its own environment, or None."""

    python: str
    target: Path | None = None
    prefix: Path | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """The same as options that pip and uv share."""
        folders = (("--target", self.target), ("--prefix", self.prefix))
        return tuple(word for option, path in folders if path for word in (option, str(path.absolute())))


def install(path: Path, place: Place) -> Manifest:
    """Install all wheels of a house, a file or a folder, and return its manifest; nothing is asked of an index.

    Every wheel is held to the manifest's hash, and by the installer once more to the same one. Raises HouseError for a
    house that is not as it was made, that `mamba-press wheelhouse validate` finds something wrong with, or that the
    installer refuses, ConfigError for an interpreter that it is not for.
    """
    require_fit(wheelhouse.read(path), facts(place.python), str(path))
    command = _installer(place.python)
    with atomic.temporary() as folder:
        manifest = unpack(path, folder)
        wanted = folder / "requirements.txt"
        lines = [f"{row.name}=={row.version} --hash=sha256:{row.sha256}\n" for row in manifest.wheels]
        wanted.write_text("".join(lines), "utf-8")
        offline = ["--no-index", "--no-deps", "--require-hashes", "--find-links", str(folder), "-r", str(wanted)]
        done = subprocess.run(
            [*command, *offline, *place.options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        what = f"{' '.join(command)} refuses it:\n{(done.stderr.strip() or done.stdout.strip())[-2000:]}"
        raise HouseError(Problem(where=str(path), what=what))
    return manifest


def unpack(path: Path, folder: Path) -> Manifest:
    """Unpack a house into an empty folder; raises HouseError also for what is wrong with its wheels."""
    manifest = wheelhouse.unpack(path, folder)
    wheels = [folder / row.file for row in manifest.wheels]
    build.require_together(wheels, manifest.elsewhere, failure=HouseError)
    return manifest


def require_fit(manifest: Manifest, facts: Mapping[str, str], where: str) -> None:
    """Raise ConfigError with everything in which an interpreter is another one than the house was made for."""
    found = []
    if facts["version"] not in manifest.pythons or facts["implementation"] != "cpython":
        is_other = "" if facts["implementation"] == "cpython" else f"{facts['implementation']} "
        found.append(f"is for CPython {', '.join(manifest.pythons)}; this is {is_other}{facts['version']}")
    made = platforms.of_subdir(manifest.subdir)
    platform = facts["platform"].split("-")
    if made is None or platform[0] != made.sysconfig or platform[-1] not in (arch(manifest.subdir), "universal2"):
        found.append(f"is for {manifest.subdir}; this is {facts['platform']}")
    elif manifest.floor and _numbers(facts["floor"]) < _numbers(manifest.floor):
        found.append(
            f"needs {made.versioned} {manifest.floor}; this machine has {facts['floor'] or 'another C library'}"
        )
    if found:
        hint = "name another interpreter with --python, or make a wheelhouse for this one"
        raise ConfigError(*(Problem(where=where, what=what, hint=hint) for what in found))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def facts(python: str) -> dict[str, str]:
    """Return what an interpreter says of itself and of its machine."""
    try:
        done = subprocess.run([python, "-I", "-c", _FACTS], capture_output=True, text=True, check=False)
        found: dict[str, str] = json.loads(done.stdout)
    except (OSError, ValueError) as error:
        said = error if isinstance(error, OSError) else done.stderr.strip()[-500:] or "it says nothing of itself"
        raise ConfigError(Problem(where="--python", what=f"{python} is no working Python: {said}")) from None
    return found


def _installer(python: str) -> Sequence[str]:
    """Return the command that installs for an interpreter: its own pip, else uv."""
    own = [python, "-I", "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True, check=False).returncode == 0:
        return [*own, "install", "--disable-pip-version-check"]
    uv = smoke_test.uv()
    if uv:
        return [*uv, "pip", "install", "--python", python]
    hint = f"{python} -m ensurepip, or install uv"
    raise ConfigError(Problem(where="--python", what=f"{python} has no pip, and there is no uv", hint=hint))


def interpreter(asked: str | None, environ: Mapping[str, str]) -> str:
    """Return the path of the interpreter asked for, else the active virtual environment's, else the running one."""
    if asked is None and (active := environ.get("VIRTUAL_ENV")):
        inside = smoke_test.python_of(Path(active))
        return str(inside) if inside.exists() else sys.executable
    return (
        str(Path(asked).absolute()) if asked and "/" in asked and shutil.which(asked) else smoke_test.interpreter(asked)
    )
