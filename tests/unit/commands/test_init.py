from __future__ import annotations

from pathlib import Path

import pytest

from mamba_press.__main__ import main

RECIPE = """\
target:
  - "zlib >=1.3"
output:
  dir: dist
"""


def test_a_project_that_is_there_stays(capsys):
    Path("pyproject.toml").write_text("mine\n")
    Path("recipe.yaml").write_text(RECIPE)
    assert main(["init", "--from", "recipe.yaml"]) == 2
    assert "pyproject.toml: is there already\n  name another folder with -o" in capsys.readouterr().err
    assert Path("pyproject.toml").read_text() == "mine\n"


def test_a_recipe_is_asked_for(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["init"])
    assert ended.value.code == 2
    assert "--from" in capsys.readouterr().err


def test_what_is_no_recipe_writes_nothing(capsys):
    Path("recipe.yaml").write_text("- 1\n")
    assert main(["init", "--from", "recipe.yaml", "-o", "project"]) == 2
    assert "recipe.yaml" in capsys.readouterr().err
    assert not Path("project", "pyproject.toml").exists()
