from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from mamba_press.config.model import Config, Layout
from mamba_press.errors import ConfigError, ContentError
from mamba_press.metadata.pyproject import of_package
from mamba_press.platforms.target import marker_environment
from mamba_press.types import Dropped, Entry, Reason, Selection, Solution
from mamba_press.vendoring import split
from tests.support.values import TARGET, package
from tests.support.wheelhouse import HOME, SITE, Wheelhouse, greeting


@pytest.fixture
def house(tmp_path):
    return Wheelhouse(tmp_path)


def test_a_package_with_metadata_of_its_own_keeps_its_name_and_any_other_gets_one_of_the_house(house):
    members = greeting(house).members()
    assert {name: member.name for name, member in members.items()} == {
        "greet": "greet",
        "libgreet": "house-conda-libgreet",
        "libword": "house-conda-libword",
    }


def test_every_file_is_in_the_wheel_of_its_own_package(house):
    members = greeting(house).members()
    paths = {name: {entry.path for entry in member.entries} for name, member in members.items()}
    assert paths["libword"] == {f"{HOME}/lib/libword.so.1"}
    assert sum(map(len, paths.values())) == len(house.entries) == len(set().union(*paths.values()))


def test_a_wheel_requires_exactly_what_its_files_are_linked_to(house):
    members = greeting(house).members()
    assert members["greet"].exact == {"libgreet"}
    assert members["libgreet"].exact == {"libword"}
    assert members["libword"].exact == set()


def test_a_wheel_requires_exactly_the_data_that_its_record_depends_on(house):
    house.python("greet", "words-data >=1").package("words-data")
    house.file("words-data", "share/words.txt", b"hello")
    assert house.members()["greet"].exact == {"words-data"}


def test_a_package_that_is_no_wheel_passes_its_dependencies_on(house):
    house.python("greet", "words").package("words", "words-data", "_mutex").package("_mutex", "words")
    house.package("words-data").file("words-data", "share/words.txt", b"hello")
    assert house.members()["greet"].exact == {"words-data"}


def test_a_python_package_is_no_exact_requirement_of_who_depends_on_it(house):
    house.python("greet", "words").python("words")
    assert house.members()["greet"].exact == set()


def test_a_python_package_is_an_exact_requirement_of_who_is_linked_to_it(house):
    house.python("greet", "words").python("words")
    house.file("words", f"{SITE}/words/libwords.so", b"W")
    house.file("greet", f"{SITE}/greet/_greet.so", b"E", needs=(f"{SITE}/words/libwords.so",))
    assert house.members()["greet"].exact == {"words"}


def test_two_packages_that_would_have_one_name_are_refused_by_both_names(house):
    house.python("greet").package("greet-other", "python")
    house.file("greet-other", f"{SITE}/greet-2.dist-info/METADATA", b"Name: Greet\nVersion: 2\n")
    with pytest.raises(ContentError, match=r"greet 1\.0 0 and greet-other 1\.0 0: would be two wheels of one name"):
        house.members()


@pytest.mark.parametrize(
    ("version", "build", "expected"),
    [
        ("1.2.13", "hd590300_5", "1.2.13+hd590300.5.g"),
        ("1.1.1w", "h0_0", "1.1.1+w.h0.0.g"),
        ("2024a", "h0_0", "2024+a.h0.0.g"),
        ("14.2.4.post0", "h0_1", "14.2.4+post0.h0.1.g"),
        ("3.000", "h7_0", "3.0+h7.0.g"),
        ("1!2.0", "h0_0", "2.0+h0.0.g"),
        ("main", "h0_0", "0+main.h0.0.g"),
    ],
)
def test_any_conda_version_becomes_one_that_every_installer_reads(house, version, build, expected):
    house.package("lib", version=version, build=build).file("lib", "lib/lib.so", b"x")
    found = house.versions()["lib"]
    assert found.startswith(expected)
    assert str(Version(found)) == found
    assert not Version(found).is_prerelease


def test_the_version_of_a_python_package_is_its_own_and_fits_what_others_require(house):
    house.python("greet", version="2.1.0rc1")
    assert Version(house.versions()["greet"]).public == "2.1.0rc1"


def test_a_changed_library_changes_its_version_and_that_of_all_that_is_built_on_it(tmp_path):
    before = greeting(Wheelhouse(tmp_path / "a")).python("words").versions()
    changed = greeting(Wheelhouse(tmp_path / "b")).python("words")
    (changed.root / "libword/lib/libword.so.1").write_bytes(b"other")
    after = changed.versions()
    assert {name for name in before if before[name] != after[name]} == {"libword", "libgreet", "greet"}


def test_the_same_packages_have_the_same_versions_wherever_they_lie(tmp_path):
    assert greeting(Wheelhouse(tmp_path / "a")).versions() == greeting(Wheelhouse(tmp_path / "b")).versions()


def test_what_a_wheel_says_of_itself_is_in_its_version(house):
    greeting(house)
    assert house.versions("requires six")["libword"] != house.versions("requires nothing")["libword"]


