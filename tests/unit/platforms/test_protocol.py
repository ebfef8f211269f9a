"""Every platform answers to all that is asked, and each in its own way."""

from __future__ import annotations

import inspect

import pytest

from mamba_press import platforms
from mamba_press.platforms.protocol import Platform, Wheel
from tests.support.values import binary

ASKED = sorted(name for name, each in vars(Platform).items() if inspect.isfunction(each) and not name.startswith("_"))


@pytest.mark.parametrize("system", platforms.FACTS)
def test_a_platform_answers_to_all_that_is_asked(system):
    answers = platforms.of(system)
    assert [name for name in ASKED if not callable(getattr(answers, name, None))] == []


@pytest.mark.parametrize(
    ("tags", "paths", "wrong"),
    [
        (["win_amd64"], ["a/nul.py", "a/b.py"], ["a/nul.py"]),
        (["manylinux_2_17_x86_64"], ["a/nul.py"], []),
        (["any"], ["a/nul.py"], ["a/nul.py"]),
        (["musllinux_1_2_x86_64", "win32"], ["a/nul.py"], ["a/nul.py"]),
    ],
)
def test_a_path_is_impossible_where_a_system_of_the_tags_cannot_have_it(tags, paths, wrong):
    assert [path for path, _ in platforms.impossible(paths, tags)] == wrong


def test_a_wheel_has_the_files_of_another_machine_but_those_of_32_bits():
    libraries = {name: binary(arch=name) for name in ("x86_64", "aarch64", "i686")}
    wheel = Wheel(tags=(), own={"x86_64": libraries["x86_64"]}, beside=libraries)
    assert sorted(wheel.on("x86_64")) == ["aarch64", "x86_64"]
    assert sorted(wheel.on("i686")) == ["aarch64", "i686", "x86_64"]
