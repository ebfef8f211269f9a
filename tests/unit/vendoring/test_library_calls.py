"""What own code asks the generated module for is found in its sources, and told where it would be asked for in vain."""

from __future__ import annotations

import pytest

from mamba_press.types import OWN, File
from mamba_press.vendoring import library_calls

LIBRARIES = {
    "libgeos_c.so": "lib/libgeos_c.so.1.2",
    "libgeos_c.so.1": "lib/libgeos_c.so.1.2",
    "libhdf5.so.310": "lib/libhdf5.so.310",
    "libhdf5.so.200": "lib/libhdf5.so.200",
    "geos.dll": "Library/bin/geos.dll",
}


def source(folder, text, package=OWN, name="x.py"):
    path = folder / name
    path.write_text(text)
    return File(path=f"lib/python3.10/site-packages/mine/{name}", source=path, package=package, size=0)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from mine._mamba_press import library\nlibrary('geos_c')", {"geos_c"}),
        ("from ._mamba_press import library as find\nx = ffi.dlopen(find('geos_c'))", {"geos_c"}),
        (
            "from mine import _mamba_press\n_mamba_press.library('geos_c'); _mamba_press.library('png')",
            {"geos_c", "png"},
        ),
        ("def library(x): ...\nlibrary('geos_c')", set()),
        ("from ._mamba_press import library\nlibrary(", set()),
    ],
    ids=["from", "as", "module", "another function", "no Python"],
)
def test_calls_are_read_from_the_source(text, names, tmp_path):
    assert library_calls.calls(source(tmp_path, text)) == library_calls.Calls(names=frozenset(names))


def test_where_the_argument_is_no_string_any_string_may_be_meant(tmp_path):
    text = "from ._mamba_press import library\nNAMES = {'linux': 'geos_c', 'win32': 'geos'}\nlibrary(NAMES[platform])"
    opened, problems = library_calls.read([source(tmp_path, text)], LIBRARIES)
    assert list(opened.values()) == [("Library/bin/geos.dll", "lib/libgeos_c.so.1.2")]
    assert problems == ()


def test_packages_have_a_module_of_their_own(tmp_path):
    text = "from mine._mamba_press import library\nlibrary('geos_c')"
    assert library_calls.calls(source(tmp_path, text, package="mine")) == library_calls.Calls()


@pytest.mark.parametrize("name", ["geos_c", "libgeos_c", "libgeos_c.so", "libgeos_c.so.1"])
def test_every_spelling_that_the_module_takes_is_found(name, tmp_path):
    text = f"from ._mamba_press import library\nlibrary({name!r})"
    opened, _ = library_calls.read([source(tmp_path, text)], LIBRARIES)
    assert list(opened.values()) == [("lib/libgeos_c.so.1.2",)]


def test_what_is_not_there_and_what_is_there_twice_is_told(tmp_path):
    text = "from ._mamba_press import library\nlibrary('geosc')\nlibrary('hdf5')\nlibrary('zzz')"
    first, second, third = map(str, library_calls.read([source(tmp_path, text)], LIBRARIES)[1])
    assert "'geosc', which no package of the solution has" in first
    assert "did you mean 'geos_c'?" in first
    assert "may be any of lib/libhdf5.so.200, lib/libhdf5.so.310" in second
    assert "host = [" in third
