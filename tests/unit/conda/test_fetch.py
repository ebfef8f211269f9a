from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from mamba_press.conda import fetch, worker_process


def test_the_cache_is_the_one_of_rattler_and_pixi(tmp_path):
    assert worker_process.cache_folder({"RATTLER_CACHE_DIR": str(tmp_path)}) == tmp_path
    assert worker_process.cache_folder({}).parts[-2:] == ("rattler", "cache")


@pytest.mark.skipif(sys.platform != "linux", reason="XDG is Linux's")
def test_the_cache_follows_xdg(tmp_path):
    assert worker_process.cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "rattler" / "cache"


# --- where a prefix lies

OTHER = Path("/dev/shm")


def test_a_temporary_folder_stays_where_it_is_usual_if_that_takes_links_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert fetch.near_cache({"RATTLER_CACHE_DIR": str(tmp_path / "cache")}) is None
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert list(tmp_path.joinpath("cache", "mamba-press").iterdir()) == []


@pytest.mark.skipif(not OTHER.is_dir(), reason="there is no second device")
def test_a_temporary_folder_is_near_the_cache_where_the_usual_place_is_on_another_device(tmp_path, monkeypatch):
    if OTHER.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second device")
    monkeypatch.setattr(tempfile, "tempdir", str(OTHER))
    before = set(OTHER.iterdir())
    near = fetch.near_cache({"RATTLER_CACHE_DIR": str(tmp_path / "cache")})
    assert near == tmp_path / "cache" / "mamba-press"
    assert list(near.iterdir()) == []
    assert set(OTHER.iterdir()) == before


def test_a_temporary_folder_stays_where_it_is_usual_if_nothing_takes_links(tmp_path, monkeypatch):
    def refuse(self: Path, _: str) -> None:
        raise OSError(95, "Operation not supported", str(self))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert fetch.near_cache({"RATTLER_CACHE_DIR": str(tmp_path / "cache")}) is None


def test_a_temporary_folder_stays_where_it_is_usual_if_there_can_be_no_cache(tmp_path):
    tmp_path.joinpath("cache").write_text("a file")
    assert fetch.near_cache({"RATTLER_CACHE_DIR": str(tmp_path / "cache")}) is None
