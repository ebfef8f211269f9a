"""The tags of a wheel: what its binaries and its packages demand of Python and of the system, and who demands it.

The platform tag is the lowest one that is true of every file. The C library's symbol versions count wherever they are
demanded; those of the compilers' runtimes only where the runtime is the system's, since a packed copy brings its own.
"""

from __future__ import annotations

import json
import mmap
import posixpath
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mamba_press import messages
from mamba_press.conda.specs import minimum
from mamba_press.config.model import TABLE
from mamba_press.errors import ContentError
from mamba_press.platforms import binaries, stable_abi
from mamba_press.platforms.linux import hazards, policy
from mamba_press.platforms.linux import tag as linux
from mamba_press.platforms.macos import tag as macos
from mamba_press.platforms.windows import system as windows
from mamba_press.platforms.windows import tag as windows_tag
from mamba_press.types import OWN, Entry, Floor, Note, Problem, Tags
from mamba_press.vendoring import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mamba_press.config.model import Config
    from mamba_press.platforms.binary_format import Symbols
    from mamba_press.types import Binary, Kept, Package, Python, Spec, Target

RECORD = "its conda record"
"""What stands for the library in a :class:`Floor` that a package states for itself."""

PRESENCE = "the presence"
"""What stands for the symbol in a :class:`Floor` where a library is only there from some floor on."""

_SHOWN = 10
_FIRST_ABI3T = 15
_LOADED_FROM = frozenset({"bin", "lib", "lib64", "libexec", "sbin", "Library/bin"})

_TAGGED = re.compile(r"\.cpython-3(?P<minor>\d+)(?P<flags>[a-z]*)(?:-[\w-]+)?\.so$")
_STABLE = re.compile(r"\.(?P<abi>abi3|abi3t)\.so$")
_WINDOWS = re.compile(r"\.cp3(?P<minor>\d+)(?P<flags>t?)-win_\w+\.pyd$")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Module:
    """An extension module. ``abi`` is ``abi3``, ``abi3t``, the part such as ``cp310``, or None: no name says it."""

    entry: Entry
    stem: str
    abi: str | None


def tags(
    entries: Sequence[Entry],
    packages: Sequence[Package],
    target: Target,
    config: Config,
    others: Iterable[Kept] = (),
) -> Tags:
    """Return the tags of a wheel of these entries, and every reason for its floor, highest first.

    ``others`` are the files of wheels that are installed with this one, which may have a library that it needs.
    Raises ContentError for an extension of another Python, a library of another machine, a symbol that no system
    promises, or an asked tag that would not be true: all of one kind at once.
    """
    records = {package.name: package for package in packages}
    libraries = _Libraries.of(entries, others)
    interpreter, abi, notes = _python_tags(entries, records, target.python, libraries)
    if target.system == "osx" and any(entry.binary for entry in entries):
        return _for_macos(entries, records, target, config, (interpreter, abi, notes))
    if target.system == "win" and any(_is_bound(entry, records) for entry in entries):
        # Windows' tags have no version: there is no floor to be found.
        tag = windows_tag.name(None, target.arch)
        return Tags(tags=f"{interpreter}-{abi}-{tag}", lowest=tag, notes=(*notes, *_foreign(entries, target)))
    if not any(entry.binary and entry.binary.format == "elf" for entry in entries):
        return Tags(tags=f"{interpreter}-{abi}-any", lowest="any", notes=(*notes, *_bound_to_systems(entries, records)))
    notes += _foreign(entries, target)
    internals = [*_internals(entries, libraries, target.arch)]
    _refuse_unpromised(entries, internals, target.arch)
    _refuse_execstack(entries, target.arch)
    floors = [*demanded(entries, target.arch)]
    floors += [_floor(entry, name, since, symbol) for entry, name, symbol, since in internals if since]
    bounds = [*stated(entries, records, "__glibc", policy.baseline(target.arch))]
    if config.link.floor != "symbols":
        floors += bounds
    floors.sort(key=lambda floor: (-floor.version[0], -floor.version[1], floor.package, floor.path, floor.library))
    lowest = max((floor.version for floor in floors), default=policy.baseline(target.arch))
    if config.link.floor == "symbols":
        notes += _ignored(bounds, lowest, linux.name(lowest, target.arch))
    platforms = _platforms(lowest, floors, target)
    notes += _levels(entries, records, target.arch, config)
    return Tags(
        tags=f"{interpreter}-{abi}-{'.'.join(sorted(platforms))}",
        lowest=linux.name(lowest, target.arch),
        floors=tuple(floors),
        notes=(*notes, *_unpromised(entries, target.arch)),
    )


