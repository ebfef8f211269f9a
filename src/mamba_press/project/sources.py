"""Which files of a project are its Python code, found as build backends find them, and where they are installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from mamba_press import globs
from mamba_press.config import unmatched
from mamba_press.errors import ConfigError, Note, Problem, Setting, Text
from mamba_press.project import tree
from mamba_press.types import Module, OwnFile, OwnFiles, Project

if TYPE_CHECKING:
    from packaging.version import Version

    from mamba_press.config.model import Config, Sources

_ROOTS = ("src", "")


def find(project: Project, wanted: Sources) -> tuple[Module, ...]:
    """Return the project's modules: those that are named, or the one that is called like the project.

    Without a name only a regular package (with an ``__init__``) or a single module counts, in ``src`` or beside
    pyproject.toml. None of it is no error. Raises ConfigError for a name that is nowhere, or in several places.
    """
    if wanted.modules is None:
        found = list(_called_like(project, wanted))
        if len(found) > 1:
            raise ConfigError(_several([module.path for module in found]))
        return tuple(found)
    problems: list[Problem] = []
    modules: list[Module] = []
    for name in wanted.modules:
        places = list(_places(project.root, name, wanted))
        if len(places) == 1:
            modules.append(Module(name=name, path=places[0]))
        else:
            problems.append(_several(places) if places else _nowhere(name, wanted))
    ConfigError.raise_for(problems)
    return tuple(modules)


def nothing(project: Project, config: Config) -> Problem:
    """Return the problem of a project that has no module where something has to be."""
    name = canonicalize_name(project.name).replace("-", "_")
    if config.sources.modules is None:
        what = f"names no package, and there is no code: no {name}/__init__.py and no {name}.py, in src or beside"
    else:
        what = "names no package, and sources.modules names no code"
    hint = 'name what to press: packages = ["…"], or the project\'s own code: '
    return Problem(where=Setting("packages"), what=what, hint=Text.of(hint, Setting("sources.modules", ("…",))))


def left_to(config: Config) -> Iterator[Problem]:
    """Yield the keys that mean nothing where an inner backend decides which code it is."""
    hint = "say it in that backend's table, or leave it out"
    for key, value in asdict(config.sources).items():
        if value:
            what = f"is not looked at: which code is in the wheel, {config.build_backend} decides"
            yield Problem(where=Setting(f"sources.{key.replace('_', '-')}"), what=what, hint=hint)


def collect(project: Project, version: Version, wanted: Sources, workdir: Path) -> OwnFiles:
    """Return the project's modules as they are to be installed, and the version file, which is made in ``workdir``.

    What a ``.gitignore`` or :mod:`~mamba_press.project.tree` keeps out of sdists is not in wheels either, so that a
    wheel of the sdist has the same files.
    """
    modules = find(project, wanted)
    files: dict[str, OwnFile] = {}
    paths = [module.path for module in modules]
    collected = tree.collect(project.root, include=wanted.include, only=paths) if paths else ()
    _refuse_empty(modules, [path for path, _, _ in collected])
    for path, source, executable in collected:
        if not globs.matches(path, wanted.exclude):
            at = _installed(path, modules)
            files[at] = OwnFile(path=at, source=source, executable=executable)
    if wanted.version_file is not None:
        made = workdir / "_version.py"
        made.write_bytes(version_text(version))
        at = _installed(wanted.version_file, modules)
        files[at] = OwnFile(path=at, source=made)
    return OwnFiles(files=tuple(files[path] for path in sorted(files)), notes=_vain(project.root, wanted, collected))


def _vain(root: Path, wanted: Sources, collected: Iterable[tree.File]) -> tuple[Note, ...]:
    """Tell which globs match nothing: for ``include``, of the whole project, for it is of sdists too."""
    paths = [path for path, _, _ in collected]
    rest = [glob for glob in wanted.include if not any(globs.matches(path, (glob,)) for path in paths)]
    everything = [path.relative_to(root).as_posix() for path in root.rglob("*")] if rest else []
    return (
        *unmatched.told("sources.exclude", wanted.exclude, paths, "file of the modules"),
        *unmatched.told("sources.include", rest, everything, "file of the project"),
    )


def version_text(version: Version) -> bytes:
    """Return the text of the file that ``version-file`` names."""
    return f'# Written by mamba-press: not part of the sources.\n__version__ = version = "{version}"\n'.encode()


def _installed(path: str, modules: Sequence[Module]) -> str:
    """Return where a file of the project lies below site-packages."""
    for module in modules:
        if path == module.path or path.startswith(f"{module.path}/"):
            return path[len(module.root) + 1 :] if module.root else path
    what = f"{path!r} lies in no module of the project"
    hint = f"modules here: {', '.join(module.path for module in modules) or 'none'}"
    raise ConfigError(Problem(where=Setting("sources.version-file"), what=what, hint=hint))


def _refuse_empty(modules: Sequence[Module], paths: Sequence[str]) -> None:
    ConfigError.raise_for(
        Problem(
            where=each.path,
            what=f"the module {each.name} has no file: a .gitignore leaves all of it out, or it is empty",
            hint=Text.of("name what is the project's: ", Setting("sources.include", (f"{each.path}/**",))),
        )
        for each in modules
        if not any(f"{path}/".startswith(f"{each.path}/") for path in paths)
    )


def _called_like(project: Project, wanted: Sources) -> Iterator[Module]:
    """Yield the modules that are called like the project, upper and lower case aside."""
    canonical = canonicalize_name(project.name)
    name = canonical.replace("-", "_")
    stubs = f"{canonical[: -len('-stubs')].replace('-', '_')}-stubs" if canonical.endswith("-stubs") else None
    for root in _roots(wanted):
        folder = project.root / root
        for found in sorted(folder.iterdir()) if folder.is_dir() else ():
            plain = found.name.lower()
            is_package = plain == name and found.is_dir() and (found / "__init__.py").is_file()
            is_stubs = stubs is not None and plain == stubs and (found / "__init__.pyi").is_file()
            is_module = plain == f"{name}.py" and found.is_file()
            if is_package or is_stubs or is_module:
                yield Module(name=found.name.removesuffix(".py"), path=f"{root}/{found.name}".lstrip("/"))


def _places(root: Path, name: str, wanted: Sources) -> Iterator[str]:
    below = name.replace(".", "/")
    for start in _roots(wanted):
        path = f"{start}/{below}".lstrip("/")
        if (root / path).is_dir():
            yield path
        if (root / f"{path}.py").is_file():
            yield f"{path}.py"


def _roots(wanted: Sources) -> tuple[str, ...]:
    return _ROOTS if wanted.root is None else ("" if wanted.root == "." else wanted.root.rstrip("/"),)


def _several(paths: Sequence[str]) -> Problem:
    return Problem(
        where=Setting("sources.modules"),
        what=f"{' and '.join(paths)} have the same name",
        hint='say where the project\'s modules are, root = "src" or root = ".", or remove one of them',
    )


def _nowhere(name: str, wanted: Sources) -> Problem:
    places = [re.sub(r"^/", "", f"{root}/{name.replace('.', '/')}") for root in _roots(wanted)]
    return Problem(
        where=Setting("sources.modules"),
        what=f"there is no {name!r}: looked for {' and '.join(f'{place}/ or {place}.py' for place in places)}",
        hint="name modules as they are imported, and the folder that they are in with root",
    )
