from __future__ import annotations

import dataclasses
import json
import sys
from datetime import datetime
from pathlib import Path

import pytest

from mamba_press.config.keys import keys
from mamba_press.config.model import Config, schema
from mamba_press.config.reader import from_values
from mamba_press.errors import ConfigError
from tests.support import reference

ROOT = Path(__file__).parents[3]
KEYS = {key.name: key for key in keys()}
EXAMPLES = reference.examples()


def nested(name: str, value: object) -> dict[str, object]:
    """The TOML table in which one key has a value; every other key that must be there is."""
    table: dict[str, object] = {"packages": ["zlib"]}
    inner = table
    *path, last = name.split(".")
    for part in path:
        inner[part] = {}
        inner = inner[part]
    inner[last] = value
    return table


def test_a_configuration_can_be_neither_changed_nor_extended():
    config = Config(packages=("zlib",))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.packages = ()
    assert not hasattr(config, "__dict__")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_means_the_same_in_all_three_ways(name):
    key, value = KEYS[name], EXAMPLES[name]
    settings: dict[str, object] = {}
    for spelling, text in reference.settings(key, value):
        before = settings.get(spelling)
        settings[spelling] = text if before is None else [*(before if isinstance(before, list) else [before]), text]
    table = {"packages": ["zlib"]}
    read = from_values(nested(name, value), None, {})
    assert read != from_values(table, None, {})
    assert read == from_values(table, settings, {})
    assert read == from_values(table, None, {key.variable: reference.variable(value)})


def test_the_manual_is_current():
    assert (ROOT / reference.MANUAL).read_text(encoding="utf-8") == reference.manual(), "run nox -s generate"


def test_the_schema_is_current():
    assert schema() == reference.schema(), "run nox -s generate"


def test_generating_writes_what_is_committed(tmp_path):
    (tmp_path / reference.SCHEMA).parent.mkdir(parents=True)
    reference.write(tmp_path)
    for name in (reference.MANUAL, reference.SCHEMA):
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()


def test_the_schema_is_that_of_one_tool_only():
    with pytest.raises(ValueError, match="not of other"):
        schema("other")


# --- validate-pyproject, the reader of other people ---


@pytest.fixture(scope="module")
def validate():
    api = pytest.importorskip("validate_pyproject.api")
    plugins = pytest.importorskip("validate_pyproject.plugins")
    validator = api.Validator(plugins=[plugins.PluginWrapper("mamba-press", schema)])
    return lambda table: validator({"tool": {"mamba-press": table}})


def toml(text):
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)


@pytest.mark.parametrize("name", EXAMPLES)
def test_validate_pyproject_takes_every_example(name, validate):
    validate(nested(name, EXAMPLES[name]))


@pytest.mark.parametrize(
    ("moment", "read"),
    [
        ("2026-10-01", "2026-10-01T23:59:59+00:00"),
        ("2026-10-01T12:00:00Z", "2026-10-01T12:00:00+00:00"),
        ("2026-10-01T12:00:00+02:00", "2026-10-01T10:00:00+00:00"),
        ("2026-10-01T12:00:00", "2026-10-01T12:00:00+00:00"),
        ('"2026-10-01"', "2026-10-01T23:59:59+00:00"),
    ],
)
def test_validate_pyproject_takes_dates_of_toml(moment, read, validate):
    table = toml(f'packages = ["zlib"]\nexclude-newer = {moment}')
    validate(table)
    assert from_values(table, None, {}).exclude_newer == datetime.fromisoformat(read)


@pytest.mark.parametrize(
    "text",
    [
        "pakages = ['zlib']",
        "packages = 'zlib'",
        "packages = ['']",
        "offline = 'true'",
        "exclude-newer = 'yesterday'",
        "exclude-newer = 3",
        "placeholders = 'eror'",
        "hook = 'press_hook'",
        "host = 'fmt'",
        "build-backend = 'my backend'",
        "build-backend = 'mamba_press.build'",
        "backend-path = ['../backend']",
        "config-settings = { a = 1 }",
        "config-settings = { a = [true] }",
        "matrix = { pythons = ['3.12'] }",
        "sources.modules = ['a b']",
        "sources.root = '../x'",
        "layout.home = 'a-b'",
        "layout.move = { a = '../b' }",
        "layout.move = { '/a' = 'b' }",
        "link.runtimes = 'bundel'",
        "link.runtimes = { libfoo = 'system' }",
        "link.rename = 'x'",
        "link.floor = 'glibc'",
        "wheel.compression = 'gzip'",
        "wheel.max-size = 3",
    ],
)
def test_validate_pyproject_refuses_what_the_reader_refuses(text, validate):
    errors = pytest.importorskip("validate_pyproject.errors")
    table = toml(text)
    with pytest.raises(errors.ValidationError):
        validate(table)
    with pytest.raises(ConfigError):
        from_values({"packages": ["zlib"], **table}, None, {})


def test_the_schema_is_json_of_one_spelling():
    text = (ROOT / reference.SCHEMA).read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
