"""The Pythons and machines that are pressed for."""

from __future__ import annotations

import pytest

from mamba_press.machine import NEUTRAL, NEUTRAL_ON_WINDOWS, Python


@pytest.mark.parametrize(
    ("python", "shown", "version", "interpreter", "abi"),
    [
        (Python(minor=7), "3.7", "3.7", "cp37", "cp37m"),
        (Python(minor=8), "3.8", "3.8", "cp38", "cp38"),
        (Python(minor=10), "3.10", "3.10", "cp310", "cp310"),
        (Python(minor=14, free_threaded=True), "3.14t", "3.14", "cp314", "cp314t"),
    ],
)
def test_a_python_is_called_as_in_the_tags_of_wheels(python, shown, version, interpreter, abi):
    assert (str(python), python.version, python.interpreter, python.abi) == (shown, version, interpreter, abi)


def test_the_neutral_prefixes_are_the_same_in_every_wheel():
    """They stand in files that are already installed."""
    assert (NEUTRAL, NEUTRAL_ON_WINDOWS) == ("/proc/mamba-press", "//./NUL/mamba-press")
