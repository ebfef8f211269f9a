"""Locks: made for every target of a project, kept where they can be, used by every build, refused when stale."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import Channel, CondaPackage, dist_info, python_package, write_channel
from tests.support.environment import interpreter

LOCK = "mamba-press.lock"
MATRIX = '[tool.mamba-press.matrix]\npython = ["3.11", "3.12"]\nplatform = ["manylinux_2_28_x86_64", "osx-arm64"]\n'


def packages(version: str = "1.0", *, base: str = "1.0") -> list[CondaPackage]:
    """A noarch package that needs another, which needs a third, for the Pythons and platforms of `MATRIX`."""
    pythons = [python_package(python, subdir=subdir) for python in ("3.11", "3.12") for subdir in SUBDIRS]
    made = [
        pure("top", version, depends=("middle",)),
        pure("middle", version, depends=("base >=1",)),
        pure("base", base),
    ]
    return [*made, *pythons]


SUBDIRS = ("linux-64", "osx-arm64")


def pure(name: str, version: str = "1.0", depends: tuple[str, ...] = (), metadata: str = "") -> CondaPackage:
    files = {f"site-packages/{name}/__init__.py": f'VERSION = "{version}"\n'}
    found = dist_info(name, version, metadata=metadata)
    files |= {f"site-packages/{path}": text for path, text in found.items()}
    return CondaPackage(
        name=name, version=version, build="pyh_0", noarch="python", depends=("python", *depends), files=files
    )


def channel_of(root: Path, *each: CondaPackage) -> Channel:
    found = write_channel(root, each)
    for subdir in SUBDIRS:
        index = root / subdir / "repodata.json"
        if not index.is_file():
            index.parent.mkdir(exist_ok=True)
            index.write_text('{"info": {}, "packages": {}, "packages.conda": {}}')
    return found


@pytest.fixture
def project(tmp_path) -> Path:
    """A project that asks for two Pythons and two platforms, beside its channel."""
    channel_of(tmp_path / "channel", *packages())
    return press.project(tmp_path / "project", f'channels = ["../channel"]\npackages = ["top"]\n{MATRIX}', name="top")


def lock(project: Path, *arguments: str, **environ: str) -> press.Done:
    return press.command("lock", *arguments, cwd=project, environ=environ)


def change(project: Path, old: str, new: str) -> None:
    path = project / "pyproject.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def locked(project: Path) -> dict[str, dict[str, list[str]]]:
    """What py-rattler's own reader finds: for each environment and platform, its packages."""
    code = """
import json, os, pathlib, sys, rattler
lock = rattler.LockFile.from_path(pathlib.Path(sys.argv[1]))
found = {}
for name, environment in lock.environments():
    for platform, packages in environment.packages_by_platform().items():
        found.setdefault(name, {})[platform.name] = sorted(f"{p.name} {p.version}" for p in packages)
print(json.dumps(found), flush=True)
os._exit(0)
"""
    done = press.run(sys.executable, "-c", code, project / LOCK, cwd=project)
    return json.loads(done.ok().out)


def versions(project: Path) -> set[str]:
    """All that is locked for any target, but for Python."""
    each = (names for platforms in locked(project).values() for names in platforms.values())
    return {name for names in each for name in names if not name.startswith("python ")}


