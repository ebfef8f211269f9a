"""Wheels for macOS, pressed here: every signature valid, every library found in the wheel or a part of macOS."""

from __future__ import annotations

import json
import posixpath
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.channel import PLACEHOLDER, CondaPackage, Link, python_abi, python_package
from tests.support.environment import clean_environment
from tests.support.macho import BUNDLE, LOAD, WEAK, Dylib, dylib, signature
from tests.support.press import Done, command
from tests.support.shared import SHARED

CHECKER = SHARED / "tools" / "macho_sigcheck.py"
SYSTEM = ("/usr/lib/libSystem.B.dylib", LOAD)
SITE = "lib/python3.10/site-packages"


def library(name: str, *needed: str, **more: object) -> bytes:
    """A signed library for ARM, as conda packages have them."""
    from mamba_press.platforms import binary_edits
    from mamba_press.types import Edits

    names = [(each, LOAD) for each in needed]
    made = dylib(Dylib(name=f"@rpath/{name}", needed=(SYSTEM, *names), search=("@loader_path/",), **more))
    return binary_edits.apply(made, Edits(sign=True))


def module(*needed: str, search: str = "@loader_path/../../../") -> bytes:
    names = [(each, LOAD) for each in needed]
    return dylib(Dylib(kind=BUNDLE, name=None, needed=(SYSTEM, *names), search=(search,)))


def packages(inner: bytes, **more: object) -> list[CondaPackage]:
    """A Python package whose extension needs a library that needs another one."""
    outer = CondaPackage(
        name="libouter",
        version="2.1",
        build="h0_0",
        subdir="osx-arm64",
        files={
            "lib/libouter.2.1.dylib": library("libouter.2.dylib", "@rpath/libinner.1.dylib"),
            "lib/libouter.2.dylib": Link("libouter.2.1.dylib"),
            "lib/libouter.dylib": Link("libouter.2.1.dylib"),
            "lib/libinner.1.dylib": inner,
        },
    )
    user = CondaPackage(
        name="user",
        version="1.0",
        build="py310_0",
        subdir="osx-arm64",
        depends=("libouter", "python 3.10.*", "python_abi 3.10.* *_cp310"),
        files={
            f"{SITE}/user/__init__.py": "from user._user import value\n",
            f"{SITE}/user/_user.cpython-310-darwin.so": module("@rpath/libouter.2.dylib"),
        },
        **more,
    )
    return [outer, user, python_package("3.10", subdir="osx-arm64"), python_abi("3.10")]


@pytest.fixture
def press(make_channel, tmp_path: Path) -> Callable[..., Done]:
    """Press a package of a channel for an ARM Mac."""

    def run(content: list[CondaPackage], *arguments: str, platform: str = "osx-arm64") -> Done:
        channel = make_channel(content)
        options = ["--platform", platform, "--python", "3.10", "-c", str(channel.root), "-o", str(tmp_path / "dist")]
        return command("press", "user", *options, *arguments, "--json", cwd=tmp_path)

    return run


def wheel(done: Done) -> Path:
    return Path(json.loads(done.ok().out)["wheel"])


def needs(data: bytes) -> tuple[str, ...]:
    from mamba_press.platforms import binaries

    found = binaries.read(data)
    assert found
    return found.needed


def test_wheel_finds_its_libraries_from_where_each_file_is(press) -> None:
    path = wheel(press(packages(library("libinner.1.dylib"))))
    assert path.name == "user-1.0-cp310-cp310-macosx_11_0_arm64.whl"
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name.endswith((".so", ".dylib"))}
    names = {name.rpartition("/")[2].split("-")[0]: name for name in files}
    assert sorted(names) == ["_user.cpython", "libinner", "libouter"]
    extension, outer, inner = (names[each] for each in ("_user.cpython", "libouter", "libinner"))
    assert needs(files[extension])[1] == f"@loader_path/_prefix/lib/{posixpath.basename(outer)}"
    assert needs(files[outer])[1] == f"@loader_path/{posixpath.basename(inner)}"
    assert outer.endswith(".2.dylib")
    for name, data in files.items():
        found = signature(data)
        assert found, name
        assert found.bad_pages == 0


def test_other_bytes_of_an_inner_library_give_the_outer_one_another_name(press) -> None:
    first = wheel(press(packages(library("libinner.1.dylib"))))
    names = [each.filename for each in zipfile.ZipFile(first).infolist() if "libouter" in each.filename]
    other = packages(library("libinner.1.dylib", text=b"other\0"))
    second = wheel(press(other, "--force", platform="macosx_11_0_arm64"))
    others = [each.filename for each in zipfile.ZipFile(second).infolist() if "libouter" in each.filename]
    assert names != others


def test_tag_is_the_highest_version_that_a_library_states(press) -> None:
    path = wheel(press(packages(library("libinner.1.dylib", floor=(12, 3)))))
    assert path.name.endswith("-macosx_13_0_arm64.whl")


def test_tag_is_what_a_record_states_where_that_is_more(press) -> None:
    path = wheel(press(packages(library("libinner.1.dylib"), constrains=("__osx >=14.0",))))
    assert path.name.endswith("-macosx_14_0_arm64.whl")


def test_asked_tag_that_would_not_be_true_names_the_library(press) -> None:
    done = press(packages(library("libinner.1.dylib", floor=(13, 0))), platform="macosx_12_0_arm64")
    assert done.code == 5
    assert "the lowest honest tag is 'macosx_13_0_arm64'" in done.err
    assert "libinner" in done.err


