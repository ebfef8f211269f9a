from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press.errors import BuildError, ConfigError
from mamba_press.pipeline import read_project, requires
from mamba_press.platforms import target


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
    text = (
        root.joinpath("pyproject.toml")
        .read_text()
        .replace("greeting", "-")
        .replace("packages", "pakages")
        .replace("3.12", "2.7")
    )
    root.joinpath("pyproject.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_project.read(root, {}, {})
    wheres = [problem.where for problem in refused.value.problems]
    assert "tool.mamba-press.pakages" in wheres
    assert "project.name" in wheres
