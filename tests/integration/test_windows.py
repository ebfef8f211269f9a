"""Wheels for Windows, pressed here: every DLL found where Windows looks, and loaded by wine as CPython loads it."""

from __future__ import annotations

import json
import posixpath
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.vendoring import runtime_module
from tests.support import shared, windows
from tests.support.channel import CondaPackage, dist_info, python_abi, python_package
from tests.support.environment import clean_environment
from tests.support.press import Done, command
from tests.support.windows import Dll, dll

SITE = "Lib/site-packages"
PYTHON = {"python310.dll": ["Py_None"]}


def package(name: str, files: Mapping[str, object], *depends: str, is_python: bool = True) -> CondaPackage:
    python = ("python 3.10.*", "python_abi 3.10.* *_cp310") if is_python else ()
    return CondaPackage(
        name=name, version="1.0", build="0", subdir="win-64", depends=(*depends, *python), files=dict(files)
    )


def library(name: str, *needed: str, **more: object) -> bytes:
    return dll(Dll(name=name, imports={"KERNEL32.dll": ["Sleep"], **{each: ["value"] for each in needed}}, **more))


def extension(*needed: str) -> bytes:
    return dll(Dll(name="_user.pyd", imports={**PYTHON, **{each: ["value"] for each in needed}}))


def chain(**more: object) -> CondaPackage:
    """Two DLLs, one of which needs the other, and what only developers want."""
    files = {
        "Library/bin/outer.dll": library("outer.dll", "INNER.dll"),
        "Library/bin/inner.dll": library("inner.dll", **more),
        "Library/lib/outer.lib": b"!<arch>\n",
        "Library/bin/outer.pdb": b"Microsoft C/C++ MSF 7.00",
        "Library/include/outer.h": "int value(void);\n",
    }
    return package("outer", files, is_python=False)


def user(files: Mapping[str, object] | None = None) -> CondaPackage:
    found = files or {
        f"{SITE}/user/__init__.py": '"""Uses it."""\nfrom user._user import value\n',
        f"{SITE}/user/_user.cp310-win_amd64.pyd": extension("outer.dll"),
    }
    return package("user", found, "outer")


PYTHONS = [python_package("3.10", subdir="win-64"), python_abi("3.10")]


@pytest.fixture
def press(make_channel, tmp_path: Path) -> Callable[..., Done]:
    """Press packages of a channel for Windows."""

    def run(content: list[CondaPackage], *arguments: str, specs: tuple[str, ...] = ("user",)) -> Done:
        channel = make_channel([*content, *PYTHONS])
        options = ["--platform", "win-64", "--python", "3.10", "-c", str(channel.root), "-o", str(tmp_path / "dist")]
        return command("press", *specs, *options, *arguments, "--json", cwd=tmp_path)

    return run


def wheel(done: Done) -> Path:
    return Path(json.loads(done.ok().out)["wheel"])


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def needs(data: bytes) -> tuple[str, ...]:
    found = binaries.read(data)
    assert found
    return found.needed


def dlls(files: Mapping[str, bytes]) -> dict[str, str]:
    """The DLLs of a wheel by the first part of their names."""
    found = [name for name in files if name.lower().endswith(".dll")]
    return {posixpath.basename(name).partition("-")[0].partition(".")[0]: name for name in found}


def test_package_imports_first_what_adds_the_folder_with_its_dlls(press) -> None:
    path = wheel(press([chain(), user()]))
    assert path.name == "user-1.0-cp310-cp310-win_amd64.whl"
    files = contents(path)
    found = dlls(files)
    assert sorted(found) == ["inner", "outer"]
    assert all(name.startswith("user/_prefix/Library/bin/") for name in found.values())
    assert needs(files["user/_user.cp310-win_amd64.pyd"]) == ("python310.dll", posixpath.basename(found["outer"]))
    assert needs(files[found["outer"]]) == ("KERNEL32.dll", posixpath.basename(found["inner"]))
    init = files["user/__init__.py"].decode().splitlines()
    assert init[0] == '"""Uses it."""'
    assert "_mamba_press" in init[1]
    assert runtime_module.folders_of(files["user/_mamba_press.py"]) == ("_prefix/Library/bin",)
    assert not [name for name in files if name.endswith((".lib", ".pdb", ".h"))]


