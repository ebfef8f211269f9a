"""Large packages of which nothing stays are not installed, and nothing in a wheel or in what is told says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.conda import spare
from mamba_press.pipeline import build, read_project
from mamba_press.types import Package, Pressed
from tests.support import press
from tests.support.channel import PLACEHOLDER, CondaPackage, Content, FileSpec, Link, write_channel
from tests.support.compile import Linking, shared_library

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

DATA = {f"share/large/{number:03}/{'a-long-name-' * 4}.txt": f"{number}\n" for number in range(200)}


@pytest.fixture
def packages(tmp_path) -> dict[str, CondaPackage]:
    """A requested library that needs another one, which depends on a large package and does not need it."""
    large = shared_library(tmp_path / "liblarge.so.1", "int large(void) { return 1; }", Linking(soname="liblarge.so.1"))
    near = shared_library(tmp_path / "libnear.so.1", "int near(void) { return 2; }", Linking(soname="libnear.so.1"))
    own = shared_library(
        tmp_path / "libown.so.1",
        "int near(void); int own(void) { return near(); }",
        Linking(soname="libown.so.1", needed=(near,), rpath="$ORIGIN"),
    )
    files: dict[str, FileSpec] = {
        "lib/liblarge.so.1": large,
        "lib/liblarge.so": Link("liblarge.so.1"),
        "lib/large": Link("../share/large"),
        "lib/pkgconfig/large.pc": f"prefix={PLACEHOLDER}\nlibdir={PLACEHOLDER}/lib\n",
        "lib/large.bin": Content(b"\0" + PLACEHOLDER.encode() + b"/share\0", mode="binary"),
        "bin/large": Content("#!/bin/sh\n", executable=True),
        **DATA,
    }
    return {
        "own": CondaPackage(name="own", depends=("near",), files={"lib/libown.so.1": own}),
        "near": CondaPackage(name="near", depends=("large",), files={"lib/libnear.so.1": near}),
        "large": CondaPackage(name="large", files=files),
    }


def pressed(folder: Path, packages: Mapping[str, CondaPackage], table: str = "") -> tuple[list[bool], list[str]]:
    """Press twice, with a cold and with a warm cache: whether large was installed, and what is told of each."""
    channel = write_channel(folder / "channel", [*packages.values(), *press.greeting_packages(folder)[-2:]])
    root = press.project(
        folder / "project",
        f'channels = ["{channel.root}"]\npackages = ["own"]\npython = "{press.HERE}"\n{table}',
        name="own",
    )
    environ = press.settings(RATTLER_CACHE_DIR=str(folder / "cache"))
    installed, told = [], []
    for _ in range(2):
        with build.pressed(read_project.order(root, None, environ)) as result:
            installed.append(is_installed(result))
        done = press.command("list", root, "--json", cwd=root, environ=environ)
        told.append(done.out + done.err)
    return installed, told


def is_installed(result: Pressed) -> bool:
    assert result.prefix is not None
    return any(result.prefix.glob("conda-meta/large-*.json"))


def test_a_large_package_of_which_nothing_stays_is_not_installed(packages, tmp_path):
    installed, told = pressed(tmp_path, packages)
    assert installed == [True, False]
    assert told[0] == told[1]


def test_what_is_told_of_a_package_is_the_same_whether_it_is_installed_or_not(packages, tmp_path, monkeypatch):
    channel = write_channel(tmp_path / "channel", [*packages.values(), *press.greeting_packages(tmp_path)[-2:]])
    table = f'channels = ["{channel.root}"]\npackages = ["own"]\npython = "{press.HERE}"\n'
    root = press.project(tmp_path / "project", table, name="own")
    order = read_project.order(root, None, press.settings(RATTLER_CACHE_DIR=str(tmp_path / "cache")))
    found = []
    for _ in range(2):
        with build.pressed(order) as result:
            found.append(result)
    cold, warm = found
    assert len(cold.selection.dropped) > 2 * len(DATA)
    assert warm.selection.dropped == cold.selection.dropped
    assert warm.notes == cold.notes
    assert [entry.path for entry in warm.wheel.entries] == [entry.path for entry in cold.wheel.entries]


def test_a_large_package_that_is_needed_is_installed(packages, tmp_path):
    library = tmp_path / "liblarge.so.1"
    near = shared_library(
        tmp_path / "more" / "libnear.so.1",
        "int large(void); int near(void) { return large(); }",
        Linking(soname="libnear.so.1", needed=(library,), rpath="$ORIGIN"),
    )
    packages["near"] = replace(packages["near"], files={"lib/libnear.so.1": near})
    installed, _ = pressed(tmp_path, packages)
    assert installed == [True, True]


def test_a_large_package_whose_archive_nothing_vouches_for_is_installed_and_told_each_time(packages, tmp_path):
    channel = write_channel(tmp_path / "channel", [*packages.values(), *press.greeting_packages(tmp_path)[-2:]])
    for index in channel.root.glob("*/repodata.json"):
        text = json.loads(index.read_text())
        for name, record in (text["packages"] | text.get("packages.conda", {})).items():
            if name.startswith("large-"):
                record.pop("sha256", None)
                record.pop("md5", None)
        index.write_text(json.dumps(text))
    call = ("press", "own", "-c", channel.root, "-o", "dist", "--python", press.HERE, "--force")
    environ = press.settings(RATTLER_CACHE_DIR=str(tmp_path / "cache"))
    told = [press.command(*call, cwd=tmp_path, environ=environ).ok().err for _ in range(2)]
    assert ["the channel states no hash" in text for text in told] == [True, True]


def test_a_large_package_that_is_opened_by_name_is_installed_after_all(packages, tmp_path):
    code = 'import ctypes\n\nLARGE = ctypes.CDLL("liblarge.so.1")\n'
    files = {**packages["own"].files, f"lib/python{press.HERE}/site-packages/own/__init__.py": code}
    packages["own"] = replace(packages["own"], files=files)
    installed, told = pressed(tmp_path, packages)
    assert installed == [True, True]
    assert "liblarge" in told[1]
    assert told[0] == told[1]


def test_a_large_package_to_which_a_link_of_another_leads_is_installed(packages, tmp_path):
    files = {**packages["near"].files, "share/near.txt": Link("large/007")}
    packages["near"] = replace(packages["near"], files=files)
    installed, told = pressed(tmp_path, packages)
    assert installed == [True, True]
    assert told[0] == told[1]


def test_a_large_package_that_shares_a_path_is_installed(packages, tmp_path):
    files = {**packages["near"].files, next(iter(DATA)): "another\n"}
    packages["near"] = replace(packages["near"], files=files)
    installed, told = pressed(tmp_path, packages)
    assert installed == [True, True]
    assert told[0] == told[1]


@pytest.mark.parametrize("table", ['host = ["large"]', '[tool.mamba-press.select]\ninclude = ["share/large/000/*"]'])
def test_a_large_package_is_installed_where_more_than_libraries_decides(table, packages, tmp_path):
    assert pressed(tmp_path, packages, table)[0] == [True, True]


@pytest.mark.parametrize("what", ["list", "link", "file", "circle", "size"])
def test_a_cached_package_that_is_odd_is_installed(what, packages, tmp_path):
    """What is wrong with it is told by who installs it."""
    pressed(tmp_path, packages)
    folders = {path.name.split("-")[0]: path for path in (tmp_path / "cache" / "pkgs").glob("*-*-*") if path.is_dir()}
    folders = {name: folders[name] for name in packages}
    listed = folders["large"] / "info" / "paths.json"
    asked = [package_of(name, requested=name == "own") for name in packages]
    assert set(spare.spare(asked, folders, "/x")) == {"large"}
    if what == "list":
        listed.write_text("{" * 50_000)
    elif what == "link":
        folders["large"].joinpath("lib", "liblarge.so").unlink()
        folders["large"].joinpath("lib", "liblarge.so").symlink_to("/etc/passwd")
    elif what == "file":
        path = folders["large"] / next(iter(DATA))
        path.unlink()
        path.symlink_to("/etc/passwd")
    elif what == "circle":
        folders["large"].joinpath("lib", "large").unlink()
        folders["large"].joinpath("lib", "large").symlink_to("large")
    else:
        entries = json.loads(listed.read_text())
        del entries["paths"][0]["size_in_bytes"]
        listed.write_text(json.dumps(entries))
    assert spare.spare(asked, folders, "/x") == {}


def package_of(name: str, *, requested: bool) -> Package:
    return Package(
        name=name,
        version="1.0",
        build="0",
        build_number=0,
        channel="",
        subdir="linux-64",
        url="",
        file_name="",
        sha256="0" * 64,
        requested=requested,
    )
