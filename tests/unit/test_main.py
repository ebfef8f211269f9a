"""The command line: what its arguments mean, and what it says of those that mean nothing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mamba_press import __main__ as command
from mamba_press import __version__, commands
from mamba_press.commands import options, parser
from mamba_press.errors import ConfigError
from mamba_press.pipeline import solve
from mamba_press.problem import Setting


def order(*arguments: str):
    return options.order(parser.parse(arguments), {})


@pytest.fixture(autouse=True)
def empty_folder(other_directory) -> Path:
    return other_directory


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"mamba-press {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["press"], ["pres", "zlib"], ["press", "zlib", "--pyton", "3.12"]])
def test_a_call_that_means_nothing_ends_with_2_and_says_how(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert "usage: mamba-press" in capsys.readouterr().err


@pytest.mark.parametrize("name", commands.HELP)
def test_the_help_of_a_command_says_what_it_does_and_shows_calls_that_parse(name, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert commands.HELP[name].lower() in " ".join(said.split()).lower()
    examples = re.findall(rf"mamba-press {name} .*", said[said.index("examples:") :])
    assert examples
    for example in examples:
        parser.parse(shlex.split(re.split(r" {2,}| \| ", example)[0])[1:])


def test_every_module_of_a_command_is_in_the_help():
    shared = {"__init__", "options", "output", "parser"}
    assert {path.stem for path in Path(commands.__file__).parent.glob("*.py")} - shared == set(commands.HELP)


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


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (Setting("packages"), "the specs"),
        (Setting("platform"), "--platform"),
        (Setting("link.system"), "-C link.system"),
        (Setting("constraints"), "-C constraints"),
        (Setting("layout.move", name="'a'"), "-C layout.move.'a'"),
        (Setting("link.runtimes", "bundle"), "-C link.runtimes='bundle'"),
        (Setting("link.strip", value=True), "-C link.strip='true'"),
        (Setting("select.exclude", ("bin/x",)), "-C select.exclude='bin/x'"),
        (Setting("select.exclude", ("a", "it's")), """-C select.exclude='a' -C select.exclude='it'"'"'s'"""),
        (Setting("sources.modules", ()), "-C sources.modules=''"),
        (Setting("requires", value=False, name="zlib"), "-C requires.zlib='false'"),
        (Setting("licenses.named", "MIT", name="a.b"), "-C licenses.named.a.b='MIT'"),
    ],
)
def test_a_call_without_a_project_is_told_of_options_not_of_a_table(setting, expected):
    assert options.as_typed(setting) == expected


@pytest.mark.parametrize(
    ("given", "variable", "expected"),
    [
        (["--platform", "x"], "y", "--platform"),
        (["-C", "platform=x"], "y", "-C platform"),
        ([], "y", "MAMBA_PRESS_PLATFORM"),
        ([], "", "tool.mamba-press.platform"),
    ],
)
def test_a_key_of_a_project_is_called_as_it_was_given(given, variable, expected, empty_folder, capsys, monkeypatch):
    project = '[project]\nname = "own"\nversion = "1"\n[tool.mamba-press]\npackages = ["a"]\nplatform = "z"\n'
    empty_folder.joinpath("pyproject.toml").write_text(project)
    monkeypatch.setenv("MAMBA_PRESS_PLATFORM", variable)
    assert command.main(["list", ".", *given]) == 2
    assert f"- {expected}: '{(given or [variable or 'z'])[-1][-1]}' is neither" in capsys.readouterr().err


def test_a_file_that_is_no_wheel_ends_check_with_6(empty_folder, capsys):
    empty_folder.joinpath("notes.whl").write_text("notes")
    assert command.main(["check", "notes.whl"]) == 6
    assert capsys.readouterr().out.startswith("notes.whl: 1 problem\n- notes.whl: cannot be read as a wheel")


@pytest.mark.parametrize("words", [["explain"], ["edit", "--require", "a", "--build-number", "1"]])
def test_a_wheel_that_cannot_be_read_is_not_called_one_that_cannot_be_written(empty_folder, capsys, words):
    empty_folder.joinpath("notes-1-py3-none-any.whl").write_text("notes")
    assert command.main([*words, "notes-1-py3-none-any.whl"]) == 6
    assert capsys.readouterr().err.startswith("mamba-press: the wheel cannot be read\n- notes-1-py3-none-any.whl: ")


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


def test_a_wrong_option_ends_with_2_and_its_text(capsys):
    assert command.main(["press", "zlib", "--python", "2.7"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mamba-press: the configuration cannot be used\n- --python: ")


def test_a_file_that_cannot_be_pressed_is_not_looked_for_in_a_channel(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("no wheel")
    assert command.main(["explain", "notes.txt"]) == 2
    assert "- notes.txt: is a file, and none that can be pressed\n  name a project's folder" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["ruamel.yaml", "ruamel.yaml >=0.18", "conda-forge::zlib"])
def test_a_package_whose_name_ends_like_a_recipe_is_a_spec(what):
    assert options._no_spec(what) is None


WITHOUT_DESCRIPTORS = """
import os, resource, sys
import mamba_press.build
from mamba_press import __main__, boundary, commands, credentials, errors, interrupts, log, problem

from mamba_press.commands import list, parser
from mamba_press.config import reader
from mamba_press.pipeline import hooks
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_streams_that_are_there_need_no_descriptor():
    subprocess.run([sys.executable, "-c", f"{WITHOUT_DESCRIPTORS}log.require_streams()"], check=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(
    ("call", "code", "module"),
    [
        ("sys.exit(__main__.main(['list']))", 6, "interrupts"),
        ("sys.exit(__main__.main(['list']))", 6, "commands.parser"),
        ("mamba_press.build.get_requires_for_build_wheel()", 1, "interrupts"),
    ],
)
def test_what_cannot_be_imported_for_want_of_descriptors_is_no_bug(tmp_path, call, code, module):
    package, _, name = f"mamba_press.{module}".rpartition(".")
    gone = f"del sys.modules['{package}.{name}'], sys.modules['{package}'].{name}\n"
    called = [sys.executable, "-c", WITHOUT_DESCRIPTORS + gone + call]
    done = subprocess.run(called, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == code
    assert re.fullmatch(
        rf"mamba-press: the wheel cannot be written\n- .*{name}\.py: Too many open files\n"
        r"  raise the number of files that a process may open \(ulimit -n\)\n",
        done.stderr,
    )
