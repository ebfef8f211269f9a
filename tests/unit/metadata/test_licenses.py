from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from packaging.licenses import canonicalize_license_expression

from mamba_press.config.model import Licenses
from mamba_press.errors import ConfigError, ContentError, Note
from mamba_press.metadata import licenses
from mamba_press.types import NEUTRAL, Entry, Project
from tests.support.values import package

GCC = "GPL-3.0-only WITH GCC-exception-3.1"


def read(text, about=None, **rules):
    (found,) = licenses.read([replace(package("lzo"), license=text)], {"lzo": about or {}}, Licenses(**rules))
    return found


def refusals(text, about=None, **rules):
    """What is said of one requested package with this licence; nothing where it may stay."""
    chosen = Licenses(**rules)
    one = replace(package("lzo", requested=True), license=text)
    try:
        licenses.require(licenses.read([one], {"lzo": about or {}}, chosen), [one], chosen)
    except ContentError as error:
        return [problem.what for problem in error.problems]
    return []


def project(**table):
    return Project(root=Path("project"), name="x", version=None, table=table)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("MIT", "MIT"),
        ("mit and (apache-2.0 OR isc)", "MIT AND (Apache-2.0 OR ISC)"),
        ("MPL-2.0 or MIT", "MPL-2.0 OR MIT"),
        ("BSD 3-Clause", "BSD-3-Clause"),
        ("Modified BSD License (3-clause)", "BSD-3-Clause"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("MIT/X11", "MIT"),
        ("PSF 2", "PSF-2.0"),
        ("Public-Domain", "LicenseRef-Public-Domain"),
        ("PUBLIC-DOMAIN", "LicenseRef-Public-Domain"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("GPL-2.0 and BSD 2-Clause", "GPL-2.0-only AND BSD-2-Clause"),
        (GCC, GCC),
        ("LicenseRef-Mine", "LicenseRef-Mine"),
    ],
)
def test_a_text_that_leaves_no_doubt_becomes_its_expression(text, expression):
    found = read(text)
    assert (found.expression, found.is_certain) == (expression, True)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("GPL v2+", "GPL-2.0-or-later"),
        ("GPLv2+", "GPL-2.0-or-later"),
        ("GPL-3", "GPL-3.0-only"),
        ("LGPLv2", "LGPL-2.0-only"),
        ("LGPL v2.1 or later", "LGPL-2.1-or-later"),
        ("GNU Lesser General Public v2 or later (LGPLv2+)", "LGPL-2.0-or-later"),
        ("AGPL 3 only", "AGPL-3.0-only"),
        ("GPL 2 and LGPL3", "GPL-2.0-only AND LGPL-3.0-only"),
    ],
)
def test_an_old_spelling_of_a_gnu_licence_is_read_but_not_certain(text, expression):
    found = read(text)
    assert (found.expression, found.is_certain) == (expression, False)


@pytest.mark.parametrize(
    "text", ["custom", "GPL", "BSD", "MIT, BSD", "GPL-2.1-or-later", "Unlimited", "(MIT", "AND", "MIT and (" * 250]
)
def test_what_spdx_lacks_becomes_a_reference_to_the_packages_files(text):
    assert (read(text).expression, read(text).is_certain) == ("LicenseRef-conda-lzo", False)


def test_only_the_part_that_spdx_lacks_becomes_a_reference():
    assert read("BSD 2-Clause AND (custom OR MIT)").expression == "BSD-2-Clause AND (LicenseRef-conda-lzo OR MIT)"


def test_a_reference_can_stand_in_metadata_whatever_the_package_is_called():
    strange = replace(package("_x.y_z-1"), license="custom")
    (found,) = licenses.read([strange], {}, Licenses())
    assert canonicalize_license_expression(found.expression) == "LicenseRef-conda-x.y-z-1"


