"""Inner backends: how their hooks are called, in which environment, and what of their wheels is taken on trust."""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.tags import parse_tag

from mamba_press import interrupts
from mamba_press.errors import BuildError, ConfigError
from mamba_press.platforms import binaries
from mamba_press.project import backend as project_backend
from mamba_press.project.backend import environment
from mamba_press.project.backend.environment import Place
from mamba_press.types import NEUTRAL, OwnFile, Python, Target
from tests.support.compile import Linking, shared_library

ENVIRON = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
LINUX = Target(system="linux", arch="x86_64", subdir="linux-64", python=Python(minor=11), floor=None)


# --- hooks


def backend(root: Path, text: str, *, name: str = "made", **options: object) -> project_backend.Backend:
    """A backend of the project itself."""
    (root / "backend").mkdir(exist_ok=True)
    (root / "backend" / f"{name.partition(':')[0]}.py").write_text(text)
    return project_backend.Backend(name=name, root=root, path=("backend",), **options)  # type: ignore[arg-type]


def test_a_hook_runs_in_the_project_with_the_settings_as_front_ends_give_them(tmp_path):
    made = backend(
        tmp_path,
        "import os\ndef get_requires_for_build_wheel(settings):\n    return [os.getcwd(), repr(settings)]\n",
        settings={"a": "1", "b": ("2", "3")},
    )
    assert project_backend.requires(made, "wheel", ENVIRON) == [str(tmp_path), "{'a': '1', 'b': ['2', '3']}"]


def test_no_settings_are_none(tmp_path):
    made = backend(tmp_path, "def get_requires_for_build_wheel(config_settings): return [repr(config_settings)]\n")
    assert project_backend.requires(made, "wheel", ENVIRON) == ["None"]


def test_a_backend_may_be_an_object_of_a_module(tmp_path):
    text = "class A:\n    class b:\n        get_requires_for_build_sdist = staticmethod(lambda settings: ['x'])\n"
    assert project_backend.requires(backend(tmp_path, text, name="made:A.b"), "sdist", ENVIRON) == ["x"]


def test_a_backend_without_the_optional_hook_requires_nothing(tmp_path):
    assert project_backend.requires(backend(tmp_path, ""), "editable", ENVIRON) == []


def test_what_a_backend_prints_and_does_to_argv_is_no_answer(tmp_path, capfd):
    text = (
        "import sys\ndef get_requires_for_build_wheel(settings):\n    print('said'); sys.argv[1:] = []; return ['x']\n"
    )
    assert project_backend.requires(backend(tmp_path, text), "wheel", ENVIRON) == ["x"]
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "said" in captured.err


def test_a_backend_of_the_project_is_not_taken_from_elsewhere(tmp_path):
    backend(tmp_path, "")
    other = project_backend.Backend(name="colorsys", root=tmp_path, path=("backend",))
    with pytest.raises(
        ConfigError, match="No module named 'colorsys' in backend-path\n  colorsys has to lie in a folder"
    ):
        project_backend.require(other, "wheel", ENVIRON)


def test_an_object_that_its_module_does_not_have_is_told_by_the_first_hook(tmp_path):
    with pytest.raises(ConfigError, match=r"'made:api' cannot be imported: module 'made' has no attribute 'api'"):
        project_backend.requires(backend(tmp_path, "", name="made:api"), "wheel", ENVIRON)


def test_what_a_front_end_tells_our_own_hook_is_not_told_to_the_inner_backend(tmp_path):
    folder = backend(tmp_path, "def get_requires_for_build_wheel(settings): return ['x']\n").root / "backend"
    outer = {"_PYPROJECT_HOOKS_BUILD_BACKEND": "ours", "_PYPROJECT_HOOKS_BACKEND_PATH_JSON": '["/nowhere"]'}
    installed = project_backend.Backend(name="made", root=tmp_path)
    assert project_backend.requires(installed, "wheel", {**ENVIRON, **outer, "PYTHONPATH": str(folder)}) == ["x"]


