from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from mamba_press.pipeline import handover, read_project, solve
from mamba_press.types import Package, Pressed, Python, Selection, Solution, Tags, Target, Wheel
from tests.support.values import specs

TARGET = Target(
    system="linux",
    arch="x86_64",
    subdir="linux-64",
    python=Python(minor=12),
    floor=(2, 28),
    tag="manylinux_2_28_x86_64",
)


PACKAGE = Package(
    name="greet",
    version="1.0",
    build="0",
    build_number=0,
    channel="here",
    subdir="linux-64",
    url="https://example.org/linux-64/greet-1.0-0.conda",
    file_name="greet-1.0-0.conda",
    depends=specs("words"),
    requested=True,
)


def solution() -> Solution:
    return Solution(target=TARGET, packages=(PACKAGE,), channels=("here",))


PRESSED = Pressed(
    wheel=Wheel(name="greeting", version=Version("1.0"), tags="py3-none-any", entries=()),
    solution=solution(),
    selection=Selection(kept=(), dropped=()),
    tagging=Tags(tags="py3-none-any", lowest="any"),
)


def ask(root: Path, settings: dict[str, object] | None = None, **environ: str) -> solve.Order:
    """An order with a cache beside the project."""
    return read_project.order(root, settings, {"RATTLER_CACHE_DIR": f"{root}.cache", **environ})


def handed(asked: solve.Order, folder: Path, of: str = "") -> Path:
    """The folder with what preparing leaves."""
    folder.mkdir(exist_ok=True)
    pressed = replace(PRESSED, prefix=folder / "prefix")
    for name, data in handover.left(asked, solution(), pressed, of or handover.sources(asked)).items():
        folder.joinpath(name).write_bytes(data)
    return folder


@pytest.fixture
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("prepared")


def test_what_was_solved_and_pressed_is_handed_over_as_it_was(root, folder):
    asked = ask(root)
    handed(asked, folder)
    assert handover.solved(folder, asked) == solution()
    with handover.pressed(folder, asked) as result:
        assert result == PRESSED


@pytest.mark.parametrize(
    "given",
    [
        Solution(target=replace(TARGET, floor=None), packages=(), channels=()),
        Solution(
            target=replace(TARGET, python=Python(minor=14, free_threaded=True)),
            packages=(
                replace(PACKAGE, depends=specs("a", "b >=1"), constrains=specs("c"), noarch="python", timestamp=1),
                replace(PACKAGE, sha256="00", license="MIT", site_packages="lib/python3.14t/site-packages"),
                replace(
                    PACKAGE,
                    depends=specs("a[when='__unix', extras=[x, y]]"),
                    extra_depends={"x": specs("c")},
                    flags=("cuda",),
                ),
            ),
            channels=("conda-forge", "file:///x"),
            contents={"words": {"folders": ("words-1.dist-info",), "files": 3}},
        ),
    ],
)
def test_a_solution_survives_the_hand_over_exactly(root, folder, given):
    asked = ask(root)
    for name, data in handover.left(asked, given, replace(PRESSED, prefix=folder / "prefix"), "").items():
        folder.joinpath(name).write_bytes(data)
    assert handover.solved(folder, asked) == given


def test_nothing_prepared_hands_nothing_over(root):
    assert handover.solved(root / "nowhere", ask(root)) is None


def test_a_solve_for_another_order_is_not_taken(root, folder, tmp_path):
    asked = ask(root)
    handed(asked, folder)
    others = [
        ask(root, {"constraints": "words <2"}),
        ask(root, {"python": "3.11"}),
        ask(root, {"platform": "manylinux_2_17_x86_64"}),
        ask(root, CONDA_OVERRIDE_CUDA="12.4"),
        replace(asked, root=tmp_path / "elsewhere"),
    ]
    for other in others:
        assert handover.solved(folder, other) is None
    root.joinpath(solve.LOCK).write_text("another solution")
    assert handover.solved(folder, asked) is None


def test_a_solve_without_the_key_it_was_sealed_with_is_not_taken(root, folder):
    handed(ask(root), folder)
    assert handover.solved(folder, ask(root, RATTLER_CACHE_DIR=f"{root}.other")) is None


def test_where_no_key_can_be_kept_nothing_is_left(root, folder):
    folder.joinpath("file").write_text("no folder")
    asked = ask(root, RATTLER_CACHE_DIR=str(folder / "file"))
    assert handover.left(asked, solution(), replace(PRESSED, prefix=folder), "") == {}


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b'{"for": null}', b"[" * 50_000])
@pytest.mark.parametrize("name", [handover.HANDED, handover.PRESSED, handover.SEAL])
def test_what_is_no_hand_over_is_as_good_as_none(name, data, root, folder):
    asked = ask(root)
    handed(asked, folder)
    folder.joinpath(name).write_bytes(data)
    assert handover.solved(folder, asked) is None


def test_more_bytes_than_a_hand_over_may_have_are_left_out(root, folder, monkeypatch):
    asked = ask(root)
    inside = folder / "prefix" / "text"
    inside.parent.mkdir()
    inside.write_bytes(b"names the prefix")
    entry = handover.types.Entry.made("text", inside, "a text")
    result = replace(PRESSED, wheel=replace(PRESSED.wheel, entries=(entry,)), prefix=inside.parent)
    assert handover.PRESSED in handover.left(asked, solution(), result, "")
    monkeypatch.setattr(handover, "_MOST", 15)
    assert handover.PRESSED not in handover.left(asked, solution(), result, "")
