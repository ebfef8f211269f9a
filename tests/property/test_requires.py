"""Conda's specs in PEP 440's terms, held to rattler, which is what solves them."""

from __future__ import annotations

import rattler
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from rattler.package.build_string import BuildString

from mamba_press.conda import pep440
from mamba_press.conda.match_specs import UntranslatableError, read
from mamba_press.conda.worker import records
from mamba_press.types import Spec

numbers = st.lists(st.integers(0, 4), min_size=1, max_size=3)
releases = numbers.map(lambda parts: ".".join(map(str, parts)))
constraints = st.one_of(
    st.builds("{}{}".format, st.sampled_from([">=", "<=", ">", "<", "==", "!=", "="]), releases),
    releases,
    st.builds("{}.*".format, releases),
    st.builds("!={}.*".format, releases),
    st.builds("<{}.0a0".format, releases),
    st.builds("~={}.{}".format, releases, st.integers(0, 4)),
    st.just("*"),
)
conjunctions = st.lists(constraints, min_size=1, max_size=3).map(",".join)
spaces = st.sampled_from([" ", "  "])
specs = st.lists(conjunctions, min_size=1, max_size=3).map("|".join)
finals = st.lists(st.integers(0, 5), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
ranges = st.lists(
    st.builds("{}{}".format, st.sampled_from([">=", "<=", ">", "<", "==", "!="]), releases), max_size=3
).map(lambda parts: SpecifierSet(",".join(parts)))


def conda_takes(spec: str, version: str) -> bool:
    record = rattler.PackageRecord("x", version, BuildString("0"), 0, "noarch")
    return bool(rattler.MatchSpec(f"x {spec}").matches(record))


@given(specs, finals)
def test_what_conda_takes_the_specifiers_take_and_no_more_unless_they_say_so(spec, version):
    taken = conda_takes(spec, version)
    try:
        translated = pep440.translate(Spec(text="", **records.parts(f"x {spec}")).version)
    except UntranslatableError:
        assert not taken, "only what nothing fits has no words"
        return
    if taken or not translated.widened:
        assert translated.specifiers.contains(version) == taken


builds = st.sampled_from(["", " *_cp310", " py_0", " *"])
brackets = st.sampled_from(["", "[when='python >=3.12']", "[extras=[a, b]]", '[build_number=">1"]'])
written = st.builds("{}x{}{}{}{}".format, st.sampled_from(["", "conda-forge::", " "]), spaces, specs, builds, brackets)


@given(written)
def test_what_no_worker_reads_is_read_as_rattler_does(text):
    found = records.parts(text)
    own = read(text)
    assert (own.name, own.build, bool(own.when), list(own.extras)) == (
        found["name"], found.get("build", "*"), "when" in found, found.get("extras", []),
    )  # fmt: skip
    assert rattler.VersionSpec(own.version) == rattler.VersionSpec(found.get("version", "*"))


@given(ranges, ranges, finals)
def test_an_intersection_takes_what_both_take(first, second, version):
    both = first.contains(version) and second.contains(version)
    found = pep440.intersection(first, second)
    assert (found is not None and found.contains(version)) == both


@given(ranges, ranges)
def test_what_the_second_does_not_narrow_stays_as_written(first, second):
    found = pep440.intersection(first, second)
    if found is not None:
        assert pep440.intersection(found, second) == found


@given(specs)
def test_what_comes_out_can_be_read_by_everybody(spec):
    try:
        text = str(pep440.translate(spec).specifiers)
    except UntranslatableError:
        return
    assert str(SpecifierSet(text)) == text
    assert all(Version(each.version.removesuffix(".*")) for each in SpecifierSet(text))
