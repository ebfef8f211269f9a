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
    assert "first, second" in problems[1].what
