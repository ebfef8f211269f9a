"""What the tests build on is itself held to other people's tools: rattler for packages, readelf for binaries."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import channel as ch
from tests.support.compile import Linking, extension_module, module_source, program, python_config, shared_library
from tests.support.environment import environment, interpreter, interpreters, version_of

GREET = ch.CondaPackage(
    name="greet",
    version="1.2.0",
    depends=("libwords >=1",),
    constrains=("farewell >=2",),
    license_files={"LICENSE": "Be kind.\n", "third/NOTICE": "And fair.\n"},
    run_exports={"weak": ["greet >=1.2,<2"]},
    files={
        "lib/libgreet.so": ch.Link("libgreet.so.1"),
        "lib/libgreet.so.1": b"\x7fELF\0" + ch.PLACEHOLDER.encode() + b"/share\0",
        "share/greet.conf": f"home = {ch.PLACEHOLDER}/share\n",
        "bin/greet": ch.Content("#!/bin/sh\n", executable=True),
    },
)


# rattler can crash an interpreter at its end; here it runs in one that nobody waits for
def rattler(code: str, *arguments: str | Path) -> str:
    script = f"import asyncio, json, os, sys\nfrom pathlib import Path\n{code}\nsys.stdout.flush()\nos._exit(0)\n"
    command = [sys.executable, "-c", script, *map(str, arguments)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


EXTRACT = """
from rattler.package_streaming import extract
from rattler import IndexJson, PathsJson, AboutJson, RunExportsJson
extract(Path(sys.argv[1]), Path(sys.argv[2]))
index = IndexJson.from_package_directory(Path(sys.argv[2]))
paths = PathsJson.from_package_directory(Path(sys.argv[2]))
exports = RunExportsJson.from_package_directory(Path(sys.argv[2]))
print(json.dumps({
    "name": index.name.source, "version": str(index.version), "depends": index.depends, "weak": exports.weak,
    "placeholders": {
        str(p.relative_path): str(p.prefix_placeholder.file_mode) for p in paths.paths if p.prefix_placeholder
    },
}))
"""


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_rattler_extracts_a_package_and_reads_its_metadata(tmp_path, extension):
    pytest.importorskip("rattler")
    archive = ch.write_package(GREET, tmp_path, extension=extension)
    out = tmp_path / "out"
    answer = json.loads(rattler(EXTRACT, archive, out))
    assert answer["name"] == "greet"
    assert answer["version"] == "1.2.0"
    assert answer["depends"] == ["libwords >=1"]
    assert answer["weak"] == ["greet >=1.2,<2"]
    assert set(answer["placeholders"]) == {"lib/libgreet.so.1", "share/greet.conf"}
    assert "inary" in answer["placeholders"]["lib/libgreet.so.1"]
    assert "ext" in answer["placeholders"]["share/greet.conf"]
    assert (out / "lib/libgreet.so").readlink() == Path("libgreet.so.1")
    assert (out / "bin/greet").stat().st_mode & 0o111
    assert not (out / "share/greet.conf").stat().st_mode & 0o111
    assert (out / "info/licenses/third/NOTICE").read_text() == "And fair.\n"


SOLVE = """
from rattler import MatchSpec, Platform, solve, install, GenericVirtualPackage, PackageName, Version
async def main():
    records = await solve([sys.argv[1]], [MatchSpec(spec) for spec in sys.argv[3:]], platforms=["linux-64", "noarch"])
    await install([r for r in records if r.name.source != "python"], Path(sys.argv[2]), platform=Platform("linux-64"))
    print(json.dumps(sorted(f"{r.name.source} {r.version} {r.build}" for r in records)))
