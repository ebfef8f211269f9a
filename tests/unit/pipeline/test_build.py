"""What the two front doors share: the order, the errors of the machine, the date, the hand-over of the solve."""

from __future__ import annotations

import errno
import gc
import os
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press import boundary
from mamba_press.errors import BuildError, ConfigError, FetchError, SolveError, WriteError
from mamba_press.pipeline import build, hooks, matrix, orders, requires, solve
from mamba_press.platforms import target
from mamba_press.problem import Problem, Setting, Text
from mamba_press.types import Package, Python, Solution, Target
from tests.support.values import specs

PROJECT = """\
[project]
name = "greeting"
dynamic = ["version"]
[tool.mamba-press]
packages = ["greet"]
python = "3.12"
platform = "manylinux_2_28_x86_64"
"""
TARGET = Target(
    system="linux",
    arch="x86_64",
    subdir="linux-64",
    python=Python(minor=12),
    floor=(2, 28),
    tag="manylinux_2_28_x86_64",
)


@pytest.fixture
def root(tmp_path) -> Path:
    tmp_path.joinpath("pyproject.toml").write_text(PROJECT)
    return tmp_path


def solution() -> Solution:
    package = Package(
        name="greet",
        version="1.0",
        build="0",
        build_number=0,
        channel="here",
        subdir="linux-64",
        url="https://example.org/linux-64/greet-1.0-0.conda",
        file_name="greet-1.0-0.conda",
        depends=specs("words"),
        requested=True,
    )
    return Solution(target=TARGET, packages=(package,), channels=("here",))


# --- errors


def test_what_the_user_can_act_on_ends_a_hook_with_its_text():
    with pytest.raises(SystemExit) as ended, boundary.hook(None, {}):
        raise FetchError(Problem(where="channel here", what="it cannot be reached", hint="try again"))
    assert ended.value.code == (
        "mamba-press: the packages cannot be fetched\n- channel here: it cannot be reached\n  try again"
    )


def test_a_key_is_called_as_it_was_given_to_a_hook():
    hint = Text.of("see ", Setting("python"), ", ", Setting("packages"), " and ", Setting("python", "3.11"))
    with pytest.raises(SystemExit) as ended, boundary.hook({"python": "3.12"}, {"MAMBA_PRESS_PLATFORM": "x"}):
        raise SolveError(Problem(where=Setting("platform"), what="no", hint=hint))
    assert str(ended.value).endswith(
        '- MAMBA_PRESS_PLATFORM: no\n  see -C python, tool.mamba-press.packages and [tool.mamba-press] python = "3.11"'
    )


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EMFILE])
def test_what_the_machine_refuses_is_an_error_of_writing_that_names_the_file(number):
    with pytest.raises(WriteError) as refused, boundary.machine():
        raise OSError(number, os.strerror(number), "/somewhere/file")
    (problem,) = refused.value.problems
    assert problem.where == "/somewhere/file"
    assert problem.what == os.strerror(number)
    assert problem.hint


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (MemoryError(), "does not have enough memory"),
        (RuntimeError("can't start new thread"), "cannot start more threads"),
    ],
)
def test_a_machine_without_memory_is_no_bug(error, what):
    with pytest.raises(WriteError) as refused, boundary.machine():
        raise error
    assert str(refused.value) == (
        f"the wheel cannot be written\n- this machine: {what}\n"
        "  end other programs, or raise the limits of this process (ulimit -v, ulimit -u)"
    )


def test_another_error_at_run_time_is_a_bug():
    with pytest.raises(RuntimeError, match="dictionary changed"), boundary.machine():
        raise RuntimeError("dictionary changed size during iteration")


def test_a_bug_keeps_its_traceback():
    with pytest.raises(FileNotFoundError), boundary.hook(None, {}):
        raise FileNotFoundError(errno.ENOENT, "No such file", "/somewhere/file")
    with pytest.raises(ZeroDivisionError), boundary.hook(None, {}):
        raise ZeroDivisionError


