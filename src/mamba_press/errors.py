"""What can be wrong, what is worth a note, and the errors that carry problems to the user.

An error is for a reason that the user can act on, and carries all problems of its kind at once. The two front doors
(`build` and `__main__`) are the only places that turn one into text and an exit code; exit code 1 is left to bugs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

Voice: TypeAlias = "Callable[[Setting], str]"
Words: TypeAlias = "str | Setting | Text"

TABLE = "tool.mamba-press"
"""Where the configuration stands in ``pyproject.toml``."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of the configuration, or what to write there: a front door calls it as its user does, the text as TOML.

    ``key`` is the path below the table, ``name`` one that the user chose below that. ``apart`` writes the table on a
    line of its own, as it can be copied. ``called`` is how it is spelled at the place in question, whatever the door.
    """

    key: str
    value: str | bool | tuple[str, ...] | None = None
    name: str = ""
    apart: bool = False
    called: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return self.called or ".".join(filter(None, (TABLE, self.key, self.name)))
        import json  # only for who writes a value: light questions mostly name keys

        table, _, key = self.key.rpartition(".")
        value = json.dumps(self.value, ensure_ascii=False)
        if self.name:
            name = self.name if re.fullmatch(r"[A-Za-z0-9_…-]+", self.name) else f'"{self.name}"'
            table, key, value = (table, key, f"{{ {name} = {value} }}") if table else (self.key, name, value)
        return f"[{'.'.join(filter(None, (TABLE, table)))}]{chr(10) if self.apart else ' '}{key} = {value}"

    def told(self, voice: Voice) -> str:
        """Return it as a voice calls it."""
        return self.called or voice(self)


@dataclass(frozen=True, slots=True)
class Text:
    """Words with settings in between."""

    parts: tuple[str | Setting, ...]

    @classmethod
    def of(cls, *words: Words) -> Text:
        """Return words one after the other."""
        parts: list[str | Setting] = []
        for part in (part for each in words for part in (each.parts if isinstance(each, Text) else (each,))):
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] += part
            else:
                parts.append(part)
        return cls(tuple(parts))

    def told(self, voice: Voice = str) -> str:
        """Return the words, with the settings as a voice calls them."""
        return "".join(told(part, voice) for part in self.parts)

    __str__ = told


def told(words: Words, voice: Voice = str) -> str:
    """Return words as a text, with the settings in it as a voice calls them."""
    return words if isinstance(words, str) else words.told(voice)


def joined(words: Iterable[Words], between: str = "\n") -> Text:
    """Return words one after the other, on a line each or with something else between them."""
    return Text.of(*(part for number, each in enumerate(words) for part in ((between, each) if number else (each,))))


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something wrong: which key or file, what was found against what was expected, and what to do."""

    where: Words
    what: Words
    hint: Words = ""
    severity: Literal["error", "note"] = "error"

    def told(self, voice: Voice = str) -> str:
        """Return all of it, with the settings as a voice calls them."""
        return _with_hint(Text.of(self.where, ": " if self.where else "", self.what), self.hint, voice)

    __str__ = told

    def settings(self) -> Iterator[Setting]:
        """Yield the settings that it names."""
        for part in Text.of(self.where, self.what, self.hint).parts:
            if isinstance(part, Setting):
                yield part

    def values(self) -> dict[str, str]:
        """Return it for ``json.dumps``."""
        return {"where": str(self.where), "what": str(self.what), "hint": str(self.hint), "severity": self.severity}


class Habit(Problem):
    """What mamba-press would not write, and what works nevertheless: wrong in a wheel of ours, a note on any other."""

    __slots__ = ()


class Style(Habit):
    """A habit that says nothing to the users of a wheel, and that most tools have: no word of it on other wheels."""

    __slots__ = ()


class Remark(Problem):
    """What the wheel alone cannot tell to be right or wrong: a note on every wheel."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the user should know of what was made, and what to do about it.

    A warning means that what was made may not do what the user wants of it; it is never hidden, and it is an error
    where the key ``warnings`` says so. What is no more than a note may be told as a text alone. One that is ``of_all``
    is a warning only if it is said of every target of a matrix, and of every wheel of a wheelhouse.
    """

    what: Words
    hint: Words = ""
    severity: Literal["note", "warning"] = "note"
    of_all: bool = False

    def told(self, voice: Voice = str) -> str:
        """Return all of it, with the settings as a voice calls them."""
        return _with_hint(Text.of("warning: " if self.severity == "warning" else "", self.what), self.hint, voice)

    __str__ = told


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
    return {"notes": [str(note.what) for note in notes], "warnings": [_values(note) for note in warnings(notes)]}


def _values(note: Note) -> dict[str, str]:
    return {"what": str(note.what), "hint": str(note.hint), "severity": note.severity}


def _with_hint(words: Words, hint: Words, voice: Voice) -> str:
    text, below = harmless(told(words, voice), "\n"), harmless(told(hint, voice), "\n")
    return text + "".join(f"\n  {line}" for line in below.splitlines())


def harmless(text: str, keeps: str = "") -> str:
    """Return the text as any terminal can be given it: names from packages and wheels may hold what it would obey.

    What is no plain character, and none of those that it ``keeps``, is written as Python escapes it.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keeps else c.encode("unicode_escape").decode("ascii") for c in text)


class PressError(Exception):
    """The base: one or more problems, and the exit code of their kind."""

    code = 1
    title: ClassVar[Words] = "mamba-press failed"

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    @classmethod
    def raise_for(cls, problems: Iterable[Problem]) -> None:
        """Raise it with all of these problems, if there are any."""
        if found := tuple(problems):
            raise cls(*found)

    def told(self, voice: Voice = str) -> str:
        """Return all of it, with the settings as a voice calls them."""
        count = f" ({len(self.problems)} problems)" if len(self.problems) > 1 else ""
        return "\n".join([told(self.title, voice) + count, *(f"- {each.told(voice)}" for each in self.problems)])

    __str__ = told


class ConfigError(PressError):
    """A key, a setting, an argument or a target that cannot be used."""

    code = 2
    title = "the configuration cannot be used"


class SolveError(PressError):
    """No set of packages satisfies what was asked."""

    code = 3
    title = "the packages cannot be solved"


class FetchError(PressError):
    """A channel or an archive could not be had, or is not what its record says."""

    code = 4
    title = "the packages cannot be fetched"


class HouseError(PressError):
    """A wheelhouse that is not as it was made, or that an installer refuses."""

    code = 4
    title = "the wheelhouse cannot be used"


class ContentError(PressError):
    """What was pressed would not work or may not be shipped: collision, link, tag, licence, placeholder."""

    code = 5
    title: ClassVar[Words] = "the packages cannot be pressed"


class WarnedError(ContentError):
    """Warnings, where the configuration takes them for errors."""

    title = Text.of("there are warnings, and ", Setting("warnings"), ' is "error"')

    @classmethod
    def of(cls, warnings: Iterable[Note]) -> WarnedError:
        """Return the error for warnings."""
        return cls(*(Problem(where="", what=each.what, hint=each.hint) for each in warnings))


class WriteError(PressError):
    """The wheel could not be written, or what was written failed its check."""

    code = 6
    title = "the wheel cannot be written"


class ReadError(WriteError):
    """What was given as a wheel cannot be read as one."""

    title = "the wheel cannot be read"


class BuildError(PressError):
    """The inner backend failed, or made something that cannot be used."""

    code = 7
    title = "the project's own code cannot be built"


class OutputError(PressError):
    """What was asked for is done, but the result could not be printed."""

    code = 8
    title = "the result cannot be printed"