def test_other_bytes_of_an_inner_library_give_the_outer_one_another_name(press) -> None:
    first = dlls(contents(wheel(press([chain(), user()]))))
    second = dlls(contents(wheel(press([chain(text=b"other"), user()], "--name", "second"))))
    assert posixpath.basename(first["outer"]) != posixpath.basename(second["outer"])


def test_dlls_lie_beside_a_module_at_the_top_and_beside_one_in_a_namespace_package(press) -> None:
    files = {
        f"{SITE}/alone.cp310-win_amd64.pyd": extension("outer.dll"),
        f"{SITE}/space/_one.cp310-win_amd64.pyd": extension("inner.dll"),
    }
    done = press([chain(), user(files)])
    found = sorted(name for name in contents(wheel(done)) if name.endswith(".dll"))
    assert [posixpath.dirname(name) for name in found] == ["", "", "space"]
    assert "DLLs lie beside the extensions" in done.err


def test_wheel_for_arm_takes_what_is_for_arm(make_channel, tmp_path: Path) -> None:
    arm = {"subdir": "win-arm64", "build": "py310_0", "depends": ("python 3.10.*",)}
    inner = library("inner.dll", arch="aarch64")
    module = dll(Dll(name="_user.pyd", arch="aarch64", imports={**PYTHON, "inner.dll": ["value"]}))
    made = {
        f"{SITE}/user/__init__.py": "",
        f"{SITE}/user/_user.cp310-win_arm64.pyd": module,
        f"{SITE}/user/launcher.exe": dll(Dll(is_library=False, name=None)),
        "Library/bin/inner.dll": inner,
    }
    channel = make_channel([CondaPackage(name="user", files=made, **arm), python_package("3.10", subdir="win-arm64")])
    options = ["--platform", "win_arm64", "--python", "3.10", "-c", str(channel.root), "-o", str(tmp_path / "dist")]
    done = command("press", "user", *options, "--json", cwd=tmp_path)
    assert wheel(done).name == "user-1.0-cp310-cp310-win_arm64.whl"
    assert "for another machine: Lib/site-packages/user/launcher.exe" in done.err


def test_library_that_a_package_opens_by_name_keeps_its_name_and_its_folder_is_added(press) -> None:
    files = {f"{SITE}/user/__init__.py": "import ctypes\nouter = ctypes.CDLL('Outer.dll')\n"}
    found = contents(wheel(press([chain(), user(files)])))
    assert "user/_prefix/Library/bin/outer.dll" in found
    assert runtime_module.imports(found["user/__init__.py"])


def test_library_without_python_is_a_wheel_for_any_python_on_windows(press) -> None:
    path = wheel(press([chain()], specs=("outer",)))
    assert path.name == "outer-1.0-py3-none-win_amd64.whl"
    files = contents(path)
    assert "_outer_prefix/_prefix/Library/bin/outer.dll" in files
    assert runtime_module.folders_of(files["_outer_prefix/_mamba_press.py"]) == ("_prefix/Library/bin",)
    assert runtime_module.imports(files["_outer_prefix/__init__.py"])


def test_plain_pyd_is_for_what_it_imports_python_from(press) -> None:
    stable = dll(
        Dll(name="_user.pyd", imports={"python3.dll": ["_Py_NoneStruct"]}, forwards={"PyInit__user": "KERNEL32.Sleep"})
    )
    files = {f"{SITE}/user/__init__.py": "", f"{SITE}/user/_user.pyd": stable}
    assert wheel(press([user(files), chain()])).name == "user-1.0-cp310-abi3-win_amd64.whl"


def test_extension_of_another_python_is_refused(press) -> None:
    done = press([chain(), user({f"{SITE}/user/_user.cp39-win_amd64.pyd": extension()})])
    assert done.code == 5
    assert "has this extension for cp39" in done.err


def test_launchers_are_left_to_installers_and_scripts_keep_their_names(press) -> None:
    launcher = dll(Dll(is_library=False, name=None))
    files = {
        f"{SITE}/user/__init__.py": "",
        "Scripts/tool.exe": launcher,
        "Scripts/tool-script.py": "\nprint('tool')\n",
        "Scripts/other.exe": launcher,
        "Scripts/other-script.py": "#!C:/python.exe\nprint('other')\n",
        **{
            f"{SITE}/{path}": text
            for path, text in dist_info("user", "1.0", entry_points="[console_scripts]\ntool = user:main\n").items()
        },
    }
    found = contents(wheel(press([user(files), chain()])))
    assert found["user-1.0.data/scripts/other"] == b"#!python\nprint('other')\n"
    assert not [name for name in found if "tool" in name or name.endswith(".exe")]
    assert b"tool = user:main" in found["user-1.0.dist-info/entry_points.txt"]


