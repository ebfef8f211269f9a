from __future__ import annotations

import pytest

from mamba_press.config import reader
from mamba_press.errors import ConfigError, ContentError
from mamba_press.types import OWN, Kept, Reason, Resolved, Selection
from mamba_press.vendoring import layout
from tests.support.values import Prefix, binary, package

SITE = "lib/python3.10/site-packages"
HOME = layout.Home(name="app", generated=False)


@pytest.fixture
def prefix(tmp_path):
    return Prefix(tmp_path / "prefix").package("app", requested=True)


def config(**table):
    return reader.from_values({"packages": ["app"], **table}, {}, {})


def selection(prefix):
    facts = {"x.so": binary("x.so"), "program": binary(kind="program")}
    kept = [
        Kept(file=file, why=Reason("rule", "a test"), binary=facts.get(file.path.rpartition("/")[2]))
        for file in prefix.files
    ]
    return Selection(kept=tuple(kept), dropped=())


def home(prefix, name="app", **table):
    found = layout.home(name, selection(prefix), prefix.environment().packages, config(layout=table))
    return found.name, found.generated


def places(prefix, **table):
    entries = layout.place(selection(prefix), home=HOME, stem="app-1", config=config(layout=table))
    return {each.original: each.path for each in entries}


# Home


def test_the_home_is_the_regular_package_named_like_the_project(prefix):
    prefix.add(f"{SITE}/other/__init__.py", of="app")
    prefix.add(f"{SITE}/My_App/__init__.py", of="app")
    assert home(prefix, "my.app") == ("My_App", False)


def test_else_the_only_regular_package_of_the_requested_packages(prefix):
    prefix.add(f"{SITE}/_core/__init__.cpython-310-x86_64-linux-gnu.so", of="app")
    prefix.add(f"{SITE}/_core/sub/__init__.py", of="app")
    prefix.add(f"{SITE}/dep/__init__.py", of="dep")
    assert home(prefix) == ("_core", False)


def test_else_a_private_package_is_made_for_it(prefix):
    prefix.add(f"{SITE}/one/__init__.py", of="app")
    prefix.add(f"{SITE}/two/__init__.py", of="app")
    assert home(prefix, "My.App") == ("_my_app_prefix", True)


@pytest.mark.parametrize("path", [f"{SITE}/app.py", f"{SITE}/app/part/__init__.py", f"{SITE}/app/x.pyi", "share/app/x"])
def test_modules_namespace_packages_and_data_are_no_home(prefix, path):
    prefix.add(path, of="app")
    assert home(prefix) == ("_app_prefix", True)


def test_the_home_that_is_asked_for_may_be_new(prefix):
    prefix.add(f"{SITE}/app/__init__.py", of="app")
    prefix.add(f"{SITE}/two/__init__.py", of="app")
    assert home(prefix, home="two") == ("two", False)
    assert home(prefix, home="three") == ("three", True)


@pytest.mark.parametrize("path", ["space/part/__init__.py", "space.py", "space.cpython-310-x86_64-linux-gnu.so"])
def test_a_home_that_would_hide_a_module_or_a_namespace_package_is_refused(prefix, path):
    prefix.add(f"{SITE}/{path}", of="app")
    prefix.add(f"{SITE}/two/__init__.py", of="app")
    with pytest.raises(ConfigError, match="'space' is a module or a namespace package here") as caught:
        home(prefix, home="space")
    assert "regular packages here: two" in caught.value.problems[0].hint


def test_a_keyword_cannot_be_a_home(prefix):
    with pytest.raises(ConfigError, match="'class' cannot be the name of a Python package"):
        home(prefix, home="class")


# Places


