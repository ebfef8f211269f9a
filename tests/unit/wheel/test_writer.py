"""Writing and listing wheels: the same bytes everywhere, whole or not at all, and what cannot be shipped refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

import mamba_press
from mamba_press import atomic, log
from mamba_press.errors import WriteError
from mamba_press.types import Edits, Entry, File, Kept, Reason, Wheel
from mamba_press.wheel import content, writer, zip_format
from mamba_press.wheel.proof import Proven
from tests.support.written import demo, entry, write

SOURCE = Path(mamba_press.__file__).parents[1]


class Sums:
    """A bill that states the hashes as sha256sum would."""

    def entry(self, made: Wheel, hashes: Mapping[str, str]) -> Entry:
        lines = "".join(f"{hashes[each.path]}  {each.path}\n" for each in made.entries)
        return entry(f"{made.stem}.dist-info/sboms/sums.txt", lines.encode())


def test_what_states_the_hashes_of_all_others_is_made_of_what_was_written(mixed, tmp_path):
    made = replace(mixed, bill=Sums())
    path = write(made, tmp_path)
    with zipfile.ZipFile(path) as archive:
        *_, bill, last = archive.namelist()
        assert bill == "demo-1.0.dist-info/sboms/sums.txt"
        assert last == "demo-1.0.dist-info/RECORD"
        stated = dict(line.split("  ")[::-1] for line in archive.read(bill).decode().splitlines())
        assert stated == {
            name: hashlib.sha256(archive.read(name)).hexdigest()
            for name in archive.namelist()
            if name not in (bill, last)
        }
        assert archive.read(last) == content.record(made, writer.listing(made)[:-1])


def test_a_wheel_that_is_stored_after_all_states_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(zip_format, "PYPI_RATIO_FROM", 1000)
    made = replace(demo(entry("demo/zeros", bytes(1 << 20))), bill=Sums())
    path = write(made, tmp_path)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist().count("demo-1.0.dist-info/sboms/sums.txt") == 1
        assert archive.testzip() is None


@pytest.mark.parametrize("compression", ["libdeflate", "zlib", "store", None])
def test_every_entry_comes_back_with_its_bytes_and_mode(mixed, tmp_path, compression):
    path = write(mixed, tmp_path / "out", compression=compression)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for one in mixed.entries:
            data = one.source if isinstance(one.source, bytes) else one.source.read_bytes()
            assert archive.read(one.path) == data
            mode = archive.getinfo(one.path).external_attr >> 16
            assert mode == stat.S_IFREG | (0o755 if one.executable else 0o644)


def test_installer_validates_record_and_installs(mixed, tmp_path):
    path = write(mixed, tmp_path / "out")
    command = [sys.executable, "-m", "installer", "--validate-record", "all", "--destdir", tmp_path / "root", path]
    subprocess.run(command, check=True, capture_output=True)
    (installed,) = (tmp_path / "root").rglob("noise.bin")
    assert installed.read_bytes() == (tmp_path / "sources" / "noise.bin").read_bytes()


def test_the_wheel_package_reads_it_back(mixed, tmp_path):
    from wheel.wheelfile import WheelFile

    path = write(mixed, tmp_path / "out")
    with WheelFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found.pop("demo-1.0.dist-info/RECORD").count(b"sha256=") == len(mixed.entries)
    assert found == {
        one.path: one.source if isinstance(one.source, bytes) else one.source.read_bytes() for one in mixed.entries
    }
    broken = path.read_bytes().replace(b"value = 1\n", b"value = 7\n")  # the one that is stored
    assert broken != path.read_bytes()
    path.write_bytes(broken)
    with WheelFile(path) as archive, pytest.raises(Exception, match=r"many/001\.py"):
        archive.read("demo/many/001.py")


def test_what_does_not_shrink_is_stored(mixed, tmp_path):
    with zipfile.ZipFile(write(mixed, tmp_path / "out")) as archive:
        methods = {info.filename: info.compress_type for info in archive.infolist()}
    assert methods["demo/noise.bin"] == zipfile.ZIP_STORED
    assert methods["demo/empty"] == zipfile.ZIP_STORED
    assert methods["demo/text.txt"] == zipfile.ZIP_DEFLATED


def test_the_listing_names_package_and_reason(tmp_path):
    source = tmp_path / "a"
    source.write_bytes(b"x")
    kept = Kept(file=File(path="lib/a", source=source, package="zlib", size=1), why=Reason("needed", "b"))
    row = writer.listing(demo(Entry.of(kept, "demo/a")))[0]
    assert (row.package, row.why, row.size) == ("zlib", "needed by b", 1)
    assert row.sha256 == hashlib.sha256(b"x").hexdigest()


def test_the_listing_ends_with_its_own_place():
    own = writer.listing(demo())[-1]
    assert own == content.Row(
        path="demo-1.0.dist-info/RECORD",
        size=len(content.record(demo(), writer.listing(demo())[:-1])),
        sha256=None,
        why="the wheel's list of files",
    )


# --- in which order and in which pieces


def sized(*sizes):
    return [content.Sized(entry(f"demo/{number}", bytes(size)), size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ((), []),
        ((100, 1), [[100], [1]]),
        ((60, 40, 1), [[60, 40], [1]]),
        ((0, 101, 0, 100), [[0], [101], [0, 100]]),
        ((30, 30, 50, 20, 30, 1), [[30, 30], [50, 20, 30], [1]]),
    ],
)
def test_entries_are_compressed_in_windows_that_bound_memory(monkeypatch, sizes, groups):
    monkeypatch.setattr(writer, "WINDOW", 100)
    assert [[one.size for one in window] for window in writer._windows(sized(*sizes))] == groups


def test_a_huge_file_takes_no_room_in_a_window_for_it_is_read_in_parts(monkeypatch, tmp_path):
    monkeypatch.setattr(writer, "WINDOW", 100)
    monkeypatch.setattr(content, "HUGE", 1000)
    huge = content.Sized(entry("demo/huge", tmp_path), 1000)
    assert [len(window) for window in writer._windows([*sized(60), huge, *sized(40, 1)])] == [3, 1]


def test_two_windows_are_under_way_and_what_comes_of_them_is_in_order(monkeypatch):
    monkeypatch.setattr(writer, "WINDOW", 100)
    begun = []

    def work(one):
        begun.append(one.size)
        return one.size

    sizes = [70, 80, 90, 60, 75]
    with ThreadPoolExecutor(1) as pool:
        found = writer._in_order(pool, sized(*sizes), work)
        first = next(found)
        pool.submit(bool).result()  # after all that was handed over
        assert begun == sizes[:2]
        assert [first, *found] == sizes


def test_who_looks_at_what_is_written_gets_every_file_as_it_is_in_the_wheel(monkeypatch, tmp_path):
    monkeypatch.setattr("mamba_press.platforms.binary_edits.apply", lambda data, edits: data[:].upper())
    seen = {}
    made = demo(entry("demo/a.so", b"content", edits=Edits(name="x")), entry("demo/b"))
    path = write(made, tmp_path, seen=lambda entry, data: seen.update({entry.path: bytes(data)}))
    with zipfile.ZipFile(path) as archive:
        assert seen == {name: archive.read(name) for name in archive.namelist()}
    assert seen["demo/a.so"] == b"CONTENT"


def test_how_much_is_compressed_is_shown_on_a_terminal(monkeypatch, tmp_path):
    said = []
    monkeypatch.setattr(log, "shows_progress", lambda: True)
    monkeypatch.setattr(log, "progress", lambda *words: said.append(words))
    write(demo(*(one.entry for one in sized(1_500_000, 500_000)), own=()), tmp_path)
    assert said == [
        ("compressing, 1.5 of 2.0 MB", 1_500_000, 2_000_000),
        ("compressing, 2.0 of 2.0 MB", 2_000_000, 2_000_000),
    ]


@pytest.mark.parametrize("compression", ["libdeflate", "zlib"])
def test_any_number_of_threads_writes_the_same_bytes(mixed, tmp_path, small_windows, compression):
    written = {
        write(mixed, tmp_path / str(threads), compression=compression, threads=threads).read_bytes()
        for threads in (1, 2, 7)
    }
    assert len(written) == 1


SCRIPT = """
import sys, time
from pathlib import Path
from packaging.version import Version
from mamba_press.wheel import writer as wheel
from mamba_press.types import Entry, Wheel
entries = [Entry(path=f"demo/{i}.py", source=b"value = %d\\n" % i * 9) for i in range(20)]
entries += [Entry(path="demo/tool", source=Path(sys.argv[2]), executable=True)]
made = Wheel(name="demo", version=Version("1.0"), tags="py3-none-any", entries=tuple(entries))
wheel.write(made, Path(sys.argv[1]), compression="zlib", epoch=1700000000)
"""


def test_folder_umask_time_zone_and_locale_change_no_byte(tmp_path):
    source = tmp_path / "tool"
    source.write_bytes(b"#!/bin/sh\n")
    written = set()
    for number, (umask, zone, locale) in enumerate([(0o022, "UTC", "C"), (0o077, "Asia/Kathmandu", "C.UTF-8")]):
        source.chmod(0o700 if number else 0o644)
        out = tmp_path / f"out{number}"
        environ = {**os.environ, "TZ": zone, "LC_ALL": locale, "PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": str(number)}
        subprocess.run([sys.executable, "-c", SCRIPT, out, source], env=environ, umask=umask, check=True, cwd=tmp_path)
        (path,) = out.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
        written.add(path.read_bytes())
    assert len(written) == 1


def test_other_pythons_write_the_same_bytes(tmp_path):
    others = [found for version in ("3.10", "3.12", "3.13") if (found := _python(version))]
    if not others:
        pytest.skip("no other supported CPython with packaging and the same zlib is here")
    written = set()
    for number, python in enumerate([sys.executable, *others]):
        packaging = Path(sys.modules["packaging"].__file__).parents[1]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), str(packaging)])}
        out = tmp_path / str(number)
        subprocess.run([python, "-c", SCRIPT, out, __file__], env=environ, check=True)
        written.add((out / "demo-1.0-py3-none-any.whl").read_bytes())
    assert len(written) == 1


def _python(version: str) -> str | None:
    """An interpreter that deflates as this one does: the promise is for the same compressor and version."""
    candidates = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), shutil.which(f"python{version}")]
    script = "import zlib; print(zlib.ZLIB_RUNTIME_VERSION)"
    for found in filter(None, candidates):
        answer = subprocess.run([found, "-c", script], text=True, capture_output=True, check=False).stdout.strip()
        if answer == zlib.ZLIB_RUNTIME_VERSION:
            return str(found)
    return None


def test_a_missing_folder_is_created(tmp_path):
    assert write(demo(), tmp_path / "a" / "b").parent == tmp_path / "a" / "b"


def test_a_folder_that_is_a_file_is_said(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(WriteError, match="a file is where the output folder should be"):
        write(demo(), tmp_path / "out")
    with pytest.raises(WriteError, match="a part of the path is a file"):
        write(demo(), tmp_path / "out" / "deeper")


def test_a_folder_with_the_name_of_the_wheel_is_said(tmp_path):
    (tmp_path / "demo-1.0-py3-none-any.whl").mkdir()
    with pytest.raises(WriteError, match="a folder has the wheel's name"):
        write(demo(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["demo-1.0-py3-none-any.whl"]


def test_a_name_too_long_for_the_file_system_is_said(tmp_path):
    made = Wheel(name="d" * 250, version=Version("1.0"), tags="py3-none-any", entries=())
    with pytest.raises(WriteError, match="shorten the project's name"):
        write(made, tmp_path)


@contextmanager
def tiny_device(tmp_path: Path):
    """A file system with 256 KiB."""
    mount = shutil.which("mount")
    if mount is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a file system of its own")
    place = tmp_path / "device"
    place.mkdir()
    if subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_full_device_leaves_nothing_behind_and_the_old_wheel_alone(mixed, tmp_path):
    with tiny_device(tmp_path) as device:
        old = device / mixed.file_name
        old.write_bytes(b"the old wheel")
        with pytest.raises(WriteError, match="No space left on device") as error:
            write(mixed, device)
        assert "free some space" in error.value.problems[0].hint
        assert old.read_bytes() == b"the old wheel"
        assert list(device.iterdir()) == [old]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of this kind on Windows")
def test_a_limit_on_file_sizes_is_said(mixed, tmp_path):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(WriteError, match="ulimit -f"):
            write(mixed, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "out").iterdir()) == []


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from packaging.version import Version
from mamba_press.wheel import writer as wheel
from mamba_press.errors import WriteError
from mamba_press.types import Wheel
made = Wheel(name="demo", version=Version("1.0"), tags="py3-none-any", entries=())
assert made.file_name
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    wheel.write(made, Path(sys.argv[1]), compression="zlib", epoch=None)
except WriteError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has other permissions")
def test_a_folder_without_permission_is_said():
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        out.mkdir()
        Path(folder).chmod(0o755)
        out.chmod(0o555)
        environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
        said = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, out], env=environ, text=True, capture_output=True, check=False
        )
        assert "Permission denied" in said.stdout, said.stderr
        assert "make the output folder writable" in said.stdout
        assert list(out.iterdir()) == []


SLOW = """
import sys, time
from pathlib import Path
from packaging.version import Version
from mamba_press.wheel import content, writer as wheel
from mamba_press.types import Entry, Wheel
read = content._read_file
def slowly(path, size):
    print("reading", flush=True)
    time.sleep(float(sys.argv[3]))
    return read(path, size)