def test_missing_dll_is_an_error_that_names_who_needs_it_until_the_user_says_where_it_is(press) -> None:
    content = [user({f"{SITE}/user/__init__.py": "", f"{SITE}/user/_u.cp310-win_amd64.pyd": extension("Nowhere.dll")})]
    content.append(chain())
    done = press(content)
    assert done.code == 5
    assert "needs Nowhere.dll" in done.err
    assert "Library/bin" in done.err


def test_runtimes_of_visual_c_come_from_python_or_travel_renamed(press) -> None:
    names = ("msvcp140.dll", "vcruntime140.dll", "vcruntime140_1.dll", "api-ms-win-crt-heap-l1-1-0.dll")
    both = {f"{folder}{name}": library(name) for folder in ("", "Library/bin/") for name in names}
    runtimes = package("vs2015_runtime", both, is_python=False)
    files = {
        f"{SITE}/user/__init__.py": "",
        f"{SITE}/user/_user.cp310-win_amd64.pyd": extension(
            "MSVCP140.dll", "VCRUNTIME140.dll", "VCRUNTIME140_1.dll", "api-ms-win-crt-heap-l1-1-0.dll", "WS2_32.dll"
        ),
    }
    content = [package("user", files, "vs2015_runtime"), runtimes]
    done = press(content)
    found = contents(wheel(done))
    assert sorted(dlls(found)) == ["msvcp140"]
    assert "msvcp140-" in dlls(found)["msvcp140"]
    assert "vcruntime: system (Python 3.10 brings it)" in done.err


def test_restriction_of_the_search_goes_where_something_of_the_wheel_is_needed(press) -> None:
    made = dll(Dll(name="_user.pyd", imports={**PYTHON, "outer.dll": ["value"]}, load_flags=0x800))
    files = {f"{SITE}/user/__init__.py": "", f"{SITE}/user/_user.cp310-win_amd64.pyd": made}
    found = binaries.read(contents(wheel(press([chain(), user(files)])))["user/_user.cp310-win_amd64.pyd"])
    assert found is not None
    assert found.search == ()


def test_prefix_in_a_text_becomes_a_path_that_nobody_can_create(press) -> None:
    placeholder = "C:\\ci\\user_1671031795971\\_h_env"
    made = CondaPackage(
        name="user",
        subdir="win-64",
        build="py310_0",
        depends=("python 3.10.*",),
        placeholder=placeholder,
        files={f"{SITE}/user/__init__.py": f"HOME = r'{placeholder}\\Library\\share'\n"},
    )
    done = press([made])
    init = contents(wheel(done))["user/__init__.py"].decode()
    assert init == "HOME = r'//./NUL/mamba-press\\Library\\share'\n"
    assert "__init__.py: /share" in done.err


def test_pressing_twice_gives_the_same_bytes(press, tmp_path: Path) -> None:
    first = wheel(press([chain(), user()]))
    data = first.read_bytes()
    first.unlink()
    assert wheel(press([chain(), user()])).read_bytes() == data


def test_damage_to_a_finished_wheel_is_found(press, tmp_path: Path) -> None:
    path = wheel(press([chain(), user()]))
    files = contents(path)
    broken = tmp_path / "broken" / path.name
    broken.parent.mkdir()
    with zipfile.ZipFile(broken, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data.replace(b"from . import _mamba_press", b"# nothing imports it"))
    done = command("check", broken, cwd=tmp_path)
    assert done.code == 6
    assert "which is neither in the wheel where Windows looks" in done.out + done.err


