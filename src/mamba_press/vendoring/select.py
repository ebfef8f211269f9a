"""Which packages, and which files of them, stay in the wheel, and why."""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import globs, messages, platforms
from mamba_press.conda.specs import spec_name, twin
from mamba_press.errors import ConfigError, ContentError
from mamba_press.platforms import binaries, compiler_runtimes, strings
from mamba_press.platforms.linux import policy
from mamba_press.platforms.protocol import Choice, Demand
from mamba_press.problem import Setting, Text
from mamba_press.types import OWN, Dropped, Kept, Problem, Reason, Selection
from mamba_press.vendoring import activation, library_calls, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Literal

    from mamba_press.config.model import Config
    from mamba_press.types import Binary, Environment, File, Package, Resolved, Solution, Strings, Target

_PROGRAMS = ("bin/", "sbin/", "libexec/", "Library/bin/", "Scripts/")
_PYTHON = ("python", "python_abi")
_SITE_PACKAGES = re.compile(r"lib/python3\.\d+t?/site-packages|Lib/site-packages")
_ONE_OF_TWO = "leave a package out with select.prune, or the file, if nothing needs it, with select.exclude"
_APART = Text.of(
    "press the package or ship the code: take it out of packages, or the code out of the wheel with ",
    Setting("sources.modules", ()),
)
_LAUNCHER = Reason("rule", "a launcher that installers make themselves")
_DATA = Reason("data")


def packages(solution: Solution, config: Config) -> tuple[tuple[Package, ...], tuple[Dropped, ...]]:
    """Return the packages that may have a file in the wheel, and those that leave by their record alone.

    The closure of the requested packages and of ``host`` over the channel's ``depends``, not passing through a Python
    package that nobody asked for, through ``python`` itself, or through what ``select.prune`` names.
    """
    by_name = {package.name: package for package in solution.packages}
    pruned = {name for name in by_name if globs.matches(name, config.select.prune)}
    alone = {name for name in by_name if globs.matches(name, config.select.prune_alone)} - pruned
    _check_names(config, by_name)
    _refuse_python(by_name)
    _refuse_other_places(by_name)
    asked = [name for name, package in by_name.items() if package.requested]
    stays = _closure([*asked, *map(spec_name, config.host)], {n: p for n, p in by_name.items() if n not in pruned})
    named = {**dict.fromkeys(alone, "select.prune-alone"), **dict.fromkeys(pruned, "select.prune")}
    dropped = tuple(
        Dropped(package=name, path=None, size=package.size or 0, why=_why_gone(package, named.get(name)))
        for name, package in sorted(by_name.items())
        if name not in stays or name in alone
    )
    return tuple(stays[name] for name in sorted(stays.keys() - alone)), dropped


def vendored(solution: Solution, config: Config) -> Solution:
    """Return the solution in which the Python packages of ``select.python-packages`` are requested ones too.

    Only those that the packages asked for need, perhaps through one another; and the other half of what was asked for,
    in any case (`twin`).
    """
    by_name = {package.name: package for package in solution.packages}
    reached: set[str] = set()
    todo = [name for name, package in by_name.items() if package.requested]
    while todo:
        name = todo.pop()
        package = by_name.get(name)
        pruned = globs.matches(name, config.select.prune)
        if package is None or name in reached or pruned or not (_passes(package) or _is_vendored(package, config)):
            continue
        reached.add(name)
        todo.extend(spec.name for spec in package.depends)
    named = {name for name in reached if _is_vendored(by_name[name], config)}
    halves = (twin(package, by_name) for package in by_name.values() if package.requested)
    named |= {half.name for half in halves if half and not globs.matches(half.name, config.select.prune)}
    packages = (replace(package, requested=True) if package.name in named else package for package in solution.packages)
    return replace(solution, packages=tuple(packages))


def _is_vendored(package: Package, config: Config) -> bool:
    if not package.is_python or package.name in _PYTHON:
        return False
    asked, alone = config.select.python_packages, config.select.prune_alone
    return bool(globs.matches(package.name, asked)) and not globs.matches(package.name, alone)


def _closure(names: Iterable[str], by_name: Mapping[str, Package]) -> dict[str, Package]:
    """Return the packages that are reached from some by what the records depend on."""
    found: dict[str, Package] = {}
    todo = sorted(names)
    while todo:
        name = todo.pop()
        package = by_name.get(name)
        if package is not None and name not in found and _passes(package):
            found[name] = package
            todo.extend(spec.name for spec in package.depends)
    return found


