"""The three ways to write a key: in TOML, as a setting of one build (``-C``), and as a variable of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_origin

from mamba_press import messages
from mamba_press.config.keys import OTHER_VARIABLES, VARIABLE, Key, by_path
from mamba_press.config.values import Found, flat, pairs_of
from mamba_press.errors import TABLE, ConfigError, Problem, Setting, Text, joined

if TYPE_CHECKING:
    from collections.abc import Iterator


_SETTINGS = ("config-settings",)
_INNER = r"(?:mamba[-_]press\.)?build[-_]backend"


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
                yield replace(found, key=by_path()[path], value=each)
            else:
                problems.append(_unknown(found.where, path, ""))


def _spread(found: Found) -> Iterator[Found]:
    for below in by_path().values():
        if below.path[:-1] == found.key.path and get_origin(below.kinds[0]) is Literal:
            yield replace(found, key=below)


def _longest(path: tuple[str, ...]) -> Key | None:
    return next((by_path()[path[:n]] for n in (3, 2, 1) if path[:n] in by_path()), None)


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
