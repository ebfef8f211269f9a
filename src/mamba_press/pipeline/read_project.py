"""Orders: what a project asks for, read from all its tables at once, for one target or for each of its matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mamba_press.errors import ConfigError, Problem, Setting, Text, joined

if TYPE_CHECKING:
    from mamba_press.conda.lockfile import Held
    from mamba_press.config.model import Config, State
    from mamba_press.pipeline.solve import Order
    from mamba_press.types import Project, Target

_Found = TypeVar("_Found")


class Matrix(NamedTuple):
    """The Pythons and the platforms that a command names, and whether it asks for the project's own matrix."""

    python: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()
    of_project: bool = True


def order(
    root: Path, settings: Mapping[str, object] | None, environ: Mapping[str, str], state: State = "wheel"
) -> Order:
    """Return the order of a project's build; ``state`` is what is built, for overrides that depend on it."""
    config, project, target = read(root, settings, environ, state)
    from mamba_press.pipeline.solve import Order  # the stages: not for a configuration that cannot be used

    covered = partial(_covered, root, settings, environ)
    return Order(
        config=config, target=target, root=root, environ=environ, project=project, state=state, covered=covered
    )


def of_matrix(
    root: Path, settings: Mapping[str, object] | None, environ: Mapping[str, str], asked: Matrix
) -> tuple[Order, ...]:
    """Return one order for each target of a project, in the order of its matrix: every platform with every Python.

    What ``asked`` names goes over the project's matrix, and that over `python` and `platform`. Every problem of every
    target is raised at once; two ways to name one target are one.
    """
    from mamba_press.config import reader

    matrix = reader.read(root, settings, environ).matrix
    named = Matrix(
        python=asked.python or (matrix.python if asked.of_project else ()),
        platform=asked.platform or (matrix.platform if asked.of_project else ()),
    )
    return each(named, lambda chosen: order(root, reader.for_target(settings, chosen), environ))


def each(named: Matrix, make: Callable[[dict[str, str]], Order]) -> tuple[Order, ...]:
    """Return what ``make`` makes of the settings of each target, without repeats; raises all their problems at once."""
    found: dict[Target, Order] = {}
    problems: dict[Problem, None] = {}
    for platform in named.platform or (None,):
        for python in named.python or (None,):
            chosen = {key: value for key, value in (("python", python), ("platform", platform)) if value is not None}
            try:
                made = make(chosen)
            except ConfigError as error:
                problems.update(dict.fromkeys(error.problems))
            else:
                found.setdefault(made.target, made)
    ConfigError.raise_for(problems)
    return tuple(found.values())


def read(
    root: Path, settings: Mapping[str, object] | None, environ: Mapping[str, str], state: State = "wheel"
) -> tuple[Config, Project, Target]:
    """Return what a project asks for, with every problem of all its tables at once."""
    from mamba_press.config import pyproject_file, reader
    from mamba_press.metadata import metadata_providers, pyproject
    from mamba_press.platforms import target

    pyproject_file.document(root)  # a file that is missing or broken is one problem, not one of each table
    config, problems = _tried(lambda: reader.read(root, settings, environ, state=state))
    is_built = config is not None and config.build_backend is not None
    found, more = _tried(lambda: pyproject.load_unread(root) if is_built else pyproject.load(root))
    problems += [problem for problem in more if problem not in problems]
    problems += _tried(lambda: metadata_providers.asked(root))[1]
    if config is not None:
        chosen, more = _tried(lambda: target.resolve(config.python, config.platform, environ))
        problems += more
        problems += _nothing_to_press(config, found) if found is not None else ()
        problems += _python_not_allowed(found, chosen) if found is not None and chosen is not None else ()
    if problems or config is None or found is None or chosen is None:
        raise ConfigError(*problems)
    return config, found, chosen


def _python_not_allowed(asked: Project, chosen: Target) -> Iterator[Problem]:
    """Yield what is wrong with a project that is pressed for a Python that it excludes itself."""
    if "requires-python" not in asked.table:
        return
    from mamba_press.metadata import requires_python

    requires = requires_python.stated(asked.table.get("requires-python"))
    if not requires_python.allows(requires, chosen.python):
        what = f"{str(requires)!r} excludes Python {chosen.python}, the target"
        near = requires_python.nearest(requires, chosen.python)
        keys = joined((Setting("python"), Setting("matrix.python")), ", ")
        another = (f"press for one that it allows, such as {near} (", keys, "); or ") if near else ()
        hint = Text.of(*another, f"let project.requires-python allow {chosen.python.version}")
        yield Problem(where="project.requires-python", what=what, hint=hint)


def _nothing_to_press(config: Config, asked: Project) -> Iterator[Problem]:
    """Yield what is wrong with a project that has code of its own, or presses nothing whole and has none.

    What an inner backend builds is not known yet.
    """
    from mamba_press.metadata import metadata_providers, pyproject
    from mamba_press.project import sources

    if config.build_backend is not None:
        yield from sources.left_to(config)
        return
    modules, problems = _tried(lambda: sources.find(asked, config.sources))
    yield from problems
    has_providers = bool(_tried(lambda: metadata_providers.asked(asked.root))[0])
    if modules and not has_providers:
        yield from pyproject.of_code(asked)
    if config.packages or problems:
        return
    if not modules:
        yield sources.nothing(asked, config)
    if not has_providers:
        yield from pyproject.without_packages(asked)


def _tried(get: Callable[[], _Found]) -> tuple[_Found | None, list[Problem]]:
    try:
        return get(), []
    except ConfigError as error:
        return None, list(error.problems)


def _covered(
    root: Path,
    settings: Mapping[str, object] | None,
    environ: Mapping[str, str],
    held: Sequence[Held],
    here: Target,
) -> tuple[tuple[Order, Held], ...]:
    """Return what a lock holds for the targets of the matrix, each with its order, as `lock --check` compares them.

    Without any of these all that it holds.
    """
    from mamba_press.config import reader
    from mamba_press.pipeline import solve

    matrix = reader.read(root, settings, environ).matrix
    wanted = of_matrix(root, settings, environ, Matrix()) if matrix.python or matrix.platform else ()
    found = [(each, one) for each in wanted if (one := solve.best(each, held)) is not None]
    for one in held if not found else ():
        chosen = {"python": one.python or "", "platform": one.entry["subdir"]}
        if one.entry["subdir"] == here.subdir:
            del chosen["platform"]
        made, _ = _tried(partial(order, root, reader.for_target(settings, chosen), environ))
        found += [(made, one)] if made else []  # what cannot be pressed for is not asked of the lock either
    return tuple(found)
