"""Read the configuration: TOML, ``-C`` settings and environment variables become one `Config`.

A value is turned into the shape that TOML gives it (`shaped`), then held to the types of `config` (`checked`), so
all three ways are judged alike. ``-C`` goes over the environment, the environment over TOML: lists and single values
are replaced, tables are merged key by key. Every problem is collected, and all of them are raised together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import messages
from mamba_press.config.keys import by_path
from mamba_press.config.model import OVERRIDES, Config, State
from mamba_press.config.parse_values import Found, checked, flat, from_settings, from_table, from_variables, shaped
from mamba_press.config.pyproject_file import document
from mamba_press.errors import TABLE, ConfigError, Problem, Setting, joined

if TYPE_CHECKING:
    from mamba_press.config.overrides import Facts, Override


def read(
    root: Path, settings: Mapping[str, object] | None, environ: Mapping[str, str], *, state: State = "wheel"
) -> Config:
    """Return the configuration of the project in ``root``; raise a `ConfigError` with every problem there is.

    ``state`` is what is built, for overrides that depend on it.
    """
    tool = document(root).get("tool", {})
    if not isinstance(tool, dict):
        raise ConfigError(Problem(where="tool", what=f"found {messages.found(tool)}, expected a table"))
    if "mamba-press" not in tool:
        hint = 'add it:\n[tool.mamba-press]\npackages = ["…"]  # the conda packages to press'
        if near := messages.near("mamba-press", [str(name) for name in tool]):
            hint = f"did you mean it by [tool.{messages.printable(near)}]?"
        absent = Problem(where="pyproject.toml", what=f"has no [{TABLE}] table", hint=hint)
        return from_values({}, settings, environ, state=state, absent=absent)
    return from_values(tool["mamba-press"], settings, environ, state=state)


def from_values(
    table: object,
    settings: Mapping[str, object] | None,
    environ: Mapping[str, str],
    *,
    state: State = "wheel",
    absent: Problem | None = None,
) -> Config:
    """Return the configuration of a TOML table, or of what stands for one, and of what goes above it.

    What the user gave as options of a command belongs into ``settings``, which win. ``absent`` is wrong where nothing
    says what to press.
    """
    problems: list[Problem] = []
    overrides: tuple[Override, ...] = ()
    if isinstance(table, Mapping) and OVERRIDES in table:
        overrides = _overrides(table[OVERRIDES], problems)
        table = {name: value for name, value in table.items() if name != OVERRIDES}
    own = _collected(from_table(table, (), problems), {}, problems)
    # Lazily, so problems come in the order in which things are written.
    variables, again = tee(from_variables(environ, problems))
    below = _collected(variables, own, problems)
    known = {**below, **{path: value for override in overrides for path, value in override.values.items()}}
    given, given_again = tee(from_settings(settings or {}, known, problems))
    values = _collected(given, below, problems)
    if overrides and not problems:
        values = _overridden(own, overrides, [*again, *given_again], state=state, environ=environ)
    # Not said on top of a problem that explains it.
    explained = {setting.key for problem in problems for setting in problem.settings()}
    if absent and all((key,) not in values and key not in explained for key in ("packages", "build-backend")):
        problems.append(absent)
    if problems:
        # One value for several keys is wrong once.
        raise ConfigError(*{str(problem): problem for problem in problems}.values())
    config = _built(Config, (), values)
    assert isinstance(config, Config)
    if config.locked and config.frozen:
        what, hint = "are both true", "keep one: locked checks that the lock is current, frozen does not"
        raise ConfigError(Problem(where=joined((Setting("locked"), Setting("frozen")), ", "), what=what, hint=hint))
    return config


def for_target(settings: Mapping[str, object] | None, chosen: Mapping[str, str]) -> dict[str, object]:
    """Return the settings of a build for another `python` or `platform` than they name, however they spell these."""
    replaced = {f"{prefix}{key}" for key in chosen for prefix in ("", "mamba-press.", "mamba_press.")}
    return {**{name: value for name, value in flat(settings or {}) if name not in replaced}, **chosen}


def as_given(
    setting: Setting,
    settings: Mapping[str, object] | None,
    environ: Mapping[str, str],
    options: Mapping[str, str] | None = None,
) -> str:
    """Return what to call a key in a project: as it was given, for a setting or a variable has no table.

    ``options`` are those of the command, by the key that each stands for. A key whose names the user chooses stays.
    """
    if setting.value is not None or setting.name:
        return str(setting)
    passed: list[Problem] = []  # what is wrong with them is told elsewhere
    found = (*from_variables(environ, passed), *from_settings(settings or {}, {}, passed))
    given = {each.key.name: each.where for each in found if not each.key.is_mapping} | dict(options or {})
    return given.get(setting.key, str(setting))


def _collected(
    found: Iterable[Found], values: Mapping[tuple[str, ...], object], problems: list[Problem]
) -> dict[tuple[str, ...], object]:
    """Return the values with all that was found; what cannot be used goes to ``problems``."""
    collected = dict(values)
    for each in found:
        try:
            value = checked(each, shaped(each))
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        before = collected.get(each.key.path)
        merged = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
        collected[each.key.path] = merged
    return collected


def _overrides(tables: object, problems: list[Problem]) -> tuple[Override, ...]:
    """Read every override, whether it counts or not."""
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        hint = f"write [[{TABLE}.{OVERRIDES}]] above each"
        what = f"found {messages.found(tables)}, expected tables"
        problems.append(Problem(where=f"{TABLE}.{OVERRIDES}", what=what, hint=hint))
        return ()
    return tuple(_override(table, number, problems) for number, table in enumerate(tables, 1))


def _override(table: Mapping[str, object], number: int, problems: list[Problem]) -> Override:
    from mamba_press.config.overrides import DECIDES_THE_TARGET, Override, read_if, read_inherit

    where = f"{TABLE}.{OVERRIDES}, number {number}"
    known = len(problems)
    tests, groups = read_if(table.get("if"), f"{where}: if", problems)
    plain = {name: value for name, value in table.items() if name not in ("if", "inherit")}
    values = _collected(from_table(plain, (), problems, f"{where}: "), {}, problems)
    inherit = read_inherit(table.get("inherit", {}), f"{where}: inherit", values, problems)
    override = Override(all=tests, groups=groups, values=values, inherit=inherit)
    if not values and len(problems) == known:
        problems.append(Problem(where=where, what="sets nothing", hint="name the keys that it changes, or remove it"))
    for path in values:
        if path[0] in DECIDES_THE_TARGET and override.is_of_target:
            what = "decides what is pressed for, so it cannot depend on it"
            hint = "use if.env or if.state there"
            problems.append(Problem(where=f"{where}: {'.'.join(path)}", what=what, hint=hint))
    return override


def _overridden(
    own: Mapping[tuple[str, ...], object],
    overrides: tuple[Override, ...],
    above: list[Found],
    *,
    state: State,
    environ: Mapping[str, str],
) -> dict[tuple[str, ...], object]:
    """Return all values: those of TOML, what the overrides that count make of them, and what goes above."""
    from mamba_press.config.overrides import Facts

    def applied(facts: Facts) -> dict[tuple[str, ...], object]:
        values = dict(own)
        for override in overrides:
            if override.counts(facts) and (facts.target is not None or not override.is_of_target):
                values = override.applied(values)
        return _collected(above, values, [])

    facts = Facts(state=state, environ=environ)
    values = applied(facts)
    if not any(override.is_of_target for override in overrides):
        return values
    from mamba_press.platforms import target

    def text(key: str) -> str | None:
        value = values.get((key,))
        return None if value is None else str(value)

    return applied(replace(facts, target=target.resolve(text("python"), text("platform"), environ)))


def _built(table: type, path: tuple[str, ...], values: Mapping[tuple[str, ...], object]) -> object:
    arguments: dict[str, object] = {}
    for each in dataclasses.fields(table):
        below = (*path, each.name.replace("_", "-"))
        key = by_path()[below]
        if key.table:
            arguments[each.name] = _built(key.table, key.path, values)
        elif key.path in values:
            arguments[each.name] = values[key.path]
    return table(**arguments)
