"""Which platform is meant: by a text, by variables of the environment, or by the machine that builds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

from mamba_press import platforms
from mamba_press.machine import Python, System
from mamba_press.platforms.linux import policy
from mamba_press.platforms.macos import tag as macos

NEWEST_MACOS = (26, 0)
"""What a bare macOS subdir may count on."""

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
PLATFORMS = {subdir: platform for platform, subdir in _SUBDIRS.items()}

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


class Place(NamedTuple):
    """A platform as one source states it: a floor and a tag only where the source has them."""

    system: System
    arch: str
    floor: tuple[int, int] | None = None
    tag: str | None = None

    @property
    def subdir(self) -> str:
        """The conda subdir of the platform."""
        return _SUBDIRS[self.system, self.arch]


class RefusedError(Exception):
    """Why a value cannot be used, and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Give every refusal in the block with what is the reason for it."""
    try:
        yield
    except RefusedError as refused:
        raise RefusedError(f"{reason}: {refused.what}", refused.hint) from None


def choose_place(asked: str | None, hints: Mapping[str, str], machine: Machine) -> Place:
    """Return the platform asked for, else the one that the variables state, else the machine's; raise RefusedError."""
    if asked is not None:
        place = _read_platform(asked)
        return place if place.floor is not None or place.system == "win" else _with_floor(place, hints, None)
    stated = _hinted(hints, machine)
    if len({place.subdir for place in stated.values()}) > 1:
        facts = ", ".join(f"{name}={hints[name]!r} says {place.subdir}" for name, place in stated.items())
        raise RefusedError(f"the environment contradicts itself: {facts}", f"set platform = {_EXAMPLES}")
    place = next(iter(stated.values())) if stated else _running_place(machine)
    with_version = next((each for each in stated.values() if each.floor is not None), place)
    return _with_floor(with_version, hints, machine)


def _hinted(hints: Mapping[str, str], machine: Machine) -> dict[str, Place]:
    """Return the platform that each variable states; those of another system than the machine's say nothing."""
    readers: list[tuple[str, Callable[[str], Place | None]]] = [
        ("CIBUILDWHEEL_BUILD_IDENTIFIER", _from_identifier),
        ("_PYTHON_HOST_PLATFORM", _from_host_platform),
    ]
    if machine.platform.startswith("macosx"):
        readers.append(("ARCHFLAGS", _from_archflags))
    if machine.platform.startswith("win"):
        readers.append(("VSCMD_ARG_TGT_ARCH", _from_visual_studio))
    stated: dict[str, Place] = {}
    for name, read in readers:
        value = hints.get(name, "").strip()
        if value:
            with because(f"{name} is {value!r}"):
                place = read(value)
            if place is not None:
                stated[name] = place
    return stated


def _with_floor(place: Place, hints: Mapping[str, str], machine: Machine | None) -> Place:
    """Return the place with what the packages may count on, where its source did not say.

    ``machine`` is None where the user named the platform: then the building machine's own C library says nothing,
    so that the same table gives the same wheel everywhere.
    """
    if place.system == "win":
        return place
    if place.system == "osx":
        stated = hints.get("MACOSX_DEPLOYMENT_TARGET", "").strip()
        if stated:
            return place._replace(floor=_macos_floor(stated, place.arch))
        return place if place.floor else place._replace(floor=NEWEST_MACOS)
    tag = hints.get("AUDITWHEEL_PLAT", "").strip()
    if tag.startswith("manylinux"):  # it may also be "auto", "linux_…" or "musllinux_…", which say nothing of glibc
        with because(f"AUDITWHEEL_PLAT is {tag!r}"):
            limit = _read_platform(tag)
        # The variable describes the image that builds: it says nothing of another architecture that is asked for.
        if limit.subdir == place.subdir and limit.floor:
            return place._replace(floor=limit.floor)
    if machine and machine.glibc and machine.platform == f"linux-{place.arch}":
        return place._replace(floor=max(machine.glibc, policy.baseline(place.arch)))
    return place._replace(floor=policy.newest(place.arch))


def _running_place(machine: Machine) -> Place:
    if machine.platform.startswith("linux") and machine.glibc is None:
        raise RefusedError(
            "the machine that builds does not have glibc, and conda packages are made for glibc",
            f"set platform = {_EXAMPLES}; in cibuildwheel skip '*-musllinux*'",
        )
    with because(f"the machine that builds is {machine.platform}"):
        return _from_host_platform(machine.platform)


