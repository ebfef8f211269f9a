"""Which text names a channel by a folder's path, whatever folders there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mamba_press.conda import channels
from mamba_press.errors import ConfigError

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


@pytest.mark.parametrize(
    "channel", ["conda-forge", "bioconda", "conda-forge/label/rust_dev", "https://example.org/t/a/b", "oci://ghcr.io/x"]
)
def test_names_and_urls_stay_as_they_are(tmp_path, channel):
    assert channels.urls([channel], tmp_path) == (channel,)


@pytest.mark.parametrize("channel", ["./channel", "./sub/../channel", "../{here}/channel"])
def test_relative_paths_start_at_the_project(tmp_path, channel):
    (tmp_path / "channel").mkdir()
    channel = channel.replace("{here}", tmp_path.name)
    assert channels.urls([channel], tmp_path) == ((tmp_path / "channel").as_uri(),)


def test_absolute_paths_and_file_urls_name_the_same_folder(tmp_path):
    folder = tmp_path / "a channel"
    folder.mkdir()
    assert set(channels.urls([str(folder), folder.as_uri()], Path("/elsewhere"))) == {folder.as_uri()}


def test_a_relative_root_gives_an_absolute_url(tmp_path, monkeypatch):
    (tmp_path / "channel").mkdir()
    monkeypatch.chdir(tmp_path)
    assert channels.urls(["./channel"], Path()) == ((tmp_path / "channel").as_uri(),)


def test_every_missing_folder_is_reported_with_the_ways_out(tmp_path, golden):
    with pytest.raises(ConfigError) as raised:
        channels.urls(["../one", "conda-forge", "./two/three"], tmp_path)
    text = str(raised.value).replace(str(tmp_path.parent), "<above>").replace(tmp_path.name, "<project>")
    golden("channel-folders-not-there.txt", text + "\n")


@pytest.mark.parametrize("channel", ["./" + "x" * 300, "~nobody-of-this-name/channel", "C:\\no\\channel"])
def test_a_path_that_no_folder_can_have_is_a_folder_that_is_not_there(tmp_path, channel):
    with pytest.raises(ConfigError, match="is a folder that is not there"):
        channels.urls([channel], tmp_path)


def test_channels_outside_the_project_are_told_from_those_that_travel(tmp_path):
    project = tmp_path / "project"
    (project / "channel").mkdir(parents=True)
    (tmp_path / "beside").mkdir()
    named = ["conda-forge", "channel", "./channel", "../beside", str(tmp_path / "beside"), "https://example.org/x"]
    assert channels.outside(named, project) == ("../beside", str(tmp_path / "beside"))
    assert channels.inside(named, project) == ("channel",)
