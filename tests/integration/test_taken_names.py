"""Names that another file has: commands refuse them unless they are forced, build hooks replace what is there."""

from __future__ import annotations

import pytest

from tests.integration.test_warnings import left, pure
from tests.support import press
from tests.support.channel import python_package, write_channel

NAME = "words-1.0-py3-none-any.whl"
REFUSED = """\
- {}: would be another file under the same name, which indexes refuse and caches do not notice
  choose another folder with -o, give it another version or build number, or --force it
"""


@pytest.fixture
def channel(tmp_path):
    return write_channel(tmp_path / "channel", [pure("words"), python_package("3.12", subdir="linux-64")]).root


def arguments(command, channel, *more):
    target = ("--python", "3.12", "--platform", "linux-64")
    return (command, "words", "-c", f"./{channel.name}", *target, "-q", *more)


def test_the_same_bytes_may_be_written_again(tmp_path, channel):
    for command in ("press", "wheelhouse"):
        before = press.command(*arguments(command, channel, "-o", command), cwd=tmp_path).ok()
        assert press.command(*arguments(command, channel, "-o", command), cwd=tmp_path).ok().out == before.out


def test_press_replaces_another_wheel_only_when_forced(tmp_path, channel):
    (tmp_path / "dist").mkdir()
    wheel = tmp_path / "dist" / NAME
    wheel.write_bytes(b"another")
    done = press.command(*arguments("press", channel), cwd=tmp_path)
    assert (done.code, wheel.read_bytes(), left(wheel.parent)) == (6, b"another", [NAME])
    assert done.err == "mamba-press: the wheel cannot be written\n" + REFUSED.format(f"dist/{NAME}")
    press.command(*arguments("press", channel, "--force"), cwd=tmp_path).ok()
    assert wheel.read_bytes() != b"another"


@pytest.mark.parametrize("option", [(), ("-W", "error")])
def test_a_matrix_writes_the_wheels_whose_names_are_free(tmp_path, channel, option):
    pythons = [python_package(version, subdir="linux-64") for version in ("3.11", "3.12")]
    old = pure("words", "python <3.12", version="0.9")
    write_channel(channel, [old, pure("words", "python >=3.12"), *pythons])
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / NAME).write_bytes(b"another")
    more = ("--python", "3.11,3.12", "--platform", "linux-64", "-q")
    call = ("press", "words", "-c", "./channel", *more, *option)
    done = press.command(*call, cwd=tmp_path)
    assert (done.code, left(tmp_path / "dist")) == (6, ["words-0.9-py3-none-any.whl", NAME])
    assert (tmp_path / "dist" / NAME).read_bytes() == b"another"
    assert done.err == "mamba-press: the wheel cannot be written\n" + REFUSED.format(f"dist/{NAME}").replace(
        "\n  choose", "\n  (for 3.12 linux-64)\n  choose"
    )
    assert press.command(*call, "--force", cwd=tmp_path).ok().code == 0


def test_a_wheelhouse_replaces_another_wheel_or_archive_only_when_forced(tmp_path, channel):
    words = arguments("wheelhouse", channel, "-o", "wheels", "--archive", "house.zip")
    press.command(*words, cwd=tmp_path).ok()
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    for path in (wheel, tmp_path / "house.zip"):
        made = path.read_bytes()
        path.write_bytes(b"another")
        done = press.command(*words, cwd=tmp_path)
        assert (done.code, path.read_bytes()) == (6, b"another")
        assert done.err == "mamba-press: the wheel cannot be written\n" + REFUSED.format(path.relative_to(tmp_path))
        press.command(*words, "--force", cwd=tmp_path).ok()
        assert path.read_bytes() == made


def test_a_build_hook_replaces_another_wheel(tmp_path, channel):
    table = 'channels = ["../channel"]\npackages = ["words"]\npython = "3.12"\nplatform = "linux-64"\n'
    press.project(tmp_path / "project", table, name="words")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / NAME).write_bytes(b"another")
    press.hook("build_wheel", tmp_path / "made", {}, cwd=tmp_path / "project").ok()
    assert (tmp_path / "made" / NAME).read_bytes() != b"another"
