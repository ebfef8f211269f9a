from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mamba_press import globs


@pytest.mark.parametrize(
    ("path", "glob"),
    [
        ("lib/libz.so", "lib/*.so"),
        ("lib/libz.so", "lib/libz.s?"),
        ("a/b/c.txt", "a/**"),
        ("a/b/c.txt", "a/"),
        ("a/b/c.txt", "**/c.txt"),
        ("c.txt", "**/c.txt"),
        ("a/c.txt", "a/**/c.txt"),
        ("a/x/y/c.txt", "a/**/c.txt"),
        ("a/1.txt", "a/[0-9].txt"),
        ("a/x.txt", "a/[!0-9].txt"),
        ("a/-.txt", "a/[-x].txt"),
        ("a[b", "a[b"),
        ("a^b", "a[^]b"),
        ("a!b", "a[!]b"),
        ("a\\b", "a[\\]b"),
        ("line\nbreak", "*"),
    ],
)
def test_a_glob_matches(path, glob):
    assert globs.matches(path, ["nothing", glob]) == glob


@pytest.mark.parametrize(
    ("path", "glob"),
    [
        ("lib/sub/libz.so", "lib/*.so"),
        ("lib/libz.so", "libz.so"),
        ("lib/libzxso", "lib/libz.so"),
        ("a/b", "a?b"),
        ("a/b", "a[!x]b"),
        ("a", "a/"),
        ("a", "a/**"),
        ("ab/c.txt", "a/**"),
        ("abcd", "[z-a]"),
    ],
)
def test_a_glob_does_not_match(path, glob):
    assert globs.matches(path, [glob]) is None


def test_the_first_glob_that_matches_is_told():
    assert globs.matches("lib/libz.so", ["bin/*", "lib/*", "**"]) == "lib/*"


@given(st.text("ab/"), st.lists(st.text("ab/*?[!]", max_size=5)))
def test_of_many_globs_the_first_is_told_that_matches_alone(path, many):
    assert globs.matches(path, many) == next((glob for glob in many if globs.matches(path, [glob]) is not None), None)


@pytest.mark.parametrize("name", ["libfoo.so", "libfoo.so.1", "libfoo.so.1.2.3"])
def test_a_library_matches_with_and_without_its_version(name):
    assert globs.matches_library(name, ["libfoo.so"]) == "libfoo.so"
    assert globs.matches_library(name, ["libfoo.so*"]) == "libfoo.so*"


def test_a_library_asked_for_with_its_version_is_only_that_version():
    assert globs.matches_library("libfoo.so.1", ["libfoo.so.1"])
    assert not globs.matches_library("libfoo.so.2", ["libfoo.so.1"])
    assert not globs.matches_library("libfoobar.so.1", ["libfoo.so"])


@given(st.text(), st.text())
def test_no_glob_is_an_error(path, glob):
    globs.matches(path, [glob])


@example("-", "[---]")
@example("a", "[--z]")
@given(st.text("ab-x]z"), st.text("ab-x]z?*[!", max_size=8))
def test_within_one_folder_globs_are_those_of_fnmatch(name, glob):
    if "**" not in glob and "[]" not in glob and "[!]" not in glob:
        assert (globs.matches(name, [glob]) is not None) == fnmatchcase(name, glob)
