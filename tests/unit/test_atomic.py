"""Several files that take their places together, or leave everything as it was."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from mamba_press import atomic
from mamba_press.errors import WriteError


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """A folder with three new files, and one where "a" is an old file, "b" a dead link, "c" a folder."""
    new, old = tmp_path / "new", tmp_path / "old"
    for folder in (new, old):
        folder.mkdir()
    for name in "abc":
        (new / name).write_text(f"new {name}")
    (old / "a").write_text("old a")
    (old / "b").symlink_to("nowhere")
    (old / "c").mkdir()
    return new, old


@pytest.mark.parametrize("ends", [WriteError, KeyboardInterrupt, None])
def test_files_are_moved_together_or_not_at_all(folders, ends):
    new, old = folders
    with pytest.raises(ends) if ends else nullcontext(), atomic.moving(new) as move:
        for name in "ab":
            move(new / name, old / name)
        assert (old / "a").read_text() == "new a"
        if ends is WriteError:
            move(new / "c", old / "c")
        elif ends:
            raise ends
    assert sorted(path.name for path in old.iterdir()) == ["a", "b", "c"]
    assert (old / "b").is_symlink() == bool(ends)
    assert (old / "a").read_text() == ("old a" if ends else "new a")


def test_what_the_file_system_refuses_is_told_with_the_place(folders):
    new, old = folders
    with pytest.raises(WriteError, match=f"{old / 'c'}: cannot be written: .*directory"), atomic.moving(new) as move:
        move(new / "c", old / "c")
