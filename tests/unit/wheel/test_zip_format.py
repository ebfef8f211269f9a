"""ZIP archives as they are written: what others read, dates, what is large, and what can be copied as it is."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zipfile
import zlib

import pytest

from mamba_press.wheel import zip_format
from mamba_press.wheel.zip_format import DEFLATED, ENCRYPTED, STORED, STREAMED, Member
from tests.support.written import OWN, demo, entry, write


def test_unzip_finds_no_error(mixed, tmp_path):
    program = shutil.which("unzip")
    if program is None:
        pytest.skip("unzip is not installed")
    path = write(mixed, tmp_path / "out")
    assert (
        "No errors detected"
        in subprocess.run([program, "-tq", path], text=True, capture_output=True, check=False).stdout
    )


def test_dist_info_is_last_and_record_very_last(tmp_path):
    made = demo(entry("demo/a.py"), own=(*OWN, entry("zlast.py")))
    names = zipfile.ZipFile(write(made, tmp_path)).namelist()
    assert names == [
        "demo/a.py",
        "zlast.py",
        "demo-1.0.dist-info/METADATA",
        "demo-1.0.dist-info/WHEEL",
        "demo-1.0.dist-info/RECORD",
    ]


def test_the_archive_has_nothing_that_pypi_refuses(mixed, tmp_path):
    path = write(mixed, tmp_path / "out")
    with zipfile.ZipFile(path) as archive:
        assert archive.comment == b""
        for info in archive.infolist():
            assert not info.flag_bits & 0x08, "data descriptor"
            assert info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            assert info.create_system == 3
            assert info.comment == b""
            assert not info.is_dir()
    assert path.read_bytes()[-22:-18] == b"PK\5\6"


def test_what_pypi_would_take_for_an_attack_is_stored(tmp_path):
    zeros = tmp_path / "zeros"
    with zeros.open("wb") as file:
        file.truncate(zip_format.PYPI_RATIO_FROM + 1)
    path = write(demo(entry("demo/zeros", zeros)), tmp_path / "out")
    with zipfile.ZipFile(path) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.testzip() is None
    assert path.stat().st_size < zip_format.PYPI_RATIO_FROM + 2000


def test_a_file_that_shrinks_much_is_deflated_beside_others_that_do_not(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(zip_format, "PYPI_RATIO_FROM", 1 << 20)
    made = demo(*mixed.entries[:-2], entry("demo/zeros", bytes(2 << 20)))
    with zipfile.ZipFile(write(made, tmp_path / "out")) as archive:
        assert archive.getinfo("demo/zeros").compress_type == zipfile.ZIP_DEFLATED


def test_who_reads_from_the_front_sees_what_the_directory_says(mixed, tmp_path):
    """PyPI refuses archives whose local headers and directory differ."""
    data = write(mixed, tmp_path / "out").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
    at = 0
    for info in infos:
        fields = struct.unpack_from("<4s5H3L2H", data, at)
        assert fields[0] == b"PK\3\4"
        assert info.header_offset == at
        assert fields[6:9] == (info.CRC, info.compress_size, info.file_size)
        assert fields[2:4] == (info.flag_bits, info.compress_type)
        assert data[at + 30 : at + 30 + fields[9]].decode() == info.filename
        at += 30 + fields[9] + fields[10] + info.compress_size
    assert data[at : at + 4] == b"PK\1\2"


@pytest.mark.parametrize(
    ("epoch", "date"),
    [
        (None, (1980, 1, 1, 0, 0, 0)),
        (0, (1980, 1, 1, 0, 0, 0)),
        (1700000001, (2023, 11, 14, 22, 13, 20)),
        (99999999999, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_every_entry_has_the_date_of_the_epoch_within_what_zip_can_say(tmp_path, epoch, date):
    with zipfile.ZipFile(write(demo(entry("demo/a.py")), tmp_path, epoch=epoch)) as archive:
        assert {info.date_time for info in archive.infolist()} == {date}


def test_zip64_is_used_where_it_must_be_and_read_by_others(mixed, tmp_path, small_windows, monkeypatch):
    monkeypatch.setattr(zip_format, "_LONG_FROM", 200_000)
    monkeypatch.setattr(zip_format, "_MANY_FROM", 100)
    path = write(mixed, tmp_path / "out")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(archive.infolist()) == len(mixed.entries) + 1
    assert b"PK\6\6" in path.read_bytes()[-200:]
    if shutil.which("unzip"):
        done = subprocess.run(["unzip", "-tq", path], text=True, capture_output=True, check=False)
        assert "No errors detected" in done.stdout, done.stderr


def test_small_wheels_need_no_zip64(mixed, tmp_path):
    path = write(mixed, tmp_path / "out")
    assert {info.extract_version for info in zipfile.ZipFile(path).infolist()} == {20}
    assert struct.unpack("<H", path.read_bytes()[-12:-10])[0] == len(mixed.entries) + 1


ENTRY = Member(name="a.py", flags=0, method=STORED, stamp=(0, 33), crc=0, packed=3, size=3, attributes=(0, 0), end=3)


def test_an_entry_with_its_data_before_the_next_one_can_be_read():
    assert ENTRY.can_be_read
    assert ENTRY._replace(method=DEFLATED).can_be_read


@pytest.mark.parametrize("change", [{"end": 2}, {"method": 12}, {"flags": ENCRYPTED & 1}])
def test_what_overlaps_is_encrypted_or_packed_in_another_way_cannot_be_read(change):
    assert not ENTRY._replace(**change).can_be_read


def test_an_entry_is_copied_whole_unless_it_was_changed_or_streamed():
    assert ENTRY.is_as_it_was
    assert ENTRY.named("a.py").is_as_it_was
    changed = (ENTRY.named("b.py"), ENTRY.holding(b"x"), ENTRY._replace(flags=STREAMED))
    assert [each.is_as_it_was for each in changed] == [False, False, False]


def test_other_content_has_its_own_checksum_and_size():
    held = ENTRY.holding(b"other")
    assert (held.size, held.crc) == (5, zlib.crc32(b"other"))


def test_a_folder_is_known_by_its_name():
    assert Member.is_folder.fget(ENTRY.named("a/"))
    assert not ENTRY.is_folder
