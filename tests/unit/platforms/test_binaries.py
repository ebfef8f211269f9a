"""Which format a file has, and where the libraries are that it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mamba_press.platforms import binaries
from mamba_press.types import Binary
from tests.support.elf_samples import Samples


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x7fELF", "elf"),
        (b"\xcf\xfa\xed\xfe", "macho"),
        (b"\xca\xfe\xba\xbe\0\0\0\2", "macho"),
        (b"\xca\xfe\xba\xbe\0\0\0\x3d", None),
        (b"MZ\x90\0", "pe"),
        (b"#!/bin/sh", None),
        (b"", None),
    ],
)
def test_the_first_bytes_tell_the_format(head: bytes, name: str | None) -> None:
    assert binaries.format_of(head) == name


@pytest.mark.parametrize(
    "content", [b"", b"MZ", b"MZ and then prose that is longer than a header of DOS would be...", b"#!"]
)
def test_what_is_no_binary_reads_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert binaries.read(content) is None
    assert binaries.read_file(path) is None


def test_a_file_reads_like_its_bytes(samples: Samples) -> None:
    assert binaries.read_file(samples.inner) == binaries.read(samples.inner.read_bytes())


def test_lookup_stays_below_the_root() -> None:
    found = Binary(
        format="elf",
        arch="x86_64",
        kind="shared",
        search=("$ORIGIN", "${ORIGIN}/../b", "/usr/lib", "lib", "$ORIGIN/../../..", "$ORIGINAL", "", "$ORIGIN/$LIB"),
    )
    assert list(binaries.lookup(found, "pkg/a/x.so", "liby.so")) == ["pkg/a/liby.so", "pkg/b/liby.so"]
    assert list(binaries.lookup(found, "x.so", "liby.so")) == ["liby.so"]
    assert list(binaries.lookup(found, "pkg/a/x.so", "/usr/lib/liby.so")) == []
    assert list(binaries.lookup(found, "pkg/a/x.so", "$ORIGIN/../liby.so")) == ["pkg/liby.so"]


def test_a_reader_imports_neither_editors_nor_the_nouns_of_a_press() -> None:
    code = "import sys; from mamba_press.platforms import binaries; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "mamba_press.platforms.linux.elf_reader" in loaded
    assert not {"mamba_press.types", "mamba_press.platforms.binary_edits"} & set(loaded)
    assert [name for name in loaded if name.endswith(("_edit", "_layout", "_check"))] == []
