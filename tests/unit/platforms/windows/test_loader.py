"""What Windows would not find."""

from __future__ import annotations

from pathlib import Path

from mamba_press.platforms import strings
from mamba_press.platforms.windows import loader as windows_loader
from mamba_press.types import Binary


def found(tmp_path: Path, data: bytes) -> frozenset[str]:
    path = tmp_path / "file"
    path.write_bytes(data)
    return strings.look(path).names


def image(*needed: str, arch: str = "x86_64", search: tuple[str, ...] = ()) -> Binary:
    return Binary(format="pe", arch=arch, kind="shared", needed=needed, search=search)


def problems(libraries: dict[str, Binary], **more: object) -> list[str]:
    process = windows_loader.Process(**{"arch": "amd64", "python": 10, "folders": {}, **more})
    return [f"{problem.where}: {problem.what}" for problem in windows_loader.problems(libraries, process)]


WHEEL = {
    "pkg/_x.pyd": image("python310.dll", "outer.dll", "VCRUNTIME140_1.dll"),
    "pkg/_prefix/Library/bin/outer.dll": image("INNER.dll"),
    "pkg/_prefix/Library/bin/inner.dll": image("KERNEL32.dll"),
}
ADDED = {"pkg": ("pkg/_prefix/Library/bin",)}


def test_folders_that_the_package_adds_answer() -> None:
    assert problems(WHEEL, folders=ADDED) == []


def test_without_the_folder_the_extension_is_named_with_where_the_library_is() -> None:
    found = problems(WHEEL)
    assert found[0].startswith("pkg/_x.pyd: needs outer.dll, which is neither")


def test_folders_that_another_package_adds_do_not_count() -> None:
    moved = {"other/_x.pyd": WHEEL["pkg/_x.pyd"], **{path: each for path, each in WHEEL.items() if "_prefix" in path}}
    assert problems(moved, folders=ADDED)


def test_what_lies_beside_the_module_answers_for_all_that_comes_along() -> None:
    assert problems({"x.pyd": image("outer.dll"), "outer.dll": image("inner.dll"), "inner.dll": image()}) == []


def test_folder_of_a_dependency_does_not_count_for_what_it_needs() -> None:
    libraries = {"a/x.pyd": image("outer.dll"), "b/outer.dll": image("inner.dll"), "b/inner.dll": image()}
    assert problems(libraries, folders={"a": ("b",)}) == []
    libraries = {"a/x.pyd": image("outer.dll"), "a/outer.dll": image("inner.dll"), "b/inner.dll": image()}
    assert any("(loaded by a/x.pyd)" in each for each in problems(libraries, folders={}))


def test_library_that_is_loaded_already_answers_by_its_name() -> None:
    libraries = {"x.pyd": image("one.dll", "two.dll"), "one.dll": image(), "two.dll": image("ONE.DLL")}
    assert problems(libraries) == []


def test_python_that_does_not_bring_the_runtime_is_named() -> None:
    assert problems(WHEEL, folders=ADDED, python=7)
    assert problems(WHEEL, folders=ADDED, python=7, elsewhere=("vcruntime*.dll",)) == []


def test_library_for_another_machine_does_not_answer() -> None:
    found = problems({"x.pyd": image("one.dll"), "one.dll": image(arch="aarch64")})
    assert found == ["x.pyd: needs one.dll, and one.dll is for another machine"]


def test_wheel_of_another_tool_may_have_its_ways_of_adding_folders() -> None:
    assert problems(WHEEL, folders=None) == []
    assert problems({"pkg/_x.pyd": image("gone.dll")}, folders=None)


def test_image_that_restricts_the_search_does_not_find_what_is_in_the_wheel() -> None:
    restricted = {**WHEEL, "pkg/_x.pyd": image("outer.dll", search=("DependentLoadFlags 0x800",))}
    assert any("DependentLoadFlags" in each for each in problems(restricted, folders=ADDED))


def test_assembly_that_no_wheel_can_install_is_a_problem() -> None:
    asks = Binary(format="pe", arch="x86_64", kind="shared", assemblies=("Microsoft.VC90.CRT",))
    (problem,) = windows_loader.problems({"x.pyd": asks}, windows_loader.Process(arch="amd64", python=10))
    assert "Microsoft.VC90.CRT" in problem.what


def test_library_that_nobody_needs_is_opened_with_all_folders_added() -> None:
    plugin = {**WHEEL, "pkg/_prefix/Library/plugins/p.dll": image("inner.dll")}
    assert problems(plugin, folders=ADDED) == []
