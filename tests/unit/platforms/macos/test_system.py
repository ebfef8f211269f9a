"""What is known of macOS: its versions, its libraries, its libc++, its loader, its tags."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press import globs
from mamba_press.config.link_table import Link
from mamba_press.config.model import Config
from mamba_press.errors import ContentError
from mamba_press.metadata.tags import tags
from mamba_press.platforms import binaries, binary_edits, compiler_runtimes, strings
from mamba_press.platforms.choose_platform import Machine
from mamba_press.platforms.macos import system as macos
from mamba_press.platforms.target import resolve
from mamba_press.types import Edits, Entry, File, Kept, Package, Python, Reason
from tests.support.macho import BUNDLE, LOAD, Dylib, dylib, universal
from tests.support.values import specs

SYSTEM = "/usr/lib/libSystem.B.dylib"

# --- libraries


@pytest.mark.parametrize(
    ("name", "glob"),
    [("libfoo.1.dylib", "libfoo.dylib"), ("libfoo.1.2.3.dylib", "libfoo.dylib"), ("libfoo.dylib", "libf*.dylib")],
)
def test_glob_matches_a_library_without_its_version(name, glob) -> None:
    assert globs.matches_library(name, (glob,)) == glob


@pytest.mark.parametrize(
    ("name", "runtime"),
    [
        ("@rpath/libc++.1.dylib", "libcxx"),
        ("/usr/lib/libc++abi.dylib", "libcxx"),
        ("@rpath/libgfortran.5.dylib", "libgfortran"),
        ("@loader_path/libgcc_s.1.1.dylib", "libgcc"),
        ("@rpath/libz.1.dylib", None),
    ],
)
def test_runtimes_are_known_by_their_install_names(name, runtime) -> None:
    assert compiler_runtimes.runtime_of(name) == runtime


def test_names_in_data_count_as_opened_and_load_commands_do_not(tmp_path: Path) -> None:
    needed = ((SYSTEM, LOAD), ("@rpath/libneeded.dylib", LOAD))
    path = tmp_path / "file"
    path.write_bytes(dylib(Dylib(needed=needed, text=b"open libopened.2.dylib or plugin.so\0")))
    assert strings.look(path).names == {"libopened.2.dylib", "plugin.so"}
    path.write_text("load libtk8.6.dylib", encoding="utf-8")
    assert strings.look(path).names == {"libtk8.6.dylib"}


# --- libc++


@pytest.mark.parametrize(
    ("symbol", "since"),
    [
        ("__ZNSt3__112basic_stringIcNS_11char_traitsIcEENS_9allocatorIcEEE6appendEPKc", (11, 0)),
        ("___cxa_throw", (11, 0)),
        ("__ZTVN10__cxxabiv120__si_class_type_infoE", (11, 0)),
        ("__ZNSt3__115basic_streambufIcNS_11char_traitsIcEEE4syncEv", (11, 0)),
        ("__ZNSt3__113basic_filebufIcNS_11char_traitsIcEEE4openEPKcj", (12, 3)),
        ("__ZNSt3__18to_charsEPcS0_d", (13, 4)),
        ("__ZNSt3__18to_charsEPcS0_i", (11, 0)),
        ("__ZNSt3__122__libcpp_verbose_abortEPKcz", (13, 4)),
        ("__ZNSt3__13pmr19new_delete_resourceEv", (14, 0)),
        ("___cxa_init_primary_exception", (15, 0)),
        ("__ZNSt3__113__hash_memoryEPKvm", None),
        ("__ZTIDu", None),
    ],
)
def test_libcxx_symbol_is_there_since_apple_shipped_the_version_that_added_it(symbol, since) -> None:
    assert macos.libcxx_since(symbol) == since


def module(*needed: str, search: tuple[str, ...] = (), arch: str = "arm64") -> Dylib:
    names = [(SYSTEM, LOAD), *((name, LOAD) for name in needed)]
    return Dylib(kind=BUNDLE, name=None, needed=names, search=search, arch=arch)


# --- tags

MACHINE = Machine(implementation="cpython", python=Python(minor=10), platform="linux-x86_64", glibc=(2, 36))


def entry(path: str, what: Dylib, package: str = "pkg") -> Entry:
    binary = binaries.read(dylib(what))
    inside = path.partition("/_prefix/")[2] or f"lib/python3.10/site-packages/{path}"
    file = File(path=inside, source=Path("/nowhere"), package=package, size=0)
    return replace(Entry.of(Kept(file=file, why=Reason("rule"), binary=binary), path), source=b"")


def record(*constrains: str) -> Package:
    return Package(
        name="pkg", version="1.0", build="0", build_number=0, channel="forge", subdir="osx-arm64",
        url="https://example.org/pkg-1.0-0.conda", file_name="pkg-1.0-0.conda",
        depends=specs("python_abi 3.10.* *_cp310"), constrains=specs(*constrains),
    )  # fmt: skip


def tagged(*entries: Entry, platform: str = "osx-arm64", constrains: tuple[str, ...] = (), **link: object):
    target = resolve("3.10", platform, {}, MACHINE)
    return tags(entries, [record(*constrains)], target, Config(packages=("pkg",), link=Link(**link)))


EXTENSION = "pkg/_core.cpython-310-darwin.so"


def test_extension_and_library_give_the_tag_and_its_reasons() -> None:
    library = entry("pkg/_prefix/lib/liba.dylib", Dylib(floor=(12, 3)), "liba")
    found = tagged(entry(EXTENSION, module()), library)
    assert (found.tags, found.lowest) == ("cp310-cp310-macosx_13_0_arm64", "macosx_13_0_arm64")
    assert [(each.version, each.library, each.symbol) for each in found.floors] == [
        ((12, 3), "liba.dylib", "macOS 12.3"),
        ((11, 0), "_core.cpython-310-darwin.so", "macOS 11.0"),
    ]


def test_asked_tag_is_written_as_asked_where_it_is_true() -> None:
    found = tagged(entry(EXTENSION, module()), platform="macosx_13_0_arm64")
    assert (found.tags, found.lowest) == ("cp310-cp310-macosx_13_0_arm64", "macosx_11_0_arm64")


def test_asked_tag_that_is_not_true_names_file_and_record() -> None:
    with pytest.raises(ContentError) as caught:
        tagged(entry(EXTENSION, module()), platform="macosx_12_0_arm64", constrains=("__osx >=13.1",))
    [problem] = caught.value.problems
    assert problem.what == "'macosx_12_0_arm64' would not be true: the lowest honest tag is 'macosx_14_0_arm64'"
    assert "13.1: __osx >=13.1, stated by pkg" in str(problem.hint)


def test_stated_bound_can_be_ignored_and_is_then_reported() -> None:
    found = tagged(entry(EXTENSION, module()), constrains=("__osx >=13",), floor="symbols")
    assert found.lowest == "macosx_11_0_arm64"
    assert "pkg (__osx >=13)" in found.notes[-1]


def test_intels_floor_may_be_older() -> None:
    found = tagged(entry(EXTENSION, Dylib(kind=BUNDLE, name=None, arch="x86_64", floor=(10, 13))), platform="osx-64")
    assert found.tags == "cp310-cp310-macosx_10_13_x86_64"


def test_extension_for_another_machine_is_refused() -> None:
    with pytest.raises(ContentError, match="a binary of x86_64, not of arm64"):
        tagged(entry(EXTENSION, module(arch="x86_64")))


def test_universal_library_is_edited_for_all_its_machines() -> None:
    data = universal(dylib(Dylib(arch="x86_64")), dylib(Dylib(arch="arm64")))
    found = binaries.read(binary_edits.apply(data, Edits(name="@rpath/new.dylib", sign=True)))
    assert found
    assert (found.name, found.archs) == ("@rpath/new.dylib", ("x86_64", "arm64"))