def test_library_for_a_later_macos_than_the_deployment_target_is_an_error_that_names_it(make_channel, tmp_path) -> None:
    channel = make_channel(packages(library("libinner.1.dylib", floor=(12, 0))))
    options = ["--platform", "osx-arm64", "--python", "3.10", "-c", channel.root, "-o", tmp_path / "dist"]
    environ = {"MACOSX_DEPLOYMENT_TARGET": "11.0"}
    done = command("press", "user", *options, cwd=tmp_path, environ=environ)
    assert done.code == 5
    assert "MACOSX_DEPLOYMENT_TARGET: 'macosx_11_0_arm64' would not be true" in done.err
    assert "libinner" in done.err
    assert not (tmp_path / "dist").exists()
    command("press", "user", *options, cwd=tmp_path, environ={"MACOSX_DEPLOYMENT_TARGET": "12.0"}).ok()


def test_missing_library_is_an_error_and_a_weak_one_is_not(press) -> None:
    content = packages(library("libinner.1.dylib", "@rpath/libnowhere.dylib"))
    done = press(content)
    assert done.code == 5
    assert "@rpath/libnowhere.dylib" in done.err
    weak = dylib(Dylib(name="@rpath/libinner.1.dylib", needed=(SYSTEM, ("@rpath/libnowhere.dylib", WEAK))))
    assert wheel(press(packages(weak))).is_file()


def test_library_of_the_system_has_to_be_named_by_its_path(press) -> None:
    """No search path of a wheel leads out of it, so what is asked for by @rpath would never be found."""
    content = packages(library("libinner.1.dylib", "@rpath/libodbc.2.dylib"))
    done = press(content, "-C", "link.system=libodbc.dylib")
    assert done.code == 5
    assert "name it in link.system by its path on their machines" in done.err
    path = wheel(press(content, "-C", "link.system=/opt/homebrew/lib/libodbc.dylib"))
    with zipfile.ZipFile(path) as archive:
        inner = next(name for name in archive.namelist() if "libinner" in name)
        assert needs(archive.read(inner))[1] == "/opt/homebrew/lib/libodbc.dylib"


def test_placeholder_in_a_library_is_mended_with_its_signature(press) -> None:
    inner = library("libinner.1.dylib", text=PLACEHOLDER.encode() + b"/share/inner\0")
    done = press(packages(inner))
    with zipfile.ZipFile(wheel(done)) as archive:
        name = next(each for each in archive.namelist() if "libinner" in each)
        data = archive.read(name)
    assert re.search(b"/proc/mamba-press/+share/inner", data)
    found = signature(data)
    assert found
    assert found.bad_pages == 0
    assert "libouter: " in done.err


# --- real packages

PACKAGES = (
    "brotli-python",
    "bzip2",
    "c-ares",
    "ca-certificates",
    "cffi",
    "fmt",
    "krb5",
    "libcurl",
    "libcxx",
    "libedit",
    "libev",
    "libffi",
    "libiconv",
    "libnghttp2",
    "libsqlite",
    "libssh2",
    "libzlib",
    "ncurses",
    "openssl",
    "pycosat",
    "readline",
    "ruamel.yaml.clib",
    "tk",
    "xz",
    "yaml",
    "zstandard",
    "zstd",
)


@pytest.fixture(scope="session")
def real_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real-cache")


@pytest.mark.real
@pytest.mark.parametrize("package", [*PACKAGES, "ruamel.yaml 0.18.*"])
def test_real_package_is_pressed_for_macos(package, forge, real_cache, tmp_path) -> None:
    options = ["--platform", "osx-arm64", "--python", "3.10", "-c", str(forge), "-o", str(tmp_path / "dist")]
    done = command("press", package, *options, "--json", cwd=tmp_path, environ={"RATTLER_CACHE_DIR": str(real_cache)})
    path = wheel(done)
    has_binaries = verify(path, tmp_path / "unpacked")
    assert path.name.endswith("-macosx_11_0_arm64.whl" if has_binaries else "-any.whl")
    oracle = [sys.executable, "-m", "twine", "check", "--strict", str(path)]
    assert subprocess.run(oracle, check=False, capture_output=True, env=clean_environment()).returncode == 0


def verify(path: Path, folder: Path) -> bool:
    """Hold every binary of a wheel to LIEF's view of its libraries, and to the signature check of others."""
    lief = pytest.importorskip("lief", reason="LIEF is what reads the results")
    lief.logging.disable()
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
        names = archive.namelist()
    machos = [name for name in names if (folder / name).read_bytes()[:4] == b"\xcf\xfa\xed\xfe"]
    for name in machos:
        fat = lief.MachO.parse(str(folder / name), lief.MachO.ParserConfig.quick)
        binary = fat.at(0)
        for each in binary.libraries:
            if each.command == lief.MachO.LoadCommand.TYPE.ID_DYLIB:
                continue
            if not each.name.startswith(("/usr/lib/", "/System/")):
                assert each.name.startswith("@loader_path/"), (name, each.name)
                there = posixpath.normpath(posixpath.join(posixpath.dirname(name), each.name[len("@loader_path/") :]))
                assert there in names, (name, each.name)
        assert len({each.path for each in binary.rpaths}) == len(binary.rpaths)
        assert all(each.path.startswith("@loader_path") for each in binary.rpaths)
    if machos and CHECKER.is_file():
        done = subprocess.run(
            [sys.executable, CHECKER, *(folder / name for name in machos)],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("OK ") == len(machos)
    return bool(machos)