asyncio.run(main())
"""


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_rattler_solves_and_installs_from_a_channel(tmp_path, extension):
    pytest.importorskip("rattler")
    words = ch.CondaPackage(name="libwords", version="1.5", files={"share/words.txt": "hello\n"})
    root = ch.write_channel(tmp_path / "channel", [GREET, words], extension=extension)
    answer = json.loads(rattler(SOLVE, root.url, tmp_path / "prefix", "greet"))
    assert answer == ["greet 1.2.0 0", "libwords 1.5 0"]
    assert (tmp_path / "prefix/share/greet.conf").read_text() == f"home = {tmp_path}/prefix/share\n"
    assert (tmp_path / "prefix/share/words.txt").read_text() == "hello\n"


def test_python_is_solved_with_and_has_no_archive(tmp_path):
    pytest.importorskip("rattler")
    needs = ch.CondaPackage(
        name="pygreet", depends=("python >=3.11,<3.12.0a0", "python_abi 3.11.* *_cp311"), files={"share/a": "a"}
    )
    packages = [needs, ch.python_package("3.11"), ch.python_package("3.12"), ch.python_abi("3.11")]
    root = ch.write_channel(tmp_path / "channel", packages)
    assert json.loads(rattler(SOLVE, root.url, tmp_path / "prefix", "pygreet")) == [
        "pygreet 1.0 0",
        "python 3.11.0 0_cp311",
        "python_abi 3.11 1_cp311",
    ]
    assert "python" not in root.archives
    assert not list(root.root.rglob("python-3*"))


def test_the_record_tells_the_truth_about_the_archive_unless_told_otherwise(tmp_path):
    false = ch.CondaPackage(name="false", record={"sha256": "0" * 64, "depends": ["repaired"], "license": None})
    root = ch.write_channel(tmp_path, [GREET, false])
    records = json.loads((tmp_path / "linux-64/repodata.json").read_text())["packages.conda"]
    data = root.archives["greet"].read_bytes()
    assert records["greet-1.2.0-0.conda"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert records["greet-1.2.0-0.conda"]["size"] == len(data)
    assert records["false-1.0-0.conda"]["sha256"] == "0" * 64
    assert records["false-1.0-0.conda"]["depends"] == ["repaired"]
    assert "license" not in records["false-1.0-0.conda"]


def test_a_second_writing_adds_to_a_channel(tmp_path):
    ch.write_channel(tmp_path, [GREET])
    ch.write_channel(tmp_path, [ch.CondaPackage(name="words")], extension=".tar.bz2")
    repodata = json.loads((tmp_path / "linux-64/repodata.json").read_text())
    assert list(repodata["packages.conda"]) == ["greet-1.2.0-0.conda"]
    assert list(repodata["packages"]) == ["words-1.0-0.tar.bz2"]


def test_an_info_file_can_be_left_out_or_replaced(tmp_path):
    pytest.importorskip("rattler")
    package = ch.CondaPackage(
        name="old", info={"paths.json": None, "about.json": "{broken", "recipe/meta.yaml": "a: 1"}
    )
    archive = ch.write_package(package, tmp_path)
    rattler(
        "from rattler.package_streaming import extract\nextract(Path(sys.argv[1]), Path(sys.argv[2]))",
        archive,
        tmp_path / "o",
    )
    assert not (tmp_path / "o/info/paths.json").exists()
    assert (tmp_path / "o/info/about.json").read_text() == "{broken"
    assert (tmp_path / "o/info/recipe/meta.yaml").read_text() == "a: 1"


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_equal_packages_give_equal_bytes_on_any_day(extension, monkeypatch):
    today, now = ch.archive_bytes(GREET, extension), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1e7)
    monkeypatch.setattr(time, "localtime", lambda seconds=now + 1e7, localtime=time.localtime: localtime(seconds))
    again = replace(GREET, files=dict(reversed(GREET.files.items())))
    assert ch.archive_bytes(again, extension) == today


def readelf(path: Path) -> str:
    return subprocess.run(["readelf", "-dW", str(path)], check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="readelf reads what a Linux compiler makes")
class TestCompiling:
    def test_the_linker_writes_what_it_is_told(self, tmp_path):
        base = shared_library(tmp_path / "libbase.so.1", "int base(void) { return 1; }", Linking(soname="libbase.so.1"))
        linking = Linking(
            soname="libtop.so.2",
            needed=(base,),
            runpath="$ORIGIN/../lib",
            version_script="TOP_1.0 { global: top; local: *; };",
        )
        top = shared_library(tmp_path / "libtop.so", "int base(void); int top(void) { return base(); }", linking)
        said = readelf(top)
        assert "soname: [libtop.so.2]" in said
        assert "Shared library: [libbase.so.1]" in said
        assert "(RUNPATH)" in said
        assert "[$ORIGIN/../lib]" in said
        assert "VERDEF" in said

    def test_rpath_and_runpath_are_told_apart(self, tmp_path):
        library = shared_library(tmp_path / "liba.so", "int a;", Linking(rpath="/nowhere"))
        assert "(RPATH)" in readelf(library)
        assert "(RUNPATH)" not in readelf(library)

    def test_cpp_is_compiled_as_cpp(self, tmp_path):
        source = "#include <string>\nint f() { return (int)std::string(40, 'a').size(); }"
        library = shared_library(tmp_path / "libcpp.so", source, language="c++")
        assert "libstdc++.so.6" in readelf(library)

    def test_a_program_runs(self, tmp_path):
        path = program(tmp_path / "answer", "int main(void) { return 42; }")
        assert subprocess.run([str(path)], check=False).returncode == 42

    def test_an_extension_module_is_imported(self, tmp_path):
        python = Path(sys.executable)
        path = extension_module(tmp_path, "answer", module_source("answer", "PyLong_FromLong(42)"), python=python)
        assert path.name == f"answer{python_config(python).suffix}"
        code = "import answer; print(answer.call())"
        said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
        assert said.stdout == "42\n"

    def test_a_mistake_in_the_source_shows_the_compiler_s_words(self, tmp_path):
        with pytest.raises(AssertionError, match="error"):
            shared_library(tmp_path / "libbad.so", "int f( {")


def test_this_interpreter_is_among_those_found():
    found = interpreters()
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert interpreter(here) == Path(sys.executable)
    for version, python in found.items():
        assert version == "{}.{}".format(*version_of(python))


def test_a_fresh_environment_has_nothing_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    fresh = environment(tmp_path / "env")
    listed = fresh.run("import importlib.metadata as m; print([d.name for d in m.distributions()])")
    assert listed == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_mapped_libraries_are_those_of_the_process(tmp_path):
    library = shared_library(tmp_path / "libmapped.so", "int a;")
    fresh = environment(tmp_path / "env")
    assert library.resolve() in fresh.libraries(f"print('words')\nimport ctypes; ctypes.CDLL({str(library)!r})")
    assert library.resolve() not in fresh.libraries("pass")


def test_the_tests_run_without_settings_of_the_machine(monkeypatch, cache_root):
    import os

    assert not [key for key in os.environ if key.startswith("MAMBA_PRESS_") and key != "MAMBA_PRESS_SHARED"]
    assert Path(os.environ["RATTLER_CACHE_DIR"]).parent == cache_root
