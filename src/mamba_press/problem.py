"""What can be wrong: a noun of its own, because light questions need it and none of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something wrong: which key or file, what was found against what was expected, and what to do."""

    where: str
    what: str
    hint: str = ""
    severity: Literal["error", "note"] = "error"

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return _with_hint(text, self.hint)


@dataclass(frozen=True, kw_only=True, slots=True)
class Habit(Problem):
    """What mamba-press would not write, and what works nevertheless: wrong in a wheel of ours, a note on any other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Style(Habit):
    """A habit that says nothing to the users of a wheel, and that most tools have: no word of it on other wheels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark(Problem):
    """What the wheel alone cannot tell to be right or wrong: a note on every wheel."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the user should know of what was made, and what to do about it.

    A warning means that what was made may not do what the user wants of it; it is never hidden, and it is an error
    where the key ``warnings`` says so. What is no more than a note may be told as a text alone. One that is ``of_all``
    is a warning only if it is said of every target of a matrix, and of every wheel of a wheelhouse.
    """

    what: str
    hint: str = ""
    severity: Literal["note", "warning"] = "note"
    of_all: bool = False

    def __str__(self) -> str:
        return _with_hint(f"warning: {self.what}" if self.severity == "warning" else self.what, self.hint)


def noted(said: Iterable[str | Note]) -> tuple[Note, ...]:
    """Return all as notes, each once, with the warnings last."""
    found = dict.fromkeys(Note(each) if isinstance(each, str) else each for each in said)
    return tuple(sorted(found, key=lambda note: note.severity == "warning"))


def warnings(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Return those of the notes that are warnings."""
    return tuple(note for note in notes if note.severity == "warning")


def of_all(parts: Sequence[Collection[Note]]) -> Iterator[Note]:
    """Yield the notes of several, but for those that would have to be said of all of them and are not."""
    for part in parts:
        yield from (note for note in part if not note.of_all or all(note in other for other in parts))


def as_values(notes: Iterable[Note]) -> dict[str, object]:
    """Return notes for ``json.dumps``: the texts of all, and again, in full, those that are warnings."""
    notes = tuple(notes)
    return {"notes": [note.what for note in notes], "warnings": [_values(note) for note in warnings(notes)]}


def _values(note: Note) -> dict[str, str]:
    return {"what": note.what, "hint": note.hint, "severity": note.severity}


def _with_hint(text: str, hint: str) -> str:
    return harmless(text, "\n") + "".join(f"\n  {line}" for line in harmless(hint, "\n").splitlines())


def harmless(text: str, keeps: str = "") -> str:
    """Return the text as any terminal can be given it: names from packages and wheels may hold what it would obey.

    What is no plain character, and none of those that it ``keeps``, is written as Python escapes it.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keeps else c.encode("unicode_escape").decode("ascii") for c in text)
