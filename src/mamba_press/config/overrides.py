"""`[[tool.mamba-press.overrides]]`: when one counts, and what it makes of the configuration.

As in scikit-build-core (https://scikit-build-core.readthedocs.io/en/latest/configuration/overrides.html), but that
platform and Python are those that are pressed for, and that what does not count is held to the rules all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from mamba_press import messages, platforms
from mamba_press.config.keys import keys
from mamba_press.config.model import State
from mamba_press.config.schema_types import Filled, Pattern, Versions
from mamba_press.errors import Problem
from mamba_press.machine import Target

Path = tuple[str, ...]
Mode = Literal["append", "prepend", "none"]

MODES: tuple[Mode, ...] = ("append", "prepend", "none")

DECIDES_THE_TARGET = frozenset({"python", "platform", "matrix"})
"""Keys that cannot depend on the target, since they decide it."""

STATES: tuple[State, ...] = get_args(State)

_OF_THE_TARGET = frozenset({"platform", "python-version", "abi-flags"})
_FALSE = frozenset({"n", "no", "off", "false", "f"})
GROUPS = ("any", "not")
"""The tables in an override's `if` that hold conditions too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """When an override counts: where all conditions of its `if` hold, one of those in `if.any`, and none of those in
    `if.not`. There has to be at least one.
    """

    platform: Pattern | None = None
    """The platform that is pressed for, whatever machine builds: the expression is searched for in its conda subdir, in
    its name as cibuildwheel writes it, and in the tag that `platform` asks for. So `"^linux"` and `"^manylinux"` are
    the same, and `"arm64|aarch64"` means every 64-bit ARM.

    Example: "^win"
    """
    python_version: Versions | None = None
    """The Python that is pressed for, its first two numbers.

    Example: ">=3.13"
    """
    abi_flags: Pattern | None = None
    """The flags of that Python's ABI: `t` for a free-threaded one, else none.

    Example: "t"
    """
    state: Pattern | None = None
    """What is being built: `sdist`, `wheel`, `editable`, `metadata_wheel` or `metadata_editable`, in which the
    expression is searched for. What the command does is `wheel`.

    Example: "^editable"
    """
    env: Mapping[Filled, Pattern] = field(default_factory=dict)
    """Environment variables: each name with an expression that is searched for in its value, or with `true` or `false`
    for whether it is set to something but `0`, `false`, `off`, `no`, `f` or `n`.

    Example: { CI = true, CUDA_VERSION = "^12" }
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What conditions are about. ``target`` is None as long as it is not known."""

    state: State
    environ: Mapping[str, str]
    target: Target | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Test:
    """One condition: ``name`` is its key, ``variable`` that of the environment which ``env`` is about."""

    name: str
    wanted: str | bool
    variable: str = ""

    def holds(self, facts: Facts) -> bool:
        """Tell whether the condition holds; one about the target does not while there is none."""
        if self.name == "env":
            value = facts.environ.get(self.variable)
            if isinstance(self.wanted, bool):
                return _is_true(value or "") == self.wanted
            return value is not None and re.search(self.wanted, value) is not None
        wanted = str(self.wanted)
        if self.name == "state":
            return re.search(wanted, facts.state) is not None
        if facts.target is None:
            return False
        python = facts.target.python
        if self.name == "python-version":
            from packaging.specifiers import SpecifierSet

            return SpecifierSet(wanted).contains(python.version)
        names = ("t" if python.free_threaded else "",) if self.name == "abi-flags" else _names(facts.target)
        return any(re.search(wanted, name) for name in names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """One table: its conditions by group, the values that it sets, and how they meet those that are there."""

    all: tuple[Test, ...]
    groups: Mapping[str, tuple[Test, ...]]
    values: Mapping[Path, object]
    inherit: Mapping[Path, Mode]

    @property
    def is_of_target(self) -> bool:
        """Whether the target decides if it counts."""
        tests = (*self.all, *(test for group in self.groups.values() for test in group))
        return any(test.name in _OF_THE_TARGET for test in tests)

    def counts(self, facts: Facts) -> bool:
        """Tell whether the conditions hold."""
        any_of, none_of = (self.groups.get(name) for name in GROUPS)
        return (
            all(test.holds(facts) for test in self.all)
            and (any_of is None or any(test.holds(facts) for test in any_of))
            and not any(test.holds(facts) for test in none_of or ())
        )

    def applied(self, values: Mapping[Path, object]) -> dict[Path, object]:
        """Return the values with those of this override: lists and tables replaced, unless it inherits them."""
        return {
            **values,
            **{path: _met(values.get(path), new, self.inherit.get(path, "none")) for path, new in self.values.items()},
        }


def read_if(value: object, where: str, problems: list[Problem]) -> tuple[tuple[Test, ...], dict[str, tuple[Test, ...]]]:
    """Return the conditions that stand in an `if`, and those of its groups; what is wrong goes to ``problems``."""
    if not isinstance(value, Mapping) or not value:
        is_empty = value is None or value == {}
        what = "has no condition" if is_empty else f"found {messages.found(value)}, expected a table"
        hint = f'name when it counts, such as if.platform = "^linux"; there are {", ".join(_known())} and any, not'
        problems.append(Problem(where=where, what=what, hint=hint))
        return (), {}
    plain = {name: each for name, each in value.items() if name not in GROUPS}
    groups = {
        name: tuple(_tests(value[name], f"{where}.{name}", problems, known=_known()))
        for name in GROUPS
        if name in value
    }
    return tuple(_tests(plain, where, problems, known=(*_known(), *GROUPS))), groups


def read_inherit(value: object, where: str, values: Mapping[Path, object], problems: list[Problem]) -> dict[Path, Mode]:
    """Return how lists and tables of an override meet those that are there, by key."""
    if not isinstance(value, Mapping):
        problems.append(Problem(where=where, what=f"found {messages.found(value)}, expected a table"))
        return {}
    inherit: dict[Path, Mode] = {}
    for path, mode in _leaves(value, ()):
        place = f"{where}.{'.'.join(path)}"
        if mode not in MODES:
            choices = ", ".join(f'"{each}"' for each in MODES)
            problems.append(Problem(where=place, what=f"found {messages.found(mode)}, expected one of {choices}"))
        elif path not in values:
            settable = [".".join(each) for each in values]
            near = messages.near(".".join(path), settable)
            hint = f"did you mean {near}?" if near else "name a list or a table that this override sets"
            problems.append(Problem(where=place, what="is not set by this override", hint=hint))
        elif not isinstance(values[path], (tuple, Mapping)):
            hint = "leave it out: the override's value replaces the other"
            problems.append(Problem(where=place, what="is neither a list nor a table", hint=hint))
        else:
            inherit[path] = mode
    return inherit


def _tests(value: object, where: str, problems: list[Problem], *, known: tuple[str, ...]) -> Iterator[Test]:
    if not isinstance(value, Mapping):
        problems.append(Problem(where=where, what=f"found {messages.found(value)}, expected a table"))
        return
    for name, each in value.items():
        place = f"{where}.{messages.printable(str(name))}"
        if name not in known:
            near = messages.near(str(name), known)
            hint = f"did you mean {near}?" if near else f"known here: {', '.join(known)}"
            problems.append(Problem(where=place, what="unknown condition", hint=hint))
        elif name != "env":
            yield from _test(Test(name=name, wanted=each), place, problems)
        elif not isinstance(each, Mapping) or not each:
            hint = "name a variable, such as if.env.CI = true"
            problems.append(Problem(where=place, what=f"found {messages.found(each)}, expected a table", hint=hint))
        else:
            for variable, wanted in each.items():
                test = Test(name=name, variable=str(variable), wanted=wanted)
                yield from _test(test, f"{place}.{messages.printable(str(variable))}", problems)


def _test(test: Test, where: str, problems: list[Problem]) -> Iterator[Test]:
    """Yield the condition if it is one that can be asked."""
    wanted, is_version = test.wanted, test.name == "python-version"
    if test.variable and isinstance(wanted, bool):
        yield test
        return
    expected = 'a range of versions such as ">=3.12"' if is_version else "a regular expression"
    if test.variable:
        expected += ", true or false"
    why = None
    if not isinstance(wanted, str) or not wanted.strip():
        why = f"found {messages.found(wanted)}, expected {expected}"
    elif is_version:
        from packaging.specifiers import SpecifierSet

        try:
            for each in SpecifierSet(wanted):
                each.contains("3.12")
        except ValueError:  # InvalidSpecifier, and int() for numbers with thousands of digits
            why = f"found {messages.found(wanted)}, expected {expected}"
    else:
        try:
            re.compile(wanted)
        except (re.error, OverflowError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
            why = f"{messages.found(wanted)} is no regular expression: {reason}"
        else:
            if test.name == "state" and not any(re.search(wanted, state) for state in STATES):
                why = f"{messages.found(wanted)} matches none of {', '.join(STATES)}"
    if why is None:
        yield test
    else:
        problems.append(Problem(where=where, what=why))


def _known() -> tuple[str, ...]:
    return tuple(key.name for key in keys(Condition))


def _leaves(table: Mapping[str, object], path: Path) -> Iterator[tuple[Path, object]]:
    for name, value in table.items():
        below = (*path, str(name))
        if isinstance(value, Mapping):
            yield from _leaves(value, below)
        else:
            yield below, value


def _met(old: object, new: object, mode: Mode) -> object:
    first, second = (old, new) if mode == "append" else (new, old)
    if mode == "none" or old is None:
        return new
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return {**first, **second}
    if isinstance(first, tuple) and isinstance(second, tuple):
        return (*first, *second)
    return new


def _names(target: Target) -> tuple[str, ...]:
    """Return how a platform is called: its conda subdir, cibuildwheel's name for it, and the tag that was asked for."""
    return (target.subdir, f"{platforms.facts(target).family}_{target.arch}", *filter(None, (target.tag,)))


def _is_true(value: str) -> bool:
    text = value.strip().lower()
    return bool(int(text)) if text.isascii() and text.isdigit() else bool(text) and text not in _FALSE
