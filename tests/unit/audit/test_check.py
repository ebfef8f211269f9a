"""Checking finished wheels: a sound one has no problem, and each thing that can be wrong is said."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from packaging.version import Version

from mamba_press import __main__ as command
from mamba_press.audit import check, smoke_test
from mamba_press.errors import ConfigError, WriteError
from mamba_press.types import Entry, Wheel
from mamba_press.wheel import read as wheel_read
from mamba_press.wheel import writer
from tests.support import elf as support
from tests.support.compile import Linking, extension_module, module_source, program, shared_library, zig
from tests.support.environment import interpreters
from tests.support.macho import Dylib, dylib, universal

INFO = "demo-1.0.dist-info"
METADATA = b"Metadata-Version: 2.4\nName: demo\nVersion: 1.0\nLicense-File: LICENSE\n\nText.\n"
PLATFORM = "manylinux_2_28_x86_64" if os.uname().machine == "x86_64" else f"manylinux_2_28_{os.uname().machine}"

Files = Mapping[str, bytes]


def wheel_text(tags: str = "py3-none-any", *, pure: bool = True, by: str = "mamba-press test") -> bytes:
    return f"Wheel-Version: 1.0\nGenerator: {by}\nRoot-Is-Purelib: {str(pure).lower()}\nTag: {tags}\n".encode()


def files(payload: Files | None = None, **changed: bytes) -> dict[str, bytes]:
    """The files of a sound wheel; ``METADATA=…`` changes one of ``.dist-info``."""
    info = {"METADATA": METADATA, "WHEEL": wheel_text(), "licenses/LICENSE": b"Do.\n", **changed}
    return {**(payload or {"demo/__init__.py": b""}), **{f"{INFO}/{name}": data for name, data in info.items()}}


def record(content: Files) -> bytes:
    lines = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in content.items()]
    return "\n".join([*lines, f"{INFO}/RECORD,,", ""]).encode()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def make(folder: Path, content: Files, name: str = "demo-1.0-py3-none-any.whl", listed: bytes | None = None) -> Path:
    """Write any wheel, however wrong, with somebody else's code."""
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, data in {**content, f"{INFO}/RECORD": record(content) if listed is None else listed}.items():
            archive.writestr(zipfile.ZipInfo(one), data, zipfile.ZIP_DEFLATED)
    return path


def said(path: Path, **options: object) -> str:
    return "\n".join(map(str, check.check(path, **options)))  # type: ignore[arg-type]


# --- sound wheels


def test_a_sound_wheel_has_no_problem(tmp_path):
    assert check.check(make(tmp_path, files())) == ()


def test_a_wheel_for_linux_alone_may_have_names_that_differ_in_case(tmp_path):
    content = files({"demo/A.py": b"", "demo/a.py": b""})
    assert "only in case" not in said(make(tmp_path, content, "demo-1.0-py3-none-manylinux_2_28_x86_64.whl"))
    assert "only in case" not in said(make(tmp_path, content, "demo-1.0-py3-none-musllinux_1_2_x86_64.whl"))
    assert "only in case" in said(make(tmp_path, content, "demo-1.0-py3-none-macosx_11_0_arm64.whl"))


def test_what_mamba_press_writes_is_sound(tmp_path):
    entries = tuple(Entry(path=path, source=data) for path, data in files({"demo/größe,.txt": b"x"}).items())
    made = Wheel(name="demo", version=Version("1.0"), tags="py3-none-any", entries=entries)
    path = writer.write(made, tmp_path, compression=None, epoch=None, verify=check.require)
    assert check.check(path) == ()


