from __future__ import annotations

import hashlib
import struct
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from mamba_press.errors import Remark
from mamba_press.wheel import read as wheel_read
from mamba_press.wheel import zip_format, zip_read

ELF = next(path for path in map(Path, ("/bin/true", "/bin/ls")) if path.exists() or path.name == "ls")
HERE = "/somewhere/mamba-press-abcd1234/lib"


def archive(tmp_path, files, method=zipfile.ZIP_DEFLATED):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


def read(path, **options):
    with path.open("rb") as file:
        entries = zip_read.read(file).members
    return wheel_read.read(path, entries, **options)


def told(path):
    """All that is said of an archive and its files."""
    with path.open("rb") as file:
        found = zip_read.read(file)
    members = wheel_read.read(path, found.members).values()
    problems = [*found.wrong, *(problem for member in members for problem in member.problems)]
    assert all(isinstance(problem, zip_format.Damage) for problem in problems)
    return "\n".join(map(str, problems))


@pytest.fixture
def small_steps(monkeypatch):
    """Files count as huge from 100 bytes on, and are unpacked 64 bytes at a time."""
    monkeypatch.setattr(wheel_read, "HUGE", 100)
    monkeypatch.setattr(zip_read, "_PART", 64)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_is_read_in_parts_is_what_is_read_at_once(tmp_path, monkeypatch, method):
    files = {"demo/a.py": b"x = 1\n" * 5000, "demo/empty": b"", "demo-1.0.dist-info/METADATA": b"Name: demo\n" * 50}
    files["demo/_a.so"] = ELF.read_bytes()
    at_once = read(archive(tmp_path, files, method))
    monkeypatch.setattr(wheel_read, "LARGE", 1)
    assert read(archive(tmp_path, files, method)) == at_once
    monkeypatch.setattr(wheel_read, "HUGE", 1)
    monkeypatch.setattr(zip_read, "_PART", 1000)
    assert read(archive(tmp_path, files, method)) == at_once
    assert at_once["demo/_a.so"].binary is not None
    assert {name: member.sha256 for name, member in at_once.items()} == {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items()
    }


@pytest.mark.parametrize("before", range(0, 130, 9))
def test_a_path_that_two_parts_share_is_found(tmp_path, small_steps, before):
    data = bytes(before) + HERE.encode() + bytes(200)
    (problem,) = read(archive(tmp_path, {"demo/data": data}))["demo/data"].problems
    assert "temporary folder of a build" in problem.what


def test_a_placeholder_is_a_remark_in_parts_too(tmp_path, small_steps):
    data = bytes(50) + b"/opt/_h_env_placehold_placehold_placehold/lib" + bytes(200)
    (problem,) = read(archive(tmp_path, {"demo/data": data}))["demo/data"].problems
    assert isinstance(problem, Remark)


def test_only_texts_are_read_where_no_more_is_asked_for(tmp_path):
    found = read(archive(tmp_path, {"demo/a.py": b"x", "demo-1.0.dist-info/METADATA": b"y"}), depth="texts")
    assert (found["demo/a.py"].sha256, found["demo/a.py"].size) == (None, 1)
    assert found["demo-1.0.dist-info/METADATA"].data == b"y"


@pytest.mark.parametrize("way", ["at once", "LARGE", "HUGE"])
@pytest.mark.parametrize("wrong", ["name", "checksum", "size", "place"])
def test_what_the_directory_says_otherwise_is_an_error(tmp_path, monkeypatch, wrong, way):
    if way != "at once":
        monkeypatch.setattr(wheel_read, way, 1)
    path = archive(tmp_path, {"demo/a.py": b"some text " * 100})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\1\2")
    if wrong == "name":
        data[30 : 30 + 4] = b"DEMO"
    elif wrong == "checksum":
        data[central + 16] ^= 1
    elif wrong == "size":
        struct.pack_into("<L", data, central + 24, 10)
    else:
        data[0:2] = b"XX"
    path.write_bytes(data)
    assert told(path).startswith("demo/a.py: ")


def test_an_encrypted_file_is_listed_and_not_read(tmp_path):
    path = archive(tmp_path, {"demo/a.py": b"some text " * 100})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    assert read(path)["demo/a.py"].sha256 is None


def test_a_method_that_wheels_do_not_use_is_listed_and_not_read(tmp_path):
    path = archive(tmp_path, {"demo/a.py": b"some text " * 100}, zipfile.ZIP_LZMA)
    assert told(path) == "demo/a.py: is compressed by method 14; wheels are stored or deflated"
    assert (read(path)["demo/a.py"].size, read(path)["demo/a.py"].sha256) == (1000, None)


def test_what_is_found_in_one_part_hides_nothing_of_the_next(tmp_path, small_steps):
    data = b"/opt/_h_env_placehold_placehold_placehold/lib" + bytes(200) + HERE.encode() + bytes(200)
    problems = read(archive(tmp_path, {"demo/data": data}))["demo/data"].problems
    assert {isinstance(problem, Remark) for problem in problems} == {True, False}


def test_a_path_that_many_small_parts_share_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel_read, "HUGE", 100)
    monkeypatch.setattr(zip_read, "_PART", 7)
    data = bytes(50) + HERE.encode() + bytes(100)
    (problem,) = read(archive(tmp_path, {"demo/data": data}))["demo/data"].problems
    assert "temporary folder of a build" in problem.what


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_size_beyond_the_archive_is_an_error(tmp_path, method):
    path = archive(tmp_path, {"demo/a.py": b"some text " * 100}, method)
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.index(b"PK\1\2") + 20, 0xFFFFFFF0)
    path.write_bytes(data)
    assert "demo/a.py: overlaps what comes after it" in told(path)


def test_no_more_is_unpacked_than_is_stated(tmp_path):
    path = archive(tmp_path, {"demo/zeros": bytes(200_000_000)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.index(b"PK\1\2") + 24, 100)
    path.write_bytes(data)
    tracemalloc.start()
    try:
        assert "demo/zeros: is damaged: it has more than the 100 bytes it states" in told(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_temporary_folder_without_room_is_named_and_not_the_wheel(tmp_path, monkeypatch, small_steps):
    path = archive(tmp_path, {"demo/_a.so": ELF.read_bytes()})
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(OSError, match=r"the temporary folder .*gone.*TMPDIR"):
        read(path)
