"""ZIP archives as they are written: what others read, dates, what is large, and what can be copied as it is."""

from __future__ import annotations

import errno
import io
import os
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from mamba_press.wheel import zip_format, zip_read
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
            assert (info.volume, info.internal_attr, info.extra) == (0, 0, b"")
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
        large = archive.getinfo("demo/noise.bin")
        assert (large.extract_version, archive.getinfo("demo/__init__.py").extract_version) == (45, 20)
    data = path.read_bytes()
    assert struct.unpack_from("<H", data, large.header_offset + 4) == (45,)
    assert b"PK\6\6" in data[-200:]
    if shutil.which("unzip"):
        done = subprocess.run(["unzip", "-tq", path], text=True, capture_output=True, check=False)
        assert "No errors detected" in done.stdout, done.stderr


@pytest.mark.parametrize(("more", "is_attack"), [(0, False), (1, True)])
def test_an_attack_unpacks_to_more_than_fifty_times_its_size(monkeypatch, more, is_attack):
    monkeypatch.setattr(zip_format, "PYPI_RATIO_FROM", 10)
    archive = zip_format.Archive(io.BytesIO(), (0, 33))
    archive.append(entry("a"), STORED, b"", (0, 50 * 31 + more))
    assert archive.looks_like_an_attack() is is_attack


def test_what_unpacks_to_64_mib_is_no_attack_however_small_it_is():
    archive = zip_format.Archive(io.BytesIO(), (0, 33))
    archive.append(entry("a"), STORED, b"", (0, 64 << 20))
    assert not archive.looks_like_an_attack()


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
    held = ENTRY._replace(extra=b"\1\2\0\0").holding(b"other")
    assert (held.size, held.crc, held.extra) == (5, zlib.crc32(b"other"), b"")


# --- what is large, byte by byte

BIG = Member(
    name="größe.bin", flags=zip_format.UTF8, method=DEFLATED, stamp=(0x6020, 0x21), crc=0x01020304,
    packed=0x1_0000_0001, size=0x2_0000_0002, attributes=(1, 0o100644 << 16), extra=b"\1\2\0\0",
    comment=b"why", made_by=0x314,
)  # fmt: skip
NAME = "größe.bin".encode()
LONG = 0xFFFFFFFF


def test_a_large_entry_states_its_sizes_in_the_field_of_zip64():
    head = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 45, 0x800, 8, 0x6020, 0x21, 0x01020304, LONG, LONG, len(NAME), 20
    )  # fmt: skip
    assert zip_format._local(BIG) == head + NAME + struct.pack("<2H2Q", 1, 16, BIG.size, BIG.packed)


def test_the_directory_states_sizes_and_place_of_a_large_entry_in_the_field_of_zip64():
    numbers = (45, 0x800, 8, 0x6020, 0x21, 0x01020304, LONG, LONG, len(NAME), 28 + 4, 3, 0, 1, 0o100644 << 16, LONG)
    head = struct.pack("<4s6H3L5H2L", b"PK\1\2", 0x314, *numbers)
    long = struct.pack("<2H3Q", 1, 24, BIG.size, BIG.packed, 0x3_0000_0003)
    assert zip_format._central(BIG, 0x3_0000_0003) == head + NAME + long + b"\1\2\0\0why"


@pytest.mark.parametrize(("packed", "size"), [(LONG - 1, LONG - 1), (LONG, 7), (7, LONG)])
def test_only_from_four_gib_on_a_size_is_stated_elsewhere(packed, size):
    member = ENTRY._replace(packed=packed, size=size)
    local, central = zip_format._local(member), zip_format._central(member, 7)
    if LONG in (packed, size):
        assert (struct.unpack_from("<2L", local, 18), local[34:38]) == ((LONG, LONG), struct.pack("<2H", 1, 16))
        assert struct.unpack_from("<2L", central, 20) == (packed, size)
        assert central[50:] == struct.pack("<2HQ", 1, 8, LONG)
    else:
        assert (struct.unpack_from("<2L", local, 18), len(local)) == ((packed, size), 34)
        assert (struct.unpack_from("<2L", central, 20), len(central)) == ((packed, size), 50)
    assert (
        struct.unpack_from("<H", local, 4)
        == struct.unpack_from("<H", central, 6)
        == ((20, 45)[LONG in (packed, size)],)
    )


def test_only_the_place_of_a_small_entry_far_behind_is_stated_elsewhere():
    central = zip_format._central(ENTRY, LONG)
    assert struct.unpack_from("<2L", central, 20) == (3, 3)
    assert central[42:] == struct.pack("<L", LONG) + b"a.py" + struct.pack("<2HQ", 1, 8, LONG)


LISTED = bytes(range(46)) + b"a.py and its fields"


def test_the_line_of_an_entry_in_a_directory_stays_but_for_its_place():
    member = ENTRY._replace(listed=LISTED)
    assert zip_format._central(member, 0x01020304) == LISTED[:42] + b"\4\3\2\1" + LISTED[46:]
    assert zip_format._central(member, LONG)[:4] == b"PK\1\2"


@pytest.mark.parametrize(
    ("count", "size", "at", "is_long"),
    [
        (0xFFFE, 9, 7, False),
        (0xFFFF, 9, 7, True),
        (1, LONG - 1, LONG - 1, False),
        (1, LONG, 7, True),
        (1, 9, LONG, True),
    ],
)
def test_the_end_of_an_archive_states_twice_what_may_not_fit(count, size, at, is_long):
    long = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 0x32D, 45, 0, 0, count, count, size, at)
    long += struct.pack("<4sLQL", b"PK\6\7", 0, at + size, 1)
    short = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, at, 0)
    assert zip_format._ending(count, size, at) == (long if is_long else b"") + short