def test_check_wheel_contents_finds_nothing_in_a_sound_wheel_either(tmp_path):
    path = make(tmp_path, files())
    command = [sys.executable, "-m", "check_wheel_contents", "--ignore", "W004", str(path)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if "No module named" in done.stderr:
        pytest.skip("check-wheel-contents is not installed")
    assert done.returncode == 0, done.stdout


def test_entry_points_data_folders_and_signatures_are_no_problem(tmp_path):
    points = b"[console_scripts]\ndemo = demo:main\nother=demo.cli : run [extra]\n[pygments.lexers]\nA b = demo:B.c\n"
    content = files({"demo-1.0.data/scripts/tool": b"#!python\n"}, **{"entry_points.txt": points})
    listed = record(content)
    assert check.check(make(tmp_path, {**content, f"{INFO}/RECORD.jws": b"{}"}, listed=listed)) == ()


def test_the_future_name_counts_where_it_is_given(tmp_path):
    path = make(tmp_path, files(), name=".mamba-press-1.tmp")
    assert check.check(path, name="demo-1.0-py3-none-any.whl") == ()
    assert "is not the name of a wheel" in said(path)


def test_require_raises_all_problems_at_once(tmp_path):
    path = make(tmp_path, files(METADATA=b"Metadata-Version: 2.1\nName: other\nVersion: 2\n"), listed=b"")
    with pytest.raises(WriteError) as error:
        check.require(path)
    assert error.value.problems == check.check(path)
    assert len(error.value.problems) > 3


# --- content that is wrong

WRONG: dict[str, Callable[[], tuple[Files, bytes | None]]] = {
    "wrong hash": lambda: (files(), record(files()).replace(_digest(METADATA).encode(), _digest(b"x").encode())),
    "wrong size": lambda: (files({"a.py": b"12345"}), record(files({"a.py": b"12345"})).replace(b",5\n", b",6\n")),
    "md5": lambda: (files(), record(files()).replace(b"sha256=", b"md5=")),
    "no hash": lambda: (files(), b"".join(f"{p},,\n".encode() for p in [*files(), f"{INFO}/RECORD"])),
    "extra file": lambda: (files({"extra.py": b""}), record(files())),
    "missing file": lambda: (files(), record(files({"gone.py": b""}))),
    "listed twice": lambda: (files(), record(files()) + b"demo/__init__.py,sha256=x,0\n"),
    "broken line": lambda: (files(), record(files()) + b"demo\n"),
    "own hash": lambda: (files(), record(files()).replace(b"RECORD,,", b"RECORD,sha256=x,1")),
    "not UTF-8": lambda: (files(), record(files()) + b"\xff,,\n"),
    "two dist-info": lambda: (files({"other-1.dist-info/METADATA": b""}), None),
    "version": lambda: (files(METADATA=METADATA.replace(b"1.0", b"1.1")), None),
    "name": lambda: (files(METADATA=METADATA.replace(b"demo", b"omed")), None),
    "metadata": lambda: (files(METADATA=b"Metadata-Version: 2.4\nName: demo\n"), None),
    "tags": lambda: (files(WHEEL=wheel_text("py2-none-any")), None),
    "two tags": lambda: (files(WHEEL=wheel_text() + b"Tag: py3-none-any\n"), None),
    "build": lambda: (files(WHEEL=wheel_text() + b"Build: 3\n"), None),
    "wheel version": lambda: (files(WHEEL=wheel_text().replace(b"1.0", b"2.0")), None),
    "purity": lambda: (files(WHEEL=wheel_text().replace(b"true", b"yes")), None),
    "licence": lambda: (files(METADATA=METADATA.replace(b"LICENSE", b"COPYING")), None),
    "entry point": lambda: (files(**{"entry_points.txt": b"[console_scripts]\na = b c\n"}), None),
    "script": lambda: (files(**{"entry_points.txt": b"[console_scripts]\n../a = b:c\n"}), None),
    "line end": lambda: (files({"a\u2028b.py": b""}), None),
    "entry points": lambda: (files(**{"entry_points.txt": b"a = b\n"}), None),
    "an entry point twice": lambda: (files(**{"entry_points.txt": b"[g]\na = b:c\na = b:d\n"}), None),
    "a byte order mark": lambda: (files(**{"entry_points.txt": b"\xef\xbb\xbf[g]\na = b:c\n"}), None),
    "data folder": lambda: (files({"other-1.0.data/scripts/x": b""}), None),
    "case": lambda: (files({"demo/A.py": b"", "demo/a.py": b""}), None),
    "windows' names": lambda: (files({"demo/A::B.3": b""}), None),
    "a folder like a scheme's": lambda: (files({"other-2.data/x.py": b""}), None),
    "file and folder": lambda: (files({"demo": b"", "demo/a.py": b""}), None),
    "outside": lambda: (files({"../a.py": b""}), None),
    "absolute": lambda: (files({"/a.py": b""}), None),
    "backslash": lambda: (files({"demo\\a.py": b""}), None),
    "control": lambda: (files({"demo/\x1b[2J.py": b""}), None),
    "compiled": lambda: (files({"demo/a.pyc": b""}), None),
    "Unicode": lambda: (files({"\u00e9.py": b"", "e\u0301.py": b""}), None),
    "no name": lambda: (files({"": b""}), None),
    "a name that no file system takes": lambda: (files({f"demo/{'a' * 256}": b""}), None),
    "a folder with content": lambda: (files({"demo/sub/": b"content"}), None),
    "broken binary": lambda: (files({"demo/a.so": b"\x7fELF\2\1\1" + bytes(11) + b"\x3e" + bytes(9)}), None),
}


def test_what_is_wrong_is_said(tmp_path, golden):
    each = {case: said(make(tmp_path, *get()[:1], listed=get()[1])) for case, get in WRONG.items()}
    assert all(each.values())
    assert "\x1b" not in "".join(each.values())
    golden("check-wrong.txt", "\n".join(f"{case}:\n{text}\n" for case, text in each.items()))


def test_a_record_that_goes_on_and_on_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "_SPARE_ROWS", 0)
    path = make(tmp_path, files(), listed=record(files()) + b"one,,\ntwo,,\n")
    assert said(path) == (
        "one: is in RECORD but not in the archive\n"
        f"{INFO}/RECORD: has many more lines than the wheel has files; the rest is not read"
    )


def test_a_place_that_installers_do_not_know_is_said(tmp_path):
    path = make(tmp_path, files({"demo-1.0.data/share/x": b""}))
    assert "installers know no place 'share', only platlib, purelib, headers, scripts, data" in said(path)


def test_no_dist_info_at_all_is_said(tmp_path):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo/x", b"")
    assert said(path) == "the wheel has no .dist-info folder"


@pytest.mark.parametrize("tag", ["cp310-cp310", "cp310-none", "py2-none", "cp310.cp39-none"])
def test_a_wheel_that_no_allowed_python_takes_is_wrong(tmp_path, tag):
    metadata = METADATA.replace(b"\n\n", b"\nRequires-Python: >=3.12\n\n")
    path = make(tmp_path, files(METADATA=metadata, WHEEL=wheel_text(f"{tag}-any")), f"demo-1.0-{tag}-any.whl")
    shown = ", ".join(f"{each}-{tag.split('-')[1]}" for each in tag.split("-")[0].split("."))
    assert (
        f"demo-1.0.dist-info/METADATA: Requires-Python: >=3.12 allows no Python that {shown} is for\n"
        "  make it for a Python that is allowed; others cannot install it"
    ) in said(path)


@pytest.mark.parametrize("tag", ["py3-none", "cp39-abi3", "py2.py3-none", "cp312-cp312", "cp310.cp313-none"])
def test_a_wheel_that_some_allowed_python_takes_is_not(tmp_path, tag):
    metadata = METADATA.replace(b"\n\n", b"\nRequires-Python: >=3.12\n\n")
    path = make(tmp_path, files(METADATA=metadata, WHEEL=wheel_text(f"{tag}-any")), f"demo-1.0-{tag}-any.whl")
    assert "Requires-Python" not in said(path)


@pytest.mark.parametrize("gone", ["METADATA", "WHEEL", "RECORD"])
def test_a_missing_file_of_dist_info_is_said(tmp_path, gone):
    content = files()
    listed = record({path: data for path, data in content.items() if not path.endswith(gone)})
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for one, data in {**content, f"{INFO}/RECORD": listed}.items():
            if not one.endswith(gone):
                archive.writestr(one, data)
    assert f"{INFO}/{gone}: is missing" in said(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("demo-1.0.zip", "is not the name of a wheel"),
        ("demo-1.0-py3-none.whl", "is not the name of a wheel"),
        ("demo-1.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "not sorted"),
        ("demo-1.0-py3-none-any.any.whl", "there twice"),
        ("other-1.0-py3-none-any.whl", "the file name says other-1.0"),
        ("demo-1.1-py3-none-any.whl", "the file name says demo-1.1"),
        ("demo-1.0-1-py3-none-any.whl", "has no Build; the file name has 1"),
    ],
)
def test_a_name_that_is_wrong_is_said(tmp_path, name, expected):
    assert expected in said(make(tmp_path, files(), name=name))


