"""Files that belong into the environment's own folders: put there and taken away again by every installer."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import CondaPackage, dist_info, python_abi, python_package, write_channel
from tests.support.environment import clean_environment, environment

LAB = CondaPackage(
    name="lab-thing",
    version="1.0",
    build="py_0",
    noarch="python",
    depends=("python >=3.8",),
    files={
        "site-packages/lab_thing.py": "",
        **{f"site-packages/{path}": text for path, text in dist_info("lab-thing", "1.0").items()},
        "share/jupyter/labextensions/thing/package.json": "{}\n",
        "etc/jupyter/jupyter_server_config.d/thing.json": "{}\n",
        "share/man/man1/thing.1": ".TH thing 1\n",
        f"include/python{press.HERE}/lab-thing/thing.h": "#define THING\n",
        "share/fish/thing.fish": "# complete\n",
    },
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data-files")
    channel = write_channel(folder / "channel", [LAB, python_package(press.HERE), python_abi(press.HERE)])
    keep = ("-C", "select.include=share/man/**", "-C", f"select.include=include/python{press.HERE}/**")
    move = ("-C", "layout.move.share/fish=.data/data/share/fish")
    asked = ("lab-thing", "-c", channel.root, "--python", press.HERE)
    cache = {"RATTLER_CACHE_DIR": str(folder / "cache")}
    done = press.command("press", *asked, *keep, *move, cwd=folder, environ=cache).ok()
    return folder / done.out.strip()


def expected(root: Path) -> list[Path]:
    scheme = sysconfig.get_paths("venv", {"base": str(root), "platbase": str(root)})
    version = f"python{press.HERE}"
    assert scheme["data"] == str(root)
    return [
        root / "share/jupyter/labextensions/thing/package.json",
        root / "etc/jupyter/jupyter_server_config.d/thing.json",
        root / "share/man/man1/thing.1",
        root / "include/site" / version / "lab-thing/thing.h",
        root / "share/fish/thing.fish",
    ]


def test_pip_puts_them_there_and_takes_them_away(wheel, tmp_path):
    root = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(root)], check=True, env=clean_environment())
    pip = [str(root / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "-q", str(wheel)], check=True, env=clean_environment())
    assert [path for path in expected(root) if not path.is_file()] == []
    subprocess.run([*pip, "uninstall", "-qy", "lab-thing"], check=True, env=clean_environment())
    assert [path for path in expected(root) if path.exists()] == []


def test_uv_puts_them_there_and_takes_them_away(wheel, tmp_path):
    place = environment(tmp_path / "environment")
    place.install("--no-deps", wheel)
    # uv leaves the dash of a name in the folder for headers, as pip does
    assert [path for path in expected(place.root) if not path.is_file()] == []
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "pip", "uninstall", "-q", "--python", str(place.python), "lab-thing"], check=True)
    assert [path for path in expected(place.root) if path.exists()] == []


def test_installer_puts_them_there(wheel, tmp_path):
    root = tmp_path / "root"
    command = [sys.executable, "-m", "installer", "--prefix", str(root), "--no-compile-bytecode", str(wheel)]
    subprocess.run(command, check=True, env=clean_environment())
    found = {path.name for path in root.rglob("*") if path.is_file()}
    assert {"package.json", "thing.json", "thing.1", "thing.h", "thing.fish"} <= found
    assert (root / "share/jupyter/labextensions/thing/package.json").is_file()


def test_record_and_the_bill_of_materials_have_them_where_the_wheel_has_them(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = [name for name in archive.namelist() if ".data/" in name]
        rows = {row[0] for row in csv.reader(io.StringIO(archive.read("lab_thing-1.0.dist-info/RECORD").decode()))}
        bill = json.loads(archive.read("lab_thing-1.0.dist-info/sboms/mamba-press.cdx.json"))
    assert inside == [
        "lab_thing-1.0.data/data/etc/jupyter/jupyter_server_config.d/thing.json",
        "lab_thing-1.0.data/data/share/fish/thing.fish",
        "lab_thing-1.0.data/data/share/jupyter/labextensions/thing/package.json",
        "lab_thing-1.0.data/data/share/man/man1/thing.1",
        "lab_thing-1.0.data/headers/thing.h",
    ]
    assert set(inside) <= rows
    (package,) = [each for each in bill["components"] if each["name"] == "lab-thing"]
    assert set(inside) <= {each["name"] for each in package["components"]}
