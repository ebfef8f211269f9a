"""Where each kept file goes in the wheel."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from keyword import iskeyword
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from mamba_press.errors import ConfigError, ContentError, Problem, Setting, Text
from mamba_press.project import own_files
from mamba_press.types import OWN, Entry, File, Kept, Package, Reason, Selection
from mamba_press.vendoring.hardcoded_prefix import python_script

if TYPE_CHECKING:
    from mamba_press.config.model import Config

# What lies in an egg, which only easy-install.pth could make importable, becomes an ordinary package.
_SITE_PACKAGES = re.compile(r"(?:lib/python3\.\d+t?|Lib)/site-packages/(?:[^/]+\.egg/(?!EGG-INFO/))?(?P<path>.+)")
_INIT = re.compile(r"(?P<package>[^/]+)/__init__\.(?:py|[^/]*\.?(?:so|pyd))")
_SCRIPT = re.compile(r"(?:bin|Scripts)/(?P<name>[^/]+)")
# What is looked for below the folder of the whole Python environment, not in site-packages.
_SHARED = re.compile(r"(?:Library/)?(?P<path>(?:share/jupyter|etc/jupyter|share/man)/.+)")
_HEADERS = re.compile(r"include/python3\.\d+[mt]?/(?P<path>.+)")
DATA = ".data/"
"""How a value of ``layout.move`` begins that leads out of site-packages, such as ``.data/data/share/man``."""

SCHEMES = ("data", "headers", "scripts")
_LAUNCHED = re.compile(r"Scripts/(?P<name>[^/]+)-script\.py(?P<window>w?)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The regular package in which ``_prefix/`` lies; ``generated`` when mamba-press writes that package itself.

    ``name`` is its folder in the wheel, ``company/tools`` for a part of a namespace package.
    """

    name: str
    generated: bool

    @property
    def module(self) -> str:
        """The name by which it is imported."""
        return self.name.replace("/", ".")

    @property
    def prefix(self) -> str:
        """The folder of the wheel that holds the prefix's own tree."""
        return f"{self.name}/_prefix"


