from __future__ import annotations

import time

import pytest
from packaging.specifiers import SpecifierSet

from mamba_press.conda.specifiers import UntranslatableError, intersection, minimum, read, translate
from mamba_press.types import Spec


@pytest.mark.parametrize(
    ("text", "name", "version", "build"),
    [
        ("numpy", "numpy", "*", "*"),
        ("numpy *", "numpy", "*", "*"),
        ("numpy >=1.22.4,<2.0a0", "numpy", ">=1.22.4,<2.0a0", "*"),
        ("typing_extensions 4.12.2 pyha770c72_0", "typing_extensions", "4.12.2", "pyha770c72_0"),
        ("numpy >=1.20, <2 *_cpu", "numpy", ">=1.20,<2", "*_cpu"),
        ("numpy>=1.20", "numpy", ">=1.20", "*"),
        ("foo =1.2=py_0", "foo", "1.2", "py_0"),
        ("foo =1.2", "foo", "=1.2", "*"),
        ("conda-forge::Foo[version='>=1,<2',build=*_0]", "foo", ">=1,<2", "*_0"),
        ("foo >=1[build_number='>1']", "foo", ">=1", "*"),
    ],
)
def test_a_spec_is_a_name_a_version_and_a_build(text, name, version, build):
    assert read(text) == Spec(text=text, name=name, version=version, build=build)


@pytest.mark.parametrize(
    ("text", "when", "extras"),
    [("foo[when='python >=3.12']", "python >=3.12", ()), ("foo >=1[extras=[a, b]]", None, ("a", "b"))],
)
def test_a_spec_may_hold_under_a_condition_and_ask_for_groups(text, when, extras):
    found = read(text)
    assert (found.when, found.extras) == (when, extras)


@pytest.mark.parametrize(
    ("version", "lowest"),
    [
        (">=2.28,<3.0.a0", (2, 28)),
        ("2.28.*", (2, 28)),
        (">12", (12, 0)),
        (">=2.34|>=2.28,<2.30", (2, 28)),
        (">=1,(>=2|>=3)", (2, 0)),
        ("(>=2|>=3),<5", (2, 0)),
        (">=2|<1", None),
        ("<3", None),
        ("!=3", None),
        ("*", None),
    ],
)
def test_the_minimum_of_a_spec_holds_for_all_that_it_allows(version, lowest):
    assert minimum(Spec(text="", name="x", version=version)) == lowest


@pytest.mark.parametrize(
    ("conda", "pypi"),
    [
        ("*", ""),
        ("", ""),
        (">=1.2,<2.0a0", "<2,>=1.2"),
        (">=3.10,<3.11.0a0", "<3.11,>=3.10"),
        (">=1.5.5,<1.5.6.0a0", "<1.5.6,>=1.5.5"),
        ("<3.0.a0", "<3"),
        ("<2.0.0.dev0", "<2"),
        ("<1.0b2", "<1.0b2"),
        (">=2.0rc1", ">=2.0rc1"),
        ("1.2.*", "==1.2.*"),
        ("1.2*", "==1.2.*"),
        ("=1.2", "==1.2.*"),
        ("==1.2.*", "==1.2.*"),
        ("1.2", "==1.2"),
        ("==1.2", "==1.2"),
        ("!=1.2.*", "!=1.2.*"),
        (">=1.2.*", ">=1.2"),
        ("~=1.2.3", "~=1.2.3"),
        ("~=1", ">=1"),
        ("1!2.0", "==1!2.0"),
        (">=1!2,<1!3.0a0", "<1!3,>=1!2"),
        ("1.2+cuda118", "==1.2"),
        (">=1.5.6,<2.0,!=1.5.7", "!=1.5.7,<2.0,>=1.5.6"),
        (">=1,>=1.5,<3", "<3,>=1.5"),
        (">=1,<2|>=2,<3", "<3,>=1"),
        ("3.8.*|3.9.*", "<3.10,>=3.8"),
        ("<1.5|>1.5", "!=1.5"),
        ("<1.5|>=1.7", "!=1.5.*,!=1.6.*"),
        ("(>=1,<2)|(>=2,!=2.5)", "!=2.5,>=1"),
        (">=1,(<2|>=3)", "!=2.*,>=1"),
        ("1.2|*", ""),
    ],
)
def test_a_spec_becomes_specifiers(conda, pypi):
    translated = translate(conda)
    assert (str(translated.specifiers), translated.widened) == (pypi, False)


@pytest.mark.parametrize(
    ("conda", "pypi"), [("1.8|1.9", "<=1.9,>=1.8"), ("==2.7.*|>=3.7", ">=2.7"), ("<=1.5|>=1.7", "")]
)
def test_a_gap_that_has_no_words_is_taken_in_and_told(conda, pypi):
    translated = translate(conda)
    assert (str(translated.specifiers), translated.widened) == (pypi, True)


def test_what_holds_anyway_narrows_every_alternative():
    translated = translate("==2.7.*|>=3.7", within=">=3")
    assert (str(translated.specifiers), translated.widened) == (">=3.7", False)


@pytest.mark.parametrize(
    "conda",
    [r"^1\.2$", "9e", ">=2024a", "1.*.3", ">=2,<1", "(>=1", ">=1)", "1,,2", "|1", "==1_2_x", "()"],
)
def test_what_has_no_words_is_refused(conda):
    with pytest.raises(UntranslatableError):
        translate(conda)


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (">=1.0,<1.29.0", ">=1.22.4,<2", "<1.29.0,>=1.22.4"),
        (">=2", "<2", None),
        (">=2.0", "<=2", "<=2,>=2.0"),
        (">=2.0", "<=2,!=2", None),
        ("==1.5", ">=1", "==1.5"),
        ("==1.5", "!=1.5.*", None),
        ("==1.*", "!=1.5", "!=1.5,==1.*"),
        (">=1.5,!=1.7", ">=1.5.0,!=1.9", "!=1.7,!=1.9,>=1.5"),
        ("", ">=1", ">=1"),
        (">=1", "", ">=1"),
        ("===1.0x", ">=1", "===1.0x,>=1"),
        ("~=1.4.2", ">=1.4,<2", "~=1.4.2"),
    ],
)
def test_an_intersection_says_only_what_is_needed(first, second, both):
    found = intersection(SpecifierSet(first), SpecifierSet(second))
    assert (None if found is None else str(found)) == both


@pytest.mark.parametrize(
    "spec", [",".join(["(>=1|<0)"] * 20), ",".join(["(1|2|3|4)"] * 6), "(" * 900 + ">=1" + ")" * 900, "(" * 100_000]
)
def test_a_spec_that_would_take_for_ever_is_not_translated(spec):
    with pytest.raises(UntranslatableError):
        translate(spec)


def test_a_number_of_thousands_of_digits_is_no_version_in_few_words():
    with pytest.raises(UntranslatableError) as raised:
        translate(">=" + "9" * 5000)
    assert str(raised.value) == f"'>={'9' * 97}…' is longer than 1,000 characters"


@pytest.mark.parametrize("text", ["[]", "x " + "[" * 100_000, f"x[{'y' * 70_000}]", "x" * 100_000])
def test_a_spec_without_end_is_none_and_takes_no_time(text):
    start = time.process_time()
    assert read(text).problem == "is no conda spec"
    assert time.process_time() - start < 1
