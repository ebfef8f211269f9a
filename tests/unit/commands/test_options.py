from __future__ import annotations

import os
from pathlib import Path

import pytest

from mamba_press import __main__ as command
from mamba_press.commands import options, parser
from mamba_press.errors import ConfigError
from mamba_press.pipeline import solve


def order(*arguments: str):
    return options.order(parser.parse(arguments), {})


def test_specs_make_one_order_without_a_project():
    found = order("list", "libcurl 8.*", "zlib", "--python", "3.12", "--platform", "linux-64", "--name", "curl")
    assert found.project is None
    assert found.config.packages == ("libcurl 8.*", "zlib")
    assert (found.name, str(found.target.python), found.target.subdir) == ("curl", "3.12", "linux-64")
    assert found.root == Path.cwd()


NAMELESS = """\
mamba-press: the configuration cannot be used
- the specs: zlib, libcurl would be in one wheel, which has no name
  for one wheel with all of them: --name NAME
  for a wheel each: mamba-press wheelhouse zlib 'libcurl >=8'
"""


@pytest.mark.parametrize("call", [["press"], ["press", "--platform", "linux-64,osx-arm64"], ["list"], ["wheelhouse"]])
@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_not_passed_over(capsys, call, name):
    assert command.main([*call, "zlib", "--name", name]) == 2
    assert (
        capsys.readouterr().err
        == f"""\
mamba-press: the configuration cannot be used
- --name: {name!r} is no name
  take letters, digits and . _ - in between, or leave it out
"""
    )


@pytest.mark.parametrize("call", [["press"], ["press", "--platform", "linux-64,osx-arm64"], ["list"], ["explain"]])
def test_several_specs_without_a_name_are_an_error_that_names_both_ways(capsys, call):
    assert command.main([*call, "zlib", "libcurl >=8"]) == 2
    assert capsys.readouterr().err == NAMELESS


def test_packages_beside_specs_are_not_passed_over(capsys):
    assert command.main(["list", "zlib", "-C", "packages=lz4-c"]) == 2
    assert capsys.readouterr().err == (
        "mamba-press: the configuration cannot be used\n"
        "- -C packages: names packages, and so do the arguments\n"
        "  name all of them as arguments\n"
    )


def test_several_specs_of_one_package_need_no_name():
    assert order("press", "zlib >=1.2", "conda-forge::Zlib <2").config.packages == (
        "zlib >=1.2",
        "conda-forge::Zlib <2",
    )


def test_several_specs_are_a_wheel_each_in_a_wheelhouse():
    assert order("wheelhouse", "zlib", "libcurl").config.packages == ("zlib", "libcurl")


def test_options_are_the_settings_of_a_build():
    found = order(
        "press", "zlib", "--offline", "-C", "constraints=a <2", "-C", "constraints=b", "-c", "one", "-c", "two"
    )
    assert found.config.offline
    assert found.config.constraints == ("a <2", "b")
    assert found.config.channels == ("one", "two")


def test_a_setting_may_hold_further_equal_signs():
    assert order("press", "zlib", "-C", "constraints=a==2").config.constraints == ("a==2",)


def test_a_channel_is_a_folder_by_how_its_text_begins_and_then_taken_from_the_current_folder(empty_folder):
    empty_folder.joinpath("conda-forge").mkdir()
    found = order("press", "zlib", "-c", "./other", "-c", "conda-forge", "-c", "a/b", "-c", "https://example.org/c")
    here = str(empty_folder)
    assert found.config.channels == (
        os.path.join(here, "other"),  # noqa: PTH118
        "conda-forge",
        "a/b",
        "https://example.org/c",
    )


def test_a_name_is_compared_with_the_folders_where_relative_channels_start(empty_folder):
    text = '[project]\nname = "own"\nversion = "1"\n[tool.mamba-press]\npackages = ["zlib"]\nchannels = ["a", "b"]\n'
    for folder in ("project/a", "b"):
        empty_folder.joinpath(folder).mkdir(parents=True)
    empty_folder.joinpath("project/pyproject.toml").write_text(text)
    assert solve.question(order("press", "project")).alike == ("a",)
    assert solve.question(order("press", "project", "-c", "a", "-c", "b")).alike == ("b",)


def test_a_folder_with_a_project_is_that_project(empty_folder):
    project = empty_folder / "zlib"
    project.mkdir()
    project.joinpath("pyproject.toml").write_text(
        '[project]\nname = "own"\nversion = "1"\n[tool.mamba-press]\npackages = ["zlib"]\n'
    )
    found = order("press", "zlib")
    assert found.project is not None
    assert found.project.name == "own"
    for arguments in (["zlib", "libcurl"], ["zlib", "--name", "other"]):
        with pytest.raises(ConfigError, match="is a project"):
            order("press", *arguments)


@pytest.mark.parametrize("what", [".", "..", "./zlib", "dist/zlib", "/tmp", "recipe.yaml", "a/recipe.yml"])
def test_a_path_that_is_no_project_is_not_taken_for_a_spec(what):
    with pytest.raises(ConfigError) as refused:
        order("press", what)
    assert refused.value.problems[0].where == what


@pytest.mark.parametrize("name", ["zlib", "notes"])
def test_what_is_here_is_not_looked_for_in_a_channel(name, empty_folder):
    empty_folder.joinpath("zlib").mkdir()
    empty_folder.joinpath("notes").touch()
    with pytest.raises(ConfigError) as refused:
        order("press", "curl", name)
    (problem,) = refused.value.problems
    assert problem.where == name
    assert problem.hint.endswith(f'for the conda package of that name, write "{name} *"')
    assert order("press", f"{name} *").config.packages == (f"{name} *",)


def test_a_spec_may_be_longer_than_the_name_of_any_file():
    spec = f"zlib {'|'.join(f'1.{minor}.*' for minor in range(100))}"
    assert order("press", spec).config.packages == (spec,)


@pytest.mark.parametrize(
    "spec", ["zlib", "conda-forge::zlib >=1.2", "https://example.org/c::zlib", "c/label/dev::zlib", 'zlib[url="a/b"]']
)
def test_a_spec_with_a_channel_in_front_is_one(spec):
    assert order("press", spec).config.packages == (spec,)


def test_a_file_that_cannot_be_pressed_is_not_looked_for_in_a_channel(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("no wheel")
    assert command.main(["explain", "notes.txt"]) == 2
    assert "- notes.txt: is a file, and none that can be pressed\n  name a project's folder" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["ruamel.yaml", "ruamel.yaml >=0.18", "conda-forge::zlib"])
def test_a_package_whose_name_ends_like_a_recipe_is_a_spec(what):
    assert options._no_spec(what) is None
