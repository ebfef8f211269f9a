"""The reference manual and the JSON schema of the configuration, made from `config`.

``python -m tests.support.reference ROOT`` writes both below the root of the repository: what it writes is
committed, and a test holds it to the classes. Nothing at run time needs this module.
"""

from __future__ import annotations

import ast
import inspect
import json
import shlex
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from mamba_press.config.keys import VARIABLE, Key, keys
from mamba_press.config.model import OVERRIDES, Config
from mamba_press.config.overrides import GROUPS, Condition
from mamba_press.config.schema_types import rules
from mamba_press.errors import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

MANUAL = "docs/reference/configuration.md"
SCHEMA = "src/mamba_press/data/schema.json"

_INTRODUCTION = f"""\
# Configuration

<!-- Made from src/mamba_press/config/model.py by `nox -s generate`. -->

All keys stand in the table `[{TABLE}]` of `pyproject.toml`. Each can also be given for one build, as a
setting of the front end (`-C key=value`) or as an environment variable; a setting goes over a variable, a variable over
the file. Lists and single values are replaced, tables are merged key by key.

- **Settings**: dots lead into tables, `-` and `_` are the same, and a key given several times makes a list; an empty
  value makes an empty one. `mamba-press.` may stand before the key. With `build`, `pip` and `uv` it is `-C`
  (`--config-setting`), with cibuildwheel `config-settings`; the nested values of `build --config-json` are taken too.
- **Variables**: `{VARIABLE}` and the key in capitals, with `_` for dots and dashes. Lists are split at `;`,
  tables are written `from=to;from=to`. An empty variable counts as not set.
- **true and false** are also `1`/`0`, `on`/`off` and `yes`/`no` there, in any case.

A key that is not listed here is an error, wherever it is given, and all errors are reported at once.
"""


def manual() -> str:
    """Return the reference page, Markdown."""
    parts = [_INTRODUCTION]
    for path, table in _tables():
        name = ".".join((TABLE, *path))
        described = _described(table)
        parts.append(f"## `[{name}]`\n\n{inspect.getdoc(table)}\n")
        parts += [_section(key, *described[key.path[-1]]) for key in _own(table, path) if key.path[-1] in described]
    parts.append(_overrides())
    return "\n".join(parts)


def schema() -> dict[str, object]:
    """Return the JSON schema of the table (draft 7, as validate-pyproject wants it)."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        # A name only (RFC 2606); a URN would not do, for readers resolve the references in it as they do in URLs.
        "$id": "https://mamba-press.invalid/configuration.json",
        "title": f"The table [{TABLE}]",
        **_with_overrides(_table_schema(Config, ())),
    }


def _overrides() -> str:
    """Return the part of the manual on overrides."""
    sections = [
        f"### `if.{name}`\n\n{description}\n\n```toml\n[[{TABLE}.{OVERRIDES}]]\nif.{name} = {example}\n```\n"
        for name, (description, example) in _described(Condition).items()
    ]
    return f"""\
## `[[{TABLE}.{OVERRIDES}]]`

Values that count only under conditions; any number of such tables, each going over what stands before it. An override
may set every key but `{OVERRIDES}`; `python`, `platform` and `matrix` only where neither the platform nor the Python is
a condition. Settings and variables go over all of them. What is wrong in an override is an error even where it does not
count. They stand in `pyproject.toml` only.

{inspect.getdoc(Condition)}

A list or a table replaces the one that was there, unless `inherit` says how the two meet: `"append"` puts a list's
items behind the others, `"prepend"` in front of them. In tables, where both have a name, `"append"` takes the
override's value and `"prepend"` keeps the other. `"none"` is the default.

```toml
[[{TABLE}.{OVERRIDES}]]
if.platform = "^win"
if.any.env.CI = true
if.any.python-version = ">=3.13"
inherit.link.system = "append"
packages = ["libcurl 8.*", "vc 14.*"]
link.system = ["odbc32.dll"]
```

{chr(10).join(sections)}"""


def _with_overrides(table: dict[str, object]) -> dict[str, object]:
    """Return the schema of the table with that of its overrides, which have the same keys."""
    properties = table["properties"]
    assert isinstance(properties, dict)
    conditions: dict[str, object] = {}
    for key in keys(Condition):
        if key.path == ("env",):
            either = {"anyOf": [{"type": "string", "pattern": r"\S"}, {"type": "boolean"}]}
            plain: dict[str, object] = {"type": "object", "minProperties": 1, "additionalProperties": either}
        else:
            plain = _kind_schema(key.kinds[0], key.path)
        conditions[key.name] = {"description": _described(Condition)[key.name][0], **plain}
    group = {"type": "object", "additionalProperties": False, "properties": conditions}
    when = {**group, "minProperties": 1, "properties": {**conditions, **dict.fromkeys(GROUPS, group)}}
    override = {
        "type": "object",
        "additionalProperties": False,
        "required": ["if"],
        "minProperties": 2,
        "properties": {
            "if": {"description": inspect.getdoc(Condition), **when},
            "inherit": {"description": "How lists and tables meet those that are there.", **_inherit_schema(())},
            **{name: {"$ref": f"#/properties/{name}"} for name in properties},
        },
    }
    return {**table, "properties": {**properties, OVERRIDES: {"type": "array", "items": override}}}


def _inherit_schema(path: tuple[str, ...]) -> dict[str, object]:
    """Return the schema of `inherit` for a table: its lists and tables of the user's names."""
    properties: dict[str, object] = {}
    for key in keys():
        if key.path[:-1] != path:
            continue
        if key.table:
            below = _inherit_schema(key.path)
            properties |= {key.path[-1]: below} if below["properties"] else {}
        elif key.is_mapping or any(get_origin(kind) is tuple for kind in key.kinds):
            properties[key.path[-1]] = {"type": "string", "enum": ["append", "prepend", "none"]}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def examples() -> dict[str, object]:
    """Return the example of every key that has one, by the key's name, as a value of TOML."""
    return {
        ".".join((*path, name)): _toml(example)
        for path, table in _tables()
        for name, (_, example) in _described(table).items()
    }


