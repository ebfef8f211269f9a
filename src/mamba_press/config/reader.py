"""Read the configuration: TOML, ``-C`` settings and environment variables become one `Config`.

A value is turned into the shape that TOML gives it (`_shaped`), then held to the types of `config` (`_checked`), so
all three ways are judged alike. ``-C`` goes over the environment, the environment over TOML: lists and single values
are replaced, tables are merged key by key. Every problem is collected, and all of them are raised together.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timezone
from functools import cache
from itertools import tee
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from mamba_press import messages
from mamba_press.config.model import OTHER_VARIABLES, OVERRIDES, VARIABLE, Config, Key, is_text, keys, rules, words
from mamba_press.errors import ConfigError
from mamba_press.problem import TABLE, Problem, Setting, Text, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mamba_press.config.model import State
    from mamba_press.config.overrides import Facts, Override

TRUE = frozenset({"true", "1", "on", "yes"})
FALSE = frozenset({"false", "0", "off", "no"})

Source = Literal["toml", "setting", "variable"]

_DEEPEST = 100
"""How many tables and lists of ``pyproject.toml`` may be in each other: whoever walks them calls itself for each."""

_SETTINGS = ("config-settings",)
_INNER = r"(?:mamba[-_]press\.)?build[-_]backend"
_MOMENT = r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?)?"
# Control characters, and the halves of characters that Python puts for bytes that are no text.
_UNWRITABLE = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A value somebody wrote. ``where`` is the key as they spelled it."""

    key: Key
    where: str
    value: object
    source: Source

    @property
    def setting(self) -> Setting:
        return Setting(self.key.name, called=self.where)


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
        return _read({}, settings, environ, state=state, absent=absent)
    return _read(tool["mamba-press"], settings, environ, state=state)


def from_values(
    table: Mapping[str, object],
    settings: Mapping[str, object] | None,
    environ: Mapping[str, str],
    *,
    state: State = "wheel",
) -> Config:
    """Return the configuration that has no project: ``table`` stands for the TOML table, below all else.

    What the user gave as options of a command belongs into ``settings``, which win.
    """
    return _read(dict(table), settings, environ, state=state)


def for_target(settings: Mapping[str, object] | None, chosen: Mapping[str, str]) -> dict[str, object]:
    """Return the settings of a build for another `python` or `platform` than they name, however they spell these."""
    replaced = {f"{prefix}{key}" for key in chosen for prefix in ("", "mamba-press.", "mamba_press.")}
    return {**{name: value for name, value in _flat(settings or {}) if name not in replaced}, **chosen}


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
    found = (*_from_variables(environ, passed), *_from_settings(settings or {}, {}, passed))
    given = {each.key.name: each.where for each in found if not each.key.is_mapping} | dict(options or {})
    return given.get(setting.key, str(setting))


