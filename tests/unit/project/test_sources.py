"""A project's own code is found where build backends find it, and nothing else is taken for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from packaging.version import Version

from mamba_press.config import reader
from mamba_press.errors import ConfigError
from mamba_press.project import sources
from mamba_press.types import Project

VERSION = Version("1.2")


def project(root: Path, *paths: str, name: str = "My.Tool", gitignore: str = "") -> Project:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{path}\n")
    if gitignore:
        (root / ".gitignore").write_text(gitignore)
    return Project(root=root, name=name, version=VERSION)


def wanted(**table: object):
    return reader.from_values({"packages": ["x"], "sources": table}, {}, {}).sources


def collected(asked: Project, **table: object) -> dict[str, str]:
    """The path in the project of each file by its path below site-packages."""
    workdir = asked.root.parent / "work"
    workdir.mkdir(exist_ok=True)
    own = sources.collect(asked, VERSION, wanted(**table), workdir)
    return {file.path: os.path.relpath(file.source, asked.root) for file in own.files}


def refusal(asked: Project, **table: object) -> list[str]:
    with pytest.raises(ConfigError) as error:
        collected(asked, **table)
    return [str(problem) for problem in error.value.problems]


# --- without a name


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["src/my_tool/__init__.py", "src/my_tool/deep/x.txt"], ["my_tool/__init__.py", "my_tool/deep/x.txt"]),
        (["my_tool/__init__.py"], ["my_tool/__init__.py"]),
        (["My_Tool/__init__.py"], ["My_Tool/__init__.py"]),
        (["src/my_tool.py"], ["my_tool.py"]),
        (["my_tool.py", "other.py"], ["my_tool.py"]),
    ],
    ids=["src", "flat", "case", "module in src", "module"],
)
def test_code_that_is_called_like_the_project_is_found(paths, found, tmp_path):
    assert sorted(collected(project(tmp_path / "p", *paths))) == found


@pytest.mark.parametrize(
    "path",
    ["tests/__init__.py", "docs/conf.py", "my_tool/data.txt", "src/other/__init__.py", "setup.py", "my_tool.pyi"],
)
def test_nothing_else_is_taken_for_own_code(path, tmp_path):
    assert collected(project(tmp_path / "p", path)) == {}


def test_stubs_are_found_by_their_folder(tmp_path):
    asked = project(tmp_path / "p", "my_tool-stubs/__init__.pyi", "my_tool/__init__.py", name="my-tool-stubs")
    assert collected(asked) == {"my_tool-stubs/__init__.pyi": "my_tool-stubs/__init__.pyi"}


def test_two_places_are_refused_until_one_is_named(tmp_path):
    asked = project(tmp_path / "p", "src/my_tool/__init__.py", "my_tool/__init__.py")
    (problem,) = refusal(asked)
    assert "src/my_tool and my_tool have the same name" in problem
    assert collected(asked, root=".") == {"my_tool/__init__.py": "my_tool/__init__.py"}
    assert collected(asked, root="src") == {"my_tool/__init__.py": "src/my_tool/__init__.py"}


def test_an_empty_list_is_no_code(tmp_path):
    assert collected(project(tmp_path / "p", "my_tool/__init__.py"), modules=[]) == {}


# --- by name


def test_modules_are_named_as_they_are_imported(tmp_path):
    asked = project(
        tmp_path / "p", "python/ns/tool/__init__.py", "python/ns/other/x.py", "python/one.py", "python/data/x.csv"
    )
    assert collected(asked, root="python", modules=["ns.tool", "one", "data"]) == {
        "ns/tool/__init__.py": "python/ns/tool/__init__.py",
        "one.py": "python/one.py",
        "data/x.csv": "python/data/x.csv",
    }


def test_every_name_that_is_nowhere_is_told_with_the_places(tmp_path):
    first, second = refusal(project(tmp_path / "p"), modules=["ns.tool", "other"])
    assert "there is no 'ns.tool': looked for src/ns/tool/ or src/ns/tool.py and ns/tool/ or ns/tool.py" in first
    assert "'other'" in second


# --- which files


def test_what_is_compiled_or_ignored_stays_out(tmp_path):
    asked = project(
        tmp_path / "p",
        *("src/my_tool/__init__.py", "src/my_tool/__pycache__/x.cpython-311.pyc", "src/my_tool/old.pyc"),
        *("src/my_tool/_made.py", "src/my_tool/_built/x.py"),
        gitignore="_made.py\n_built/\n",
    )
    assert sorted(collected(asked)) == ["my_tool/__init__.py"]
    included = collected(asked, include=["src/my_tool/_made.py", "src/my_tool/_built/**"])
    assert sorted(included) == ["my_tool/__init__.py", "my_tool/_built/x.py", "my_tool/_made.py"]


def test_what_is_excluded_stays_out(tmp_path):
    asked = project(tmp_path / "p", "my_tool/__init__.py", "my_tool/tests/x.py", "my_tool/_x.c")
    assert sorted(collected(asked, exclude=["my_tool/tests/**", "**/*.c"])) == ["my_tool/__init__.py"]


def test_a_module_of_which_nothing_is_left_is_refused(tmp_path):
    (problem,) = refusal(project(tmp_path / "p", "my_tool/__init__.py", gitignore="my_tool/\n"))
    assert 'include = ["my_tool/**"]' in problem


def test_the_version_file_is_made_and_the_sources_are_left_alone(tmp_path):
    asked = project(tmp_path / "p", "src/my_tool/__init__.py")
    found = collected(asked, **{"version-file": "src/my_tool/_version.py"})
    made: dict[str, str] = {}
    exec((asked.root / found["my_tool/_version.py"]).read_text(), made)
    assert made["__version__"] == "1.2"
    assert not (asked.root / "src/my_tool/_version.py").exists()


def test_a_version_file_outside_of_the_modules_is_refused(tmp_path):
    asked = project(tmp_path / "p", "src/my_tool/__init__.py")
    (problem,) = refusal(asked, **{"version-file": "src/other/_version.py"})
    assert "lies in no module of the project" in problem
    assert "src/my_tool" in problem


def test_a_file_keeps_the_owners_bit(tmp_path):
    asked = project(tmp_path / "p", "my_tool/__init__.py", "my_tool/run.sh")
    (asked.root / "my_tool/run.sh").chmod(0o755)
    own = sources.collect(asked, VERSION, wanted(), tmp_path)
    assert {file.path: file.executable for file in own.files} == {
        "my_tool/__init__.py": False,
        "my_tool/run.sh": os.name != "nt",
    }
