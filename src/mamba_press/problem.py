"""What can be wrong: a noun of its own, because light questions need it and none of the others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something wrong: which key or file, what was found against what was expected, and what to do."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return text + "".join(f"\n  {line}" for line in self.hint.splitlines())