def test_each_kind_of_file_has_its_place(prefix):
    prefix.add(f"{SITE}/app/__init__.py", of="app")
    prefix.add("Lib/site-packages/win.py", of="app")
    prefix.add("lib/x.so", of="app")
    prefix.add("bin/program", of="app")
    prefix.add("bin/shell", "#!/bin/sh\n", of="app")
    prefix.add("bin/tool", "#!/proc/mamba-press/bin/python3.10\nprint()\n", of="app")
    assert places(prefix) == {
        f"{SITE}/app/__init__.py": "app/__init__.py",
        "Lib/site-packages/win.py": "win.py",
        "lib/x.so": "app/_prefix/lib/x.so",
        "bin/program": "app/_prefix/bin/program",
        "bin/shell": "app/_prefix/bin/shell",
        "bin/tool": "app-1.data/scripts/tool",
    }


def test_a_python_script_gets_the_first_line_that_installers_replace(prefix):
    prefix.add("bin/tool", "#!/proc/mamba-press/bin/python3.10 -E\nprint()\n", of="app")
    (tool,) = layout.place(selection(prefix), home=HOME, stem="app-1", config=config())
    assert tool.source == b"#!python\nprint()\n"
    assert tool.executable


def test_what_could_be_run_can_still_be_run(prefix):
    prefix.add("share/plain", of="app")
    prefix.add("share/run", of="app", executable=True)
    prefix.add("lib/x.so", of="app")
    entries = layout.place(selection(prefix), home=HOME, stem="app-1", config=config())
    executable = {each.original for each in entries if each.executable}
    assert executable == {"share/run", "lib/x.so"}


def test_a_move_of_what_is_not_there_is_refused(prefix):
    prefix.add("share/app/data.txt", "x", of="app")
    with pytest.raises(ConfigError) as caught:
        places(prefix, move={"share/ap": "data"})
    (problem,) = caught.value.problems
    assert str(problem.where) == "tool.mamba-press.layout.move.'share/ap'"
    assert problem.hint == "did you mean share/app, share/app/data.txt?"


def test_the_most_specific_move_wins(prefix):
    for path in ("share/app/a", "share/app/deep/b", "share/app/deep/c", "share/apple/d"):
        prefix.add(path, of="app")
    move = {"share/app": "app/data", "share/app/deep/": "app/deep", "share/app/deep/c": "app/c.txt"}
    assert places(prefix, move=move) == {
        "share/app/a": "app/data/a",
        "share/app/deep/b": "app/deep/b",
        "share/app/deep/c": "app/c.txt",
        "share/apple/d": "app/_prefix/share/apple/d",
    }


def test_different_files_at_one_path_are_an_error_that_names_both_owners(prefix):
    prefix.add("share/a/x", "one", of="app")
    prefix.add("share/b/x", "two", of="dep")
    with pytest.raises(ContentError) as caught:
        places(prefix, move={"share/a": "data", "share/b": "data"})
    (problem,) = caught.value.problems
    assert problem.where == "data/x"
    assert "share/a/x of app, share/b/x of dep" in problem.what


def test_equal_files_at_one_path_are_one_file(prefix):
    prefix.add("share/a/x", "one", of="app")
    prefix.add("share/b/x", "one", of="dep")
    assert len(places(prefix, move={"share/a": "data", "share/b": "data"})) == 1


def test_paths_that_differ_only_in_case_are_found():
    clashes = layout.case_clashes(["a/B", "a/b", "x/y", "A/b", "straße", "STRASSE"])
    assert clashes == (("A/b", "a/B", "a/b"), ("STRASSE", "straße"))


# Outside of site-packages


def test_what_the_environment_looks_for_goes_where_it_looks(prefix):
    prefix.add("share/jupyter/kernels/app/kernel.json", of="app")
    prefix.add("etc/jupyter/jupyter_server_config.d/app.json", of="app")
    prefix.add("Library/share/jupyter/lab.json", of="app")
    prefix.add("share/man/man1/app.1", of="app")
    prefix.add("include/python3.10/app/app.h", of="app")
    prefix.add("include/python3.10/other.h", of="app")
    prefix.add("include/app.h", of="app")
    prefix.add("share/jupyter/x.so", of="app")
    assert places(prefix) == {
        "share/jupyter/kernels/app/kernel.json": "app-1.data/data/share/jupyter/kernels/app/kernel.json",
        "etc/jupyter/jupyter_server_config.d/app.json": "app-1.data/data/etc/jupyter/jupyter_server_config.d/app.json",
        "Library/share/jupyter/lab.json": "app-1.data/data/share/jupyter/lab.json",
        "share/man/man1/app.1": "app-1.data/data/share/man/man1/app.1",
        "include/python3.10/app/app.h": "app-1.data/headers/app.h",
        "include/python3.10/other.h": "app-1.data/headers/other.h",
        "include/app.h": "app/_prefix/include/app.h",  # where the .pc and .cmake files beside it lead
        "share/jupyter/x.so": "app/_prefix/share/jupyter/x.so",
    }