@pytest.mark.parametrize("enabled", [True, False])
def test_nobody_looks_for_garbage_during_a_hook_and_afterwards_as_before(enabled):
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with boundary.hook(None, {}):
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()


# --- what a build needs


def test_a_worker_on_another_interpreter_needs_no_rattler_here(root, monkeypatch):
    monkeypatch.chdir(root)
    here = requires.requirements(None, environ={})
    there = requires.requirements(None, environ={"MAMBA_PRESS_WORKER": "python3.13"})
    assert [requirement for requirement in here if requirement not in there] == [requires.RATTLER]


@pytest.mark.parametrize(("runner", "other", "has_wheel"), [("x86_64", "ppc64le", True), ("ppc64le", "x86_64", False)])
def test_the_compressor_is_asked_for_where_the_building_machine_has_it(root, monkeypatch, runner, other, has_wheel):
    """As cibuildwheel builds for both kinds of Macs on either."""
    monkeypatch.chdir(root)
    machine = replace(target.this_machine(), platform=f"linux-{runner}")
    monkeypatch.setattr(target, "this_machine", lambda: machine)
    monkeypatch.setenv("_PYTHON_HOST_PLATFORM", f"linux-{other}")
    assert (requires.DEFLATE in requires.requirements(None, environ={})) == has_wheel


@pytest.fixture
def wants_a_program(root, monkeypatch):
    """A project whose own backend fails, as some setup.py do, where a program of a host package is missing."""
    monkeypatch.chdir(root)
    root.joinpath("backend").mkdir()
    text = "def get_requires_for_build_wheel(settings): raise SystemExit('no pg_config')"
    root.joinpath("backend", "made.py").write_text(text)

    def project(more):
        table = f'[tool.mamba-press]\nbuild-backend = "made"\nbackend-path = ["backend"]\n{more}\n'
        root.joinpath("pyproject.toml").write_text(table)

    return project


def test_an_inner_backend_that_asks_for_a_host_package_before_it_is_there_stops_nothing(wants_a_program, capfd):
    wants_a_program('host = ["libpq"]')
    assert requires.RATTLER in requires.requirements(None, environ={})
    assert capfd.readouterr().err.splitlines()[-1] == (
        "mamba-press: made cannot say what else it needs before its host packages are installed; the build goes on"
    )


def test_an_inner_backend_that_fails_without_host_packages_stops_the_build(wants_a_program):
    wants_a_program("")
    with pytest.raises(BuildError, match=r"made\.get_requires_for_build_wheel"):
        requires.requirements(None, environ={})


def test_a_free_threaded_interpreter_is_told_the_way_out(root, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setattr(requires.sysconfig, "get_config_var", lambda name: 1 if name == "Py_GIL_DISABLED" else None)
    with pytest.raises(ConfigError, match="MAMBA_PRESS_WORKER"):
        requires.requirements(None, environ={})
    assert requires.requirements(None, environ={"MAMBA_PRESS_WORKER": "python3.13"}) == []


def test_problems_of_all_tables_come_at_once(root):
    text = PROJECT.replace("greeting", "-").replace("packages", "pakages").replace("3.12", "2.7")
    root.joinpath("pyproject.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        orders.read(root, {}, {})
    wheres = [problem.where for problem in refused.value.problems]
    assert "tool.mamba-press.pakages" in wheres
    assert "project.name" in wheres


# --- the inner backend


@pytest.mark.parametrize("make", ["list", "press", "series", "wheel", "editable", "sdist", "metadata"])
def test_an_inner_backend_that_is_not_there_is_told_before_a_channel_is_asked(root, monkeypatch, make):
    monkeypatch.chdir(root)
    table = 'build-backend = "nowhere"\nhost = ["zlib"]\nchannels = ["no-such-folder"]\n'
    root.joinpath("pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "1"\n[tool.mamba-press]\n{table}')
    made = {
        "list": lambda: build.pressed(orders.order(root, {}, {})).__enter__(),
        "press": lambda: build.make(orders.order(root, {}, {}), root / "dist"),
        "series": lambda: matrix.press([orders.order(root, {}, {})] * 2, root / "dist"),
        "wheel": lambda: hooks.wheel("dist", {}, None, environ={}),
        "editable": lambda: hooks.wheel("dist", {}, None, environ={}, state="editable"),
        "sdist": lambda: hooks.sdist("dist", {}, environ={}),
        "metadata": lambda: hooks.metadata("dist", {}, environ={}, state="metadata_editable"),
    }
    with pytest.raises(ConfigError, match="'nowhere' cannot be imported: No module named 'nowhere'"):
        made[make]()


# --- the date


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, None), ("", None), (" ", None), ("0", 0), (" 1600000000 ", 1600000000), ("4294967295", 4294967295)],
)
def test_the_epoch_is_seconds_or_none(text, expected):
    assert build.epoch({} if text is None else {"SOURCE_DATE_EPOCH": text}) == expected


