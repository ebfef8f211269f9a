"""Parts of a huge file: each is packed alone, and together they are one stream."""

from __future__ import annotations

import os
import random
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from mamba_press.wheel import compress, content, huge
from tests.support.written import demo, entry, write

LIBDEFLATE = compress.compressor("libdeflate")


def words(size: int, seed: int = 1) -> bytes:
    """Text that shrinks to about a third."""
    chosen = random.Random(seed)
    known = [bytes(chosen.choices(range(97, 123), k=chosen.randint(2, 9))) for _ in range(3000)]
    return b" ".join(chosen.choices(known, k=size // 6))[:size]


def code(size: int) -> bytes:
    """Bytes that are spread like those of machine code."""
    chosen = random.Random(2)
    return bytes(chosen.choices(range(256), weights=[400, *(1 + 300 // (at % 97 + 1) for at in range(255))], k=size))


KINDS = {
    "text": words(700_000),
    "code": code(700_000),
    "zeros": bytes(2_000_000),
    "text, then zeros": words(300_000) + bytes(400_000),
    "zeros, then text": bytes(400_000) + words(5_000),
    "text, then noise": words(300_000) + os.urandom(5_000),
    "noise, then text": os.urandom(70_000) + words(9_000),
    "one line": b"all work and no play\n" * 30_000,
    "few bytes": b"abc",
    "one byte": b"a",
    "short text": words(600),
}


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_libdeflate_become_one_stream(kind):
    data = KINDS[kind]
    parts = [huge._part(LIBDEFLATE, data, b"", is_last) for is_last in (False, False, True)]
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    assert stream.decompress(b"".join(parts)) == data * 3
    assert stream.eof
    assert stream.unused_data == b""


@pytest.mark.parametrize("kind", ["text", "code", "zeros", "text, then zeros", "zeros, then text", "one line"])
def test_a_part_takes_no_more_than_five_bytes_beyond_what_libdeflate_makes(kind, monkeypatch):
    monkeypatch.setattr(huge, "zlib_part", None)  # which is only for what ends in noise
    data = KINDS[kind]
    assert len(huge._part(LIBDEFLATE, data, b"", False)) - len(LIBDEFLATE.deflate(data)) in (4, 5)


@pytest.mark.parametrize("seed", range(12))
def test_wherever_a_part_ends_the_next_one_follows(seed):
    chosen = random.Random(seed)
    data = words(400_000, seed) + bytes(chosen.randint(0, 5000)) + words(chosen.randint(0, 9000), seed)
    part = huge._part(LIBDEFLATE, data, b"", False)
    assert zlib.decompress(part + LIBDEFLATE.deflate(b"more"), -zlib.MAX_WBITS) == data + b"more"


@pytest.mark.parametrize("compression", ["libdeflate", "zlib"])
def test_a_file_in_parts_is_read_by_others_and_shrinks_as_well(tmp_path, monkeypatch, compression):
    source = tmp_path / "source"
    source.write_bytes(words(900_000))
    made = demo(entry("demo/source", source))
    whole = write(made, tmp_path / "whole", compression=compression).stat().st_size
    monkeypatch.setattr(content, "HUGE", 1)
    monkeypatch.setattr(content, "PART", 200_000)
    path = write(made, tmp_path / "parts", compression=compression)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("demo/source") == source.read_bytes()
    assert path.stat().st_size < whole * 1.03


def test_any_number_of_threads_writes_the_same_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "HUGE", 1)
    monkeypatch.setattr(content, "PART", 100_000)
    source = tmp_path / "source"
    source.write_bytes(words(900_000) + bytes(300_000))
    made = demo(entry("demo/source", source))
    assert len({write(made, tmp_path / str(n), threads=n).read_bytes() for n in (1, 2, 5)}) == 1


def test_the_parts_of_a_file_are_deflated_by_zlib_with_what_stands_before_them(monkeypatch, tmp_path):
    monkeypatch.setattr(content, "PART", 50_000)
    data = b"".join(b"%d squared is %d\n" % (n, n * n) for n in range(9000))[: 3 * 50_000 + 1]
    (tmp_path / "a").write_bytes(data)
    one = content.Sized(entry("demo/a", tmp_path / "a"), len(data))
    expected, before = [], b""
    for start in range(0, len(data), 50_000):
        part = data[start : start + 50_000]
        stream = zlib.compressobj(6, zlib.DEFLATED, -15, *((8, 0, before[-32768:]) if before else ()))
        mode = zlib.Z_FINISH if start + 50_000 > len(data) else zlib.Z_SYNC_FLUSH
        expected.append((part, stream.compress(part) + stream.flush(mode)))
        before = part
    with ThreadPoolExecutor(2) as pool:
        assert list(huge.deflated(one, compress.compressor("zlib"), pool)) == expected
