"""Wheels for aarch64 pressed on whatever machine this is, and used on an emulated one."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import aarch64
from tests.support.channel import CondaPackage, FileSpec, Link, dist_info, python_abi, python_package, write_channel
from tests.support.command import SOURCE, Press
from tests.support.compile import Linking, Toolchain, module_source, python_config, shared_library, zig
from tests.support.environment import clean_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cross-compiles and emulates on Linux")

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
CPYTHON = f"cp{VERSION.replace('.', '')}"
MACHINE = "linux-aarch64"
PAGES = (4096, 16384, 65536)

# State of its own for each thread, data with relocations, code that runs when it is loaded, and so many zeros at the
# end of its memory that what is edited needs a segment of its own behind them.
TALLY = """\
#include <string.h>
static const char *const words[] = {"one", "two", "three"};
static __thread int calls = 40;
static int loaded;
char zeros[1 << 20];
__attribute__((constructor)) static void load(void) { loaded = 1; }
int tally(void) {
    memset(zeros, 1, sizeof zeros);
    return ++calls + (loaded && zeros[sizeof zeros - 1] && !strcmp(words[2], "three"));
}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A wheel for aarch64 of the module ``module``, whose ``call()`` prints ``answer`` by way of ``library``."""

    wheel: Path
    module: str
    answer: str
    library: str
    installed: Path


@pytest.fixture(scope="module")
def toolchain(tmp_path_factory) -> Toolchain:
    return aarch64.toolchain(tmp_path_factory.mktemp("toolchain"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> aarch64.Machine:
    return aarch64.machine(tmp_path_factory.mktemp("machine"), VERSION)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory, toolchain) -> Case:
    """A module over a small library, both cross-compiled here."""
    folder = tmp_path_factory.mktemp("made-up")
    library = shared_library(folder / "libtally.so.1", TALLY, Linking(soname="libtally.so.1"), toolchain=toolchain)
    source = module_source("counted", "PyLong_FromLong(tally())", "int tally(void);")
    module = extension(folder, "counted", source, library, toolchain)
    files = {"lib/libtally.so": Link("libtally.so.1"), "lib/libtally.so.1": library}
    wheel = press(folder, module, library_package("libtally", files))
    return Case(
        wheel=wheel, module="counted", answer="42", library="libtally", installed=install(wheel, folder / "installed")
    )


@pytest.fixture(scope="module")
def real_zlib(tmp_path_factory, toolchain) -> Case:
    """A module over Debian's zlib for aarch64, laid out as a conda package."""
    folder = tmp_path_factory.mktemp("zlib")
    (package,) = aarch64.packages(folder / "apt", ["zlib1g"])
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder / "zlib")], check=True)
    (library,) = (path for path in (folder / "zlib").rglob("libz.so.1.*") if not path.is_symlink())
    source = module_source(
        "checksum", 'PyLong_FromUnsignedLong(crc32(0, "wheel", 5))', "unsigned long crc32(unsigned long, char *, int);"
    )
    module = extension(folder, "checksum", source, library, toolchain)
    files = {"lib/libz.so.1": Link(library.name), f"lib/{library.name}": library}
    wheel = press(folder, module, library_package("libzlib", files))
    answer = str(zlib.crc32(b"wheel"))
    return Case(
        wheel=wheel, module="checksum", answer=answer, library="libz", installed=install(wheel, folder / "installed")
    )


@pytest.fixture(params=["made_up", "real_zlib"])
def case(request) -> Case:
    return request.getfixturevalue(request.param)


def test_the_tag_names_the_other_machine_and_this_python(case):
    name = rf"{case.module}-1\.0-{CPYTHON}-{CPYTHON}-(manylinux2014_aarch64\.)?manylinux_2_\d+_aarch64\.whl"
    assert re.fullmatch(name, case.wheel.name)


