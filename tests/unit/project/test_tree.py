"""Which files of a project are its own, and which were left there by others."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from mamba_press.errors import ContentError
from mamba_press.project import tree
from tests.support.tree import names, project


def test_everything_of_a_project_belongs_into_its_sdist(tmp_path):
    root = project(tmp_path, "README.md", "src/demo/__init__.py", ".github/ci.yml", "press_hook.py", "src/build/x.py")
    assert names(root) == [
        ".github/ci.yml",
        "README.md",
        "press_hook.py",
        "pyproject.toml",
        "src/build/x.py",
        "src/demo/__init__.py",
    ]


@pytest.mark.parametrize(
    "path",
    [
        ".git/HEAD", "sub/.git/HEAD", ".hg/store", "build/lib/x.py", "dist/x.whl", "wheelhouse/x.whl", "PKG-INFO",
        "__pycache__/x.pyc", "src/__pycache__/x.pyc", "x.pyc", "demo.egg-info/PKG-INFO", ".nox/tests/x", ".tox/x",
        ".mypy_cache/x", ".pixi/envs/x", ".env", ".pypirc", "sub/.netrc", "notes~", ".x.swp", ".DS_Store",
        ".mamba-press-0123.tmp",
    ],
)  # fmt: skip
def test_what_never_belongs_into_an_sdist_stays_out(tmp_path, path):
    assert names(project(tmp_path, path)) == ["pyproject.toml"]


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_environments_stay_out_whatever_they_are_called(tmp_path, mark):
    assert names(project(tmp_path, f"my-env/{mark}", "my-env/lib/x.py")) == ["pyproject.toml"]


def test_caches_that_say_so_stay_out(tmp_path):
    root = project(tmp_path, "cache/x", "kept/CACHEDIR.TAG")
    (root / "cache" / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n# more\n")
    assert names(root) == ["kept/CACHEDIR.TAG", "pyproject.toml"]


def test_the_output_folder_stays_out_wherever_it_is(tmp_path):
    root = project(tmp_path, "out/deep/old.whl", "out/kept.txt")
    assert names(root, root / "out" / "deep") == ["out/kept.txt", "pyproject.toml"]
    link = tmp_path.with_name(tmp_path.name + "-link")
    link.symlink_to(root / "out" / "deep")
    assert names(root, link) == ["out/kept.txt", "pyproject.toml"]


def test_results_in_the_project_itself_stay_out(tmp_path):
    root = project(tmp_path, "demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl", "tests/data.tar.gz")
    assert names(root, root) == ["pyproject.toml", "tests/data.tar.gz"]


GITIGNORE = [
    ("*.log", ["a.log", "sub/a.log"], ["log", "a.log.txt"]),
    ("/a.txt", ["a.txt"], ["sub/a.txt"]),
    ("sub/a.txt", ["sub/a.txt"], ["deep/sub/a.txt"]),
    ("out/", ["out/x", "sub/out/y"], ["sub/outer"]),
    ("folder/", [], ["folder"]),
    ("**/gen/*.c", ["gen/a.c", "x/y/gen/a.c"], ["gen/a.h", "gen/x/a.c"]),
    ("doc/**/*.pdf", ["doc/a.pdf", "doc/x/y/a.pdf"], ["a.pdf"]),
    ("abc/**", ["abc/x", "abc/y/z"], ["x/abc"]),
    ("*.txt\n!keep.txt", ["a.txt"], ["keep.txt", "sub/keep.txt"]),
    ("sub/\n!sub/keep.txt", ["sub/keep.txt"], []),
    ("# comment\n\n   \n\\#real", ["#real"], ["comment"]),
    ("\\!bang", ["!bang"], ["bang"]),
    ("a?c\n[xy]z\n[!0-9]9", ["abc", "xz", "a9"], ["ac", "zz", "99"]),
    ("trailing   ", ["trailing"], []),
    ("[z-a]\n*.o", ["a.o"], ["b"]),
    ("/*\n!/kept\n!/pyproject.toml", ["gone"], ["kept"]),
]


@pytest.mark.parametrize(("text", "out", "kept"), GITIGNORE)
def test_gitignore_is_honoured(tmp_path, text, out, kept):
    root = project(tmp_path, *out, *kept, gitignore=text)
    assert set(names(root)) - {".gitignore", "pyproject.toml"} == set(kept)


@pytest.mark.parametrize(("text", "out", "kept"), GITIGNORE)
def test_git_would_leave_out_the_same(tmp_path, text, out, kept):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    root = project(tmp_path / "project", *out, *kept, gitignore=text)
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HOME": str(tmp_path)}
    subprocess.run(["git", "init", "-q", root], check=True, env=environ)
    command = ["git", "ls-files", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, env=environ).stdout.decode()
    assert {path for path in listed.split("\0") if path} | {".gitignore", "pyproject.toml"} == {
        ".gitignore", "pyproject.toml", *names(root)
    }  # fmt: skip


def test_a_gitignore_in_a_folder_counts_from_there(tmp_path):
    root = project(tmp_path, "a/x", "a/b/x", "x", "c/y")
    (root / "a" / ".gitignore").write_text("/x\n")
    (root / "c" / ".gitignore").write_text("*\n")
    assert names(root) == ["a/.gitignore", "a/b/x", "pyproject.toml", "x"]


def test_what_the_configuration_needs_is_never_left_out(tmp_path):
    root = project(
        tmp_path, "build/channel/noarch/repodata.json", "build/other", "x/y.toml", gitignore="build\n*.toml\n"
    )
    wanted = [".gitignore", "build/channel/noarch/repodata.json", "pyproject.toml"]
    assert names(root, always=["./build/channel"]) == wanted
    assert names(root, root / "build", always=["build/channel"]) == [".gitignore", "pyproject.toml"]


@pytest.mark.parametrize(
    ("link", "target", "said"),
    [
        ("secret", "/etc/passwd", "leaves the project: /etc/passwd"),
        ("up", "..", "leaves the project"),
        ("gone", "nowhere", "leads nowhere"),
        ("itself", "itself", "leads nowhere"),
        ("here", ".", "a folder that it stands in"),
        ("sub/above", "..", "a folder that it stands in"),
    ],
)
def test_a_link_that_cannot_be_followed_is_refused(tmp_path, link, target, said):
    root = project(tmp_path / "project", "sub/x")
    (root / link).symlink_to(target)
    with pytest.raises(ContentError, match=said) as error:
        names(root)
    assert error.value.problems[0].where == link


def test_links_that_lead_to_each_other_end(tmp_path):
    root = project(tmp_path, "a/x", "b/x")
    (root / "a" / "to_b").symlink_to("../b")
    (root / "b" / "to_a").symlink_to("../a")
    with pytest.raises(ContentError) as error:
        names(root)
    assert [problem.where for problem in error.value.problems] == ["a/to_b/to_a", "b/to_a/to_b"]


def test_an_ignored_link_is_no_problem(tmp_path):
    root = project(tmp_path / "project", gitignore="secret\n")
    (root / "secret").symlink_to("/etc/passwd")
    assert names(root) == [".gitignore", "pyproject.toml"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes in folders")
def test_everything_that_does_not_fit_is_said_at_once(tmp_path):
    root = project(tmp_path)
    os.mkfifo(root / "pipe")
    (root / "a\nb").write_text("")
    with pytest.raises(ContentError) as error:
        names(root)
    assert [problem.where for problem in error.value.problems] == ["a\\nb", "pipe"]


def test_only_the_owners_bit_makes_a_file_executable(tmp_path):
    root = project(tmp_path, "tool", "text")
    (root / "tool").chmod(0o700)
    (root / "text").chmod(0o655)
    assert [executable for _, _, executable in tree.collect(root, root / "dist")] == [False, False, True]
