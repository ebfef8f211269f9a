"""Wheels that are too large: what the limit means, what weighs most, and what is advised."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.audit import size as audit_size
from mamba_press.audit.explain import Part, Piece
from mamba_press.config.link_table import Link
from mamba_press.config.model import Config, WheelOptions
from mamba_press.errors import ContentError
from mamba_press.types import Reason
from tests.unit.audit.test_explain import WHOLE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100 MB", 100_000_000),
        ("100MiB", 104_857_600),
        ("1.5 GB", 1_500_000_000),
        ("20 kB", 20_000),
        ("1KiB", 1024),
        ("7 B", 7),
    ],
)
def test_a_size_is_in_powers_of_1000_or_where_it_says_so_of_1024(text, expected):
    assert audit_size.limit(text) == expected


def part(name: str, why: Reason) -> Part:
    return Part(name=name, version="1", build=None, license=None, why=why, files=1, size=1)


def piece(path: str, package: str, original: str = "", **more: object) -> Piece:
    return Piece(path=path, size=1, package=package, original=original or path, **more)  # type: ignore[arg-type]


FOUND = replace(
    WHOLE,
    parts=(part("app", Reason("asked")), part("z", Reason("needed", "app")), part("fonts", Reason("rule", "data"))),
    pieces=(
        piece("app/x.so", "app", binary="elf x86_64"),
        piece("app/tests/big.bin", "app"),
        piece("app/_prefix/lib/libz.so.1", "z", binary="elf x86_64", needed_by=("app/x.so",)),
        piece("app/_prefix/lib/libidle.so.1", "app", binary="elf x86_64"),
        piece("app/_prefix/share/fonts/a.ttf", "fonts"),
    ),
)
SIZES = {
    "app/x.so": 100,
    "app/tests/big.bin": 3000,
    "app/_prefix/lib/libz.so.1": 5000,
    "app/_prefix/lib/libidle.so.1": 700,
    "app/_prefix/share/fonts/a.ttf": 2000,
}


def refused(folder: Path, config: Config) -> str:
    path = folder / "x.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, size in SIZES.items():
            archive.writestr(name, b"x" * size)
    with pytest.raises(ContentError) as error:
        audit_size.refuse(path, FOUND, (), config)
    return str(error.value)


def test_the_heaviest_and_what_could_leave_are_named_the_most_first(tmp_path, golden):
    config = Config(packages=("app",), wheel=WheelOptions(max_size="10 kB"))
    golden("weight.txt", refused(tmp_path, config) + "\n")


def test_what_is_done_already_is_not_advised(tmp_path):
    config = Config(packages=("app",), link=Link(unused_libraries="drop"), wheel=WheelOptions(max_size="1 kB"))
    assert "unused-libraries" not in refused(tmp_path, config)
