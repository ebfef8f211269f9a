"""What an inner backend wrote about the project it built: METADATA kept as it is, and completed where it is silent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mamba_press.errors import BuildError, Problem
from mamba_press.metadata import headers, installed
from mamba_press.types import OwnFiles, Project

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata


_SCRIPTS = {"console_scripts": "scripts", "gui_scripts": "gui-scripts"}
_FIELDS = {"dependencies": "Requires-Dist", "requires-python": "Requires-Python", "license": "License-Expression"}
_OPEN = tuple(_FIELDS)
"""The fields that may be added to where the project leaves them open: all else is the inner backend's to say."""


def project(asked: Project, own: OwnFiles) -> Project:
    """Return the project as its inner backend built it: that decides its name, its version and all its metadata.

    Raises BuildError for metadata that cannot be used, or that contradict ``[project]``.
    """
    from packaging.metadata import parse_email
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    assert own.metadata is not None
    raw, _ = parse_email(own.metadata)
    name, text = raw.get("name", ""), raw.get("version", "")
    try:
        version = Version(text)
    except ValueError:  # InvalidVersion, and int() for numbers with thousands of digits
        raise BuildError(Problem(where="METADATA", what=f"the inner backend wrote the version {text!r}")) from None
    stated = asked.table.get("name")
    if isinstance(stated, str) and canonicalize_name(stated) != canonicalize_name(name):
        what = f"the inner backend calls the project {name!r}, project.name is {stated!r}"
        raise BuildError(Problem(where="METADATA", what=what, hint="give both one name"))
    table: dict[str, object] = {
        "name": name,
        "version": text,
        "dynamic": [field for field in _OPEN if _is_open(asked, field, raw)],
        "dependencies": list(raw.get("requires_dist", ())),
        **_entry_points(own.entry_points),
    }
    if expression := raw.get("license_expression"):
        table["license"] = expression
    elif licence := raw.get("license"):
        table["license"] = {"text": licence}
    if requires_python := raw.get("requires_python"):
        table["requires-python"] = requires_python
    return replace(asked, name=name, version=version, table=table, built=own)


def metadata(project: Project, license_files: Sequence[str]) -> bytes:
    """Return METADATA as the inner backend wrote it, with what the project now has beyond that.

    ``license_files`` are paths below ``.dist-info/licenses``.
    """
    from packaging.metadata import parse_email

    assert project.built is not None
    assert project.built.metadata is not None
    raw, _ = parse_email(project.built.metadata)
    found = headers.parse(project.built.metadata).setting("License-File", ())
    if license_files:
        found = replace(found, lines=tuple(map(_at_least_2_4, found.lines)))
    return bytes(found.adding([*_added(project, raw), *(f"License-File: {path}" for path in license_files)]))


def source(asked: Project, pkg_info: bytes) -> tuple[Project, bytes]:
    """Return the project as the PKG-INFO of its sdist has it, and that text with what a wheel may add named as dynamic.

    What PKG-INFO states must be the same in every wheel that is built of the sdist (PEP 643).
    """
    from packaging.metadata import parse_email

    found = project(asked, OwnFiles(metadata=pkg_info))
    raw, _ = parse_email(pkg_info)
    names = ["License-File", *(_FIELDS[name] for name in found.dynamic)]
    there = {name.lower() for name in raw.get("dynamic", ())}
    if tuple(map(int, raw.get("metadata_version", "1.0").split("."))) < (2, 2):  # before, nothing was binding
        return found, pkg_info
    added = [f"Dynamic: {name}" for name in names if name.lower() not in there]
    return found, bytes(headers.parse(pkg_info).adding(added))


def _added(project: Project, raw: RawMetadata) -> Iterator[str]:
    table = project.table
    licence, dependencies = table.get("license"), table.get("dependencies")
    if isinstance(licence, str) and not raw.get("license_expression"):
        yield f"License-Expression: {licence}"
    if isinstance(table.get("requires-python"), str) and not raw.get("requires_python"):
        yield f"Requires-Python: {table['requires-python']}"
    there = raw.get("requires_dist", [])
    for each in dependencies if isinstance(dependencies, list) else ():
        if each not in there:
            yield f"Requires-Dist: {each}"


def _at_least_2_4(line: bytes) -> bytes:
    """Return the line, or for one that says an older version of the format, the first that has licence files."""
    found = re.fullmatch(rb"metadata-version:\s*(\d+)\.(\d+)\s*", line, re.IGNORECASE)
    return b"Metadata-Version: 2.4" if found and (int(found[1]), int(found[2])) < (2, 4) else line


def _is_open(asked: Project, name: str, raw: RawMetadata) -> bool:
    """Whether the project leaves a field open, and the inner backend said nothing that another value would contradict.

    A project without ``[project]`` leaves all but its licence open: those of what is packed would be stated as its own.
    """
    if name not in asked.dynamic and (asked.table or name == "license"):
        return False
    if name == "license":
        classifiers = raw.get("classifiers", [])
        is_said = any(classifier.startswith("License ::") for classifier in classifiers)
        return not (is_said or raw.get("license") or raw.get("license_expression"))
    return name != "requires-python" or not raw.get("requires_python")


def _entry_points(data: bytes | None) -> dict[str, Mapping[str, object]]:
    """Return entry_points.txt as `[project]` would say it."""
    if data is None:
        return {}
    try:
        groups = installed.entry_points(data)
    except ValueError as error:
        what = f"the inner backend wrote what cannot be read: {error}"
        raise BuildError(Problem(where="entry_points.txt", what=what)) from None
    scripts: dict[str, Mapping[str, object]] = {
        key: groups.pop(name) for name, key in _SCRIPTS.items() if name in groups
    }
    return {**scripts, "entry-points": groups}
