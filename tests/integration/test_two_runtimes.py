"""Two C++ runtimes, and two copies of one library, in one process.

Each test of a measure has a twin that undoes the measure and must then see the crash, or the wrong answer: were the
measure not needed on this machine, or not taken, one of the two fails.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.channel import CondaPackage, Link, dist_info, python_abi, python_package, write_channel
from tests.support.command import Press
from tests.support.compile import Linking, extension_module, module_source, shared_library
from tests.support.environment import Environment, clean_environment, environment, interpreter

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the C++ runtime of Linux"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not on this machine"),
]

MACHINE = "linux-aarch64" if platform.machine() == "aarch64" else "linux-64"
THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"

PROBE = """\
#include <iomanip>
#include <locale>
#include <ostream>
#include <regex>
#include <sstream>
#include <string>

// Formats, parses and matches through facets that only a working locale has; the answer is 42.
extern "C" int probe(void) {
    std::ostringstream text;
    text.imbue(std::locale(std::locale::classic(), new std::numpunct<char>));
    text << std::fixed << std::setprecision(1) << 2.5 << ' ' << std::boolalpha << true << ' ' << std::put_money(7.0L);
    std::wostringstream wide;
    wide << L"w" << 7;
    std::istringstream numbers("40 1.5");
    int whole = 0;
    double part = 0;
    numbers >> whole >> part;
    std::smatch match;
    const std::string word = "press42";
    const bool found = std::regex_match(word, match, std::regex("([a-z]+)([[:digit:]]+)"));
    return text.str() == "2.5 true 7" && wide.str() == L"w7" && part == 1.5 && found ? whole + 2 : 0;
}
"""

DRIVER = """\
import ctypes
def system():
    assert ctypes.CDLL({probe!r}, mode=ctypes.RTLD_LOCAL).probe() == 42
def wheel():
    {use}
for step in {order!r}.split():
    globals()[step]()
"""

ORDERS = ("system wheel", "wheel system", "wheel system wheel system")

UNIQUE = "STB_LOOS"  # what pyelftools calls STB_GNU_UNIQUE, whose number is the first that systems may use

CRASHES = {-6: "SIGABRT", -11: "SIGSEGV"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """An environment with a wheel that bundles libstdc++, what uses the wheel, and the libstdc++ before the edit."""

    place: Environment
    use: str
    original: Path
    probe: Path

    @property
    def bundled(self) -> Path:
        """The wheel's own libstdc++."""
        (library,) = self.place.root.rglob("libstdc++-*.so.6")
        return library

    def driver(self, order: str) -> str:
        return DRIVER.format(probe=str(self.probe), use=self.use, order=order)


@pytest.fixture(scope="module")
def probe(tmp_path_factory) -> Path:
    """A library over the system's libstdc++."""
    return shared_library(tmp_path_factory.mktemp("probe") / "libprobe.so", PROBE, language="c++")


@pytest.fixture(scope="module")
def made_up(tmp_path_factory, probe) -> Case:
    """A module over a library that is the probe itself, and this machine's libstdc++ as the conda package it needs."""
    folder = tmp_path_factory.mktemp("made-up")
    said = subprocess.run(["g++", "-print-file-name=libstdc++.so.6"], check=True, capture_output=True, text=True)
    runtime = Path(said.stdout.strip()).resolve()
    counter = shared_library(folder / "libcounter.so.1", PROBE, Linking(soname="libcounter.so.1"), language="c++")
    source = module_source("counter", "PyLong_FromLong(probe())", "int probe(void);")
    module = extension_module(folder, "counter", source, Linking(needed=(counter,)), python=Path(sys.executable))
    channel = write_channel(
        folder / "channel",
        [
            python_package(THIS, subdir=MACHINE),
            python_abi(THIS),
            CondaPackage(
                name="libstdcxx",
                subdir=MACHINE,
                files={"lib/libstdc++.so.6": Link(runtime.name), f"lib/{runtime.name}": runtime},
            ),
            library_package(counter, "libstdcxx"),
            module_package(module, "libcounter"),
        ],
    )
    press = Press(channel=channel.root, cache=folder / "cache", python=THIS)
    wheel = press.wheel("counter", "-C", "link.runtimes.libstdcxx=bundle", output=folder / "dist")
    place = environment(folder / "environment")
    place.install("--no-index", wheel)
    return Case(place=place, use="import counter; assert counter.call() == 42", original=runtime, probe=probe)


@pytest.fixture(scope="module")
def real_press(forge, tmp_path_factory) -> Press:
    return Press(channel=forge, cache=tmp_path_factory.mktemp("real-cache"), python="3.10")