def _passes(package: Package) -> bool:
    return package.requested or not (package.is_python or package.name in _PYTHON)


def _why_gone(package: Package, key: str | None) -> Reason:
    if key:
        return Reason("rule", f"{key} names it")
    if package.name in _PYTHON:
        return Reason("rule", "Python is not vendored")
    if package.is_python:
        return Reason("rule", "a Python package that nobody asked for")
    return Reason("rule", "only needed by packages that leave")


def _refuse_python(by_name: Mapping[str, Package]) -> None:
    asked = [name for name in _PYTHON if name in by_name and by_name[name].requested]
    if asked:
        raise ConfigError(
            *(
                Problem(
                    where=Setting("packages"),
                    what=f"names {name}: a wheel is installed into a Python and cannot bring one",
                    hint='say which Python to press for with python = "3.12"',
                )
                for name in asked
            )
        )


def _refuse_other_places(by_name: Mapping[str, Package]) -> None:
    """Refuse a Python that has its packages in a folder of its own choice (CEP 17): nothing there would be found."""
    python = by_name.get("python")
    if python is not None and python.site_packages and not _SITE_PACKAGES.fullmatch(python.site_packages):
        raise ContentError(
            Problem(
                where=str(python),
                what=f"has its packages in {python.site_packages!r}, where mamba-press does not look for them",
                hint='choose a build of Python that has them in the usual place: constraints = ["python * …"]',
            )
        )


def _check_names(config: Config, by_name: Mapping[str, Package]) -> None:
    problems: list[Problem] = []
    select = config.select
    for key, names in (("prune", select.prune), ("prune-alone", select.prune_alone)):
        where = Setting(f"select.{key}")
        problems += [_unknown(where, glob, by_name) for glob in names if not _any(by_name, glob)]
        problems += [
            Problem(where=where, what=f"{name} is both in packages and pruned", hint="remove one")
            for name, package in sorted(by_name.items())
            if package.requested and globs.matches(name, names)
        ]
    pythons = [name for name, package in by_name.items() if package.is_python]
    problems += [
        _unknown(Setting("select.python-packages"), glob, pythons, "Python package")
        for glob in select.python_packages
        if glob != "*" and not _any(pythons, glob)
    ]
    if problems:
        raise ConfigError(*problems)


def _any(names: Iterable[str], glob: str) -> bool:
    return any(globs.matches(name, (glob,)) for name in names)


def _unknown(where: Setting, glob: str, names: Iterable[str], kind: str = "package") -> Problem:
    hint = f"the solution has: {', '.join(sorted(names)) or 'none'}"
    return Problem(where=where, what=f"{glob!r} names no {kind} of the solution", hint=hint)


def files(environment: Environment, target: Target, config: Config) -> Selection:
    """Return what stays of an environment and what leaves; raises ContentError for a library that is nowhere.

    Of a requested package everything stays but what the default filters name, of own code everything. Of a dependency
    stay the libraries that are reached (needed, or opened by name by a requested package or by a library), its plugins,
    and its data where anything of it is reached or it has no binary at all. A package that only ``host`` brings leaves
    whole where nothing of it, or of what depends on it, is reached.
    """
    candidates, filtered = _filter(environment, config)
    prefix = resolve.Prefix.of(environment)
    requested = frozenset(package.name for package in environment.packages if package.requested)
    read = _strings(file for file in candidates.values() if file.package in requested)
    facts = _facts(candidates, target, read)
    libraries = {path for path, binary in facts.items() if binary.arch and binary.kind == "shared"}
    read |= _strings(file for path, file in candidates.items() if path in libraries and path not in read)
    asked = library_calls.read(candidates.values(), library_calls.libraries(prefix, candidates, facts))
    problems = [*asked.problems]
    search = _Search(
        prefix=prefix,
        candidates=candidates,
        facts=facts,
        requested=requested,
        opened=_together(_opened(prefix, candidates, facts, read), asked.opened),
        include=tuple(config.select.include),
        unused=config.link.unused_libraries,
        programs=_programs(config),
        packages={package.name: package for package in environment.packages},
        host=frozenset(map(spec_name, config.host)),
    )
    rules = _rules(target, config)
    gone: tuple[Dropped, ...] = ()
    drops = tuple(key for key in ("missing", "unpromised") if getattr(config.link, key) == "drop")
    if drops:
        search, gone = _without_missing(replace(search, drops=drops), rules)
    reached, notes = _choose_runtimes(search, rules, environment, config)
    problems += [*reached.problems, *_clobbered(environment, reached, candidates), *_sourceless(environment, config)]
    if OWN in search.packages:
        problems += _shadowed(candidates[path] for path in reached.reasons)
    if problems:
        raise ContentError(*problems)
    _refuse_two_openmp(reached, candidates)
    kept = tuple(
        Kept(
            file=candidates[path],
            why=why,
            binary=facts.get(search.real(path)),
            links=reached.links.get(path, ()),
            strings=read.get(path) or strings.look(candidates[path].source),
        )
        for path, why in sorted(reached.reasons.items())
    )
    left = search.left(reached)
    notes += (*_foreign(kept), *(f"{each.path} ({each.package}) is left out: {each.why}" for each in gone))
    notes += tuple(_lost_links(search, reached))
    return Selection(kept=kept, dropped=(*filtered, *gone, *left), notes=notes)


