"""Archives that say two things: every way in which one reader could see other files than another is told."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamba_press.wheel import zip_format, zip_read
from mamba_press.wheel.zip_format import ArchiveError

FILES = {"demo/a.py": b"some text " * 100, "demo/b.py": b"x = 1\n", "demo/größe.txt": b"1"}


def archived(files=FILES, *, long=False, comment=b"") -> bytearray:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=long) as file:
                file.write(data)
    return bytearray(made.getvalue())


def told(data: bytes) -> list[str]:
    return [str(problem) for problem in zip_read.read(io.BytesIO(data)).wrong]


def refused(data: bytes) -> str:
    with pytest.raises(ArchiveError) as raised:
        zip_read.read(io.BytesIO(data))
    return str(raised.value)


def test_a_member_that_is_not_where_it_is_said_to_be_is_not_read():
    data = archived()
    at = central(data)
    data[at + 42 : at + 46] = struct.pack("<I", 7)
    member = zip_read.read(io.BytesIO(data)).members[0]
    with pytest.raises(ArchiveError) as raised:
        zip_read.content(io.BytesIO(data), member)
    assert str(raised.value) == (
        "demo/a.py is not where the archive's directory says, or is stored in a way that wheels do not use"
    )


def central(data: bytearray, number: int = 0) -> int:
    at = data.index(b"PK\1\2")
    for _ in range(number):
        at = data.index(b"PK\1\2", at + 1)
    return at


def with_zip64(data: bytearray, **changed: int) -> bytearray:
    """The archive with a ZIP64 end record, which says the same but for what is changed."""
    at = data.rindex(b"PK\5\6")
    _, _, _, here, count, size, start, _ = zip_format.END.unpack_from(data, at)
    stated = {"here": here, "count": count, "size": size, "start": start, "place": at, "disks": 1, "length": 44}
    stated.update(changed)
    numbers = [stated[key] for key in ("here", "count", "size", "start")]
    record = zip_format.END64.pack(b"PK\6\6", stated["length"], 45, 45, 0, 0, *numbers)
    return data[:at] + record + zip_format.LOCATOR.pack(b"PK\6\7", 0, stated["place"], stated["disks"]) + data[at:]


@pytest.mark.parametrize("long", [False, True])
def test_what_zipfile_writes_is_sound(long):
    assert told(archived(long=long)) == []
    assert told(archived(comment=b"a comment")) == []
    assert told(archived({})) == []
    assert told(with_zip64(archived())) == []
    assert told(archived({"inner.zip": bytes(archived())})) == []
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("inner.whl", bytes(archived()))
    assert told(stored.getvalue()) == []


def put(form: str, at: int, value: int):
    """Return a change of one number of an archive; ``at`` counts from the first entry of the directory."""

    def change(data: bytearray) -> bytearray:
        struct.pack_into(form, data, central(data) + at, value)
        return data

    return change


def at_end(form: str, at: int, value: int):
    def change(data: bytearray) -> bytearray:
        struct.pack_into(form, data, data.rindex(b"PK\5\6") + at, value)
        return data

    return change


def at_first(form: str, at: int, value: int):
    def change(data: bytearray) -> bytearray:
        struct.pack_into(form, data, at, value)
        return data

    return change


def renamed(data: bytearray) -> bytearray:
    data[30:34] = b"DEMO"
    return data


def gap(data: bytearray) -> bytearray:
    """Seven bytes before the directory, which all places take into account."""
    at = central(data)
    data = data[:at] + b"hidden!" + data[at:]
    return at_end("<L", 16, at + 7)(data)


def extra(kind: int, body: bytes, length: int | None = None):
    """A field in the directory's first entry."""

    def change(data: bytearray) -> bytearray:
        at = central(data)
        field = struct.pack("<HH", kind, len(body) if length is None else length) + body
        struct.pack_into("<H", data, at + 30, len(field))
        name = at + 46 + int.from_bytes(data[at + 28 : at + 30], "little")
        data = data[:name] + field + data[name:]
        end = data.rindex(b"PK\5\6")
        struct.pack_into("<L", data, end + 12, int.from_bytes(data[end + 12 : end + 16], "little") + len(field))
        return data

    return change


def nothing_said_of_utf8(data: bytearray) -> bytearray:
    at = central(data, 2)
    data[at + 9] = 0
    data[int.from_bytes(data[at + 42 : at + 46], "little") + 7] = 0
    return data


def not_utf8(data: bytearray) -> bytearray:
    return bytearray(bytes(data).replace("größe".encode(), b"gr\xff\xff\xff\xffe"))


