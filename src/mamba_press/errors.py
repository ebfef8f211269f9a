"""Everything that can go wrong for a reason the user can act on.

An error carries all problems of its kind at once. The two front doors (`build` and `__main__`) are the only places
that turn one into text and an exit code; exit code 1 is left to bugs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mamba_press.problem import Problem, Setting, Text, told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mamba_press.problem import Note, Voice, Words


class PressError(Exception):
    """The base: one or more problems, and the exit code of their kind."""

    code = 1
    title: ClassVar[Words] = "mamba-press failed"

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return self.told(str)

    def told(self, voice: Voice) -> str:
        """Return all of it, with the settings as a voice calls them."""
        count = f" ({len(self.problems)} problems)" if len(self.problems) > 1 else ""
        return "\n".join([told(self.title, voice) + count, *(f"- {each.told(voice)}" for each in self.problems)])


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
