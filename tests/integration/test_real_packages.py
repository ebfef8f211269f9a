"""Real conda-forge packages, pressed by the command, held to other people's oracles, installed and used."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mamba_press.audit import explain_wheel, render
from mamba_press.errors import WriteError
from mamba_press.pipeline import edit
from tests.support.environment import Environment, clean_environment, environment, interpreter

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.real


@dataclass(frozen=True, kw_only=True)
class Use:
    """A package, what proves that it works, and the file name's end that its wheel must have."""

    package: str
    code: str
    prints: str
    tags: str
    name: str = ""
    requires: tuple[str, ...] = ()


LIBRARY = "from {0}._mamba_press import library, prefix; import ctypes, subprocess, os\n"

USES = (
    Use(
        package="libmambapy",
        code="import libmambapy as m; c = m.Context(); print(m.MatchSpec('numpy >=1.20').conda_build_form())",
        prints="numpy >=1.20",
        tags="cp310-cp310-manylinux_2_27_x86_64",
    ),
    Use(
        package="cffi",
        code="import cffi; f = cffi.FFI(); f.cdef('int abs(int);'); print(f.dlopen(None).abs(-3))",
        prints="3",
        tags="cp310-cp310-manylinux",
    ),
    Use(
        package="zstandard",
        code="import zstandard as z; d = z.ZstdCompressor().compress(b'x' * 999);"
        "print(len(d) < 99, z.ZstdDecompressor().decompress(d) == b'x' * 999)",
        prints="True True",
        tags="cp310-cp310-manylinux",
    ),
    Use(
        package="pydantic-core",
        name="pydantic_core",
        code="from pydantic_core import SchemaValidator as S; print(S({'type': 'int'}).validate_python('3') + 1)",
        prints="4",
        tags="cp310-cp310-manylinux",
    ),
    Use(
        package="pyyaml",
        code="import yaml; print(yaml.load('a: [1]', yaml.CSafeLoader))",
        prints="{'a': [1]}",
        tags="cp310-cp310-manylinux",
    ),
    Use(
        package="brotli-python",
        name="brotli",
        code="import brotli; print(brotli.decompress(brotli.compress(b'press')))",
        prints="b'press'",
        tags="cp310-cp310-manylinux",
    ),
    Use(
        package="pycosat",
        code="import pycosat; print(pycosat.solve([[1, -2], [2]]))",
        prints="[1, 2]",
        tags="cp310-cp310-manylinux",
    ),
    Use(
        package="ruamel.yaml.clib",
        name="ruamel_yaml_clib",
        code="import _ruamel_yaml; print(_ruamel_yaml.get_version_string())",
        prints="0.1.7",
        tags="cp310-cp310-manylinux",
        requires=("ruamel.yaml==0.18.6",),
    ),
    Use(
        package="menuinst",
        code="import menuinst.platforms; print(menuinst.__version__)",
        prints="2.0.2",
        tags="cp310-none-any",
    ),
    Use(
        package="click",
        code="import click; print(click.style('x', bold=True) != 'x')",
        prints="True",
        tags="py3-none-any",
    ),
    Use(
        package="libcurl",
        code=LIBRARY.format("_libcurl_prefix")
        + "c = ctypes.CDLL(library('curl')); c.curl_version.restype = ctypes.c_char_p; print(c.curl_version()[:13])",
        prints="b'libcurl/8.7.1'",
        tags="py3-none-manylinux",
    ),
    Use(
        package="ncurses",
        code=LIBRARY.format("_ncurses_prefix")
        + "e = dict(os.environ, TERM='xterm', TERMINFO=str(prefix / 'share/terminfo'));"
        + "print(subprocess.check_output([str(prefix / 'bin/tput'), 'cols'], env=e, text=True).strip())",
        prints="80",
        tags="py3-none-manylinux",
    ),
    Use(
        package="tk",
        code=LIBRARY.format("_tk_prefix")
        + "e = {k: v for k, v in os.environ.items() if k != 'DISPLAY'};"
        + "r = subprocess.run([str(prefix / 'bin/tclsh8.6')], input='package require Tk', env=e, text=True,"
        + "capture_output=True); print(r.stderr.strip())",
        prints="no display name and no $DISPLAY environment variable",
        tags="py3-none-manylinux",
    ),
)


