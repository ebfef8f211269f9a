"""The eight hooks as front ends call them: each in a fresh process, with settings of every shape."""

from __future__ import annotations

import email
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from pyproject_hooks import BuildBackendHookCaller, quiet_subprocess_runner

from tests.support import press
from tests.support.channel import CondaPackage, python_abi, python_package, write_channel

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

PYTHON = (python_package(press.HERE), python_abi(press.HERE))
HANDED = "mamba-press.json"


@pytest.fixture
def words(tmp_path) -> Path:
    """A project that presses a package without compiled code, from a channel of its own."""
    write_channel(tmp_path / "project" / "channel", [press.words(), *PYTHON])
    return press.project(tmp_path / "project", 'channels = ["./channel"]\npackages = ["words"]', name="words")


@pytest.fixture
def caller(words, monkeypatch) -> BuildBackendHookCaller:
    """The hooks through the library that pip and build use."""
    monkeypatch.setenv("PYTHONPATH", str(press.REPOSITORY / "src"))
    return BuildBackendHookCaller(str(words), "mamba_press.build", runner=quiet_subprocess_runner)


DEFLATE = ["deflate"] if press.MACHINE or platform.machine() in ("aarch64", "arm64") else []
"""Asked for where it has a wheel: of the machines that the tests know, everywhere but on macOS on x86_64."""


# --- light questions

HEAVY = {"rattler", "lief", "asyncio", "zipfile", "tarfile", "deflate", "concurrent.futures"}
HEAVY |= {"mamba_press.pipeline.press", "mamba_press.pipeline.solve", "pyproject_hooks"}


def imported(*arguments: str | Path, cwd: Path) -> tuple[press.Done, set[str]]:
    """What a process imported, by its own account, and how it ended."""
    done = press.run(sys.executable, "-X", "importtime", *arguments, cwd=cwd)
    lines = [line for line in done.err.splitlines() if line.startswith("import time:")]
    return done, {line.rpartition("|")[2].strip() for line in lines}


HOOK = "import mamba_press.build as b; print(b.{}({}))"
LIGHT = {
    "wheel": ["-c", HOOK.format("get_requires_for_build_wheel", "None")],
    "sdist": ["-c", HOOK.format("get_requires_for_build_sdist", "{}")],
    "editable": ["-c", HOOK.format("get_requires_for_build_editable", "{}")],
    "help": ["-m", "mamba_press", "--help"],
    "press-help": ["-m", "mamba_press", "press", "--help"],
    "version": ["-m", "mamba_press", "--version"],
}
WRONG = {
    "hook": ["-c", HOOK.format("build_wheel", "'out', {'pakages': 'words'}")],
    "requires": ["-c", HOOK.format("get_requires_for_build_wheel", "{'platform': 'win_arm32'}")],
    "command": ["-m", "mamba_press", "press", ".", "-C", "pakages=words"],
    "no-project": ["-m", "mamba_press", "press", "words", "--python", "2.7"],
}


@pytest.mark.parametrize("name", LIGHT)
def test_a_light_question_imports_nothing_heavy(name, words):
    done, modules = imported(*LIGHT[name], cwd=words)
    assert done.code == 0, done.err
    assert "mamba_press" in modules
    assert modules & HEAVY == set()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_configuration_is_told_without_importing_anything_heavy(name, words):
    done, modules = imported(*WRONG[name], cwd=words)
    assert done.code == (2 if name in ("command", "no-project") else 1)
    assert "the configuration cannot be used" in done.err
    assert modules & HEAVY == set()


def test_importing_the_hooks_imports_nothing_of_ours(words):
    _, modules = imported("-c", "import mamba_press.build", cwd=words)
    assert {name for name in modules if name.startswith("mamba_press")} == {"mamba_press", "mamba_press.build"}


def test_asking_what_a_build_needs_needs_no_channel(words):
    shutil.rmtree(words / "channel")
    for kind in ("wheel", "sdist", "editable"):
        found = press.returned(press.hook(f"get_requires_for_build_{kind}", cwd=words))
        assert [Requirement(each).name for each in found] == ["py-rattler", *DEFLATE], kind


def test_a_worker_elsewhere_needs_no_rattler_here(words):
    found = press.returned(
        press.hook("get_requires_for_build_wheel", {}, cwd=words, environ={"MAMBA_PRESS_WORKER": sys.executable})
    )
    assert [Requirement(each).name for each in found] == DEFLATE