def test_tags_are_sorted_as_packaging_sorts_them(tmp_path):
    from packaging.utils import parse_wheel_filename

    name = "demo-1.0-py2.py3-none-manylinux1_x86_64.manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
    parse_wheel_filename(name, validate_order=True)
    assert "not sorted" not in said(make(tmp_path, files(), name=name))


# --- archives that are wrong


def rewritten(path: Path, change: Callable[[zipfile.ZipInfo], None]) -> Path:
    """Write the archive again with the headers of its first entry changed."""
    with zipfile.ZipFile(path) as archive:
        content = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (info, data) in enumerate(content):
            if not number:
                change(info)
            archive.writestr(info, data)
    return path


def test_a_symlink_is_said(tmp_path):
    def link(info):
        info.external_attr = (stat.S_IFLNK | 0o777) << 16

    assert "demo/__init__.py: is a symlink" in said(rewritten(make(tmp_path, files()), link))


def test_a_device_is_said(tmp_path):
    def device(info):
        info.external_attr = (stat.S_IFCHR | 0o777) << 16

    assert "is not a regular file" in said(rewritten(make(tmp_path, files()), device))


def test_a_folder_entry_is_said(tmp_path):
    path = make(tmp_path, files())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo("demo/"), b"")
        archive.writestr(zipfile.ZipInfo("demo/sub/"), b"")
    assert said(path) == "demo/: is an entry for a folder (2 in all): wheels have files only"


def test_a_streamed_archive_is_said(tmp_path):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    content = files()
    with path.open("wb") as file:
        read, end = os.pipe()
        copy = subprocess.Popen(
            [sys.executable, "-c", "import sys,shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"],
            stdin=read,
            stdout=file,
        )
        os.close(read)
        with os.fdopen(end, "wb") as pipe, zipfile.ZipFile(pipe, "w") as archive:
            for one, data in {**content, f"{INFO}/RECORD": record(content)}.items():
                archive.writestr(one, data)
        assert copy.wait() == 0
    assert "streamed ZIP file" in said(path)


def test_a_comment_is_said(tmp_path):
    path = make(tmp_path, files())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hello"
    assert said(path) == "the archive has a comment"


def test_bytes_after_the_end_and_before_the_beginning_are_said(tmp_path):
    path = make(tmp_path, files())
    sound = path.read_bytes()
    path.write_bytes(sound + b"\0" * 10)
    assert "bytes after its end" in said(path)
    path.write_bytes(b"#!/bin/sh\n" + sound)
    assert "bytes before its first entry" in said(path)


def test_a_comment_of_an_entry_and_another_method_are_said(tmp_path):
    def change(info):
        info.comment = b"hello"
        info.compress_type = zipfile.ZIP_LZMA

    text = said(rewritten(make(tmp_path, files()), change))
    assert "has a comment" in text
    assert "method 14" in text


def test_a_file_that_is_there_twice_is_said(tmp_path):
    path = make(tmp_path, files())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("demo/__init__.py", b"")
    assert "more than once" in said(path)


def test_a_bomb_is_said(tmp_path):
    assert "50 times" in said(make(tmp_path, files({"zeros": bytes(check.PYPI_RATIO_FROM + 1)})))


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "bits", "gone"])
def test_a_damaged_file_is_said_and_raises_nothing(tmp_path, damage):
    path = make(tmp_path, files({"a.py": b"some text " * 1000}))
    data = path.read_bytes()
    middle = data.index(b"a.py") + 20
    broken = {
        "cut": data[:-100],
        "empty": b"",
        "text": b"not a wheel",
        "bits": data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :],
        "gone": None,
    }[damage]
    path.unlink() if broken is None else path.write_bytes(broken)
    expected = "cannot be unpacked" if damage == "bits" else "cannot be read as a wheel"
    assert expected in said(path)
    assert expected in str(check.check_import(path))


# --- wheels of others


FOREIGN = wheel_text(by="bdist_wheel (0.45)")


def folder_entry(folder: Path, **changed: bytes) -> Path:
    path = make(folder, files(**changed))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("demo/", b"")
    return path


