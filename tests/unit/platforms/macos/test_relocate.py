"""The edits by which a Mach-O file finds its libraries."""

from __future__ import annotations

import pytest

from mamba_press.platforms.macos.relocate import edits
from mamba_press.platforms.protocol import Answer, Situation
from tests.support.values import binary


@pytest.mark.parametrize(
    ("answer", "new"),
    [
        (
            Answer(needed="@rpath/liba.dylib", where="wheel", folder="home/_prefix/lib", name="liba-0a.dylib"),
            "@loader_path/../_prefix/lib/liba-0a.dylib",
        ),
        (
            Answer(needed="@rpath/libx.dylib", where="external", folder="home/core", name="libx.dylib"),
            "@loader_path/libx.dylib",
        ),
        (Answer(needed="@rpath/libpython3.10.dylib", where="removed"), None),
        (Answer(needed="@rpath/libc++.1.dylib", where="system"), "/usr/lib/libc++.1.dylib"),
        (Answer(needed="@rpath/libq.dylib", where="system"), "/opt/q/libq.dylib"),
    ],
)
def test_each_name_says_where_the_library_is(answer, new):
    situation = Situation(folder="home/core", answers=(answer,), plain={}, system=("/opt/q/libq.dylib",))
    assert edits(binary(None, answer.needed, format="macho"), situation).needed == ((answer.needed, new),)


def test_what_macos_has_keeps_its_name():
    answer = Answer(needed="/usr/lib/libc++.1.dylib", where="system")
    assert (
        edits(binary(None, answer.needed, format="macho"), Situation(folder="a", answers=(answer,), plain={})).needed
        == ()
    )


def test_a_library_is_called_by_its_file_and_every_file_is_signed():
    situation = Situation(folder="a", name="liba-0a.dylib", plain={})
    found = edits(binary("@rpath/liba.dylib", format="macho"), situation)
    assert (found.name, found.sign) == ("@rpath/liba-0a.dylib", True)
    assert edits(binary(None, format="macho"), situation).name is None


def test_search_paths_lead_to_what_is_opened_by_name():
    situation = Situation(folder="home/core", opened=("home/_prefix/lib", "home/_prefix/lib"), plain={})
    assert edits(binary(None, format="macho"), situation).search == ("@loader_path/../_prefix/lib",)