def test_move_leads_outside_too(prefix):
    prefix.add("share/fish/app.fish", of="app")
    prefix.add("include/app.h", of="app")
    prefix.add("share/jupyter/app.json", of="app")
    move = {"share/fish": ".data/data/share/fish", "include": ".data/headers/c", "share/jupyter": "app/jupyter"}
    assert places(prefix, move=move) == {
        "share/fish/app.fish": "app-1.data/data/share/fish/app.fish",
        "include/app.h": "app-1.data/headers/c/app.h",
        "share/jupyter/app.json": "app/jupyter/app.json",
    }


@pytest.mark.parametrize(
    ("key", "to", "says"),
    [
        ("share/app", ".data/purelib/x", "write .data/<scheme>/<path>, with one of data, headers, scripts"),
        ("share/app/a.txt", ".data/data", "is no place outside of site-packages"),
        ("lib/x.so", ".data/data/lib/x.so", "lib/x.so is a binary, whose libraries lie in site-packages"),
    ],
)
def test_a_move_to_where_nothing_can_be_is_refused(prefix, key, to, says):
    prefix.add("share/app/a.txt", of="app")
    prefix.add("lib/x.so", of="app")
    with pytest.raises(ConfigError, match=says):
        places(prefix, move={key: to})


# Own code


def test_the_packages_of_the_project_are_its_home_before_those_it_presses(prefix):
    prefix.add(f"{SITE}/theirs/__init__.py", of="app")
    prefix.packages[OWN] = package(OWN, requested=True)
    prefix.add(f"{SITE}/mine/__init__.py", of=OWN)
    assert home(prefix, "other") == ("mine", False)


def test_a_part_of_a_namespace_package_can_be_the_home_of_the_project(prefix):
    prefix.packages[OWN] = package(OWN, requested=True)
    prefix.add(f"{SITE}/space/tool/__init__.py", of=OWN)
    prefix.add(f"{SITE}/space/tool/deep/__init__.py", of=OWN)
    assert home(prefix, "other") == ("space/tool", False)
    prefix.add(f"{SITE}/space/more/__init__.py", of=OWN)
    assert home(prefix, "other") == ("_other_prefix", True)
    assert home(prefix, "space-tool") == ("space/tool", False)
    assert home(prefix, "other", home="space.more") == ("space/more", False)
    assert layout.Home(name="space/tool", generated=False).module == "space.tool"


def test_a_program_of_the_project_stays_with_the_libraries_that_it_needs(prefix):
    prefix.packages[OWN] = package(OWN, requested=True)
    for name in ("bound", "free", "script"):
        prefix.add(f"bin/{name}", of=OWN)
    there = Resolved(needed="libx.so", where="wheel", path="lib/libx.so")
    system = Resolved(needed="libc.so.6", where="system")
    program = binary(kind="program")
    facts = {"bin/bound": (program, (there, system)), "bin/free": (program, (system,)), "bin/script": (None, ())}
    kept = [
        Kept(file=file, why=Reason("rule"), binary=facts[file.path][0], links=facts[file.path][1])
        for file in prefix.files
    ]
    entries = layout.place(Selection(kept=tuple(kept), dropped=()), home=HOME, stem="app-1", config=config())
    assert [entry.path for entry in entries] == [
        "app-1.data/scripts/free",
        "app-1.data/scripts/script",
        f"{HOME.prefix}/bin/bound",
    ]
