"""The dynamic fields of ``[project]``, filled in from the pressed package: what it says of itself, then its recipe."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import getaddresses
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from mamba_press.conda import pep440
from mamba_press.errors import Note, Setting, Text
from mamba_press.metadata import headers
from mamba_press.metadata.pypi_rules import EMAIL, SUMMARY

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata

    from mamba_press.types import Package, Project, Requirements

_ABOUT_URLS = {
    "home": "Homepage",
    "dev_url": "Source",
    "doc_url": "Documentation",
    "doc_source_url": "Documentation source",
}
_COMMENTS = 100
_TYPES = ("text/markdown", "text/x-rst", "text/plain")
_LABEL = 32  # https://github.com/pypi/warehouse/blob/main/warehouse/forklift/metadata.py


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What the dynamic fields are taken from, in this order: own metadata, then the recipe's ``about.json``.

    ``package`` is None where nothing is pressed whole: then no field is taken from a package.
    """

    package: Package | None
    derived: Requirements
    raw: RawMetadata
    about: Mapping[str, object] = field(default_factory=dict)


def complete(project: Project, sources: Sources) -> tuple[Project, tuple[str | Note, ...]]:
    """Return the project with its dynamic fields filled in, and what there is to say about those that are not.

    What stands in ``[project]`` stays as it is written; a list that is dynamic too is added to, never changed
    (PEP 808). ``version``, ``license`` and ``license-files`` are not ours.
    """
    found: dict[str, object] = {}
    makers: dict[str, Callable[[Sources], object]] = {
        "description": _summary,
        "readme": _readme,
        "urls": _urls,
        "keywords": _keywords,
        "classifiers": _classifiers,
        "authors": lambda sources: _people(sources.raw.get("author"), sources.raw.get("author_email")),
        "maintainers": lambda sources: _people(sources.raw.get("maintainer"), sources.raw.get("maintainer_email")),
        "requires-python": lambda sources: sources.derived.requires_python,
    }
    for name, make in makers.items():
        value = make(sources) if name in project.dynamic else None
        if value:
            found[name] = _added(project.table.get(name), value)
    found.update(_requirements(project, sources.derived))
    return replace(project, table={**project.table, **found}), tuple(_lacking(project, sources.derived))


def _added(static: object, found: object) -> object:
    """Return what is static with what was found added to it."""
    if isinstance(static, (list, tuple)) and isinstance(found, (list, tuple)):
        return [*static, *(each for each in found if each not in static)]
    if isinstance(static, dict) and isinstance(found, dict):
        return {**found, **static}
    return found


# -- requirements


def _requirements(project: Project, derived: Requirements) -> dict[str, object]:
    """Return the table's requirements with the derived ones where they are dynamic.

    Requirements of extras stand among the dependencies, with their markers: `[project]` could not write those whose
    marker names two extras.
    """
    found: dict[str, object] = {}
    lines: list[str] = []
    if "dependencies" in project.dynamic:
        lines += derived.dependencies
    if "optional-dependencies" in project.dynamic:
        lines += dict.fromkeys(line for group in derived.extras.values() for line in group)
        static = project.table.get("optional-dependencies")
        stated = static if isinstance(static, dict) else {}
        found["optional-dependencies"] = {**{extra: [] for extra in derived.extras}, **stated}
    if lines:
        found["dependencies"] = [*_static(project), *(line for line in lines if line not in _static(project))]
    return found


def _static(project: Project) -> list[str]:
    listed = project.table.get("dependencies")
    return [str(each) for each in listed] if isinstance(listed, (list, tuple)) else []


def _lacking(project: Project, derived: Requirements) -> Iterator[str | Note]:
    """Yield a note on derived requirements that static dependencies do not have."""
    from packaging.requirements import InvalidRequirement, Requirement

    yield from derived.notes
    if "dependencies" in project.dynamic:
        return
    stated: dict[str, list[Requirement]] = {}
    for text in _static(project):
        try:
            requirement = headers.requirement(text)
        except InvalidRequirement:
            continue
        stated.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    missing = [line for line in derived.dependencies if canonicalize_name(Requirement(line).name) not in stated]
    if missing:
        whole = json.dumps([*_static(project), *missing], ensure_ascii=False)
        hint = Text.of(
            f'write it in [project]: dependencies = {whole}; or let it be computed: dynamic = ["dependencies"]\n'
            "if the wheel works without one, say so by its conda name: ",
            Setting("requires", value=False, name="…"),
        )
        what = f"the conda packages require what project.dependencies lacks: {', '.join(missing)}"
        yield Note(what, hint, "warning")
    for line in derived.dependencies:
        own = Requirement(line)
        for other in stated.get(canonicalize_name(own.name), ()):
            if pep440.intersection(other.specifier, own.specifier) is None:
                what = f"project.dependencies has {str(other)!r}, and the conda packages require {line!r}"
                change = "no version satisfies both: change the dependency, or press other versions of the packages"
                yield Note(what, change, "warning")


