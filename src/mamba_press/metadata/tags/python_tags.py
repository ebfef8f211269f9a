"""The part of a tag that names Python and its ABI: what extension modules are called, and what they take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mamba_press import platforms
from mamba_press.conda.match_specs import minimum
from mamba_press.errors import ContentError, Problem
from mamba_press.platforms import binaries, stable_abi
from mamba_press.platforms.linux import policy
from mamba_press.platforms.windows import system as windows
from mamba_press.types import Binary, Entry, Kept, Package, Python

_FIRST_ABI3T = 15
_TAGGED = re.compile(r"\.cpython-3(?P<minor>\d+)(?P<flags>[a-z]*)(?:-[\w-]+)?\.so$")
_STABLE = re.compile(r"\.(?P<abi>abi3|abi3t)\.so$")
_WINDOWS = re.compile(r"\.cp3(?P<minor>\d+)(?P<flags>t?)-win_\w+\.pyd$")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Module:
    """An extension module. ``abi`` is ``abi3``, ``abi3t``, the part such as ``cp310``, or None: no name says it."""

    entry: Entry
    stem: str
    abi: str | None


def of(
    entries: Sequence[Entry], records: Mapping[str, Package], python: Python, libraries: Libraries
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
class Libraries:
    """The files that a wheel finds libraries in, by their real paths in the prefix, and what each is known to offer."""

    entries: Mapping[str, Entry]
    known: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry], others: Iterable[Kept]) -> Libraries:
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
                offered = binaries.symbols_of(self.entries[path].source).exports
                self.known[path] = stable_abi.like_python(offered) | frozenset(filter(policy.is_internal, offered))
            except binaries.Malformed:
                self.known[path] = frozenset()
        return self.known[path]


def _most_demanding(modules: Sequence[_Module], libraries: Libraries) -> tuple[_Module, stable_abi.Use] | None:
    """Return the extension for the stable ABI that takes most of Python, and what.

    What a library has that the extension needs is taken from that one, whatever its name looks like.
    """
    used = []
    for module in modules:
        imports = stable_abi.like_python(binaries.symbols_of(module.entry.source).imports)
        taken = stable_abi.use(imports)
        if taken.outside or taken.newest:
            taken = stable_abi.use(imports - libraries.offered_to(module.entry))
        used.append((module, taken))
    return max(used, key=lambda each: (bool(each[1].outside), each[1].minor), default=None)


def _module(entry: Entry) -> _Module | None:
    """Return the extension module that an entry is, None for what Python cannot import as one."""
    if entry.binary is None or not importable(entry.path):
        return None
    name = PurePosixPath(entry.path).name
    if not platforms.facts_for(entry.binary).is_posix:
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


def importable(path: str) -> bool:
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
    return symbol in binaries.symbols_of(entry.source).exports


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
    ContentError.raise_for(
        Problem(
            where=module.entry.path,
            what=f"{module.entry.package} has this extension for {module.abi}; Python {python} does not load it",
            hint=_other_python_hint(module, python),
        )
        for module in modules
        if module.stem not in there
    )


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
