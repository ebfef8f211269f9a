"""The licences of what is in a wheel: read into SPDX's words, joined, and held to what the project allows.

conda records state licences as free text. What is no SPDX expression is looked up in a table of names that leave no
doubt; a GNU licence in an old spelling is *read*, which is good enough to be stated, but not to pass a list of denied
licences: there a person has to name it. What neither gives becomes ``LicenseRef-conda-<package>``, whose text is that
package's licence files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press.config import unmatched
from mamba_press.errors import ConfigError, ContentError, Note, Problem, Setting, Text, Words
from mamba_press.types import NEUTRAL, Entry, Package, Project

if TYPE_CHECKING:
    from mamba_press.config.model import Licenses

_GNU = re.compile(
    r"(?:gnu )?(?P<name>a?gpl|lgpl)[ -]?(?:v|version)? ?(?P<version>[123](?:\.[01])?)"
    r"(?P<later> ?\+| ?-? ?or[ -](?:later|newer|greater)| only|-only)?"
)
# GPL-2.0 and GPL-2.0+ are names that SPDX has given up because they were misread.
_OUTDATED = re.compile(r"(?<![\w.-])((?:GPL|LGPL|AGPL|GFDL)-[0-9]\.[0-9])(\+)?(?![\w.+-])")
_OPERATOR = re.compile(r"(\(|\)|\s+(?:and|or)\s+)", re.IGNORECASE)
_TOKEN = re.compile(r"\(|\)|[^\s()]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Licence:
    """The licence of one package.

    ``text`` is what the record says, or ``about.json`` where the record is silent; None where both are.
    ``expression`` is that as an SPDX expression. ``is_certain`` says that nothing was guessed on the way.
    """

    package: str
    text: str | None
    expression: str
    is_certain: bool


def read(
    packages: Iterable[Package], abouts: Mapping[str, Mapping[str, object]], rules: Licenses
) -> tuple[Licence, ...]:
    """Return the licence of each package; ``licenses.named`` goes over what the packages say.

    ``abouts`` holds their ``about.json`` by name. Raises ConfigError where what is named is no expression.
    """
    named = {name: _named(name, text) for name, text in rules.named.items()}
    problems = [found for found in named.values() if isinstance(found, Problem)]
    ConfigError.raise_for(problems)
    return tuple(
        _licence(package, abouts.get(package.name, {}), named.get(package.name))
        for package in sorted(packages, key=lambda package: package.name)
    )


def joined(expressions: Iterable[str]) -> str | None:
    """Return the SPDX conjunction of all expressions, each part of it once; None where there are none."""
    parts: dict[str, str] = {}
    for expression in expressions:
        for part in _conjuncts(expression):
            parts.setdefault(part.casefold(), part)
    if len(parts) == 1:
        return next(iter(parts.values())).removeprefix("(").removesuffix(")")
    return " AND ".join(parts[key] for key in sorted(parts, key=lambda key: key.lstrip("("))) or None


def require(licences: Sequence[Licence], packages: Sequence[Package], rules: Licenses) -> None:
    """Raise ContentError with every licence that ``licenses.allow`` and ``licenses.deny`` do not let into the wheel.

    ``packages`` are all that may have led to those in the wheel: the error says how each came in.
    """
    ContentError.raise_for(
        _refusal(licence, ground, packages) for licence in licences if (ground := _ground(licence, rules)) is not None
    )


def is_open(project: Project) -> bool:
    """Whether the project leaves it to its packages which licence the wheel states."""
    return project.root == Path(NEUTRAL) or "license" in project.dynamic


def stated(project: Project) -> tuple[str, ...]:
    """Return the licence that the project itself states, where that is an SPDX expression."""
    text = project.table.get("license")
    found = _canonical(text) if isinstance(text, str) else None
    return (found,) if found is not None else ()


def state(project: Project, expression: str | None) -> Project:
    """Return the project with the licence of all that is in the wheel, where it leaves that open."""
    if expression is None or not is_open(project):
        return project
    return replace(project, table={**project.table, "license": expression})


def disagreement(project: Project, expression: str | None, *, has_code: bool) -> Note | None:
    """Return a warning where a project states no licence, or not that of all that is in the wheel; else None.

    Only where the project has no code of its own may it leave its licence open (`project.of_code`).
    """
    if expression is None or is_open(project):
        return None
    spdx = next(iter(stated(project)), None)
    if spdx is not None and set(_conjuncts(spdx)) >= set(_conjuncts(expression)):
        return None
    has_other = has_code or "license" in project.table
    whole = joined((spdx, expression)) if spdx else f"… AND {expression}" if has_other else expression
    hint = f'write it in [project]: license = "{whole}"'
    if has_other and spdx is None:
        hint += ", with the project's own in place of …"
    if not has_code:
        hint += '; or let it be computed: dynamic = ["license"]'
    said = f"says {spdx or 'no SPDX expression'}" if "license" in project.table else "is missing"
    return Note(f"project.license {said}, and the content of the wheel is under {expression}", hint, "warning")


def unknown(licences: Iterable[Licence], rules: Licenses) -> tuple[Note, ...]:
    """Warn of what the lists have that is the name of no licence; one that no package has is no mistake."""
    from packaging import licenses as spdx

    listed = [str(each["id"]) for each in getattr(spdx, "LICENSES", {}).values()]
    known = {*listed, *(name for each in licences for name in _names(_parsed(each.expression)))}
    kind = "licence of SPDX, nor one in the wheel"
    return tuple(
        note
        for key, names in (("licenses.allow", rules.allow), ("licenses.deny", rules.deny))
        for note in unmatched.told(
            key, [name for name in names if " with " not in name.casefold() and listed], known, kind, _matching
        )
    )


def _names(node: _Node) -> Iterator[str]:
    yield from (name for part in node.parts for name in _names(part))
    if node.name:
        yield node.name


def notes(licences: Iterable[Licence], entries: Iterable[Entry], base: str) -> tuple[str, ...]:
    """Say which licences had to be guessed, and which packages bring no licence file; ``base`` is the .dist-info."""
    own = f"{base}/licenses/"
    covered = {entry.path[len(own) :].split("/")[0] for entry in entries if entry.path.startswith(own)}
    found = []
    for licence in licences:
        if licence.text is None:
            found.append(f"{licence.package} states no licence: it is called {licence.expression}")
        elif not licence.is_certain:
            found.append(f"the licence {licence.text!r} of {licence.package} is read as {licence.expression}")
    bare = [licence.package for licence in licences if licence.package not in covered]
    if bare:
        found.append(f"packages without a licence file: {', '.join(bare)}")
    return tuple(found)


# -- from text to SPDX


def _licence(package: Package, about: Mapping[str, object], named: object) -> Licence:
    said = (str(each or "").strip() for each in (package.license, about.get("license")))
    text = next((each for each in said if each and each != "None"), None)
    if isinstance(named, str):
        return Licence(package=package.name, text=text, expression=named, is_certain=True)
    expression, is_certain = _read(text, package.name) if text else (_reference(package.name), False)
    return Licence(package=package.name, text=text, expression=expression, is_certain=is_certain)


def _named(name: str, text: str) -> str | Problem:
    found = _canonical(text)
    if found is not None:
        return found
    hint = f"see https://spdx.org/licenses; a licence that is not there can be called {_reference(name)}"
    return Problem(where=Setting("licenses.named"), what=f"{name}: {text!r} is no SPDX expression", hint=hint)


def _reference(package: str) -> str:
    return f"LicenseRef-conda-{re.sub(r'[^A-Za-z0-9.]+', '-', package).strip('-')}"


def _read(text: str, package: str) -> tuple[str, bool]:
    """Return the expression of a text, and whether nothing in it was guessed."""
    whole = _one(text)
    if whole is not None:
        return whole
    certain, parts = True, []
    for part in _OPERATOR.split(text):
        if not part.strip():
            continue
        if _OPERATOR.fullmatch(part):
            parts.append(part.strip().upper())
            continue
        found = _one(part.strip())
        expression, is_certain = found if found is not None else (_reference(package), False)
        parts.append(expression)
        certain = certain and is_certain
    together = _canonical(" ".join(parts))
    return (together, certain) if together is not None else (_reference(package), False)


def _one(text: str) -> tuple[str, bool] | None:
    """Return the expression that a text is or names, and whether that is beyond doubt."""
    found = _canonical(text)
    if found is not None:
        return found, True
    table = _spellings()
    key = _key(text)
    if key in table["names"]:
        return table["names"][key], True
    gnu = _GNU.fullmatch(key)
    reading = table["readings"].get(key) or (_canonical(_gnu(gnu)) if gnu else None)
    return (reading, False) if reading is not None else None


def _gnu(found: re.Match[str]) -> str:
    version = found["version"] if "." in found["version"] else f"{found['version']}.0"
    later = found["later"] and "only" not in found["later"]
    return f"{found['name'].upper()}-{version}-{'or-later' if later else 'only'}"


def _key(text: str) -> str:
    """Return a spelling without what does not matter."""
    plain = re.sub(r"\bversion (?=\d)", "v", re.sub(r"[\s_,()/]+", " ", text.casefold()))
    return " ".join(word for word in plain.split() if word not in ("the", "license", "licence", "licensed"))


@cache
def _spellings() -> dict[str, dict[str, str]]:
    text = Path(__file__).parents[1].joinpath("data").joinpath("licenses.json").read_text("utf-8")
    table: dict[str, dict[str, str]] = json.loads(text)
    return table


def _canonical(text: str) -> str | None:
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        found = str(canonicalize_license_expression(text))
    except (InvalidLicenseExpression, MemoryError):  # what Python's own parser says of 200 open brackets
        return None
    return _OUTDATED.sub(lambda name: f"{name[1]}-{'or-later' if name[2] else 'only'}", found)


# -- the parsed expression


@dataclass(frozen=True, kw_only=True, slots=True)
class _Node:
    """AND or OR of ``parts``, or, without an operator, one licence with its exception."""

    operator: str = ""
    parts: tuple[_Node, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        if not self.operator:
            return self.name
        inner = (f"({part})" if self.operator == "AND" and part.operator == "OR" else str(part) for part in self.parts)
        return f" {self.operator} ".join(inner)


def _parsed(expression: str) -> _Node:
    """Return the tree of a canonical expression: AND binds more tightly than OR, WITH most of all."""
    tokens = _TOKEN.findall(expression)
    node, rest = _either(tokens, "OR")
    assert not rest
    return node


def _either(tokens: list[str], operator: str) -> tuple[_Node, list[str]]:
    parts: list[_Node] = []
    while True:
        node, tokens = _either(tokens, "AND") if operator == "OR" else _leaf(tokens)
        parts += node.parts if node.operator == operator else [node]
        if not tokens or tokens[0] != operator:
            return (parts[0] if len(parts) == 1 else _Node(operator=operator, parts=tuple(parts))), tokens
        tokens = tokens[1:]


def _leaf(tokens: list[str]) -> tuple[_Node, list[str]]:
    if tokens[0] == "(":
        node, rest = _either(tokens[1:], "OR")
        return node, rest[1:]
    length = 3 if tokens[1:2] == ["WITH"] else 1
    return _Node(name=" ".join(tokens[:length])), tokens[length:]


def _conjuncts(expression: str) -> Iterator[str]:
    """Yield what stands between an expression's outermost ANDs, an OR in parentheses."""
    node = _parsed(expression)
    for part in node.parts if node.operator == "AND" else (node,):
        yield f"({part})" if part.operator == "OR" else str(part)