def test_what_is_only_style_is_wrong_in_wheels_of_ours_and_no_word_on_others(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    assert "is an entry for a folder" in said(folder_entry(ours))
    found = check.examine(folder_entry(theirs, WHEEL=FOREIGN))
    assert found.problems == ()
    assert found.notes == ()


def test_what_works_and_mamba_press_would_not_write_is_a_note_on_the_wheels_of_others(tmp_path):
    tag = "py2.py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64"
    lines = b"".join(
        f"Tag: {python}-none-{platform}\n".encode()
        for python in ("py2", "py3")
        for platform in ("manylinux_2_17_x86_64", "manylinux2014_x86_64")
    )
    text = b"Wheel-Version: 1.0\nGenerator: other\nRoot-Is-Purelib: false\n" + lines
    path = make(tmp_path, files({"demo/__pycache__/x.cpython-310.pyc": b"x"}, WHEEL=text), name=f"demo-1.0-{tag}.whl")
    found = check.examine(path)
    assert found.problems == ()
    (note,) = found.notes
    assert "compiled Python" in note


def test_what_does_not_work_is_wrong_whoever_wrote_it(tmp_path):
    content = files(WHEEL=FOREIGN)
    path = make(tmp_path, content, listed=record({**content, "demo/__init__.py": b"other"}))
    assert "is not what RECORD's hash was made of" in said(path)


def test_how_large_a_wheel_is_is_found_too(tmp_path):
    path = make(tmp_path, files({"demo/__init__.py": b"x" * 5000}))
    found = check.examine(path)
    assert found.size == path.stat().st_size
    assert found.files == 5
    assert found.unpacked > 5000 > found.size


@pytest.mark.parametrize("by", ["mamba-press 1", "other"])
def test_the_path_of_a_builds_temporary_folder_is_wrong_in_every_wheel(tmp_path, by):
    data = b"\0/var/tmp/mamba-press-a1_b2c3d/lib/x.so\0"
    text = said(make(tmp_path, files({"demo/x.bin": data}, WHEEL=wheel_text(by=by))))
    assert text == "demo/x.bin: holds the path of a temporary folder of a build: /var/tmp/mamba-press-a1_b2c3d"


@pytest.mark.parametrize("data", [b"/mamba-press-docs/", b"/opt/mamba-press-0.1.0/x", b"/proc/mamba-press/lib"])
def test_other_paths_are_none_of_a_build(tmp_path, data):
    assert said(make(tmp_path, files({"demo/x.bin": data}))) == ""


# --- binaries


def compiled(tmp_path: Path, linking: Linking | None = None, **more: Path) -> Path:
    """A wheel with an extension that needs ``libinner.so.1`` of the wheel, linked as told."""
    build = tmp_path / "build"
    inner = shared_library(
        build / "libinner.so.1", "int inner(void) { return 42; }",
        Linking(soname="libinner.so.1", version_script="INNER_1 { global: inner; local: *; };"),
    )  # fmt: skip
    linking = linking or Linking(needed=(inner,), rpath="$ORIGIN/../demo/lib")
    text = module_source("demo_ext", "PyLong_FromLong(inner())", "int inner(void);")
    ext = extension_module(build, "demo_ext", text, linking, python=Path(sys.executable))
    tag = f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}-{PLATFORM}"
    payload = {"demo/__init__.py": b"from demo import demo_ext\n", f"demo/{ext.name}": ext.read_bytes()}
    payload["demo/lib/libinner.so.1"] = inner.read_bytes()
    payload.update({path.replace("__", "/"): found.read_bytes() for path, found in more.items()})
    return make(tmp_path, files(payload, WHEEL=wheel_text(tag, pure=False)), name=f"demo-1.0-{tag}.whl")


def test_a_wheel_with_its_own_library_is_sound(tmp_path):
    assert said(compiled(tmp_path)) == ""


def test_auditwheel_takes_the_same_wheel(tmp_path):
    if importlib_missing("auditwheel"):
        pytest.skip("auditwheel is not installed")
    path = compiled(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", path], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "requires no external shared libraries" in done.stdout


def importlib_missing(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is None


def test_a_library_that_is_not_found_is_said_with_where_it_was_looked_for(tmp_path):
    inner = shared_library(
        tmp_path / "x" / "libinner.so.1", "int inner(void) { return 1; }", Linking(soname="libinner.so.1")
    )
    text = said(compiled(tmp_path, Linking(needed=(inner,), rpath="$ORIGIN/nowhere")))
    assert "needs libinner.so.1, which is neither in the wheel where it is looked for nor promised by the tag" in text
    assert "looked for in $ORIGIN/nowhere; it is at demo/lib/libinner.so.1" in text
    assert said(compiled(tmp_path, Linking(needed=(inner,))), elsewhere=("libinner.*",)) == ""


def test_a_version_that_is_not_defined_is_said(tmp_path):
    other = shared_library(
        tmp_path / "x" / "libinner.so.1", "int inner(void) { return 1; }",
        Linking(soname="libinner.so.1", version_script="INNER_2 { global: inner; local: *; };"),
    )  # fmt: skip
    text = said(compiled(tmp_path, Linking(needed=(other,), runpath="$ORIGIN/lib")))
    assert "needs INNER_2 of demo/lib/libinner.so.1, which does not define it" in text


@pytest.mark.parametrize(
    ("floor", "symbol", "bad"),
    [
        ("2_17", "zcalloc", True),
        ("2_41", "zcalloc", True),
        ("2_36", "crc32_combine_gen", True),
        ("2_37", "crc32_combine_gen", False),
        ("2_17", "deflateInit_", False),
    ],
)
def test_a_symbol_that_the_systems_zlib_keeps_to_itself_is_said(tmp_path, floor, symbol, bad):
    zlib = shared_library(
        tmp_path / "x" / "libz.so.1", f"int {symbol}(void) {{ return 1; }}", Linking(soname="libz.so.1")
    )
    source = f"int {symbol}(void); int call(void) {{ return {symbol}(); }}"
    user = shared_library(tmp_path / "libuser.so", source, Linking(needed=(zlib,), flags=("-nostdlib",)))
    tag = f"py3-none-manylinux_{floor}_x86_64"
    content = files({"demo/libuser.so": user.read_bytes()}, WHEEL=wheel_text(tag, pure=False))
    expected = f"demo/libuser.so: uses {symbol} of the system's libz.so.1, which does not offer it"
    assert (expected in said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))) == bad
    assert said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"), elsewhere=("libz.so",)) == ""


@pytest.mark.parametrize("search", ["/opt/lib", "$ORIGIN/../../lib", "$ORIGIN/lib:", "lib", "$ORIGIN/../x/../.."])
def test_a_search_path_that_leaves_the_wheel_is_said(tmp_path, search):
    inner = shared_library(
        tmp_path / "x" / "libinner.so.1", "int inner(void) { return 1; }", Linking(soname="libinner.so.1")
    )
    text = said(compiled(tmp_path, Linking(needed=(inner,), rpath=f"$ORIGIN/lib:{search}")))
    assert "is outside the wheel" in text


def test_a_binary_under_any_tag_or_purelib_is_said(tmp_path):
    library = shared_library(tmp_path / "libx.so", "int x;").read_bytes()
    assert "the wheel runs on any platform" in said(make(tmp_path, files({"demo/libx.so": library})))
    tag = f"py3-none-{PLATFORM}"
    content = files({"demo-1.0.data/purelib/libx.so": library}, WHEEL=wheel_text(tag, pure=False))
    assert "said to be pure Python" in said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))
    content = files({"demo/libx.so": library}, WHEEL=wheel_text(tag))
    assert "said to be pure Python" in said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))