def test_a_warning_of_a_backend_is_shown_and_ends_nothing(tmp_path, recwarn):
    warned = "import warnings\nwarnings.warn('old keys')\n"
    made = backend(
        tmp_path, f"{warned}def build_wheel(*all): pass\ndef get_requires_for_build_wheel(settings): return ['x']\n"
    )
    project_backend.require(made, "wheel", ENVIRON)
    assert project_backend.requires(made, "wheel", ENVIRON) == ["x"]
    assert [str(warning.message) for warning in recwarn] == ["old keys"]


def test_a_signal_while_a_hook_runs_ends_it_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    text = (
        "import os, time\ndef get_requires_for_build_wheel(settings):\n"
        "    open('began', 'w').write(str(os.getpid()))\n    os.kill(os.getppid(), 15)\n    time.sleep(60)\n"
    )
    made = backend(tmp_path, text)
    there = {*tmp_path.iterdir()}
    with interrupts.caught(), pytest.raises(interrupts.EndedError) as caught:
        project_backend.requires(made, "wheel", ENVIRON)
    assert caught.value.number == 15
    assert {*tmp_path.iterdir()} - there == {tmp_path / "began"}
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "began").read_text()), 0)


def test_a_backend_that_can_make_no_sdist_says_why(tmp_path):
    text = "class UnsupportedOperation(Exception): pass\ndef build_sdist(*all): raise UnsupportedOperation('no git')\n"
    with pytest.raises(BuildError, match=r"made\.build_sdist: the inner backend cannot do that here: no git"):
        project_backend.make(backend(tmp_path, text), "sdist", place(tmp_path), ENVIRON)


def test_a_backend_that_is_not_there_is_a_mistake_of_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match=r"'nowhere\.api' cannot be imported: No module named 'nowhere'") as caught:
        project_backend.requires(project_backend.Backend(name="nowhere.api", root=tmp_path), "wheel", ENVIRON)
    assert "[build-system] requires" in caught.value.problems[0].hint


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("made", "'made' cannot be imported: no gears"),
        ("made:A.c", "'made:A.c' cannot be imported: type object 'A' has no attribute 'c'"),
        ("made.api", "'made.api' cannot be imported: No module named 'made' in backend-path"),
    ],
)
def test_a_backend_is_required_before_anything_is_built(tmp_path, name, said):
    text = "class A:\n    pass\n" + ("raise ImportError('no gears')\n" if name == "made" else "")
    with pytest.raises(ConfigError) as caught:
        project_backend.require(backend(tmp_path, text, name=name), "wheel", ENVIRON)
    assert caught.value.problems[0].what == said


def test_a_backend_that_is_required_is_not_called_and_prints_nothing(tmp_path, capfd):
    text = "print('hello')\ndef build_wheel(*all): raise SystemExit(9)\n"
    made = backend(tmp_path, text)
    project_backend.require(made, "wheel", ENVIRON)
    with pytest.raises(BuildError, match=r"made\.build_editable: the inner backend has no such hook\n  install .* -e"):
        project_backend.require(made, "editable", ENVIRON)
    # What fails otherwise may want a package of the prefix, and is told when there is one.
    project_backend.require(backend(tmp_path, "raise RuntimeError('no pg_config')\n"), "wheel", ENVIRON)
    assert capfd.readouterr() == ("", "")


def test_a_backend_path_that_is_no_folder_is_told(tmp_path):
    made = project_backend.Backend(name="made", root=tmp_path, path=("backend",))
    with pytest.raises(ConfigError) as caught:
        project_backend.require(made, "wheel", ENVIRON)
    assert caught.value.problems[0].hint == "backend-path names 'backend', which is no folder of the project"


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("raise RuntimeError('broken')", "failed with exit code 1"),
        ("raise SystemExit(3)", "failed with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("import os; os._exit(0)", "failed with exit code 0"),
    ],
)
def test_a_hook_that_fails_is_named_and_says_how_to_look_at_it(tmp_path, body, how):
    made = backend(tmp_path, f"def get_requires_for_build_wheel(settings):\n    {body}\n")
    with pytest.raises(BuildError, match=f"made.get_requires_for_build_wheel: the inner backend {how}") as caught:
        project_backend.requires(made, "wheel", ENVIRON)
    assert project_backend.KEEP in caught.value.problems[0].hint


