"""Own code becomes one more package, in the places where conda would have installed it, and comes back from there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press.project import own_files
from mamba_press.types import OWN, Environment, OwnFile, OwnFiles, Python
from tests.support.values import TARGET, Prefix, specs


@pytest.fixture
def prefix(tmp_path):
    return Prefix(tmp_path / "prefix").package("app", requested=True)


def brought(folder, *files, tags=()):
    folder.mkdir(exist_ok=True)
    made = []
    for scheme, path in files:
        source = folder / path.replace("/", "-")
        source.write_text(path)
        made.append(OwnFile(path=path, source=source, scheme=scheme))
    return OwnFiles(files=tuple(made), tags=tags)


EMPTY = Environment(prefix=None, files=(), packages=(), info={})
SCHEMES = (
    ("platlib", "hello/__init__.py"),
    ("scripts", "hello"),
    ("headers", "deep/hello.h"),
    ("data", "share/hello/x"),
    ("data", "etc/hello.conf"),
)


@pytest.mark.parametrize(
    ("target", "places"),
    [
        (
            TARGET,
            ("bin/hello", "include/python3.10/hi/deep/hello.h", "lib/python3.10/site-packages/hello/__init__.py"),
        ),
        (
            replace(TARGET, system="osx", python=Python(minor=14, free_threaded=True)),
            ("bin/hello", "include/python3.14t/hi/deep/hello.h", "lib/python3.14t/site-packages/hello/__init__.py"),
        ),
        (
            replace(TARGET, system="win"),
            ("Scripts/hello", "Include/hi/deep/hello.h", "Lib/site-packages/hello/__init__.py"),
        ),
    ],
    ids=["linux", "osx", "win"],
)
def test_every_scheme_has_its_place_and_is_found_there(target, places, tmp_path):
    environment = own_files.install(brought(tmp_path, *SCHEMES), EMPTY, target, name="hi")
    assert sorted(file.path for file in environment.files) == sorted([*places, "etc/hello.conf", "share/hello/x"])
    assert {own_files.place(file.path, "hi-1.0") for file in environment.files} == {
        "hello/__init__.py",
        "hi-1.0.data/scripts/hello",
        "hi-1.0.data/headers/deep/hello.h",
        "hi-1.0.data/data/share/hello/x",
        "hi-1.0.data/data/etc/hello.conf",
    }


def test_it_is_one_requested_package_beside_the_others(prefix, tmp_path):
    prefix.add("share/app/x", of="app")
    environment = own_files.install(brought(tmp_path, *SCHEMES), prefix.environment(), TARGET, name="hi")
    assert [(each.name, each.requested) for each in environment.packages] == [("app", True), (OWN, True)]
    assert {file.package for file in environment.files} == {"app", OWN}


def test_nothing_brought_changes_nothing(prefix):
    environment = prefix.environment()
    assert own_files.install(OwnFiles(), environment, TARGET, name="hi") is environment


def test_the_oldest_python_of_a_stable_abi_is_stated(tmp_path):
    tags = ("cp39-abi3-linux_x86_64", "cp311-abi3-linux_x86_64")
    (package,) = own_files.install(brought(tmp_path, *SCHEMES, tags=tags), EMPTY, TARGET, name="hi").packages
    assert package.depends == specs("cpython >=3.9")
    assert not package.is_python
