"""What an edit changes in the name of a wheel, in METADATA and in WHEEL."""

from __future__ import annotations

import pytest

from mamba_press.errors import ReadError
from mamba_press.metadata import edit_metadata, headers
from mamba_press.metadata.edit_metadata import Changes, Name

NAME = Name(name="demo", version="1.2", build="3", tags="py3-none-any")
METADATA = headers.parse(
    b"Metadata-Version: 2.1\nName: demo\nVersion: 1.2\nSummary: old\nRequires-Dist: numpy>=1\nRequires-Dist: Six\n"
    b"\nText\n"
)
WHEEL = headers.parse(b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")


def said(problems):
    return [str(problem) for problem in problems]


# --- the name


@pytest.mark.parametrize(
    "text", ["demo-1.2-3-py3-none-any.whl", "demo-1.2-py3-none-any.whl", "demo-1.2-3a-py2.py3-none-any.whl"]
)
def test_a_name_is_read_and_written_back(text):
    assert str(edit_metadata.name_of(text)) == text


def test_what_is_no_name_of_a_wheel_is_told():
    with pytest.raises(ReadError, match=r"demo\.whl: is not the name of a wheel"):
        edit_metadata.name_of("demo.whl")


@pytest.mark.parametrize(
    ("version", "suffix", "new"),
    [
        ("1.2", "post1", "1.2.post1"),
        ("1.2", ".post2", "1.2.post2"),
        ("1.2.post1", "post3", "1.2.post3"),
        ("1.2+old", "post1", "1.2.post1"),
        ("1.2", "+local.1", "1.2+local.1"),
        ("1.2+a", "+b", "1.2+b"),
        ("1.2rc1", "post1", "1.2rc1.post1"),
    ],
)
def test_a_suffix_takes_the_place_of_the_old_one(version, suffix, new):
    found, problems = edit_metadata.renamed(Name(name="x", version=version, build="", tags="t"), Changes(suffix=suffix))
    assert (found.version, problems) == (new, ())


@pytest.mark.parametrize(
    ("version", "suffix", "what"),
    [
        ("1.2", "rc1", "is 'rc1', of which no later version than 1.2 comes"),
        ("1.2.post1", "post1", "is 'post1', of which no later version than 1.2.post1 comes"),
        ("1.2", f"post{'9' * 5000}", None),
        ("1.2.post5", "post3", "makes 1.2.post3 of 1.2.post5, which installers take for older"),
        ("1.2.dev1", "+a", "makes 1.2.dev1+a of 1.2.dev1, which installers take for older"),
    ],
)
def test_a_suffix_that_makes_no_later_version_is_refused(version, suffix, what):
    old = Name(name="x", version=version, build="", tags="t")
    found, (problem,) = edit_metadata.renamed(old, Changes(suffix=suffix))
    assert found == old
    assert str(problem.where) == "--version-suffix"
    assert what is None or problem.what == what


def test_a_build_number_is_higher_unless_the_version_is_another_or_it_is_forced():
    lower = "is 3, and the wheel has 3: installers would go on to prefer that one"
    for changes, problems in (
        (Changes(build="4"), []),
        (Changes(build="3a"), []),
        (Changes(build="3"), [f"--build-number: {lower}\n  give it a higher one, or --force it"]),
        (Changes(build="3", forced=True), []),
        (Changes(build="1", suffix="post1"), []),
        (Changes(build="a"), ["--build-number: is 'a'\n  a build number begins with a digit, such as 1"]),
    ):
        found, wrong = edit_metadata.renamed(NAME, changes)
        assert (found.build, said(wrong)) == (changes.build, problems)
    assert edit_metadata.renamed(Name(name="x", version="1", build="", tags="t"), Changes(build="0"))[1] == ()


def test_what_is_new_in_a_name_is_said():
    new = Name(name="demo", version="1.2.post1", build="4", tags="py3-none-win32")
    assert list(edit_metadata.words(NAME, new)) == [
        "version 1.2.post1, was 1.2",
        "build number 4, was 3",
        "tags py3-none-win32, was py3-none-any",
    ]
    assert list(edit_metadata.words(Name(name="x", version="1", build="", tags="t"), NAME))[1] == "build number 3"
    assert list(edit_metadata.words(NAME, NAME)) == []


# --- METADATA


def changed(**changes):
    found, words, problems = edit_metadata.metadata(METADATA, "1.2", Changes(**changes))
    return bytes(found), words, said(problems)


def test_requirements_are_added_and_dropped():
    text, words, problems = changed(require=("click < 9",), drop=("six",))
    assert (words, problems) == (("requires no longer Six", "requires click<9"), [])
    assert headers.parse(text).values("Requires-Dist") == ("numpy>=1", "click<9")
    assert text.endswith(b"\n\nText\n")
    assert changed(require=("numpy>=1",)) == (bytes(METADATA), (), [])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"drop": ("pandas",)}, "--drop-require pandas: is not required; the wheel requires numpy, six"),
        ({"require": ("a @ https://b",)}, "--require 'a @ https://b': is a URL, which PyPI refuses in a wheel"),
        (
            {"require": ("a\nb",)},
            (
                "--require 'a\\nb': has line ends or other control characters, and a field is one line\n"
                "  write it in one line; --require may be repeated"
            ),
        ),
        ({"fields": (("Name", "x"),)}, "--set Name: cannot be set: a wheel keeps its name"),
        ({"fields": (("Version", "2"),)}, "--set Version: cannot be set: use --version-suffix"),
    ],
)
def test_what_cannot_be_changed_is_told(changes, problem):
    assert changed(**changes)[2][0] == problem


