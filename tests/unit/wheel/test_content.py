"""The bytes of entries: edited, missing, changed meanwhile."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace

import pytest

from mamba_press.errors import ContentError, WriteError
from mamba_press.types import Edits, Entry, File, Kept, Reason
from mamba_press.wheel import content, writer
from tests.support.written import demo, entry, write


def test_edited_entries_are_written_and_listed_as_edited(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "mamba_press.platforms.binary_edits.apply", lambda data, edits: data.upper() + edits.name.encode()
    )
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


def test_a_file_that_is_edited_is_read_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.setattr("mamba_press.platforms.binary_edits.apply", lambda data, edits: data[:].upper())
    (tmp_path / "a.so").write_bytes(b"content")
    one = content.Sized(entry("demo/a.so", tmp_path / "a.so", edits=Edits(name="x")), 7)
    assert content.contents_of(one) == b"CONTENT"
    assert content.contents_of(one._replace(size=0, entry=entry("demo/a", b"", edits=Edits(name="x")))) == b""


SHA256 = hashlib.sha256(b"content").hexdigest()


def of_a_package(path, placeholder=None, **fields):
    """An entry that is, or was made of, a file whose package states the hash of other bytes."""
    path.write_bytes(b"changed")
    file = File(path="lib/a", source=path, package="demo", size=7, sha256=SHA256, placeholder=placeholder)
    return replace(Entry.of(Kept(file=file, why=Reason("rule")), "demo/a"), **fields)


@pytest.mark.parametrize("fields", [{}, {"edits": Edits(name="x")}, {"source": b"made of it"}], ids=str)
def test_a_file_that_is_not_the_one_of_its_package_is_refused_however_it_is_used(tmp_path, monkeypatch, fields):
    monkeypatch.setattr("mamba_press.platforms.binary_edits.apply", lambda data, edits: data[:])
    made = of_a_package(tmp_path / "a", **fields)
    with pytest.raises(ContentError) as error:
        write(demo(made), tmp_path / "out")
    found = hashlib.sha256(b"changed").hexdigest()
    assert error.value.problems[0].what == f"the sha256 of its bytes is {found}, the package states {SHA256}"
    made.origin.source.write_bytes(b"content")
    assert write(demo(made), tmp_path / "out").is_file()


def test_a_file_that_the_install_changed_is_compared_before_that(tmp_path):
    made = of_a_package(tmp_path / "a", placeholder="text")
    assert zipfile.ZipFile(write(demo(made), tmp_path / "out")).read("demo/a") == b"changed"


def test_a_file_that_lies_elsewhere_is_not_compared(tmp_path):
    made = of_a_package(tmp_path / "a")
    (tmp_path / "other").write_bytes(b"patched")
    assert write(demo(replace(made, source=tmp_path / "other")), tmp_path / "out").is_file()


def test_record_has_a_line_for_each_row_and_for_itself():
    rows = [content.Row(path="demo/a, b.py", size=7, sha256=SHA256), content.Row(path="demo/c", size=0, sha256=None)]
    assert content.record(demo(), rows) == (
        b'"demo/a, b.py",sha256=7XACtDnprIRfIjV9giusFERzD722AW0-yUMil7nsn3M,7\ndemo/c,,0\ndemo-1.0.dist-info/RECORD,,\n'
    )