def test_the_loader_of_the_other_machine_would_find_everything(case):
    words = [sys.executable, "-m", "mamba_press", "check", str(case.wheel)]
    result = subprocess.run(
        words, check=False, capture_output=True, text=True, env=clean_environment() | {"PYTHONPATH": str(SOURCE)}
    )
    assert result.returncode == 0, result.stderr


def test_every_binary_is_of_the_other_machine_and_finds_its_library_in_the_wheel(case):
    (module,) = case.installed.glob("*.so")
    (library,) = case.installed.rglob(f"{case.library}-*.so.1")
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", readelf("-dW", module))
    assert library.name in needed
    (search,) = re.findall(r"\((?:RPATH|RUNPATH)\).*\[\$ORIGIN/?(.*)\]", readelf("-dW", module))
    assert (module.parent / search).resolve() == library.parent.resolve()
    assert re.findall(r"\(SONAME\).*\[(.+)\]", readelf("-dW", library)) == [library.name]
    assert all("AArch64" in readelf("-hW", path) for path in (module, library))


def test_readelf_has_nothing_to_warn_of(case):
    for path in case.installed.rglob("*.so*"):
        assert "Warning" not in readelf("-hlSdVWr", path)


def test_segments_can_be_mapped_with_the_largest_pages(case):
    """Kernels for aarch64 have pages of up to 64 KiB: no two segments may then need one page differently."""
    for path in case.installed.rglob("*.so*"):
        segments = re.findall(r"LOAD\s+(0x\w+) (0x\w+) \w+ \w+ (0x\w+)", readelf("-lW", path))
        assert len(segments) >= 2
        for offset, address, _ in segments:
            assert (int(address, 16) - int(offset, 16)) % max(PAGES) == 0
        pages = [(int(address, 16), int(size, 16)) for _, address, size in segments]
        for (address, size), (following, _) in itertools.pairwise(pages):
            assert (address + size - 1) // max(PAGES) < following // max(PAGES)


def test_auditwheel_reads_the_same_tag(case):
    """Of the wheel's own tags the last is its lowest; auditwheel knows no reason for a higher one."""
    pytest.importorskip("auditwheel")
    shown = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", str(case.wheel)], check=True, capture_output=True, text=True
    )
    (tag,) = re.findall(r'platform\s+tag:\s+"(\w+)"', shown.stdout)
    assert tag in case.wheel.name.removesuffix(".whl").rpartition("-")[2].split(".")


@pytest.mark.parametrize("page", PAGES)
def test_it_works_on_the_other_machine(case, machine, page):
    code = f"import platform, {case.module} as m; print(platform.machine(), m.call())"
    assert machine.run(code, case.installed, page=page) == f"aarch64 {case.answer}"


def test_the_library_comes_from_the_wheel_there_too(case, machine):
    shown = f"print(*{{line.split()[-1] for line in open('/proc/self/maps') if '/{case.library}' in line}})"
    without = set(machine.run(shown).split())
    (library,) = case.installed.rglob(f"{case.library}-*.so.1")
    mapped = set(machine.run(f"import {case.module} as m; m.call(); {shown}", case.installed).split())
    assert mapped - without == {str(library)}


def test_it_works_after_all_symbols_are_stripped(case, machine, tmp_path):
    strip = shutil.which("aarch64-linux-gnu-strip") or pytest.skip("no strip for aarch64 on this machine")
    installed = shutil.copytree(case.installed, tmp_path / "installed")
    for path in installed.rglob("*.so*"):
        subprocess.run([strip, "-s", str(path)], check=True)
    assert machine.run(f"import {case.module} as m; print(m.call())", installed) == case.answer