def document(root: Path) -> dict[str, Any]:
    """Return what stands in ``pyproject.toml``; raise a `ConfigError` that shows the place where it is no TOML."""
    path = root / "pyproject.toml"
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        hint = f'write one with a table [{TABLE}], or name the packages on the command line: mamba-press press "…"'
        raise ConfigError(Problem(where="pyproject.toml", what=f"not found in {path.parent}", hint=hint)) from None
    except OSError as error:
        raise ConfigError(Problem(where=str(path), what=f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(Problem(where=f"pyproject.toml:{line}", what="is not UTF-8, as TOML has to be")) from None
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        found: dict[str, Any] = tomllib.loads(text)
        is_deep = _is_deeper(found, _DEEPEST)
    except RecursionError:
        is_deep = True
    except ValueError as error:  # TOMLDecodeError, and int() for numbers with thousands of digits
        raise ConfigError(_broken(text, str(error))) from None
    if is_deep:
        raise ConfigError(Problem(where="pyproject.toml", what="is nested too deeply"))
    return found


def _is_deeper(value: object, levels: int) -> bool:
    """Whether tables and lists are more than so many levels deep: keys with dots may be, which TOML's reader bears."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(each, levels - 1) for each in below)


def is_plain(root: Path) -> bool:
    """Return whether ``[project]`` says no more than a good name, so that judging all of it would find nothing.

    To judge it costs more than all else that a hook does before it can report a mistake.
    """
    said = document(root)
    tool, table = said.get("tool"), said.get("project")
    name = table.get("name") if isinstance(table, dict) else None
    has_providers = isinstance(tool, dict) and "dynamic-metadata" in tool
    is_good = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*", name) is not None
    return is_good and not has_providers and table == {"name": name, "dynamic": ["version"]}


def _read(
    table: object,
    settings: Mapping[str, object] | None,
    environ: Mapping[str, str],
    *,
    state: State,
    absent: Problem | None = None,
) -> Config:
    problems: list[Problem] = []
    overrides: tuple[Override, ...] = ()
    if isinstance(table, Mapping) and OVERRIDES in table:
        overrides = _overrides(table[OVERRIDES], problems)
        table = {name: value for name, value in table.items() if name != OVERRIDES}
    own = _collected(_from_table(table, (), problems), {}, problems)
    # Lazily, so problems come in the order in which things are written.
    variables, again = tee(_from_variables(environ, problems))
    below = _collected(variables, own, problems)
    known = {**below, **{path: value for override in overrides for path, value in override.values.items()}}
    given, given_again = tee(_from_settings(settings or {}, known, problems))
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


def _collected(
    found: Iterable[_Found], values: Mapping[tuple[str, ...], object], problems: list[Problem]
) -> dict[tuple[str, ...], object]:
    """Return the values with all that was found; what cannot be used goes to ``problems``."""
    collected = dict(values)
    for each in found:
        try:
            value = _checked(each, _shaped(each))
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        before = collected.get(each.key.path)
        merged = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
        collected[each.key.path] = merged
    return collected


# --- overrides ---


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
    values = _collected(_from_table(plain, (), problems, f"{where}: "), {}, problems)
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
    above: list[_Found],
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
        key = _known()[below]
        if key.table:
            arguments[each.name] = _built(key.table, key.path, values)
        elif key.path in values:
            arguments[each.name] = values[key.path]
    return table(**arguments)


# --- the three sources ---


def _from_table(
    table: object, path: tuple[str, ...], problems: list[Problem], above: str = f"{TABLE}."
) -> Iterator[_Found]:
    """Yield the values of a table; ``above`` is what is said of the place in front of a key's path."""
    where = above + ".".join(path) if path else TABLE
    key = _known().get(path)
    if key and key.one_for_all and isinstance(table, str):
        yield from _spread(_Found(key=key, where=where, value=table, source="toml"))
        return
    if not isinstance(table, Mapping):
        expected = key.expected if key else "a table"
        problems.append(Problem(where=where, what=f"found {messages.found(table)}, expected {expected}"))
        return
    for name, value in table.items():
        below = (*path, str(name))
        place = above + ".".join(below)
        if below not in _known():
            problems.append(_unknown(place, below, f"{TABLE}."))
        elif _known()[below].table:
            yield from _from_table(value, below, problems, above)
        else:
            yield _Found(key=_known()[below], where=place, value=value, source="toml")


def _from_settings(
    settings: Mapping[str, object], values: Mapping[tuple[str, ...], object], problems: list[Problem]
) -> Iterator[_Found]:
    """Yield what ``-C`` says; with an inner backend, keys that are none of ours are its own."""
    seen: dict[tuple[str, ...], str] = {}
    has_inner = ("build-backend",) in values or any(re.fullmatch(_INNER, str(name)) for name in settings)
    # Shorter keys first: `link.runtimes` is for all, `link.runtimes.libgcc` for one of them.
    for spelling, value in sorted(_flat(settings), key=lambda item: item[0].count(".")):
        where = f"-C {messages.printable(spelling)}"
        parts = spelling.removeprefix("mamba-press.").removeprefix("mamba_press.").split(".")
        path = tuple(part.replace("_", "-") for part in parts)
        key = _longest(path)
        # What follows a mapping's name is the user's own, dots, dashes and all.
        rest = ".".join(parts[len(key.path) :]) if key else ""
        place = (*key.path, rest) if key else path
        if key is None or (rest and not key.is_mapping) or (key.table and not key.one_for_all):
            near = _nearly_ours(path)
            if not has_inner or len(parts) < len(spelling.split(".")):
                problems.append(_unknown(where, path, "-C "))
            elif near:
                inner = f"-C config-settings.{messages.printable(spelling)}=…"
                meant = Setting(near, called=f"-C {near}")
                hint = Text.of("did you mean ", meant, f"? for the inner backend write {inner}")
                problems.append(Problem(where=where, what="unknown key", hint=hint))
            else:
                yield _Found(key=_known()[_SETTINGS], where=where, value={spelling: value}, source="setting")
        elif place in seen:
            what = f"given twice, also as {seen[place]}"
            problems.append(Problem(where=Setting(key.name, called=where), what=what, hint="keep one of the two"))
        else:
            seen[place] = where
            found = _Found(key=key, where=where, value={rest: value} if rest else value, source="setting")
            yield from _each(found, problems)


def _nearly_ours(path: tuple[str, ...]) -> str | None:
    """Return the key of ours that a setting must have been meant for: an inner backend may drop what it does not know.

    Held to less than `_near` is, for backends have keys that resemble ours.
    """
    names = [key.name for key in _known().values() if not key.table or key.one_for_all]
    return messages.near(".".join(path), names, 0.85)


def _from_variables(environ: Mapping[str, str], problems: list[Problem]) -> Iterator[_Found]:
    known = {key.variable: key for key in _known().values() if not key.table or key.one_for_all}
    for name in sorted(environ):
        value = environ[name]
        if not name.startswith(VARIABLE) or name in OTHER_VARIABLES:
            continue
        if name not in known:
            near = messages.near(name.removeprefix(VARIABLE), [each.removeprefix(VARIABLE) for each in known])
            hint = Text.of("unset it: every variable that begins so is one of our keys")
            if near:
                meant = known[VARIABLE + near].name
                hint = Text.of("did you mean ", Setting(meant, called=VARIABLE + near), "?")
            problems.append(Problem(where=messages.printable(name), what="unknown environment variable", hint=hint))
        elif value.strip():  # An empty variable is how CI systems spell an unset one.
            yield from _each(_Found(key=known[name], where=name, value=value, source="variable"), problems)


def _each(found: _Found, problems: list[Problem]) -> Iterator[_Found]:
    """Yield what one setting or variable gives: more than one value where it stands for a whole table."""
    key, value = found.key, found.value
    if not key.table:
        yield found
    elif isinstance(value, str) and "=" not in value:
        yield from _spread(found)
    else:
        try:
            pairs = _pairs(found)
        except ConfigError as error:
            problems.extend(error.problems)
            return
        for name, each in pairs.items():
            path = (*key.path, name.replace("_", "-"))
            if path in _known():
                yield replace(found, key=_known()[path], value=each)
            else:
                problems.append(_unknown(found.where, path, ""))


def _spread(found: _Found) -> Iterator[_Found]:
    for below in _known().values():
        if below.path[:-1] == found.key.path and get_origin(below.kinds[0]) is Literal:
            yield replace(found, key=below)


def _flat(settings: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the leaves of nested settings (``build --config-json``) under dotted names."""
    stack: list[tuple[str, object]] = [(str(name), value) for name, value in reversed(list(settings.items()))]
    while stack:
        name, value = stack.pop()
        if isinstance(value, Mapping):
            stack.extend((f"{name}.{below}", each) for below, each in reversed(list(value.items())))
        else:
            yield name, value


def _longest(path: tuple[str, ...]) -> Key | None:
    return next((_known()[path[:n]] for n in (3, 2, 1) if path[:n] in _known()), None)


@cache
def _known() -> dict[tuple[str, ...], Key]:
    return {key.path: key for key in keys()}


# --- values ---


def _shaped(found: _Found) -> object:
    """Return the value in the shape it would have in TOML, as far as what was written allows."""
    value, source = found.value, found.source
    if source == "toml":
        return value
    for kind in found.key.kinds:
        if kind is bool and isinstance(value, (str, int)) and str(value).strip().lower() in TRUE | FALSE:
            return str(value).strip().lower() in TRUE
        if get_origin(kind) is tuple and isinstance(value, str):
            parts = value.split(";") if source == "variable" else [value]
            return [part.strip() for part in parts if part.strip()]
        if get_origin(kind) is Mapping and not isinstance(value, Mapping):
            return _pairs(found)
    return value.strip() if source == "variable" and isinstance(value, str) else value


def _pairs(found: _Found) -> dict[str, str]:
    """Read ``k=v;k=v``, or a list of such."""
    items = found.value if isinstance(found.value, list) else [found.value]
    pairs = {}
    for item in items:
        for part in filter(None, map(str.strip, item.split(";"))) if isinstance(item, str) else [item]:
            name, equals, text = part.partition("=") if isinstance(part, str) else ("", "", "")
            if not equals:
                what = f"found {messages.found(part)}, expected key=value;key=value"
                raise ConfigError(Problem(where=found.setting, what=what))
            pairs[name.strip()] = text.strip()
    return pairs


def _checked(found: _Found, value: object) -> object:
    """Return the value as `Config` holds it, or raise with everything that is wrong with it."""
    faults: list[Problem] = []
    for kind in found.key.kinds:
        if kind is datetime and isinstance(value, (str, date)):
            return _moment(found, value)
        if kind is bool and isinstance(value, bool):
            return value
        if get_origin(kind) is tuple and isinstance(value, (list, tuple)):
            (of, _) = get_args(kind)
            for number, item in enumerate(value, 1):
                faults += _faults(found, of, item, f"item {number}: ")
            value = tuple(value)
        elif get_origin(kind) is Mapping and isinstance(value, Mapping):
            (left, right) = get_args(kind)
            if any(rule.or_false for rule in rules(right)):
                value = {name: "false" if each is False else each for name, each in value.items()}
            is_list = any(rule.or_list for rule in rules(right))
            value = {name: _held(each, found.source) for name, each in _flat(value)} if is_list else value
            for name, each in value.items():
                faults += _faults(found, left, name, "")
                for item in each if is_list and isinstance(each, tuple) else [each]:
                    faults += _faults(found, right, item, f"{messages.found(name)}: ")
        elif is_text(kind) and isinstance(value, str):
            faults += _faults(found, kind, value, "")
        else:
            continue
        if faults:
            raise ConfigError(*faults)
        return value
    what = f"found {messages.found(value)}, expected {found.key.expected}"
    raise ConfigError(Problem(where=found.setting, what=what, hint=_advice(found, value)))


def _held(value: object, source: Source) -> object:
    """Return an inner backend's setting: text, or several texts; `build --config-json` may give claims and numbers."""
    if isinstance(value, (list, tuple)):
        return tuple(_held(each, source) for each in value)
    return str(value).lower() if source == "setting" and isinstance(value, (bool, int)) else value


def _faults(found: _Found, kind: object, value: object, at: str) -> tuple[Problem, ...]:
    """Return what is wrong with one string, ``at`` saying which of several it is."""
    expected, hint = words(kind), ""
    if isinstance(value, str) and get_origin(kind) is Literal:
        if value in get_args(kind):
            return ()
        near = messages.near(value, get_args(kind))
        hint = f'did you mean "{near}"?' if near else ""
    elif isinstance(value, str):
        missed = [rule for rule in rules(kind) if not re.search(rule.pattern, value)]
        if not missed and not re.search(_UNWRITABLE, value):
            return ()
        expected = " and ".join(rule.words for rule in missed) or "a string without control characters"
    return (Problem(where=found.setting, what=f"{at}found {messages.found(value)}, expected {expected}", hint=hint),)


def _moment(found: _Found, value: str | date) -> datetime:
    """Return the moment that a date (its last second) or a time means, in UTC."""
    try:
        moment = _parsed(value) if isinstance(value, str) else value
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time(23, 59, 59))
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        what = f"found {messages.found(value)}, expected {found.key.expected}"
        raise ConfigError(Problem(where=found.setting, what=what)) from None


def _parsed(text: str) -> date:
    """Return the date or the datetime; raise ValueError."""
    match = re.fullmatch(_MOMENT, text, re.ASCII)
    if not match:
        raise ValueError(text)
    day, clock, fraction, offset = match.groups()
    if not clock:
        return date.fromisoformat(day)
    # CPython 3.10 knows neither Z nor fractions of any length.
    offset = (offset or "").upper().replace("Z", "+00:00")
    return datetime.fromisoformat(f"{day}T{clock}.{fraction or '0':0<6.6}{offset}")


# --- words ---


def _advice(found: _Found, value: object) -> str:
    kinds = found.key.kinds
    name = found.key.path[-1]
    if found.source == "setting" and isinstance(value, list):
        return f"give {found.where} once"
    if found.source != "toml":
        return ""
    if isinstance(value, str) and any(get_origin(kind) is tuple for kind in kinds):
        return f'put it in brackets: {name} = ["{messages.printable(value)}"]'
    if isinstance(value, str) and bool in kinds and value.lower() in ("true", "false"):
        return f"without quotes: {name} = {value.lower()}"
    if isinstance(value, (int, float)) and not isinstance(value, bool) and any(map(is_text, kinds)):
        return f'put it in quotes: {name} = "…"'
    return ""


def _unknown(where: str, path: tuple[str, ...], prefix: str) -> Problem:
    """Name the key that is nearest: among the neighbours, or by its last name anywhere, or by its whole name."""
    values = [key for key in _known().values() if not key.table or key.one_for_all]
    meant = values if prefix == "-C " else _known().values()
    beside = {key.path[-1]: key.name for key in meant if key.path[:-1] == path[:-1]}
    anywhere = {key.path[-1]: key.name for key in values}
    whole = {key.name: key.name for key in meant}
    here = (Setting(key, called=name) for name, key in (beside or anywhere).items())
    hint = Text.of("known here: ", joined(here, ", "))
    if path in _known():
        below = (key.name for key in values if key.path[:-1] == path)
        keys = f"give one of its keys: {', '.join(below)}"
        return Problem(where=messages.printable(where), what="is a table", hint=keys)
    # In a table that is known, the whole name would match anything in it.
    for names, text in ((beside, path[-1]), (anywhere, path[-1]), ({} if beside else whole, ".".join(path))):
        near = messages.near(text, names)
        if near:
            hint = Text.of("did you mean ", Setting(names[near], called=prefix + names[near]), "?")
            break
    return Problem(where=messages.printable(where), what="unknown key", hint=hint)


# --- the place of a mistake ---


def _broken(text: str, message: str) -> Problem:
    """Return the problem with file, line and column, and the line itself with a caret below the place."""
    what, _, place = message.partition(" (at ")
    at = re.search(r"line (\d+), column (\d+)", place)
    lines = text.splitlines() or [""]
    if not at:
        row, column = len(lines), len(lines[-1]) + 1
        if not place.startswith("end"):
            return Problem(where="pyproject.toml", what=f"is not TOML: {messages.printable(message)}")
    else:
        row, column = int(at[1]), int(at[2])
    line = lines[row - 1] if row <= len(lines) else ""
    # A window of the line keeps the caret on the screen.
    start = max(0, column - 61)
    shown = "".join(c if c.isprintable() else " " for c in line[start : start + 100])
    return Problem(
        where=f"pyproject.toml:{row}:{column}",
        what=f"is not TOML: {messages.printable(what)}",
        hint=f"{shown.rstrip()}\n{' ' * (column - 1 - start)}^",
    )
