"""Every key of the configuration, with its path, its variable and what may stand there, as the classes have it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from mamba_press.config.model import Config
from mamba_press.config.schema_types import words

VARIABLE = "MAMBA_PRESS_"
"""How the name of every environment variable of ours begins."""

OTHER_VARIABLES = frozenset({"MAMBA_PRESS_KEEP", "MAMBA_PRESS_SHARED", "MAMBA_PRESS_WORKER"})
"""Environment variables of ours that are no keys."""


class Key(NamedTuple):
    """One key: its path below ``[tool.mamba-press]`` and what may stand there.

    ``kinds`` are the types that a value may have, without None: ``bool``, ``datetime``, a ``Literal``, an annotated
    ``str``, a tuple or a mapping of these, or a dataclass for a table. ``one_for_all`` says that one word may stand
    for every key of the table that is a choice of words.
    """

    path: tuple[str, ...]
    kinds: tuple[Any, ...]
    default: object
    one_for_all: bool = False

    @property
    def name(self) -> str:
        """``link.runtimes``, as in TOML and after ``-C``."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """``MAMBA_PRESS_LINK_RUNTIMES``."""
        return VARIABLE + "_".join(self.path).replace("-", "_").upper()

    @property
    def table(self) -> type | None:
        """The dataclass, where the key is a table of further keys."""
        kind = self.kinds[0]
        return kind if dataclasses.is_dataclass(kind) and isinstance(kind, type) else None

    @property
    def expected(self) -> str:
        """What may stand there, in the words of TOML."""
        if self.one_for_all and self.table:
            return f"{words(next(keys(self.table)).kinds[0])}, or a table"
        return ", or ".join(map(words, self.kinds))

    @property
    def is_mapping(self) -> bool:
        """Whether the key is a table in which the user chooses the names."""
        return get_origin(self.kinds[0]) is Mapping


def keys(table: type = Config, path: tuple[str, ...] = ()) -> Iterator[Key]:
    """Yield the keys of a table in their order, each table before its own keys."""
    hints = get_type_hints(table, include_extras=True)
    for each in dataclasses.fields(table):
        key = Key(
            path=(*path, each.name.replace("_", "-")),
            kinds=_kinds(hints[each.name]),
            default=each.default_factory() if callable(each.default_factory) else each.default,
            one_for_all="one_for_all" in each.metadata,
        )
        yield key
        if key.table:
            yield from keys(key.table, key.path)


@cache
def by_path() -> dict[tuple[str, ...], Key]:
    """Return the keys by their paths."""
    return {key.path: key for key in keys()}


def _kinds(hint: object) -> tuple[Any, ...]:
    union = get_origin(hint) in (Union, UnionType)
    return tuple(kind for kind in (get_args(hint) if union else (hint,)) if kind is not type(None))
