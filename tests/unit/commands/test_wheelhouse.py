from __future__ import annotations

from pathlib import Path

import pytest

from mamba_press import __main__ as command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--platform", "win-64"), "--platform: Windows has no search paths"),
        (("--platform", "linux-64,osx-arm64"), "--platform: names several, linux-64,osx-arm64, and this is"),
        (("--python", "3.11,3.12"), "--python: names several"),
        (("--name", "a b"), "--name: 'a b' is no name"),
    ],
)
def test_what_no_wheelhouse_is_for_is_told_before_anything_is_solved(empty_folder, capsys, words, said):
    assert command.main(["wheelhouse", "zlib", "-c", "/a channel that is not there", *words]) == 2
    assert said in capsys.readouterr().err
    assert not list(empty_folder.iterdir())


def test_a_wheelhouse_of_a_project_with_code_is_refused_before_anything_is_solved(empty_folder, capsys):
    text = '[project]\nname = "app"\nversion = "1"\n[tool.mamba-press]\nchannels = ["nowhere"]\npackages = ["zlib"]\n'
    Path("pyproject.toml").write_text(f'{text}[build-system]\nrequires = []\nbuild-backend = "mamba_press.build"\n')
    Path("app").mkdir()
    Path("app", "__init__.py").touch()
    assert command.main(["wheelhouse", "."]) == 2
    assert "has code of its own, such as" in capsys.readouterr().err