# -- allowed and denied


def _ground(licence: Licence, rules: Licenses) -> tuple[str, bool] | None:
    """Return why a licence is refused, and whether for what a list has or has not, or else for what it is."""
    if rules.deny and not licence.is_certain:
        return "is not stated" if licence.text is None else "cannot be parsed", False
    culprit = _refused(_parsed(licence.expression), rules)
    if culprit is None:
        return None
    denying = _matching(culprit, rules.deny)
    return f"licenses.deny has {denying!r}" if denying else f"licenses.allow has nothing for {culprit}", True


def _refused(node: _Node, rules: Licenses) -> str | None:
    """Return a licence for which an expression is refused: OR needs one branch that is not, AND all of them."""
    if node.operator:
        found = [_refused(part, rules) for part in node.parts]
        culprits = [culprit for culprit in found if culprit is not None]
        fails = len(culprits) == len(found) if node.operator == "OR" else bool(culprits)
        return culprits[0] if fails else None
    is_denied = _matching(node.name, rules.deny) is not None
    is_missing = bool(rules.allow) and _matching(node.name, rules.allow) is None
    return node.name if is_denied or is_missing else None


def _matching(name: str, globs: Collection[str]) -> str | None:
    """Return the glob that names a licence; with an exception it is another licence, which has to be named whole."""
    plain = name.casefold()
    for glob in globs:
        wanted = " ".join(glob.casefold().split())
        if wanted == "*" or (fnmatchcase(plain, wanted) and (" with " in plain) == (" with " in wanted)):
            return glob
    return None


