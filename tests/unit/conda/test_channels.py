"""Which text names a channel by a folder's path, whatever folders there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mamba_press.conda import channels

posix = pytest.mark.skipif(os.name == "nt", reason="the paths are those of POSIX")


@pytest.mark.parametrize(
    "channel",
    [
        ".",
        "./a",
        "../a",
        ".hidden",
        "/a",
        "~/a",
        "~user/a",
        "C:\\a",
        "c:/a",
        "file:///a",
        "file:a",
        "FILE:///a",
        "\\\\a\\b",
    ],
)
def test_a_path_says_so_by_how_it_begins(channel):
    assert channels.is_path(channel)


@pytest.mark.parametrize(
    "channel",
    ["conda-forge", "a/b", "a\\b", "conda-forge/label/dev", "C:a", "cc:/a", "https://a/./b", "files/a", "x" * 300],
)
def test_all_else_is_a_name_or_a_url(tmp_path, channel):
    assert not channels.is_path(channel)
    assert channels.folder_of(channel, tmp_path) is None


@pytest.mark.parametrize("channel", ["conda-forge", "a/b", "a/label/b"])
def test_a_name_stays_a_name_where_a_folder_is_called_so(tmp_path, channel):
    tmp_path.joinpath(channel).mkdir(parents=True)
    assert channels.folder_of(channel, tmp_path) is None


@posix
@pytest.mark.parametrize(
    ("channel", "folder"),
    [
        ("./a/../b", "{root}/b"),
        ("file:a", "{root}/a"),
        ("file:/a%20b", "/a b"),
        ("file:///a", "/a"),
        ("file://localhost/a", "/a"),
        ("file://server/a", "//server/a"),
        ("file:////server/a", "//server/a"),
        ("file://[", "//["),
        ("file://", "{root}"),
    ],
)
def test_a_path_is_a_folder_from_where_relative_ones_start(tmp_path, channel, folder):
    assert channels.folder_of(channel, tmp_path) == Path(folder.replace("{root}", str(tmp_path)))


def test_the_names_that_folders_have_too_are_found(tmp_path):
    tmp_path.joinpath("a/b").mkdir(parents=True)
    tmp_path.joinpath("file").touch()
    given = ("conda-forge", "a/b", "./a/b", "a", "file", "https://a/b", "x" * 300)
    assert channels.alike(given, tmp_path) == ("a/b", "a")
