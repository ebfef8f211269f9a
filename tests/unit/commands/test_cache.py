"""The command that shows and empties the cache of compressed files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mamba_press.__main__ import main
from mamba_press.wheel import entry_cache
from tests.support.written import demo, entry, write


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """The folder of a cache with two compressed files."""
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "mamba-press-entries"
    made = demo(entry("demo/a", b"all work and no play\n" * 900), entry("demo/b", b"makes Jack a dull boy\n" * 900))
    with entry_cache.opened(folder, 1 << 20) as cache:
        write(made, tmp_path / "out", cache=cache)
    return folder


def test_it_says_where_the_cache_is_and_what_it_has(kept, capsys):
    assert main(["cache"]) == 0
    size = sum(each.stat().st_size for each in kept.iterdir())
    assert capsys.readouterr().out == f"{kept}: 2 compressed files, {size / 1000:.1f} kB\n"


def test_a_program_is_told_the_same(kept, capsys):
    assert main(["cache", "--json"]) == 0
    size = sum(each.stat().st_size for each in kept.iterdir())
    assert json.loads(capsys.readouterr().out) == {"folder": str(kept), "size": size, "files": 2}


def test_it_is_emptied_and_nothing_else_is(kept, capsys):
    (kept.parent / "pkgs").mkdir()
    assert main(["cache", "--empty"]) == 0
    assert capsys.readouterr().out == f"{kept}: 0 compressed files, 0.0 kB\n"
    assert list(kept.iterdir()) == []
    assert (kept.parent / "pkgs").is_dir()


def test_a_cache_that_was_never_made_is_empty(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "none"))
    assert main(["cache", "--empty"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'none' / 'mamba-press-entries'}: 0 compressed files, 0.0 kB\n"
    assert not (tmp_path / "none").exists()
