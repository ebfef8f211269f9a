"""Warnings of whole builds: where they are said, and what they are where they are to be errors."""

from __future__ import annotations

import json

import pytest

from tests.support import press
from tests.support.channel import CondaPackage, dist_info, python_package, write_channel

ERROR = 'warnings = "error"\n'
WHAT = "project.license says MIT, and the content of the wheel is under GPL-3.0-only"
HINT = 'write it in [project]: license = "GPL-3.0-only AND MIT"; or let it be computed: dynamic = ["license"]'
WARNING = f"warning: {WHAT}\n  {HINT}\n"
REFUSED = f"""\
mamba-press: there are warnings, and {{}} is "error"
- {WHAT}
  {HINT}
"""


def pure(name: str, *depends: str, **facts: str) -> CondaPackage:
    facts = {"build": "pyh_0", "version": "1.0", "license": "GPL-3.0-only", **facts}
    files = {f"site-packages/{name}/__init__.py": ""}
    files |= {f"site-packages/{path}": text for path, text in dist_info(name, facts["version"]).items()}
    return CondaPackage(name=name, noarch="python", depends=("python", *depends), files=files, **facts)


@pytest.fixture
def channel(tmp_path):
    pythons = [python_package(version, subdir="linux-64") for version in ("3.11", "3.12")]
    return write_channel(tmp_path / "channel", [pure("words"), *pythons])


@pytest.fixture
def project(tmp_path, channel):
    """A project that states another licence than the package in its wheel has, of which a build warns."""

    def make(table: str = "", channels: str = str(channel.root)):
        root = tmp_path / "project"
        table = f'channels = ["{channels}"]\npackages = ["words"]\npython = "3.12"\nplatform = "linux-64"\n{table}'
        press.project(root, table, name="words")
        path = root / "pyproject.toml"
        path.write_text(path.read_text().replace('name = "words"\n', 'name = "words"\nlicense = "MIT"\n'))
        return root

    return make


def left(folder) -> list[str]:
    return sorted(path.name for path in folder.glob("*")) if folder.exists() else []


def test_a_warning_is_the_last_that_is_said_and_is_not_hidden(tmp_path, project):
    done = press.command("press", project(), "-o", tmp_path / "dist", "-q", cwd=tmp_path).ok()
    assert done.err == f"mamba-press: {WARNING}"
    done = press.command("press", project(), "-o", tmp_path / "dist", cwd=tmp_path).ok()
    assert done.err.endswith(f"\nmamba-press: {WARNING}")


@pytest.mark.parametrize(
    ("table", "option", "variable", "called"),
    [
        (ERROR, (), {}, "tool.mamba-press.warnings"),
        ("", ("-W", "error"), {}, "-W"),
        ("", ("-C", "warnings=error"), {}, "-C warnings"),
        ("", (), {"MAMBA_PRESS_WARNINGS": "error"}, "MAMBA_PRESS_WARNINGS"),
    ],
    ids=["key", "option", "setting", "variable"],
)
def test_warnings_are_an_error_where_that_is_wanted_and_no_wheel_gets_its_name(
    tmp_path, project, table, option, variable, called
):
    done = press.command(
        "press", project(table), "-q", "-o", tmp_path / "dist", *option, cwd=tmp_path, environ=variable
    )
    assert (done.code, done.err, left(tmp_path / "dist")) == (5, REFUSED.format(called), [])


def test_an_option_goes_over_the_key(tmp_path, project):
    press.command("press", project(ERROR), "-W", "report", "-o", tmp_path / "dist", cwd=tmp_path).ok()
    assert len(left(tmp_path / "dist")) == 1


@pytest.mark.parametrize("hook", ["build_wheel", "build_editable", "prepare_metadata_for_build_wheel"])
def test_a_hook_makes_nothing_where_warnings_are_errors(tmp_path, project, hook):
    made = tmp_path / "made"
    made.mkdir()
    done = press.hook(hook, made, {}, cwd=project(ERROR))
    assert (done.code, left(made)) == (1, [])
    assert done.err.endswith(REFUSED.format("tool.mamba-press.warnings"))
    done = press.hook(hook, made, {"warnings": "report"}, cwd=project(ERROR)).ok()
    assert (WARNING in done.err) != (hook == "prepare_metadata_for_build_wheel")  # who builds is told
    assert len(left(made)) == 1


def test_an_sdist_is_not_written_where_warnings_are_errors(tmp_path, project):
    made = tmp_path / "made"
    made.mkdir()
    done = press.hook("build_sdist", made, {}, cwd=project(ERROR, channels="../channel"))
    assert (done.code, left(made)) == (1, [])
    assert "- tool.mamba-press.channels has the path '../channel', which lies outside the project" in done.err
    press.hook("build_sdist", made, {}, cwd=project(channels="../channel")).ok()
    assert left(made) == ["words-1.0.tar.gz"]


