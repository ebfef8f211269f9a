"""Which Python and which platform to press for: from what was asked, from the tools around us, or from this machine.

A wheel tag as platform narrows the solve: its version is what the packages may count on. A bare conda subdir does
not: the newest version known is used, and the tag is computed from what was pressed.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Mapping

from mamba_press import platforms
from mamba_press.errors import ConfigError, Problem, Setting
from mamba_press.machine import Python, Target, VirtualPackage
from mamba_press.platforms.choose_platform import PLATFORMS, Machine, Place, RefusedError, because, choose_place

_PYTHON, _PLATFORM = Setting("python"), Setting("platform")

_OLDEST_MINOR = 6
_FIRST_FREE_THREADED = 13

# How conda names the oldest machine of a platform, as in the specs `__archspec 1 x86_64`.
_ARCHSPECS = {"osx-arm64": "m1", "win-64": "x86_64", "win-arm64": "aarch64"}

# The kernel of the oldest long-lived distribution that has this glibc or a newer one (RHEL 6, 7, 8, 9): a wheel tag
# says nothing about the kernel, and a package that needs a newer one than these should not be chosen by accident.
_KERNELS = (((2, 34), "5.14"), ((2, 28), "4.18"), ((2, 17), "3.10"), ((0, 0), "2.6.32"))


def resolve(
    python: str | None, platform: str | None, hints: Mapping[str, str], running: Machine | None = None
) -> Target:
    """Return what to press for; ``hints`` are the environment variables, ``running`` defaults to this machine.

    Raises :class:`ConfigError` with every problem of the Python and of the platform at once.
    """
    machine = running or this_machine()
    problems: list[Problem] = []
    chosen: Python | None = None
    place: Place | None = None
    try:
        chosen = _choose_python(python, hints, machine)
    except RefusedError as refused:
        problems.append(Problem(where=_PYTHON, what=refused.what, hint=refused.hint))
    try:
        place = choose_place(platform, hints, machine)
    except RefusedError as refused:
        problems.append(Problem(where=_PLATFORM, what=refused.what, hint=refused.hint))
    if chosen is None or place is None:
        raise ConfigError(*problems)
    return Target(
        system=place.system, arch=place.arch, subdir=place.subdir, python=chosen, floor=place.floor, tag=place.tag
    )


def foreign(wanted: Target, hints: Mapping[str, str]) -> tuple[Problem, ...]:
    """Return why an inner backend cannot build for a target: it builds for the interpreter that it runs on.

    ``hints`` may say that this machine builds for another one, as cibuildwheel does on macOS.
    """
    here, problems = this_machine(), []
    if wanted.python != here.python:
        what = f"is {wanted.python}, but the inner backend builds for the interpreter that it runs on, {here.python}"
        hint = f"build under Python {wanted.python} (uv build --python {wanted.python}; cibuildwheel does it for many)"
        problems.append(Problem(where=_PYTHON, what=what, hint=hint))
    native = resolve(None, None, {**hints, "CIBUILDWHEEL_BUILD_IDENTIFIER": ""}).subdir
    if wanted.subdir != native:
        what = f"is for {wanted.subdir}, but the inner backend builds on and for this machine, {native}"
        hint = "build on a machine of that kind: cibuildwheel has one for each"
        problems.append(Problem(where=_PLATFORM, what=what, hint=hint))
    return tuple(problems)


def is_here(wanted: Target) -> bool:
    """Whether what is pressed for a target can be loaded by what runs this, as far as system and architecture tell."""
    system = {"osx": "macosx"}.get(wanted.system, wanted.system)
    return f"{system}-{wanted.arch}" == this_machine().platform


def virtual_packages(target: Target, hints: Mapping[str, str] | None = None) -> tuple[VirtualPackage, ...]:
    """Return what a solve may assume about the target, sorted by name.

    Nothing is taken from this machine. ``__cuda`` is there only where ``CONDA_OVERRIDE_CUDA`` in ``hints`` states a
    version, as conda users know it: a wheel tag cannot say that a machine has a driver.
    """
    archspec = _ARCHSPECS.get(target.subdir, target.arch)
    packages = [VirtualPackage(name="__archspec", version="1", build=archspec)]
    facts = platforms.facts(target)
    packages.append(VirtualPackage(name="__unix" if facts.is_posix else "__win", version="0"))
    if target.floor is not None:
        packages.append(VirtualPackage(name=facts.virtual, version=".".join(map(str, target.floor))))
    if target.system == "linux":
        glibc = target.floor or (0, 0)
        kernel = next(version for since, version in _KERNELS if glibc >= since)
        packages.append(VirtualPackage(name="__linux", version=kernel))
    cuda = (hints or {}).get("CONDA_OVERRIDE_CUDA", "").strip()
    if cuda and target.system != "osx":
        if not re.fullmatch(r"\d+(\.\d+)*", cuda):
            hint = "give the version of CUDA that the driver offers, such as 12.4, or unset it"
            raise ConfigError(Problem(where="CONDA_OVERRIDE_CUDA", what=f"{cuda!r} is not a version", hint=hint))
        packages.append(VirtualPackage(name="__cuda", version=cuda))
    return tuple(sorted(packages, key=lambda package: package.name))


def marker_environment(target: Target) -> dict[str, str]:
    """Return what markers are evaluated against where the wheel is for."""
    platform, system, name = platforms.facts(target).markers
    return {
        "extra": "",
        "os_name": name,
        "sys_platform": platform,
        "platform_system": system,
        "platform_machine": {"amd64": "AMD64"}.get(target.arch, target.arch),
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "python_version": target.python.version,
        "python_full_version": f"{target.python.version}.0",
        "implementation_version": f"{target.python.version}.0",
    }


def arch(subdir: str) -> str:
    """Return the architecture of a conda subdir as tags spell it, "" for one that is not known."""
    return PLATFORMS[subdir][1] if subdir in PLATFORMS else ""


def this_machine() -> Machine:
    """Return what runs this: the only function here that looks at the interpreter and the system."""
    # On POSIX not sysconfig.get_platform(): it repeats _PYTHON_HOST_PLATFORM, which is a hint of its own.
    if sys.platform == "win32":
        platform = sysconfig.get_platform()
    else:
        system = {"darwin": "macosx"}.get(sys.platform, sys.platform)
        machine = os.uname().machine
        if sys.maxsize < 2**32:
            machine = {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine)
        platform = f"{system}-{machine}"
    return Machine(
        implementation=sys.implementation.name,
        python=Python(minor=sys.version_info[1], free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED"))),
        platform=platform,
        glibc=_running_glibc(),
    )


def _running_glibc() -> tuple[int, int] | None:
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):  # not POSIX; another C library
        return None
    found = re.match(r"glibc (\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def _choose_python(asked: str | None, hints: Mapping[str, str], machine: Machine) -> Python:
    if asked is not None:
        return _read_python(asked)
    identifier = hints.get("CIBUILDWHEEL_BUILD_IDENTIFIER", "")
    if identifier:
        with because(f"CIBUILDWHEEL_BUILD_IDENTIFIER is {identifier!r}"):
            return _read_python(identifier.partition("-")[0])
    if machine.implementation != "cpython":
        raise RefusedError(
            f"the interpreter that builds is {machine.implementation}, and conda packages are made for CPython",
            'build with CPython, or name the CPython to press for: python = "3.12"',
        )
    return _checked(machine.python, f"the interpreter that builds, {machine.python},")


def _read_python(text: str) -> Python:
    words = text.strip()
    if re.match(r"(pp|pypy|gp|graalpy|graalvm)", words, re.IGNORECASE):
        raise RefusedError(
            f"{text!r} is not CPython: conda packages of today are made for CPython only",
            "name a CPython, such as '3.12', or skip this build",
        )
    found = re.fullmatch(
        r"(?:==?|python ?==?|python ?)?(?P<major>\d{1,4})\.(?P<minor>\d{1,4})(?:\.\*|\.\d+(?:[abrc]+\d+)?)?(?P<t>t)?"
        r"(?: \*_cp3\d+(?P<build>t?)m?)?",
        words,
    ) or re.fullmatch(r"(?:cp)(?P<major>3)(?P<minor>\d{1,4})(?P<t>t|m)?(?:-cp3(?P=minor)(?P<build>t?)m?)?", words)
    if not found:
        raise RefusedError(
            f"{text!r} does not name one minor version of CPython", "write '3.12', or '3.14t' for a free-threaded one"
        )
    if int(found["major"]) != 3:
        raise RefusedError(f"Python {found['major']} is not supported", "name a CPython from 3.6 on, such as '3.12'")
    free_threaded = "t" in (found["t"], found["build"])
    return _checked(Python(minor=int(found["minor"]), free_threaded=free_threaded), repr(text))


def _checked(python: Python, words: str) -> Python:
    if python.minor < _OLDEST_MINOR:
        raise RefusedError(f"{words} is older than CPython 3.6, the oldest that is pressed for", "name a newer one")
    if python.free_threaded and python.minor < _FIRST_FREE_THREADED:
        raise RefusedError(
            f"{words}: there is no free-threaded CPython before 3.13", f"write '{python.version}', or '3.14t'"
        )
    return python
