from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.project.backend import environment
from mamba_press.project.backend.environment import Place
from mamba_press.types import NEUTRAL

ENVIRON = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def place(tmp_path: Path, **changed: object) -> Place:
    given = {"system": "linux", "root": tmp_path, "work": tmp_path / "work", **changed}
    return Place(**given)  # type: ignore[arg-type]


HOST, BUILD, SITE = Path("/w/host"), Path("/w/build"), "/iso/lib/python3.11/site-packages"

WHOLE = Place(
    system="linux",
    root=Path("/project"),
    work=Path("/w/tmp"),
    host=HOST,
    programs=("/iso/bin",),
    sites=(SITE,),
    headers="/opt/python/include/python3.11",
)

USER = {
    "PATH": "/iso/bin:/usr/bin",
    "CPATH": "/mine/include",
    "LDFLAGS": "-Wl,-z,now",
    "CPPFLAGS": "-DMINE",
    "CMAKE_ARGS": "-DMINE=1",
    "CFLAGS": "-O1",
    "HOME": "/home/me",
    "SDKROOT": "/sdk",
}


def test_the_prefix_is_found_by_compilers_and_by_build_tools():
    found = environment.environment({}, WHOLE)
    assert found["CMAKE_PREFIX_PATH"] == "/w/host"
    assert found["PKG_CONFIG_PATH"] == "/w/host/lib/pkgconfig:/w/host/share/pkgconfig"
    assert found["CPATH"] == "/w/host/include"
    assert found["LIBRARY_PATH"] == "/w/host/lib"
    assert found["LDFLAGS"] == "-L/w/host/lib -Wl,-rpath,/w/host/lib"


def test_pkg_config_names_the_folders_of_the_prefix_for_scripts_that_look_there_themselves(tmp_path):
    command = shutil.which("pkg-config") or pytest.skip("pkg-config is not on this machine")
    folder = tmp_path / "host" / "lib" / "pkgconfig"
    folder.mkdir(parents=True)
    text = (
        f"Name: hdf5\nDescription: -\nVersion: 1\nLibs: -L{tmp_path}/host/lib -lhdf5\nCflags: -I{tmp_path}/host/include"
    )
    (folder / "hdf5.pc").write_text(text + "\n")
    found = environment.environment(ENVIRON, replace(WHOLE, host=tmp_path / "host"))
    told = subprocess.run(
        [command, "--cflags", "--libs", "hdf5"], env=found, check=True, capture_output=True, text=True
    )
    assert told.stdout.split() == [f"-I{tmp_path}/host/include", f"-L{tmp_path}/host/lib", "-lhdf5"]


def test_what_the_user_lets_pkg_config_say_stays():
    user = {"PKG_CONFIG_ALLOW_SYSTEM_LIBS": ""}
    assert environment.environment(user, WHOLE)["PKG_CONFIG_ALLOW_SYSTEM_LIBS"] == ""


def test_programs_of_the_prefix_come_after_the_isolated_builds_and_before_the_machines():
    assert environment.environment(USER, WHOLE)["PATH"] == "/iso/bin:/w/host/bin:/usr/bin"
    assert environment.environment({"PATH": "/usr/bin:/iso/bin"}, WHOLE)["PATH"] == "/w/host/bin:/usr/bin:/iso/bin"


def test_what_the_user_has_set_stays_behind_what_is_ours():
    found = environment.environment(USER, WHOLE)
    assert found["CPATH"] == "/w/host/include:/mine/include"
    for name in ("LDFLAGS", "CPPFLAGS", "CMAKE_ARGS"):
        assert found[name].endswith(f" {USER[name]}")


