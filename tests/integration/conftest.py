"""What the tests of whole builds share: a channel with compiled code, made once, and mamba-press as a wheel."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import Channel
from tests.support.recipes import build_channel


@pytest.fixture(scope="session")
def greeting(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    """A channel with a library, an extension module that needs it, and a noarch package; nobody changes it."""
    if not press.MACHINE:
        pytest.skip("the compiled packages are for Linux on x86_64")
    folder = tmp_path_factory.mktemp("greeting")
    return press.greeting_channel(folder / "channel", folder / "compiled")


@pytest.fixture(scope="session")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel of the recipes of ``test-projects``, built from source once for the Python of the tests."""
    if sys.platform != "linux" or shutil.which("gcc") is None:
        pytest.skip("the recipes are for Linux, and need gcc")
    for module in ("rattler", "rattler_build", "setuptools"):
        pytest.importorskip(module)
    channel = tmp_path_factory.mktemp("recipes") / "channel"
    build_channel(channel, python=Path(sys.executable))
    return channel


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Path]:
    """Write a pressed project: ``make_project(channel, "packages = […]")``."""

    def make(channel: Channel | Path | str | None, table: str, *, folder: str = "project", **more: object) -> Path:
        root = channel.root if isinstance(channel, Channel) else channel
        channels = "" if root is None else f'channels = ["{root}"]\n'
        return press.project(tmp_path / folder, channels + table, **more)

    return make


@pytest.fixture(scope="session")
def own_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of mamba-press itself, in a folder of its own: what an isolated build installs."""
    folder = tmp_path_factory.mktemp("own-wheel")
    press.run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, press.REPOSITORY, cwd=folder).ok()
    return next(folder.glob("*.whl"))
