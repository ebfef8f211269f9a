"""What the file name of a wheel says, and how much of it is read."""

from __future__ import annotations

import pytest

from mamba_press.audit import check, smoke_test
from mamba_press.wheel import read as wheel_read
from tests.support.wheels import INFO, METADATA, files, make, said


def test_the_future_name_counts_where_it_is_given(tmp_path):
    path = make(tmp_path, files(), name=".mamba-press-1.tmp")
    assert check.check(path, name="demo-1.0-py3-none-any.whl") == ()
    assert "is not the name of a wheel" in said(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("demo-1.0.zip", "is not the name of a wheel"),
        ("demo-1.0-py3-none.whl", "is not the name of a wheel"),
        ("demo-1.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "not sorted"),
        ("demo-1.0-py3-none-any.any.whl", "there twice"),
        ("other-1.0-py3-none-any.whl", "the file name says other-1.0"),
        ("demo-1.1-py3-none-any.whl", "the file name says demo-1.1"),
        ("demo-1.0-1-py3-none-any.whl", "has no Build; the file name has 1"),
    ],
)
def test_a_name_that_is_wrong_is_said(tmp_path, name, expected):
    assert expected in said(make(tmp_path, files(), name=name))


def test_how_large_a_wheel_is_is_found_too(tmp_path):
    path = make(tmp_path, files({"demo/__init__.py": b"x" * 5000}))
    found = check.examine(path)
    assert found.size == path.stat().st_size
    assert found.files == 5
    assert found.unpacked > 5000 > found.size


def test_a_text_larger_than_any_wheel_has_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setitem(wheel_read.TEXTS, "METADATA", 50)
    assert said(make(tmp_path, files())) == f"{INFO}/METADATA: has {len(METADATA)} bytes, and is not read beyond 50"


def test_what_grows_beyond_all_measure_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel_read, "MOST", 1 << 20)
    path = make(tmp_path, files({"zeros": bytes(2 << 20)}))
    assert said(path) == (
        "unpacks to 2,097,661 bytes, more than 50 times its size; its files are not looked at\n"
        '  write it uncompressed: [tool.mamba-press.wheel] compression = "store"'
    )
    (problem,) = smoke_test.run(path)
    assert str(problem) == f"{path.name}: cannot be read as a wheel: it unpacks to more than 50 times its size"
