"""What specs say: text that no worker has read, lower bounds, and versions as alternatives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import product

from packaging.utils import canonicalize_name

from mamba_press import messages
from mamba_press.types import Package, Spec

_SPEC = re.compile(r"\s*(?:[^\s\[\]]*::)?(?P<name>[\w.+-]+?)\s*(?P<rest>(?:[\s=<>!~\[*(].*)?)", re.DOTALL)
_KEY = re.compile(r"""\s*(\w+)\s*=\s*("[^"]*"|'[^']*'|\[[^\]]*\]|[^,\s]+)\s*(?:,|$)""")
_LOW = re.compile(r"(?:>=|>|~=|==|=|)\s*(\d+)(?:\.(\d+))?")
_MOST_ALTERNATIVES = 1_000
_DEEPEST = 30
_LONGEST = 1_000
"""How many ways to satisfy a spec, brackets in each other, and characters are read."""


class UntranslatableError(ValueError):
    """A spec that no set of PEP 440 specifiers can stand for."""


def spec_name(text: str) -> str:
    """Return the package name that a conda spec begins with: ``zlib`` of ``conda-forge::zlib >=1.2``."""
    return read(text).name


def read(text: str) -> Spec:
    """Return what a spec says that no worker has read: a user's, a recipe's, a bill of materials'.

    Records come with their specs as rattler reads them; here none is at hand. One without end is none.
    """
    match = _SPEC.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        name = "".join(text.split(maxsplit=1)[:1]).lower()
        return Spec(text=text, name=name, problem="is no conda spec")
    rest, opened, bracket = match["rest"].partition("[")
    keys = {}
    if opened and bracket.rstrip().endswith("]"):
        keys = {key: value.strip("\"'[]") for key, value in _KEY.findall(bracket.rstrip()[:-1])}
    rest = re.sub(r"\s*([,|])\s*", r"\1", rest.strip())
    rest = re.sub(r"([=<>!~])\s+", r"\1", rest)
    rest = re.sub(r"^={0,2}([^=<>!~,|\s]+)[=\s]\s*([^=\s]+)$", r"\1 \2", rest)  # with a build, =version is exact
    version, build = [*rest.split(maxsplit=1), "*", "*"][:2]
    return Spec(
        text=text,
        name=match["name"].lower(),
        version=keys.get("version", version),
        build=keys.get("build", build),
        when=keys.get("when"),
        extras=tuple(re.split(r"[\s,]+", keys["extras"])) if "extras" in keys else (),
    )


def minimum(spec: Spec) -> tuple[int, int] | None:
    """Return the lowest ``major.minor`` that a spec allows, None where it sets no lower bound."""
    try:
        bounds = [_highest_bound(constraints) for constraints in alternatives(spec.version)]
    except UntranslatableError:
        return None
    return None if None in bounds else min(bound for bound in bounds if bound is not None)


def _highest_bound(constraints: Iterable[str]) -> tuple[int, int] | None:
    found = (_LOW.match(constraint) for constraint in constraints)
    return max(((int(bound[1]), int(bound[2] or 0)) for bound in found if bound), default=None)


def twin(package: Package, by_name: Mapping[str, Package]) -> Package | None:
    """Return the package that has what another one only stands for, under a name that PyPI takes for the same.

    ``typing-extensions`` has no files, and needs the same version of ``typing_extensions``: a wheel of that name can
    require neither of the two.
    """
    for name in (spec.name for spec in package.depends):
        other = by_name.get(name)
        is_alike = name != package.name and canonicalize_name(name) == canonicalize_name(package.name)
        if is_alike and other is not None and other.is_python and other.version == package.version:
            return other
    return None


def alternatives(text: str) -> list[list[str]]:
    """Return the spec as alternatives of constraints that hold together; ``,`` binds stronger than ``|``."""
    if len(text) > _LONGEST:
        raise UntranslatableError(f"{messages.printable(text)!r} is longer than {_LONGEST:,} characters")
    if "^" in text or "$" in text:
        raise UntranslatableError(f"{text!r} is a regular expression")
    if text.count("(") > _DEEPEST:
        raise UntranslatableError(f"{text[:80]!r} has too many brackets")
    tokens = [token for token in re.split(r"([,|()])", text or "*") if token.strip()]
    found, rest = _either(tokens)
    if rest:
        raise UntranslatableError(f"{text!r} has brackets that do not match")
    return found


def _either(tokens: list[str]) -> tuple[list[list[str]], list[str]]:
    found, rest = _all_of(tokens)
    while rest and rest[0] == "|":
        more, rest = _all_of(rest[1:])
        found = [*found, *more]
    return found, rest


def _all_of(tokens: list[str]) -> tuple[list[list[str]], list[str]]:
    found, rest = _one(tokens)
    while rest and rest[0] == ",":
        more, rest = _one(rest[1:])
        if len(found) * len(more) > _MOST_ALTERNATIVES:
            raise UntranslatableError(f"it has more than {_MOST_ALTERNATIVES} alternatives")
        found = [[*left, *right] for left, right in product(found, more)]
    return found, rest


def _one(tokens: list[str]) -> tuple[list[list[str]], list[str]]:
    if not tokens or tokens[0] in ",|)":
        raise UntranslatableError("a constraint is missing beside one of , | ( )")
    if tokens[0] != "(":
        return [[tokens[0].strip()]], tokens[1:]
    found, rest = _either(tokens[1:])
    if not rest:
        raise UntranslatableError("a bracket is not closed")
    return found, rest[1:]
