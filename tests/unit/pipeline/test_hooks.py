from __future__ import annotations

import pytest

from mamba_press.errors import WriteError
from mamba_press.pipeline import hooks


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
