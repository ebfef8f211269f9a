"""Dynamic metadata of the project's own: ``[[tool.dynamic-metadata]]``, as scikit-build's convention has it.

Each entry names a provider, which is given the project's table as far as it is known and returns fields that
``project.dynamic`` names: https://dynamic-metadata.readthedocs.io. Providers are code of the project, or of packages in
``build-system.requires``, and run in this very process, as hooks of PEP 517 do.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from mamba_press.config import pyproject_file
from mamba_press.errors import ConfigError, Problem

if TYPE_CHECKING:
    from mamba_press.config.model import State
    from mamba_press.types import Project

_TABLE = "tool.dynamic-metadata"
_GROUP = "dynamic_metadata.provider"
_SINGLE = frozenset({"version", "description", "requires-python", "license", "readme"})
_NESTED = frozenset({"optional-dependencies", "entry-points"})
_FIELDS = (
    _SINGLE
    | _NESTED
    | {"classifiers", "keywords", "dependencies", "license-files", "authors", "maintainers"}
    | {"urls", "scripts", "gui-scripts"}
)


class Asked(NamedTuple):
    """One entry of the array: who provides, and with which settings. ``where`` names it in messages."""

    where: str
    provider: str | Mapping[str, str]
    settings: Mapping[str, Any]


def asked(root: Path) -> tuple[Asked, ...]:
    """Return the entries of a project's ``[[tool.dynamic-metadata]]``; raises ConfigError for what is none."""
    tool = pyproject_file.document(root).get("tool")
    found = tool.get("dynamic-metadata", []) if isinstance(tool, dict) else []
    if not isinstance(found, list):
        hint = 'write [[tool.dynamic-metadata]] with provider = "…"; fields of a provider are its settings'
        raise ConfigError(Problem(where=_TABLE, what="must be an array of tables", hint=hint))
    problems, entries = [], []
    for number, entry in enumerate(found, 1):
        where = f"{_TABLE}, entry {number}"
        if isinstance(entry, dict) and _is_provider(entry.get("provider")):
            settings = {key: value for key, value in entry.items() if key != "provider"}
            entries.append(Asked(where=where, provider=entry["provider"], settings=settings))
            continue
        hint = 'provider = "package.name", or provider = { path = "folder", module = "name" } for one of the project'
        problems.append(Problem(where=where, what="names no provider", hint=hint))
    ConfigError.raise_for(problems)
    return tuple(entries)


def requirements(root: Path) -> list[str]:
    """Return what the providers say that they need, in the entries' order."""
    found: list[str] = []
    for entry, provider in _loaded(root):
        hook = getattr(provider, "get_requires_for_dynamic_metadata", None)
        if hook is not None:
            with _blaming(entry):
                found += hook(entry.settings)
    return found


def complete(project: Project, conda_version: str | None, state: State) -> Project:
    """Return the project with the fields that its providers give, no longer dynamic, and held to all rules.

    ``conda_version`` is what providers see as the version while nobody has given another one. Raises ConfigError for
    what a provider raises, for what it may not give, and for dynamic fields that in the end nobody gives.
    """
    loaded = _loaded(project.root)
    if not loaded:
        return project
    table: dict[str, Any] = {**project.table, "dynamic": list(project.dynamic)}
    declared = frozenset(table["dynamic"])
    seen = MappingProxyType(ChainMap(table, {"version": conda_version} if conda_version else {}))
    given: set[str] = set()
    for entry, provider in loaded:
        with _blaming(entry), _inside(project.root):
            if hasattr(provider, "build_state"):
                provider.build_state(state)
            fields = provider.dynamic_metadata(entry.settings, seen)
        for field, value in _fields(entry, fields, declared).items():
            is_new = field not in table or (field in given and field in _SINGLE)
            table[field] = value if is_new else _added(entry, field, table[field], value)
            table["dynamic"] = [each for each in table["dynamic"] if each != field]
            given.add(field)
    from mamba_press.metadata import pyproject as projects  # not for what a build requires

    completed = projects.completed(project, table)
    _hold_to_sdist(completed, given)
    return completed


def changing(root: Path) -> frozenset[str]:
    """Return the fields of which a provider says that a wheel may have other values than the sdist (PEP 643)."""
    found: set[str] = set()
    for entry, provider in _loaded(root):
        if hasattr(provider, "dynamic_wheel"):
            with _blaming(entry):
                answer = dict(provider.dynamic_wheel(entry.settings))
            found |= {field for field, changes in answer.items() if changes}
            if wrong := sorted(found - (_FIELDS - {"version"})):
                what = f"says that {wrong[0]!r} may change, which is no field that can"
                raise ConfigError(Problem(where=entry.where, what=what))
    return frozenset(found)


def _is_provider(value: object) -> bool:
    if isinstance(value, dict):
        return value.keys() == {"path", "module"} and all(isinstance(each, str) for each in value.values())
    return isinstance(value, str) and bool(value)


