from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mamba_press.conda.match_specs import UntranslatableError
from mamba_press.conda.pep440 import intersection, translate


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
        ("1.2.**", "==1.2.*"),
        ("=1.2rc1", "==1.2rc1"),
        ("1.2.post1.*", "==1.2.post1"),
        ("=1.*", "==1.*"),
        ("<1.0.0a0", "<1"),
        ("<0a0", "<0a0"),
        ("~=1.0", "~=1.0"),
        (">=1|>1", ">=1"),
        (">1|>=1", ">=1"),
        ("<1|<=1", "<=1"),
        ("<=1|<1", "<=1"),
        (">=1,<2|>1,<3", "<3,>=1"),
        ("<0|>=12", "!=0.*,!=1.*,!=10.*,!=11.*,!=2.*,!=3.*,!=4.*,!=5.*,!=6.*,!=7.*,!=8.*,!=9.*"),
        ("<1.0|>=2.0", "!=1.*"),
        ("<1!1|>=1!2", "!=1!1.*"),
        ("!=1.5|!=1.5", "!=1.5"),
        ("!=1.5|>=1.5,!=1.5", "!=1.5"),
        ("!=1.5|1.5", ""),
    ],
)
def test_a_spec_becomes_specifiers(conda, pypi):
    translated = translate(conda)
    assert (str(translated.specifiers), translated.widened) == (pypi, False)


@pytest.mark.parametrize(
    ("conda", "pypi"),
    [
        ("1.8|1.9", "<=1.9,>=1.8"),
        ("==2.7.*|>=3.7", ">=2.7"),
        ("<=1.5|>=1.7", ""),
        ("<1|>=14", ""),
        ("<1.5|>1.7", ""),
        ("<1|>=1!1", ""),
        ("<1|>=2rc1", ""),
        ("<1rc1|>=2", ""),
        ("!=1.5.*|1.5.1", ""),
    ],
)
def test_a_gap_that_has_no_words_is_taken_in_and_told(conda, pypi):
    translated = translate(conda)
    assert (str(translated.specifiers), translated.widened) == (pypi, True)


def test_what_holds_anyway_narrows_every_alternative():
    translated = translate("==2.7.*|>=3.7", within=">=3")
    assert (str(translated.specifiers), translated.widened) == (">=3.7", False)


@pytest.mark.parametrize(
    ("conda", "why"),
    [
        (r"^1\.2$", r"'^1\\.2$' is a regular expression"),
        ("1.2$", "'1.2$' is a regular expression"),
        ("9e", "'9e' is not a version in Python's sense (PEP 440)"),
        (">=2024a", "'2024a' means another version in Python's sense (PEP 440)"),
        ("1.*.3", "'1.*.3' has a * in the middle"),
        (">=2,<1", "no version fits '>=2,<1'"),
        ("(>=1", "a bracket is not closed"),
        (">=1)", "'>=1)' has brackets that do not match"),
        ("1,,2", "a constraint is missing beside one of , | ( )"),
        ("|1", "a constraint is missing beside one of , | ( )"),
        ("1|", "a constraint is missing beside one of , | ( )"),
        ("()", "a constraint is missing beside one of , | ( )"),
        ("==1_2_x", "'1_2_x' is not a version in Python's sense (PEP 440)"),
        ("~=1.post1", "~=1.post1 is no specifier in Python's sense (PEP 440)"),
        ("(" * 31 + "1" + ")" * 31, f"'{'(' * 31}1{')' * 31}' has too many brackets"),
        (",".join(["(1|2|3|4)"] * 6), "it has more than 1000 alternatives"),
    ],
)
def test_what_has_no_words_is_refused_with_the_reason(conda, why):
    with pytest.raises(UntranslatableError) as caught:
        translate(conda)
    assert str(caught.value) == why


def test_as_many_brackets_and_alternatives_as_are_read_are_read():
    assert str(translate("(" * 30 + "1" + ")" * 30).specifiers) == "==1"
    thousand = ",".join(["(<1|<2|<3|<4|<5|<6|<7|<8|<9|<10)"] * 3)
    assert (str(translate(thousand).specifiers), len(thousand) < 1000) == ("<10", True)
    longest = ">=1," + ">=1" + "0" * 993
    assert len(longest) == 1000
    assert translate(longest).specifiers.contains(Version("1" + "0" * 993))


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
        (">=1,>=2,<5,<4", ">=2,<4", "<4,<5,>=1,>=2"),
        (">=1,>=2,<5,<4", ">=1.5", "<4,<5,>=1,>=2"),
        (">=1,>=2,<5,<4", "<4.5", "<4,<5,>=1,>=2"),
        (">=1,>=2,<5,<4", ">2", "<4,>2"),
        (">=1,>=2,<5,<4", ">2.5", "<4,>2.5"),
        (">=1,>=2,<5,<4", "<=4", "<4,<5,>=1,>=2"),
        (">=1,>=2,<5,<4", "<3", "<3,>=2"),
        (">=1,>=2", "<3", "<3,>=2"),
        ("<5,<4", ">=3", "<4,>=3"),
        (">=1,>=2,!=3", "!=3", "!=3,>=1,>=2"),
        (">=1,>=2,<5,<4", "!=7", "<4,<5,>=1,>=2"),
        (">=1,>=2", "!=3", "!=3,>=2"),
        (">=1,>=2", "===3", "===3,>=2"),
    ],
)
def test_an_intersection_says_only_what_is_needed(first, second, both):
    found = intersection(SpecifierSet(first), SpecifierSet(second))
    assert (None if found is None else str(found)) == both


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (",".join(["(>=1|<0)"] * 20), "it has more than 1000 alternatives"),
        (",".join(["(1|2|3|4)"] * 6), "it has more than 1000 alternatives"),
        ("(" * 400 + ">=1" + ")" * 400, f"'{'(' * 80}' has too many brackets"),
        ("(" * 100_000, f"'{'(' * 99}…' is longer than 1,000 characters"),
    ],
)
def test_a_spec_that_would_take_for_ever_is_not_translated(spec, message):
    with pytest.raises(UntranslatableError) as raised:
        translate(spec)
    assert str(raised.value) == message


def test_a_number_of_thousands_of_digits_is_no_version_in_few_words():
    with pytest.raises(UntranslatableError) as raised:
        translate(">=" + "9" * 5000)
    assert str(raised.value) == f"'>={'9' * 97}…' is longer than 1,000 characters"
