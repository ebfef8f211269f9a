from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.errors import ContentError, Note, Setting, Text
from mamba_press.pipeline import finish
from mamba_press.types import OWN, Entry, File, Kept, Reason

WORKDIR = Path("/somewhere/mamba-press-abcd1234")


def entry(tmp_path: Path, data: bytes = b"", **facts: object) -> Entry:
    """A file of a package, as an install links it from the cache."""
    source = tmp_path / "file"
    source.write_bytes(data)
    file = replace(File(path="lib/x", source=source, package="p", size=len(data)), **facts)
    return Entry.of(Kept(file=file, why=Reason("rule")), "x")


@pytest.mark.parametrize("how", ["own", "placeholder", "rewritten", "generated"])
def test_no_file_that_is_made_here_may_name_the_work_folder(tmp_path, how):
    data = f"{WORKDIR}/prefix".encode()
    plain = entry(tmp_path, data)
    made = {
        "own": entry(tmp_path, data, package=OWN),
        "placeholder": entry(tmp_path, data, placeholder="text"),
        "rewritten": replace(plain, source=data),
        "generated": replace(plain, source=data, origin=None),
    }[how]
    with pytest.raises(ContentError, match="temporary folder"):
        finish._traces([made], WORKDIR)


def test_packages_that_tell_where_they_were_built_are_named_once(tmp_path):
    told = entry(tmp_path, b"-I/home/conda/feedstock_root/build_artifacts/x")
    (note,) = finish._traces([told, replace(told, path="y")], WORKDIR)
    assert note.endswith("mean nothing: p")
    assert finish._traces([entry(tmp_path, b"nothing")], WORKDIR) == ()


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("sitecustomize.py", "runs at every start of Python"),
        ("usercustomize/__init__.py", "runs at every start of Python"),
        ("json.py", "has the name of a module of the standard library"),
        ("typing/__init__.py", "has the name of a module of the standard library"),
        ("_ssl.cpython-311-x86_64-linux-gnu.so", "has the name of a module of the standard library"),
        ("_socket.cp311-win_amd64.pyd", "has the name of a module of the standard library"),
    ],
)
def test_a_module_that_stands_in_pythons_place_is_a_warning(tmp_path, path, what):
    [note] = finish._shadow_notes([replace(entry(tmp_path), path=path)])
    glob = path.replace("__init__.py", "**")
    assert note == Note(
        f"{path} (p) {what}",
        Text.of("leave it out if nothing needs it: ", Setting("select.exclude", (f"**/site-packages/{glob}",))),
        "warning",
    )


@pytest.mark.parametrize(
    "path",
    ["json/data.txt", "pkg/json.py", "json_more.py", "jsonschema/__init__.py", "x-1.data/scripts/json.py", "test.py"],
)
def test_other_modules_are_not(tmp_path, path):
    assert list(finish._shadow_notes([replace(entry(tmp_path), path=path)])) == []


def test_a_module_of_the_projects_own_is_to_be_renamed(tmp_path):
    [note] = finish._shadow_notes([replace(entry(tmp_path, package=OWN), path="json.py")])
    assert (note.what, note.hint) == (
        "json.py (the project) has the name of a module of the standard library",
        "rename it",
    )
