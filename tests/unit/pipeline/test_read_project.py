from __future__ import annotations

from pathlib import Path

import pytest

from mamba_press.errors import ConfigError, Setting
from mamba_press.pipeline import read_project, requires

PLAIN = """\
[project]
name = "my-tool"
{version}

[tool.mamba-press]
{table}
"""


def plain(root: Path, table: str = "", version: str = 'version = "1.0"') -> Path:
    root.joinpath("pyproject.toml").write_text(PLAIN.format(table=table, version=version))
    return root


def test_a_project_without_packages_and_without_code_has_nothing_to_press(tmp_path, monkeypatch):
    monkeypatch.chdir(plain(tmp_path, 'host = ["zlib"]'))
    with pytest.raises(ConfigError, match=r"no my_tool/__init__\.py and no my_tool\.py, in src or beside"):
        read_project.read(tmp_path, None, {})
    plain(tmp_path)
    with pytest.raises(ConfigError, match="names no package"):
        requires.requirements(None, environ={})


EXCLUDED = """\
the configuration cannot be used
- project.requires-python: '>=3.12' excludes Python 3.10, the target
  press for one that it allows, such as 3.12 (tool.mamba-press.python, tool.mamba-press.matrix.python); or let \
project.requires-python allow 3.10"""


@pytest.mark.parametrize("backend", ["", 'build-backend = "other"\n'])
def test_a_python_that_the_project_excludes_is_not_pressed_for(tmp_path, backend):
    project = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.12"\n'
    text = f'{project}[tool.mamba-press]\npackages = ["zlib"]\npython = "3.10"\n{backend}'
    tmp_path.joinpath("pyproject.toml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_project.order(tmp_path, {}, {})
    assert str(raised.value) == EXCLUDED
    assert read_project.order(tmp_path, {"python": "3.12"}, {}).target.python.minor == 12


def test_code_alone_asks_for_no_solver(tmp_path, monkeypatch):
    monkeypatch.chdir(plain(tmp_path))
    tmp_path.joinpath("my_tool.py").write_text("")
    assert not [each for each in requires.requirements(None, environ={}) if each.startswith("py-rattler")]


def test_what_an_inner_backend_decides_is_not_said_twice(tmp_path):
    table = 'build-backend = "setuptools.build_meta"\nsources.modules = ["my_tool"]\nsources.include = ["x.py"]'
    plain(tmp_path, table)
    with pytest.raises(ConfigError, match=r"tool\.mamba-press\.sources\.modules: is not looked at") as error:
        read_project.read(tmp_path, None, {})
    keys = [problem.where for problem in error.value.problems]
    assert keys == [Setting("sources.modules"), Setting("sources.include")]


def test_the_licence_of_code_is_nobody_elses_to_know(tmp_path):
    plain(tmp_path, 'packages = ["zlib"]', 'dynamic = ["version", "license"]')
    read_project.read(tmp_path, None, {})
    tmp_path.joinpath("my_tool.py").write_text("")
    with pytest.raises(ConfigError, match="no conda package knows the licence of the project's own code"):
        read_project.read(tmp_path, None, {})


def test_without_a_pressed_package_nothing_can_be_taken_from_one(tmp_path):
    plain(tmp_path, 'host = ["zlib"]', 'dynamic = ["version", "readme", "dependencies"]')
    tmp_path.joinpath("my_tool.py").write_text("")
    with pytest.raises(ConfigError) as error:
        read_project.read(tmp_path, None, {})
    assert [problem.what.partition(":")[0] for problem in error.value.problems] == [
        '"version" cannot be dynamic',
        '"readme" cannot be dynamic',
    ]