@pytest.fixture(scope="module")
def real(tmp_path_factory, real_press, probe) -> Case:
    """libmambapy with conda-forge's libstdc++."""
    folder = tmp_path_factory.mktemp("real")
    place = environment(folder / "environment", interpreter("3.10"))
    place.install("--no-index", real_press.wheel("libmambapy", "-C", "link.runtimes=bundle", output=folder / "dist"))
    (original,) = real_press.cache.rglob("libstdc++.so.6.*")
    use = "import libmambapy as m; m.Context(); assert m.MatchSpec('a >=1').conda_build_form() == 'a >=1'"
    return Case(place=place, use=use, original=original, probe=probe)


@pytest.fixture(params=["made_up", pytest.param("real", marks=pytest.mark.real)])
def case(request) -> Case:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("order", ORDERS)
def test_the_systems_runtime_and_the_wheels_work_in_one_process(case, order):
    mapped = case.place.libraries(case.driver(order))
    ours = {path for path in mapped if path.name.startswith("libstdc++")}
    assert case.bundled in ours
    assert [path for path in ours if case.place.root not in path.parents]


@pytest.mark.parametrize("order", ["system wheel", "wheel system"])
def test_they_crash_where_the_unique_symbols_of_the_wheels_runtime_stay_bound(case, order):
    edited = case.bundled.read_bytes()
    try:
        bind_again(case.bundled, case.original)
        result = subprocess.run(
            [case.place.python, "-c", case.driver(order)], check=False, capture_output=True, env=clean_environment()
        )
    finally:
        case.bundled.write_bytes(edited)
    assert result.returncode in CRASHES


def test_only_the_binding_of_unique_symbols_differs_from_before(case):
    before = symbols(case.original)
    assert sum(binding == UNIQUE for _, binding in before) > 50
    expected = [(name, "STB_GLOBAL" if binding == UNIQUE else binding) for name, binding in before]
    assert symbols(case.bundled) == expected


@pytest.mark.real
def test_other_libraries_keep_their_unique_symbols(real):
    """They stand for the one static of an inline function or template, which must stay one."""
    kept = [
        path.name
        for path in real.place.root.rglob("*.so*")
        if not path.name.startswith("libstdc++") and UNIQUE in {binding for _, binding in symbols(path)}
    ]
    assert [name for name in kept if name.startswith("libmamba-")]


def symbols(library: Path) -> list[tuple[str, str]]:
    """The names and bindings of the dynamic symbols of a library, in the order of their table."""
    elffile = pytest.importorskip("elftools.elf.elffile")
    with library.open("rb") as file:
        table = elffile.ELFFile(file).get_section_by_name(".dynsym")
        return [(symbol.name, symbol["st_info"]["bind"]) for symbol in table.iter_symbols()]


def bind_again(library: Path, original: Path) -> None:
    """Undo the edit: the symbols that were unique in the original are so again."""
    elffile = pytest.importorskip("elftools.elf.elffile")
    data = bytearray(library.read_bytes())
    with library.open("rb") as file:
        table = elffile.ELFFile(file).get_section_by_name(".dynsym")
        first, size = table["sh_offset"], table["sh_entsize"]
    for number, (_, binding) in enumerate(symbols(original)):
        if binding == UNIQUE:
            info = first + number * size + 4
            data[info] = 10 << 4 | data[info] & 15
    library.write_bytes(data)


@dataclass(frozen=True, kw_only=True, slots=True)
class Two:
    """Two wheels, ``one`` and ``two``, of modules over the same liba, which needs libb: 12 and 22 are the answers."""

    place: Environment
    wheels: tuple[Path, Path]

    def answers(self, first: str, second: str) -> str:
        """What the modules answer in one process, imported in this order."""
        return self.place.run(f"import {first}, {second}; print({first}.call(), {second}.call())")


def press_two(folder: Path, *settings: str) -> Two:
    """Press both wheels, each from a channel of its own; liba is the same package in both, to the byte."""
    folder.mkdir()
    needed = shared_library(folder / "libb.so.1", "int b(void) { return 0; }", Linking(soname="libb.so.1"))
    source = "int b(void); int a(void) { return 10 * b() + 2; }"
    liba = shared_library(folder / "liba.so.1", source, Linking(soname="liba.so.1", needed=(needed,)))
    place = environment(folder / "environment")
    wheels = []
    for number, name in enumerate(("one", "two"), start=1):
        source = f"int b(void) {{ return {number}; }}"
        libb = shared_library(folder / name / "libb.so.1", source, Linking(soname="libb.so.1"))
        text = module_source(name, "PyLong_FromLong(a())", "int a(void);")
        module = extension_module(folder / name, name, text, Linking(needed=(liba,)), python=Path(sys.executable))
        libraries = [library_package(libb, version=f"{number}.0"), library_package(liba, "libb")]
        interpreter_ = [python_package(THIS, subdir=MACHINE), python_abi(THIS)]
        channel = write_channel(folder / name / "channel", [*interpreter_, *libraries, module_package(module, "liba")])
        press = Press(channel=channel.root, cache=folder / name / "cache", python=THIS)
        wheels.append(press.wheel(name, *settings, output=folder / "dist"))
    place.install("--no-index", *wheels)
    return Two(place=place, wheels=(wheels[0], wheels[1]))


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Two:
    return press_two(tmp_path_factory.mktemp("two") / "hashed")