def test_numbers_that_do_not_fit_are_all_ones_at_the_end():
    assert zip_format._ending(0x12345, 0x1_0000_0000, 0x2_0000_0000)[-22:] == (
        struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, LONG, LONG, 0)
    )


# --- copies


def archived(*names: str, date=(2001, 2, 3, 4, 5, 6)) -> bytes:
    """An archive of small files, deflated."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name, date), f"{name} " * 30, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def rewritten(data: bytes, folder: Path, change) -> bytes:
    """The archive that is made of the entries of another one."""
    (folder / "old").write_bytes(data)
    with (folder / "old").open("rb") as source, (folder / "new").open("w+b") as target:
        zip_format.write(source, target, change(zip_read.read(source).members))
    return (folder / "new").read_bytes()


def test_a_copy_without_some_entries_is_the_archive_that_never_had_them(tmp_path):
    old = archived("a", "b", "c", "d", "e")
    for kept in ("abcde", "acde", "bce", "e", "eba", ""):
        found = rewritten(old, tmp_path, lambda members, kept=kept: [members["abcde".index(name)] for name in kept])
        assert found == archived(*kept), kept


def test_new_content_is_deflated_as_zlib_does_and_stored_where_that_is_smaller(tmp_path):
    noise = bytes(range(64))
    old = archived("a", "b", "c", "d")

    def change(members):
        a, b, c, d = members
        return a, b.holding(b"new " * 30), c.holding(noise), d._replace(method=STORED).holding(b"plain " * 30)

    with zipfile.ZipFile(io.BytesIO(rewritten(old, tmp_path, change))) as archive:
        found = {
            info.filename: (info.compress_type, info.compress_size, archive.read(info)) for info in archive.filelist
        }
    stream = zlib.compressobj(6, zlib.DEFLATED, -15)
    size = len(stream.compress(b"new " * 30) + stream.flush())
    assert found == {
        "a": (DEFLATED, zipfile.ZipFile(io.BytesIO(old)).getinfo("a").compress_size, b"a " * 30),
        "b": (DEFLATED, size, b"new " * 30),
        "c": (STORED, 64, noise),
        "d": (STORED, 180, b"plain " * 30),
    }


def test_an_entry_under_another_name_keeps_its_data_and_flags_say_how_the_name_is_spelled(tmp_path):
    old = archived("a", "b")
    new = rewritten(old, tmp_path, lambda members: [members[0].named("größe"), members[1].named("plain")])
    with zipfile.ZipFile(io.BytesIO(new)) as archive:
        assert [(info.filename, info.flag_bits, info.date_time) for info in archive.infolist()] == [
            ("größe", 0x800, (2001, 2, 3, 4, 5, 6)),
            ("plain", 0, (2001, 2, 3, 4, 5, 6)),
        ]
        assert archive.read("größe") == b"a " * 30


def test_a_name_of_before_unicode_stays_in_its_code_page(tmp_path):
    old = archived("aXb").replace(b"aXb", "aéb".encode("cp437"))
    new = rewritten(old, tmp_path, lambda members: [members[0].holding(b"x")])
    assert zipfile.ZipFile(io.BytesIO(new)).namelist() == ["aéb"]


def test_flags_say_that_the_sizes_come_first_and_how_the_name_is_spelled():
    member = ENTRY._replace(flags=STREAMED | zip_format.UTF8 | 0x6)
    assert zip_format._flags(member) == 0x6
    assert zip_format._flags(member._replace(name="é")) == 0x6 | zip_format.UTF8


class Kernel:
    """`os.copy_file_range` of some machine: at most ``most`` bytes a call, an end after ``calls`` of them."""

    def __init__(self, most, calls, error):
        self.most, self.calls, self.error = most, calls, error

    def __call__(self, source, target, count, at, to):
        if not self.calls:
            if self.error:
                raise OSError(errno.EXDEV, "another file system")
            return 0
        self.calls -= 1
        return os.pwrite(target, os.pread(source, min(count, self.most), at), to)


@pytest.mark.skipif(sys.platform == "win32", reason="the kernel copies nothing there")
@pytest.mark.parametrize(
    ("most", "calls", "error"),
    [(0, 0, None), (5, 99, False), (5, 2, True), (5, 2, False), (5, 0, True), (99, 99, True)],
    ids=["none", "little", "an error after some", "an end after some", "an error", "as much as is asked for"],
)
def test_a_part_of_a_file_is_copied_whatever_the_kernel_takes_at_once(tmp_path, monkeypatch, most, calls, error):
    monkeypatch.setattr(zip_format, "_CHUNK", 4)
    monkeypatch.setattr(zip_format, "_ONE_CALL", 7)
    if error is None:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    else:
        monkeypatch.setattr(os, "copy_file_range", Kernel(most, calls, error), raising=False)
    (tmp_path / "old").write_bytes(b"skipped, twenty-three bytes here, left")
    with (tmp_path / "old").open("rb") as source, (tmp_path / "new").open("w+b") as target:
        target.write(b"before:")
        zip_format._copy(source, target, 9, 23)
        target.write(b":after")
    assert (tmp_path / "new").read_bytes() == b"before:twenty-three bytes here:after"


def test_an_archive_that_ends_while_it_is_copied_is_cut_off(tmp_path):
    (tmp_path / "old").write_bytes(b"ten bytes.")
    with (
        (tmp_path / "old").open("rb") as source,
        (tmp_path / "new").open("w+b") as target,
        pytest.raises(zip_format.ArchiveError, match=r"^is cut off$"),
    ):
        zip_format._copy(source, target, 4, 7)


def test_a_folder_is_known_by_its_name():
    assert Member.is_folder.fget(ENTRY.named("a/"))
    assert not ENTRY.is_folder
