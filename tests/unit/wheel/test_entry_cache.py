"""The cache of compressed files: the same bytes with and without it, whatever becomes of what it has."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press import log
from mamba_press.atomic import TEMPORARY
from mamba_press.errors import WriteError
from mamba_press.wheel import compress, entry_cache, writer
from tests.support.written import demo, entry, write
from tests.unit.wheel.test_writer import tiny_device

TEXTS = [b"".join(b"%d lines of the file %d\n" % (line, number) for line in range(2000)) for number in range(3)]
MADE = demo(*(entry(f"demo/{number}.txt", text) for number, text in enumerate(TEXTS)))
MOST = 1 << 20


@pytest.fixture
def said(capsys):
    """What `-v` says."""
    log.configure(verbose=True)
    yield lambda: capsys.readouterr().err
    log.configure()


def press(out: Path, folder: Path, made=MADE, most=MOST, **options) -> bytes:
    """The bytes of a wheel that is written with the cache in a folder."""
    with entry_cache.opened(folder, most) as cache:
        return write(made, out, cache=cache, **options).read_bytes()


def compressed(monkeypatch) -> list[bytes]:
    """What is compressed from now on, of that which could be kept."""
    found: list[bytes] = []
    make = compress.compressor

    def counting(name):
        made = make(name)

        def deflate(data):
            if len(data) >= entry_cache.SMALLEST:
                found.append(bytes(data))
            return made.deflate(data)

        return replace(made, deflate=deflate)

    monkeypatch.setattr(writer, "compressor", counting)
    return found


def packs(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.pack"))


@pytest.mark.parametrize("compression", ["libdeflate", "zlib"])
def test_a_wheel_is_the_same_with_and_without_and_compressed_once(mixed, tmp_path, monkeypatch, compression):
    without = write(mixed, tmp_path / "out", compression=compression).read_bytes()
    found = compressed(monkeypatch)
    assert press(tmp_path / "out", tmp_path / "kept", mixed, compression=compression) == without
    assert len(found) > 0
    shrunk = [data for data in found if not data.startswith(hashlib.sha256(b"0").digest())]
    found.clear()
    assert press(tmp_path / "out", tmp_path / "kept", mixed, compression=compression) == without
    assert len(shrunk) > 0
    assert [data for data in found if data in shrunk] == []
    assert len(packs(tmp_path / "kept")) == 1


def test_only_new_files_are_added(tmp_path, monkeypatch):
    press(tmp_path / "out", tmp_path / "kept")
    found = compressed(monkeypatch)
    more = demo(*MADE.entries[:3], entry("demo/more.txt", b"more\n" * 2000))
    press(tmp_path / "out", tmp_path / "kept", more)
    assert found == [b"more\n" * 2000]
    assert entry_cache.contents(tmp_path / "kept")[:2] == (2, 4)


def test_a_file_that_is_in_a_wheel_twice_is_kept_once(tmp_path):
    twice = demo(entry("demo/a", TEXTS[0]), entry("demo/b", TEXTS[0]))
    press(tmp_path / "out", tmp_path / "kept", twice, threads=1)
    assert entry_cache.contents(tmp_path / "kept").entries == 1


def test_what_is_small_or_does_not_shrink_is_not_kept(tmp_path):
    made = demo(entry("demo/small", b"x" * 4095), entry("demo/noise", os.urandom(9000)))
    press(tmp_path / "out", tmp_path / "kept", made)
    assert list((tmp_path / "kept").iterdir()) == []


def test_no_compressor_is_given_what_another_has_packed(tmp_path, monkeypatch):
    press(tmp_path / "out", tmp_path / "kept", compression="zlib")
    found = compressed(monkeypatch)
    assert press(tmp_path / "a", tmp_path / "kept") == write(MADE, tmp_path / "b").read_bytes()
    assert len(found) == 6
    one, other = compress.compressor("libdeflate"), replace(compress.compressor("libdeflate"), version="another")
    assert entry_cache.key(one, "0" * 64) != entry_cache.key(other, "0" * 64)


def test_a_build_that_fails_keeps_nothing(tmp_path):
    def refuse(_):
        raise WriteError

    with pytest.raises(WriteError):
        press(tmp_path / "out", tmp_path / "kept", verify=refuse)
    assert list((tmp_path / "kept").iterdir()) == []


def rewritten(path: Path, change) -> None:
    """Change data and rows of a pack, so that all its checksums are right again."""
    whole = path.read_bytes()
    count, _, *mark = entry_cache._TAIL.unpack(whole[-entry_cache._TAIL.size :])
    at = len(whole) - entry_cache._TAIL.size - count * entry_cache._ROW.size
    rows = list(entry_cache._ROW.iter_unpack(whole[at : -entry_cache._TAIL.size]))
    data, rows = change(bytearray(whole[:at]), rows)
    rows = [(key, begin, size, zlib.crc32(data[begin : begin + size])) for key, begin, size, _ in rows]
    index = b"".join(entry_cache._ROW.pack(*row) for row in rows)
    path.write_bytes(bytes(data) + index + entry_cache._TAIL.pack(len(rows), zlib.crc32(index), *mark))


def flip(data, rows):
    data[rows[1][1] + 100] ^= 4
    return data, rows


def swap(data, rows):
    keys = [row[0] for row in rows]
    return data, [(key, *row[1:]) for key, row in zip(keys[::-1], rows, strict=True)]


def other_bytes(data, rows):
    packed = compress.compressor("libdeflate").deflate(b"something else\n" * 3000)
    data[rows[0][1] : rows[0][1] + len(packed)] = packed
    return data, [(rows[0][0], rows[0][1], len(packed), 0)]


def bomb(data, rows):
    packed = compress.compressor("libdeflate").deflate(TEXTS[0] + bytes(50 << 20))
    return packed, [(row[0], 0, len(packed), 0) for row in rows]


def beginning(data, rows):
    packed = compress.compressor("libdeflate").deflate(TEXTS[0][:-1])
    return packed, [(row[0], 0, len(packed), 0) for row in rows]


@pytest.mark.parametrize("change", [flip, swap, other_bytes, bomb, beginning])
@pytest.mark.parametrize("compression", ["libdeflate", "zlib"])
def test_what_is_not_the_file_is_not_used_but_removed_and_told(tmp_path, said, change, compression):
    right = press(tmp_path / "out", tmp_path / "kept", compression=compression)
    (pack,) = packs(tmp_path / "kept")
    rewritten(pack, change)
    said()
    assert press(tmp_path / "out", tmp_path / "kept", compression=compression) == right
    assert f"{pack} has compressed files that are damaged, or not what they should be: it is removed" in said()
    assert not pack.exists()
    assert press(tmp_path / "out", tmp_path / "kept", compression=compression) == right
    assert "damaged" not in said()


@pytest.mark.parametrize("at", [0, 10, 1000, -60, -30, -13, -9, -5, -1])
def test_a_bit_that_flips_anywhere_in_a_pack_changes_no_wheel(tmp_path, said, at):
    right = press(tmp_path / "out", tmp_path / "kept")
    (pack,) = packs(tmp_path / "kept")
    damaged = bytearray(pack.read_bytes())
    damaged[at] ^= 1
    pack.write_bytes(damaged)
    assert press(tmp_path / "out", tmp_path / "kept") == right
    assert "it is removed" in said()
    assert not pack.exists()


@pytest.mark.parametrize("size", [0, 1, 19, 20, 500, -1, -20, -100])
def test_a_pack_that_is_cut_off_is_removed_and_told(tmp_path, said, size):
    right = press(tmp_path / "out", tmp_path / "kept")
    (pack,) = packs(tmp_path / "kept")
    pack.write_bytes(pack.read_bytes()[:size])
    assert press(tmp_path / "out", tmp_path / "kept") == right
    assert "it is removed" in said()
    assert not pack.exists()


def test_a_pack_that_is_cut_off_while_it_is_read_from_changes_no_wheel(tmp_path):
    right = press(tmp_path / "out", tmp_path / "kept")
    (pack,) = packs(tmp_path / "kept")
    with entry_cache.opened(tmp_path / "kept", MOST) as cache:
        os.truncate(pack, 300)
        assert write(MADE, tmp_path / "out", cache=cache).read_bytes() == right
    assert not pack.exists()


def test_a_pack_that_goes_while_it_is_read_from_changes_no_wheel(tmp_path):
    right = press(tmp_path / "out", tmp_path / "kept")
    with entry_cache.opened(tmp_path / "kept", MOST) as cache:
        entry_cache.empty(tmp_path / "kept")
        assert write(MADE, tmp_path / "out", cache=cache).read_bytes() == right
    assert entry_cache.contents(tmp_path / "kept").entries == 3


def _race(number: int, place: Path, queue) -> None:
    for turn in range(12):
        made = demo(*MADE.entries[:3], entry("demo/own", b"%d of %d\n" % (number, turn % 4) * 2000))
        found = press(place / f"out{number}", place / "kept", made, most=6000 if turn % 3 else MOST)
        want = write(made, place / f"without{number}").read_bytes()
        queue.put(found == want)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_builds_that_write_read_and_remove_at_once_do_not_disturb_each_other(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    running = [context.Process(target=_race, args=(number, tmp_path, queue)) for number in range(4)]
    for each in running:
        each.start()
    found = [queue.get(timeout=60) for _ in range(4 * 12)]
    for each in running:
        each.join()
    assert [each.exitcode for each in running] == [0] * 4
    assert all(found)
    assert list((tmp_path / "kept").glob("*.tmp")) == []


def aged(folder: Path, days: float) -> Path:
    """The newest pack of a folder, as if it was last used some days ago."""
    newest = max(packs(folder), key=lambda each: each.stat().st_mtime_ns)
    when = newest.stat().st_mtime - days * 24 * 3600
    os.utime(newest, (when, when))
    return newest


def test_more_than_the_most_is_removed_what_was_used_longest_ago_first(tmp_path):
    made = [demo(entry("demo/a", text)) for text in TEXTS]
    found = []
    for number, one in enumerate(made[:2]):
        press(tmp_path / "out", tmp_path / "kept", one)
        found.append(aged(tmp_path / "kept", 9 - number))
    press(tmp_path / "out", tmp_path / "kept", made[0])  # uses the older one, which is the newer one now
    most = sum(each.stat().st_size for each in found) + 100
    press(tmp_path / "out", tmp_path / "kept", made[2], most=most)
    assert [each.exists() for each in found] == [True, False]
    assert entry_cache.contents(tmp_path / "kept").size <= most


def test_what_nobody_used_for_a_month_is_removed(tmp_path):
    press(tmp_path / "out", tmp_path / "kept", demo(entry("demo/a", TEXTS[0])))
    young = aged(tmp_path / "kept", 29)
    press(tmp_path / "out", tmp_path / "kept", demo(entry("demo/a", TEXTS[1])))
    assert young.exists()
    aged(tmp_path / "kept", 60)
    os.utime(young, (young.stat().st_atime, young.stat().st_mtime - 2 * 24 * 3600))
    press(tmp_path / "out", tmp_path / "kept", demo(entry("demo/a", TEXTS[2])))
    assert not young.exists()
    assert entry_cache.contents(tmp_path / "kept").packs == 1


def test_there_are_never_more_packs_than_a_build_can_look_through(tmp_path, monkeypatch):
    monkeypatch.setattr(entry_cache, "_PACKS", 2)
    for text in TEXTS:
        press(tmp_path / "out", tmp_path / "kept", demo(entry("demo/a", text)))
    assert entry_cache.contents(tmp_path / "kept").packs == 2


def test_what_a_killed_build_has_left_goes_after_a_day(tmp_path):
    (tmp_path / "kept").mkdir()
    left, young = (tmp_path / "kept" / f"{TEMPORARY}{name}.tmp" for name in ("old", "young"))
    for each in (left, young):
        each.write_bytes(b"x")
    os.utime(left, (left.stat().st_atime, left.stat().st_mtime - 25 * 3600))
    press(tmp_path / "out", tmp_path / "kept")
    assert (left.exists(), young.exists()) == (False, True)
    entry_cache.empty(tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_there_is_no_cache_where_none_is_wanted_or_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with entry_cache.opened(tmp_path / "file" / "kept", MOST) as cache:
        assert cache is None
    with entry_cache.opened(tmp_path / "kept", 0) as cache:
        assert cache is None
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with entry_cache.opened(tmp_path / "kept", MOST) as cache:
        assert cache is None


def test_a_full_disk_leaves_the_wheel_as_it_is_and_nothing_behind(tmp_path, said):
    noise = b"".join(hashlib.sha256(b"%d" % number).hexdigest().encode() for number in range(20_000))
    made = demo(entry("demo/large", noise), *MADE.entries[:3])
    right = write(made, tmp_path / "out").read_bytes()
    with tiny_device(tmp_path) as device:
        assert press(tmp_path / "out", device / "kept", made) == right
        assert list((device / "kept").iterdir()) == []
    assert "compressed files are not kept in" in said()