def test_a_binary_of_another_machine_is_said(tmp_path):
    library = shared_library(tmp_path / "libx.so", "int x;").read_bytes()
    tag = "py3-none-manylinux_2_28_" + ("aarch64" if os.uname().machine == "x86_64" else "x86_64")
    content = files({"demo/libx.so": library}, WHEEL=wheel_text(tag, pure=False))
    assert f"is for {os.uname().machine}, the tags for" in said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))


@pytest.mark.parametrize("platform", ["win_amd64", "macosx_11_0_arm64"])
def test_a_wheel_with_nothing_but_binaries_of_another_system_is_said(tmp_path, platform):
    library = shared_library(tmp_path / "libx.so", "int x;").read_bytes()
    tag = f"py3-none-{platform}"
    content = files({"demo/libx.so": library}, WHEEL=wheel_text(tag, pure=False))
    text = said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))
    assert f"demo/libx.so: is a binary of another system than the tags name: {platform}" in text


def test_a_symbol_newer_than_the_tag_is_said(tmp_path):
    source = "#include <math.h>\n#include <pthread.h>\nint main(void) { return pthread_create(0, 0, 0, 0); }"
    tool = program(tmp_path / "tool", source)
    if b"GLIBC_2.34" not in tool.read_bytes():
        pytest.skip("the glibc of this machine is older than 2.34")
    tag = f"py3-none-{PLATFORM}"
    content = files({"demo/tool": tool.read_bytes()}, WHEEL=wheel_text(tag, pure=False))
    text = said(make(tmp_path, content, name=f"demo-1.0-{tag}.whl"))
    assert "GLIBC_2.34 of the system's libc.so.6, which a system with glibc 2.28 need not have" in text
    later = tag.replace("2_28", "2_34")
    content = files({"demo/tool": tool.read_bytes()}, WHEEL=wheel_text(later, pure=False))
    assert said(make(tmp_path, content, name=f"demo-1.0-{later}.whl")) == ""


def test_notes_name_what_only_pypi_minds(tmp_path):
    name = "demo-1.0+local-py3-none-linux_x86_64.whl"
    path = make(tmp_path, files(), name=name)
    with path.open("r+b") as file:
        file.truncate(check.PYPI_FILE + 1)
    text = "\n".join(check.notes(path))
    assert "100 MiB" in text
    assert "linux_x86_64" in text
    assert "1.0+local" in text
    assert check.notes(make(tmp_path, files())) == ()


# --- installed, and then imported


def test_a_sound_wheel_imports(tmp_path):
    assert check.check_import(compiled(tmp_path)) == ()


def test_an_import_that_fails_is_said(tmp_path):
    path = make(
        tmp_path, files({"good.py": b"", "bad.py": b"import no_such_module\n", "worse.py": b"import sys; sys.exit(3)"})
    )
    text = "\n".join(map(str, check.check_import(path)))
    assert "import bad: ModuleNotFoundError: No module named 'no_such_module'" in text
    assert "import worse: SystemExit: 3" in text
    assert "good" not in text


def test_a_crash_is_said_be_it_late(tmp_path):
    path = make(
        tmp_path,
        files({"now.py": b"import os; os.abort()", "late.py": b"import atexit, os; atexit.register(os.abort)"}),
    )
    text = "\n".join(map(str, check.check_import(path)))
    assert "import now: ends the interpreter" in text
    assert "import late: works, but then the interpreter crashes" in text


def test_a_library_from_elsewhere_is_said(tmp_path):
    outside = tmp_path / "outside"
    inner = shared_library(outside / "libinner.so.1", "int inner(void) { return 1; }", Linking(soname="libinner.so.1"))
    text = "\n".join(map(str, check.check_import(compiled(tmp_path, Linking(needed=(inner,), rpath=str(outside))))))
    assert f"loads {inner}, although the wheel has its own libinner.so.1" in text
    stray = shared_library(outside / "libstray.so", "int stray(void) { return 1; }", Linking(soname="libstray.so"))
    linking = Linking(needed=(inner, stray), rpath=f"$ORIGIN/lib:{outside}")
    text = "\n".join(map(str, check.check_import(compiled(tmp_path, linking))))
    assert f"loads {stray}, which is neither the wheel's nor the system's" in text


def test_a_wheel_for_a_python_that_is_not_here_is_not_called_wrong(tmp_path):
    path = make(tmp_path, files(WHEEL=wheel_text("cp27-cp27m-any")), name="demo-1.0-cp27-cp27m-any.whl")
    with pytest.raises(ConfigError) as error:
        check.check_import(path)
    assert str(error.value) == (
        "the configuration cannot be used\n"
        "- demo-1.0-cp27-cp27m-any.whl: is for cp27-cp27m, and there is no such Python here\n"
        "  give --python the path of one"
    )


def test_a_wheel_for_another_system_is_not_called_wrong(tmp_path):
    path = make(tmp_path, files(WHEEL=wheel_text("py3-none-win_arm64")), name="demo-1.0-py3-none-win_arm64.whl")
    with pytest.raises(ConfigError) as error:
        check.check_import(path)
    assert str(error.value) == (
        "the configuration cannot be used\n"
        "- demo-1.0-py3-none-win_arm64.whl: is for win_arm64, and this machine is not: it cannot be imported here\n"
        "  check it without --import"
    )


def another() -> tuple[int, Path]:
    """A CPython of this machine that is not the running one."""
    here = sys.version_info[1]
    found = {int(version[2:]): path for version, path in interpreters().items() if int(version[2:]) >= 8}
    return next(((minor, path) for minor, path in sorted(found.items()) if minor != here), None) or pytest.skip(
        "there is one Python only"
    )