def record(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as file:
        return next(file.read(name).decode() for name in file.namelist() if name.endswith(".dist-info/RECORD"))


def built(project: Path, output: Path, *, python: str | Path = sys.executable, **environ: str) -> Path:
    """The wheel that the hook builds for a fixed target."""
    call = 'import sys, mamba_press.build as b; print(b.build_wheel(sys.argv[1], {"python": "3.11"}))'
    table = {"MAMBA_PRESS_PLATFORM": "manylinux_2_28_x86_64", **environ}
    output.mkdir()
    done = press.run(python, "-c", call, output, cwd=project, environ=table).ok()
    return output / done.out.split()[-1]


# --- making one ---


def test_every_python_and_platform_is_locked_and_rattler_reads_it(project):
    done = lock(project).ok()
    assert done.out == f"{project / LOCK}\nlocked for 4 targets\n"
    names = ["base 1.0", "middle 1.0", "top 1.0"]
    assert locked(project) == {
        f"py3{minor}": {
            platform: [*names[:2], f"python 3.{minor}.0", names[2]]
            for platform in ("linux-64-glibc-2-28", "osx-arm64-osx-26-0")
        }
        for minor in (11, 12)
    }


def test_the_bytes_depend_on_nothing_but_what_is_locked(project, tmp_path):
    lock(project).ok()
    first = project.joinpath(LOCK).read_bytes()
    lock(project, PYTHONHASHSEED="7", TZ="Asia/Tokyo").ok()
    assert project.joinpath(LOCK).read_bytes() == first
    lock(project, "--update").ok()
    assert project.joinpath(LOCK).read_bytes() == first
    other = tmp_path / "elsewhere with a näme"
    shutil.copytree(project, other / "project", ignore=shutil.ignore_patterns(LOCK))
    shutil.copytree(tmp_path / "channel", other / "channel")
    lock(other / "project").ok()
    assert other.joinpath("project", LOCK).read_bytes() == first
    assert str(tmp_path).encode() not in first


def test_a_project_without_a_matrix_is_locked_for_its_target(project):
    change(project, MATRIX, 'python = "3.12"\nplatform = "osx-arm64"\n')
    lock(project).ok()
    assert locked(project).keys() == {"py312"}


def test_what_the_command_names_goes_over_the_matrix(project):
    lock(project, "--python", "3.12", "--platform", "osx-arm64").ok()
    assert {name: list(each) for name, each in locked(project).items()} == {"py312": ["osx-arm64-osx-26-0"]}


def test_an_override_is_locked_where_it_counts(project):
    change(project, MATRIX, f'{MATRIX}[[tool.mamba-press.overrides]]\nif.platform = "^osx"\npackages = ["base"]\n')
    lock(project).ok()
    found = locked(project)["py311"]
    assert "top 1.0" in found["linux-64-glibc-2-28"]
    assert found["osx-arm64-osx-26-0"] == ["base 1.0", "python 3.11.0"]


TWO_NAMES = '"manylinux2014_x86_64", "manylinux_2_17_x86_64"'


def test_two_names_of_one_platform_are_one_target(project):
    change(project, '"manylinux_2_28_x86_64"', TWO_NAMES)
    lock(project, "--python", "3.12").ok()
    assert {name: sorted(each) for name, each in locked(project).items()} == {
        "py312": ["linux-64-glibc-2-17", "osx-arm64-osx-26-0"]
    }
    assert lock(project, "--python", "3.12", "--check").ok().out == "current: 2 targets\n"
    for platform in ("manylinux2014_x86_64", "manylinux_2_17_x86_64"):
        press.command("list", project, "--python", "3.12", "--platform", platform, cwd=project).ok()


def test_an_override_cannot_part_two_names_of_one_platform(project):
    change(project, '"manylinux_2_28_x86_64"', TWO_NAMES)
    table = '[[tool.mamba-press.overrides]]\nif.platform = "manylinux2014"\npackages = ["base"]\n'
    with (project / "pyproject.toml").open("a") as file:
        file.write(table)
    for arguments in ((), ("--check",)):
        done = lock(project, "--python", "3.12", *arguments)
        assert done.code == 2
        assert "- 3.12 manylinux_2_17_x86_64: is one target with 3.12 manylinux2014_x86_64 in a lock" in done.err
        assert "asks for other packages" in done.err
        assert not project.joinpath(LOCK).exists()


def test_a_channel_as_of_a_day(project, tmp_path):
    newer = [CondaPackage(name="base", version="9", build="9", timestamp=1798761600000)]  # 2027-01-01
    channel_of(tmp_path / "channel", *newer)
    change(project, "packages = ", 'exclude-newer = "2026-12-01"\npackages = ')
    lock(project).ok()
    assert "base 1.0" in versions(project)
    change(project, "2026-12-01", "2027-12-01")
    assert lock(project, "--check").code == 2
    lock(project, "--update").ok()
    assert "base 9" in versions(project)


def test_every_target_that_fails_is_told_and_nothing_is_written(project):
    change(project, '"3.11", "3.12"', '"3.11", "3.9", "3.10"')
    done = lock(project)
    assert done.code == 3
    for target in ("3.9 manylinux_2_28_x86_64", "3.10 osx-arm64"):
        assert target in done.err
    assert "3.11 manylinux_2_28_x86_64" not in done.err
    assert not project.joinpath(LOCK).exists()


def test_every_target_that_cannot_be_is_told(project):
    change(project, '"3.11", "3.12"', '"3.11", "2.7", "pp310"')
    done = lock(project)
    assert done.code == 2
    assert done.err.count("tool.mamba-press.python") == 2


# --- keeping one ---


def test_what_still_fits_stays_until_it_is_updated(project, tmp_path):
    lock(project).ok()
    first = project.joinpath(LOCK).read_bytes()
    channel_of(tmp_path / "channel", *packages("2.0", base="2.0"))
    assert "nothing changed" in lock(project).ok().out
    assert project.joinpath(LOCK).read_bytes() == first
    assert lock(project, "--update", "base").ok().out.splitlines()[1:] == [
        "4 targets, changed:",
        "  base: 1.0 pyh_0 -> 2.0 pyh_0",
    ]
    assert versions(project) == {"base 2.0", "middle 1.0", "top 1.0"}
    lock(project, "--update").ok()
    assert versions(project) == {"base 2.0", "middle 2.0", "top 2.0"}


def test_an_update_moves_what_has_to_move_with_it_and_no_more(tmp_path):
    channel = tmp_path / "channel"
    pythons = [python_package("3.11")]
    old = [pure("top", "1.0", ("base ==1.0", "other")), pure("base", "1.0"), pure("other", "1.0")]
    new = [pure("top", "2.0", ("base ==2.0", "other")), pure("base", "2.0"), pure("other", "2.0")]
    channel_of(channel, *old, *pythons)
    table = f'channels = ["{channel}"]\npackages = ["top"]\npython = "3.11"\nplatform = "linux-64"'
    project = press.project(tmp_path / "project", table)
    lock(project).ok()
    channel_of(channel, *old, *new, *pythons)
    lock(project, "--update", "top").ok()
    assert versions(project) == {"top 2.0", "base 2.0", "other 1.0"}


def test_what_the_channel_no_longer_has_is_replaced(project, tmp_path):
    lock(project).ok()
    for subdir in ("noarch", *SUBDIRS):
        shutil.rmtree(tmp_path / "channel" / subdir)
    channel_of(tmp_path / "channel", *packages("3.0", base="3.0"))
    lock(project).ok()
    assert versions(project) == {"base 3.0", "middle 3.0", "top 3.0"}


def test_a_name_that_is_not_locked_cannot_be_updated(project):
    lock(project).ok()
    done = lock(project, "--update", "basis", "midle")
    assert done.code == 2
    assert "--update basis: is not in mamba-press.lock" in done.err
    assert "did you mean middle?" in done.err


def test_a_lock_that_cannot_be_read_is_made_anew_as_the_message_says(project):
    project.joinpath(LOCK).write_text("<<<<<<< ours\n")
    done = lock(project)
    assert done.code == 2
    assert "make it anew with `mamba-press lock --update`" in done.err
    assert "locked for 4 targets" in lock(project, "--update").ok().out


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: path.symlink_to("gone.lock"), "is a symlink that leads to no file"),
        (lambda path: path.mkdir(), "is no file"),
    ],
)
def test_what_has_the_name_of_a_lock_and_is_no_file_is_not_passed_over(project, tmp_path, make, what):
    make(project / LOCK)
    message = f"""\
mamba-press: the configuration cannot be used
- {LOCK}: {what}
  remove it, then make it anew with `mamba-press lock`
"""
    for command in (["press", project, "--python", "3.11", "-o", tmp_path / "dist"], ["lock", project, "--check"]):
        done = press.command(*map(str, command), cwd=tmp_path)
        assert (done.code, done.err) == (2, message)


