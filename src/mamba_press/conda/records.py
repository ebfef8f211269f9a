"""What channels say of packages: their records as values, and as plain ones for the worker and a lock."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from mamba_press.credentials import public
from mamba_press.errors import Problem, Setting, SolveError, Text
from mamba_press.types import Package, Spec

Json = dict[str, Any]

_LONGEST = {"license": 10_000, "spec": 2_000}
_MOST_SPECS = 10_000
"""What the record of a package may have; the largest of conda-forge have a tenth."""

_UNBOUND = Text.of("tell the makers of the channel, or take another build with ", Setting("constraints"))


def packages_of(answer: Json) -> tuple[Package, ...]:
    """Return the packages of an answer of the worker, sorted by name; raise SolveError as `refuse_foreign`."""
    specs = {text: _spec(text, parts) for text, parts in answer["specs"].items()}
    packages = tuple(sorted((_package(each, specs) for each in answer["packages"]), key=lambda each: each.name))
    refuse_foreign(packages)
    return packages


def _spec(text: str, parts: Json) -> Spec:
    """Return what rattler reads in a spec."""
    values: Json = {key: tuple(part) if isinstance(part, list) else part for key, part in parts.items()}
    return Spec(**{"text": text, **values})


def _package(record: Json, specs: Mapping[str, Spec]) -> Package:
    """Make a package of a record as rattler writes it."""
    values = {each.name: record[each.name] for each in fields(Package) if each.name in record}
    extras = (record.get("extra_depends") or {}).items()
    changed = {
        "depends": tuple(specs[text] for text in record.get("depends", ())),
        "constrains": tuple(specs[text] for text in record.get("constrains", ())),
        "extra_depends": {extra: tuple(specs[text] for text in texts) for extra, texts in extras},
        "flags": tuple(record.get("flags") or ()),
        "channel": public(record.get("channel") or ""),
        "url": public(record["url"]),
        "file_name": record["fn"],
        "noarch": noarch if (noarch := record.get("noarch")) in ("python", "generic") else None,
        "site_packages": record.get("python_site_packages_path"),
    }
    return Package(**{**values, **changed})


def plain(package: Package) -> Json:
    """Return a package as JSON, with specs as text."""
    return {
        **{each.name: getattr(package, each.name) for each in fields(package)},
        "depends": [spec.text for spec in package.depends],
        "constrains": [spec.text for spec in package.constrains],
        "extra_depends": {extra: [spec.text for spec in specs] for extra, specs in package.extra_depends.items()},
    }


def _all(package: Package) -> tuple[Spec, ...]:
    extras = (spec for specs in package.extra_depends.values() for spec in specs)
    return (*package.depends, *package.constrains, *extras)


def refuse_foreign(packages: Iterable[Package]) -> None:
    """Raise SolveError for packages in another form than conda's, such as wheels, and for records without a bound."""
    packages = tuple(packages)
    constraints = Setting("constraints")
    hint = Text.of("name a build that is .conda or .tar.bz2 in ", constraints, ", or a channel that has one")
    problems = [
        Problem(
            where=str(package),
            what=f"its channel offers it as {package.file_name!r}, which is no conda package",
            hint=hint,
        )
        for package in packages
        if not package.url or not package.file_name.endswith((".conda", ".tar.bz2"))
    ]
    problems += [
        Problem(where=f"{package.name[:80]} of {package.channel}", what=what, hint=_UNBOUND)
        for package in packages
        for what in _beyond(package)
    ]
    SolveError.raise_for(problems)


def _beyond(package: Package) -> Iterator[str]:
    """Yield what of a record is beyond all that is real: would take for ever to be read, or is no file's name."""
    for key in ("name", "version", "build", "license"):
        length, most = len(getattr(package, key) or ""), _LONGEST.get(key, 200)
        if length > most:
            yield f"its record has a {key} of {length:,} characters; at most {most:,} are accepted"
    if not re.fullmatch(r"[\w.+]+", package.build, re.ASCII):
        yield f"its record has the build {package.build[:40]!r}; a build is of letters, digits and _ . +"
    specs = _all(package)
    if len(specs) > _MOST_SPECS:
        yield f"its record has {len(specs):,} dependencies; at most {_MOST_SPECS:,} are accepted"
    longest = max((len(spec.text) for spec in specs), default=0)
    if longest > _LONGEST["spec"]:
        yield f"its record has a dependency of {longest:,} characters; at most {_LONGEST['spec']:,} are accepted"
