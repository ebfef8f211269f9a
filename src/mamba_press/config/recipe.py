"""Recipes in mamba-org/mamba-press' format, version 0: what one says.

The format: https://github.com/mamba-org/mamba-press/blob/main/docs/recipe.md.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mamba_press import platforms
from mamba_press.conda import match_specs
from mamba_press.errors import ConfigError, Problem, Setting

PACKAGE_NAME = "package_name"
"""The variable that only the pressed packages can tell where the recipe has no ``target.name``."""

_MOST = 100_000
"""How many values a recipe may have: a few lines with aliases can mean billions."""

VARIABLE = re.compile(r"\$\{\{\s*(\w*)\s*\}\}")
_PYTHON = ("python", "python_abi")
_HOOK = (
    "a recipe runs no code: write a function from entries to entries, name it with "
    f"{Setting('hook', 'file.py:function')} in a pyproject.toml, and press that"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A recipe that was understood.

    ``moves`` are the chained path transforms, each a list of (from, to); the other fields hold what the recipe says,
    with its variables as they are written. ``drop`` are the files that leave, ``only`` those that may stay, as globs
    of fnmatch. ``python_packages`` tells whether those are packed that only others need. ``external`` are the paths of
    ``add-rpaths``, ``remove`` the globs of ``remove-rpaths``.
    """

    packages: tuple[str, ...]
    python: str
    platform: str
    constraints: tuple[str, ...] = ()
    name: str | None = None
    prune: tuple[str, ...] = ()
    prune_alone: tuple[str, ...] = ()
    python_packages: bool = True
    default_filters: bool = True
    drop: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    moves: tuple[tuple[tuple[str, str], ...] | None, ...] = (None,)
    external: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    @property
    def needs_name(self) -> bool:
        """Whether the name of the only Python package has to be looked up in what is pressed."""
        texts = [*self.drop, *self.only, *self.external, *self.remove]
        texts += [text for moves in self.moves for pair in moves or () for text in pair]
        return self.name is None and any(PACKAGE_NAME in VARIABLE.findall(text) for text in texts)

    def bare(self) -> Recipe:
        """Return the recipe without what may need a name: its packages, and which of them leave."""
        return replace(self, drop=(), only=(), moves=(None,), external=(), remove=())

    @property
    def site_packages(self) -> str:
        """Where conda puts Python packages for the recipe's Python and platform, in the prefix."""
        tag = platforms.parse(self.platform)
        folders = platforms.FACTS[tag.system if tag else "linux"].folders
        found = re.search(r"3\.\d+", self.python)
        free_threaded = re.search(r"cp3\d+t|3\.\d+t", self.python)
        python = f"{found[0] if found else '3'}{'t' if free_threaded else ''}"
        return folders["platlib"].format(python=python).rstrip("/")


def read(path: Path) -> Recipe:
    """Return what a recipe says; raises ConfigError with all that is wrong with it."""
    root = _Node(where=path.name, value=_document(path), problems=[], joint=": ")
    recipe = _recipe(root)
    ConfigError.raise_for(root.problems)
    return recipe


def _document(path: Path) -> object:
    try:
        import yaml
    except ImportError:
        hint = 'install it: pip install "mamba-press[all]"'
        what = "is a recipe, and PyYAML is not installed"
        raise ConfigError(Problem(where=path.name, what=what, hint=hint)) from None
    try:
        text = path.read_text("utf-8")
        # Everything as a string: 3.10 and 2.20 are versions here, not numbers.
        loaded: object = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - BaseLoader makes only str, list, dict
    except OSError as error:
        hint = "name a file that is there, or the conda packages themselves"
        raise ConfigError(Problem(where=str(path), what=f"cannot be read: {error.strerror}", hint=hint)) from None
    except UnicodeDecodeError:
        raise ConfigError(Problem(where=path.name, what="is not UTF-8")) from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}:{mark.line + 1}" if mark else path.name
        what = f"is no YAML: {getattr(error, 'problem', None) or 'nested too deeply'}"
        raise ConfigError(Problem(where=where, what=what)) from None
    if _size(loaded, {}) > _MOST:
        what = f"says more than {_MOST:,} things, all aliases written out"
        raise ConfigError(Problem(where=path.name, what=what, hint="write a list once, without aliases (*name)"))
    return "" if loaded is None else loaded


