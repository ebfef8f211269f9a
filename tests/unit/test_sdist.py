"""Source distributions: the right files, the same bytes everywhere, whole or not at all."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from packaging.version import Version

from mamba_press import sdist
from mamba_press.errors import ContentError, WriteError

PKG_INFO = b"Metadata-Version: 2.2\nName: De.Mo\nVersion: 1.0\n"
SOURCE = Path(sdist.__file__).parents[1]


def project(root: Path, *paths: str, **texts: str) -> Path:
    """A project with these files; ``gitignore=…`` is the text of its ``.gitignore``."""
    for path in ("pyproject.toml", *paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{path}\n")
    if "gitignore" in texts:
        (root / ".gitignore").write_text(texts["gitignore"])
    return root


def names(root: Path, output: Path | None = None, **options: object) -> list[str]:
    return [path for path, _, _ in sdist.collect(root, output or root / "dist", **options)]  # type: ignore[arg-type]


def write(files: list[sdist.File], directory: Path, **changed: object) -> Path:
    given = {"name": "De.Mo", "version": Version("1.0"), "pkg_info": PKG_INFO, "epoch": None, **changed}
    return sdist.write(files, directory=directory, **given)  # type: ignore[arg-type]


# --- which files


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


def test_a_link_inside_the_project_is_copied(tmp_path):
    root = project(tmp_path, "LICENSE", "licenses/MIT")
    (root / "COPYING").symlink_to("LICENSE")
    (root / "more").symlink_to("licenses")
    assert names(root) == ["COPYING", "LICENSE", "licenses/MIT", "more/MIT", "pyproject.toml"]
    path = write(list(sdist.collect(root, root / "dist")), root / "dist")
    with tarfile.open(path) as archive:
        assert all(member.isfile() for member in archive)
        assert archive.extractfile("de_mo-1.0/COPYING").read() == b"LICENSE\n"


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
    assert [executable for _, _, executable in sdist.collect(root, root / "dist")] == [False, False, True]


# --- the archive


def test_the_archive_is_as_pep_625_and_643_want_it(tmp_path):
    root = project(tmp_path, "größe/" + "long/" * 30 + "x.txt", "tool")
    (root / "tool").chmod(0o755)
    path = write(list(sdist.collect(root, root / "dist")), root / "dist")
    assert path.name == "de_mo-1.0.tar.gz"
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        assert archive.extractfile("de_mo-1.0/PKG-INFO").read() == PKG_INFO
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert {member.name.split("/")[0] for member in members} == {"de_mo-1.0"}
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    assert {member.name: member.mode for member in members if member.mode != 0o644} == {"de_mo-1.0/tool": 0o755}
    assert (tmp_path / "unpacked" / "de_mo-1.0" / "größe" / ("long/" * 30) / "x.txt").is_file()
    assert [member.name for member in members] == sorted(member.name for member in members)


@pytest.mark.parametrize(("epoch", "date"), [(None, 315532800), (0, 0), (1700000001, 1700000001), (-5, 0)])
def test_the_epoch_dates_files_and_archive(tmp_path, epoch, date):
    path = write([("a", b"", False)], tmp_path, epoch=epoch)
    with tarfile.open(path) as archive:
        assert {member.mtime for member in archive} == {date}
    with gzip.open(path) as packed:
        packed.read()
        assert packed.mtime == date


SCRIPT = """
import sys
from pathlib import Path
from mamba_press import sdist
root = Path(sys.argv[1])
out = Path(sys.argv[2])
sdist.write(sdist.collect(root, out), name="demo", version="1", pkg_info=b"x", directory=out, epoch=7)
"""


def test_folder_umask_time_zone_and_dates_change_no_byte(tmp_path):
    written = set()
    for number, (umask, zone) in enumerate([(0o022, "UTC"), (0o077, "Asia/Kathmandu")]):
        root = project(tmp_path / f"root{number}", "a/b", "c", "größe")
        os.utime(root / "c", (number * 1e9, number * 1e9))
        (root / "c").chmod(0o600 if number else 0o664)
        environ = {**os.environ, "TZ": zone, "PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": str(number)}
        command = [sys.executable, "-c", SCRIPT, root, tmp_path / f"out{number}"]
        subprocess.run(command, env=environ, umask=umask, check=True)
        (path,) = (tmp_path / f"out{number}").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
        written.add(path.read_bytes())
        time.sleep(0.01)
    assert len(written) == 1


@pytest.mark.parametrize("path", ["/a", "../a", "a/../../b", "a//b", "a\\b", "./a"])
def test_a_path_that_leaves_the_sdist_is_refused(tmp_path, path):
    with pytest.raises(ContentError, match="no path inside"):
        write([(path, b"", False)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_path_that_is_there_twice_is_refused(tmp_path):
    with pytest.raises(ContentError, match="twice") as error:
        write([("a", b"1", False), ("a", b"2", False), ("PKG-INFO", b"", False)], tmp_path)
    assert [problem.where for problem in error.value.problems] == ["PKG-INFO", "a"]


def test_a_source_that_is_gone_is_named_and_the_old_sdist_stays(tmp_path):
    old = write([("a", b"", False)], tmp_path / "out")
    before = old.read_bytes()
    with pytest.raises(WriteError, match="cannot be read: No such file"):
        write([("a", tmp_path / "gone", False)], tmp_path / "out")
    assert [path.read_bytes() for path in (tmp_path / "out").iterdir()] == [before]


def test_a_source_that_shrinks_is_named(tmp_path, monkeypatch):
    source = tmp_path / "a"
    source.write_bytes(b"12345")
    real = os.fstat
    monkeypatch.setattr(sdist.os, "fstat", lambda number: os.stat_result((*real(number)[:6], 6, *real(number)[7:])))
    with pytest.raises(WriteError, match="changed while it was read") as error:
        write([("a", source, False)], tmp_path / "out")
    assert error.value.problems[0].where == str(source)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of this kind on Windows")
def test_a_device_that_takes_no_more_is_said(tmp_path):
    import resource

    big = tmp_path / "big"
    big.write_bytes(os.urandom(3 << 20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(WriteError, match="cannot be written"):
            write([("a", big, False)], tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_output_folder_that_is_a_file_is_said(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(WriteError, match="a file is where the output folder should be"):
        write([], tmp_path / "out")
