from __future__ import annotations

import json
import os
import string
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mamba_press.config.keys import VARIABLE, keys
from mamba_press.config.model import Config
from mamba_press.config.reader import from_values, read
from mamba_press.config.schema_types import (
    Backend,
    ElsewhereLibrary,
    Folder,
    Hook,
    Inside,
    ModuleName,
    PackageName,
    Size,
    Variable,
)
from mamba_press.errors import ConfigError
from tests.support import reference

KEYS = [key for key in keys() if not key.table]

# Texts that an environment variable can carry in a list: no ; and no space at the ends.
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"], exclude_characters=";"), min_size=1, max_size=12)
NAME = st.text(string.ascii_letters + "_", min_size=1, max_size=8)
PATH = st.lists(NAME | st.sampled_from(["a.so.1", "x-y", "...", ".x"]), min_size=1, max_size=3).map("/".join)
KINDS = {
    PackageName: NAME,
    Backend: NAME,
    ModuleName: NAME | st.sampled_from(["a.b_1", "a-stubs"]),
    Folder: PATH | st.just("."),
    Size: st.sampled_from(["100 MB", "1.5GiB", "7B"]),
    Hook: NAME.map(lambda name: f"tools/{name}.py:{name}"),
    Inside: PATH,
    Variable: NAME.map(lambda name: f"X_{name}"),
    ElsewhereLibrary: NAME.map(lambda name: f"{name.strip('_') or 'x'} >=1: {name}/lib/{name}.so.1"),
}


def values(kind) -> st.SearchStrategy[object]:
    """What TOML may hold where a key has this type."""
    if kind is bool:
        return st.booleans()
    if kind is datetime:
        days = st.dates(date(1990, 1, 1), date(2100, 1, 1)).map(date.isoformat)
        return days | st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda d: f"{d.isoformat()}+01:00")  # noqa: DTZ001
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is tuple:
        items = values(get_args(kind)[0])
        # One glob that is a claim is told from the claim by TOML only.
        return st.lists(items.filter(lambda text: text.lower() not in CLAIMS), min_size=1, max_size=3)
    if get_origin(kind) is Mapping:
        name, value = get_args(kind)
        return st.dictionaries(KINDS.get(name, PATH), KINDS.get(value, PATH), min_size=1, max_size=3)
    return KINDS.get(kind, TEXT)


CLAIMS = {"true", "false", "1", "0", "on", "off", "yes", "no"}

CONFIGURATIONS = st.fixed_dictionaries(
    {"packages": values(KEYS[1].kinds[0])},
    optional={key.name: st.one_of(*map(values, key.kinds)) for key in KEYS if key.name != "packages"},
)


def as_toml(flat) -> str:
    """The same configuration as text; JSON's strings, lists and claims are TOML's too."""

    def text(value):
        if isinstance(value, dict):
            return (
                "{"
                + ", ".join(f"{json.dumps(k)} = {json.dumps(v, ensure_ascii=False)}" for k, v in value.items())
                + "}"
            )
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

    return "".join(f"tool.mamba-press.{name} = {text(value)}\n" for name, value in flat.items())


def as_settings(flat) -> dict[str, object]:
    """The same as front ends hand it over: a text, or a list where a key was repeated."""
    given: dict[str, list[str]] = {}
    for key in KEYS:
        if key.name in flat:
            for name, text in reference.settings(key, flat[key.name]):
                given.setdefault(name, []).append(text)
    return {name: texts[0] if len(texts) == 1 else texts for name, texts in given.items()}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("project")


@given(flat=CONFIGURATIONS.filter(lambda flat: not (flat.get("locked") and flat.get("frozen"))))
@settings(deadline=None, max_examples=150)
def test_one_configuration_reads_the_same_from_file_settings_and_variables(root, flat):
    (root / "pyproject.toml").write_text(as_toml(flat), encoding="utf-8", newline="\n")
    expected = read(root, None, {})
    environ = {key.variable: reference.variable(flat[key.name]) for key in KEYS if key.name in flat}
    assert from_values({}, as_settings(flat), {}) == expected
    assert from_values({}, None, environ) == expected
    assert from_values({}, {"mamba-press": as_settings(flat)}, {}) == expected


SEGMENTS = st.sampled_from(sorted({part for key in keys() for part in key.path}))
NAMES = SEGMENTS | st.lists(SEGMENTS, min_size=1, max_size=4).map(".".join) | st.text(max_size=6)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["bundle", "a=b", "a=b;c", ";", "2026-10-01", "..", "0001-01-01T00:00:00+14:00"])
    | st.dates()
    | st.datetimes()
    | st.times()
)
GARBAGE = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
TABLES = st.dictionaries(NAMES, GARBAGE, max_size=4)
VARIABLES = st.dictionaries(
    st.text(max_size=8).map(VARIABLE.__add__) | st.sampled_from([key.variable for key in keys()]), st.text(max_size=8)
)


def outcome(reading, *arguments) -> None:
    """Read: a configuration comes back, or an error whose text any terminal can show."""
    result = attempt(reading, *arguments)
    if isinstance(result, ConfigError):
        assert result.problems
        assert len(set(result.problems)) == len(result.problems)
        assert "<class" not in str(result)
        assert all(line.isprintable() for line in str(result).split("\n"))
        str(result).encode()
    else:
        assert isinstance(result, Config)


def attempt(reading, *arguments):
    try:
        return reading(*arguments)
    except ConfigError as error:
        return error


@given(table=TABLES, given_settings=TABLES, environ=VARIABLES)
@settings(deadline=None, max_examples=300)
def test_garbage_as_values_gives_a_configuration_or_its_error(table, given_settings, environ):
    outcome(from_values, table, given_settings, environ)


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(deadline=None, max_examples=200)
def test_garbage_as_a_file_gives_a_configuration_or_its_error(root, content):
    (root / "pyproject.toml").write_bytes(content)
    outcome(read, root, None, {})


@given(flat=CONFIGURATIONS, data=st.data())
@settings(deadline=None, max_examples=200)
def test_a_damaged_file_gives_a_configuration_or_its_error(root, flat, data):
    content = bytearray(as_toml(flat).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=2))
        content = content or bytearray(b" ")
    (root / "pyproject.toml").write_bytes(content)
    outcome(read, root, None, {})


@given(table=TABLES, given_settings=TABLES)
@settings(deadline=None, max_examples=100)
def test_reading_leaves_what_it_was_given_as_it_was(table, given_settings):
    before = repr((table, given_settings))
    outcome(from_values, table, given_settings, dict(os.environ))
    assert repr((table, given_settings)) == before