def _hold_to_sdist(project: Project, given: set[str]) -> None:
    """Refuse a version that differs from the one that the sdist states from which this wheel is built."""
    from email.parser import BytesHeaderParser

    path = project.root / "PKG-INFO"
    if "version" not in given or not path.is_file():
        return
    stated = BytesHeaderParser().parsebytes(path.read_bytes())["Version"]
    if str(stated).strip() != str(project.version):
        what = f"a provider says {project.version}, the sdist's PKG-INFO {stated}"
        hint = "let the provider read PKG-INFO where there is one: an sdist has no history to ask"
        raise ConfigError(Problem(where="project.version", what=what, hint=hint))


# -- what they return


def _fields(entry: Asked, fields: object, declared: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(fields, Mapping):
        what = f"returned {type(fields).__name__}, not a dict of fields of [project]"
        raise ConfigError(Problem(where=entry.where, what=what))
    problems = []
    for field in fields:
        if field not in _FIELDS:
            problems.append(Problem(where=entry.where, what=f"gives {field!r}, which no provider can give"))
        elif field not in declared:
            hint = f'add "{field}" to project.dynamic'
            problems.append(Problem(where=entry.where, what=f"gives {field!r}, which is not dynamic", hint=hint))
    ConfigError.raise_for(problems)
    return fields


def _added(entry: Asked, field: str, before: object, more: object) -> object:
    """Return a list or table with more in it: what is there already stays as it is (PEP 808)."""
    if field not in _SINGLE and isinstance(before, list) and isinstance(more, list):
        return [*before, *more]
    if field in _SINGLE or not isinstance(before, dict) or not isinstance(more, dict):
        kind = "is written there, and nothing can be added to it" if field in _SINGLE else "is of another kind there"
        what = f"gives {field!r}, which {kind}"
        raise ConfigError(Problem(where=entry.where, what=what, hint=f"see project.{field}"))
    if field in _NESTED:
        both = {key: _added(entry, f"{field}.{key}", before[key], more[key]) for key in before.keys() & more.keys()}
        return {**before, **more, **both}
    changed = [key for key, value in more.items() if key in before and before[key] != value]
    if changed:
        raise ConfigError(Problem(where=entry.where, what=f"changes project.{field}.{changed[0]}, and may only add"))
    return {**before, **more}


# -- loading and calling them


def _loaded(root: Path) -> list[tuple[Asked, Any]]:
    """Load the providers; one that is a class is instantiated."""
    found = []
    root = root.resolve()
    for entry in asked(root):
        if isinstance(entry.provider, str):
            provider = _registered(entry, entry.provider)
        else:
            provider = _in_project(entry, root, entry.provider)
        with _blaming(entry), _inside(root):
            found.append((entry, provider() if isinstance(provider, type) else provider))
    return found


def _registered(entry: Asked, name: str) -> object:
    from difflib import get_close_matches
    from importlib.metadata import entry_points

    there = list(entry_points(group=_GROUP))
    named = list({point.value: point for point in there if point.name == name}.values())
    if len(named) == 1:
        with _blaming(entry):
            return named[0].load()
    if named:
        what = f"{name!r} means several: {', '.join(sorted(point.value for point in named))}"
        raise ConfigError(Problem(where=entry.where, what=what, hint="install only one of the packages"))
    near = get_close_matches(name, {point.name for point in there}, 1)
    hint = f"did you mean {near[0]}?" if near else "add its package to build-system.requires, or, without isolation, "
    hint += "" if near else "install it; a module of the project is { path = …, module = … }"
    raise ConfigError(Problem(where=entry.where, what=f"no installed package provides {name!r}", hint=hint))


def _in_project(entry: Asked, root: Path, provider: Mapping[str, str]) -> object:
    """Import from a folder of the project, whatever is installed under the same name."""
    from importlib.machinery import PathFinder

    folder = root / provider["path"]
    name, _, attribute = provider["module"].partition(":")
    top = name.partition(".")[0]
    if not folder.is_dir() or PathFinder.find_spec(top, [str(folder)]) is None:
        raise ConfigError(Problem(where=entry.where, what=f"there is no module {top!r} in {folder}"))
    others = {key: sys.modules.pop(key) for key in list(sys.modules) if key.partition(".")[0] == top}
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # nothing is left behind in the project
    sys.path.insert(0, str(folder))
    try:
        with _blaming(entry), _inside(root):
            found = importlib.import_module(name)
            return getattr(found, attribute) if attribute else found
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = written
        sys.modules.update(others)


@contextmanager
def _inside(root: Path) -> Iterator[None]:
    """Be in the project's folder, where hooks of PEP 517 are called."""
    before = Path.cwd()
    os.chdir(root)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _blaming(entry: Asked) -> Iterator[None]:
    """Turn what a provider raises into a ConfigError that names its entry and the line."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:  # the project's own code may raise anything; it is reported, never swallowed
        import traceback

        last = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error}"
        hint = f"raised in {last.filename}, line {last.lineno}"
        raise ConfigError(Problem(where=entry.where, what=what, hint=hint)) from error