def test_uv_installs_the_wheel_for_windows(press, tmp_path: Path) -> None:
    uv = subprocess.run([sys.executable, "-m", "uv", "--version"], capture_output=True, check=False)
    if uv.returncode:
        pytest.skip("uv is not installed")
    path = wheel(press([chain(), user()]))
    target = tmp_path / "target"
    options = ["--python-platform", "windows", "--python-version", "3.10", "--target", str(target), "--no-deps"]
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--offline", *options, str(path)],
        env={**clean_environment(), "UV_CACHE_DIR": str(tmp_path / "uv")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (target / "user" / "_mamba_press.py").is_file()


# --- real packages


@pytest.mark.real
def test_real_packages_press_and_pass_the_check(tmp_path: Path) -> None:
    channels = ["-c", shared.channel("main-win"), "-c", shared.channel("forge")]
    options = ["--platform", "win-64", "--python", "3.10", *channels]
    tags = {
        "cffi": "cp310-cp310-win_amd64",
        "brotlipy": "cp310-abi3-win_amd64",
        "sqlite": "py3-none-win_amd64",
        "tqdm": "cp310-none-any",
        "setuptools": "cp310-none-win_amd64",
    }
    for name, tag in tags.items():
        done = command("press", name, *options, "-o", tmp_path / name, "--json", cwd=tmp_path)
        path = wheel(done)
        assert path.name.endswith(f"-{tag}.whl"), path.name
        command("check", path, cwd=tmp_path).ok()


# --- wine


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """DLLs and a module that say 42 together, and a program that loads as CPython does."""
    if why := windows.why_no_zig():
        pytest.skip(why)
    if windows.wine() is None:
        pytest.skip("wine is not on this machine")
    folder = tmp_path_factory.mktemp("compiled")
    export, take = "__declspec(dllexport) int", "__declspec(dllimport) int"
    inner = windows.compiled(folder, "inner.dll", f"{export} inner(void) {{ return 20; }}\n")
    outer = windows.compiled(
        folder, "outer.dll", f"{take} inner(void);\n{export} outer(void) {{ return inner() + 22; }}\n", links=[inner]
    )
    value = f"{take} outer(void);\n{export} value(void) {{ return outer(); }}\n"
    module = windows.compiled(
        folder, "_user.pyd", f"{value}{export} PyInit__user(void) {{ return 0; }}\n", links=[outer]
    )
    loader = windows.compiled(folder / "loader", "load.exe", windows.LOADER, options=["-municode"])
    found = {path.name: path for path in (inner, outer, module, loader)}
    found["home"] = folder / "wine"
    windows.run(loader, "nothing", home=found["home"])
    return found


def test_wine_loads_an_extension_only_with_the_folders_that_its_package_adds(press, compiled, tmp_path: Path) -> None:
    libraries = {f"Library/bin/{name}.dll": compiled[f"{name}.dll"] for name in ("inner", "outer")}
    files = {f"{SITE}/user/__init__.py": "", f"{SITE}/user/_user.cp310-win_amd64.pyd": compiled["_user.pyd"]}
    path = wheel(press([package("outer", libraries, is_python=False), user(files)]))
    site = tmp_path / "site"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(site)
    module = windows.dos(site / "user" / "_user.cp310-win_amd64.pyd")
    folders = runtime_module.folders_of((site / "user" / "_mamba_press.py").read_bytes())
    added = [windows.dos(site / "user" / folder) for folder in folders]
    assert windows.run(compiled["load.exe"], module, home=compiled["home"]) == "error 126"
    assert windows.run(compiled["load.exe"], *added, module, home=compiled["home"]) == "42"


def test_wine_loads_a_module_at_the_top_with_what_lies_beside_it(press, compiled, tmp_path: Path) -> None:
    libraries = {f"Library/bin/{name}.dll": compiled[f"{name}.dll"] for name in ("inner", "outer")}
    files = {f"{SITE}/_user.cp310-win_amd64.pyd": compiled["_user.pyd"]}
    path = wheel(press([package("outer", libraries, is_python=False), user(files)]))
    site = tmp_path / "site"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(site)
    module = windows.dos(site / "_user.cp310-win_amd64.pyd")
    assert windows.run(compiled["load.exe"], module, home=compiled["home"]) == "42"


@pytest.mark.parametrize("length", [8, 200], ids=["in the slack", "in a section"])
def test_wine_loads_what_was_edited_five_times(compiled, tmp_path: Path, length: int) -> None:
    from mamba_press.types import Edits

    module, outer = compiled["_user.pyd"].read_bytes(), compiled["outer.dll"].read_bytes()
    name = "outer.dll"
    for number in range(5):
        new = f"outer-{str(number) * length}.dll"
        module = binary_edits.apply(module, Edits(needed=((name, new),)))
        name = new
    folder = tmp_path / "edited"
    folder.mkdir()
    (folder / "module.pyd").write_bytes(module)
    (folder / name).write_bytes(binary_edits.apply(outer, Edits(name=name)))
    (folder / "inner.dll").write_bytes(compiled["inner.dll"].read_bytes())
    assert windows.run(compiled["load.exe"], windows.dos(folder / "module.pyd"), home=compiled["home"]) == "42"
