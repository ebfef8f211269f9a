"""How PyPI calls what stays out of a wheel."""

from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.requirements import Requirement

from mamba_press.config.model import Config
from mamba_press.metadata.requirements import pypi_names
from mamba_press.metadata.requirements.pypi_names import Contents
from mamba_press.types import Environment, File, Solution
from tests.support.values import TARGET, package


def python(name, *depends):
    return package(name, "python >=3.8", *depends, noarch="python")


def name_of(package, contents, *others):
    solution = Solution(target=TARGET, packages=(package, *others), channels=())
    return pypi_names.pypi_name(package, contents, solution)


def test_the_name_comes_from_the_packages_own_metadata_first():
    found = {"pytorch": pypi_names.Contents(folders=("torch_fork-2.dist-info",), files=9)}
    assert name_of(python("pytorch"), found) == "torch_fork"
    assert name_of(python("pytorch"), {}) == "torch"
    assert name_of(python("unheard-of"), {"unheard-of": pypi_names.Contents(problem="404")}) is None


def test_a_package_without_files_is_called_like_its_body():
    shell, body = python("some-thing", "some_thing 1.0 0"), python("some_thing")
    found = {
        "some-thing": pypi_names.Contents(),
        "some_thing": pypi_names.Contents(folders=("Some_Thing-1.0.dist-info",), files=3),
    }
    assert name_of(shell, found, body) == "Some_Thing"
    shell = python("matplotlib", "matplotlib-base >=3")
    assert name_of(shell, {"matplotlib": pypi_names.Contents()}, python("matplotlib-base")) == "matplotlib"
    assert name_of(python("some-thing"), {"some-thing": pypi_names.Contents()}, python("other")) is None


def test_only_packages_whose_name_matters_are_looked_into():
    pressed = package("p", "pytorch", "some-thing", "nomkl")
    others = (python("pytorch"), python("some-thing", "some_thing", "six"), python("some_thing"), python("six"))
    solution = Solution(target=TARGET, packages=(pressed, *others, python("nomkl")), channels=())
    config = Config(packages=("p",), requires={"pytorch": "torch"})
    needed = pypi_names.needs(solution, (pressed,), config)
    assert pypi_names.asked(needed, solution, config) == {"some-thing", "some_thing"}


@pytest.mark.parametrize(
    "known", [Contents(problem="404"), Contents(files=3), Contents(folders=("a-1.dist-info", "b-1.dist-info"))]
)
def test_only_a_package_of_which_it_is_known_that_it_has_no_files_is_called_like_its_body(known):
    shell = python("matplotlib", "matplotlib-base >=3")
    assert name_of(replace(shell, name="matplotlib"), {"matplotlib": Contents()}, python("matplotlib-base"))
    shell, body = python("some-thing", "some_thing 1.0 0"), python("some_thing")
    found = {"some-thing": known, "some_thing": Contents(folders=("Some_Thing-1.0.dist-info",), files=3)}
    assert name_of(shell, found, body) is None


def test_what_pypi_has_no_use_for_has_no_name_whatever_its_metadata_say():
    assert name_of(python("nomkl"), {"nomkl": Contents(folders=("nomkl-1.0.dist-info",), files=1)}) == ""


def test_the_names_of_all_that_is_needed_are_asked_for():
    needed = [pypi_names.Need(package=python(name), by=()) for name in ("pytorch", "some-thing", "own")]
    solution = Solution(target=TARGET, packages=(python("some_thing"),), channels=())
    needed[1] = replace(needed[1], package=python("some-thing", "some_thing"))
    found = {
        "own": Contents(folders=("OWN-1.0.dist-info",), files=1),
        "some_thing": Contents(folders=("Some_Thing-1.0.dist-info",), files=3),
    }
    assert pypi_names.names(needed, found, solution) == {"pytorch": "torch", "some-thing": "Some_Thing", "own": "OWN"}


def test_python_is_nothing_that_stays_out():
    pressed, alone = package("p", "python", "six"), replace(package("python"), noarch="python")
    solution = Solution(target=TARGET, packages=(pressed, alone, python("six")), channels=())
    needed = pypi_names.needs(solution, (pressed,), Config(packages=("p",)))
    assert [need.package.name for need in needed] == ["six"]


def test_a_package_is_known_by_its_metadata_folders_and_the_number_of_its_files(tmp_path):
    site = "lib/python3.10/site-packages"
    paths = {
        f"{site}/b-1.0.dist-info/METADATA": "one",
        f"{site}/b-1.0.dist-info/RECORD": "one",
        f"{site}/a-1.0.egg-info": "one",
        f"{site}/one/__init__.py": "one",
        f"{site}/two-1.0.dist-info/METADATA": "two",
        "share/c-1.0.dist-info/METADATA": "two",
    }
    files = tuple(File(path=path, source=tmp_path, package=owner, size=0) for path, owner in paths.items())
    environment = Environment(
        prefix=tmp_path, files=files, packages=(package("one"), package("two"), package("none")), info={}
    )
    assert pypi_names.contents(environment) == {
        "one": Contents(folders=["a-1.0.egg-info", "b-1.0.dist-info"], files=4),
        "two": Contents(folders=["two-1.0.dist-info"], files=2),
        "none": Contents(folders=[], files=0),
    }


def test_every_name_of_the_table_is_one():
    table = pypi_names.named()
    assert all(key == key.lower() and (not name or Requirement(name).name == name) for key, name in table.items())
