"""Several targets in one run, and the jobs that a project's matrix is for a CI service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import press, shared
from tests.support.channel import CondaPackage, dist_info, python_package, write_channel

SUBDIRS = ("linux-64", "osx-arm64", "win-64")
MATRIX = 'matrix.python = ["3.11", "3.12"]\nmatrix.platform = ["linux-64", "osx-arm64", "win-64"]'


def pure(name: str, version: str = "1.0", *depends: str) -> CondaPackage:
    """A noarch Python package."""
    files = {f"site-packages/{name}/__init__.py": f"VERSION = '{version}'\n"}
    files |= {f"site-packages/{path}": text for path, text in dist_info(name, version).items()}
    return CondaPackage(
        name=name, version=version, build="pyh_0", noarch="python", depends=("python", *depends), files=files
    )


def data(subdir: str) -> CondaPackage:
    """A package of one platform, without Python."""
    return CondaPackage(name="tables", subdir=subdir, files={"share/tables/table.txt": subdir})


@pytest.fixture
def channel(tmp_path):
    pythons = [python_package(version, subdir=subdir) for version in ("3.11", "3.12") for subdir in SUBDIRS]
    made = [pure("alike"), pure("split", "1.0", "python <3.12"), pure("split", "2.0", "python >=3.12"), *pythons]
    return write_channel(tmp_path / "channel", [*made, *(data(subdir) for subdir in SUBDIRS)])


def command(*arguments: str | Path, cwd: Path) -> press.Done:
    return press.command("press", *arguments, cwd=cwd)


def wheels(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*")}


def targets(*pythons: str, platforms: tuple[str, ...] = SUBDIRS) -> tuple[str, ...]:
    return ("--python", ",".join(pythons), "--platform", ",".join(platforms))


def test_a_wheel_for_everything_is_made_once(tmp_path, channel):
    done = command("alike", "-c", channel.url, *targets("3.11", "3.12"), cwd=tmp_path).ok()
    assert wheels(tmp_path / "dist") == {"alike-1.0-py3-none-any.whl"}
    lines = done.out.splitlines()
    assert len(lines) == 6
    assert lines[0].split() == ["3.11", "linux-64", "dist/alike-1.0-py3-none-any.whl", "0.0", "MB"]
    assert all(line.endswith("the same as for 3.11 linux-64") for line in lines[1:])


def test_a_wheel_without_python_is_made_once_for_all_pythons(tmp_path, channel):
    made = targets("3.11", "3.12", platforms=("linux-64",))
    done = command("tables", "-c", channel.url, *made, "--json", cwd=tmp_path).ok()
    assert [row["same-as"] for row in json.loads(done.out)] == [None, "3.11 linux-64"]


def test_data_of_two_platforms_is_not_taken_for_the_same(tmp_path, channel):
    done = command("tables", "-c", channel.url, *targets("3.11", platforms=SUBDIRS[:2]), cwd=tmp_path)
    assert done.code == 5
    assert "tables-1.0-py3-none-any.whl: is also the name of the wheel for 3.11 linux-64" in done.err


def test_a_wheel_that_would_be_made_of_other_packages_is_no_substitute(tmp_path, channel):
    command("split", "-c", channel.url, *targets("3.11", "3.12", platforms=("linux-64",)), cwd=tmp_path).ok()
    assert wheels(tmp_path / "dist") == {"split-1.0-py3-none-any.whl", "split-2.0-py3-none-any.whl"}


def test_two_wheels_of_one_name_and_other_contents_are_refused(tmp_path, channel):
    table = f'channels = ["{channel.root}"]\npackages = ["split"]\nplatform = "linux-64"\n'
    project = press.project(tmp_path / "project", table, name="split", dynamic=False)
    done = command(project, "--python", "3.11,3.12", "-o", tmp_path / "dist", cwd=tmp_path)
    assert done.code == 5
    assert "split-7.1-py3-none-any.whl: is also the name of the wheel for 3.11 linux-64" in done.err
    assert "Traceback" not in done.err
    assert wheels(tmp_path / "dist") == {"split-7.1-py3-none-any.whl"}


def test_a_target_that_fails_does_not_stop_the_others(tmp_path, channel):
    made = targets("3.11", platforms=("linux-aarch64", "linux-64"))
    done = command("tables", "-c", channel.url, *made, cwd=tmp_path)
    assert done.code == 3
    assert "3.11 linux-aarch64  failed: see below" in done.out
    assert "choose another --platform, or add a channel that has linux-aarch64" in done.err
    assert "(for 3.11 linux-aarch64)" in done.err
    assert len(wheels(tmp_path / "dist")) == 1


def test_targets_that_cannot_be_are_told_at_once_before_anything_is_pressed(tmp_path, channel):
    made = targets("3.11", "pp310", platforms=("linux-64", "plan9"))
    done = command("alike", "-c", channel.url, *made, cwd=tmp_path)
    assert done.code == 2
    assert "pp310" in done.err
    assert "plan9" in done.err
    assert not (tmp_path / "dist").exists()


@pytest.fixture
def project(tmp_path, channel):
    return press.project(
        tmp_path / "project", f'channels = ["{channel.root}"]\npackages = ["alike"]\n{MATRIX}', name="alike"
    )


def test_a_project_is_pressed_for_its_matrix_when_asked(tmp_path, project):
    one = command(project, "-o", tmp_path / "one", "--platform", "linux-64", "--python", "3.11", cwd=tmp_path).ok()
    assert one.out.strip() == str(tmp_path / "one" / "alike-1.0-py3-none-any.whl")
    every = command(project, "-o", tmp_path / "every", "--matrix", cwd=tmp_path).ok()
    assert len(every.out.splitlines()) == 6


def test_specs_have_no_matrix(tmp_path):
    done = command("zlib", "--matrix", cwd=tmp_path)
    assert done.code == 2
    assert "--matrix: asks for the matrix of a project, and none is named" in done.err


def matrix(project: Path, *arguments: str) -> str:
    return press.command("matrix", *arguments, cwd=project).ok().out


def test_the_matrix_is_printed_for_people_and_for_programs(project):
    assert len(matrix(project).splitlines()) == 6
    jobs = json.loads(matrix(project, "--format", "json"))
    assert jobs[0] == {"python": "3.11", "platform": "linux-64", "runner": "ubuntu-latest"}
    [line] = matrix(project, "--format", "github").splitlines()
    assert json.loads(line) == {"include": jobs}
    rows = json.loads(matrix(project, "--format", "gitlab"))[".mamba-press"]["parallel"]["matrix"]
    assert rows[-1] == {"PYTHON": "3.12", "PLATFORM": "win-64"}
    assert len(matrix(project, "--python", "3.13", "--platform", "osx-arm64").splitlines()) == 1


def test_what_an_inner_backend_builds_has_a_runner_of_its_platform(project):
    file = project / "pyproject.toml"
    file.write_text(file.read_text().replace("packages =", 'build-backend = "setuptools.build_meta"\nhost ='))
    runners = {job["platform"]: job["runner"] for job in json.loads(matrix(project, "--json"))}
    assert runners == {"linux-64": "ubuntu-latest", "osx-arm64": "macos-latest", "win-64": "windows-latest"}


@pytest.mark.real
def test_libmambapy_and_zstandard_for_every_platform_that_is_at_hand(tmp_path):
    channels = ("-c", shared.channel("forge"), "-c", shared.channel("main-win"))
    made = targets("3.10")
    done = command("libmambapy", *channels, *made, "--json", cwd=tmp_path)
    assert [bool(row["wheel"]) for row in json.loads(done.out)] == [True, False, False]  # there is one for Linux only
    done = command("zstandard", *channels, *made, "--json", cwd=tmp_path)
    found = {row["target"]: row["wheel"] for row in json.loads(done.out)}
    assert found["3.10 linux-64"].endswith("x86_64.whl")
    assert found["3.10 osx-arm64"].endswith("macosx_11_0_arm64.whl")
