"""What mamba-press itself adds to the home of a wheel: the generated module, and entry points of programs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mamba_press.errors import ConfigError, ContentError, Note, Problem, Setting, Text
from mamba_press.types import OWN, Entry, Project
from mamba_press.vendoring import activation, layout, library_calls, link, runtime_module

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mamba_press.config.model import Config


def with_runtime(linked: link.Linked, home: layout.Home, name: str, config: Config) -> link.Linked:
    """Add the module that finds the libraries, sets the environment and starts the programs, where there is use for it.

    A home that is a package's own imports it where importing the home is to have an effect.
    """
    variables = activation.environment(linked.entries, home.name, config.wheel.environment)
    bound = [entry.original for entry in linked.entries if _is_bound(entry, home)]
    programs = activation.programs(linked.entries, home.name, dict.fromkeys((*config.wheel.executables, *bound)))
    starts = {name: f"{home.module}._mamba_press:{call}" for name, call in runtime_module.functions(programs).items()}
    has_prefix = any(entry.path.startswith(f"{home.prefix}/") for entry in linked.entries)
    own_code = [entry.origin for entry in linked.entries if entry.origin and entry.package == OWN]
    is_used = (has_prefix and (home.generated or own_code)) or any(map(library_calls.uses, own_code))
    if not variables and not programs and not linked.folders and not is_used:
        return replace(linked, programs=starts)
    inside = f"{home.name}/"
    libraries = {old: path[len(inside) :] for old, path in linked.names.items() if path.startswith(inside)}
    text = runtime_module.module(libraries, environment=variables, programs=programs, folders=linked.folders)
    generated = [Entry.made(f"{inside}{runtime_module.MODULE}", text, "finds the libraries")]
    entries = linked.entries
    if any(entry.path == generated[0].path for entry in entries):
        what, hint = "is the name of the module that mamba-press writes there", "give the file another name"
        raise ContentError(Problem(where=generated[0].path, what=what, hint=hint))
    if home.generated:
        init = runtime_module.init(name)
        source = runtime_module.with_import(init) if variables or linked.folders else init
        generated.append(Entry.made(f"{inside}__init__.py", source, "makes the home a package"))
    elif variables:
        entries = tuple(_importing(entry) if entry.path == f"{inside}__init__.py" else entry for entry in entries)
        if entries == linked.entries:
            raise ContentError(_no_import(home.name, "is no Python source"))
    together = tuple(sorted((*entries, *generated), key=lambda entry: entry.path))
    alone = home.generated and config.layout.home is None and not programs
    notes = _without_import(linked.entries, home, sorted(variables)) if variables and alone else ()
    return replace(linked, entries=together, programs=starts, notes=(*linked.notes, *notes))


def _without_import(entries: Sequence[Entry], home: layout.Home, variables: Sequence[str]) -> tuple[Note, ...]:
    """Warn of variables that nobody sets, where no module of the wheel speaks of the home that sets them."""
    sources = {entry.path: entry for entry in entries if entry.path.endswith(".py")}
    if any(home.module.encode() in entry.read() for entry in sources.values()):
        return ()
    packages = sorted(path.partition("/")[0] for path in sources if path.count("/") == 1 and "/__init__.py" in path)
    names = " or ".join(f'"{name}"' for name in packages[:3]) or '"…", a name to be imported first'
    what = (
        f"importing the wheel does not set {', '.join(variables)}: importing {home.module} does, and nothing imports it"
    )
    return (Note(what, f"set it to a package that is imported: layout.home = {names}", "warning"),)


def _is_bound(entry: Entry, home: layout.Home) -> bool:
    """Whether an entry is a program of the project that lies with its libraries, and is started from there."""
    return entry.package == OWN and entry.path.startswith(f"{home.prefix}/")


def _importing(entry: Entry) -> Entry:
    """Return a home's ``__init__.py`` with the import of the generated module."""
    try:
        return replace(entry, source=runtime_module.with_import(entry.read()))
    except ValueError as error:
        raise ContentError(_no_import(entry.path, f"cannot be read: {error}")) from None


def _no_import(where: str, why: str) -> Problem:
    return Problem(
        where=where,
        what=f"has to import what sets the environment, but its __init__ {why}",
        hint=Text.of("take a home of its own: ", Setting("layout.home", "…"), ", a new name, to be imported first"),
    )


def with_programs(asked: Project, programs: Mapping[str, str]) -> Project:
    """Return the project with the programs among its scripts."""
    own = asked.table.get("scripts")
    scripts = own if isinstance(own, dict) else {}
    ConfigError.raise_for(
        Problem(
            where=f"project.scripts.{name}",
            what=Text.of("is also the name of a program in ", Setting("wheel.executables")),
            hint="keep one of the two",
        )
        for name in sorted(scripts.keys() & programs.keys())
    )
    return replace(asked, table={**asked.table, "scripts": {**scripts, **programs}}) if programs else asked
