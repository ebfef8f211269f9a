"""Preparing the metadata of a wheel and building it is one press: what the first hook found out, the second takes."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mamba_press.pipeline import handover
from tests.support import press
from tests.support.channel import PLACEHOLDER, Content, write_channel

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

UNASKED = {"MAMBA_PRESS_WORKER": "/nowhere/python"}
"""A build that asks for packages ends: the interpreter that would get them is not there."""

FETCHED = "mamba-press: fetching 2 packages\n"


@dataclass(frozen=True, slots=True)
class Place:
    """A project with own code, a channel, a cache and a folder for temporary files."""

    root: Path
    channel: Path
    environ: dict[str, str]

    def prepare(self, settings: dict[str, str] | None = None) -> Path:
        """Prepare the metadata, as a front end does."""
        folder = self.root.parent / "prepared"
        hook = "prepare_metadata_for_build_wheel"
        return folder / str(press.returned(press.hook(hook, folder, settings, cwd=self.root, environ=self.environ)))

    def build(self, name: str, prepared: Path | None = None, **more: str) -> press.Done:
        """Build the wheel into a folder."""
        environ = {**self.environ, **more}
        return press.hook("build_wheel", self.root.parent / name, None, prepared, cwd=self.root, environ=environ)

    def wheel(self, name: str) -> bytes:
        """The bytes of the wheel in a folder."""
        [path] = (self.root.parent / name).glob("*.whl")
        return path.read_bytes()


@pytest.fixture
def place(tmp_path) -> Place:
    greet, pygreet, *others = press.greeting_packages(tmp_path)
    texts = {
        "share/greet/place.conf": f"here = {PLACEHOLDER}/share/greet\n",
        "lib/greet/place.bin": Content(b"\0\1" + PLACEHOLDER.encode() + b"/lib/greet\0tail\0", mode="binary"),
        "share/greet/plain.txt": "hello\n",
    }
    packages = [replace(greet, files={**greet.files, **texts}), pygreet, *others]
    write_channel(tmp_path / "channel", packages)
    root = press.project(
        tmp_path / "project",
        f'channels = ["{tmp_path / "channel"}"]\npackages = ["pygreet", "greet"]\npython = "{press.HERE}"\n'
        '[tool.mamba-press.sources]\nmodules = ["greeting"]\nversion-file = "greeting/_version.py"\n',
    )
    root.joinpath("greeting").mkdir()
    root.joinpath("greeting", "__init__.py").write_text("HELLO = 1\n")
    root.joinpath("greeting", "notes.txt").write_text("own\n")
    for name in ("cache", "temporary"):
        tmp_path.joinpath(name).mkdir()
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "temporary")}
    return Place(root=root, channel=tmp_path / "channel", environ=environ)


def test_a_wheel_of_prepared_metadata_has_the_same_bytes_and_nothing_is_asked_again(place):
    place.build("straight").ok()
    prepared = place.prepare()
    place.build("after", prepared, **UNASKED).ok()
    assert place.wheel("after") == place.wheel("straight")
    with zipfile.ZipFile(next((place.root.parent / "after").glob("*.whl"))) as archive:
        assert not [name for name in archive.namelist() if "mamba-press." in name and "sboms" not in name]
    assert not list((place.root.parent / "temporary").iterdir())


def test_what_was_handed_over_is_told_at_the_build(place):
    """What a press says of its wheel is said where the wheel is built, and not where its metadata is prepared."""
    straight = place.build("straight").ok().err
    assert "project.license is missing" in straight
    assert place.build("after", place.prepare(), **UNASKED).ok().err == straight.replace(FETCHED, "")


def test_a_wheel_that_is_too_large_is_explained_as_ever(place):
    text = place.root.joinpath("pyproject.toml").read_text()
    place.root.joinpath("pyproject.toml").write_text(f'{text}[tool.mamba-press.wheel]\nmax-size = "1 kB"\n')
    straight = place.build("straight")
    assert straight.code == 1
    assert "wheel.max-size" in straight.err
    assert place.build("after", place.prepare(), **UNASKED).err == straight.err.replace(FETCHED, "")


CHANGES: dict[str, Callable[[Place, Path], object]] = {
    "a source": lambda place, _: place.root.joinpath("greeting", "__init__.py").write_text("HELLO = 22\n"),
    "a new source": lambda place, _: place.root.joinpath("greeting", "more.py").write_text("MORE = 1\n"),
    "a source that is gone": lambda place, _: place.root.joinpath("greeting", "notes.txt").unlink(),
    "the configuration": lambda place, _: place.root.joinpath("pyproject.toml").write_text(
        place.root.joinpath("pyproject.toml").read_text() + '[tool.mamba-press.select]\nexclude = ["share/greet/pl*"]\n'
    ),
    "the lock": lambda place, _: press.command("lock", cwd=place.root, environ=place.environ).ok(),
    "the cache": lambda place, _: os.utime(cached(place, "share/greet/plain.txt")),
    "a file of the cache with a placeholder": lambda place, _: os.utime(cached(place, "lib/greet/place.bin")),
    "what was handed over": lambda _, prepared: changed(prepared / handover.PRESSED, b"plain.txt", b"plane.txt"),
    "its seal": lambda _, prepared: prepared.joinpath(handover.SEAL).write_bytes(b"0" * 64),
    "the solve beside it": lambda _, prepared: changed(prepared / handover.HANDED, b"pygreet", b"pygreat"),
    "the key": lambda place, _: place.root.parent.joinpath("cache", "mamba-press", "handover.key").unlink(),
    "a key that was cut": lambda place, _: place.root.parent.joinpath(
        "cache", "mamba-press", "handover.key"
    ).write_bytes(b""),
    "all of it": lambda _, prepared: prepared.joinpath(handover.PRESSED).write_bytes(b"\xff\n{"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_press_starts_anew_where_something_has_changed(what, place):
    prepared = place.prepare()
    CHANGES[what](place, prepared)
    assert "/nowhere/python" in place.build("unasked", prepared, **UNASKED).err
    place.build("after", prepared).ok()
    place.build("straight").ok()
    assert place.wheel("after") == place.wheel("straight")


@pytest.mark.parametrize(
    "settings",
    [{"state": "editable"}, {"SOURCE_DATE_EPOCH": "1500000000"}],
    ids=["an editable wheel", "another date"],
)
def test_a_press_starts_anew_where_something_else_is_asked_for(settings, place):
    prepared = place.prepare()
    hook = "build_editable" if "state" in settings else "build_wheel"
    environ = {**place.environ, **{key: value for key, value in settings.items() if key.isupper()}, **UNASKED}
    done = press.hook(hook, place.root.parent / "out", None, prepared, cwd=place.root, environ=environ)
    assert "/nowhere/python" in done.err


@pytest.mark.parametrize("asked", ["hook", "provider"])
def test_where_code_of_the_project_decides_only_the_solve_is_handed_over(asked, place):
    text = place.root.joinpath("pyproject.toml").read_text()
    if asked == "hook":
        place.root.joinpath("entries.py").write_text("def change(entries):\n    return entries\n")
        text = text.replace("packages =", 'hook = "entries.py:change"\npackages =')
    else:
        pytest.importorskip("dynamic_metadata.loader", reason="dynamic-metadata is not here")
        place.root.joinpath("given.py").write_text(
            "def dynamic_metadata(settings, project):\n    return {'description': 'given'}\n"
        )
        text = text.replace('["version"]', '["version", "description"]')
        text += '[[tool.dynamic-metadata]]\nprovider = { path = ".", module = "given" }\n'
    place.root.joinpath("pyproject.toml").write_text(text)
    prepared = place.prepare()
    assert not prepared.joinpath(handover.PRESSED).exists()
    assert json.loads(prepared.joinpath(handover.HANDED).read_text())["solution"]
    assert "/nowhere/python" in place.build("unasked", prepared, **UNASKED).err


def test_a_changed_file_of_the_cache_is_told_as_ever(place):
    """Its bytes are others, and neither its size nor its date says so."""
    prepared = place.prepare()
    path = cached(place, "share/greet/plain.txt")
    status = path.stat()
    path.write_text("hullo\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = place.build("after", prepared)
    assert done.code == 1
    assert "the package states" in done.err


def test_a_changed_file_with_a_placeholder_is_told_as_ever(place):
    prepared = place.prepare()
    path = cached(place, "lib/greet/place.bin")
    status = path.stat()
    path.write_bytes(path.read_bytes().replace(b"tail", b"tale"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = place.build("after", prepared)
    assert done.code == 1
    assert "the package states" in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_key_is_the_user_s_alone(place):
    place.prepare()
    key = place.root.parent / "cache" / "mamba-press" / "handover.key"
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    place.prepare()
    assert key.read_bytes() == before


def cached(place: Place, path: str) -> Path:
    """A file of greet as the package cache has it."""
    return place.root.parent / "cache" / "pkgs" / "greet-1.2-h0_0" / path


def changed(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
