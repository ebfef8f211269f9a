"""Install a finished wheel into a fresh environment, import its modules, and see which libraries come from where."""

from __future__ import annotations

import importlib.util
import json
import os
import posixpath
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import atomic
from mamba_press.audit.contents import is_shared, parse_name, shown
from mamba_press.errors import ConfigError, Problem
from mamba_press.wheel import read
from mamba_press.wheel.zip_format import Damage

if TYPE_CHECKING:
    from packaging.tags import Tag

    from mamba_press.types import Binary

PATIENCE = 300
"""Seconds that an installation, or the import of one module, may take."""

_PROBE = """
import importlib, json, os, sys, traceback
error = None
try:
    importlib.import_module(sys.argv[1])
except BaseException:
    error = traceback.format_exc().strip().splitlines()
mapped = set()
try:
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            fields = line.rstrip("\\n").split(None, 5)
            if len(fields) == 6 and fields[5].startswith("/"):
                mapped.add(fields[5])
except OSError:
    pass
with open(sys.argv[2], "w") as file:
    json.dump({"error": error, "mapped": sorted(mapped)}, file)
"""
"""Runs in any Python from 3.6 on, and ends as Python ends: a crash at exit counts."""

_WHICH = """
import sys, sysconfig
print(sys.implementation.name, sys.version_info[1], int(bool(sysconfig.get_config_var("Py_GIL_DISABLED"))))
"""

_MINOR = re.compile(r"(?:cp|py)3(\d+)\Z")
_LATEST = 20
_MODULE = re.compile(r"([^.]+)(\.py|(\.[^.]+)?\.(so|pyd))")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Environment:
    """A fresh environment: its folder, its interpreter, and the command that installs into it."""

    folder: Path
    python: Path
    install: tuple[str, ...]


def run(wheel: Path, python: str | None = None, requirements: Sequence[str] = ()) -> tuple[Problem, ...]:
    """Return what goes wrong when the wheel is installed for an interpreter and its modules are imported.

    Every top-level module is imported in a process of its own; on Linux every library that the wheel has must then
    have come from it, and every other one from the system or from Python itself. ``python`` is a path, a command or a
    version; None is one that the wheel is for. ``requirements`` are installed first, as the user's installer is set up
    to do; the wheel itself needs no index. Raises ConfigError when there is no such interpreter, or none that the wheel
    is for, or no environment can be made with it.
    """
    named = parse_name(wheel.name)
    if isinstance(named, Problem):
        return (shown(named),)
    try:
        members = read.read(wheel, read.require(wheel))
    except read.UNREADABLE as error:
        return (Problem(where=wheel.name, what=f"cannot be read as a wheel: {error}"),)
    if damaged := [each for member in members.values() for each in member.problems if isinstance(each, Damage)]:
        return tuple(map(shown, damaged))
    shared = [(path, member.binary) for path, member in members.items() if member.binary and is_shared(member)]
    libraries = frozenset(binary.name or posixpath.basename(path) for path, binary in shared)
    chosen = suitable(wheel.name, python)
    with atomic.temporary() as folder:
        environment = _environment(chosen, folder)
        if requirements:
            failed = _run([*environment.install, *requirements])
            if failed:
                return (Problem(where=", ".join(requirements), what=f"cannot be installed: {failed}"),)
        failed = _run([*environment.install, "--no-index", "--no-deps", str(wheel.resolve())])
        if failed:
            return (Problem(where=wheel.name, what=f"cannot be installed for {chosen}: {failed}"),)
        found: dict[Problem, None] = {}
        for module in modules(tuple(map(read.installed, members))):
            found.update(dict.fromkeys(_import(module, environment, libraries)))
    return tuple(found)


def modules(paths: Collection[str]) -> tuple[str, ...]:
    """Return what can be imported of a wheel: its top-level modules and packages, the topmost below a namespace."""
    packages = {path.rpartition("/")[0] for path in paths if path.rpartition("/")[2].startswith("__init__.")}
    found = set()
    for path in paths:
        *folders, name = path.split("/")
        if not all(folder.isidentifier() for folder in folders):
            continue
        match = _MODULE.fullmatch(name)
        if match and match[1].isidentifier() and match[1] != "__main__":
            tops = [i for i in range(1, len(folders) + 1) if "/".join(folders[:i]) in packages]
            found.add(".".join(folders[: tops[0]]) if tops else ".".join([*folders, match[1]]))
    return tuple(sorted(found))


