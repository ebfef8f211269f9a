"""The ``[project]`` table: read, held to the standards and to what PyPI takes, and written as core metadata."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mamba_press import messages
from mamba_press.config import pyproject_file
from mamba_press.errors import ConfigError, Problem
from mamba_press.metadata import pypi_rules
from mamba_press.types import NEUTRAL, Package, Project

if TYPE_CHECKING:
    from packaging.version import Version
    from pyproject_metadata import StandardMetadata


LICENSE_GLOBS = ("LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*")
"""What counts as the project's licence files where ``project.license-files`` is not given (PEP 639's list)."""

DYNAMIC = (
    "description",
    "readme",
    "requires-python",
    "dependencies",
    "optional-dependencies",
    "urls",
    "keywords",
    "classifiers",
    "authors",
    "maintainers",
)
"""The fields of ``[project]`` that may be dynamic and then come from the pressed package (`dynamic_fields`)."""

_DERIVED = frozenset({"dependencies", "optional-dependencies", "requires-python"})
"""What follows from all packages, not from the first one."""
_FROM_CONDA = ("version", "name", "license", *DYNAMIC)
_ADDED = frozenset(DYNAMIC) - {"description", "readme", "requires-python"}
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
# Words after which PEP 440 assumes a 0. A lone letter is no such word: PEP 440 reads `2024a` as a pre-release of 2024,
# but to those who wrote it, it is the first release of that year.
_LONE_LETTER = re.compile(r"(?<![a-z])[abc](?![a-z0-9]|[._][0-9])", re.IGNORECASE)
# PEP 440 places `1.0r2` after 1.0, conda before it.
_REVISION = re.compile(r"(?<![a-z])(?:r|rev)(?![a-z])", re.IGNORECASE)


def load(root: Path) -> Project:
    """Return the project that stands in ``root``; every problem of its ``[project]`` table is raised at once."""
    table, has_providers = _read(root)
    problems = [*_early(root, table), *([] if has_providers else _never_dynamic(table))]
    return _judged(root, table, problems, is_whole=has_providers)


def completed(project: Project, table: Mapping[str, Any]) -> Project:
    """Return the project with a table that providers have completed; raises ConfigError for whatever is wrong in it.

    What is dynamic still has to be a field that conda packages can give.
    """
    problems = [*_never_dynamic(table, "no provider of [[tool.dynamic-metadata]] gives it, and no conda package does")]
    problems += _early(project.root, table)
    return _judged(project.root, table, problems, is_whole=True)


def _judged(root: Path, table: Mapping[str, Any], problems: list[Problem], *, is_whole: bool) -> Project:
    """Return the project of a table; raise ConfigError for what is wrong in it, beside the problems that are known.

    One that ``is_whole`` has dynamic fields only where they may be.
    """
    said = {str(problem.where) for problem in problems}
    metadata, found = _standard(table if is_whole and not said else _without(table, said), root)
    problems += [problem for problem in found if problem.where not in said]
    problems += pypi_rules.refused(metadata) if metadata is not None else ()
    if problems or metadata is None:
        raise ConfigError(*problems)
    # pyproject-metadata before 0.12 says 0.0.0 where the version is dynamic
    version = None if "version" in metadata.dynamic else metadata.version
    return Project(root=root, name=metadata.name, version=version, table=table)


def load_unread(root: Path) -> Project:
    """Return the project that an inner backend builds: ``[project]`` is for that to judge, and may be missing."""
    table = pyproject_file.document(root).get("project", {})
    if not isinstance(table, dict):
        raise ConfigError(Problem(where="project", what=f"must be a table, not {table!r}"))
    name = table.get("name")
    return Project(root=root, name=name if isinstance(name, str) else "", version=None, table=table)


def version(project: Project, package: Package | None) -> Version:
    """Return the project's own version, or that of the conda package in PEP 440's terms where it is dynamic.

    Without a package it must not be dynamic (`without_packages`). A conda version that PEP 440 would order or read
    differently is refused, never bent.
    """
    if project.version is not None:
        return project.version
    assert package is not None
    way_out = 'write project.version = "…" in pyproject.toml and take "version" out of project.dynamic'
    return _from_conda(package, way_out)


def of_code(project: Project) -> Iterator[Problem]:
    """Yield the dynamic fields that packages cannot answer for code of the project's own: under which licence it is."""
    if "license" in project.dynamic:
        yield Problem(
            where="project.dynamic",
            what='"license" cannot be dynamic: no conda package knows the licence of the project\'s own code',
            hint='write project.license, such as "MIT", or "MIT AND Zlib" with that of a library in the wheel',
        )


