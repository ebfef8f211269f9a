"""Which packages may have a file in the wheel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press.errors import ConfigError, ContentError
from mamba_press.types import Solution
from mamba_press.vendoring.select import packages as choosing
from tests.support.selection import config
from tests.support.values import TARGET, package


def solution(*packages):
    return Solution(target=TARGET, packages=packages, channels=())


def closure(*packages, **table):
    stays, dropped = choosing.select(solution(*packages), config(**table))
    return [each.name for each in stays], {each.package: str(each.why) for each in dropped}


@pytest.mark.parametrize(
    ("depends", "other", "is_asked"),
    [
        ("typing_extensions 1.0", {}, True),
        ("typing_extensions 1.0", {"version": "2.0"}, False),
        ("six", {"name": "six"}, False),
        ("typing_extensions 1.0", {"depends": ()}, False),
    ],
    ids=["the same", "of another version", "of another name", "no Python package"],
)
def test_what_an_empty_twin_stands_for_is_pressed_as_if_it_had_been_asked_for(depends, other, is_asked):
    asked = package("typing-extensions", depends, requested=True)
    half = replace(package("typing_extensions", "python >=3.8"), **other)
    found = choosing.vendored(solution(asked, half), config(packages=["typing-extensions"]))
    assert [each.name for each in found.packages if each.requested] == ["typing-extensions", half.name][: 1 + is_asked]


def test_a_twin_that_select_prune_names_stays_out():
    asked = package("typing-extensions", "typing_extensions 1.0", requested=True)
    table = {"packages": ["typing-extensions"], "select": {"prune": ["typing_extensions"]}}
    found = choosing.vendored(solution(asked, package("typing_extensions", "python >=3.8")), config(**table))
    assert [each.name for each in found.packages if each.requested] == ["typing-extensions"]


@pytest.mark.parametrize("place", [None, "lib/python3.13t/site-packages", "Lib/site-packages"])
def test_a_python_has_its_packages_in_one_of_the_usual_places(place):
    closure(package("app", requested=True), replace(package("python"), site_packages=place))
    with pytest.raises(ContentError, match="has its packages in 'lib/py/site-packages'"):
        closure(package("app", requested=True), replace(package("python"), site_packages="lib/py/site-packages"))


@pytest.mark.parametrize("spec", ["zlib>=1", "forge::zlib", "zlib[version='>=1', build='0']"])
def test_the_closure_follows_every_way_to_write_a_spec(spec):
    assert closure(package("app", spec, requested=True), package("zlib")) == (["app", "zlib"], {})


def test_the_closure_does_not_pass_through_python():
    stays, dropped = closure(
        package("app", "python >=3.10,<3.11.0a0", "python_abi 3.10.* *_cp310", "zlib", requested=True),
        package("zlib"),
        package("python", "libffi", "zlib"),
        package("python_abi", "python 3.10.*"),
        package("libffi"),
    )
    assert stays == ["app", "zlib"]
    assert dropped == {
        "libffi": "only needed by packages that leave",
        "python": "Python is not vendored",
        "python_abi": "Python is not vendored",
    }


def test_python_itself_is_refused():
    with pytest.raises(ConfigError) as caught:
        closure(package("python", requested=True))
    assert [str(problem) for problem in caught.value.problems] == [
        (
            "tool.mamba-press.packages: names python: a wheel is installed into a Python and cannot bring one\n"
            '  say which Python to press for with python = "3.12"'
        )
    ]


def test_what_a_package_that_leaves_would_take_is_told_where_it_is_known():
    big, unknown = replace(package("big", "python"), size=7000), package("unknown", "python")
    _, dropped = choosing.select(
        solution(package("app", "big", "unknown", requested=True), big, unknown), config(packages=["app"])
    )
    assert {each.package: each.size for each in dropped} == {"big": 7000, "unknown": 0}


def test_of_a_solution_without_python_packages_that_is_told():
    with pytest.raises(ConfigError) as caught:
        closure(package("app", requested=True), select={"python-packages": ["coal"]})
    assert caught.value.problems[0].hint == "the solution has: none"


def test_the_closure_does_not_pass_through_a_python_package_that_nobody_asked_for():
    stays, dropped = closure(
        package("app", "python", "numpy", "click", requested=True),
        package("numpy", "python", "blas"),
        package("click", noarch="python"),
        package("blas"),
    )
    assert stays == ["app"]
    assert dropped["numpy"] == dropped["click"] == "a Python package that nobody asked for"
    assert dropped["blas"] == "only needed by packages that leave"


def test_a_requested_python_package_brings_its_libraries():
    stays, _ = closure(
        package("app", "python", "numpy", requested=True),
        package("numpy", "python", "blas", requested=True),
        package("blas"),
    )
    assert stays == ["app", "blas", "numpy"]


def test_what_is_pruned_leaves_with_all_that_only_it_needs():
    stays, dropped = closure(
        package("app", "krb5", "zlib", requested=True),
        package("krb5", "keyutils", "zlib"),
        package("keyutils"),
        package("zlib"),
        select={"prune": ["krb5"]},
    )
    assert stays == ["app", "zlib"]
    assert dropped == {"keyutils": "only needed by packages that leave", "krb5": "select.prune names it"}


def test_what_is_pruned_alone_leaves_and_what_it_needs_stays():
    stays, dropped = closure(
        package("app", "krb5", requested=True),
        package("krb5", "keyutils"),
        package("keyutils"),
        select={"prune-alone": ["krb5"]},
    )
    assert stays == ["app", "keyutils"]
    assert dropped == {"krb5": "select.prune-alone names it"}


def vendored(*packages, **table):
    found = choosing.vendored(solution(*packages), config(**table))
    return [each.name for each in found.packages if each.requested]


def test_python_packages_that_are_named_are_pressed_as_if_asked_for():
    packages = (
        package("app", "python", "coal", "__unix", "gone", requested=True),
        package("coal", "python", "eigenpy", "boost"),
        package("eigenpy", noarch="python"),
        package("boost"),
        package("numpy", "python"),
        package("python", "pip"),
        package("pip", noarch="python"),
    )
    assert vendored(*packages) == ["app"]
    assert vendored(*packages, select={"python-packages": ["coal"]}) == ["app", "coal"]
    assert vendored(*packages, select={"python-packages": ["eigenpy"]}) == ["app"]  # only coal needs it
    assert vendored(*packages, select={"python-packages": ["*"]}) == ["app", "coal", "eigenpy"]
    assert vendored(*packages, select={"python-packages": ["*"], "prune": ["coal"]}) == ["app"]


def test_python_itself_is_never_taken_for_a_python_package():
    packages = (package("app", "python", "python_abi", requested=True), package("python"))
    assert vendored(*packages, package("python_abi", "python"), select={"python-packages": ["*"]}) == ["app"]


def test_naming_no_python_package_is_an_error():
    with pytest.raises(ConfigError, match="'zlib' names no Python package of the solution"):
        closure(package("app", "zlib", requested=True), package("zlib"), select={"python-packages": ["zlib"]})


def test_packages_that_need_each_other_end_the_walk():
    stays, _ = closure(package("app", "a", requested=True), package("a", "b"), package("b", "a", "app"))
    assert stays == ["a", "app", "b"]


def test_pruning_what_is_not_there_or_what_is_asked_for_is_an_error():
    with pytest.raises(ConfigError) as caught:
        closure(package("app", requested=True), select={"prune": ["ap*", "kbr5"]})
    assert [problem.what for problem in caught.value.problems] == [
        "'kbr5' names no package of the solution",
        "app is both in packages and pruned",
    ]


def test_the_closure_starts_at_host_packages_too():
    stays, dropped = closure(
        package("zlib"), package("png", "zlib"), package("numpy", "python"), packages=[], host=["png >=1.6", "numpy"]
    )
    assert stays == ["png", "zlib"]
    assert dropped == {"numpy": "a Python package that nobody asked for"}