def test_a_check_tells_whether_the_lock_is_current(project):
    done = lock(project, "--check")
    assert (done.code, done.out) == (2, "")
    assert "mamba-press.lock: has no solution" in done.err
    lock(project).ok()
    first = project.joinpath(LOCK).read_bytes()
    assert lock(project, "--check").ok().out == "current: 4 targets\n"
    change(project, '["top"]', '["top", "base"]')
    done = lock(project, "--check", "--json")
    assert done.code == 2
    [problem] = json.loads(done.out)["problems"]
    assert problem["where"] == "tool.mamba-press.packages"
    assert project.joinpath(LOCK).read_bytes() == first


def test_the_result_can_be_read_by_a_program(project, tmp_path):
    found = json.loads(lock(project, "--json").ok().out)
    assert found["lock"] == str(project / LOCK)
    assert len(found["targets"]) == 4
    channel_of(tmp_path / "channel", pure("base", "1.5"))
    found = json.loads(lock(project, "--json", "--update", "base").ok().out)
    assert {(each["package"], each["before"], each["after"]) for each in found["changes"]} == {
        ("base", "1.0 pyh_0", "1.5 pyh_0")
    }


# --- building from one ---


def test_a_build_takes_what_is_locked_not_what_is_newest(project, tmp_path):
    lock(project).ok()
    channel_of(tmp_path / "channel", *packages("2.0"))
    assert built(project, tmp_path / "out").name == "top-1.0-py3-none-any.whl"