def settings(key: Key, value: object) -> tuple[tuple[str, str], ...]:
    """Return a value of TOML as the ``-C`` settings that mean the same."""
    if isinstance(value, Mapping):
        return tuple((f"{key.name}.{name}", _plain(each)) for name, each in value.items())
    items = value if isinstance(value, (list, tuple)) else (value,)
    return tuple((key.name, _plain(item)) for item in items)


def variable(value: object) -> str:
    """Return a value of TOML as the text of an environment variable."""
    if isinstance(value, Mapping):
        return ";".join(f"{name}={_plain(each)}" for name, each in value.items())
    return ";".join(map(_plain, value)) if isinstance(value, (list, tuple)) else _plain(value)


def write(root: Path) -> None:
    """Write both files below the root of the repository."""
    (root / MANUAL).parent.mkdir(parents=True, exist_ok=True)
    (root / MANUAL).write_text(manual(), encoding="utf-8", newline="\n")
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    (root / SCHEMA).write_text(text, encoding="utf-8", newline="\n")


def _tables() -> Iterator[tuple[tuple[str, ...], type]]:
    yield (), Config
    yield from ((key.path, key.table) for key in keys() if key.table)


def _own(table: type, path: tuple[str, ...]) -> Iterator[Key]:
    yield from (key for key in keys(table, path) if len(key.path) == len(path) + 1)


def _described(table: type) -> dict[str, tuple[str, str]]:
    """Return by key the text that stands below it in the class, and the example in that."""
    tree = ast.parse(inspect.getsource(table)).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for node, below in zip(tree.body, tree.body[1:], strict=False):
        match node, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                description, _, example = inspect.cleandoc(text).partition("Example: ")
                found[name.replace("_", "-")] = (description.strip(), example.strip())
    return found


def _section(key: Key, description: str, example: str) -> str:
    value = _toml(example)
    table = ".".join((TABLE, *key.path[:-1]))
    given = " ".join(f"-C {shlex.quote(f'{name}={text}')}" for name, text in settings(key, value))
    default = _default(next(_own(key.table, key.path)).default if key.table else key.default)
    default += " for each" * (len(_choices(key)) > 1)
    return f"""\
### `{key.name}`

{description}

- Type: {key.expected}
- Default: {default}

```toml
[{table}]
{key.path[-1]} = {example}
```

```console
{given}
{key.variable}={shlex.quote(variable(value))}
```
"""


def _choices(key: Key) -> list[Key]:
    """Return the keys of a table for which one word may be given."""
    return [each for each in _own(key.table, key.path) if get_origin(each.kinds[0]) is Literal] if key.table else []


def _default(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, (tuple, Mapping)) and not value:
        return "empty"
    return f"`{json.dumps(value)}`"


def _table_schema(table: type, path: tuple[str, ...]) -> dict[str, object]:
    described = _described(table)
    properties: dict[str, object] = {}
    for key in _own(table, path):
        kinds = [_kind_schema(kind, key.path) for kind in key.kinds]
        if key.one_for_all and key.table:
            kinds.insert(0, _kind_schema(next(_own(key.table, key.path)).kinds[0], ()))
        entry: dict[str, object] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        if key.path[-1] in described:
            description, example = described[key.path[-1]]
            entry = {"description": description, **entry, "examples": [_toml(example)]}
        if not key.table and key.default is not None:
            entry["default"] = list(key.default) if isinstance(key.default, tuple) else key.default
        properties[key.path[-1]] = entry
    description = inspect.getdoc(table) or ""
    return {"description": description, "type": "object", "additionalProperties": False, "properties": properties}


def _kind_schema(kind: object, path: tuple[str, ...]) -> dict[str, object]:
    if kind is bool:
        return {"type": "boolean"}
    if kind is datetime:
        # TOML has dates of its own, JSON has not: readers hand them over as something that is no JSON type.
        no_json = {"not": {"type": ["string", "number", "boolean", "array", "object", "null"]}}
        text = {
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2})?)?$",
        }
        return {"anyOf": [text, no_json]}
    if get_origin(kind) is Literal:
        return {"type": "string", "enum": list(get_args(kind))}
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _kind_schema(get_args(kind)[0], path)}
    if get_origin(kind) is Mapping:
        name, value = get_args(kind)
        return {
            "type": "object",
            "propertyNames": _kind_schema(name, path),
            "additionalProperties": _kind_schema(value, path),
        }
    patterns = [rule.pattern for rule in rules(kind)]
    if patterns:
        more: dict[str, object] = {"allOf": [{"pattern": pattern} for pattern in patterns[1:]]} if patterns[1:] else {}
        string = {"type": "string", "pattern": patterns[0], **more}
        if any(rule.or_list for rule in rules(kind)):  # a table in it stands for keys with dots
            return {"anyOf": [string, {"type": "array", "items": string}, {"type": "object"}]}
        return {"anyOf": [string, {"const": False}]} if any(rule.or_false for rule in rules(kind)) else string
    assert isinstance(kind, type)
    return _table_schema(kind, path)


def _toml(text: str) -> object:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    value: object = tomllib.loads(f"value = {text}")["value"]
    return value


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    write(Path(*sys.argv[1:]))
