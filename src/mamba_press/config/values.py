"""A value that somebody wrote, and what it is in the configuration: its shape, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from mamba_press import messages
from mamba_press.config.value_types import is_text, rules, words
from mamba_press.errors import ConfigError, Problem, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mamba_press.config.keys import Key


TRUE = frozenset({"true", "1", "on", "yes"})
FALSE = frozenset({"false", "0", "off", "no"})
Source = Literal["toml", "setting", "variable"]
_MOMENT = r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?)?"
# Control characters, and the halves of characters that Python puts for bytes that are no text.
_UNWRITABLE = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
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
