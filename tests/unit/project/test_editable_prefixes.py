"""Prefixes that stay for editable installs: they go with the last project that had them, and not before."""

from __future__ import annotations

import json
import os
import platform
import shutil
from pathlib import Path

import pytest

from mamba_press import atomic
from mamba_press.project import editable_prefixes


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "cache" / "mamba-press"


def prefix(folder: Path, name: str, *, days: float = 2) -> Path:
    """A prefix that was last used some days ago."""
    (folder / name / "lib").mkdir(parents=True)
    (folder / name / "lib" / "libz.so").touch()
    then = (folder / name).stat().st_mtime - days * 24 * 60 * 60
    os.utime(folder / name, (then, then))
    return folder / name


def project(tmp_path: Path, name: str) -> Path:
    (tmp_path / "work" / name).mkdir(parents=True)
    (tmp_path / "work" / name / "pyproject.toml").touch()
    return tmp_path / "work" / name


def test_other_prefixes_than_last_time_are_told_once(folder, tmp_path):
    root, one, two = project(tmp_path, "a"), prefix(folder, "one"), prefix(folder, "two")
    assert [editable_prefixes.claim(folder, root, [each]) for each in (one, one, two, two, one)] == [
        False,
        False,
        True,
        False,
        True,
    ]


def test_a_prefix_goes_when_the_last_project_that_had_it_is_gone(folder, tmp_path):
    first, second = project(tmp_path, "a"), project(tmp_path, "b")
    own, common, later = prefix(folder, "own"), prefix(folder, "common"), prefix(folder, "later")
    editable_prefixes.claim(folder, first, [own, common])
    editable_prefixes.claim(folder, first, [later])  # another environment may still have what the first install left
    editable_prefixes.claim(folder, second, [common])
    assert editable_prefixes.sweep(folder) == ()
    shutil.rmtree(first)
    assert editable_prefixes.sweep(folder) == (later, own)
    assert sorted(path.name for path in folder.iterdir()) == ["common", "editable"]
    shutil.rmtree(second)
    assert editable_prefixes.sweep(folder) == (common,)
    assert [*folder.iterdir(), *(folder / "editable").iterdir()] == [folder / "editable"]


def test_an_install_in_the_middle_of_another_is_noted_too(folder, tmp_path, monkeypatch):
    root, one, two = project(tmp_path, "a"), prefix(folder, "one"), prefix(folder, "two")
    replacing = editable_prefixes.replacing

    def after_another(path: Path):
        monkeypatch.undo()
        editable_prefixes.claim(folder, root, [two])
        return replacing(path)

    monkeypatch.setattr(editable_prefixes, "replacing", after_another)
    editable_prefixes.claim(folder, root, [one])
    shutil.rmtree(root)
    assert editable_prefixes.sweep(folder) == (one, two)


def test_a_prefix_that_was_used_within_a_day_stays_until_then(folder, tmp_path):
    root, fresh = project(tmp_path, "a"), prefix(folder, "fresh", days=0.9)
    editable_prefixes.claim(folder, root, [fresh])
    shutil.rmtree(root)
    assert editable_prefixes.sweep(folder) == ()
    os.utime(fresh, (0, 0))
    assert editable_prefixes.sweep(folder) == (fresh,)


def test_a_project_on_another_machine_or_on_a_disk_that_is_not_there_is_not_gone(folder, tmp_path, monkeypatch):
    away, elsewhere = project(tmp_path, "disk/a"), project(tmp_path, "b")
    editable_prefixes.claim(folder, away, [prefix(folder, "one")])
    monkeypatch.setattr(platform, "node", lambda: "another")
    editable_prefixes.claim(folder, elsewhere, [prefix(folder, "two")])
    monkeypatch.undo()
    shutil.rmtree(tmp_path / "work")
    assert editable_prefixes.sweep(folder) == ()


def test_what_no_note_names_and_notes_that_cannot_be_read_stay(folder):
    prefix(folder, "mine")
    (folder / "editable").mkdir()
    for number, text in enumerate(["", "[]", "{}", '{"root": 1, "machine": 2, "device": 3, "prefixes": 4}']):
        (folder / "editable" / f"{number}.json").write_text(text)
    before = sorted(folder.rglob("*"))
    assert editable_prefixes.sweep(folder) == ()
    assert sorted(folder.rglob("*")) == before


def test_a_note_that_names_another_folder_removes_nothing(folder, tmp_path):
    root, outside = project(tmp_path, "a"), prefix(tmp_path, "outside")
    prefix(folder, "one")
    editable_prefixes.claim(folder, root, [folder / "one"])
    (note,) = (folder / "editable").iterdir()
    note.write_text(note.read_text().replace('"one"', f'"{outside}", "", "../../outside"'))
    shutil.rmtree(root)
    assert editable_prefixes.sweep(folder) == ()
    assert outside.is_dir()


def test_what_killed_builds_left_goes_after_a_day(folder):
    old, new = (
        prefix(folder, f"{atomic.TEMPORARY}old"),
        prefix(folder, f"{atomic.TEMPORARY}new", days=0.5),
    )
    editable_prefixes.sweep(folder)
    assert (old.exists(), new.exists()) == (False, True)


def test_without_a_cache_there_is_nothing_to_remove(folder):
    assert editable_prefixes.sweep(folder) == ()


def test_a_project_whose_disk_left_its_empty_folder_is_not_gone(folder, tmp_path):
    root, used = project(tmp_path, "mount/a"), prefix(folder, "used")
    editable_prefixes.claim(folder, root, [used])
    (note,) = (folder / "editable").iterdir()
    values = json.loads(note.read_text())
    note.write_text(json.dumps({**values, "device": values["device"] + 1}))
    shutil.rmtree(root)
    assert root.parent.is_dir()
    assert editable_prefixes.sweep(folder) == ()


def test_the_last_install_says_on_which_disk_a_project_is(folder, tmp_path):
    root, one, two = project(tmp_path, "a"), prefix(folder, "one"), prefix(folder, "two")
    editable_prefixes.claim(folder, root, [one])
    (note,) = (folder / "editable").iterdir()
    values, times = json.loads(note.read_text()), note.stat()
    note.write_text(json.dumps({**values, "device": values["device"] + 1}))
    os.utime(note, ns=(times.st_atime_ns, times.st_mtime_ns))
    editable_prefixes.claim(folder, root, [two])
    shutil.rmtree(root)
    assert editable_prefixes.sweep(folder) == (one, two)


def test_a_project_without_its_file_for_now_is_not_gone(folder, tmp_path):
    root = project(tmp_path, "a")
    editable_prefixes.claim(folder, root, [prefix(folder, "used")])
    (root / "pyproject.toml").unlink()
    assert editable_prefixes.sweep(folder) == ()
