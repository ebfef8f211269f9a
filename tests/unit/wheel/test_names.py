"""Names that indexes and installers refuse."""

from __future__ import annotations

import pytest

from mamba_press.errors import ContentError
from mamba_press.types import Entry, File, Kept, Reason
from mamba_press.wheel import names, writer
from tests.support.written import demo, entry, write


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["demo/a", "demo/a"], "2 files have this path"),
        (["demo/\u00e9", "demo/e\u0301"], "different Unicode spellings"),
        (["demo/a\x1b[31m"], "control characters"),
        (["demo/a\udcff"], "not UTF-8"),
        (["demo/a\u2028b"], "line ends"),
        (["demo\\a"], "backslash"),
        (["/demo/a"], "absolute"),
        (["demo/../../a"], "leaves the wheel"),
        (["demo//a"], "empty parts"),
        (["demo/./a"], "empty parts"),
        (["demo/"], "empty parts"),
        (["demo/__pycache__/a.cpython-311.pyc"], "compiled Python"),
        (["demo/" + "a" * 256], "too long"),
        (["/".join(["a" * 200] * 6)], "too long"),
        (["demo/a", "demo/a/b"], "both a file and a folder"),
        (["demo-1.0.dist-info/RECORD"], "RECORD is written with the wheel"),
    ],
)
def test_names_that_cannot_be_shipped_are_refused(tmp_path, paths, said):
    made = demo(*(entry(path) for path in paths))
    with pytest.raises(ContentError) as error:
        write(made, tmp_path / "out")
    assert said in str(error.value)
    assert "\x1b" not in str(error.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ContentError):
        writer.listing(made)


def test_all_bad_names_are_named_at_once_with_their_packages(tmp_path):
    source = tmp_path / "a"
    source.touch()
    owned = [
        Kept(file=File(path="a", source=source, package=package, size=0), why=Reason("rule"))
        for package in ("first", "second")
    ]
    made = demo(entry("demo/x.pyc"), *(Entry.of(kept, "demo/a") for kept in owned))
    problems = names.refusals(made)
    assert [problem.where for problem in problems] == ["demo/x.pyc", "demo/a"]
    assert str(problems[1]) == (
        "demo/a: 2 files have this path from first, second\n"
        "  leave one out with tool.mamba-press.select.exclude, or move it with tool.mamba-press.layout.move"
    )


LEAVE = "leave the file out with tool.mamba-press.select.exclude"


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (
            ["demo/\u00e9", "demo/e\u0301"],
            (
                "demo/\u00e9: files have this path, in different Unicode spellings, from mamba-press, mamba-press\n"
                "  leave one out with tool.mamba-press.select.exclude, or move it with tool.mamba-press.layout.move"
            ),
        ),
        (["demo/a", "demo/a/b"], "demo/a: is both a file and a folder of the wheel"),
        (["a\tb"], f"a\\tb: the name has control characters, line ends, or bytes that are not UTF-8\n  {LEAVE}"),
        (["/a"], f"/a: the path is absolute, leaves the wheel, or has empty parts\n  {LEAVE}"),
        (["a\\b"], f"a\\b: the name has a backslash, which Windows takes for a folder\n  {LEAVE}"),
        (["a.pyc"], f"a.pyc: compiled Python code belongs to the interpreter that installs the wheel\n  {LEAVE}"),
    ],
)
def test_what_is_wrong_with_a_name_is_told_with_what_to_do(paths, said):
    (problem,) = names.refusals(demo(*(entry(path) for path in paths)))
    assert str(problem) == said


def test_a_path_of_many_short_names_is_no_longer_than_file_systems_allow():
    assert names.refusals(demo(entry("/".join(["a" * 255] * 4)))) == ()
    assert len(names.refusals(demo(entry("/".join(["a" * 256, "b"]))))) == 1
