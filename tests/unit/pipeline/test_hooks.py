from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.errors import WriteError
from mamba_press.pipeline import hooks, read_project, solve
from mamba_press.types import Package, Python, Solution, Target
from tests.support.values import specs

TARGET = Target(
    system="linux",
    arch="x86_64",
    subdir="linux-64",
    python=Python(minor=12),
    floor=(2, 28),
    tag="manylinux_2_28_x86_64",
)


def solution() -> Solution:
    package = Package(
        name="greet",
        version="1.0",
        build="0",
        build_number=0,
        channel="here",
        subdir="linux-64",
        url="https://example.org/linux-64/greet-1.0-0.conda",
        file_name="greet-1.0-0.conda",
        depends=specs("words"),
        requested=True,
    )
    return Solution(target=TARGET, packages=(package,), channels=("here",))


def handed(asked: solve.Order, folder: Path) -> Path:
    from mamba_press.conda import records

    folder.joinpath("mamba-press.json").write_bytes(
        hooks._hand_over(asked, solution=json.loads(records.to_json(solution())))
    )
    return folder


def test_a_solve_is_handed_over_as_it_was(root):
    asked = read_project.order(root, None, {})
    assert hooks._handed_over(str(handed(asked, root)), asked) == solution()


def test_nothing_prepared_hands_nothing_over(root):
    asked = read_project.order(root, None, {})
    assert hooks._handed_over(None, asked) is None
    assert hooks._handed_over(str(root / "nowhere"), asked) is None


def test_a_solve_for_another_order_is_not_taken(root, tmp_path):
    asked = read_project.order(root, None, {})
    folder = str(handed(asked, root))
    others = [
        read_project.order(root, {"constraints": "words <2"}, {}),
        read_project.order(root, {"python": "3.11"}, {}),
        read_project.order(root, {"platform": "manylinux_2_17_x86_64"}, {}),
        read_project.order(root, {}, {"CONDA_OVERRIDE_CUDA": "12.4"}),
        replace(asked, root=tmp_path / "elsewhere"),
    ]
    for other in others:
        assert hooks._handed_over(folder, other) is None
    root.joinpath(solve.LOCK).write_text("another solution")
    assert hooks._handed_over(folder, asked) is None


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b'{"for": null}', b"[" * 50_000])
def test_what_is_no_hand_over_is_as_good_as_none(data, root):
    asked = read_project.order(root, None, {})
    root.joinpath("mamba-press.json").write_bytes(data)
    assert hooks._handed_over(str(root), asked) is None


def test_a_prepared_folder_takes_the_place_of_others(tmp_path):
    tmp_path.joinpath("old-1.0.dist-info").mkdir()
    tmp_path.joinpath("old-1.0.dist-info", "METADATA").write_text("old")
    tmp_path.joinpath("stray-1.0.dist-info").write_text("a file")
    tmp_path.joinpath("link-1.0.dist-info").symlink_to(tmp_path.parent)
    tmp_path.joinpath("kept").mkdir()
    hooks._replace_folder(tmp_path / "new-1.0.dist-info", {"METADATA": b"new", "licenses/a/LICENSE": b"free"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "new-1.0.dist-info"]
    assert (tmp_path / "new-1.0.dist-info" / "licenses" / "a" / "LICENSE").read_bytes() == b"free"
    assert tmp_path.parent.is_dir()


def test_a_prepared_folder_is_there_whole_or_not_at_all(tmp_path):
    """The second file cannot be written, for a folder has its name."""
    old = tmp_path / "old-1.0.dist-info"
    old.mkdir()
    files = {"METADATA": b"new", "licenses/a": b"free", "licenses": b"not a folder"}
    with pytest.raises(WriteError, match="cannot be written"):
        hooks._replace_folder(tmp_path / "new-1.0.dist-info", files)
    assert [path.name for path in tmp_path.iterdir()] == ["old-1.0.dist-info"]


def test_a_prepared_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.joinpath("file").write_text("no folder")
    with pytest.raises(WriteError, match="folder of the metadata"):
        hooks._replace_folder(tmp_path / "file" / "new-1.0.dist-info", {"METADATA": b"new"})