STALE = {
    "packages": ('["top"]', '["top", "base"]', "packages", "now 'base'"),
    "channels": ('["../channel"]', '["../channel", "conda-forge"]', "channels", "now 'conda-forge'"),
    "constraints": ("packages = ", 'constraints = ["base <2"]\npackages = ', "constraints", "now 'base <2'"),
    "exclude-newer": ("packages = ", 'exclude-newer = "2026-10-01"\npackages = ', "exclude-newer", "now 2026-10-01"),
}


@pytest.mark.parametrize("name", STALE)
def test_a_stale_lock_is_refused_with_what_changed(name, project, tmp_path):
    old, new, key, what = STALE[name]
    lock(project).ok()
    change(project, old, new)
    (tmp_path / "out").mkdir()
    table = {"MAMBA_PRESS_PLATFORM": "manylinux_2_28_x86_64", "MAMBA_PRESS_PYTHON": "3.11"}
    for hook in ("build_wheel", "build_sdist"):
        done = press.hook(hook, tmp_path / "out", cwd=project, environ=table)
        assert done.code == 1, done.out
        assert f"tool.mamba-press.{key}: mamba-press.lock was made for other " in done.err
        assert what in done.err
        assert "make it anew with `mamba-press lock`" in done.err
        assert "Traceback" not in done.err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_driver_that_the_lock_did_not_count_on_makes_it_stale(project):
    lock(project).ok()
    done = lock(project, "--check", CONDA_OVERRIDE_CUDA="12.4")
    assert done.code == 2
    assert "the target: mamba-press.lock was made for other virtual packages: now '__cuda=12.4=0'" in done.err


def test_archives_that_are_not_what_was_locked_are_refused_by_name(project, tmp_path):
    lock(project).ok()
    archives = {name: tmp_path / "channel" / "noarch" / f"{name}-1.0-pyh_0.conda" for name in ("top", "middle")}
    archives["top"].write_bytes(archives["top"].read_bytes()[:-1] + b"?")
    archives["middle"].unlink()
    change(project, "packages = ", 'select.python-packages = ["middle"]\npackages = ')
    table = {"MAMBA_PRESS_PLATFORM": "manylinux_2_28_x86_64", "MAMBA_PRESS_PYTHON": "3.11"}
    done = press.hook("build_wheel", tmp_path, cwd=project, environ=table)
    assert done.code == 1
    assert "top 1.0 pyh_0" in done.err
    assert "sha256" in done.err
    assert "middle 1.0 pyh_0" in done.err
    assert "No such file" in done.err


def test_a_repaired_index_does_not_change_what_is_built(project, tmp_path):
    lock(project).ok()
    before = record(built(project, tmp_path / "before"))
    index = tmp_path / "channel" / "noarch" / "repodata.json"
    index.write_text(index.read_text().replace('"base >=1"', '"base >=1", "unheard-of"'))
    assert record(built(project, tmp_path / "after")) == before


STALE_TEXT = """\
- tool.mamba-press.packages: mamba-press.lock was made for other packages: now 'base'
  make it anew with `mamba-press lock`
"""
ONE_TARGET = 'python = "3.12"\nplatform = "manylinux_2_28_x86_64"\n'


COMPUTED = '["version", "license", "dependencies"]'
"""What is left to be computed, so that there is no warning about it."""


def elsewhere(project: Path) -> None:
    """Let the channel have the Python 3.13, which the lock has nothing for."""
    channel_of(project.parent / "channel", *packages(), python_package("3.13"))


@pytest.mark.parametrize("table", [MATRIX, ONE_TARGET], ids=["matrix", "one target"])
@pytest.mark.parametrize("call", ["press", "list", "explain", "press --matrix", "wheelhouse"])
def test_a_stale_lock_is_refused_by_a_command_for_a_target_that_it_has_not_got(project, tmp_path, call, table):
    change(project, MATRIX, table)
    lock(project).ok()
    elsewhere(project)
    change(project, '["top"]', '["top", "base"]')
    where = ["--platform", "manylinux_2_28_x86_64"] + ([] if call == "press --matrix" else ["--python", "3.13"])
    done = press.command(*call.split(), project, *where, cwd=tmp_path)
    assert done.code == 2
    assert done.err.endswith(f"mamba-press: the configuration cannot be used\n{STALE_TEXT}")
    assert not list(tmp_path.rglob("*.whl"))