def _read_platform(text: str) -> Place:
    """Return the platform that a wheel tag or a conda subdir names."""
    words = text.strip()
    if words in PLATFORMS:
        return Place(*PLATFORMS[words])
    _refuse_unsupported(words)
    if "." in words:
        raise RefusedError(f"{text!r} holds several tags", "name one; its other names are added by themselves")
    tag = platforms.parse(words)
    if tag and tag.system == "linux":
        if tag.floor:
            return _linux(words, tag.floor, tag.arch)
        raise RefusedError(
            f"{text!r} says nothing about the systems on which the wheel works, and PyPI refuses it",
            "name a manylinux tag such as 'manylinux_2_28_x86_64', or a conda subdir such as 'linux-64'",
        )
    if tag and (tag.system, tag.arch) in _SUBDIRS:
        if tag.system == "win":
            return Place("win", tag.arch, tag=words)
        if tag.floor:
            floor = macos.rounded(tag.floor)
            if tag.arch == "arm64" and floor < (11, 0):
                what = f"{text!r}: no Mac with an ARM processor has a macOS before 11"
                raise RefusedError(what, "write 'macosx_11_0_arm64'")
            return Place("osx", tag.arch, floor=floor, tag=macos.spelled(floor, tag.arch))
    from difflib import get_close_matches

    near = get_close_matches(words, [*PLATFORMS, *_tags()], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"write {_EXAMPLES}"
    raise RefusedError(f"{text!r} is neither a platform tag of a wheel nor a conda subdir", hint)


def _tags() -> list[str]:
    return [
        *(f"manylinux_2_{minor}_{arch}" for arch in policy.ARCHITECTURES for minor in (17, 28, 34)),
        *(f"manylinux2014_{arch}" for arch in policy.ARCHITECTURES),
        *("macosx_11_0_arm64", "macosx_10_13_x86_64", "win_amd64", "win_arm64"),
    ]


def _linux(tag: str, floor: tuple[int, int], arch: str) -> Place:
    if ("linux", arch) not in _SUBDIRS:
        raise RefusedError(
            f"{tag!r}: {arch} is not an architecture that is pressed for", f"one of {', '.join(policy.ARCHITECTURES)}"
        )
    lowest = policy.baseline(arch)
    if floor[0] != lowest[0] or floor < lowest:
        raise RefusedError(
            f"{tag!r}: there is no manylinux {floor[0]}.{floor[1]} for {arch}",
            f"the lowest is 'manylinux_{lowest[0]}_{lowest[1]}_{arch}'",
        )
    return Place("linux", arch, floor=floor, tag=tag)


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
            raise RefusedError(f"{text!r} cannot be pressed for: {reason}", action)


def _from_identifier(value: str) -> Place | None:
    """``cp311-manylinux_x86_64``: the image's glibc stands in AUDITWHEEL_PLAT, not here."""
    _, _, platform = value.partition("-")
    _refuse_unsupported(platform)
    family, _, arch = platform.partition("_")
    for facts in platforms.FACTS.values():
        if family == facts.family and (facts.system, arch) in _SUBDIRS:
            return Place(facts.system, arch)
    raise RefusedError("no platform that is pressed for", f"set platform = {_EXAMPLES}")


def _from_host_platform(value: str) -> Place:
    """``macosx-11.0-arm64``, ``linux-x86_64``, ``win-amd64``, as :func:`sysconfig.get_platform` writes them."""
    _refuse_unsupported(value)
    if found := re.fullmatch(r"macosx[-_](?:(\d+)[._](\d+)[-_])?(x86_64|arm64)", value):
        floor = (int(found[1]), int(found[2])) if found[1] else None
        return Place("osx", found[3], floor=_macos_at_least(floor, found[3]) if floor else None)
    if found := re.fullmatch(r"(linux|win)[-_](\w+)", value):
        system: Literal["linux", "win"] = "linux" if found[1] == "linux" else "win"
        if (system, found[2]) in _SUBDIRS:
            return Place(system, found[2])
    raise RefusedError("no platform that is pressed for", f"set platform = {_EXAMPLES}")


def _from_archflags(value: str) -> Place | None:
    """``-arch arm64``, as the compilers of macOS read it; two architectures are a universal2 build."""
    archs = sorted(set(re.findall(r"-arch\s+(\S+)", value)))
    if len(archs) > 1:
        _refuse_unsupported("universal2")
    if not archs:
        return None
    if ("osx", archs[0]) not in _SUBDIRS:
        raise RefusedError(f"{archs[0]} is not an architecture of macOS that is pressed for", "arm64 or x86_64")
    return Place("osx", archs[0])


def _from_visual_studio(value: str) -> Place | None:
    """``arm64``: what a Visual Studio command prompt compiles for; setuptools follows it too."""
    arch = {"x64": "amd64", "amd64": "amd64", "arm64": "arm64"}.get(value.lower())
    if arch is None:
        _refuse_unsupported("win32")
        return None
    return Place("win", arch)


def _macos_floor(value: str, arch: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)(?:\.(\d+))?(?:\.\d+)?", value)
    if not found:
        raise RefusedError(
            f"MACOSX_DEPLOYMENT_TARGET is {value!r}, which is not a version of macOS", "write it as '11.0', or unset it"
        )
    return _macos_at_least((int(found[1]), int(found[2] or 0)), arch)


def _macos_at_least(floor: tuple[int, int], arch: str) -> tuple[int, int]:
    """Round up as tags need it; tools often state 10.9 for ARM too, where 11.0 is the first."""
    return max(macos.rounded(floor), (11, 0) if arch == "arm64" else (10, 0))
