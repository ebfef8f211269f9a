"""Packages that were asked for and are not in the wheel are warned of, and an empty wheel is refused."""

from __future__ import annotations

import pytest

from mamba_press.audit import unused_packages
from mamba_press.config import reader
from mamba_press.errors import ContentError, Note, Text
from mamba_press.types import OWN
from mamba_press.vendoring.select import files
from tests.support.values import TARGET, Libraries, Prefix

SITE = "lib/python3.10/site-packages"


@pytest.fixture(scope="session")
def elf(tmp_path_factory):
    return Libraries(tmp_path_factory.mktemp("elf"))


@pytest.fixture
def prefix(tmp_path):
    return Prefix(tmp_path / "prefix").package("app", requested=True)


def packages(prefix, *, is_empty=False, requires=False):
    environment = prefix.environment()
    selection = files.select(environment, TARGET, reader.from_values({"packages": ["app"]}, {}, {}))
    return unused_packages.packages(environment, selection, is_empty=is_empty, requires=requires)


def test_a_package_of_which_nothing_stays_is_warned_of_with_what_it_depends_on(prefix):
    prefix.package("other", "python >=3.10", "python_abi 3.10.*", "__glibc >=2.17", "other-serial 1.*", requested=True)
    prefix.add("include/other.h", of="other")
    prefix.add("share/app/data.txt", of="app")
    (note,) = packages(prefix)
    assert str(note) == (
        "warning: no file of other is in the wheel: 1 left by this rule: headers\n"
        '  perhaps it stands for others: packages = ["other-serial"]\n'
        "  keep what a rule leaves out with tool.mamba-press.select.include\n  or take it out of packages"
    )


def test_an_empty_wheel_is_refused_with_each_package_of_which_nothing_stays(prefix):
    prefix.package("other", "app", requested=True)
    prefix.add("include/app.h", of="app")
    with pytest.raises(ContentError) as refused:
        packages(prefix, is_empty=True)
    what = "no file of it stays, and the wheel would be empty: "
    assert [problem.what for problem in refused.value.problems] == [
        f"{what}1 left by this rule: headers",
        f"{what}it has no files",
    ]


def test_a_package_without_files_may_stand_for_others_that_are_in_the_wheel_or_required(prefix):
    prefix.package("meta", "app", requested=True)
    note = Note("no file of meta is in the wheel: it has no files", Text.of("take it out of packages"))
    assert packages(prefix, is_empty=True, requires=True)[-1] == note
    prefix.add("share/app/data.txt", of="app")
    assert packages(prefix) == (note,)


def test_nothing_is_said_where_something_of_each_package_stays(prefix):
    prefix.add("share/app/data.txt", of="app")
    assert packages(prefix) == ()


# --- host


@pytest.fixture
def mine(prefix, elf):
    """A prefix with own code and two libraries, of which the code uses none yet."""
    prefix.packages.clear()
    prefix.package(OWN, requested=True)
    prefix.add(f"{SITE}/mine/__init__.py", "", of=OWN)
    prefix.add("lib/libfirst.so.1", elf.library("libfirst.so.1"), of="first")
    prefix.link("lib/libfirst.so", "lib/libfirst.so.1", of="first-devel")
    prefix.add("lib/libsecond3.so.2", elf.library("libsecond3.so.2"), of="libsecond")
    return prefix


def host(prefix, *names, is_built=False, **table):
    config = reader.from_values({"host": list(names), **table}, {}, {})
    environment = prefix.environment()
    selection = files.select(environment, TARGET, config)
    return tuple(unused_packages.host(environment, selection, config, home="mine", is_built=is_built))


def unreached(name, stem, severity="warning"):
    return Note(
        f"no library of {name} (host) is in the wheel: nothing in the wheel needs one or asks for one",
        f'ask for it: from mine._mamba_press import library\nlibrary("{stem}")\nor take it out of host',
        severity,
    )


def test_each_package_of_host_that_nothing_uses_is_warned_of_with_the_line_that_asks_for_it(mine):
    assert host(mine, "first >=1", "here::libsecond") == (
        unreached("first", "first"),
        unreached("libsecond", "second3"),
    )


def test_a_library_that_own_code_asks_for_is_used(mine):
    mine.add(f"{SITE}/mine/use.py", "from mine._mamba_press import library\nlibrary('first')", of=OWN)
    assert host(mine, "first", "libsecond") == (unreached("libsecond", "second3"),)


def test_a_package_whose_links_lead_to_a_library_in_the_wheel_is_used(mine):
    mine.add(f"{SITE}/mine/use.py", "from mine._mamba_press import library\nlibrary('first')", of=OWN)
    assert host(mine, "first-devel") == ()


def test_a_package_without_files_is_used_where_one_that_it_stands_for_is(mine):
    mine.add(f"{SITE}/mine/use.py", "from mine._mamba_press import library\nlibrary('first')", of=OWN)
    mine.package("meta", "first >=1", "meta")
    assert host(mine, "meta") == ()


def test_a_library_that_is_needed_and_expected_of_the_system_is_used(mine, elf):
    needs = elf.library("mine.so", "libfirst.so.1")
    mine.add(f"{SITE}/mine/mine.so", needs, of=OWN)
    assert host(mine, "first", link={"system": ["libfirst.so"]}) == ()


def test_a_package_without_a_library_cannot_come_by_way_of_host(mine):
    mine.add("share/zoneinfo/UTC", "utc", of="tzdata")
    assert host(mine, "tzdata") == (
        Note(
            "no file of tzdata (host) is in the wheel: the wheel takes only libraries from host, and it has none",
            "name it in packages to press all of it, or take it out of host",
            "warning",
        ),
    )
    assert host(mine, "tzdata", select={"include": ["share/zoneinfo/**"]}) == ()


def test_what_an_inner_backend_builds_may_use_headers_or_a_static_library(mine, elf):
    mine.add("include/eigen.h", "", of="eigen")
    assert host(mine, "eigen", "first", is_built=True) == (unreached("first", "first"),)
    mine.add(f"{SITE}/mine/mine.so", elf.library("mine.so"), of=OWN)
    assert host(mine, "eigen", "first", is_built=True) == (unreached("first", "first", "note"),)


def test_what_is_asked_for_otherwise_or_pruned_is_not_missed(mine):
    mine.package("whole", requested=True)
    assert host(mine, "whole", "python", "first", select={"prune": ["first"]}) == ()
