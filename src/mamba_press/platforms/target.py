"""Which Python and which platform to press for: from what was asked, from the tools around us, or from this machine.

A wheel tag as platform narrows the solve: its version is what the packages may count on. A bare conda subdir does
not: the newest version known is used, and the tag is computed from what was pressed.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mamba_press import platforms
from mamba_press.errors import ConfigError
from mamba_press.machine import Python, Target, VirtualPackage
from mamba_press.platforms.linux import policy
from mamba_press.platforms.macos import tag as macos
from mamba_press.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mamba_press.machine import System

PYTHON_KEY = "tool.mamba-press.python"
PLATFORM_KEY = "tool.mamba-press.platform"

NEWEST_MACOS = (26, 0)
"""What a bare macOS subdir may count on."""

_OLDEST_MINOR = 6
_FIRST_FREE_THREADED = 13

# The conda subdir of each system and architecture; architectures are spelled as in wheel tags.
_SUBDIRS: dict[tuple[System, str], str] = {
    ("linux", "x86_64"): "linux-64",
    ("linux", "aarch64"): "linux-aarch64",
    ("linux", "ppc64le"): "linux-ppc64le",
    ("linux", "riscv64"): "linux-riscv64",
    ("osx", "x86_64"): "osx-64",
    ("osx", "arm64"): "osx-arm64",
    ("win", "amd64"): "win-64",
    ("win", "arm64"): "win-arm64",
}
_PLATFORMS = {subdir: platform for platform, subdir in _SUBDIRS.items()}

# How conda names the oldest machine of a platform, as in the specs `__archspec 1 x86_64`.
_ARCHSPECS = {"osx-arm64": "m1", "win-64": "x86_64", "win-arm64": "aarch64"}

# The kernel of the oldest long-lived distribution that has this glibc or a newer one (RHEL 6, 7, 8, 9): a wheel tag
# says nothing about the kernel, and a package that needs a newer one than these should not be chosen by accident.
_KERNELS = (((2, 34), "5.14"), ((2, 28), "4.18"), ((2, 17), "3.10"), ((0, 0), "2.6.32"))

_EXAMPLES = "'manylinux_2_28_x86_64', 'macosx_11_0_arm64', 'win_amd64', or a conda subdir such as 'linux-64'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The interpreter and the machine that build: what is pressed for when nothing else is said.

    ``platform`` is as in :func:`sysconfig.get_platform`, without the version of macOS: ``linux-x86_64``. ``glibc`` is
    None where the C library is another one.
    """

    implementation: str
    python: Python
    platform: str
    glibc: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """A platform as one source states it: a floor and a tag only where the source has them."""

    system: System
    arch: str
    floor: tuple[int, int] | None = None
    tag: str | None = None

    @property
    def subdir(self) -> str:
        return _SUBDIRS[self.system, self.arch]