def place(tmp_path: Path, **changed: object) -> Place:
    given = {"system": "linux", "root": tmp_path, "work": tmp_path / "work", **changed}
    return Place(**given)  # type: ignore[arg-type]


def test_a_wheel_is_built_into_the_folder_for_temporary_files(tmp_path):
    text = (
        "import pathlib\ndef build_wheel(folder, settings, metadata):\n"
        "    assert metadata is None\n    pathlib.Path(folder, 'a.whl').write_text('x'); return 'a.whl'\n"
    )
    path = project_backend.make(backend(tmp_path, text), "wheel", place(tmp_path), ENVIRON)
    assert path.read_text() == "x"
    assert path.is_relative_to(tmp_path / "work")


@pytest.mark.parametrize("name", ["b.whl", "../backend/made.py", ""])
def test_a_wheel_that_is_not_there_is_told(tmp_path, name):
    made = backend(tmp_path, f"def build_wheel(folder, settings, metadata): return {name!r}\n")
    with pytest.raises(BuildError) as raised:
        project_backend.make(made, "wheel", place(tmp_path), ENVIRON)
    assert (
        str(raised.value)
        == f"the project's own code cannot be built\n- made: says that it wrote {name!r}, which does not exist"
    )


@pytest.mark.parametrize("said", ["str(path)", "'./a.whl'"])
def test_a_hook_may_return_a_path_to_its_wheel_as_front_ends_take_it(tmp_path, said):
    text = "import pathlib\ndef build_wheel(folder, *_):\n    path = pathlib.Path(folder, 'a.whl')\n    path.touch()\n"
    made = backend(tmp_path, f"{text}    return {said}\n")
    assert project_backend.make(made, "wheel", place(tmp_path), ENVIRON) == tmp_path / "work" / "wheel" / "a.whl"


def test_a_hook_may_return_the_full_path_of_the_metadata_that_it_prepared(tmp_path):
    text = (
        "import pathlib\ndef prepare_metadata_for_build_wheel(folder, settings):\n"
        "    made = pathlib.Path(folder, 'a-1.dist-info')\n    made.mkdir()\n"
        "    (made / 'METADATA').touch()\n    return str(made)\n"
    )
    found = project_backend.prepare(backend(tmp_path, text), "wheel", place(tmp_path), ENVIRON)
    assert found == tmp_path / "work" / "metadata-wheel" / "a-1.dist-info"


def test_a_backend_without_editable_installs_says_what_to_do(tmp_path):
    with pytest.raises(BuildError, match="without -e"):
        project_backend.make(backend(tmp_path, ""), "editable", place(tmp_path), ENVIRON)


# --- surroundings

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


# --- wheels

METADATA = "Metadata-Version: 2.1\nName: Made\nVersion: 1.0\n"
FILES = {
    "made/__init__.py": "x = 1\n",
    "made-1.0.data/purelib/made/pure.py": "",
    "made-1.0.data/scripts/made": "#!python\n",
    "made-1.0.data/data/share/made.txt": "",
    "made-1.0.data/headers/made.h": "",
    "made-1.0.dist-info/METADATA": METADATA,
    "made-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\n",
    "made-1.0.dist-info/LICENSE": "old\n",
    "made-1.0.dist-info/licenses/sub/COPYING": "new\n",
    "made-1.0.dist-info/sboms/x.cdx.json": "{}",
    "made-1.0.dist-info/entry_points.txt": "[console_scripts]\nmade = made:x\n",
}


NAME = "made-1.0-cp311-cp311-linux_x86_64.whl"