def test_nothing_else_is_changed():
    found = environment.environment(USER, WHOLE)
    assert {name: found[name] for name in ("CFLAGS", "HOME", "SDKROOT")} == {
        "CFLAGS": "-O1",
        "HOME": "/home/me",
        "SDKROOT": "/sdk",
    }
    added = {"PATH", "CPATH", "LIBRARY_PATH", "CMAKE_PREFIX_PATH", "PKG_CONFIG_PATH", "LDFLAGS", "CPPFLAGS"}
    added |= {"PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "PKG_CONFIG_ALLOW_SYSTEM_LIBS"}
    assert found.keys() - USER.keys() <= added | {"CMAKE_ARGS", "CARGO_BUILD_RUSTFLAGS", "TMPDIR", "TEMP", "TMP"}


def test_paths_of_this_machine_are_mapped_the_narrowest_last():
    maps = [flag for flag in environment.environment({}, WHOLE)["CPPFLAGS"].split() if "prefix-map" in flag]
    assert maps == [
        f"-ffile-prefix-map=/w/tmp={NEUTRAL}/work",
        f"-ffile-prefix-map=/w/host={NEUTRAL}",
        "-ffile-prefix-map=/project=.",
        f"-ffile-prefix-map=/opt/python/include/python3.11={NEUTRAL}/include/python3.11",
        f"-ffile-prefix-map={SITE}={NEUTRAL}/site-packages",
    ]


def test_cmake_can_take_nothing_away_from_flags_with_spaces():
    place = replace(
        WHOLE, root=Path("/my project"), work=Path("/w/my tmp"), host=Path("/w/my host"), headers=None, sites=()
    )
    found = environment.environment({}, place)
    flags = shlex.split(found["CPPFLAGS"])
    for setting in shlex.split(found["CMAKE_ARGS"]):
        name, _, value = setting.partition("=")
        assert name.startswith("-DCMAKE_")
        # as cmCacheManager::ParseEntry has it
        taken = value[1:-1] if value[:1] == value[-1:] == "'" else value
        assert shlex.split(taken) == flags


def test_without_host_packages_only_paths_are_mapped():
    bare = Place(system="linux", root=Path("/project"), work=Path("/w/tmp"))
    found = environment.environment({"PATH": "/usr/bin"}, bare)
    assert found["PATH"] == "/usr/bin"
    assert found.keys() == {"PATH", "CPPFLAGS", "CMAKE_ARGS", "CARGO_BUILD_RUSTFLAGS", "TMPDIR", "TEMP", "TMP"}


@pytest.mark.parametrize(
    ("environ", "name", "end"),
    [
        ({}, "CARGO_BUILD_RUSTFLAGS", f"--remap-path-prefix={SITE}={NEUTRAL}/site-packages"),
        ({"RUSTFLAGS": "-Copt-level=1"}, "RUSTFLAGS", " -Copt-level=1"),
        ({"CARGO_ENCODED_RUSTFLAGS": "-C\x1fx"}, "CARGO_ENCODED_RUSTFLAGS", "\x1f-C\x1fx"),
    ],
)
def test_rustc_is_told_by_the_variable_that_cargo_will_read(environ, name, end):
    found = environment.environment(environ, WHOLE)
    assert [each for each in found if "RUSTFLAGS" in each] == [name]
    assert "--remap-path-prefix=/w/host=" in found[name]
    assert found[name].endswith(end)


def test_a_prefix_that_stays_is_not_mapped_away_and_is_in_the_flags():
    lasting = Place(system="linux", root=Path("/project"), work=Path("/w/tmp"), host=HOST, stays=True)
    found = environment.environment({}, lasting)
    assert "-isystem /w/host/include" in found["CPPFLAGS"]
    assert "CPATH" not in found
    assert not any("prefix-map" in value or "remap-path" in value for value in found.values())
    assert not any("prefix-map" in value for value in environment.environment({}, replace(lasting, host=None)).values())


def test_paths_with_spaces_are_quoted_where_flags_are_split():
    spaced = Place(system="linux", root=Path("/my project"), work=Path("/w/tmp"))
    found = environment.environment({}, spaced)
    assert "'-ffile-prefix-map=/my project=.'" in found["CPPFLAGS"]
    assert "/my project" not in found["CARGO_BUILD_RUSTFLAGS"]


def test_on_windows_the_prefix_is_where_conda_has_it_there():
    windows = Place(system="win", root=Path("/project"), work=Path("/w/tmp"), host=HOST)
    found = environment.environment({"INCLUDE": "sdk"}, windows)
    assert found["INCLUDE"] == os.pathsep.join([str(HOST / "Library" / "include"), "sdk"])
    assert found["LIB"] == str(HOST / "Library" / "lib")
    assert found["CMAKE_PREFIX_PATH"] == str(HOST / "Library")
    assert str(HOST / "Library" / "bin") in found["PATH"]
    assert "CPPFLAGS" not in found


def test_compilers_of_a_build_prefix_are_named_unless_the_user_names_others(tmp_path):
    names = ["x86_64-conda-linux-gnu-cc", "x86_64-conda-linux-gnu-c++", "x86_64-conda-linux-gnu-gfortran", "ninja"]
    (tmp_path / "bin").mkdir()
    for name in names:
        (tmp_path / "bin" / name).touch()
    found = environment.environment({"CXX": "mine", "PATH": "/usr/bin"}, place(tmp_path, build=tmp_path))
    assert found["CC"] == str(tmp_path / "bin" / names[0])
    assert found["FC"] == str(tmp_path / "bin" / names[2])
    assert found["CXX"] == "mine"
    assert found["PATH"] == f"{tmp_path / 'bin'}:/usr/bin"


def test_an_isolated_build_is_told_from_the_machines_python(monkeypatch):
    monkeypatch.setattr(
        sys, "path", ["", "/overlay/lib/python3.11/site-packages", f"{sys.base_prefix}/lib/p/site-packages"]
    )
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    programs, sites = environment.isolated()
    assert programs == ("/overlay/bin",)
    assert sites[0] == "/overlay/lib/python3.11/site-packages"