def test_every_problem_of_all_tables_is_told_before_anything_is_installed(words):
    press.project(words, 'pakages = ["words"]', name="-")
    done = press.hook("get_requires_for_build_wheel", cwd=words)
    assert "(2 problems)" in done.err
    assert "tool.mamba-press.pakages" in done.err
    assert "project.name" in done.err


# --- the hooks one by one


def test_all_hooks_are_there_and_say_so(caller):
    assert sorted(caller._supported_features()) == ["build_editable"]
    assert caller.get_requires_for_build_wheel() == caller.get_requires_for_build_editable()


def test_a_wheel_is_built_into_the_folder_and_only_there(caller, words, tmp_path):
    before = press.hashes(words)
    name = caller.build_wheel(str(tmp_path / "out"), {})
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert press.hashes(words) == before


def test_an_editable_wheel_is_the_same_wheel(caller, tmp_path):
    wheel = caller.build_wheel(str(tmp_path / "wheel"))
    editable = caller.build_editable(str(tmp_path / "editable"))
    assert wheel == editable
    assert (tmp_path / "wheel" / wheel).read_bytes() == (tmp_path / "editable" / editable).read_bytes()


def test_prepared_metadata_is_the_wheel_s(caller, tmp_path):
    for prepare, build in (
        (caller.prepare_metadata_for_build_wheel, caller.build_wheel),
        (caller.prepare_metadata_for_build_editable, caller.build_editable),
    ):
        folder = tmp_path / prepare.__name__
        folder.mkdir()
        name = prepare(str(folder), _allow_fallback=False)
        wheel = build(str(folder), metadata_directory=str(folder / name))
        with zipfile.ZipFile(folder / wheel) as archive:
            for file in ("METADATA", "WHEEL"):
                assert (folder / name / file).read_bytes() == archive.read(f"{name}/{file}")
            assert not [member for member in archive.namelist() if HANDED in member]


def test_an_old_prepared_folder_is_replaced(words, tmp_path):
    old = tmp_path / "meta" / "words-0.9.dist-info"
    old.mkdir(parents=True)
    old.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: words\nVersion: 0.9\n")
    tmp_path.joinpath("meta", "words-1.0.dist-info").mkdir()
    tmp_path.joinpath("meta", "words-1.0.dist-info", "stale").write_text("of the build before")
    name = press.returned(press.hook("prepare_metadata_for_build_wheel", tmp_path / "meta", cwd=words))
    assert [path.name for path in (tmp_path / "meta").iterdir()] == [name]
    assert not (tmp_path / "meta" / name / "stale").exists()


# --- the hand-over of the solve


def prepare(words: Path, folder: Path, settings: dict[str, object] | None = None) -> Path:
    done = press.hook("prepare_metadata_for_build_wheel", folder, settings, cwd=words)
    return folder / str(press.returned(done))


def newer(words: Path) -> None:
    """The channel moves on."""
    write_channel(words / "channel", [press.words("2.0")])


def test_the_wheel_is_built_of_what_was_solved_for_its_metadata(words, tmp_path):
    prepared = prepare(words, tmp_path / "meta")
    newer(words)
    wheel = press.returned(press.hook("build_wheel", tmp_path / "out", None, prepared, cwd=words))
    assert str(wheel).startswith("words-1.0-")
    assert str(press.returned(press.hook("build_wheel", tmp_path / "out", None, None, cwd=words))).startswith(
        "words-2.0-"
    )


def test_the_wheel_of_prepared_metadata_needs_no_list_of_packages_any_more(words, tmp_path):
    prepared = prepare(words, tmp_path / "meta")
    for repodata in words.glob("channel/*/repodata.json"):
        repodata.unlink()
    press.hook("build_wheel", tmp_path / "out", None, prepared, cwd=words).ok()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "7", '{"for": 1}', '{"for": "?", "solution": {}}', "\N{SNOWMAN}", "[" * 100_000],
    ids=["empty", "cut", "list", "null", "number", "half", "other", "text", "deep"],
)
def test_a_hand_over_that_is_none_of_ours_is_passed_over(text, words, tmp_path):
    prepared = prepare(words, tmp_path / "meta")
    prepared.joinpath(HANDED).write_text(text, encoding="utf-8")
    newer(words)
    wheel = press.returned(press.hook("build_wheel", tmp_path / "out", None, prepared, cwd=words))
    assert str(wheel).startswith("words-2.0-")


