"""A few of the cases of ``nox -s hostile``, so that its generators and what it holds stay true."""

from __future__ import annotations

import zipfile

import pytest

from tests.campaigns import hostile
from tests.campaigns.hostile import Arena, Case, Ran
from tests.support import press

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


def numbers(families, count):
    """Cases of each family but the bombs, which take seconds."""
    return [number for number in range(count) if list(families)[number % len(families)] != "bombs"]


def faults(cases):
    return {f"{case.family} {case.number}, {case.what}": case.faults for case in cases if case.faults}


def test_packages_that_are_made_to_do_harm_do_none(folder):
    """The last two have licences that lead to a secret, which was packed once."""
    cases = [*numbers(hostile.PACKAGES, len(hostile.PACKAGES)), 21, 47]
    assert faults(hostile.run("packages", cases, 1, folder)) == {}


def test_wheels_that_are_made_to_do_harm_do_none(folder):
    assert faults(hostile.run("wheels", numbers(hostile.WHEELS, 3 * len(hostile.WHEELS)), 1, folder)) == {}


def test_a_case_is_the_same_each_time_that_it_is_made(tmp_path):
    arena = Arena(tmp_path, tmp_path)
    for make in (hostile._names, hostile._links, hostile._lies):
        first, second = (make(hostile.Random(7), arena) for _ in range(2))
        assert (first[0].members, first[0].paths) == (second[0].members, second[0].paths)


@pytest.mark.parametrize(
    ("ran", "fault"),
    [
        (
            Ran(("press",), 0, "", "Traceback (most recent call last):\n x\nKeyError: 1", 1, 1),
            "a traceback: KeyError: 1",
        ),
        (Ran(("press",), 1, "", "words", 1, 1), "exit code 1"),
        (Ran(("press",), None, "", "words", 1, 1), "no end"),
        (Ran(("press",), 5, "", "", 1, 1), "fails and says nothing"),
        (Ran(("press",), 5, "", "a\x1b[2J", 1, 1), "prints the control character '\\x1b'"),
        (Ran(("press",), 5, "", f"{hostile.SECRET.decode()}", 1, 1), "prints a secret"),
        (Ran(("press",), 5, "", "words", 21, 1), "21 seconds"),
        (Ran(("press",), 5, "", "words", 1, 2 << 30), "2048 MB"),
    ],
)
def test_what_a_command_must_not_do_is_seen(ran, fault):
    case = Case("x", 1)
    hostile.judge(case, ran)
    assert case.faults == [f"press: {fault}"]


def test_what_changes_on_the_machine_is_seen(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    arena = Arena(tmp_path, tmp_path)
    before = arena.surroundings()
    (tmp_path / "home" / "new").write_text("x")
    (tmp_path / "tmp" / "left").write_text("x")
    case = Case("x", 1)
    hostile.hold(case, arena, before)
    assert case.faults == ["changed outside: /home/new (1)", "left in the temporary folder: left"]


def test_what_nothing_vouches_for_is_seen(tmp_path):
    with zipfile.ZipFile(tmp_path / "a-1-py3-none-any.whl", "w") as archive:
        archive.writestr("a/x.py", b"good\n")
        archive.writestr("a/y.py", b"other\n")
        archive.writestr("a/z.py", hostile.SECRET)
    (tmp_path / ".a.whl.part").write_text("")
    case = Case("x", 1)
    vouched = frozenset({hostile.hostile.sha256(b"good\n"), hostile.hostile.sha256(hostile.SECRET)})
    hostile.hold_wheels(case, tmp_path, vouched, prefixed=False)
    assert case.faults == [
        "half a wheel: .a.whl.part",
        "nothing vouches for a/y.py",
        "a secret of the machine in a/z.py",
    ]
