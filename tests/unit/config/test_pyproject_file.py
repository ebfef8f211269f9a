from __future__ import annotations

import pytest

from mamba_press.config.reader import read
from mamba_press.errors import ConfigError


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        (b"\xff", "pyproject.toml:1", "is not UTF-8, as TOML has to be"),
        (b"a = 1\nb = '\xe4'\n", "pyproject.toml:2", "is not UTF-8, as TOML has to be"),
        (b"a = " + b"[" * 20_000, "pyproject.toml", "is nested too deeply"),
        (b"a" + b".a" * 5_000 + b" = 1", "pyproject.toml", "is nested too deeply"),
        (b"tool = 1\n", "tool", "found a number, expected a table"),
        (b"[tool]\nmamba-press = 'x'\n", "tool.mamba-press", 'found "x", expected a table'),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, where, what):
    (tmp_path / "pyproject.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, None, {})
    assert (caught.value.problems[0].where, caught.value.problems[0].what) == (where, what)


def test_a_number_too_long_for_python_is_refused(project):
    with pytest.raises(ConfigError) as caught:
        read(project(f"a = {'1' * 5000}\n"), None, {})
    assert caught.value.problems[0].what.startswith("is not TOML: ")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path, None, {})


def test_the_caret_stays_on_the_screen(project):
    with pytest.raises(ConfigError) as caught:
        read(project(f"a = '{'x' * 500}' b\n"), None, {})
    line, caret = caught.value.problems[0].hint.splitlines()
    assert max(len(line), len(caret)) <= 100
    assert line[len(caret) - 1] == "b"