def test_each_target_of_a_matrix_has_its_own_warnings(tmp_path, project):
    old = pure("words", "python <3.12", version="0.9", license="MIT")
    pythons = [python_package(version, subdir="linux-64") for version in ("3.11", "3.12")]
    write_channel(tmp_path / "channel", [old, pure("words", "python >=3.12"), *pythons])
    root = project('matrix.python = ["3.11", "3.12"]\n')
    done = press.command("press", root, "--matrix", "-o", tmp_path / "dist", "-q", cwd=tmp_path)
    assert done.err == f"mamba-press: {WARNING}".replace(WHAT, f"{WHAT} (for 3.12 linux-64)")
    done = press.command("press", root, "--matrix", "-o", tmp_path / "strict", "-q", "-W", "error", cwd=tmp_path)
    assert (done.code, len(left(tmp_path / "strict"))) == (5, 1)
    assert done.err == REFUSED.format("-W").replace(WHAT, f"{WHAT}\n  (for 3.12 linux-64)")


def test_reports_have_the_warning_in_text_and_in_json(tmp_path, project):
    root = project()
    text = press.command("list", root, cwd=tmp_path).ok().out
    assert text.endswith(f"  warning: {WHAT}\n    {HINT}\n")
    assert f"  warning: {WHAT}\n    {HINT}\n" in press.command("explain", root, cwd=tmp_path).ok().out
    for command in ("list", "explain", "press"):
        found = json.loads(press.command(command, root, "--json", cwd=tmp_path).ok().out)
        assert found["warnings"] == [{"what": WHAT, "hint": HINT, "severity": "warning"}]
        assert WHAT in found["notes"]


def test_a_link_script_is_named_until_the_user_says_that_it_was_read(tmp_path, channel):
    script = "bin/.tables-post-link.sh"
    files = {script: "#!/bin/sh\n", "share/tables.txt": "1"}
    pythons = [python_package("3.12", subdir="linux-64")]
    write_channel(channel.root, [CondaPackage(name="tables", files=files), *pythons])
    arguments = ("press", "tables *", "-c", channel.url, "--python", "3.12", "--platform", "linux-64", "-q")
    done = press.command(*arguments, cwd=tmp_path).ok()
    assert done.err == (
        f"mamba-press: warning: conda runs {script} when tables is installed; nothing runs it for a wheel\n"
        "  read it: if the wheel needs what it does, add that to the wheel or to the project's own code\n"
        f"  to confirm that you have read it: -C select.exclude='{script}'\n"
    )
    assert press.command(*arguments, "-C", f"select.exclude={script}", cwd=tmp_path).ok().err == ""
    table = f'channels = ["{channel.root}"]\npackages = ["tables"]\npython = "3.12"\nplatform = "linux-64"\n'
    root = press.project(tmp_path / "project", table, name="tables")
    done = press.command("press", root, "-q", "-o", tmp_path / "out", cwd=tmp_path).ok()
    assert f'  to confirm that you have read it: [tool.mamba-press.select] exclude = ["{script}"]\n' in done.err


def test_own_code_that_opens_a_library_by_its_bare_name_is_told_the_lines_to_write(tmp_path, greeting):
    root = press.project(
        tmp_path / "project", f'channels = ["{greeting.root}"]\nhost = ["greet"]\n', name="mine", dynamic=False
    )
    (root / "mine").mkdir()
    code = root / "mine/__init__.py"
    code.write_text('import ctypes\n\nlibrary = ctypes.CDLL("libgreet.so.1")\n')
    pyproject = root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("[tool", 'license = "BSD-3-Clause"\n\n[tool', 1))
    done = press.command("press", root, "-q", cwd=tmp_path).ok()
    assert done.err == (
        "mamba-press: warning: mine/__init__.py opens 'libgreet.so.1' by its bare name, which Python looks for in the "
        "system and never in a wheel\n"
        "  write: from mine._mamba_press import library\n"
        '  and library("greet") in place of "libgreet.so.1"\n'
    )
    code.write_text('import ctypes\nfrom mine._mamba_press import library\nx = ctypes.CDLL(library("greet"))\n')
    assert press.command("press", root, "-q", "--force", cwd=tmp_path).ok().err == ""


def test_a_wheel_that_would_be_empty_is_refused_and_one_that_requires_others_is_not(tmp_path, channel):
    pythons = [python_package("3.12", subdir="linux-64")]
    meta = CondaPackage(name="meta", build="0", noarch="generic", depends=("tables",))
    asks = CondaPackage(name="asks", build="0", noarch="python", depends=("python", "words"))
    tables = CondaPackage(name="tables", noarch="generic", files={"include/tables.h": "1"})
    write_channel(channel.root, [meta, asks, tables, pure("words"), *pythons])
    arguments = ("-c", channel.url, "--python", "3.12", "--platform", "linux-64", "-q")
    done = press.command("press", "meta *", *arguments, cwd=tmp_path)
    assert (done.code, done.err, left(tmp_path / "dist")) == (
        5,
        (
            "mamba-press: the packages cannot be pressed\n"
            "- meta 1.0 0: no file of it stays, and the wheel would be empty: it has no files\n"
            '  perhaps it stands for others: packages = ["tables"]\n'
            "  or take it out of packages\n"
        ),
        [],
    )
    assert press.command("press", "asks *", *arguments, cwd=tmp_path).ok().err == ""
    assert press.command("wheelhouse", "meta *", "words *", *arguments, cwd=tmp_path).ok().err == ""