class _RefusedError(Exception):
    """Why a value cannot be used, and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint


def resolve(
    python: str | None,
    platform: str | None,
    hints: Mapping[str, str],
    running: Machine | None = None,
) -> Target:
    """Return what to press for; ``hints`` are the environment variables, ``running`` defaults to this machine.

    Raises :class:`ConfigError` with every problem of the Python and of the platform at once.
    """
    machine = running or this_machine()
    problems: list[Problem] = []
    chosen: Python | None = None
    place: _Place | None = None
    try:
        chosen = _choose_python(python, hints, machine)
    except _RefusedError as refused:
        problems.append(Problem(where=PYTHON_KEY, what=refused.what, hint=refused.hint))
    try:
        place = _choose_place(platform, hints, machine)
    except _RefusedError as refused:
        problems.append(Problem(where=PLATFORM_KEY, what=refused.what, hint=refused.hint))
    if chosen is None or place is None:
        raise ConfigError(*problems)
    return Target(
        system=place.system,
        arch=place.arch,
        subdir=place.subdir,
        python=chosen,
        floor=place.floor,
        tag=place.tag,
    )


def foreign(wanted: Target, hints: Mapping[str, str]) -> tuple[Problem, ...]:
    """Return why an inner backend cannot build for a target: it builds for the interpreter that it runs on.

    ``hints`` may say that this machine builds for another one, as cibuildwheel does on macOS.
    """
    here, problems = this_machine(), []
    if wanted.python != here.python:
        what = f"is {wanted.python}, but the inner backend builds for the interpreter that it runs on, {here.python}"
        hint = f"build under Python {wanted.python} (uv build --python {wanted.python}; cibuildwheel does it for many)"
        problems.append(Problem(where=PYTHON_KEY, what=what, hint=hint))
    native = resolve(None, None, {**hints, "CIBUILDWHEEL_BUILD_IDENTIFIER": ""}).subdir
    if wanted.subdir != native:
        what = f"is for {wanted.subdir}, but the inner backend builds on and for this machine, {native}"
        hint = "build on a machine of that kind: cibuildwheel has one for each"
        problems.append(Problem(where=PLATFORM_KEY, what=what, hint=hint))
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
            raise ConfigError(
                Problem(
                    where="CONDA_OVERRIDE_CUDA",
                    what=f"{cuda!r} is not a version",
                    hint="give the version of CUDA that the driver offers, such as 12.4, or unset it",
                )
            )
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
    return _PLATFORMS[subdir][1] if subdir in _PLATFORMS else ""


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


# --- Python ---


def _choose_python(asked: str | None, hints: Mapping[str, str], machine: Machine) -> Python:
    if asked is not None:
        return _read_python(asked)
    identifier = hints.get("CIBUILDWHEEL_BUILD_IDENTIFIER", "")
    if identifier:
        try:
            return _read_python(identifier.partition("-")[0])
        except _RefusedError as refused:
            raise _named("CIBUILDWHEEL_BUILD_IDENTIFIER", identifier, refused) from None
    if machine.implementation != "cpython":
        raise _RefusedError(
            f"the interpreter that builds is {machine.implementation}, and conda packages are made for CPython",
            'build with CPython, or name the CPython to press for: python = "3.12"',
        )
    return _checked(machine.python, f"the interpreter that builds, {machine.python},")


def _read_python(text: str) -> Python:
    words = text.strip()
    if re.match(r"(pp|pypy|gp|graalpy|graalvm)", words, re.IGNORECASE):
        raise _RefusedError(
            f"{text!r} is not CPython: conda packages of today are made for CPython only",
            "name a CPython, such as '3.12', or skip this build",
        )
    found = re.fullmatch(
        r"(?:==?|python ?==?|python ?)?(?P<major>\d{1,4})\.(?P<minor>\d{1,4})(?:\.\*|\.\d+(?:[abrc]+\d+)?)?(?P<t>t)?"
        r"(?: \*_cp3\d+(?P<build>t?)m?)?",
        words,
    ) or re.fullmatch(r"(?:cp)(?P<major>3)(?P<minor>\d{1,4})(?P<t>t|m)?(?:-cp3(?P=minor)(?P<build>t?)m?)?", words)
    if not found:
        raise _RefusedError(
            f"{text!r} does not name one minor version of CPython", "write '3.12', or '3.14t' for a free-threaded one"
        )
    if int(found["major"]) != 3:
        raise _RefusedError(f"Python {found['major']} is not supported", "name a CPython from 3.6 on, such as '3.12'")
    free_threaded = "t" in (found["t"], found["build"])
    return _checked(Python(minor=int(found["minor"]), free_threaded=free_threaded), repr(text))


def _checked(python: Python, words: str) -> Python:
    if python.minor < _OLDEST_MINOR:
        raise _RefusedError(f"{words} is older than CPython 3.6, the oldest that is pressed for", "name a newer one")
    if python.free_threaded and python.minor < _FIRST_FREE_THREADED:
        raise _RefusedError(
            f"{words}: there is no free-threaded CPython before 3.13", f"write '{python.version}', or '3.14t'"
        )
    return python


def _named(name: str, value: str, refused: _RefusedError) -> _RefusedError:
    """Return the refusal with the variable that is the reason."""
    return _RefusedError(f"{name} is {value!r}: {refused.what}", refused.hint)


# --- platform ---


def _choose_place(asked: str | None, hints: Mapping[str, str], machine: Machine) -> _Place:
    if asked is not None:
        place = _read_platform(asked)
        return place if place.floor is not None or place.system == "win" else _with_floor(place, hints, None)
    stated = _hinted(hints, machine)
    if len({place.subdir for place in stated.values()}) > 1:
        facts = ", ".join(f"{name}={hints[name]!r} says {place.subdir}" for name, place in stated.items())
        raise _RefusedError(f"the environment contradicts itself: {facts}", f"set platform = {_EXAMPLES}")
    place = next(iter(stated.values())) if stated else _running_place(machine)
    with_version = next((each for each in stated.values() if each.floor is not None), place)
    return _with_floor(with_version, hints, machine)


def _hinted(hints: Mapping[str, str], machine: Machine) -> dict[str, _Place]:
    """Return the platform that each variable states; those of another system than the machine's say nothing."""
    readers: list[tuple[str, Callable[[str], _Place | None]]] = [
        ("CIBUILDWHEEL_BUILD_IDENTIFIER", _from_identifier),
        ("_PYTHON_HOST_PLATFORM", _from_host_platform),
    ]
    if machine.platform.startswith("macosx"):
        readers.append(("ARCHFLAGS", _from_archflags))
    if machine.platform.startswith("win"):
        readers.append(("VSCMD_ARG_TGT_ARCH", _from_visual_studio))
    stated: dict[str, _Place] = {}
    for name, read in readers:
        value = hints.get(name, "").strip()
        if value:
            try:
                place = read(value)
            except _RefusedError as refused:
                raise _named(name, value, refused) from None
            if place is not None:
                stated[name] = place
    return stated