def modules(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the top-level modules and packages that lie at these paths of a prefix, sorted."""
    inside = (found["path"].partition("/")[0] for path in paths if (found := _SITE_PACKAGES.fullmatch(path)))
    tops = {top for top in inside if not top.endswith((".dist-info", ".egg-info", ".pth")) and top != "__pycache__"}
    return tuple(sorted({re.sub(r"\..*", "", top) for top in tops}))


def home(name: str, selection: Selection, packages: Iterable[Package], config: Config) -> Home:
    """Choose where the prefix's own tree lives.

    ``layout.home`` if given; else the top-level regular package named as the project; else the only one of the
    project's own code, which may be a part of a namespace package; else the only one of the requested conda packages;
    else a generated private one. Raises ConfigError for a home that is no package.
    """
    normalised = canonicalize_name(name).replace("-", "_")
    requested = {package.name for package in packages if package.requested}
    regular = defaultdict(set)
    taken = set()
    for kept in selection.kept:
        found = _SITE_PACKAGES.fullmatch(kept.file.path)
        if found is None:
            continue
        taken.add(re.split(r"[./]", found["path"])[0])
        init = _INIT.fullmatch(found["path"])
        if init:
            regular[init["package"]].add(kept.file.package)
    for folder in _parts_of_namespaces(kept.file.path for kept in selection.kept if kept.file.package == OWN):
        regular[folder].add(OWN)
    if config.layout.home is not None:
        return _asked(config.layout.home, regular, taken)
    named = next((each for each in sorted(regular) if each.lower().replace("/", "_") == normalised), None)
    if named is not None:
        return Home(name=named, generated=False)
    for asked in ({OWN}, requested):
        theirs = [package for package, owners in sorted(regular.items()) if owners & asked]
        if len(theirs) == 1:
            return Home(name=theirs[0], generated=False)
    return Home(name=f"_{normalised}_prefix", generated=True)


def _parts_of_namespaces(paths: Iterable[str]) -> Iterator[str]:
    """Yield the regular packages below site-packages whose parents are none."""
    places = [found["path"] for path in paths if (found := _SITE_PACKAGES.fullmatch(path))]
    folders = {place.rpartition("/")[0] for place in places if _INIT.fullmatch("/".join(place.split("/")[-2:]))}
    for folder in sorted(folders):
        parents = folder.split("/")[:-1]
        if parents and not any("/".join(parents[:n]) in folders for n in range(1, len(parents) + 1)):
            yield folder


def _asked(asked: str, regular: Iterable[str], taken: Container[str]) -> Home:
    """Return the home asked for: an ``__init__.py`` of ours in a namespace package or over a module would break it."""
    if asked.replace(".", "/") in regular:
        return Home(name=asked.replace(".", "/"), generated=False)
    if asked.isidentifier() and not iskeyword(asked) and asked not in taken:
        return Home(name=asked, generated=True)
    raise ConfigError(
        Problem(
            where=Setting("layout.home"),
            what=f"{asked!r} is a module or a namespace package here, which cannot be a home"
            if asked in taken
            else f"{asked!r} cannot be the name of a Python package",
            hint=f"regular packages here: {', '.join(sorted(regular)) or 'none'}; or any new identifier",
        )
    )


def place(selection: Selection, *, home: Home, stem: str, config: Config) -> tuple[Entry, ...]:
    """Return the entries of the kept files, sorted by path; raises ContentError where two files meet at one path.

    Files below ``site-packages`` go to the wheel's root, Python scripts to ``{stem}.data/scripts`` with the shebang
    that installers replace, what Jupyter and man look for to ``{stem}.data/data``, headers of Python packages to
    ``{stem}.data/headers``, everything else keeps its place below the home's ``_prefix/``.
    """
    _check_moves(selection, config)
    entries = [_entry(kept, home=home, stem=stem, config=config) for kept in selection.kept]
    return _without_collisions(entries)


def _entry(kept: Kept, *, home: Home, stem: str, config: Config) -> Entry:
    file = kept.file
    moved = _moved(file.path, config)
    if moved is not None:
        moved = stem + moved if moved.startswith(DATA) else moved
        return replace(Entry.of(kept, moved), placed=file.path in config.layout.move, why=Reason("rule", "layout.move"))
    if file.package == OWN:
        # A program has to stay where it is from its libraries, which nothing outside of site-packages does.
        is_bound = kept.binary is not None and any(link.where in ("wheel", "external") for link in kept.links)
        path = own_files.place(file.path, stem)
        path = f"{home.prefix}/{file.path}" if is_bound and path.startswith(f"{stem}.data/scripts/") else path
        return Entry.of(kept, path)
    found = _SITE_PACKAGES.fullmatch(file.path)
    if found:
        return Entry.of(kept, found["path"])
    script = _script(file, kept)
    if script is not None:
        launched = _LAUNCHED.fullmatch(file.path)
        name = launched["name"] if launched else file.path.rpartition("/")[2]
        return replace(Entry.of(kept, f"{stem}.data/scripts/{name}"), source=script, executable=True)
    return Entry.of(kept, _outside(kept, stem) or f"{home.prefix}/{file.path}")


def _outside(kept: Kept, stem: str) -> str | None:
    """Return the path of what belongs outside of site-packages, or None: a binary has to lie beside its libraries."""
    if kept.binary is not None:
        return None
    shared = _SHARED.fullmatch(kept.file.path)
    if shared:
        return f"{stem}{DATA}data/{shared['path']}"
    header = _HEADERS.fullmatch(kept.file.path)
    if header is None:
        return None
    # Installers add a folder that is called like the wheel; conda packages have it already.
    own, _, below = header["path"].partition("/")
    is_own = below and canonicalize_name(own) == canonicalize_name(stem.rpartition("-")[0])
    return f"{stem}{DATA}headers/{below if is_own else header['path']}"


def _moved(path: str, config: Config) -> str | None:
    """Return where ``layout.move`` puts a path: the most specific key that is the path or a folder above it wins."""
    keys = [key for key in config.layout.move if _is_below(path, key)]
    if not keys:
        return None
    key = max(keys, key=len)
    return (config.layout.move[key].rstrip("/") + path[len(key.rstrip("/")) :]).lstrip("/")


def _is_below(path: str, key: str) -> bool:
    """Whether a path is what a key of ``layout.move`` names, or lies below it."""
    return path == key.rstrip("/") or path.startswith(key.rstrip("/") + "/")


def _check_moves(selection: Selection, config: Config) -> None:
    """Refuse a key of ``layout.move`` that no kept file lies at or below: it is a mistake that would move nothing.

    Keys with one destination are alternatives, of which one is enough.
    """
    paths = [kept.file.path for kept in selection.kept]
    reached = {config.layout.move[key] for key in config.layout.move if any(_is_below(path, key) for path in paths)}
    problems = [
        Problem(
            where=Setting("layout.move", name=repr(key)),
            what="is no file and no folder of what is pressed",
            hint=_near(key, paths),
        )
        for key, end in config.layout.move.items()
        if end not in reached
    ]
    problems += [problem for kept in selection.kept if (problem := _wrong_outside(kept, config))]
    ConfigError.raise_for(dict.fromkeys(problems))


def _wrong_outside(kept: Kept, config: Config) -> Problem | None:
    """Return why ``layout.move`` cannot put a file below ``.data/``."""
    moved = _moved(kept.file.path, config)
    if moved is None or not (moved + "/").startswith(DATA):
        return None
    where = Text.of(Setting("layout.move"), f": {moved}")
    parts = moved.split("/")
    if len(parts) < 3 or parts[1] not in SCHEMES:
        hint = f"write .data/<scheme>/<path>, with one of {', '.join(SCHEMES)}"
        return Problem(where=where, what="is no place outside of site-packages", hint=hint)
    if kept.binary is not None:
        what = f"{kept.file.path} is a binary, whose libraries lie in site-packages: nobody knows how far from there"
        hint = "let wheel.executables start programs, and leave libraries where they are"
        return Problem(where=where, what=what, hint=hint)
    return None


def _near(key: str, paths: Sequence[str]) -> str:
    folders = {path.rpartition("/")[0] for path in paths}
    near = difflib.get_close_matches(key, sorted({*paths, *folders}), 3)
    return f"did you mean {', '.join(near)}?" if near else "mamba-press list says what there is"


def _script(file: File, kept: Kept) -> bytes | None:
    if kept.binary is not None or not _SCRIPT.fullmatch(file.path):
        return None
    launched = _LAUNCHED.fullmatch(file.path)
    if launched is None:
        return python_script(file.source.read_bytes())
    # What conda's launchers for Windows start: installers make launchers for scripts with this first line.
    text = re.sub(rb"^#![^\n]*\n", b"", file.source.read_bytes())
    return f"#!python{launched['window']}\n".encode() + text


def _without_collisions(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Sort entries by path; the same bytes at one path are one file, different ones are an error."""
    by_path: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_path[entry.path].append(entry)
    ContentError.raise_for(
        Problem(
            where=path,
            what=f"{len(there)} different files would lie here: "
            + ", ".join(f"{entry.original} of {entry.package}" for entry in there),
            hint="leave one out with select.exclude or put it elsewhere with layout.move",
        )
        for path, there in sorted(by_path.items())
        if len(there) > 1 and len({entry.read() for entry in there}) > 1
    )
    return tuple(by_path[path][0] for path in sorted(by_path))


def case_clashes(paths: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of paths that differ only in case: one file on macOS and Windows."""
    folded: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folded[path.casefold()].append(path)
    return tuple(tuple(sorted(group)) for _, group in sorted(folded.items()) if len(group) > 1)