@pytest.mark.parametrize("silent", [None, "", "None"])
def test_a_silent_record_is_looked_up_in_about_json(silent):
    assert read(silent, {"license": "ISC"}).expression == "ISC"
    assert read(silent, {"license": None}).text is None
    assert read(silent).expression == "LicenseRef-conda-lzo"


def test_the_record_goes_over_about_json():
    assert read("MIT", {"license": "ISC"}).expression == "MIT"


def test_what_is_named_goes_over_both():
    found = read("GPL v2+", named={"lzo": "GPL-2.0-or-later OR mit"})
    assert (found.expression, found.is_certain, found.text) == ("GPL-2.0-or-later OR MIT", True, "GPL v2+")


def test_a_name_that_is_no_expression_is_refused():
    with pytest.raises(ConfigError, match=r"licenses\.named: lzo: 'GPL v2' is no SPDX expression"):
        read("MIT", named={"lzo": "GPL v2"})


@pytest.mark.parametrize(
    ("expressions", "together"),
    [
        ([], None),
        (["MIT", "MIT"], "MIT"),
        (["MIT AND ISC", "Apache-2.0", "ISC"], "Apache-2.0 AND ISC AND MIT"),
        (["MIT OR ISC"], "MIT OR ISC"),
        (["MIT OR ISC", "curl"], "curl AND (MIT OR ISC)"),
        (["MIT AND (ISC OR curl AND Zlib)", GCC], f"{GCC} AND (ISC OR curl AND Zlib) AND MIT"),
        (["(ISC OR MIT) AND (MIT OR curl)"], "(ISC OR MIT) AND (MIT OR curl)"),
    ],
)
def test_the_conjunction_has_each_part_once_and_keeps_choices_together(expressions, together):
    assert licenses.joined(expressions) == together
    if together:
        assert canonicalize_license_expression(together) == together


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("MIT", True),
        ("ISC", False),
        ("MIT OR ISC", True),
        ("MIT AND ISC", False),
        ("MIT AND (ISC OR BSD-3-Clause)", True),
        ("(MIT AND ISC) OR (MIT AND BSD-2-Clause)", True),
        ("ISC OR curl", False),
        (GCC, True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only WITH Autoconf-exception-3.0", False),
    ],
)
def test_of_or_one_branch_has_to_be_allowed_and_of_and_all(text, stays):
    assert (refusals(text, allow=("mit", "BSD-*", GCC)) == []) is stays


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("MIT", True),
        ("GPL-2.0-only", False),
        ("gpl-2.0+", False),
        ("LGPL-2.1-only", True),
        (GCC, True),
        ("GPL-2.0-only OR MIT", True),
        ("GPL-2.0-only AND MIT", False),
    ],
)
def test_a_denied_glob_does_not_name_a_licence_with_an_exception(text, stays):
    assert (refusals(text, deny=("GPL-*",)) == []) is stays


def test_a_licence_with_its_exception_can_be_denied():
    assert refusals(GCC, deny=("GPL-* WITH *",)) == [
        f"the licence {GCC!r} is refused: licenses.deny has 'GPL-* WITH *'"
    ]


def test_deny_is_stronger_than_allow():
    assert refusals("GPL-2.0-only", allow=("*",), deny=("GPL-*",)) != []


@pytest.mark.parametrize("text", ["GPL v2+", "custom", None, "MIT AND custom"])
def test_under_deny_what_is_not_certain_is_refused_until_it_is_named(text):
    assert refusals(text, deny=("AGPL-*",)) != []
    assert refusals(text, deny=("AGPL-*",), named={"lzo": "GPL-2.0-or-later"}) == []
    assert refusals(text, deny=("GPL-*",), named={"lzo": "GPL-2.0-or-later"}) != []
    assert refusals(text) == []


