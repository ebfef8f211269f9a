from __future__ import annotations

import pytest

from mamba_press.config import recipe, recipe_table


@pytest.fixture
def project(tmp_path):
    """Write a pyproject.toml and return its folder."""

    def write(text):
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return recipe.read(path)

    return read


@pytest.fixture
def table(read):
    def table(text, name=None):
        return recipe_table.table(read(text), name)

    return table