@pytest.mark.parametrize("table", [MATRIX, ONE_TARGET], ids=["matrix", "one target"])
@pytest.mark.parametrize("hook", ["build_wheel", "build_sdist", "prepare_metadata_for_build_wheel", "build_editable"])
def test_a_stale_lock_is_refused_by_a_hook_for_a_target_that_it_has_not_got(project, tmp_path, hook, table):
    change(project, MATRIX, table)
    lock(project).ok()
    elsewhere(project)
    change(project, '["top"]', '["top", "base"]')
    (tmp_path / "out").mkdir()
    done = press.hook(hook, tmp_path / "out", {"mamba-press.python": "3.13"}, cwd=project)
    assert done.code == 1
    assert done.err.endswith(f"mamba-press: the configuration cannot be used\n{STALE_TEXT}")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("table", "locked", "built"),
    [
        (ONE_TARGET, (), ("--python", "3.12", "--platform", "manylinux_2_17_x86_64")),
        (ONE_TARGET, (), ("--python", "3.12", "--platform", "osx-arm64")),
        (MATRIX, ("--python", "3.12", "--platform", "linux-64"), ("--python", "3.11", "--platform", "osx-arm64")),
        (MATRIX.replace('"3.11", ', ""), ("--python", "3.11"), ("--python", "3.12", "--platform", "osx-arm64")),
    ],
    ids=["lower floor", "other platform", "part of the matrix", "beside the matrix"],
)
def test_a_stale_lock_is_refused_whatever_it_was_made_for(project, tmp_path, table, locked, built):
    change(project, MATRIX, table)
    lock(project, *locked).ok()
    change(project, '["top"]', '["top", "base"]')
    done = press.command("list", project, *built, cwd=tmp_path)
    assert done.code == 2
    assert done.err.endswith(f"mamba-press: the configuration cannot be used\n{STALE_TEXT}")


SILENT = """\
mamba-press: warning: mamba-press.lock has nothing for 3.13 manylinux_2_28_x86_64: solved anew, with the locked \
versions of the requested packages
  name the target in tool.mamba-press.matrix, and make it anew with `mamba-press lock`; --locked (locked = true) makes \
this an error
"""


@pytest.mark.parametrize("table", [MATRIX, ONE_TARGET], ids=["matrix", "one target"])
def test_a_fresh_lock_without_the_target_is_a_warning(project, tmp_path, table):
    change(project, MATRIX, table)
    change(project, '["version"]', COMPUTED)
    lock(project).ok()
    channel_of(tmp_path / "channel", *packages("2.0"), python_package("3.13"))
    call = ("press", project, "--python", "3.13", "--platform", "manylinux_2_28_x86_64", "-q")
    done = press.command(*call, cwd=tmp_path).ok()
    assert done.err == SILENT
    assert "top-1.0-" in done.out
    strict = press.command(*call, "-W", "error", "-o", "strict", cwd=tmp_path)
    assert strict.code != 0
    assert "mamba-press.lock has nothing for 3.13" in strict.err
    assert not list(tmp_path.glob("strict/*"))


def test_a_lock_for_some_targets_of_the_matrix_serves_those(project, tmp_path):
    lock(project, "--python", "3.12").ok()
    call = ("list", project, "--platform", "manylinux_2_28_x86_64", "--locked")
    press.command(*call, "--python", "3.12", cwd=tmp_path).ok()
    assert press.command(*call, "--python", "3.11", cwd=tmp_path).code == 2


def test_an_sdist_of_a_project_without_a_lock_is_built_for_every_target(project, tmp_path):
    (tmp_path / "dist").mkdir()
    name = press.returned(press.hook("build_sdist", tmp_path / "dist", cwd=project, environ=PLATFORM))
    folder = press.unpacked(tmp_path / "dist" / name, tmp_path / "unpacked")
    for python in ("3.11", "3.12"):
        call = ("list", folder, "--python", python, "-c", tmp_path / "channel")
        press.command(*call, cwd=folder, environ=PLATFORM).ok()


# --- --locked and --frozen


def missing(key: str) -> str:
    return f"- mamba-press.lock: is missing, and {key} is true\n  make it with `mamba-press lock`\n"