def _unpromised(entries: Iterable[Entry], arch: str) -> tuple[Note, ...]:
    """Warn of libraries that have to come from the system, and that no tag promises."""
    users: dict[str, list[str]] = {}
    for entry in _elf(entries, arch):
        for link in entry.links:
            if resolve.is_unpromised(link, "linux", arch):
                users.setdefault(link.needed, []).append(entry.path)
    if not users:
        return ()
    each = [f"{name} for {paths[0]}{messages.others(len(paths) - 1)}" for name, paths in sorted(users.items())]
    what = f"the wheel needs libraries of the system that no manylinux tag promises: {', '.join(each)}"
    hint = "if every user has them, say so: link.system = " + json.dumps(sorted(users))
    hint += '\nlink.unpromised = "drop" leaves out the plugins that need them, "error" refuses them'
    return (Note(what, hint, "warning"),)


def _levels(entries: Sequence[Entry], records: Mapping[str, Package], arch: str, config: Config) -> tuple[str, ...]:
    """Return notes on the processors that the wheel needs; refuse a level above what ``link.isa`` allows.

    The files' own notes say it where the linker was told to write them; conda's records say it for whole packages.
    """
    if arch != "x86_64":
        return ()
    found: dict[int, list[str]] = defaultdict(list)
    for entry in _of_format(entries, "elf", arch):
        if entry.binary and entry.binary.isa:
            found[_level(entry.binary.isa)].append(f"{entry.path} ({entry.package})")
    for name in sorted({entry.package for entry in entries} & records.keys()):
        for spec in dict.fromkeys((*records[name].depends, *records[name].constrains)):
            level = _stated_level(spec)
            if level > 1:
                found[level].append(f"{name}, whose record states {spec.text!r}")
    if not found:
        return ()
    highest = max(found)
    isa = f"x86-64-v{highest}"
    who = found[highest][0] + (f" and {len(found[highest]) - 1} more" if len(found[highest]) > 1 else "")
    if highest > (_level(config.link.isa) if config.link.isa else 1):
        raise ContentError(
            Problem(
                where=found[highest][0],
                what=f"needs a processor of level {isa}, which no tag can say: installers give the wheel to every one",
                hint='choose a build for all processors, with constraints = ["_x86_64-microarch-level 1"], '
                f'or allow it: [tool.mamba-press.link] isa = "{isa}"',
            )
        )
    return (f"the wheel needs a processor of level {isa}, which its tag does not say: {who}",)


def _level(isa: str) -> int:
    return int(isa.rpartition("v")[2])


def _stated_level(spec: Spec) -> int:
    """Return the level of x86-64 that a conda spec asks for, 1 where it asks for none."""
    if spec.name == "_x86_64-microarch-level":
        return (minimum(spec) or (1, 0))[0]
    named = re.search(r"x86[_-]64[_-]v([234])(?!\w)", spec.build) if spec.name == "__archspec" else None
    return int(named[1]) if named else 1


def _for_macos(
    entries: Sequence[Entry],
    records: Mapping[str, Package],
    target: Target,
    config: Config,
    python: tuple[str, str, tuple[str, ...]],
) -> Tags:
    """Return the tags of a wheel for macOS: the highest version that a file or, unless told otherwise, a record states.

    Raises ContentError where the asked tag, or MACOSX_DEPLOYMENT_TARGET, promises less.
    """
    interpreter, abi, notes = python
    notes = (*notes, *_foreign(entries, target))
    oldest = macos.OLDEST[target.arch]
    files = [
        Floor(
            version=max(binary.floor or oldest, oldest),
            path=entry.path,
            package=entry.package,
            library=posixpath.basename(entry.path),
            symbol=f"macOS {'.'.join(map(str, binary.floor or oldest))}",
        )
        for entry in _of_format(entries, "macho", target.arch)
        if (binary := entry.binary)
    ]
    bounds = [*stated(entries, records, "__osx", oldest)]
    floors = files if config.link.floor == "symbols" else [*files, *bounds]
    floors.sort(key=lambda floor: (-floor.version[0], -floor.version[1], floor.package, floor.path))
    lowest = max((floor.version for floor in floors), default=oldest)
    if config.link.floor == "symbols":
        notes += _ignored(bounds, lowest, macos.name(lowest, target.arch))
    if target.floor and macos.rounded(lowest) > target.floor:
        guilty = [floor for floor in floors if macos.rounded(floor.version) > target.floor]
        name = macos.name(lowest, target.arch)
        promised = target.tag or macos.name(target.floor, target.arch)
        raise ContentError(
            Problem(
                where="tool.mamba-press.platform" if target.tag else "MACOSX_DEPLOYMENT_TARGET",
                what=f"{promised!r} would not be true: the lowest honest tag is {name!r}",
                hint="\n".join([*_grouped(guilty), *_ways_out(guilty, name)]),
            )
        )
    name = macos.name(lowest, target.arch)
    return Tags(tags=f"{interpreter}-{abi}-{target.tag or name}", lowest=name, floors=tuple(floors), notes=notes)


