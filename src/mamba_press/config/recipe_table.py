"""A recipe as the configuration that says the same, and as a project that has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from mamba_press.conda import match_specs, pep440
from mamba_press.config.recipe import PACKAGE_NAME, VARIABLE, Recipe
from mamba_press.errors import TABLE, ConfigError, Problem


def table(recipe: Recipe, package_name: str | None = None) -> dict[str, object]:
    """Return the ``[tool.mamba-press]`` table that says the same; raises ConfigError for what a wheel cannot have.

    ``package_name`` stands in where the recipe needs a name and has none (`Recipe.needs_name`).
    """
    problems: list[Problem] = []
    name = recipe.name or package_name or ""

    def filled(text: str) -> str:
        return _filled(text, {PACKAGE_NAME: name, "site_packages": recipe.site_packages}, problems)

    select: dict[str, object] = {
        "prune": list(recipe.prune),
        "prune-alone": list(recipe.prune_alone),
        "python-packages": ["*"] if recipe.python_packages else [],
        "exclude": [glob for text in recipe.drop for glob in _globs(filled(text))],
        "only": [glob for text in recipe.only for glob in _globs(filled(text))],
        **({} if recipe.default_filters else {"default-filters": False}),
    }
    chained = [
        None if moves is None else [(filled(start), filled(end)) for start, end in moves] for moves in recipe.moves
    ]
    libraries = [filled(path) for path in recipe.external]
    external = dict(_external(path, recipe) for path in libraries if not path.startswith("/"))
    system = [path.rpartition("/")[2] for path in libraries if path.startswith("/")]
    move = _layout(chained, recipe.site_packages, name, problems)
    ConfigError.raise_for(problems)
    link = {"external": external, "system": system, "remove": [filled(glob) for glob in recipe.remove]}
    return {
        "packages": [_spec(text) for text in recipe.packages],
        "constraints": [_spec(text) for text in (*recipe.constraints, *_exact_python(recipe.python))],
        "python": _minor(recipe.python),
        "platform": recipe.platform,
        "select": {key: value for key, value in select.items() if value != []},
        "layout": {"move": move} if move else {},
        "link": {key: value for key, value in link.items() if value},
    }


def _spec(text: str) -> str:
    """Return a spec of libmamba in the words of rattler: the build string has another name in brackets."""
    return re.sub(r"\bbuild_string\s*=", "build=", text)


def _minor(python: str) -> str:
    """Return what the configuration calls ``python=3.13``; what is no single minor version stays, to be refused."""
    found = re.fullmatch(r"python\s*={0,2}\s*(3\.\d+)(?:\.\*|\.\d+)?(t?)(?:\s*=?\s*(\S+))?", python.strip())
    if found is None:
        return python
    build = found[3] or ""
    return found[1] + ("t" if found[2] or re.search(r"cp3\d+t", build) else "")


def _exact_python(python: str) -> list[str]:
    """Return a constraint where the recipe's spec of Python says more than a minor version."""
    said = re.sub(r"^python\s*={0,2}\s*", "", python.strip())
    is_minor = re.fullmatch(r"3\.\d+(?:\.\*)?t?(?:[\s=]\*_cp3\d+t?)?", said)
    return [] if is_minor or _minor(python) == python else [python]


def _filled(text: str, values: Mapping[str, str], problems: list[Problem]) -> str:
    """Put in the variables; an unknown one is told once."""

    def value(found: re.Match[str]) -> str:
        if not values.get(found[1]):
            hint = f"known here: {', '.join('${{ ' + name + ' }}' for name in sorted(values))}"
            problem = Problem(where="recipe", what=f"{found[0]} in {text!r} has no value", hint=hint)
            problems.extend([problem] if problem not in problems else [])
        return values.get(found[1], "")

    return VARIABLE.sub(value, text)


def _globs(pattern: str) -> list[str]:
    """Return a pattern of fnmatch, whose ``*`` crosses folders, as globs of ours.

    One without any wildcard also means what lies below it: the format's own example names folders so.
    """
    glob = re.sub(r"\*+", "**", pattern)
    return [glob] if re.search(r"[*?\[]", pattern) else [glob, f"{glob}/**"]


def _external(path: str, recipe: Recipe) -> tuple[str, str]:
    """Return the library of another wheel and where it lies, which that wheel is called like.

    The format's example leaves the wheel's root by one step to reach its neighbour: below site-packages is meant.
    """
    inside = re.sub(r"^(?:\.{1,2}/)+", "", path)
    folder, name = inside.split("/")[0], inside.rpartition("/")[2]
    return name, f"{folder}{_version(folder, recipe)}: {inside}"


def _version(name: str, recipe: Recipe) -> str:
    """Return the PEP 440 specifiers that the recipe itself has for a package, with a space before them."""
    for spec in (*recipe.constraints, *recipe.packages):
        found = match_specs.read(spec)
        if found.name == name and found.version != "*":
            try:
                return f" {pep440.translate(found.version).specifiers}"
            except match_specs.UntranslatableError:
                return ""
    return ""