@pytest.mark.parametrize("solution", [{}, [], {"target": {}, "packages": [], "channels": []}, "words", None])
def test_a_hand_over_with_a_broken_solution_is_passed_over(solution, words, tmp_path):
    prepared = prepare(words, tmp_path / "meta")
    handed = json.loads(prepared.joinpath(HANDED).read_text())
    prepared.joinpath(HANDED).write_text(json.dumps({**handed, "solution": solution}))
    press.hook("build_wheel", tmp_path / "out", None, prepared, cwd=words).ok()


def test_a_hand_over_for_another_order_is_not_used(words, tmp_path):
    prepared = prepare(words, tmp_path / "meta")
    newer(words)
    settings = {"constraints": "words >1"}
    wheel = press.returned(press.hook("build_wheel", tmp_path / "out", settings, prepared, cwd=words))
    assert str(wheel).startswith("words-2.0-")


def test_a_prepared_folder_that_is_gone_is_passed_over(words, tmp_path):
    press.hook("build_wheel", tmp_path / "out", None, tmp_path / "nowhere", cwd=words).ok()


# --- settings of every shape

SHAPES = {
    "none": None,
    "empty": {},
    "a text": {"constraints": "words <2"},
    "repeated": {"constraints": ["words <2", "words >0"]},
    "dotted": {"select.exclude": "nothing/*"},
    "nested": {"select": {"exclude": ["nothing/*"]}, "offline": False},
    "capital": {"offline": "False"},
    "underscore": {"exclude_newer": "2030-01-01"},
    "table": {"link.runtimes": "libgomp=bundle;libgcc=auto"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_settings_are_taken_in_every_shape_that_front_ends_send(shape, words, tmp_path):
    assert press.returned(press.hook("get_requires_for_build_wheel", SHAPES[shape], cwd=words))
    done = press.hook("build_wheel", tmp_path / "out", SHAPES[shape], cwd=words)
    assert str(press.returned(done)).startswith("words-1.0-")


def test_a_setting_goes_over_the_environment_and_that_over_the_table(words, tmp_path):
    newer(words)
    environ = {"MAMBA_PRESS_CONSTRAINTS": "words <2"}
    name = press.returned(press.hook("build_wheel", tmp_path / "out", {}, cwd=words, environ=environ))
    assert str(name).startswith("words-1.0-")
    settings = {"constraints": "words >=2"}
    name = press.returned(press.hook("build_wheel", tmp_path / "out", settings, cwd=words, environ=environ))
    assert str(name).startswith("words-2.0-")


# --- the sdist


def test_the_sdist_holds_its_metadata_and_the_lock(words, tmp_path):
    name = press.returned(press.hook("build_sdist", tmp_path / "out", cwd=words))
    assert name == "words-1.0.tar.gz"
    with tarfile.open(tmp_path / "out" / str(name)) as archive:
        assert {member.split("/")[0] for member in archive.getnames()} == {"words-1.0"}
    root = press.unpacked(tmp_path / "out" / str(name), tmp_path / "unpacked")
    about = email.message_from_bytes(root.joinpath("PKG-INFO").read_bytes())
    assert tuple(map(int, about["Metadata-Version"].split("."))) >= (2, 2)
    assert (about["Name"], about["Version"]) == ("words", "1.0")
    assert "version" not in {field.lower() for field in about.get_all("Dynamic", [])}
    assert root.joinpath("pyproject.toml").read_bytes() == words.joinpath("pyproject.toml").read_bytes()
    code = (
        "import sys, rattler; lock = rattler.LockFile.from_path(sys.argv[1]);"
        "print(sorted(p.name for _, e in lock.environments() for ps in e.packages_by_platform().values() for p in ps))"
    )
    found = press.run(sys.executable, "-c", code, root / "mamba-press.lock", cwd=tmp_path)
    assert "'words'" in found.out, found.err


def test_an_sdist_for_another_python_pins_the_pressed_version(tmp_path):
    other = "3.12" if press.HERE != "3.12" else "3.11"
    modules = [
        CondaPackage(
            name="bound",
            version=version,
            build=f"py{python.replace('.', '')}_0",
            depends=(f"python {python}.*", f"python_abi {python}.* *_cp{python.replace('.', '')}"),
            files={f"lib/python{python}/site-packages/bound.py": f"VERSION = '{version}'\n"},
        )
        for version in ("1.0", "2.0")
        for python in (press.HERE, other)
    ]
    channel = write_channel(tmp_path / "channel", [*modules[:2], *PYTHON, python_package(other), python_abi(other)])
    table = f'channels = ["{channel.root}"]\npackages = ["bound"]'
    project = press.project(tmp_path / "project", table, name="bound")
    name = press.returned(press.hook("build_sdist", tmp_path / "out", cwd=project))
    write_channel(channel.root, modules)
    root = press.unpacked(tmp_path / "out" / str(name), tmp_path / "unpacked")
    for python in (press.HERE, other):
        wheel = press.returned(press.hook("build_wheel", tmp_path / "out", {"python": python}, cwd=root))
        assert str(wheel).startswith(f"bound-1.0-cp{python.replace('.', '')}-")


def test_a_channel_inside_the_project_travels_in_the_sdist(words, tmp_path):
    name = press.returned(press.hook("build_sdist", tmp_path / "out", cwd=words))
    root = press.unpacked(tmp_path / "out" / str(name), tmp_path / "unpacked")
    shutil.rmtree(words)
    press.hook("build_wheel", tmp_path / "out", cwd=root).ok()


def test_a_channel_outside_is_warned_of_and_missed_with_its_ways_out(tmp_path, golden):
    channel = write_channel(tmp_path / "beside" / "channel", [press.words(), *PYTHON])
    table = 'channels = ["../beside/channel"]\npackages = ["words"]'
    project = press.project(tmp_path / "project", table, name="words")
    made = press.hook("build_sdist", tmp_path / "out", cwd=project).ok()
    golden("sdist-channel-outside.txt", press.normalised(made.err, {"tmp": tmp_path}))
    root = press.unpacked(tmp_path / "out" / "words-1.0.tar.gz", tmp_path / "far" / "away")
    missed = press.hook("build_wheel", tmp_path / "out", cwd=root)
    assert missed.code == 1
    golden("sdist-channel-missed.txt", press.normalised(missed.err, {"tmp": tmp_path}))
    press.hook("build_wheel", tmp_path / "out", {"channels": str(channel.root)}, cwd=root).ok()
    environ = {"MAMBA_PRESS_CHANNELS": str(channel.root)}
    press.hook("build_wheel", tmp_path / "out", cwd=root, environ=environ).ok()


@pytest.mark.parametrize("way", ["setting", "variable"])
def test_an_sdist_builds_offline_from_a_filled_cache_after_the_channel_moved_on(way, tmp_path):
    channel = write_channel(tmp_path / "channel", [press.words(), *PYTHON])
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache")}
    with press.serving(channel.root) as url:
        table = f'channels = ["{url}"]\npackages = ["words"]'
        project = press.project(tmp_path / "project", table, name="words")
        sdist = press.returned(press.hook("build_sdist", tmp_path / "out", cwd=project, environ=environ))
        wheel = press.returned(press.hook("build_wheel", tmp_path / "tree", cwd=project, environ=environ))
        write_channel(channel.root, [press.words("2.0")])
        root = press.unpacked(tmp_path / "out" / str(sdist), tmp_path / "unpacked")
        online = press.returned(press.hook("build_wheel", tmp_path / "online", cwd=root, environ=environ))
    settings = {"offline": "true"} if way == "setting" else {}
    environ |= {"MAMBA_PRESS_OFFLINE": "1"} if way == "variable" else {}
    offline = press.returned(press.hook("build_wheel", tmp_path / "offline", settings, cwd=root, environ=environ))
    expected = (tmp_path / "tree" / str(wheel)).read_bytes()
    assert (tmp_path / "online" / str(online)).read_bytes() == expected
    assert (tmp_path / "offline" / str(offline)).read_bytes() == expected


# --- many processes


def test_ten_hook_processes_in_a_row_end_well_and_leave_the_cache_as_it_was(words, tmp_path):
    cache = tmp_path / "cache"
    environ = {"RATTLER_CACHE_DIR": str(cache)}
    press.hook("build_wheel", tmp_path / "out", cwd=words, environ=environ).ok()
    before = press.packages_in(cache)
    assert before
    for number in range(9):
        name, folder = ("build_wheel", "out") if number % 3 else ("prepare_metadata_for_build_wheel", "meta")
        press.hook(name, tmp_path / folder, cwd=words, environ=environ).ok()
    assert press.packages_in(cache) == before


def test_two_builds_at_once_share_a_cache(words, tmp_path):
    environ = {**press.settings(), "RATTLER_CACHE_DIR": str(tmp_path / "cache")}
    code = "import sys, mamba_press.build as b; b.build_wheel(sys.argv[1])"
    builds = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / name)], cwd=words, env=environ)
        for name in ("one", "two")
    ]
    assert [build.wait(timeout=60) for build in builds] == [0, 0]
    wheels = [next((tmp_path / name).glob("*.whl")).read_bytes() for name in ("one", "two")]
    assert wheels[0] == wheels[1]