def narrowed(tagging: Tags, built: Sequence[str], target: Target) -> Tags:
    """Return the tags with what the inner backend knows and no binary shows: ``built`` are those of its own wheel.

    Where it says that a wheel is for one Python, or for one system, it is; it is never believed to be for more.
    """
    if not built:
        return tagging
    interpreter, abi, platform = tagging.tags.split("-")
    interpreters, abis, platforms = (sorted({tag.split("-")[n] for tag in built}) for n in range(3))
    if target.python.abi in abis and abi != target.python.abi:
        interpreter, abi = target.python.interpreter, target.python.abi
    elif abi == "none" and "none" not in abis:
        interpreter, abi = min(interpreters, key=lambda name: int(name[3:] or 0)), ".".join(abis)
    elif abi == "none" and "py3" not in interpreters:
        interpreter = next((name for name in interpreters if name.endswith(f"3{target.python.minor}")), interpreter)
    if platform == "any" and "any" not in platforms:
        lowest = {"linux": policy.baseline, "osx": macos.OLDEST.__getitem__}.get(target.system)
        platform = windows_tag.name(None, target.arch) if lowest is None else _lowest(target, lowest(target.arch))
        tagging = replace(tagging, lowest=platform.split(".")[-1])
    return replace(tagging, tags=f"{interpreter}-{abi}-{platform}")


def _lowest(target: Target, floor: tuple[int, int]) -> str:
    if target.system == "osx":
        return target.tag or macos.name(floor, target.arch)
    return ".".join(sorted(_platforms(floor, (), target)))


def without(tagging: Tags, package: str) -> tuple[int, int] | None:
    """Return the floor that the wheel would have if ``package`` demanded nothing, None where nothing else does."""
    return max((floor.version for floor in tagging.floors if floor.package != package), default=None)


# --- the platform ---


def _platforms(lowest: tuple[int, int], floors: Sequence[Floor], target: Target) -> set[str]:
    """Return the asked tag with the other names of exactly that floor, or the lowest with the next older name.

    An installer that knows only the older names takes a wheel for glibc 2.14 by the name of 2.17, manylinux2014.
    """
    if target.tag is None or target.floor is None:
        covering = policy.covering_alias(lowest, target.arch)
        return {linux.name(lowest, target.arch), *([covering] if covering else [])}
    if lowest <= target.floor:
        return {target.tag, *policy.aliases(target.floor, target.arch), linux.name(target.floor, target.arch)}
    guilty = [floor for floor in floors if floor.version > target.floor]
    raise ContentError(
        Problem(
            where="tool.mamba-press.platform",
            what=f"{target.tag!r} would not be true: the lowest honest tag is {linux.name(lowest, target.arch)!r}",
            hint="\n".join([*_grouped(guilty), *_ways_out(guilty, linux.name(lowest, target.arch))]),
        )
    )


def _grouped(floors: Sequence[Floor]) -> Iterator[str]:
    """Yield one line for each symbol of each library, the highest first, at most what fits a screen."""
    groups: dict[tuple[str, str], list[Floor]] = defaultdict(list)
    for floor in floors:
        groups[floor.symbol, floor.library].append(floor)
    for (symbol, library), each in list(groups.items())[:_SHOWN]:
        version = ".".join(map(str, each[0].version))
        packages = sorted({floor.package for floor in each})
        names = ", ".join(packages[:4]) + (f" and {len(packages) - 4} more" if len(packages) > 4 else "")
        if library == RECORD:
            yield f"{version}: {symbol}, stated by {names}"
        else:
            files = each[0].path + (f" and {len(each) - 1} more files" if len(each) > 1 else "")
            yield f"{version}: {symbol} of {library}, needed by {names} ({files})"
    if len(groups) > _SHOWN:
        yield f"and {len(groups) - _SHOWN} more such symbols"


