from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.errors import ContentError
from mamba_press.types import Binary, Entry, File, Kept, Reason, Resolved
from mamba_press.vendoring import dll_folders, runtime_module
from mamba_press.vendoring.layout import Home
from mamba_press.vendoring.link import Linked

PREFIX = "home/_prefix"
BIN = f"{PREFIX}/Library/bin"
RULE, NEEDED = Reason("rule"), Reason("needed", "something")


def entry(path: str, *needs: str, why: Reason = RULE, own: str | None = None, elsewhere: str | None = None) -> Entry:
    """A binary of the wheel; what it needs is named by the path in the prefix."""
    links = [Resolved(needed=Path(each).name, where="wheel", path=each) for each in needs]
    links += [Resolved(needed=elsewhere, where="external")] if elsewhere else []
    file = File(path=own or path.removeprefix(f"{PREFIX}/"), source=Path("/nowhere"), package="p", size=1)
    kind = "program" if path.endswith(".exe") else "shared"
    binary = Binary(format="pe", arch="amd64", kind=kind, needed=tuple(link.needed for link in links))
    return replace(Entry.of(Kept(file=file, why=why, binary=binary, links=tuple(links)), path), source=b"")


def library(name: str, *needs: str, why: Reason = NEEDED) -> Entry:
    return entry(f"{BIN}/{name}", *needs, why=why)


def init(path: str, source: bytes = b"") -> Entry:
    return Entry(path=f"{path}/__init__.py", source=source)


def placed(*entries: Entry, generated: bool = False, others: Mapping[str, str] | None = None) -> Linked:
    home = Home(name="home", generated=generated)
    return dll_folders.place(Linked(entries=entries, names={}), home, others or {})


def paths(found: Linked) -> list[str]:
    return [each.path for each in found.entries]


def source(found: Linked, path: str) -> bytes:
    data = next(each.source for each in found.entries if each.path == path)
    assert isinstance(data, bytes)
    return data


OUTER = library("outer.dll", "Library/bin/inner.dll")
INNER = library("inner.dll")


def test_home_imports_the_module_that_adds_the_folder() -> None:
    found = placed(init("home", b"import sys\n"), entry("home/_x.pyd", "Library/bin/outer.dll"), OUTER, INNER)
    assert found.folders == ("_prefix/Library/bin",)
    assert runtime_module.imports(source(found, "home/__init__.py"))
    assert paths(found) == ["home/__init__.py", f"{BIN}/inner.dll", f"{BIN}/outer.dll", "home/_x.pyd"]


def test_another_package_gets_a_module_of_its_own_that_adds_the_folder_of_the_home() -> None:
    found = placed(init("home"), init("other"), entry("other/sub/_x.pyd", "Library/bin/inner.dll"), INNER)
    assert runtime_module.imports(source(found, "other/__init__.py"))
    assert runtime_module.folders_of(source(found, "other/_mamba_press.py")) == ("../home/_prefix/Library/bin",)


def test_package_whose_extensions_need_nothing_is_left_as_it_is() -> None:
    before = init("other", b"x = 1\n")
    found = placed(init("home"), before, entry("other/_x.pyd"), entry("home/_x.pyd", "Library/bin/inner.dll"), INNER)
    assert before in found.entries
    assert "other/_mamba_press.py" not in paths(found)


def test_module_at_the_top_has_all_that_it_reaches_beside_it_and_nothing_stays_where_nobody_looks() -> None:
    found = placed(entry("top.pyd", "Library/bin/outer.dll"), OUTER, INNER, generated=True)
    assert paths(found) == ["inner.dll", "outer.dll", "top.pyd"]
    assert found.folders == ()
    assert "the top of site-packages" in found.notes[0]


def test_dll_that_a_package_needs_too_is_copied_and_stays() -> None:
    found = placed(
        init("home"), entry("home/_x.pyd", "Library/bin/inner.dll"), entry("top.pyd", "Library/bin/inner.dll"), INNER
    )
    assert [path for path in paths(found) if path.endswith("inner.dll")] == [f"{BIN}/inner.dll", "inner.dll"]


@pytest.mark.parametrize("why", [Reason("rule", "of a requested package"), Reason("included")], ids=str)
def test_dll_that_somebody_asked_for_stays_where_it_was_asked_for(why) -> None:
    found = placed(entry("top.pyd", "Library/bin/inner.dll"), library("inner.dll", why=why), generated=True)
    assert [path for path in paths(found) if path.endswith("inner.dll")] == [f"{BIN}/inner.dll", "inner.dll"]


def test_dll_that_a_program_needs_stays_beside_the_program() -> None:
    program = entry(f"{BIN}/tool.exe", "Library/bin/inner.dll", why=Reason("rule", "of a requested package"))
    found = placed(entry("top.pyd", "Library/bin/inner.dll"), program, INNER, generated=True)
    assert [path for path in paths(found) if path.endswith("inner.dll")] == [f"{BIN}/inner.dll", "inner.dll"]


def test_namespace_package_is_never_given_an_init() -> None:
    found = placed(entry("space/part/_x.pyd", "Library/bin/inner.dll"), INNER, generated=True)
    assert paths(found) == ["space/part/_x.pyd", "space/part/inner.dll"]


def test_package_whose_init_cannot_be_read_has_the_dlls_beside_the_extension() -> None:
    found = placed(init("home", b"print 'old'\n"), entry("home/_x.pyd", "Library/bin/inner.dll"), INNER)
    assert paths(found) == ["home/__init__.py", "home/_x.pyd", "home/inner.dll"]
    assert source(found, "home/__init__.py") == b"print 'old'\n"


def test_libraries_that_need_each_other_come_along_together() -> None:
    one = library("one.dll", "Library/bin/two.dll")
    two = library("two.dll", "Library/bin/one.dll")
    found = placed(entry("top.pyd", "Library/bin/one.dll"), one, two, generated=True)
    assert paths(found) == ["one.dll", "top.pyd", "two.dll"]


def test_folder_of_another_wheels_library_is_added_too() -> None:
    others = {"far.dll": "faraway >=1: faraway/_prefix/Library/bin/far-0123abcd.dll"}
    found = placed(init("home"), entry("home/_x.pyd", elsewhere="FAR.dll".lower()), others=others)
    assert found.folders == ("../faraway/_prefix/Library/bin",)
    assert runtime_module.imports(source(found, "home/__init__.py"))
    with pytest.raises(ContentError, match=r"top\.pyd"):
        placed(entry("top.pyd", elsewhere="far.dll"), generated=True, others=others)
