"""The compressors, and what they are called."""

from __future__ import annotations

import sys
import zlib

import pytest

from mamba_press.errors import ConfigError
from mamba_press.wheel import compress, content
from tests.support.written import demo, entry, write


def test_parts_compress_about_as_well_as_the_whole(mixed, tmp_path, monkeypatch):
    whole = write(mixed, tmp_path / "whole", compression="zlib").stat().st_size
    monkeypatch.setattr(content, "HUGE", 300_000)
    parts = write(mixed, tmp_path / "parts", compression="zlib").stat().st_size
    assert parts < whole * 1.01


def test_the_generator_names_compressor_level_and_version():
    import deflate

    assert compress.generator("zlib").endswith(f"(zlib {zlib.ZLIB_RUNTIME_VERSION} level 6)")
    assert compress.generator("libdeflate").endswith(f"(libdeflate level 6, deflate {deflate.__version__})")
    assert compress.generator("store").endswith("(stored)")
    assert compress.generator(None) == compress.generator("libdeflate")


def test_without_deflate_zlib_is_used(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "deflate", None)
    assert compress.compressor(None).name == "zlib"
    assert write(demo(entry("demo/a.py")), tmp_path).exists()


def test_asking_for_libdeflate_where_it_is_not_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "deflate", None)
    with pytest.raises(ConfigError) as error:
        write(demo(entry("demo/a.py")), tmp_path / "out", compression="libdeflate")
    assert [str(problem) for problem in error.value.problems] == [
        (
            'tool.mamba-press.wheel.compression: "libdeflate" is asked for, but the package deflate is not installed '
            'here\n  install it (pip install deflate), or use "zlib"'
        )
    ]
    assert not (tmp_path / "out").exists()
