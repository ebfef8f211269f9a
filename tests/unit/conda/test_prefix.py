from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from mamba_press.conda import prefix
from mamba_press.errors import ContentError
from tests.support.records import package

posix = pytest.mark.skipif(os.name == "nt", reason="interpreters are faked with shell scripts")


def installed(tmp_path: Path, *paths: dict[str, object], name: str = "greet") -> Path:
    """Write what rattler leaves behind for one package; the files themselves are the test's."""
    root = tmp_path / "prefix"
    record = {"extracted_package_dir": str(tmp_path / "cache" / name), "paths_data": {"paths": list(paths)}}
    meta = root / "conda-meta" / f"{name}-1.0-h1_0.json"
    meta.parent.mkdir(parents=True, exist_ok=True)
    meta.write_text(json.dumps(record))
    return root


def write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def link(root: Path, path: str, target: str) -> dict[str, object]:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(target)
    return {"_path": path, "path_type": "softlink"}


@posix
def test_a_chain_of_symlinks_ends_at_the_real_file(tmp_path):
    root = tmp_path / "prefix"
    write(root / "lib/libz.so.1.2")
    write(tmp_path / "cache/greet/lib/libz.so.1.2")
    stated = hashlib.sha256(b"x").hexdigest()
    paths = [
        {"_path": "lib/libz.so.1.2", "path_type": "hardlink", "sha256": stated, "file_mode": "binary"},
        link(root, "lib/libz.so.1", "libz.so.1.2"),
        link(root, "lib/libz.so", "./libz.so.1"),
    ]
    paths[0]["prefix_placeholder"] = "/placeholder"
    environment = prefix.read(installed(tmp_path, *paths), [package()], [])
    shown = [(file.path, file.link, file.sha256, file.placeholder) for file in environment.files]
    assert shown == [
        ("lib/libz.so", "lib/libz.so.1.2", stated, "binary"),
        ("lib/libz.so.1", "lib/libz.so.1.2", stated, "binary"),
        ("lib/libz.so.1.2", None, stated, "binary"),
    ]
    assert {file.source for file in environment.files} == {environment.prefix / "lib/libz.so.1.2"}


@posix
def test_a_symlink_that_was_installed_as_a_file_is_refused(tmp_path):
    root = tmp_path / "prefix"
    write(root / "lib/libz.so.1")
    paths = [{"_path": "lib/libz.so.1", "path_type": "softlink"}]
    with pytest.raises(ContentError) as refused:
        prefix.read(installed(tmp_path, *paths), [package()], [])
    assert str(refused.value) == (
        "the packages cannot be pressed\n"
        "- greet: lib/libz.so.1: is a symlink in the package, and was installed as a file\n"
        "  let TMPDIR name a folder that takes symlinks; where it does, try again"
    )


@posix
def test_a_symlink_to_a_folder_becomes_its_files(tmp_path):
    root = tmp_path / "prefix"
    write(root / "share/terminfo/x/xterm")
    paths = [{"_path": "share/terminfo/x/xterm", "path_type": "hardlink"}, link(root, "lib/ti", "../share/terminfo")]
    environment = prefix.read(installed(tmp_path, *paths), [package()], [])
    shown = [(file.path, file.link) for file in environment.files]
    assert shown == [("lib/ti/x/xterm", "share/terminfo/x/xterm"), ("share/terminfo/x/xterm", None)]


@posix
def test_symlinks_that_end_nowhere_leave_and_are_told(tmp_path):
    root = tmp_path / "prefix"
    write(tmp_path / "outside")
    paths = [
        link(root, "lib/gone", "missing"),
        link(root, "lib/out", "../../outside"),
        link(root, "lib/self", "."),
        link(root, "lib/all", ".."),
        link(root, "lib/loop", "loop"),
    ]
    notes: list[str] = []
    environment = prefix.read(installed(tmp_path, *paths), [package()], notes)
    assert environment.files == ()
    assert len(notes) == 1
    assert "greet 1.0 h1_0" in notes[0]
    assert "and 2 more" in notes[0]


def test_generated_scripts_are_not_of_the_package(tmp_path):
    root = tmp_path / "prefix"
    write(root / "bin/greet")
    paths = [{"_path": "bin/greet", "path_type": "unix_python_entry_point"}]
    assert prefix.read(installed(tmp_path, *paths), [package()], []).files == ()


