"""What PyPI and installers would refuse of a ``[project]`` table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mamba_press import messages
from mamba_press.errors import Problem

if TYPE_CHECKING:
    from pyproject_metadata import StandardMetadata

SUMMARY = 512  # https://github.com/pypi/warehouse/blob/main/warehouse/forklift/metadata.py
_CONTENT_TYPES = ("text/markdown", "text/x-rst", "text/plain")
EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+")
_OBJECT = re.compile(r"\s*[^\W\d]\w*(?:\.[^\W\d]\w*)*\s*(:\s*[^\W\d]\w*(?:\.[^\W\d]\w*)*)?\s*(?:\[.*\])?\s*")


def refused(metadata: StandardMetadata) -> Iterator[Problem]:
    """Yield for what an upload to PyPI would be refused, as far as ``[project]`` alone shows it.

    A project with a ``Private ::`` classifier is never for PyPI and may have local versions and URL requirements.
    """
    summary = metadata.description or ""
    if len(summary) > SUMMARY:
        what = f"has {len(summary)} characters, PyPI takes {SUMMARY}"
        yield Problem(where="project.description", what=what, hint="the long text belongs into project.readme")
    if "\n" in summary or "\r" in summary:
        yield Problem(where="project.description", what="has several lines, PyPI takes one", hint="join the lines")
    if metadata.readme is not None and metadata.readme.content_type.split(";")[0].strip() not in _CONTENT_TYPES:
        what = f"{metadata.readme.content_type!r} is none of {', '.join(_CONTENT_TYPES)}"
        yield Problem(where="project.readme.content-type", what=what, hint="write one of them")
    for key, people in (("authors", metadata.authors), ("maintainers", metadata.maintainers)):
        for _, email in people:
            if email is not None and not EMAIL.fullmatch(email):
                what = f"{email!r} is no e-mail address"
                yield Problem(where=f"project.{key}", what=what, hint="correct it, or leave email out")
    yield from _unusable(metadata)
    if not any(classifier.startswith("Private ::") for classifier in metadata.classifiers):
        yield from _refused_in_public(metadata)


def _unusable(metadata: StandardMetadata) -> Iterator[Problem]:
    """Yield what installers would stumble over."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    if isinstance(metadata.license, str):
        try:
            canonicalize_license_expression(metadata.license)
        except (InvalidLicenseExpression, MemoryError) as error:  # the latter for hundreds of open brackets
            hint = "see https://spdx.org/licenses; a licence that is not there is LicenseRef-<name>"
            what = f"{messages.printable(metadata.license)!r}: {str(error) or 'is no expression'}"
            yield Problem(where="project.license", what=what, hint=hint)
    for group, key in (("console_scripts", "scripts"), ("gui_scripts", "gui-scripts")):
        if group in metadata.entrypoints:
            what, hint = "belongs into a table of its own", f"move it to [project.{key}]"
            yield Problem(where=f"project.entry-points.{group}", what=what, hint=hint)
    groups = {"scripts": metadata.scripts, "gui-scripts": metadata.gui_scripts}
    groups.update({f"entry-points.{group}": points for group, points in metadata.entrypoints.items()})
    for group, points in groups.items():
        for name, target in points.items():
            found = _OBJECT.fullmatch(target)
            if found is None or ("scripts" in group and not found[1]):
                what = f"{target!r} names no {'function' if 'scripts' in group else 'object'}"
                yield Problem(where=f"project.{group}.{name}", what=what, hint='write "package.module:function"')


def _refused_in_public(metadata: StandardMetadata) -> Iterator[Problem]:
    private = 'or add the classifier "Private :: Do Not Upload" if it is not for PyPI'
    if metadata.version is not None and metadata.version.local:
        what = f"{metadata.version} is a local version, which PyPI refuses"
        yield Problem(where="project.version", what=what, hint=f"write {metadata.version.public}, {private}")
    groups = [("project.dependencies", metadata.dependencies)]
    groups += [(f"project.optional-dependencies.{extra}", r) for extra, r in metadata.optional_dependencies.items()]
    for where, requirements in groups:
        for requirement in requirements:
            if requirement.url:
                what = f"{str(requirement)!r} names a URL, which PyPI refuses"
                yield Problem(where=where, what=what, hint=f"require a version, {private}")