def _size(value: object, known: dict[int, int]) -> int:
    """Return of how many values this one is made; ``known`` has those that an alias repeats, by their identity."""
    if not isinstance(value, (list, dict)):
        return 1
    if id(value) not in known:
        below = value if isinstance(value, list) else value.values()
        known[id(value)] = 1 + sum(_size(each, known) for each in below)
    return known[id(value)]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Node:
    """A value of the document and where it stands; what is wrong is collected in ``problems``.

    None is the value of what is not there, of which nothing is wrong: it is empty, or true.
    """

    where: str
    value: object
    problems: list[Problem] = field(repr=False)
    joint: str = "."

    def wrong(self, what: str, hint: str = "") -> None:
        self.problems.append(Problem(where=self.where, what=what, hint=hint))

    def keys(self, *known: str, needed: Sequence[str] = ()) -> dict[str, _Node]:
        """Return the entries of a map with these keys."""
        if not isinstance(self.value, dict):
            if self.value is not None:
                self.wrong(f"found {_kind(self.value)}, expected a map with {', '.join(known)}")
            return {key: self.at(key, None) for key in known}
        for key in self.value:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1)
                hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
                self.wrong(f"unknown key {str(key)!r}", hint)
        for key in needed:
            if key not in self.value:
                self.wrong(f"has no {key!r}")
        return {key: self.at(key, self.value.get(key)) for key in known}

    def at(self, name: object, value: object) -> _Node:
        return _Node(where=f"{self.where}{self.joint}{name}", value=value, problems=self.problems)

    def unless(self, *values: object) -> _Node:
        """Return it, or what is not there where it has one of these values."""
        return replace(self, value=None) if self.value in values else self

    def text(self) -> str:
        text = self.value.strip() if isinstance(self.value, str) else ""
        if not text and self.value is not None:
            self.wrong(f"found {_kind(self.value)}, expected a string")
        return text

    def items(self) -> list[_Node]:
        there = self.value if isinstance(self.value, list) else []
        if not isinstance(self.value, list | None):
            self.wrong(f"found {_kind(self.value)}, expected a list")
        return [self.at(number, each) for number, each in enumerate(there)]

    def texts(self) -> tuple[str, ...]:
        return tuple(each.text() for each in self.items())

    def boolean(self) -> bool:
        if self.value not in (None, "true", "false", "True", "False"):
            self.wrong(f"found {_kind(self.value)}, expected true or false")
        return self.value is None or str(self.value).lower() == "true"

    def plugins(self, *known: str) -> list[tuple[str, _Node]]:
        """Return the named plugins of a list; a name alone has no parameters."""
        found = []
        for each in self.items():
            names = list(each.value) if isinstance(each.value, dict) else [each.value]
            if len(names) != 1 or not isinstance(names[0], str):
                each.wrong(f"found {_kind(each.value)}, expected one of {', '.join(known)}")
            elif "." in names[0]:
                each.wrong(f"names the plugin {names[0]!r} by its import path", _HOOK)
            elif names[0] not in known:
                each.wrong(f"unknown name {names[0]!r}", f"known here: {', '.join(known)}")
            else:
                value = each.value[names[0]] if isinstance(each.value, dict) else {}
                found.append((names[0], each.at(names[0], value or {})))
        return found


def _kind(value: object) -> str:
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "a map"
    return repr(value) if value else "nothing"


def _recipe(root: _Node) -> Recipe:
    parts = root.keys("version", "source", "target", "build", needed=("version", "source", "target"))
    if parts["version"].value not in (None, "0"):
        parts["version"].wrong(f"found {parts['version'].value!r}, and only version 0 of recipes is known")
    source = parts["source"].keys("packages", "constraints", "python", needed=("packages", "python"))
    target = parts["target"].keys("name", "platform", "python", needed=("platform",))
    build = parts["build"].unless("", [], {}).keys("filter", "transform")
    filters = build["filter"].unless("", "default").keys("packages", "files")
    transforms = build["transform"].unless("", "default").keys("path", "dynlib")
    dynlib = transforms["dynlib"].unless("", "default").keys("add-rpaths", "remove-rpaths")
    prune, alone, python_packages = _packages(filters["packages"])
    with_defaults, drop, only = _files(filters["files"])
    packages = source["packages"].texts()
    if source["packages"].value == []:
        source["packages"].wrong("names no package, expected at least one")
    return Recipe(
        packages=packages,
        python=_python(source["python"]),
        constraints=source["constraints"].unless("").texts(),
        platform=_platform(target["platform"]),
        name=target["name"].unless("").text() or None,
        prune=prune,
        prune_alone=alone,
        python_packages=python_packages,
        default_filters=with_defaults,
        drop=drop,
        only=only,
        moves=_moves(transforms["path"]),
        external=dynlib["add-rpaths"].unless("").texts(),
        remove=dynlib["remove-rpaths"].unless("").texts(),
    )