content._read_file = slowly
entries = [Entry(path="demo/a", source=b"x" * 3000000), Entry(path="demo/slow", source=Path(sys.argv[2]))]
made = Wheel(name="demo", version=Version("1.0"), tags="py3-none-any", entries=tuple(entries))
wheel.write(made, Path(sys.argv[1]), compression="store", epoch=None, threads=1)
print("written", flush=True)
"""


def _interrupted(tmp_path: Path, number: int, seconds: float) -> tuple[Path, int]:
    """Write a wheel over an old one, send a signal in the middle, and return the folder and the exit code."""
    out, source = tmp_path / "out", tmp_path / "slow"
    out.mkdir()
    (out / "demo-1.0-py3-none-any.whl").write_bytes(b"the old wheel")
    source.write_bytes(b"y")
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-c", textwrap.dedent(SLOW), out, source, str(seconds)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environ, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout.readline() == "reading\n"
        deadline = time.monotonic() + 5
        while len(list(out.iterdir())) < 2:
            assert time.monotonic() < deadline, "the temporary file never came"
        process.send_signal(number)
        rest = process.stdout.read()
    assert "written" not in rest
    return out, process.returncode


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_leaves_the_old_wheel_and_nothing_else(tmp_path):
    out, code = _interrupted(tmp_path, signal.SIGINT, 0.5)
    assert code != 0
    assert [path.name for path in out.iterdir()] == ["demo-1.0-py3-none-any.whl"]
    assert (out / "demo-1.0-py3-none-any.whl").read_bytes() == b"the old wheel"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_kill_leaves_the_old_wheel_and_a_file_that_nobody_takes_for_one(tmp_path):
    out, code = _interrupted(tmp_path, signal.SIGKILL, 60)
    assert code == -signal.SIGKILL
    (left,) = [path for path in out.iterdir() if path.suffix != ".whl"]
    assert left.name.startswith(atomic.TEMPORARY)
    assert left.suffix == ".tmp"
    assert (out / "demo-1.0-py3-none-any.whl").read_bytes() == b"the old wheel"
    write(demo(), out)
    assert zipfile.ZipFile(out / "demo-1.0-py3-none-any.whl").testzip() is None


def test_what_verify_refuses_never_gets_its_name(tmp_path):
    seen = []

    def refuse(written: Proven) -> None:
        seen.append((zipfile.ZipFile(written.path).testzip(), written.name))
        raise WriteError

    with pytest.raises(WriteError):
        write(demo(entry("demo/a.py")), tmp_path / "out", verify=refuse)
    assert seen == [(None, "demo-1.0-py3-none-any.whl")]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_wheel_of_the_same_name_is_replaced(tmp_path):
    first = write(demo(entry("demo/a.py", b"1")), tmp_path)
    write(demo(entry("demo/a.py", b"2")), tmp_path)
    assert zipfile.ZipFile(first).read("demo/a.py") == b"2"
    assert list(tmp_path.iterdir()) == [first]


def test_a_failure_ends_what_has_not_begun(tmp_path, monkeypatch):
    begun = []
    pack = writer._pack

    def count(one, *rest):
        begun.append(one)
        time.sleep(0.01)
        return pack(one, *rest)

    monkeypatch.setattr(writer, "_pack", count)
    gone = tmp_path / "gone"
    gone.write_bytes(bytes(1000))
    made = demo(entry("demo/gone", gone), *(entry(f"demo/{i}") for i in range(300)))
    monkeypatch.setattr(content, "_size", lambda entry: 7000 if entry.path == "demo/gone" else len(entry.source))
    with pytest.raises(WriteError):
        write(made, tmp_path / "out", threads=1)
    assert len(begun) < 50
