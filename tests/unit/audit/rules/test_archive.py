"""Archives, entries and names that installers or indexes do not take."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile

import pytest

from mamba_press.audit import smoke_test
from mamba_press.wheel import zip_format
from tests.support.wheels import INFO, files, make, record, rewritten, said


def test_a_wheel_for_linux_alone_may_have_names_that_differ_in_case(tmp_path):
    content = files({"demo/A.py": b"", "demo/a.py": b""})
    assert "only in case" not in said(make(tmp_path, content, "demo-1.0-py3-none-manylinux_2_28_x86_64.whl"))
    assert "only in case" not in said(make(tmp_path, content, "demo-1.0-py3-none-musllinux_1_2_x86_64.whl"))
    assert "only in case" in said(make(tmp_path, content, "demo-1.0-py3-none-macosx_11_0_arm64.whl"))


def test_a_place_that_installers_do_not_know_is_said(tmp_path):
    path = make(tmp_path, files({"demo-1.0.data/share/x": b""}))
    assert "installers know no place 'share', only platlib, purelib, headers, scripts, data" in said(path)


def test_no_dist_info_at_all_is_said(tmp_path):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo/x", b"")
    assert said(path) == "the wheel has no .dist-info folder"


def test_tags_are_sorted_as_packaging_sorts_them(tmp_path):
    from packaging.utils import parse_wheel_filename

    name = "demo-1.0-py2.py3-none-manylinux1_x86_64.manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
    parse_wheel_filename(name, validate_order=True)
    assert "not sorted" not in said(make(tmp_path, files(), name=name))


def test_a_symlink_is_said(tmp_path):
    def link(info):
        info.external_attr = (stat.S_IFLNK | 0o777) << 16

    assert "demo/__init__.py: is a symlink" in said(rewritten(make(tmp_path, files()), link))


def test_a_device_is_said(tmp_path):
    def device(info):
        info.external_attr = (stat.S_IFCHR | 0o777) << 16

    assert "is not a regular file" in said(rewritten(make(tmp_path, files()), device))


def test_a_folder_entry_is_said(tmp_path):
    path = make(tmp_path, files())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo("demo/"), b"")
        archive.writestr(zipfile.ZipInfo("demo/sub/"), b"")
    assert said(path) == "demo/: is an entry for a folder (2 in all): wheels have files only"


def test_a_streamed_archive_is_said(tmp_path):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    content = files()
    with path.open("wb") as file:
        read, end = os.pipe()
        copy = subprocess.Popen(
            [sys.executable, "-c", "import sys,shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"],
            stdin=read,
            stdout=file,
        )
        os.close(read)
        with os.fdopen(end, "wb") as pipe, zipfile.ZipFile(pipe, "w") as archive:
            for one, data in {**content, f"{INFO}/RECORD": record(content)}.items():
                archive.writestr(one, data)
        assert copy.wait() == 0
    assert "streamed ZIP file" in said(path)


def test_a_comment_is_said(tmp_path):
    path = make(tmp_path, files())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hello"
    assert said(path) == "the archive has a comment"


def test_bytes_after_the_end_and_before_the_beginning_are_said(tmp_path):
    path = make(tmp_path, files())
    sound = path.read_bytes()
    path.write_bytes(sound + b"\0" * 10)
    assert "bytes after its end" in said(path)
    path.write_bytes(b"#!/bin/sh\n" + sound)
    assert "bytes before its first entry" in said(path)


def test_a_comment_of_an_entry_and_another_method_are_said(tmp_path):
    def change(info):
        info.comment = b"hello"
        info.compress_type = zipfile.ZIP_LZMA

    text = said(rewritten(make(tmp_path, files()), change))
    assert "has a comment" in text
    assert "method 14" in text


def test_a_file_that_is_there_twice_is_said(tmp_path):
    path = make(tmp_path, files())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("demo/__init__.py", b"")
    assert "more than once" in said(path)


def test_a_bomb_is_said(tmp_path):
    assert "50 times" in said(make(tmp_path, files({"zeros": bytes(zip_format.PYPI_RATIO_FROM + 1)})))


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "bits", "gone"])
def test_a_damaged_file_is_said_and_raises_nothing(tmp_path, damage):
    path = make(tmp_path, files({"a.py": b"some text " * 1000}))
    data = path.read_bytes()
    middle = data.index(b"a.py") + 20
    broken = {
        "cut": data[:-100],
        "empty": b"",
        "text": b"not a wheel",
        "bits": data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :],
        "gone": None,
    }[damage]
    path.unlink() if broken is None else path.write_bytes(broken)
    expected = "cannot be unpacked" if damage == "bits" else "cannot be read as a wheel"
    assert expected in said(path)
    assert expected in str(smoke_test.run(path))