def silent(key: str) -> str:
    return (
        f"- mamba-press.lock: has nothing for 3.13 manylinux_2_28_x86_64, and {key} is true\n"
        "  name the target in tool.mamba-press.matrix, and make it anew with `mamba-press lock`\n"
    )


PLATFORM = {"MAMBA_PRESS_PLATFORM": "manylinux_2_28_x86_64"}
TARGET = ("--platform", "manylinux_2_28_x86_64", "--python")


@pytest.mark.parametrize("call", ["press", "list", "explain", "wheelhouse"])
@pytest.mark.parametrize("option", ["--locked", "--frozen"])
def test_a_lock_that_has_to_be_used_has_to_be_there_and_to_have_the_target(project, tmp_path, call, option):
    done = press.command(call, project, *TARGET, "3.12", option, cwd=tmp_path)
    assert (done.code, done.err.partition("used\n")[2]) == (2, missing(option))
    lock(project).ok()
    elsewhere(project)
    done = press.command(call, project, *TARGET, "3.13", option, cwd=tmp_path)
    assert (done.code, done.err.partition("used\n")[2]) == (2, silent(option))
    press.command(call, project, *TARGET, "3.12", option, cwd=tmp_path).ok()


@pytest.mark.parametrize("key", ["locked", "frozen"])
@pytest.mark.parametrize("way", ["table", "setting", "variable"])
def test_the_hooks_take_the_same_as_keys(project, tmp_path, key, way):
    (tmp_path / "out").mkdir()
    lock(project).ok()
    elsewhere(project)
    settings, environ = {"python": "3.13"}, dict(PLATFORM)
    if way == "table":
        change(project, "packages = ", f"{key} = true\npackages = ")
    elif way == "setting":
        settings[key] = "true"
    else:
        environ[f"MAMBA_PRESS_{key.upper()}"] = "1"
    called = {"table": f"tool.mamba-press.{key}", "setting": f"-C {key}", "variable": f"MAMBA_PRESS_{key.upper()}"}
    for hook in ("build_wheel", "build_sdist"):
        done = press.hook(hook, tmp_path / "out", settings, cwd=project, environ=environ)
        assert done.code == 1
        assert done.err.endswith(silent(called[way]))
    press.returned(
        press.hook("build_wheel", tmp_path / "out", {**settings, "python": "3.12"}, cwd=project, environ=environ)
    )


def test_a_stale_lock_is_refused_by_locked_and_used_as_it_is_by_frozen(project, tmp_path):
    change(project, '["version"]', COMPUTED)
    lock(project).ok()
    change(project, '["top"]', '["top", "more"]')
    call = ("press", project, *TARGET, "3.12", "-q")
    assert press.command(*call, "--locked", cwd=tmp_path).code == 2
    done = press.command(*call, "--frozen", cwd=tmp_path).ok()
    assert done.out == "dist/top-1.0-py3-none-any.whl\n"
    assert done.err == (
        "mamba-press: warning: mamba-press.lock has no 'more', and --frozen is true: the wheel is made without it\n"
        "  make it anew with `mamba-press lock`\n"
    )


def test_a_frozen_lock_has_to_have_what_gives_the_version(project, tmp_path):
    lock(project).ok()
    change(project, '["top"]', '["more", "top"]')
    done = press.command("press", project, *TARGET, "3.12", "--frozen", cwd=tmp_path)
    assert done.code == 2
    assert done.err.endswith(
        "- tool.mamba-press.packages: mamba-press.lock has no 'more', and --frozen is true\n"
        "  make it anew with `mamba-press lock`\n"
    )


def test_both_are_too_much(project, tmp_path):
    with_both = press.command("press", project, "--locked", "--frozen", cwd=tmp_path)
    assert with_both.code == 2
    assert "not allowed with argument --locked" in with_both.err
    done = press.command("press", project, "--frozen", cwd=tmp_path, environ={"MAMBA_PRESS_LOCKED": "1"})
    assert done.code == 2
    assert done.err.endswith(
        "- MAMBA_PRESS_LOCKED, --frozen: are both true\n"
        "  keep one: locked checks that the lock is current, frozen does not\n"
    )


@pytest.mark.parametrize("option", ["--locked", "--frozen"])
def test_specs_have_no_lock(project, tmp_path, option):
    done = press.command("press", "top", "-c", tmp_path / "channel", option, cwd=tmp_path)
    assert done.code == 2
    assert done.err.endswith(
        f"- {option}: is true, and only a project has a lock\n  leave it out, or press a project\n"
    )