def test_what_is_no_requirement_is_told():
    (problem,) = changed(require=("!",))[2]
    assert problem.startswith("--require '!': is no requirement: ")
    assert problem.endswith('\n  write one as "numpy<2.5"')


def test_fields_are_set_repeated_and_removed():
    text, words, problems = changed(fields=(("Summary", "new"), ("Keywords", "a,b"), ("Author", "")))
    assert (words, problems) == (
        ("Summary: new (was old)", "Keywords: a,b (was nothing)", "Author: removed (was nothing)"),
        [],
    )
    found = headers.parse(text)
    assert (found.values("Summary"), found.values("Keywords")) == (("new",), ("a,b",))
    assert changed(fields=(("Summary", ""),))[1] == ("Summary: removed (was old)",)


def test_a_new_version_stands_in_the_metadata():
    found, words, problems = edit_metadata.metadata(METADATA, "1.2.post1", Changes())
    assert (found.values("Version"), words, problems) == (("1.2.post1",), (), ())


def test_a_field_of_a_later_metadata_version_raises_it_as_far_as_needed():
    text, _, problems = changed(fields=(("License-Expression", "MIT"),))
    assert (headers.parse(text).values("Metadata-Version"), problems) == (("2.4",), [])
    text, _, problems = changed(fields=(("Dynamic", "summary"),))
    assert (headers.parse(text).values("Metadata-Version"), problems) == (("2.2",), [])


def test_metadata_that_would_be_wrong_are_told():
    (problem,) = changed(fields=(("License-Expression", "nonsense"),))[2]
    assert problem.startswith("METADATA: would be wrong: ")


# --- WHEEL


@pytest.mark.parametrize(
    ("tag", "tags", "lines"),
    [
        (None, "py3-none-any", ("py3-none-any",)),
        ("win_amd64", "py3-none-win_amd64", ("py3-none-win_amd64",)),
        ("py3.py2-none-any", "py2.py3-none-any", ("py2-none-any", "py3-none-any")),
        ("cp311-cp311-win32", "cp311-cp311-win32", ("cp311-cp311-win32",)),
    ],
)
def test_tags_stand_sorted_in_the_name_and_one_a_line_in_wheel(tag, tags, lines):
    found, name, problems = edit_metadata.wheel_text(WHEEL, NAME, tag)
    assert (name, found.values("Tag"), found.values("Build"), problems) == (tags, lines, ("3",), ())


@pytest.mark.parametrize("tag", ["windows", "py3-none", "py3-none-a b", "py3-none-any-x", ""])
def test_what_is_no_tag_is_refused(tag):
    _, tags, (problem,) = edit_metadata.wheel_text(WHEEL, NAME, tag)
    assert tags == "py3-none-any"
    assert str(problem) == (
        f"--tag: is {tag!r}\n  write all three parts, such as py3-none-manylinux_2_28_x86_64, or the platform alone"
    )