def write(folder: Path, files: dict[str, str], *, name: str = NAME, record: str | None = None) -> Path:
    """A wheel of these files; ``record`` replaces RECORD, which is right otherwise."""

    def row(path: str) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[path].encode()).digest()).rstrip(b"=").decode()
        return f"{path},sha256={digest},{len(files[path])}\n"

    info = next((path.split("/")[0] for path in files if ".dist-info/" in path), "made-1.0.dist-info")
    text = "".join(map(row, files)) + f"{info}/RECORD,,\n" if record is None else record
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in {**files, f"{info}/RECORD": text}.items():
            member = zipfile.ZipInfo(each)
            member.external_attr = (stat.S_IFREG | (0o755 if "scripts" in each else 0o644)) << 16
            archive.writestr(member, content)
    return path


def test_a_wheel_is_unpacked_by_scheme(tmp_path):
    own = project_backend.unpack(write(tmp_path, FILES), tmp_path / "out", LINUX)
    root = tmp_path / "out"
    assert own.files == (
        OwnFile(path="share/made.txt", source=root / "made-1.0.data/data/share/made.txt", scheme="data"),
        OwnFile(path="made.h", source=root / "made-1.0.data/headers/made.h", scheme="headers"),
        OwnFile(path="made/__init__.py", source=root / "made/__init__.py"),
        OwnFile(path="made/pure.py", source=root / "made-1.0.data/purelib/made/pure.py"),
        OwnFile(path="made", source=root / "made-1.0.data/scripts/made", scheme="scripts", executable=True),
    )
    assert (root / "made/__init__.py").read_text() == "x = 1\n"


def test_what_a_wheel_says_of_itself_is_kept(tmp_path):
    own = project_backend.unpack(write(tmp_path, FILES), tmp_path / "out", LINUX)
    info = tmp_path / "out" / "made-1.0.dist-info"
    assert own.metadata == METADATA.encode()
    assert own.entry_points == b"[console_scripts]\nmade = made:x\n"
    assert own.licenses == {"sub/COPYING": info / "licenses/sub/COPYING", "LICENSE": info / "LICENSE"}
    assert own.others == {"sboms/x.cdx.json": info / "sboms/x.cdx.json"}
    assert own.tags == ("cp311-cp311-linux_x86_64",)


@pytest.mark.parametrize(
    "tag",
    ["py3-none-any", "py2.py3-none-any", "cp38-abi3-linux_x86_64", "cp311-none-any", "py3-none-manylinux_2_17_x86_64"],
)
def test_a_wheel_for_the_target_is_taken(tmp_path, tag):
    own = project_backend.unpack(write(tmp_path, FILES, name=f"made-1.0-{tag}.whl"), tmp_path / "out", LINUX)
    assert set(own.tags) == {str(each) for each in parse_tag(tag)}
    assert [file.path for file in own.files] == ["share/made.txt", "made.h", "made/__init__.py", "made/pure.py", "made"]


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("cp310-cp310-linux_x86_64", "another Python than 3.11"),
        ("cp311-cp311t-linux_x86_64", "another Python than 3.11"),
        ("cp312-abi3-linux_x86_64", "another Python than 3.11"),
        ("py2-none-any", "another Python than 3.11"),
        ("cp311-cp311-linux_aarch64", "another machine than linux-64"),
        ("cp311-cp311-win_amd64", "another machine than linux-64"),
    ],
)
def test_a_wheel_for_another_python_or_machine_is_refused(tmp_path, tag, words):
    with pytest.raises(BuildError, match=words):
        project_backend.unpack(write(tmp_path, FILES, name=f"made-1.0-{tag}.whl"), tmp_path / "out", LINUX)


