"""Several files that take their places together, or leave everything as it was."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from mamba_press import atomic, interrupts
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


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a", "a: cannot be written: File exists\n  a file is where the output folder should be"),
        ("a/x/y", "a/x/y: cannot be written: Not a directory\n  a part of the path is a file"),
        ("b", "b: cannot be written: File exists"),
        ("c", None),
        ("x/y", None),
    ],
)
def test_a_folder_that_cannot_be_written_into_is_told_before(folders, path, said):
    before = sorted(folders[1].rglob("*"))
    with pytest.raises(WriteError, match=said) if said else nullcontext():
        atomic.require(folders[1] / path)
    assert sorted(folders[1].rglob("*")) == before


def test_what_the_file_system_refuses_is_told_with_the_place(folders):
    new, old = folders
    with pytest.raises(WriteError, match=f"{old / 'c'}: cannot be written: .*directory"), atomic.moving(new) as move:
        move(new / "c", old / "c")


def test_a_drive_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    with pytest.raises(WriteError, match="No such file"):
        atomic.require(tmp_path / "out")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
@pytest.mark.parametrize("when", ["mkdtemp", "rmtree"])
def test_a_temporary_folder_goes_though_a_signal_comes_while_it_is_made_or_removed(when, tmp_path, monkeypatch):
    home = tempfile if when == "mkdtemp" else shutil
    real = getattr(home, when)

    def signalled(*arguments: object, **more: object) -> object:
        signal.raise_signal(signal.SIGTERM)  # in this thread, so that it has come when the next line runs
        return real(*arguments, **more)

    with monkeypatch.context() as patch:  # pytest removes folders, too
        patch.setattr(home, when, signalled)
        with pytest.raises(KeyboardInterrupt), interrupts.caught(), atomic.temporary(tmp_path) as folder:
            (folder / "file").write_text("unfinished")
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_stays_after_an_exception_that_asks_for_it(tmp_path):
    with (
        pytest.raises(ValueError, match="kept"),
        atomic.temporary(tmp_path, stays=lambda error: isinstance(error, ValueError)) as folder,
    ):
        raise ValueError("kept")
    assert folder.is_dir()
    with pytest.raises(KeyError), atomic.temporary(tmp_path, stays=lambda error: isinstance(error, ValueError)) as gone:
        raise KeyError
    assert not gone.exists()


def test_an_empty_folder_goes_also_where_no_file_can_be_opened_any_more(tmp_path):
    resource = pytest.importorskip("resource", reason="the limits of Unix")
    folder = tmp_path / "folder"
    folder.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            os.open(os.devnull, os.O_RDONLY)
        atomic.remove(str(folder))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert not folder.exists()


def test_what_killed_processes_left_a_day_ago_is_swept(tmp_path):
    names = ["mamba-press-old", ".mamba-press-old", "mamba-press-new", "other-old"]
    for name in names:
        tmp_path.joinpath(name, "inside").mkdir(parents=True)
        if name.endswith("old"):
            os.utime(tmp_path / name, (1, 1))
    atomic.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mamba-press-new", "other-old"]


def test_a_temporary_folder_within_another_is_named_as_everywhere(tmp_path):
    with atomic.temporary(within=tmp_path) as folder:
        assert folder.parent == tmp_path.resolve()
        assert folder.name.startswith("mamba-press-")
    assert list(tmp_path.iterdir()) == []
