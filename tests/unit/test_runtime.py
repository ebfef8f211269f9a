from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from mamba_press import runtime

LIBRARIES = {
    "libcurl.so.4": "_prefix/lib/libcurl-1a2b3c4d.so.4",
    "libtcl8.6.so": "_prefix/lib/libtcl8.6.so",
    "libssl.3.dylib": "_prefix/lib/libssl.3.dylib",
    "zlib1.dll": "zlib1.dll",
    "libfoo.so.1": "_prefix/lib/libfoo-1.so.1",
    "libfoo.so.2": "_prefix/lib/libfoo-2.so.2",
    "libbar.so": "_prefix/lib/libbar.so.7",
    "libbar.so.7": "_prefix/lib/libbar.so.7",
}


@pytest.fixture
def generated(tmp_path):
    (tmp_path / runtime.MODULE).write_bytes(runtime.module(LIBRARIES))
    namespace = {"__file__": str(tmp_path / runtime.MODULE), "__name__": "_mamba_press"}
    exec(compile(runtime.module(LIBRARIES), runtime.MODULE, "exec"), namespace)
    return namespace


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("libcurl.so.4", "_prefix/lib/libcurl-1a2b3c4d.so.4"),
        ("libcurl-1a2b3c4d.so.4", "_prefix/lib/libcurl-1a2b3c4d.so.4"),
        ("libcurl", "_prefix/lib/libcurl-1a2b3c4d.so.4"),
        ("libcurl.so", "_prefix/lib/libcurl-1a2b3c4d.so.4"),
        ("curl", "_prefix/lib/libcurl-1a2b3c4d.so.4"),
        ("tcl8.6", "_prefix/lib/libtcl8.6.so"),
        ("ssl", "_prefix/lib/libssl.3.dylib"),
        ("zlib1", "zlib1.dll"),
        ("foo.so.1", None),
        ("libfoo.so.2", "_prefix/lib/libfoo-2.so.2"),
        ("bar", "_prefix/lib/libbar.so.7"),
    ],
)
def test_library_is_found_by_file_name_wheel_name_and_bare_name(generated, tmp_path, name, path):
    if path is None:
        with pytest.raises(FileNotFoundError):
            generated["library"](name)
    else:
        assert generated["library"](name) == str(tmp_path / path)


def test_unknown_library_is_an_error_that_names_near_ones(generated):
    with pytest.raises(FileNotFoundError, match=r"no library 'libcurl\.so\.5': did you mean .*libcurl\.so\.4"):
        generated["library"]("libcurl.so.5")


def test_bare_name_of_two_libraries_is_an_error_that_names_both(generated):
    with pytest.raises(LookupError, match=r"may be any of libfoo\.so\.1, libfoo\.so\.2"):
        generated["library"]("foo")


def test_wheel_without_libraries_says_that_it_has_none():
    namespace = {"__file__": "x", "__name__": "x"}
    exec(runtime.module({}), namespace)
    with pytest.raises(FileNotFoundError, match="no library 'curl': it has none"):
        namespace["library"]("curl")


def test_prefix_lies_beside_the_module(generated, tmp_path):
    assert generated["prefix"] == tmp_path / "_prefix"


def test_same_libraries_give_the_same_bytes_in_any_order():
    assert runtime.module(dict(reversed(LIBRARIES.items()))) == runtime.module(LIBRARIES)


def test_module_is_python_3_6():
    ast.parse(runtime.module(LIBRARIES), feature_version=(3, 6))


def test_module_imports_only_os_and_pathlib_at_once(tmp_path):
    (tmp_path / "__init__.py").write_bytes(runtime.init("some-name"))
    (tmp_path / runtime.MODULE).write_bytes(runtime.module(LIBRARIES))
    code = (
        "import os, pathlib, sys; before = set(sys.modules)\n"
        f"sys.path.insert(0, {str(tmp_path.parent)!r})\n"
        f"import {tmp_path.name}._mamba_press\n"
        "print(sorted(set(sys.modules) - before))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(answer.stdout) == [tmp_path.name, f"{tmp_path.name}._mamba_press"]