def _ways_out(guilty: Sequence[Floor], lowest: str) -> Iterator[str]:
    libraries, packages = {floor.library for floor in guilty}, {floor.package for floor in guilty}
    yield f"ask for {lowest!r}" + (", or choose older builds with constraints" if packages - {OWN} else "")
    if OWN in packages:
        yield "or build the project's own code on a system with an older glibc, as cibuildwheel's images have it"
    if any(library.startswith(("libstdc++", "libgcc_s", "libgfortran", "libgomp")) for library in libraries):
        yield 'or pack the compiler\'s runtime: [tool.mamba-press.link] runtimes = "bundle"'
    if libraries == {RECORD}:
        yield 'or count only symbols, where the packages are too careful: [tool.mamba-press.link] floor = "symbols"'


def demanded(entries: Iterable[Entry], arch: str) -> Iterator[Floor]:
    """Yield, for each file and each library of the system, the symbol version that demands most."""
    for entry, library, versions in _requirements(entries, arch):
        known = [(floor, version) for version in versions if (floor := policy.floor_for(version, arch))]
        if known:
            floor, symbol = max(known)
            yield _floor(entry, library, floor, symbol)
    for entry in _elf(entries, arch):
        for library in _system_libraries(entry):
            since = policy.allowed_from(library, arch)
            if since is not None and since > policy.baseline(arch):
                yield _floor(entry, library, since, PRESENCE)


def _floor(entry: Entry, library: str, version: tuple[int, int], symbol: str) -> Floor:
    return Floor(version=version, path=entry.path, package=entry.package, library=library, symbol=symbol)


_Internal = tuple[Entry, str, str, tuple[int, int] | None]
"""What a file takes of a library: the file, the library, the symbol, and the first floor that allows it."""


def _internals(entries: Iterable[Entry], libraries: _Libraries, arch: str) -> Iterator[_Internal]:
    """Yield the symbols that files take of the system's libraries although these keep them to themselves."""
    for entry in _elf(entries, arch):
        for library in _system_libraries(entry):
            listed = policy.internals(library)
            taken = _symbols(entry).imports & listed.keys() if listed else ()
            own = libraries.offered_to(entry) if taken else ()
            yield from ((entry, library, name, listed[name]) for name in sorted(taken) if name not in own)


def _refuse_unpromised(entries: Iterable[Entry], internals: Iterable[_Internal], arch: str) -> None:
    """Refuse symbols that the policies speak of and no system has for certain, such as GLIBC_PRIVATE."""
    problems = [
        Problem(
            where=entry.path,
            what=f"{entry.package} needs {version} of {library}, which no system promises",
            hint=_unpromised_hint(entry, version),
        )
        for entry, library, versions in _requirements(entries, arch)
        for version in versions
        if policy.governed(version) and policy.floor_for(version, arch) is None
    ]
    problems += [
        Problem(
            where=entry.path,
            what=f"{entry.package} uses {symbol} of {library}, which the system's library does not offer",
            hint=f"let the wheel have its own {library}: name its conda package in {TABLE}.packages, "
            "and leave it out of link.system",
        )
        for entry, library, symbol, since in internals
        if since is None
    ]
    if problems:
        raise ContentError(*problems)


def _refuse_execstack(entries: Iterable[Entry], arch: str) -> None:
    """Refuse libraries that need an executable stack: since glibc 2.41 Python, which has none, cannot load them."""
    problems = []
    for entry in _elf(entries, arch):
        if entry.binary is None or not hazards.is_refused(entry.binary):
            continue
        if entry.edits and entry.edits.clear_execstack:
            continue
        path = entry.original
        problems.append(
            Problem(
                where=f"{entry.path} ({entry.package})",
                what=hazards.EXECSTACK,
                hint="choose another build of the package, leave the file out, "
                f'[tool.mamba-press.select] exclude = ["{path}"], or, if its code does not run on the stack, '
                f'take the mark away: [tool.mamba-press.link] clear-execstack = ["{posixpath.basename(path)}"]',
            )
        )
    if problems:
        raise ContentError(*problems)


