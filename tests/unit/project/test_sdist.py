"""Source distributions: the right files, the same bytes everywhere, whole or not at all."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
import sys
import tarfile
import time
from io import BytesIO
from pathlib import Path

import pytest
from packaging.version import Version

import mamba_press
from mamba_press.errors import BuildError, ContentError, WriteError
from mamba_press.project import sdist, tree
from tests.support.press import unpacked
from tests.support.tree import names, project

PKG_INFO = b"Metadata-Version: 2.2\nName: De.Mo\nVersion: 1.0\n"
SOURCE = Path(mamba_press.__file__).parents[1]


def write(files: list[sdist.File], directory: Path, **changed: object) -> Path:
    given = {"name": "De.Mo", "version": Version("1.0"), "pkg_info": PKG_INFO, "epoch": None, **changed}
    return sdist.write(files, directory=directory, **given)  # type: ignore[arg-type]


def test_a_link_inside_the_project_is_copied(tmp_path):
    root = project(tmp_path, "LICENSE", "licenses/MIT")
    (root / "COPYING").symlink_to("LICENSE")
    (root / "more").symlink_to("licenses")
    assert names(root) == ["COPYING", "LICENSE", "licenses/MIT", "more/MIT", "pyproject.toml"]
    path = write(list(tree.collect(root, root / "dist")), root / "dist")
    with tarfile.open(path) as archive:
        assert all(member.isfile() for member in archive)
        assert archive.extractfile("de_mo-1.0/COPYING").read() == b"LICENSE\n"


def test_the_archive_is_as_pep_625_and_643_want_it(tmp_path):
    root = project(tmp_path, "größe/" + "long/" * 30 + "x.txt", "tool")
    (root / "tool").chmod(0o755)
    path = write(list(tree.collect(root, root / "dist")), root / "dist")
    assert path.name == "de_mo-1.0.tar.gz"
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        assert archive.extractfile("de_mo-1.0/PKG-INFO").read() == PKG_INFO
    unpacked(path, tmp_path / "unpacked")
    assert {member.name.split("/")[0] for member in members} == {"de_mo-1.0"}
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    assert {member.name: member.mode for member in members if member.mode != 0o644} == {"de_mo-1.0/tool": 0o755}
    assert (tmp_path / "unpacked" / "de_mo-1.0" / "größe" / ("long/" * 30) / "x.txt").is_file()
    assert [member.name for member in members] == sorted(member.name for member in members)


@pytest.mark.parametrize(("epoch", "date"), [(None, 315532800), (0, 0), (1700000001, 1700000001), (-5, 0)])
def test_the_epoch_dates_files_and_archive(tmp_path, epoch, date):
    path = write([("a", b"", False)], tmp_path, epoch=epoch)
    with tarfile.open(path) as archive:
        assert {member.mtime for member in archive} == {date}
    with gzip.open(path) as packed:
        packed.read()
        assert packed.mtime == date


SCRIPT = """
import sys
from pathlib import Path
from mamba_press.project import sdist, tree
root = Path(sys.argv[1])
out = Path(sys.argv[2])
sdist.write(tree.collect(root, out), name="demo", version="1", pkg_info=b"x", directory=out, epoch=7)
"""


def test_folder_umask_time_zone_and_dates_change_no_byte(tmp_path):
    written = set()
    for number, (umask, zone) in enumerate([(0o022, "UTC"), (0o077, "Asia/Kathmandu")]):
        root = project(tmp_path / f"root{number}", "a/b", "c", "größe")
        os.utime(root / "c", (number * 1e9, number * 1e9))
        (root / "c").chmod(0o600 if number else 0o664)
        environ = {**os.environ, "TZ": zone, "PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": str(number)}
        command = [sys.executable, "-c", SCRIPT, root, tmp_path / f"out{number}"]
        subprocess.run(command, env=environ, umask=umask, check=True)
        (path,) = (tmp_path / f"out{number}").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
        written.add(path.read_bytes())
        time.sleep(0.01)
    assert len(written) == 1


@pytest.mark.parametrize("path", ["/a", "../a", "a/../../b", "a//b", "a\\b", "./a"])
def test_a_path_that_leaves_the_sdist_is_refused(tmp_path, path):
    with pytest.raises(ContentError, match="no path inside"):
        write([(path, b"", False)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_path_that_is_there_twice_is_refused(tmp_path):
    with pytest.raises(ContentError, match="twice") as error:
        write([("a", b"1", False), ("a", b"2", False), ("PKG-INFO", b"", False)], tmp_path)
    assert [problem.where for problem in error.value.problems] == ["PKG-INFO", "a"]


def test_a_source_that_is_gone_is_named_and_the_old_sdist_stays(tmp_path):
    old = write([("a", b"", False)], tmp_path / "out")
    before = old.read_bytes()
    with pytest.raises(WriteError, match="cannot be read: No such file"):
        write([("a", tmp_path / "gone", False)], tmp_path / "out")
    assert [path.read_bytes() for path in (tmp_path / "out").iterdir()] == [before]


def test_a_source_that_shrinks_is_named(tmp_path, monkeypatch):
    source = tmp_path / "a"
    source.write_bytes(b"12345")
    real = os.fstat
    monkeypatch.setattr(sdist.os, "fstat", lambda number: os.stat_result((*real(number)[:6], 6, *real(number)[7:])))
    with pytest.raises(WriteError, match="changed while it was read") as error:
        write([("a", source, False)], tmp_path / "out")
    assert error.value.problems[0].where == str(source)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of this kind on Windows")
def test_a_device_that_takes_no_more_is_said(tmp_path):
    import resource

    big = tmp_path / "big"
    big.write_bytes(os.urandom(3 << 20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(WriteError, match="cannot be written"):
            write([("a", big, False)], tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_output_folder_that_is_a_file_is_said(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(WriteError, match="a file is where the output folder should be"):
        write([], tmp_path / "out")


# --- reading


def archive_of(path: Path, members: dict[str, bytes | str]) -> Path:
    """An archive; a text is where a symlink leads."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755 if name.endswith(".sh") else 0o644
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, BytesIO(content))
    return path


def test_another_tools_sdist_is_read_with_what_its_links_lead_to(tmp_path):
    members = {"d-1/PKG-INFO": PKG_INFO, "d-1/run.sh": b"run", "d-1/sub/link.sh": "../run.sh"}
    files, about = sdist.read(archive_of(tmp_path / "d-1.tar.gz", members), tmp_path)
    assert about == PKG_INFO
    read = [(path, source.read_bytes(), executable) for path, source, executable in files]  # type: ignore[union-attr]
    assert read == [("run.sh", b"run", True), ("sub/link.sh", b"run", True)]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"d-1/x": b""}, "no PKG-INFO"),
        ({"d-1/PKG-INFO": b"", "top": b""}, "is no file of an sdist"),
        ({"d-1/PKG-INFO": b"", "d-1/x": "/etc/passwd"}, "cannot be read"),
    ],
)
def test_what_is_no_sdist_is_told(tmp_path, members, words):
    with pytest.raises(BuildError, match=words):
        sdist.read(archive_of(tmp_path / "d-1.tar.gz", members), tmp_path)


def test_a_broken_archive_is_told(tmp_path):
    (tmp_path / "d-1.tar.gz").write_bytes(b"nothing")
    with pytest.raises(BuildError, match="cannot be read"):
        sdist.read(tmp_path / "d-1.tar.gz", tmp_path)