def _with_floor(place: _Place, hints: Mapping[str, str], machine: Machine | None) -> _Place:
    """Return the place with what the packages may count on, where its source did not say.

    ``machine`` is None where the user named the platform: then the building machine's own C library says nothing,
    so that the same table gives the same wheel everywhere.
    """
    if place.system == "win":
        return place
    if place.system == "osx":
        stated = hints.get("MACOSX_DEPLOYMENT_TARGET", "").strip()
        if stated:
            return _at(place, _macos_floor(stated, place.arch))
        return place if place.floor else _at(place, NEWEST_MACOS)
    tag = hints.get("AUDITWHEEL_PLAT", "").strip()
    if tag.startswith("manylinux"):  # it may also be "auto", "linux_…" or "musllinux_…", which say nothing of glibc
        try:
            limit = _read_platform(tag)
        except _RefusedError as refused:
            raise _named("AUDITWHEEL_PLAT", tag, refused) from None
        # The variable describes the image that builds: it says nothing of another architecture that is asked for.
        if limit.subdir == place.subdir and limit.floor:
            return _at(place, limit.floor)
    if machine and machine.glibc and machine.platform == f"linux-{place.arch}":
        return _at(place, max(machine.glibc, policy.baseline(place.arch)))
    return _at(place, policy.newest(place.arch))


def _at(place: _Place, floor: tuple[int, int]) -> _Place:
    return _Place(place.system, place.arch, floor=floor)


def _running_place(machine: Machine) -> _Place:
    if machine.platform.startswith("linux") and machine.glibc is None:
        raise _RefusedError(
            "the machine that builds does not have glibc, and conda packages are made for glibc",
            f"set platform = {_EXAMPLES}; in cibuildwheel skip '*-musllinux*'",
        )
    try:
        place = _from_host_platform(machine.platform)
    except _RefusedError as refused:
        raise _RefusedError(f"the machine that builds is {machine.platform}: {refused.what}", refused.hint) from None
    return place