def without_packages(project: Project) -> Iterator[Problem]:
    """Yield the dynamic fields for which there would have to be a pressed package."""
    for name in project.dynamic:
        if name in ("version", *DYNAMIC) and name not in _DERIVED:
            yield Problem(
                where="project.dynamic",
                what=f'"{name}" cannot be dynamic: there is no conda package in packages to take it from',
                hint=f'write project.{name}, and take "{name}" out of project.dynamic',
            )


def pep440(package: Package) -> str | None:
    """Return a conda package's version in PEP 440's terms, None where it has none."""
    try:
        return str(_from_conda(package, ""))
    except ConfigError:
        return None


def from_specs(name: str | None, package: Package, own_name: str | None) -> Project:
    """Return the project of a wheel that is pressed without one.

    Its name is ``name``, else the one in the package's own metadata, else the conda name. All else is dynamic. Its
    root is a folder that cannot exist, so that no file of the current folder gets in.
    """
    from packaging.utils import InvalidName, canonicalize_name

    chosen = name or own_name or package.name
    problems = []
    try:
        canonicalize_name(chosen, validate=True)
    except InvalidName:
        hint = "take letters, digits and . _ - in between" + ("" if name else ", with --name")
        problems.append(Problem(where="--name" if name else str(package), what=f"{chosen!r} is no name", hint=hint))
    try:
        found = _from_conda(package, "press it from a pyproject.toml that states project.version")
    except ConfigError as error:
        raise ConfigError(*problems, *error.problems) from None
    ConfigError.raise_for(problems)
    table = {"name": chosen, "version": str(found), "dynamic": list(DYNAMIC)}
    return Project(root=Path(NEUTRAL), name=chosen, version=found, table=table)


def of_package(name: str, version: Version) -> Project:
    """Return the project of a conda package's wheel in a wheelhouse: all but its name is dynamic.

    No index is to take it: only with the other wheels of its house does it work.
    """
    table = {
        "name": name,
        "version": str(version),
        "classifiers": ["Private :: Do Not Upload"],
        "dynamic": list(DYNAMIC),
    }
    return Project(root=Path(NEUTRAL), name=name, version=version, table=table)


def license_files(project: Project) -> dict[str, Path]:
    """Return the project's own licence files by their path in the project, sorted."""
    if project.built is not None:
        return dict(sorted(project.built.licenses.items()))
    globs = project.table.get("license-files", LICENSE_GLOBS)
    patterns = [pattern for pattern in globs if isinstance(pattern, str)] if isinstance(globs, (list, tuple)) else []
    found = {path for pattern in patterns for path in project.root.glob(pattern) if path.is_file()}
    license_table = project.table.get("license")
    if isinstance(license_table, dict) and isinstance(license_table.get("file"), str):
        found.add(project.root / license_table["file"])
    return {path.relative_to(project.root).as_posix(): path for path in sorted(found)}


def standard_metadata(project: Project, version: Version, *, license_files: Sequence[str]) -> bytes:
    """Return the text of METADATA; ``license_files`` are paths below ``.dist-info/licenses``.

    The metadata version is the lowest that carries the fields. Static fields stand exactly as in ``[project]``,
    and what an inner backend wrote exactly as it did.
    """
    if project.built is not None:
        from mamba_press.metadata import backend_metadata

        return backend_metadata.metadata(project, license_files)
    return _write(project, version, license_files=license_files, dynamic=())


