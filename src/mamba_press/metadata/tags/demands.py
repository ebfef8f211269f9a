"""What the records of the packages in a wheel demand of the system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mamba_press.conda.specs import minimum
from mamba_press.types import Entry, Floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mamba_press.types import Package

RECORD = "its conda record"
"""What stands for the library in a :class:`Floor` that a package states for itself."""


def stated(
    entries: Iterable[Entry], records: Mapping[str, Package], virtual: str, oldest: tuple[int, int]
) -> Iterator[Floor]:
    """Yield the lower bounds on the system that the records of the packages in the wheel state."""
    for name in sorted({entry.package for entry in entries} & records.keys()):
        record = records[name]
        # A bound stands in constrains, too: there it holds just as much for every machine of that system.
        for spec in dict.fromkeys((*record.depends, *record.constrains)):
            bound = minimum(spec) if spec.name == virtual else None
            if bound is not None:
                version = max(bound, oldest)
                yield Floor(version=version, path=record.file_name, package=name, library=RECORD, symbol=spec.text)
