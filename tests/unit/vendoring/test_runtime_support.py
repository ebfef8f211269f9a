"""What mamba-press itself adds to the home of a wheel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.config import reader
from mamba_press.types import Entry, File, Kept, Reason
from mamba_press.vendoring import layout, runtime_support
from mamba_press.vendoring.link import Linked

PRIVATE = layout.Home(name="_demo_prefix", generated=True)


def entry(path: str, source: bytes = b"", inside: str | None = None) -> Entry:
    file = File(path=inside or f"lib/python3.10/site-packages/{path}", source=Path("/nowhere"), package="pkg", size=0)
    return replace(Entry.of(Kept(file=file, why=Reason("rule")), path), source=source)


DATA = entry("_demo_prefix/_prefix/lib/girepository-1.0/Gtk-3.0.typelib", inside="lib/girepository-1.0/Gtk-3.0.typelib")
PROGRAM = entry("_demo_prefix/_prefix/bin/show", inside="bin/show")


def notes(*entries: Entry, home: layout.Home = PRIVATE, **table: object) -> tuple[str, ...]:
    """What is said of a wheel of these entries that is to set GI_TYPELIB_PATH."""
    values = {"packages": ["pkg"], "wheel.environment.GI_TYPELIB_PATH": "lib/girepository-1.0", **table}
    config = reader.from_values({}, values, {})
    linked = Linked(entries=(*entries, DATA, PROGRAM), names={}, notes=())
    return tuple(map(str, runtime_support.with_runtime(linked, home, "demo", config).notes))


def test_a_variable_that_only_a_private_home_sets_is_warned_of_with_the_packages_that_could():
    (note,) = notes(entry("gi/__init__.py"), entry("gi/deep/__init__.py"), entry("pygtkcompat/__init__.py"))
    assert note == (
        "warning: importing the wheel does not set GI_TYPELIB_PATH: "
        "importing _demo_prefix does, and nothing imports it\n"
        '  set it to a package that is imported: layout.home = "gi" or "pygtkcompat"'
    )


def test_without_a_package_the_home_gets_a_name_to_be_imported_first():
    (note,) = notes(entry("single.py"))
    assert note.endswith('layout.home = "…", a name to be imported first')


@pytest.mark.parametrize(
    ("entries", "table"),
    [
        ((entry("mine.py", b"import _demo_prefix\n"),), {}),
        ((entry("gi/__init__.py"),), {"wheel.executables": ["bin/show"]}),
        ((entry("gi/__init__.py"),), {"layout.home": "demo_libs"}),
    ],
    ids=["something imports it", "a program imports it", "its name was asked for"],
)
def test_a_home_that_something_imports_is_not_warned_of(entries, table):
    home = layout.Home(name=str(table.get("layout.home", PRIVATE.name)), generated=True)
    data = entry(f"{home.name}/_prefix/share/x", inside="share/x")
    assert notes(*entries, data, home=home, **table) == ()