def test_the_python_that_a_wheel_is_for_is_found(tmp_path, monkeypatch):
    minor, path = another()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / f"python3.{minor}").symlink_to(path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    code = f"import sys\nassert sys.version_info[1] == {minor}\n".encode()
    tags = f"cp3{minor}-cp3{minor}-linux_{os.uname().machine}"
    wheel = make(tmp_path, files({"demo/__init__.py": code}, WHEEL=wheel_text(tags)), f"demo-1.0-{tags}.whl")
    assert check.check_import(wheel) == ()
    here = sys.version_info[1]
    with pytest.raises(ConfigError, match=f"does not fit: demo-1.0-{tags}.whl is for cp3{minor}-cp3{minor}"):
        check.check_import(wheel, f"3.{here}" if shutil.which(f"python3.{here}") else sys.executable)


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        ("py3-none", True),
        ("py2.py3-none", True),
        (f"cp3{sys.version_info[1]}-none", True),
        ("cp38-abi3", True),
        ("py38-none", True),
        ("cp38-none", False),
        (f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}t", False),
        ("cp399-abi3", False),
        ("pp310-pypy310_pp73", False),
        ("py2-none", False),
    ],
)
def test_the_running_python_is_taken_where_the_tags_name_it(tmp_path, tags, fits):
    asked = sys.executable
    if fits:
        assert smoke_test.suitable(f"demo-1.0-{tags}-any.whl", None) == asked
    else:
        with pytest.raises(ConfigError) as error:
            smoke_test.suitable(f"demo-1.0-{tags}-any.whl", asked)
        assert str(error.value) == (
            "the configuration cannot be used\n"
            f"- --python: {asked} does not fit: demo-1.0-{tags}-any.whl is for {tags}\n"
            "  give another --python, or none to have one found"
        )


def test_an_interpreter_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no interpreter '9\.9'"):
        check.check_import(make(tmp_path, files()), "9.9")


def test_an_interpreter_that_does_not_work_is_said(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such version >&2\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(ConfigError, match="is no working Python: no such version"):
        check.check_import(make(tmp_path, files()), str(broken))
    broken.write_bytes(b"\0\0")
    with pytest.raises(ConfigError, match="is no working Python"):
        check.check_import(make(tmp_path, files()), str(broken))


def test_a_requirement_that_cannot_be_installed_is_said(tmp_path):
    (problem,) = check.check_import(make(tmp_path, files()), requirements=[str(tmp_path / "none-1-py3-none-any.whl")])
    assert "cannot be installed" in problem.what
    assert "none-1" in problem.where


def test_a_requirement_is_there_when_the_modules_are_imported(tmp_path):
    (tmp_path / "other").mkdir()
    other = {path.replace("demo-1.0", "other-1.0"): data for path, data in files({"other.py": b""}).items()}
    other["other-1.0.dist-info/METADATA"] = METADATA.replace(b"demo", b"other")
    path = tmp_path / "other" / "other-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for one, data in {**other, "other-1.0.dist-info/RECORD": b""}.items():
            archive.writestr(one, data)
    needs = make(tmp_path, files({"needs.py": b"import other\n"}))
    assert "No module named 'other'" in str(check.check_import(needs))
    assert check.check_import(needs, requirements=[str(path)]) == ()


def test_modules_are_found_wherever_python_would(tmp_path):
    paths = (
        "one.py", "two.cpython-311-x86_64-linux-gnu.so", "three.abi3.so", "pkg/__init__.py", "pkg/inner.py",
        "space/deep/mod.py", "space/pkg/__init__.py", "space/pkg/x.py", "fast/__init__.cpython-311-x86_64-linux-gnu.so",
        "no-name.py", "data/readme.txt", "demo-1.0.dist-info/x.py", "__main__.py", "lib/libx.so.1",
    )  # fmt: skip
    assert smoke_test.modules(paths) == ("fast", "one", "pkg", "space.deep.mod", "space.pkg", "three", "two")


def test_an_old_interpreter_is_served_by_its_own_pip(tmp_path):
    old = interpreters().get("3.7") or interpreters().get("3.6")
    if old is None:
        pytest.skip("no CPython 3.6 or 3.7 is here")
    path = make(tmp_path, files({"demo.py": b"import sys\nassert sys.version_info < (3, 8)\n"}))
    assert check.check_import(path, str(old)) == ()


@pytest.mark.parametrize("by", ["mamba-press 1", "other"])
def test_a_placeholder_of_conda_is_noted_in_every_wheel_and_wrong_in_none(tmp_path, by):
    data = b"\0--prefix=/home/conda/feedstock_root/_h_env_placehold_placehold_placehold_plac\0"
    found = check.examine(make(tmp_path, files({"demo/x.bin": data}, WHEEL=wheel_text(by=by))))
    assert found.problems == ()
    assert [note.partition(":")[0] for note in found.notes] == ["demo/x.bin"]


# --- machines that nothing is pressed for


def foreign(folder: Path, target: str, *, needs: str = "libinner.so.1") -> bytes:
    """A library for another machine that needs one which is not there."""
    flags = ("-nostdlib",)
    if "windows" in target:
        start = "int __stdcall DllMainCRTStartup(void *a, int b, void *c) { return 1; }"
        flags = ("-nostdlib", f"-Wl,--out-implib,{folder / 'inner.lib'}")
        text = "__declspec(dllexport) int two(void) { return 2; }" + start
        shared_library(folder / needs, text, Linking(flags=flags), toolchain=zig(folder, target))
        linking = Linking(flags=("-nostdlib", str(folder / "inner.lib")))
        text = "int two(void); __declspec(dllexport) int value(void) { return two(); }" + start
        return shared_library(folder / "outer.dll", text, linking, toolchain=zig(folder, target)).read_bytes()
    linking = Linking(soname=needs, flags=flags)
    inner = shared_library(folder / needs, "int two(void) { return 2; }", linking, toolchain=zig(folder, target))
    linking = Linking(needed=(inner,), flags=flags)
    text = "int two(void); int value(void) { return two(); }"
    return shared_library(folder / "libouter.so", text, linking, toolchain=zig(folder, target)).read_bytes()


def of_platform(folder: Path, path: str, data: bytes, platform: str) -> Path:
    content = files({path: data}, WHEEL=wheel_text(f"py3-none-{platform}", pure=False))
    return make(folder, content, f"demo-1.0-py3-none-{platform}.whl")


@pytest.mark.parametrize(
    ("target", "platform"),
    [
        ("x86-linux-gnu", "manylinux_2_17_i686"),
        ("arm-linux-gnueabihf", "manylinux_2_31_armv7l"),
        ("arm-linux-gnueabihf", "linux_armv6l"),
        ("s390x-linux-gnu", "manylinux2014_s390x"),
        ("riscv64-linux-gnu", "manylinux_2_31_riscv64"),
    ],
)
def test_a_missing_library_is_found_on_machines_that_nothing_is_pressed_for(tmp_path, target, platform):
    path = of_platform(tmp_path, "demo/libouter.so", foreign(tmp_path, target), platform)
    assert said(path) == (
        "demo/libouter.so: needs libinner.so.1, which is neither in the wheel where it is looked for nor promised by "
        "the tag\n  the file has no search path"
    )


def test_a_missing_library_is_found_on_32_bit_windows(tmp_path):
    data = foreign(tmp_path, "x86-windows-gnu", needs="inner.dll")
    assert said(of_platform(tmp_path, "demo/outer.dll", data, "win32")) == (
        "demo/outer.dll: needs inner.dll, which is neither in the wheel where Windows looks nor a part of Windows or "
        "Python\n  looked for in demo"
    )


def test_a_file_of_32_bits_for_a_machine_of_64_is_no_problem_and_noted(tmp_path):
    path = of_platform(tmp_path, "demo/libouter.so", foreign(tmp_path, "x86-linux-gnu"), "manylinux_2_17_x86_64")
    assert said(path) == ""
    note = "demo/libouter.so: is for i686, the tags for x86_64; what it needs was not checked"
    assert note in check.examine(path).notes


def test_a_file_for_another_machine_than_the_tags_is_a_problem(tmp_path):
    path = of_platform(tmp_path, "demo/libouter.so", foreign(tmp_path, "s390x-linux-gnu"), "manylinux_2_17_i686")
    assert said(path).splitlines()[0] == "demo/libouter.so: is for s390x, the tags for i686"


def test_a_system_that_is_not_known_is_said_not_to_have_been_looked_at(tmp_path):
    path = of_platform(tmp_path, "demo/libouter.so", foreign(tmp_path, "x86-linux-gnu"), "musllinux_1_2_i686")
    assert check.examine(path).unjudged == (
        "what its binaries need was not checked: what a system of the tag musllinux_1_2_i686 has is not known",
    )


def test_a_machine_that_is_not_known_is_said_not_to_have_been_looked_at(tmp_path):
    data = foreign(tmp_path, "mips64el-linux-gnuabi64")
    path = of_platform(tmp_path, "demo/libouter.so", data, "linux_mips64")
    assert check.examine(path).unjudged == (
        "what demo/libouter.so needs was not checked: it is for an unknown machine",
    )


def test_slices_that_are_not_read_and_names_that_differ_are_said_of_a_universal_file(tmp_path):
    old = (0xFEEDFACE).to_bytes(4, "little") + (7).to_bytes(4, "little") + bytes(56)
    one, two = dylib(Dylib(arch="x86_64", name="@rpath/one.dylib")), dylib(Dylib(name="@rpath/two.dylib"))
    found = check.examine(of_platform(tmp_path, "demo/x.so", universal(old, one, two), "macosx_11_0_universal2"))
    assert found.unjudged == ("what demo/x.so needs in its slice for i386 was not checked",)
    assert "demo/x.so has another install name in each slice: @rpath/one.dylib, @rpath/two.dylib" in found.notes


# --- tags that are not true


NO_INSTALLER = (
    "is a tag that no installer takes: "
    "manylinux is for aarch64, armv7l, i686, loongarch64, ppc64, ppc64le, riscv64, s390x, x86_64"
)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("manylinux_2_5_aarch64", "is a tag that no system has: manylinux begins with glibc 2.17 on aarch64"),
        ("manylinux1_ppc64le", "is a tag that no system has: manylinux begins with glibc 2.17 on ppc64le"),
        ("manylinux_2_17_riscv64", "is a tag that no system has: manylinux begins with glibc 2.27 on riscv64"),
        ("manylinux_2_4_x86_64", "is a tag that no system has: manylinux begins with glibc 2.5 on x86_64"),
        ("manylinux_2_17_mips64", NO_INSTALLER),
        ("manylinux_2_17_armv5l", NO_INSTALLER),
    ],
)
def test_a_manylinux_tag_of_no_system_is_said(tmp_path, platform, expected):
    path = make(tmp_path, files(WHEEL=wheel_text(f"py3-none-{platform}")), f"demo-1.0-py3-none-{platform}.whl")
    assert f"{platform}: {expected}" in said(path).splitlines()