@pytest.mark.parametrize("path", ["../x.py", "/x.py", "a/../../x", "a//b", "c:/x", "a\\b"])
def test_a_path_that_leaves_the_wheel_is_refused_and_nothing_is_unpacked(tmp_path, path):
    with pytest.raises(BuildError, match="no path inside a wheel"):
        project_backend.unpack(write(tmp_path, {**FILES, path: ""}), tmp_path / "out", LINUX)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["made/__init__.py/x.py", "made/__init__.py/x/y", "made/__init__.py/"])
def test_a_path_that_is_a_file_and_a_folder_is_refused_and_nothing_is_unpacked(tmp_path, path):
    with pytest.raises(BuildError, match=r": made/__init__\.py: is both a file and a folder"):
        project_backend.unpack(write(tmp_path, {**FILES, path: ""}), tmp_path / "out", LINUX)
    assert not (tmp_path / "out").exists()


def test_a_name_that_no_file_system_takes_is_refused(tmp_path):
    with pytest.raises(BuildError, match="has a name that is longer than 255 bytes"):
        project_backend.unpack(write(tmp_path, {**FILES, f"made/{'ä' * 128}": ""}), tmp_path / "out", LINUX)


def test_an_encrypted_wheel_is_told(tmp_path):
    path = write(tmp_path, FILES)
    data = path.read_bytes().replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00")
    path.write_bytes(data)
    with pytest.raises(BuildError, match=r"cannot be read: File .* is encrypted"):
        project_backend.unpack(path, tmp_path / "out", LINUX)


def test_a_file_that_can_be_executed_still_can(tmp_path):
    project_backend.unpack(write(tmp_path, FILES), tmp_path / "out", LINUX)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert (modes["made"], modes["__init__.py"]) == (0o755, 0o644)


def unpacked_library(folder: Path, search: str) -> bytes:
    """A library that was linked with a search path, as it is after it has been unpacked from a wheel."""
    folder.mkdir()
    library = shared_library(folder / "a.so", "int a;", Linking(runpath=search, flags=("-Wl,--build-id=sha1",)))
    wheel = folder / NAME
    files = {**{path: text.encode() for path, text in FILES.items()}, "made/a.so": library.read_bytes()}
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},\n"
        for path, data in files.items()
    ]
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in {**files, "made-1.0.dist-info/RECORD": "".join(rows).encode()}.items():
            archive.writestr(path, data)
    project_backend.unpack(wheel, folder / "out", LINUX)
    return (folder / "out" / "made" / "a.so").read_bytes()


def test_search_paths_of_this_machine_leave_no_trace(tmp_path):
    first = unpacked_library(tmp_path / "1", "/tmp/mamba-press-01234567/host/lib:/opt/lib")
    second = unpacked_library(tmp_path / "2", "/var/mamba-press-89abcdef/host/lib:/opt/lib")
    assert b"mamba-press" not in first
    assert b"/opt/lib" not in first
    assert first == second


def test_search_paths_within_the_wheel_stay(tmp_path):
    binary = binaries.read(unpacked_library(tmp_path / "1", "/tmp/x/lib:$ORIGIN/../more"))
    assert binary is not None
    assert binary.search == ("$ORIGIN/../more",)


def test_the_projects_folder_is_not_named_in_what_describes_the_wheel(tmp_path):
    bill = {**FILES, "made-1.0.dist-info/sboms/x.cdx.json": f'{{"bom-ref": "path+file://{tmp_path}#1.0"}}'}
    own = project_backend.unpack(write(tmp_path, bill), tmp_path / "out", LINUX, root=tmp_path)
    assert own.others["sboms/x.cdx.json"].read_text() == '{"bom-ref": "path+file://.#1.0"}'


def test_a_symlink_is_refused(tmp_path):
    path = write(tmp_path, FILES)
    with zipfile.ZipFile(path, "a") as archive:
        member = zipfile.ZipInfo("made/link")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(BuildError, match="made/link: is a symlink"):
        project_backend.unpack(path, tmp_path / "out", LINUX)