def _refusal(licence: Licence, ground: tuple[str, bool], packages: Sequence[Package]) -> Problem:
    why, is_of_list = ground
    text = f"the licence {licence.text!r}" if licence.text is not None else "the licence"
    reading = f" ({licence.expression})" if licence.text not in (None, licence.expression) else ""
    what = f"{text}{reading} {'is refused: ' if is_of_list else ''}{why}"
    by_name = {package.name: package for package in packages}
    way = _way(licence.package, packages)
    came = " -> ".join(way) if len(way) > 1 else "asked for in packages"
    leave = Text.of("leave it out, if nothing needs it: ", Setting("select.prune", (licence.package,)))
    if len(way) == 1:
        leave = Text.of("do without the package")
    accept: Words = "change the list, if the licence is one that you can accept"
    if not is_of_list:
        named = Setting("licenses.named", licence.expression, name=licence.package)
        accept = Text.of("read its licence and name it: ", named)
    hint = Text.of(f"it came in by: {came}\n", leave, "; or ", accept)
    return Problem(where=str(by_name.get(licence.package, licence.package)), what=what, hint=hint)


def _way(name: str, packages: Sequence[Package]) -> tuple[str, ...]:
    """Return the shortest chain of dependencies from a requested package to this one."""
    depends = {package.name: sorted(spec.name for spec in package.depends) for package in packages}
    ways: list[tuple[str, ...]] = [(package.name,) for package in packages if package.requested]
    seen = {way[0] for way in ways}
    while ways:
        way, *ways = ways
        if way[-1] == name:
            return way
        new = [other for other in depends.get(way[-1], ()) if other not in seen]
        seen.update(new)
        ways += [(*way, other) for other in new]
    return (name,)
