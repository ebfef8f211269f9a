from __future__ import annotations

import time

import pytest

from mamba_press.conda.match_specs import minimum, read, spec_name, twin
from mamba_press.types import Package, Spec


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("zlib", "zlib"),
        ("zlib >=1.2,<2", "zlib"),
        ("Zlib>=1.2", "zlib"),
        ("conda-forge::ruamel.yaml 0.18.* py310*", "ruamel.yaml"),
        ("conda-forge/linux-64::python_abi=3.10", "python_abi"),
        ('zlib[version=">=1.2", build="*_0"]', "zlib"),
        (" libmambapy 1.5.8", "libmambapy"),
        ("gdal~=3.8", "gdal"),
    ],
)
def test_a_spec_begins_with_its_package_name(spec, name):
    assert spec_name(spec) == name


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
        ("foo =1.2 py_0", "foo", "1.2", "py_0"),
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