def extension(folder: Path, name: str, source: str, library: Path, toolchain: Toolchain) -> Path:
    """Cross-compile a module of the running Python's version: its headers are the same on both machines."""
    include = python_config(Path(sys.executable)).include
    path = folder / f"{name}.cpython-{CPYTHON.removeprefix('cp')}-aarch64-linux-gnu.so"
    # Debian keeps apart, by machine, the one header that differs on some; not on these two.
    own = include.parent / str(sysconfig.get_config_var("MULTIARCH")) / include.name
    if own.is_dir():
        shutil.copytree(own, folder / "headers" / "aarch64-linux-gnu" / include.name, dirs_exist_ok=True)
    flags = (f"-I{include}", f"-I{folder / 'headers'}")
    return shared_library(path, source, Linking(needed=(library,), flags=flags), toolchain=toolchain)


def library_package(name: str, files: dict[str, FileSpec]) -> CondaPackage:
    return CondaPackage(name=name, subdir=MACHINE, depends=("__glibc >=2.17",), files=files)


def press(folder: Path, module: Path, library: CondaPackage) -> Path:
    """Press a module and its library for aarch64 from a channel of their own."""
    name = module.name.split(".")[0]
    files: dict[str, FileSpec] = {**dist_info(name, "1.0"), module.name: module}
    package = CondaPackage(
        name=name,
        subdir=MACHINE,
        depends=(f"python {VERSION}.*", f"python_abi {VERSION}.*", library.name),
        files={f"lib/python{VERSION}/site-packages/{path}": content for path, content in files.items()},
    )
    python = [python_package(VERSION, subdir=MACHINE), python_abi(VERSION)]
    channel = write_channel(folder / "channel", [*python, library, package])
    command = Press(channel=channel.root, cache=folder / "cache", python=VERSION)
    return command.wheel(name, "--platform", MACHINE, output=folder / "dist")


def install(wheel: Path, folder: Path) -> Path:
    """Install as an aarch64 machine would: uv refuses a wheel whose tags are not its own."""
    uv = Path(sys.executable).with_name("uv")
    words = [str(uv) if uv.exists() else shutil.which("uv") or pytest.skip("uv is not on this machine")]
    words += ["pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    words += ["--python-platform", "aarch64-manylinux_2_28", "--python-version", VERSION, str(wheel)]
    result = subprocess.run(words, check=False, capture_output=True, text=True, env=clean_environment())
    assert result.returncode == 0, result.stderr
    return folder


def readelf(option: str, path: Path) -> str:
    tool = shutil.which("readelf") or pytest.skip("readelf is not on this machine")
    result = subprocess.run([tool, option, str(path)], check=True, capture_output=True, text=True)
    return result.stdout + result.stderr


def test_a_package_for_riscv64_is_pressed_though_its_files_are_laid_out_for_pages_of_4_kib(tmp_path):
    """As those of every linker for riscv64 are; the search path that they get needs a segment of its own."""
    flags = ("-nostdlib", "-Wl,-z,max-page-size=0x1000")
    machine = zig(tmp_path, "riscv64-linux-gnu")
    source = "char zeros[1 << 20]; int tally(void) { return zeros[9]; }"
    linking = Linking(soname="libtally.so.1", flags=flags)
    library = shared_library(tmp_path / "libtally.so.1", source, linking, toolchain=machine)
    linking = Linking(soname="libsum.so", needed=(library,), flags=flags)
    source = "char zeros[1 << 20]; int tally(void); int sum(void) { return tally() + zeros[3]; }"
    package = CondaPackage(
        name="tally",
        subdir="linux-riscv64",
        files={
            "lib/libtally.so.1": library,
            "lib/libsum.so": shared_library(tmp_path / "libsum.so", source, linking, toolchain=machine),
        },
    )
    channel = write_channel(tmp_path / "channel", [package])
    command = Press(channel=channel.root, cache=tmp_path / "cache", python=VERSION)
    wheel = command.wheel("tally", "--platform", "linux-riscv64", output=tmp_path / "dist")
    assert wheel.name == "tally-1.0-py3-none-manylinux_2_31_riscv64.whl"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    (edited,) = (tmp_path / "unpacked").rglob("libsum.so")
    assert "Library runpath: [$ORIGIN]" in readelf("-dW", edited)
    assert "Warning" not in readelf("-hlSdVWr", edited)