def test_every_disagreement_with_record_is_told(tmp_path):
    good = write(tmp_path, FILES)
    record = zipfile.ZipFile(good).read("made-1.0.dist-info/RECORD").decode()
    lines = [line.replace("sha256=", "sha256=A") if "made.h" in line else line for line in record.splitlines(True)]
    with pytest.raises(BuildError) as caught:
        project_backend.unpack(
            write(tmp_path, FILES, record="".join([*lines, "gone.py,sha256=x,1\n"])), tmp_path / "out", LINUX
        )
    assert [(problem.where.partition(": ")[2], problem.what) for problem in caught.value.problems] == [
        ("made-1.0.data/headers/made.h", "is not what RECORD says"),
        ("gone.py", "stands in RECORD and is not there"),
    ]


@pytest.mark.parametrize("record", ["", "".join(f"{path},,\n" for path in FILES)], ids=["no rows", "no hashes"])
def test_a_record_without_hashes_is_taken_for_it_is_written_anew(tmp_path, record):
    own = project_backend.unpack(write(tmp_path, FILES, record=record), tmp_path / "out", LINUX)
    files = [path for path in FILES if ".dist-info/" not in path]
    assert sorted(file.source.relative_to(tmp_path / "out").as_posix() for file in own.files) == sorted(files)


def test_of_a_wheels_own_files_only_metadata_has_to_be_there(tmp_path):
    files = {path: text for path, text in FILES.items() if not path.endswith("/WHEEL")}
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    assert project_backend.unpack(path, tmp_path / "out", LINUX).metadata == METADATA.encode()
    del files["made-1.0.dist-info/METADATA"]
    with pytest.raises(BuildError, match=r"made-1\.0\.dist-info/METADATA: is missing"):
        project_backend.unpack(write(tmp_path, files), tmp_path / "other", LINUX)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"made-1.0.dist-info/METADATA": METADATA.replace("Made", "Other")}, "names Other, the file made"),
        ({"made-1.0.dist-info/METADATA": METADATA.replace("1.0", "1.1")}, "has version 1.1, the file 1.0"),
        ({"other-1.0.dist-info/METADATA": METADATA}, "2 .dist-info folders"),
        ({"made-1.0.data/attic/x": ""}, "no folder that wheels know"),
    ],
)
def test_a_wheel_that_contradicts_itself_is_refused(tmp_path, changes, words):
    with pytest.raises(BuildError, match=words):
        project_backend.unpack(write(tmp_path, {**FILES, **changes}), tmp_path / "out", LINUX)


def test_a_record_that_is_no_text_or_names_a_hash_that_wheels_cannot_have_is_told(tmp_path):
    good = write(tmp_path, FILES)
    record = zipfile.ZipFile(good).read("made-1.0.dist-info/RECORD").decode()
    for kind in ("shake_128", "md5", "sha1", "sha224", "SHA256", "none"):
        with pytest.raises(BuildError, match=f"has a hash of the kind '{kind}' in RECORD, which wheels cannot have"):
            project_backend.unpack(
                write(tmp_path, FILES, record=record.replace("sha256=", f"{kind}=")), tmp_path / "out", LINUX
            )
    with pytest.raises(BuildError, match="cannot be read: 'utf-8' codec"):
        project_backend.unpack(write(tmp_path, FILES, record=b"\xff,,"), tmp_path / "out", LINUX)


def test_a_wheel_whose_compressed_bytes_are_damaged_is_told(tmp_path):
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("RECORD", "METADATA", "WHEEL"):
            archive.writestr(f"made-1.0.dist-info/{name}", "made-1.0.dist-info/RECORD,,\n" * 50)
    data = bytearray(path.read_bytes())
    start = 30 + len("made-1.0.dist-info/RECORD")
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(BuildError, match="the inner backend's wheel cannot be read"):
        project_backend.unpack(path, tmp_path / "out", LINUX)


@pytest.mark.parametrize("name", ["made.whl", NAME])
def test_what_is_no_wheel_is_told(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BuildError, match=r"made"):
        project_backend.unpack(tmp_path / name, tmp_path / "out", LINUX)
