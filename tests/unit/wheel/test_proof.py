"""A fault anywhere between the bytes and the finished file is noticed before the wheel has its name."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press import log
from mamba_press.errors import ContentError, WriteError
from mamba_press.types import Entry, File, Kept, Reason
from mamba_press.wheel import compress, content, proof, read, writer, zip_format, zip_read
from mamba_press.wheel import huge as writer_huge
from tests.support.written import demo, entry, write

ENTRIES = (entry("demo/a.txt", b"all work and no play\n" * 500), entry("demo/b.txt", b"makes Jack a dull boy\n" * 500))


def flipped(data):
    """The bytes with one bit in the middle turned."""
    middle = len(data) // 2
    return bytes(data[:middle]) + bytes([data[middle] ^ 16]) + bytes(data[middle + 1 :])


def refused(tmp_path, **options):
    """What is said of a wheel that is not written, and leaves nothing behind."""
    with pytest.raises(WriteError) as error:
        write(demo(*ENTRIES), tmp_path / "out", **options)
    assert list((tmp_path / "out").iterdir()) == []
    return [f"{problem.where}: {problem.what}" for problem in error.value.problems]


@pytest.mark.parametrize(("compression", "by"), [("libdeflate", "zlib"), ("zlib", "libdeflate")])
@pytest.mark.parametrize("fault", [flipped, lambda data: data[:-1], lambda _: b"\3\0"])
def test_a_compressor_that_packs_wrongly_is_found_out_by_another_library(tmp_path, monkeypatch, compression, by, fault):
    right = compress.compressor(compression)
    wrong = replace(right, deflate=lambda data: fault(right.deflate(data)))
    monkeypatch.setattr(writer, "compressor", lambda _: wrong)
    said = refused(tmp_path, compression=compression)
    assert said == [f"demo/a.txt: {by} does not unpack it to the bytes that were packed"]


def test_what_follows_the_end_of_the_packed_bytes_is_found(tmp_path, monkeypatch):
    right = compress.compressor("libdeflate")
    monkeypatch.setattr(writer, "compressor", lambda _: replace(right, deflate=lambda d: right.deflate(d) + b"more"))
    assert "does not unpack it" in refused(tmp_path)[0]


def test_a_file_that_is_packed_as_the_beginning_of_another_is_found(tmp_path, monkeypatch):
    right = compress.compressor("libdeflate")
    monkeypatch.setattr(writer, "compressor", lambda _: replace(right, deflate=lambda d: right.deflate(d[:-1])))
    assert "does not unpack it" in refused(tmp_path)[0]


@pytest.mark.parametrize("compression", ["libdeflate", "zlib", "store"])
def test_a_wrong_checksum_is_found_by_another_library(tmp_path, monkeypatch, compression):
    right = compress.compressor(compression)
    monkeypatch.setattr(writer, "compressor", lambda _: replace(right, crc32=lambda *of: right.crc32(*of) ^ 1))
    assert "demo/a.txt: its checksum is wrong" in refused(tmp_path, compression=compression)[0]


def append(monkeypatch, change):
    """Let the archive write something else than it is given."""
    right = zip_format.Archive.append
    monkeypatch.setattr(zip_format.Archive, "append", lambda self, *what: right(self, *change(*what)))


def test_a_bit_that_is_flipped_on_the_way_to_the_disk_is_found(tmp_path, monkeypatch):
    append(monkeypatch, lambda one, method, data, of: (one, method, flipped(data) if "b.txt" in one.path else data, of))
    assert refused(tmp_path) == ["demo/b.txt: its packed bytes are not those that were written"]


def test_a_wrong_checksum_in_the_headers_is_found(tmp_path, monkeypatch):
    append(monkeypatch, lambda one, method, data, of: (one, method, data, (of[0] ^ (one.path == "demo/b.txt"), of[1])))
    assert refused(tmp_path) == ["demo/b.txt: is not in the archive as it was to be written"]


def test_two_entries_that_are_swapped_are_found(tmp_path, monkeypatch):
    other = {ENTRIES[0].path: ENTRIES[1], ENTRIES[1].path: ENTRIES[0]}
    append(monkeypatch, lambda one, *rest: (other.get(one.path, one), *rest))
    assert refused(tmp_path) == [
        "demo/a.txt: is not in the archive as it was to be written",
        "demo/b.txt: is not in the archive as it was to be written",
    ]


def test_a_mode_that_is_not_the_entrys_is_found(tmp_path, monkeypatch):
    append(monkeypatch, lambda one, *rest: (replace(one, executable=True), *rest))
    assert "demo/a.txt: is not in the archive as it was to be written" in refused(tmp_path)


def test_a_short_write_is_found(tmp_path, monkeypatch):
    right = zip_format.Archive.append

    def short(self, one, method, data, of):
        right(self, one, method, data, of)
        if one.path == "demo/b.txt":
            self._file.seek(-1, 2)
            self._file.truncate()

    monkeypatch.setattr(zip_format.Archive, "append", short)
    assert refused(tmp_path)


def test_a_file_without_its_end_is_found(tmp_path, monkeypatch):
    right = zip_format.Archive.finish

    def finish(self):
        right(self)
        self._file.seek(-30, 2)
        self._file.truncate()

    monkeypatch.setattr(zip_format.Archive, "finish", finish)
    assert refused(tmp_path) == ["the archive: it is not a ZIP archive, or it is cut off"]


def test_a_wrong_place_in_the_directory_is_found(tmp_path, monkeypatch):
    right = zip_format.Archive._headers

    def headers(self, *of):
        self._offset += 1
        try:
            return right(self, *of)
        finally:
            self._offset -= 1

    monkeypatch.setattr(zip_format.Archive, "_headers", headers)
    assert "demo/a.txt: is not where the archive's directory says" in refused(tmp_path)


def test_an_entry_that_is_not_there_is_found(tmp_path, monkeypatch):
    right = zip_format.Archive.append
    monkeypatch.setattr(
        zip_format.Archive, "append", lambda self, one, *rest: one.path == "demo/b.txt" or right(self, one, *rest)
    )
    assert "the archive: has 4 entries instead of 5" in refused(tmp_path)


@pytest.fixture
def huge(tmp_path, monkeypatch):
    """A file that is written in ten parts."""
    monkeypatch.setattr(content, "HUGE", 1000)
    monkeypatch.setattr(content, "PART", 1000)
    source = tmp_path / "huge"
    source.write_bytes(b"".join(b"line %d\n" % i for i in range(1000)))
    return demo(entry("demo/huge", source))


@pytest.mark.parametrize("compression", ["libdeflate", "zlib"])
@pytest.mark.parametrize("at", [0, 4, 8])
def test_a_part_of_a_huge_file_that_is_packed_wrongly_is_found(tmp_path, monkeypatch, huge, compression, at):
    right, done = writer_huge._part, []

    def wrong(used, data, *rest):
        done.append(data)
        if len(done) == at + 1:
            monkeypatch.setattr(writer_huge, "zlib_part", lambda *of: flipped(compress.zlib_part(*of)))
            used = replace(used, deflate=lambda data: flipped(compress.compressor("libdeflate").deflate(data)))
        else:
            monkeypatch.setattr(writer_huge, "zlib_part", compress.zlib_part)
        return right(used, data, *rest)

    monkeypatch.setattr(writer_huge, "_part", wrong)
    with pytest.raises(WriteError, match="does not unpack it to the bytes that were packed"):
        write(huge, tmp_path / "out", threads=1, compression=compression)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("is_last", [False, True])
def test_a_huge_file_whose_parts_do_not_end_where_it_does_is_found(tmp_path, monkeypatch, huge, is_last):
    monkeypatch.setattr(writer_huge, "zlib_part", lambda *of: compress.zlib_part(*of[:2], is_last, of[3]))
    with pytest.raises(WriteError, match="does not unpack it to the bytes that were packed"):
        write(huge, tmp_path / "out", compression="zlib")


def test_a_huge_file_that_is_written_otherwise_than_it_was_packed_is_found(tmp_path, monkeypatch, huge):
    right = zip_format.Archive.append_parts

    def wrong(self, one, method, parts, size):
        return right(self, one, method, ((data, flipped(packed)) for data, packed in parts), size)

    monkeypatch.setattr(zip_format.Archive, "append_parts", wrong)
    with pytest.raises(WriteError, match="its packed bytes are not those that were written"):
        write(huge, tmp_path / "out")


def test_a_huge_file_that_is_not_its_packages_is_refused(tmp_path, huge):
    file = File(path="huge", source=huge.entries[0].source, package="big", size=1, sha256="0" * 64)
    made = demo(Entry.of(Kept(file=file, why=Reason("needed", "b")), "demo/huge"))
    with pytest.raises(ContentError):
        write(made, tmp_path / "out")


@pytest.mark.parametrize("compression", ["libdeflate", "zlib", "store"])
@pytest.mark.parametrize("is_huge", [False, True])
def test_what_was_seen_of_the_files_is_what_an_installer_would_unpack(tmp_path, monkeypatch, compression, is_huge):
    source = tmp_path / "python"
    source.write_bytes(Path(sys.executable).read_bytes())
    trace = tmp_path / "trace"
    trace.write_bytes(b"\0" * 7000 + b"/somewhere/mamba-press-abcd1234/lib" + bytes(range(256)) * 40)
    if is_huge:
        monkeypatch.setattr(content, "HUGE", 500)
        monkeypatch.setattr(content, "PART", 7011)
    made = demo(*ENTRIES, entry("demo/__init__.py", b"x = 1\n"), entry("demo/python", source), entry("demo/t", trace))
    proven = []
    path = write(made, tmp_path / "out", compression=compression, verify=proven.append)
    with path.open("rb") as file:
        listing = zip_read.read(file)
    assert proven[0].listing == listing._replace(members=tuple(each._replace(listed=b"") for each in listing.members))
    assert proven[0].members == read.read(path, listing.members)
    assert proven[0].members["demo/python"].binary is not None
    assert proven[0].members["demo/t"].problems


def test_it_is_said_where_zlib_has_to_prove_itself(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "deflate", None)
    log.configure(verbose=True)
    try:
        write(demo(*ENTRIES), tmp_path)
    finally:
        log.configure()
    said = "what zlib packs is unpacked by zlib to prove it: there is no other library (pip install deflate)"
    assert said in capsys.readouterr().err


def test_each_library_is_proven_by_the_other():
    by = {name: proof.prover(compress.compressor(name)).by for name in ("libdeflate", "zlib")}
    assert by == {"libdeflate": "zlib", "zlib": "libdeflate"}