def source_metadata(project: Project, version: Version, changing: Collection[str] = ()) -> bytes:
    """Return the text of an sdist's PKG-INFO, at least metadata 2.2; what was solved stands in it as static.

    ``License-File`` is dynamic, for a wheel adds the licences of what it vendors (PEP 643); where the project leaves it
    open, the expression that joins them is so too. So are the other fields that are left to the packages, which differ
    from target to target, and the fields ``changing``, of which a provider says so.
    """
    from pyproject_metadata.constants import PROJECT_TO_METADATA

    open_fields = [name for name in project.dynamic if name in DYNAMIC]
    opened = {field for name in (*open_fields, *changing) for field in PROJECT_TO_METADATA[name]}
    expression = ("License-Expression",) if "license" in project.dynamic else ()
    dynamic = dict.fromkeys(("License-File", *expression, *sorted(opened)))
    return _write(project, version, license_files=tuple(license_files(project)), dynamic=tuple(dynamic))


def _write(project: Project, version: Version, *, license_files: Sequence[str], dynamic: Sequence[str]) -> bytes:
    from packaging.licenses import canonicalize_license_expression
    from pyproject_metadata import License

    table = {key: value for key, value in project.table.items() if key not in ("dynamic", "license-files")}
    metadata, problems = _standard({**table, "name": project.name, "version": str(version)}, project.root)
    if metadata is None:
        raise ConfigError(*problems)
    licence = metadata.license
    if isinstance(licence, License):
        licence = License(licence.text, None)  # its file is an absolute path, which must not be written
    elif licence is not None:
        licence = canonicalize_license_expression(licence)
    least = "2.4" if license_files else "2.2" if dynamic else "2.1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = replace(metadata, license=licence, dynamic_metadata=list(dynamic))
        written = replace(written, metadata_version=max(written.auto_metadata_version, least))
        message = written.as_rfc822()
    # License-File is free to stand beside the older License, though pyproject-metadata would not write it so.
    for path in license_files:
        message["License-File"] = path
    return message.as_bytes()


def _read(root: Path) -> tuple[dict[str, Any], bool]:
    """Return the raw ``[project]`` table, and whether there are providers for its dynamic fields."""
    data = pyproject_file.document(root)
    table = data.get("project")
    if table is None:
        hint = 'add it:\n[project]\nname = "…"\ndynamic = ["version"]  # the version of the conda package'
        raise ConfigError(Problem(where="project", what="pyproject.toml has no [project] table", hint=hint))
    if not isinstance(table, dict):
        raise ConfigError(Problem(where="project", what=f"must be a table, not {table!r}"))
    tool = data.get("tool")
    return table, isinstance(tool, dict) and bool(tool.get("dynamic-metadata"))