@pytest.fixture(scope="session")
def real_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One package cache for all real packages: extracting them is most of the time."""
    return tmp_path_factory.mktemp("real-cache")


@pytest.fixture
def press(forge: Path, real_cache: Path, tmp_path: Path) -> Callable[..., Path]:
    """Press specs with the command and return the wheel."""

    def run(*arguments: str, python: str = "3.10") -> Path:
        command = [sys.executable, "-m", "mamba_press", "press", *arguments, "--json"]
        command += ["-c", str(forge), "--python", python, "-o", str(tmp_path / "dist")]
        result = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env=clean_environment() | {"RATTLER_CACHE_DIR": str(real_cache)},
        )
        assert result.returncode == 0, result.stderr
        return Path(json.loads(result.stdout)["wheel"])

    return run


@pytest.mark.parametrize("use", USES, ids=lambda use: use.package)
def test_real_package_installs_and_works(use: Use, press: Callable[..., Path], tmp_path: Path) -> None:
    wheel = press(use.package)
    assert wheel.name.startswith(f"{use.name or use.package}-"), wheel.name
    assert use.tags in wheel.name
    oracles(wheel, tmp_path)
    place = environment(tmp_path / "environment", interpreter("3.10"))
    place.install(*use.requires, str(wheel))
    libraries = place.libraries(use.code)
    assert place.run(use.code).splitlines()[-1] == use.prints
    assert_from_wheel(libraries, place, wheel)


def assert_from_wheel(libraries: tuple[Path, ...], place: Environment, wheel: Path) -> None:
    """Every library that the wheel has a copy of comes from it: the system may have one of the same name."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {Path(name).name.split(".so")[0].split("-")[0] for name in archive.namelist() if ".so" in name}
    strays = [
        path
        for path in libraries
        if place.root not in path.parents and path.name.split(".so")[0].split("-")[0] in inside
    ]
    assert not strays


def oracles(wheel: Path, folder: Path) -> None:
    """Hold a wheel to installer's RECORD check, twine, check-wheel-contents and our own check."""
    target = folder / "installed"
    run("installer", "--validate-record", "all", "--destdir", str(target), str(wheel))
    run("twine", "check", "--strict", str(wheel))
    run("check_wheel_contents", "--ignore", CONTENTS_IGNORED, str(wheel))
    run("mamba_press", "check", str(wheel))


# W002: the same file twice is what a conda package has (terminfo's aliases); W004: modules that cannot be imported are
# what packages bring (Tcl's, tests'); W005, W009: what top-level names a package installs is the package's choice.
CONTENTS_IGNORED = "W002,W004,W005,W009"


def run(module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    result = subprocess.run(command, check=False, capture_output=True, text=True, env=clean_environment())
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout


def test_libmambapy_is_explained_edited_and_explained_again(press: Callable[..., Path], tmp_path: Path) -> None:
    wheel = press("libmambapy")
    found = explain_wheel.of_wheel(wheel)
    lines = render.plain(render.overview(found)).splitlines()
    assert len(lines) < 45
    assert re.fullmatch(
        r"manylinux_2_27_x86_64: set by GLIBC_2\.27 of libm\.so\.6, needed by libicu\w+-[0-9a-f]{8}\.so\.73 of icu; "
        r"without icu: manylinux_2_12_x86_64",
        lines[0],
    )
    assert not [need for piece in found.pieces for need in piece.needs if need.where == "missing"]
    edit.edit([wheel], edit.Changes(require=("numpy<2.5",), suffix="post1"), tmp_path / "edited")
    (edited,) = (tmp_path / "edited").glob("*.whl")
    assert edited.name == "libmambapy-1.5.8.post1-cp310-cp310-manylinux_2_27_x86_64.whl"
    oracles(edited, tmp_path)
    assert payload(edited) == payload(wheel)
    again = explain_wheel.of_wheel(edited)
    assert (again.steps, again.lost) == (found.steps, found.lost)
    with pytest.raises(WriteError, match=r"needs GLIBC_2\.27 of the system's libm\.so\.6"):
        edit.edit([wheel], edit.Changes(tag="manylinux_2_17_x86_64"), tmp_path / "untrue")


def payload(wheel: Path) -> dict[str, bytes]:
    """The compressed bytes of every file outside ``.dist-info``, as they lie in the archive."""
    text = wheel.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        infos = [info for info in archive.infolist() if ".dist-info/" not in info.filename]
    starts = {info.filename: info.header_offset + 30 + len(info.filename.encode()) for info in infos}
    return {info.filename: text[starts[info.filename] :][: info.compress_size] for info in infos}