def test_each_wheel_uses_its_own_copy_of_a_library_they_both_have(two):
    assert two.answers("one", "two") == "12 22"
    assert two.answers("two", "one") == "22 12"


def test_the_name_of_a_library_tells_what_it_needs_too(two):
    names = [library_names(wheel) for wheel in two.wheels]
    for stem in ("liba", "libb"):
        (first,), (second,) = ([name for name in each if name.startswith(stem)] for each in names)
        assert re.fullmatch(stem + r"-[0-9a-f]{8}\.so\.1", first)
        assert re.fullmatch(stem + r"-[0-9a-f]{8}\.so\.1", second)
        assert first != second


def test_equal_libraries_that_need_equal_ones_have_equal_names(two, tmp_path):
    again = press_two(tmp_path / "again")
    assert [library_names(wheel) for wheel in again.wheels] == [library_names(wheel) for wheel in two.wheels]


def test_the_first_wheels_library_is_taken_for_the_seconds_where_names_are_kept(tmp_path):
    kept = press_two(tmp_path / "kept", "-C", "link.rename=false")
    assert kept.answers("one", "two") == "12 12"
    assert kept.answers("two", "one") == "22 22"


def library_names(wheel: Path) -> list[str]:
    """The file names of the vendored libraries of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return sorted(Path(name).name for name in archive.namelist() if "/_prefix/lib/lib" in name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """What libmambapy's tag is under a choice of runtimes, which symbol sets it, and which runtimes travel."""

    runtimes: str
    platform: str
    symbol: str
    library: str
    package: str
    bundled: tuple[str, ...]


TAGS = (
    Tag(
        runtimes="auto",
        platform="manylinux_2_27_x86_64",
        symbol="GLIBC_2.27",
        library="libm.so.6",
        package="icu",
        bundled=("libstdc++",),
    ),
    Tag(
        runtimes="system",
        platform="manylinux_2_35_x86_64",
        symbol="GLIBCXX_3.4.30",
        library="libstdc++.so.6",
        package="libmamba",
        bundled=(),
    ),
    Tag(
        runtimes="bundle",
        platform="manylinux_2_27_x86_64",
        symbol="GLIBC_2.27",
        library="libm.so.6",
        package="icu",
        bundled=("libgcc_s", "libstdc++"),
    ),
)


@pytest.mark.real
@pytest.mark.parametrize("tag", TAGS, ids=lambda tag: tag.runtimes)
def test_what_sets_the_tag_of_libmambapy(tag, real_press):
    listing = real_press.listing("libmambapy", "-C", f"link.runtimes={tag.runtimes}")
    highest = listing["floors"][0]
    assert listing["lowest"] == tag.platform
    assert (highest["symbol"], highest["library"], highest["package"]) == (tag.symbol, tag.library, tag.package)
    runtimes = {"libstdc++", "libgcc_s"} & {Path(entry["path"]).name.split("-")[0] for entry in listing["entries"]}
    assert sorted(runtimes) == list(tag.bundled)


@pytest.mark.real
def test_but_for_icu_the_tag_of_libmambapy_is_the_oldest(real_press):
    """What conda-forge's compilers aim at, glibc 2.12 and 2.17, is the baseline of every wheel."""
    floors = real_press.listing("libmambapy", "-C", "link.runtimes=bundle")["floors"]
    others = [tuple(map(int, floor["version"].split("."))) for floor in floors if floor["package"] != "icu"]
    assert others
    assert max(others) <= (2, 17)


def library_package(library: Path, *depends: str, version: str = "1.0") -> CondaPackage:
    """A conda package of one library, named as the library's file name begins."""
    return CondaPackage(
        name=library.name.split(".")[0],
        version=version,
        subdir=MACHINE,
        depends=depends,
        files={f"lib/{library.name}": library},
    )


def module_package(module: Path, *depends: str) -> CondaPackage:
    """A conda package of one extension module of the running Python."""
    name = module.name.split(".")[0]
    files = {**dist_info(name, "1.0"), module.name: module}
    return CondaPackage(
        name=name,
        subdir=MACHINE,
        depends=(f"python {THIS}.*", f"python_abi {THIS}.*", *depends),
        files={f"lib/python{THIS}/site-packages/{path}": content for path, content in files.items()},
    )