def suitable(name: str, python: str | None) -> str:
    """Return the path of an interpreter for which a wheel of this name is; raises ConfigError where there is none.

    Without ``python`` the running one comes first, then those on PATH, then those that uv finds, pyenv's among them.
    """
    from packaging.tags import platform_tags
    from packaging.utils import parse_wheel_filename

    tags = parse_wheel_filename(name)[3]
    here = frozenset(platform_tags())
    platforms = sorted({tag.platform for tag in tags})
    possible = [tag for tag in tags if tag.platform == "any" or tag.platform in here]
    if not possible:
        what = f"is for {', '.join(platforms)}, and this machine is not: it cannot be imported here"
        raise ConfigError(Problem(where=name, what=what, hint="check it without --import"))
    named = ", ".join(sorted({f"{tag.interpreter}-{tag.abi}" for tag in tags}))
    if python is not None:
        path = interpreter(python)
        _version(path)  # raises for what is no Python
        if not _takes(path, possible):
            what = f"{path} does not fit: {name} is for {named}"
            hint = "give another --python, or none to have one found"
            raise ConfigError(Problem(where="--python", what=what, hint=hint))
        return path
    found = next((path for path in _candidates(possible) if _takes(path, possible)), None)
    if found is None:
        what = f"is for {named}, and there is no such Python here"
        raise ConfigError(Problem(where=name, what=what, hint="give --python the path of one"))
    return found


def _candidates(tags: Collection[Tag]) -> Iterator[str]:
    """Yield the interpreters of this machine that a wheel of these tags may be for, the nearest first."""
    yield sys.executable
    named = [(tag, int(found[1])) for tag in tags if (found := _MINOR.match(tag.interpreter))]
    wanted = sorted({(minor, "t" * tag.abi.endswith("t")) for tag, minor in named})
    later = [(minor, "") for tag, first in named if tag.abi == "abi3" for minor in range(first, _LATEST + 1)]
    tool = uv()
    for minor, threads in dict.fromkeys((*wanted, *later)):
        if path := shutil.which(f"python3.{minor}{threads}"):
            yield path
        if tool and (path := _answer([*tool, "python", "find", "--no-project", "--offline", f"3.{minor}{threads}"])):
            yield path


def _takes(path: str, tags: Collection[Tag]) -> bool:
    """Whether an interpreter loads what one of the tags says; one that is not CPython is left to its installer."""
    said = _answer([path, "-I", "-c", _WHICH]).split()
    if len(said) != 3:
        return False
    if said[0] != "cpython":
        return True
    from packaging.tags import compatible_tags, cpython_tags

    version, own, threads = (3, int(said[1])), f"cp3{said[1]}", "t" * (said[2] == "1")
    taken = (*cpython_tags(version, [own + threads], ["any"]), *compatible_tags(version, own, ["any"]))
    pairs = {(tag.interpreter, tag.abi) for tag in taken}
    return any((tag.interpreter, tag.abi) in pairs for tag in tags)