def _rules(target: Target, config: Config) -> resolve.Rules:
    return resolve.Rules(
        target=target,
        system=tuple(config.link.system),
        external=config.link.external,
        remove=tuple(config.link.remove),
        pruned=(*config.select.prune, *config.select.prune_alone),
        runtimes={key: "system" for key, wanted in asdict(config.link.runtimes).items() if wanted == "system"},
        keeps_to_tag=config.link.unpromised != "report",
    )


def _without_missing(search: _Search, rules: resolve.Rules) -> tuple[_Search, tuple[Dropped, ...]]:
    """Let the plugins leave that need, perhaps through others, a library that is nowhere, or that the tag lacks.

    What cannot be found for a file that is no plugin stays as it is, and will be an error.
    """
    gone: dict[str, Dropped] = {}
    while True:
        reached = search.run(rules)
        leaves = search.hopeless(reached)
        if not leaves:
            return search, tuple(gone[path] for path in sorted(gone))
        for path, why in leaves.items():
            file = search.candidates[path]
            gone[path] = Dropped(package=file.package, path=path, size=file.size, why=why)
        search = replace(search, candidates={p: file for p, file in search.candidates.items() if p not in gone})


def _lost_links(search: _Search, reached: _Reached) -> Iterator[str]:
    """Name the symlinks to libraries from elsewhere than the library folder: what opens them finds nothing there."""
    lost = [
        (path, end)
        for path, file in sorted(search.candidates.items())
        if file.package in search.requested
        and path not in reached.reasons
        and (end := search.real(path)) in reached.reasons
        if end != path and posixpath.dirname(path) not in ("lib", posixpath.dirname(end))
    ]
    if lost:
        path, end = lost[0]
        yield (
            f"{path} is a link to {end}: wheels have no links, and of a library there is one copy"
            + messages.others(len(lost) - 1)
            + f'; if something opens it there, let it lie there: layout.move = {{ "{end}" = "…" }}'
        )


