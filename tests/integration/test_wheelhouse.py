"""An environment as wheels: made by the command, installed by other people's installers, and used."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import posixpath
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from installer.sources import WheelFile

from mamba_press.platforms import binaries
from tests.support import press
from tests.support.channel import Channel, CondaPackage, Link, dist_info, write_channel
from tests.support.compile import Linking, extension_module, module_source, shared_library
from tests.support.environment import Environment, clean_environment, environment, interpreter

CODE = "import pygreet; print(pygreet.call(), *pygreet.WORDS)"


@dataclass(frozen=True, slots=True)
class Wheelhouse:
    """A wheelhouse on disk."""

    folder: Path

    @property
    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "wheelhouse.json").read_text())
        return found

    def wheel(self, name: str) -> Path:
        """The wheel of a distribution."""
        (row,) = (row for row in self.manifest["wheels"] if row["name"] == name)
        return self.folder / row["file"]

    def metadata(self, name: str) -> str:
        with zipfile.ZipFile(self.wheel(name)) as archive:
            (path,) = (path for path in archive.namelist() if path.endswith(".dist-info/METADATA"))
            return archive.read(path).decode()


def make(channel: Channel | Path, folder: Path, *words: str, **options: str) -> Wheelhouse:
    """Make a house of specs in a folder."""
    root = channel.root if isinstance(channel, Channel) else channel
    words = ["wheelhouse", *words, "-c", root, "-o", folder / "wheels", "--archive", folder / "house.zip"]
    for name, value in options.items():
        words += [f"--{name}", value]
    folder.mkdir(parents=True, exist_ok=True)
    press.command(*words, cwd=folder).ok()
    return Wheelhouse(folder / "wheels")


def uv(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run uv without any index, and without what it has cached."""
    beside = Path(sys.executable).with_name("uv")
    tool = str(beside) if beside.exists() else shutil.which("uv") or pytest.skip("uv is not on this machine")
    return subprocess.run(
        [tool, *map(str, arguments), "--offline", "--no-cache"],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=clean_environment() | {"UV_NO_CONFIG": "1"},
    )