@pytest.mark.parametrize(
    "text", ["yesterday", "-1", "1.5", "1e9", "½", "\N{SUPERSCRIPT TWO}", "4294967296", "9" * 5000]
)
def test_an_epoch_that_is_no_number_of_seconds_is_refused(text):
    with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH"):
        build.epoch({"SOURCE_DATE_EPOCH": text})


# --- the hand-over


def handed(asked: solve.Order, folder: Path) -> Path:
    from mamba_press.conda import records

    folder.joinpath("mamba-press.json").write_bytes(hooks._hand_over(asked, records.to_json(solution())))
    return folder


def test_a_solve_is_handed_over_as_it_was(root):
    asked = orders.order(root, None, {})
    assert hooks._handed_over(str(handed(asked, root)), asked) == solution()


def test_nothing_prepared_hands_nothing_over(root):
    asked = orders.order(root, None, {})
    assert hooks._handed_over(None, asked) is None
    assert hooks._handed_over(str(root / "nowhere"), asked) is None


def test_a_solve_for_another_order_is_not_taken(root, tmp_path):
    asked = orders.order(root, None, {})
    folder = str(handed(asked, root))
    others = [
        orders.order(root, {"constraints": "words <2"}, {}),
        orders.order(root, {"python": "3.11"}, {}),
        orders.order(root, {"platform": "manylinux_2_17_x86_64"}, {}),
        orders.order(root, {}, {"CONDA_OVERRIDE_CUDA": "12.4"}),
        replace(asked, root=tmp_path / "elsewhere"),
    ]
    for other in others:
        assert hooks._handed_over(folder, other) is None
    root.joinpath(solve.LOCK).write_text("another solution")
    assert hooks._handed_over(folder, asked) is None


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b'{"for": null}', b"[" * 50_000])
def test_what_is_no_hand_over_is_as_good_as_none(data, root):
    asked = orders.order(root, None, {})
    root.joinpath("mamba-press.json").write_bytes(data)
    assert hooks._handed_over(str(root), asked) is None