@pytest.mark.parametrize(
    "platform", ["manylinux_2_28_riscv64", "manylinux_2_17_armv8l", "linux_mips64", "manylinux1_i686"]
)
def test_a_tag_that_some_system_has_is_none_that_no_system_has(tmp_path, platform):
    path = make(tmp_path, files(WHEEL=wheel_text(f"py3-none-{platform}")), f"demo-1.0-py3-none-{platform}.whl")
    assert "is a tag" not in said(path)


def elf(*needed: str) -> bytes:
    """A library for x86_64 that needs others, as small as one can be."""
    names = b"\0".join([b"", *(name.encode() for name in needed), b""])
    places = [names.index(b"\0" + name.encode() + b"\0") + 1 for name in needed]
    return support.elf({"strings": names}, [(support.NEEDED, place) for place in places])


@pytest.mark.parametrize(
    ("platform", "name", "needed", "expected"),
    [
        ("manylinux_2_28_x86_64", "x.so", "libc.musl-x86_64.so.1", "demo/x.so: is for musl, the tags for glibc"),
        ("manylinux_2_28_x86_64", "x.so", "libc.so", "demo/x.so: is for musl, the tags for glibc"),
        ("musllinux_1_2_x86_64", "x.so", "libc.so.6", "demo/x.so: is for glibc, the tags for musl"),
        ("manylinux_2_28_x86_64", "x.cpython-312-x86_64-linux-musl.so", "", "is for musl, the tags for glibc"),
        ("musllinux_1_2_x86_64", "x.cpython-312-x86_64-linux-gnu.so", "", "is for glibc, the tags for musl"),
        ("musllinux_1_2_x86_64", "x.cpython-310-x86_64-linux-gnu.so", "", None),
        ("musllinux_1_2_x86_64", "x.so", "libc.musl-x86_64.so.1", None),
        ("linux_x86_64", "x.so", "libc.musl-x86_64.so.1", None),
        ("manylinux_2_28_x86_64.musllinux_1_2_x86_64", "x.so", "libc.so", None),
    ],
)
def test_a_binary_for_the_other_c_library_is_said(tmp_path, platform, name, needed, expected):
    tags = "\nTag: ".join(f"py3-none-{one}" for one in platform.split("."))
    content = files({f"demo/{name}": elf(*filter(None, [needed]))}, WHEEL=wheel_text(tags, pure=False))
    text = said(make(tmp_path, content, f"demo-1.0-py3-none-{platform}.whl"))
    assert expected in text if expected else "the tags for" not in text