# --- what nothing of Python is in


@pytest.fixture
def plain(tmp_path) -> Path:
    """A project locked for Python 3.12 alone, of packages that depend on no Python; there is a newer one since."""
    data = CondaPackage(name="data", version="1.0", files={"share/data.txt": "1\n"}, depends=("other",))
    other = CondaPackage(name="other", files={"share/other.txt": "1\n"})
    channel_of(tmp_path / "channel", data, other)
    project = press.project(
        tmp_path / "project", f'channels = ["../channel"]\npackages = ["data"]\n{ONE_TARGET}', name="data"
    )
    lock(project).ok()
    channel_of(tmp_path / "channel", data, other, replace(data, version="2.0", files={"share/data.txt": "2\n"}))
    return project


@pytest.mark.parametrize("option", ["--locked", "--frozen", "-q"])
def test_a_solution_without_python_serves_every_python(plain, tmp_path, option):
    first = press.command("press", plain, "-o", "one", cwd=tmp_path).ok().out.strip()
    done = press.command("press", plain, "--python", "3.14t", option, "-o", "two", cwd=tmp_path).ok()
    assert "mamba-press.lock" not in done.err
    assert (tmp_path / first).read_bytes() == (tmp_path / done.out.strip()).read_bytes()
    press.command("lock", plain, "--check", "--python", "3.9", cwd=tmp_path).ok()


def test_a_solution_without_python_does_not_serve_where_an_override_asks_for_others(plain, tmp_path):
    with (plain / "pyproject.toml").open("a") as file:
        file.write('[[tool.mamba-press.overrides]]\nif.python-version = "<3.12"\nconstraints = ["data >=1"]\n')
    done = press.command("press", plain, "--python", "3.11", cwd=tmp_path).ok()
    assert "warning: mamba-press.lock has nothing for 3.11" in done.err
    assert press.command("press", plain, "--python", "3.11", "--locked", cwd=tmp_path).code == 2


# --- the same everywhere ---


def no_network() -> tuple[str, ...]:
    """What runs a command without any network, not even this machine's own."""
    command = ("unshare", "-r", "-n")
    tried = shutil.which("unshare") and subprocess.run([*command, "true"], check=False, capture_output=True)
    if not tried or tried.returncode:
        pytest.skip("this machine lets nobody make a network namespace")
    return command


@pytest.fixture
def remote(tmp_path):
    """A project whose channel is a server, with a requirement whose name only the server's archive knows."""
    files = {f"site-packages/{path}": text for path, text in dist_info("outer-on-pypi", "1.0").items()}
    outer = CondaPackage(name="conda-outer", build="pyh_0", noarch="python", depends=("python",), files=files)
    channel_of(tmp_path / "channel", pure("top", depends=("conda-outer",)), outer, python_package("3.11"))
    with press.serving(tmp_path / "channel") as url:
        table = f'channels = ["{url}"]\npackages = ["top"]\npython = "3.11"\nplatform = "manylinux_2_28_x86_64"'
        project = press.project(tmp_path / "project", table, name="top")
        change(project, '["version"]', '["version", "dependencies"]')
        lock(project).ok()
        yield project