def test_a_library_of_host_that_no_code_asks_for_is_told_with_the_line_that_does(tmp_path, greeting):
    table = f'channels = ["{greeting.root}"]\nhost = ["greet"]\n'
    root = press.project(tmp_path / "project", table, name="mine", dynamic=False)
    (root / "mine").mkdir()
    (root / "mine/__init__.py").write_text("")
    done = press.command("press", root, "-q", cwd=tmp_path).ok()
    assert done.err == (
        "mamba-press: warning: no library of greet (host) is in the wheel: "
        "nothing in the wheel needs one or asks for one\n"
        "  ask for it: from mine._mamba_press import library\n"
        '  library("greet")\n'
        "  or take it out of host\n"
    )


VAIN = """\
warning: {}: 'lib/nothing/**' matches no file of the packages
  check the spelling, or take it out
"""


@pytest.fixture
def matrix(tmp_path, channel):
    """A project for two Pythons, which have different packages."""
    old = pure("words", "python <3.12", version="0.9", license="MIT")
    new = pure("words", "python >=3.12", license="MIT")
    more = CondaPackage(name="more", noarch="generic", files={"share/more.txt": "1"})
    asks = CondaPackage(
        name="asks", noarch="generic", version="2", depends=("python >=3.12", "more"), files={"share/asks.txt": "1"}
    )
    pythons = [python_package(each, subdir="linux-64") for each in ("3.11", "3.12")]
    write_channel(channel.root, [old, new, more, asks, *pythons])

    def make(table):
        table = f'channels = ["{channel.root}"]\npackages = ["words"]\nmatrix.python = ["3.11", "3.12"]\n{table}'
        root = press.project(tmp_path / "project", f'platform = "linux-64"\n{table}', name="words")
        pyproject = root / "pyproject.toml"
        pyproject.write_text(pyproject.read_text().replace("[tool", 'license = "MIT"\n\n[tool', 1))
        return root

    return make


def test_what_matches_on_no_target_of_a_matrix_is_a_warning(tmp_path, matrix):
    arguments = ("press", matrix('select.exclude = ["lib/nothing/**"]'), "--matrix", "-q")
    done = press.command(*arguments, cwd=tmp_path).ok()
    assert done.err == f"mamba-press: {VAIN.format('tool.mamba-press.select.exclude')}"
    done = press.command(*arguments, "-W", "error", "-o", tmp_path / "strict", cwd=tmp_path)
    assert (done.code, left(tmp_path / "strict")) == (5, [])
    assert done.err == (
        'mamba-press: there are warnings, and -W is "error"\n'
        "- tool.mamba-press.select.exclude: 'lib/nothing/**' matches no file of the packages\n"
        "  check the spelling, or take it out\n"
    )


def test_what_matches_on_another_target_is_a_note(tmp_path, matrix):
    root = matrix('select.exclude = ["**/words-0.9.dist-info/RECORD"]')
    done = press.command("press", root, "--matrix", "-W", "error", "--json", cwd=tmp_path).ok()
    assert len(left(tmp_path / "dist")) == 2
    note = "tool.mamba-press.select.exclude: '**/words-0.9.dist-info/RECORD' matches no file of the packages"
    assert f"mamba-press: {note} (for 3.12 linux-64)\n" in done.err
    assert "warning" not in done.err
    assert [(row["warnings"], note in row["notes"]) for row in json.loads(done.out)] == [([], False), ([], True)]


def test_a_constraint_on_what_no_channel_has_is_told_with_what_was_meant(tmp_path, matrix):
    root = matrix('constraints = ["mroe 1.*", "more >=1", "__glibc >=2.17"]')
    told = (
        "mamba-press: warning: tool.mamba-press.constraints: 'mroe 1.*' names a package that no channel has\n"
        "  did you mean more?\n"
    )
    for more in (("--matrix",), ("--python", "3.12")):
        assert press.command("press", root, *more, "-q", cwd=tmp_path).ok().err == told
    assert press.command("lock", root, "-q", cwd=tmp_path).ok().err == told
    done = press.command("lock", root, "-q", "-W", "error", "--update", cwd=tmp_path)
    assert done.code == 5


def test_a_wheelhouse_is_told_what_matches_in_none_of_its_wheels(tmp_path, channel):
    arguments = ("wheelhouse", "words *", "-c", channel.url, "--python", "3.12", "--platform", "linux-64", "-q")
    vain = ("-C", "select.exclude=lib/nothing/**")
    done = press.command(*arguments, *vain, cwd=tmp_path).ok()
    assert done.err == f"mamba-press: {VAIN.format('-C select.exclude')}"
    done = press.command(*arguments, *vain, "-W", "error", "-o", tmp_path / "strict", cwd=tmp_path)
    assert (done.code, left(tmp_path / "strict")) == (5, [])