def _unpromised_hint(entry: Entry, version: str) -> str:
    if version.startswith(("GLIBCXX_", "CXXABI_", "GCC_")):
        return '[tool.mamba-press.link] runtimes = "bundle" packs the compiler\'s runtime that has it'
    out = f'[tool.mamba-press.select] exclude = ["{entry.original}"]'
    return f"leave this file out: {out}; or choose another build of the package"


def _requirements(entries: Iterable[Entry], arch: str) -> Iterator[tuple[Entry, str, tuple[str, ...]]]:
    """Yield what files of this machine demand of libraries that are not in the wheel, nor in another one."""
    for entry in _elf(entries, arch):
        assert entry.binary is not None
        elsewhere = {link.needed for link in entry.links if link.where != "system"}
        for requirement in entry.binary.requires:
            if requirement.library not in elsewhere:
                yield entry, requirement.library, requirement.versions


def _system_libraries(entry: Entry) -> Iterator[str]:
    yield from (link.needed for link in entry.links if link.where == "system")


def stated(
    entries: Iterable[Entry], records: Mapping[str, Package], virtual: str, oldest: tuple[int, int]
) -> Iterator[Floor]:
    """Yield the lower bounds on the system that the records of the packages in the wheel state."""
    for name in sorted({entry.package for entry in entries} & records.keys()):
        record = records[name]
        # A bound stands in constrains, too: there it holds just as much for every machine of that system.
        for spec in dict.fromkeys((*record.depends, *record.constrains)):
            bound = minimum(spec) if spec.name == virtual else None
            if bound is not None:
                version = max(bound, oldest)
                yield Floor(version=version, path=record.file_name, package=name, library=RECORD, symbol=spec.text)


def _ignored(stated: Sequence[Floor], lowest: tuple[int, int], tag: str) -> tuple[str, ...]:
    ignored = [floor for floor in stated if floor.version > lowest]
    if not ignored:
        return ()
    names = ", ".join(f"{floor.package} ({floor.symbol})" for floor in ignored[:_SHOWN])
    more = f" and {len(ignored) - _SHOWN} more" if len(ignored) > _SHOWN else ""
    return (f'link.floor = "symbols": the tag {tag} is lower than what packages state: {names}{more}',)


def _foreign(entries: Iterable[Entry], target: Target) -> tuple[str, ...]:
    """Return notes on binaries of other machines that are data; raise for those that would be loaded."""
    problems: list[Problem] = []
    notes: list[str] = []
    for entry in entries:
        if entry.binary is None or entry.binary.arch == target.arch:
            continue
        machine = entry.binary.arch or "an unknown machine"
        parent = PurePosixPath(entry.original).parent
        if _importable(entry.path) or str(parent) in _LOADED_FROM:
            problems.append(
                Problem(
                    where=entry.path,
                    what=f"{entry.package} has a binary of {machine}, not of {target.arch}",
                    hint=f'leave it out: [tool.mamba-press.select] exclude = ["{entry.original}"]',
                )
            )
        else:
            notes.append(f"{entry.path} is a binary of {machine}: packed as data, untouched")
    if problems:
        raise ContentError(*problems)
    return tuple(notes)


def _bound_to_systems(entries: Iterable[Entry], records: Mapping[str, Package]) -> tuple[str, ...]:
    """Say which packages, by their own records, are for some systems only, although nothing in them is a binary."""
    notes = []
    for name in sorted({entry.package for entry in entries} & records.keys()):
        record = records[name]
        virtual = {spec.name for spec in record.depends} & {"__linux", "__osx", "__unix", "__win"}
        systems = sorted(virtual | {record.subdir} - {"noarch"})
        if systems:
            notes.append(
                f"{name} is made for {', '.join(systems)} by its record; "
                "nothing in the wheel is a binary, so the tag says 'any'"
            )
    return tuple(notes)


def _elf(entries: Iterable[Entry], arch: str) -> Iterator[Entry]:
    return _of_format(entries, "elf", arch)


def _of_format(entries: Iterable[Entry], wanted: str, arch: str) -> Iterator[Entry]:
    for entry in entries:
        if entry.binary and (entry.binary.format, entry.binary.arch) == (wanted, arch):
            yield entry


# --- Python ---


