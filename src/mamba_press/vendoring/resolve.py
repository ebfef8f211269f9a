"""Follow needed libraries through a prefix: each is in the wheel, of the system, or nowhere.

The order is fixed: what is never vendored, what another wheel brings, the prefix, what every system of the
tag has. A library is looked for by name in the whole prefix, not only along the search path: conda packages carry
wrong ones.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mamba_press import globs, platforms
from mamba_press.conda.match_specs import minimum
from mamba_press.errors import Problem, Setting, Text
from mamba_press.platforms import binaries, compiler_runtimes
from mamba_press.platforms.linux import policy
from mamba_press.platforms.protocol import Choice
from mamba_press.platforms.windows import system as windows
from mamba_press.types import OWN, Binary, Environment, File, Kept, Package, Resolved, Target

_NAMED = "link.system says so"
"""Why a library is the system's where the user says so."""

_LIBPYTHON = ("libpython*.so", "libpython*.dylib")
_FRAMEWORK = ("**/Python.framework/**",)
_EMBEDS = frozenset(
    {"Py_Initialize", "Py_InitializeEx", "Py_InitializeFromConfig", "Py_Main", "Py_RunMain", "Py_BytesMain"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lack:
    """A library that is nowhere, or that has to come from the system and that no tag promises, by the key about such.

    ``short`` says it in few words, ``more`` what one has to know to mend it.
    """

    file: File
    short: str
    more: str
    hint: Text
    key: Literal["missing", "unpromised"] = "missing"

    @property
    def problem(self) -> Problem:
        """What is wrong where the file is needed."""
        where = f"{self.file.path} ({self.file.package})"
        return Problem(where=where, what=f"{self.short}; {self.more}", hint=self.hint)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The files of a prefix, findable as the loader finds them: by path and by any of their names."""

    files: Mapping[str, File]
    ends: Mapping[str, str]
    named: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, environment: Environment) -> Prefix:
        """Index an environment."""
        files = {file.path: file for file in environment.files}
        ends = {path: file.link or path for path, file in files.items()}
        named: dict[str, list[str]] = {}
        for path in sorted(files):
            if ".so" in path or path.endswith(".dylib"):
                named.setdefault(posixpath.basename(path), []).append(path)
            elif windows.is_library(path):
                named.setdefault(posixpath.basename(path).lower(), []).append(path)
        return cls(files, ends, {name: tuple(paths) for name, paths in named.items()})

    def find(self, binary: Binary, at: str, name: str) -> Iterator[str]:
        """Yield the paths of the real files that a needed name may mean, the likeliest first."""
        system = platforms.of(platforms.facts_for(binary).system)
        yield from (self.ends[path] for path in system.likeliest(binary, at, name, self.named) if path in self.ends)


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that decides where a needed library comes from."""

    target: Target
    system: tuple[str, ...] = ()
    external: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    pruned: tuple[str, ...] = ()  # as select.prune names them: packages that were solved, and never unpacked
    runtimes: Mapping[str, Choice] | None = None
    keeps_to_tag: bool = False


def resolve(
    binary: Binary, file: File, *, prefix: Prefix, rules: Rules, present: Callable[[str], bool]
) -> tuple[tuple[Resolved, ...], tuple[Lack, ...]]:
    """Return where each needed library of one binary is found, and each that is nowhere.

    ``present`` tells whether a path of the prefix can answer at all: it is a library for this binary's machine, and
    the user has not excluded it.
    """
    found: list[Resolved] = []
    lacks: list[Lack] = []
    for name in binary.needed:
        if globs.matches_library(posixpath.basename(name), _LIBPYTHON) or globs.matches(name, _FRAMEWORK):
            embedded = _embeds(binary, file)
            if embedded:
                lacks.append(_embedding(file, name, embedded))
            found.append(Resolved(needed=name, where="removed", why="the process that imports it is Python"))
            continue
        if globs.matches_library(posixpath.basename(name), rules.remove):
            found.append(Resolved(needed=name, where="removed", why="link.remove says so"))
            continue
        answer = _one(binary, file, name, prefix=prefix, rules=rules, present=present)
        if answer is None and name in binary.weak:
            answer = Resolved(needed=name, where="system", why="may be missing: it is linked weakly")
        if answer is None:
            left = next((path for path in prefix.find(binary, file.path, name) if not present(path)), None)
            lacks.append(_missing(binary, file, name, rules, left))
        else:
            found.append(answer)
            if rules.keeps_to_tag and platforms.is_unpromised(answer, rules.target):
                lacks.append(_unpromised(file, name, rules.target))
    return tuple(found), tuple(lacks)


def _one(  # noqa: PLR0913  # what decides about one name
    binary: Binary, file: File, name: str, *, prefix: Prefix, rules: Rules, present: Callable[[str], bool]
) -> Resolved | None:
    system = platforms.of(rules.target.system)
    never = system.why_system(name)
    if never is not None:
        is_named = system.is_named(name, rules.system)
        return Resolved(needed=name, where="system", why=_NAMED if is_named else never, named=is_named)
    # Stronger than what the prefix has: a library that another wheel brings must not come twice.
    elsewhere = find_external(posixpath.basename(name), rules.external)
    if elsewhere is not None:
        return Resolved(needed=name, where="external", why=f"link.external: {elsewhere.requirement} brings it")
    runtime = compiler_runtimes.runtime_of(name)
    if runtime and rules.runtimes and rules.runtimes.get(runtime) == "system":
        return Resolved(needed=name, where="system", why="the system's runtime")
    path = next(filter(present, prefix.find(binary, file.path, name)), None)
    if path is not None:
        return Resolved(needed=name, where="wheel", path=path, why="in the prefix")
    why = system.why_there(name, rules.target, rules.runtimes or {})
    if why is None and not system.is_named(name, rules.system):
        return None
    return Resolved(needed=name, where="system", why=why or _NAMED, named=why is None)


def _unpromised(file: File, name: str, target: Target) -> Lack:
    return Lack(
        key="unpromised",
        file=file,
        short=f"needs {name}, which no manylinux tag promises",
        more=f"it has to come from the system, for {platforms.of(target.system).why_unpromised(name, target.arch)}",
        hint=Text.of("name it in link.system if every user has it, or leave this file out: ", _left(file)),
    )


def _embeds(binary: Binary, file: File) -> str | None:
    if binary.kind == "program":
        return "it is a program"
    symbols = binaries.symbols(file.source.read_bytes())
    if any(name.startswith("PyInit_") for name in symbols.exports):
        return None
    used = sorted(symbols.imports & _EMBEDS)
    return f"it calls {used[0]}" if used else None


def _embedding(file: File, name: str, why: str) -> Lack:
    return Lack(
        file=file,
        short=f"embeds Python: it needs {name} and {why}",
        more="a wheel cannot bring a Python of its own",
        hint=Text.of("leave it out: ", _left(file)),
    )


def _missing(binary: Binary, file: File, name: str, rules: Rules, left: str | None) -> Lack:
    if left is not None:
        return Lack(
            file=file,
            short=f"needs {name}",
            more=f"the solution has it as {left}, which is excluded or no library for this machine",
            hint=Text.of(
                "keep that file, name it in link.system if every user has it, or leave this one out too: ", _left(file)
            ),
        )
    by_path = " by its path on their machines (/usr/lib/…)" if name.startswith("@") else ""
    places = f"{', '.join(binary.search) or 'no search path of its own'}, {platforms.facts_for(binary).looked_in}"
    add = "add the conda package that has it to packages"
    if file.package == OWN:
        add = "add the conda package that has it to host, or, if the build found one of this machine, tell it not to"
    package = "in no package of the solution"
    if rules.pruned:
        package = "in no package that select.prune lets stay"
        add = f"if {' or '.join(rules.pruned)} has it, take that out of select.prune; else {add}"
    return Lack(
        file=file,
        short=f"needs {name}, which is {package} and not promised by {rules.target.tag or rules.target.subdir}",
        more=f"looked in: {places}, the whole prefix",
        hint=Text.of(
            f"{add}, name it in link.system{by_path} if every user has it, or leave this file out: ", _left(file)
        ),
    )


def _left(file: File) -> Setting:
    return Setting("select.exclude", (file.path,))


def is_of_systems(name: str) -> bool:
    """Whether a library is one that no wheel vendors, or a compiler's runtime: what names it does not open it."""
    return compiler_runtimes.runtime_of(name) in compiler_runtimes.RENAMED or policy.never_vendored(name)


def stated_floor(package: Package, virtual: str) -> tuple[int, int] | None:
    """Return the version of a virtual package that a record asks for, (2, 17) for ``__glibc >=2.17``, or None.

    A bound in ``constrains`` holds just as much for every machine of that system.
    """
    specs = (spec for spec in (*package.depends, *package.constrains) if spec.name == virtual)
    return max(filter(None, map(minimum, specs)), default=None)


# -- libraries that another wheel brings (``link.external``)


@dataclass(frozen=True, kw_only=True, slots=True)
class External:
    """A library of another wheel: its users ask for ``name``, which lies in a ``folder`` below ``site-packages``.

    ``requirement`` is that wheel on PyPI.
    """

    folder: str
    name: str
    requirement: str


def find_external(name: str, declared: Mapping[str, str]) -> External | None:
    """Return what ``link.external`` says of a needed library; a key also matches without the version at its end."""
    glob = globs.matches_library(name, declared)
    if glob is None:
        return None
    requirement, _, path = declared[glob].rpartition(": ")
    folder, name = posixpath.split(path.strip())
    return External(folder=folder, name=name, requirement=requirement.strip())


def external_requirements(kept: Iterable[Kept], declared: Mapping[str, str]) -> tuple[str, ...]:
    """Return the requirements of those other wheels that a file of this one takes a library from, sorted."""
    needed = {posixpath.basename(link.needed) for each in kept for link in each.links if link.where == "external"}
    return tuple(sorted({found.requirement for name in needed if (found := find_external(name, declared))}))


def external_names(declared: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of all libraries that other wheels bring, as a finished wheel asks for them."""
    return tuple(found.name for glob in declared if (found := find_external(glob, {glob: declared[glob]})))
