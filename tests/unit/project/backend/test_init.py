"""Inner backends: how their hooks are called, in which environment, and what of their wheels is taken on trust."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from mamba_press import interrupts
from mamba_press.errors import BuildError, ConfigError
from mamba_press.project import backend as project_backend
from mamba_press.project.backend.environment import Place

ENVIRON = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


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
    with pytest.raises(interrupts.EndedError) as caught, interrupts.caught():
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


def test_who_has_asked_to_look_at_it_already_is_not_told_how(tmp_path):
    made = backend(tmp_path, "def get_requires_for_build_wheel(settings):\n    raise RuntimeError('broken')\n")
    with pytest.raises(BuildError) as caught:
        project_backend.requires(made, "wheel", {**ENVIRON, project_backend.KEEP: "1"})
    assert caught.value.problems[0].hint == ""


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
