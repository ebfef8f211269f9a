"""What an inner backend wrote about a project: kept as it is, completed where it is silent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from mamba_press.errors import BuildError
from mamba_press.metadata import backend_metadata, pyproject
from mamba_press.types import OwnFiles, Project

METADATA = b"""\
Metadata-Version: 2.1
Name: Made.It
Version: 1.0.dev3+g1
Summary: B\xc3\xbccher
License: free
License-File: LICENSE
Requires-Dist: words >=1
Description-Content-Type: text/markdown

# Head

License-File: not a header
"""
POINTS = b"[console_scripts]\nmade = made:main\n\n[gui_scripts]\nMade = made:gui\n\n[made.plugins]\na = b:c\n"


def of(metadata: bytes = METADATA, *, table: dict[str, object] | None = None, **more: object) -> Project:
    asked = Project(root=Path("/p"), name="", version=None, table=table or {})
    return backend_metadata.project(asked, OwnFiles(metadata=metadata, **more))  # type: ignore[arg-type]


def test_name_and_version_are_the_inner_backends():
    found = of(table={"name": "made-it", "dynamic": ["version"]})
    assert (found.name, found.version) == ("Made.It", Version("1.0.dev3+g1"))


def test_metadata_stays_as_it_is():
    text = METADATA.replace(b"License-File: LICENSE\n", b"")
    assert backend_metadata.metadata(of(text), []) == text
    assert backend_metadata.metadata(of(text.partition(b"\n\n")[0] + b"\n"), []) == text.partition(b"\n\n")[0] + b"\n"


def test_licence_files_are_stated_as_they_lie_in_the_wheel():
    text = backend_metadata.metadata(of(), ["LICENSE", "zlib/COPYING"])
    head, _, body = text.partition(b"\n\n")
    assert head.startswith(b"Metadata-Version: 2.4\nName: Made.It\n")
    assert head.endswith(b"\nLicense-File: LICENSE\nLicense-File: zlib/COPYING")
    assert head.count(b"License-File:") == 2
    assert body == METADATA.partition(b"\n\n")[2]


def test_a_field_on_several_lines_goes_with_all_of_them():
    text = METADATA.replace(b"License-File: LICENSE\n", b"License-File:\n LICENSE\n")
    assert backend_metadata.metadata(of(text), []) == METADATA.replace(b"License-File: LICENSE\n", b"")


def test_the_line_endings_of_the_inner_backend_are_those_of_what_is_added():
    text = METADATA.replace(b"License-File: LICENSE\n", b"").replace(b"\n", b"\r\n")
    assert backend_metadata.metadata(of(text), []) == text
    head = text.partition(b"\r\n\r\n")[0].replace(b"2.1", b"2.4")
    assert backend_metadata.metadata(of(text), ["LICENSE"]).startswith(
        head + b"\r\nLicense-File: LICENSE\r\n\r\n# Head"
    )


def test_the_last_field_ends_where_the_inner_backend_forgot_it():
    assert backend_metadata.metadata(of(b"Metadata-Version: 2.4\nName: x\nVersion: 1"), []).endswith(b"\nVersion: 1\n")


def test_a_newer_format_is_kept():
    text = METADATA.replace(b"2.1", b"2.5")
    assert backend_metadata.metadata(of(text), ["LICENSE"]).startswith(b"Metadata-Version: 2.5\n")


def test_requirements_are_added_where_the_project_leaves_them_open():
    found = of(table={"name": "made.it", "dynamic": ["dependencies"]})
    assert found.table["dynamic"] == ["dependencies"]
    assert found.table["dependencies"] == ["words >=1"]
    more = replace(found, table={**found.table, "dependencies": ["words >=1", "numpy >=2"]})
    assert b"\nRequires-Dist: words >=1\n" in backend_metadata.metadata(more, [])
    assert b"\nRequires-Dist: numpy >=2\n" in backend_metadata.metadata(more, [])


@pytest.mark.parametrize(
    ("table", "line", "dynamic"),
    [
        ({}, b"", ["dependencies", "requires-python"]),
        ({"name": "made-it"}, b"", []),
        ({"name": "made-it", "dynamic": ["license", "readme"]}, b"", ["license"]),
        ({}, b"License: MIT\nRequires-Python: >=3.10\n", ["dependencies"]),
        ({"name": "made-it", "dynamic": ["license"]}, b"License-Expression: MIT\n", []),
        ({"name": "made-it", "dynamic": ["license"]}, b"Classifier: License :: OSI Approved\n", []),
    ],
)
def test_open_is_what_nobody_has_said(table, line, dynamic):
    text = b"Metadata-Version: 2.1\nName: made-it\nVersion: 1\n" + line
    assert of(text, table=table).table["dynamic"] == dynamic


def test_what_was_open_is_written():
    found = of(b"Metadata-Version: 2.1\nName: a\nVersion: 1\n")
    filled = replace(found, table={**found.table, "license": "MIT AND Zlib", "requires-python": ">=3.9"})
    assert backend_metadata.metadata(filled, []).endswith(b"License-Expression: MIT AND Zlib\nRequires-Python: >=3.9\n")


def test_entry_points_are_read_as_the_project_would_state_them():
    table = of(entry_points=POINTS).table
    assert table["scripts"] == {"made": "made:main"}
    assert table["gui-scripts"] == {"Made": "made:gui"}
    assert table["entry-points"] == {"made.plugins": {"a": "b:c"}}


def test_licence_files_are_those_of_the_wheel():
    found = of(licenses={"b": Path("/w/b"), "a": Path("/w/a")})
    assert pyproject.license_files(found) == {"a": Path("/w/a"), "b": Path("/w/b")}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metadata": METADATA.replace(b"1.0.dev3+g1", b"one")}, "the version 'one'"),
        ({"table": {"name": "other"}}, "calls the project 'Made.It', project.name is 'other'"),
        ({"entry_points": b"no group\n"}, "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told(changes, words):
    with pytest.raises(BuildError, match=words):
        of(**changes)


# --- sdists


def test_what_a_wheel_may_add_is_dynamic_in_an_sdist():
    text = METADATA.replace(b"2.1", b"2.4").replace(b"License: free\n", b"Dynamic: License-File\n")
    asked = Project(root=Path("/p"), name="", version=None, table={"name": "made.it", "dynamic": ["license"]})
    found, pkg_info = backend_metadata.source(asked, text)
    assert (found.name, found.version) == ("Made.It", Version("1.0.dev3+g1"))
    head, _, body = pkg_info.partition(b"\n\n")
    assert head.startswith(text.partition(b"\n\n")[0])
    assert [line for line in head.splitlines() if b"Dynamic" in line] == [
        b"Dynamic: License-File",
        b"Dynamic: License-Expression",
    ]
    assert body == text.partition(b"\n\n")[2]


def test_an_sdist_whose_format_binds_nothing_stays_as_it_is():
    asked = Project(root=Path("/p"), name="", version=None, table={})
    assert backend_metadata.source(asked, METADATA)[1] == METADATA
