"""Which names of CPython are in its stable ABI, and since when: https://docs.python.org/3/c-api/stable.html.

The names stand in ``data/stable_abi.json`` by the version of Python that added them. A test holds them equal to those
of abi3info, which reads CPython's own list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_OF_PYTHON = re.compile(r"_?Py[A-Z_]\w*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """What an extension takes from Python: ``newest`` is the name that was added last, in Python 3.``minor``.

    ``outside`` are names that are not in the stable ABI.
    """

    minor: int = 2
    newest: str = ""
    outside: tuple[str, ...] = ()


def like_python(names: Iterable[str]) -> frozenset[str]:
    """Return those of the names that are spelled as Python's own; other libraries have such names, too."""
    return frozenset(name for name in names if _OF_PYTHON.fullmatch(name))


def use(imports: Iterable[str]) -> Use:
    """Return what these imported symbols take from Python; those that are not spelled as its own are passed over."""
    taken = like_python(imports)
    known = [(added, name) for name in taken if (added := _added().get(name)) is not None]
    minor, newest = max(known, default=(2, ""))
    return Use(minor=minor, newest=newest, outside=tuple(sorted(name for name in taken if name not in _added())))


@cache
def _added() -> dict[str, int]:
    table = json.loads(Path(__file__).parents[1].joinpath("data").joinpath("stable_abi.json").read_text("utf-8"))
    return {name: int(version.partition(".")[2]) for version, names in table.items() for name in names.split()}
