"""The same wheel and the same sdist, byte for byte, whatever differs that should not count."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support import press

TABLE = 'packages = ["pygreet", "words"]\nchannels = ["{}"]'
CALL = """\
import os, sys
os.umask(int(sys.argv[2], 8))
if sys.argv[3]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import mamba_press.build as b
print(b.build_sdist(sys.argv[1]), b.build_wheel(sys.argv[1]))
"""


def build(
    project: Path, output: Path, *, umask: str = "022", one_core: bool = False, **environ: str
) -> dict[str, bytes]:
    """The wheel and the sdist of a project, by name, built in a process of its own."""
    call = [sys.executable, "-c", CALL, output, umask, "1" if one_core else ""]
    press.run(*call, cwd=project, environ=environ).ok()
    return {path.name: path.read_bytes() for path in sorted(output.iterdir())}


@pytest.fixture(scope="module")
def tree(greeting, tmp_path_factory) -> Path:
    return press.project(tmp_path_factory.mktemp("tree") / "project", TABLE.format(greeting.root))


@pytest.fixture(scope="module")
def first(tree, tmp_path_factory) -> dict[str, bytes]:
    """What everything is compared with."""
    folder = tmp_path_factory.mktemp("first")
    return build(tree, folder / "out", RATTLER_CACHE_DIR=str(folder / "cache"))


OTHERWISE = {
    "again": {},
    "umask": {"umask": "077"},
    "open-umask": {"umask": "000"},
    "time-zone": {"TZ": "Pacific/Kiritimati"},
    "language": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"},
    "hash-seed": {"PYTHONHASHSEED": "7"},
    "one-core": {"one_core": True},
    "color": {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "40"},
    "home": {"HOME": "/nonexistent"},
}


@pytest.mark.parametrize("difference", OTHERWISE)
def test_what_should_not_count_does_not_count(difference, tree, first, tmp_path):
    assert build(tree, tmp_path / "out", **OTHERWISE[difference]) == first


def test_what_was_compressed_before_does_not_count(tree, first, tmp_path):
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache"), "CI": ""}
    kept = tmp_path / "cache" / "mamba-press-entries"
    assert build(tree, tmp_path / "off", MAMBA_PRESS_WHEEL_CACHE="0 B", **environ) == first
    assert not kept.exists()
    assert build(tree, tmp_path / "filled", **environ) == first
    (pack,) = kept.iterdir()
    assert build(tree, tmp_path / "used", **environ) == first
    assert list(kept.iterdir()) == [pack]
    damaged = bytearray(pack.read_bytes())
    damaged[100] ^= 1
    pack.write_bytes(damaged)
    assert build(tree, tmp_path / "damaged", **environ) == first
    assert pack not in kept.iterdir()


def test_the_folder_of_the_project_does_not_count(tree, first, tmp_path):
    other = shutil.copytree(tree, tmp_path / "another folder with a näme" / "p")
    for path in other.iterdir():
        os.utime(path, (1, 1))
    assert build(other, tmp_path / "out") == first


def test_the_folder_of_temporary_files_does_not_count(tree, first, tmp_path):
    folder = tmp_path / ("long " * 20)
    folder.mkdir()
    assert build(tree, tmp_path / "out", TMPDIR=str(folder)) == first
    assert list(folder.iterdir()) == []


def test_files_that_builds_leave_behind_do_not_count(tree, first, tmp_path):
    other = shutil.copytree(tree, tmp_path / "p")
    for folder in ("dist", "build", "__pycache__", ".git"):
        other.joinpath(folder).mkdir()
        other.joinpath(folder, "something").write_text("x")
    assert (
        build(other, other / "dist", RATTLER_CACHE_DIR=str(tmp_path / "cache"))["greeting-2.0.tar.gz"]
        == (first["greeting-2.0.tar.gz"])
    )


def dated(path: str) -> bool:
    """Whether a file of the wheel tells when it was made: the bill of materials, and RECORD by its hash."""
    return ".dist-info/sboms/" in path or path.endswith(".dist-info/RECORD")


def test_an_epoch_sets_the_dates_and_nothing_else(tree, first, tmp_path):
    early = build(tree, tmp_path / "early", SOURCE_DATE_EPOCH="1000000000")
    late = build(tree, tmp_path / "late", SOURCE_DATE_EPOCH="1600000000")
    assert build(tree, tmp_path / "again", SOURCE_DATE_EPOCH="1600000000") == late
    assert early.keys() == late.keys() == first.keys()
    contents, dates = [], []
    for folder in ("early", "late"):
        with zipfile.ZipFile(next((tmp_path / folder).glob("*.whl"))) as wheel:
            contents.append({info.filename: wheel.read(info) for info in wheel.infolist() if not dated(info.filename)})
            dates.append({info.date_time for info in wheel.infolist()})
    assert contents[0] == contents[1]
    assert dates == [{(2001, 9, 9, 1, 46, 40)}, {(2020, 9, 13, 12, 26, 40)}]


def test_an_epoch_before_the_first_date_of_a_zip_file_is_that_date(tree, tmp_path):
    build(tree, tmp_path / "out", SOURCE_DATE_EPOCH="0")
    with zipfile.ZipFile(next((tmp_path / "out").glob("*.whl"))) as wheel:
        assert {info.date_time for info in wheel.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_payload_is_the_same_with_every_compressor(tree, tmp_path):
    records = set()
    for compression in ("libdeflate", "zlib", "store"):
        build(tree, tmp_path / compression, MAMBA_PRESS_WHEEL_COMPRESSION=compression)
        with zipfile.ZipFile(next((tmp_path / compression).glob("*.whl"))) as wheel:
            records.add(
                "".join(
                    line
                    for line in wheel.read("greeting-2.0.dist-info/RECORD").decode().splitlines(keepends=True)
                    if ".dist-info/WHEEL," not in line  # names the compressor
                )
            )
    assert len(records) == 1
