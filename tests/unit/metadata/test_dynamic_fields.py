from __future__ import annotations

import pytest

from mamba_press.errors import Note
from mamba_press.metadata import dynamic_fields as metadata_dynamic
from mamba_press.metadata.pyproject import DYNAMIC
from mamba_press.types import NEUTRAL, Project, Requirements
from tests.support.values import package


def complete(raw=None, *, table=None, about=None, derived=None, dynamic=DYNAMIC):
    """Return the completed table and the notes."""
    project = Project(root=NEUTRAL, name="x", version=None, table={"dynamic": list(dynamic), **(table or {})})
    sources = metadata_dynamic.Sources(
        package=package("pkg"), derived=derived or Requirements(), raw=raw or {}, about=about or {}
    )
    found, notes = metadata_dynamic.complete(project, sources)
    return found.table, notes


@pytest.mark.parametrize(
    ("names", "addresses", "people"),
    [
        ("A. Nother", "a@example.org", [{"name": "A. Nother", "email": "a@example.org"}]),
        (None, "A <a@example.org>, B <b@example.org>", [
            {"name": "A", "email": "a@example.org"}, {"name": "B", "email": "b@example.org"}
        ]),
        ("A, B", None, [{"name": "A"}, {"name": "B"}]),
        ("A", "A <a@example.org>", [{"name": "A", "email": "a@example.org"}]),
        ("A", "not an address", [{"name": "A"}]),
        ("UNKNOWN", "UNKNOWN", []),
        ('"Nother, A." ', '"Nother, A." <a@example.org>', None),
    ],
)  # fmt: skip
def test_people_have_a_name_and_an_address_where_known(names, addresses, people):
    raw = {key: value for key, value in (("author", names), ("author_email", addresses)) if value}
    found = complete(raw)[0].get("authors", [])
    if people is None:  # whatever is made of commas in names, nobody gets lost and no address is broken
        assert {"name": "Nother, A.", "email": "a@example.org"} in found
    else:
        assert found == people


def test_an_address_of_comments_in_comments_is_not_read():
    found = complete({"author": "A", "author_email": "(" * 20_000})[0]["authors"]
    assert found == [{"name": "A"}]


@pytest.mark.parametrize(
    ("keywords", "words"), [(["a", "b"], ["a", "b"]), (["a b  c"], ["a", "b", "c"]), (["UNKNOWN"], None), ([""], None)]
)
def test_keywords_of_old_packages_are_split(keywords, words):
    assert complete({"keywords": keywords})[0].get("keywords") == words


def test_a_readme_without_a_type_is_plain_text_for_pypi_would_refuse_what_it_cannot_render():
    readme = complete({"description": "Title\n===\n\n.. unknown::\n"})[0]["readme"]
    assert readme["content-type"] == "text/plain"
    assert readme["text"].endswith("\n\nPressed from the conda package pkg 1.0 0 by mamba-press.\n")


def test_a_readme_keeps_its_type():
    readme = complete({"description": "Title\n===", "description_content_type": "text/x-rst; charset=UTF-8"})[0][
        "readme"
    ]
    assert readme["content-type"] == "text/x-rst"
    assert "``pkg 1.0 0``" in readme["text"]


def test_a_package_that_says_nothing_still_says_where_it_is_from():
    found = complete()[0]
    assert found["readme"]["text"] == "Pressed from the conda package `pkg 1.0 0` by mamba-press.\n"
    assert "description" not in found
    assert "dependencies" not in found


def test_a_summary_is_one_line_of_bearable_length():
    assert complete(about={"summary": "a\n b " + "c" * 600})[0]["description"] == ("a b " + "c" * 508)


@pytest.mark.parametrize(
    ("raw", "urls"),
    [
        ({"home_page": "https://a"}, {"Homepage": "https://a"}),
        ({"home_page": "https://a", "project_urls": {"H": "https://a"}}, {"H": "https://a"}),
        ({"home_page": "UNKNOWN"}, None),
        (
            {"project_urls": {"x" * 33: "https://a", "ok": "https://b", "git": "git@c", "": "https://d"}},
            {"ok": "https://b"},
        ),
    ],
)
def test_addresses_are_those_that_pypi_takes(raw, urls):
    assert complete(raw)[0].get("urls") == urls


def test_what_is_not_dynamic_is_not_touched():
    raw = {"summary": "theirs", "keywords": ["k"], "author": "A", "description": "long", "classifiers": ["c"]}
    derived = Requirements(dependencies=("six",), extras={"e": ('x; extra == "e"',)}, requires_python=">=3.8")
    table, notes = complete(raw, derived=derived, dynamic=(), table={"description": "mine"})
    assert table == {"dynamic": [], "description": "mine"}
    assert "\n".join(map(str, notes)) == (
        "warning: the conda packages require what project.dependencies lacks: six\n"
        '  write it in [project]: dependencies = ["six"]; or let it be computed: dynamic = ["dependencies"]\n'
        "  if the wheel works without one, say so by its conda name: [tool.mamba-press.requires] … = false"
    )


def test_what_is_lacking_is_to_be_written_beside_what_is_there():
    derived = Requirements(dependencies=('six>=1; python_version < "4"', "other"))
    _, (note,) = complete(derived=derived, dynamic=(), table={"dependencies": ["other"]})
    assert str(note.hint) == (
        r'write it in [project]: dependencies = ["other", "six>=1; python_version < \"4\""]; '
        'or let it be computed: dynamic = ["dependencies"]\n'
        "if the wheel works without one, say so by its conda name: [tool.mamba-press.requires] … = false"
    )


def test_static_dependencies_that_no_version_can_satisfy_together_with_condas_are_told():
    derived = Requirements(dependencies=("six>=2", "other"))
    _, notes = complete(derived=derived, dynamic=(), table={"dependencies": ["six<2", "other"]})
    assert notes == (
        Note(
            "project.dependencies has 'six<2', and the conda packages require 'six>=2'",
            "no version satisfies both: change the dependency, or press other versions of the packages",
            "warning",
        ),
    )


def test_extras_that_the_project_states_stay_and_others_are_added():
    derived = Requirements(extras={"e": ('x; extra == "e"',)})
    table, _ = complete(derived=derived, table={"optional-dependencies": {"e": ["mine"], "f": ["y"]}})
    assert table["optional-dependencies"] == {"e": ["mine"], "f": ["y"]}
    assert table["dependencies"] == ['x; extra == "e"']