def second_end(data: bytearray) -> bytearray:
    """A whole other archive in the comment."""
    inner = archived({"other.py": b""})
    return archived(comment=bytes(inner))


WRONG = {
    "fewer entries than there are": at_end("<H", 10, 1),
    "no entry": at_end("<H", 10, 0),
    "more entries": at_end("<H", 8, 9),
    "another volume": at_end("<H", 4, 1),
    "an entry in another volume": put("<H", 34, 1),
    "bytes before": lambda data: bytearray(b"#!/bin/sh\n") + data,
    "bytes after": lambda data: data + b"\0",
    "bytes between": gap,
    "a comment that is cut off": at_end("<H", 20, 5),
    "two ends": second_end,
    "another ZIP64 end": lambda data: with_zip64(data, count=1, here=1),
    "a ZIP64 end elsewhere": lambda data: with_zip64(data, place=0),
    "ZIP64 volumes": lambda data: with_zip64(data, disks=2),
    "a longer ZIP64 end": lambda data: with_zip64(data, length=60),
    "another name": renamed,
    "another checksum": at_first("<L", 14, 1),
    "another size": at_first("<L", 22, 1),
    "another way to compress": at_first("<H", 8, 0),
    "encrypted": put("<H", 8, 1),
    "strongly encrypted": put("<H", 8, 0x41),
    "a masked directory": put("<H", 8, 0x2000),
    "a patch": put("<H", 8, 0x20),
    "an unknown method": put("<H", 10, 99),
    "a stored entry of another size": lambda data: at_first("<H", 8, 0)(put("<H", 10, 0)(data)),
    "an unknown version": put("<H", 6, 99),
    "no header": at_first("<H", 0, 0),
    "a place beyond the end": put("<L", 42, 0xFFFFFFF0),
    "one inside the other": put("<L", 20, 5000),
    "ZIP64 without its field": put("<L", 24, 0xFFFFFFFF),
    "two sizes": extra(1, struct.pack("<Q", 7)),
    "a cut field": extra(9, b"", 50),
    "a second name": extra(0x7075, b"\1\0\0\0\0evil.py"),
    "UTF-8 that is not said": nothing_said_of_utf8,
    "UTF-8 that is none": not_utf8,
}


def test_what_readers_could_understand_differently_is_told(golden):
    each = {case: "\n".join(told(change(archived()))) for case, change in WRONG.items()}
    assert all(each.values())
    golden("archive-said-twice.txt", "\n".join(f"{case}:\n{said}\n" for case, said in each.items()))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda data: data[:-30], "it is not a ZIP archive, or it is cut off"),
        (at_end("<L", 12, 10_000_000), "its directory is cut off"),
        (put("<H", 28, 60_000), "its directory is cut off"),
        (at_end("<L", 12, 100), "its directory is cut off"),
    ],
)
def test_what_cannot_be_listed_is_an_error(change, expected):
    assert refused(change(archived())) == expected


def test_more_entries_than_any_wheel_has_are_not_read(monkeypatch):
    monkeypatch.setattr(zip_read, "ENTRIES", 2)
    assert refused(archived()) == "has more than 2 entries"


def test_a_directory_larger_than_any_wheel_has_is_not_read(monkeypatch):
    monkeypatch.setattr(zip_read, "DIRECTORY", 50)
    assert refused(archived()) == "its directory has 172 bytes; no wheel needs more than 50"


def test_data_that_goes_on_behind_its_end_is_told():
    data = archived({"demo/a.py": b"some text " * 100})
    at = central(data)
    more = data[:at] + b"more" + data[at:]
    packed = int.from_bytes(data[at + 20 : at + 24], "little") + 4
    struct.pack_into("<L", more, 18, packed)
    struct.pack_into("<L", more, at + 4 + 20, packed)
    more = at_end("<L", 16, at + 4)(more)
    (member,) = zip_read.read(io.BytesIO(more)).members
    assert told(more) == []
    with pytest.raises(ArchiveError) as raised:
        zip_read.content(io.BytesIO(more), member)
    assert str(raised.value) == "demo/a.py is damaged: there is more after the end of its compressed data"


@given(st.data(), st.booleans())
def test_where_nothing_is_wrong_zipfile_sees_the_same(data, long):
    made = archived(long=long)
    for _ in range(data.draw(st.integers(1, 3))):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    file = io.BytesIO(made)
    try:
        found = zip_read.read(file)
        ours = {member.name: zip_read.content(file, member) for member in found.members if member.can_be_read}
    except ArchiveError:
        return
    if not found.wrong:
        with zipfile.ZipFile(file) as archive:
            assert {info.orig_filename: archive.read(info) for info in archive.infolist()} == ours
