"""Presses with a second reader: what it reads differently ends the press, and what it cannot read does not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.channel import CondaPackage, python_abi, python_package
from tests.support.macho import BUNDLE, LOAD, Dylib, dylib
from tests.support.press import REPOSITORY, Done, command

pytest.importorskip("lief", reason="LIEF is not installed")

SYSTEM = ("/usr/lib/libSystem.B.dylib", LOAD)
SITE = "lib/python3.10/site-packages"
OTHER_ANSWER = """\
__version__ = "9.0.0-test"
class logging:
    disable = staticmethod(lambda: None)
class Binary:
    fat_offset, commands = 0, []
class MachO:
    class ParserConfig:
        quick = None
    parse = staticmethod(lambda path, config: [Binary])
"""
ABORTS = OTHER_ANSWER.replace("lambda path, config: [Binary]", "lambda path, config: __import__('os').abort()")


@pytest.fixture
def press(make_channel, tmp_path: Path) -> Callable[..., Done]:
    """Press an extension module for an ARM Mac, with another LIEF if one is given."""
    module = dylib(
        Dylib(
            kind=BUNDLE,
            name=None,
            needed=(SYSTEM, ("@rpath/libinner.1.dylib", LOAD)),
            search=("@loader_path/../../../",),
        )
    )
    inner = dylib(Dylib(name="@rpath/libinner.1.dylib", needed=(SYSTEM,)))
    user = CondaPackage(
        name="user",
        version="1.0",
        build="py310_0",
        subdir="osx-arm64",
        depends=("python 3.10.*", "python_abi 3.10.* *_cp310"),
        files={
            f"{SITE}/user/__init__.py": "",
            f"{SITE}/user/_user.cpython-310-darwin.so": module,
            "lib/libinner.1.dylib": inner,
        },
    )
    content = [user, python_package("3.10", subdir="osx-arm64"), python_abi("3.10")]
    channel = make_channel(content)

    def run(lief: str = "", **environ: str) -> Done:
        folder = tmp_path / "lief"
        folder.mkdir(exist_ok=True)
        if lief:
            folder.joinpath("lief.py").write_text(lief)
        path = f"{REPOSITORY / 'src'}:{folder}"
        options = ["--platform", "osx-arm64", "--python", "3.10", "-c", str(channel.root), "-o", "dist", "--json", "-v"]
        return command("press", "user", *options, cwd=tmp_path, environ={"PYTHONPATH": path, **environ})

    return run


def test_what_was_edited_for_another_machine_is_read_alike(press, tmp_path):
    done = press().ok()
    assert Path(tmp_path, json.loads(done.out)["wheel"]).is_file()
    assert "mamba-press: 3 files were read a second time, and alike" in done.err


def test_what_is_read_differently_keeps_the_wheel_from_being_written(press, tmp_path, golden):
    done = press(OTHER_ANSWER)
    assert (done.code, list(tmp_path.glob("dist/*"))) == (6, [])
    told = done.err[done.err.index("mamba-press: the wheel cannot be written") :]
    golden("second-reader.txt", re.sub(r"-[0-9a-f]{8}\.", "-HASH.", told))


def test_a_reader_that_aborts_at_every_file_is_a_note(press, tmp_path):
    done = press(ABORTS).ok()
    note = r"2 of 3 files were not read a second time, LIEF: the process was ended by SIGABRT: user/"
    assert re.search(note, done.err)


def test_nothing_is_read_again_where_that_is_not_wanted(press, tmp_path):
    assert "a second time" not in press(OTHER_ANSWER, MAMBA_PRESS_SECOND_READER="off").ok().err


def test_the_same_bytes_are_written_with_and_without_a_second_reader(press, tmp_path):
    path = Path(tmp_path, json.loads(press().ok().out)["wheel"])
    data = path.read_bytes()
    assert Path(tmp_path, json.loads(press(MAMBA_PRESS_SECOND_READER="off").ok().out)["wheel"]).read_bytes() == data