# -- what a package says of itself


def _summary(sources: Sources) -> str:
    text = sources.raw.get("summary") or sources.about.get("summary") or ""
    return " ".join(str(text).split())[:SUMMARY]


def _readme(sources: Sources) -> dict[str, str]:
    """Return the package's description, with a line on where it was pressed from."""
    text, kind = _description(sources)
    package = sources.package
    assert package is not None
    name = f"{package.name} {package.version} {package.build}"
    quoted = f"`{name}`" if kind == "text/markdown" else f"``{name}``" if kind == "text/x-rst" else name
    origin = f"Pressed from the conda package {quoted} by mamba-press."
    return {"text": f"{text}\n\n{origin}\n".lstrip(), "content-type": kind}


def _description(sources: Sources) -> tuple[str, str]:
    own = (sources.raw.get("description") or "").strip()
    if own and own != "UNKNOWN":
        kind = (sources.raw.get("description_content_type") or "text/x-rst").partition(";")[0].strip().lower()
        # Without a type PyPI tries reStructuredText and shows what fails as it is; with one it would refuse it.
        typed = sources.raw.get("description_content_type") and kind in _TYPES
        return own, kind if typed else "text/plain"
    return str(sources.about.get("description") or "").strip() or _summary(sources), "text/markdown"


def _urls(sources: Sources) -> dict[str, str]:
    """Return labels and addresses, such as PyPI takes them."""
    found = dict(sources.raw.get("project_urls") or {})
    homepage = sources.raw.get("home_page")
    if homepage and homepage not in found.values():
        found = {"Homepage": homepage, **found}
    if not found:
        found = {label: _first(sources.about.get(key)) for key, label in _ABOUT_URLS.items()}
    return {
        label: url
        for label, url in found.items()
        if 0 < len(label) <= _LABEL and re.fullmatch(r"https?://[^\s,]+", url) and url != "UNKNOWN"
    }


def _first(value: object) -> str:
    items = value if isinstance(value, (list, tuple)) else [value]
    return str(items[0]).strip() if items and items[0] else ""


def _keywords(sources: Sources) -> list[str]:
    listed = sources.raw.get("keywords") or []
    # Some old packages separate by spaces, which makes one keyword with spaces in it.
    split = listed[0].split() if len(listed) == 1 else listed
    return list(dict.fromkeys(word.strip() for word in split if word.strip() and word.strip() != "UNKNOWN"))


def _classifiers(sources: Sources) -> list[str]:
    """Return the classifiers but for those on licences, which are deprecated and may contradict what is packed."""
    return [
        each for each in sources.raw.get("classifiers") or [] if not each.startswith("License ::") and each != "UNKNOWN"
    ]


def _people(names: str | None, addresses: str | None) -> list[dict[str, str]]:
    """Return the people of the fields Author and Author-email, as `[project]` writes them."""
    if (addresses or "").count("(") > _COMMENTS:  # comments in comments, which Python reads by recursion
        addresses = None
    found = [_person(name, email) for name, email in getaddresses([addresses or ""])]
    listed = [name.strip() for name in (names or "").split(",") if name.strip() not in ("", "UNKNOWN")]
    named = {person.get("name") for person in found}
    bare = [person for person in found if "name" not in person]
    if len(listed) == 1 and len(found) == 1 and bare:
        return [{"name": listed[0], **bare[0]}]
    return [*({"name": name} for name in listed if name not in named), *filter(None, found)]


def _person(name: str, email: str) -> dict[str, str]:
    person = {"name": " ".join(name.split())} if name.strip() else {}
    return {**person, "email": email} if EMAIL.fullmatch(email) else person
