"""The bytes of entries: edited, missing, changed meanwhile."""

from __future__ import annotations

import zipfile

import pytest

from mamba_press.errors import WriteError
from mamba_press.types import Edits
from mamba_press.wheel import content, writer
from tests.support.written import demo, entry, write


def test_edited_entries_are_written_and_listed_as_edited(tmp_path, monkeypatch):
    monkeypatch.setattr("mamba_press.platforms.binaries.apply", lambda data, edits: data.upper() + edits.name.encode())
    made = demo(entry("demo/a.so", b"\x7fELF", edits=Edits(name="x")))
    path = write(made, tmp_path)
    assert zipfile.ZipFile(path).read("demo/a.so") == b"\x7fELFx"
    assert writer.listing(made)[0].size == 5


def test_an_edit_that_fails_names_the_file(tmp_path):
    made = demo(entry("demo/a.so", b"\x7fELF but nothing else", edits=Edits(name="x")))
    with pytest.raises(WriteError, match=r"demo/a\.so: could not be edited"):
        write(made, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_huge_files_are_written_in_parts_and_read_back(mixed, tmp_path, small_windows):
    path = write(mixed, tmp_path / "out")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.getinfo("demo/text.txt").compress_type == zipfile.ZIP_DEFLATED
        assert archive.getinfo("demo/noise.bin").compress_type == zipfile.ZIP_STORED
        assert archive.read("demo/text.txt") == (tmp_path / "sources" / "text.txt").read_bytes()
    rows = writer.listing(mixed)
    assert content.record(mixed, rows[:-1]) == zipfile.ZipFile(path).read("demo-1.0.dist-info/RECORD")


def test_every_missing_source_is_named(tmp_path):
    made = demo(*(entry(f"demo/{name}", tmp_path / name) for name in "ab"))
    with pytest.raises(WriteError) as error:
        write(made, tmp_path / "out")
    assert [problem.where for problem in error.value.problems] == ["demo/a", "demo/b"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("is_huge", [False, True])
def test_a_source_that_cannot_be_read_after_all_is_named(tmp_path, monkeypatch, is_huge):
    monkeypatch.setattr(content, "HUGE", 1 if is_huge else 1 << 30)
    with pytest.raises(WriteError, match="demo/a: its source cannot be read: Is a directory"):
        write(demo(entry("demo/a", tmp_path), own=()), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("is_huge", [False, True])
def test_a_source_that_changes_meanwhile_is_noticed(tmp_path, monkeypatch, is_huge):
    source = tmp_path / "a"
    source.write_bytes(b"short")
    monkeypatch.setattr(content, "_size", lambda entry: 6)
    monkeypatch.setattr(content, "HUGE", 1 if is_huge else 100)
    with pytest.raises(WriteError, match=r"demo/a: its source changed .* 5 bytes instead of 6"):
        write(demo(entry("demo/a", source), own=()), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
