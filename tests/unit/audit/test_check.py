"""Checking finished wheels: a sound one has no problem, and each thing that can be wrong is said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

from mamba_press import __main__ as command
from mamba_press.audit import check, smoke_test
from mamba_press.errors import ConfigError
from mamba_press.types import Entry, Wheel
from mamba_press.wheel import writer
from tests.support.compile import Linking, shared_library
from tests.support.environment import interpreters
from tests.support.wheels import FOREIGN, METADATA, compiled, files, make, record, said, wheel_text


def test_a_sound_wheel_has_no_problem(tmp_path):
    assert check.check(make(tmp_path, files())) == ()


def test_what_mamba_press_writes_is_sound(tmp_path):
    entries = tuple(Entry(path=path, source=data) for path, data in files({"demo/größe,.txt": b"x"}).items())
    made = Wheel(name="demo", version=Version("1.0"), tags="py3-none-any", entries=entries)
    proven = []
    path = writer.write(made, tmp_path, compression=None, epoch=None, verify=proven.append)
    assert check.check(path) == ()
    assert check.examine(proven[0]._replace(path=path)) == check.examine(path)


def test_check_wheel_contents_finds_nothing_in_a_sound_wheel_either(tmp_path):
    path = make(tmp_path, files())
    command = [sys.executable, "-m", "check_wheel_contents", "--ignore", "W004", str(path)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if "No module named" in done.stderr:
        pytest.skip("check-wheel-contents is not installed")
    assert done.returncode == 0, done.stdout


def test_all_problems_are_found_at_once(tmp_path):
    path = make(tmp_path, files(METADATA=b"Metadata-Version: 2.1\nName: other\nVersion: 2\n"), listed=b"")
    assert len(check.check(path)) > 3


def folder_entry(folder: Path, **changed: bytes) -> Path:
    path = make(folder, files(**changed))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("demo/", b"")
    return path


def test_what_is_only_style_is_wrong_in_wheels_of_ours_and_no_word_on_others(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    assert "is an entry for a folder" in said(folder_entry(ours))
    found = check.examine(folder_entry(theirs, WHEEL=FOREIGN))
    assert found.problems == ()
    assert found.notes == ()


def test_what_works_and_mamba_press_would_not_write_is_a_note_on_the_wheels_of_others(tmp_path):
    tag = "py2.py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64"
    lines = b"".join(
        f"Tag: {python}-none-{platform}\n".encode()
        for python in ("py2", "py3")
        for platform in ("manylinux_2_17_x86_64", "manylinux2014_x86_64")
    )
    text = b"Wheel-Version: 1.0\nGenerator: other\nRoot-Is-Purelib: false\n" + lines
    path = make(tmp_path, files({"demo/__pycache__/x.cpython-310.pyc": b"x"}, WHEEL=text), name=f"demo-1.0-{tag}.whl")
    found = check.examine(path)
    assert found.problems == ()
    (note,) = found.notes
    assert "compiled Python" in note


def test_what_does_not_work_is_wrong_whoever_wrote_it(tmp_path):
    content = files(WHEEL=FOREIGN)
    path = make(tmp_path, content, listed=record({**content, "demo/__init__.py": b"other"}))
    assert "is not what RECORD's hash was made of" in said(path)


@pytest.mark.parametrize("by", ["mamba-press 1", "other"])
def test_the_path_of_a_builds_temporary_folder_is_wrong_in_every_wheel(tmp_path, by):
    data = b"\0/var/tmp/mamba-press-a1_b2c3d/lib/x.so\0"
    text = said(make(tmp_path, files({"demo/x.bin": data}, WHEEL=wheel_text(by=by))))
    assert text == "demo/x.bin: holds the path of a temporary folder of a build: /var/tmp/mamba-press-a1_b2c3d"


@pytest.mark.parametrize("data", [b"/mamba-press-docs/", b"/opt/mamba-press-0.1.0/x", b"/proc/mamba-press/lib"])
def test_other_paths_are_none_of_a_build(tmp_path, data):
    assert said(make(tmp_path, files({"demo/x.bin": data}))) == ""


def test_a_wheel_with_its_own_library_is_sound(tmp_path):
    assert said(compiled(tmp_path)) == ""


def test_auditwheel_takes_the_same_wheel(tmp_path):
    if importlib_missing("auditwheel"):
        pytest.skip("auditwheel is not installed")
    path = compiled(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", path], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "requires no external shared libraries" in done.stdout


def importlib_missing(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is None


def test_notes_name_what_only_pypi_minds(tmp_path):
    name = "demo-1.0+local-py3-none-linux_x86_64.whl"
    path = make(tmp_path, files(), name=name)
    with path.open("r+b") as file:
        file.truncate(check.PYPI_FILE + 1)
    text = "\n".join(check.notes(path))
    assert "100 MiB" in text
    assert "linux_x86_64" in text
    assert "1.0+local" in text
    assert check.notes(make(tmp_path, files())) == ()


def test_a_sound_wheel_imports(tmp_path):
    assert smoke_test.run(compiled(tmp_path)) == ()


def test_an_import_that_fails_is_said(tmp_path):
    path = make(
        tmp_path, files({"good.py": b"", "bad.py": b"import no_such_module\n", "worse.py": b"import sys; sys.exit(3)"})
    )
    text = "\n".join(map(str, smoke_test.run(path)))
    assert "import bad: ModuleNotFoundError: No module named 'no_such_module'" in text
    assert "import worse: SystemExit: 3" in text
    assert "good" not in text


def test_a_crash_is_said_be_it_late(tmp_path):
    path = make(
        tmp_path,
        files({"now.py": b"import os; os.abort()", "late.py": b"import atexit, os; atexit.register(os.abort)"}),
    )
    text = "\n".join(map(str, smoke_test.run(path)))
    assert "import now: ends the interpreter" in text
    assert "import late: works, but then the interpreter crashes" in text


def test_a_library_from_elsewhere_is_said(tmp_path):
    outside = tmp_path / "outside"
    inner = shared_library(outside / "libinner.so.1", "int inner(void) { return 1; }", Linking(soname="libinner.so.1"))
    text = "\n".join(map(str, smoke_test.run(compiled(tmp_path, Linking(needed=(inner,), rpath=str(outside))))))
    assert f"loads {inner}, although the wheel has its own libinner.so.1" in text
    stray = shared_library(outside / "libstray.so", "int stray(void) { return 1; }", Linking(soname="libstray.so"))
    linking = Linking(needed=(inner, stray), rpath=f"$ORIGIN/lib:{outside}")
    text = "\n".join(map(str, smoke_test.run(compiled(tmp_path, linking))))
    assert f"loads {stray}, which is neither the wheel's nor the system's" in text


def test_a_wheel_for_a_python_that_is_not_here_is_not_called_wrong(tmp_path):
    path = make(tmp_path, files(WHEEL=wheel_text("cp27-cp27m-any")), name="demo-1.0-cp27-cp27m-any.whl")
    with pytest.raises(ConfigError) as error:
        smoke_test.run(path)
    assert str(error.value) == (
        "the configuration cannot be used\n"
        "- demo-1.0-cp27-cp27m-any.whl: is for cp27-cp27m, and there is no such Python here\n"
        "  give --python the path of one"
    )


def test_a_wheel_for_another_system_is_not_called_wrong(tmp_path):
    path = make(tmp_path, files(WHEEL=wheel_text("py3-none-win_arm64")), name="demo-1.0-py3-none-win_arm64.whl")
    with pytest.raises(ConfigError) as error:
        smoke_test.run(path)
    assert str(error.value) == (
        "the configuration cannot be used\n"
        "- demo-1.0-py3-none-win_arm64.whl: is for win_arm64, and this machine is not: it cannot be imported here\n"
        "  check it without --import"
    )


def another() -> tuple[int, Path]:
    """A CPython of this machine that is not the running one."""
    here = sys.version_info[1]
    found = {int(version[2:]): path for version, path in interpreters().items() if int(version[2:]) >= 8}
    return next(((minor, path) for minor, path in sorted(found.items()) if minor != here), None) or pytest.skip(
        "there is one Python only"
    )


def test_the_python_that_a_wheel_is_for_is_found(tmp_path, monkeypatch):
    minor, path = another()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / f"python3.{minor}").symlink_to(path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    code = f"import sys\nassert sys.version_info[1] == {minor}\n".encode()
    tags = f"cp3{minor}-cp3{minor}-linux_{os.uname().machine}"
    wheel = make(tmp_path, files({"demo/__init__.py": code}, WHEEL=wheel_text(tags)), f"demo-1.0-{tags}.whl")
    assert smoke_test.run(wheel) == ()
    here = sys.version_info[1]
    with pytest.raises(ConfigError, match=f"does not fit: demo-1.0-{tags}.whl is for cp3{minor}-cp3{minor}"):
        smoke_test.run(wheel, f"3.{here}" if shutil.which(f"python3.{here}") else sys.executable)


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        ("py3-none", True),
        ("py2.py3-none", True),
        (f"cp3{sys.version_info[1]}-none", True),
        ("cp38-abi3", True),
        ("py38-none", True),
        ("cp38-none", False),
        (f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}t", False),
        ("cp399-abi3", False),
        ("pp310-pypy310_pp73", False),
        ("py2-none", False),
    ],
)
def test_the_running_python_is_taken_where_the_tags_name_it(tmp_path, tags, fits):
    asked = sys.executable
    if fits:
        assert smoke_test.suitable(f"demo-1.0-{tags}-any.whl", None) == asked
    else:
        with pytest.raises(ConfigError) as error:
            smoke_test.suitable(f"demo-1.0-{tags}-any.whl", asked)
        assert str(error.value) == (
            "the configuration cannot be used\n"
            f"- --python: {asked} does not fit: demo-1.0-{tags}-any.whl is for {tags}\n"
            "  give another --python, or none to have one found"
        )


def test_an_interpreter_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no interpreter '9\.9'"):
        smoke_test.run(make(tmp_path, files()), "9.9")


def test_an_interpreter_that_does_not_work_is_said(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such version >&2\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(ConfigError, match="is no working Python: no such version"):
        smoke_test.run(make(tmp_path, files()), str(broken))
    broken.write_bytes(b"\0\0")
    with pytest.raises(ConfigError, match="is no working Python"):
        smoke_test.run(make(tmp_path, files()), str(broken))


def test_a_requirement_that_cannot_be_installed_is_said(tmp_path):
    (problem,) = smoke_test.run(make(tmp_path, files()), requirements=[str(tmp_path / "none-1-py3-none-any.whl")])
    assert "cannot be installed" in problem.what
    assert "none-1" in problem.where


def test_a_requirement_is_there_when_the_modules_are_imported(tmp_path):
    (tmp_path / "other").mkdir()
    other = {path.replace("demo-1.0", "other-1.0"): data for path, data in files({"other.py": b""}).items()}
    other["other-1.0.dist-info/METADATA"] = METADATA.replace(b"demo", b"other")
    path = tmp_path / "other" / "other-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for one, data in {**other, "other-1.0.dist-info/RECORD": b""}.items():
            archive.writestr(one, data)
    needs = make(tmp_path, files({"needs.py": b"import other\n"}))
    assert "No module named 'other'" in str(smoke_test.run(needs))
    assert smoke_test.run(needs, requirements=[str(path)]) == ()


def test_modules_are_found_wherever_python_would(tmp_path):
    paths = (
        "one.py", "two.cpython-311-x86_64-linux-gnu.so", "three.abi3.so", "pkg/__init__.py", "pkg/inner.py",
        "space/deep/mod.py", "space/pkg/__init__.py", "space/pkg/x.py", "fast/__init__.cpython-311-x86_64-linux-gnu.so",
        "no-name.py", "data/readme.txt", "demo-1.0.dist-info/x.py", "__main__.py", "lib/libx.so.1",
    )  # fmt: skip
    assert smoke_test.modules(paths) == ("fast", "one", "pkg", "space.deep.mod", "space.pkg", "three", "two")


def test_an_old_interpreter_is_served_by_its_own_pip(tmp_path):
    old = interpreters().get("3.7") or interpreters().get("3.6")
    if old is None:
        pytest.skip("no CPython 3.6 or 3.7 is here")
    path = make(tmp_path, files({"demo.py": b"import sys\nassert sys.version_info < (3, 8)\n"}))
    assert smoke_test.run(path, str(old)) == ()


@pytest.mark.parametrize("by", ["mamba-press 1", "other"])
def test_a_placeholder_of_conda_is_noted_in_every_wheel_and_wrong_in_none(tmp_path, by):
    data = b"\0--prefix=/home/conda/feedstock_root/_h_env_placehold_placehold_placehold_plac\0"
    found = check.examine(make(tmp_path, files({"demo/x.bin": data}, WHEEL=wheel_text(by=by))))
    assert found.problems == ()
    assert [note.partition(":")[0] for note in found.notes] == ["demo/x.bin"]


def test_the_command_does_not_say_nothing_wrong_of_what_nobody_looked_at(tmp_path, capsys):
    name = "demo-1.0-py3-none-musllinux_1_2_x86_64.whl"
    path = make(tmp_path, files(WHEEL=wheel_text("py3-none-musllinux_1_2_x86_64", pure=False)), name)
    assert command.main(["check", str(path)]) == 0
    assert capsys.readouterr().out == (
        f"{path}: nothing wrong in what was checked\n"
        "  note: what its binaries need was not checked: what a system of the tag musllinux_1_2_x86_64 has is not "
        "known\n"
    )