@pytest.fixture(scope="module")
def greetings(greeting: Channel, tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    """A house of an extension, the library that it needs and a pure package; nobody changes it."""
    return make(greeting, tmp_path_factory.mktemp("house"), "pygreet", python=press.HERE)


@pytest.fixture
def fresh(tmp_path: Path) -> Environment:
    return environment(tmp_path / "environment")


# -- what is made


def test_every_package_is_one_wheel_and_what_is_none_is_told(greetings):
    assert [row["name"] for row in greetings.manifest["wheels"]] == ["house-conda-greet", "pygreet", "words"]
    assert greetings.manifest["left"] == {
        "python": "Python is not vendored",
        "python_abi": "Python is not vendored",
    }


def test_a_library_is_required_by_the_build_and_a_python_package_as_its_metadata_says(greetings):
    lines = [line for line in greetings.metadata("pygreet").splitlines() if line.startswith("Requires-Dist")]
    (version,) = (row["version"] for row in greetings.manifest["wheels"] if row["name"] == "house-conda-greet")
    assert lines == ["Requires-Dist: words", f"Requires-Dist: house-conda-greet=={version}"]


def test_no_index_takes_such_a_wheel(greetings):
    assert "Classifier: Private :: Do Not Upload" in greetings.metadata("words")


def is_sound_for_installers(house: Wheelhouse) -> None:
    for row in house.manifest["wheels"]:
        with WheelFile.open(house.folder / row["file"]) as source:
            source.validate_record()


def test_other_peoples_installer_finds_every_wheel_sound(greetings):
    is_sound_for_installers(greetings)


def test_check_finds_nothing_wrong_in_all_of_them_together_and_more_than_that_in_less(greetings, tmp_path):
    wheels = sorted(greetings.folder.glob("*.whl"))
    press.command("check", "--together", *wheels, cwd=tmp_path).ok()
    press.command("check", *wheels, cwd=tmp_path).ok()
    some = [path for path in wheels if "conda_greet" not in path.name]
    assert "requires house-conda-greet==" in press.command("check", "--together", *some, cwd=tmp_path).out


def test_the_same_specs_make_the_same_house(greeting, greetings, tmp_path):
    again = make(greeting, tmp_path / "again", "pygreet", python=press.HERE)
    assert press.hashes(again.folder) == press.hashes(greetings.folder)
    archives = [each.folder.parent / "house.zip" for each in (again, greetings)]
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_a_project_gives_a_house_its_packages_and_its_name(greeting, make_project, tmp_path):
    root = make_project(greeting, f'packages = ["pygreet"]\npython = "{press.HERE}"', name="acme.env")
    press.command("wheelhouse", root, "-o", tmp_path / "wheels", cwd=tmp_path).ok()
    names = [row["name"] for row in Wheelhouse(tmp_path / "wheels").manifest["wheels"]]
    assert names == ["acme-env-conda-greet", "pygreet", "words"]


# -- where it is installed


def uses_the_house(where: Environment) -> None:
    mapped = where.libraries(CODE)
    assert where.run(CODE) == "42 hello world"
    (library,) = (path for path in mapped if path.name.startswith("libgreet"))
    assert library.parent.parts[-3:] == ("_house_prefix", "_prefix", "lib")


def test_pip_installs_it_offline(greetings, tmp_path):
    root = tmp_path / "with-pip"
    subprocess.run([sys.executable, "-m", "venv", root], check=True, capture_output=True)
    pip = [root / "bin/python", "-m", "pip", "install", "--no-index", "--find-links", greetings.folder]
    press.run(*pip, "pygreet==2.0", cwd=tmp_path).ok()
    press.run(root / "bin/python", "-m", "pip", "check", cwd=tmp_path).ok()
    uses_the_house(Environment(root, sys.version_info[:2]))


def test_uv_installs_it_offline(greetings, fresh, tmp_path):
    found = uv(
        *("pip", "install", "--no-index", "--find-links", greetings.folder, "--python", fresh.python, "pygreet==2.0"),
        cwd=tmp_path,
    )
    assert found.returncode == 0, found.stderr
    uses_the_house(fresh)


def test_uv_installs_the_lock_wherever_the_folder_lies(greetings, fresh, tmp_path):
    shutil.copytree(greetings.folder, tmp_path / "moved")
    found = uv("pip", "sync", "--python", fresh.python, "moved/pylock.toml", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    uses_the_house(fresh)


def test_uv_refuses_a_wheel_that_is_not_the_one_of_the_lock(greetings, fresh, tmp_path):
    shutil.copytree(greetings.folder, tmp_path / "moved")
    (wheel,) = (tmp_path / "moved").glob("words*.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("words/more.py", "")
    found = uv("pip", "sync", "--python", fresh.python, "moved/pylock.toml", cwd=tmp_path)
    assert found.returncode != 0
    assert "words" in found.stderr


@pytest.mark.parametrize("form", ["wheels", "house.zip"])
def test_the_command_installs_a_folder_and_an_archive(greetings, fresh, tmp_path, form):
    source = greetings.folder.parent / form
    done = press.command("wheelhouse", "install", source, "--python", fresh.python, "--json", cwd=tmp_path).ok()
    assert len(json.loads(done.out)["installed"]) == 3
    uses_the_house(fresh)


def test_the_command_installs_into_a_folder(greetings, tmp_path):
    archive = greetings.folder.parent / "house.zip"
    press.command("wheelhouse", "install", archive, "--target", tmp_path / "site", cwd=tmp_path).ok()
    done = press.run(sys.executable, "-c", CODE, cwd=tmp_path, environ={"PYTHONPATH": str(tmp_path / "site")}).ok()
    assert done.out.strip() == "42 hello world"


def test_the_command_shows_and_validates(greetings, tmp_path):
    archive = greetings.folder.parent / "house.zip"
    shown = press.command("wheelhouse", "show", archive, cwd=tmp_path).ok().out
    assert f"house: linux-64, glibc 2.17, Python {press.HERE}" in shown
    assert "* pygreet 2.0+" in shown
    assert "python: Python is not vendored" in shown
    assert json.loads(press.command("wheelhouse", "show", archive, "--json", cwd=tmp_path).ok().out)["name"] == "house"
    assert "3 wheels, nothing wrong" in press.command("wheelhouse", "validate", archive, cwd=tmp_path).ok().out


# -- what goes wrong


def test_a_damaged_archive_is_told_by_the_file_and_installs_nothing(greetings, fresh, tmp_path):
    data = bytearray((greetings.folder.parent / "house.zip").read_bytes())
    at = data.index(b"pygreet-2.0+", 8000) + 200
    data[at] ^= 1
    (tmp_path / "bad.zip").write_bytes(data)
    done = press.command("wheelhouse", "install", "bad.zip", "--python", fresh.python, cwd=tmp_path)
    assert done.code == 4
    assert "pygreet-2.0+" in done.err
    assert "Traceback" not in done.err
    assert not list(fresh.root.glob("lib/*/site-packages/words"))


def test_a_house_whose_wheel_is_wrong_reaches_no_installer(greetings, fresh, tmp_path):
    """pip of Python 3.11 and before ends with a traceback at an entry point that is none."""
    folder = tmp_path / "wheels"
    shutil.copytree(greetings.folder, folder)
    manifest = json.loads((folder / "wheelhouse.json").read_text())
    (row,) = (row for row in manifest["wheels"] if row["name"] == "pygreet")
    wheel = folder / row["file"]
    rewrite(wheel, "entry_points.txt", b"[console_scripts]\n0\n")
    row["size"], row["sha256"] = wheel.stat().st_size, hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "wheelhouse.json").write_text(json.dumps(manifest))
    done = press.command("wheelhouse", "install", folder, "--python", fresh.python, cwd=tmp_path)
    assert done.code == 4
    assert done.err.startswith("mamba-press: the wheelhouse cannot be used\n")
    assert "entry_points.txt: cannot be read" in done.err
    assert not list(fresh.root.glob("lib/*/site-packages/pygreet*"))


def rewrite(wheel: Path, name: str, data: bytes) -> None:
    """Write a wheel anew with another file in its .dist-info, and RECORD as it has to be then."""
    with zipfile.ZipFile(wheel) as archive:
        texts = {info.filename: archive.read(info) for info in archive.infolist()}
    (record,) = (path for path in texts if path.endswith(".dist-info/RECORD"))
    path = record.replace("RECORD", name)
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    rows = [line for line in texts[record].decode().splitlines() if not line.startswith(f"{path},")]
    texts |= {path: data, record: "\n".join([f"{path},sha256={digest},{len(data)}", *rows, ""]).encode()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for each, text in texts.items():
            archive.writestr(each, text)


def test_another_python_is_refused(greeting, tmp_path):
    house = make(greeting, tmp_path, "words", python=press.HERE)
    other = interpreter("3.10" if press.HERE != "3.10" else "3.12")
    done = press.command("wheelhouse", "install", house.folder, "--python", other, cwd=tmp_path)
    assert done.code == 2
    assert f"is for CPython {press.HERE}; this is 3.1" in done.err


def test_a_folder_with_other_wheels_is_refused_and_left_as_it_was(greeting, tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "old-1-py3-none-any.whl").touch()
    words = ["wheelhouse", "words", "-c", greeting.root, "--python", press.HERE, "-o", folder]
    done = press.command(*words, cwd=tmp_path)
    assert done.code == 6
    assert "old-1-py3-none-any.whl" in done.err
    assert [path.name for path in folder.iterdir()] == ["old-1-py3-none-any.whl"]


def test_a_file_in_the_place_of_the_folder_is_told(greeting, tmp_path):
    (tmp_path / "wheels").touch()
    words = ["wheelhouse", "words", "-c", greeting.root, "--python", press.HERE, "-o", tmp_path / "wheels"]
    done = press.command(*words, cwd=tmp_path)
    assert done.code == 6
    assert "wheels: cannot be written: File exists" in done.err


def test_an_archive_that_is_a_folder_is_told_before_anything_is_solved(greeting, tmp_path):
    for folder in (tmp_path, Path("wheels")):
        words = ["wheelhouse", "nosuch", "-c", greeting.root, "-o", "wheels", "--archive", folder]
        done = press.command(*words, cwd=tmp_path)
        assert (done.code, list(tmp_path.iterdir())) == (6, [])
        assert f"{folder}: is a folder, and --archive writes one file" in done.err


def test_a_solve_that_fails_leaves_nothing(greeting, tmp_path):
    words = ["wheelhouse", "nosuch", "-c", greeting.root, "--python", press.HERE, "-o", tmp_path / "wheels"]
    assert press.command(*words, cwd=tmp_path).code == 3
    assert list(tmp_path.iterdir()) == []


def test_packages_of_which_nothing_becomes_a_wheel_are_refused_each_with_the_reason(make_channel, tmp_path):
    meta = CondaPackage(name="meta", noarch="generic")
    channel = make_channel([meta, press.python_package(press.HERE), press.python_abi(press.HERE)])
    words = ["wheelhouse", "meta", "-c", channel.root, "--python", press.HERE, "-o", tmp_path / "wheels"]
    done = press.command(*words, cwd=tmp_path)
    assert done.code == 5
    assert "meta: is no wheel: it has no files" in done.err
    assert not (tmp_path / "wheels").exists()


# -- in several folders


def installed(house: Wheelhouse, names: tuple[str, ...], folder: Path, tmp_path: Path) -> Path:
    wheels = [house.wheel(name) for name in names]
    command = ("pip", "install", "--no-deps", "--python", sys.executable, "--target", folder, *wheels)
    found = uv(*command, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    return folder


def ran(code: str, folders: list[Path], tmp_path: Path) -> press.Done:
    path = {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    return press.run(sys.executable, "-c", code, cwd=tmp_path, environ=path)


def test_wheels_in_two_folders_find_each_other(greetings, tmp_path):
    base = installed(greetings, ("house-conda-greet",), tmp_path / "base", tmp_path)
    user = installed(greetings, ("pygreet", "words"), tmp_path / "user", tmp_path)
    code = f"{CODE}\nprint([line.split()[-1] for line in open('/proc/self/maps') if 'libgreet' in line][0])"
    lines = ran(code, [user, base], tmp_path).ok().out.splitlines()
    assert lines[0] == "42 hello world"
    assert Path(lines[1]).is_relative_to(base)


def test_without_the_generated_module_they_do_not(greetings, tmp_path):
    """What the test above shows would else be shown by anything."""
    base = installed(greetings, ("house-conda-greet",), tmp_path / "base", tmp_path)
    user = installed(greetings, ("pygreet", "words"), tmp_path / "user", tmp_path)
    (user / "_house_prefix/_load_pygreet.py").write_text("")
    done = ran(CODE, [user, base], tmp_path)
    assert "libgreet" in done.err
    assert "cannot open shared object file" in done.err


def chained(folder: Path) -> list[CondaPackage]:
    """Two libraries, one of which needs the other, and a single extension with a module beside it."""
    word = shared_library(folder / "libword.so.1", "int word(void) { return 40; }", Linking(soname="libword.so.1"))
    greet = shared_library(
        folder / "libgreet.so.1",
        "int word(void); int greet(void) { return word() + 2; }",
        Linking(soname="libgreet.so.1", needed=(word,), runpath="$ORIGIN"),
    )
    module = extension_module(
        folder,
        "_top",
        module_source("_top", "PyLong_FromLong(greet())", "int greet(void);"),
        Linking(needed=(greet,), runpath="$ORIGIN/../.."),
        python=Path(sys.executable),
    )
    site = f"lib/python{press.HERE}/site-packages"
    files: Mapping[str, Any] = {f"{site}/top.py": "from _top import call\n", f"{site}/{module.name}": module}
    python = (f"python {press.HERE}.*", f"python_abi {press.HERE}.* *_cp{press.HERE.replace('.', '')}")
    return [
        CondaPackage(name="word", files={"lib/libword.so.1": word, "lib/libword.so": Link("libword.so.1")}),
        CondaPackage(name="greet", files={"lib/libgreet.so.1": greet}, depends=("word",)),
        CondaPackage(
            name="top",
            depends=("greet", *python),
            files={**files, **{f"{site}/{path}": text for path, text in dist_info("top", "1.0").items()}},
        ),
        press.python_package(press.HERE),
        press.python_abi(press.HERE),
    ]


def test_every_wheel_in_a_folder_of_its_own_is_found(tmp_path):
    if not press.MACHINE:
        pytest.skip("the compiled packages are for Linux on x86_64")
    house = make(
        write_channel(tmp_path / "channel", chained(tmp_path / "compiled")), tmp_path, "top", python=press.HERE
    )
    names = ("top", "house-conda-greet", "house-conda-word")
    folders = [installed(house, (name,), tmp_path / name, tmp_path) for name in names]
    for order in (folders, folders[::-1]):
        assert ran("import top; print(top.call())", order, tmp_path).ok().out.strip() == "42"


def test_a_name_like_pythons_that_another_wheel_has_does_not_take_the_stable_abi_away(tmp_path):
    if not press.MACHINE:
        pytest.skip("the compiled packages are for Linux on x86_64")
    site = f"lib/python{press.HERE}/site-packages"
    library = shared_library(
        tmp_path / "libshiboken.so.1", "int PyDateTimeAPI(void) { return 7; }", Linking(soname="libshiboken.so.1")
    )
    text = "int PyDateTimeAPI(void); int PyInit_side(void) { return PyDateTimeAPI(); }"
    module = shared_library(tmp_path / "side.abi3.so", text, Linking(needed=(library,), rpath="$ORIGIN/../.."))
    depends = ("shiboken", f"python {press.HERE}.*", f"python_abi {press.HERE}.*")
    packages = [
        CondaPackage(name="shiboken", files={"lib/libshiboken.so.1": library}),
        CondaPackage(name="side", depends=depends, files={f"{site}/side.abi3.so": module}),
        press.python_package(press.HERE),
        press.python_abi(press.HERE),
    ]
    house = make(write_channel(tmp_path / "channel", packages), tmp_path, "side", python=press.HERE)
    (name,) = (row["file"] for row in house.manifest["wheels"] if "shiboken" not in row["file"])
    assert f"-cp{press.HERE.replace('.', '')}-abi3-" in name


def test_an_update_of_one_library_replaces_it_and_what_is_built_on_it_and_nothing_else(tmp_path):
    if not press.MACHINE:
        pytest.skip("the compiled packages are for Linux on x86_64")
    packages = chained(tmp_path / "compiled")
    before = make(write_channel(tmp_path / "a", packages), tmp_path / "before", "top", python=press.HERE)
    newer = shared_library(
        tmp_path / "newer/libword.so.1", "int word(void) { return 50; }", Linking(soname="libword.so.1")
    )
    packages[0] = CondaPackage(name="word", build="1", build_number=1, files={"lib/libword.so.1": newer})
    after = make(write_channel(tmp_path / "b", packages), tmp_path / "after", "top", python=press.HERE)
    where = environment(tmp_path / "environment")
    for house, answer in ((before, "42"), (after, "52")):
        found = uv("pip", "sync", "--python", where.python, house.folder / "pylock.toml", cwd=tmp_path)
        assert found.returncode == 0, found.stderr
        assert where.run("import top; print(top.call())") == answer
    assert len(list(where.root.glob("lib/*/site-packages/_house_prefix/_prefix/lib/libword*"))) == 1


# -- a real one

SPECS = (
    *("libmambapy", "zstandard", "pyyaml", "cffi", "brotli-python", "pycosat", "ruamel.yaml", "requests", "pydantic"),
    *("tqdm", "click", "menuinst", "boltons", "archspec", "python-dateutil", "pysocks", "colorama", "setuptools"),
    *("pip", "tk", "libarchive", "font-ttf-inconsolata"),
)
MODULES = (
    *("libmambapy", "zstandard", "yaml", "cffi", "_cffi_backend", "brotli", "pycosat", "ruamel.yaml", "_ruamel_yaml"),
    *("requests", "pydantic", "pydantic_core", "tqdm", "click", "menuinst", "boltons", "archspec", "dateutil"),
    *("socks", "colorama", "setuptools", "pip", "wheel", "six", "idna", "certifi", "charset_normalizer", "urllib3"),
    *("pycparser", "typing_extensions", "annotated_types"),
)
PROOF = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
import libmambapy, zstandard, yaml, pydantic
assert libmambapy.MatchSpec("numpy >=1.20").conda_build_form() == "numpy >=1.20"
assert zstandard.ZstdDecompressor().decompress(zstandard.ZstdCompressor().compress(b"x" * 99)) == b"x" * 99
assert yaml.load("a: [1]", yaml.CSafeLoader) == {"a": [1]}
assert pydantic.create_model("M", a=(int, ...))(a="3").a == 3
print(json.dumps(sorted({line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if ".so" in line})))
"""


@pytest.fixture(scope="module")
def forge(shared_channels: Path, tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    """A house of a real environment of more than 50 packages, moved away from where it was made."""
    folder = tmp_path_factory.mktemp("forge")
    asked = (*SPECS, "-C", "wheel.executables=bin/openssl")
    made = make(shared_channels / "forge", folder / "made", *asked, python="3.10", platform="linux-64")
    made.folder.parent.rename(folder / "moved")
    return Wheelhouse(folder / "moved" / "wheels")


def proved(where: Environment) -> None:
    """Every module of the house is imported, and every library is the house's one copy or the system's."""
    done = press.run(where.python, "-c", PROOF, json.dumps(MODULES), cwd=where.root).ok()
    mapped = [Path(path) for path in json.loads(done.out)]
    ours = [path for path in mapped if "_house_prefix" in path.parts]
    names = [path.name for path in ours]
    assert len(names) == len(set(names))
    for stem in ("libmamba-", "libzstd-", "libz-", "libcrypto-", "libffi-", "libyaml-0-", "libstdc++-"):
        assert len([name for name in names if name.startswith(stem)]) == 1, stem
    inside = [path for path in mapped if path.is_relative_to(where.root)]
    assert all("_house_prefix" in path.parts or ".cpython-310-" in path.name for path in inside)
    programs = where.root / "bin"
    assert press.run(programs / "openssl", "version", cwd=where.root).ok().out.startswith("OpenSSL 3.2.1")
    assert press.run(programs / "tqdm", "--version", cwd=where.root).ok().out.startswith("4.66.2")


@pytest.mark.real
def test_a_real_environment_has_each_library_once(forge):
    rows = forge.manifest["wheels"]
    assert len(rows) >= 55
    content: dict[str, str] = {}
    for row in rows:
        with zipfile.ZipFile(forge.folder / row["file"]) as archive:
            for path in archive.namelist():
                data = archive.read(path)
                if data[:4] == b"\x7fELF" and ".so" in path:
                    digest = hashlib.sha256(data).hexdigest()
                    assert content.setdefault(digest, path) == path, f"{path} is {content[digest]}"
    assert len(content) > 60
    is_sound_for_installers(forge)
    press.command("wheelhouse", "validate", forge.folder.parent / "house.zip", cwd=forge.folder).ok()


@pytest.mark.real
def test_a_real_environment_is_installed_by_pip_and_every_package_imported(forge, tmp_path):
    root = tmp_path / "pip"
    subprocess.run([interpreter("3.10"), "-m", "venv", root], check=True, capture_output=True)
    pip = [root / "bin/python", "-m", "pip", "install", "--no-index", "--find-links", forge.folder]
    names = [f"{row['name']}=={row['version']}" for row in forge.manifest["wheels"] if row["requested"]]
    press.run(*pip, *names, cwd=tmp_path).ok()
    press.run(root / "bin/python", "-m", "pip", "check", cwd=tmp_path).ok()
    proved(Environment(root, (3, 10)))


@pytest.mark.real
@pytest.mark.parametrize("how", ["pip install", "pip sync", "archive"])
def test_a_real_environment_is_installed_by_uv_and_every_package_imported(forge, tmp_path, how):
    where = environment(tmp_path / "environment", interpreter("3.10"))
    names = [f"{row['name']}=={row['version']}" for row in forge.manifest["wheels"] if row["requested"]]
    calls: Mapping[str, Callable[[], object]] = {
        "pip install": lambda: uv(
            *("pip", "install", "--no-index", "--find-links", forge.folder, "--python", where.python, *names),
            cwd=tmp_path,
        ).check_returncode(),
        "pip sync": lambda: uv(
            "pip", "sync", "--python", where.python, forge.folder / "pylock.toml", cwd=tmp_path
        ).check_returncode(),
        "archive": lambda: press.command(
            "wheelhouse", "install", forge.folder.parent / "house.zip", "--python", where.python, cwd=tmp_path
        ).ok(),
    }
    calls[how]()
    proved(where)


@pytest.mark.real
def test_a_house_for_macos_is_made_on_any_machine_and_leads_from_wheel_to_wheel(shared_channels, tmp_path):
    specs = ("zstandard", "cffi", "libcurl", "ruamel.yaml")
    house = make(shared_channels / "forge", tmp_path, *specs, python="3.10", platform="osx-arm64")
    assert (house.manifest["subdir"], house.manifest["floor"]) == ("osx-arm64", "11.0")
    with zipfile.ZipFile(house.wheel("zstandard")) as archive:
        (path,) = (path for path in archive.namelist() if "backend_c" in path and path.endswith(".so"))
        binary = binaries.read(archive.read(path))
    (needed,) = (name for name in binary.needed if "zstd" in name)
    with zipfile.ZipFile(house.wheel("house-conda-zstd")) as archive:
        assert posixpath.normpath(needed.replace("@loader_path", posixpath.dirname(path))) in archive.namelist()
    press.command("wheelhouse", "validate", house.folder, cwd=tmp_path).ok()
