"""What dyld would not find."""

from __future__ import annotations

import pytest

from mamba_press.errors import Remark
from mamba_press.platforms import binaries
from mamba_press.platforms.macos import loader as macos_loader
from mamba_press.types import Binary
from tests.support.macho import BUNDLE, LOAD, Dylib, dylib, universal

SYSTEM = "/usr/lib/libSystem.B.dylib"


def module(*needed: str, search: tuple[str, ...] = (), arch: str = "arm64") -> Dylib:
    names = [(SYSTEM, LOAD), *((name, LOAD) for name in needed)]
    return Dylib(kind=BUNDLE, name=None, needed=names, search=search, arch=arch)


def one(needed: str, *, search: tuple[str, ...] = (), elsewhere: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The problems of one module beside a library."""
    files = {"pkg/core.so": module(needed, search=search), "pkg/lib/liba.dylib": Dylib()}
    found = {path: binaries.read(dylib(what)) for path, what in files.items()}
    return tuple(f"{problem.what} ({problem.hint})" for problem in macos_loader.problems(found, elsewhere))


def test_library_that_is_where_its_name_leads_is_found() -> None:
    assert one("@loader_path/lib/liba.dylib") == ()


def test_search_path_of_the_file_itself_is_followed() -> None:
    assert one("@rpath/liba.dylib", search=("@loader_path/lib",)) == ()


def test_library_that_is_not_where_it_is_looked_for_is_named_with_its_place() -> None:
    [problem] = one("@loader_path/liba.dylib")
    assert "looked for at pkg/liba.dylib; it is at pkg/lib/liba.dylib" in problem


def test_search_path_into_another_package_leads_to_another_wheel() -> None:
    asks = Binary(
        format="macho", arch="arm64", archs=("arm64",), kind="shared",
        needed=("@rpath/libother.dylib",), search=("@loader_path/../other/lib",),
    )  # fmt: skip
    (remark,) = macos_loader.problems({"one/_one.so": asks})
    assert isinstance(remark, Remark)
    assert "another wheel has to bring as other/lib/libother.dylib" in remark.what


@pytest.mark.parametrize(
    "name", ["@rpath/liba.dylib", "/opt/lib/liba.dylib", "liba.dylib", "@executable_path/liba.dylib"]
)
def test_name_that_leads_nowhere_is_a_problem_unless_it_is_said_to_be_elsewhere(name) -> None:
    assert len(one(name)) == 1
    assert one(name, elsewhere=("liba*",)) == ()


@pytest.mark.parametrize("search", ["/opt/lib", "@rpath/lib", "@loader_path/../../lib"])
def test_search_path_that_leaves_the_wheel_is_a_problem(search) -> None:
    [problem] = one(SYSTEM, search=(search,))
    assert repr(search) in problem


def test_library_for_another_machine_is_no_answer() -> None:
    files = {"core.so": universal(*(dylib(module("@loader_path/liba.dylib", arch=a)) for a in ("arm64", "x86_64")))}
    files["liba.dylib"] = dylib(Dylib(arch="arm64"))
    [problem] = macos_loader.problems({path: binaries.read(data) for path, data in files.items()})
    assert problem.what == "needs @loader_path/liba.dylib, which liba.dylib is not for x86_64"


def test_bundle_cannot_be_linked_to() -> None:
    files = {"core.so": dylib(module("@loader_path/other.so")), "other.so": dylib(module())}
    [problem] = macos_loader.problems({path: binaries.read(data) for path, data in files.items()})
    assert "no library that can be linked to" in problem.what
