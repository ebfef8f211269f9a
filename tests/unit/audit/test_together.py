"""Wheels that are judged as they are when all of them are installed into one folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.version import Version

from mamba_press.audit import check
from mamba_press.types import Entry, Wheel
from mamba_press.wheel import writer
from tests.support.compile import Linking, shared_library

PLATFORM = "manylinux_2_28_x86_64"


def made(folder: Path, name: str, files: Mapping[str, Path | bytes], *requires: str, version: str = "1.0") -> Path:
    """A sound wheel of these files."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    tag = f"py3-none-{PLATFORM if any(isinstance(each, Path) for each in files.values()) else 'any'}"
    text = f"Wheel-Version: 1.0\nGenerator: mamba-press test\nRoot-Is-Purelib: false\nTag: {tag}\n"
    info = f"{name}-{version}.dist-info"
    entries = [Entry(path=path, source=source) for path, source in files.items()]
    entries += [Entry(path=f"{info}/METADATA", source=metadata.encode())]
    entries += [Entry(path=f"{info}/WHEEL", source=text.encode())]
    one = Wheel(name=name, version=Version(version), tags=tag, entries=tuple(entries))
    return writer.write(one, folder, compression=None, epoch=None)


def wrong(*paths: Path) -> list[str]:
    return [str(problem) for found in check.together(paths) for problem in found.problems]


@pytest.fixture
def library(tmp_path):
    return shared_library(tmp_path / "libg.so.1", "int g(void) { return 1; }", Linking(soname="libg.so.1"))


@pytest.fixture
def user(tmp_path, library):
    linking = Linking(needed=(library,), runpath="$ORIGIN/../shared/lib")
    return shared_library(tmp_path / "user.so", "int g(void); int u(void) { return g(); }", linking)


def test_a_library_is_found_in_another_wheel_where_the_search_path_leads(tmp_path, library, user):
    one = made(tmp_path, "one", {"one/user.so": user}, "two==1.0")
    two = made(tmp_path, "two", {"shared/lib/libg.so.1": library})
    assert wrong(one, two) == []
    assert wrong(two, one) == []
    assert not any("another wheel has to bring" in note for found in check.together([one, two]) for note in found.notes)


def test_a_library_that_lies_elsewhere_in_the_other_wheel_is_not_found(tmp_path, library, user):
    one = made(tmp_path, "one", {"one/user.so": user, "shared/x.txt": b""})
    two = made(tmp_path, "two", {"shared/other/libg.so.1": library})
    (problem,) = wrong(one, two)
    assert problem.startswith("one/user.so: needs libg.so.1, which is neither in the wheel where it is looked for")


def test_one_library_in_two_wheels_is_noted(tmp_path, library):
    one = made(tmp_path, "one", {"one/libg.so.1": library})
    two = made(tmp_path, "two", {"two/libg.so.1": library})
    first, second = check.together([one, two])
    assert (first.problems, second.problems, first.notes) == ((), (), ())
    assert second.notes == (f"two/libg.so.1 is also in {one.name}, as one/libg.so.1",)


def test_two_files_at_one_path_are_wrong_and_the_same_file_is_not(tmp_path):
    one = made(tmp_path, "one", {"space/__init__.py": b"a", "space/data": b"same"})
    two = made(tmp_path, "two", {"space/__init__.py": b"b", "space/data": b"same"})
    assert wrong(one, two) == [
        "space/__init__.py: is another file in one-1.0-py3-none-any.whl: the later one would win"
    ]


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("two>=1", None),
        ("two==1.0", None),
        ("two>=2; extra == 'more'", None),
        ("two>=2", "one-1.0-py3-none-any.whl: requires two>=2, which is there as 1.0"),
        ("three", "one-1.0-py3-none-any.whl: requires three, which is not there"),
    ],
)
def test_requirements_are_held_to_the_other_wheels(tmp_path, requirement, said):
    one = made(tmp_path, "one", {"one.py": b""}, requirement)
    two = made(tmp_path, "two", {"two.py": b""})
    assert wrong(one, two) == ([said] if said else [])


def test_an_exact_requirement_tells_two_builds_apart(tmp_path):
    one = made(tmp_path, "one", {"one.py": b""}, "two==1.0+h0.ga")
    two = made(tmp_path, "two", {"two.py": b""}, version="1.0+h0.gb")
    assert "which is there as 1.0+h0.gb" in wrong(one, two)[0]


def test_a_problem_is_told_of_its_own_wheel_only(tmp_path, library, user):
    one = made(tmp_path, "one", {"one.py": b""})
    two = made(tmp_path, "two", {"two/user.so": user, "shared/other/libg.so.1": library})
    found = check.together([one, two])
    assert [len(each.problems) for each in found] == [0, 1]


def test_what_is_no_wheel_is_told_and_the_others_are_judged(tmp_path):
    (tmp_path / "broken-1.0-py3-none-any.whl").write_bytes(b"x")
    one = made(tmp_path, "one", {"one.py": b""}, "three")
    found = wrong(tmp_path / "broken-1.0-py3-none-any.whl", one)
    assert len(found) == 2
    assert "cannot be read as a wheel" in found[0]


def test_alone_a_wheel_of_a_house_may_need_what_others_bring_and_together_it_may_not(tmp_path, library):
    linking = Linking(soname="libh.so.1", needed=(library,), runpath="$ORIGIN")
    user = shared_library(tmp_path / "libh.so.1", "int g(void); int h(void) { return g(); }", linking)
    one = made(tmp_path, "one", {"_house_prefix/_prefix/lib/libh.so.1": user})
    found = check.examine(one)
    assert found.problems == ()
    assert "which another wheel has to bring as _house_prefix/_prefix/lib/libg.so.1" in found.notes[0]
    (problem,) = wrong(one)
    assert "needs libg.so.1, which is neither in the wheel" in problem


def test_a_wheel_with_a_prefix_of_its_own_has_to_have_all_of_it(tmp_path, library):
    linking = Linking(soname="libh.so.1", needed=(library,), runpath="$ORIGIN")
    user = shared_library(tmp_path / "libh.so.1", "int g(void); int h(void) { return g(); }", linking)
    one = made(tmp_path, "one", {"one/__init__.py": b"", "one/_prefix/lib/libh.so.1": user})
    assert len(check.examine(one).problems) == 1


def test_libraries_that_one_process_would_take_for_each_other_are_told(tmp_path, library, user):
    other = shared_library(tmp_path / "other/libg.so.1", "int g(void) { return 2; }", Linking(soname="libg.so.1"))
    one = made(tmp_path, "one", {"one/user.so": user, "shared/lib/libg.so.1": library})
    two = made(tmp_path, "two", {"two/user.so": user, "shared/x.txt": b"", "two/libg.so.1": other})
    notes = [note for found in check.together([one, two]) for note in found.notes]
    (note,) = (note for note in notes if "answers for both" in note)
    assert note.startswith("two/libg.so.1 is called libg.so.1, as is another library, shared/lib/libg.so.1 in one-1.0")
    same = made(tmp_path, "three", {"three/user.so": user, "three/libg.so.1": library})
    assert not any("answers for both" in note for found in check.together([one, same]) for note in found.notes)
    alone = made(tmp_path, "four", {"four/libg.so.1": other})
    assert not any("answers for both" in note for found in check.together([one, alone]) for note in found.notes)