@pytest.mark.parametrize(
    "script", ["bin/.greet-post-link.sh", "bin/.greet-pre-link.sh", "Scripts/.greet-post-link.bat"]
)
def test_link_scripts_are_told(tmp_path, script):
    write(tmp_path / "prefix" / script)
    environment = prefix.read(installed(tmp_path, {"_path": script, "path_type": "hardlink"}), [package()], [])
    assert environment.scripts == {"greet": (script,)}


def test_what_runs_at_the_end_of_an_installation_is_not_told(tmp_path):
    script = "bin/.greet-pre-unlink.sh"
    write(tmp_path / "prefix" / script)
    environment = prefix.read(installed(tmp_path, {"_path": script, "path_type": "hardlink"}), [package()], [])
    assert environment.scripts == {}


def test_a_file_that_lost_its_path_to_another_package_is_at_that_path(tmp_path):
    root = tmp_path / "prefix"
    write(root / "lib/x", "one")
    write(root / "lib/x__clobber-from-other", "two")
    clobbered = {"_path": "lib/x__clobber-from-other", "original_path": "lib/x", "path_type": "hardlink"}
    installed(tmp_path, {"_path": "lib/x", "path_type": "hardlink"})
    installed(tmp_path, clobbered, name="other")
    files = prefix.read(root, [package(), package("other")], []).files
    assert [(file.path, file.package, file.source.read_text()) for file in files] == [
        ("lib/x", "greet", "one"),
        ("lib/x", "other", "two"),
    ]
    write(root / "lib/x__clobber-from-other", "one")
    assert len(prefix.read(root, [package(), package("other")], []).files) == 1


def test_a_file_with_a_placeholder_whose_original_is_gone_is_refused(tmp_path):
    write(tmp_path / "prefix/lib/x.txt")
    entry = {"_path": "lib/x.txt", "path_type": "hardlink", "sha256": "ab", "prefix_placeholder": "/placeholder"}
    with pytest.raises(ContentError) as caught:
        prefix.read(installed(tmp_path, {**entry, "file_mode": "text"}), [package()], [])
    [problem] = caught.value.problems
    assert str(problem) == (
        "greet: lib/x.txt: is installed, and not in the package in the cache: nothing vouches for it\n"
        "  tell the makers of the package, or take another build of it with tool.mamba-press.constraints"
    )


@posix
def test_a_file_that_lies_outside_the_prefix_is_refused(tmp_path):
    root = tmp_path / "prefix"
    write(tmp_path / "home/id_rsa")
    paths = [link(root, "lib/out", "../../home"), {"_path": "lib/out/id_rsa", "path_type": "hardlink"}]
    with pytest.raises(ContentError) as caught:
        prefix.read(installed(tmp_path, *paths), [package()], [])
    [problem] = caught.value.problems
    assert problem.where == "greet 1.0 h1_0: lib/out/id_rsa"
    assert problem.what == f"is installed outside of the prefix, in {tmp_path / 'home'}"


@posix
def test_what_is_neither_file_nor_link_is_refused(tmp_path):
    root = tmp_path / "prefix" / "share"
    root.mkdir(parents=True)
    os.mkfifo(root / "pipe")
    paths = [{"_path": f"share/{name}", "path_type": "hardlink"} for name in ("pipe", "gone")]
    with pytest.raises(ContentError) as caught:
        prefix.read(installed(tmp_path, *paths), [package()], [])
    assert [(problem.where, problem.what) for problem in caught.value.problems] == [
        ("greet 1.0 h1_0: share/pipe", "is not a file or a link"),
        ("greet 1.0 h1_0: share/gone", "is listed, but cannot be read: No such file or directory"),
    ]


def test_no_package_writes_what_conda_says_of_another(tmp_path):
    installed(tmp_path, name="other")
    forged = {"_path": "conda-meta/other-1.0-h1_0.json", "path_type": "hardlink"}
    with pytest.raises(ContentError) as raised:
        prefix.read(installed(tmp_path, forged), [package(), package("other")], [])
    assert str(raised.value) == (
        "the packages cannot be pressed\n"
        "- greet 1.0 h1_0: conda-meta/other-1.0-h1_0.json: stands where conda writes what is installed\n"
        "  tell the makers of the package, or take another build of it with tool.mamba-press.constraints"
    )