def _early(root: Path, table: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what pyproject-metadata would not say, or would answer with a traceback."""
    if "name" not in table:
        yield Problem(where="project.name", what="is missing", hint='write name = "…" in [project]')
    dynamic = table.get("dynamic", [])
    if not isinstance(dynamic, list):  # pyproject-metadata 0.12 fails on it
        yield Problem(where="project.dynamic", what=f"must be a list, not {dynamic!r}", hint='dynamic = ["version"]')
    for key in ("readme", "license"):
        value = table.get(key)
        if key == "license" and isinstance(value, str):
            continue
        name = value.get("file") if isinstance(value, dict) else value
        if not isinstance(name, str):
            continue
        where = f"project.{key}" + (".file" if isinstance(value, dict) else "")
        try:
            (root / name).read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            yield Problem(where=where, what=f"{name} is not UTF-8: {error}", hint="save it as UTF-8")
        except OSError:
            yield Problem(where=where, what=f"there is no file {name}", hint=f"write it, or change {where}")


def _never_dynamic(table: Mapping[str, Any], why: str = "no conda package says it") -> Iterator[Problem]:
    """Yield the dynamic fields that nobody is going to give."""
    from pyproject_metadata.constants import PROJECT_TO_METADATA

    dynamic = table.get("dynamic")
    for field in dynamic if isinstance(dynamic, list) else []:
        if field in PROJECT_TO_METADATA and field not in _FROM_CONDA:
            hint = f'write project.{field}, let a provider give it ([[tool.dynamic-metadata]]), or take "{field}" out'
            yield Problem(where="project.dynamic", what=f'"{field}" cannot be dynamic: {why}', hint=hint)


def _without(table: Mapping[str, Any], reported: set[str]) -> dict[str, Any]:
    """Return the table without the keys and dynamic fields that were already reported."""
    from pyproject_metadata.constants import PROJECT_TO_METADATA

    kept = {key: value for key, value in table.items() if not {f"project.{key}", f"project.{key}.file"} & reported}
    dynamic = table.get("dynamic")
    if isinstance(dynamic, list):
        said = {field for field in dynamic if field in PROJECT_TO_METADATA and field not in _FROM_CONDA}
        # pyproject-metadata before 0.12 knows no field that is both written and dynamic (PEP 808)
        said |= {field for field in dynamic if field in _ADDED and field in table}
        kept["dynamic"] = [field for field in dynamic if field not in said]
    elif dynamic is not None:
        kept["dynamic"] = ["version"] * ("version" not in table)
    return {"name": "unnamed", **kept}


def _standard(table: Mapping[str, Any], root: Path) -> tuple[StandardMetadata | None, list[Problem]]:
    """Return what pyproject-metadata makes of the table, or its problems."""
    from pyproject_metadata import StandardMetadata
    from pyproject_metadata.errors import ConfigurationError, ExceptionGroup

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is refused below where it matters
        try:
            metadata = StandardMetadata.from_pyproject(
                {"project": dict(table)}, root, allow_extra_keys=False, all_errors=True
            )
        except ExceptionGroup as group:
            errors: list[Exception] = list(group.exceptions)
        except ConfigurationError as error:
            errors = [error]
        except (ValueError, RecursionError, MemoryError):
            what = "has a value with thousands of digits or hundreds of brackets, which cannot be read"
            return None, [Problem(where="project", what=what, hint="write it shorter")]
        else:
            return metadata, []
    return None, list({_problem(error): None for error in errors})


def _problem(error: Exception) -> Problem:
    """Return the error with its key in front instead of in the middle."""
    text = str(error)
    quoted = re.search(r'"(project(?:\.[^"]+)?)"', text)
    where = getattr(error, "key", None) or (quoted[1] if quoted else "project")
    text = re.sub(rf'^(?:Field )?"{re.escape(where)}",? ?', "", text).partition(" (InvalidRequirement(")[0]
    hint = ""
    if "Extra keys" in text:
        hint = "see https://packaging.python.org/en/latest/specifications/pyproject-toml/ for the keys of [project]"
    elif where == "project.version" and "missing" in text:
        hint = 'write project.version, or dynamic = ["version"] to take the conda package\'s'
    return Problem(where=where, what=text, hint=hint)


def _from_conda(package: Package, way_out: str) -> Version:
    from packaging.version import Version

    text = package.version
    try:
        found = Version(text)
    except ValueError:  # InvalidVersion, and what int() says of thousands of digits
        text = messages.printable(text)
        why = "is not a version in Python's sense (PEP 440)"
    else:
        if found.local:
            why = "is a local version, which PyPI refuses"
        elif _LONE_LETTER.search(text) or _REVISION.search(text):
            why = f"would become {found} (PEP 440), which may not be what is meant"
        else:
            return found
    what = f"{text!r} of the conda package {package.name} {why}"
    raise ConfigError(Problem(where="project.version", what=what, hint=way_out))
