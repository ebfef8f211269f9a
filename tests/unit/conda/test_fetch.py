from __future__ import annotations

import sys

import pytest

from mamba_press.conda import worker_process


def test_the_cache_is_the_one_of_rattler_and_pixi(tmp_path):
    assert worker_process.cache_folder({"RATTLER_CACHE_DIR": str(tmp_path)}) == tmp_path
    assert worker_process.cache_folder({}).parts[-2:] == ("rattler", "cache")


@pytest.mark.skipif(sys.platform != "linux", reason="XDG is Linux's")
def test_the_cache_follows_xdg(tmp_path):
    assert worker_process.cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "rattler" / "cache"