def test_with_lock_and_cache_a_build_needs_no_network(remote, tmp_path):
    command = no_network()
    online = built(remote, tmp_path / "online")
    with zipfile.ZipFile(online) as wheel:
        [metadata] = [wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/METADATA")]
    assert "Requires-Dist: outer_on_pypi" in metadata
    for offline in ("", "1"):
        output = tmp_path / f"offline{offline}"
        output.mkdir()
        call = "import sys, mamba_press.build as b; print(b.build_wheel(sys.argv[1]))"
        environ = {"MAMBA_PRESS_OFFLINE": offline}
        press.run(*command, sys.executable, "-c", call, output, cwd=remote, environ=environ).ok()
        assert output.joinpath(online.name).read_bytes() == online.read_bytes()


def test_an_empty_cache_without_network_is_told_by_name(remote, tmp_path):
    command = no_network()
    call = "import sys, mamba_press.build as b; print(b.build_wheel(sys.argv[1]))"
    environ = {"MAMBA_PRESS_OFFLINE": "1", "RATTLER_CACHE_DIR": str(tmp_path / "empty")}
    done = press.run(*command, sys.executable, "-c", call, tmp_path, cwd=remote, environ=environ)
    assert done.code == 1
    assert "top-1.0-pyh_0.conda" in done.err


def test_an_sdist_installs_offline_as_the_maintainer_built_it(remote, tmp_path):
    command = no_network()
    online = built(remote, tmp_path / "online")
    sdist = press.returned(press.hook("build_sdist", tmp_path, cwd=remote))
    call = (sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w")
    press.run(*command, *call, tmp_path / "pip", tmp_path / str(sdist), cwd=tmp_path).ok()
    assert tmp_path.joinpath("pip", online.name).read_bytes() == online.read_bytes()


def test_an_sdist_carries_the_whole_lock(project, tmp_path):
    lock(project).ok()
    table = {"MAMBA_PRESS_PLATFORM": "osx-arm64", "MAMBA_PRESS_PYTHON": "3.12"}
    sdist = press.returned(press.hook("build_sdist", tmp_path, cwd=project, environ=table))
    unpacked = press.unpacked(tmp_path / str(sdist), tmp_path / "unpacked")
    assert locked(unpacked) == locked(project)
    done = press.hook("build_wheel", tmp_path, cwd=unpacked, environ=table)
    assert "-C channels=" in done.err  # the channel lay outside the project
    settings = {"channels": str(tmp_path / "channel")}
    assert press.returned(press.hook("build_wheel", tmp_path, settings, cwd=unpacked, environ=table))


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_the_interpreter_that_builds_does_not_count(version, project, tmp_path):
    lock(project).ok()
    site = tmp_path / "site"
    site.mkdir()
    for name in ("packaging", "pyproject_metadata"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        site.joinpath(name).symlink_to(Path(spec.origin).parent)
    compression = {"MAMBA_PRESS_WHEEL_COMPRESSION": "zlib"}
    ours = built(project, tmp_path / "ours", **compression)
    path = f"{press.REPOSITORY / 'src'}:{site}"
    other = built(
        project,
        tmp_path / "other",
        python=interpreter(version),
        PYTHONPATH=path,
        MAMBA_PRESS_WORKER=sys.executable,
        **compression,
    )
    assert other.name == ours.name
    assert record(other) == record(ours)


@pytest.mark.parametrize("umask", ["000", "077"])
def test_the_folder_and_the_umask_do_not_count(umask, project, tmp_path):
    lock(project).ok()
    ours = built(project, tmp_path / "ours")
    other = tmp_path / "another folder"
    shutil.copytree(project, other / "project")
    shutil.copytree(tmp_path / "channel", other / "channel")
    call = "import os, sys; os.umask(int(sys.argv[2], 8)); import mamba_press.build as b; b.build_wheel(sys.argv[1])"
    (tmp_path / "other").mkdir()
    table = {
        "MAMBA_PRESS_PLATFORM": "manylinux_2_28_x86_64",
        "MAMBA_PRESS_PYTHON": "3.11",
        "RATTLER_CACHE_DIR": str(tmp_path / "cache"),
    }
    press.run(sys.executable, "-c", call, tmp_path / "other", umask, cwd=other / "project", environ=table).ok()
    assert tmp_path.joinpath("other", ours.name).read_bytes() == ours.read_bytes()


# --- the real channels' records ---


def test_twelve_targets_cost_less_than_four_times_one(shared_channels, tmp_path):
    """Issue 7, target 14, in CPU seconds of the whole command and the processes that it starts."""
    import resource

    import zstandard

    for subdir in ("linux-64", "noarch", "osx-arm64", "win-64"):
        packed = (shared_channels / "records" / subdir / "repodata.json.zst").read_bytes()
        index = tmp_path / "records" / subdir / "repodata.json"
        index.parent.mkdir(parents=True)
        index.write_bytes(zstandard.ZstdDecompressor().stream_reader(packed).read())
    matrix = {
        "python": ["3.10", "3.11", "3.12"],
        "platform": ["manylinux_2_28_x86_64", "manylinux_2_34_x86_64", "osx-arm64", "win-64"],
    }
    table = 'channels = ["../records"]\npackages = ["gdal"]\n[tool.mamba-press.matrix]\n'
    table += "".join(f"{key} = {json.dumps(names)}\n" for key, names in matrix.items())
    project = press.project(tmp_path / "project", table)

    def seconds(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        lock(project, "--update", *arguments).ok()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    one = min(seconds("--python", "3.10", "--platform", "manylinux_2_28_x86_64") for _ in range(2))
    twelve = min(seconds() for _ in range(2))
    assert sum(map(len, locked(project).values())) == 12
    assert twelve < 4 * one