def _python_tags(
    entries: Sequence[Entry], records: Mapping[str, Package], python: Python, libraries: _Libraries
) -> tuple[str, str, tuple[str, ...]]:
    """Return the interpreter tag and the ABI tag, with notes where a reason is not plain to see."""
    modules = [module for entry in entries if (module := _module(entry)) is not None]
    _refuse_other_pythons(modules, python)
    modules = [module for module in modules if _loads(module, python)]
    bound = _bound_packages(entries, records)
    if any(module.abi not in ("abi3", "abi3t") for module in modules):
        return python.interpreter, python.abi, ()
    with_modules = {module.entry.package for module in modules}
    alone = sorted(bound - with_modules)
    if alone:
        note = f"{alone[0]} is made for Python {python} by its record, though no extension in it says so"
        return python.interpreter, "none", (note,)
    if not modules:
        return "py3", "none", ()
    notes: tuple[str, ...] = ()
    oldest = max(_oldest_python(module.entry.package, records, python) for module in modules)
    stable = [module for module in modules if module.abi == "abi3"]
    demanding = _most_demanding(stable, libraries)
    if demanding:
        module, used = demanding
        if used.outside or used.minor > python.minor:
            # A name may be older than its place in the stable ABI: this Python has it, the next need not.
            what = f"takes {used.newest}, which is in the stable ABI from Python 3.{used.minor} on"
            if used.outside:
                what = f"takes {used.outside[0]}, which is not in the stable ABI, whatever its name says"
            note = f"{module.entry.path} {what}: the wheel is for Python {python} alone"
            return python.interpreter, python.abi, (note,)
        if used.minor > oldest:
            oldest = used.minor
            notes += (f"{module.entry.path} takes {used.newest}, which is in the stable ABI from Python 3.{oldest} on",)
    if all(module.abi == "abi3t" for module in modules):
        return f"cp3{max(oldest, _FIRST_ABI3T)}", "abi3.abi3t", ()
    return f"cp3{oldest}", "abi3", notes


@dataclass(frozen=True, slots=True)
class _Libraries:
    """The files that a wheel finds libraries in, by their real paths in the prefix, and what each is known to offer."""

    entries: Mapping[str, Entry]
    known: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry], others: Iterable[Kept]) -> _Libraries:
        """Index entries, and the files of other wheels."""
        found = {each.file.path: Entry.of(each, each.file.path) for each in others}
        found.update({entry.real: entry for entry in entries if entry.real})
        return cls(found)

    def offered_to(self, entry: Entry) -> frozenset[str]:
        """Return the symbols of all libraries that an entry needs, perhaps through others.

        Only those that may be taken for Python's, or for what a library of the system keeps to itself.
        """
        seen: set[str] = set()
        todo = [entry]
        while todo:
            new = {link.path for link in todo.pop().links if link.path and link.path in self.entries} - seen
            seen |= new
            todo += [self.entries[path] for path in new]
        return frozenset().union(*map(self._offers, seen))

    def _offers(self, path: str) -> frozenset[str]:
        if path not in self.known:
            try:
                offered = _symbols(self.entries[path]).exports
                self.known[path] = stable_abi.like_python(offered) | frozenset(filter(policy.is_internal, offered))
            except binaries.Malformed:
                self.known[path] = frozenset()
        return self.known[path]


def _most_demanding(modules: Sequence[_Module], libraries: _Libraries) -> tuple[_Module, stable_abi.Use] | None:
    """Return the extension for the stable ABI that takes most of Python, and what.

    What a library has that the extension needs is taken from that one, whatever its name looks like.
    """
    used = []
    for module in modules:
        imports = stable_abi.like_python(_symbols(module.entry).imports)
        taken = stable_abi.use(imports)
        if taken.outside or taken.newest:
            taken = stable_abi.use(imports - libraries.offered_to(module.entry))
        used.append((module, taken))
    return max(used, key=lambda each: (bool(each[1].outside), each[1].minor), default=None)