def test_a_refusal_names_package_licence_how_it_came_in_and_what_to_do():
    packages = [
        package("app", "zlib", "archive >=3", requested=True),
        package("archive", "lzo", "zlib"),
        replace(package("lzo"), license="GPL v2+"),
        replace(package("zlib", requested=True), license="Zlib"),
    ]
    rules = Licenses(deny=("GPL-*", "Zlib"))
    with pytest.raises(ContentError) as caught:
        licenses.require(licenses.read(packages[2:], {}, rules), packages, rules)
    assert str(caught.value) == (
        "the packages cannot be pressed (2 problems)\n"
        "- lzo 1.0 0: the licence 'GPL v2+' (GPL-2.0-or-later) cannot be parsed\n"
        "  it came in by: app -> archive -> lzo\n"
        '  leave it out, if nothing needs it: [tool.mamba-press.select] prune = ["lzo"]; or read its licence and '
        'name it: [tool.mamba-press.licenses] named = { lzo = "GPL-2.0-or-later" }\n'
        "- zlib 1.0 0: the licence 'Zlib' is refused: licenses.deny has 'Zlib'\n"
        "  it came in by: asked for in packages\n"
        "  do without the package; or change the list, if the licence is one that you can accept"
    )


def test_a_static_licence_stands_and_an_open_one_is_filled_in():
    assert licenses.state(project(license="MIT"), "ISC").table["license"] == "MIT"
    assert "license" not in licenses.state(project(), "ISC").table
    assert licenses.state(project(dynamic=["license"]), "ISC").table["license"] == "ISC"
    without = replace(project(), root=Path(NEUTRAL))
    assert licenses.state(without, "ISC").table["license"] == "ISC"
    assert licenses.state(without, None) == without


OPEN = '; or let it be computed: dynamic = ["license"]'
OWN_FIRST = ", with the project's own in place of …"


@pytest.mark.parametrize(
    ("table", "has_code", "said", "hint"),
    [
        ({"license": "MIT"}, False, "says MIT", '"curl AND MIT"' + OPEN),
        ({"license": "MIT"}, True, "says MIT", '"curl AND MIT"'),
        ({"license": "MIT OR ISC"}, True, "says MIT OR ISC", '"curl AND MIT AND (MIT OR ISC)"'),
        ({"license": {"text": "mine"}}, True, "says no SPDX expression", '"… AND curl AND MIT"' + OWN_FIRST),
        ({}, True, "is missing", '"… AND curl AND MIT"' + OWN_FIRST),
        ({}, False, "is missing", '"curl AND MIT"' + OPEN),
    ],
)
def test_a_licence_that_says_less_than_is_in_the_wheel_is_told_with_the_line_that_mends_it(table, has_code, said, hint):
    warning = licenses.disagreement(project(**table), "curl AND MIT", has_code=has_code)
    assert warning == Note(
        f"project.license {said}, and the content of the wheel is under curl AND MIT",
        f"write it in [project]: license = {hint}",
        "warning",
    )


@pytest.mark.parametrize("table", [{"license": "MIT AND ISC AND curl"}, {"dynamic": ["license"]}])
def test_a_licence_that_covers_all_or_is_left_open_is_no_disagreement(table):
    assert licenses.disagreement(project(**table), "curl AND MIT", has_code=False) is None


def test_packages_without_a_licence_file_and_guesses_are_noted():
    found = licenses.read([replace(package("a"), license="GPL v2"), package("b"), package("c")], {}, Licenses())
    entries = [Entry(path="x-1.dist-info/licenses/a/COPYING", source=b"")]
    assert licenses.notes(found, entries, "x-1.dist-info") == (
        "the licence 'GPL v2' of a is read as GPL-2.0-only",
        "b states no licence: it is called LicenseRef-conda-b",
        "c states no licence: it is called LicenseRef-conda-c",
        "packages without a licence file: b, c",
    )


def test_every_spelling_leads_to_an_expression():
    table = licenses._spellings()
    for expression in [*table["names"].values(), *table["readings"].values()]:
        assert canonicalize_license_expression(expression) == expression
    assert all(licenses._key(name) == name for name in table["names"])
