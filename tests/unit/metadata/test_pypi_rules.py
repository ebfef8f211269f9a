"""What PyPI and installers refuse of a ``[project]`` table, told with the key and what to do."""

from __future__ import annotations

import pytest
from pyproject_metadata import StandardMetadata

from mamba_press.metadata import pypi_rules


def refused(**project):
    table = {"project": {"name": "x", "version": "1", **project}}
    return [str(problem) for problem in pypi_rules.refused(StandardMetadata.from_pyproject(table))]


PRIVATE = {"classifiers": ["Private :: Do Not Upload"]}


def test_a_plain_project_is_not_refused():
    assert refused(description="a" * 512, authors=[{"name": "A", "email": "a@b.cd"}, {"name": "B"}]) == []


@pytest.mark.parametrize(
    ("project", "said"),
    [
        (
            {"description": "a" * 513},
            "project.description: has 513 characters, PyPI takes 512\n  the long text belongs into project.readme",
        ),
        (
            {"readme": {"text": "x", "content-type": "text/html; charset=UTF-8"}},
            (
                "project.readme.content-type: 'text/html; charset=UTF-8' is none of text/markdown, text/x-rst, "
                "text/plain\n  write one of them"
            ),
        ),
        (
            {"maintainers": [{"name": "A", "email": "a"}]},
            "project.maintainers: 'a' is no e-mail address\n  correct it, or leave email out",
        ),
        (
            {"scripts": {"a": "b"}},
            "project.scripts.a: 'b' names no function\n  write \"package.module:function\"",
        ),
        (
            {"entry-points": {"group": {"a": "b:"}}},
            "project.entry-points.group.a: 'b:' names no object\n  write \"package.module:function\"",
        ),
        (
            {"entry-points": {"gui_scripts": {"a": "b:c"}}},
            "project.entry-points.gui_scripts: belongs into a table of its own\n  move it to [project.gui-scripts]",
        ),
    ],
)
def test_what_is_refused_is_told_with_its_key_and_what_to_do(project, said):
    assert refused(**project) == [said]


def test_an_object_of_an_entry_point_may_be_a_module_and_have_extras():
    points = {"a": "b", "c": "d.e : f.g", "h": "i:j [k,l]"}
    assert refused(**{"entry-points": {"group": points}}) == []


REQUIRE = "require a version"
PRIVATELY = 'or add the classifier "Private :: Do Not Upload" if it is not for PyPI'


def test_what_only_pypi_refuses_may_be_in_a_private_project():
    project = {
        "version": "1.2+local",
        "dependencies": ["a @ https://b", "c"],
        "optional-dependencies": {"e": ["d @ https://f"]},
    }
    assert refused(**project) == [
        f"project.version: 1.2+local is a local version, which PyPI refuses\n  write 1.2, {PRIVATELY}",
        f"project.dependencies: 'a @ https://b' names a URL, which PyPI refuses\n  {REQUIRE}, {PRIVATELY}",
        f"project.optional-dependencies.e: 'd @ https://f' names a URL, which PyPI refuses\n  {REQUIRE}, {PRIVATELY}",
    ]
    assert refused(**project, **PRIVATE) == []


def test_what_installers_refuse_may_not_be_in_a_private_project_either():
    assert len(refused(scripts={"a": "b"}, **PRIVATE)) == 1