def _module(entry: Entry) -> _Module | None:
    """Return the extension module that an entry is, None for what Python cannot import as one."""
    if entry.binary is None or not _importable(entry.path):
        return None
    name = PurePosixPath(entry.path).name
    if entry.binary.format == "pe":
        return _windows_module(entry, entry.binary, name)
    if found := _TAGGED.search(name):
        flags = found["flags"].replace("d", "")
        return _Module(entry=entry, stem=_stem(entry.path), abi=f"cp3{found['minor']}{flags}")
    if found := _STABLE.search(name):
        return _Module(entry=entry, stem=_stem(entry.path), abi=found["abi"])
    if re.fullmatch(r"[^\W\d]\w*\.so", name) and _exports(entry, f"PyInit_{name[:-3]}"):
        return _Module(entry=entry, stem=_stem(entry.path), abi=None)
    return None


def _windows_module(entry: Entry, binary: Binary, name: str) -> _Module | None:
    """Return the extension module that a ``.pyd`` is: where its name does not say for which Python, its imports do."""
    if found := _WINDOWS.search(name):
        return _Module(entry=entry, stem=_stem(entry.path), abi=f"cp3{found['minor']}{found['flags']}")
    if not _exports(entry, f"PyInit_{name.partition('.')[0]}"):
        return None
    return _Module(entry=entry, stem=_stem(entry.path), abi=windows.python_abi(binary.needed))


def _is_bound(entry: Entry, records: Mapping[str, Package]) -> bool:
    """Whether an entry is a binary for Windows, not one of the launchers that pip carries to every system."""
    binary = entry.binary
    if binary is None or binary.arch is None:
        return False
    record = records.get(entry.package)
    return binary.kind == "shared" or record is None or record.noarch is None


def _importable(path: str) -> bool:
    """Whether an entry lies where modules are imported from: not in the prefix tree, not in the wheel's own folders."""
    parts = PurePosixPath(path).parts
    if path.endswith((".so", ".pyd")) and "_prefix" not in parts:
        return not parts[0].endswith(".dist-info") and (
            not parts[0].endswith(".data") or (len(parts) > 2 and parts[1] in ("platlib", "purelib"))
        )
    return False


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name.partition('.')[0]}"


def _exports(entry: Entry, symbol: str) -> bool:
    return symbol in _symbols(entry).exports


def _symbols(entry: Entry) -> Symbols:
    if isinstance(entry.source, bytes):
        return binaries.symbols(entry.source)
    with Path(entry.source).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return binaries.symbols(data)


def _loads(module: _Module, python: Python) -> bool:
    """Whether the target's import system loads the module."""
    if module.abi == "abi3":
        return not python.free_threaded
    if module.abi == "abi3t":
        return python.minor >= _FIRST_ABI3T
    return module.abi in (None, python.abi)


def _refuse_other_pythons(modules: Sequence[_Module], python: Python) -> None:
    """Refuse a module that the target cannot load, unless the package has it for the target too."""
    there = {module.stem for module in modules if _loads(module, python)}
    problems = [
        Problem(
            where=module.entry.path,
            what=f"{module.entry.package} has this extension for {module.abi}; Python {python} does not load it",
            hint=_other_python_hint(module, python),
        )
        for module in modules
        if module.stem not in there
    ]
    if problems:
        raise ContentError(*problems)


def _other_python_hint(module: _Module, python: Python) -> str:
    found = re.fullmatch(r"cp3(\d+)([a-z]*)", module.abi or "")
    if found:
        other = f"3.{found[1]}{'t' if 't' in found[2] else ''}"
        return f'press for that Python, python = "{other}", or choose a build of the package for {python}'
    return f"choose a build of the package that is made for Python {python}"


def _bound_packages(entries: Iterable[Entry], records: Mapping[str, Package]) -> set[str]:
    """Return the packages that have files among the modules and whose records tie them to one Python."""
    return {
        name
        for entry in entries
        if "/site-packages/" in f"/{entry.original}"
        if not entry.path.partition("/")[0].endswith((".dist-info", ".egg-info"))
        if (name := entry.package) in records
        if records[name].is_python and records[name].noarch is None
    }


def _oldest_python(name: str, records: Mapping[str, Package], python: Python) -> int:
    """Return the oldest minor version that a package with abi3 modules says it works with.

    Such packages are ``noarch: python`` of a platform (CEP 20) and state ``cpython >=3.9``; one that is made for a
    single Python promises nothing below that one.
    """
    record = records.get(name)
    if record is None or record.noarch is None:
        return python.minor
    bounds = [
        bound
        for spec in record.depends
        if spec.name in ("cpython", "python") and (bound := minimum(spec)) is not None and bound[0] == 3
    ]
    return min(max(bounds)[1], python.minor) if bounds else python.minor
