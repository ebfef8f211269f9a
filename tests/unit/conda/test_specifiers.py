from __future__ import annotations

import time

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mamba_press.conda.specifiers import UntranslatableError, intersection, minimum, read, spec_name, translate, twin
from mamba_press.types import Package, Spec


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


@pytest.mark.parametrize(
    ("text", "name"),
    [("[]", "[]"), ("", ""), ("(A) B C", "(a)"), ("x" * 1001, "x" * 1001)],
)
def test_what_is_no_spec_has_the_name_that_it_begins_with(text, name):
    assert read(text) == Spec(text=text, name=name, problem="is no conda spec")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 1000, Spec(text="x" * 1000, name="x" * 1000)),
        ("foo  >= 1 , < 2  *_cpu", Spec(text="foo  >= 1 , < 2  *_cpu", name="foo", version=">=1,<2", build="*_cpu")),
        ("foo 1 a b", Spec(text="foo 1 a b", name="foo", version="1", build="a b")),
        ("foo ==1.2=py_0", Spec(text="foo ==1.2=py_0", name="foo", version="1.2", build="py_0")),
        (
            "foo[version=1 , build = 'X'] ",
            Spec(text="foo[version=1 , build = 'X'] ", name="foo", version="1", build="X"),
        ),
        ("foo[version='X1'", Spec(text="foo[version='X1'", name="foo")),
        ("c/linux-64::Foo", Spec(text="c/linux-64::Foo", name="foo")),
    ],
)
def test_a_spec_is_read_as_users_write_it(text, expected):
    assert read(text) == expected


def test_the_name_of_a_spec_is_read_alone():
    assert spec_name("conda-forge::Zlib >=1.2") == "zlib"


def package(name: str, *depends: str, version: str = "4.1", is_python: bool = True) -> Package:
    given = {"build": "0", "build_number": 0, "channel": "c", "subdir": "noarch"}
    needs = (*depends, "python >=3.9") if is_python else depends
    return Package(
        name=name, version=version, url=f"file:///{name}", file_name=name, depends=tuple(map(read, needs)), **given
    )


@pytest.mark.parametrize(
    ("depends", "other", "found"),
    [
        (("typing_extensions 4.1",), package("typing_extensions"), True),
        (("zlib", "typing_extensions"), package("typing_extensions"), True),
        (("typing_extensions",), package("typing_extensions", version="4.2"), False),
        (("typing_extensions",), package("typing_extensions", is_python=False), False),
        (("typing_extensions",), package("zlib"), False),
        (("zlib",), package("zlib"), False),
        (("typing-extensions",), package("typing-extensions"), False),
        ((), package("typing_extensions"), False),
    ],
)
def test_a_package_stands_for_the_one_of_the_same_name_to_pypi_and_the_same_version(depends, other, found):
    assert twin(package("typing-extensions", *depends), {other.name: other}) == (other if found else None)


@pytest.mark.parametrize("text", ["[]", "x " + "[" * 100_000, f"x[{'y' * 70_000}]", "x" * 100_000])
def test_a_spec_without_end_is_none_and_takes_no_time(text):
    start = time.process_time()
    assert read(text).problem == "is no conda spec"
    assert time.process_time() - start < 1
