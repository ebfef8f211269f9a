"""What goes into a wheel is what its packages state: a changed file of the cache is refused, however it is packed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import PLACEHOLDER, CondaPackage, Content, python_abi, python_package, write_channel
from tests.support.compile import Linking, shared_library

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

SITE = f"lib/python{press.HERE}/site-packages"
PYTHON = (python_package(press.HERE), python_abi(press.HERE))
FILES = {
    "text": f"{SITE}/words/plain.txt",
    "text with a placeholder": f"{SITE}/words/where.txt",
    "bytes with a placeholder": f"{SITE}/words/where.bin",
    "script": "bin/words",
    "library": "lib/libwords.so.1",
    "metadata": f"{SITE}/words-1.0.dist-info/METADATA",
}


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vouched")
    library = shared_library(
        folder / "libwords.so.1", "int words(void) { return 42; }", Linking(soname="libwords.so.1")
    )
    files = {
        FILES["text"]: "hello\n",
        FILES["text with a placeholder"]: f"from {PLACEHOLDER}\n",
        FILES["bytes with a placeholder"]: Content(b"\0" + PLACEHOLDER.encode() + b"\0"),
        FILES["script"]: Content("#!/bin/sh\necho\n", executable=True),
        FILES["library"]: library,
        FILES["metadata"]: "Metadata-Version: 2.1\nName: words\nVersion: 1.0\n",
        f"{SITE}/words/__init__.py": "",
    }
    return write_channel(folder / "channel", [*PYTHON, CondaPackage(name="words", files=files)])


def pressed(channel, cache: Path, out: Path) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "mamba_press", "press", "words", "-c", channel.url, "-o", str(out)]
    environ = {**os.environ, "RATTLER_CACHE_DIR": str(cache)}
    return subprocess.run(
        [*arguments, "--python", press.HERE], env=environ, capture_output=True, text=True, check=False
    )


def noarch(folder: Path):
    files = {
        "site-packages/words/__init__.py": f"HERE = '{PLACEHOLDER}'\n",
        "site-packages/words-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: words\nVersion: 1.0\n",
    }
    words = CondaPackage(name="words", files=files, noarch="python")
    return write_channel(folder / "channel", [*PYTHON, words])


@pytest.mark.parametrize("path", ["words/__init__.py", "words-1.0.dist-info/METADATA"])
def test_what_an_untouched_copy_elsewhere_in_the_package_says_does_not_count(path, tmp_path):
    channel = noarch(tmp_path)
    found = pressed(channel, tmp_path / "cache", tmp_path / "first")
    assert found.returncode == 0, found.stderr
    cached = tmp_path / "cache/pkgs/words-1.0-0"
    file, copy = cached / "site-packages" / path, cached / SITE / path
    copy.parent.mkdir(parents=True)
    copy.write_bytes(file.read_bytes())
    file.write_bytes(file.read_bytes()[:-1] + b"#")
    found = pressed(channel, tmp_path / "cache", tmp_path / "out")
    assert found.returncode == 5, found.stderr
    assert f"words: {SITE}/{path}: the sha256 of its bytes is" in found.stderr


@pytest.fixture(scope="module")
def filled(channel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    found = pressed(channel, folder / "cache", folder / "out")
    assert found.returncode == 0, found.stderr
    return folder / "cache"


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_was_changed_in_the_cache_is_refused(channel, filled, kind, tmp_path):
    shutil.copytree(filled, tmp_path / "cache", symlinks=True)
    file = tmp_path / "cache/pkgs/words-1.0-0" / FILES[kind]
    before = file.read_bytes()
    file.write_bytes(before[:-1] + b"!")
    found = pressed(channel, tmp_path / "cache", tmp_path / "out")
    assert found.returncode == 5, found.stderr
    digests = [hashlib.sha256(data).hexdigest() for data in (before[:-1] + b"!", before)]
    said = f"- words: {FILES[kind]}: the sha256 of its bytes is {digests[0]}, the package states {digests[1]}\n"
    hint = (
        "  it was changed in the package cache: remove its package there (RATTLER_CACHE_DIR) and press again\n"
        "  if that does not help, take another build, and tell the channel's owner\n"
    )
    assert said + hint in found.stderr
    assert not list((tmp_path / "out").glob("*"))
