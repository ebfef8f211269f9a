from __future__ import annotations

import json
from dataclasses import replace

import pytest
from packaging.version import Version

from mamba_press.audit import report
from mamba_press.errors import Note
from mamba_press.types import (
    Dropped,
    Edits,
    Entry,
    File,
    Finding,
    Floor,
    Pressed,
    Reason,
    Selection,
    Solution,
    Tags,
    Wheel,
)
from mamba_press.wheel.content import Row
from tests.support.values import TARGET, package

TAG = "cp310-cp310-manylinux_2_28_x86_64"
ROWS = (
    Row(path="app/__init__.py", size=1234567, package="app", why="of a requested package", sha256="ab"),
    Row(path="app-1.0.dist-info/METADATA", size=1, package=None, why="describes the wheel", sha256="cd"),
)


@pytest.fixture
def pressed():
    floors = tuple(
        Floor(version=(2, 28 - number), path="app.so", package="app", library="libc.so.6", symbol=f"GLIBC_2.{number}")
        for number in range(4)
    )
    dropped = (
        Dropped(package="dep", path="include/a.h", size=1000, why=Reason("rule", "headers")),
        Dropped(package="dep", path="include/b.h", size=2000, why=Reason("rule", "headers")),
        Dropped(package="dep", path="bin/dep", size=5, why=Reason("rule", "program of a dependency")),
        Dropped(package="python", path=None, size=9, why=Reason("rule", "Python is not vendored")),
    )
    return Pressed(
        wheel=Wheel(name="app", version=Version("1.0"), tags=TAG, entries=()),
        solution=Solution(target=TARGET, packages=(package("app", requested=True),), channels=()),
        selection=Selection(kept=(), dropped=dropped),
        tagging=Tags(tags=TAG, lowest="manylinux_2_28_x86_64", floors=floors),
        notes=(Note("libgcc: system"),),
    )


def test_the_text_says_what_is_in_the_wheel_what_left_and_what_sets_the_tag(pressed):
    assert report.as_text(pressed, ROWS).splitlines() == [
        f"app-1.0-{TAG}.whl",
        "",
        "  1,234,567  app  app/__init__.py  (of a requested package)",
        "          1  -    app-1.0.dist-info/METADATA  (describes the wheel)",
        "  1,234,568  bytes in 2 files",
        "",
        "left:",
        "  dep: 2 files, 3,000 bytes (headers)",
        "  dep: bin/dep, 5 bytes (program of a dependency)",
        "  python: the package (Python is not vendored)",
        "",
        f"tag: {TAG}; lowest honest platform tag: manylinux_2_28_x86_64",
        "  2.28: GLIBC_2.0 of libc.so.6, needed by app.so (app)",
        "  2.27: GLIBC_2.1 of libc.so.6, needed by app.so (app)",
        "  2.26: GLIBC_2.2 of libc.so.6, needed by app.so (app)",
        "  nothing but app sets a floor",
        "notes:",
        "  libgcc: system",
    ]


def test_the_json_says_everything_and_nothing_is_grouped(pressed):
    values = json.loads(json.dumps(report.as_json(pressed, ROWS)))
    assert values["wheel"] == f"app-1.0-{TAG}.whl"
    assert [row["path"] for row in values["entries"]] == [row.path for row in ROWS]
    assert [row["path"] for row in values["left"]] == ["include/a.h", "include/b.h", "bin/dep", None]
    assert [floor["version"] for floor in values["floors"]] == ["2.28", "2.27", "2.26", "2.25"]
    assert values["packages"][0]["name"] == "app"
    assert values["notes"] == ["libgcc: system"]


def test_what_the_tag_would_be_without_the_packages_that_force_it_is_said(pressed):
    def floor(package, *version):
        return Floor(version=version, path="x.so", package=package, library="libc.so.6", symbol="GLIBC_x")

    floors = (floor("icu", 2, 28), floor("krb5", 2, 28), floor("app", 2, 17), floor("icu", 2, 14))
    found = replace(pressed, tagging=replace(pressed.tagging, floors=floors))
    assert "  without icu, krb5: manylinux_2_17_x86_64" in report.as_text(found, ROWS).splitlines()
    values = report.as_json(found, ROWS)
    assert (values["forced_by"], values["without_these"]) == (["icu", "krb5"], "manylinux_2_17_x86_64")


def test_a_wheel_for_any_platform_has_no_floor_and_says_nothing_of_it(pressed):
    found = replace(pressed, tagging=Tags(tags="py3-none-any", lowest="any"))
    assert not any("without" in line or "sets a floor" in line for line in report.as_text(found, ROWS).splitlines())


def test_each_entry_knows_its_file_its_edits_and_each_package_its_licence(pressed, tmp_path):
    def file(path):
        return File(path=path, source=tmp_path, package="app", size=1)

    edits = Edits(name="liba-1.so", needed=(("libb.so", "libb-1.so"), ("libc.so", None)), search=("$ORIGIN",))
    entries = (
        Entry(path="app/a.so", source=tmp_path, edits=edits, origin=file("lib/a.so")),
        Entry(path="app/script", source=b"#!python", origin=file("bin/script")),
        Entry(path="app/plain", source=tmp_path, origin=file("share/plain")),
        Entry(path="app/ours", source=b"x"),
    )
    wheel = replace(pressed.wheel, entries=entries)
    rows = [Row(path=entry.path, size=1, sha256="ab") for entry in entries]
    place = Finding(path="app/a.so", file="lib/a.so", package="app", text="/proc/mamba-press/share", kind="functional")
    found = replace(pressed, wheel=wheel, licenses={"app": "MIT"}, findings=(place, replace(place, kind="relocated")))
    values = json.loads(json.dumps(report.as_json(found, rows)))
    assert [row["file"] for row in values["entries"]] == ["lib/a.so", "bin/script", "share/plain", None]
    assert [row["edits"] for row in values["entries"]] == [
        {
            "neutralised": ["/proc/mamba-press/share"],
            "name": "liba-1.so",
            "needed": {"libb.so": "libb-1.so", "libc.so": None},
            "search": ["$ORIGIN"],
        },
        {"text": "rewritten"},
        None,
        None,
    ]
    assert values["packages"][0]["expression"] == "MIT"