def test_a_prepared_folder_takes_the_place_of_others(tmp_path):
    tmp_path.joinpath("old-1.0.dist-info").mkdir()
    tmp_path.joinpath("old-1.0.dist-info", "METADATA").write_text("old")
    tmp_path.joinpath("stray-1.0.dist-info").write_text("a file")
    tmp_path.joinpath("link-1.0.dist-info").symlink_to(tmp_path.parent)
    tmp_path.joinpath("kept").mkdir()
    hooks._replace_folder(tmp_path / "new-1.0.dist-info", {"METADATA": b"new", "licenses/a/LICENSE": b"free"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "new-1.0.dist-info"]
    assert (tmp_path / "new-1.0.dist-info" / "licenses" / "a" / "LICENSE").read_bytes() == b"free"
    assert tmp_path.parent.is_dir()


def test_a_prepared_folder_is_there_whole_or_not_at_all(tmp_path):
    """The second file cannot be written, for a folder has its name."""
    old = tmp_path / "old-1.0.dist-info"
    old.mkdir()
    files = {"METADATA": b"new", "licenses/a": b"free", "licenses": b"not a folder"}
    with pytest.raises(WriteError, match="cannot be written"):
        hooks._replace_folder(tmp_path / "new-1.0.dist-info", files)
    assert [path.name for path in tmp_path.iterdir()] == ["old-1.0.dist-info"]


def test_a_prepared_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.joinpath("file").write_text("no folder")
    with pytest.raises(WriteError, match="folder of the metadata"):
        hooks._replace_folder(tmp_path / "file" / "new-1.0.dist-info", {"METADATA": b"new"})


# --- projects with code of their own

PLAIN = """\
[project]
name = "my-tool"
{version}

[tool.mamba-press]
{table}
"""


def plain(root: Path, table: str = "", version: str = 'version = "1.0"') -> Path:
    root.joinpath("pyproject.toml").write_text(PLAIN.format(table=table, version=version))
    return root


def test_a_project_without_packages_and_without_code_has_nothing_to_press(tmp_path, monkeypatch):
    monkeypatch.chdir(plain(tmp_path, 'host = ["zlib"]'))
    with pytest.raises(ConfigError, match=r"no my_tool/__init__\.py and no my_tool\.py, in src or beside"):
        orders.read(tmp_path, None, {})
    plain(tmp_path)
    with pytest.raises(ConfigError, match="names no package"):
        requires.requirements(None, environ={})


EXCLUDED = """\
the configuration cannot be used
- project.requires-python: '>=3.12' excludes Python 3.10, the target
  press for one that it allows, such as 3.12 (tool.mamba-press.python, tool.mamba-press.matrix.python); or let \
project.requires-python allow 3.10"""


@pytest.mark.parametrize("backend", ["", 'build-backend = "other"\n'])
def test_a_python_that_the_project_excludes_is_not_pressed_for(tmp_path, backend):
    project = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.12"\n'
    text = f'{project}[tool.mamba-press]\npackages = ["zlib"]\npython = "3.10"\n{backend}'
    tmp_path.joinpath("pyproject.toml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        orders.order(tmp_path, {}, {})
    assert str(raised.value) == EXCLUDED
    assert orders.order(tmp_path, {"python": "3.12"}, {}).target.python.minor == 12


def test_code_alone_asks_for_no_solver(tmp_path, monkeypatch):
    monkeypatch.chdir(plain(tmp_path))
    tmp_path.joinpath("my_tool.py").write_text("")
    assert not [each for each in requires.requirements(None, environ={}) if each.startswith("py-rattler")]


def test_what_an_inner_backend_decides_is_not_said_twice(tmp_path):
    table = 'build-backend = "setuptools.build_meta"\nsources.modules = ["my_tool"]\nsources.include = ["x.py"]'
    plain(tmp_path, table)
    with pytest.raises(ConfigError, match=r"tool\.mamba-press\.sources\.modules: is not looked at") as error:
        orders.read(tmp_path, None, {})
    keys = [problem.where for problem in error.value.problems]
    assert keys == [Setting("sources.modules"), Setting("sources.include")]


def test_the_licence_of_code_is_nobody_elses_to_know(tmp_path):
    plain(tmp_path, 'packages = ["zlib"]', 'dynamic = ["version", "license"]')
    orders.read(tmp_path, None, {})
    tmp_path.joinpath("my_tool.py").write_text("")
    with pytest.raises(ConfigError, match="no conda package knows the licence of the project's own code"):
        orders.read(tmp_path, None, {})


def test_without_a_pressed_package_nothing_can_be_taken_from_one(tmp_path):
    plain(tmp_path, 'host = ["zlib"]', 'dynamic = ["version", "readme", "dependencies"]')
    tmp_path.joinpath("my_tool.py").write_text("")
    with pytest.raises(ConfigError) as error:
        orders.read(tmp_path, None, {})
    assert [problem.what.partition(":")[0] for problem in error.value.problems] == [
        '"version" cannot be dynamic',
        '"readme" cannot be dynamic',
    ]
