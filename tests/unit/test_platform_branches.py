"""The counter of questions for platforms sees each form that such a question has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import platform_branches


@pytest.mark.parametrize(
    "text",
    [
        "target.system == 'win'",
        "'linux' not in tags",
        "binary.format not in ('elf', 'macho')",
        "platform.startswith(('manylinux', 'musllinux_'))",
        "sys.platform != 'win32'",
        "target.system == 'emscripten'",
    ],
)
def test_a_question_for_a_platform_is_seen(text):
    assert platform_branches.branches(f"x = 1\ny = {text}") == [(2, text)]


def test_a_pattern_is_a_question():
    assert platform_branches.branches("match system:\n    case 'osx' | 'win':\n        pass") == [(2, "'osx' | 'win'")]


@pytest.mark.parametrize(
    "text", ["f('linux')", "x == 'windows are open'", "{'win': 1}", "x == 'size'", "x.startswith(y)"]
)
def test_what_only_names_a_platform_is_no_question(text):
    assert platform_branches.branches(text) == []


def test_modules_whose_business_platforms_are_do_not_count(tmp_path):
    for name in ("platforms/linux/tag.py", "target.py", "wheel/names.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x == 'linux'", "utf-8")
    assert platform_branches.outside(tmp_path) == {"wheel/names.py": [(1, "x == 'linux'")]}


def test_the_house_asks_for_platforms_in_few_places_outside_of_their_own():
    asked = platform_branches.outside(Path(__file__).parents[2] / "src" / "mamba_press")
    assert sum(map(len, asked.values())) <= 10, asked
