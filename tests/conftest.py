"""What all tests share: a clean process environment, a fresh package cache, golden files, the real channels."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from mamba_press import interrupts
from tests.support import shared
from tests.support.channel import Channel, CondaPackage, Extension, write_channel
from tests.support.environment import Environment, environment

REPOSITORY = Path(__file__).parents[1]

# What a machine may have set, and what mamba-press reads.
FOREIGN = ("MAMBA_PRESS_", "RATTLER_", "CIBUILDWHEEL", "AUDITWHEEL_", "CONDA_")
FOREIGN_NAMES = {"ARCHFLAGS", "MACOSX_DEPLOYMENT_TARGET", "SOURCE_DATE_EPOCH", "VSCMD_ARG_TGT_ARCH"}

KEPT = {"MAMBA_PRESS_SHARED"}

_numbers = itertools.count()


def pytest_configure() -> None:
    """Let signals reach the processes of tests also where a shell has started us in the background, or `nohup`."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture(autouse=True)
def clean_process(monkeypatch: pytest.MonkeyPatch, cache_root: Path) -> Iterator[None]:
    """No setting of this machine reaches a test, and each test has a package cache of its own.

    Tests make different packages of one name: in a cache for all they would be taken for each other.
    """
    for key in list(os.environ):
        if (key.startswith(FOREIGN) or key in FOREIGN_NAMES) and key not in KEPT:
            monkeypatch.delenv(key)
    own = cache_root / str(next(_numbers))
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(own))
    yield
    shutil.rmtree(own, ignore_errors=True)
    assert not interrupts._Held.is_held, "signals would wait for ever"


@pytest.fixture(scope="module", autouse=True)
def cache_of_module(cache_root: Path) -> Iterator[None]:
    """What is fetched for all tests of a module does not come into the cache of the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RATTLER_CACHE_DIR", str(cache_root / f"module-{next(_numbers)}"))
        yield


@pytest.fixture(scope="session", autouse=True)
def caches_of_session(cache_root: Path) -> Iterator[None]:
    """The same for all modules; and each wheel that uv installs stays in its cache, gigabytes of them in each run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RATTLER_CACHE_DIR", str(cache_root / "session"))
        patch.setenv("UV_CACHE_DIR", str(cache_root / "uv"))
        yield


@pytest.fixture(scope="session")
def cache_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which each test's package cache lies; nothing is made before it is used."""
    return tmp_path_factory.mktemp("caches")


@pytest.fixture
def make_channel(tmp_path: Path) -> Callable[..., Channel]:
    """Write packages into a channel of this test: ``make_channel([package, …])``."""

    def make(packages: Iterable[CondaPackage], name: str = "channel", extension: Extension = ".conda") -> Channel:
        return write_channel(tmp_path / name, packages, extension=extension)

    return make


@pytest.fixture
def make_environment(tmp_path: Path) -> Callable[..., Environment]:
    """Make a fresh virtual environment of an interpreter: ``make_environment(interpreter("3.10"))``."""
    numbers = itertools.count()

    def make(python: Path | None = None) -> Environment:
        return environment(tmp_path / f"environment-{next(numbers)}", python)

    return make


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a file of the next folder ``golden`` above; ``--update-golden`` writes it instead."""

    def compare(name: str, text: str) -> None:
        folder = next(folder for folder in request.path.parents if (folder / "golden").is_dir())
        path = folder / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.exists(), f"{path} is missing; run this test with --update-golden and read what it writes"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="session")
def shared_channels() -> Path:
    """The folder of the real channels."""
    return shared.channel("")


@pytest.fixture(scope="session")
def forge() -> Path:
    """The channel of real packages of conda-forge."""
    return shared.channel("forge")


@pytest.fixture
def other_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test runs in an empty folder that is not the repository."""
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture(scope="session")
def this_python() -> str:
    """The version of the interpreter that runs the tests: ``3.11``."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
