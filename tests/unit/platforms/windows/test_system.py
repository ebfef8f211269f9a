from __future__ import annotations

import os
from pathlib import Path

import pytest

from mamba_press.platforms import strings
from mamba_press.platforms.windows import system as windows
from mamba_press.vendoring import runtime_module
from tests.support.windows import Dll, dll


@pytest.mark.parametrize(
    "name",
    [
        *("KERNEL32.dll", "ws2_32.DLL", "api-ms-win-crt-heap-l1-1-0.dll", "ext-ms-win-x.dll", "ucrtbase.dll"),
        *("WINSPOOL.DRV", "nvcuda.dll", "icuuc.dll"),
    ],
)
def test_windows_and_its_drivers_have_these(name) -> None:
    assert windows.why_system(name)


@pytest.mark.parametrize("name", ["zlib.dll", "msvcp140.dll", "vcruntime140.dll", "libcrypto-3-x64.dll", "kernel32"])
def test_windows_does_not_have_these_for_certain(name) -> None:
    assert bool(windows.why_system(name)) == (name == "kernel32")


def test_what_delvewheel_packs_of_visual_c_is_not_taken_for_windows_own() -> None:
    known = pytest.importorskip("delvewheel._dll_list")
    names = [name for name in known.ignore_names_x64 if known.vc_redist.fullmatch(name)]
    names += ["msvcp140.dll", "msvcp140_1.dll", "vcruntime140.dll", "vcomp140.dll", "concrt140.dll", "mfc140u.dll"]
    taken = {name for name in names if windows.why_system(name)}
    # Visual C 6 is a part of Windows itself.
    assert taken <= {"mfc42.dll", "mfc42u.dll", "msvcirt.dll", "msvcp60.dll", "msvcrt.dll", "ucrtbase.dll"}


@pytest.mark.parametrize(
    ("needed", "abi"),
    [
        (("python310.dll", "KERNEL32.dll"), "cp310"),
        (("PYTHON314t.dll",), "cp314t"),
        (("python3.dll",), "abi3"),
        (("python3.dll", "python312.dll"), "cp312"),
        (("python3t.dll",), "abi3t"),
        (("zlib.dll",), None),
    ],
)
def test_what_a_module_imports_python_from_says_for_which_it_is(needed, abi) -> None:
    assert windows.python_abi(needed) == abi


# --- names that occur as strings


def found(tmp_path: Path, data: bytes) -> frozenset[str]:
    path = tmp_path / "file"
    path.write_bytes(data)
    return strings.look(path).names


def test_names_of_imports_and_of_the_library_itself_are_no_names_that_it_opens(tmp_path: Path) -> None:
    data = dll(Dll(imports={"inner.dll": ["a"]}, delayed={"late.dll": ["b"]}, forwards={"also": "other.thing"}))
    assert found(tmp_path, data) == frozenset()


def test_names_in_the_data_are_found_in_both_widths_and_in_lower_case(tmp_path: Path) -> None:
    text = b"see Plugin.dll\0" + "Wide-1.DLL\0".encode("utf-16-le")
    assert found(tmp_path, dll(Dll(text=text, imports={"inner.dll": ["a"]}))) >= {"plugin.dll", "wide-1.dll"}


def test_name_that_is_imported_and_opened_is_found(tmp_path: Path) -> None:
    assert found(tmp_path, dll(Dll(text=b"inner.dll\0", imports={"inner.dll": ["a"]}))) == {"inner.dll"}


def test_names_of_dlls_are_found_in_python_sources(tmp_path: Path) -> None:
    assert found(tmp_path, b"CDLL('Foo.dll'); CDLL('x.dllish')") == {"foo.dll"}


# --- the module that adds folders


def executed(text: bytes, folder: Path) -> dict[str, object]:
    path = folder / runtime_module.MODULE
    path.write_bytes(text)
    namespace: dict[str, object] = {"__file__": str(path), "__name__": "_mamba_press"}
    exec(compile(text, str(path), "exec"), namespace)
    return namespace


@pytest.mark.parametrize("made", ["whole", "small"])
def test_module_adds_folders_keeps_them_and_puts_them_first_on_the_path(tmp_path: Path, monkeypatch, made) -> None:
    (tmp_path / "_prefix/Library/bin").mkdir(parents=True)
    folders = ("_prefix/Library/bin", "_prefix/gone")
    handed = []
    monkeypatch.setattr(os, "add_dll_directory", lambda folder: handed.append(folder) or "kept", raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join(["/one", "/two"]))
    text = runtime_module.module({}, folders=folders) if made == "whole" else runtime_module.folders_module(folders)
    ours = str(tmp_path / "_prefix/Library/bin")
    for _ in range(2):
        namespace = executed(text, tmp_path)
        assert namespace["_added"] == ["kept"]
    assert handed == [ours, ours]
    assert os.environ["PATH"].split(os.pathsep) == [ours, "/one", "/two"]
    assert runtime_module.folders_of(text) == folders


def test_module_works_where_python_has_no_way_to_add_a_folder(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.delattr(os, "add_dll_directory", raising=False)
    monkeypatch.delenv("PATH")
    assert executed(runtime_module.folders_module(("bin",)), tmp_path)["_added"] == []
    assert os.environ["PATH"] == str(tmp_path / "bin")


def test_module_without_folders_says_nothing_of_them() -> None:
    assert b"folders" not in runtime_module.module({"a.dll": "a.dll"})
    assert runtime_module.folders_of(runtime_module.module({})) == ()


# --- names of files


@pytest.mark.parametrize(
    "path", ["demo/A::B.3", "what?", "demo/aux.py", "nul", "COM1/x", "demo/end.", "demo /x", "a|b"]
)
def test_some_names_no_file_can_have_on_windows(path):
    assert windows.why_impossible(path)


@pytest.mark.parametrize(
    "path", ["demo/__init__.py", "auxiliary.py", "com10.txt", "a b/.hidden", "größe+,.txt", "con_"]
)
def test_other_names_it_can(path):
    assert windows.why_impossible(path) is None