def test_packages_that_need_each_other_get_versions(house):
    house.package("a", "b").package("b", "a").file("a", "lib/a.so", b"a").file("b", "lib/b.so", b"b")
    assert house.members()["a"].exact == {"b"}
    assert set(house.versions()) == {"a", "b"}


# -- requirements


def settled(house: Wheelhouse, *dependencies: str):
    asked = of_package("greet", Version("1.0"))
    asked = replace(asked, table={**asked.table, "dependencies": list(dependencies)})
    found, notes = split.settled(asked, tuple(house.members().values()), marker_environment(TARGET))
    return found.table["dependencies"], notes


def test_a_requirement_that_the_house_satisfies_stays_as_it_is(house):
    house.python("words", version="1.5")
    assert settled(house, "words>=1,<2") == (["words<2,>=1"], ())


def test_a_requirement_that_nothing_satisfies_offline_is_left_out_and_told(house):
    lines, notes = settled(house, "chardet>=3")
    assert lines == []
    assert notes == ("greet requires chardet>=3, which was not solved: left out",)


def test_a_version_that_was_solved_otherwise_is_taken_as_solved_and_told(house):
    house.python("words", version="3.0")
    lines, notes = settled(house, "words[all]<2")
    assert lines == ["words"]
    assert notes == ("greet requires words[all]<2; the house has 3.0, and the wheel takes that",)


@pytest.mark.parametrize("line", ["chardet; extra == 'x'", "chardet; sys_platform == 'win32'"])
def test_a_requirement_that_does_not_hold_here_stays(house, line):
    assert settled(house, line) == ([line], ())


# -- what cannot be


@pytest.mark.parametrize(
    ("config", "key"),
    [(Config(hook="press_hook.py:adjust"), "hook"), (Config(layout=Layout(home="greet")), "layout.home")],
)
def test_a_key_for_one_wheel_is_refused_by_name(config, key):
    with pytest.raises(ConfigError, match=f"tool.mamba-press.{key}: is for one wheel"):
        split.require_possible("house", TARGET, config)


def test_windows_is_refused_with_the_way_out():
    with pytest.raises(ConfigError, match=r"Windows has no search paths.*\n.*select\.python-packages"):
        split.require_possible("house", replace(TARGET, system="win"), Config())


def test_why_a_package_is_no_wheel_is_told_by_what_became_of_its_libraries():
    dropped = [
        Dropped(package="lib", path="include/a.h", size=1, why=Reason("rule", "headers")),
        Dropped(package="lib", path="include/b.h", size=1, why=Reason("rule", "headers")),
        Dropped(package="lib", path="lib/lib.so.1", size=1, why=Reason("unreached")),
        Dropped(package="data", path="share/man/x.1", size=1, why=Reason("rule", "documentation")),
        Dropped(package="python", path=None, size=1, why=Reason("rule", "Python is not vendored")),
    ]
    packages = tuple(package(name) for name in ("data", "lib", "meta", "python"))
    solution = Solution(target=TARGET, packages=packages, channels=())
    left = split.left(solution, Selection(kept=(), dropped=tuple(dropped)))
    assert {each.package: str(each.why) for each in left} == {
        "data": "nothing of it stays: documentation",
        "lib": "no library of this dependency is reached",
        "meta": "it has no files: it only stands for others",
        "python": "Python is not vendored",
    }


@pytest.mark.parametrize("name", ["", "a b", "-a", "größe", "a\n"])
def test_a_house_with_a_name_that_no_wheel_can_have_is_refused(name):
    with pytest.raises(ConfigError, match=r"--name: .* is no name"):
        split.require_possible(name, TARGET, Config())


# -- programs


def test_a_program_that_is_asked_for_is_started_by_an_entry_point_of_its_own_wheel(house):
    greeting(house).file("libgreet", "bin/greet", b"x", is_binary=True)
    members = {m.package.name: m for m in split.with_programs(list(house.members().values()), ["bin/greet"], "house")}
    assert members["libgreet"].programs == {"greet": "_house_prefix._run_house_conda_libgreet:run_greet"}
    (text,) = (e.source for e in members["libgreet"].entries if e.path.endswith("/_run_house_conda_libgreet.py"))
    assert b"_run('_prefix/bin/greet')" in text
    assert members["greet"] == house.members()["greet"]


def test_a_program_that_is_in_no_wheel_is_refused(house):
    with pytest.raises(ContentError, match="bin/hello"):
        split.with_programs(list(greeting(house).members().values()), ["bin/hello"], "house")


def test_the_folders_of_a_wheel_get_its_name_when_its_version_is_known():
    entries = (Entry(path=f"{split.STEM}.data/scripts/greet", source=b""), Entry(path="greet.py", source=b""))
    found = split.named(entries, "greet-1.0+h0.g1")
    assert [entry.path for entry in found] == ["greet-1.0+h0.g1.data/scripts/greet", "greet.py"]
