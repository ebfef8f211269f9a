"""Rattler's lock format as we use it: one environment for each Python, one platform for each subdir and floor.

A table of our own below it, which rattler and pixi leave alone, says what each solution was made for.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from mamba_press import platforms
from mamba_press.atomic import replacing, temporary
from mamba_press.conda import records, worker_errors, worker_process
from mamba_press.conda.channels import folder_of, is_folder
from mamba_press.conda.match_specs import minimum
from mamba_press.credentials import public
from mamba_press.errors import ConfigError, Problem, Setting, WriteError
from mamba_press.types import Package, Solution, Target, VirtualPackage

Json = dict[str, Any]

NAME = "mamba-press.lock"
"""The file, beside pyproject.toml, whose solutions are used instead of a solve of our own."""

HERE = "file:///mamba-press-project/"
"""Stands for the lock's own folder where the format allows only URLs."""

ABOVE = "file:///mamba-press-above/"
"""Stands, with a number behind it, for a folder above the lock's own."""

UPDATE = "make it anew with `mamba-press lock`"

_OF_THE_MACHINE = "virtual-packages"
_OF_EVERY_TARGET = frozenset({"__archspec", "__glibc", "__linux", "__osx", "__unix", "__win"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """One solution that a lock holds, with the names under which it does.

    ``asked`` is what it was made for (`asked`), None where the lock does not say. ``contents`` is what was learnt of
    packages that stay out, by name.
    """

    entry: Json
    packages: tuple[Package, ...]
    asked: Json | None = None
    contents: Mapping[str, Json] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``py310 linux-64-glibc-2-28``."""
        return _name(self.entry)

    @property
    def python(self) -> str | None:
        """The Python that was solved for, ``3.14t``; None for an environment of another tool."""
        found = re.fullmatch(r"py(\d)(\d+t?)", self.entry["environment"])
        return f"{found[1]}.{found[2]}" if found else None

    @property
    def is_for_every_python(self) -> bool:
        """Whether nothing that was solved depends on a Python, so that all Pythons would have the same."""
        return not any(package.is_python or package.name in ("python", "python_abi") for package in self.packages)

    @property
    def floor(self) -> tuple[int, ...] | None:
        """The floor that was solved for."""
        for text in self.entry["virtual"]:
            if match := re.match(r"__(?:glibc|osx)\W+([\d.]+)", text):
                return tuple(map(int, match[1].split(".")))
        return None


def asked(wanted: Mapping[str, object], virtual: Iterable[VirtualPackage]) -> Json:
    """Return all that decides a solution, beside the Python and the platform; what is empty is left out.

    ``wanted`` is what the project says, by key. Of the virtual packages these are what the platform does not say: that
    there is a driver for CUDA.
    """
    stated = [f"{each.name}={each.version}={each.build}" for each in virtual if each.name not in _OF_EVERY_TARGET]
    return {key: value for key, value in {**wanted, _OF_THE_MACHINE: stated}.items() if value}


def changed(held: Held, now: Json, root: Path) -> tuple[Problem, ...]:
    """Return what is asked for now and was not when a solution was locked, or the other way round, key by key."""
    if held.asked is None:
        return (Problem(where=NAME, what="does not say what it was made for", hint=UPDATE),)
    problems = []
    for key in dict.fromkeys((*held.asked, *now)):
        before, after = held.asked.get(key), now.get(key)
        same = _places(before, root) == _places(after, root) if key == "channels" else before == after
        if not same:
            where = "the target" if key == _OF_THE_MACHINE else Setting(key)
            what = f"{NAME} was made for other {key.replace('-', ' ')}: {_difference(before, after)}"
            problems.append(Problem(where=where, what=what, hint=UPDATE))
    return tuple(problems)


def gone(held: Held, root: Path, problems: Sequence[Problem] = ()) -> tuple[str, ...]:
    """Return the channels of a solution that were folders and are not here.

    None where more than the channels has changed: ``problems`` are those of `changed`.
    """
    if any(problem.where != Setting("channels") for problem in problems):
        return ()
    channels = (held.asked or {}).get("channels", ())
    folders = ((channel, folder_of(channel, root)) for channel in channels)
    return tuple(channel for channel, folder in folders if folder is not None and not is_folder(folder))


def _places(channels: Sequence[str] | None, root: Path) -> list[str]:
    return [str(folder_of(channel, root) or channel) for channel in channels or ()]


def _difference(before: object, after: object) -> str:
    """Say what changed of a value: of lists what came and what went, where that tells it."""
    if isinstance(before, list | None) and isinstance(after, list | None):
        came = [each for each in after or () if each not in (before or ())]
        went = [each for each in before or () if each not in (after or ())]
        parts = [f"{word} {', '.join(map(repr, each))}" for word, each in (("now", came), ("no longer", went)) if each]
        return ", ".join(parts) or f"now in the order {', '.join(map(repr, after or ()))}"
    return f"now {after or 'none'}, then {before or 'none'}"


def _name(entry: Json) -> str:
    return f"{entry['environment']} {entry['platform']}"


def environment(target: Target) -> str:
    """Return the name of an environment: ``py310``, ``py314t``."""
    return f"py{target.python}".replace(".", "")


def title(target: Target) -> str:
    """Return how a target is called among a project's: ``3.10 manylinux_2_28_x86_64``, ``3.14t win-64``."""
    return f"{target.python} {target.tag or target.subdir}"


def key(target: Target) -> str:
    """Return the name under which a lock has a target's solution: ``py310 linux-64-glibc-2-28``."""
    return f"{environment(target)} {_platform(target)[0]}"


def entry(solution: Solution, asked: Json) -> Json:
    """Return a solution, and what it was made for, as the worker writes it; credentials stay out of what travels."""
    target = solution.target
    platform, virtual = _platform(target)
    return {
        "environment": environment(target),
        "platform": platform,
        "subdir": target.subdir,
        "virtual": virtual,
        "channels": [public(channel) for channel in solution.channels],
        "packages": [
            records.plain(replace(package, url=public(package.url), channel=public(package.channel)))
            for package in solution.packages
        ],
        "asked": asked,
        "contents": _by_file(solution.packages, solution.contents),
    }


def entry_of(held: Held) -> Json:
    """Return a solution that was read as `write_lock` takes it."""
    return {
        **held.entry,
        "packages": list(map(records.plain, held.packages)),
        "asked": held.asked or {},
        "contents": _by_file(held.packages, held.contents),
    }


def _by_file(packages: Iterable[Package], contents: Mapping[str, Mapping[str, object]]) -> Json:
    return {package.file_name: contents[package.name] for package in packages if package.name in contents}


def write(entries: Sequence[Json], path: Path, root: Path, *, environ: Mapping[str, str]) -> None:
    """Write entries (`entry`) into one file of rattler's lock format, in which paths are relative to ``root``."""
    with temporary() as folder:
        written = folder / path.name
        bare = [{key: value for key, value in entry.items() if key not in ("asked", "contents")} for entry in entries]
        worker_process.call({"do": "write-lock", "path": str(written), "entries": bare}, _nothing, environ, WriteError)
        text = written.read_text("utf-8")
    channels = dict.fromkeys(channel for entry in entries for channel in entry["asked"].get("channels", ()))
    with replacing(path) as file:
        file.write(stamped(portable(text, root, channels), entries).encode("utf-8"))


def read(path: Path, root: Path, *, environ: Mapping[str, str]) -> tuple[Held, ...]:
    """Return all that a lock file holds; raises ConfigError for what is no lock."""
    with temporary() as folder:
        copied = folder / path.name
        try:
            text = absolute(path.read_text("utf-8"), root)
            made, contents = stamps(text)
            copied.write_text(text, "utf-8", newline="\n")
            answer = worker_process.call({"do": "read-lock", "path": str(copied)}, _nothing, environ, ConfigError)
        except worker_process.RefusedError as refused:
            raise worker_errors.unreadable_lock(refused.facts.get("text", refused.kind)) from None
        except ValueError as error:
            raise worker_errors.unreadable_lock(str(error)) from None
    held = []
    for entry in answer["entries"]:
        if foreign := entry.pop("foreign"):
            what = "it locks what is no conda package: " + ", ".join(foreign)
            raise ConfigError(Problem(where=path.name, what=what, hint="write it with `mamba-press lock`"))
        packages = records.packages_of({key: entry.pop(key) for key in ("packages", "specs")})
        known = {package.name: contents[package.file_name] for package in packages if package.file_name in contents}
        one = Held(entry=entry, packages=packages, contents=known)
        held.append(replace(one, asked=made.get(one.name)))
    return tuple(held)


def _nothing(_: Json) -> None:
    """Locks are written and read without anything to tell of."""


def _platform(target: Target) -> tuple[str, list[str]]:
    """Return the name of a platform in a lock, and the virtual packages that it stands for."""
    if target.floor is None:
        return target.subdir, []
    virtual = platforms.facts(target).virtual
    name = "-".join(map(str, (target.subdir, virtual.strip("_"), *target.floor)))
    return name, [f"{virtual}={'.'.join(map(str, target.floor))}"]


def portable(text: str, root: Path, channels: Iterable[str] = ()) -> str:
    """Return the text of a lock in which what lies below ``root`` is named relative to it.

    So is what lies in those of the channels that the user named by a path relative to the project.
    """
    bases = [_base(root, root)]
    bases += [_base(folder, root) for channel in channels if (folder := _relative(channel, root)) is not None]

    def moved(value: str) -> str:
        for folder, url, path, location in bases:
            if value.startswith(folder):
                return path + value.removeprefix(folder)
            if f"{value}/".startswith(url):
                return location + (value + "/").removeprefix(url)[:-1]
        return value

    return _each_location(text, moved)


def absolute(text: str, root: Path) -> str:
    """Return the text of a lock in which what `portable` made relative is where ``root`` is now."""
    here = Path(os.path.normpath(root.absolute()))

    def moved(value: str) -> str:
        if value.startswith(("./", "../")):
            return Path(os.path.normpath(here / value)).as_posix()
        if value.startswith(HERE):
            return here.as_uri().rstrip("/") + "/" + value.removeprefix(HERE)
        if value.startswith(ABOVE):
            number, _, below = value.removeprefix(ABOVE).partition("/")
            folder = os.path.normpath(here / Path(*[".."] * int(number)) / unquote(below))
            return Path(folder).as_uri() + "/" * value.endswith("/")
        return value

    return _each_location(text, moved)


def _base(folder: Path, root: Path) -> tuple[str, str, str, str]:
    """Return how a folder begins the paths and the URLs of a lock, and what stands there instead."""
    here, there = (Path(os.path.normpath(each.absolute())) for each in (root, folder))
    path = "./" if here == there else Path(os.path.relpath(there, here)).as_posix() + "/"
    ups = path.count("../")
    location = f"{ABOVE}{ups}/{quote(path.removeprefix('../' * ups))}" if ups else HERE
    return there.as_posix().rstrip("/") + "/", there.as_uri().rstrip("/") + "/", path, location


def _relative(channel: str, root: Path) -> Path | None:
    """Return the folder of a channel that is named relative to the project, and lies outside of it."""
    folder = folder_of(channel, root) if channel.startswith(".") else None
    here = Path(os.path.normpath(root.absolute()))
    return None if folder is None or folder.is_relative_to(here) or folder.anchor != here.anchor else folder


def stamped(text: str, entries: Sequence[Json]) -> str:
    """Return the text of a lock with what its solutions were made for: JSON values, which are YAML too."""
    lines = ["mamba-press:"]
    for entry in sorted(entries, key=_name):
        lines.append(f"  {_name(entry)}:")
        lines += [f"    {key}: {json.dumps(value)}" for key, value in entry["asked"].items()]
    contents: Json = {}
    for entry in entries:
        contents |= entry["contents"]
    if contents:
        lines.append("mamba-press-contents:")
        lines += [f"  {json.dumps(name)}: {json.dumps(contents[name])}" for name in sorted(contents)]
    return text.rstrip("\n") + "\n" + "\n".join(lines) + "\n"


def stamps(text: str) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return what `stamped` wrote: what each solution was made for, and the contents of packages by file name.

    Raises ValueError for what is no JSON there.
    """
    made: dict[str, Json] = {}
    contents: dict[str, Json] = {}
    part = name = ""
    for line in text.splitlines():
        if not line.startswith(" "):
            part = line
        elif part == "mamba-press:" and (found := re.fullmatch(r"  (\S+ \S+):", line)):
            name = found[1]
            made[name] = {}
        elif part == "mamba-press:" and (found := re.fullmatch(r"    ([\w-]+): (.+)", line)) and name:
            made[name][found[1]] = _value(found[2])
        elif part == "mamba-press-contents:" and (found := re.fullmatch(r'  ("[^"]+"): (.+)', line)):
            contents[json.loads(found[1])] = _value(found[2])
    return made, contents


def _value(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except RecursionError:
        raise ValueError("what it says of mamba-press is nested too deeply") from None
    return value


def _each_location(text: str, change: Callable[[str], str]) -> str:
    """Change the locations in a lock as rattler writes it: one a line, plain or in single quotes."""

    def line(found: re.Match[str]) -> str:
        value = found[2][1:-1].replace("''", "'") if found[2].startswith("'") else found[2]
        changed = change(value)
        return found[0] if changed == value else found[1] + "'" + changed.replace("'", "''") + "'"

    return re.sub(r"^(\s*(?:- conda|- url|channel): )(\S.*)$", line, text, flags=re.MULTILINE)


def best(held: Sequence[Held], target: Target) -> Held | None:
    """Return the solution for a target: that of its Python, else one that is for every Python; the one with its floor.

    A floor that nobody asked for depends on the machine that builds. Then what was solved for a lower one is used, the
    highest first, or for a higher one whose packages ask for no more than this; so an sdist gives the same wheel on all
    machines that can have it.
    """
    there = [each for each in held if each.entry["subdir"] == target.subdir]
    of_python = [each for each in there if each.entry["environment"] == environment(target)]
    return _of_floor(of_python, target) or _of_floor([each for each in there if each.is_for_every_python], target)


def _of_floor(fitting: Sequence[Held], target: Target) -> Held | None:
    exact = next((each for each in fitting if each.floor == target.floor), None)
    if exact or target.tag is not None or target.floor is None:
        return exact
    floor = target.floor
    lower = [each for each in fitting if each.floor is None or each.floor <= floor]
    if lower:
        return max(lower, key=lambda each: each.floor or ())
    higher = [each for each in fitting if all(_stated(package) <= floor for package in each.packages)]
    return min(higher, key=lambda each: each.floor or (), default=None)


def _stated(package: Package) -> tuple[int, ...]:
    """Return the version of the system that a package asks for at least."""
    versioned = {each.virtual for each in platforms.FACTS.values()}
    found = [minimum(spec) for spec in package.depends if spec.name in versioned]
    return max(filter(None, found), default=())


def pins(held: Sequence[Held], target: Target, specs: Mapping[str, str]) -> tuple[str, ...]:
    """Return what binds a solve for another target to the locked versions of the requested packages.

    ``specs`` has what is asked for now, by name: what another version was asked of when it was locked is not bound.
    """
    near = sorted(held, key=lambda each: (each.entry["subdir"] != target.subdir, each.entry["environment"]))
    versions: dict[str, str] = {}
    for each in near:
        then = [spec for key in ("packages", "host") for spec in (each.asked or {}).get(key, ())]
        for package in each.packages:
            if package.name in specs and specs[package.name] in then:
                versions.setdefault(package.name, package.version)
    return tuple(f"{name} =={versions[name]}" for name in specs if name in versions)