def _python(node: _Node) -> str:
    text = node.text()
    if text and not re.match(r"python(?![\w-])", text):
        node.wrong(f"found {text!r}, expected a spec of python", "write python=3.13")
    return text


def _platform(node: _Node) -> str:
    """Return the platform tag; what it can be is said where targets are resolved."""
    parts = node.keys("os", "version", "arch", needed=("os", "arch"))
    system, version, arch = (parts[name].text() for name in ("os", "version", "arch"))
    facts = next((each for each in platforms.FACTS.values() if each.family == system), None)
    if facts and not facts.versioned:
        return f"{system}_{arch}"
    if system and not version:
        node.wrong("has no 'version'", 'name the lowest system version: version: "2.28"')
    if system and facts is None:
        parts["os"].wrong(f"found {system!r}, expected manylinux, macosx or win")
    return f"{system}_{version.replace('.', '_')}_{arch}"


def _packages(node: _Node) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Return the packages that leave with what only they need, those that leave alone, and whether Python's stay."""
    if node.value in (None, "default"):
        return (), (), True
    prune: list[str] = []
    alone: list[str] = []
    without_python = False
    python_packages = True
    for name, plugin in node.plugins("default", "by-name", "python-dependencies"):
        without_python |= name != "by-name"
        if name == "python-dependencies":
            python_packages = False
            _python_dependencies(plugin)
        if name != "by-name":
            continue
        parts = plugin.keys("to-prune", "recursive", needed=("to-prune",))
        names = [_bare(each) for each in parts["to-prune"].items()]
        without_python |= "python" in names
        leaving = prune if parts["recursive"].boolean() else alone
        leaving += [name for name in names if name and name not in _PYTHON]
    if not without_python:
        node.wrong("leaves Python itself in the wheel, which has to stay out", "begin the list with default")
    return tuple(prune), tuple(alone), python_packages


def _python_dependencies(plugin: _Node) -> None:
    """Refuse what is asked of the filter beyond what it does by itself: all leaves that depends on Python."""
    parts = plugin.keys("python_packages", "recursive")
    for each in parts["python_packages"].items():
        if each.text() not in _PYTHON:
            each.wrong(f"found {each.value!r}: only python and python_abi can stand here", "prune others with by-name")
    if not parts["recursive"].boolean():
        parts["recursive"].wrong("found false: what only Python packages need leaves with them", "leave it out")


def _bare(node: _Node) -> str:
    """Return the name of a spec; nothing else of it can be said of a package that leaves."""
    spec = match_specs.read(node.text() or "*")
    if spec.version != "*":
        node.wrong(f"found {node.value!r}: a version cannot be said of what leaves", f"write {spec.name}")
    return spec.name


def _files(node: _Node) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    """Return whether the default filters hold, the globs of what leaves, and those of what alone may stay."""
    if node.value in (None, "default"):
        return True, (), ()
    drop: list[str] = []
    only: list[tuple[str, ...]] = []
    names = []
    for name, plugin in node.plugins("default", "unix-glob"):
        names.append(name)
        if name == "default":
            continue
        parts = plugin.keys("patterns", "exclude", needed=("patterns",))
        patterns = parts["patterns"].texts()
        if parts["exclude"].boolean():
            drop += patterns
        else:
            only.append(patterns)
    if len(only) > 1:
        what = "has more than one list of files that alone stay (exclude: false)"
        node.wrong(what, "write one list of what is in all")
    return "default" in names, tuple(drop), only[0] if only else ()


def _moves(node: _Node) -> tuple[tuple[tuple[str, str], ...] | None, ...]:
    """Return the chained transforms of paths, the default one as None."""
    if node.value in (None, "default"):
        return (None,)
    chained: list[tuple[tuple[str, str], ...] | None] = []
    for name, plugin in node.plugins("default", "explicit"):
        if name == "default":
            chained.append(None)
            continue
        parts = plugin.keys("mapping", needed=("mapping",))
        rows = [row.keys("from", "to", needed=("from", "to")) for row in parts["mapping"].items()]
        whole = [row for row in rows if None not in (row["from"].value, row["to"].value)]
        chained.append(tuple((_path(row["from"]), _path(row["to"])) for row in whole))
    return tuple(chained)


def _path(node: _Node) -> str:
    text = node.text()
    if text.startswith("/") or ".." in text.split("/"):
        node.wrong(f"found {text!r}, expected a relative path without '..'")
    return "/".join(part for part in text.split("/") if part not in ("", "."))
