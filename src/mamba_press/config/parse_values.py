"""Values that somebody wrote, in TOML, as a setting of one build (``-C``) or as a variable, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timezone
from typing import Literal, NamedTuple, get_args, get_origin

from mamba_press import messages
from mamba_press.config.keys import OTHER_VARIABLES, VARIABLE, Key, by_path
from mamba_press.config.schema_types import is_text, rules, words
from mamba_press.errors import TABLE, ConfigError, Problem, Setting, Text, joined

TRUE = frozenset({"true", "1", "on", "yes"})
FALSE = frozenset({"false", "0", "off", "no"})
Source = Literal["toml", "setting", "variable"]
_MOMENT = r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?)?"
# Control characters, and the halves of characters that Python puts for bytes that are no text.
_UNWRITABLE = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"
_SETTINGS = ("config-settings",)
_INNER = r"(?:mamba[-_]press\.)?build[-_]backend"


class Found(NamedTuple):
    """A value somebody wrote. ``where`` is the key as they spelled it."""

    key: Key
    where: str
    value: object
    source: Source

    @property
    def setting(self) -> Setting:
        """The key, called as it is spelled there."""
        return Setting(self.key.name, called=self.where)


def flat(settings: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the leaves of nested settings (``build --config-json``) under dotted names."""
    stack: list[tuple[str, object]] = [(str(name), value) for name, value in reversed(list(settings.items()))]
    while stack:
        name, value = stack.pop()
        if isinstance(value, Mapping):
            stack.extend((f"{name}.{below}", each) for below, each in reversed(list(value.items())))
        else:
            yield name, value


def shaped(found: Found) -> object:
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
            return pairs_of(found)
    return value.strip() if source == "variable" and isinstance(value, str) else value


def pairs_of(found: Found) -> dict[str, str]:
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


def checked(found: Found, value: object) -> object:
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
            value = {name: _held(each, found.source) for name, each in flat(value)} if is_list else value
            for name, each in value.items():
                faults += _faults(found, left, name, "")
                for item in each if is_list and isinstance(each, tuple) else [each]:
                    faults += _faults(found, right, item, f"{messages.found(name)}: ")
        elif is_text(kind) and isinstance(value, str):
            faults += _faults(found, kind, value, "")
        else:
            continue
        ConfigError.raise_for(faults)
        return value
    what = f"found {messages.found(value)}, expected {found.key.expected}"
    raise ConfigError(Problem(where=found.setting, what=what, hint=_advice(found, value)))


def _held(value: object, source: Source) -> object:
    """Return an inner backend's setting: text, or several texts; `build --config-json` may give claims and numbers."""
    if isinstance(value, (list, tuple)):
        return tuple(_held(each, source) for each in value)
    return str(value).lower() if source == "setting" and isinstance(value, (bool, int)) else value


def _faults(found: Found, kind: object, value: object, at: str) -> tuple[Problem, ...]:
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


def _moment(found: Found, value: str | date) -> datetime:
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


def _advice(found: Found, value: object) -> str:
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


# -- the three ways to write a key


def from_table(
    table: object, path: tuple[str, ...], problems: list[Problem], above: str = f"{TABLE}."
) -> Iterator[Found]:
    """Yield the values of a table; ``above`` is what is said of the place in front of a key's path."""
    where = above + ".".join(path) if path else TABLE
    key = by_path().get(path)
    if key and key.one_for_all and isinstance(table, str):
        yield from _spread(Found(key=key, where=where, value=table, source="toml"))
        return
    if not isinstance(table, Mapping):
        expected = key.expected if key else "a table"
        problems.append(Problem(where=where, what=f"found {messages.found(table)}, expected {expected}"))
        return
    for name, value in table.items():
        below = (*path, str(name))
        place = above + ".".join(below)
        if below not in by_path():
            problems.append(_unknown(place, below, f"{TABLE}."))
        elif by_path()[below].table:
            yield from from_table(value, below, problems, above)
        else:
            yield Found(key=by_path()[below], where=place, value=value, source="toml")


def from_settings(
    settings: Mapping[str, object], values: Mapping[tuple[str, ...], object], problems: list[Problem]
) -> Iterator[Found]:
    """Yield what ``-C`` says; with an inner backend, keys that are none of ours are its own."""
    seen: dict[tuple[str, ...], str] = {}
    has_inner = ("build-backend",) in values or any(re.fullmatch(_INNER, str(name)) for name in settings)
    # Shorter keys first: `link.runtimes` is for all, `link.runtimes.libgcc` for one of them.
    for spelling, value in sorted(flat(settings), key=lambda item: item[0].count(".")):
        where = f"-C {messages.printable(spelling)}"
        parts = spelling.removeprefix("mamba-press.").removeprefix("mamba_press.").split(".")
        path = tuple(part.replace("_", "-") for part in parts)
        key = next((by_path()[path[:n]] for n in (3, 2, 1) if path[:n] in by_path()), None)
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
                yield Found(key=by_path()[_SETTINGS], where=where, value={spelling: value}, source="setting")
        elif place in seen:
            what = f"given twice, also as {seen[place]}"
            problems.append(Problem(where=Setting(key.name, called=where), what=what, hint="keep one of the two"))
        else:
            seen[place] = where
            found = Found(key=key, where=where, value={rest: value} if rest else value, source="setting")
            yield from _each(found, problems)


def _nearly_ours(path: tuple[str, ...]) -> str | None:
    """Return the key of ours that a setting must have been meant for: an inner backend may drop what it does not know.

    Held to less than `_near` is, for backends have keys that resemble ours.
    """
    names = [key.name for key in by_path().values() if not key.table or key.one_for_all]
    return messages.near(".".join(path), names, 0.85)


def from_variables(environ: Mapping[str, str], problems: list[Problem]) -> Iterator[Found]:
    """Yield what the environment says; every variable that begins as ours do is held to be one."""
    known = {key.variable: key for key in by_path().values() if not key.table or key.one_for_all}
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
            yield from _each(Found(key=known[name], where=name, value=value, source="variable"), problems)


def _each(found: Found, problems: list[Problem]) -> Iterator[Found]:
    """Yield what one setting or variable gives: more than one value where it stands for a whole table."""
    key, value = found.key, found.value
    if not key.table:
        yield found
    elif isinstance(value, str) and "=" not in value:
        yield from _spread(found)
    else:
        try:
            pairs = pairs_of(found)
        except ConfigError as error:
            problems.extend(error.problems)
            return
        for name, each in pairs.items():
            path = (*key.path, name.replace("_", "-"))
            if path in by_path():
                yield found._replace(key=by_path()[path], value=each)
            else:
                problems.append(_unknown(found.where, path, ""))


def _spread(found: Found) -> Iterator[Found]:
    for below in by_path().values():
        if below.path[:-1] == found.key.path and get_origin(below.kinds[0]) is Literal:
            yield found._replace(key=below)


def _unknown(where: str, path: tuple[str, ...], prefix: str) -> Problem:
    """Name the key that is nearest: among the neighbours, or by its last name anywhere, or by its whole name."""
    values = [key for key in by_path().values() if not key.table or key.one_for_all]
    meant = values if prefix == "-C " else by_path().values()
    beside = {key.path[-1]: key.name for key in meant if key.path[:-1] == path[:-1]}
    anywhere = {key.path[-1]: key.name for key in values}
    whole = {key.name: key.name for key in meant}
    here = (Setting(key, called=name) for name, key in (beside or anywhere).items())
    hint = Text.of("known here: ", joined(here, ", "))
    if path in by_path():
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