@dataclass(slots=True)
class _Reached:
    """The outcome of one walk; the only value here that grows, and only while `_Search.run` makes it."""

    reasons: dict[str, Reason] = field(default_factory=dict)
    links: dict[str, tuple[Resolved, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    missing: dict[str, Reason] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Search:
    prefix: resolve.Prefix
    candidates: Mapping[str, File]
    facts: Mapping[str, Binary]
    requested: frozenset[str]
    opened: Mapping[str, tuple[str, ...]]
    include: tuple[str, ...]
    unused: Literal["keep", "drop"] | None = None
    programs: frozenset[str]
    packages: Mapping[str, Package]
    host: frozenset[str]
    drops: tuple[str, ...] = ()

    def left(self, reached: _Reached) -> tuple[Dropped, ...]:
        """Return what is not reached, and why."""
        present = frozenset(self.candidates[path].package for path in reached.reasons)
        return tuple(
            Dropped(package=file.package, path=path, size=file.size, why=self.why_left(path, present))
            for path, file in sorted(self.candidates.items())
            if path not in reached.reasons
        )

    def real(self, path: str) -> str:
        return self.candidates[path].link or path

    def run(self, rules: resolve.Rules) -> _Reached:
        """Walk from the roots along every needed library that is in the wheel."""
        reached = _Reached()
        by_package: dict[str, list[str]] = {}
        for path, file in self.candidates.items():
            by_package.setdefault(file.package, []).append(path)
        todo: list[tuple[str, Reason]] = []
        active: set[str] = set()
        whole = {name for name, paths in by_package.items() if not any(path in self.facts for path in paths)}
        only_host = _closure(self.host, self.packages).keys() - _closure(self.requested, self.packages).keys()
        for package, paths in sorted(by_package.items()):
            if package in self.requested:
                active.add(package)
                why = Reason("own") if package == OWN else Reason("requested")
                todo += [(path, why) for path in paths if self._stays_by_itself(path)]
            elif package in whole and package not in only_host:
                active.add(package)
                todo += [(path, _DATA) for path in paths if not self._is_alias(path)]
            elif self.unused == "keep":
                active.add(package)
                todo += [(path, reason) for path in paths if (reason := self._comes_along(path))]
        todo += [(path, Reason("included")) for path in self.candidates if globs.matches(path, self.include)]
        todo += [(path, Reason("rule", "wheel.executables")) for path in self.candidates if path in self.programs]
        todo.reverse()
        while todo:
            path, why = todo.pop()
            if path in reached.reasons:
                continue
            reached.reasons[path] = why
            package = self.candidates[path].package
            # Data that the user asked for brings no more of its package with it.
            if package not in active and (why.kind != "included" or self.real(path) in self.facts):
                active.add(package)
                todo += [(other, reason) for other in by_package[package] if (reason := self._comes_along(other))]
                data = (_closure((package,), self.packages).keys() & whole) - active
                active |= data
                todo += [(p, _DATA) for each in sorted(data) for p in by_package[each]]
            todo += self._needs(path, rules, reached)
            opened = (library for library in self.opened.get(path, ()) if library in self.candidates)
            todo += [(library, Reason("opened", path)) for library in opened]
        return reached

    def _stays_by_itself(self, path: str) -> bool:
        """Whether a file of a requested package stays though nothing needs it."""
        if self.candidates[path].package == OWN:
            return True
        if self._is_alias(path):
            return False
        return self.unused != "drop" or not self._is_plain_library(path)

    def _is_plain_library(self, path: str) -> bool:
        """Whether a file is a library that is there to be linked to, which is no plugin and no program."""
        binary = self.facts.get(self.real(path))
        if binary is None or binary.arch is None or binary.kind != "shared":
            return False
        return not _is_plugin(path, binary) and not self._is_alias(path)

    def hopeless(self, reached: _Reached) -> dict[str, Reason]:
        """Return the plugins that cannot be loaded since something they need, perhaps through others, is nowhere."""
        lacks = dict(reached.missing)
        users = {
            path: tuple(link.path for link in links if link.where == "wheel" and link.path)
            for path, links in reached.links.items()
        }
        spreads = True
        while spreads:
            more = {p: why for p, ends in users.items() if p not in lacks for e in ends if (why := lacks.get(e))}
            lacks |= more
            spreads = bool(more)
        return {path: why for path, why in lacks.items() if self._is_optional(path)}

    def _is_optional(self, path: str) -> bool:
        """Whether a file is a plugin without which the rest works; an extension of a requested package is none."""
        binary = self.facts[self.real(path)]
        if binary.kind != "shared" or not _is_plugin(path, binary):
            return False
        file = self.candidates[path]
        if file.package not in self.requested:
            return True
        exports = binaries.symbols(file.source.read_bytes()).exports
        return not any(name.lstrip("_").startswith("PyInit_") for name in exports)

    def _needs(self, path: str, rules: resolve.Rules, reached: _Reached) -> list[tuple[str, Reason]]:
        binary = self.facts.get(self.real(path))
        if binary is None or binary.arch is None:
            return []
        file = self.candidates[path]

        def present(found: str) -> bool:
            library = self.facts.get(found) if found in self.candidates else None
            return library is not None and library.kind == "shared" and library.arch == binary.arch

        links, lacks = resolve.resolve(binary, file, prefix=self.prefix, rules=rules, present=present)
        reached.links[path] = links
        reached.problems += [lack.problem for lack in lacks]
        for lack in lacks:
            if lack.key in self.drops:
                reached.missing.setdefault(path, Reason("rule", f"link.{lack.key}: {path} {lack.short}"))
        return [(link.path, Reason("needed", path)) for link in links if link.path]

    def _is_alias(self, path: str) -> bool:
        """Whether a path is only another name of a library, or a linker script that stands for one."""
        end = self.real(path)
        if self._is_copy(path):
            return True
        if end in self.facts:
            return end != path and self.facts[end].kind == "shared" and not path.startswith(_PROGRAMS)
        name = posixpath.basename(end)
        return name.startswith("lib") and name.endswith((".so", ".tbd"))

    def _is_copy(self, path: str) -> bool:
        """Whether a DLL is beside ``python.exe`` what the package also has in ``Library/bin``."""
        binary, other = self.facts.get(path), self.candidates.get(f"Library/bin/{path}")
        if binary is None or "/" in path or other is None:
            return False
        return other.sha256 is not None and other.sha256 == self.candidates[path].sha256

    def _comes_along(self, path: str) -> Reason | None:
        """Return why a file of a dependency stays once anything of its package does, or None."""
        if self._is_alias(path) or path.startswith(_PROGRAMS):
            return None
        binary = self.facts.get(self.real(path))
        if binary is None:
            return _DATA
        if binary.kind == "shared" and _is_plugin(path, binary):
            return Reason("plugin")
        is_kept = self.unused == "keep" and self._is_plain_library(path)
        return Reason("rule", "link.unused-libraries") if is_kept else None

    def why_left(self, path: str, present: frozenset[str]) -> Reason:
        """Return by which rule a candidate left; ``present`` are the packages of which something stays."""
        file = self.candidates[path]
        if self._is_alias(path):
            return Reason("rule", "another name of a library" if self.real(path) in self.facts else "a linker script")
        if file.package not in present:
            return Reason("unreached")
        binary = self.facts.get(self.real(path))
        # Without search paths, libraries lie among the programs.
        is_dll = binary is not None and binary.kind == "shared" and not platforms.facts_for(binary).has_search_paths
        if (path.startswith(_PROGRAMS) and not is_dll) or (binary is not None and binary.kind == "program"):
            return Reason("rule", "program of a dependency")
        return Reason("idle")


def _is_plugin(path: str, binary: Binary) -> bool:
    """Whether a shared object is made to be opened, not linked to; a DLL's name for itself means nothing."""
    facts = platforms.facts_for(binary)
    return (facts.names_itself and binary.name is None) or posixpath.dirname(path) not in facts.libraries


@cache
def _default_filters(*, whole: bool = True) -> dict[str, str]:
    """Return why a file leaves, by the glob that matches it."""
    table = json.loads(Path(__file__).parents[1].joinpath("data").joinpath("filters.json").read_text("utf-8"))
    return {glob: row["why"] for row in table if whole or row.get("always") for glob in row["paths"]}


def _filter(environment: Environment, config: Config) -> tuple[dict[str, File], tuple[Dropped, ...]]:
    stays: dict[str, File] = {}
    gone: list[Dropped] = []
    requested = {package.name for package in environment.packages if package.requested}
    launchers = _launchers(environment)
    programs = _programs(config)
    # Of two packages' files at one path the requested one's counts, here as where the problem is told.
    for file in sorted(environment.files, key=lambda file: file.package in requested):
        why = _filtered(file, config, programs) or (_LAUNCHER if file.path in launchers else None)
        if why is None:
            stays[file.path] = file
        else:
            gone.append(Dropped(package=file.package, path=file.path, size=file.size, why=why))
    return stays, tuple(gone)


def _launchers(environment: Environment) -> frozenset[str]:
    """Return conda's launchers for Windows: they start the script beside them with the ``python.exe`` above them."""
    paths = {file.path for file in environment.files}
    scripts = (re.fullmatch(r"(Scripts/.+)-script\.pyw?", path) for path in paths)
    return frozenset(f"{found[1]}.exe" for found in scripts if found)


def _programs(config: Config) -> frozenset[str]:
    return frozenset(path for asked in config.wheel.executables for path in activation.spellings(asked))


def _filtered(file: File, config: Config, programs: frozenset[str]) -> Reason | None:
    path = file.path
    if globs.matches(path, config.select.include) or path in programs:
        return None
    glob = globs.matches(path, config.select.exclude)
    if glob:
        return Reason("rule", f"select.exclude has {glob!r}")
    if file.package == OWN:
        return None
    if config.select.only and not globs.matches(path, config.select.only):
        return Reason("rule", "select.only does not name it")
    # What Python imports from there is its package's own: numpy's libnpymath.a is for those who compile against numpy.
    inside = "/site-packages/" in path
    filters = _default_filters(whole=config.select.default_filters and not inside)
    glob = globs.matches(path, filters)
    return Reason("rule", filters[glob]) if glob else None


def _facts(candidates: Mapping[str, File], target: Target, read: Mapping[str, Strings]) -> dict[str, Binary]:
    """Read every binary by its real path, those too that left and to which a symlink leads that is still there.

    What was ``read`` already, and is none, is not opened again.
    """
    sources = {file.link: file for file in candidates.values() if file.link is not None}
    sources |= {path: file for path, file in candidates.items() if file.link is None}
    unsure = {path: file for path, file in sources.items() if file.path not in read or read[file.path].announced}
    return {path: binary for path, file in unsure.items() if (binary := _binary(file, target)) is not None}


def _binary(file: File, target: Target) -> Binary | None:
    """Read a binary of the target's own format; the launchers for Windows that pip carries everywhere are data.

    One for another machine has no architecture afterwards: it is left as it is.
    """
    try:
        binary = binaries.read_file(file.source)
    except binaries.Malformed as error:
        if not _is_native(file, target):
            return None
        raise ContentError(
            Problem(
                where=f"{file.path} ({file.package})",
                what=f"is a broken binary: {error}",
                hint=Text.of("leave it out: ", Setting("select.exclude", (file.path,))),
            )
        ) from None
    if binary is None or binary.format != platforms.facts(target).format:
        return None
    if target.arch in binary.archs:
        # The slices of a universal file for other machines come along.
        return replace(binary, arch=target.arch)
    # Windows has names of its own for the architectures.
    wanted = platforms.facts(target).machines.get(target.arch, target.arch)
    return replace(binary, arch=target.arch if binary.arch == wanted else None)


def _is_native(file: File, target: Target) -> bool:
    with file.source.open("rb") as stream:
        return binaries.format_of(stream.read(8)) == platforms.facts(target).format


def _foreign(kept: Sequence[Kept]) -> tuple[str, ...]:
    binaries = [(each.file.path, each.binary) for each in kept if each.binary is not None]
    slices = [
        f"the slice of {path} for {' and for '.join(binary.unread)} is not edited: it asks for libraries by old names"
        for path, binary in binaries
        if binary.arch and binary.unread
    ]
    paths = [path for path, binary in binaries if binary.arch is None]
    if not paths:
        return tuple(slices)
    shown = ", ".join(paths[:3]) + messages.others(len(paths) - 3)
    return (f"left as they are, for they are for another machine: {shown}", *slices)


def _strings(files: Iterable[File]) -> dict[str, Strings]:
    """Return by path what the strings of files say; what is metadata of Python opens nothing."""
    return {
        file.path: strings.look(file.source)
        for file in files
        if ".dist-info/" not in file.path and ".egg-info/" not in file.path
    }


def _opened(
    prefix: resolve.Prefix,
    candidates: Mapping[str, File],
    facts: Mapping[str, Binary],
    read: Mapping[str, Strings],
) -> dict[str, tuple[str, ...]]:
    """Return the libraries of the prefix whose names occur in a file, by its path: it may open them by name."""
    opened: dict[str, tuple[str, ...]] = {}
    for path, said in read.items():
        names = (name for name in said.names if not (_never_opened(name) or strings.is_mute(path)))
        ends = {prefix.ends[other] for name in names for other in prefix.named.get(name, ())}
        found = tuple(sorted(end for end in ends if end in candidates and end in facts))
        if found:
            opened[path] = found
    return opened


def _together(
    first: Mapping[str, tuple[str, ...]], second: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    return {path: (*first.get(path, ()), *second.get(path, ())) for path in (*first, *second)}


def _never_opened(name: str) -> bool:
    return compiler_runtimes.runtime_of(name) in compiler_runtimes.RENAMED or policy.never_vendored(name)


def _clobbered(environment: Environment, reached: _Reached, candidates: Mapping[str, File]) -> list[Problem]:
    """Name each path that stays and at which two packages of the wheel have different files."""
    leaves = {file.package for file in candidates.values()} - {candidates[path].package for path in reached.reasons}
    owners: dict[str, list[str]] = {}
    for file in environment.files:
        if file.path in reached.reasons and file.package not in leaves:
            owners.setdefault(file.path, []).append(file.package)
    return [
        Problem(
            where=path,
            what=f"{len(packages)} different files would lie here, of {' and of '.join(sorted(packages))}",
            hint=_APART if OWN in packages else _ONE_OF_TWO,
        )
        for path, packages in sorted(owners.items())
        if len(packages) > 1
    ]


def _shadowed(files: Iterable[File]) -> Iterator[Problem]:
    """Name each module of the project's, or of a package's, that the other one's package of that name would hide."""
    modules: dict[str, list[File]] = {}
    folders: dict[str, File] = {}
    for file in files:
        found = re.fullmatch(r"(.*/site-packages/.+?)(/__init__\.py|(?:\.[\w-]+)?\.(?:py|so|pyd))", file.path)
        if found and found[2] == "/__init__.py":
            folders[found[1]] = file
        elif found:
            modules.setdefault(found[1], []).append(file)
    for name in sorted(modules.keys() & folders.keys()):
        folder = folders[name]
        for file in modules[name]:
            if (file.package == OWN) != (folder.package == OWN):
                hidden = f"{posixpath.basename(name)}/ of {folder.package} hides it"
                what = f"of {file.package} would never be imported: {hidden}"
                yield Problem(where=file.path, what=what, hint=_APART)


def _sourceless(environment: Environment, config: Config) -> Iterator[Problem]:
    """Name the modules of requested packages that are only there compiled: only one version of Python reads these."""
    requested = {package.name for package in environment.packages if package.requested}
    files = [file for file in environment.files if file.package in requested and file.path.endswith(".pyc")]
    files = [file for file in files if re.fullmatch(r".*/site-packages/(?!.*__pycache__/).+", file.path)]
    if not files:
        return
    modules = {re.sub(r"\.(?:py|[\w-]*\.?(?:so|pyd))$", "", file.path) for file in environment.files}
    for file in files:
        if file.path.removesuffix(".pyc") in modules or globs.matches(file.path, config.select.exclude):
            continue
        yield Problem(
            where=f"{file.path} ({file.package})",
            what="is a module without its source, compiled for one Python: a wheel has none such",
            hint=Text.of("if nothing needs it, say so: ", Setting("select.exclude", (file.path,))),
        )


def _choose_runtimes(
    search: _Search, rules: resolve.Rules, environment: Environment, config: Config
) -> tuple[_Reached, tuple[str, ...]]:
    """Decide every compiler runtime that the wheel needs, libgcc last because the others may need it."""
    notes: list[str] = []
    wanted = asdict(config.link.runtimes)
    reached = search.run(rules)
    system = platforms.of(rules.target.system)
    for runtime in compiler_runtimes.LIBRARIES:
        versions = _demands(search, reached, rules, runtime)
        if versions is None:
            continue
        needed = (link.needed for links in reached.links.values() for link in links)
        demand = Demand(
            runtime=runtime,
            wanted=wanted.get(runtime, "auto"),
            target=rules.target,
            names=tuple(name for name in needed if compiler_runtimes.runtime_of(name) == runtime),
            versions=versions,
            packages=environment.packages,
            symbols=partial(_taken, search, reached, rules, runtime),
            floor=partial(_floor, search, reached, rules.target, environment, config),
            of_copy=partial(_floor_of_copy, search, rules, runtime, environment, config),
        )
        choice, why = system.choose_runtime(demand)
        notes.append(f"{runtime}: {choice} ({why})" + _uncopied(search, runtime, choice))
        if (rules.runtimes or {}).get(runtime) != choice:
            rules = replace(rules, runtimes={**(rules.runtimes or {}), runtime: choice})
            reached = search.run(rules)
    return reached, tuple(notes)


def _uncopied(search: _Search, runtime: str, choice: Choice) -> str:
    """Say that a copy cannot be packed where the solution has none: then the system's is used, if the tag allows it."""
    if choice == "system" or any(
        compiler_runtimes.runtime_of(posixpath.basename(path)) == runtime for path in search.candidates
    ):
        return ""
    return "; the solution has no copy of it: name its conda package, too"


def _is_of(link: Resolved, rules: resolve.Rules, runtime: str) -> bool:
    """Whether a needed library is a runtime about which there is something to choose: not macOS's own by its path."""
    system = platforms.of(rules.target.system)
    return compiler_runtimes.runtime_of(link.needed) == runtime and system.why_system(link.needed) is None


def _taken(search: _Search, reached: _Reached, rules: resolve.Rules, runtime: str) -> frozenset[str]:
    """Return the symbols that the reached files take from a runtime."""
    return frozenset(
        symbol
        for path, links in reached.links.items()
        for link in links
        if _is_of(link, rules, runtime) and compiler_runtimes.runtime_of(path) != runtime
        for symbol in binaries.taken(search.candidates[path].source.read_bytes(), link.needed)
    )


def _demands(search: _Search, reached: _Reached, rules: resolve.Rules, runtime: str) -> frozenset[str] | None:
    """Return the symbol versions that the reached files demand of a runtime, or None if none of them needs it."""
    needing = [
        search.facts[search.real(path)]
        for path, links in reached.links.items()
        if any(_is_of(link, rules, runtime) for link in links) and compiler_runtimes.runtime_of(path) != runtime
    ]
    if not needing:
        return None
    demanded = (each for binary in needing for each in binary.requires)
    return frozenset(
        v for each in demanded if compiler_runtimes.runtime_of(each.library) == runtime for v in each.versions
    )


def _floor(
    search: _Search, reached: _Reached, target: Target, environment: Environment, config: Config
) -> tuple[int, int]:
    """Return the system that the wheel needs whatever becomes of its runtimes, or the one of the tag asked for."""
    if target.tag and target.floor:
        return target.floor
    found = (search.facts[search.real(path)] for path in reached.links if compiler_runtimes.runtime_of(path) is None)
    floor = platforms.of(target.system).floor_of(found, target.arch)
    if config.link.floor == "symbols":
        return floor
    owners = {search.candidates[path].package for path in reached.reasons}
    # A runtime that may yet leave must not raise the floor that decides whether it does.
    owners -= {search.candidates[path].package for path in reached.links if compiler_runtimes.runtime_of(path)}
    return max([floor, *_stated(owners, target, environment)])


def _stated(owners: Iterable[str], target: Target, environment: Environment) -> Iterator[tuple[int, int]]:
    """Yield the versions of the system that the records of packages ask for."""
    virtual, names = platforms.facts(target).virtual, frozenset(owners)
    bounds = (resolve.stated_floor(package, virtual) for package in environment.packages if package.name in names)
    yield from filter(None, bounds)


def _floor_of_copy(
    search: _Search, rules: resolve.Rules, runtime: str, environment: Environment, config: Config
) -> tuple[int, int]:
    """Return the system that a copy of a runtime in the wheel would need."""
    reached = search.run(replace(rules, runtimes={**(rules.runtimes or {}), runtime: "bundle"}))
    paths = [path for path in reached.links if compiler_runtimes.runtime_of(path) == runtime]
    found = (search.facts[search.real(path)] for path in paths)
    owners = {search.candidates[path].package for path in paths} if config.link.floor != "symbols" else ()
    floor = platforms.of(rules.target.system).floor_of(found, rules.target.arch)
    return max([floor, *_stated(owners, rules.target, environment)])


def _refuse_two_openmp(reached: _Reached, candidates: Mapping[str, File]) -> None:
    found = {
        posixpath.basename(path).partition(".")[0]: path
        for path in reached.links
        if globs.matches_library(posixpath.basename(path).lower(), compiler_runtimes.OPENMP)
    }
    if len(found) > 1:
        raise ContentError(
            Problem(
                where=", ".join(f"{path} ({candidates[path].package})" for path in sorted(found.values())),
                what="two OpenMP runtimes in one wheel crash or deadlock the process that loads both",
                hint='narrow the solve with constraints so that one remains, e.g. ["_openmp_mutex * *_gnu"]',
            )
        )