def _layout(
    chained: Sequence[Sequence[tuple[str, str]] | None], site: str, name: str, problems: list[Problem]
) -> dict[str, str]:
    """Return where single paths of the prefix go, which is ``layout.move``, of chained transforms.

    The root of the prefix goes to the home's own folder in any case: the format's ``<name>/data`` stands for that.
    """
    default = {site: "", "": f"{name}/data"}
    whole = {"": ""}
    for moves in chained:
        whole = composed(whole, default if moves is None else dict(moves))
    known, move = dict(default), {}
    for start in sorted(whole, key=len):
        if target(known, start) != whole[start]:
            known[start] = move[start] = whole[start]
    problems += [_unmovable(start, end) for start, end in move.items() if not end or _below(site, start) is not None]
    return move


def _unmovable(start: str, end: str) -> Problem:
    return Problem(
        where=f"build.transform.path: {start or 'the whole prefix'}",
        what=f"would go to {end or 'the root of the wheel'}",
        hint="site-packages is the root of every wheel, and all else goes into its home: begin the list with default, "
        "and move single folders of the prefix into folders",
    )


def composed(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """Return the mapping of folders that does what the two do one after the other.

    In each the most specific folder wins, and what none names keeps its path.
    """
    composed = {start: target(second, end) for start, end in first.items()}
    for start, end in first.items():
        for folder, goal in second.items():
            if folder != end and _below(folder, end) is not None:
                deeper = _joined(start, _below(folder, end) or "")
                if _nearest(first, deeper) == start:
                    composed[deeper] = goal
    return composed


def _nearest(mapping: Iterable[str], path: str) -> str | None:
    above = [start for start in mapping if _below(path, start) is not None]
    return max(above, key=len, default=None)


def target(mapping: Mapping[str, str], path: str) -> str:
    """Return where a path goes by the most specific folder of a mapping."""
    start = _nearest(mapping, path)
    return path if start is None else _joined(mapping[start], _below(path, start) or "")


def _below(path: str, folder: str) -> str | None:
    """Return the rest of a path below a folder, the root being the empty string; None where it lies elsewhere."""
    if path == folder or not folder:
        return path if not folder else ""
    return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else None


def _joined(folder: str, rest: str) -> str:
    return "/".join(part for part in (folder, rest) if part)


_SECTIONS = {
    "select": "which packages and which files stay",
    "layout": "where files go; all else keeps its place in the prefix, below the home's _prefix folder",
    "link": "where needed libraries are found",
}

_COMMENTS = {
    "channels": "named with -c",
    "packages": "source.packages",
    "constraints": "source.constraints",
    "python": "source.python",
    "platform": "target.platform",
    "prune": "build.filter.packages: by-name",
    "prune-alone": "build.filter.packages: by-name, not recursive",
    "python-packages": "a recipe packs every Python package but the pruned ones; what is not named is required",
    "exclude": "build.filter.files: unix-glob",
    "only": "build.filter.files: unix-glob with exclude: false",
    "default-filters": "build.filter.files has no default",
    "move": "build.transform.path",
    "external": "build.transform.dynlib.add-rpaths; the requirement says which wheel brings the library",
    "system": "build.transform.dynlib.add-rpaths with absolute paths",
    "remove": "build.transform.dynlib.remove-rpaths",
}


def pyproject(found: Mapping[str, object], *, name: str, source: str) -> str:
    """Return a commented ``pyproject.toml`` with this ``[tool.mamba-press]`` table; ``source`` names the recipe."""
    lines = [
        f"# What {source} says, as a project: `python -m build`, `pip wheel .` and `uv build` press it.",
        "[build-system]",
        'requires = ["mamba-press"]',
        'build-backend = "mamba_press.build"',
        "",
        "[project]",
        f"name = {_toml(name)}",
        'dynamic = ["version", "dependencies"]  # those of the first conda package',
        "",
        f"[{TABLE}]",
        *([] if "channels" in found else ['channels = ["conda-forge"]']),
    ]
    tables = {key: value for key, value in found.items() if isinstance(value, dict)}
    lines += _lines({key: value for key, value in found.items() if key not in tables})
    for key, value in tables.items():
        if value:
            lines += ["", f"[{TABLE}.{key}]  # {_SECTIONS[key]}", *_lines(value)]
    return "\n".join(lines) + "\n"


def _lines(values: Mapping[str, object]) -> list[str]:
    lines: list[str] = []
    for key, value in values.items():
        if value in ([], {}):
            continue
        lines += [f"# {_COMMENTS[key]}", f"{key} = {_toml(value)}"]
    return lines


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        inside = ", ".join(map(_toml, value))
        return f"[{inside}]" if len(inside) < 90 else "[\n" + "".join(f"    {_toml(each)},\n" for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)