@pytest.mark.parametrize(
    ("names", "tags", "expected"),
    [
        (["x.cpython-311-darwin.so"], "cp310-cp310", "is for CPython 3.11, and the tags name 3.10 too"),
        (["x.cp311-win_amd64.pyd"], "cp310.cp311-cp310.cp311", None),
        (["x.cpython-310-darwin.so", "x.cpython-311-darwin.so"], "cp310-cp310", None),
        (["x.cpython-311-darwin.so", "x.abi3.so"], "cp310-cp310", None),
        (["x.cpython-311-darwin.so"], "py3-none", None),
        (["x.cpython-313t-darwin.so"], "cp313-cp313t", None),
    ],
)
def test_a_module_for_another_python_than_the_tags_name_is_said(tmp_path, names, tags, expected):
    content = files({f"demo/{name}": b"" for name in names})
    text = said(make(tmp_path, content, f"demo-1.0-{tags}-any.whl"))
    assert expected in text if expected else "is for CPython" not in text


@pytest.mark.parametrize(
    ("tags", "name"), [("pp310-pypy310_pp73", "libpypy3.10-c.so"), ("graalpy311-x", "python-native.so")]
)
def test_pypy_and_graalpy_have_their_own_library(tmp_path, tags, name):
    platform = "linux_x86_64"
    content = files({"demo/x.so": elf(name)}, WHEEL=wheel_text(f"{tags}-{platform}", pure=False))
    assert f"needs {name}" not in said(make(tmp_path, content, f"demo-1.0-{tags}-{platform}.whl"))
    content = files({"demo/x.so": elf(name)}, WHEEL=wheel_text(f"cp310-cp310-{platform}", pure=False))
    assert f"needs {name}" in said(make(tmp_path, content, f"demo-1.0-cp310-cp310-{platform}.whl"))


def test_a_missing_build_is_a_note_on_wheels_of_others(tmp_path):
    path = make(tmp_path, files(WHEEL=FOREIGN), "demo-1.0-3-py3-none-any.whl")
    found = check.examine(path)
    assert (found.problems, found.notes) == ((), (f"{INFO}/WHEEL: has no Build; the file name has 3",))


# --- fields that are as hostile as they can be


UNREADABLE = {
    "a number of 10,000 digits": b"Requires-Python: >=" + b"9" * 10_000,
    "501 fields": b"".join(b"F%d: x\n" % number for number in range(501)),
    "a field of a megabyte": b"Requires-Dist: a" + b"b" * (1 << 20),
    "no UTF-8": b"Summary: \xff\xfe",
    "a requirement of 5,000 brackets": b"Requires-Dist: a; " + b"(" * 5000,
    "a licence of 5,000 brackets": b"License-Expression: " + b"(" * 5000,
}


def test_metadata_that_cannot_be_read_is_said(tmp_path, golden):
    each = {}
    for case, fields in UNREADABLE.items():
        path = make(tmp_path, files(METADATA=METADATA.replace(b"\n\n", b"\n" + fields + b"\n\n")))
        each[case] = said(path)
        (found,) = check.together([path])
        assert found.problems
    golden("check-metadata.txt", "\n".join(f"{case}:\n{text}\n" for case, text in each.items()))


def test_a_text_larger_than_any_wheel_has_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setitem(wheel_read.TEXTS, "METADATA", 50)
    assert said(make(tmp_path, files())) == f"{INFO}/METADATA: has {len(METADATA)} bytes, and is not read beyond 50"


def test_what_grows_beyond_all_measure_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel_read, "MOST", 1 << 20)
    path = make(tmp_path, files({"zeros": bytes(2 << 20)}))
    assert said(path) == (
        "unpacks to 2,097,661 bytes, more than 50 times its size; its files are not looked at\n"
        '  write it uncompressed: tool.mamba-press.wheel.compression = "store"'
    )
    (problem,) = check.check_import(path)
    assert str(problem) == f"{path.name}: cannot be read as a wheel: it unpacks to more than 50 times its size"


def test_a_wheel_with_controls_in_record_and_metadata_is_told_in_plain_text(tmp_path):
    content = files(METADATA=METADATA.replace(b"LICENSE", b"\x1b[31mL\x07"))
    listed = record(content) + b'\x1b]0;title\x07,,\n"a\nb",,\n'
    text = said(make(tmp_path, content, listed=listed))
    assert text.replace("\n", "").isprintable()
    assert "\\x1b]0;title\\x07: is in RECORD but not in the archive" in text
    assert "a\\nb: is in RECORD but not in the archive" in text


def test_the_command_does_not_say_nothing_wrong_of_what_nobody_looked_at(tmp_path, capsys):
    name = "demo-1.0-py3-none-musllinux_1_2_x86_64.whl"
    path = make(tmp_path, files(WHEEL=wheel_text("py3-none-musllinux_1_2_x86_64", pure=False)), name)
    assert command.main(["check", str(path)]) == 0
    assert capsys.readouterr().out == (
        f"{path}: nothing wrong in what was checked\n"
        "  note: what its binaries need was not checked: what a system of the tag musllinux_1_2_x86_64 has is not "
        "known\n"
    )


@pytest.mark.parametrize("platform", ["macosx_11_0_arm64", "macosx_10_13_x86_64", "win_amd64"])
def test_a_sound_wheel_for_another_system_than_linux_has_no_problem(tmp_path, platform):
    content = files(WHEEL=wheel_text(f"py3-none-{platform}"))
    assert check.check(make(tmp_path, content, f"demo-1.0-py3-none-{platform}.whl")) == ()