def _read_platform(text: str) -> _Place:
    """Return the platform that a wheel tag or a conda subdir names."""
    words = text.strip()
    if words in _PLATFORMS:
        return _Place(*_PLATFORMS[words])
    _refuse_unsupported(words)
    if "." in words:
        raise _RefusedError(f"{text!r} holds several tags", "name one; its other names are added by themselves")
    tag = platforms.parse(words)
    if tag and tag.system == "linux":
        if tag.floor:
            return _linux(words, tag.floor, tag.arch)
        raise _RefusedError(
            f"{text!r} says nothing about the systems on which the wheel works, and PyPI refuses it",
            "name a manylinux tag such as 'manylinux_2_28_x86_64', or a conda subdir such as 'linux-64'",
        )
    if tag and (tag.system, tag.arch) in _SUBDIRS:
        if tag.system == "win":
            return _Place("win", tag.arch, tag=words)
        if tag.floor:
            return _macos(text, macos.rounded(tag.floor), tag.arch)
    from difflib import get_close_matches

    near = get_close_matches(words, [*_PLATFORMS, *_tags()], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"write {_EXAMPLES}"
    raise _RefusedError(f"{text!r} is neither a platform tag of a wheel nor a conda subdir", hint)


def _tags() -> list[str]:
    return [
        *(f"manylinux_2_{minor}_{arch}" for arch in policy.architectures() for minor in (17, 28, 34)),
        *(f"manylinux2014_{arch}" for arch in policy.architectures()),
        *("macosx_11_0_arm64", "macosx_10_13_x86_64", "win_amd64", "win_arm64"),
    ]


def _macos(text: str, floor: tuple[int, int], arch: str) -> _Place:
    if arch == "arm64" and floor < (11, 0):
        raise _RefusedError(
            f"{text!r}: no Mac with an ARM processor has a macOS before 11", "write 'macosx_11_0_arm64'"
        )
    return _Place("osx", arch, floor=floor, tag=macos.spelled(floor, arch))


def _linux(tag: str, floor: tuple[int, int], arch: str) -> _Place:
    if ("linux", arch) not in _SUBDIRS:
        raise _RefusedError(
            f"{tag!r}: {arch} is not an architecture that is pressed for",
            f"one of {', '.join(policy.architectures())}",
        )
    lowest = policy.baseline(arch)
    if floor[0] != lowest[0] or floor < lowest:
        raise _RefusedError(
            f"{tag!r}: there is no manylinux {floor[0]}.{floor[1]} for {arch}",
            f"the lowest is 'manylinux_{lowest[0]}_{lowest[1]}_{arch}'",
        )
    return _Place("linux", arch, floor=floor, tag=tag)


# Each with its reason and what to do; the first that is found in the text counts.
_UNSUPPORTED: tuple[tuple[str, str, str], ...] = (
    ("musllinux", "conda packages are made for glibc, not for musl", "skip this build; in cibuildwheel '*-musllinux*'"),
    ("ios|iphone", "there are no conda packages for iOS", "skip this build"),
    ("android", "there are no conda packages for Android", "skip this build"),
    ("pyodide|pyemscripten|emscripten|wasm|wasi", "WebAssembly is not pressed for", "skip this build"),
    (
        "universal2|fat64|intel",
        "conda packages hold one architecture, so two would have to be merged",
        "press 'macosx_11_0_arm64' and 'macosx_10_13_x86_64' one after the other: two wheels serve the same machines",
    ),
    (
        "i[3-6]86|linux-32|win-?32|win_x86$|armv[67]l|arm32|ppc$|linux-armv",
        "32-bit machines are not pressed for: conda packages of today are 64-bit",
        "skip this build; in cibuildwheel '*-win32 *_i686 *_armv7l'",
    ),
    ("s390x|ppc64$", "big-endian machines are not pressed for", "skip this build"),
    ("loongarch64", "there are no conda packages for it", "skip this build"),
)


def _refuse_unsupported(text: str) -> None:
    for pattern, reason, action in _UNSUPPORTED:
        if re.search(pattern, text):
            raise _RefusedError(f"{text!r} cannot be pressed for: {reason}", action)


def _from_identifier(value: str) -> _Place | None:
    """``cp311-manylinux_x86_64``: the image's glibc stands in AUDITWHEEL_PLAT, not here."""
    _, _, platform = value.partition("-")
    _refuse_unsupported(platform)
    family, _, arch = platform.partition("_")
    for facts in platforms.FACTS.values():
        if family == facts.family and (facts.system, arch) in _SUBDIRS:
            return _Place(facts.system, arch)
    raise _RefusedError("no platform that is pressed for", f"set platform = {_EXAMPLES}")


def _from_host_platform(value: str) -> _Place:
    """``macosx-11.0-arm64``, ``linux-x86_64``, ``win-amd64``, as :func:`sysconfig.get_platform` writes them."""
    _refuse_unsupported(value)
    if found := re.fullmatch(r"macosx[-_](?:(\d+)[._](\d+)[-_])?(x86_64|arm64)", value):
        floor = (int(found[1]), int(found[2])) if found[1] else None
        return _Place("osx", found[3], floor=_macos_at_least(floor, found[3]) if floor else None)
    if found := re.fullmatch(r"(linux|win)[-_](\w+)", value):
        system: Literal["linux", "win"] = "linux" if found[1] == "linux" else "win"
        if (system, found[2]) in _SUBDIRS:
            return _Place(system, found[2])
    raise _RefusedError("no platform that is pressed for", f"set platform = {_EXAMPLES}")


def _from_archflags(value: str) -> _Place | None:
    """``-arch arm64``, as the compilers of macOS read it; two architectures are a universal2 build."""
    archs = sorted(set(re.findall(r"-arch\s+(\S+)", value)))
    if len(archs) > 1:
        _refuse_unsupported("universal2")
    if not archs:
        return None
    if ("osx", archs[0]) not in _SUBDIRS:
        raise _RefusedError(f"{archs[0]} is not an architecture of macOS that is pressed for", "arm64 or x86_64")
    return _Place("osx", archs[0])


def _from_visual_studio(value: str) -> _Place | None:
    """``arm64``: what a Visual Studio command prompt compiles for; setuptools follows it too."""
    arch = {"x64": "amd64", "amd64": "amd64", "arm64": "arm64"}.get(value.lower())
    if arch is None:
        _refuse_unsupported("win32")
        return None
    return _Place("win", arch)


def _macos_floor(value: str, arch: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)(?:\.(\d+))?(?:\.\d+)?", value)
    if not found:
        raise _RefusedError(
            f"MACOSX_DEPLOYMENT_TARGET is {value!r}, which is not a version of macOS", "write it as '11.0', or unset it"
        )
    return _macos_at_least((int(found[1]), int(found[2] or 0)), arch)


def _macos_at_least(floor: tuple[int, int], arch: str) -> tuple[int, int]:
    """Round up as tags need it; tools often state 10.9 for ARM too, where 11.0 is the first."""
    return max(macos.rounded(floor), (11, 0) if arch == "arm64" else (10, 0))