def _answer(command: Sequence[str]) -> str:
    """Return what a command says, nothing where it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def interpreter(python: str | None) -> str:
    """Return the path of an interpreter."""
    if python is None:
        return sys.executable
    path = shutil.which(python) or shutil.which(f"python{python}")
    if path is None:
        hint = "give a path, a command such as python3.12, or the version of one that is on PATH"
        raise ConfigError(Problem(where="--python", what=f"there is no interpreter {python!r}", hint=hint))
    return path


def _environment(interpreter: str, folder: Path) -> _Environment:
    """Make an empty environment, with uv where it is there: venv and pip take seconds for what uv does at once."""
    version = _version(interpreter)
    place = folder / "environment"
    python = python_of(place)
    tool = uv()
    if tool and version >= (3, 8):
        make = [*tool, "venv", "--quiet", "--no-project", "--python", interpreter, str(place)]
        install = (*tool, "pip", "install", "--quiet", "--no-cache", "--python", str(python))
    else:
        make = [interpreter, "-I", "-m", "venv", str(place)]
        install = (str(python), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    failed = _run(make)
    if failed:
        raise ConfigError(Problem(where="--python", what=f"no environment can be made for {interpreter}: {failed}"))
    return _Environment(folder=folder, python=python, install=install)


def python_of(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def uv() -> tuple[str, ...]:
    """Return the command that starts uv, nothing where it is not there."""
    if importlib.util.find_spec("uv"):
        return (sys.executable, "-m", "uv")
    path = shutil.which("uv")
    return (path,) if path else ()


def _version(interpreter: str) -> tuple[int, ...]:
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([interpreter, "-I", "-c", script], capture_output=True, text=True, check=False)
        answer, complaint = done.stdout.strip(), done.stderr.strip()
    except OSError as error:
        answer, complaint = "", str(error)
    if not re.fullmatch(r"\d+\.\d+", answer):
        raise ConfigError(Problem(where="--python", what=f"{interpreter} is no working Python: {complaint or answer}"))
    return tuple(map(int, answer.split(".")))


def _run(command: Sequence[str]) -> str:
    """Run a command to its end and return what it complained about, nothing when it went well.

    It is in a session of its own: where we end, or it takes too long, all that it has started ends with it.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            said, complaint = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"no answer for {PATIENCE} seconds"
        except BaseException:
            _end(process)
            raise
    if process.returncode == 0:
        return ""
    return (complaint.strip() or said.strip() or f"exit code {process.returncode}")[-2000:]


def _end(process: subprocess.Popen[str]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


def _import(module: str, environment: _Environment, libraries: frozenset[str]) -> Iterator[Problem]:
    """Import one module in a process of its own; yield what went wrong, and libraries that are not the wheel's."""
    answer = environment.folder / "answer.json"
    answer.unlink(missing_ok=True)
    failed = _run([str(environment.python), "-I", "-c", _PROBE, module, str(answer)])
    if not answer.exists():
        yield Problem(where=f"import {module}", what=f"ends the interpreter: {failed or 'without a word'}")
        return
    found = json.loads(answer.read_text())
    if found["error"]:
        hint = "install what it requires as well" if found["error"][-1].startswith("ModuleNotFoundError") else ""
        yield Problem(where=f"import {module}", what=found["error"][-1], hint=hint)
    elif failed:
        yield Problem(where=f"import {module}", what=f"works, but then the interpreter crashes: {failed}")
    yield from _origins(module, [Path(path) for path in found["mapped"]], environment.folder, libraries)


def _origins(module: str, mapped: Sequence[Path], folder: Path, libraries: frozenset[str]) -> Iterator[Problem]:
    """Yield the libraries that should have come from the wheel, and those that came from nowhere sensible."""
    read = {path: binary for path in mapped if path.is_file() and (binary := _read(path))}
    inside = {path for path in read if path.is_relative_to(folder)}
    loaded = {_name(path, read[path]) for path in inside}
    hosts = {name for path, binary in read.items() if path not in inside for name in binary.needed}
    for path, binary in read.items():
        name = _name(path, binary)
        if path in inside or name in loaded:
            continue
        if name in libraries and name not in hosts:
            yield Problem(where=f"import {module}", what=f"loads {path}, although the wheel has its own {name}")
        elif not (name in hosts or _is_system(name, binary) or _is_of_python(path, name, binary)):
            yield Problem(where=f"import {module}", what=f"loads {path}, which is neither the wheel's nor the system's")


def _read(path: Path) -> Binary | None:
    from mamba_press.platforms import binaries

    with suppress(OSError, binaries.Malformed):
        return binaries.read_file(path)
    return None


def _name(path: Path, binary: Binary) -> str:
    return binary.name or path.name


def _is_system(name: str, binary: Binary) -> bool:
    """Tell whether some manylinux system promises the library; one that does not say so here has no such wheel."""
    from mamba_press.platforms.linux import policy

    if policy.never_vendored(name) or binary.arch not in policy.known():
        return True
    return policy.allowed(name, binary.arch, policy.newest(binary.arch))


def _is_of_python(path: Path, name: str, binary: Binary) -> bool:
    """Tell whether a file is the interpreter or a part of its standard library."""
    return binary.kind == "program" or name.startswith("libpython") or "lib-dynload" in path.parts
