"""The compressors, and what they are called."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import zipfile
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
    assert compress.generator("fast").endswith(f"(libdeflate level 1, deflate {deflate.__version__})")
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


def test_fast_is_level_1_of_the_compressor_that_is_there(mixed, tmp_path, monkeypatch):
    found = write(mixed, tmp_path / "fast", compression="fast")
    with zipfile.ZipFile(found) as archive:
        assert archive.testzip() is None
    assert found.stat().st_size > write(mixed, tmp_path / "small").stat().st_size
    monkeypatch.setitem(sys.modules, "deflate", None)
    assert str(compress.compressor("fast")) == f"zlib {zlib.ZLIB_RUNTIME_VERSION} level 1"
    write(mixed, tmp_path / "zlib", compression="fast")


ON_ANOTHER = """
import hashlib, random, deflate
chosen = random.Random(1)
words = [bytes(chosen.choices(range(256), k=chosen.randint(2, 9))) for _ in range(900)]
data = b" ".join(chosen.choices(words, k=60_000)) + bytes(9_000)
print([hashlib.sha256(deflate.deflate_compress(data, level)).hexdigest() for level in (1, 6)])
"""


def test_libdeflate_gives_the_same_bytes_on_a_processor_without_vector_instructions():
    emulator = shutil.which("qemu-x86_64")
    if emulator is None or platform.machine() != "x86_64":
        pytest.skip("qemu-user is not installed, or this is no x86-64")
    command = [sys.executable, "-c", ON_ANOTHER]
    oldest = "qemu64,-avx,-avx2,-bmi1,-bmi2,-pclmulqdq,-sse4.1,-sse4.2,-ssse3"
    found = [
        subprocess.run([*words, *command], check=True, capture_output=True).stdout
        for words in ([], [emulator, "-cpu", oldest], [emulator, "-cpu", "max"])
    ]
    assert found[0].count(b"'") == 4
    assert len(set(found)) == 1
