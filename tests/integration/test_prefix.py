"""What becomes of the conda prefix: strings keep their length, texts find it anew, nothing of a build stays."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import PLACEHOLDER, CondaPackage, Content, python_abi, python_package, write_channel
from tests.support.compile import Linking, shared_library
from tests.support.environment import environment

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

SOURCE = f"""
static const char whole[] = "{PLACEHOLDER}/share/thing";
const char *all(void) {{ return "{PLACEHOLDER}/share/thing/data"; }}
const char *tail(void) {{ return "/share/thing/data"; }}
int length(void) {{ return sizeof(whole) - 1; }}
const char *copy(void) {{ return whole; }}
"""


@pytest.fixture
def pressed(tmp_path):
    """Press a library with paths of the prefix in all kinds of files; returns what was said and the wheel."""
    library = shared_library(tmp_path / "libthing.so.1", SOURCE, Linking(soname="libthing.so.1", flags=("-Os",)))
    thing = CondaPackage(
        name="thing",
        files={
            "lib/libthing.so.1": library,
            "lib/pkgconfig/thing.pc": f"prefix={PLACEHOLDER}\nlibdir=${{prefix}}/lib\n",
            "bin/thing": Content(f"#!{PLACEHOLDER}/bin/bash\ncat {PLACEHOLDER}/share/thing/data\n", executable=True),
            "share/thing/data": "here\n",
            "etc/thing.conf": f"plugins = {PLACEHOLDER}/lib/thing/plugins\n",
            "share/thing/built": "at /home/conda/feedstock_root/build_artifacts/thing\n",
        },
    )

    def run(*settings: str, code: int = 0, **environ: str) -> tuple[str, Path]:
        channel = write_channel(tmp_path / "channel", [thing, python_package(press.HERE), python_abi(press.HERE)])
        more = [part for setting in settings for part in ("-C", setting)]
        done = press.command("press", "thing", "-c", channel.root, *more, cwd=tmp_path, environ=environ)
        assert done.code == code, done.err
        return done.err, tmp_path / done.out.strip()

    return run


def test_strings_keep_their_length_and_what_shares_their_end_its_place(pressed, tmp_path):
    _, wheel = pressed()
    place = environment(tmp_path / "environment")
    place.install(wheel)
    code = (
        "import ctypes, json; from _thing_prefix._mamba_press import library\n"
        "lib = ctypes.CDLL(library('thing'))\n"
        "for name in ('all', 'tail', 'copy'): getattr(lib, name).restype = ctypes.c_char_p\n"
        "print(json.dumps([lib.all().decode(), lib.tail().decode(), lib.copy().decode(), lib.length()]))"
    )
    whole, tail, copied, length = json.loads(place.run(code))
    assert tail == "/share/thing/data"
    assert os.path.normpath(whole) == "/proc/mamba-press/share/thing/data"
    assert len(copied) == length == len(f"{PLACEHOLDER}/share/thing")
    # The linker has in fact let one string share the end of the other.
    original = ctypes.CDLL(str(tmp_path / "libthing.so.1"))
    addresses = []
    for name in ("all", "tail"):
        getattr(original, name).restype = ctypes.c_void_p
        addresses.append(getattr(original, name)())
    assert addresses[1] - addresses[0] == len(PLACEHOLDER)


def test_texts_find_the_prefix_where_the_wheel_lies(pressed, tmp_path):
    said, wheel = pressed("wheel.executables=bin/thing", "select.include=lib/pkgconfig/**")
    place = environment(tmp_path / "environment")
    place.install(wheel)
    done = subprocess.run([place.root / "bin/thing"], capture_output=True, text=True, check=True)
    assert done.stdout == "here\n"
    (pc,) = place.root.rglob("thing.pc")
    assert pc.read_text().startswith("prefix=${pcfiledir}/../..\n")
    assert "thing: a path that it looks for is not found (thing.conf and 1 more file: /lib/thing/plugins)" in said


def test_an_error_names_what_is_looked_for_until_it_is_accepted(pressed):
    said, _ = pressed("placeholders=error", code=5)
    assert "thing: etc/thing.conf" in said
    assert "thing: lib/libthing.so.1" in said
    said, _ = pressed(
        "placeholders=error", "placeholders.accept=share/thing/**", "placeholders.accept=etc/*.conf", code=5
    )
    assert "etc/thing.conf" not in said
    assert "lib/libthing.so.1" in said
    said, _ = pressed("placeholders=error", "placeholders.accept=lib/libthing*", "placeholders.accept=lib/thing/**")
    assert "is not found" not in said


def test_paths_of_the_machine_that_built_a_package_are_told(pressed):
    said, _ = pressed()
    assert "paths of the machines that built the packages stand in files, and mean nothing: thing" in said


def test_list_tells_what_became_of_each_place(pressed, tmp_path):
    pressed()
    done = press.command("list", "thing", "-c", tmp_path / "channel", "--json", cwd=tmp_path).ok()
    report = json.loads(done.out)
    found = {(each["file"], each["kind"], each["package"]) for each in report["placeholders"]}
    assert found == {
        ("lib/libthing.so.1", "functional", "thing"),
        ("bin/thing", "relocated", "thing"),
        ("etc/thing.conf", "functional", "thing"),
    }
    edits = {each["file"]: each["edits"] for each in report["entries"]}
    assert edits["bin/thing"] == {"text": "rewritten"}


def test_no_byte_of_the_temporary_folder_is_in_the_wheel(pressed, tmp_path):
    folder = tmp_path / "qzjxvw-temporary"
    folder.mkdir()
    _, wheel = pressed("wheel.executables=bin/thing", TMPDIR=str(folder), RATTLER_CACHE_DIR=str(folder / "cache"))
    assert list(folder.iterdir()) == [folder / "cache"]
    assert b"qzjxvw" not in wheel.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        holding = [name for name in archive.namelist() if b"qzjxvw" in archive.read(name) or "qzjxvw" in name]
    assert holding == []
